"""Record layouts by era: `bridge.simulators.finery.records`.

Expected frames are the examples of the reference page "Finery Markets API",
sections 4.1 to 4.8 and 4.10, written out by hand.
"""

import json
from typing import Any

import pytest

from bridge.simulators.finery import records
from bridge.simulators.finery.catalogue import Currency, Instrument
from bridge.simulators.finery.clearing import Request, Transaction
from bridge.simulators.finery.engine import Order
from bridge.simulators.finery.limits import GlobalLimit, Limit, Margins, Relation
from bridge.simulators.finery.options import Era, Rules
from bridge.simulators.finery.positions import Position
from bridge.simulators.finery.venue import Deal
from bridge.simulators.finery.wire import Message

RULES = Rules()
RESTING = Order(
    id=1240,
    account=7,
    instrument="BTC-USD",
    kind=1,
    side=1,
    price=6_010_000_000_000,
    initial=5_000_000,
    left=3_000_000,
    created=1_709_716_090_000,
    client_id=78,
)
DEAL = Deal(
    order=RESTING,
    moment=1_709_716_095_000,
    id=901,
    aggressor=0,
    price=6_010_000_000_000,
    size=2_000_000,
    volume=120_200_000_000,
    counterparty=42,
    taker=42,
    maker=7,
)
REAL = Deal(
    order=Order(
        id=48_221_507_535,
        account=9,
        instrument="BTC-USDT",
        kind=4,
        side=0,
        price=0,
        initial=100_000_000,
        left=0,
        created=1_709_716_088_000,
    ),
    moment=1_709_716_088_000,
    id=1_864_944,
    aggressor=0,
    price=6_674_859_047_619,
    size=85_000_000,
    volume=5_673_630_190_500,
    counterparty=87,
    taker=0,
    maker=87,
    linked=1_864_943,
)
PAYMENT = Transaction(
    order_id=1229,
    sender=7,
    receiver=2,
    currency="BTC",
    amount=10_000_000,
    comment="",
    created=1_709_716_000_000,
    network="BTC",
)


def text(feed: str, action: str, data: Any) -> str:
    return Message(feed, "0", action, data).text()


def test_an_order_has_eleven_elements() -> None:
    """The order of the example session of reference 4.10."""
    added = records.order_record(
        Order(**{**_fields(RESTING), "left": 5_000_000})  # not filled yet
    )

    assert text("O", "+", added) == (
        '["O",0,"+",["BTC-USD",1,1,0,1240,78,6010000000000,5000000,5000000,'
        "1709716090000,0]]"
    )


def _fields(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in Order.__slots__}


def test_a_new_deal_has_24_elements() -> None:
    """The deal of reference 4.10, with owners and liquidity source."""
    assert text("O", "D", records.deal_record(DEAL, Era.NEW, RULES)) == (
        '["O",0,"D",["BTC-USD",1,1,0,1240,78,6010000000000,5000000,3000000,'
        "1709716090000,1709716095000,901,0,6010000000000,2000000,120200000000,0,42,0,"
        "42,0,0,7,0]]"
    )


def test_the_real_deal_of_21_elements_can_be_spoken() -> None:
    """The recorded deal of reference 4.1, with `deal_elements` 21."""
    record = records.deal_record(REAL, Era.MIDDLE, Rules(deal_elements=21))

    assert text("O", "D", record) == (
        '["O",0,"D",["BTC-USDT",4,0,0,48221507535,0,0,100000000,0,1709716088000,'
        "1709716088000,1864944,0,6674859047619,85000000,5673630190500,0,87,0,0,"
        "1864943]]"
    )


@pytest.mark.parametrize(
    ("era", "length"), [(Era.OLD, 19), (Era.MIDDLE, 22), (Era.NEW, 24)]
)
def test_deals_grew_over_the_eras(era: Era, length: int) -> None:
    """Deals have 19, 22 and 24 elements (reference 4.1 and 5.5)."""
    assert len(records.deal_record(DEAL, era, RULES)) == length


