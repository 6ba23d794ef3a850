"""Measures how long subscriptions are without a live connection when workers go.

    python -m bench.takeover [--times N] [--workers N] [--books N] [--json]

Real Kafka, worker processes, the Finery simulator. In turn one worker is ended, by
SIGTERM or SIGKILL, and started again once all is calm. Judged from the topics alone:
the data topic says when each connection of a subscription was live and when it ended,
the feed-state topic says whose it was. A move is timed from the old connection's ENDED
record, or from the moment of SIGKILL, to the first LIVE behind it.

The exit code is 1 if a subscription moved that need not, moved twice, moved without its
ENDED, or if a connection wrote behind its successor.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from bench.stage import (
    SESSION_S,
    SOURCE,
    Fleet,
    Tree,
    books,
    finery_login,
    fleet,
    folder,
    group,
    merged,
    real_kafka,
)
from bench.timelines import Moved, Timelines, moved, percentile
from bench.watching import Watch
from tests.support.kafka import RealKafka
from tests.support.processes import Venue, venue

PROTOCOLS = ("classic", "consumer")
STOPS = ("SIGTERM", "SIGKILL")
RETURN = "return"
CALM_S = 3.0
LIMIT_S = 120.0
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
HEADS = ("moves", *SHARES, "disturbed", "twice", "silent")


class Case(NamedTuple):
    """One way a worker goes or comes, with one protocol, and what each time did."""

    protocol: str
    event: str
    times: list[Moved]

    def figures(self) -> dict[str, Any]:
        """Return counts, and percentiles in ms of the time without a live one."""
        gaps = [gap for one in self.times for gap in one.gap_ms]
        ranks = {n: round(percentile(gaps, s)) for n, s in SHARES.items() if gaps}
        return {
            "protocol": self.protocol,
            "event": self.event,
            "times": len(self.times),
            "moves": len(gaps),
            "most_moves_at_once": max(len(one.gap_ms) for one in self.times),
            **ranks,
            "disturbed": sum(len(one.disturbed) for one in self.times),
            "twice": sum(len(one.twice) for one in self.times),
            "silent": sum(len(one.silent) for one in self.times),
        }


class Bench(NamedTuple):
    """One protocol's workers and who watches them."""

    fleet: Fleet
    watch: Watch

    def settle(self, worker: str, *, owns: bool) -> None:
        """Wait until all is live and calm, and `worker` has a share or has none."""

        def done(lines: Timelines) -> bool:
            owners = {lines.owner(c) for c in lines.newest().values()}
            self.fleet.check()
            return (worker in owners) == owns

        self.watch.settle(done, CALM_S, LIMIT_S)

    def stop(self, worker: str, how: str) -> Moved:
        """End a worker; judge what its subscriptions went through."""
        lines, killed_us = self.watch.lines, None
        before = lines.newest()
        if how == "SIGKILL":
            killed_us = self.fleet.kill(worker)
        else:
            self.fleet.stop(worker)
        self.settle(worker, owns=False)
        return moved(lines, before, worker, killed_us)

    def back(self, worker: str) -> Moved:
        """Start it again; judge what it took over."""
        before = self.watch.lines.newest()
        self.fleet.start(worker)
        self.settle(worker, owns=True)
        return moved(self.watch.lines, before, worker, None)


@contextmanager
def bench(
    where: Path, broker: RealKafka, finery: Venue, protocol: str, workers: int
) -> Iterator[Bench]:
    """Start the workers of one protocol and wait until they share all books."""
    wanted = books(finery)
    where.mkdir()
    with ExitStack() as stack:
        tree = merged(
            group(f"takeover-{protocol}", protocol, partitions=24),
            _settings(broker, finery, wanted, workers),
        )
        made = stack.enter_context(fleet(where, tree, finery_login(finery)))
        for number in range(workers):
            made.start(f"worker-{number}")
        watch = stack.enter_context(closing(Watch(broker.bootstrap, wanted)))
        watch.open()
        ready = Bench(made, watch)
        for name in made.processes:
            ready.settle(name, owns=True)
        yield ready


def _settings(
    broker: RealKafka, finery: Venue, wanted: list[str], workers: int
) -> Tree:
    return {
        "kafka": {"bootstrap_servers": broker.bootstrap},
        "transport": {"workers_per_address": workers},
        "finery": {SOURCE: {"url": finery.facts["url"], "subscriptions": wanted}},
    }


def measure(
    args: argparse.Namespace, where: Path, protocol: str
) -> tuple[list[dict[str, Any]], int]:
    """Return the figures of one protocol, on a broker of its own, and `overtaken`."""
    options = ("--instruments", str(args.books), "--rate", "1")
    where.mkdir()
    with (
        real_kafka(where) as broker,
        venue(where, "finery", *options) as finery,
        bench(where / "workers", broker, finery, protocol, args.workers) as made,
    ):
        cases = {event: Case(protocol, event, []) for event in (*STOPS, RETURN)}
        for how, worker in islice(_turns(args.workers), args.times * len(STOPS)):
            cases[how].times.append(made.stop(worker, how))
            cases[RETURN].times.append(made.back(worker))
            print(_progress(cases[how], cases[RETURN]), file=sys.stderr)
        figures = [case.figures() for case in cases.values()]
        return figures, made.watch.lines.overtaken


def _turns(workers: int) -> Iterator[tuple[str, str]]:
    """Yield both ways to end a worker, one worker after the other."""
    number = 0
    while True:
        for how in STOPS:
            yield how, f"worker-{number % workers}"
            number += 1


def _progress(stopped: Case, back: Case) -> str:
    gone, came = stopped.times[-1], back.times[-1]
    return (
        f"{stopped.protocol} {stopped.event}: {len(gone.gap_ms)} moved, at most "
        f"{max(gone.gap_ms, default=0):.0f} ms; back: {len(came.gap_ms)} moved, at "
        f"most {max(came.gap_ms, default=0):.0f} ms"
    )


def table(found: list[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table; times are in ms."""
    heads = ("group protocol", "event", "times", *HEADS)
    lines = [" | ".join(heads), " | ".join(["---"] * 2 + ["---:"] * (len(heads) - 2))]
    for row in found:
        words = (row["protocol"], row["event"], row["times"])
        cells = [*words, *(row.get(head, "-") for head in HEADS)]
        lines.append(" | ".join(map(str, cells)))
    return "\n".join(f"| {line} |" for line in lines)


def main(words: list[str] | None = None) -> int:
    """Measure, show, and tell by the exit code whether only the needed moved."""
    parser = argparse.ArgumentParser(description="time without a live connection")
    parser.add_argument("--times", type=int, default=10, help="of each way to end one")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--books", type=int, default=60)
    parser.add_argument("--protocols", default=",".join(PROTOCOLS))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    found: list[dict[str, Any]] = []
    overtaken = 0
    with folder() as where:
        for protocol in args.protocols.split(","):
            figures, late = measure(args, where / protocol, protocol)
            found += figures
            overtaken += late
    facts = {
        "workers": args.workers,
        "books": args.books,
        "session_s": SESSION_S,
        "overtaken": overtaken,
        "cases": found,
    }
    print(json.dumps(facts, indent=1) if args.json else table(found))
    faults = sum(r["disturbed"] + r["twice"] + r["silent"] for r in found)
    return 1 if faults or overtaken else 0


if __name__ == "__main__":
    sys.exit(main())
