"""A real schema registry on loopback: Apicurio, by its Confluent-compatible API."""

import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer

from tests.support import downloads
from tests.support.running import wait_until
from tests.support.servers import DockerServer, LocalServer, Server, free_ports

START_SECONDS, STOP_SECONDS = 90.0, 20.0
_HOSTS = ("QUARKUS_HTTP_HOST", "QUARKUS_MANAGEMENT_HOST")


class RealRegistry:
    """One registry whose schemas survive a restart; compatibility is BACKWARD."""

    def __init__(self, folder: Path, heap_mb: int = 384) -> None:
        self.folder = folder.resolve()
        self.port, self._management_port = free_ports(2)
        self._server = self._make_server(heap_mb)

    def _make_server(self, heap_mb: int) -> Server:
        settings = {
            "QUARKUS_HTTP_PORT": str(self.port),
            "QUARKUS_MANAGEMENT_PORT": str(self._management_port),
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{self.folder}/data",
        }
        if downloads.docker_serves():
            container = DockerContainer(downloads.REGISTRY_IMAGE).with_kwargs(
                user=f"{os.getuid()}:{os.getgid()}"
            )
            return DockerServer(container, self.folder, settings, [self.port])
        jar = str(downloads.registry_home() / "quarkus-run.jar")
        command = [downloads.java(), f"-Xmx{heap_mb}m", "-jar", jar]
        loopback = dict.fromkeys(_HOSTS, "127.0.0.1")
        environment = {**os.environ, **settings, **loopback}
        return LocalServer(command, self.folder, environment)

    @property
    def url(self) -> str:
        """The base address of the Confluent-compatible API."""
        return f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start the registry and wait until it answers."""
        self._server.start()
        try:
            wait_until(self._answers, "the registry answers", START_SECONDS)
        except AssertionError:
            print(self.log()[-3000:])  # noqa: T201 - pytest shows it with the failure
            self.stop(signal.SIGKILL)
            raise
        self._call("PUT", "/config", {"compatibility": "BACKWARD"})

    def _answers(self) -> bool:
        if not self._server.is_alive():
            message = f"the registry ended while starting:\n{self.log()[-3000:]}"
            raise RuntimeError(message)
        try:
            self._call("GET", "/subjects")
        except OSError:
            return False
        return True

    def _call(self, method: str, path: str, body: object = None) -> object:
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return json.load(answer)

    def compatibility(self) -> object:
        """Ask for the global rule."""
        return self._call("GET", "/config")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the registry by SIGTERM or SIGKILL."""
        if self._server.is_alive():
            self._server.signal(number)
            self._server.wait(STOP_SECONDS)

    def freeze(self) -> None:
        """Stop the registry in its tracks; its sockets stay open."""
        self._server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen registry go on."""
        self._server.signal(signal.SIGCONT)

    def close(self) -> None:
        """End the registry whatever its state, and leave nothing behind."""
        self.stop(signal.SIGKILL)
        if isinstance(self._server, DockerServer):
            self._server.remove()

    def log(self) -> str:
        """Return what the registry has printed."""
        return self._server.log()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """Share one registry; tests use subjects of their own and never stop it."""
    made = RealRegistry(tmp_path_factory.mktemp("registry"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def private_registry(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], RealRegistry]]:
    """Make running registries of a test's own, which it may stop and kill."""
    made: list[RealRegistry] = []

    def make() -> RealRegistry:
        made.append(RealRegistry(tmp_path_factory.mktemp("registry")))
        made[-1].start()
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.close()
