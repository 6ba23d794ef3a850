"""A second connection takes over from the first: nothing is missed, nothing doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from bridge.core.model import (
    Action,
    Binding,
    Close,
    Closed,
    Data,
    Mark,
    Reason,
    State,
)
from bridge.edge.websocket import UpgradeRefused
from bridge.errors import BridgeError, VenueRefused, VenueUnreachable
from bridge.flow import hold
from bridge.flow.feed import Feed
from bridge.flow.lease import Lease
from bridge.flow.pacer import Pacer
from tests.support.running import Run
from tests.unit.flow.fakes import PLAN, FakeTransport, Planned, ScriptedSession, World
from tests.unit.flow.test_feed import Reluctant, until

NAME = "book.tradable:BTC-USD"
BOOK = "finery.book.tradable"
BOUND = msgspec.structs.replace(
    PLAN, bindings=(Binding(name=NAME, request={}, channels=(1,)),)
)
SMALLER = msgspec.structs.replace(PLAN, subscriptions=PLAN.subscriptions[:1])
BEGUN = Mark(1, State.BINDING, Reason.CONNECTED)
LIVE = Mark(1, State.LIVE, Reason.SNAPSHOT)
UP = Mark(0, State.LIVE, Reason.SNAPSHOT)
OVER = Mark(1, State.ENDED, Reason.ROTATED)
STOPPED = Mark(1, State.ENDED, Reason.STOPPED)
ALL = (UP, BEGUN, LIVE)


def data(value: str) -> Data:
    """Return a record."""
    return Data(1, Action.UPDATE, None, (value,))


class Speaking(ScriptedSession):
    """A session whose frames say which events they give, and that keeps positions."""

    def __init__(self, stop: Mark = OVER, **answers: Any) -> None:
        super().__init__(stop=[stop], **answers)
        self.at: dict[str, int] = {}
        self.frames: dict[bytes, list[Any]] = {}

    @override
    def receive(self, data: bytes, received_ns: int) -> Any:
        self.tally.data += 1
        return self.frames.get(data) or [Data(1, Action.UPDATE, None, (data.decode(),))]

    @override
    def positions(self) -> Mapping[str, int]:
        return self.at


class Stage:
    """A feed that is live on its first connection, with two places for its host."""

    def __init__(self, *, places: int = 2) -> None:
        self.old = Speaking(opened=ALL)
        self.new = Speaking(stop=STOPPED, opened=ALL)
        self.world = World(self.old)
        self.world.later = [self.new]
        self.one, self.two = FakeTransport(), FakeTransport()
        self.pacer = Pacer(self.world.clock, 0.0, most=places)
        self.feed = Feed(BOUND, self.world, self.pacer)
        self.stop = asyncio.Event()
        self.renewing: asyncio.Task[None] | None = None

    def play(self, run: Run, story: Callable[[], Any]) -> None:
        """Run a story on the live feed; then stop, and see that nothing is kept."""

        async def whole() -> None:
            self.world.transports = [self.one]
            task = asyncio.ensure_future(self.feed.run(self.stop))
            await until(lambda: self.one.ended is not None)
            await story()
            self.stop.set()
            await task
            await self.settled()
            assert self.world.connections == set()
            for _ in range(self.pacer._most):
                assert self.pacer.full(BOUND.url) == ""
                await self.pacer.turn(BOUND.url)

        run(whole())

    def renew(self, planned: Planned | None = None) -> None:
        """Ask for a renewal; `planned` is what the attempt gives."""
        self.world.transports = [planned or self.two]
        self.renewing = asyncio.ensure_future(
            self.feed.renew(self.world.clock.now().mono_ns + 1)
        )

    async def settled(self) -> BaseException | None:
        """Wait for the renewal's end; return its error."""
        if self.renewing is None:
            return None
        done = await asyncio.gather(self.renewing, return_exceptions=True)
        return done[0]

    @property
    def book(self) -> list[str]:
        """Return what stands in the book's topic: connection, then what was written."""
        return [r[1].decode() for r in self.world.kafka.sent if r[0] == BOOK]

    @property
    def told(self) -> list[str]:
        """Return the book's records, without sequence and times."""
        return [text.split(" ", 4)[-1] for text in self.book]

    def names(self) -> list[str]:
        """Return the log's event names."""
        return [name for name, _ in self.world.logged]


