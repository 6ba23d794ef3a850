"""One binding of a live connection is let go; the others and the status stay."""

from __future__ import annotations

import pytest

from bridge.core.model import Reason
from tests.unit.venues.finery.cases_market import B_SNAPSHOT, F_SNAPSHOT, B, F
from tests.unit.venues.finery.desk import DOWN, UP, Desk, Said

UNBIND = ("send", '{"event":"unbind","feed":"F","feedId":"BTC-EUR"}')
F_UPDATE = '["F","BTC-EUR","M",[[["M",6000000000000,30000000]],[]]]'
U = '["F","BTC-EUR","U",0]'


def drop(desk: Desk, *names: str, reason: Reason = Reason.UNSUBSCRIBED) -> list[Said]:
    """Drop bindings; return what was said."""
    return desk.words(desk.session.drop(names, reason))


def test_the_venue_is_told_first_and_each_stream_ends_once() -> None:
    """A binding that feeds two subscriptions ends both."""
    desk = Desk("orders", "positions").live('["O",0,"S",[]]', '["K",0,"S",[]]')

    assert drop(desk, "orders") == [
        ("send", '{"event":"unbind","feed":"O"}'),
        ("orders", "ENDED", "UNSUBSCRIBED"),
        ("deals", "ENDED", "UNSUBSCRIBED"),
    ]
    assert desk.phases() == {"positions": "LIVE"}


@pytest.mark.parametrize(
    "answer", [U, '["F","BTC-EUR","Z",35]', '["F","BTC-EUR","Z","x"]']
)
def test_an_answer_that_comes_later_changes_nothing(answer: str) -> None:
    """Whatever the venue says to the unbind, readable or not, is control."""
    desk = Desk(F, B).live(F_SNAPSHOT, B_SNAPSHOT)
    drop(desk, F)
    control = desk.session.tally.control

    assert desk.frame(answer) == []
    assert desk.session.tally.control == control + 1
    assert desk.phases() == {B: "LIVE"}


@pytest.mark.parametrize(
    "frame", [F_SNAPSHOT, F_UPDATE, '["F","BTC-EUR","?",1]', '["F","BTC-EUR","M",7]']
)
def test_what_still_comes_is_discarded_unread(frame: str) -> None:
    """Neither a record nor a dead letter comes of a book that nobody wants."""
    desk = Desk(F, B).live(F_SNAPSHOT, B_SNAPSHOT)
    drop(desk, F)

    assert desk.frame(frame) == []
    assert (desk.session.tally.discarded, desk.session.tally.unreadable) == (1, 0)


def test_frames_discarded_before_are_told_in_a_gap() -> None:
    """What was left out while Kafka was away is announced before the end."""
    desk = Desk(F, B).live(F_SNAPSHOT, B_SNAPSHOT)
    desk.cut()
    desk.frame(F_UPDATE)

    assert drop(desk, F, reason=Reason.MOVED) == [
        UNBIND,
        (F, "GAP", "MOVED", "", 1),
        (F, "ENDED", "MOVED"),
    ]
    desk.frame(F_UPDATE)
    assert F not in [words[0] for words in desk.heal()]


def test_a_suspended_binding_stays_out_when_the_venue_is_back() -> None:
    """The venue's recovery binds only what is still wanted; the status is told."""
    desk = Desk(F, B).live(F_SNAPSHOT, B_SNAPSHOT, DOWN)
    assert drop(desk, F)[-1] == (F, "ENDED", "UNSUBSCRIBED")
    said = desk.frame(UP)

    assert said[0][:2] == ("status:books-1", "UPDATE")
    assert [words for words in said if F in words] == []
    assert [words[1] for words in said if words[0] == "send"] == [
        '{"event":"unbind","feed":"B","feedId":"BTC-USD"}'
    ]


def test_an_unanswered_bind_that_was_dropped_does_not_close_the_connection() -> None:
    """Its silence says nothing any more."""
    desk = Desk(F, B).live(B_SNAPSHOT)
    drop(desk, F)

    assert [w for _ in range(600) for w in desk.tick() if w[0] != B] == []


def test_a_dropped_book_is_not_refreshed() -> None:
    """Refreshes go on for the other books alone."""
    desk = Desk(F, B, refresh_s=2.0).live(F_SNAPSHOT, B_SNAPSHOT)
    drop(desk, F)
    said = [words for _ in range(50) for words in desk.tick()]

    assert {words[:2] for words in said} == {(B, "REFRESH")}


def test_losses_of_a_dropped_book_are_nobodys() -> None:
    """The sequence has ended; no gap can follow."""
    desk = Desk(F, B).live(F_SNAPSHOT, B_SNAPSHOT)
    drop(desk, F)

    assert desk.lost(F, 3) == []
    assert desk.lost(B, 3)[0] == (B, "GAP", "DELIVERY_FAILED", "not acked", 3)


def test_a_connection_that_lost_every_binding_keeps_its_status() -> None:
    """The status goes on until the end of the connection."""
    desk = Desk(F).live(F_SNAPSHOT)
    drop(desk, F)

    assert desk.frame(DOWN)[0][:2] == ("status:books-1", "UPDATE")
    assert desk.words(desk.session.stop(Reason.MOVED)) == [
        ("status:books-1", "ENDED", "MOVED")
    ]
