"""What cannot be read is a dead letter: what was seen, what was expected, where."""

from __future__ import annotations

import pytest

from bridge.core.model import Data, Unreadable
from tests.unit.venues.finery.cases_market import F_SNAPSHOT, B, F
from tests.unit.venues.finery.desk import Desk

HUGE = 2**63
NINES = "9" * 5000

# frame, reason, error; nothing of a binding is touched
FOREIGN = [
    (b"", "NOT_JSON", "Input data was truncated"),
    (b"hello", "NOT_JSON", "JSON is malformed: invalid character (byte 0)"),
    (b'["F","BTC-EUR","M",[[],[]]', "NOT_JSON", "Input data was truncated"),
    (b"5", "NOT_A_MESSAGE", "saw the number 5, expected an array or an object"),
    (b"null", "NOT_A_MESSAGE", "saw null, expected an array or an object"),
    (b"true", "NOT_A_MESSAGE", "saw true, expected an array or an object"),
    (b'"x"', "NOT_A_MESSAGE", 'saw the text "x", expected an array or an object'),
    (
        b'["F","BTC-EUR","S"]',
        "TOO_SHORT",
        "saw an array of 3 elements, expected 4: feed, feed id, action, data",
    ),
    (b"[7,0,0,0]", "WRONG_TYPE", "saw the number 7, expected a text, at [0]"),
    (b'["F",0,true,0]', "WRONG_TYPE", "saw true, expected a text, at [2]"),
    (b'["W",0,"S",[]]', "UNKNOWN_FEED", 'saw the text "W", at [0]'),
    (
        b'["F","ETH-USD","S",[[],[]]]',
        "UNKNOWN_SUBSCRIPTION",
        'saw the text "ETH-USD", nothing of feed F is bound so, at [1]',
    ),
    (
        b'["X",0,"S",0]',
        "UNKNOWN_ACTION",
        'saw the text "S", which feed X does not have, at [2]',
    ),
    (b'["X",0,"Z","0"]', "WRONG_TYPE", 'saw the text "0", expected an integer'),
    (b'["X",0,"Z",-1]', "OUT_OF_RANGE", "saw the number -1, expected 0 to 2147483647"),
    (b"{}", "NOT_A_MESSAGE", "saw an object of 0 fields, without an event"),
    (
        b'{"event":"quote"}',
        "UNKNOWN_ACTION",
        'saw the text "quote", expected the event of a reply, at .event',
    ),
    (b'{"error":102}', "VENUE_ERROR", "the venue answered 102 (invalid feed name)"),
    (b"[" * 5000, "NOT_A_MESSAGE", "nested too deep"),
    (f'["X",0,"Z",{NINES}]'.encode(), "OUT_OF_RANGE", "Integer value out of range"),
]


@pytest.mark.parametrize(("frame", "reason", "error"), FOREIGN)
def test_frames_of_no_binding(frame: bytes, reason: str, error: str) -> None:
    """A frame that belongs to nothing is a dead letter and breaks nothing."""
    desk = Desk(F).live(F_SNAPSHOT)
    assert desk.frame(frame) == [("unreadable", "", reason, error)]
    assert desk.phases() == {F: "LIVE"}


