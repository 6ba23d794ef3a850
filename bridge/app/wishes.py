"""What is wanted now: the settings, and over them what was asked for at run time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bridge.app.destinations import Preparation
from bridge.app.parts import Parts
from bridge.config.desired import Resolved, resolve
from bridge.core.envelopes import Reader
from bridge.core.model import Note, Plan
from bridge.edge.compacted import Follow
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.errors import BridgeError, KafkaError, SchemaError
from bridge.flow.race import first
from bridge.venues import VENUES
from bridge.venues.base import Source

RETRY_S = 5.0
LOOK_S = 10.0  # a topic that was missing may have been made


class Wishes:
    """Follows the topic of run-time subscriptions; belongs to the event loop."""

    def __init__(
        self,
        parts: Parts,
        preparation: Preparation,
        reader: Reader,
        changed: Callable[[], None],
        failed: Callable[[BridgeError], None],
    ) -> None:
        """Begin with the settings.

        Args:
            parts: of the worker.
            preparation: makes sure of topics that are new.
            reader: reads the records.
            changed: called after `sources` changed.
            failed: told when nothing can be known any more.
        """
        self.sources: Sequence[Source] = parts.settings.sources()
        self.problems: Mapping[str, str] = {}
        self._parts = parts
        self._preparation = preparation
        self._reader = reader
        self._changed = changed
        self._failed = failed
        self._dirty = asyncio.Event()
        settings = parts.settings
        self._follow = Follow(
            settings.kafka.properties(),
            settings.topics.subscriptions,
            lambda _key, _value: self._dirty.set(),
            self._note,
            parts.clock,
        )
        self._homeless: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read the topic to its end, and follow it from there.

        Raises:
            KafkaError: the topic cannot be read.
        """
        topic = self._parts.settings.topics.subscriptions
        await self._follow.open(self._parts.routing.partitions(topic))
        await self._follow.wait_caught_up()
        self._dirty.clear()
        await self._resolve()
        self._task = asyncio.create_task(self._run(), name="wishes")

    async def close(self) -> None:
        """Follow no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._follow.close()

    def clients(self, options: Options) -> list[tuple[KafkaClient, Options]]:
        """Return the Kafka client with what it is to have of `options`."""
        return [(self._follow, options)]

    async def _run(self) -> None:
        try:
            while True:
                await first(self._dirty.wait(), self._parts.clock.sleep(LOOK_S))
                if self._follow.failure is not None:
                    raise self._follow.failure
                if self._dirty.is_set() or self._homeless:
                    self._dirty.clear()
                    await self._resolve()
                    self._changed()
        except BridgeError as error:
            self._failed(error)

    async def _resolve(self) -> None:
        """Merge settings and topic; what cannot be served is left out and told."""
        found = await self._read(dict(self._follow.values))
        sources, self._homeless = await self._housed(found.sources)
        self._tell(found.problems | self._homeless)
        self.sources = sources

    async def _read(self, values: Mapping[bytes, bytes]) -> Resolved:
        """Read the records; while the registry is away, what runs goes on."""
        settings, reader = self._parts.settings, self._reader
        while True:
            try:
                return await asyncio.to_thread(resolve, settings, values, reader)
            except SchemaError as error:
                self._parts.log("subscriptions_unread", level="warning", why=str(error))
                await self._parts.clock.sleep(RETRY_S)

    async def _housed(
        self, sources: Sequence[Source]
    ) -> tuple[Sequence[Source], dict[str, str]]:
        """Make sure of the topics; return what has one, and why the rest has none."""
        plans = [p for s in sources for p in VENUES[s.venue].plans(s)]
        missing = self._parts.routing.missing(plans)
        if not missing:
            return sources, {}
        try:
            self._parts.routing.add(await self._preparation.more(plans, missing))
        except (KafkaError, SchemaError) as error:
            return self._without(sources, plans, set(missing), str(error))
        return sources, {}

    def _without(
        self,
        sources: Sequence[Source],
        plans: Sequence[Plan],
        topics: set[str],
        why: str,
    ) -> tuple[Sequence[Source], dict[str, str]]:
        """Leave out the bindings that feed a topic that is not there."""
        routing = self._parts.routing
        homeless = {
            (plan.source, binding.name)
            for plan in plans
            for binding in plan.bindings
            if any(routing.topic(plan.subscriptions[c]) in topics
                   for c in binding.channels)
        }  # fmt: skip
        kept = [
            msgspec.structs.replace(
                s, wanted=tuple(w for w in s.wanted if (s.name, w.name) not in homeless)
            )
            for s in sources
        ]
        return kept, {f"{s}/{n}": f"{s}/{n}: {why}" for s, n in sorted(homeless)}

    def _tell(self, problems: Mapping[str, str]) -> None:
        for key in problems.keys() - self.problems.keys():
            self._parts.log("subscription_left_out", level="warning", why=problems[key])
        self.problems = problems

    def _note(self, note: Note) -> None:
        self._parts.log(note.event, **note.facts)
