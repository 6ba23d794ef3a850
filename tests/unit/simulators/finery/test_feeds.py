"""Binding and publishing: `feeds`, `hub`, `wire`."""

from typing import Any

import pytest

from bridge.simulators.finery import wire
from bridge.simulators.finery.feeds import FEEDS, resolve
from bridge.simulators.finery.hub import Binding
from bridge.simulators.finery.options import Era
from bridge.simulators.finery.refusals import Refused
from tests.unit.simulators.finery.stage import (
    INSTRUMENT,
    LP1,
    LP2,
    MAKER,
    MASTER,
    NOTHING,
    SUB,
    TAKER,
    USD,
    Stage,
    Tape,
)

ID = 4_955_410_050


def bind(
    stage: Stage, feed: str, feed_id: Any = None, account: int = TAKER
) -> tuple[Tape, Binding, Any]:
    """Bind and return tape, binding and snapshot."""
    tape = Tape()
    owner = stage.venue.accounts[account]
    target = resolve(stage.venue, owner, feed, feed_id)
    echo = wire.compact(0 if feed_id is None else feed_id)
    binding = Binding(tape, feed, echo, target)
    return tape, binding, stage.hub.snapshot(binding)


def code(stage: Stage, feed: object, feed_id: Any = None, account: int = TAKER) -> int:
    """Return the code of a refused bind."""
    with pytest.raises(Refused) as refused:
        resolve(stage.venue, stage.venue.accounts[account], feed, feed_id)
    return refused.value.number


@pytest.mark.parametrize(
    ("feed", "feed_id", "account", "expected"),
    [
        ("Q", None, TAKER, 102),
        (5, None, TAKER, 102),
        ("G", None, TAKER, 102),
        ("O", None, NOTHING, 3),
        ("MD", {"instrument": INSTRUMENT}, MAKER, 3),
        ("F", "NOPE-USD", TAKER, 34),
        ("F", 17, TAKER, 34),
        ("F", None, TAKER, 103),
        ("F", [1], TAKER, 103),
        ("F", True, TAKER, 103),
        ("F", {"instrument": INSTRUMENT, "clientId": SUB}, TAKER, 103),
        ("F", {"instrument": INSTRUMENT}, MASTER, 103),
        ("F", {"instrument": INSTRUMENT, "clientId": TAKER}, MASTER, 3),
        ("MD", INSTRUMENT, TAKER, 103),
        ("MD", {"instrument": INSTRUMENT, "x": 1}, TAKER, 103),
        ("MD", {"instrument": INSTRUMENT, "makers": 1}, TAKER, 103),
        ("K", "NOPE", TAKER, 103),
        ("O", "NOPE-USD", TAKER, 34),
        ("L", "USD", TAKER, 103),
    ],
)
def test_bad_binds_have_their_codes(
    feed: object, feed_id: Any, account: int, expected: int
) -> None:
    """102 unknown feed, 3 not allowed, 34 and 103 for bad ids (13, item 5)."""
    assert code(Stage(), feed, feed_id, account) == expected


@pytest.mark.parametrize(
    ("era", "letters"),
    [
        (Era.OLD, {"I", "B", "F", "P", "L", "R", "N", "G", "M"}),
        (Era.MIDDLE, {"I", "B", "F", "O", "K", "S", "P", "L", "R", "N"}),
        (Era.NEW, {"I", "B", "F", "MD", "O", "K", "S", "P", "L", "R", "N"}),
    ],
)
def test_each_era_has_its_letters(era: Era, letters: set[str]) -> None:
    """The overview table of reference 4.9."""
    assert {letter for letter, feed in FEEDS.items() if era in feed.eras} == letters


def test_roles_may_be_closed_out_by_switches() -> None:
    """Whether takers may bind B and makers F is unknown, hence two switches."""
    stage = Stage(takers_may_bind_b=False, makers_may_bind_f=False)

    assert code(stage, "B", INSTRUMENT) == 3
    assert code(stage, "F", INSTRUMENT, MAKER) == 3


@pytest.mark.parametrize("feed_id", [INSTRUMENT, ID])
def test_a_book_is_bound_by_name_or_number(feed_id: Any) -> None:
    """The feedId comes back exactly as it was bound (2.3)."""
    stage = Stage()
    tape, _, snapshot = bind(stage, "F", feed_id)
    assert snapshot == [(), ()]

    stage.rest("bid", 100, 5)
    stage.hub.publish()

    shown = wire.compact(feed_id)
    assert tape.texts() == [f'["F",{shown},"M",[[["+",10000000000,5]],[]]]']


def test_a_masters_book_is_its_sub_accounts() -> None:
    """A master binds F by an object, which is echoed whole."""
    stage = Stage()
    stage.venue.accounts[SUB].hidden_makers.add(LP1)
    stage.rest("bid", 100, 5)
    stage.rest("bid", 99, 5, account=LP2)

    _, binding, snapshot = bind(
        stage, "F", {"instrument": INSTRUMENT, "clientId": SUB}, MASTER
    )

    assert snapshot[0] == ((99 * USD, 5),)
    assert binding.echo == '{"instrument":"BTC-USD","clientId":10}'


