"""Plans past one machine: up to 200 workers and 100,000 subscriptions, simulated.

    python bench/scale.py --seed 1 [--json]

Needs no network and no Kafka. What is real and what is modelled is said in
bench/scale_model.py and bench/scale_recovery.py.
The same seed gives the same figures. Not every combination is tried: the sizes, and
the partitions for each, are the constants below. One world is drawn for a size; below
about 3,000 subscriptions another seed gives visibly other imbalances.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.scale_model import (
    PER_ADDRESS,
    Row,
    World,
    addresses,
    balance,
    movement,
    world,
)
from bench.scale_recovery import recovery

WORKERS = (1, 2, 3, 5, 10, 20, 50, 100, 200)
SUBSCRIPTIONS = (300, 3_000, 20_000, 100_000)
PARTITIONS = (24, 120, 480, 2_000)
# A live book of 25 levels a side: 7.5 kB in its session, the rest is its lane and
# allocation; docs/scaling.md.
BINDING_BYTES = 10_000
TITLES = {
    "balance": "Balance and load of the heaviest worker",
    "addresses": "Connections: all, and the most to one venue from one address",
    "movement": "Moved partitions / the fewest possible",
    "recovery": "Without an owner after a loss, s: p50 p99 max over the lost bindings",
}


def main(words: Sequence[str] | None = None) -> int:
    """Simulate, and print tables or JSON."""
    args = _arguments(words)
    found = simulate(args)
    if args.json:
        sys.stdout.write(json.dumps({"seed": args.seed, **found}) + "\n")
    else:
        _show(found)
    return 0


def simulate(args: argparse.Namespace) -> dict[str, list[Row]]:
    """Return the rows of every table."""
    found: dict[str, list[Row]] = {name: [] for name in TITLES}
    for workers, partitions in _sizes(args):
        chance = _chance(args, workers, partitions)
        found["movement"].append(movement(workers, partitions, chance))
    for subscriptions in args.subscriptions:
        for partitions in args.partitions:
            chance = _chance(args, subscriptions, partitions)
            the = world(subscriptions, partitions, chance)
            for workers in _crews(args, partitions):
                _add(found, the, workers, args)
    return found


def _add(
    found: dict[str, list[Row]], the: World, workers: int, args: argparse.Namespace
) -> None:
    found["balance"].append(balance(the, workers, args.bytes))
    found["addresses"].append(addresses(the, workers))
    for share in PER_ADDRESS if workers > 1 else ():
        if share > 1 and share >= workers:
            continue
        chance = _chance(args, the.subscriptions, the.partitions, workers, share)
        found["recovery"].append(
            recovery(the, workers, share, args.session_timeout, chance)
        )


def _sizes(args: argparse.Namespace) -> Iterator[tuple[int, int]]:
    for partitions in args.partitions:
        for workers in _crews(args, partitions):
            yield workers, partitions


def _crews(args: argparse.Namespace, partitions: int) -> list[int]:
    """Return the numbers of workers to try; idle ones say nothing."""
    return [workers for workers in args.workers if workers <= partitions]


def _chance(args: argparse.Namespace, *place: int) -> random.Random:
    """Return a source of chance that does not depend on what ran before."""
    return random.Random(repr((args.seed, *place)))


def _show(found: dict[str, list[Row]]) -> None:
    for name, rows in found.items():
        print(f"\n{TITLES[name]}\n")
        headers = list(rows[0]) if rows else []
        print(f"| {' | '.join(header.replace('_', ' ') for header in headers)} |")
        print(f"|{' ---: |' * len(headers)}")
        for row in rows:
            print(f"| {' | '.join(_text(row[header]) for header in headers)} |")


def _text(cell: Any) -> str:  # noqa: ANN401 - whatever a row holds
    if isinstance(cell, list):
        return " ".join(map(_text, cell))
    return "" if cell is None else f"{cell:,}"


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add: Callable[..., Any] = parser.add_argument
    add("--seed", type=int, default=1)
    add("--workers", type=_numbers, default=list(WORKERS))
    add("--subscriptions", type=_numbers, default=list(SUBSCRIPTIONS))
    add("--partitions", type=_numbers, default=list(PARTITIONS))
    add("--bytes", type=int, default=BINDING_BYTES, help="memory of one subscription")
    add("--session-timeout", type=float, default=6.0, help="in s; classic protocol")
    add("--json", action="store_true")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
