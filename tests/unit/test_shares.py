"""The feeds of a worker, and how they look while they cannot begin."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.app import wishes
from bridge.app.destinations import Destination, Preparation, schemas_by_topic
from bridge.app.parts import Parts
from bridge.app.places import pacers
from bridge.app.shares import Shares
from bridge.app.view import Running, Watcher
from bridge.app.vitals import Vitals
from bridge.config import load
from bridge.core.codec import Codec
from bridge.core.envelopes import Reader
from bridge.core.health import Part, Step, View, alive, parts
from bridge.edge.reader_thread import ReaderThread
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError
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
