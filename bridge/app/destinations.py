"""Where records go: topics that exist, partitions that were counted, known schema ids.

`prepare` waits for Kafka and for the registry as long as it takes, and says so once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from bridge.config import Settings
from bridge.config.plans import schema_of, wanted_topics
from bridge.core.avro_wire import writer_of
from bridge.core.backoff import Backoff
from bridge.core.codec import Codec, confluent_header
from bridge.core.envelope_values import COMMAND, CONTROL, RESPONSE, SUBSCRIPTION
from bridge.core.model import Plan
from bridge.core.topics import topic_of
from bridge.edge.admin import Admin, TopicSpec
from bridge.edge.clock import Clock
from bridge.edge.known_schemas import LOOK_UP_S, KnownSchemas
from bridge.edge.registry import Login, Registry, subject_of, wait_for_ids
from bridge.errors import KafkaError, SchemaError
from bridge.flow.connection import Log

FEED_STATE_SCHEMA = "feedbridge.FeedState"
RETRY_CAP_S = 5.0


class Destination(NamedTuple):
    """One topic: its partition count, and schema and wire header of its values."""

    topic: str
    schema: str
    partitions: int
    header: bytes


def feed_schemas(settings: Settings) -> dict[str, str]:
    """Return the schema of every feed topic."""
    return {
        topic_of(settings.topics.template, plan.venue, s): schema_of(s.stream)
        for plan in settings.connections()
        for s in plan.subscriptions
    }


def schemas_by_topic(settings: Settings) -> dict[str, str]:
    """Return the schema of every topic that holds Avro records."""
    found = feed_schemas(settings)
    for topic, section in settings.commands.items():
        found |= {topic: COMMAND, section.responses: RESPONSE}
    if settings.commands:
        found[settings.topics.control] = CONTROL
    topics = settings.topics
    return {
        **found,
        topics.feed_state: FEED_STATE_SCHEMA,
        topics.subscriptions: SUBSCRIPTION,
    }


def login_of(settings: Settings) -> Login | None:
    """Return how to reach the registry, if there is one."""
    registry = settings.registry
    if registry.url is None:
        return None
    return Login(
        url=registry.url,
        username=registry.username or "",
        password=registry.password_text(),
        ca_file=str(registry.ca_file or ""),
    )


def schemas_by_id(
    codec: Codec, destinations: Mapping[str, Destination]
) -> dict[int, Mapping[str, Any]]:
    """Return the schemas that are written to these, by the registry's ids."""
    return {
        schema_id: codec.schema(to.schema)
        for to in destinations.values()
        if (schema_id := writer_of(to.header).schema_id) is not None
    }


def known_schemas(
    settings: Settings,
    codec: Codec,
    clock: Clock,
    destinations: Mapping[str, Destination],
) -> KnownSchemas:
    """Return the schemas of ids: those of `destinations`, and what the registry has."""

    def connect() -> Registry:
        login = login_of(settings)
        if login is None:
            raise SchemaError("a schema id, but registry.url is not set")
        return Registry(login._replace(timeout_s=LOOK_UP_S))

    return KnownSchemas(schemas_by_id(codec, destinations), connect, clock)


class Preparation:
    """Makes sure of topics and schemas before the first record."""

    def __init__(
        self,
        settings: Settings,
        schemas: Mapping[str, str],
        codec: Codec,
        clock: Clock,
        backoff: Backoff,
        log: Log,
    ) -> None:
        """Open nothing yet.

        Args:
            settings: what is set.
            schemas: the bundled schema texts by full name.
            codec: compiled from them.
            clock: the time.
            backoff: spaces the attempts while something is away.
            log: writes one line a change of state.
        """
        self._settings = settings
        self._schemas = schemas
        self._codec = codec
        self._clock = clock
        self._backoff = backoff
        self._log = log

    async def destinations(self) -> dict[str, Destination]:
        """Return every destination that the settings need, by topic.

        Raises:
            KafkaError: a topic is missing and may not be created.
            SchemaError: the registry answered, and waiting would not help.
        """
        plans = self._settings.connections()
        return await self.more(plans, schemas_by_topic(self._settings))

    async def more(
        self, plans: Sequence[Plan], wanted: Mapping[str, str]
    ) -> dict[str, Destination]:
        """Return the destinations of the topics `wanted`, with their schemas' names.

        Raises as `destinations`, for the topics of `plans`.
        """
        headers = await self._headers(wanted)
        counts = await self._partitions(plans)
        return {
            topic: Destination(topic, schema, counts[topic], headers[topic])
            for topic, schema in wanted.items()
        }

    async def _headers(self, wanted: Mapping[str, str]) -> dict[str, bytes]:
        login = login_of(self._settings)
        if login is None:
            header = self._codec.single_object_header
            return {topic: header(schema) for topic, schema in wanted.items()}
        with closing(Registry(login)) as registry:
            ids = await self._ids(registry, wanted)
        return {topic: confluent_header(ids[subject_of(topic)]) for topic in wanted}

    async def _ids(
        self, registry: Registry, wanted: Mapping[str, str]
    ) -> Mapping[str, int]:
        """Return the id of each topic's schema, by subject."""
        return await wait_for_ids(
            registry,
            {subject_of(name): self._schemas[full] for name, full in wanted.items()},
            auto_register=self._settings.registry.auto_register,
            sleep=self._clock.sleep,
            delay=self._backoff.failed,
            tell=lambda note: self._log(
                note.event, **{"level": "warning", **note.facts}
            ),
        )

    async def _partitions(self, plans: Sequence[Plan]) -> Mapping[str, int]:
        """Return the partition count of every topic, creating what is missing."""
        topics = {topic.name: topic for topic in wanted_topics(self._settings, plans)}
        admin = Admin(self._settings.kafka.properties(), self._clock)
        counts = await self._known(admin, list(topics))
        missing = [topics[name] for name in topics if name not in counts]
        if not missing:
            return counts
        self._may_create([topic.name for topic in missing])
        await admin.create(
            [TopicSpec(t.name, t.partitions, t.replication, t.config) for t in missing]
        )
        self._log("topics_created", topics=[topic.name for topic in missing])
        return {t.name: t.partitions for t in missing} | counts

    def _may_create(self, missing: list[str]) -> None:
        if not self._settings.topics.create:
            raise KafkaError(
                f"topics missing: {', '.join(missing)}; run `feedbridge topics --apply`"
                " or set topics.create"
            )

    async def _known(self, admin: Admin, names: list[str]) -> dict[str, int]:
        """Return the counts of the topics that exist; waits for a broker."""
        said = ""
        while True:
            try:
                return await admin.partition_counts(names)
            except KafkaError as error:
                if str(error) != said:
                    said = str(error)
                    self._log("kafka_unreachable", level="warning", error=said)
                await self._clock.sleep(min(RETRY_CAP_S, self._backoff.failed()))
