"""What every venue's session must do, whatever its venue says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from bridge.core.model import Close, Data, Event, Mark, Reason, Send, State, Unreadable
from bridge.errors import VenueRefused, VenueUnreachable
from tests.conformance.cases import CASES, Talk

# Which state may follow which on one subscription; None is the start.
LEGAL: dict[State | None, set[State]] = {
    None: {State.BINDING},
    State.BINDING: {
        *(State.SNAPSHOT_BEGIN, State.LIVE, State.REFUSED),
        *(State.GAP, State.STALE, State.BINDING, State.ENDED),
    },
    State.SNAPSHOT_BEGIN: {State.LIVE, State.GAP, State.ENDED},
    State.LIVE: {
        *(State.STALE, State.GAP, State.REFUSED),
        *(State.ENDED, State.SNAPSHOT_BEGIN),
    },
    State.STALE: {State.BINDING, State.LIVE, State.GAP, State.REFUSED, State.ENDED},
    State.GAP: {State.BINDING, State.LIVE, State.STALE, State.GAP, State.ENDED},
    State.REFUSED: {State.BINDING, State.GAP, State.ENDED},
    State.ENDED: set(),
}


@pytest.fixture(params=sorted(CASES))
def talk(request: pytest.FixtureRequest) -> Talk:
    """Hand out a conversation with each venue in turn."""
    return Talk(CASES[request.param])


@pytest.fixture(params=sorted(CASES))
def pair(request: pytest.FixtureRequest) -> Talk:
    """Hand out a conversation about two bindings with each venue in turn."""
    case = CASES[request.param]
    return Talk(case, case.sibling.name)


def test_it_asks_and_says_so_before_anything_else(talk: Talk) -> None:
    """BINDING is the first record of a sequence and comes before the request."""
    talk.open()

    assert talk.states() == [State.BINDING]
    asked = next(i for i, e in enumerate(talk.said) if _asks(e))
    marked = next(i for i, e in enumerate(talk.said) if _marks(e, talk))
    assert marked < asked


def _asks(event: Event) -> bool:
    words = ('"bind"', '"subscribe"')
    return isinstance(event, Send) and any(word in event.text for word in words)


def _marks(event: Event, talk: Talk) -> bool:
    return isinstance(event, Mark) and talk.ours(event)


def test_live_comes_after_the_snapshot(talk: Talk) -> None:
    """Nothing is marked live before its snapshot has been passed on."""
    talk.live()

    order = [e for e in talk.said if isinstance(e, Mark | Data) and talk.ours(e)]
    live = next(
        i for i, e in enumerate(order) if isinstance(e, Mark) and e.state is State.LIVE
    )
    assert any(isinstance(e, Data) for e in order[:live])


def test_updates_follow_and_every_frame_is_counted(talk: Talk) -> None:
    """A frame is data, control, unreadable or discarded: exactly one of them."""
    talk.live()
    talk.seconds += 1
    caused = talk.hear(talk.case.update)

    assert any(isinstance(e, Data) for e in caused)
    assert talk.tally.frames == talk.frames


def test_a_refused_subscription_is_marked_and_tried_again_late(talk: Talk) -> None:
    """The venue's reason is in the boundary; it is not asked again at once."""
    talk.open()
    talk.hear(talk.case.refusal)
    sent = len(talk.sends())
    talk.wait(5)

    assert talk.states()[-1] is State.REFUSED
    assert len(talk.sends()) == sent
    talk.wait(60)
    assert talk.states()[-1] is State.BINDING


def test_noise_is_a_dead_letter_and_the_feed_goes_on(talk: Talk) -> None:
    """A frame that cannot be read harms nothing but itself."""
    talk.live()
    caused = talk.hear("no json at all")
    talk.seconds += 1
    after = talk.hear(talk.case.update)

    assert [type(e) for e in caused] == [Unreadable]
    assert any(isinstance(e, Data) for e in after)
    assert talk.tally.unreadable == 1


def test_an_unanswered_request_is_repeated_then_the_connection_given_up(
    talk: Talk,
) -> None:
    """Connected but silent is noticed from the first second after the request."""
    talk.open()
    first = len(talk.sends())
    talk.wait(60)

    assert len(talk.sends()) > first
    assert any(isinstance(e, Close) for e in talk.said)
    assert State.LIVE not in talk.states()


