"""The matching engine: `bridge.simulators.finery.engine`."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.simulators.finery import leaving, trading
from bridge.simulators.finery.engine import (
    Book,
    Cancel,
    Half,
    Kind,
    Order,
    Side,
    Steps,
)
from bridge.simulators.finery.refusals import Refused
from bridge.simulators.finery.trading import Ask
from bridge.simulators.finery.venue import Deal
from tests.unit.simulators.finery.stage import INSTRUMENT, USD, Stage

STEPS = Steps(size=1, volume=1_000_000)


def order(number: int, side: Side, price: int, left: int, account: int = 1) -> Order:
    return Order(
        id=number,
        account=account,
        instrument=INSTRUMENT,
        kind=Kind.LIMIT,
        side=side,
        price=price * USD,
        initial=left,
        left=left,
        created=0,
    )


def all_of(*_: object) -> bool:
    return True


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("nearest", 5_673_630_190_500),
        ("up", 5_673_630_190_500),
        ("down", 5_673_630_190_400),
    ],
)
def test_volumes_are_rounded_to_the_balance_step(rounding: str, expected: int) -> None:
    """The real deal of reference 4.1 has its volume on the step of 100 units."""
    steps = Steps(size=1, volume=100, rounding=rounding)

    assert steps.volume_of(6_674_859_047_619, 85_000_000) == expected


def test_the_size_for_a_volume_is_the_largest_that_it_pays_for() -> None:
    """An order by volume takes a whole number of size steps."""
    steps = Steps(size=1_000, volume=1_000_000)

    assert steps.size_for(3 * USD, 10 * USD) == 333_333_000


def test_better_prices_go_first_and_older_orders_within_a_price() -> None:
    """Matching is by price, then by time of arrival."""
    book = Book(STEPS)
    for number, price in ((1, 102), (2, 101), (3, 101), (4, 103)):
        book.rest(order(number, Side.ASK, price, 10))

    plan = book.plan(order(9, Side.BID, 102, 25, account=2), all_of)

    assert [(f.maker.id, f.size) for f in plan.fills] == [(2, 10), (3, 10), (1, 5)]
    assert (plan.left, plan.filled, plan.limited) == (0, True, False)


def test_a_plan_touches_nothing() -> None:
    """Only `hit` changes the book."""
    book = Book(STEPS)
    book.rest(order(1, Side.ASK, 101, 10))
    incoming = order(9, Side.BID, 101, 4, account=2)

    plan = book.plan(incoming, all_of)

    assert book.halves[Side.ASK].levels() == ((101 * USD, 10),)
    book.hit(incoming, plan.fills[0])
    assert book.halves[Side.ASK].levels() == ((101 * USD, 6),)
    assert incoming.left == 0


def test_what_limits_forbid_is_passed_over() -> None:
    """An order that limits forbid is skipped and reported."""
    book = Book(STEPS)
    book.rest(order(1, Side.ASK, 101, 10, account=5))
    book.rest(order(2, Side.ASK, 102, 10, account=6))

    plan = book.plan(
        order(9, Side.BID, 102, 10, account=2), lambda maker, *_: maker.account == 6
    )

    assert [f.maker.id for f in plan.fills] == [2]
    assert plan.limited


def test_an_order_not_seen_does_not_exist() -> None:
    """A hidden maker's order is neither filled nor counted as forbidden."""
    book = Book(STEPS)
    book.rest(order(1, Side.ASK, 101, 10))

    plan = book.plan(
        order(9, Side.BID, 101, 10, account=2), all_of, seen=lambda _: False
    )

    assert plan == ((), 10, False, False, False)


def test_meeting_an_own_order_is_reported() -> None:
    """A plan stops at an order of the same account."""
    book = Book(STEPS)
    book.rest(order(1, Side.ASK, 101, 10, account=2))

    assert book.plan(order(9, Side.BID, 101, 5, account=2), all_of).own


def test_a_price_of_zero_reaches_every_level() -> None:
    """Market orders have price 0 and reach everything."""
    market = order(1, Side.ASK, 0, 1)

    assert market.reaches(1)
    assert order(1, Side.BID, 5, 1).reaches(5 * USD)
    assert not order(1, Side.BID, 5, 1).reaches(6 * USD)
    assert not order(1, Side.ASK, 5, 1).reaches(4 * USD)


