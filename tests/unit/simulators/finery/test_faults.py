"""Fault tables and hostile clients: `faults`, `session`, `catalogue`."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.simulators.finery import FineryOptions, FinerySimulator, Rules
from bridge.simulators.finery.catalogue import Catalogue
from bridge.simulators.finery.chance import Chance
from bridge.simulators.finery.engine import Steps
from bridge.simulators.finery.faults import (
    Asked,
    Fate,
    Rule,
    Table,
    Twist,
    with_extra,
    with_number,
)
from bridge.simulators.finery.flood import Flood, Shape
from bridge.simulators.finery.refusals import Refused
from bridge.simulators.finery.session import Session
from bridge.simulators.finery.wire import Message
from tests.unit.simulators.finery.stage import INSTRUMENT, LP1, LP2, USD, Stage
from tests.unit.simulators.finery.test_books import clock

ASKED = Asked(1, 5, "add", {})
UPDATE = Message("F", '"BTC-USD"', "M", [[["M", 5, 6]], []])


def test_rules_decide_in_order_and_run_out() -> None:
    """The first rule for a method that decides wins; each lasts its count."""
    table = Table()
    table.rules = [
        Rule("other", "mod", lambda _: Fate(error=1)),
        Rule("looks", "add", lambda _: None),
        Rule("once", "add", lambda _: Fate(error=2)),
        Rule("kept", None, lambda _: Fate(error=3), times=None),
    ]

    assert [table.fate(ASKED).error for _ in range(3)] == [2, 3, 3]
    table.clear("kept")
    assert table.fate(ASKED).error is None
    assert [rule.name for rule in table.rules] == ["other", "looks"]


@pytest.mark.parametrize(
    ("where", "met"),
    [
        ({}, True),
        ({"feed": "F"}, True),
        ({"feed": "O"}, False),
        ({"echo": '"BTC-USD"'}, True),
        ({"echo": "0"}, False),
        ({"connection": 1}, True),
        ({"connection": 2}, False),
        ({"actions": frozenset({"S"})}, False),
    ],
)
def test_a_twist_meets_what_it_names(where: dict[str, Any], *, met: bool) -> None:
    """Feed, feed id, connection and action choose the messages of a fault."""
    table = Table(twists=[Twist(name="t", change=lambda _: [], times=1, **where)])

    assert (table.shape(UPDATE, "F", 1) == []) is met
    assert (table.twists == []) is met


def test_twists_work_one_after_the_other() -> None:
    """A later fault sees what an earlier one left; raw texts pass through."""
    table = Table(
        twists=[
            Twist(name="double", change=lambda m: [m, "raw"]),
            Twist(name="again", change=lambda m: [m, m]),
        ]
    )

    assert table.shape(UPDATE, "F", 1) == [UPDATE, UPDATE, "raw"]


def test_bind_faults_meet_their_feed_and_run_out() -> None:
    """A refused bind is met by feed and id, as often as it was asked for."""
    table = Table(binds=[("O", None, 3, 1), (None, '"BTC-USD"', None, None)])

    assert table.bind_fault("F", "ETH-USD") == (False, None)
    assert table.bind_fault("O", None) == (True, 3)
    assert table.bind_fault("O", None) == (False, None)
    assert table.bind_fault("F", "BTC-USD") == (True, None)
    table.clear()
    assert table.bind_fault("F", "BTC-USD") == (False, None)


def test_clear_takes_back_one_kind_or_all() -> None:
    """`clear` by name leaves the others; the X status has its own command."""
    table = Table(x_code=2)
    table.handshakes.refusals = 5
    table.twists.append(Twist(name="t", change=lambda _: []))

    table.clear("t")
    assert table.handshakes.refusals == 5
    table.clear()

    assert (table.twists, table.handshakes.refusals, table.x_code) == ([], 0, 2)


def shaped(data: Any) -> Message:
    return Message("S", "0", "S", data)


def test_extra_elements_reach_every_record() -> None:
    """Arrays grow at their end, objects get unknown fields, empty lists stay."""
    data = [[1, "a"], {"x": 1}, []]

    (made,) = with_extra(shaped(data), 2)

    assert isinstance(made, Message)
    extra = {"extra0": "extra", "extra1": "extra"}
    assert made.data == [[1, "a", "extra", "extra"], {"x": 1, **extra}, []]
    assert with_extra(shaped(5), 1) == [shaped(5)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([[1, 2], [3, "a"]], [[1, 2], [99, "a"]]),
        ([{"x": 1, "y": {"z": 2}}, []], [{"x": 1, "y": {"z": 99}}, []]),
        ([True, "a"], [True, "a"]),
        ("a", "a"),
        (5, 99),
        ([[], 7, None], [[], 99, None]),
    ],
)
def test_the_last_number_is_replaced(data: Any, expected: Any) -> None:
    """A big number stands where the last integer stood, however deep."""
    assert with_number(shaped(data), 99) == [shaped(expected)]


def test_a_resting_order_cannot_ignore_limits() -> None:
    """A maker's crossing order that limits forbid answers 79 and crosses nothing."""
    stage = Stage()
    stage.rest("ask", 100, 100_000)
    limit = {"counterpartyId": LP1, "currency": "USD", "grossLimit": 1}
    stage.call(LP2, "setCLimit", **limit)
    order = {"instrument": INSTRUMENT, "type": "limit", "side": "bid"}

    refused = stage.refused(LP2, "add", price=100 * USD, size=100_000, **order)

    assert refused.number == 79