def test_lost_records_are_a_gap_and_a_fresh_snapshot(talk: Talk) -> None:
    """What Kafka never took is announced with its number, then bound again."""
    talk.live()
    channel = talk.plan.bindings[0].channels[0]
    talk.take(talk.session.lost(channel, 17, talk.now(), "MSG_TIMED_OUT"))
    for text in talk.case.unsubscribed:
        talk.hear(text)
    talk.wait(3)

    gap = next(e for e in talk.said if isinstance(e, Mark) and e.state is State.GAP)
    assert (gap.reason, gap.lost) == (Reason.DELIVERY_FAILED, 17)
    assert State.BINDING in talk.states()[talk.states().index(State.GAP) :]
    talk.hear(talk.case.snapshot)
    assert talk.states()[-1] is State.LIVE


def test_while_cut_frames_are_counted_and_announced_when_healed(talk: Talk) -> None:
    """Frames that come while Kafka is away are lost, but with their number."""
    talk.live()
    talk.take(talk.session.cut(talk.now()))
    assert any(talk.case.unbind in text for text in talk.sends())
    talk.hear(talk.case.update)
    talk.seconds += 1
    talk.hear(talk.case.update)
    before = len(talk.said)
    talk.wait(30)
    assert [e for e in talk.said[before:] if isinstance(e, Send | Data)] == []

    talk.take(talk.session.heal(talk.now()))
    talk.wait(3)

    gap = [e for e in talk.said if isinstance(e, Mark) and e.state is State.GAP]
    assert (gap[0].reason, gap[0].lost) == (Reason.KAFKA_SLOW, 2)
    assert talk.states()[-1] is State.BINDING
    assert talk.tally.discarded == 2
    talk.hear(talk.case.snapshot)
    assert talk.states()[-1] is State.LIVE


def test_a_lost_connection_ends_every_sequence_behind_a_gap(talk: Talk) -> None:
    """Whatever was missed is announced; ENDED is the last record."""
    talk.live()
    talk.take(talk.session.closed("reset by peer"))

    for channel in range(len(talk.plan.subscriptions)):
        marks = [e for e in talk.said if isinstance(e, Mark) and e.channel == channel]
        assert [m.state for m in marks[-2:]] == [State.GAP, State.ENDED]
        assert marks[-1].reason is Reason.CONNECTION_LOST


def test_a_planned_stop_lets_go_and_ends_without_a_gap(talk: Talk) -> None:
    """The venue is told, and every subscription ends with the given reason."""
    talk.live()
    before = len(talk.said)
    talk.take(talk.session.stop(Reason.STOPPED))

    after = talk.said[before:]
    assert any(isinstance(e, Send) and talk.case.unbind in e.text for e in after)
    ended = [e for e in after if isinstance(e, Mark)]
    assert {(e.state, e.reason) for e in ended} == {(State.ENDED, Reason.STOPPED)}
    assert len(ended) == len(talk.plan.subscriptions)


def _lose(talk: Talk) -> None:
    channel = talk.plan.bindings[0].channels[0]
    talk.take(talk.session.lost(channel, 1, talk.now(), "MSG_TIMED_OUT"))


