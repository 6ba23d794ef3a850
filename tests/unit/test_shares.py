"""The feeds of a worker, and how they look while they cannot begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.app import wishes
from bridge.app.destinations import Destination, Preparation, schemas_by_topic
from bridge.app.parts import Parts
from bridge.app.places import pacers
from bridge.app.shares import Shares
from bridge.app.stopping import Stopping
from bridge.app.view import Running, Watcher
from bridge.app.vitals import Vitals
from bridge.config import load
from bridge.core.codec import Codec
from bridge.core.envelopes import Reader
from bridge.core.health import Part, Step, View, alive, parts
from bridge.core.model import Plan
from bridge.core.ownership import partition_of
from bridge.edge.fates import Place
from bridge.edge.reader_thread import ReaderThread
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError
from bridge.flow.feed import Feed
from tests.support.clock import ManualClock
from tests.support.processes import settings_file
from tests.support.running import Run

LONG_S = 120.0


class Unread:
    """Stands in for `Follow`: a topic whose end is reached when a test says so."""

    def __init__(self, *_: Any) -> None:
        self.values: dict[bytes, bytes] = {}
        self.failure: BridgeError | None = None
        self.end = asyncio.Event()

    async def open(self, partitions: int) -> None:
        assert partitions == 1

    async def wait_caught_up(self) -> None:
        await self.end.wait()

    async def close(self) -> None:
        """Need nothing."""


class Stage:
    """A worker's shares at a Kafka that does not answer, and how they look."""

    def __init__(self, folder: Path, mode: str) -> None:
        tree = {
            "kafka": {"bootstrap_servers": "127.0.0.1:1"},
            "cfbenchmarks": {"rates": {"subscriptions": ["value:BRTI"]}},
            "ownership": {"mode": mode},
        }
        settings = load(settings_file(folder, tree), {}, venues=False)
        codec, self.clock = Codec(bundled()), ManualClock()
        known = {
            topic: Destination(topic, schema, 1, codec.single_object_header(schema))
            for topic, schema in schemas_by_topic(settings).items()
        }
        self.parts = Parts(settings, known, codec, self.clock, lambda *_, **__: None)
        self.shares = Shares(
            self.parts,
            cast("Preparation", None),
            Reader(codec),
            pacers(settings, self.clock)[0],
            lambda error: pytest.fail(str(error)),
        )
        self.vitals = Vitals()
        name = settings.topics.assignment
        self.vitals.watch_reader(name, lambda: self.shares.progress)

    @property
    def view(self) -> View:
        running = Running(self.parts, self.shares, None, [])
        now = self.clock.now()
        return Watcher(self.vitals).view(running, Step.RUNNING, "", now)

    async def close(self) -> None:
        await self.shares.wishes.close()
        if self.shares._group is not None:
            await self.shares._group.close()


def wrong(found: list[Part]) -> list[str]:
    return [f"{part.name}: {part.why}" for part in found if not part.ok]


@pytest.mark.parametrize("mode", ["group", "static"])
def test_a_worker_that_waits_for_its_wishes_is_alive_and_not_ready(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """However long: a thread that was never started does not hang."""
    monkeypatch.setattr(wishes, "Follow", Unread)

    async def story() -> tuple[View, View]:
        stage = Stage(tmp_path, mode)
        opening = asyncio.ensure_future(stage.shares.open())
        await stage.clock.advance(LONG_S)
        stage.parts.lease.renew()  # as the pulse does
        waiting = stage.view
        cast("Unread", stage.shares.wishes._follow).end.set()
        await opening
        begun = stage.view
        await stage.close()
        return waiting, begun

    waiting, begun = run(story())
    assert wrong(alive(waiting)) == []
    assert wrong(parts(waiting)) == ["log feedbridge.subscriptions: not read yet"]
    assert wrong(alive(begun)) == []
    assert not [part for part in wrong(parts(begun)) if part.startswith("log ")]


def test_the_threads_age_begins_with_the_thread(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the worker, or it would look hung until it first came round."""
    monkeypatch.setattr(wishes, "Follow", Unread)
    monkeypatch.setattr(ReaderThread, "start", lambda *_: None)

    async def story() -> list[float]:
        stage = Stage(tmp_path, "group")
        opening = asyncio.ensure_future(stage.shares.open())
        await stage.clock.advance(LONG_S)
        cast("Unread", stage.shares.wishes._follow).end.set()
        await opening
        ages = [thread.age_s for thread in stage.view.threads]
        await stage.close()
        return ages

    assert run(story()) == [0.0]


# -- a stop in the midst of a handover

SHARE = partition_of("rates", "value:BRTI", 24)


class Still:
    """A feed that ends as soon as it is told to."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()


class SlowKafka:
    """A producer that knows the fate of no record before a test says so."""

    def __init__(self) -> None:
        self.asked: list[Collection[Place]] = []
        self.known = asyncio.Event()

    async def settled(self, places: Collection[Place], _patience: object) -> bool:
        self.asked.append(places)
        if places:
            await self.known.wait()
        return True


class Group:
    """What a worker tells its group, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def taken(self, message: object) -> None:
        raise AssertionError(message)

    def release(self, topic: str, partition: int) -> None:
        assert topic == "assignment"
        self.told.append(f"release {partition}")

    async def close(self) -> None:
        self.told.append("close")


class Handover(Stage):
    """A worker of a group that has one share and is asked to give it away."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "group")
        self.kafka, self.group = SlowKafka(), Group()
        self.parts.producer = self.kafka  # type: ignore[assignment]
        self.shares._group = self.group  # type: ignore[assignment]
        make: Callable[[Plan], Feed] = lambda plan: cast("Feed", Still(plan))  # noqa: E731
        self.shares.fleet._make = make
        assert self.shares.member is not None
        self.member = self.shares.member
        self.member.attach(self.group)
        self.member.on_assigned("assignment", SHARE, None)
        self.places = self.parts.places(self.shares.ownership.plans([SHARE]))

    async def begin(self) -> None:
        """Give the share away as far as Kafka's silence lets it."""
        self.member.on_revoked("assignment", SHARE)
        await self.clock.advance(0.1)
        assert self.shares.ownership.held == {}

    async def stop(self) -> asyncio.Task[None]:
        stopping = Stopping(self.parts.settings, self.clock)
        stopping.set()
        closing = asyncio.ensure_future(self.shares.close(stopping))
        await self.clock.advance(0.1)
        return closing


def test_a_stop_waits_for_the_records_of_a_share_that_is_being_given(
    run: Run, tmp_path: Path
) -> None:
    """Leaving the group lets it go: its next owner would begin before them."""

    async def story() -> None:
        stage = Handover(tmp_path)
        await stage.begin()
        closing = await stage.stop()
        assert stage.group.told == []
        assert stage.places
        assert stage.kafka.asked == [stage.places, stage.places]
        stage.kafka.known.set()
        await closing
        assert stage.group.told == [f"release {SHARE}", "close"]

    run(story())


@pytest.mark.parametrize("lost", [False, True])
def test_a_stop_does_not_wait_for_what_has_gone_already(
    run: Run, tmp_path: Path, *, lost: bool
) -> None:
    """A share that was released, or lost on its way out, is somebody else's."""

    async def story() -> None:
        stage = Handover(tmp_path)
        await stage.begin()
        if lost:
            stage.member.on_lost("assignment", SHARE)
        else:
            stage.kafka.known.set()
            await stage.clock.advance(0.1)
        assert stage.member.leaving == set()
        await (await stage.stop())
        assert stage.kafka.asked == [stage.places, set()]
        assert stage.group.told[-1] == "close"

    run(story())
