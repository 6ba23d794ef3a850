"""Policy, trading states, rate and breaker: who may do what, at which moment."""

from __future__ import annotations

import pytest

from bridge.core.orders import Kind, Lane, Trading
from bridge.core.policy import SECOND_NS, Breaker, Limit, Policy, Rate, refusal_in
from bridge.core.refusals import REFUSALS, refuse
from tests.unit.core.command_cases import accepted, record

STATE_CODES = (
    "TRADING_HALTED",
    "TRADING_REDUCING",
    "TRADING_STATE_UNKNOWN",
    "RATE_LIMITED",
    "TOO_MANY_REJECTIONS",
    "LANE_FULL",
    "NO_CONNECTION",
    "RESPONSES_BLOCKED",
    "CLAIM_TOO_OLD",
    "NOT_SENT",
)
RETRIABLE = {*STATE_CODES} - {"TRADING_HALTED", "TRADING_REDUCING"}
UNREAD = None


@pytest.mark.parametrize(
    ("state", "lane", "code"),
    [
        (Trading.ACTIVE, Lane.CANCEL, None),
        (Trading.ACTIVE, Lane.QUERY, None),
        (Trading.ACTIVE, Lane.NEW, None),
        (Trading.REDUCING, Lane.CANCEL, None),
        (Trading.REDUCING, Lane.QUERY, None),
        (Trading.REDUCING, Lane.NEW, "TRADING_REDUCING"),
        (Trading.HALTED, Lane.CANCEL, None),
        (Trading.HALTED, Lane.QUERY, None),
        (Trading.HALTED, Lane.NEW, "TRADING_HALTED"),
        (Trading.UNKNOWN, Lane.CANCEL, None),
        (Trading.UNKNOWN, Lane.QUERY, None),
        (Trading.UNKNOWN, Lane.NEW, "TRADING_STATE_UNKNOWN"),
        (UNREAD, Lane.CANCEL, None),
        (UNREAD, Lane.QUERY, None),
        (UNREAD, Lane.NEW, "TRADING_STATE_UNKNOWN"),
    ],
)
def test_a_state_says_what_may_pass(
    state: Trading | None, lane: Lane, code: str | None
) -> None:
    """Queries always, cancels unless forbidden, new orders only when active."""
    assert refusal_in(state, lane) == code


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (Trading.ACTIVE, None),
        (Trading.REDUCING, None),
        (Trading.HALTED, "TRADING_HALTED"),
        (Trading.UNKNOWN, "TRADING_STATE_UNKNOWN"),
    ],
)
def test_a_halt_may_stop_cancels_too(state: Trading, code: str | None) -> None:
    """Only a halt does, and queries still pass."""
    assert refusal_in(state, Lane.CANCEL, halt_cancels=True) == code
    assert refusal_in(state, Lane.QUERY, halt_cancels=True) is None
    new = refusal_in(state, Lane.NEW, halt_cancels=True)
    assert new == refusal_in(state, Lane.NEW)


@pytest.mark.parametrize("code", STATE_CODES)
def test_a_refusal_of_the_moment_says_whether_to_try_again(code: str) -> None:
    """What may pass later is retriable; a halt is a person's word."""
    found = refuse(accepted(record()), code)

    assert (found.code, found.retriable) == (code, code in RETRIABLE)
    assert "{" not in found.text
    assert REFUSALS[code].todo


def test_by_default_only_reading_is_allowed() -> None:
    """Order methods must be switched on."""
    usual = Policy(accounts=frozenset({"desk-a"}))

    assert usual.allows("positions", Kind.READ)
    assert [k for k in Kind if usual.allows("x", k)] == [Kind.READ]
    assert not usual.allows("unlisted", None)


