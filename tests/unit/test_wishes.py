"""Run-time subscriptions are followed, and one that cannot be served harms no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.app import destinations, wishes
from bridge.app.destinations import Preparation
from bridge.app.parts import Parts, Routing
from bridge.app.wishes import Wishes
from bridge.config import load
from bridge.core.backoff import Backoff
from bridge.core.codec import Codec
from bridge.core.envelopes import (
    SUBSCRIPTION,
    Desired,
    DesiredState,
    Reader,
    desired_writer,
)
from bridge.edge.known_schemas import REFUSED_NS, KnownSchemas
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError, SchemaError
from tests.support.clock import ManualClock
from tests.support.running import Run, until

SCHEMAS = bundled()
CODEC = Codec(SCHEMAS)
WRITE = desired_writer(CODEC, CODEC.single_object_header(SUBSCRIPTION))
# As another version writes them: the schema of this id has to be looked up.
FOREIGN = 9
WRITE_FOREIGN = desired_writer(CODEC, b"\x00" + FOREIGN.to_bytes(4, "big"))


class Topic:
    """Stands in for `Follow`: holds what a test puts there."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.failure: BridgeError | None = None
        self._changed: Callable[[bytes, bytes | None], None]

    def __call__(self, *args: Any) -> Topic:
        self._changed = args[2]
        return self

    def put(self, name: str, write: Callable[[Desired], bytes] = WRITE) -> None:
        """Ask for a subscription of the desk."""
        wish = Desired(source="desk", subscription=name, state=DesiredState.WANTED)
        self.values[wish.key.encode()] = value = write(wish)
        self._changed(wish.key.encode(), value)

    async def open(self, partitions: int) -> None:
        assert partitions == 1

    async def wait_caught_up(self) -> None:
        """Be caught up."""

    async def close(self) -> None:
        """Need nothing."""


class Brokers:
    """Stands in for `Admin`: there is every topic but those of `without`."""

    def __init__(self) -> None:
        self.without: set[str] = set()

    def __call__(self, *_: Any) -> Brokers:
        return self

    async def partition_counts(self, names: Sequence[str]) -> dict[str, int]:
        return {name: 1 for name in names if name not in self.without}


class Registry:
    """Has no schema at first, or is none; from the second question on it has it."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def schema(self, schema_id: int) -> Mapping[str, Any]:
        self.asked.append(schema_id)
        if len(self.asked) == 1:
            raise SchemaError("it does not answer like a schema registry: HTTP 404")
        schema: Mapping[str, Any] = json.loads(SCHEMAS[SUBSCRIPTION])
        return schema

    def close(self) -> None:
        """Need nothing."""


class Stage:
    """Makes the wishes of one worker after the other, over one topic."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.topic, self.brokers, self.clock = Topic(), Brokers(), ManualClock()
        self.failed: list[BridgeError] = []
        self.changes = 0
        self.reader = Reader(CODEC)
        self._path = folder / "settings.yaml"
        self.file("finery: {desk: {subscriptions: [book.tradable:BTC-USD]}}")
        monkeypatch.setattr(wishes, "Follow", self.topic)
        monkeypatch.setattr(destinations, "Admin", self.brokers)

    def file(self, text: str) -> None:
        """Set the settings file of the workers to come; they create no topics."""
        self._path.write_text(text + "\ntopics: {create: false}\n")

    async def open(self) -> Wishes:
        """Start a worker that knows no topic but those of the file."""
        settings, clock = load(self._path, {}, venues=False), self.clock
        backoff = Backoff(lambda: 0.5)
        preparation = Preparation(settings, SCHEMAS, CODEC, clock, backoff, self._log)
        known = await preparation.destinations()
        routing = Routing(settings.topics.template, known, CODEC)
        parts = SimpleNamespace(
            settings=settings, clock=clock, routing=routing, log=self._log
        )
        made = Wishes(
            cast("Parts", parts),
            preparation,
            self.reader,
            self._on_change,
            self.failed.append,
        )
        await made.open()
        return made

    def _on_change(self) -> None:
        self.changes += 1

    def _log(self, event: str, **facts: Any) -> None:
        """Say nothing."""


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def names(held: Wishes) -> list[str]:
    return [one.name for source in held.sources for one in source.wanted]


def test_a_wish_without_a_topic_takes_no_other_with_it_after_a_restart(
    run: Run, stage: Stage
) -> None:
    """A worker that starts knows the file's topics alone, so both are new to it."""

    async def work() -> None:
        stage.brokers.without = {"finery.settlement-orders"}
        running = await stage.open()
        for wish in ("orders", "settlement-orders", "positions"):
            stage.topic.put(wish)
        await until(lambda: stage.changes > 0, "the change")
        await running.close()

        started = await stage.open()
        kept = ["book.tradable:BTC-USD", "orders", "positions"]
        assert names(started) == kept == names(running)
        key = "desk/settlement-orders"
        why = "topics missing: finery.settlement-orders; run"
        assert started.problems.keys() == {key}
        assert started.problems[key].startswith(f"{key}: {why}")

        stage.brokers.without = set()
        await stage.clock.advance(0)
        await stage.clock.advance(wishes.LOOK_S)
        await until(lambda: "settlement-orders" in names(started), "another look")
        assert not started.problems
        await started.close()

    run(work())


def test_what_each_connection_writes_needs_its_topic_too(
    run: Run, stage: Stage
) -> None:
    """Without a topic for its status, a connection could not be opened."""

    async def work() -> None:
        stage.file("finery: {desk: {}}")
        stage.brokers.without = {"finery.status"}
        held = await stage.open()
        stage.topic.put("positions")
        await until(lambda: stage.changes > 0, "the change")
        assert names(held) == []
        assert "topics missing: finery.status;" in held.problems["desk/positions"]
        await held.close()

    run(work())


def test_a_wrong_answer_of_the_registry_is_not_the_last_word(
    run: Run, stage: Stage
) -> None:
    """What was left out for it runs once the schema is there, without a new record."""

    async def work() -> None:
        registry = Registry()
        known = KnownSchemas({}, lambda: registry, stage.clock)
        stage.reader = Reader(CODEC, known.fetch)
        held = await stage.open()
        stage.topic.put("orders")
        await until(lambda: "orders" in names(held), "the subscription")

        stage.topic.put("orders", WRITE_FOREIGN)
        await until(lambda: "orders" not in names(held), "the end")
        assert "HTTP 404" in held.problems["desk/orders"]
        changes = stage.changes
        for _ in range(round(REFUSED_NS / 1e9 / wishes.LOOK_S) - 1):
            await look(stage)
        assert registry.asked == [FOREIGN]
        assert stage.changes == changes

        while "orders" not in names(held):
            await look(stage)
        assert registry.asked == [FOREIGN, FOREIGN]
        assert not held.problems
        await held.close()

    run(work())


async def look(stage: Stage) -> None:
    """Let the time between two looks pass, and what a look does in a thread."""
    await stage.clock.advance(wishes.LOOK_S)
    await asyncio.sleep(0.05)


def test_an_unexpected_end_is_told(
    run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker ends there, where it would have gone on deaf to every wish."""

    async def work() -> None:
        held = await stage.open()
        fault = RuntimeError("a fault of ours")

        def broken(*_: object) -> None:
            raise fault

        monkeypatch.setattr(wishes, "resolve", broken)
        stage.topic.put("orders")
        await until(lambda: bool(stage.failed), "the failure")
        [told] = stage.failed
        assert told.__cause__ is fault
        await held.close()

    run(work())
