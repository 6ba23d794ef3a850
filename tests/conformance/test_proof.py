"""What sessions may do is sound to `verify`: their records prove complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from bridge.core.lifecycle import Phase
from bridge.core.model import Data, Mark, State
from tests.conformance.cases import CASES, START_MS, Talk
from tests.conformance.proof import proof
from tests.conformance.test_sessions import LEGAL

DEAL = '["O",0,"D",["BTC-USD",4,0,0,1234,0,0,1,0,1,1,1,0,6,8,5,0,87,0]]'
OLD = f'{{"type":"value","time":{START_MS - 60_000},"id":"BRTI","value":"1"}}'


def refuse(talk: Talk) -> None:
    """Let the venue refuse the binding under test, bound or not."""
    talk.hear(talk.case.refusal)


def updates(talk: Talk, count: int = 2) -> None:
    """Let data come, a second apart."""
    for _ in range(count):
        talk.seconds += 1
        talk.hear(talk.case.update)


def lose(talk: Talk) -> None:
    """Report a record that Kafka did not take."""
    channel = talk.plan.bindings[0].channels[0]
    talk.take(talk.session.lost(channel, 1, talk.now(), "MSG_TIMED_OUT"))


def live(talk: Talk) -> None:
    """Go through a snapshot to live."""
    talk.live()
    updates(talk)


def early_deal(talk: Talk) -> None:
    """A deal comes before the snapshot of its orders."""
    talk.open()
    talk.hear(DEAL)
    talk.hear(talk.case.snapshot)
    talk.hear(DEAL)


def deal_of_the_old_bind(talk: Talk) -> None:
    """An unbind is not answered in time; then a deal of the old bind comes."""
    live(talk)
    lose(talk)
    talk.wait(2.5)
    assert talk.states()[-1] is State.BINDING
    talk.hear(DEAL)
    talk.hear(talk.case.snapshot)


def refused_while_live(talk: Talk) -> None:
    """A live subscription is refused, and data come in spite of it."""
    live(talk)
    refuse(talk)
    assert talk.states()[-1] is State.REFUSED
    updates(talk)


def refused_at_once(talk: Talk) -> None:
    """The first answer is a refusal, and then the first data come."""
    talk.open()
    refuse(talk)
    updates(talk)
    talk.wait(61)
    talk.hear(talk.case.snapshot)


def refused_while_stale(talk: Talk) -> None:
    """Data become too old, so the subscription is stale; then it is refused."""
    live(talk)
    for _ in range(15):
        talk.hear(OLD)
        talk.wait(1)
    assert talk.states()[-1] is State.STALE
    refuse(talk)
    assert talk.states()[-1] is State.REFUSED
    updates(talk)


def old_from_the_first(talk: Talk) -> None:
    """Two values that are too old come between two ticks, right after the subscribe."""
    talk.open()
    talk.hear(OLD)
    talk.hear(OLD)
    assert talk.states() == [State.BINDING]
    talk.wait(1)


def unanswered(talk: Talk) -> None:
    """Nobody answers; while the next attempt waits, values come after all."""
    talk.open()
    while talk.session.describe(talk.now())[0]["phase"] != Phase.WAITING.name:
        talk.wait(0.1)
    assert talk.states()[-1] is State.BINDING
    updates(talk)


LIVES: Mapping[str, tuple[str, Callable[[Talk], None]]] = {
    "book": ("finery-book", live),
    "list": ("finery-list", live),
    "early deal": ("finery-list", early_deal),
    "deal of the old bind": ("finery-list", deal_of_the_old_bind),
    "value": ("cfbenchmarks", live),
    "refused while live": ("cfbenchmarks", refused_while_live),
    "refused at once": ("cfbenchmarks", refused_at_once),
    "refused while stale": ("cfbenchmarks", refused_while_stale),
    "old from the first": ("cfbenchmarks", old_from_the_first),
    "unanswered": ("cfbenchmarks", unanswered),
}


@pytest.mark.parametrize("name", sorted(LIVES))
def test_a_life_is_complete_to_verify(name: str) -> None:
    """Each life has data and an end, and is legal and complete."""
    case, story = LIVES[name]
    talk = Talk(CASES[case])
    story(talk)
    talk.take(talk.session.closed("over"))
    results = proof(talk.plan, talk.said)

    assert any(isinstance(event, Data) for event in talk.said)
    assert {result.state for result in results} == {"ENDED"}
    assert [line for result in results for line in result.examples] == []
    assert all(result.complete for result in results)
    for channel in range(len(talk.plan.subscriptions)):
        marks = [e for e in talk.said if isinstance(e, Mark) and e.channel == channel]
        chain: list[State | None] = [None, *(mark.state for mark in marks)]
        for before, after in pairwise(chain):
            assert after in LEGAL[before], chain
