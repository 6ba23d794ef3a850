"""What several workers need around them: a broker, venues, settings, processes."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bridge.errors import BridgeError
from tests.support.kafka import RealKafka
from tests.support.processes import Feedbridge, Venue, settings_file

SOURCE, RATES = "desk", "rates"
SESSION_S = 6
# What a broker takes is bounded from below; source: Apache Kafka 4.3, broker configs.
FAST_GROUPS = {
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
}
Tree = dict[str, Any]


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that is gone after the `with` block."""
    with tempfile.TemporaryDirectory(prefix="feedbridge-bench-") as path:
        yield Path(path)


@contextmanager
def real_kafka(where: Path) -> Iterator[RealKafka]:
    """Run a broker that takes short sessions of both group protocols."""
    (where / "kafka").mkdir()
    broker = RealKafka(where / "kafka", options=FAST_GROUPS)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


def group(name: str, protocol: str, partitions: int) -> Tree:
    """Return the sections that let workers share their subscriptions."""
    options = {"group.protocol": protocol} if protocol != "classic" else {}
    ownership = {
        "mode": "group",
        "group": name,
        "session_timeout_s": SESSION_S,
        "partitions": partitions,
    }
    return {"ownership": ownership, "kafka": {"options": options}}


def books(finery: Venue) -> list[str]:
    """Return a book subscription for each instrument of a simulator."""
    names: list[str] = finery.do("flood", rate=1)
    finery.do("stop_flood")
    return [f"book.tradable:{name}" for name in names]


def finery_login(finery: Venue) -> dict[str, str]:
    """Return the variables that log in at the simulator."""
    stem = f"FEEDBRIDGE_FINERY__{SOURCE}__"
    return {
        f"{stem}KEY": finery.facts["key"],
        f"{stem}SECRET": finery.facts["secret"],
    }


def rates_login(rates: Venue) -> dict[str, str]:
    """Return the variables that log in at the other simulator."""
    stem = f"FEEDBRIDGE_CFBENCHMARKS__{RATES}__"
    return {
        f"{stem}USER": rates.facts["user"],
        f"{stem}PASSWORD": rates.facts["password"],
    }


def merged(*trees: Tree) -> Tree:
    """Return settings where later ones win, section by section."""
    found: Tree = {}
    for tree in trees:
        for name, part in tree.items():
            both = isinstance(part, dict) and isinstance(found.get(name), dict)
            found[name] = merged(found[name], part) if both else part
    return found


class Fleet:
    """Worker processes by name, started and ended one by one."""

    def __init__(
        self,
        where: Path,
        tree: Tree,
        variables: Mapping[str, str],
        verb: Sequence[str] = ("run",),
    ) -> None:
        """Write the settings that all of them share."""
        self._where = where
        self.variables = {
            **variables,
            "FEEDBRIDGE_CONFIG": str(settings_file(where, tree)),
        }
        self._verb = verb
        self.processes: dict[str, Feedbridge] = {}

    def start(self, name: str) -> Feedbridge:
        """Start a worker, for the first time or again."""
        mine = {**self.variables, "FEEDBRIDGE_WORKER__NAME": name}
        self.processes[name] = Feedbridge(self._where, self._verb, mine)
        return self.processes[name]

    def stop(self, name: str) -> None:
        """End a worker in order; raises BridgeError if it left something behind."""
        process = self.processes[name]
        code = process.stop(signal.SIGTERM)
        if code:
            last = " | ".join(process.errors()[-3:])
            raise BridgeError(f"{name} ended with {code}: {last}")

    def kill(self, name: str) -> int:
        """End a worker at once; return the Unix time of that in us."""
        at_us = time.time_ns() // 1000
        self.processes[name].stop(signal.SIGKILL)
        return at_us

    def check(self) -> None:
        """Raise BridgeError if a worker has ended by itself."""
        for name, process in self.processes.items():
            if not process.alive() and process.process.returncode not in {
                0,
                -signal.SIGKILL,
            }:
                last = " | ".join(process.errors()[-3:])
                raise BridgeError(f"{name} ended by itself: {last}")

    def close(self) -> None:
        """End whatever still runs."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.stop(signal.SIGKILL)


@contextmanager
def fleet(
    where: Path,
    tree: Tree,
    variables: Mapping[str, str],
    verb: Sequence[str] = ("run",),
) -> Iterator[Fleet]:
    """Make a fleet that is gone after the `with` block."""
    made = Fleet(where, tree, variables, verb)
    try:
        yield made
    finally:
        made.close()
