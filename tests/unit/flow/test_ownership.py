"""What runs here follows what is dealt and what is wanted, and nothing else moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, cast

import pytest

from bridge.core.model import Now, Plan, Reason
from bridge.core.ownership import partition_of
from bridge.errors import KafkaError
from bridge.flow.feed import Feed
from bridge.flow.fleet import Fleet
from bridge.flow.group_member import GroupMember
from bridge.flow.ownership import Ownership
from bridge.venues.base import Source, Wanted

PARTITIONS = 4
NAMES = [f"book.tradable:A{n}-USD" for n in range(12)]
TOPIC = "feedbridge.assignment"


class FakeFeed:
    """A feed that writes down what becomes of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dropped: list[str] = []
        self.over: Reason | str = ""

    @property
    def names(self) -> list[str]:
        return [binding.name for binding in self.plan.bindings]

    def drop(self, names: Collection[str], plan: Plan, reason: Reason) -> None:
        assert reason is Reason.UNSUBSCRIBED
        self.dropped += names
        self.plan = plan


class FakeFleet:
    """Starts feeds that do nothing, and ends them at once, or when it is let."""

    def __init__(self) -> None:
        self.feeds: list[FakeFeed] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    @property
    def running(self) -> list[FakeFeed]:
        return [feed for feed in self.feeds if not feed.over]

    def start(self, plan: Plan) -> FakeFeed:
        self.feeds.append(FakeFeed(plan))
        return self.feeds[-1]

    def let_go(self, feed: FakeFeed, reason: Reason) -> None:
        feed.over = feed.over or reason

    async def end(self, feeds: Iterable[FakeFeed], reason: Reason) -> None:
        await self.may_end.wait()
        for feed in feeds:
            self.let_go(feed, reason)

    def abandon(self, feeds: Iterable[FakeFeed]) -> None:
        for feed in feeds:
            feed.over = feed.over or "abandoned"


class World:
    """An ownership over fakes; `wanted` may be replaced, `released` is what left."""

    def __init__(self) -> None:
        self.wanted = [source(NAMES)]
        self.fleet = FakeFleet()
        self.logged: list[str] = []
        self.released: list[int] = []
        self.settled: list[list[str]] = []
        self.slept: list[asyncio.Event] = []
        self.failures: list[KafkaError] = []
        self.ownership = Ownership(
            cast("Fleet", self.fleet),
            lambda: self.wanted,
            PARTITIONS,
            lambda: Now(7_000_000_000, 0),
        )
        self.member = GroupMember(
            self.ownership,
            self._settle,
            self._sleep,
            6.0,
            lambda event, **_facts: self.logged.append(event),
            self.failures.append,
        )
        self.member.attach(self)

    async def _settle(self, plans: Sequence[Plan]) -> None:
        names = [one.name for plan in plans for one in plan.bindings]
        self.settled.append(sorted(names))

    async def _sleep(self, seconds: float) -> None:
        assert seconds == 6.0
        self.slept.append(asyncio.Event())
        await self.slept[-1].wait()

    def release(self, topic: str, partition: int) -> None:
        assert topic == TOPIC
        self.released.append(partition)

    def taken(self, message: Any) -> None:
        raise AssertionError(message)

    def assign(self, *partitions: int) -> None:
        for partition in partitions:
            self.member.on_assigned(TOPIC, partition, None)

    @property
    def bound(self) -> list[str]:
        return sorted(name for feed in self.fleet.running for name in feed.names)


def source(names: Iterable[str], **more: Any) -> Source:
    """Return an account that wants these books."""
    wanted = tuple(Wanted(stream=n[:13], feed_id=n[14:], **more) for n in names)
    return Source(name="desk", venue="finery", url="wss://v", wanted=wanted)


def of(*partitions: int) -> list[str]:
    """Return the books of these shares."""
    found = [n for n in NAMES if partition_of("desk", n, PARTITIONS) in partitions]
    return sorted(found)


