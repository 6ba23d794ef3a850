"""One server of the real tier: a local process or a Docker container."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from random import SystemRandom
from typing import Protocol

from testcontainers.core.container import DockerContainer

LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000


class Server(Protocol):
    """What a fixture needs from a server, however it is run."""

    def start(self) -> None:
        """Start it; it may not be ready yet."""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""

    def wait(self, seconds: float) -> None:
        """Wait until it has ended; kill it after `seconds`."""

    def is_alive(self) -> bool:
        """Tell whether it has not ended."""

    def log(self) -> str:
        """Return what it has printed."""


class LocalServer:
    """A process of this machine, ended by its id."""

    def __init__(
        self, command: list[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._command = [*_dies_with_us(), *command]
        self._folder = folder
        self._environment = dict(environment)
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process in a session of its own."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal, if it lives; a stop has happened on return."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        if number == signal.SIGSTOP:  # it may answer from another core until then
            ends = os.WSTOPPED | os.WEXITED | os.WNOWAIT
            os.waitid(os.P_PID, self._process.pid, ends)

    def wait(self, seconds: float) -> None:
        """Wait for the end of the process; kill it after `seconds`."""
        if not self._process:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Return what the process has printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


class DockerServer:
    """A container that sees `folder` under its own path and publishes its ports."""

    def __init__(
        self,
        container: DockerContainer,
        folder: Path,
        environment: Mapping[str, str],
        ports: list[int],
    ) -> None:
        container.with_volume_mapping(str(folder), str(folder), "rw")
        for port in ports:
            container.with_bind_ports(port, port)
        for name, value in environment.items():
            container.with_env(name, value)
        self._container = container
        self._made = False

    def start(self) -> None:
        """Create the container, or start the one that was stopped."""
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True

    def signal(self, number: signal.Signals) -> None:
        """Send the container's first process a signal."""
        wrapped = self._container.get_wrapped_container()
        if number == signal.SIGSTOP:
            wrapped.pause()
        elif number == signal.SIGCONT:
            wrapped.unpause()
        else:
            wrapped.kill(number.name)

    def wait(self, seconds: float) -> None:
        """Wait for the end of the container; kill it after `seconds`."""
        self._container.get_wrapped_container().stop(timeout=int(seconds))

    def is_alive(self) -> bool:
        """Tell whether the container runs."""
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status in {"running", "paused"})

    def log(self) -> str:
        """Return what the container has printed."""
        return "\n".join(part.decode() for part in self._container.get_logs())

    def remove(self) -> None:
        """Remove the container."""
        if self._made:
            self._container.stop()


def free_ports(count: int) -> list[int]:
    """Choose free ports below the range that outgoing connections take.

    A port of that range could be taken by any client while its server is stopped;
    a client may even connect to itself there.
    """
    chosen: list[int] = []
    chance = SystemRandom()
    while len(chosen) < count:
        port = chance.randrange(LOWEST_PORT, HIGHEST_PORT)
        if port not in chosen and _is_free(port):
            chosen.append(port)
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Tell whether something accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _dies_with_us() -> list[str]:
    """Let Linux end the server even if this process is killed."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "KILL"] if found else []
