"""Fresh, old, silent, unanswered: when a subscription is live, and when it is not."""

from bridge.core.model import Close, Event, Mark, Note, Reason, State
from tests.unit.venues.cfbenchmarks.talk import DELAY, T, Talk, story, wanted
from tests.unit.venues.cfbenchmarks.test_schedule import ms

REBIND = ["> unsubscribe BRTI", "BINDING RESUBSCRIBED", "> subscribe BRTI"]
INFO = '{"type":"info","streams":[{"id":"BRTI"},{"id":"ETHUSD_RTI"},{"id":"BRR"}]}'


def _quiet_info(talk: Talk) -> Talk:
    """Answer info, so that no note about it comes between."""
    talk.say(INFO)
    return talk


def test_an_old_snapshot_is_not_live() -> None:
    """A first frame that is old by the family's rhythm is not called fresh."""
    talk = _quiet_info(Talk())
    assert story(talk.value(T - 60_000, at=T)) == ["SNAPSHOT"]
    assert story(talk.tick(100)) == ["STALE SOURCE_TIME_OLD"]
    assert story(talk.tick(100)) == []
    assert story(talk.value(T, at=T + 250)) == ["UPDATE", "LIVE FRESH"]


def test_source_time_too_old_is_stale_without_a_rebind() -> None:
    """Frames whose time stands still make it stale; a fresh one makes it live."""
    talk = _quiet_info(Talk())
    talk.second(0)
    events: list[Event] = []
    for second in range(1, 12):
        events += [*talk.value(T, at=T + second * 1000), *talk.tick(0)]
    assert story(events) == ["UPDATE"] * 11 + ["STALE SOURCE_TIME_OLD"]
    assert story(talk.value(T, at=T + 12_000)) == ["UPDATE"]
    assert story(talk.value(T + 12_000)) == ["UPDATE", "LIVE FRESH"]


def test_late_frames_do_not_make_it_stale() -> None:
    """Freshness is judged by the newest time, not by the last frame's."""
    talk = _quiet_info(Talk())
    talk.second(0, 1, 2)
    talk.value(T - 3_600_000, at=T + 2500)
    assert story(talk.tick(0)) == []


def test_silence_resubscribes_that_one_stream() -> None:
    """5 s without a frame is silence: stale, unsubscribe, subscribe again."""
    talk = _quiet_info(Talk("value:BRTI", "value:ETHUSD_RTI"))
    events: list[Event] = []
    for second in range(8):
        events += talk.value(T + second * 1000, id="ETHUSD_RTI")
        events += talk.second(second) if second < 2 else talk.tick(0)
    assert story(events).count("STALE SILENT") == 1
    at = story(events).index("STALE SILENT")
    assert story(events)[at : at + 4] == ["STALE SILENT", *REBIND]
    assert story(talk.second(8)) == ["SNAPSHOT", "LIVE SNAPSHOT"]


def test_a_stream_that_stays_silent_is_asked_with_growing_delays() -> None:
    """One silent stream beside a healthy one is retried, never reconnected."""
    talk = _quiet_info(Talk("value:BRTI", "value:ETHUSD_RTI"))
    events = talk.second(0)
    for tenth in range(1, 1200):
        if tenth % 10 == 0:
            events += talk.value(T + tenth * 100, id="ETHUSD_RTI", at=T + tenth * 100)
        events += talk.tick(100)
    lines = story(events)
    assert "close SILENT" not in lines
    assert "STALE SILENT" in lines
    assert "STALE UNANSWERED" in lines
    assert lines.count("> subscribe BRTI") > 3


def test_when_all_are_silent_the_connection_is_given_up() -> None:
    """If no subscription answers its second subscribe, reconnect; said once."""
    talk = _quiet_info(Talk("value:BRTI", "value:ETHUSD_RTI"))
    talk.value(T, id="ETHUSD_RTI")
    talk.second(0)
    events = talk.wait(10_300)
    lines = story(events)
    assert lines.count("STALE SILENT") == 2
    assert lines[-1] == "close SILENT"
    (close,) = [e for e in events if isinstance(e, Close)]
    assert close == Close(Reason.SILENT, "every subscription is silent")
    assert "close SILENT" not in story(talk.wait(20_000))


def test_a_stream_that_came_back_keeps_the_connection() -> None:
    """An unanswered subscribe is forgotten when the stream speaks again."""
    talk = _quiet_info(Talk("value:BRTI", "value:ETHUSD_RTI"))
    talk.second(0)
    lines: list[str] = []
    for second in range(1, 40):
        index = "ETHUSD_RTI" if second < 15 else "BRTI"
        lines += story(talk.value(T + second * 1000, id=index))
        lines += story(talk.tick(0))
    assert "STALE UNANSWERED" in lines or lines.count("STALE SILENT") > 1
    assert "close SILENT" not in lines


def test_a_daily_index_does_not_keep_a_silent_connection() -> None:
    """Only what must tick now tells whether the connection is alive."""
    talk = _quiet_info(Talk("value:BRTI", "value:BRR"))
    talk.value(T, id="BRR")
    talk.second(0)
    assert story(talk.wait(10_300))[-1] == "close SILENT"


def test_no_first_frame_is_unanswered() -> None:
    """Silence right after the subscribe counts; then the connection is given up."""
    talk = _quiet_info(Talk())
    assert story(talk.wait(4900)) == []
    assert story(talk.wait(200)) == REBIND
    events = talk.wait(10_500)
    assert story(events)[-1] == "close UNANSWERED"
    assert "STALE UNANSWERED" in story(events)
    close = events[-1]
    assert isinstance(close, Close)
    assert "login" in close.detail
    assert not close.refused