def test_a_volume_too_small_for_one_step_buys_nothing() -> None:
    """An order by volume that pays for no step of the asset answers 76."""
    stage = Stage(instruments=10)
    stage.rest("ask", 200_000, 1_000, instrument="XRP-USD")
    order = {"instrument": "XRP-USD", "type": "marketIOC", "side": "bid"}

    assert Steps(100, 1_000_000).size_for(200_000 * USD, 1_000_000) == 0
    assert stage.refused(7, "add", volume=1_000_000, **order).number == 76


def test_a_book_without_orders_cannot_be_flooded() -> None:
    """A flood starts from a real book."""
    stage = Stage()
    flood = Flood(stage.hub, clock(), Chance(1), stage.ledger)

    with pytest.raises(Refused, match="no book"):
        flood.start([INSTRUMENT], Shape(8))


@pytest.mark.parametrize("name", ["", "BTC", "-USD", "A-" + "B" * 30])
def test_instrument_names_are_pairs(name: str) -> None:
    """A name is ASSET-BALANCE (reference 10.10)."""
    with pytest.raises(Refused):
        Catalogue(1).add(name)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["instrument", "makers", "clientId", "size", "a"]), inner
        )
    ),
    max_leaves=6,
)
WORDS = {
    "event": st.sampled_from(["bind", "unbind", "request", "ping", "auth"]) | JSON,
    "feed": st.sampled_from(["F", "B", "MD", "O", "K", "S", "P", "L", "I"]) | JSON,
    "feedId": st.just("BTC-USD") | JSON,
    "method": st.sampled_from(["add", "mod", "del", "book", "dealHistory"]) | JSON,
    "reqId": JSON,
    "content": st.fixed_dictionaries(
        {},
        optional={
            "instrument": st.just("BTC-USD") | JSON,
            "side": st.just("bid") | JSON,
            "type": st.sampled_from(["marketIOC", "limit"]) | JSON,
            "size": st.integers(-5, 5) | JSON,
            "price": JSON,
            "orderId": JSON,
            "counterpartyIds": JSON,
        },
    )
    | JSON,
}
FRAMES = st.fixed_dictionaries({}, optional=WORDS).map(json.dumps) | st.text()


class Wire:
    """A connection that swallows what it is sent."""

    number = 1
    muted = False
    ip = "127.0.0.1"

    def post(self, text: str) -> bool:
        """Read the text, which must be JSON."""
        json.loads(text)
        return True


OPTIONS = FineryOptions(control_port=None, rules=Rules(latency_floor_ms=0))


@pytest.mark.parametrize("frame", ["[" * 100_000, b"\xff", "NaN", "1e999"])
def test_extreme_frames_are_answered(frame: str | bytes) -> None:
    """Endless nesting, broken UTF-8 and infinite numbers get an error."""
    simulator = FinerySimulator(OPTIONS)
    session = Session(simulator, Wire(), None)  # type: ignore[arg-type]

    session.receive(frame)


@settings(max_examples=300, deadline=None)
@given(frames=st.lists(FRAMES, max_size=6))
def test_no_client_can_break_a_session(frames: list[str]) -> None:
    """Whatever a client sends is answered or ignored, never an exception."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_hear(frames))
    finally:
        loop.close()


async def _hear(frames: list[str]) -> None:
    simulator = FinerySimulator(OPTIONS)
    account = simulator.account("taker")
    session = Session(simulator, Wire(), account)  # type: ignore[arg-type]
    for frame in frames:
        session.receive(frame)
    session.drop_bindings()
