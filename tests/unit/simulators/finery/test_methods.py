"""Reads, limits and settlements: `methods`, `read_methods`, `money_methods`."""

from typing import Any

import pytest

from bridge.simulators.finery.methods import (
    METHODS,
    NOT_IMPLEMENTED,
    is_aggressive,
)
from bridge.simulators.finery.options import Era
from tests.unit.simulators.finery.stage import (
    INSTRUMENT,
    LP1,
    LP2,
    MASTER,
    NOTHING,
    READER,
    START_MS,
    SUB,
    TAKER,
    USD,
    Stage,
)

BUY = {"instrument": INSTRUMENT, "side": "bid", "type": "marketIOC", "size": 10}
PAY = {"counterpartyId": LP1, "currency": "BTC", "amount": 500, "comment": "note"}
ASK = {"counterpartyId": LP1, "currency": "BTC"}
CAP = {"counterpartyId": LP1, "currency": "USD", "grossLimit": 5 * USD}


def mine(stage: Stage, account: int = TAKER) -> list[tuple[str, str, Any]]:
    """Take the news of one account as (feed, action, data)."""
    return [(f, a, data) for who, f, a, data in stage.news() if who == account]


def test_an_unknown_method_is_8_and_an_unsimulated_one_is_1() -> None:
    """Unknown methods answer 8; names without a known layout answer 1."""
    stage = Stage()

    assert stage.refused(TAKER, "nope").number == 8
    assert stage.refused(TAKER, "voiceTrade").number == 1
    assert not NOT_IMPLEMENTED & set(METHODS)


def test_a_key_without_rights_reads_nothing() -> None:
    """Every method needs the right to read; writes need their own right."""
    stage = Stage()

    assert stage.refused(NOTHING, "instruments").number == 3
    for method in ("mod", "del", "delAll", "setCLimit", "setLimit"):
        assert stage.refused(READER, method).number == 3
    assert stage.refused(READER, "addIncomingSettlementRequest").number == 3


@pytest.mark.parametrize(
    ("method", "content", "expected"),
    [
        ("add", {"type": "limitIOC"}, True),
        ("add", {"type": "marketFOK"}, True),
        ("authorized/add", {"type": "marketIOC"}, True),
        ("add", {"type": "postOnly"}, False),
        ("add", {"type": 5}, False),
        ("add", [], False),
        ("mod", {"type": "limitIOC"}, False),
    ],
)
def test_the_latency_floor_is_for_aggressive_orders(
    method: str, content: Any, *, expected: bool
) -> None:
    """Maker `add`, `mod` and `del` are not delayed (6.1)."""
    assert is_aggressive(method, content) is expected


def test_instruments_have_networks_but_in_the_old_era() -> None:
    """The reply has three elements; older servers send two (5.2)."""
    currencies, pairs, networks = Stage().call(TAKER, "instruments")

    assert currencies[0] == ["USD", 4725, 1_000_000, 100_000_000, "fiat", ["SWIFT"]]
    assert pairs[0] == ["BTC-USD", 4_955_410_050, "BTC", "USD"]
    assert ["ERC20", "Ethereum", 3] in networks
    assert len(Stage(Era.OLD).call(TAKER, "instruments")) == 2


def test_hundreds_of_instruments_can_be_made_up() -> None:
    """Beyond the known ten, pairs are numbered and keep their prices on step."""
    stage = Stage(instruments=300)

    assert len(stage.call(TAKER, "instruments")[1]) == 300
    assert stage.venue.catalogue.fair_price("T299-USD") % 1_000_000 == 0


def test_positions_shows_everything() -> None:
    """Next id, positions, orders, settlement orders (5.4)."""
    stage = Stage()
    stage.rest("ask", 100, 50)
    stage.call(TAKER, "add", **BUY)
    stage.call(TAKER, "addOutgoingSettlementTransaction", **PAY)

    number, positions, orders, settlements = stage.call(TAKER, "positions")

    assert number == stage.venue.next_deal_id
    assert ["BTC", 10, LP1, 510, 10] in positions
    assert orders == []
    assert settlements[0][1:5] == ["BTC", "", 500, 0]
    assert len(stage.call(LP1, "positions")[2]) == 1