def test_the_middle_era_names_a_subaccount_in_replies() -> None:
    """`counterpartySubaccountId` is in deal objects of the middle era only (6.1)."""
    middle = records.deal_object(DEAL, Era.MIDDLE)
    new = records.deal_object(DEAL, Era.NEW)

    assert middle["counterpartySubaccountId"] == 42
    assert new == {
        "id": 901,
        "price": 6_010_000_000_000,
        "size": 2_000_000,
        "volume": 120_200_000_000,
        "delta": 0,
        "counterpartyId": 42,
    }


@pytest.mark.parametrize(
    ("era", "expected"),
    [
        (Era.NEW, ["BTC", -10_000_000, 2, 0, -10_000_000]),
        (Era.MIDDLE, ["BTC", -10_000_000, 2, 0, -10_000_000]),
        (Era.OLD, ["BTC", -10_000_000, 2]),
    ],
)
def test_positions(era: Era, expected: list[Any]) -> None:
    """Positions have no bounds in the oldest era (reference 4.2)."""
    position = Position("BTC", -10_000_000, 2, 0, -10_000_000)

    assert records.position_record(position, era) == expected


def test_currencies_and_instruments() -> None:
    """Feed I has four elements a currency, the type is new (reference 3.5)."""
    btc = Currency("BTC", 3714, 1, 6_010_000_000_000, "crypto", ("BTC",))
    eth = Instrument("ETH-USD", 4_955_410_051, "ETH", "USD")

    assert text("C", "M", records.currency_record(btc, Era.NEW)) == (
        '["C",0,"M",["BTC",3714,1,6010000000000,"crypto"]]'
    )
    assert len(records.currency_record(btc, Era.OLD)) == 4
    assert text("I", "+", records.instrument_record(eth)) == (
        '["I",0,"+",["ETH-USD",4955410051,"ETH","USD"]]'
    )


def test_a_new_settlement_order_is_an_object() -> None:
    """The settlement order and deal of reference 4.10."""
    order = records.settlement_order(PAYMENT, 7, Era.NEW)
    done = records.settlement_deal(settled(), 7, Era.NEW)

    head = (
        '{"settlementOrderId":1229,"clientId":7,"counterpartyId":2,'
        '"createdAt":1709716000000,"comment":"","flags":1,"currency1":"BTC",'
        '"size1":10000000,"network1":"BTC"'
    )
    assert text("S", "S", [order]) == f'["S",0,"S",[{head}}}]]'
    tail = ',"settlementId":902,"commitedAt":1709719600000}'
    assert text("S", "D", [done]) == f'["S",0,"D",[{head}{tail}]]'


def settled() -> Transaction:
    fields = {name: getattr(PAYMENT, name) for name in Transaction.__slots__}
    return Transaction(**{**fields, "settled": 1_709_719_600_000, "deal_id": 902})


@pytest.mark.parametrize(("era", "length"), [(Era.OLD, 7), (Era.MIDDLE, 9)])
def test_older_settlement_orders_are_positional(era: Era, length: int) -> None:
    """Older eras send arrays; the oldest without networks (reference 4.3)."""
    order = records.settlement_order(PAYMENT, 7, era)
    done = records.settlement_deal(settled(), 7, era)

    assert order[:7] == [1229, "BTC", "", 10_000_000, 0, 1_709_716_000_000, 2]
    assert len(order) == length
    assert done == [*order, 1_709_719_600_000, 902]


def relation(*, both: bool = True) -> Relation:
    own = Limit(
        owner=7,
        counterparty=4,
        currency="EUR",
        gross=15_000_000_000_000,
        margins=Margins(1000, 1500, 2000),
    )
    mutual = Limit(owner=4, counterparty=7, currency="USD", gross=10_000_000_000_000)
    return Relation(
        counterparty=4,
        own=own if both else None,
        mutual=mutual if both else None,
        own_enabled=both,
        mutual_enabled=True,
        own_used=0,
        mutual_used=0,
    )


