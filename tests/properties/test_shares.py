"""Whatever runs and whatever is wanted: the changes lead there, and touch no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.model import Plan
from bridge.core.ownership import assign, moves
from bridge.venues import VENUES
from bridge.venues.base import Source, Wanted
from bridge.venues.shares import Changes, deal, difference, share

BOOKS = [
    Wanted(stream="book.tradable", feed_id=f"A{n}-USD", options=options)
    for n in range(6)
    for options in ({}, {"client_id": 1})
]
LISTS = [
    Wanted(stream=stream, stale_after_ms=stale)
    for stream in ("orders", "positions", "settlement-orders")
    for stale in (None, 60_000)
]
RATES = [
    Wanted(stream=stream, feed_id=index, options={"rhythm": rhythm})
    for stream in ("value", "rti-stats")
    for index in ("BRTI", "BRR", "BVX")
    for rhythm in ("1s", "none")
]


def _accounts(urls: Sequence[str]) -> st.SearchStrategy[list[Source]]:
    """Draw three accounts, each binding wanted once or not at all."""
    return st.tuples(
        _account("desk", "finery", [*BOOKS, *LISTS], urls),
        _account("other", "finery", BOOKS, urls),
        _account("desk", "cfbenchmarks", RATES, urls),
    ).map(list)


def _account(
    name: str, venue: str, choice: Sequence[Wanted], urls: Sequence[str]
) -> st.SearchStrategy[Source]:
    options = {"books_per_connection": 2} if venue == "finery" else {}
    wanted = st.lists(st.sampled_from(choice), unique_by=lambda one: one.name)
    return st.builds(
        lambda url, some: Source(
            name=name, venue=venue, url=url, wanted=tuple(some), options=options
        ),
        st.sampled_from(urls),
        wanted,
    )


def plans(sources: Sequence[Source]) -> list[Plan]:
    return [p for source in sources for p in VENUES[source.venue].plans(source)]


def bound(running: Sequence[Plan]) -> Counter[Any]:
    """Count what the plans bind, as the venue and the consumers see it."""
    return Counter(
        repr(
            (
                plan.venue,
                plan.url,
                binding.name,
                sorted(binding.request.items(), key=str),
                binding.stale_after_ms,
                [plan.subscriptions[channel] for channel in binding.channels],
            )
        )
        for plan in running
        for binding in plan.bindings
    )


def apply(running: Sequence[Plan], changes: Changes) -> list[Plan]:
    stopped = {(plan.venue, plan.source, plan.name) for plan in changes.stop}
    left = {(s.plan.venue, s.plan.source, s.plan.name): s.plan for s in changes.shrink}
    names = [(plan.venue, plan.source, plan.name) for plan in running]
    after = [
        left.get(name, plan)
        for name, plan in zip(names, running, strict=True)
        if name not in stopped
    ]
    return [*after, *plans(changes.start)]


@given(st.lists(_accounts(["wss://a.test", "wss://b.test"]), min_size=1, max_size=5))
def test_the_changes_lead_to_what_is_wanted(history: list[list[Source]]) -> None:
    """After each change every wanted binding runs once, and nothing else does."""
    running: list[Plan] = []
    for generation, wanted in enumerate(history):
        changes = difference(running, wanted, generation)
        running = apply(running, changes)
        assert bound(running) == bound(plans(wanted))
        assert difference(running, wanted, generation + 1) == Changes()
        _check_names(running)


def _check_names(running: Sequence[Plan]) -> None:
    """No two plans of an account share a name, and each is whole in itself."""
    names = [(plan.venue, plan.source, plan.name) for plan in running]
    assert len(set(names)) == len(names)
    for plan in running:
        fed = [channel for binding in plan.bindings for channel in binding.channels]
        status = [
            channel
            for channel, one in enumerate(plan.subscriptions)
            if one.stream == "finery.status"
        ]
        assert sorted([*fed, *status]) == list(range(len(plan.subscriptions)))
        assert [plan.subscriptions[c].name for c in status] == [
            f"status:{plan.name}" for _ in status
        ]
        assert plan.bindings


@given(_accounts(["wss://a.test"]), _accounts(["wss://a.test"]))
def test_what_stays_wanted_is_never_touched(
    first: list[Source], second: list[Source]
) -> None:
    """Neither dropped from its connection nor started again."""
    running = plans(first)
    stays = bound(running) & bound(plans(second))
    changes = difference(running, second, 1)
    dropped = [
        (s.plan.venue, s.plan.source, name) for s in changes.shrink for name in s.names
    ]
    gone = [(p.venue, p.source, b.name) for p in changes.stop for b in p.bindings]
    started = plans(changes.start)

    assert not stays & bound(started)
    assert len(dropped) + len(gone) == bound(running).total() - stays.total()
    assert bound(started).total() == bound(plans(second)).total() - stays.total()


@given(_accounts(["wss://a.test"]), st.integers(1, 40))
def test_every_binding_is_in_one_share(sources: list[Source], partitions: int) -> None:
    """The shares together are everything, and nothing twice."""
    dealt = deal(sources, partitions)
    shares = [share(sources, number, partitions) for number in range(partitions)]

    assert shares == [dealt.get(number, []) for number in range(partitions)]
    together = [source for one in shares for source in one]
    assert bound(plans(together)) == bound(plans(sources))
    assert all(source.wanted for source in together)
    _check_names(plans(together))


@given(
    st.lists(st.sets(st.integers(0, 12), min_size=1), min_size=1, max_size=8),
    st.integers(1, 60),
)
def test_partitions_are_dealt_evenly_whoever_comes_and_goes(
    crews: list[set[int]], partitions: int
) -> None:
    """Each partition has one owner; a worker that stays gives up only its excess."""
    owned: dict[str, list[int]] = {}
    for crew in crews:
        names = [str(number) for number in crew]
        after = assign(names, partitions, owned)
        dealt = [number for one in after.values() for number in one]
        sizes = [len(one) for one in after.values()]

        assert sorted(dealt) == list(range(partitions))
        assert max(sizes) - min(sizes) <= 1
        assert assign(names, partitions, after) == after
        orphans = {p for n, one in owned.items() if n not in after for p in one}
        for name in set(after) & set(owned):
            excess = max(0, len(owned[name]) - len(after[name]))
            assert len(set(owned[name]) - set(after[name])) == excess
        if set(owned) >= set(after):
            assert moves(owned, after) == orphans
        owned = after
