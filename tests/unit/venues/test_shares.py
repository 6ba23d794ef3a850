"""Shares of the wanted bindings, and what to change when wishes change."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.model import Plan
from bridge.core.ownership import partition_of
from bridge.core.topics import topic_of
from bridge.venues import VENUES
from bridge.venues.base import Source, Wanted
from bridge.venues.shares import Changes, deal, difference, share, weight, without

PARTITIONS = 4


def wanted(text: str, **options: Any) -> Wanted:
    stream, _, feed_id = text.partition(":")
    return Wanted(stream=stream, feed_id=feed_id, options=options)


def desk(*names: str | Wanted, part: str = "", **options: Any) -> Source:
    lines = tuple(wanted(n) if isinstance(n, str) else n for n in names)
    url = "wss://venue.test/ws"
    return Source(
        name="desk", venue="finery", url=url, wanted=lines, options=options, part=part
    )


def rates(*names: str, part: str = "") -> Source:
    return Source(
        name="rates",
        venue="cfbenchmarks",
        url="wss://rates.test/ws",
        wanted=tuple(wanted(name) for name in names),
        part=part,
    )


def plans(*sources: Source) -> list[Plan]:
    return [p for source in sources for p in VENUES[source.venue].plans(source)]


BOOKS = [f"book.tradable:A{n}-USD" for n in range(12)]
EVERYTHING = [desk(*BOOKS, "orders", "positions"), rates("value:BRTI", "value:BRR")]


def test_the_part_ends_every_name() -> None:
    """Plans and the status subscriptions are unique across the workers."""
    found = plans(desk("orders", BOOKS[0], part="@7"), rates("value:BRTI", part="@7+2"))

    assert [plan.name for plan in found] == ["books-1@7", "account@7", "rates-1@7+2"]
    assert [plan.subscriptions[-1].name for plan in found[:2]] == [
        "status:books-1@7",
        "status:account@7",
    ]


def test_the_part_is_in_no_topic() -> None:
    """Connections come and go: they have no topics of their own."""
    [plan] = plans(desk(BOOKS[0], part="@7+1"))
    template = "{venue}.{stream}.{feed_id}"

    topics = [topic_of(template, "finery", one) for one in plan.subscriptions]
    assert topics == ["finery.book.tradable.A0-USD", "finery.status"]


@pytest.mark.parametrize("partition", range(PARTITIONS))
def test_a_share_has_what_hashes_to_its_partition(partition: int) -> None:
    """Each account is narrowed to it, in its own order, and named for it."""
    for source in share(EVERYTHING, partition, PARTITIONS):
        names = [one.name for one in source.wanted]
        whole = next(s for s in EVERYTHING if s.name == source.name)
        assert source.part == f"@{partition}"
        assert names == [
            one.name
            for one in whole.wanted
            if partition_of(source.name, one.name, PARTITIONS) == partition
        ]


def test_the_shares_are_everything() -> None:
    """No account is in a share without a binding, and no binding is left out."""
    dealt = [one for parts in deal(EVERYTHING, PARTITIONS).values() for one in parts]

    assert all(source.wanted for source in dealt)
    assert sum(len(source.wanted) for source in dealt) == 16


def test_no_partition_means_everything() -> None:
    """In static mode nothing is narrowed or renamed; idle accounts are left out."""
    assert share([*EVERYTHING, desk()], None, PARTITIONS) == EVERYTHING


def test_an_empty_partition_has_no_share() -> None:
    """Nothing to run, no connection."""
    only = [rates("value:BRTI")]
    number = partition_of("rates", "value:BRTI", PARTITIONS)

    assert share(only, (number + 1) % PARTITIONS, PARTITIONS) == []


def test_a_share_begins_with_plain_names() -> None:
    """Generation 0: everything is new, and nothing is renamed."""
    parts = share(EVERYTHING, 1, PARTITIONS)

    assert difference([], parts, 0) == Changes(start=tuple(parts))


def test_what_is_added_gets_a_connection_of_its_own() -> None:
    """The connection that runs does not grow."""
    now = desk(*BOOKS[:3], part="@7")
    changes = difference(plans(desk(*BOOKS[:2], part="@7")), [now], 4)

    assert changes == Changes(start=(desk(BOOKS[2], part="@7+4"),))


def test_what_is_removed_is_dropped_from_its_connection() -> None:
    """The siblings' plan has the same name; channels are numbered anew."""
    running = plans(desk("orders", "positions", part="@7"))
    changes = difference(running, [desk("positions", part="@7")], 1)

    [(plan, names)] = changes.shrink
    assert (changes.stop, changes.start) == ((), ())
    assert names == ("orders",)
    assert plan == plans(desk("positions", part="@7"))[0]
    assert [binding.channels for binding in plan.bindings] == [(0,)]


def test_nothing_but_the_status_left_means_stop() -> None:
    """A connection for nothing is closed."""
    running = plans(desk("orders", BOOKS[0], part="@7"))
    changes = difference(running, [desk("orders", part="@7")], 1)

    assert changes == Changes(stop=(running[0],))
    assert difference(running, [], 1) == Changes(stop=tuple(running))


@pytest.mark.parametrize(
    "changed",
    [
        wanted(BOOKS[0], client_id=7),
        wanted(BOOKS[0], instrument_id=7),
        Wanted(stream="book.tradable", feed_id="A0-USD", stale_after_ms=1000),
    ],
)
def test_other_options_are_another_binding(changed: Wanted) -> None:
    """It is dropped, and added on a new connection; its sibling stays."""
    running = plans(desk(BOOKS[0], BOOKS[1], part="@7"))
    changes = difference(running, [desk(changed, BOOKS[1], part="@7")], 1)

    assert [shrink.names for shrink in changes.shrink] == [(BOOKS[0],)]
    assert changes.start == (desk(changed, part="@7+1"),)


def test_the_same_wish_in_other_words_changes_nothing() -> None:
    """The order of the wishes, and a default that is written out, do not matter."""
    running = plans(desk(BOOKS[0], BOOKS[1], part="@7"))
    said = Wanted(stream="book.tradable", feed_id="A1-USD", stale_after_ms=120_000)

    assert difference(running, [desk(said, BOOKS[0], part="@7")], 1) == Changes()


def test_a_binding_that_runs_twice_is_dropped_once() -> None:
    """The rules mend what should never be."""
    running = plans(desk(BOOKS[0], part="@7"), desk(BOOKS[0], BOOKS[1], part="@7+1"))
    changes = difference(running, [desk(BOOKS[0], BOOKS[1], part="@7")], 2)

    assert [(s.plan.name, s.names) for s in changes.shrink] == [
        ("books-1@7+1", (BOOKS[0],))
    ]


def test_without_keeps_what_other_bindings_feed() -> None:
    """Only the dropped binding's own subscriptions go."""
    [plan] = plans(desk("positions", "orders", "counterparty-limits"))
    left = without(plan, {"orders"})

    assert [one.name for one in left.subscriptions] == [
        "positions",
        "counterparty-limits",
        "status:account",
    ]
    assert [(b.name, b.channels) for b in left.bindings] == [
        ("positions", (0,)),
        ("counterparty-limits", (1,)),
    ]


def test_weights() -> None:
    """Books are heavier than lists, five values a second than one."""
    assert weight(desk(BOOKS[0])) == 10
    assert weight(desk("orders", "positions")) == 2
    assert weight(rates("value:BRTI")) == 5
    assert weight(rates("value:BRR", "rti-stats:BRTI")) == 2
    assert weight(desk()) == 0
