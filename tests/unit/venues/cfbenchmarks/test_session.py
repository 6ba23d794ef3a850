"""One connection's conversation: opening, values, errors, the end."""

import json

import pytest

from bridge.core.model import (
    Action,
    Data,
    Event,
    Mark,
    Note,
    Reason,
    Send,
    State,
    Tally,
    Unreadable,
)
from bridge.errors import VenueRefused
from tests.unit.venues.cfbenchmarks.talk import (
    DELAY,
    T,
    Talk,
    gaps,
    payloads,
    story,
    wanted,
)

E18 = 10**18
EXAMPLE = '{ "type": "value", "id": "BRTI", "value": "8835.56", "time": 1579264280000 }'


def test_opening_asks_and_subscribes_at_once() -> None:
    """Info goes first and holds nothing up (sections 4.1 and 4.2)."""
    talk = Talk("value:BRTI", "rti-stats:BRTI")
    assert story(talk.start)[:5] == [
        "> info",
        "BINDING CONNECTED",
        "> subscribe BRTI",
        "BINDING CONNECTED",
        "> subscribe BRTI",
    ]
    sent = [json.loads(e.text) for e in talk.start if isinstance(e, Send)]
    assert sent[1:] == [
        {"type": "subscribe", "id": "BRTI", "stream": "value"},
        {"type": "subscribe", "id": "BRTI", "stream": "rti_stats"},
    ]


def test_max_resolution_is_sent_if_asked_for() -> None:
    """The option goes into the command under the venue's name (section 4.2)."""
    talk = Talk(wanted("value:BRTI", max_resolution="PER_SECOND"))
    (send,) = [e for e in talk.start if isinstance(e, Send) and "BRTI" in e.text]
    assert json.loads(send.text)["maxResolution"] == "PER_SECOND"


def test_the_documented_example() -> None:
    """The first value is a snapshot, then the subscription is live (section 5)."""
    talk = Talk()
    assert list(talk.say(EXAMPLE, T + DELAY)) == [
        Data(
            0,
            Action.SNAPSHOT,
            None,
            (("8835.56", 883556 * 10**16, T, None, None, 0, False, False, 80),),
        ),
        Mark(0, State.LIVE, Reason.SNAPSHOT),
    ]


def test_later_values_are_updates() -> None:
    """After the snapshot each frame is one update, and nothing else (section 5)."""
    talk = Talk()
    talk.second(0)
    assert list(talk.value(T + 1000, "77002.30")) == [
        Data(
            0,
            Action.UPDATE,
            None,
            (("77002.30", 770023 * 10**17, T + 1000, None, None, 0, False, False, 80),),
        )
    ]


def test_an_unquoted_number_keeps_its_text() -> None:
    """A number that is not a string is taken as written (section 5)."""
    talk = Talk()
    events = talk.say(
        '{"value":77002.30,"id":"BRTI","time":1579264280000,"type":"value"}'
    )
    assert payloads(events)[0][:2] == ("77002.30", 770023 * 10**17)


def test_the_flag_of_a_repeated_daily_value() -> None:
    """The provider's own flag is passed on, true or false (section 5.1)."""
    talk = Talk("value:BRR")
    first = talk.value(T, id="BRR", repeatOfPreviousValue=True)
    second = talk.value(T, id="BRR", repeatOfPreviousValue=False)
    assert [p[4] for p in payloads([*first, *second])] == [True, False]


def test_amendments_are_revisions_of_their_time() -> None:
    """An amended value keeps its time and is the next revision (section 5.1)."""
    talk = Talk()
    talk.second(0, 1, 2)
    amended = talk.value(T + 1000, "8836.00", amendTime=T + 2500, at=T + 2600)
    again = talk.value(T + 1000, "8837.00", amendTime=T + 2700, at=T + 2800)
    assert story(amended) == ["UPDATE"]
    assert payloads([*amended, *again]) == [
        ("8836.00", 8836 * E18, T + 1000, T + 2500, None, 1, False, True, 1600),
        ("8837.00", 8837 * E18, T + 1000, T + 2700, None, 2, False, True, 1800),
    ]


