"""Order methods and their error codes: `trading`, `leaving`, `order_methods`.

Source of the codes: reference page "Finery Markets API", section 6.1 to 6.5.
"""

from typing import Any

import pytest

from bridge.simulators.finery.options import Era
from bridge.simulators.finery.trading import trigger_pending
from tests.unit.simulators.finery.stage import (
    INSTRUMENT,
    LP1,
    LP2,
    MAKER,
    MASTER,
    NOTHING,
    READER,
    SUB,
    TAKER,
    USD,
    Stage,
)

BUY = {"instrument": INSTRUMENT, "side": "bid", "type": "marketIOC", "size": 10}
LIMIT_BUY = {**BUY, "type": "limitIOC", "price": 100 * USD}


def o_news(stage: Stage, account: int) -> list[tuple[str, Any]]:
    """Take the news of feed O of one account as (action, record)."""
    return [(a, data) for who, f, a, data in stage.news() if (who, f) == (account, "O")]


CASES = [
    (TAKER, {}, 76, "IOC, nothing to match"),
    (TAKER, {"type": "marketFOK"}, 77, "FOK, not enough liquidity"),
    (MAKER, {}, 73, "a maker sends IOC"),
    (TAKER, {"type": "limit", "price": 100 * USD}, 73, "a taker sends limit"),
    (MAKER, {"type": "limit", "price": USD, "size": None, "volume": USD}, 82, "volume"),
    (TAKER, {"size": None}, 81, "neither size nor volume"),
    (TAKER, {"volume": USD}, 81, "both size and volume"),
    (TAKER, {"size": None, "volume": 1}, 83, "volume off its step"),
    (TAKER, {"size": None, "volume": 0}, 83, "no volume"),
    (TAKER, {"size": 0}, 70, "no size"),
    (TAKER, {"size": -5}, 70, "a negative size"),
    (TAKER, {"type": "limitIOC", "price": 0}, 71, "no price"),
    (TAKER, {"type": "limitIOC", "price": 100 * USD + 1}, 71, "price off its step"),
    (TAKER, {"instrument": "NOPE-USD"}, 34, "an unknown instrument"),
    (READER, {}, 3, "a key without the right"),
    (NOTHING, {}, 3, "a key without any right"),
]


@pytest.mark.parametrize(("account", "change", "code", "why"), CASES)
def test_every_refusal_has_its_code(
    account: int, change: dict[str, Any], code: int, why: str
) -> None:
    """Each case of the outcome table of reference 6.1 answers its code."""
    stage = Stage()

    refused = stage.refused(account, "add", **{**BUY, **change})

    assert refused.number == code, why
    assert not stage.venue.orders
    assert not stage.venue.news


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"instrument": None}, "instrument"),
        ({"side": "buy"}, "side"),
        ({"side": None}, "side"),
        ({"type": "MarketIOC"}, "type"),
        ({"type": "limitIOC"}, "price"),
        ({"size": "10"}, "size"),
        ({"size": 1.5}, "size"),
        ({"size": 1 << 63}, "size"),
        ({"cod": "yes"}, "cod"),
        ({"clientOrderId": 0}, "clientOrderId"),
        ({"clientOrderId": 1 << 63}, "clientOrderId"),
    ],
)
def test_a_bad_parameter_is_error_9_with_its_name(
    change: dict[str, Any], param: str
) -> None:
    """Missing or wrong parameters answer 9 and name the parameter."""
    refused = Stage().refused(TAKER, "add", **{**BUY, **change})

    assert (refused.number, refused.param) == (9, param)


def test_case_may_be_ignored_by_a_switch() -> None:
    """`MarketIOC` of the published vector passes where the rules say so."""
    stage = Stage(any_case=True)

    refused = stage.refused(TAKER, "add", **{**BUY, "type": "MarketIOC"})

    assert refused.number == 76