def test_a_method_is_allowed_by_its_class_or_by_its_name() -> None:
    """One that is not listed has no class, so its name is all."""
    some = Policy(
        accounts=frozenset(),
        kinds=frozenset({Kind.ORDER}),
        methods=frozenset({"setCLimit", "unlisted"}),
    )

    assert some.allows("add", Kind.ORDER)
    assert some.allows("setCLimit", Kind.RISK)
    assert some.allows("unlisted", None)
    assert not some.allows("setLimit", Kind.RISK)
    assert not some.allows("positions", Kind.READ)
    assert not some.allows("other", None)


def test_restricted_instruments_hold_for_orders_that_name_none() -> None:
    """They pass only where a person named the method."""
    all_of_them = Policy(accounts=frozenset())
    some = Policy(
        accounts=frozenset(),
        instruments=frozenset({"BTC-USD"}),
        methods=frozenset({"mod"}),
    )

    assert all_of_them.trades("add", "ANY-THING")
    assert some.trades("add", "BTC-USD")
    assert not some.trades("mod", "ETH-USD")
    assert not some.trades("add", "")
    assert some.trades("mod", "")


def test_a_limit_of_an_instrument_wins_over_the_topics_in_what_it_says() -> None:
    """What it leaves open is the topic's; without a name the least of all holds."""
    some = Policy(
        accounts=frozenset(),
        limit=Limit(10, 100),
        limits={"A": Limit(20), "B": Limit(None, 50)},
    )

    assert some.limit_of("A") == (20, 100)
    assert some.limit_of("B") == (10, 50)
    assert some.limit_of("C") == (10, 100)
    assert some.limit_of("") == (10, 50)
    assert Policy(accounts=frozenset()).limit_of("") == (None, None)


@pytest.mark.parametrize("rate", [1, 3, 10, 0.5, 1_000])
def test_the_rate_holds_over_any_time(rate: float) -> None:
    """A second's worth at once, then the rate, and never more."""
    bucket, taken, burst = Rate(rate), 0, max(1, int(rate))
    step_ns = SECOND_NS // 1_000

    for tick in range(4_000):
        while bucket.take(tick * step_ns):
            taken += 1
        assert taken <= burst + rate * tick / 1_000 + 1
    assert taken >= burst + rate * 3.9 - 1


def test_a_rate_that_was_not_used_does_not_add_up() -> None:
    """A quiet hour earns no more than one second's burst."""
    bucket = Rate(10)
    assert bucket.take(0)
    later = 3_600 * SECOND_NS

    assert sum(bucket.take(later) for _ in range(100)) == 10


def test_a_refused_order_takes_nothing_from_the_rate() -> None:
    """Who is told to wait does not wait longer for having asked."""
    bucket = Rate(1)
    assert bucket.take(0)
    assert not any(bucket.take(SECOND_NS // 2) for _ in range(50))

    assert bucket.take(SECOND_NS)


def test_rejections_in_a_row_open_the_breaker_for_a_while() -> None:
    """After the pause one more rejection opens it again, one success closes it."""
    breaker = Breaker(limit=3, pause_ns=100)
    for now in (1, 2):
        breaker.rejected(now)
    assert breaker.closed(2)
    breaker.rejected(3)
    assert not breaker.closed(102)
    assert breaker.closed(103)
    breaker.rejected(104)
    assert not breaker.closed(203)
    breaker.accepted()
    breaker.rejected(300)
    assert breaker.closed(300)


def test_success_between_rejections_keeps_the_breaker_closed() -> None:
    """Only rejections in a row count."""
    breaker = Breaker(limit=2, pause_ns=100)
    for now in range(10):
        breaker.rejected(now)
        breaker.accepted()

    assert breaker.closed(10)


def test_a_success_on_its_way_does_not_end_a_pause() -> None:
    """Answers to earlier orders come while the breaker is open."""
    breaker = Breaker(limit=1, pause_ns=100)
    breaker.rejected(0)
    breaker.accepted()

    assert not breaker.closed(50)


def test_no_limit_is_no_breaker() -> None:
    """0 turns it off."""
    breaker = Breaker(limit=0, pause_ns=100)
    for now in range(1_000):
        breaker.rejected(now)

    assert breaker.closed(1_000)
