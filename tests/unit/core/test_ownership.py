"""A binding's partition is fixed; partitions are dealt evenly and few of them move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product

import pytest

from bridge.core.ownership import assign, moves, partition_of


def test_a_binding_belongs_to_one_partition_for_good() -> None:
    """The hash is of source and name; other values would move everything."""
    found = [
        partition_of("desk", "book.tradable:BTC-USD", 24),
        partition_of("desk", "book.tradable:BTC-USD#a", 24),
        partition_of("desk-b", "book.tradable:BTC-USD", 24),
        partition_of("rates", "value:BRTI", 24),
    ]

    assert found == [2, 2, 6, 17]


def test_the_first_workers_get_even_shares() -> None:
    """Nobody has more than one partition above anybody else."""
    assert assign(["b", "a", "c"], 8, {}) == {
        "a": [0, 3, 6],
        "b": [1, 4, 7],
        "c": [2, 5],
    }


def test_nobody_owns_anything_without_workers() -> None:
    """An empty group has no owners."""
    assert assign([], 8, {"a": [1]}) == {}


def test_more_workers_than_partitions_leaves_some_idle() -> None:
    """Each partition has one owner, who keeps it."""
    assert assign(["a", "b", "c"], 2, {"c": [1]}) == {"a": [0], "b": [], "c": [1]}


def test_only_what_the_lost_worker_had_moves() -> None:
    """Those who stay keep theirs."""
    before = {"a": [0, 1], "b": [2, 3], "c": [4, 5]}
    after = assign(["a", "c"], 6, before)

    assert after == {"a": [0, 1, 2], "c": [3, 4, 5]}
    assert moves(before, after) == {2, 3}


def test_a_new_worker_takes_only_its_share() -> None:
    """The others give up what they have too much."""
    before = {"a": [0, 1, 2], "b": [3, 4, 5]}

    assert moves(before, assign(["a", "b", "c"], 6, before)) == {2, 5}


def test_unknown_partitions_and_double_claims_are_set_right() -> None:
    """A member that claims too much, after a split, does not keep it."""
    after = assign(["a", "b"], 2, {"a": [0, 7], "b": [0, 1]})

    assert after == {"a": [0], "b": [1]}


@pytest.mark.parametrize("members", ["a", "ab", "abc", "bcd"])
@pytest.mark.parametrize("partitions", [1, 3, 4])
def test_no_even_deal_moves_less(members: str, partitions: int) -> None:
    """Against every way of dealing there is, from every state of three workers."""
    names = list(members)
    for owners in product("abc", repeat=partitions):
        before = _by_owner("abc", owners)
        moved = len(moves(before, assign(names, partitions, before)))
        assert moved == _fewest(names, partitions, before), before


def _by_owner(names: Sequence[str], owners: Sequence[str]) -> dict[str, list[int]]:
    return {n: [p for p, owner in enumerate(owners) if owner == n] for n in names}


def _fewest(
    names: Sequence[str], partitions: int, before: Mapping[str, list[int]]
) -> int:
    deals = (_by_owner(names, o) for o in product(names, repeat=partitions))
    return min(len(moves(before, deal)) for deal in deals if _even(deal))


def _even(deal: Mapping[str, Sequence[int]]) -> bool:
    pairs = combinations(deal.values(), 2)
    return all(abs(len(one) - len(other)) <= 1 for one, other in pairs)
