"""Runs the product as its users do: processes, settings files, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bridge.simulators.control import ControlClient
from tests.support.running import wait_until

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_SECONDS = 60


class Feedbridge:
    """One `feedbridge` process; its output is kept in files."""

    def __init__(
        self, folder: Path, verb: Sequence[str], variables: Mapping[str, str]
    ) -> None:
        """Start it with nothing of our own FEEDBRIDGE_ environment."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("FEEDBRIDGE_")}
        stem = f"{verb[0]}-{time.monotonic_ns()}"
        self.out = folder / f"{stem}.out"
        self.err = folder / f"{stem}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", "bridge", *verb],
                # Several workers run at a time; a test that asks one chooses its port.
                env={"FEEDBRIDGE_HTTP__PORT": "0", **clean, **variables},
                stdout=out,
                stderr=err,
            )

    @property
    def rss_bytes(self) -> int:
        """Return the memory that the process holds now (Linux)."""
        text = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * PAGE_BYTES

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the logged events of that name."""
        return [e for e in map(_event, self.errors()) if e.get("event") == name]

    def errors(self) -> list[str]:
        """Return the lines on stderr."""
        return self.err.read_text().splitlines()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None


def _event(line: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return event


@contextmanager
def running(
    folder: Path, *verb: str, variables: Mapping[str, str] | None = None
) -> Iterator[Feedbridge]:
    """Run one process for the length of a `with` block; end it whatever happens."""
    process = Feedbridge(folder, verb, variables or {})
    try:
        yield process
    finally:
        process.stop(signal.SIGKILL)


class Venue:
    """A simulator in a process of its own, and its control port."""

    def __init__(self, process: Feedbridge, facts: Mapping[str, str]) -> None:
        """Keep where it is and how to log in."""
        self.process = process
        self.facts = facts
        host, _, port = facts["control"].rpartition(":")
        self.control = ControlClient(int(port), host, timeout_s=30.0)

    def do(self, name: str, **arguments: Any) -> Any:
        """Run a command of the control interface."""
        return self.control.call(name, **arguments)


@contextmanager
def venue(folder: Path, *options: str) -> Iterator[Venue]:
    """Run a simulator, as `feedbridge simulate` does for people."""
    with running(folder, "simulate", *options, "--json") as process:
        wait_until(lambda: bool(process.out.read_text().strip()), "the simulator")
        yield Venue(process, json.loads(process.out.read_text()))


def ask(folder: Path, *verb: str, variables: Mapping[str, str]) -> tuple[int, Any]:
    """Run a verb to its end; return its exit code and what it said in JSON."""
    process = Feedbridge(folder, verb, variables)
    code = process.process.wait(STOP_SECONDS * 2)
    text = process.out.read_text()
    return code, json.loads(text) if text.strip() else process.errors()


def settings_file(folder: Path, tree: Mapping[str, Any]) -> Path:
    """Write a settings file and return its path."""
    path = folder / "feedbridge.yaml"
    path.write_text(yaml.safe_dump(dict(tree)))
    return path