# wanted, snapshot, frame, reason, error; the binding is broken and bound again
BROKEN = [
    (
        F,
        '["F","BTC-EUR","M",[[["M","5999900000000",1]],[]]]',
        "WRONG_TYPE",
        'saw the text "5999900000000", expected an integer, at data[0][0][1]',
    ),
    (
        F,
        '["F","BTC-EUR","M",[[],[["M",1.0,1]]]]',
        "WRONG_TYPE",
        "saw the number 1.0, expected an integer, at data[1][0][1]",
    ),
    (
        F,
        '["F","BTC-EUR","M",[[["M",true,1]],[]]]',
        "WRONG_TYPE",
        "saw true, expected an integer, at data[0][0][1]",
    ),
    (
        F,
        '["F","BTC-EUR","M",[[["M",null,1]],[]]]',
        "WRONG_TYPE",
        "saw null, expected an integer, at data[0][0][1]",
    ),
    (
        F,
        '["F","BTC-EUR","M",[[["M",-1,1]],[]]]',
        "OUT_OF_RANGE",
        "saw the number -1, expected 0 to 9223372036854775807, at data[0][0][1]",
    ),
    (
        F,
        f'["F","BTC-EUR","M",[[["M",1,{HUGE}]],[]]]',
        "OUT_OF_RANGE",
        f"saw the number {HUGE}, expected -{HUGE} to {HUGE - 1}, at data[0][0][2]",
    ),
    (
        F,
        f'["F","BTC-EUR","S",[[[{HUGE},1]],[]]]',
        "OUT_OF_RANGE",
        f"saw the number {HUGE}, expected 0 to {HUGE - 1}, at data[0][0][0]",
    ),
    (
        F,
        '["F","BTC-EUR","M",[[["M",1]],[]]]',
        "TOO_SHORT",
        "saw 2 elements, expected at least 3, at data[0][0]",
    ),
    (
        F,
        '["F","BTC-EUR","M",[[[]],[]]]',
        "TOO_SHORT",
        "saw an array of 0 elements, expected at least 1, at data[0][0]",
    ),
    (
        F,
        '["F","BTC-EUR","M",[[]]]',
        "TOO_SHORT",
        "saw an array of 1 elements, expected at least 2, at data",
    ),
    (
        F,
        '["F","BTC-EUR","M",{"bids":[]}]',
        "WRONG_TYPE",
        "saw an object of 1 fields, expected an array, at data",
    ),
    (
        F,
        '["F","BTC-EUR","M",[[["?",1,1]],[]]]',
        "UNKNOWN_ACTION",
        'saw the text "?", expected one of + M - ~, at data[0][0][0]',
    ),
    (
        F,
        '["F","BTC-EUR","D",[[],[]]]',
        "UNKNOWN_ACTION",
        'saw the text "D", which feed F does not have, at [2]',
    ),
    (
        F,
        '["F","BTC-EUR","Z","34"]',
        "WRONG_TYPE",
        'saw the text "34", expected an integer',
    ),
    (
        "orders",
        '["O",0,"M",[]]',
        "UNKNOWN_ACTION",
        'saw the text "M", which feed O does not have, at [2]',
    ),
    (
        "orders",
        '["O",0,"+",["BTC-USD",0,2,0,1,0,1,1,1,1]]',
        "OUT_OF_RANGE",
        "saw the number 2, expected 0 to 1, at data[2]",
    ),
    (
        "orders",
        '["O",0,"S",[["BTC-USD",0,0,0,1,0,1,1,1]]]',
        "TOO_SHORT",
        "saw an array of 9 elements, without element 9, at data[0]",
    ),
    (
        "orders",
        f'["O",0,"+",["BTC-USD",0,0,0,{HUGE},0,1,1,1,1]]',
        "OUT_OF_RANGE",
        f"saw the number {HUGE}, expected 0 to {HUGE - 1}, at data[4]",
    ),
    (
        "orders",
        '["O",0,"+",{"id":1}]',
        "WRONG_TYPE",
        "saw an object of 1 fields, expected an array, at data",
    ),
    (
        "positions",
        '["K",0,"S",[903]]',
        "TOO_SHORT",
        "saw an array of 1 elements, expected at least 2, at data",
    ),
    (
        "positions",
        '["K",0,"M",[7,1,2]]',
        "WRONG_TYPE",
        "saw the number 7, expected a text, at data[0]",
    ),
    (
        "settlement-requests",
        '["R",0,"M",[[],[]]]',
        "UNKNOWN_ACTION",
        'saw the text "M", which feed R does not have, at [2]',
    ),
    (
        "settlement-orders",
        '["S",0,"+",[{"settlementOrderId":1}]]',
        "TOO_SHORT",
        "saw an object of 1 fields, without element counterpartyId, at data[0]",
    ),
    (
        "counterparty-limits",
        '["L",0,"M",{"counterpartyId":4,"ownLimit":7}]',
        "WRONG_TYPE",
        "saw the number 7, expected an object, at data[ownLimit]",
    ),
    (
        "counterparty-limits",
        '["L",0,"M",{"counterpartyId":4,"tradingPermissions":{"ownTradingEnabled":1}}]',
        "WRONG_TYPE",
        (
            "saw the number 1, expected true or false, "
            "at data[tradingPermissions.ownTradingEnabled]"
        ),
    ),
    (
        "combined",
        '["O",0,"S",[]]',
        "UNKNOWN_ACTION",
        'saw the text "S", which feed O does not have, at [2]',
    ),
]

