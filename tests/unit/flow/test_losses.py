"""Undelivered records become announced gaps."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from bridge.core.model import Binding, Mark, Plan, Reason, State
from bridge.edge.fates import Left
from bridge.flow.losses import Losses
from tests.unit.flow.fakes import (
    PLAN,
    STATUS,
    FakeTransport,
    ScriptedSession,
    World,
)

BOUND = Binding(name="book.tradable:BTC-USD", request={}, channels=(1,))
SHARE = msgspec.structs.replace(PLAN, bindings=(BOUND,))
ORDERS = msgspec.structs.replace(PLAN, name="orders@w1", bindings=())
KEY = "desk/book.tradable:BTC-USD"


class Failed(NamedTuple):
    """A failed delivery."""

    topic: str
    key: bytes
    value: bytes
    code: str = "MSG_TIMED_OUT"
    text: str = "timed out"


def losing() -> tuple[World, ScriptedSession, Losses]:
    """Return a world with one connection and a place for losses."""
    session = ScriptedSession()
    world = World(session)
    states = world.states
    losses = Losses(
        world.connections,
        lambda value: ("desk", value.decode(), "conn-1"),
        lambda: states,
        "dead",
        world.log,
    )
    return world, session, losses


def join(world: World, session: ScriptedSession) -> None:
    """Open a connection."""
    connection = world.connection(PLAN, session)
    connection.attach(FakeTransport(), world.clock.now())
    world.connections.add(connection)


def test_lost_records_are_announced_once_with_their_count() -> None:
    """Failures are gathered by subscription and reported from the pulse."""
    world, session, losses = losing()
    join(world, session)
    for _ in range(3):
        losses.failed(Failed("t", b"k", b"book.tradable:BTC-USD"))
    losses.drain(world.clock.now())
    losses.drain(world.clock.now())

    assert session.calls[1:] == ["lost 1 3 MSG_TIMED_OUT"]


def test_losses_wait_for_the_next_connection() -> None:
    """A loss while reconnecting is announced on the connection that follows."""
    world, session, losses = losing()
    losses.plans = lambda: [PLAN]
    losses.failed(Failed("t", b"k", b"book.tradable:BTC-USD"))
    losses.drain(world.clock.now())
    join(world, session)
    losses.drain(world.clock.now())

    assert session.calls[-1] == "lost 1 1 MSG_TIMED_OUT"
    assert [event for event, _ in world.logged if "lost" in event] == ["lost"]


def test_another_connection_tells_under_which_one_the_records_were_lost() -> None:
    """It has lost nothing itself."""
    world, session, losses = losing()
    world.connection(PLAN, session)  # conn-1, which is over
    join(world, session)
    losses.failed(Failed("t", b"k", b"book.tradable:BTC-USD"))
    losses.drain(world.clock.now())

    assert session.calls[-1] == "lost 1 1 MSG_TIMED_OUT, under connection conn-1"


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (Failed("t", b"k", b"book.tradable:BTC-USD"), "book.tradable:BTC-USD"),
        (Failed("dead", b"desk/books-1@7", b"raw"), "books-1@7"),
    ],
)
def test_losses_of_what_no_longer_runs_here_are_logged_once_and_announced_never(
    failure: Failed, name: str
) -> None:
    """Its share has gone: should it come back, its new connections lost nothing."""
    world, session, losses = losing()
    losses.plans = lambda: [msgspec.structs.replace(PLAN, subscriptions=(STATUS,))]
    losses.failed(failure)
    losses.failed(failure)
    for _ in range(2):
        losses.drain(world.clock.now())
    [told] = [facts for event, facts in world.logged if event == "lost_unannounced"]
    assert (told["subscription"], told["count"]) == (name, 2)

    losses.plans = lambda: [PLAN]
    join(world, session)
    losses.drain(world.clock.now())
    assert session.calls == ["opened"]


def test_a_lost_dead_letter_is_a_gap_of_its_origin() -> None:
    """The key of a dead letter names the subscription, or else the connection."""
    world, session, losses = losing()
    join(world, session)
    losses.failed(Failed("dead", b"desk/books-1", b"raw"))
    losses.drain(world.clock.now())

    assert session.calls[-1] == "lost 0 1 MSG_TIMED_OUT"


def test_a_lost_feed_state_is_sent_again() -> None:
    """The newest state of a subscription is repeated, not announced as a gap."""
    world, session, losses = losing()
    losses.plans = lambda: [PLAN]
    states = losses._states()
    join(world, session)
    connection = next(iter(world.connections))
    lane = connection.outlet.lanes[1]
    mark = Mark(1, State.LIVE, Reason.SNAPSHOT)
    states.write(lane, "conn-1", mark, 1_000)
    sent = world.kafka.sent[-1]
    losses.failed(Failed("states", sent[2], sent[1]))
    losses.failed(Failed("states", sent[2], b"older"))
    assert world.kafka.sent.count(sent) == 1  # not from within a delivery report
    losses.drain(world.clock.now())
    losses.drain(world.clock.now())

    assert world.kafka.sent.count(sent) == 2
    assert len([r for r in world.kafka.sent if r[0] == "states"]) == 2


def test_a_feed_state_that_is_refused_at_once_is_sent_once_a_second() -> None:
    """Kafka may refuse for good: a topic is gone, a right was withdrawn."""
    world, session, losses = losing()
    losses.plans = lambda: [PLAN]
    join(world, session)
    lane = next(iter(world.connections)).outlet.lanes[1]
    losses._states().write(lane, "conn-1", Mark(1, State.LIVE, Reason.SNAPSHOT), 1_000)
    sent = world.kafka.sent[-1]
    for _ in range(100):  # 2 s of pulses
        losses.failed(Failed("states", sent[2], sent[1]))
        losses.drain(world.clock.now())
        world.clock.step(0.02)

    assert world.kafka.sent.count(sent) == 3
    told = [facts for event, facts in world.logged if event == "feed_state_lost"]
    assert [one["count"] for one in told] == [1, 50]


@pytest.mark.parametrize(
    ("plan", "mark", "runs", "times"),
    [
        (SHARE, Mark(1, State.LIVE, Reason.SNAPSHOT), True, 2),
        (SHARE, Mark(1, State.LIVE, Reason.SNAPSHOT), False, 1),
        (SHARE, Mark(1, State.ENDED, Reason.MOVED), False, 1),
        (SHARE, Mark(1, State.ENDED, Reason.UNSUBSCRIBED), False, 2),
        (SHARE, Mark(1, State.ENDED, Reason.STOPPED), False, 1),
        (ORDERS, Mark(1, State.LIVE, Reason.CONNECTED), False, 2),
    ],
)
def test_a_lost_feed_state_of_what_has_another_writer_is_not_sent_again(
    plan: Plan, mark: Mark, times: int, *, runs: bool
) -> None:
    """The other worker's newer state would lie below it, for as long as that holds."""
    world, session, losses = losing()
    losses.plans = lambda: [SHARE]
    outlet = world.connection(plan, session).outlet
    outlet._states = losses._states()
    outlet.mark(mark, 1_000)
    sent = world.kafka.sent[-1]
    losses.failed(Failed("states", sent[2], sent[1]))
    losses.plans = lambda: [SHARE] if runs else []
    for _ in range(3):
        world.clock.step(1.0)
        losses.drain(world.clock.now())

    assert world.kafka.sent.count(sent) == times
    told = [facts for event, facts in world.logged if event == "feed_state_given_up"]
    assert told == ([] if times > 1 else [{"level": "warning", "key": KEY}])


