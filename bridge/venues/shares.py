"""Shares of the wanted bindings, and how to get from what runs to what is wanted.

A share is what belongs to one partition of the assignment topic. It has connections of
its own. A connection may shrink and never grows: what is added gets a new one, so a
binding that moved or changed always has a newer connection than before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from bridge.core.model import Binding, Plan
from bridge.core.ownership import partition_of
from bridge.venues import VENUES
from bridge.venues.base import Source, Wanted

Share = int | None
Key = tuple[str, str, str]  # venue, source, binding


class Shrink(NamedTuple):
    """A connection that goes on without some bindings.

    `plan` has the running plan's name and is for the next attempt: its channels are
    numbered anew. `names` are the bindings to drop from the one that is open.
    """

    plan: Plan
    names: tuple[str, ...]


class Changes(NamedTuple):
    """What to do with the plans of one share; all else stays untouched.

    `stop` are running plans of which only the status is left; `start` are accounts to
    be planned for new connections.
    """

    shrink: tuple[Shrink, ...] = ()
    stop: tuple[Plan, ...] = ()
    start: tuple[Source, ...] = ()


class Load(NamedTuple):
    """What it takes to run some shares; `connections` counts them by venue host."""

    bindings: int
    weight: int
    connections: Counter[str]

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Load:
        """Return the load of one share."""
        plans = [p for source in sources for p in VENUES[source.venue].plans(source)]
        return cls(
            sum(len(source.wanted) for source in sources),
            sum(map(weight, sources)),
            Counter(host_of(plan) for plan in plans),
        )

    def plus(self, other: Load) -> Load:
        """Return the load of both."""
        return Load(
            self.bindings + other.bindings,
            self.weight + other.weight,
            self.connections + other.connections,
        )


NOTHING = Load(0, 0, Counter())


def host_of(plan: Plan) -> str:
    """Return host and port of the venue, which limits connections for an address."""
    return urlsplit(plan.url).netloc


def weight(source: Source) -> int:
    """Return how heavy an account's bindings are together; see `Stream.weight`."""
    streams = VENUES[source.venue].streams
    return sum(
        streams[one.stream].weights.get(one.feed_id, streams[one.stream].weight)
        for one in source.wanted
    )


def share(sources: Sequence[Source], partition: Share, partitions: int) -> list[Source]:
    """Return what of each account belongs to a partition; None means everything.

    Accounts without any are left out.
    """
    if partition is None:
        return [source for source in sources if source.wanted]
    return deal(sources, partitions).get(partition, [])


def deal(sources: Sequence[Source], partitions: int) -> dict[int, list[Source]]:
    """Return the shares of all partitions that have any, in one go."""
    dealt: dict[int, list[Source]] = {}
    for source in sources:
        for number, wanted in _by_partition(source, partitions).items():
            part = _narrowed(source, wanted, f"@{number}")
            dealt.setdefault(number, []).append(part)
    return dealt


def difference(
    running: Sequence[Plan], wanted: Sequence[Source], generation: int
) -> Changes:
    """Return what turns the running plans of a share into what is wanted of it.

    A binding whose options, limits, address or login form changed is dropped from its
    connection and added on a new one.

    Args:
        running: the plans of the share that run, as narrowed so far.
        wanted: the share as it shall be; no account twice.
        generation: 0 where the share begins; later a number never used before in this
            share, since it ends the names of the new plans (`books-1@7+2`).
    """
    missing = dict(_bindings(wanted))
    shrink: list[Shrink] = []
    stop: list[Plan] = []
    for plan in running:
        gone = [b.name for b in plan.bindings if not _kept(plan, b, missing)]
        if len(gone) == len(plan.bindings):
            stop.append(plan)
        elif gone:
            shrink.append(Shrink(without(plan, gone), tuple(gone)))
    start = _added(wanted, missing, f"+{generation}" if generation else "")
    return Changes(tuple(shrink), tuple(stop), tuple(start))


def without(plan: Plan, names: Collection[str]) -> Plan:
    """Return the plan less some bindings and what they feed, channels renumbered."""
    left = [b for b in plan.bindings if b.name not in names]
    gone = {c for b in plan.bindings if b.name in names for c in b.channels}
    channels = [c for c in range(len(plan.subscriptions)) if c not in gone]
    numbers = {channel: number for number, channel in enumerate(channels)}
    return msgspec.structs.replace(
        plan,
        subscriptions=tuple(plan.subscriptions[c] for c in channels),
        bindings=tuple(
            msgspec.structs.replace(b, channels=tuple(numbers[c] for c in b.channels))
            for b in left
        ),
    )


def _by_partition(source: Source, partitions: int) -> Mapping[int, list[Wanted]]:
    found: dict[int, list[Wanted]] = {}
    for one in source.wanted:
        number = partition_of(source.name, one.name, partitions)
        found.setdefault(number, []).append(one)
    return found


def _narrowed(source: Source, wanted: Sequence[Wanted], suffix: str) -> Source:
    part = source.part + suffix
    return msgspec.structs.replace(source, wanted=tuple(wanted), part=part)


def _bindings(sources: Sequence[Source]) -> Iterator[tuple[Key, Any]]:
    """Yield each wanted binding as its venue would plan it."""
    for source in sources:
        for plan in VENUES[source.venue].plans(source):
            for binding in plan.bindings:
                yield _key(plan, binding), _shape(plan, binding)


def _kept(plan: Plan, binding: Binding, missing: dict[Key, Any]) -> bool:
    """Tell whether a running binding is wanted as it is; then it is not missing."""
    key = _key(plan, binding)
    if missing.get(key) != _shape(plan, binding):
        return False
    del missing[key]
    return True


def _added(
    wanted: Sequence[Source], missing: Mapping[Key, Any], suffix: str
) -> Iterator[Source]:
    for source in wanted:
        added = [
            one
            for one in source.wanted
            if (source.venue, source.name, one.name) in missing
        ]
        if added:
            yield _narrowed(source, added, suffix)


def _key(plan: Plan, binding: Binding) -> Key:
    return plan.venue, plan.source, binding.name


def _shape(plan: Plan, binding: Binding) -> tuple[Any, ...]:
    """Return everything that makes a binding what it is, wherever it is planned."""
    fed = tuple(plan.subscriptions[channel] for channel in binding.channels)
    return plan.url, plan.options, binding.request, binding.stale_after_ms, fed