def test_an_amendment_of_a_tick_never_seen() -> None:
    """The first sight of a time is revision 0, amended or not (section 5.1)."""
    talk = Talk()
    talk.second(0, 2)
    events = talk.value(T + 1000, amendTime=T + 2500, at=T + 2600)
    assert payloads(events)[0][3:8] == (T + 2500, None, 0, False, True)


def test_duplicates_are_marked_and_passed_on() -> None:
    """The same time, value and amendTime again is a duplicate (section 11)."""
    talk = Talk()
    talk.second(0, 1)
    events = talk.value(T + 1000, at=T + 1200)
    assert payloads(events)[0][5:] == (0, True, False, 200)


def test_the_same_value_twice_is_normal() -> None:
    """Equal values at two times are two new values (section 1, fact 10)."""
    talk = Talk()
    events = talk.second(0, 1, 2)
    assert [p[5:8] for p in payloads(events)] == [(0, False, False)] * 3


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5])
def test_reordered_frames_are_late_not_lost(distance: int) -> None:
    """A tick that comes up to five places later is passed on, late, and no gap."""
    order = list(range(12))
    order.insert(3 + distance, order.pop(3))
    talk = Talk()
    events: list[Event] = []
    for second in order:
        events += talk.value(T + second * 1000, at=T + 11_100)
    events += talk.second(12, 13, 14, 15)
    assert [(p[2] - T) // 1000 for p in payloads(events) if p[7]] == [3]
    assert len(payloads(events)) == 16
    assert gaps(events) == []


def test_a_tick_later_than_the_settling_time() -> None:
    """A tick that was already told missing is passed on, late, when it comes."""
    talk = Talk()
    events = talk.second(0, 2, 3, 4, 5, 6)
    assert gaps(events) == [("1579264281000", 1)]
    (data,) = talk.value(T + 1000, at=T + 6200)
    assert isinstance(data, Data)
    assert data.values[0][5:8] == (0, False, True)


def test_a_late_burst_after_a_stall_is_no_gap() -> None:
    """Ticks that all came within the settling time are not missing."""
    talk = Talk()
    events = talk.second(0, 1)
    for second in (5, 2, 3, 4):
        events += talk.value(T + second * 1000, at=T + 5500)
    events += talk.second(6, 7, 8, 9, 10)
    assert gaps(events) == []
    assert [p[7] for p in payloads(events)[2:6]] == [False, True, True, True]


def test_missing_seconds_are_listed_then_it_is_live_again() -> None:
    """A gap names its seconds after the settling time; the stream goes on."""
    talk = Talk()
    events = talk.second(0, 1, 4, 5, 6, 7)
    assert gaps(events) == []
    assert story(talk.wait(200)) == ["GAP MISSING_TICKS", "LIVE FRESH"]
    events = talk.second(8, 9, 10)
    assert story(events) == ["UPDATE"] * 3


def test_the_gap_record() -> None:
    """Detail and count of a gap are exact."""
    talk = Talk()
    talk.second(0, 1, 4, 5, 6, 7)
    assert gaps(talk.wait(200)) == [("1579264282000..1579264283000 step 1000", 2)]


def test_a_gap_in_a_stale_stream_does_not_make_it_live() -> None:
    """Only a stream that was live is live again after a gap."""
    talk = Talk()
    talk.value(T - 60_000, at=T)
    talk.value(T - 58_000, at=T + 10)
    assert story(talk.wait(3200)) == ["STALE SOURCE_TIME_OLD", "GAP MISSING_TICKS"]


def test_reconnect_with_a_gap_of_seven_seconds() -> None:
    """A new connection reports exactly the 7 seconds since the last good time."""
    first = Talk()
    first.second(0, 1, 2)
    first.session.closed("reset")
    positions = first.session.positions()
    assert positions == {"value:BRTI": T + 2000}
    second = Talk(resume=positions, at=T + 10_000)
    events = second.second(10, 11, 12, 13)
    assert story(events) == ["SNAPSHOT", "LIVE SNAPSHOT", *["UPDATE"] * 3]
    assert gaps(second.wait(300)) == [("1579264283000..1579264289000 step 1000", 7)]
    assert second.session.positions() == {"value:BRTI": T + 13_000}


def test_positions_outlive_a_connection_without_values() -> None:
    """A connection that brought nothing hands on what it was given."""
    talk = Talk("value:BRTI", "value:BRR", resume={"value:BRTI": T - 5000})
    assert talk.session.positions() == {"value:BRTI": T - 5000}


def test_five_ticks_a_second() -> None:
    """A 5 Hz index is learned from its frames; its gaps are of 200 ms."""
    talk = Talk()
    times = [*range(0, 2001, 200), *range(2600, 6401, 200)]
    events: list[Event] = []
    for time in times:
        events += [*talk.value(T + time), *talk.tick(0)]
    assert len(payloads(events)) == len(times)
    assert gaps(events) == [("1579264282200..1579264282400 step 200", 2)]
    assert "note off_grid" not in story(events)


def test_per_second_keeps_finer_ticks_and_notes_them_once() -> None:
    """Frames off the whole second are passed on and noted, though not asked for."""
    talk = Talk(wanted("value:BRTI", max_resolution="PER_SECOND"))
    events: list[Event] = []
    for time in range(0, 8000, 200):
        events += [*talk.value(T + time), *talk.tick(0)]
    assert len(payloads(events)) == 40
    assert gaps(events) == []
    assert story(events).count("note off_grid") == 1
    back = []
    for time in range(8000, 20_000, 1000):
        back += [*talk.value(T + time), *talk.tick(0)]
    assert [e.facts["over"] for e in back if isinstance(e, Note)] == [True]


def test_one_frame_far_ahead_does_not_make_the_rest_late() -> None:
    """A single time in the future is passed on with a note and no gap."""
    talk = Talk()
    talk.second(0)
    events = talk.value(T + 3_600_000, at=T + 500)
    assert story(events) == ["UPDATE", "note source_clock_ahead"]
    assert payloads(events)[0][8] == 500 - 3_600_000
    events = talk.second(*range(1, 16))
    assert [p[7] for p in payloads(events)] == [False] * 15
    assert gaps(events) == []
    assert story(events).count("note source_clock_ahead") == 1  # over


def test_a_clock_that_is_off_is_noted_once() -> None:
    """Times that stay far ahead are taken as they are, with one note."""
    talk = Talk()
    events: list[Event] = []
    for second in range(5):
        events += talk.value(T + 120_000 + second * 1000, at=T + second * 1000)
    assert story(events).count("note source_clock_ahead") == 1
    assert [p[7] for p in payloads(events)] == [False] * 5
    assert "LIVE FRESH" in story(events)


def test_statistics() -> None:
    """The rti_stats example becomes its record, bid <= value <= ask (section 6)."""
    talk = Talk("rti-stats:U_ETHUSD_RTI", at=1677876163000)
    events = talk.say(
        '{ "type": "rti_stats", "time": 1677876163000, "id": "U_ETHUSD_RTI", '
        '"value": "1.1635", "utilizedDepth": "1888000.0", '
        '"valueBid": "1.1607", "valueAsk": "1.1662", "midPrice": "1.1631" }',
        1677876163070,
    )
    assert story(events) == ["SNAPSHOT", "LIVE SNAPSHOT"]
    assert payloads(events) == [
        (
            1677876163000,
            "1.1635",
            11635 * 10**14,
            "1888000.0",
            1888000 * E18,
            "1.1607",
            11607 * 10**14,
            "1.1662",
            11662 * 10**14,
            "1.1631",
            11631 * 10**14,
            True,
            False,
            70,
        )
    ]


@pytest.mark.parametrize(
    ("bid", "ask", "ordered"),
    [("2", "2", True), ("1", "1.9", False), ("2.1", "3", False)],
)
def test_unordered_statistics_are_passed_on(bid: str, ask: str, ordered: bool) -> None:
    """Statistics that break bid <= value <= ask are marked, not refused."""
    talk = Talk("rti-stats:BRTI")
    frame = {
        "type": "rti_stats",
        "time": T,
        "id": "BRTI",
        "value": "2",
        "utilizedDepth": "0",
        "valueBid": bid,
        "valueAsk": ask,
        "midPrice": "2",
    }
    assert payloads(talk.say(json.dumps(frame)))[0][11] is ordered


def test_values_and_statistics_of_one_index_are_told_apart() -> None:
    """The frame's type says which subscription it belongs to (section 4.2)."""
    talk = Talk("rti-stats:BRTI", "value:BRTI")
    (data, _live) = talk.value(T)
    assert isinstance(data, Data)
    assert data.channel == 1


# errors and control frames


def test_a_refused_subscribe_names_the_reason() -> None:
    """success:false for a subscribe refuses that subscription alone (section 7)."""
    talk = Talk("value:BRTI", "value:ETHUSD_RTI")
    events = talk.say(
        '{"type":"subscribe","id":"ETHUSD_RTI","stream":"value","success":false,'
        '"reason":"Unknown id"}'
    )
    assert list(events) == [Mark(1, State.REFUSED, Reason.VENUE_REFUSED, "Unknown id")]
    assert story(talk.second(0)) == ["SNAPSHOT", "LIVE SNAPSHOT"]
    assert talk.session.tally == Tally(data=1, control=1)


def test_a_refused_subscribe_is_tried_again_much_later() -> None:
    """After a minute the refused subscription is asked for again."""
    talk = Talk(wanted("value:BRTI"))
    talk.say('{"type":"subscribe","id":"BRTI","stream":"value","success":false}')
    assert "> subscribe BRTI" not in story(talk.wait(59_000))
    assert story(talk.wait(1100)) == ["BINDING RESUBSCRIBED", "> subscribe BRTI"]


def test_values_in_spite_of_a_refusal_are_not_lost() -> None:
    """A value after a refusal is passed on, but does not make it live."""
    talk = Talk()
    talk.second(0)
    talk.say('{"type":"subscribe","id":"BRTI","stream":"value","success":false}')
    assert story(talk.second(1)) == ["UPDATE"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"type":"unsubscribe","id":"BRTI","stream":"value","success":false}',
            "note command_refused",
        ),
        ('{"type":"info","success":false,"reason":"x"}', "note command_refused"),
        (
            (
                '{ "type": "foo", "id": "BRTI", "stream": "value", "success": false, '
                '"reason": "Unrecognised command" }'
            ),
            "note command_refused",
        ),
        ('{"type":"foo","success":false,"reason":"x"}', "unreadable VENUE_ERROR"),
        (
            '{"type":"subscribe","id":"XXX","stream":"value","success":false}',
            "unreadable VENUE_ERROR",
        ),
    ],
)
def test_other_errors_are_seen(text: str, expected: str) -> None:
    """No error passes unseen: noted where it is ours, else a dead letter."""
    talk = Talk()
    assert story(talk.say(text)) == [expected]
    assert talk.session.tally.frames == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"subscribe","id":"BRTI","stream":"value","success":true}',
        '{"type":"unsubscribe","id":"BRTI","stream":"value","success":true}',
        '{"type":"subscribe","id":"BRTI","stream":"value"}',
    ],
)
def test_echoes_are_ignored(text: str) -> None:
    """Echoes of commands are control frames without effect (section 4.3)."""
    talk = Talk()
    assert list(talk.say(text)) == []
    assert talk.session.tally == Tally(control=1)


