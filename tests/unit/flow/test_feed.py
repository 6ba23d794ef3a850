"""A feed connects, serves, waits and connects again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from typing_extensions import override

from bridge.core.model import Close, Closed, Mark, Reason, State
from bridge.edge.websocket import UpgradeRefused
from bridge.errors import VenueRefused, VenueUnreachable
from bridge.flow.connection import Connection
from bridge.flow.feed import Feed
from bridge.flow.lease import Lease
from bridge.flow.pacer import Pacer
from tests.support.running import Run
from tests.unit.flow.fakes import (
    PLAN,
    FakeClock,
    FakeTransport,
    Planned,
    ScriptedSession,
    World,
)

TOOK = "connection_took"


class Taking(World):
    """Each connection takes an order with it."""

    @override
    def left(self, connection: Connection) -> str:
        super().left(connection)
        return "cancelled on disconnect: 7"


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until `condition` holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never held")


def feed(world: World, pacer: Pacer | None = None) -> Feed:
    """Return a feed over the scripted world."""
    return Feed(PLAN, world, pacer or Pacer(world.clock, 0.0))


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


# -- letting bindings go, and another reason

SMALLER = msgspec.structs.replace(PLAN, subscriptions=PLAN.subscriptions[1:])
NAMES = ["book.tradable:BTC-USD"]


def test_a_drop_reaches_the_open_connection_and_the_next_attempt(run: Run) -> None:
    """The binding goes at once; the plan without it is what is connected next."""
    session = ScriptedSession()
    world = World(session)
    one, two = FakeTransport(), FakeTransport()
    world.transports = [one, two]
    made = feed(world)

    async def story() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(made.run(stop))
        await until(lambda: one.ended is not None)
        assert made.connection is not None
        made.drop(NAMES, SMALLER, Reason.UNSUBSCRIBED)
        assert session.calls[-1] == f"drop {NAMES} UNSUBSCRIBED"
        one.end(Closed(1006, "reset"))
        await until(lambda: two.ended is not None)
        stop.set()
        await task

    run(story())

    assert world.plans == [PLAN, SMALLER]
    assert made.connection is None


def test_a_drop_reaches_an_attempt_under_way(run: Run) -> None:
    """What was dropped while connecting is never asked for."""
    session = ScriptedSession()
    world = World(session)
    made = feed(world)

    async def story() -> None:
        under_way = asyncio.get_running_loop().create_future()
        world.transports = [under_way]
        stop = asyncio.Event()
        task = asyncio.ensure_future(made.run(stop))
        await until(lambda: world.receivers != [])
        assert made.connection is None
        made.drop(NAMES, SMALLER, Reason.MOVED)
        under_way.set_result(FakeTransport())
        await until(lambda: "opened" in session.calls)
        stop.set()
        await task

    run(story())

    calls = session.calls
    assert calls == ["handshake", f"drop {NAMES} MOVED", "opened", "stop"]


def test_a_planned_end_gives_the_reason_that_was_set(run: Run) -> None:
    """STOPPED is the default; whoever stops it may give another reason."""
    session = ScriptedSession()
    world = World(session)
    world.transports = [FakeTransport()]
    made = feed(world)
    assert made.reason is Reason.STOPPED

    async def story() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(made.run(stop))
        await until(lambda: made.connection is not None)
        made.reason = Reason.MOVED
        stop.set()
        await task

    run(story())

    assert session.reasons == [Reason.MOVED]


# -- the ways in which an attempt or a connection ends

ENDED = Mark(1, State.ENDED, Reason.STOPPED)
LAST_WORDS = {"closed": [ENDED], "stop": [ENDED], "tick": [ENDED], "opened": []}


class StuckClock(FakeClock):
    """A clock on which every sleep lasts."""

    @override
    async def sleep(self, seconds: float) -> None:
        """Never wake up."""
        self.slept.append(seconds)
        await asyncio.Event().wait()


class Reluctant(FakeTransport):
    """A transport whose close lasts."""

    @override
    async def close(self) -> None:
        """Never close by itself."""
        self.calls.append("close")
        await asyncio.Event().wait()


class Stage:
    """A feed at one moment of its life, with a single place for its host."""

    def __init__(self) -> None:
        """Prepare the world; a way brings the feed where it should be."""
        self.world = World(ScriptedSession(**LAST_WORDS))
        self.pacer = Pacer(self.world.clock, 0.0, most=1)
        self.feed = feed(self.world, self.pacer)
        self.stop = asyncio.Event()
        self.transport = FakeTransport()
        self.reached: Callable[[], bool] = lambda: True

    def stuck(self) -> None:
        """Let every sleep last."""
        self.world.clock = StuckClock()

    def plan(self, planned: Planned) -> None:
        """Say what the next attempt gives."""
        self.world.transports.append(planned)


def _kafka_away(stage: Stage) -> None:
    stage.world.pressure._open.clear()


def _no_place(stage: Stage) -> None:
    task = asyncio.ensure_future(stage.pacer.turn(PLAN.url))
    stage.reached = lambda: task.done() and "waits" in stage.feed.trouble


def _connecting(stage: Stage) -> None:
    stage.plan(asyncio.get_running_loop().create_future())
    stage.reached = lambda: stage.world.receivers != []


def _live(stage: Stage) -> None:
    stage.plan(stage.transport)
    stage.reached = lambda: stage.feed.connection is not None


def _backing_off(stage: Stage) -> None:
    stage.stuck()
    stage.plan(VenueUnreachable("desk", "no route"))
    stage.reached = lambda: stage.world.clock.slept != []


def _just_connected(stage: Stage) -> None:
    attempt = asyncio.get_running_loop().create_future()
    stage.plan(attempt)

    def reached() -> bool:
        if not stage.world.receivers:
            return False
        attempt.set_result(stage.transport)
        return True

    stage.reached = reached


def _closing(stage: Stage) -> None:
    stage.transport = Reluctant()
    stage.plan(stage.transport)

    def reached() -> bool:
        if stage.transport.ended is not None:
            stage.stop.set()
        return "close" in stage.transport.calls

    stage.reached = reached


WAYS = [_kafka_away, _no_place, _connecting, _just_connected, _live, _backing_off]


@pytest.mark.parametrize("way", [*WAYS, _closing])
def test_an_abandoned_feed_ends_and_writes_nothing(
    run: Run, way: Callable[[Stage], None]
) -> None:
    """Wherever it is: no record, no new connection, no place kept."""

    async def story() -> None:
        stage = Stage()
        way(stage)
        world = stage.world
        task = asyncio.ensure_future(stage.feed.run(stage.stop))
        await until(stage.reached)
        written, calls = len(world.kafka.sent), len(world.script.calls)
        logged = len(world.logged)
        open_now = list(world.connections)
        stage.feed.abandon()
        for connection in open_now:
            assert stage.transport.calls == ["abort"]
            connection.tick(world.clock.now())
        await task

        assert len(world.kafka.sent) == written
        assert len(world.script.calls) == calls
        assert len(world.logged) == logged
        assert world.connections == set()
        assert stage.feed.connection is None
        if way in (_just_connected, _live, _closing):
            assert stage.transport.calls[-1] == "abort"
        if way is _no_place:
            stage.pacer.done(PLAN.url)
        assert stage.pacer.full(PLAN.url) == ""

    run(story())


def test_a_feed_abandoned_before_it_runs_does_nothing(run: Run) -> None:
    """A partition may be lost before its feeds were started."""
    world = World(ScriptedSession())
    made = feed(world)
    made.abandon()
    run(made.run(asyncio.Event()))

    assert world.plans == []


@pytest.mark.parametrize("turns", range(12))
def test_an_attempt_that_succeeds_while_abandoned_never_comes_up(
    run: Run, turns: int
) -> None:
    """However many turns of the loop lie between the two."""

    async def story() -> None:
        stage = Stage()
        _just_connected(stage)
        task = asyncio.ensure_future(stage.feed.run(stage.stop))
        await until(stage.reached)
        for _ in range(turns):
            await asyncio.sleep(0)
        logged, calls = len(stage.world.logged), len(stage.world.script.calls)
        stage.feed.abandon()
        await task

        assert len(stage.world.logged) == logged
        assert len(stage.world.script.calls) == calls
        assert stage.transport.calls == ["abort"]
        assert stage.pacer.full(PLAN.url) == ""

    run(story())


@pytest.mark.parametrize("way", WAYS)
def test_a_stop_is_heeded_wherever_the_feed_is(
    run: Run, way: Callable[[Stage], None]
) -> None:
    """Nothing that lasts keeps a feed from stopping, and no place is kept."""

    async def story() -> None:
        stage = Stage()
        way(stage)
        task = asyncio.ensure_future(stage.feed.run(stage.stop))
        await until(stage.reached)
        stage.stop.set()
        await task

        assert stage.world.connections == set()
        if way is _no_place:
            stage.pacer.done(PLAN.url)
        assert stage.pacer.full(PLAN.url) == ""

    run(story())


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_feed_keeps_no_place_and_no_connection(
    run: Run, way: Callable[[Stage], None]
) -> None:
    """Cancellation passes through; what was opened is dropped."""

    async def story() -> None:
        stage = Stage()
        way(stage)
        task = asyncio.ensure_future(stage.feed.run(stage.stop))
        await until(stage.reached)
        stage.world.script.tally.discarded = 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert stage.world.connections == set()
        if way in (_just_connected, _live):
            assert stage.transport.calls == ["abort"]
        assert stage.world.ledger.discarded == (3 if way is _live else 0)
        if way is _no_place:
            stage.pacer.done(PLAN.url)
        assert stage.pacer.full(PLAN.url) == ""

    run(story())


FAULTS: list[Exception] = [
    VenueUnreachable("desk", "no route"),
    UpgradeRefused(400, b'{"error":3}'),
    RuntimeError("a fault of ours"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_failed_attempt_gives_its_place_back(run: Run, fault: Exception) -> None:
    """However it fails; the next attempt of anybody finds the place free."""

    async def story() -> None:
        stage = Stage()
        stage.stuck()
        stage.plan(fault)
        task = asyncio.ensure_future(stage.feed.run(stage.stop))
        await until(lambda: stage.world.receivers != [])
        await until(lambda: stage.pacer.full(PLAN.url) == "")
        stage.stop.set()
        await asyncio.gather(task, return_exceptions=True)

    run(story())


def test_a_receivers_fault_gives_the_place_back(run: Run) -> None:
    """An error that comes out of `wait_closed` ends the feed, but keeps no place."""

    async def story() -> None:
        stage = Stage()
        _live(stage)
        task = asyncio.ensure_future(stage.feed.run(stage.stop))
        await until(lambda: stage.transport.ended is not None)
        assert stage.transport.ended is not None
        stage.transport.ended.set_exception(RuntimeError("a fault of ours"))
        with pytest.raises(RuntimeError):
            await task
        assert stage.pacer.full(PLAN.url) == ""
        assert stage.transport.calls == ["abort"]

    run(story())


def test_a_receivers_fault_ends_the_sequences(run: Run) -> None:
    """Consumers learn that nothing more follows, before the worker ends."""
    end = Mark(1, State.ENDED, Reason.CONNECTION_LOST)
    session = ScriptedSession(closed=[end])
    world = World(session)
    world.transports = [one := FakeTransport()]

    async def story() -> None:
        one.ended = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(feed(world).run(asyncio.Event()))
        await until(lambda: "opened" in session.calls)
        one.ended.set_exception(RuntimeError("a fault of ours"))
        with pytest.raises(RuntimeError):
            await task

    run(story())

    (told,) = world.kafka.texts("finery.book.tradable")
    assert told.endswith(" 7 ENDED/CONNECTION_LOST")
    assert session.calls == ["handshake", "opened", "closed"]
    assert world.connections == set()


@pytest.mark.parametrize("fault", [None, RuntimeError("a fault of ours")])
def test_what_a_connection_took_is_logged_once(
    run: Run, fault: Exception | None
) -> None:
    """The orders that went with it are named however it ended."""
    world = Taking(ScriptedSession())
    world.transports = [one := FakeTransport()]

    async def story() -> None:
        one.ended = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        task = asyncio.ensure_future(feed(world).run(stop))
        await until(lambda: "opened" in world.script.calls)
        if fault is None:
            stop.set()
        else:
            one.ended.set_exception(fault)
        await asyncio.gather(task, return_exceptions=True)

    run(story())
    told = [facts["detail"] for event, facts in world.logged if event == TOOK]
    assert told == ["cancelled on disconnect: 7"]


def test_a_fault_behind_the_end_is_no_second_end(run: Run) -> None:
    """What was ended in order is not ended again."""
    session = ScriptedSession()
    world = World(session)
    world.transports = [one := FakeTransport()]

    async def broken() -> None:
        raise RuntimeError("a fault of ours")

    async def story() -> None:
        stop = asyncio.Event()
        one.close = broken  # type: ignore[method-assign]
        task = asyncio.ensure_future(feed(world).run(stop))
        await until(lambda: "opened" in session.calls)
        stop.set()
        with pytest.raises(RuntimeError):
            await task

    run(story())
    assert session.calls == ["handshake", "opened", "stop"]


def test_after_the_lease_a_feed_begins_anew_on_a_new_connection(run: Run) -> None:
    """The old connection is dropped without a word; what follows is a new one."""

    async def story() -> None:
        stage = Stage()
        world = stage.world
        world.lease = Lease(5_000_000_000, world.clock.now)
        second = FakeTransport()
        world.transports = [stage.transport, second]
        task = asyncio.ensure_future(stage.feed.run(stage.stop))
        await until(lambda: stage.transport.ended is not None)
        world.clock.mono_ns += 5_000_000_001
        for connection in world.connections:
            connection.tick(world.clock.now())
        world.lease.renew()
        await until(lambda: second.ended is not None)
        assert world.kafka.sent == []
        assert stage.transport.calls == ["abort"]
        stage.stop.set()
        await task

    run(story())


# -- places


def test_only_so_many_connections_a_host_are_open(run: Run) -> None:
    """A third one waits, says what to do, and comes up when a place is free."""
    world = World(ScriptedSession())
    plan = msgspec.structs.replace(PLAN, url="wss://me:secret@venue.test:444/ws?t=1")
    pacer = Pacer(world.clock, 0.1, most=2)
    feeds = [Feed(plan, world, pacer) for _ in range(3)]

    async def story() -> None:
        under_way = asyncio.get_running_loop().create_future()
        world.transports = [FakeTransport(), FakeTransport(), under_way]
        stops = [asyncio.Event() for _ in feeds]
        tasks = [
            asyncio.ensure_future(feed.run(stop))
            for feed, stop in zip(feeds, stops, strict=True)
        ]
        await until(lambda: feeds[2].trouble.startswith("waits"))
        assert feeds[2].trouble == (
            "waits for a connection: 2 of 2 allowed to venue.test:444 are open; "
            "raise transport.max_connections or start another worker"
        )
        await pacer.turn("wss://elsewhere.test/ws")
        stops[0].set()
        await until(lambda: len(world.receivers) == 3)
        assert feeds[2].trouble == "not connected yet"
        under_way.set_result(FakeTransport())
        await until(lambda: feeds[2].connection is not None)
        assert feeds[2].trouble == ""
        for stop in stops:
            stop.set()
        await asyncio.gather(*tasks)

    run(story())

    assert [name for name, _ in world.logged].count("connection_limit") == 1
    assert pacer.full(plan.url) == ""


def test_a_turn_that_is_given_up_keeps_no_place(run: Run) -> None:
    """Cancelled while it waits for a place, or for its moment."""
    clock = StuckClock()
    pacer = Pacer(clock, 0.1, most=2)

    async def story() -> None:
        await pacer.turn("ws://venue/")
        spaced = asyncio.ensure_future(pacer.turn("ws://venue/"))
        await until(lambda: clock.slept != [])
        waiting = asyncio.ensure_future(pacer.turn("ws://venue/"))
        await asyncio.sleep(0)
        assert pacer.full("ws://venue/")
        waiting.cancel()
        spaced.cancel()
        await asyncio.gather(waiting, spaced, return_exceptions=True)
        assert not pacer.full("ws://venue/")
        pacer.done("ws://venue/")
        with pytest.raises(ValueError, match="released too many times"):
            pacer.done("ws://venue/")

    run(story())