def test_a_new_limit_is_an_object() -> None:
    """The limit of reference 4.5, and one without limits as in 4.10."""
    expected = json.loads(
        '{"counterpartyId":4,"tradingPermissions":{"ownTradingEnabled":true,'
        '"mutualTradingEnabled":true},"ownLimit":{"grossLimit":15000000000000,'
        '"asset":"EUR","limitUtilization":0,"equity":0,"maintenanceMargin":1000,'
        '"restrictedTrading":1500,"initialMargin":2000},"mutualLimit":{"grossLimit":'
        '10000000000000,"asset":"USD","limitUtilization":0,"equity":0}}'
    )

    assert records.limit_record(relation(), Era.NEW) == expected
    assert text("L", "-", records.limit_record(relation(both=False), Era.NEW)) == (
        '["L",0,"-",{"counterpartyId":4,"tradingPermissions":'
        '{"ownTradingEnabled":false,"mutualTradingEnabled":true}}]'
    )


def test_a_middle_limit_has_twelve_elements() -> None:
    """Middle limits start with the counterparty (reference 4.5)."""
    assert records.limit_record(relation(), Era.MIDDLE) == [
        4,
        "EUR",
        15_000_000_000_000,
        "USD",
        10_000_000_000_000,
        0,
        1000,
        1500,
        2000,
        0,
        0,
        0,
    ]
    assert records.limit_record(relation(both=False), Era.MIDDLE)[3:5] == [None, None]


def test_an_old_limit_has_eight_elements() -> None:
    """Old limits start with the currency; mutual ones reserve 5 and 7 (4.5, 4.6)."""
    own = records.limit_record(relation(), Era.OLD)
    mutual = records.mutual_record(relation())

    assert own == ["EUR", 0, 15_000_000_000_000, 0, 0, 0, 4, 0]
    assert mutual == ["USD", 0, 10_000_000_000_000, 0, 0, 0, 4, 0]


def test_an_old_global_limit_has_six_elements() -> None:
    """Feed G of the old era (reference 4.6)."""
    limit = GlobalLimit(currency="USD", net=1, gross=2, net_used=3, gross_used=4)

    assert records.global_record(limit) == ["USD", 1, 2, 3, 4, 0]


@pytest.mark.parametrize(
    ("era", "length"), [(Era.OLD, 6), (Era.MIDDLE, 7), (Era.NEW, 9)]
)
def test_settlement_requests(era: Era, length: int) -> None:
    """The request of reference 4.7; older eras stop earlier."""
    request = Request(
        id=123_456,
        asker=7,
        payer=4,
        currency="BTC",
        flags=0,
        amount=6_700_000_000,
        comment="note",
        expires=1_634_406_457_410,
        network="BTC",
        created=1_634_405_457_410,
    )
    whole = json.loads(
        '[4,"BTC",0,6700000000,"note",1634406457410,"BTC",123456,1634405457410]'
    )

    assert records.request_record(request, 7, era) == whole[:length]
    assert records.request_record(request, 4, era)[0] == 7


def test_settlement_transactions_have_13_elements() -> None:
    """The committed transaction of reference 4.10."""
    done = Transaction(
        order_id=1230,
        sender=7,
        receiver=9,
        currency="BTC",
        amount=10_000_000,
        comment="note",
        created=1_709_716_000_000,
        network="BTC",
        fee=100,
        tx_id="a79f29",
        sent=1_709_716_100_000,
        settled=1_709_716_200_000,
        deal_id=904,
    )

    data = [[records.transaction_record(done, 9)], []]

    assert text("N", "D", data) == (
        '["N",0,"D",[[[7,"BTC",10000000,1230,"note",1709716000000,"a79f29",'
        '1709716100000,0,1709716200000,904,100,"BTC"]],[]]]'
    )