def test_a_half_keeps_levels_and_totals() -> None:
    """A level is the sum of its orders, and goes with its last one."""
    half = Half(Side.BID)
    one, two = order(1, Side.BID, 100, 5), order(2, Side.BID, 100, 7)
    half.put(one)
    half.put(two)

    assert half.levels() == ((100 * USD, 12),)
    half.remove(one)
    half.shrink(two, 3)
    assert (half.levels(), len(half), half.best()) == (((100 * USD, 4),), 1, 100 * USD)
    half.shrink(two, 4)
    assert (half.levels(), half.best()) == ((), None)


# One step of a random market: account, kind, side, price, size; or a cancel.
WISHES = st.tuples(
    st.sampled_from([41, 42, 43, 51, 52, 7]),
    st.sampled_from(sorted(Kind)),
    st.sampled_from(sorted(Side)),
    st.integers(90, 110),
    st.integers(1, 40),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(wishes=st.lists(WISHES, min_size=1, max_size=60))
def test_nothing_is_lost_or_made_up(
    wishes: list[tuple[int, Kind, Side, int, int, bool]],
) -> None:
    """Sizes are conserved, both records agree, positions sum to zero, no crossing."""
    stage = Stage()
    venue = stage.venue
    asked: Counter[int] = Counter()
    dealt: Counter[int] = Counter()
    for account, kind, side, price, size, cancel in wishes:
        live = list(venue.live.get(account, {}).values())
        if cancel and live:
            leaving.cancel(venue, live[0], Cancel.CLIENT)
            continue
        wish = Ask(
            INSTRUMENT, kind, side, price=price * USD, size=size * 1_000, client_id=0
        )
        try:
            placed = trading.add(venue, venue.accounts[account], wish)
        except Refused:
            continue
        asked[placed.order.id] = wish.size or 0
        assert not venue.books[INSTRUMENT].crossed()
    deals = [facts["deal"] for kind_, facts in stage.decisions if kind_ == "deal"]
    for deal in deals:
        dealt[deal.order.id] += deal.size
        assert deal.volume == venue.books[INSTRUMENT].steps.volume_of(
            deal.price, deal.size
        )
    assert all(dealt[number] <= asked[number] for number in dealt)
    _check_records(stage, deals)
    _check_resting(stage)
    assert venue.positions.total("BTC") == venue.positions.total("USD") == 0


def _check_records(stage: Stage, deals: list[Deal]) -> None:
    """Each deal is in the books of both parties under one id, mirrored."""
    kept = [deal for books in stage.venue.deals.values() for deal in books]
    for deal in deals:
        both = [d for d in kept if d.id == deal.id]
        audience = {deal.taker, deal.maker} & stage.venue.audience
        assert {d.order.account for d in both} == audience
        assert {(d.price, d.size, d.volume, d.aggressor) for d in both} <= {
            (deal.price, deal.size, deal.volume, deal.aggressor)
        }


def _check_resting(stage: Stage) -> None:
    """What the book shows is the sum of what its orders have left."""
    for side in Side:
        totals: Counter[int] = Counter()
        for resting in stage.venue.orders.values():
            if resting.side == side and resting.kind != Kind.PENDING:
                totals[resting.price] += resting.left
        shown = dict(stage.venue.books[INSTRUMENT].halves[side].levels(1_000))
        assert shown == dict(totals)


@settings(max_examples=60, deadline=None)
@given(
    resting=st.lists(
        st.tuples(st.integers(100, 105), st.integers(1, 9)), min_size=1, max_size=20
    ),
    size=st.integers(1, 60),
)
def test_fills_are_in_price_time_order(
    resting: list[tuple[int, int]], size: int
) -> None:
    """No order trades while a better or an older one at its price has size left."""
    book = Book(STEPS)
    for number, (price, left) in enumerate(resting):
        book.rest(order(number, Side.ASK, price, left))

    plan = book.plan(order(99, Side.BID, 105, size, account=2), all_of)

    queue = sorted(range(len(resting)), key=lambda n: (resting[n][0], n))
    filled = [fill.maker.id for fill in plan.fills]
    assert filled == queue[: len(filled)]
    assert all(f.size == f.maker.left for f in plan.fills[:-1])
    assert sum(f.size for f in plan.fills) + plan.left == size