@pytest.mark.parametrize(
    ("era", "action"), [(Era.NEW, "S"), (Era.MIDDLE, "M"), (Era.OLD, "M")]
)
def test_feed_b_is_full_in_the_new_era(era: Era, action: str) -> None:
    """B sends whole snapshots in the new era, changes before it (3.1)."""
    stage = Stage(era)
    tape, _, _ = bind(stage, "B", INSTRUMENT)

    stage.rest("bid", 100, 5)
    stage.hub.publish()
    stage.hub.publish()

    assert [m.action for m in tape.messages] == [action]


def test_feed_md_shows_chosen_makers() -> None:
    """`makers` limits the view to those makers; MD is always full (3.4)."""
    stage = Stage()
    only = {"instrument": INSTRUMENT, "makers": [LP2]}
    tape, _, _ = bind(stage, "MD", only)
    every, _, _ = bind(stage, "MD", {"instrument": INSTRUMENT})

    stage.rest("bid", 100, 5, account=LP1)
    stage.hub.publish()
    stage.rest("bid", 99, 5, account=LP2)
    stage.hub.publish()

    assert tape.texts() == [
        '["MD",{"instrument":"BTC-USD","makers":[42]},"S",[[[9900000000,5]],[]]]'
    ]
    assert len(every.messages) == 2


def test_filters_let_only_their_names_through() -> None:
    """O is filtered by instrument, K and S by currency, by name or id (4.1-4.3)."""
    stage = Stage()
    stage.rest("ask", 100, 500)
    orders, _, _ = bind(stage, "O", ID)
    others, _, _ = bind(stage, "O", "ETH-USD")
    coins, _, _ = bind(stage, "K", "BTC")
    euros, _, _ = bind(stage, "K", 4726)
    dollars, _, _ = bind(stage, "S", "USD")

    order = {"instrument": INSTRUMENT, "side": "bid", "type": "marketIOC"}
    stage.call(TAKER, "add", size=10, **order)
    payment = {"counterpartyId": LP1, "amount": 2_000_000, "comment": ""}
    stage.call(TAKER, "addOutgoingSettlementTransaction", currency="BTC", **payment)
    stage.call(TAKER, "addOutgoingSettlementTransaction", currency="USD", **payment)
    stage.hub.publish()

    assert [m.action for m in orders.messages] == ["+", "D"]
    assert {m.data[0] for m in coins.messages} == {"BTC"}
    assert not others.messages
    assert not euros.messages
    assert [m.data[0]["currency1"] for m in dollars.messages] == ["USD"]


def test_snapshots_are_filtered_too() -> None:
    """A filtered bind snapshots only what its filter lets through."""
    stage = Stage()
    stage.rest("bid", 100, 5)
    stage.rest("bid", 3_000, 5, instrument="ETH-USD")

    _, _, all_orders = bind(stage, "O", None, LP1)
    _, _, one = bind(stage, "O", "ETH-USD", LP1)

    assert (len(all_orders), [o[0] for o in one]) == (2, ["ETH-USD"])


def test_feed_p_speaks_under_other_letters() -> None:
    """P gives one snapshot, then O and S messages with feedId 0 (4.4)."""
    stage = Stage()
    stage.rest("ask", 100, 500)
    tape, _, snapshot = bind(stage, "P")
    order = {"instrument": INSTRUMENT, "side": "bid", "type": "marketIOC"}

    stage.call(TAKER, "add", size=10, **order)
    payment = {"counterpartyId": LP1, "currency": "BTC", "comment": ""}
    stage.call(TAKER, "addOutgoingSettlementTransaction", amount=5, **payment)
    stage.hub.publish()

    assert snapshot == [stage.venue.next_deal_id - 1, [], [], []]
    assert [(m.feed, m.echo, m.action) for m in tape.messages] == [
        ("O", "0", "+"),
        ("O", "0", "D"),
        ("S", "0", "+"),
    ]
    assert isinstance(tape.messages[2].data[0], int)


def test_settlement_orders_are_arrays_of_objects_in_the_new_era() -> None:
    """S carries arrays of objects in the new era, one array record before it (4.3)."""
    for era, kind in ((Era.NEW, dict), (Era.MIDDLE, int)):
        stage = Stage(era)
        tape, _, _ = bind(stage, "S")
        payment = {"counterpartyId": LP1, "currency": "BTC", "comment": ""}
        stage.call(TAKER, "addOutgoingSettlementTransaction", amount=5, **payment)
        stage.hub.publish()
        assert isinstance(tape.messages[0].data[0], kind)