def test_the_new_connection_begins_where_the_old_one_ends(run: Run) -> None:
    """ENDED of the old one, then everything of the new one, each counted from 0."""
    stage = Stage()
    stage.new.answers["opened"] = [UP, BEGUN]

    async def story() -> None:
        old = stage.feed.connection
        assert old is not None
        old.on_frame(b"a", 1)
        stage.renew()
        await until(lambda: stage.two.ended is not None)
        new = stage.world.receivers[1]
        new.on_frame(b"snapshot", 2)
        old.on_frame(b"b", 3)
        assert stage.feed.connection is old
        stage.new.frames[b"live"] = [LIVE]
        new.on_frame(b"live", 4)
        new.on_frame(b"c", 5)
        assert await stage.settled() is None
        assert stage.feed.connection is new
        assert stage.world.connections == {new}
        old.on_frame(b"late", 6)
        new.on_frame(b"d", 7)

    stage.play(run, story)

    assert stage.told == [
        *("BINDING/CONNECTED", "LIVE/SNAPSHOT", "('a',)", "('b',)", "ENDED/ROTATED"),
        *("BINDING/CONNECTED", "('snapshot',)", "LIVE/SNAPSHOT", "('c',)", "('d',)"),
        "ENDED/STOPPED",
    ]
    numbers = [int(text.split(" ")[1]) for text in stage.book]
    assert numbers == [*range(5), *range(6)]
    assert [text.split(" ")[2] for text in stage.book if "'c'" in text] == ["0"]
    assert stage.one.calls == stage.two.calls == ["close"]
    ledger = stage.world.ledger
    assert (ledger.frames, ledger.records, ledger.discarded) == (7, 5, 1)


def test_a_feed_that_logged_in_since_then_is_left_alone(run: Run) -> None:
    """Its login is as new as the one that was seen."""
    stage = Stage()

    async def story() -> None:
        await stage.feed.renew(0)
        assert len(stage.world.receivers) == 1

    stage.play(run, story)


def test_whoever_asks_meanwhile_waits_for_the_same_renewal(run: Run) -> None:
    """One second connection, however many ask."""
    stage = Stage()
    stage.new.answers["opened"] = []

    async def story() -> None:
        stage.renew()
        await until(lambda: len(stage.world.receivers) == 2)
        since_ns = stage.world.clock.now().mono_ns + 1
        other = asyncio.ensure_future(stage.feed.renew(since_ns))
        await asyncio.sleep(0)
        stage.new.frames[b"live"] = list(ALL)
        stage.world.receivers[1].on_frame(b"live", 1)
        await other
        assert await stage.settled() is None
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(stage.world.receivers) == 2

    stage.play(run, story)


REFUSALS: list[tuple[Exception, type[BridgeError]]] = [
    (UpgradeRefused(400, b'{"error":3}'), VenueRefused),
    (VenueUnreachable("desk", "no route"), VenueUnreachable),
]


@pytest.mark.parametrize(("fault", "told"), REFUSALS)
def test_a_login_that_does_not_work_changes_nothing(
    run: Run, fault: Exception, told: type[BridgeError]
) -> None:
    """The old connection goes on, and whoever asked is told; it may ask again."""
    stage = Stage()

    async def story() -> None:
        stage.renew(fault)
        assert isinstance(await stage.settled(), told)
        assert stage.feed.trouble == ""
        old = stage.feed.connection
        assert old is stage.world.receivers[0]
        old.on_frame(b"a", 1)
        stage.world.later = [stage.new]
        stage.renew()
        assert await stage.settled() is None
        assert stage.feed.connection is not old

    stage.play(run, story)

    assert stage.told[2:4] == ["('a',)", "ENDED/ROTATED"]
    assert stage.names().count("renewal_failed") == 1


def test_a_close_asked_by_the_new_session_is_the_reason(run: Run) -> None:
    """A login that is refused in-band ends the attempt, not the feed."""
    stage = Stage()
    refusal = Close(Reason.VENUE_REFUSED, "login refused with 3", refused=True)
    stage.new.answers["opened"] = [BEGUN, refusal]

    async def story() -> None:
        stage.renew()
        error = await stage.settled()
        assert str(error) == "desk: the new connection: login refused with 3"
        assert stage.feed.connection is stage.world.receivers[0]

    stage.play(run, story)

    assert stage.told == ["BINDING/CONNECTED", "LIVE/SNAPSHOT", "ENDED/ROTATED"]


