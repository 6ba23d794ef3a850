"""A feed connects, serves, waits and connects again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bridge.core.model import Close, Closed, Reason
from bridge.edge.websocket import UpgradeRefused
from bridge.errors import VenueRefused, VenueUnreachable
from bridge.flow.feed import Feed, Pacer
from tests.support.running import Run
from tests.unit.flow.fakes import PLAN, FakeTransport, ScriptedSession, World


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until `condition` holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never held")


def feed(world: World) -> Feed:
    """Return a feed over the scripted world."""
    return Feed(PLAN, world, Pacer(world.clock, 0.0))


def test_a_lost_connection_is_closed_and_tried_again(run: Run) -> None:
    """The old sequence ends, the delay is drawn, and a new connection opens."""
    session = ScriptedSession()
    world = World(session)
    one, two = FakeTransport(), FakeTransport()
    world.transports = [one, VenueUnreachable("desk", "no route"), two]

    async def story() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(feed(world).run(stop))
        await until(lambda: one.ended is not None)
        one.end(Closed(1006, "reset"))
        await until(lambda: two.ended is not None)
        stop.set()
        await task

    run(story())

    assert session.calls == [
        *("handshake", "opened", "closed"),
        "handshake",
        *("handshake", "opened", "stop"),
    ]
    assert world.clock.slept == [0.25, 0.5]
    assert world.resumed == [{}, {"value:BRTI": 7}, {"value:BRTI": 7}]
    assert two.calls == ["close"]
    assert world.connections == set()


def test_refused_credentials_at_the_first_login_end_the_feed(run: Run) -> None:
    """A person must act: the error carries the venue's number and leaves the loop."""
    world = World(ScriptedSession())
    world.transports = [UpgradeRefused(400, b'{"error":3}')]

    with pytest.raises(VenueRefused) as caught:
        run(feed(world).run(asyncio.Event()))

    assert caught.value.exit_code == 3
    assert "3 not authorised" in str(caught.value)


def test_refused_credentials_later_are_tried_rarely(run: Run) -> None:
    """A key that stops working is not hammered at the venue."""
    world = World(ScriptedSession())
    one, two = FakeTransport(), FakeTransport()
    world.transports = [one, UpgradeRefused(400, b'{"error":3}'), two]

    async def story() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(feed(world).run(stop))
        await until(lambda: one.ended is not None)
        one.end(Closed(1006, "reset"))
        await until(lambda: two.ended is not None)
        stop.set()
        await task

    run(story())

    assert world.clock.slept == [0.25, 60.0]


def test_a_close_asked_by_the_session_names_its_reason(run: Run) -> None:
    """What the session could not bear is what the log and the status say."""
    session = ScriptedSession(opened=[Close(Reason.UNANSWERED, "no status in 3 s")])
    world = World(session)
    one, two = FakeTransport(), FakeTransport()
    world.transports = [one, two]

    async def story() -> None:
        one.ended = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        task = asyncio.ensure_future(feed(world).run(stop))
        await until(lambda: "closed" in session.calls)
        stop.set()
        await task

    run(story())

    details = [
        facts["detail"] for name, facts in world.logged if name == "disconnected"
    ]
    assert details[:1] == ["no status in 3 s"]


def test_no_connection_is_opened_while_kafka_cannot_take_records(run: Run) -> None:
    """A feed waits for the pressure to end before it logs in again."""
    session = ScriptedSession()
    world = World(session)
    world.transports = [FakeTransport()]
    world.pressure._open.clear()

    async def story() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(feed(world).run(stop))
        for _ in range(20):
            await asyncio.sleep(0)
        assert session.calls == []
        stop.set()
        await task

    run(story())


def test_attempts_to_one_host_are_spaced(run: Run) -> None:
    """Many feeds that start together reach a host one after the other."""
    world = World(ScriptedSession())
    pacer = Pacer(world.clock, 0.25)

    async def story() -> None:
        for _ in range(3):
            await pacer.turn("ws://venue:1/ws")
        await pacer.turn("ws://other:1/ws")

    run(story())

    assert world.clock.slept == [0.25, 0.25]
