"""What runs where, from records alone: verdicts, silence, workers that are gone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.core.identity import uuid7
from bridge.core.model import Binding, Plan, Subscription
from bridge.core.overview import (
    Key,
    Known,
    Overview,
    Row,
    Sight,
    Tails,
    Verdict,
    Wanted,
    connected_ms,
    headline,
    overview,
    wanted_of,
)

NOW_MS = 1_800_000_000_000
OLD, NEW = uuid7(NOW_MS - 90_000, 0), uuid7(NOW_MS - 10_000, 0)
BOOK, ORDERS = ("desk", "book.tradable:BTC-USD"), ("desk", "orders")
TOPIC = "finery.book.tradable"
WANTED = Wanted({BOOK: 50.0, ORDERS: None}, frozenset({"status"}))


def known(key: Key, state: str = "LIVE", **more: Any) -> Known:
    facts = {
        "connection": OLD,
        "worker": "w1",
        "topic": TOPIC,
        "partition": 0,
        "since_ms": NOW_MS - 60_000,
        "state": state,
        "reason": "SNAPSHOT",
    }
    return Known(source=key[0], subscription=key[1], **{**facts, **more})


def tails(**data_ages_ms: int) -> Tails:
    """Return the newest data of `book` and `orders`, both read 60 s back."""
    keys = {"book": BOOK, "orders": ORDERS}
    return Tails(
        {
            keys[name]: Sight(connection=OLD, data_ms=NOW_MS - age_ms)
            for name, age_ms in data_ages_ms.items()
        },
        {(TOPIC, 0): 60.0},
    )


def look(
    *states: Known, seen: Tails | None = None, wanted: Wanted = WANTED
) -> Overview:
    return overview(wanted, states, seen or tails(book=1_000), NOW_MS)


def row(found: Overview, key: Key) -> Row:
    return next(r for r in found.rows if (r.source, r.subscription) == key)


def test_all_live() -> None:
    """Ages come from boundary, connection id and data."""
    found = look(known(BOOK), known(ORDERS))
    book = row(found, BOOK)

    assert headline(found) == "all 2 live"
    assert (book.since_s, book.connected_s, book.data_age_s) == (60.0, 90.0, 1.0)
    assert (row(found, ORDERS).data_age_s, row(found, ORDERS).data_older_than_s) == (
        None,
        60.0,
    )
    assert found.wrong == 0
    [crew] = found.workers
    assert (crew.worker, crew.live, crew.oldest_data_s) == ("w1", 2, 1.0)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("BINDING", Verdict.NOT_LIVE),
        ("STALE", Verdict.NOT_LIVE),
        ("GAP", Verdict.NOT_LIVE),
        ("REFUSED", Verdict.NOT_LIVE),
        ("UNKNOWN", Verdict.NOT_LIVE),
        ("ENDED", Verdict.NOT_RUNNING),
    ],
)
def test_every_other_state_is_wrong(state: str, verdict: Verdict) -> None:
    """Only LIVE is live."""
    found = look(known(BOOK, state), known(ORDERS))

    assert row(found, BOOK).verdict is verdict
    assert found.wrong == 1
    assert headline(found).startswith("1 of 2 not live: desk/book.tradable:BTC-USD")


def test_what_has_no_state_has_never_run() -> None:
    """It is wanted and nobody has ever asked for it; it has no worker."""
    found = look(known(BOOK))

    assert row(found, ORDERS).verdict is Verdict.NEVER_RUN
    assert found.workers[0].worker == ""
    assert headline(found) == "1 of 2 not live: desk/orders never run"


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (tails(book=49_900, orders=1), Verdict.LIVE),
        (tails(book=50_000, orders=1), Verdict.SILENT),
        (tails(orders=1), Verdict.SILENT),  # 60 s back there is none
        (Tails({}, {}), Verdict.LIVE),  # nothing was read: nothing is known
    ],
)
def test_live_in_word_and_silent_in_fact(seen: Tails, verdict: Verdict) -> None:
    """A killed worker leaves LIVE behind; its records are missing."""
    found = look(known(BOOK), known(ORDERS, worker="w2"), seen=seen)

    assert row(found, BOOK).verdict is verdict
    assert row(found, ORDERS).verdict is Verdict.LIVE  # may be silent for ever


def test_a_worker_whose_regular_records_have_stopped_is_gone() -> None:
    """Then what may be silent is not trusted either, on this worker alone."""
    other = ("desk", "positions")
    wanted = Wanted({**WANTED.silence_s, other: None}, frozenset())
    found = look(
        known(BOOK), known(ORDERS), known(other, worker="w2"), seen=tails(),
        wanted=wanted,
    )  # fmt: skip

    assert row(found, ORDERS).verdict is Verdict.SILENT
    assert row(found, other).verdict is Verdict.LIVE
    assert found.wrong == 2
    assert [crew.not_live for crew in found.workers] == [2, 0]


def test_a_newer_connection_in_the_data_topic_wins() -> None:
    """An ENDED that was written late does not hide the successor."""
    sight = Sight(
        connection=NEW,
        data_ms=NOW_MS - 500,
        boundary=("LIVE", "SNAPSHOT", "", NOW_MS - 9_000),
    )
    seen = Tails({BOOK: sight}, {(TOPIC, 0): 2.0})
    book = row(look(known(BOOK, "ENDED"), seen=seen), BOOK)

    assert (book.verdict, book.connection, book.worker) == (Verdict.LIVE, NEW, "?")
    assert (book.since_s, book.connected_s) == (9.0, 10.0)


def test_an_older_connection_in_the_data_topic_does_not() -> None:
    """What a zombie wrote late changes nothing."""
    sight = Sight(connection=OLD, data_ms=NOW_MS, boundary=("ENDED", "", "", NOW_MS))
    seen = Tails({BOOK: sight}, {})
    book = row(look(known(BOOK, connection=NEW), seen=seen), BOOK)

    assert (book.verdict, book.worker) == (Verdict.LIVE, "w1")


def test_what_is_not_wanted_is_left_out_once_it_has_ended() -> None:
    """Before that it is shown and counted; companions of connections are no fault."""
    old, status = ("desk", "book.tradable:X"), ("desk", "status:books-1@7")
    states = [known(BOOK), known(ORDERS), known(status, "STALE")]
    found = look(*states, known(old))
    assert (found.wanted, found.wrong, found.unwanted) == (2, 0, 1)
    assert headline(found) == "all 2 live; 1 not wanted and not ended"
    assert row(found, status).companion

    found = look(*states, known(old, "ENDED"))
    assert found.unwanted == 0
    assert old[1] not in {r.subscription for r in found.rows}


def test_without_settings_everything_that_ran_is_wanted() -> None:
    """Then nothing says that an end was meant."""
    found = look(known(BOOK), known(ORDERS, "ENDED"), wanted=Wanted({}, frozenset()))

    assert (found.wanted, found.wrong) == (2, 1)


def test_the_headline_names_the_first_ones() -> None:
    """Three hundred names help nobody."""
    many = {("desk", f"book.tradable:{n:03}"): None for n in range(9)}
    found = look(wanted=Wanted(many, frozenset()))

    assert headline(found).count("never run") == 5
    assert headline(found).endswith("and 4 more")


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (OLD, NOW_MS - 90_000),
        ("no uuid", None),
        ("", None),
        ("6fa459ea-ee8a-4ca4-894e-db77e160355e", None),  # version 4
    ],
)
def test_a_connection_tells_when_it_was_opened(
    connection: str, expected: int | None
) -> None:
    """A UUIDv7 begins with its time; others have none."""
    assert connected_ms(connection) == expected


def test_what_is_wanted_follows_from_the_plans() -> None:
    """Books come with every refresh; what no binding feeds comes along."""

    def one(name: str, stream: str) -> Subscription:
        return Subscription(
            source="desk", name=name, stream=stream, key="", partition_key=""
        )

    names = [
        ("book.tradable:X", "finery.book.tradable"),
        ("value:BRTI", "cfbenchmarks.value"),
        ("orders", "finery.orders"),
        ("deals", "finery.deals"),
        ("status:books-1", "finery.status"),
    ]
    bindings = (
        Binding(name="b", request={}, channels=(0,), stale_after_ms=120_000),
        Binding(name="v", request={}, channels=(1,), stale_after_ms=5_000),
        Binding(name="o", request={}, channels=(2, 3)),
    )
    plan = Plan(
        source="desk",
        venue="finery",
        name="books-1",
        subscriptions=tuple(one(*pair) for pair in names),
        bindings=bindings,
    )
    wanted = wanted_of([plan], refresh_s=30.0)

    assert wanted.silence_s == {
        ("desk", "book.tradable:X"): 50.0,
        ("desk", "value:BRTI"): 10.0,
        ("desk", "orders"): None,
        ("desk", "deals"): None,
    }
    assert wanted.companions == {"status"}


def test_an_overview_is_json() -> None:
    """Programs read the same, with the headline first."""
    plain = json.loads(json.dumps(look(known(BOOK)).as_dict()))

    assert next(iter(plain)) == "headline"
    rows = [r for worker in plain["workers"] for r in worker["rows"]]
    assert [r["verdict"] for r in rows] == ["never run", "live"]