def test_a_forbidden_instrument_is_36_and_no_trading_84() -> None:
    """Instruments off the allow-list answer 36, an account that may not trade 84."""
    stage = Stage()
    account = stage.venue.accounts[TAKER]
    account.forbidden.add(INSTRUMENT)
    assert stage.refused(TAKER, "add", **BUY).number == 36
    account.forbidden.clear()
    account.trading = False

    assert stage.refused(TAKER, "add", **BUY).number == 84


def test_a_client_order_id_in_use_is_74() -> None:
    """A client order id of an active order cannot be used again; a finished one can."""
    stage = Stage()
    number = stage.rest("bid", 100, 5, clientOrderId=7)
    order = {"instrument": INSTRUMENT, "type": "limit", "side": "bid", "size": 5}
    again = {**order, "price": 99 * USD, "clientOrderId": 7}

    assert stage.refused(LP1, "add", **again).number == 74
    stage.call(LP1, "del", orderId=number)
    assert stage.call(LP1, "add", **again)["clientOrderId"] == 7


def test_client_order_ids_may_be_spent_for_ever() -> None:
    """The other scope of error 74 is a switch."""
    stage = Stage(client_ids_for_ever=True)
    stage.rest("ask", 100, 50)
    stage.call(TAKER, "add", **BUY, clientOrderId=7)

    assert stage.refused(TAKER, "add", **BUY, clientOrderId=7).number == 74


def test_post_only_never_takes() -> None:
    """A postOnly order that would match answers 75."""
    stage = Stage()
    stage.rest("ask", 100, 5)
    order = {"instrument": INSTRUMENT, "type": "postOnly", "side": "bid", "size": 5}

    assert stage.refused(LP2, "add", price=100 * USD, **order).number == 75
    assert stage.call(LP2, "add", price=99 * USD, **order)["remainingSize"] == 5


def test_a_self_trade_is_78() -> None:
    """An order that would meet one of its own account answers 78."""
    stage = Stage()
    stage.rest("ask", 100, 5)

    order = {"instrument": INSTRUMENT, "type": "limit", "side": "bid", "size": 5}
    assert stage.refused(LP1, "add", price=100 * USD, **order).number == 78


def test_limits_too_small_are_79() -> None:
    """Liquidity that limits forbid answers 79, and counts again when they grow."""
    stage = Stage()
    stage.rest("ask", 100, 100_000)
    limit = {"counterpartyId": LP1, "currency": "USD"}
    stage.call(TAKER, "setCLimit", grossLimit=1, **limit)
    for kind in ("marketIOC", "marketFOK"):
        order = {**BUY, "type": kind, "size": 100_000}
        assert stage.refused(TAKER, "add", **order).number == 79

    stage.call(TAKER, "setCLimit", grossLimit=10**15, **limit)

    assert stage.call(TAKER, "add", **{**BUY, "size": 100_000})["remainingSize"] == 0


def test_limits_count_over_all_fills_of_one_order() -> None:
    """The second fill is refused where the first one used the limit up."""
    stage = Stage()
    for price in (100, 101):
        stage.rest("ask", price, 100_000_000)
    limit = {"counterpartyId": LP1, "currency": "USD"}
    # One coin at 60,000 and its price of 100 dollars count 60,100 together.
    stage.call(TAKER, "setCLimit", grossLimit=60_100 * USD, **limit)

    reply = stage.call(TAKER, "add", **{**BUY, "size": 200_000_000})

    assert (reply["remainingSize"], len(reply["deals"])) == (100_000_000, 1)


def test_the_order_cap_is_30_a_side() -> None:
    """A maker has at most 30 orders on one side of one book; the code is a switch."""
    stage = Stage(order_cap_error=72)
    for price in range(1, 31):
        stage.rest("bid", price, 5)
    stage.rest("ask", 1_000, 5)

    order = {"instrument": INSTRUMENT, "type": "limit", "side": "bid", "size": 5}
    assert stage.refused(LP1, "add", price=40 * USD, **order).number == 72


