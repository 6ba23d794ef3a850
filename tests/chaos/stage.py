"""A worker process between a simulated venue and a real broker, and its judges."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.kafka import RealKafka
from tests.support.processes import (
    Feedbridge,
    Venue,
    ask,
    running,
    settings_file,
    venue,
)
from tests.support.running import wait_until

INSTRUMENTS = 20
QUEUE_MEGABYTES = 16
MEGABYTE = 1 << 20


class Stage:
    """Everything that a chaos test touches."""

    def __init__(
        self, folder: Path, broker: RealKafka, finery: Venue, tree: Mapping[str, Any]
    ) -> None:
        """Write the settings of the worker."""
        self.folder = folder
        self.broker = broker
        self.finery = finery
        self.config = settings_file(folder, tree)
        self.variables = {
            "FEEDBRIDGE_CONFIG": str(self.config),
            "FEEDBRIDGE_FINERY__desk__KEY": finery.facts["key"],
            "FEEDBRIDGE_FINERY__desk__SECRET": finery.facts["secret"],
        }

    def live(self, worker: Feedbridge) -> int:
        """Return how many subscriptions are live, by the worker's own log."""
        last: dict[str, str] = {}
        for event in worker.events("subscription"):
            last[event["subscription"]] = event["state"]
        return sum(state == "LIVE" for state in last.values())

    def wait_live(self, worker: Feedbridge, count: int, limit: float = 60.0) -> None:
        """Wait until `count` subscriptions are live."""
        wait_until(lambda: self.live(worker) >= count, f"{count} live", limit)

    def verify(self) -> dict[str, Any]:
        """Return what `feedbridge verify --all` finds; it must find no fault."""
        code, found = ask(
            self.folder, "verify", "--all", "--json", variables=self.variables
        )
        assert isinstance(found, dict), found
        text = json.dumps(found, indent=1)[:4000]
        assert code == 0, text
        assert found["complete"], text
        return found


@contextmanager
def staged(
    folder: Path,
    broker: RealKafka,
    special: Mapping[str, Mapping[str, Any]] | None = None,
    **changes: Any,
) -> Iterator[tuple[Stage, Feedbridge]]:
    """Start venue and worker.

    `special` gives subscriptions by name their options; `changes` are sections of the
    settings.
    """
    with ExitStack() as stack:
        options = ("finery", "--instruments", str(INSTRUMENTS), "--rate", "5")
        finery = stack.enter_context(venue(folder, *options))
        flooded = finery.do("flood", rate=1)
        finery.do("stop_flood")
        options_of = special or {}
        names = [
            {"subscription": name, **options_of.get(name, {})}
            for name in (f"book.tradable:{instrument}" for instrument in flooded)
        ]
        tree = {
            "kafka": {
                "bootstrap_servers": broker.bootstrap,
                "queue_megabytes": QUEUE_MEGABYTES,
            },
            "finery": {"desk": {"url": finery.facts["url"], "subscriptions": names}},
            **changes,
        }
        stage = Stage(folder, broker, finery, tree)
        worker = stack.enter_context(running(folder, "run", variables=stage.variables))
        stage.wait_live(worker, INSTRUMENTS + 1)
        yield stage, worker


def watch(seconds: float, worker: Feedbridge) -> int:
    """Let time pass; return the most memory that the worker held, in bytes."""
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        assert worker.alive(), worker.errors()[-5:]
        most = max(most, worker.rss_bytes)
        time.sleep(0.1)
    return most