def history(stage: Stage, **content: Any) -> list[int]:
    """Return the deal ids of `dealHistory`."""
    return [d[11] for d in stage.call(TAKER, "dealHistory", **content)]


def test_deal_history_is_filtered() -> None:
    """Till and to are exclusive, from is inclusive, limit keeps the latest (5.5)."""
    stage = Stage()
    stage.rest("ask", 100, 500)
    stage.rest("ask", 3_000, 500, account=LP2, instrument="ETH-USD")
    for number in range(4):
        name = "ETH-USD" if number == 3 else INSTRUMENT
        stage.now = START_MS + number
        stage.call(TAKER, "add", **{**BUY, "instrument": name})
    first = stage.venue.next_deal_id - 4

    assert history(stage) == [first + 3, first + 2, first + 1, first]
    assert history(stage, limit=2) == [first + 3, first + 2]
    assert history(stage, till=first + 2) == [first + 1, first]
    since = {"from": START_MS + 1, "to": START_MS + 3}
    assert history(stage, **since) == [first + 2, first + 1]
    assert history(stage, instrument="ETH-USD") == [first + 3]
    assert history(stage, instrument=[INSTRUMENT, "ETH-USD"], limit=1) == [first + 3]
    assert history(stage, counterpartyIds=[LP2]) == [first + 3]
    assert stage.refused(TAKER, "dealHistory", limit=251).number == 9
    assert stage.refused(TAKER, "dealHistory", instrument=5).number == 9
    assert stage.refused(TAKER, "dealHistory", counterpartyIds="x").number == 9


def test_deal_history_may_be_oldest_first() -> None:
    """The order within the reply is unknown, hence a switch."""
    stage = Stage(newest_deals_first=False)
    stage.rest("ask", 100, 500)
    for _ in range(3):
        stage.call(TAKER, "add", **BUY)

    assert history(stage, limit=2) == sorted(history(stage, limit=2))


def test_a_master_reads_the_deals_of_its_sub_account() -> None:
    """`authorized/dealHistory` takes `clientId` (layout assumed)."""
    stage = Stage()
    stage.rest("ask", 100, 500)
    stage.call(SUB, "add", **BUY)

    assert len(stage.call(MASTER, "authorized/dealHistory", clientId=SUB)) == 1
    assert stage.refused(MASTER, "authorized/dealHistory", clientId=TAKER).number == 3


def test_a_limit_is_set_changed_and_removed() -> None:
    """One limit a counterparty; feed L says `+`, `M`, `-` to both sides (4.5, 8)."""
    stage = Stage()
    margins = {
        "maintenaceMargin": 1000,
        "restrictedTrading": 1500,
        "initialMargin": 2000,
    }

    assert stage.call(TAKER, "setCLimit", **CAP) == {"error": 0}
    stage.call(TAKER, "setCLimit", **CAP, **margins)
    listed = stage.call(TAKER, "climits")
    stage.call(TAKER, "delCLimit", counterpartyId=LP1)

    assert listed[0]["ownLimit"]["maintenanceMargin"] == 1000
    actions = [(f, a) for f, a, _ in mine(stage)]
    assert [a for f, a in actions if f == "L"] == ["+", "M", "-"]
    assert stage.refused(TAKER, "delCLimit", counterpartyId=LP1).number == 53
    assert stage.call(TAKER, "climits") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"grossLimit": -1}, 52),
        ({"currency": "NOPE"}, 26),
        ({"counterpartyId": 999}, 45),
        ({"counterpartyId": TAKER}, 54),
        (
            {"maintenanceMargin": 9, "restrictedTrading": 8, "initialMargin": 10},
            9,
        ),
        ({"maintenanceMargin": 9}, 9),
    ],
)
def test_a_bad_limit_is_refused(change: dict[str, Any], code: int) -> None:
    """Limits need a known counterparty and currency and rising margins."""
    assert Stage().refused(TAKER, "setCLimit", **{**CAP, **change}).number == code


