"""What each worker of a group would run, and whether that goes well; reads no Kafka."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Any, NamedTuple

from bridge.config import Settings
from bridge.core.ownership import assign
from bridge.venues.shares import NOTHING, Load, deal, host_of
from bridge.verbs.out import say, table

HEADERS = ("worker", "partitions", "bindings", "weight", "connections")
SHOWN = 12
UNEVEN = 1.25  # max / mean of the weights; more is worth a word
UNEVEN_COUNT = 1.1  # max / mean of the partitions; more is worth another number
# Partitions for each worker that are advised: few enough to keep connections few.
ADVISED = 4


class Member(NamedTuple):
    """One worker: the partitions it would own, and what they take."""

    name: str
    partitions: list[int]
    load: Load


class Crew(NamedTuple):
    """All workers of a group, the partitions that hold nothing, and the limits."""

    members: list[Member]
    empty: list[int]
    max_connections: int
    own_connections: int

    @property
    def partitions(self) -> int:
        """Return how many partitions are dealt."""
        return sum(len(member.partitions) for member in self.members)

    @property
    def imbalance(self) -> float:
        """Return the largest weight by the mean; 1 where there is nothing to run."""
        weights = [member.load.weight for member in self.members]
        return max(weights) * len(weights) / (sum(weights) or max(1, len(weights)))

    @property
    def together(self) -> Load:
        """Return the load of all workers."""
        return _sum(member.load for member in self.members)


def crew(settings: Settings, workers: int) -> Crew:
    """Return who would own what in a new group of so many workers.

    Connections include those for orders, which each worker may need for each account.
    """
    partitions = settings.ownership.partitions
    shares = deal(settings.sources(), partitions)
    loads = {number: Load.of(sources) for number, sources in shares.items()}
    orders = Load(0, 0, Counter(host_of(plan) for plan in settings.order_plans()))
    names = [f"worker-{number:0{len(str(workers))}}" for number in range(workers)]
    dealt = assign(names, partitions, {})
    return Crew(
        [
            Member(name, dealt[name], _load(loads, dealt[name], orders))
            for name in names
        ],
        [number for number in range(partitions) if number not in loads],
        settings.transport.max_connections,
        settings.transport.own_connections,
    )


def advice(found: Crew, mode: str) -> list[str]:
    """Return sentences on how the group would do, each with what to do."""
    told = [
        "a running group may deal the partitions differently, but equally many to each"
    ]
    if mode == "static":
        told.append(
            "ownership is static, so each worker would run everything; set "
            "ownership: group to share it"
        )
    return [*told, *_idle(found), *_uneven(found), *_crowded(found), *_lonely(found)]


def facts(found: Crew, mode: str) -> dict[str, Any]:
    """Return everything as JSON has it."""
    return {
        "workers": [
            {
                "worker": member.name,
                "partitions": member.partitions,
                "bindings": member.load.bindings,
                "weight": member.load.weight,
                "connections": dict(member.load.connections),
            }
            for member in found.members
        ],
        "partitions": found.partitions,
        "empty_partitions": len(found.empty),
        "imbalance": round(found.imbalance, 3),
        "one_address": {
            host: {"connections": count, "allowed": found.max_connections}
            for host, count in sorted(found.together.connections.items())
        },
        "advice": advice(found, mode),
    }


def show(found: Crew, mode: str) -> None:
    """Print a line a worker, then what it comes to."""
    say()
    say(table(HEADERS, map(_row, found.members)))
    say()
    say(
        f"{found.partitions} partitions, {len(found.empty)} of them empty; the "
        f"heaviest worker has {found.imbalance:.2f} times the mean weight"
    )
    for host, count in sorted(found.together.connections.items()):
        say(
            f"{count} connections to {host} if all workers share one address; "
            f"{found.max_connections} are allowed"
        )
    for sentence in advice(found, mode):
        say(f"note: {sentence}")


def _load(loads: Mapping[int, Load], numbers: Iterable[int], orders: Load) -> Load:
    return _sum(loads.get(number, NOTHING) for number in numbers).plus(orders)


def _sum(loads: Iterable[Load]) -> Load:
    return reduce(Load.plus, loads, NOTHING)


def _row(member: Member) -> tuple[object, ...]:
    shown = " ".join(map(str, member.partitions[:SHOWN]))
    more = " ..." if len(member.partitions) > SHOWN else ""
    hosts = sorted(member.load.connections.items())
    return (
        member.name,
        f"{len(member.partitions)}: {shown}{more}" if shown else "0",
        member.load.bindings,
        member.load.weight,
        ", ".join(f"{count} to {host}" for host, count in hosts),
    )


def _idle(found: Crew) -> Iterator[str]:
    workers = len(found.members)
    if found.partitions < workers:
        yield (
            f"{workers - found.partitions} of {workers} workers would be idle, since "
            f"there are {found.partitions} partitions: stop all workers and raise "
            f"ownership.partitions, to {workers * ADVISED} or so"
        )


def _uneven(found: Crew) -> Iterator[str]:
    """Tell the part of the imbalance that settings can cure from the rest."""
    if found.imbalance <= UNEVEN or found.partitions < len(found.members):
        return
    said = f"the heaviest worker has {found.imbalance:.2f} times the mean weight"
    counts = [len(member.partitions) for member in found.members]
    by_count = max(counts) * len(counts) / sum(counts)
    if by_count > UNEVEN_COUNT:
        yield (
            f"{said}, and {by_count:.2f} times the mean number of partitions: make "
            f"ownership.partitions a multiple of {len(counts)}, with all workers "
            "stopped"
        )
    else:
        yield (
            f"{said}: so few subscriptions fall unevenly into partitions; it matters "
            "only if that worker is busy, and another ownership.partitions deals anew"
        )


def _crowded(found: Crew) -> Iterator[str]:
    """Compare each worker with its part of the limit, and all with the limit."""
    for host, count in sorted(found.together.connections.items()):
        if count > found.max_connections:
            yield (
                f"{count} connections to {host} are more than {found.max_connections}, "
                "the limit of one address: spread the workers over addresses, or "
                "lower ownership.partitions, or raise books_per_connection"
            )
        most = max(found.members, key=lambda member: member.load.connections[host])
        needed = most.load.connections[host]
        if needed > found.own_connections:
            yield (
                f"{most.name} would need {needed} connections to {host} and may have "
                f"{found.own_connections} (transport.max_connections by "
                "workers_per_address): what is beyond would wait"
            )


def _lonely(found: Crew) -> Iterator[str]:
    """Say how many workers must live, where not any one could carry everything."""
    for host, count in sorted(found.together.connections.items()):
        least = -(-count // found.own_connections)
        if 1 < least <= len(found.members):
            yield (
                f"at least {least} of {len(found.members)} workers must live to have "
                f"all {count} connections to {host}; with fewer, some would wait"
            )