async def turn(times: int = 5) -> None:
    """Let tasks run."""
    for _ in range(times):
        await asyncio.sleep(0)


Run = Callable[[Awaitable[None]], None]


def test_a_share_is_run_and_given_in_order(run: Run) -> None:
    """It is released only after its sequences have ended and Kafka has them."""

    async def scenario() -> None:
        world = World()
        world.assign(0, 1)
        assert world.bound == of(0, 1)
        stays = [f for f in world.fleet.running if f.plan.name.endswith("@1")]
        world.fleet.may_end.clear()
        world.member.on_revoked(TOPIC, 0)
        await turn()
        assert (world.released, world.settled) == ([], [])
        world.fleet.may_end.set()
        await turn()
        assert (world.released, world.settled) == ([0], [of(0)])
        assert world.bound == of(1)
        assert world.fleet.running == stays
        assert {f.over for f in world.fleet.feeds if f not in stays} == {Reason.MOVED}

    run(scenario())


def test_a_share_lost_while_it_is_given_is_abandoned(run: Run) -> None:
    """Somebody else may run it already: not even ENDED is written any more."""

    async def scenario() -> None:
        world = World()
        world.assign(0)
        world.fleet.may_end.clear()
        world.member.on_revoked(TOPIC, 0)
        await turn()
        world.member.on_lost(TOPIC, 0)
        world.fleet.may_end.set()
        await turn()
        assert {feed.over for feed in world.fleet.feeds} == {"abandoned"}
        world.assign(0)
        assert world.bound == of(0)

    run(scenario())


def test_after_a_lapse_all_is_dropped_and_what_was_not_lost_comes_back(
    run: Run,
) -> None:
    """It waits a session; what was lost meanwhile is somebody else's."""

    async def scenario() -> None:
        world = World()
        world.assign(0, 1, 2)
        first = list(world.fleet.feeds)
        world.member.lapsed()
        assert world.bound == []
        assert {feed.over for feed in first} == {"abandoned"}
        world.member.on_lost(TOPIC, 1)
        await turn()
        assert world.bound == []
        world.slept[0].set()
        await turn()
        assert world.bound == of(0, 2)
        assert (world.member.lapses, world.member.dealt) == (1, {0, 2})

    run(scenario())


def test_a_second_lapse_waits_for_a_session_of_its_own(run: Run) -> None:
    """The first one's wait says nothing about what was lost in the second."""

    async def scenario() -> None:
        world = World()
        world.assign(0)
        world.member.lapsed()
        await turn()
        world.member.lapsed()
        await turn()
        world.slept[0].set()
        await turn()
        assert world.bound == []
        world.slept[1].set()
        await turn()
        assert world.bound == of(0)

    run(scenario())


def test_a_share_revoked_after_its_end_still_waits_for_kafka(run: Run) -> None:
    """A worker that stops has ended it, and its last records are on their way."""

    async def scenario() -> None:
        world = World()
        world.assign(0)
        world.member.leave()
        await world.ownership.give([0], Reason.STOPPED)
        world.member.on_revoked(TOPIC, 0)
        await turn()
        assert (world.released, world.settled) == ([0], [of(0)])

    run(scenario())


def test_a_failed_membership_ends_everything(run: Run) -> None:
    """Nothing is ours any more, and the worker is told."""

    async def scenario() -> None:
        world = World()
        world.assign(0, 3)
        world.member.on_failed(KafkaError("gone"))
        assert world.bound == []
        assert len(world.failures) == 1

    run(scenario())


def test_a_worker_that_leaves_takes_nothing_more(run: Run) -> None:
    """Others may stop at the same time, and the group deals their shares to it."""

    async def scenario() -> None:
        world = World()
        world.assign(0)
        world.member.leave()
        await world.ownership.give([0], Reason.STOPPED)
        world.assign(1, 2)
        world.member.on_revoked(TOPIC, 1)
        await turn()
        assert world.bound == []
        assert world.released == [1]
        assert {feed.over for feed in world.fleet.feeds} == {Reason.STOPPED}

    run(scenario())


