"""Frames from the reference, each with its section, against values by hand."""

import json

import pytest

from bridge.core.model import Reason
from bridge.venues.cfbenchmarks import frames
from bridge.venues.cfbenchmarks.frames import (
    Bad,
    Echo,
    Listing,
    Message,
    Refusal,
    Stats,
    Value,
    read,
)

E18 = 10**18

GOOD: list[tuple[str, str, Message]] = [
    (
        "section 5, documented example",
        '{ "type": "value", "id": "BRTI", "value": "8835.56", "time": 1579264280000 }',
        Value("BRTI", 1579264280000, None, None, "8835.56", 8835560000000000000000),
    ),
    (
        "section 5, live, per second, July 2026",
        '{"type":"value","time":1784775705000,"id":"BRTI","value":"65766.03"}',
        Value("BRTI", 1784775705000, None, None, "65766.03", 65766030000000000000000),
    ),
    (
        "section 5, live, per second, October 2026",
        '{"type":"value","time":1791180714000,"id":"BRTI","value":"85850.67"}',
        Value("BRTI", 1791180714000, None, None, "85850.67", 85850670000000000000000),
    ),
    (
        "section 5, live, 200 ms, September 2026",
        '{"type":"value","time":1788717461800,"id":"BRTI","value":"79767.34"}',
        Value("BRTI", 1788717461800, None, None, "79767.34", 79767340000000000000000),
    ),
    (
        "section 5, the kept trailing zero",
        '{"type":"value","time":1789123105000,"id":"BRTI","value":"77002.30"}',
        Value("BRTI", 1789123105000, None, None, "77002.30", 77002300000000000000000),
    ),
    (
        "section 5, unquoted number keeps its text",
        '{"type":"value","time":1789123105000,"id":"BRTI","value": 77002.30 }',
        Value("BRTI", 1789123105000, None, None, "77002.30", 77002300000000000000000),
    ),
    (
        "section 5, amended and repeated",
        (
            '{"type":"value","time":1579264280000,"id":"BRR","value":"1","amendTime":'
            '1579264290000,"repeatOfPreviousValue":true}'
        ),
        Value("BRR", 1579264280000, 1579264290000, True, "1", E18),
    ),
    (
        "section 5, null optionals and unknown fields",
        (
            '{"x":[{"y":null}],"type":"value","amendTime":null,"repeatOfPreviousValue":'
            'null,"time":1579264280000,"id":"BRTI","value":"8835.56","success":null}'
        ),
        Value("BRTI", 1579264280000, None, None, "8835.56", 8835560000000000000000),
    ),
    (
        "section 5, a negative rate",
        '{"type":"value","time":1579264280000,"id":"BIRC","value":"-0.0125"}',
        Value("BIRC", 1579264280000, None, None, "-0.0125", -12500000000000000),
    ),
    (
        "escapes in strings are JSON, too",
        (
            '{"\\u0074ype":"v\\u0061lue","time":1579264280000,"id":"BRTI",'
            '"value":"8835\\u002e56"}'
        ),
        Value("BRTI", 1579264280000, None, None, "8835.56", 8835560000000000000000),
    ),
    (
        "section 6, rti_stats",
        (
            '{ "type": "rti_stats", "time": 1677876163000, "id": "U_ETHUSD_RTI", '
            '"value": "1.1635", "utilizedDepth": "1888000.0", '
            '"valueBid": "1.1607", "valueAsk": "1.1662", "midPrice": "1.1631" }'
        ),
        Stats(
            "U_ETHUSD_RTI",
            1677876163000,
            ("1.1635", "1888000.0", "1.1607", "1.1662", "1.1631"),
            (
                1163500000000000000,
                1888000 * E18,
                1160700000000000000,
                1166200000000000000,
                1163100000000000000,
            ),
        ),
    ),
    (
        "section 4.1, info",
        (
            '{ "type": "info", "streams": [ { "id": "ETHUSD_RTI" }, { "id": "BRTI" }, '
            '{ "id": "ETHUSD_RR" }, { "id": "BRR" } ] }'
        ),
        Listing(frozenset({"ETHUSD_RTI", "BRTI", "ETHUSD_RR", "BRR"})),
    ),
    (
        "section 4.1, odd entries are passed over",
        '{"type":"info","streams":[{"id":"BRTI"},{"id":7},{},null,"BRR"]}',
        Listing(frozenset({"BRTI"})),
    ),
    (
        "section 7, error",
        (
            '{ "type": "foo", "id": "BRTI", "stream": "value", "success": false, '
            '"reason": "Unrecognised command" }'
        ),
        Refusal("foo", "BRTI", "value", "Unrecognised command"),
    ),
    (
        "section 7, an error that looks like data is an error",
        (
            '{"type":"value","id":"BRTI","time":1579264280000,"value":"1",'
            '"success":false,"reason":"Unknown id"}'
        ),
        Refusal("value", "BRTI", "", "Unknown id"),
    ),
    (
        "section 7, an error without a usable text",
        '{"type":["subscribe"],"success":false,"reason":5}',
        Refusal("", "", "", "no reason given"),
    ),
    (
        "section 4.3, echo of a success",
        '{"type":"unsubscribe","id":"BRTI","stream":"value","success":true}',
        Echo(),
    ),
    (
        "section 4.3, a rare frame of type subscribe",
        '{"type":"subscribe","id":"BRTI","stream":"value"}',
        Echo(),
    ),
]

BASE = {"type": "value", "id": "BRTI", "time": 1579264280000, "value": "1"}


def _with(**fields: object) -> bytes:
    return json.dumps({**BASE, **fields}).encode()