def test_info_names_what_is_not_listed() -> None:
    """Ids that info does not list are noted by name (section 4.1)."""
    talk = Talk("value:NCI", "value:BRTI", "value:XRPUSD_RTI")
    (note,) = talk.say(
        '{ "type": "info", "streams": [ { "id": "ETHUSD_RTI" }, { "id": "BRTI" } ] }'
    )
    assert isinstance(note, Note)
    assert note.event == "indices_not_listed"
    assert note.facts["missing"] == ["NCI", "XRPUSD_RTI"]
    assert "nciprod1" in note.facts["help"]
    assert "note info_unanswered" not in story(talk.wait(6000))


def test_info_that_lists_all_says_nothing() -> None:
    """A complete list is no event."""
    talk = Talk()
    assert list(talk.say('{"type":"info","streams":[{"id":"BRTI"}]}')) == []


def test_info_without_an_answer() -> None:
    """After 5 s without an answer to info the session goes on, with a note."""
    talk = Talk("value:BRTI")
    talk.second(0, 1, 2, 3, 4)
    assert story(talk.wait(1000)) == ["note info_unanswered"]
    assert story(talk.second(5)) == ["UPDATE"]


def test_info_that_is_refused_is_answered() -> None:
    """It is said once that the venue does not take it, and not waited for any more."""
    talk = Talk("value:BRTI")
    refusal = '{"type":"info","success":false,"reason":"Unrecognised command"}'
    assert story(talk.say(refusal)) == ["note command_refused"]
    assert story(talk.second(*range(7))) == [
        "SNAPSHOT",
        "LIVE SNAPSHOT",
        *["UPDATE"] * 6,
    ]