# How far a binding gets before it is dropped.
WAYS: dict[str, list[Callable[[Talk], object]]] = {
    "idle": [],
    "binding": [Talk.open],
    "waiting": [Talk.open, lambda talk: talk.hear(talk.case.refusal)],
    "live": [Talk.live],
    "unbinding": [Talk.live, _lose],
    "cut": [Talk.live, lambda talk: talk.take(talk.session.cut(talk.now()))],
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_dropped_binding_is_out_for_good(pair: Talk, way: str) -> None:
    """It ends once, with the reason; nothing revives, marks or shows it again."""
    for step in WAYS[way]:
        step(pair)
    name, channels = pair.plan.bindings[0].name, pair.plan.bindings[0].channels
    told = pair.take(pair.session.drop({name, "unknown"}, Reason.MOVED))
    ends = [] if way == "idle" else [(c, State.ENDED, Reason.MOVED) for c in channels]

    assert [(e.channel, e.state, e.reason) for e in _marked(told)] == ends
    assert list(pair.session.drop([name], Reason.MOVED)) == []

    before = len(pair.said)
    if way == "idle":
        pair.open()
    for text in (pair.case.snapshot, pair.case.update, pair.case.snapshot):
        pair.hear(text)
    assert pair.tally.discarded >= 3
    for text in (*pair.case.unsubscribed, pair.case.refusal, *pair.case.greeting):
        pair.hear(text)
    assert pair.tally.discarded + pair.tally.control >= 4
    pair.wait(70)
    _lose(pair)
    pair.take(pair.session.cut(pair.now()))
    pair.take(pair.session.heal(pair.now()))
    pair.wait(10)
    pair.hear(pair.case.update)
    shown = repr([pair.session.describe(pair.now()), pair.session.positions()])
    pair.take(pair.session.stop(Reason.STOPPED))

    later = pair.said[before:]
    of_it = [e for e in later if isinstance(e, Mark | Data) and e.channel in channels]
    assert of_it == []
    assert [e for e in later if isinstance(e, Unreadable)] == []
    assert [
        e.text for e in later if isinstance(e, Send) and pair.case.word in e.text
    ] == []
    assert repr(name) not in shown
    assert pair.tally.frames == pair.frames


def _marked(events: list[Event]) -> list[Mark]:
    return [e for e in events if isinstance(e, Mark)]


def test_a_dropped_binding_is_unbound_and_its_sibling_goes_on(pair: Talk) -> None:
    """One request to the venue, first of all; the other binding stays live."""
    pair.live()
    sibling = pair.case.sibling
    pair.hear(sibling.snapshot)
    pair.seconds += 1
    told = pair.take(pair.session.drop({pair.plan.bindings[0].name}, Reason.MOVED))
    for text in pair.case.unsubscribed:
        assert pair.hear(text) == []
    pair.seconds += 1
    caused = [*pair.hear(sibling.update), *pair.wait(1)]

    assert isinstance(told[0], Send)
    assert pair.case.unbind in told[0].text
    assert pair.case.word in told[0].text
    assert len([e for e in told if isinstance(e, Send)]) == 1
    assert [e.channel for e in caused if isinstance(e, Data)] == [
        pair.plan.bindings[1].channels[0]
    ]
    assert _marked(caused) == []
    assert [d["name"] for d in pair.session.describe(pair.now())] == [sibling.name]


def test_a_dropped_binding_ends_before_the_connection_does(pair: Talk) -> None:
    """A loss of the connection ends the others alone; a drop comes too late then."""
    pair.live()
    first, second = pair.plan.bindings
    pair.take(pair.session.drop([first.name], Reason.UNSUBSCRIBED))
    ended = {e.channel for e in _marked(pair.take(pair.session.closed("reset")))}

    assert ended == set(range(len(pair.plan.subscriptions))) - set(first.channels)
    assert list(pair.session.drop([second.name], Reason.MOVED)) == []


def test_states_follow_each_other_legally_in_a_long_life(talk: Talk) -> None:
    """Through refusal, loss, cut and end, no illegal change of state is written."""
    talk.open()
    talk.hear(talk.case.refusal)
    talk.wait(61)
    talk.hear(talk.case.snapshot)
    talk.take(talk.session.lost(talk.plan.bindings[0].channels[0], 1, talk.now(), "x"))
    talk.wait(70)
    talk.hear(talk.case.snapshot)
    talk.take(talk.session.cut(talk.now()))
    talk.wait(5)
    talk.take(talk.session.heal(talk.now()))
    talk.wait(5)
    talk.take(talk.session.closed("over"))

    chain: list[State | None] = [None, *talk.states()]
    for before, after in pairwise(chain):
        assert after in LEGAL[before], chain


def test_the_login_is_in_no_text_that_people_see(talk: Talk) -> None:
    """Secrets appear in the handshake alone, never in events, errors or status."""
    talk.live()
    talk.hear("noise")
    refusal = talk.session.refused(401, b'{"error":3,"echo":"secret-1"}')
    seen = [repr(e) for e in talk.said] + [repr(talk.session.describe(talk.now()))]

    assert not [text for text in seen if "secret-1" in text]
    assert isinstance(refusal, VenueRefused)
    assert "secret-1" not in str(refusal)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_venue_that_is_down_is_no_refusal(talk: Talk, status: int) -> None:
    """Server errors on the upgrade are tried again, not given up."""
    assert isinstance(talk.session.refused(status, b""), VenueUnreachable)
