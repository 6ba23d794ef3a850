"""A connection's conversation: status, binding, failing, healing, ending."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.core.model import Reason
from bridge.errors import VenueRefused
from tests.unit.venues.finery.cases import live
from tests.unit.venues.finery.cases_market import B_SNAPSHOT, F_SNAPSHOT, MD, B, F
from tests.unit.venues.finery.desk import DOWN, UP, Desk, wanted

BIND = ("send", '{"event":"bind","feed":"F","feedId":"BTC-EUR"}')
UNBIND = ("send", '{"event":"unbind","feed":"F","feedId":"BTC-EUR"}')
U = '["F","BTC-EUR","U",0]'
STATUS = "status:books-1"
STATUS_LIVE = [
    (STATUS, "SNAPSHOT", "desk", ((0, "ok", True),)),
    (STATUS, "LIVE", "SNAPSHOT"),
]
DOWN_TEXT = "2 (not connected: a service of the venue is down)"
CROSSING = '["F","BTC-EUR","M",[[["+",6000200000000,1]],[]]]'


def z(code: object) -> str:
    """Return a failed bind or unbind."""
    return f'["F","BTC-EUR","Z",{code}]'


def sent(said: list[Any]) -> list[str]:
    """Return the texts that went to the venue."""
    return [words[1] for words in said if words[0] == "send"]


def test_whole_taker_session() -> None:
    """The session of the reference, 4.11, from the upgrade to the unbind."""
    books = Desk("book.tradable:BTC-USD")
    account = Desk("orders")
    name = "book.tradable:BTC-USD"
    headers = dict(books.session.handshake(books.now).headers)
    assert set(headers) == {"EFX-Key", "EFX-Content", "EFX-Sign"}
    content = json.loads(headers["EFX-Content"])
    assert content == {"nonce": 7, "timestamp": 1709717000000}
    assert books.opened() == [(STATUS, "BINDING", "CONNECTED")]
    assert books.frame(UP) == [
        *STATUS_LIVE,
        (name, "BINDING", "CONNECTED"),
        ("send", '{"event":"bind","feed":"F","feedId":"BTC-USD"}'),
    ]
    assert sent(account.up()) == ['{"event":"bind","feed":"O"}']
    assert account.frame('["O",0,"S",[]]')[-2:] == [live("orders"), live("deals")]
    books.frame(
        '["F","BTC-USD","S",[[[6000000000000,150000000]],[[6000100000000,80000000]]]]'
    )
    reply = '{"event":"request","reqId":2,"reply":{"id":1301,"clientOrderId":501}}'
    assert account.frame(reply) == []
    deal = account.frame(
        '["O",0,"D",["BTC-USD",2,0,0,1301,501,6000100000000,10000000,0,1709716100000,'
        "1709716100000,905,0,6000100000000,10000000,600010000000,0,42,0,0,0,0,0,0]]"
    )
    assert [words[:3] for words in deal] == [("deals", "EXECUTE", "1301")]
    assert books.frame('["F","BTC-USD","M",[[],[["M",6000100000000,70000000]]]]') == [
        (name, "UPDATE", "BTC-USD", ([], [(1, 6000100000000, 70000000)]))
    ]
    assert account.frame('{"event":"request","reqId":3,"error":76}') == []
    assert books.words(books.session.stop(Reason.STOPPED)) == [
        ("send", '{"event":"unbind","feed":"F","feedId":"BTC-USD"}'),
        (name, "ENDED", "STOPPED"),
        (STATUS, "ENDED", "STOPPED"),
    ]
    assert account.session.tally.control == 2


def test_replies_are_handed_to_the_hook() -> None:
    """A reply to a request goes to `on_reply`, and its events come out."""
    desk = Desk("orders").live()
    seen: list[object] = []

    def hook(message: Any) -> list[Any]:
        seen.append(message["reqId"])
        return []

    desk.session.on_reply = hook
    desk.frame('{"event":"request","reqId":7,"error":9,"param":"side"}')
    assert seen == [7]


def test_nothing_is_bound_before_the_status_is_0() -> None:
    """Binding waits for X 0 (reference 1.8)."""
    desk = Desk(F)
    assert sent(desk.opened()) == []
    assert sent(desk.tick(2.9)) == []
    assert sent(desk.frame(UP)) == [BIND[1]]


def test_no_status_within_3_s_gives_the_connection_up() -> None:
    """A connection without X is closed to reconnect (reference 1.8), once."""
    desk = Desk(F)
    desk.opened()
    assert desk.tick(3.1) == [
        ("close", "UNANSWERED", "no status message in time", False)
    ]
    assert desk.tick(1.0) == []


def test_a_venue_that_is_down_at_first_is_waited_for() -> None:
    """X with a failure right after connecting: bound, for the first time, when X is 0.

    A sequence begins with BINDING, so nothing is said of the book before.
    """
    desk = Desk(F)
    desk.opened()
    meaning = "not connected: a service of the venue is down"
    assert desk.frame(DOWN) == [
        (STATUS, "SNAPSHOT", "desk", ((2, meaning, False),)),
        (STATUS, "LIVE", "SNAPSHOT"),
    ]
    assert desk.tick(60) == []
    assert desk.frame(UP) == [
        (STATUS, "UPDATE", "desk", ((0, "ok", True),)),
        (F, "BINDING", "CONNECTED"),
        BIND,
    ]


def test_a_venue_that_goes_down_and_up_is_bound_afresh() -> None:
    """X not 0 makes all stale; X 0 unbinds and binds for snapshots (reference 1.8)."""
    desk = Desk(F).live(F_SNAPSHOT)
    assert desk.frame(DOWN)[1:] == [(F, "STALE", "VENUE_DOWN", DOWN_TEXT)]
    assert desk.frame('["F","BTC-EUR","M",[[],[]]]') == []
    assert desk.frame(UP)[1:] == [UNBIND]
    assert desk.frame(U) == [(F, "BINDING", "RESUBSCRIBED", "", 1), BIND]
    assert desk.frame(F_SNAPSHOT)[-1] == live(F)


def test_a_second_failure_code_does_not_repeat_the_marks() -> None:
    """While down, another code is a status record and nothing else."""
    desk = Desk(F).live(F_SNAPSHOT, DOWN)
    assert desk.frame('["X",0,"Z",10]') == [
        (STATUS, "UPDATE", "desk", ((10, "internal error", False),))
    ]


@pytest.mark.parametrize("code", ["34", "[34]", "103", "300", "777"])
def test_refused_bind_is_tried_again_much_later(code: str) -> None:
    """Z while binding is a refusal with number and meaning; numbers and arrays."""
    desk = Desk(F).live()
    ((name, state, reason, detail),) = desk.frame(z(code))
    assert (name, state, reason) == (F, "REFUSED", "VENUE_REFUSED")
    assert detail.startswith(code.strip("[]") + " (")
    assert desk.tick(59) == []
    assert desk.tick(1.1) == [(F, "BINDING", "RESUBSCRIBED"), BIND]


@pytest.mark.parametrize("code", [2, 10, 104])
def test_transient_refusals_are_tried_again_soon(code: int) -> None:
    """Transient codes retry by back-off (reference 11)."""
    desk = Desk(F).live()
    assert desk.frame(z(code))[0][1] == "REFUSED"
    assert desk.tick(0.3) == [(F, "BINDING", "RESUBSCRIBED"), BIND]


def test_an_older_binding_is_let_go_first() -> None:
    """Z 100 while binding: still bound, so unbind, then bind (reference 2.4)."""
    desk = Desk(F).live()
    assert desk.frame(z(100)) == [UNBIND]
    assert desk.frame(U) == [(F, "BINDING", "RESUBSCRIBED"), BIND]


def test_a_failed_unbind_counts_as_unbound() -> None:
    """Z while unbinding: nothing is bound, so bind (reference 2.3)."""
    desk = Desk(F).live(F_SNAPSHOT, CROSSING, z(5))
    assert desk.phases() == {F: "UNBINDING"}
    assert desk.frame(z(101)) == [(F, "BINDING", "RESUBSCRIBED"), BIND]


def test_late_answers_to_an_unbind_do_not_disturb_the_bind() -> None:
    """U and Z 101 while binding belong to the unbind before it."""
    desk = Desk(F).live(F_SNAPSHOT, z(5))
    assert desk.tick(2.1)[-1] == BIND
    assert desk.frame(U) == []
    assert desk.frame(z(101)) == []
    assert desk.frame(F_SNAPSHOT)[-1] == live(F)
    assert desk.words(desk.session.stop(Reason.STOPPED))[0] == UNBIND


def test_an_unasked_u_breaks_a_live_binding() -> None:
    """The venue let go: a gap, and bound again."""
    desk = Desk(F).live(F_SNAPSHOT)
    assert desk.frame(U) == [
        (F, "GAP", "UNSUBSCRIBED", "the venue let go unasked"),
        UNBIND,
    ]
    assert desk.frame(z(101))[-1] == BIND


def test_answers_without_a_question_are_ignored() -> None:
    """U and Z for a binding that waits change nothing."""
    desk = Desk(F).live(z(34))
    assert desk.frame(U) == []
    assert desk.frame(z(101)) == []
    assert desk.phases() == {F: "WAITING"}


def test_an_unanswered_bind_is_repeated_then_given_up() -> None:
    """No snapshot: unbind and bind again; after three binds the connection goes."""
    desk = Desk(F).live()
    assert desk.tick(5.1) == [UNBIND]
    assert desk.tick(2.1) == [(F, "BINDING", "RESUBSCRIBED"), BIND]
    assert desk.tick(5.1) == [UNBIND]
    assert desk.frame(U)[-1] == BIND
    gone = f"no answer to the bind of {F}"
    assert desk.tick(5.1) == [("close", "UNANSWERED", gone, False)]
    assert desk.tick(5.1) == []


def test_frames_between_unbind_and_bind_are_counted() -> None:
    """Frames that belong to no state are counted and announced with the next bind."""
    desk = Desk(F).live(F_SNAPSHOT, z(5))
    for _ in range(3):
        assert desk.frame('["F","BTC-EUR","M",[[],[]]]') == []
    assert desk.frame(U) == [(F, "BINDING", "RESUBSCRIBED", "", 3), BIND]
    assert desk.session.tally.discarded == 3


def test_updates_before_the_snapshot_are_not_believed() -> None:
    """A book update or list change while binding is discarded and counted."""
    desk = Desk(F).live()
    assert desk.frame('["F","BTC-EUR","M",[[["+",1,1]],[]]]') == []
    account = Desk("positions").live()
    assert account.frame('["K",0,"M",["EUR",1,2]]') == []
    assert desk.session.tally.discarded == account.session.tally.discarded == 1


def test_a_deal_before_the_snapshot_is_passed_on() -> None:
    """Deals are events, no snapshot repeats them: none is dropped for being early."""
    desk = Desk("orders").live()
    said = desk.frame('["O",0,"D",["BTC-USDT",4,0,0,4,0,0,1,0,1,1,1,0,6,8,5,0,87,0]]')
    assert [words[:3] for words in said] == [("deals", "EXECUTE", "4")]


def test_a_contradiction_rebinds_that_one_book() -> None:
    """An impossible change is a gap of one and a rebind; other books go on."""
    desk = Desk(F, B).live(F_SNAPSHOT, B_SNAPSHOT)
    said = desk.frame('["F","BTC-EUR","M",[[["M",7,1]],[]]]')
    fault = "set of unknown level 7"
    assert said == [(F, "GAP", "CONTRADICTION", fault, 1), UNBIND]
    assert desk.phases() == {F: "UNBINDING", B: "LIVE"}
    assert desk.session.tally.discarded == 1
    assert (
        desk.frame('["B","BTC-USD","M",[[],[["M",6000100000000,1]]]]')[0][1] == "UPDATE"
    )


def test_a_contradicting_snapshot_is_not_passed_on() -> None:
    """A snapshot with a level of size 0 is a gap, not a book."""
    desk = Desk(F).live()
    said = desk.frame('["F","BTC-EUR","S",[[[7,0]],[]]]')
    assert [words[1] for words in said] == ["GAP", UNBIND[1]]


def test_repeated_contradictions_are_spaced() -> None:
    """The second rebind within the stable period waits for the back-off."""
    desk = Desk(F).live(F_SNAPSHOT)
    bad = '["F","BTC-EUR","M",[[["M",7,1]],[]]]'
    desk.frame(bad)
    assert desk.frame(U)[-1] == BIND
    desk.frame(F_SNAPSHOT)
    desk.frame(bad)
    assert desk.frame(U) == []
    assert desk.tick(0.3)[-1] == BIND


def test_a_book_that_stays_crossed_is_rebound() -> None:
    """Crossed for more than 5 s: a contradiction."""
    desk = Desk(F).live(F_SNAPSHOT, CROSSING)
    assert desk.tick() == []
    assert desk.tick(4.9) == []
    fault = "crossed: bid 6000200000000 above ask 6000100000000"
    assert desk.tick(0.2) == [(F, "GAP", "CONTRADICTION", fault), UNBIND]


def test_the_crossed_limit_is_an_option() -> None:
    """`crossed_seconds` of the source replaces the 5 s."""
    desk = Desk(F, crossed_seconds=0.5).live(F_SNAPSHOT, CROSSING)
    desk.tick()
    assert desk.tick(0.6)[0][2] == "CONTRADICTION"


def test_a_silent_book_is_stale_and_rebound() -> None:
    """120 s without a frame: stale, unbind, bind; data starts the time anew."""
    desk = Desk(F).live(F_SNAPSHOT)
    assert desk.tick(119) == []
    desk.frame('["F","BTC-EUR","M",[[],[]]]')
    assert desk.tick(119) == []
    assert desk.tick(1.1) == [
        (F, "STALE", "SILENT", "no data for more than 120000 ms"),
        UNBIND,
    ]


def test_lists_may_be_silent_unless_told_otherwise() -> None:
    """An account may be quiet for ever; a limit can be set."""
    assert Desk("orders").live('["O",0,"S",[]]').tick(1e6) == []
    desk = Desk(wanted("orders", stale_after_ms=1000)).live('["O",0,"S",[]]')
    assert [words[1] for words in desk.tick(1.1)][:2] == ["STALE", "STALE"]


def test_books_are_repeated_within_each_refresh_interval() -> None:
    """Every live book is written whole once an interval, each at a time of its own."""
    desk = Desk(F, B, refresh_s=30).live(F_SNAPSHOT, B_SNAPSHOT, CROSSING)
    desk.frame('["F","BTC-EUR","M",[[["-",6000200000000]],[]]]')
    found = [(s, words) for s in range(60) for words in desk.tick(1.0)]
    assert [(s, words[:2]) for s, words in found] == [
        (15, (F, "REFRESH")),
        (30, (B, "REFRESH")),
        (45, (F, "REFRESH")),
    ]
    assert found[0][1][2:] == (
        "BTC-EUR",
        (
            [(0, 6000000000000, 150000000), (0, 5999900000000, 20000000)],
            [(0, 6000100000000, 80000000)],
        ),
    )


def test_a_book_that_is_not_live_is_not_repeated() -> None:
    """A refresh says that the book is true; a stale one is not."""
    desk = Desk(F, refresh_s=1).live(F_SNAPSHOT, DOWN)
    assert desk.tick(5) == []


def test_a_refreshed_book_starts_anew_after_a_rebind() -> None:
    """After a rebind the book is repeated within one interval again."""
    desk = Desk(F, refresh_s=30).live(F_SNAPSHOT, z(5), U, F_SNAPSHOT)
    assert desk.tick(1) == []
    assert [words[1] for words in desk.tick(30)] == ["REFRESH"]


def test_json_ping_is_an_option() -> None:
    """`{"event":"ping"}` each 60 s if asked for; a pong is read (reference 1.7)."""
    desk = Desk("orders", json_ping=True).live('["O",0,"S",[]]')
    ping = ("send", '{"event":"ping"}')
    assert [desk.tick(30) for _ in range(4)] == [[], [ping], [], [ping]]
    assert desk.frame('{"event":"pong"}') == []
    assert Desk("orders").live('["O",0,"S",[]]').tick(61) == []


def test_inband_login_waits_for_the_answer() -> None:
    """The legacy login follows X 0; binding follows its success (reference 1.5)."""
    desk = Desk(F, login="inband")
    assert desk.session.handshake(desk.now).headers == ()
    desk.opened()
    said = desk.frame(UP)
    assert said[:2] == STATUS_LIVE
    (login,) = sent(said)
    assert json.loads(login)["event"] == "auth"
    assert json.loads(json.loads(login)["content"])["timestamp"] == 1709717000000
    assert desk.frame('{"event":"auth"}') == [(F, "BINDING", "CONNECTED"), BIND]
    assert desk.frame('{"event":"auth"}') == []


@pytest.mark.parametrize(("code", "refused"), [(14, True), (6, False), (999, False)])
def test_inband_login_refused(code: int, refused: bool) -> None:
    """A refused login closes; permanent codes need a person."""
    desk = Desk(F, login="inband")
    desk.up()
    ((what, reason, detail, stop),) = desk.frame(f'{{"event":"auth","error":{code}}}')
    assert (what, reason, stop) == ("close", "VENUE_REFUSED", refused)
    assert f"{code} (" in detail


def test_inband_login_unanswered() -> None:
    """No answer to the login within 5 s gives the connection up."""
    desk = Desk(F, login="inband")
    desk.up()
    assert desk.tick(4.9) == []
    assert desk.tick(0.2)[0][:3] == (
        *("close", "UNANSWERED", "no answer to the login in time"),
    )


def test_a_failed_upgrade_is_an_error_of_ours() -> None:
    """`refused` reads the code whatever the status (reference 1.6)."""
    error = Desk(F).session.refused(400, b'{"error":14}')
    assert isinstance(error, VenueRefused)
    assert error.source == "desk"


def test_lost_records_are_a_gap_of_their_subscription() -> None:
    """The count stands on the one that lost them; all channels of it are rebound."""
    desk = Desk("orders").live('["O",0,"S",[]]')
    assert desk.lost("deals", 4) == [
        ("orders", "GAP", "DELIVERY_FAILED", "not acked"),
        ("deals", "GAP", "DELIVERY_FAILED", "not acked", 4),
        ("send", '{"event":"unbind","feed":"O"}'),
    ]


def test_a_lost_status_is_stated_again() -> None:
    """The status has no bind: the gap is healed by saying it again."""
    desk = Desk(F).live(F_SNAPSHOT)
    assert desk.lost(STATUS, 1) == [
        (STATUS, "GAP", "DELIVERY_FAILED", "not acked", 1),
        *STATUS_LIVE,
    ]


def test_a_status_lost_before_it_came_is_only_a_gap() -> None:
    """There is nothing to state again."""
    desk = Desk(F)
    desk.opened()
    assert desk.lost(STATUS, 1) == [(STATUS, "GAP", "DELIVERY_FAILED", "not acked", 1)]


def test_heal_before_the_status_binds_nothing() -> None:
    """Cut and healed before X 0: the bind still waits for X 0."""
    desk = Desk(F)
    desk.opened()
    assert desk.cut() == desk.heal() == []
    assert desk.frame(UP)[-1] == BIND


def test_cut_and_heal() -> None:
    """Kafka away: unbind and read on; back: what was lost, and a fresh snapshot."""
    desk = Desk(F).live(F_SNAPSHOT)
    assert desk.cut() == [UNBIND]
    assert desk.frame('["F","BTC-EUR","M",[[],[]]]') == []
    assert desk.frame(U) == []
    assert desk.tick(60) == []
    assert desk.heal() == [
        (F, "GAP", "KAFKA_SLOW", "", 1),
        (F, "BINDING", "RESUBSCRIBED"),
        BIND,
    ]
    assert desk.frame(F_SNAPSHOT)[-1] == live(F)


def test_heal_waits_for_the_unbind() -> None:
    """Healed before the venue has answered: the bind follows its answer."""
    desk = Desk(F).live(F_SNAPSHOT)
    desk.cut()
    assert desk.heal() == [(F, "GAP", "KAFKA_SLOW")]
    assert desk.frame(U)[-1] == BIND


def test_cut_before_the_status_binds_only_after_heal() -> None:
    """Nothing is bound while Kafka is away, even if X 0 comes then."""
    desk = Desk(F)
    desk.opened()
    assert desk.cut() == []
    assert sent(desk.frame(UP)) == []
    assert desk.heal() == [(F, "BINDING", "CONNECTED"), BIND]


def test_heal_while_the_venue_is_down() -> None:
    """Kafka back but the venue away: the gap is told, the bind waits for X 0."""
    desk = Desk(F).live(F_SNAPSHOT)
    desk.cut()
    desk.frame(U)
    desk.frame(DOWN)
    assert desk.heal() == [
        (F, "GAP", "KAFKA_SLOW"),
        (F, "STALE", "VENUE_DOWN", DOWN_TEXT),
    ]
    assert desk.frame(UP)[-1] == BIND


def test_down_and_up_while_cut_binds_nothing() -> None:
    """X 0 while Kafka is away waits for `heal`."""
    desk = Desk(F).live(F_SNAPSHOT)
    desk.cut()
    desk.frame(U)
    desk.frame(DOWN)
    assert sent(desk.frame(UP)) == []
    assert desk.heal()[-1] == BIND


def test_stop_unbinds_only_what_is_held() -> None:
    """Planned end: unbinds first, then the last marks; a refused book is not held."""
    desk = Desk(F, B).live(F_SNAPSHOT, '["B","BTC-USD","Z",3]')
    assert desk.words(desk.session.stop(Reason.STOPPED)) == [
        UNBIND,
        (F, "ENDED", "STOPPED"),
        (B, "ENDED", "STOPPED"),
        (STATUS, "ENDED", "STOPPED"),
    ]
    assert desk.tick(100) == []


def test_a_lost_connection_ends_every_sequence_behind_a_gap() -> None:
    """Unplanned end: GAP and ENDED for each, with what is known to be lost."""
    desk = Desk(F).live(F_SNAPSHOT, z(5), '["F","BTC-EUR","M",[[],[]]]')
    assert desk.words(desk.session.closed("1006")) == [
        (F, "GAP", "CONNECTION_LOST", "1006", 1),
        (F, "ENDED", "CONNECTION_LOST", "1006"),
        (STATUS, "GAP", "CONNECTION_LOST", "1006"),
        (STATUS, "ENDED", "CONNECTION_LOST", "1006"),
    ]


def test_nothing_is_ended_that_was_not_begun() -> None:
    """A connection lost before X 0 has no sequence but the status's."""
    desk = Desk(F)
    desk.opened()
    ended = desk.words(desk.session.closed("1006"))
    assert {words[0] for words in ended} == {STATUS}