def test_a_partial_ioc_succeeds_with_reason_2() -> None:
    """What an IOC order cannot fill is dropped with cancel reason 2 (6.1)."""
    stage = Stage()
    stage.rest("ask", 9_999, 2_000_000)
    stage.news()

    reply = stage.call(
        TAKER,
        "add",
        **{**LIMIT_BUY, "price": 9_999 * USD, "size": 10_000_000},
        clientOrderId=123_456_789,
    )

    deal = reply["deals"][0]
    assert (reply["remainingSize"], reply["cancelReason"]) == (8_000_000, 2)
    assert reply["clientOrderId"] == 123_456_789
    assert (deal["size"], deal["volume"], deal["delta"]) == (
        2_000_000,
        19_998_000_000,
        0,
    )
    actions = o_news(stage, TAKER)
    assert [action for action, _ in actions] == ["+", "D", "-"]
    assert actions[2][1][3] == 2


def test_taker_orders_may_show_deals_alone() -> None:
    """Feed O without `+` and `-` for taker orders is a switch (13, 12)."""
    stage = Stage(order_added=False, order_rest=False)
    stage.rest("ask", 100, 2)
    stage.news()

    stage.call(TAKER, "add", **BUY)

    assert [action for action, _ in o_news(stage, TAKER)] == ["D"]


def test_a_filled_order_may_be_removed() -> None:
    """`-` after a complete fill is a switch."""
    stage = Stage(order_filled_removed=True)
    stage.rest("ask", 100, 10)
    stage.news()

    stage.call(TAKER, "add", **BUY)

    news = stage.news()
    shown = [(who, action) for who, feed, action, _ in news if feed == "O"]
    assert shown == [(7, "+"), (7, "D"), (41, "D"), (41, "-"), (7, "-")]


def test_a_buy_by_volume_spends_what_it_can() -> None:
    """`remainingVolume` stands for `remainingSize` in an order by volume (6.1)."""
    stage = Stage()
    stage.rest("ask", 100, 3_000_000)
    order = {"instrument": INSTRUMENT, "side": "bid", "type": "marketIOC"}

    reply = stage.call(TAKER, "add", volume=2 * USD, **order)

    assert reply["remainingVolume"] == 0
    assert reply["deals"][0]["size"] == 2_000_000
    rest = stage.call(TAKER, "add", volume=5 * USD, **order)
    assert (rest["remainingVolume"], rest["cancelReason"]) == (4 * USD, 2)


def test_a_deal_has_two_records_and_moves_four_positions() -> None:
    """Maker and taker get one deal id; positions are opposite (13, 10)."""
    stage = Stage()
    stage.rest("ask", 60_000, 10_000_000)
    stage.news()

    reply = stage.call(TAKER, "add", **{**BUY, "size": 10_000_000})

    number = reply["deals"][0]["id"]
    deals = stage.venue.deals
    assert deals[TAKER][0].id == deals[LP1][0].id == number
    assert (deals[TAKER][0].counterparty, deals[LP1][0].counterparty) == (LP1, TAKER)
    mine = {p.currency: p.value for p in stage.venue.positions.of(TAKER)}
    theirs = {p.currency: p.value for p in stage.venue.positions.of(LP1)}
    assert mine == {"BTC": 10_000_000, "USD": -6_000 * USD}
    assert theirs == {"BTC": -10_000_000, "USD": 6_000 * USD}
    kept = [(feed, action) for who, feed, action, _ in stage.news() if who == TAKER]
    assert kept == [("O", "+"), ("O", "D"), ("K", "+"), ("K", "+")]


def test_a_position_that_returns_to_zero_is_removed() -> None:
    """Feed K says `+`, `M` and `-`."""
    stage = Stage()
    stage.rest("ask", 100, 20)
    stage.rest("bid", 90, 50)
    seen = []
    for side, size in (("bid", 10), ("bid", 10), ("ask", 20)):
        stage.call(TAKER, "add", **{**BUY, "side": side, "size": size})
        seen += [
            (data[0], action)
            for who, feed, action, data in stage.news()
            if (who, feed) == (TAKER, "K") and data[0] == "BTC"
        ]

    assert seen == [("BTC", "+"), ("BTC", "M"), ("BTC", "-")]