RECORD = Failed("t", b"k", b"book.tradable:BTC-USD")
NOTHING = Left(0, 0, {})


def test_what_a_stop_loses_is_told_and_counted() -> None:
    """Nobody announces it any more; what was told before the stop is not its loss."""
    world, _, losses = losing()
    losses.failed(RECORD)
    losses.drain(world.clock.now())
    losses.stopping()
    losses.failed(RECORD)
    losses.drain(world.clock.now())
    losses.failed(RECORD)
    losses.failed(Failed("dead", b"desk/x", b"frame"))
    world.logged.clear()

    left = losses.close(Left(2, 200, {"t": 1, "u": 1}))
    lost = 2 * len(RECORD.key + RECORD.value) + len(b"desk/x" + b"frame")
    assert left == Left(5, 200 + lost, {"t": 3, "u": 1, "dead": 1})
    assert [event for event, _ in world.logged] == ["lost_unannounced"] * 2


def test_what_is_still_announced_is_no_loss_of_the_stop() -> None:
    """Its gap stands in the topic."""
    world, session, losses = losing()
    join(world, session)
    losses.stopping()
    losses.failed(RECORD)
    losses.drain(world.clock.now())
    assert losses.close(NOTHING) == NOTHING


def test_what_waited_for_a_connection_is_lost_with_the_stop() -> None:
    """The connection that would have announced it never came."""
    world, _, losses = losing()
    losses.plans = lambda: [PLAN]
    losses.failed(RECORD)
    losses.drain(world.clock.now())
    losses.stopping()
    assert losses.close(NOTHING).by_topic == {"t": 1}


@pytest.mark.parametrize(
    ("mark", "shared", "lost"),
    [
        (Mark(1, State.ENDED, Reason.STOPPED), False, {"states": 1}),
        (Mark(1, State.ENDED, Reason.STOPPED), True, {}),
        (Mark(1, State.ENDED, Reason.MOVED), True, {}),
        (Mark(1, State.ENDED, Reason.UNSUBSCRIBED), True, {"states": 1}),
    ],
)
def test_a_state_that_never_arrived_is_lost_with_the_stop(
    mark: Mark, lost: dict[str, int], *, shared: bool
) -> None:
    """But where another worker writes a newer one; sent again, it is there."""
    world, session, losses = losing()
    losses.plans = lambda: [SHARE]
    states = losses._states()
    states._shared = shared
    outlet = world.connection(SHARE, session).outlet
    outlet._states = states
    outlet.mark(mark, 1_000)
    sent = world.kafka.sent[-1]
    losses.stopping()
    losses.failed(Failed("states", sent[2], sent[1]))
    losses.drain(world.clock.now())
    assert losses.close(NOTHING) == NOTHING

    losses.failed(Failed("states", sent[2], sent[1]))
    assert losses.close(NOTHING).by_topic == lost
    assert world.logged[-1][0] == "feed_state_given_up"