def test_dead_letters_do_not_rebind() -> None:
    """An unreadable frame is handed over with its channel; the stream goes on."""
    talk = Talk("value:BRR", "value:BRTI")
    talk.second(0)
    raw = b'{"type":"value","id":"BRTI","time":1579264281,"value":"1"}'
    (letter,) = talk.say(raw)
    assert isinstance(letter, Unreadable)
    assert (letter.channel, letter.reason) == (1, Reason.OUT_OF_RANGE)
    assert letter.raw == raw
    assert story(talk.second(1)) == ["UPDATE"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"type":"value","id":"XXX","time":1579264280000,"value":"1"}', "UNKNOWN_SU"),
        (
            (
                '{"type":"rti_stats","id":"BRTI","time":1579264280000,"value":"1",'
                '"utilizedDepth":"1","valueBid":"1","valueAsk":"1","midPrice":"1"}'
            ),
            "UNKNOWN_SU",
        ),
        ('{"type":"constituents","id":"NCI"}', "UNKNOWN_FEED"),
        ('{"type":"value","id":"BRTI","time":1579264280000,"value":"x"}', "NOT_A_DECI"),
        ("hello", "NOT_JSON"),
    ],
)
def test_frames_that_cannot_be_used(text: str, reason: str) -> None:
    """What cannot be used is a dead letter with its reason."""
    talk = Talk()
    (line,) = story(talk.say(text))
    assert line.startswith(f"unreadable {reason}")
    assert talk.session.tally == Tally(unreadable=1)