def test_a_crossing_limit_order_takes_first_and_rests_then() -> None:
    """A maker's limit order trades with what it crosses; the rest goes to the book."""
    stage = Stage()
    stage.rest("ask", 100, 5)

    order = {"instrument": INSTRUMENT, "type": "limit", "side": "bid", "size": 8}
    reply = stage.call(LP2, "add", price=100 * USD, **order)

    assert (reply["remainingSize"], len(reply["deals"])) == (3, 1)
    assert stage.levels() == [[(100 * USD, 3)], []]


def test_del_takes_exactly_one_id() -> None:
    """`del` by either id answers id and what was left; both ids are error 9."""
    stage = Stage()
    one = stage.rest("bid", 100, 5, clientOrderId=7)

    assert stage.refused(LP1, "del", orderId=one, clientOrderId=7).number == 9
    assert stage.refused(LP1, "del").number == 9
    assert stage.call(LP1, "del", clientOrderId=7) == {"id": one, "remainingSize": 5}
    assert stage.refused(LP1, "del", clientOrderId=7).number == 80
    assert stage.refused(LP1, "del", orderId=one).number == 80


def test_another_accounts_order_is_not_found() -> None:
    """An order can be cancelled by its owner only: 80."""
    stage = Stage()
    number = stage.rest("bid", 100, 5)

    assert stage.refused(LP2, "del", orderId=number).number == 80


def test_del_all_may_be_limited_to_an_instrument() -> None:
    """`delAll` counts what it removed."""
    stage = Stage()
    stage.rest("bid", 100, 5)
    stage.rest("bid", 3_000, 5, instrument="ETH-USD")

    assert stage.call(LP1, "delAll", instrument="ETH-USD") == {"removed": 1}
    assert stage.call(LP1, "delAll") == {"removed": 1}
    assert stage.call(LP1, "delAll") == {"removed": 0}
    assert stage.refused(LP1, "delAll", instrument="NOPE-USD").number == 34


def test_mod_makes_a_new_order_less_what_was_filled() -> None:
    """An order of 10 with 2 filled: size 12 puts 10 into the book (6.2)."""
    stage = Stage()
    old = stage.rest("ask", 100, 10)
    stage.call(TAKER, "add", **{**BUY, "size": 2})
    stage.news()

    reply = stage.call(LP1, "mod", orderId=old, price=101 * USD, size=12)

    assert reply["id"] > old
    assert reply == {
        "id": reply["id"],
        "initialSize": 10,
        "remainingSize": 10,
        "origId": old,
        "origRemainingSize": 8,
        "deals": [],
    }
    news = o_news(stage, LP1)
    assert [(action, record[3]) for action, record in news] == [("-", 1), ("+", 0)]


def test_mod_failures_before_the_removal_leave_the_order() -> None:
    """80, 90, 70 and 71 are ordinary errors: the old order stays."""
    stage = Stage()
    old = stage.rest("ask", 100, 10)
    stage.call(TAKER, "add", **{**BUY, "size": 2})
    change = {"price": 101 * USD, "size": 12}

    refusals = [
        stage.refused(LP1, "mod", orderId=1, **change),
        stage.refused(LP1, "mod", orderId=old, **{**change, "size": 2}),
        stage.refused(LP1, "mod", orderId=old, **{**change, "size": 0}),
        stage.refused(LP1, "mod", orderId=old, **{**change, "price": 1}),
    ]

    assert [r.number for r in refusals] == [80, 90, 70, 71]
    assert all(r.inside is None for r in refusals)
    assert old in stage.venue.orders


def test_mod_has_an_error_form_of_its_own() -> None:
    """Old order gone, new one not placed: error, origId, origRemainingSize (2.5)."""
    stage = Stage()
    old = stage.rest("ask", 100, 10_000)
    stage.rest("ask", 105, 5, clientOrderId=9)

    refused = stage.refused(
        LP1, "mod", orderId=old, price=101 * USD, size=10_000, clientOrderId=9
    )

    assert refused.inside == {"error": 74, "origId": old, "origRemainingSize": 10_000}
    assert old not in stage.venue.orders


