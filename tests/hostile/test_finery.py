"""Whatever arrives: events or dead letters, never an exception, every frame counted."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bridge.core.forms import Steps
from bridge.core.model import Data, Reason, Unreadable
from bridge.errors import SchemaError
from bridge.venues.finery.orders import ORDERS
from tests.unit.venues.finery import cases_account, cases_market, cases_risk
from tests.unit.venues.finery.desk import DOWN, UP, Desk

EXAMPLES = 10_000
LONG = 2**63

CASES = cases_market.CASES + cases_account.CASES + cases_risk.CASES
REAL = sorted({frame for case in CASES for frame in (*case.before, case.frame)})
SPECIAL = [
    UP,
    DOWN,
    '{"event":"request","reqId":2,"reply":{"id":1301}}',
    '{"event":"auth","error":14}',
    '{"event":"pong"}',
    '["F","BTC-EUR","Z",34]',
    '["F","BTC-EUR","Z",[100]]',
    '["F","BTC-EUR","U",0]',
    '["O",0,"U",0]',
    '["P",0,"Z",[2]]',
]

numbers = st.one_of(
    st.sampled_from([0, 1, -1, LONG, LONG - 1, -LONG, -LONG - 1, 2**64, 10**30]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
hostile = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.text(max_size=8),
    st.sampled_from(["", "+", "M", "-", "~", "S", "Z", "U", "D", "BTC-EUR", "\x00"]),
    st.lists(numbers, max_size=3),
    st.dictionaries(st.text(max_size=3), numbers, max_size=2),
)
anything = st.recursive(
    hostile,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def _change(value: Any, way: list[int], new: Any) -> Any:
    """Replace, remove or add something along a random way into the value."""
    if not way or not isinstance(value, (list, dict)) or not value:
        return new
    turn, *rest = way
    if isinstance(value, dict):
        name = sorted(value)[turn % len(value)]
        return {**value, name: _change(value[name], rest, new)}
    at = turn % len(value)
    if turn % 11 == 0:
        return value[:at]
    if turn % 7 == 0:
        return [*value, new]
    return [*value[:at], _change(value[at], rest, new), *value[at + 1 :]]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Draw a real frame with some values changed."""
    value = json.loads(draw(st.sampled_from(REAL + SPECIAL)))
    for _ in range(draw(st.integers(1, 2))):
        way = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=5))
        value = _change(value, way, draw(hostile))
    return json.dumps(value).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a real frame with bytes lost, repeated or replaced."""
    data = draw(st.sampled_from(REAL + SPECIAL)).encode()
    at, to = draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))
    return data[:at] + draw(st.binary(max_size=4)) + data[to:]


nested = st.builds(
    lambda opening, depth, closed: (
        opening * depth + b"1" + (b"]" if b"[" in opening else b"}") * depth * closed
    ),
    st.sampled_from([b"[", b'{"a":', b'["F","BTC-EUR","M",[']),
    st.sampled_from([1, 10, 500, 1000, 3000]),
    st.booleans(),
)

frames = st.one_of(
    changed(),
    changed(),
    changed(),
    damaged(),
    st.sampled_from(REAL + SPECIAL).map(str.encode),
    anything.map(lambda value: json.dumps(value).encode()),
    st.tuples(
        st.sampled_from([*"FBIOKSPLRNGMCXZ", "MD", ""]),
        hostile,
        st.sampled_from([*"SM+-DZU~", ""]),
        anything,
    ).map(lambda parts: json.dumps(parts).encode()),
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    nested,
)

BOOKS = (cases_market.F, cases_market.B, cases_market.MD)
LISTS = (
    *("instruments", "orders", "positions", "settlement-orders"),
    *("settlement-requests", "settlement-transactions", "counterparty-limits"),
    *("global-limits", "mutual-limits"),
)
SNAPSHOTS = (
    cases_market.F_SNAPSHOT,
    cases_market.B_SNAPSHOT,
    cases_market.MD_SNAPSHOT,
    '["I",0,"S",[[],[]]]',
    *(f'["{letter}",0,"S",[]]' for letter in "OKSLGM"),
    '["R",0,"S",[[],[]]]',
    '["N",0,"S",[0,[],[]]]',
    '["P",0,"S",[1,[],[],[]]]',
)


def _desk(which: int) -> Desk:
    """Return one of three sessions: all books, all lists, or the combined feed."""
    return Desk(*(BOOKS, LISTS, ("combined",))[which])


def _is_sound(value: object) -> bool:
    """Tell whether an encoder could take a payload: exact numbers, clean texts."""
    if isinstance(value, (tuple, list)):
        return all(_is_sound(part) for part in value)
    if isinstance(value, str):
        value.encode()
        return True
    return value is None or (isinstance(value, int) and -LONG <= value < LONG)


def _receive(desk: Desk, data: bytes) -> list[Reason]:
    """Receive a frame; check its events; return the reasons of dead letters."""
    events = desk.session.receive(data, 1)
    for event in events:
        assert not isinstance(event, Data) or _is_sound(event.values)
        assert not isinstance(event, Unreadable) or event.raw is data
    return [event.reason for event in events if isinstance(event, Unreadable)]


def test_ten_thousand_hostile_frames() -> None:
    """No frame raises, none is uncounted, and the last guard is never needed."""
    reasons: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(which=st.integers(0, 2), live=st.booleans(), data=frames)
    def run(which: int, live: bool, data: bytes) -> None:
        desk = _desk(which).live(*(SNAPSHOTS if live else ()))
        before = desk.session.tally.frames
        letters = _receive(desk, data)
        reasons.update([str(letter) for letter in letters] or ["fine"])
        assert Reason.UNEXPECTED not in letters
        assert len(letters) <= 1
        assert desk.session.tally.frames == before + 1
        desk.session.tick(desk.now)

    run()
    assert reasons.total() >= EXAMPLES
    # The examples really reach every verdict.
    assert set(reasons) >= {
        *("fine", "NOT_JSON", "NOT_A_MESSAGE", "TOO_SHORT", "WRONG_TYPE"),
        *("OUT_OF_RANGE", "UNKNOWN_FEED", "UNKNOWN_ACTION", "UNKNOWN_SUBSCRIPTION"),
    }


# Source: Finery docs, instruments: reply.
INSTRUMENTS = [
    [["BTC", 1, 10, 6_000_000_000_000, "crypto", ["ERC20"]], ["EUR", 2, 1_000_000, 1]],
    [["BTC-EUR", 1, "BTC", "EUR"]],
    [["ERC20", "Ethereum", 1]],
]


@st.composite
def replies(draw: st.DrawFn) -> str:
    """Draw a reply of `instruments` with some values changed, or anything else."""
    value: Any = INSTRUMENTS
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=4))
        value = _change(value, way, draw(hostile))
    return json.dumps(value)


texts = st.one_of(
    replies(),
    anything.map(json.dumps),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
    nested.map(bytes.decode),
)


def _steps(body: str) -> Mapping[str, Steps] | str:
    try:
        return ORDERS.steps(body)
    except SchemaError as error:
        return str(error)


def test_whatever_the_venue_says_of_instruments() -> None:
    """Steps or a named error: the worker asks by itself, so nobody may be to blame."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=3_000,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(body=texts)
    def run(body: str) -> None:
        found = _steps(body)
        if isinstance(found, str):
            assert found.startswith("the reply of instruments: ")
            assert len(found) < 300
        else:
            assert all(min(steps) >= 0 for steps in found.values())
        seen[type(found).__name__] += 1

    run()
    assert min(seen["str"], seen["dict"]) > 100


