"""Looks at topics and creates them.

librdkafka's admin calls block or answer through futures of their own; each runs in a
thread here, with a limit, so the loop keeps turning.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import confluent_kafka as ck
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not in its __all__
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    TopicMetadata,
)

from bridge.edge.clock import Clock, SystemClock
from bridge.edge.kafka_options import Options, client_options, refusal
from bridge.errors import KafkaError

CALL_S = 1.0
MIN_CALL_S = 0.1
MARGIN_S = 1.0
RETRY_S = 0.2
# Brokers without DescribeConfigs, the embedded one among them.
UNSUPPORTED = frozenset(
    {ck.KafkaError._UNSUPPORTED_FEATURE, ck.KafkaError.UNSUPPORTED_VERSION}  # noqa: SLF001
)


# Of a broker that did not answer, these say what a person can mend.
TELLING = frozenset(
    {ck.KafkaError._SSL, ck.KafkaError._AUTHENTICATION}  # noqa: SLF001 - public
)
ERRORS_KEPT = 100


class TopicSpec(NamedTuple):
    """A topic as the settings want it; `replication` -1 is the broker's default."""

    name: str
    partitions: int
    replication: int = -1
    configs: Mapping[str, str] = {}


class TopicState(NamedTuple):
    """A topic as it is, with the configs in force (none if the cluster hides them)."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


class TopicPlan(NamedTuple):
    """What must be created, and how existing topics differ, in words."""

    create: tuple[TopicSpec, ...]
    differences: tuple[str, ...]


class Admin:
    """Asks the cluster; each method answers or fails within its time-out."""

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        """Start the client; no broker needs to be there yet.

        Raises:
            ConfigError: an option is unknown.
        """
        self._clock = clock or SystemClock()
        self._where = str(options.get("bootstrap.servers", "bootstrap.servers"))
        self._errors: deque[ck.KafkaError] = deque(maxlen=ERRORS_KEPT)
        told = {"error_cb": self._errors.append}
        try:
            self._client = AdminClient(client_options(options) | told)
        except ck.KafkaException as error:
            raise refusal(error) from error

    async def partition_counts(
        self, topics: Sequence[str], timeout_s: float = 10.0
    ) -> dict[str, int]:
        """Return the partition count of each topic that exists.

        Waits for the brokers. Asks for all topics, since asking for one by name would
        create it where brokers create topics by themselves.

        Raises:
            KafkaError: no broker answered in time.
        """
        known = (await self._metadata(timeout_s)).topics
        return {name: len(known[name].partitions) for name in topics if name in known}

    async def describe(
        self, topics: Sequence[str], timeout_s: float = 10.0
    ) -> dict[str, TopicState]:
        """Return each topic that exists, with the configs in force.

        Raises:
            KafkaError: no broker answered in time, or this user may not look.
        """
        known = (await self._metadata(timeout_s)).topics
        there = [name for name in topics if name in known]
        configs = await self._configs(there, timeout_s) if there else {}
        return {name: _state(known[name], configs.get(name, {})) for name in there}

    async def plan(
        self, wanted: Sequence[TopicSpec], timeout_s: float = 10.0
    ) -> TopicPlan:
        """Compare what is wanted with what is there.

        Raises:
            KafkaError: as `describe` does.
        """
        there = await self.describe([spec.name for spec in wanted], timeout_s)
        return TopicPlan(
            tuple(spec for spec in wanted if spec.name not in there),
            tuple(
                difference
                for spec in wanted
                if spec.name in there
                for difference in _differences(spec, there[spec.name])
            ),
        )

    async def create(
        self, wanted: Sequence[TopicSpec], timeout_s: float = 30.0
    ) -> list[str]:
        """Create topics; return the names created, without those that were there.

        Raises:
            KafkaError: a topic could not be created; says which, and what to do.
        """
        if not wanted:
            return []
        asked = [
            NewTopic(s.name, s.partitions, s.replication, config=dict(s.configs))
            for s in wanted
        ]
        futures = self._client.create_topics(asked, request_timeout=timeout_s)
        problems, created = [], []
        for name, future in futures.items():
            error = await _outcome(future, timeout_s)
            if error is None:
                created.append(name)
            elif error.code() != ck.KafkaError.TOPIC_ALREADY_EXISTS:
                problems.append(f"{name}: {error.name()}: {error.str()}")
        if problems:
            raise KafkaError(
                f"topics not created: {'; '.join(problems)}; create them by hand, or"
                " give this user the right to"
            )
        return created

    # -- inside

    async def _metadata(self, timeout_s: float) -> ClusterMetadata:
        """Ask until a broker answers."""
        end_ns = self._clock.now().mono_ns + int(timeout_s * 1e9)
        while True:
            left_s = (end_ns - self._clock.now().mono_ns) / 1e9
            ask_s = max(MIN_CALL_S, min(CALL_S, left_s))
            try:
                return await asyncio.to_thread(self._client.list_topics, timeout=ask_s)
            except ck.KafkaException as error:
                if self._clock.now().mono_ns >= end_ns or error.args[0].fatal():
                    raise self._unanswered(timeout_s, error.args[0]) from error
            await self._clock.sleep(RETRY_S)

    def _unanswered(self, timeout_s: float, error: ck.KafkaError) -> KafkaError:
        why = self._why() or error
        return KafkaError(
            f"no broker of {self._where} answered within {timeout_s:g} s"
            f" ({why.name()}: {why.str()}); check kafka.bootstrap_servers, TLS"
            " and login"
        )

    def _why(self) -> ck.KafkaError | None:
        """Return what the client said of its brokers; TLS and login say the most."""
        self._client.poll(0)
        telling = [e for e in self._errors if e.code() in TELLING]
        return next(iter(telling or self._errors), None)

    async def _configs(
        self, topics: Sequence[str], timeout_s: float
    ) -> dict[str, Mapping[str, str]]:
        kind = ConfigResource.Type.TOPIC
        asked = [ConfigResource(kind, name) for name in topics]
        futures = self._client.describe_configs(asked, request_timeout=timeout_s)
        found: dict[str, Mapping[str, str]] = {}
        for resource, future in futures.items():
            error = await _outcome(future, timeout_s)
            if error is None:
                entries = future.result().values()
                found[resource.name] = {e.name: e.value for e in entries if e.value}
            elif error.code() not in UNSUPPORTED:
                message = (
                    f"cannot look at {resource.name}: {error.name()}: {error.str()}"
                )
                raise KafkaError(message)
        return found


async def _outcome(future: Future[Any], timeout_s: float) -> ck.KafkaError | None:
    """Wait for one of librdkafka's futures; return its error."""
    try:
        async with asyncio.timeout(timeout_s + MARGIN_S):
            await asyncio.wrap_future(future)
    except ck.KafkaException as error:
        found: ck.KafkaError = error.args[0]
        return found
    except TimeoutError as error:
        message = f"Kafka did not answer within {timeout_s:g} s; check the brokers"
        raise KafkaError(message) from error
    return None


def _state(known: TopicMetadata, configs: Mapping[str, str]) -> TopicState:
    name, parts = str(known.topic), known.partitions
    replicas = [len(part.replicas) for part in parts.values()]
    return TopicState(name, len(parts), max(replicas, default=0), configs)


def _differences(wanted: TopicSpec, there: TopicState) -> list[str]:
    found = []
    if there.partitions != wanted.partitions:
        found.append(
            f"{wanted.name}: {there.partitions} partitions, not {wanted.partitions}"
        )
    found += [
        f"{wanted.name}: {name}={there.configs[name]}, not {value}"
        for name, value in wanted.configs.items()
        if there.configs.get(name, value) != value
    ]
    return found