def test_both_sides_see_a_limit() -> None:
    """Own and mutual limit are two views of one relation; use grows with positions."""
    stage = Stage()
    stage.call(LP1, "setCLimit", **{**CAP, "counterpartyId": TAKER})
    stage.rest("ask", 100, 500)
    stage.news()

    stage.call(TAKER, "add", **BUY)

    limit = stage.call(TAKER, "climits")[0]
    assert "ownLimit" not in limit
    assert limit["mutualLimit"]["limitUtilization"] == 10 * 60_000
    assert ("L", "M") in [(f, a) for f, a, _ in mine(stage)]
    assert stage.call(LP1, "cAssetLimits") == [
        [TAKER, "USD", 5 * USD, "USD", None, None]
    ]
    assert stage.call(LP1, "cAssetLimits", counterpartyId=99) == []


def test_old_global_limits() -> None:
    """The methods setLimit and delLimit speak on feed G (4.6)."""
    stage = Stage(Era.OLD)
    limit = {"currency": "USD", "netLimit": 3, "grossLimit": 4}

    stage.call(TAKER, "setLimit", **limit)
    assert stage.call(TAKER, "limits") == [["USD", 3, 4, 0, 0, 0]]
    stage.call(TAKER, "delLimit")

    assert [a for f, a, _ in mine(stage) if f == "G"] == ["M", "M"]
    assert stage.refused(TAKER, "delLimit").number == 53


def test_sub_accounts() -> None:
    """A master lists its sub-accounts and sets their limits (5.6, 5.8)."""
    stage = Stage()
    limits = {"grossLimit": 7, "currency": "USD", "markup": 3}

    stage.call(MASTER, "setSubaccountLimit", subaccountId=SUB, limits=limits)

    assert stage.call(MASTER, "getSubaccounts")[0]["info"]["clientId"] == SUB
    row = [SUB, "USD", 7, 0, 0, 0, 0, 0, 3, True]
    assert stage.call(MASTER, "subaccountsLimits") == [row]
    refused = stage.refused(MASTER, "setSubaccountLimit", subaccountId=SUB)
    assert refused.number == 9


def test_counterparty_info() -> None:
    """`getCounterpartyInfo` tells type and state (5.8)."""
    info = Stage().call(TAKER, "getCounterpartyInfo", counterpartyId=LP1)

    assert (info["clientType"], info["disabled"]) == ("maker", False)
    assert Stage().refused(TAKER, "getCounterpartyInfo", counterpartyId=0).number == 45
    assert Stage().call(TAKER, "qs/getAvailableQsProviders")["providers"] == {}


def test_a_settlement_request_goes_round() -> None:
    """Asked, seen by both sides, taken back or declined (4.7, 8)."""
    stage = Stage()

    number = stage.call(TAKER, "addIncomingSettlementRequest", **ASK)["requestId"]

    assert stage.refused(TAKER, "addIncomingSettlementRequest", **ASK).number == 130
    incoming, outgoing = stage.call(TAKER, "settlementRequests")
    assert (incoming[0][0], incoming[0][7], outgoing) == (LP1, number, [])
    assert stage.call(LP1, "settlementRequests")[1][0][0] == TAKER
    stage.call(TAKER, "delIncomingSettlementRequest", requestId=number)
    stage.call(TAKER, "addIncomingSettlementRequest", **ASK)
    stage.call(TAKER, "delIncomingSettlementRequest", **ASK)
    stage.call(TAKER, "addIncomingSettlementRequest", **ASK)
    decline = {"counterpartyId": TAKER, "currency": "BTC"}
    stage.call(LP1, "delIncomingSettlementCPRequest", **decline)
    assert [a for _, a, _ in mine(stage)] == ["+", "-", "+", "-", "+", "-"]
    again = stage.refused(TAKER, "delIncomingSettlementRequest", **ASK)
    by_id = stage.refused(TAKER, "delIncomingSettlementRequest", requestId=1)
    assert (again.number, by_id.number) == (131, 131)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"flags": 2}, 132), ({"amount": -1}, 135), ({"counterpartyId": TAKER}, 143)],
)
def test_a_bad_settlement_request_is_refused(change: dict[str, Any], code: int) -> None:
    """Flags are 0 or 1, amounts not negative, clients not identical."""
    refused = Stage().refused(
        TAKER, "addIncomingSettlementRequest", **{**ASK, **change}
    )

    assert refused.number == code