def test_a_refused_upgrade_names_the_source() -> None:
    """A refused upgrade becomes an error that says whose login it was."""
    error = Talk().session.refused(401, b"")
    assert isinstance(error, VenueRefused)
    assert error.source == "rates"


# the Kafka side and the end


def test_lost_records_make_a_gap_and_a_fresh_subscribe() -> None:
    """Records that never reached Kafka are announced, then it starts afresh."""
    talk = Talk()
    talk.second(0)
    events = talk.session.lost(0, 3, talk.now, "delivery failed")
    assert story(events) == [
        "GAP DELIVERY_FAILED",
        "> unsubscribe BRTI",
        "BINDING RESUBSCRIBED",
        "> subscribe BRTI",
    ]
    assert gaps(events) == [("delivery failed", 3)]
    assert story(talk.second(1)) == ["SNAPSHOT", "LIVE SNAPSHOT"]


def test_cut_and_heal() -> None:
    """While cut, frames are counted; healing announces them and subscribes again."""
    talk = Talk()
    talk.second(0)
    assert story(talk.session.cut(talk.now)) == ["> unsubscribe BRTI"]
    assert list(talk.value(T + 1000)) == []
    assert talk.session.tally == Tally(data=1, discarded=1)
    talk.ms += 500
    events = talk.session.heal(talk.now)
    assert story(events) == [
        "GAP KAFKA_SLOW",
        "BINDING RESUBSCRIBED",
        "> subscribe BRTI",
    ]
    assert gaps(events) == [("", 1)]
    events = talk.second(2, 3, 4, 5)
    assert story(events)[:2] == ["SNAPSHOT", "LIVE SNAPSHOT"]
    assert gaps(talk.wait(200)) == [("1579264281000", 1)]


