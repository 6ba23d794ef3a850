"""The embedded Kafka: a cluster that other clients really use."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bridge import embedded
from bridge.embedded import DEFAULT_PARTITIONS, EmbeddedKafka
from bridge.errors import KafkaError

QUIET = {"log_level": 0}


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(brokers=2, topics={"made": 3}) as cluster:
        yield cluster


def producer(kafka: EmbeddedKafka) -> Producer:
    return Producer({"bootstrap.servers": kafka.bootstrap, **QUIET})


def test_it_has_the_brokers_and_topics_asked_for(kafka: EmbeddedKafka) -> None:
    """Brokers listen on loopback, and topics have the partitions asked for."""
    kafka.create_topic("later", 7)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, **QUIET})
    found = admin.list_topics(timeout=5)
    assert len(found.brokers) == 2
    assert all(broker.host == "127.0.0.1" for broker in found.brokers.values())
    counts = {name: len(topic.partitions) for name, topic in found.topics.items()}
    assert counts == {"made": 3, "later": 7}


def test_a_topic_appears_by_itself(kafka: EmbeddedKafka) -> None:
    """A topic that nobody created has the default partition count."""
    client = producer(kafka)
    client.produce("new", b"x")
    assert client.flush(5) == 0
    assert len(client.list_topics(timeout=5).topics["new"].partitions) == (
        DEFAULT_PARTITIONS
    )


def test_a_taken_name_is_an_error(kafka: EmbeddedKafka) -> None:
    """Creating a topic twice is refused, with Kafka's words."""
    with pytest.raises(KafkaError, match=r"made.*already exists"):
        kafka.create_topic("made", 1)


def test_what_is_produced_can_be_consumed(kafka: EmbeddedKafka) -> None:
    """Key, value, headers and timestamp come back from another client."""
    client = producer(kafka)
    client.produce(
        "made", b"v", b"k", 2, timestamp=1_700_000_000_123, headers={"a": "b"}
    )
    assert client.flush(5) == 0
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "g", **QUIET}
    )
    consumer.assign([TopicPartition("made", 2, 0)])
    message = consumer.poll(5)
    consumer.close()
    assert message is not None
    assert (message.key(), message.value()) == (b"k", b"v")
    assert message.timestamp()[1] == 1_700_000_000_123
    assert message.headers() == [("a", b"b")]


def test_a_group_forms_at_once(kafka: EmbeddedKafka) -> None:
    """The first member of a group gets its partitions without the usual wait."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "g", **QUIET}
    )
    consumer.subscribe(["made"])
    for _ in range(20):
        consumer.poll(0.1)
        if consumer.assignment():
            break
    assigned = len(consumer.assignment())
    consumer.close()
    assert assigned == 3


def test_faults_can_be_made_and_taken_back(kafka: EmbeddedKafka) -> None:
    """A cluster that is down delivers nothing; once up again, everything."""
    kafka.broker_down()
    client = producer(kafka)
    client.produce("made", b"x", partition=0)
    assert client.flush(0.3) == 1
    kafka.broker_up()
    kafka.round_trip(20)
    assert client.flush(10) == 0


def test_stopping_ends_it(kafka: EmbeddedKafka) -> None:
    """After `stop` nothing listens, and using it is an error; stopping again is not."""
    address = kafka.bootstrap
    kafka.stop()
    kafka.stop()
    admin = AdminClient({"bootstrap.servers": address, **QUIET})
    with pytest.raises(Exception, match=r"_TRANSPORT|timed out"):
        admin.list_topics(timeout=0.5)
    with pytest.raises(KafkaError, match="call start"):
        _ = kafka.bootstrap


def test_a_library_without_a_mock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A librdkafka that lacks the functions is named in the error."""
    monkeypatch.setitem(embedded._SIGNATURES, "no_such_call", (None,))
    with pytest.raises(KafkaError, match="rd_kafka_no_such_call is missing"):
        EmbeddedKafka().start()


def test_no_library_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither the wheel nor the system has librdkafka, the error says so."""
    monkeypatch.setattr(embedded, "files", lambda _: [])
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    with pytest.raises(KafkaError, match="no librdkafka"):
        EmbeddedKafka().start()