def test_two_view_only_books_of_one_instrument() -> None:
    """Objects tell them apart; a name alone would not, so it is not believed."""
    first = wanted(MD, label="a", makers=[1])
    second = wanted(MD, label="b", makers=[2])
    desk = Desk(first, second).live()
    said = desk.frame('["MD",{"makers":[2],"instrument":"BTC-USD"},"S",[[],[]]]')
    assert [words[0] for words in said] == [f"{MD}#b", f"{MD}#b"]
    assert desk.frame('["MD","BTC-USD","S",[[],[]]]')[0][2] == "UNKNOWN_SUBSCRIPTION"


def test_a_name_belongs_to_the_binding_by_name() -> None:
    """A master's book by object does not take the messages of the one by name."""
    own, other = F, wanted(F, label="sub", client_id=5)
    desk = Desk(own, other).live()
    assert {words[0] for words in desk.frame(F_SNAPSHOT)} == {F}
    echoed = F_SNAPSHOT.replace(
        '"F","BTC-EUR"', '"F",{"instrument":"BTC-EUR","clientId":5}'
    )
    assert {words[0] for words in desk.frame(echoed)} == {f"{F}#sub"}


def test_an_overflow_is_rebound_once_and_then_trimmed() -> None:
    """A server that sends no removals at the 25-level edge is lived with (3.2)."""
    levels = json.dumps([[100 - n, 1] for n in range(25)])
    full = f'["F","BTC-EUR","S",[{levels},[]]]'
    above = '["F","BTC-EUR","M",[[["+",101,1]],[]]]'
    desk = Desk(F).live(full)
    assert desk.frame(above)[0][1:3] == ("GAP", "CONTRADICTION")
    desk.frame(U)
    desk.frame(full)
    assert desk.frame(above)[0][1] == "UPDATE"
    assert desk.frame('["F","BTC-EUR","M",[[["-",76,1]],[]]]')[0][1] == "UPDATE"


def test_describe_is_ready_for_json() -> None:
    """Name, phase, age and top of book, for a person."""
    desk = Desk(F, B).live(F_SNAPSHOT)
    desk.tick(1.5)
    described = json.loads(json.dumps(desk.session.describe(desk.now)))
    assert described == [
        {
            "name": F,
            "phase": "LIVE",
            "age_ms": 1500,
            "top": {
                "bid": [6000000000000, 150000000],
                "ask": [6000100000000, 80000000],
            },
        },
        {"name": B, "phase": "BINDING", "age_ms": None, "top": None},
    ]
    assert desk.session.positions() == {}
