"""Pause, cut, heal: what happens while Kafka is slow."""

from __future__ import annotations

from bridge.core.model import Now
from bridge.flow.pressure import Flow
from tests.unit.flow.fakes import PLAN, FakeTransport, ScriptedSession, World

SECOND = 1_000_000_000


def busy() -> tuple[World, ScriptedSession, FakeTransport]:
    """Return a world with one open connection and a queue above its high mark."""
    session, transport = ScriptedSession(), FakeTransport()
    world = World(session)
    connection = world.connection(PLAN, session)
    connection.attach(transport, world.clock.now())
    world.connections.add(connection)
    world.kafka.above_high, world.kafka.below_low = True, False
    return world, session, transport


def at(seconds: float) -> Now:
    """Return a present on both clocks."""
    return Now(int(seconds * SECOND), int(seconds * SECOND))


def test_short_slowness_pauses_and_resumes_without_loss() -> None:
    """Below the low mark the sockets are read again and nothing was cut."""
    world, session, transport = busy()
    world.pressure.step(at(1))
    world.kafka.above_high, world.kafka.below_low = False, True
    world.pressure.step(at(5))

    assert transport.calls == ["pause", "resume"]
    assert "cut" not in session.calls
    assert world.pressure.flow is Flow.FLOWING


def test_sockets_may_hold_what_was_not_read_until_a_moment_after() -> None:
    """While paused or cut, and until what had waited has been read."""
    world, _, _ = busy()
    pressure = world.pressure
    assert pressure.unread(at(1)) == ""
    pressure.step(at(1))
    assert pressure.unread(at(2)) == "reading is paused: Kafka is slow"
    pressure.step(at(2))
    pressure.step(at(13))
    assert pressure.unread(at(13)) == "reading is paused: Kafka is slow"
    world.kafka.above_high, world.kafka.below_low = False, True
    pressure.step(at(20))
    assert pressure.unread(at(20.9)) == "what came while Kafka was slow is being read"
    assert pressure.unread(at(21)) == ""


def test_between_the_marks_nothing_changes() -> None:
    """A queue between low and high mark keeps the sockets paused."""
    world, _, transport = busy()
    world.pressure.step(at(1))
    world.kafka.above_high = False
    world.pressure.step(at(2))

    assert transport.calls == ["pause"]


def test_long_slowness_cuts_reads_on_and_heals() -> None:
    """After the limit the subscriptions are let go, later bound again."""
    world, session, transport = busy()
    for seconds in (1, 2, 13):
        world.pressure.step(at(seconds))
    assert session.calls[-1] == "cut"
    assert transport.calls == ["pause", "resume"]

    world.kafka.above_high, world.kafka.below_low = False, True
    world.pressure.step(at(60))

    assert session.calls[-1] == "heal"
    assert world.pressure.cuts == 1


def test_a_connection_that_joins_late_is_treated_like_the_others() -> None:
    """A socket that opens while others are paused is paused as well."""
    world, _, _ = busy()
    world.pressure.step(at(1))
    late = FakeTransport()
    connection = world.connection(PLAN, ScriptedSession())
    connection.attach(late, at(1))
    world.pressure.joined(connection, at(1))

    assert late.calls == ["pause"]
