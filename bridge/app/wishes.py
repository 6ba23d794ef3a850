"""What is wanted now: the settings, and over them what was asked for at run time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

import msgspec

from bridge.app.destinations import Preparation
from bridge.app.parts import Parts
from bridge.config.desired import Resolved, resolve
from bridge.core.envelopes import Reader
from bridge.core.model import Note, Plan
from bridge.edge.compacted import Follow
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.errors import BridgeError, KafkaError, SchemaError, named
from bridge.flow.race import first
from bridge.venues import VENUES
from bridge.venues.base import Source

RETRY_S = 5.0
LOOK_S = 10.0  # a topic that was missing may have been made, or a schema registered


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
        self._unsettled = False
        self._task: asyncio.Task[None] | None = None

    @property
    def known(self) -> bool:
        """Tell whether the topic was read to its end, so that `sources` is whole."""
        return self._task is not None

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
                    self._failed(self._follow.failure)
                    return
                if self._dirty.is_set() or self._unsettled:
                    await self._look()
        except Exception as error:  # noqa: BLE001 - nobody waits for this task
            self._failed(named("wishes", error))

    async def _look(self) -> None:
        """Resolve anew; without a new record, tell only if something changed."""
        asked, before = self._dirty.is_set(), self.sources
        self._dirty.clear()
        await self._resolve()
        if asked or self.sources != before:
            self._changed()

    async def _resolve(self) -> None:
        """Merge settings and topic; what cannot be served is left out and told."""
        found = await self._read(dict(self._follow.values))
        sources, homeless = await self._housed(found.sources)
        self._unsettled = bool(homeless or found.unread)
        self._tell(found.problems | homeless)
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
        why = await self._absent(plans, self._parts.routing.missing(plans))
        homeless = {
            (plan.source, name): told
            for plan in plans
            for name, told in self._homeless_of(plan, why)
        }
        if not homeless:
            return sources, {}
        kept = [
            msgspec.structs.replace(
                s, wanted=tuple(w for w in s.wanted if (s.name, w.name) not in homeless)
            )
            for s in sources
        ]
        keys = {f"{s}/{n}": told for (s, n), told in sorted(homeless.items())}
        return kept, {key: f"{key}: {told}" for key, told in keys.items()}

    async def _absent(
        self, plans: Sequence[Plan], missing: Mapping[str, str]
    ) -> dict[str, str]:
        """Know these topics from now on; return those that cannot be had, and why.

        One of them must keep no other away: if all at once fails, each is tried alone.
        """
        if not missing:
            return {}
        feeding = [self._narrowed(plan, missing) for plan in plans]
        try:
            found = await self._preparation.more(feeding, missing)
        except (KafkaError, SchemaError) as error:
            if len(missing) == 1:
                return dict.fromkeys(missing, str(error))
            alone = [await self._absent(plans, {t: s}) for t, s in missing.items()]
            return {topic: why for one in alone for topic, why in one.items()}
        self._parts.routing.add(found)
        return {}

    def _narrowed(self, plan: Plan, topics: Container[str]) -> Plan:
        """Return the plan with no more than what it writes to these topics."""
        topic = self._parts.routing.topic
        kept = tuple(one for one in plan.subscriptions if topic(one) in topics)
        return msgspec.structs.replace(plan, subscriptions=kept, bindings=())

    def _homeless_of(
        self, plan: Plan, why: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        """Yield the bindings that cannot do without a topic of these, and why.

        What no binding feeds, such as the status, is written by every connection.
        """
        topics = [self._parts.routing.topic(one) for one in plan.subscriptions]
        fed = {channel for binding in plan.bindings for channel in binding.channels}
        shared = [topic for channel, topic in enumerate(topics) if channel not in fed]
        for binding in plan.bindings:
            needed = [*shared, *(topics[channel] for channel in binding.channels)]
            if told := next((why[topic] for topic in needed if topic in why), None):
                yield binding.name, told

    def _tell(self, problems: Mapping[str, str]) -> None:
        for key in problems.keys() - self.problems.keys():
            self._parts.log("subscription_left_out", level="warning", why=problems[key])
        self.problems = problems

    def _note(self, note: Note) -> None:
        self._parts.log(note.event, **note.facts)
