"""Looking at topics and creating them."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import confluent_kafka as ck
import pytest

from bridge.edge.admin import Admin, TopicPlan, TopicSpec
from bridge.embedded import EmbeddedKafka
from bridge.errors import ConfigError, KafkaError
from tests.support.running import Run

COMPACTED = TopicSpec("state", 1, -1, {"cleanup.policy": "compact"})


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics={"a": 2, "b": 7}) as cluster:
        yield cluster


def admin(kafka: EmbeddedKafka) -> Admin:
    return Admin({"bootstrap.servers": kafka.bootstrap})


def test_partition_counts_create_nothing(kafka: EmbeddedKafka, run: Run) -> None:
    """Topics that are there have their counts; asking for others creates none."""
    for _ in range(2):
        counts = run(admin(kafka).partition_counts(["a", "b", "nope"]))
        assert counts == {"a": 2, "b": 7}


def test_it_waits_for_the_brokers(kafka: EmbeddedKafka, run: Run) -> None:
    """A cluster that comes up while being asked is enough."""
    import asyncio

    async def main() -> None:
        kafka.broker_down()
        asking = asyncio.ensure_future(admin(kafka).partition_counts(["a"]))
        await asyncio.sleep(0.3)
        kafka.broker_up()
        assert await asking == {"a": 2}

    run(main())


def test_no_broker_is_told_in_time(run: Run) -> None:
    """Without a broker the error names the addresses and what to check."""
    nowhere = Admin({"bootstrap.servers": "127.0.0.1:1"})
    with pytest.raises(KafkaError, match=r"127\.0\.0\.1:1 .*within 0\.5 s.*check"):
        run(nowhere.partition_counts(["a"], timeout_s=0.5))


def test_the_plan_tells_missing_and_different(kafka: EmbeddedKafka, run: Run) -> None:
    """What is missing is to be created; what differs is said in words."""
    wanted = [TopicSpec("a", 2), TopicSpec("b", 3), COMPACTED]
    plan = run(admin(kafka).plan(wanted))
    assert plan == TopicPlan((COMPACTED,), ("b: 7 partitions, not 3",))


def test_an_unsupported_creation_says_what_to_do(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """The embedded Kafka has no CreateTopics: the error names the topic and a way."""
    with pytest.raises(KafkaError, match=r"state: .*by hand"):
        run(admin(kafka).create([COMPACTED], timeout_s=2))


class Stand:
    """An admin client whose answers are given."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers
        self.asked: list[Any] = []

    def create_topics(self, asked: list[Any], **_: object) -> dict[str, Future[Any]]:
        self.asked = asked
        return {topic.topic: future(self.answers[topic.topic]) for topic in asked}

    def describe_configs(self, asked: list[Any], **_: object) -> dict[Any, Future[Any]]:
        return {resource: future(self.answers[resource.name]) for resource in asked}


def future(answer: object) -> Future[Any]:
    made: Future[Any] = Future()
    if isinstance(answer, int):
        made.set_exception(ck.KafkaException(ck.KafkaError(answer, "said so")))
    else:
        made.set_result(answer)
    return made


@dataclasses.dataclass
class Entry:
    name: str
    value: str | None


def test_topics_are_created_with_their_configs(kafka: EmbeddedKafka, run: Run) -> None:
    """Each topic is asked for as specified; one that is there already is no error."""
    made = admin(kafka)
    exists = ck.KafkaError.TOPIC_ALREADY_EXISTS
    stand = Stand({"state": None, "there": exists})
    made._client = stand  # type: ignore[assignment]
    assert run(made.create([COMPACTED, TopicSpec("there", 4, 3)])) == ["state"]
    first, second = stand.asked
    assert (first.topic, first.num_partitions) == ("state", 1)
    assert first.config == {"cleanup.policy": "compact"}
    assert (second.num_partitions, second.replication_factor) == (4, 3)
    assert run(made.create([])) == []


def test_every_refused_topic_is_named(kafka: EmbeddedKafka, run: Run) -> None:
    """All topics that could not be created are told at once, with Kafka's words."""
    made = admin(kafka)
    denied = ck.KafkaError.TOPIC_AUTHORIZATION_FAILED
    made._client = Stand({"x": denied, "y": denied, "z": None})  # type: ignore[assignment]
    specs = [TopicSpec(name, 1) for name in "xyz"]
    with pytest.raises(KafkaError, match=r"x: TOPIC_AUTH.*said so; y: TOPIC_AUTH"):
        run(made.create(specs))


def test_configs_in_force_are_compared(kafka: EmbeddedKafka, run: Run) -> None:
    """A config that is set otherwise is a difference; what cannot be seen is none."""
    made = admin(kafka)
    real, stand = (
        made._client,
        Stand(
            {
                "a": {"cleanup.policy": Entry("cleanup.policy", "delete")},
                "b": ck.KafkaError._UNSUPPORTED_FEATURE,
            }
        ),
    )
    stand.list_topics = real.list_topics  # type: ignore[attr-defined]
    made._client = stand  # type: ignore[assignment]
    compact = {"cleanup.policy": "compact", "other": "1"}
    plan = run(
        made.plan([TopicSpec("a", 2, -1, compact), TopicSpec("b", 7, -1, compact)])
    )
    assert plan == TopicPlan((), ("a: cleanup.policy=delete, not compact",))
    stand.answers["a"] = ck.KafkaError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(KafkaError, match="cannot look at a: TOPIC_AUTH"):
        run(made.describe(["a"]))


def test_an_unknown_option_is_a_settings_error() -> None:
    """A property that librdkafka does not know is a settings error."""
    with pytest.raises(ConfigError, match=r"kafka\.options: .*no\.such"):
        Admin({"no.such": "x"})