def test_heal_after_a_long_cut() -> None:
    """A cut of any length heals the same way."""
    talk = Talk()
    talk.second(0)
    talk.session.cut(talk.now)
    talk.wait(60_000)
    assert story(talk.session.heal(talk.now)) == [
        "GAP KAFKA_SLOW",
        "BINDING RESUBSCRIBED",
        "> subscribe BRTI",
    ]


def test_stop_unsubscribes_then_ends() -> None:
    """A planned end says goodbye to the venue and closes every sequence."""
    talk = Talk("value:BRTI", "value:BRR")
    talk.second(0)
    assert story(talk.session.stop(Reason.STOPPED)) == [
        "> unsubscribe BRTI",
        "> unsubscribe BRR",
        "ENDED STOPPED",
        "ENDED STOPPED",
    ]
    assert list(talk.value(T + 1000)) == []
    assert talk.session.tally.discarded == 1


def test_stop_lets_go_only_of_what_is_held() -> None:
    """A refused or cut subscription is not unsubscribed again."""
    talk = Talk("value:BRTI", "value:BRR")
    talk.say('{"type":"subscribe","id":"BRR","stream":"value","success":false}')
    assert story(talk.session.stop(Reason.STOPPED))[:2] == [
        "> unsubscribe BRTI",
        "ENDED STOPPED",
    ]
    cut = Talk()
    cut.session.cut(cut.now)
    assert story(cut.session.stop(Reason.STOPPED)) == ["ENDED STOPPED"]


def test_closed_is_a_gap_and_an_end() -> None:
    """A lost connection ends every sequence with a gap."""
    talk = Talk("value:BRTI", "value:BRR")
    events = talk.session.closed("reset by peer")
    assert story(events) == ["GAP CONNECTION_LOST", "ENDED CONNECTION_LOST"] * 2
    assert gaps(events)[0] == ("reset by peer", None)
    assert story(talk.wait(20_000)) == []


def test_missing_seconds_are_told_at_the_end() -> None:
    """What was missing and not yet settled is listed before the end."""
    talk = Talk()
    talk.second(0, 2)
    events = talk.session.closed("reset")
    assert story(events) == [
        "GAP MISSING_TICKS",
        "LIVE FRESH",
        "GAP CONNECTION_LOST",
        "ENDED CONNECTION_LOST",
    ]
    assert gaps(events)[0] == ("1579264281000", 1)


def test_describe_is_json() -> None:
    """What a person wants to know of each subscription is JSON-ready."""
    talk = Talk("value:BRTI", "value:BRR")
    talk.second(0, 1)
    brti, brr = json.loads(json.dumps(talk.session.describe(talk.now)))
    assert brti == {
        "name": "value:BRTI",
        "phase": "LIVE",
        "state": "LIVE",
        "age_ms": 0,
        "source_time_ms": T + 1000,
        "source_age_ms": 80,
        "value": "8835.56",
        "rhythm": "1s",
        "step_ms": 1000,
    }
    assert (brr["phase"], brr["age_ms"], brr["value"]) == ("BINDING", None, "")