def test_pending_orders_wait_for_the_book() -> None:
    """A taker's pending order rests unseen and trades when the book reaches it."""
    stage = Stage()
    order = {"instrument": INSTRUMENT, "side": "BID", "price": 100 * USD, "size": 10}

    placed = stage.call(TAKER, "pending/add", clientOrderId=5, **order)

    assert stage.levels() == [[], []]
    assert stage.call(TAKER, "pending/orders")[0][1] == 7
    stage.rest("ask", 101, 10)
    stage.rest("ask", 100, 4)
    assert stage.venue.orders[placed["id"]].left == 6
    stage.rest("ask", 99, 20)
    assert placed["id"] not in stage.venue.orders
    assert stage.levels()[1] == [(99 * USD, 14), (101 * USD, 10)]
    trigger_pending(stage.venue, INSTRUMENT)


def test_pending_orders_can_be_cancelled() -> None:
    """`pending/del` and `pending/delAll` work like their siblings (assumed)."""
    stage = Stage(pending_on_orders=False)
    order = {"instrument": INSTRUMENT, "side": "bid", "price": 100 * USD, "size": 10}
    one = stage.call(TAKER, "pending/add", **order)
    stage.call(TAKER, "pending/add", **order)

    assert stage.call(TAKER, "pending/del", orderId=one["id"])["remainingSize"] == 10
    assert stage.call(TAKER, "pending/delAll") == {"removed": 1}
    assert o_news(stage, TAKER) == []


def test_a_master_acts_for_its_sub_account_only() -> None:
    """`authorized/add` trades for `clientId`, deal type 1, or 2 for a liquidation."""
    stage = Stage()
    stage.rest("ask", 100, 50)

    stage.call(MASTER, "authorized/add", clientId=SUB, **BUY)
    stage.call(MASTER, "authorized/add", clientId=SUB, liquidation=True, **BUY)

    assert [d.kind for d in stage.venue.deals[SUB]] == [1, 2]
    assert stage.refused(MASTER, "authorized/add", clientId=TAKER, **BUY).number == 3
    assert stage.refused(TAKER, "authorized/add", clientId=SUB, **BUY).number == 3
    refused = stage.refused(MASTER, "authorized/add", **BUY)
    assert (refused.number, refused.param) == (9, "clientId")
    order = {"instrument": INSTRUMENT, "side": "bid", "price": 90 * USD, "size": 5}
    stage.call(MASTER, "pending/authorized/add", clientId=SUB, **order)
    assert len(stage.call(MASTER, "pending/authorized/orders", clientId=SUB)) == 1


def test_a_liquidation_trade_deals_at_its_price() -> None:
    """`liquidationTrade` deals with the sub-account at once (details assumed)."""
    stage = Stage()
    order = {"instrument": INSTRUMENT, "side": "ask", "price": 100 * USD, "size": 10}

    reply = stage.call(MASTER, "liquidationTrade", counterpartyId=SUB, **order)

    assert reply["deal"]["price"] == 100 * USD
    assert stage.venue.positions.value(MASTER, SUB, "BTC") == -10
    refused = stage.refused(MASTER, "liquidationTrade", counterpartyId=9, **order)
    assert refused.number == 143


def test_hidden_makers_are_not_in_a_takers_market() -> None:
    """A maker without permission is neither seen nor hit: 76, not 79."""
    stage = Stage()
    stage.rest("ask", 100, 10)
    stage.venue.limits.enable(LP1, TAKER, enabled=False)

    assert stage.refused(TAKER, "add", **BUY).number == 76
    seen = stage.call(TAKER, "book", instrument=INSTRUMENT, tradable=True)
    assert seen == [(), ()]
    assert stage.call(TAKER, "book", instrument=INSTRUMENT)[1]


@pytest.mark.parametrize("era", list(Era))
def test_times_may_be_whole_seconds(era: Era) -> None:
    """Order times end in 000 where the rules say so (4.1)."""
    stage = Stage(era, whole_seconds=True)
    stage.now += 999

    number = stage.rest("bid", 100, 5)

    assert stage.venue.orders[number].created % 1000 == 0