def test_a_snapshot_that_does_not_come_keeps_the_old_connection(run: Run) -> None:
    """After the limit the attempt is given up; its frames count as discarded."""
    stage = Stage()
    stage.new.answers["opened"] = [UP, BEGUN]

    async def story() -> None:
        stage.renew()
        await until(lambda: stage.two.ended is not None)
        stage.world.receivers[1].on_frame(b"x", 1)
        error = await stage.settled()
        assert str(error) == (
            "desk: the new connection has 3 events within 10 s, but no "
            f"{NAME}; the old one goes on"
        )
        assert stage.two.calls == ["abort"]

    stage.play(run, story)

    assert stage.world.ledger.records == 0
    assert stage.world.ledger.discarded == 1
    assert not any("conn-2" in str(facts) for _, facts in stage.world.logged)


def test_no_more_is_kept_than_the_limit(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subscription that never comes must not let the others fill the memory."""
    monkeypatch.setattr(hold, "MOST_EVENTS", 5)
    stage = Stage()
    stage.new.answers["opened"] = [UP, BEGUN]

    async def story() -> None:
        stage.renew()
        await until(lambda: stage.two.ended is not None)
        for _ in range(3):
            stage.world.receivers[1].on_frame(b"x", 1)
        assert "5 events" in str(await stage.settled())

    stage.play(run, story)


@pytest.mark.parametrize("state", [State.REFUSED, State.STALE])
def test_an_answer_other_than_live_is_an_answer(run: Run, state: State) -> None:
    """The new login may have fewer rights: the venue's word stands in the topic."""
    stage = Stage()
    stage.new.answers["opened"] = [UP, BEGUN, Mark(1, state, Reason.VENUE_REFUSED)]

    async def story() -> None:
        stage.renew()
        assert await stage.settled() is None

    stage.play(run, story)

    assert stage.told[-2] == f"{state.name}/VENUE_REFUSED"


def test_what_is_not_live_on_the_old_one_is_not_waited_for(run: Run) -> None:
    """It is no worse on the new one."""
    stage = Stage()
    stage.old.answers["opened"] = [UP, BEGUN]
    stage.new.answers["opened"] = [UP, BEGUN]

    async def story() -> None:
        stage.renew()
        assert await stage.settled() is None

    stage.play(run, story)


def test_what_lies_in_a_paused_socket_is_written_before_the_end(run: Run) -> None:
    """Deals between the pause and the new bind are in no snapshot of the new one."""
    stage = Stage()

    async def turns() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def story() -> None:
        old, world = stage.feed.connection, stage.world
        assert old is not None
        world.pressure.full()
        stage.renew()
        await until(lambda: "renewal_waits" in stage.names())
        await turns()
        assert stage.feed.connection is old
        assert stage.one.calls == ["pause"]
        world.pressure.step(world.clock.now())
        await turns()
        old.on_frame(b"deal", 1)
        assert await stage.settled() is None
        assert stage.feed.connection is not old

    stage.play(run, story)

    assert stage.told[2:4] == ["('deal',)", "ENDED/ROTATED"]


def test_the_old_one_must_have_come_to_where_the_new_one_began(run: Run) -> None:
    """Otherwise the ticks between them would be in neither."""
    stage = Stage()
    stage.old.at = {NAME: 5_000}
    stage.new.at = {NAME: 7_000}

    async def story() -> None:
        stage.renew()
        await until(lambda: stage.two.ended is not None)
        for _ in range(50):
            await asyncio.sleep(0)
        assert stage.feed.connection is stage.world.receivers[0]
        stage.new.at = {NAME: 9_000}
        stage.old.at = {NAME: 7_000}
        assert await stage.settled() is None

    stage.play(run, story)

    assert stage.world.resumed == [{}, {}]


def test_a_value_that_does_not_fit_is_a_gap_when_it_is_released(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept behind it on the same subscription has nothing to stand on."""
    stage = Stage()
    stage.new.answers["opened"] = [UP, BEGUN]
    stage.new.frames[b"live"] = [LIVE]

    async def story() -> None:
        from bridge.errors import SchemaError
        from bridge.flow.lanes import Lane

        stage.renew()
        await until(lambda: stage.two.ended is not None)
        new = stage.world.receivers[1]
        whole = Lane.data

        def fit(lane: Lane, at_us: int, action: int, values: Any) -> bytes:
            if values == ("odd",):
                raise SchemaError("does not fit")
            return whole(lane, at_us, action, values)

        monkeypatch.setattr(Lane, "data", fit)
        for frame in (b"good", b"odd", b"live", b"void"):
            new.on_frame(frame, 1)
        assert await stage.settled() is None

    stage.play(run, story)

    assert stage.told[3:] == [
        *("BINDING/CONNECTED", "('good',)", "GAP/DELIVERY_FAILED", "ENDED/STOPPED")
    ]
    letters = [r[1] for r in stage.world.kafka.sent if r[0] == "dead"]
    assert letters == [b"odd"]


def test_a_pause_that_begins_meanwhile_delays_the_take_over(run: Run) -> None:
    """The new connection is read on, and what it would write is held until then."""
    stage = Stage()
    stage.new.answers["opened"] = []

    async def story() -> None:
        old, world = stage.feed.connection, stage.world
        stage.renew()
        await until(lambda: stage.two.ended is not None)
        world.pressure.full()
        assert (stage.one.calls, stage.two.calls) == (["pause"], [])
        stage.new.frames[b"live"] = list(ALL)
        world.receivers[1].on_frame(b"live", 1)
        await until(lambda: "renewal_waits" in stage.names())
        assert stage.feed.connection is old
        world.pressure.step(world.clock.now())
        assert await stage.settled() is None
        assert stage.one.calls == ["pause", "resume", "close"]
        assert stage.two.calls == []

    stage.play(run, story)


def test_no_second_connection_is_opened_while_kafka_is_away(run: Run) -> None:
    """It would only add to what waits."""
    stage = Stage()

    async def story() -> None:
        stage.world.pressure._open.clear()
        stage.renew()
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(stage.world.receivers) == 1
        stage.world.pressure._open.set()
        assert await stage.settled() is None

    stage.play(run, story)


def test_without_a_second_place_the_old_connection_goes_on(run: Run) -> None:
    """The limit of the host holds; the sentence says what to do."""
    stage = Stage(places=1)

    async def story() -> None:
        stage.renew()
        assert "raise transport.max_connections" in str(await stage.settled())
        assert stage.feed.connection is not None

    stage.play(run, story)


# -- what comes in between


def _connecting(stage: Stage) -> Callable[[], bool]:
    stage.renew(asyncio.get_running_loop().create_future())
    return lambda: len(stage.world.receivers) == 2


def _waiting(stage: Stage) -> Callable[[], bool]:
    stage.new.answers["opened"] = [UP, BEGUN]
    stage.renew()
    return lambda: stage.two.ended is not None


def _busy(stage: Stage) -> Callable[[], bool]:
    stage.world.busy = "1 request without an answer"
    stage.renew()
    return lambda: "renewal_waits" in stage.names()


def _closing(stage: Stage) -> Callable[[], bool]:
    stage.renew()
    return lambda: "close" in stage.one.calls


MOMENTS = [_connecting, _waiting, _busy, _closing]
Moment = Callable[[Stage], Callable[[], bool]]


def at(moment: Moment) -> Stage:
    """Return a stage for a moment; the old transport's close lasts for the last."""
    stage = Stage()
    if moment is _closing:
        stage.one = Reluctant()
    return stage


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_in_between_ends_what_has_been_written(run: Run, moment: Moment) -> None:
    """The one that had not taken over never writes; both transports are let go."""
    stage = at(moment)

    async def story() -> None:
        await until(moment(stage))

    stage.play(run, story)

    begun = stage.told.count("BINDING/CONNECTED")
    assert begun == (2 if moment is _closing else 1)
    assert stage.told[-1] == ("ENDED/STOPPED" if begun == 2 else "ENDED/ROTATED")
    assert stage.one.calls[-1] in {"close", "abort"}
    if moment in (_waiting, _busy):
        assert stage.two.calls == ["abort"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("turns", range(4))
def test_an_abandoned_feed_writes_nothing_on_either(
    run: Run, moment: Moment, turns: int
) -> None:
    """From that moment on, whatever was under way."""
    stage = at(moment)

    async def story() -> None:
        await until(moment(stage))
        for _ in range(turns):
            await asyncio.sleep(0)
        written, logged = len(stage.world.kafka.sent), len(stage.world.logged)
        stage.feed.abandon()
        stage.world.busy = ""
        for receiver in stage.world.receivers:
            receiver.on_frame(b"late", 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(stage.world.kafka.sent) == written
        assert len(stage.world.logged) == logged
        assert stage.feed.connection is None

    stage.play(run, story)


@pytest.mark.parametrize("moment", [_connecting, _waiting, _busy])
def test_a_lost_connection_ends_the_attempt(run: Run, moment: Moment) -> None:
    """The ordinary reconnect reads the new login as well."""
    stage = Stage()

    async def story() -> None:
        await until(moment(stage))
        third = FakeTransport()
        stage.world.transports = [third]
        stage.one.end(Closed(1006, "reset"))
        await until(lambda: third.ended is not None)
        assert await stage.settled() is None
        if moment is not _connecting:
            assert stage.two.calls == ["abort"]

    stage.play(run, story)

    assert stage.feed.reconnects == 1
    assert Reason.ROTATED not in stage.old.reasons[:-1]


def test_a_drop_in_between_holds_for_both(run: Run) -> None:
    """What was dropped never begins on the new connection."""
    stage = Stage()
    stage.new.answers["opened"] = [BEGUN, LIVE]

    async def story() -> None:
        await until(_waiting(stage))
        stage.new.frames[b"all"] = [UP, BEGUN]
        stage.world.receivers[1].on_frame(b"all", 1)
        stage.feed.drop([NAME], SMALLER, Reason.UNSUBSCRIBED)
        assert await stage.settled() is None
        assert stage.new.calls.count(f"drop {[NAME]} UNSUBSCRIBED") == 1
        stage.feed.drop([NAME], SMALLER, Reason.UNSUBSCRIBED)
        assert stage.new.calls.count(f"drop {[NAME]} UNSUBSCRIBED") == 2

    stage.play(run, story)

    assert stage.told.count("BINDING/CONNECTED") == 1


def test_a_drop_while_the_old_one_closes_happens_once(run: Run) -> None:
    """By then there is one connection that counts; its login is the new one."""
    stage = at(_closing)

    async def story() -> None:
        stage.world.clock.mono_ns += 1_000
        asked_ns = stage.world.clock.now().mono_ns
        await until(_closing(stage))
        stage.feed.drop([NAME], SMALLER, Reason.UNSUBSCRIBED)
        assert stage.new.calls.count(f"drop {[NAME]} UNSUBSCRIBED") == 1
        await stage.feed.renew(asked_ns)
        assert not stage.feed._asked.is_set()

    stage.play(run, story)


def test_a_lease_that_ends_in_between_silences_the_new_connection(run: Run) -> None:
    """Nothing that was kept is written after it."""
    stage = Stage()

    async def story() -> None:
        await until(_waiting(stage))
        stage.world.receivers[1].on_frame(b"kept", 1)
        for receiver in stage.world.receivers:
            receiver._lease = Lease(1, stage.world.clock.now)  # type: ignore[attr-defined]
        stage.world.clock.mono_ns += 1_000
        third = FakeTransport()
        stage.world.transports = [third]
        stage.world.receivers[0].on_frame(b"late", stage.world.clock.now().wall_ns)
        await stage.settled()
        await until(lambda: third.ended is not None)
        assert stage.told == ["BINDING/CONNECTED", "LIVE/SNAPSHOT"] * 2

    stage.play(run, story)


def test_a_connection_at_work_is_replaced_when_it_is_at_rest(run: Run) -> None:
    """However long that lasts; the reason is told once."""
    stage = Stage()

    async def story() -> None:
        await until(_busy(stage))
        stage.world.clock.mono_ns += 3_600_000_000_000
        for _ in range(200):
            await asyncio.sleep(0)
        assert stage.feed.connection is stage.world.receivers[0]
        stage.world.busy = ""
        assert await stage.settled() is None

    stage.play(run, story)

    assert stage.names().count("renewal_waits") == 1
    assert stage.told[2] == "ENDED/ROTATED"


def test_a_feed_that_waits_to_reconnect_does_so_at_once(run: Run) -> None:
    """A login that was refused is tried anew as soon as another one is there."""
    stage = Stage()

    async def story() -> None:
        waits = asyncio.Event()

        async def sleep(seconds: float) -> None:
            if seconds >= 60:
                waits.set()
                await asyncio.Event().wait()
            await asyncio.sleep(0)

        stage.world.clock.sleep = sleep  # type: ignore[method-assign]
        stage.world.transports = [UpgradeRefused(400, b'{"error":3}')]
        stage.one.end(Closed(1006, "reset"))
        await waits.wait()
        stage.renew()
        assert await stage.settled() is None
        await until(lambda: stage.feed.connection is not None)

    stage.play(run, story)