def test_one_unanswered_id_does_not_end_the_others() -> None:
    """An id that never answers is stale and retried while others go on."""
    talk = _quiet_info(Talk("value:XXX_RTI", "value:BRR"))
    talk.value(T, id="BRR")
    events = talk.wait(120_000)
    lines = story(events)
    assert not [line for line in lines if line.startswith("close")]
    marks = [e for e in events if isinstance(e, Mark) and e.state is State.STALE]
    assert {(m.channel, m.reason) for m in marks} == {(0, Reason.UNANSWERED)}
    assert lines.count("> subscribe XXX_RTI") > 5


def test_a_refused_id_does_not_keep_a_dead_connection() -> None:
    """A subscription that was refused says nothing about the connection."""
    talk = _quiet_info(Talk("value:BRTI", "value:ETHUSD_RTI"))
    talk.value(T, id="ETHUSD_RTI")
    talk.second(0)
    talk.say('{"type":"subscribe","id":"ETHUSD_RTI","stream":"value","success":false}')
    assert story(talk.wait(10_300))[-1] == "close SILENT"


def test_a_daily_value_is_live_though_half_a_day_old() -> None:
    """A daily snapshot is fresh until its next day is over without a value."""
    friday = ms("2026-03-27 16:00")
    talk = _quiet_info(Talk("value:BRR", at=ms("2026-03-28 09:00")))
    events = talk.value(friday, id="BRR", at=talk.ms)
    assert story(events) == ["SNAPSHOT", "LIVE SNAPSHOT"]
    assert story(talk.tick(8 * 3_600_000 - 1)) == ["note daily_value_late"]
    assert story(talk.tick(7 * 3_600_000)) == []
    assert story(talk.tick(1)) == ["STALE SOURCE_TIME_OLD"]
    later = talk.value(ms("2026-03-28 16:00"), id="BRR", at=talk.ms)
    assert story(later) == ["UPDATE", "LIVE FRESH"]


def test_a_late_daily_value_is_noted_when_it_comes() -> None:
    """The note on a late daily value is taken back when the value is there."""
    talk = _quiet_info(Talk("value:BRR", at=ms("2026-03-28 16:31")))
    talk.value(ms("2026-03-27 16:00"), id="BRR", at=talk.ms)
    (begun,) = talk.tick(0)
    talk.value(ms("2026-03-28 16:00"), id="BRR", at=talk.ms)
    (over,) = talk.tick(0)
    assert isinstance(begun, Note)
    assert isinstance(over, Note)
    assert (begun.facts["over"], over.facts["over"]) == (False, True)


def test_a_session_index_may_be_quiet_at_night() -> None:
    """BVX is watched only from its opening on (section 10)."""
    night = ms("2026-06-10 11:59")
    talk = _quiet_info(Talk("value:BVX", at=night))
    last = ms("2026-06-09 20:59:59")
    assert story(talk.value(last, id="BVX", at=night)) == ["SNAPSHOT", "LIVE SNAPSHOT"]
    assert story(talk.wait(60_000 + 5_000)) == []
    assert story(talk.tick(100))[0] == "STALE SILENT"


def test_a_limit_of_the_users_own_holds_in_the_session_hours_alone() -> None:
    """BVX with 2 s: quiet before the opening, and silent 2 s after it."""
    talk = Talk(wanted("value:BVX", stale_after_ms=2_000), at=ms("2026-06-10 11:59"))
    talk.say('{"type":"info","streams":[{"id":"BVX"}]}')
    talk.value(ms("2026-06-09 20:59:59"), id="BVX", at=talk.ms)
    assert story(talk.wait(60_000 + 2_000)) == []
    assert story(talk.tick(100))[0] == "STALE SILENT"


def test_unknown_rhythms_are_named_at_the_start() -> None:
    """Where silence cannot be judged, a note says so, and nothing is stale."""
    talk = _quiet_info(Talk("value:WHATEVER", "rti-stats:BRTI", "value:BRTI"))
    notes = [e for e in talk.start if isinstance(e, Note)]
    assert [n.facts["subscription"] for n in notes] == [
        "value:WHATEVER",
        "rti-stats:BRTI",
    ]
    talk = _quiet_info(Talk("value:WHATEVER"))
    events = talk.value(T - 10**9, id="WHATEVER", at=T)
    assert story(events) == ["SNAPSHOT", "LIVE SNAPSHOT"]
    assert story(talk.wait(60_000)) == []


def test_options_set_rhythm_and_limit() -> None:
    """A declared rhythm or limit is watched like a known one."""
    for line in (
        wanted("value:WHATEVER", rhythm="1s"),
        wanted("value:WHATEVER", stale_after_ms=5000),
        wanted("value:BRTI", stale_after_ms=5000),
    ):
        talk = Talk(line)
        talk.value(T, id=line.feed_id, at=T + DELAY)
        assert "STALE SILENT" not in story(talk.wait(5000))
        assert "STALE SILENT" in story(talk.wait(200))


def test_control_frames_are_no_life() -> None:
    """Only data counts as life: echoes and dead letters do not."""
    talk = _quiet_info(Talk())
    talk.second(0)
    events: list[Event] = []
    for _ in range(6):
        talk.say('{"type":"subscribe","id":"BRTI","stream":"value","success":true}')
        talk.say('{"type":"value","id":"BRTI","time":1,"value":"1"}')
        events += talk.tick(1000)
    assert "STALE SILENT" in story(events)
