"""One subscription of a live connection is let go; the others stay."""

from __future__ import annotations

import pytest

from bridge.core.model import Close, Event, Now, Reason
from bridge.venues.cfbenchmarks import VENUE
from tests.unit.venues.cfbenchmarks.talk import (
    DELAY,
    T,
    Talk,
    context,
    gaps,
    source,
    story,
)

BOTH = ("value:BRTI", "value:ETHUSD_RTI")


def test_it_is_unsubscribed_and_ends_behind_what_is_missing() -> None:
    """Seconds that are known to be missing are told before the end, once."""
    talk = Talk(*BOTH)
    talk.second(0, 1, 3)
    events = talk.session.drop(["value:BRTI"], Reason.MOVED)

    assert story(events)[0] == "> unsubscribe BRTI"
    assert story(events)[-1] == "ENDED MOVED"
    assert gaps(events) == [("1579264282000", 1)]
    assert "ENDED MOVED" not in story(talk.session.stop(Reason.STOPPED))


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"value","time":1579264281000,"id":"BRTI","value":"1"}',
        '{"type":"value","time":"soon","id":"BRTI","value":"1"}',
        '{"type":"value","time":1579264281000,"id":"BRTI","value":"many"}',
    ],
)
def test_what_still_comes_is_discarded_unread(frame: str) -> None:
    """Neither a record nor a dead letter comes of what nobody wants."""
    talk = Talk(*BOTH)
    talk.second(0)
    talk.session.drop(["value:BRTI"], Reason.MOVED)

    assert list(talk.say(frame)) == []
    assert (talk.session.tally.discarded, talk.session.tally.unreadable) == (1, 0)


def test_a_late_refusal_is_noted_and_changes_nothing() -> None:
    """The venue may still send a command back."""
    talk = Talk(*BOTH)
    talk.session.drop(["value:BRTI"], Reason.MOVED)
    refusal = '{"type":"subscribe","id":"BRTI","stream":"value","success":false}'

    assert story(talk.say(refusal)) == ["note command_refused"]
    assert talk.session.tally.control == 1
    assert [d["name"] for d in talk.session.describe(talk.now)] == ["value:ETHUSD_RTI"]


def test_its_silence_says_nothing_of_the_connection() -> None:
    """A connection whose only silent stream was dropped is not given up."""
    talk = Talk(*BOTH)
    talk.second(0)
    talk.session.drop(["value:BRTI"], Reason.MOVED)
    events: list[Event] = []
    for second in range(1, 30):
        events += talk.value(T + second * 1000, id="ETHUSD_RTI")
        events += talk.tick(0)

    assert not [e for e in events if isinstance(e, Close)]


def test_a_connection_without_subscriptions_is_not_deaf() -> None:
    """Nothing is expected, so nothing is missed."""
    talk = Talk()
    talk.second(0)
    talk.session.drop(["value:BRTI"], Reason.MOVED)

    assert [line for line in story(talk.wait(60_000)) if "info" not in line] == []


def test_it_does_not_resume_where_it_was_dropped() -> None:
    """The next connection is told the places of what it carries."""
    talk = Talk(*BOTH)
    talk.second(0)
    talk.value(T + 1000, id="ETHUSD_RTI")
    talk.session.drop(["value:BRTI"], Reason.MOVED)

    assert talk.session.positions() == {"value:ETHUSD_RTI": T + 1000}


def test_losses_go_to_the_channel_that_they_name() -> None:
    """Channels keep their numbers when one before them is gone."""
    talk = Talk(*BOTH)
    talk.second(0)
    talk.session.drop(["value:BRTI"], Reason.MOVED)

    assert list(talk.session.lost(0, 1, talk.now, "x")) == []
    told = talk.session.lost(1, 1, talk.now, "x")
    assert story(told)[0] == "GAP DELIVERY_FAILED"


def test_what_is_dropped_before_the_upgrade_is_never_asked_for() -> None:
    """Neither subscribed nor called unwatched, and its frames are discarded."""
    (plan,) = VENUE.plans(source(*BOTH))
    session = VENUE.open(plan, context())
    now = Now(T * 10**6, 10**9)
    assert list(session.drop(["value:BRTI"], Reason.MOVED)) == []
    session.handshake(now)

    assert "> subscribe BRTI" not in story(session.opened(now))
    frame = b'{"type":"value","time":1579264280000,"id":"BRTI","value":"1"}'
    assert list(session.receive(frame, (T + DELAY) * 10**6)) == []
    assert session.tally.discarded == 1
