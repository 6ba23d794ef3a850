"""Anything a socket may bring: events or dead letters, never an exception."""

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core.model import Data, Mark, Note, Unreadable
from tests.unit.venues.cfbenchmarks.talk import T, Talk

REAL = [
    '{ "type": "value", "id": "BRTI", "value": "8835.56", "time": 1579264280000 }',
    '{"type":"value","time":1579264281000,"id":"BRTI","value":"77002.30"}',
    (
        '{"type":"value","time":1579264281200,"id":"BRTI","value":"77002.31","amendTime":'
        '1579264281900,"repeatOfPreviousValue":true}'
    ),
    (
        '{ "type": "rti_stats", "time": 1579264280000, "id": "BRTI", '
        '"value": "1.1635", "utilizedDepth": "1888000.0", "valueBid": "1.1607", '
        '"valueAsk": "1.1662", "midPrice": "1.1631" }'
    ),
    '{ "type": "info", "streams": [ { "id": "ETHUSD_RTI" }, { "id": "BRTI" } ] }',
    (
        '{ "type": "foo", "id": "BRTI", "stream": "value", "success": false, '
        '"reason": "Unrecognised command" }'
    ),
    '{"type":"subscribe","id":"BRTI","stream":"value","success":false,"reason":"x"}',
    '{"type":"unsubscribe","id":"BRTI","stream":"value","success":true}',
]
NAMES = sorted({name for text in REAL for name in json.loads(text)} | {"x"})

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(T - 10**6, T + 10**7),
    st.sampled_from([0, -1, 2**63, 2**64, 10**30, 10**4000, 1579264280]),
    st.floats(),
    st.text(max_size=20),
    st.text(string.digits + ".-+eE", max_size=60),
    st.sampled_from(
        ["BRTI", "BRR", "value", "rti_stats", "subscribe", "NaN", "1" * 99]
    ),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=12,
)


def _text(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except ValueError:  # Python refuses to write very long integers
        return b'{"type":"value","time":' + b"9" * 5001 + b"}"


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A real frame with some fields replaced, added or removed."""
    frame = json.loads(draw(st.sampled_from(REAL)))
    frame.update(draw(st.dictionaries(st.sampled_from(NAMES), trees, max_size=3)))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=1)):
        frame.pop(name, None)
    return _text(frame)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real frame with a piece overwritten, inserted or cut off."""
    data = draw(st.sampled_from(REAL)).encode()
    at = draw(st.integers(0, len(data)))
    upto = draw(st.integers(at, len(data)))
    return data[:at] + draw(st.binary(max_size=8)) + data[upto:]


@st.composite
def plausible(draw: st.DrawFn) -> bytes:
    """A value at any plausible time, in any order, so that state is exercised."""
    time = draw(st.one_of(st.integers(-20, 400), st.integers(-(10**10), 10**10)))
    frame = {
        "type": "value",
        "id": "BRTI",
        "value": str(draw(st.decimals(allow_nan=False, allow_infinity=False))),
        "time": T + time * 200,
    }
    return json.dumps(frame).encode()


def frames() -> st.SearchStrategy[bytes]:
    """Return all kinds of frames."""
    return st.one_of(
        changed(), damaged(), plausible(), trees.map(_text), st.binary(max_size=200)
    )


def _check(talk: Talk, data: bytes) -> None:
    """One frame: no exception, counted once, and whole events of known kinds."""
    before = talk.session.tally.frames
    events = talk.say(data)
    assert talk.session.tally.frames == before + 1
    for event in events:
        assert isinstance(event, Data | Mark | Note | Unreadable)
        if isinstance(event, Data):
            json.dumps(event.values)
        if isinstance(event, Unreadable):
            assert event.raw == data
            event.error.encode()
        if isinstance(event, Mark):
            event.detail.encode()


@settings(
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(frames(), min_size=10, max_size=10), st.integers(0, 9000))
def test_ten_thousand_hostile_frames(batch: list[bytes], pause: int) -> None:
    """Any frames in any order: events or dead letters, and the tally sums up."""
    talk = Talk("value:BRTI", "rti-stats:BRTI", "value:BRR")
    for data in batch:
        _check(talk, data)
    talk.tick(pause)
    talk.session.describe(talk.now)
    talk.session.positions()
    talk.session.closed("over")
    for data in batch:
        talk.say(data)
    assert talk.session.tally.frames == 2 * len(batch)


LARGE = [
    b"9" * 10_000_000,
    b"x" * 10_000_000,
    b'"' + b"x" * 10_000_000 + b'"',
    b"[" * 10_000_000,
    b'{"a":' * 1_000_000,
    b'{"type":"value","id":"BRTI","time":1579264280000,"value":"'
    + b"1" * 10_000_000
    + b'"}',
    b'{"type":"value","id":"'
    + b"B" * 10_000_000
    + b'","time":1579264280000,"value":1}',
    b'{"type":"' + b"v" * 10_000_000 + b'"}',
    b'{"type":"subscribe","id":"BRTI","stream":"value","success":false,"reason":"'
    + b"r" * 10_000_000
    + b'"}',
    b'{"type":"info","streams":[' + b'{"id":"X"},' * 500_000 + b"{}]}",
    b"\xff" * 10_000_000,
]


@pytest.mark.parametrize("data", LARGE, ids=range(len(LARGE)))
def test_ten_megabytes(data: bytes) -> None:
    """A frame of 10 MB is handled like any other; only the raw bytes stay large."""
    talk = Talk("value:BRTI")
    events = talk.say(data)
    assert talk.session.tally.frames == 1
    for event in events:
        said = getattr(event, "error", "") + getattr(event, "detail", "")
        assert len(said) < 400