@pytest.mark.parametrize("seed", range(5))
def test_a_long_hostile_conversation(seed: int) -> None:
    """One session under 1,000 frames with time passing: counted, and still usable."""
    chance = random.Random(seed)
    desk = Desk(*BOOKS, books_per_connection=10)
    desk.up()
    before = desk.session.tally.frames
    pool = [frame.encode() for frame in REAL + SPECIAL]
    for _ in range(1000):
        data = chance.choice(pool)
        if chance.random() < 0.5:
            at = chance.randrange(len(data))
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        assert Reason.UNEXPECTED not in _receive(desk, data)
        desk.tick(chance.random())
    assert desk.session.tally.frames == before + 1000
    ended = [w for w in desk.words(desk.session.closed("1006")) if w[1] == "ENDED"]
    assert len({words[0] for words in ended}) == len(ended)


MEGABYTES = 10 * 1024 * 1024

GIANTS = [
    b'"' + b"a" * MEGABYTES + b'"',
    b"a" * MEGABYTES,
    b"[" * MEGABYTES,
    b"[" + b"0," * (MEGABYTES // 2) + b"0]",
    b'["F","BTC-EUR","M",[[["+",1,' + b"9" * MEGABYTES + b"]],[]]]",
    b'["F","' + b"a" * MEGABYTES + b'","M",[[],[]]]',
    b'["F","BTC-EUR","M",[[["' + b"a" * MEGABYTES + b'",1,1]],[]]]',
    b'["F","BTC-EUR","' + b"a" * MEGABYTES + b'",[[],[]]]',
    b'{"event":"' + b"a" * MEGABYTES + b'"}',
    b" " * MEGABYTES,
    b"\x00" * MEGABYTES,
    b"\xff" * MEGABYTES,
]


@pytest.mark.parametrize("data", GIANTS, ids=range(len(GIANTS)))
def test_frames_of_ten_megabytes(data: bytes) -> None:
    """A giant is one dead letter with a short reason; the next frame is read."""
    desk = Desk(cases_market.F).live(cases_market.F_SNAPSHOT)
    (letter, *_) = desk.session.receive(data, 1)
    assert isinstance(letter, Unreadable)
    assert letter.reason is not Reason.UNEXPECTED
    assert len(letter.error) < 300
    assert desk.frame(UP)[0][:2] == ("status:books-1", "UPDATE")