def test_a_share_revoked_while_the_worker_leaves_is_released_after_its_end(
    run: Run,
) -> None:
    """Its new owner must not begin before ENDED is in Kafka; the reason stays."""

    async def scenario() -> None:
        world = World()
        world.assign(0)
        world.member.leave()
        world.fleet.may_end.clear()
        ending = asyncio.create_task(world.ownership.give([0], Reason.STOPPED))
        await turn()
        world.member.on_revoked(TOPIC, 0)
        await turn()
        assert world.released == []
        world.fleet.may_end.set()
        await ending
        await turn()
        assert (world.released, world.settled) == ([0], [of(0)])
        assert {feed.over for feed in world.fleet.feeds} == {Reason.STOPPED}

    run(scenario())


def test_wishes_change_nothing_but_what_they_name(run: Run) -> None:
    """What is added has a connection of its own; what is removed leaves alone."""

    async def scenario() -> None:
        world = World()
        world.wanted = [source(NAMES[:8])]
        world.assign(*range(PARTITIONS))
        before = list(world.fleet.running)
        world.wanted = [source([*NAMES[1:8], NAMES[9]])]
        world.ownership.adjust()
        assert world.bound == sorted([*NAMES[1:8], NAMES[9]])
        dropped = [name for feed in before for name in feed.dropped]
        gone = [f for f in before if f.over]
        assert dropped == [NAMES[0]] or [f.names for f in gone] == [[NAMES[0]]]
        [new] = [f for f in world.fleet.running if f not in before]
        assert new.names == [NAMES[9]]
        assert new.plan.name not in {feed.plan.name for feed in before}

    run(scenario())


def test_what_is_being_given_does_not_follow_wishes(run: Run) -> None:
    """A share on its way out starts nothing new."""

    async def scenario() -> None:
        world = World()
        world.wanted = [source(NAMES[:6])]
        world.assign(*range(PARTITIONS))
        world.fleet.may_end.clear()
        giving = asyncio.ensure_future(
            world.ownership.give(range(PARTITIONS), Reason.STOPPED)
        )
        await turn()
        world.wanted = [source(NAMES)]
        world.ownership.adjust()
        assert world.bound == sorted(NAMES[:6])
        world.fleet.may_end.set()
        await giving
        assert world.ownership.held == {}

    run(scenario())


def test_without_a_group_everything_is_one_share(run: Run) -> None:
    """The names of its connections are the plain ones."""

    async def scenario() -> None:
        world = World()
        world.ownership.take(None)
        world.ownership.take(None)
        assert [feed.plan.name for feed in world.fleet.feeds] == ["books-1"]
        assert world.ownership.held[None].since_ms == 7_000
        await world.ownership.give([None, 5], Reason.STOPPED)
        assert [feed.over for feed in world.fleet.feeds] == [Reason.STOPPED]

    run(scenario())


@pytest.mark.parametrize("error", [None, ValueError("a fault")])
def test_the_fleet_tells_of_a_feed_that_fails(
    run: Run, error: Exception | None
) -> None:
    """An error that nobody expected ends the worker; an end is none."""

    class Ending:
        reason = Reason.STOPPED

        def __init__(self, plan: Plan) -> None:
            self.plan = plan

        async def run(self, stop: asyncio.Event) -> None:
            await stop.wait()
            if error is not None:
                raise error

    async def scenario() -> None:
        failures: list[Exception] = []
        fleet = Fleet(lambda plan: cast("Feed", Ending(plan)), failures.append)
        plan = Plan(
            source="desk", venue="finery", name="books-1", subscriptions=(),
            bindings=(), url="wss://v",
        )  # fmt: skip
        feed = fleet.start(plan)
        assert fleet.feeds == [feed]
        await fleet.end([feed], Reason.MOVED)
        await turn()
        assert (fleet.feeds, feed.reason) == ([], Reason.MOVED)
        assert len(failures) == (error is not None)

    run(scenario())
