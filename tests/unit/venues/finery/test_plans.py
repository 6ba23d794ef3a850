"""From wanted subscriptions to connections; every mistake is named with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.model import Subscription
from bridge.venues.base import Wanted
from bridge.venues.finery import VENUE
from bridge.venues.finery.feeds import FEEDS
from bridge.venues.finery.streams import BINDS, STREAMS
from tests.unit.venues.finery.desk import source, wanted

MD = "book.viewonly:BTC-USD"
F = "book.tradable:BTC-USD"


def request(subscription: str | Wanted) -> dict[str, Any]:
    """Return what is asked of the venue."""
    (plan,) = VENUE.plans(source(subscription))
    (binding,) = plan.bindings
    return dict(binding.request)


# wanted, what is asked; source: reference 2.2, 3.1, 3.4, 4.1 to 4.8
REQUESTS = [
    (F, {"feed": "F", "feedId": "BTC-USD"}),
    (wanted(F, instrument_id=4955410050), {"feed": "F", "feedId": 4955410050}),
    ("book.tradable:4955410050", {"feed": "F", "feedId": 4955410050}),
    (
        wanted(F, client_id=5),
        {"feed": "F", "feedId": {"instrument": "BTC-USD", "clientId": 5}},
    ),
    ("book.global:BTC-USD", {"feed": "B", "feedId": "BTC-USD"}),
    (MD, {"feed": "MD", "feedId": {"instrument": "BTC-USD"}}),
    (
        wanted(MD, makers=(1, 2, 3), client_id=123),
        {
            "feed": "MD",
            "feedId": {"instrument": "BTC-USD", "makers": [1, 2, 3], "clientId": 123},
        },
    ),
    ("instruments", {"feed": "I"}),
    ("orders", {"feed": "O"}),
    ("orders:BTC-EUR", {"feed": "O", "feedId": "BTC-EUR"}),
    ("orders:7", {"feed": "O", "feedId": 7}),
    (wanted("orders:BTC-EUR", instrument_id=7), {"feed": "O", "feedId": 7}),
    ("positions", {"feed": "K"}),
    ("positions:EUR", {"feed": "K", "feedId": "EUR"}),
    ("settlement-orders:EUR", {"feed": "S", "feedId": "EUR"}),
    ("settlement-requests", {"feed": "R"}),
    ("settlement-transactions", {"feed": "N"}),
    ("counterparty-limits", {"feed": "L"}),
    ("global-limits", {"feed": "G"}),
    ("mutual-limits", {"feed": "M"}),
    ("combined", {"feed": "P"}),
]


@pytest.mark.parametrize(("subscription", "expected"), REQUESTS)
def test_requests(subscription: str | Wanted, expected: dict[str, Any]) -> None:
    """Each stream asks for its feed, with its id as the venue takes it."""
    assert VENUE.problems(source(subscription)) == []
    assert request(subscription) == expected


def test_a_books_connection_and_an_account_connection() -> None:
    """Books and lists never share a connection; each has a status of its own."""
    plans = VENUE.plans(source(F, "orders", MD, "positions", books_per_connection=1))
    names = {plan.name: [s.name for s in plan.subscriptions] for plan in plans}
    assert names == {
        "books-1": [F, "status:books-1"],
        "books-2": [MD, "status:books-2"],
        "account": ["orders", "deals", "positions", "status:account"],
    }
    assert {plan.url for plan in plans} == {"wss://venue.test/ws"}
    assert [b.channels for b in plans[2].bindings] == [(0, 1), (2,)]


def test_nothing_wanted_needs_no_connection() -> None:
    """A source without subscriptions has no plan."""
    assert VENUE.plans(source()) == []


def test_fifty_books_share_a_connection_by_default() -> None:
    """The fifty-first book opens a second connection."""
    plans = VENUE.plans(source(*(f"book.global:A{n}-USD" for n in range(51))))
    assert [len(plan.bindings) for plan in plans] == [50, 1]


def test_book_subscription() -> None:
    """Books: key and partition by instrument, which is a constant of the record."""
    (plan,) = VENUE.plans(source(wanted(MD, label="desk-a")))
    assert plan.subscriptions == (
        Subscription(
            source="desk",
            name="book.viewonly:BTC-USD#desk-a",
            stream="finery.book.viewonly",
            key="BTC-USD",
            partition_key="BTC-USD",
            feed_id="BTC-USD",
            constants=("BTC-USD",),
        ),
        Subscription(
            source="desk",
            name="status:books-1",
            stream="finery.status",
            key="desk",
            partition_key="desk",
        ),
    )


def test_list_subscriptions_of_one_bind() -> None:
    """A filter and a label are in the names of all that comes along."""
    (plan,) = VENUE.plans(source(wanted("orders:BTC-USD", label="x")))
    first, second, _ = plan.subscriptions
    assert (first.name, second.name) == ("orders:BTC-USD#x", "deals:BTC-USD#x")
    assert (first.stream, second.stream) == ("finery.orders", "finery.deals")
    assert first.partition_key == "orders:BTC-USD#x"
    assert first.constants == ()


def test_combined_has_no_topic_of_its_own() -> None:
    """P feeds orders, deals, positions and settlement orders (reference 4.4)."""
    (plan,) = VENUE.plans(source("combined"))
    assert [s.stream for s in plan.subscriptions] == [
        *("finery.orders", "finery.deals", "finery.positions"),
        *("finery.settlement-orders", "finery.status"),
    ]


def test_silence_limits() -> None:
    """Books 120 s, lists none, a number instead, and 0 for never."""
    (plan,) = VENUE.plans(
        source(
            F,
            wanted("book.tradable:A-B", stale_after_ms=5),
            wanted("book.tradable:C-D", stale_after_ms=0),
        )
    )
    assert [b.stale_after_ms for b in plan.bindings] == [120_000, 5, None]
    (plan,) = VENUE.plans(source("orders"))
    assert plan.bindings[0].stale_after_ms is None


# source, its problems
PROBLEMS: list[tuple[Any, list[str]]] = [
    (
        source("book.bogus:BTC-USD"),
        [
            "book.bogus:BTC-USD: unknown stream 'book.bogus': choose one of "
            + ", ".join(sorted(BINDS))
        ],
    ),
    (
        source("deals"),
        ["deals: deals comes along with combined or orders: subscribe to that"],
    ),
    (
        source("currencies"),
        ["currencies: currencies comes along with instruments: subscribe to that"],
    ),
    (source("status"), ["status: status comes with every connection: drop it"]),
    (
        source("book.tradable"),
        ["book.tradable: names no instrument: write book.tradable:BTC-USD"],
    ),
    (
        source("instruments:BTC-USD"),
        ["instruments:BTC-USD: takes nothing behind the colon: write instruments"],
    ),
    (
        source("orders:BTC USD"),
        ["orders:BTC USD: 'BTC USD' has a blank or unprintable character: remove it"],
    ),
    (
        source("orders:9223372036854775808"),
        [
            (
                "orders:9223372036854775808: 9223372036854775808 is beyond 64 bits: "
                "check the id"
            )
        ],
    ),
    (
        source("book.viewonly:7"),
        ["book.viewonly:7: 7 is a number: give the instrument's name"],
    ),
    (
        source(wanted("orders", instrument_id=7)),
        ["orders: names no instrument: write orders:BTC-USD"],
    ),
    (
        source(wanted("positions", makers=[1])),
        ["positions: options.makers is not known here: drop it (known: none)"],
    ),
    (
        source(wanted(F, makers=[1])),
        [
            (
                f"{F}: options.makers is not known here: drop it "
                "(known: client_id, instrument_id)"
            )
        ],
    ),
    (
        source(wanted(MD, makers=[])),
        [
            (
                f"{MD}: options.makers is []: give a list of ids from 0 to 2^32-1, "
                "at least one"
            )
        ],
    ),
    (
        source(wanted(F, client_id="5")),
        [f"{F}: options.client_id is '5': give an id from 0 to 2^32-1"],
    ),
    (
        source(wanted(F, client_id=5, instrument_id=7)),
        [f"{F}: client_id and instrument_id exclude each other: drop instrument_id"],
    ),
    (
        source(wanted(F, stale_after_ms=-1)),
        [f"{F}: stale_after_ms is -1: give 0 for never, or more"],
    ),
    (source(login="magic"), ["options.login is 'magic': give header or inband"]),
    (source(json_ping=1), ["options.json_ping is 1: give true or false"]),
    (
        source(books_per_connection=0),
        ["options.books_per_connection is 0: give 1 or more"],
    ),
    (
        source(crossed_seconds=0),
        ["options.crossed_seconds is 0: give a number above 0"],
    ),
    (
        source(speed=1),
        [
            (
                "options.speed is not known here: drop it "
                "(known: books_per_connection, crossed_seconds, json_ping, login)"
            )
        ],
    ),
]


@pytest.mark.parametrize(("wrong", "expected"), PROBLEMS)
def test_problems(wrong: Any, expected: list[str]) -> None:
    """Each mistake is named, with what to do."""
    assert VENUE.problems(wrong) == expected


def test_all_problems_at_once() -> None:
    """One look shows every mistake (issue: bad input)."""
    found = VENUE.problems(source("bogus", "book.global", "orders: ", login=1))
    assert len(found) == 4


# wanted, parts of the problems
COLLISIONS: list[tuple[tuple[str | Wanted, ...], list[str]]] = [
    ((F, F), [f"{F}: subscribed 2 times"]),
    (
        ("combined", "orders"),
        ["orders: subscribed 2", "deals: subscribed 2", "combined and orders bind"],
    ),
    (("combined", "positions"), ["positions: subscribed 2 times"]),
    (
        ("combined", "settlement-orders"),
        ["settlement-orders: subscribed 2", "bind the same"],
    ),
    (
        (wanted("combined", label="x"), "orders"),
        ["combined#x and orders bind the same"],
    ),
    ((F, wanted(F, label="b")), [f"{F} and {F}#b bind the same at the venue"]),
    (
        (wanted(MD, label="a", makers=[1]), wanted(MD, label="b", makers=[1])),
        ["bind the same at the venue: drop all but one"],
    ),
    (
        (F, wanted("book.tradable:X", instrument_id=3), "book.tradable:3"),
        ["bind the same"],
    ),
]


@pytest.mark.parametrize(("subscriptions", "parts"), COLLISIONS)
def test_collisions(subscriptions: tuple[str | Wanted, ...], parts: list[str]) -> None:
    """Names taken twice, and messages that could belong to two, are refused."""
    found = VENUE.problems(source(*subscriptions))
    assert len(found) == len(parts)
    assert all(part in text for part, text in zip(parts, found, strict=True))


NO_COLLISIONS: list[tuple[str | Wanted, ...]] = [
    ("orders", "orders:BTC-USD"),
    (F, "book.global:BTC-USD", MD),
    (wanted(MD, label="a", makers=[1]), wanted(MD, label="b", makers=[2])),
    ("positions", "positions:EUR", "instruments"),
]


@pytest.mark.parametrize("subscriptions", NO_COLLISIONS)
def test_no_collisions(subscriptions: tuple[str | Wanted, ...]) -> None:
    """What the venue echoes differently may live side by side."""
    assert VENUE.problems(source(*subscriptions)) == []


def test_every_feed_letter_is_reachable() -> None:
    """Each bindable letter has a stream, each stream of a feed an entry."""
    assert {bind.letter for bind in BINDS.values()} == set(FEEDS) - {"C"}
    fed = {stream for feed in FEEDS.values() for stream in feed.streams}
    assert fed | {"status", "combined"} == set(STREAMS)
    bindable = {name for name, stream in STREAMS.items() if stream.bindable}
    assert bindable == set(BINDS)
