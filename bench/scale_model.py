"""The model behind bench/scale.py: made-up wishes, dealt by the worker's own code.

Real are: which partition a subscription belongs to, the shares, their connections and
weights, and how partitions are dealt. The wishes are made up, and what a subscription
costs is an argument or comes from docs/performance.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from statistics import fmean
from typing import Any, NamedTuple

from bridge.core.model import Plan
from bridge.core.ownership import assign, moves
from bridge.venues import VENUES
from bridge.venues.base import Source, Wanted
from bridge.venues.shares import NOTHING, Load, deal

CORE_RECORDS = 85_718  # records a second a core; docs/performance.md, mix
BASE_MB = 60  # docs/performance.md, resident memory at 20,000 frames a second
MB = 1_000_000

ACCOUNTS = 4  # at Finery
LISTS = ("orders", "positions", "settlement-orders")
KINDS = (("book", 60), ("list", 15), ("value", 25))  # per cent of the subscriptions
DESK = ("book", "list")
MAKERS: Mapping[str, Callable[[int], Wanted]] = {
    "book": lambda n: Wanted(stream="book.tradable", feed_id=f"A{n}-USD"),
    "list": lambda n: Wanted(stream=LISTS[n % len(LISTS)], feed_id=f"A{n}"),
    "value": lambda n: Wanted(stream="value", feed_id=f"A{n}USD_RTI"),
}
PER_ADDRESS = (1, 4, 16)
CHURN = 10  # random joins and leaves before anything is measured


class World(NamedTuple):
    """What is wanted, dealt: the load and the plans of each partition."""

    subscriptions: int
    partitions: int
    loads: Mapping[int, Load]
    plans: Mapping[int, list[Plan]]


Owned = Mapping[str, Sequence[int]]
Row = dict[str, Any]


def wishes(count: int, chance: random.Random) -> list[Source]:
    """Return so many subscriptions over four Finery accounts and one of rates."""
    kinds = [kind for kind, percent in KINDS for _ in range(count * percent // 100)]
    kinds += ["book"] * (count - len(kinds))
    ids = chance.sample(range(10**6), count)
    made: dict[str, list[Wanted]] = {kind: [] for kind in MAKERS}
    for kind, number in zip(kinds, ids, strict=True):
        made[kind].append(MAKERS[kind](number))
    desks = [
        _source(f"desk-{n}", "finery", [w for k in DESK for w in made[k][n::ACCOUNTS]])
        for n in range(ACCOUNTS)
    ]
    return [*desks, _source("rates", "cfbenchmarks", made["value"])]


def _source(name: str, venue: str, wanted: Sequence[Wanted]) -> Source:
    return Source(name=name, venue=venue, url=f"wss://{venue}/ws", wanted=tuple(wanted))


def world(subscriptions: int, partitions: int, chance: random.Random) -> World:
    """Deal the wishes to partitions, with the worker's own code."""
    dealt = deal(wishes(subscriptions, chance), partitions)
    return World(
        subscriptions,
        partitions,
        {number: Load.of(sources) for number, sources in dealt.items()},
        {
            number: [p for s in sources for p in VENUES[s.venue].plans(s)]
            for number, sources in dealt.items()
        },
    )


def names_of(workers: int) -> list[str]:
    """Return the names of so many workers."""
    return [f"w{number:03}" for number in range(workers)]


def total(loads: Iterable[Load]) -> Load:
    """Return the load of all together."""
    return reduce(Load.plus, loads, NOTHING)


def carried(the: World, numbers: Iterable[int]) -> Load:
    """Return the load of some partitions."""
    return total(the.loads.get(number, NOTHING) for number in numbers)


def loads_of(the: World, owned: Owned) -> list[Load]:
    """Return what each worker carries."""
    return [carried(the, numbers) for numbers in owned.values()]


def settled(workers: int, partitions: int, chance: random.Random) -> Owned:
    """Return who owns what after some coming and going."""
    names = names_of(workers)
    owned = assign(names, partitions, {})
    for _ in range(CHURN):
        left = without(names, chance.choice(names))
        owned = assign(names, partitions, assign(left, partitions, owned))
    return owned


def without(names: Iterable[str], gone: str) -> list[str]:
    """Return all names but one."""
    return [name for name in names if name != gone]


def fewest(owned: Owned, names: Sequence[str], partitions: int) -> int:
    """Return the fewest moves that any even deal to `names` needs."""
    least, larger = divmod(partitions, len(names))
    counts = sorted((len(owned.get(name, ())) for name in names), reverse=True)
    kept = sum(min(n, least + (at < larger)) for at, n in enumerate(counts))
    return sum(map(len, owned.values())) - kept


def balance(the: World, workers: int, binding_bytes: int) -> Row:
    """Return the imbalance, and what the heaviest worker carries."""
    loads = loads_of(the, assign(names_of(workers), the.partitions, {}))
    heaviest = max(load.weight for load in loads)
    most = max(load.bindings for load in loads)
    return {
        "subscriptions": the.subscriptions,
        "workers": workers,
        "partitions": the.partitions,
        "idle_workers": sum(not load.bindings for load in loads),
        "imbalance": round(heaviest / fmean(load.weight for load in loads), 2),
        "heaviest_records_s": heaviest,
        "heaviest_core_percent": round(100 * heaviest / CORE_RECORDS, 1),
        "most_bindings": most,
        "memory_mb": round(BASE_MB + most * binding_bytes / MB),
    }


def addresses(the: World, workers: int) -> Row:
    """Return the most connections from one address, by workers that share it."""
    loads = loads_of(the, assign(names_of(workers), the.partitions, {}))
    row: Row = {
        "subscriptions": the.subscriptions,
        "workers": workers,
        "partitions": the.partitions,
        "all_connections": sum(load.connections.total() for load in loads),
    }
    for share in PER_ADDRESS:
        groups = [loads[at : at + share] for at in range(0, workers, share)]
        totals = [total(group).connections for group in groups]
        row[f"at_{share}_an_address"] = max(max(t.values(), default=0) for t in totals)
    return row


def movement(workers: int, partitions: int, chance: random.Random) -> Row:
    """Return moved partitions and the fewest possible, for each kind of event."""
    names = names_of(workers)
    owned = settled(workers, partitions, chance)
    left = without(names, chance.choice(names))
    row: Row = {"workers": workers, "partitions": partitions}
    row["join"] = _moved(owned, [*names, "new"], partitions)
    row["leave_or_kill"] = _moved(owned, left, partitions) if left else None
    row["rolling_restart"] = _rolling(owned, names, partitions) if left else None
    return row


def _moved(owned: Owned, names: Sequence[str], partitions: int) -> list[int]:
    moved = len(moves(owned, assign(names, partitions, owned)))
    return [moved, fewest(owned, names, partitions)]


def _rolling(owned: Owned, names: Sequence[str], partitions: int) -> list[int]:
    """Let each worker leave and come back; static members would move nothing."""
    totals = [0, 0]
    for gone in names:
        for crew in (without(names, gone), names):
            pair = _moved(owned, crew, partitions)
            totals = [one + other for one, other in zip(totals, pair, strict=True)]
            owned = assign(crew, partitions, owned)
    return totals