def test_feed_k_has_a_number_first_in_the_middle_era() -> None:
    """`[next id, positions]` in the middle era, plain positions in the new (4.2)."""
    _, _, middle = bind(Stage(Era.MIDDLE), "K")
    _, _, new = bind(Stage(Era.NEW), "K")

    assert (middle, new) == ([1_864_000, []], [])


def test_feed_n_has_three_elements_in_its_snapshot() -> None:
    """The first is reserved; the next id in the old era (4.8)."""
    _, _, new = bind(Stage(), "N")
    _, _, old = bind(Stage(Era.OLD), "N")

    assert (new, old) == ([0, [], []], [1_864_000, [], []])


def test_instruments_and_currencies_change_on_feed_i() -> None:
    """I also carries C (3.5); everybody hears it."""
    stage = Stage()
    tape, _, snapshot = bind(stage, "I")

    stage.venue.revalue("BTC", 6_010_000_000_000)
    stage.venue.add_instrument("DOGE-USD")
    stage.venue.remove_instrument("DOGE-USD")
    stage.hub.publish()

    assert snapshot[1][0] == [INSTRUMENT, ID, "BTC", "USD"]
    assert [(m.feed, m.action) for m in tape.messages] == [
        ("C", "M"),
        ("I", "+"),
        ("I", "-"),
    ]


def test_old_limits_come_on_g_and_m() -> None:
    """The old era has global limits on G and mutual ones on M (4.6)."""
    stage = Stage(Era.OLD)
    worldwide, _, empty = bind(stage, "G")
    mutual, _, _ = bind(stage, "M")
    own, _, _ = bind(stage, "L")

    stage.call(TAKER, "setLimit", currency="USD", netLimit=1, grossLimit=2)
    limit = {"counterpartyId": TAKER, "currency": "USD", "grossLimit": 5}
    stage.call(LP1, "setCLimit", **limit)
    stage.hub.publish()

    assert empty == []
    assert worldwide.texts() == ['["G",0,"M",["USD",1,2,0,0,0]]']
    assert [m.action for m in mutual.messages] == ["M"]
    assert len(own.messages[0].data) == 8
    assert bind(stage, "M")[2][0][2] == 5
    assert bind(stage, "G")[2] == [["USD", 1, 2, 0, 0, 0]]


def test_a_change_of_permissions_moves_the_book() -> None:
    """A tradable book follows a permission taken away and given back."""
    stage = Stage()
    stage.rest("bid", 100, 5)
    stage.rest("bid", 99, 7, account=LP2)
    tape, binding, _ = bind(stage, "F", INSTRUMENT)
    owner = stage.venue.accounts[TAKER]

    owner.hidden_makers.add(LP1)
    stage.hub.reseat(owner)
    owner.hidden_makers.clear()
    stage.hub.reseat(owner)

    assert [m.data for m in tape.messages] == [
        [[["~", 99 * USD, 7]], []],
        [[["+", 100 * USD, 5]], []],
    ]
    assert binding.view is not None
    assert list(binding.view.bindings) == [binding]


def test_a_dropped_binding_hears_nothing_and_leaves_its_tally() -> None:
    """At the end of a stream the ledger gets its count and hash."""
    stage = Stage()
    tape, book, _ = bind(stage, "F", INSTRUMENT)
    _, orders, _ = bind(stage, "O", None, LP1)
    stage.rest("bid", 100, 5)
    stage.hub.publish()
    stage.hub.drop(book)
    stage.hub.drop(orders)

    stage.rest("bid", 99, 5)
    stage.hub.publish()

    assert len(tape.messages) == 1
    streams = stage.ledger.entries("stream")
    assert [(s["feed"], s["sent"]) for s in streams] == [("F", 1), ("O", 1)]
    assert not list(stage.hub.bindings())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wire.status(0), '["X",0,"Z",0]'),
        (wire.status(2), '["X",0,"Z",2]'),
        (
            wire.reply(7, {"a": 1 << 70}, at_top=False),
            '{"event":"request","reqId":7,"reply":{"a":1180591620717411303424}}',
        ),
        (
            wire.reply("x", {"error": 0}, at_top=False),
            '{"event":"request","reqId":"x","reply":{"error":0}}',
        ),
        (
            wire.reply(7, {"error": 0}, at_top=True),
            '{"event":"request","reqId":7,"error":0}',
        ),
        (
            wire.refusal(1234, Refused(9, "side")),
            '{"event":"request","reqId":1234,"error":9,"param":"side"}',
        ),
        (wire.refusal(None, Refused(8)), '{"event":"request","error":8}'),
        (
            wire.refusal(1, Refused(74, inside={"error": 74, "origId": 42})),
            '{"event":"request","reqId":1,"reply":{"error":74,"origId":42}}',
        ),
    ],
)
def test_envelopes(text: str, expected: str) -> None:
    """The message forms of reference 1.8 and 2.5."""
    assert text == expected
