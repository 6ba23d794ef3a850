"""The servers of the real tier are what they claim to be."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.kafka import Listener, Properties, RealKafka
from tests.support.kcat import kcat
from tests.support.registry import RealRegistry
from tests.support.servers import free_ports

pytestmark = pytest.mark.timeout(180)


def _avro(kind: str) -> str:
    fields = [{"name": "x", "type": kind}]
    return json.dumps({"type": "record", "name": "Probe", "fields": fields})


def _topic() -> str:
    return f"ground-{uuid4().hex[:12]}"


def _produce(broker: RealKafka, topic: str, *payloads: bytes) -> None:
    producer = Producer(broker.client() | {"acks": "all"})
    for payload in payloads:
        producer.produce(topic, payload, key=b"k", timestamp=1_700_000_000_123)
    assert producer.flush(20) == 0


def test_kcat_reads_back_what_was_produced(kafka: RealKafka) -> None:
    topic = _topic()
    _produce(kafka, topic, b"one\n", b"\x00two")
    first, second = kcat(kafka.client(), topic)
    assert (first.key, first.payload) == (b"k", b"one\n")
    assert (first.partition, first.offset) == (0, 0)
    assert first.timestamp == 1_700_000_000_123
    assert (second.offset, second.payload) == (1, b"\x00two")


def test_kcat_tells_absent_from_empty(kafka: RealKafka) -> None:
    topic = _topic()
    producer = Producer(kafka.client())
    producer.produce(topic, value=None, key=b"")
    assert producer.flush(20) == 0
    (only,) = kcat(kafka.client(), topic)
    assert (only.key, only.payload) == (b"", None)


@pytest.mark.parametrize("listener", ["SSL", "SASL_SSL"])
def test_secure_listeners_answer(kafka: RealKafka, listener: Listener) -> None:
    metadata = AdminClient(kafka.client(listener)).list_topics(timeout=30)
    (broker,) = metadata.brokers.values()
    assert broker.port == kafka.ports[listener]


def _first_error(client: Properties) -> int:
    """Connect, expect failure, and return the first error that was reported."""
    seen: list[int] = []
    watching: dict[str, Any] = {**client, "error_cb": lambda e: seen.append(e.code())}
    watched = AdminClient(watching)
    with pytest.raises(KafkaException):
        watched.list_topics(timeout=4)
    watched.poll(0)
    return seen[0]


def test_wrong_password_is_refused(kafka: RealKafka) -> None:
    wrong = kafka.client("SASL_SSL") | {"sasl.password": "wrong"}
    assert _first_error(wrong) == KafkaError._AUTHENTICATION


def test_unknown_authority_is_refused(kafka: RealKafka) -> None:
    blind = kafka.client("SSL")
    del blind["ssl.ca.location"]
    assert _first_error(blind) == KafkaError._SSL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_records_survive_a_restart_on_the_same_port(
    private_kafka: Callable[..., RealKafka], number: signal.Signals
) -> None:
    broker = private_kafka(heap_mb=256)
    topic, before = _topic(), broker.bootstrap
    _produce(broker, topic, b"kept")
    broker.stop(number)
    broker.start()
    assert broker.bootstrap == before
    assert [record.payload for record in kcat(broker.client(), topic)] == [b"kept"]


def test_frozen_broker_answers_after_thaw(
    private_kafka: Callable[..., RealKafka],
) -> None:
    broker = private_kafka(heap_mb=256)
    admin = AdminClient(broker.client())
    admin.list_topics(timeout=30)
    broker.freeze()
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)
    broker.thaw()
    assert admin.list_topics(timeout=20).brokers


@pytest.fixture
def schemas(registry: RealRegistry) -> Iterator[SchemaRegistryClient]:
    """Open a client of the shared registry."""
    with SchemaRegistryClient({"url": registry.url}) as client:
        yield client


def test_registry_starts_backward(registry: RealRegistry) -> None:
    assert registry.compatibility() == {"compatibilityLevel": "BACKWARD"}


def test_registry_keeps_ids(schemas: SchemaRegistryClient) -> None:
    subject = f"{_topic()}-value"
    number = schemas.register_schema(subject, Schema(_avro("long"), "AVRO"))
    assert schemas.register_schema(subject, Schema(_avro("long"), "AVRO")) == number
    kept = schemas.get_latest_version(subject).schema.schema_str
    assert kept is not None
    assert json.loads(kept) == json.loads(_avro("long"))


def test_registry_refuses_an_incompatible_schema(schemas: SchemaRegistryClient) -> None:
    subject = f"{_topic()}-value"
    schemas.register_schema(subject, Schema(_avro("long"), "AVRO"))
    assert not schemas.test_compatibility(subject, Schema(_avro("string"), "AVRO"))
    with pytest.raises(SchemaRegistryError) as refused:
        schemas.register_schema(subject, Schema(_avro("string"), "AVRO"))
    assert refused.value.http_status_code == 409


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_registry_keeps_schemas_over_a_restart(
    private_registry: Callable[[], RealRegistry], number: signal.Signals
) -> None:
    made = private_registry()
    with SchemaRegistryClient({"url": made.url}) as client:
        before = client.register_schema("kept-value", Schema(_avro("long"), "AVRO"))
    made.stop(number)
    made.start()
    with SchemaRegistryClient({"url": made.url}) as client:
        after = client.register_schema("kept-value", Schema(_avro("long"), "AVRO"))
    assert after == before


def test_avro_round_trip_by_the_vendors_own_client(
    schemas: SchemaRegistryClient,
) -> None:
    context = SerializationContext(_topic(), MessageField.VALUE)
    encoded = AvroSerializer(schemas, _avro("long"))({"x": 7}, context)
    assert encoded is not None
    assert encoded[0] == 0
    assert AvroDeserializer(schemas)(encoded, context) == {"x": 7}


def test_proxied_listener_sends_clients_back_through_the_proxy(
    private_kafka: Callable[..., RealKafka],
) -> None:
    (proxy_port,) = free_ports(1)
    broker = private_kafka(heap_mb=256, proxied_port=proxy_port)
    metadata = AdminClient(broker.client("PROXIED")).list_topics(timeout=30)
    assert [b.port for b in metadata.brokers.values()] == [proxy_port]
