"""Who owns what, where many workers share the subscriptions: hash, and deal fairly.

A wanted binding belongs to a partition of the assignment topic, for good. Kafka deals
the partitions to the workers. `assign` models what it arrives at, for planning and for
tests; at run time Kafka alone decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bridge.core.routing import partition


def partition_of(source: str, name: str, partitions: int) -> int:
    """Return the partition of the assignment topic that a wanted binding belongs to.

    Args:
        source: configured name of the account.
        name: the binding's name, as `Wanted.name`.
        partitions: how many the assignment topic has; another number deals anew.
    """
    return partition(f"{source}/{name}".encode(), partitions)


def assign(
    members: Sequence[str], partitions: int, before: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """Return the partitions of each member, dealt evenly, few of them moved.

    Everyone has as many as everyone else, or one more. A partition moves only if its
    owner is gone or had too many. Source: Apache Kafka,
    `AbstractStickyAssignor.constrainedAssign`, which serves the cooperative-sticky
    assignor where all members read the same topics; librdkafka's keeps the same rules,
    but may pick other partitions of equal standing.

    Args:
        members: names of all that take part; no order is relied on.
        partitions: how many the topic has.
        before: what each owned until now; members that left may be in it, and what is
            claimed twice counts for the member whose name comes first.
    """
    names = sorted(set(members))
    if not names:
        return {}
    least, larger = divmod(partitions, len(names))
    dealt: dict[str, list[int]] = {}
    free = set(range(partitions))
    for name in names:
        kept = sorted(free.intersection(before.get(name, ())))
        room = least + (len(kept) > least and larger > 0)
        larger -= room > least
        dealt[name] = kept[:room]
        free.difference_update(dealt[name])
    _fill(dealt, least, sorted(free))
    return dealt


def moves(
    before: Mapping[str, Iterable[int]], after: Mapping[str, Iterable[int]]
) -> set[int]:
    """Return the partitions that had an owner and have another one now."""
    owners = {number: name for name, owned in before.items() for number in owned}
    return {
        number
        for name, owned in after.items()
        for number in owned
        if owners.get(number, name) != name
    }


def _fill(dealt: Mapping[str, list[int]], least: int, free: list[int]) -> None:
    """Give what is free to those below `least`, in turns, then one more to others."""
    while free:
        below = [owned for owned in dealt.values() if len(owned) < least]
        takers = below or [owned for owned in dealt.values() if len(owned) == least]
        for owned, number in zip(takers, free, strict=False):
            owned.append(number)
        del free[: len(takers)]
    for owned in dealt.values():
        owned.sort()
