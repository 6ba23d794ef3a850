"""Measures what a second worker brings, and what a subscription costs in memory.

    python -m bench.workers [--broker real|embedded] [--rounds N] [--json]

Throughput: one flooding server, one broker, then in turn one worker and two, with all
the books between them. What counts are acknowledged records: the ends of the topic's
partitions, read before and after a window. What the server could have sent is measured
in the same run by clients that only count bytes. Nothing is pinned: on two cores all
processes share both, and the table says how busy the cores were.

Memory: one worker with more and more books, each of 25 levels a side, live and quiet.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.flood import drained
from bench.flood_server import server
from bench.stage import SOURCE, Fleet, Tree, fleet, folder, group, merged, real_kafka
from bench.windows import Ends, Window, figures, measured
from bridge.config import load
from bridge.config.plans import wanted_topics
from bridge.embedded import EmbeddedKafka
from tests.support.processes import Feedbridge, settings_file
from tests.support.running import wait_until

NAMES, PARTITIONS = 24, 8
MEMORY_COUNTS = (10, 100, 300)
SETTLE_S, LIVE_S = 2.0, 90.0
# A worker takes its start's objects out of the collector's sight after 5 s.
FROZEN_S = 8.0
HEADS = (
    "workers",
    "frames/s acknowledged",
    "least",
    "most",
    "CPU us a frame",
    "worker cores",
    "server cores",
    "busy cores",
)
NO_REFRESH = {"books": {"refresh_seconds": 3600}}
LOGIN = {
    f"FEEDBRIDGE_FINERY__{SOURCE}__KEY": "bench",
    f"FEEDBRIDGE_FINERY__{SOURCE}__SECRET": "bench",
}


@contextmanager
def kafka(kind: str, where: Path) -> Iterator[str]:
    """Run a broker; yields its address."""
    with ExitStack() as stack:
        if kind == "real":
            yield stack.enter_context(real_kafka(where)).bootstrap
        else:
            yield stack.enter_context(EmbeddedKafka(topics=_topics(where))).bootstrap


def _topics(where: Path) -> dict[str, int]:
    """Return every topic that a worker needs, for a broker that makes none."""
    tree = merged(_settings("ws://127.0.0.1:1/ws", "-", ["BTC-USD"]), _shared(0))
    settings = load(settings_file(where, tree), LOGIN)
    return {topic.name: topic.partitions for topic in wanted_topics(settings)}


def _shared(number: int) -> Tree:
    return group(f"bench-{number}", "classic", PARTITIONS)


def names_of(count: int) -> list[str]:
    """Return made-up instruments."""
    return [f"COIN{number}-USD" for number in range(count)]


def _settings(url: str, bootstrap: str, names: Sequence[str]) -> Tree:
    wanted = [f"book.tradable:{name}" for name in names]
    return {
        "kafka": {"bootstrap_servers": bootstrap},
        "finery": {SOURCE: {"url": url, "subscriptions": wanted}},
        **NO_REFRESH,
    }


def live(processes: Sequence[Feedbridge]) -> list[int]:
    """Return how many subscriptions are live in each worker, by their logs."""
    found = []
    for process in processes:
        last = {
            event["subscription"]: event["state"]
            for event in process.events("subscription")
            if event["subscription"].startswith("book.")
        }
        found.append(sum(state == "LIVE" for state in last.values()))
    return found


def _started(made: Fleet, count: int, books: int) -> list[Feedbridge]:
    """Start workers, one share each, and wait until every book is live."""
    processes = [made.start(f"worker-{number}") for number in range(count)]

    def ready() -> bool:
        made.check()
        shares = live(processes)
        return sum(shares) == books and all(shares)

    wait_until(ready, f"{books} books live on {count} workers", LIVE_S)
    time.sleep(SETTLE_S)
    wait_until(ready, "and they stay", LIVE_S)
    return processes


def throughput(args: argparse.Namespace, where: Path) -> dict[str, Any]:
    """Return frames a second of one worker and of two, from the same run."""
    names = names_of(NAMES)
    windows: list[Window] = []
    with ExitStack() as stack:
        source = stack.enter_context(server())
        bootstrap = stack.enter_context(kafka(args.broker, where))
        source.flood("go")
        offered = {
            f"{n}": round(asyncio.run(drained(source.port, names, n, args.seconds)))
            for n in (1, 2)
        }
        source.flood("halt")
        ends: Ends | None = None
        for number in (1, 2) * args.rounds:
            tree = merged(
                _settings(source.url, bootstrap, names),
                _shared(len(windows)),
            )
            with fleet(where, tree, LOGIN) as made:
                processes = _started(made, number, len(names))
                ends = ends or Ends(bootstrap)
                windows.append(measured(source, ends, processes, args.seconds))
                print(windows[-1], file=sys.stderr)
                time.sleep(SETTLE_S)
                for name in made.processes:
                    made.stop(name)
        if ends is not None:
            ends.close()
    return {"broker": args.broker, "offered": offered, **figures(windows)}


def memory(args: argparse.Namespace, where: Path) -> dict[str, Any]:
    """Return the resident memory of a worker by its number of books, in MB."""
    found: dict[int, float] = {}
    with ExitStack() as stack:
        source = stack.enter_context(server())
        bootstrap = stack.enter_context(kafka("embedded", where))
        for count in args.books:
            tree = _settings(source.url, bootstrap, names_of(count))
            with fleet(where, tree, LOGIN) as made:
                (process,) = _started(made, 1, count)
                time.sleep(FROZEN_S)
                found[count] = process.rss_bytes / 1e6
                made.stop("worker-0")
    slope, base = statistics.linear_regression(list(found), list(found.values()))
    return {
        "rss_mb": {f"{count}": round(value, 1) for count, value in found.items()},
        "base_mb": round(base, 1),
        "kb_a_subscription": round(slope * 1000, 1),
    }


def table(said: Mapping[str, Any]) -> str:
    """Return both results as Markdown tables."""
    speed, held = said["throughput"], said["memory"]
    lines = [
        f"| {' | '.join(HEADS)} |",
        f"| {' | '.join(['---:'] * len(HEADS))} |",
    ]
    for number, one in speed["workers"].items():
        cells = (number, *list(one.values())[1:])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    offered = ", ".join(f"{n}: {rate}" for n, rate in speed["offered"].items())
    lines += [
        "",
        f"two workers: {speed['x_one_worker']} times one; broker: {speed['broker']}",
        f"frames/s that bare clients took, by their number: {offered}",
        "",
        "| books | RSS, MB |",
        "| ---: | ---: |",
        *(f"| {count} | {value} |" for count, value in held["rss_mb"].items()),
        "",
        f"{held['base_mb']} MB and {held['kb_a_subscription']} kB a book",
    ]
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    """Measure both and show them."""
    parser = argparse.ArgumentParser(description="one worker, two workers; memory")
    parser.add_argument("--broker", choices=("real", "embedded"), default="real")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of one window")
    parser.add_argument("--books", type=int, nargs="+", default=MEMORY_COUNTS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    with folder() as where:
        said = {"throughput": throughput(args, where), "memory": memory(args, where)}
    print(json.dumps(said, indent=1) if args.json else table(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