BAD: list[tuple[bytes, Reason, str]] = [
    (b"", Reason.NOT_JSON, "truncated"),
    (b"not json", Reason.NOT_JSON, "malformed"),
    (b'{"type":"value"', Reason.NOT_JSON, "truncated"),
    (b"\x00\x01\x02", Reason.NOT_JSON, "malformed"),
    (b'{"type":"\xff\xfe"}', Reason.NOT_JSON, "decode"),
    (b'{"value":NaN}', Reason.NOT_JSON, "malformed"),
    (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.NOT_JSON, "deep"),
    (b"[]", Reason.NOT_A_MESSAGE, "array"),
    (b'"value"', Reason.NOT_A_MESSAGE, "str"),
    (b"null", Reason.NOT_A_MESSAGE, "null"),
    (b"{}", Reason.NOT_A_MESSAGE, "type is missing"),
    (b'{"type":5}', Reason.NOT_A_MESSAGE, "type is of type int"),
    (b'{"type":["value"]}', Reason.NOT_A_MESSAGE, "type is of type list"),
    (b'{"type":"heartbeat"}', Reason.UNKNOWN_FEED, "'heartbeat'"),
    (b'{"type":"constituents","id":"NCI"}', Reason.UNKNOWN_FEED, "'constituents'"),
    (b'{"type":"info"}', Reason.WRONG_TYPE, "streams is missing"),
    (b'{"type":"value"}', Reason.WRONG_TYPE, "value is missing"),
    (_with(id=5), Reason.WRONG_TYPE, "id is of type int"),
    (_with(id=None), Reason.WRONG_TYPE, "id is missing"),
    (_with(time=None), Reason.WRONG_TYPE, "time is missing"),
    (_with(time="1579264280000"), Reason.WRONG_TYPE, "time is of type str"),
    (_with(time=1579264280000.0), Reason.WRONG_TYPE, "time is of type float"),
    (_with(time=True), Reason.WRONG_TYPE, "time is of type bool"),
    (_with(time=1579264280), Reason.OUT_OF_RANGE, "time 1579264280 is not in milli"),
    (_with(time=1579264280000000), Reason.OUT_OF_RANGE, "not in milliseconds"),
    (_with(time=-1), Reason.OUT_OF_RANGE, "time -1"),
    (_with(time=0), Reason.OUT_OF_RANGE, "time 0"),
    (_with(time=10**4000), Reason.OUT_OF_RANGE, "time 1000"),
    (
        b'{"type":"value","time":' + b"9" * 9000 + b"}",
        Reason.OUT_OF_RANGE,
        "out of range",
    ),
    (b'{"type":"value","time":1e999}', Reason.OUT_OF_RANGE, "out of range"),
    (_with(amendTime="x"), Reason.WRONG_TYPE, "amendTime is of type str"),
    (_with(amendTime=1579264280), Reason.OUT_OF_RANGE, "amendTime"),
    (_with(repeatOfPreviousValue=1), Reason.WRONG_TYPE, "repeatOfPreviousValue"),
    (_with(value=""), Reason.NOT_A_DECIMAL, "value: ''"),
    (_with(value="NaN"), Reason.NOT_A_DECIMAL, "'NaN'"),
    (_with(value="Infinity"), Reason.NOT_A_DECIMAL, "'Infinity'"),
    (_with(value="8.8e3"), Reason.NOT_A_DECIMAL, "'8.8e3'"),
    (_with(value=None), Reason.NOT_A_DECIMAL, "'null'"),
    (_with(value=True), Reason.NOT_A_DECIMAL, "'true'"),
    (_with(value=[1]), Reason.NOT_A_DECIMAL, "'[1]'"),
    (_with(value="1." + "1" * 19), Reason.NOT_A_DECIMAL, "plain decimal"),
    (_with(value="1" * 21), Reason.NOT_A_DECIMAL, "too large"),
    (_with(value="9" * 10_000_000), Reason.NOT_A_DECIMAL, "999...999"),
    (
        b'{"type":"value","id":"BRTI","time":1579264280000,"value":"\xff"}',
        Reason.NOT_A_DECIMAL,
        "decode",
    ),
    (_with(type="rti_stats"), Reason.WRONG_TYPE, "utilizedDepth is missing"),
]


@pytest.mark.parametrize(
    ("text", "message"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD]
)
def test_frames_of_the_reference(text: str, message: Message) -> None:
    """A frame of the reference becomes the value written out by hand."""
    assert read(text.encode()) == message


@pytest.mark.parametrize(
    ("data", "reason", "said"), BAD, ids=[f"{c[1]}-{n}" for n, c in enumerate(BAD)]
)
def test_wrong_frames(data: bytes, reason: Reason, said: str) -> None:
    """A frame against the manual has a stable reason and a short sentence."""
    bad = read(data)
    assert isinstance(bad, Bad)
    assert (bad.reason, said in bad.error) == (reason, True), bad.error
    assert len(bad.error) < 400


def test_a_bad_value_names_its_subscription() -> None:
    """Where type and id were read, they go along with the fault."""
    bad = read(_with(value="x"))
    assert isinstance(bad, Bad)
    assert (bad.type, bad.id) == ("value", "BRTI")


def test_commands() -> None:
    """The commands hold what the manual lists, and the resolution only if asked."""
    assert json.loads(frames.INFO) == {"type": "info"}
    assert json.loads(frames.subscribe("BRTI", "value")) == {
        "type": "subscribe",
        "id": "BRTI",
        "stream": "value",
    }
    assert json.loads(frames.subscribe("BRTI", "value", "PER_SECOND")) == {
        "type": "subscribe",
        "id": "BRTI",
        "stream": "value",
        "maxResolution": "PER_SECOND",
    }
    assert json.loads(frames.unsubscribe("BRTI", "value")) == {
        "type": "unsubscribe",
        "id": "BRTI",
        "stream": "value",
    }