EMPTY = {
    F: F_SNAPSHOT,
    "orders": '["O",0,"S",[]]',
    "positions": '["K",0,"S",[]]',
    "settlement-requests": '["R",0,"S",[[],[]]]',
    "settlement-orders": '["S",0,"S",[]]',
    "counterparty-limits": '["L",0,"S",[]]',
    "combined": '["P",0,"S",[1,[],[],[]]]',
}


@pytest.mark.parametrize(("name", "frame", "reason", "error"), BROKEN)
def test_frames_of_a_binding(name: str, frame: str, reason: str, error: str) -> None:
    """An unreadable frame of a binding is a dead letter, a gap of one, and a rebind."""
    desk = Desk(name).live(EMPTY[name])
    channels = [s.name for s in desk.plan.subscriptions[:-1]]
    said = desk.frame(frame)
    assert said[0] == ("unreadable", channels[0], reason, error)
    assert said[1:-1] == [(c, "GAP", "UNREADABLE", error, 1) for c in channels]
    assert said[-1][1].startswith('{"event":"unbind"')
    assert desk.phases() == {name: "UNBINDING"}


def test_the_raw_bytes_are_kept() -> None:
    """A dead letter has the frame as it came."""
    desk = Desk(F).live(F_SNAPSHOT)
    raw = b'\xff["F"]'
    desk.frame(raw)
    letter = desk.heard[-1]
    assert isinstance(letter, Unreadable)
    assert letter.raw is raw


def test_long_values_are_cut_in_the_middle() -> None:
    """10 MB of text do not become an error of their size (issue: bad input)."""
    desk = Desk("orders").live(EMPTY["orders"])
    text = "a" * 5_000_000 + "b" * 5_000_000
    ((_, _, reason, error), *_) = desk.frame(f'["O",0,"+",["{text}","{text}"]]')
    assert reason == "WRONG_TYPE"
    seen = f'saw the text "{"a" * 40} ... {"b" * 40}"'
    assert error == f"{seen}, expected an integer, at data[1]"


def test_every_frame_is_counted_once() -> None:
    """The tally's four numbers sum up to the frames received."""
    desk = Desk(F, B)
    desk.up()
    frames = [frame for frame, *_ in FOREIGN]
    frames += [frame.encode() for _, frame, *_ in BROKEN]
    frames += [F_SNAPSHOT.encode(), b'["B","BTC-USD","Z",34]']
    for frame in frames:
        desk.frame(frame)
    tally = desk.session.tally
    assert tally.frames == len(frames) + 1  # the status that opened the way
    assert tally.data > 0
    assert tally.control > 0
    assert tally.discarded > 0


def test_numbers_beyond_a_double_stay_exact() -> None:
    """Integers above 2^53 arrive as they were sent (reference 10.1)."""
    desk = Desk("positions").live(EMPTY["positions"])
    desk.frame(f'["K",0,"M",["JPY",{-HUGE},{HUGE - 1},9007199254740993,1]]')
    record = desk.heard[-1]
    assert isinstance(record, Data)
    assert record.values == (("JPY", -HUGE, HUGE - 1, 9007199254740993, 1),)


def test_an_unexpected_error_is_a_dead_letter_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even a fault of our own stops no connection, and is told apart by its reason."""
    desk = Desk(F).live(F_SNAPSHOT)

    def fail(*_: object) -> str:
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr("bridge.core.book.Book.apply", fail)
    said = desk.frame('["F","BTC-EUR","M",[[],[]]]')
    error = "ZeroDivisionError: by hand"
    assert said[0] == ("unreadable", F, "UNEXPECTED", error)
    assert said[1] == (F, "GAP", "UNREADABLE", error, 1)