def test_a_payment_is_announced_sent_and_committed() -> None:
    """Feeds N, S and K tell the whole story; the positions change at the end (8)."""
    stage = Stage()
    number = stage.call(TAKER, "addOutgoingSettlementTransaction", **PAY)
    number = number["settlementTransactionId"]
    announced = mine(stage)
    stage.call(TAKER, "sendSettlementTransaction", transactionId=number, txId="a79f")
    sent = mine(stage)
    stage.call(LP1, "commitIncomingSettlementTransaction", transactionId=number)
    done = mine(stage)

    assert [(f, a) for f, a, _ in announced] == [("N", "+"), ("S", "+"), ("K", "+")]
    assert announced[2][2] == ["BTC", 0, LP1, 500, 0]
    assert [(f, a) for f, a, _ in sent] == [("N", "M"), ("S", "M")]
    assert sent[0][2][1][0][6:8] == ["a79f", START_MS]
    assert [(f, a) for f, a, _ in done] == [
        ("K", "-"),
        ("N", "D"),
        ("S", "D"),
        ("K", "+"),
    ]
    assert done[3][2] == ["BTC", 500, LP1, 500, 500]
    assert stage.venue.positions.total("BTC") == 0
    assert len(stage.call(LP1, "settlementHistory")) == 1
    assert stage.call(TAKER, "settlementHistory", till=0) == []
    assert stage.call(TAKER, "settlementTransactionHistory")[1][0][6] == "a79f"


def test_a_payment_may_be_taken_back() -> None:
    """`delOutgoingSettlementTransaction` removes it from N, S and K."""
    stage = Stage()
    reply = stage.call(TAKER, "addOutgoingSettlementTransaction", **PAY)
    number = {"transactionId": reply["settlementTransactionId"]}
    orders = stage.call(LP1, "settlementOrders")
    other = stage.call(LP1, "settlementOrders", counterpartyId=LP2)
    without = stage.call(LP1, "settlementOrders", filterTransactions=True)
    assert (len(orders), other, without) == (1, [], [])
    assert len(stage.call(LP1, "settlementTransactions")[0]) == 1
    stage.news()

    stage.call(TAKER, "delOutgoingSettlementTransaction", **number)

    assert [(f, a) for f, a, _ in mine(stage)] == [("N", "-"), ("S", "-"), ("K", "-")]
    for method in (
        "delOutgoingSettlementTransaction",
        "commitIncomingSettlementTransaction",
    ):
        assert stage.refused(TAKER, method, **number).number == 144


@pytest.mark.parametrize(
    ("change", "code"),
    [({"amount": 0}, 141), ({"currency": "USD"}, 141), ({"counterpartyId": 7}, 143)],
)
def test_a_bad_payment_is_refused(change: dict[str, Any], code: int) -> None:
    """Amounts are positive and on the currency's step."""
    refused = Stage().refused(
        TAKER, "addOutgoingSettlementTransaction", **{**PAY, **change}
    )

    assert refused.number == code


def test_a_payment_needs_a_hash() -> None:
    """An empty txId answers 142, a missing one 9."""
    stage = Stage()
    reply = stage.call(TAKER, "addOutgoingSettlementTransaction", **PAY, fee=3)
    number = {"transactionId": reply["settlementTransactionId"]}

    empty = stage.refused(TAKER, "sendSettlementTransaction", txId="", **number)
    missing = stage.refused(TAKER, "sendSettlementTransaction", **number)

    assert (empty.number, missing.number) == (142, 9)
