"""Programs that share no code with this project read what the encoders write."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import uuid4

import avro.io
import avro.schema
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides NewTopic
    AdminClient,
    NewTopic,
)
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bridge.core.codec import Codec, Decoder, confluent_header
from bridge.core.model import Action, BoundaryFields, Operation, State
from bridge.core.routing import partition
from bridge.edge.registry import Login, Registry, subject_of
from bridge.edge.schemas import bundled
from bridge.errors import SchemaError
from bridge.verbs import schemas as verb
from tests.support.kafka import RealKafka
from tests.support.kcat import KcatRecord
from tests.support.registry import RealRegistry

pytestmark = pytest.mark.timeout(180)

BOOK, VALUE = "finery.Book", "cfbenchmarks.Value"
CONNECTION = "0190b0c0-0000-7000-8000-000000000000"
RECEIVED_US = 1_700_000_000_123_456
PARTITIONS = 6

BOOK_EXPECTED = {
    "source": "desk-a",
    "subscription": "book.tradable:BTC-USD",
    "connection": CONNECTION,
    "instrument": "BTC-USD",
    "sequence": 1,
    "action": "UPDATE",
    "boundary": None,
    "bids": [
        {"operation": "SET", "priceE8": 9_223_372_036_854_775_807, "sizeE8": 1},
        {"operation": "DELETE", "priceE8": 1, "sizeE8": 0},
    ],
    "asks": [],
}
BOUNDARY_EXPECTED = BOOK_EXPECTED | {
    "sequence": 0,
    "action": "BOUNDARY",
    "boundary": {"state": "BINDING", "reason": "CONNECTED", "detail": "ü", "lost": 3},
    "bids": [],
}
VALUE_EXPECTED = {
    "valueText": "12345678901234567890.123456789012345678",
    "value": Decimal("12345678901234567890.123456789012345678"),
    "amendTime": None,
    "repeatOfPreviousValue": None,
    "revision": 2,
    "duplicate": False,
    "late": True,
    "delayMillis": -4,
}


class Sent(NamedTuple):
    """A topic with records in it, and the ids that they carry."""

    topic: str
    values: list[bytes]


@pytest.fixture
def ours(registry: RealRegistry) -> Iterator[Registry]:
    """Open the real registry through our own edge."""
    made = Registry(Login(registry.url))
    yield made
    made.close()


@pytest.fixture
def theirs(registry: RealRegistry) -> Iterator[SchemaRegistryClient]:
    """Open the real registry with Confluent's client alone."""
    with SchemaRegistryClient({"url": registry.url}) as client:
        yield client


def _topic(name: str) -> str:
    return f"{name}-{uuid4().hex[:12]}"


def _encode_books(header: bytes) -> list[bytes]:
    encoder = Codec(bundled()).encoder(BOOK, header)
    prefix = encoder.prefix(("desk-a", "book.tradable:BTC-USD", CONNECTION, "BTC-USD"))
    boundary = BoundaryFields(State.BINDING, "CONNECTED", "ü", 3)
    bids = ((Operation.SET, (1 << 63) - 1, 1), (Operation.DELETE, 1, 0))
    return [
        encoder.encode(
            prefix, 0, RECEIVED_US, Action.BOUNDARY, boundary, encoder.empty
        ),
        encoder.encode(prefix, 1, RECEIVED_US, Action.UPDATE, None, (bids, ())),
    ]


def _encode_value(header: bytes) -> bytes:
    encoder = Codec(bundled()).encoder(VALUE, header)
    prefix = encoder.prefix(("cf", "value:BRTI", CONNECTION, "BRTI"))
    text = str(VALUE_EXPECTED["valueText"])
    unscaled = int(text.replace(".", ""))
    payload = (text, unscaled, 1_700_000_000_000, None, None, 2, False, True, -4)
    return encoder.encode(prefix, 7, RECEIVED_US, Action.UPDATE, None, (payload,))


def _send(broker: RealKafka, topic: str, key: str, values: list[bytes]) -> None:
    admin = AdminClient(broker.client())
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(20)
    producer = Producer(broker.client() | {"acks": "all", "enable.idempotence": True})
    place = partition(key.encode(), PARTITIONS)
    for value in values:
        producer.produce(topic, value, key, place, timestamp=RECEIVED_US // 1000)
    assert producer.flush(20) == 0


def _without_times(record: dict[str, Any]) -> dict[str, Any]:
    """Drop the times, which each library turns into types of its own."""
    return {k: v for k, v in record.items() if k not in {"receivedAt", "time"}}


def test_confluents_deserializer_reads_the_topic(
    kafka: RealKafka,
    kcat: Callable[..., list[KcatRecord]],
    ours: Registry,
    theirs: SchemaRegistryClient,
) -> None:
    """From our encoder through Kafka to AvroDeserializer, by the registry's real id."""
    topic = _topic("book")
    schema_id = ours.register(subject_of(topic), bundled()[BOOK])
    _send(kafka, topic, "BTC-USD", _encode_books(confluent_header(schema_id)))
    deserialize = AvroDeserializer(theirs)
    context = SerializationContext(topic, MessageField.VALUE)

    read = [deserialize(r.payload, context) for r in kcat(kafka.client(), topic)]

    assert [_without_times(record) for record in read] == [
        BOUNDARY_EXPECTED,
        BOOK_EXPECTED,
    ]


def test_apaches_reader_reads_the_topic(
    kafka: RealKafka,
    kcat: Callable[..., list[KcatRecord]],
    theirs: SchemaRegistryClient,
) -> None:
    """The `avro` package finds the schema by id, and no digit of a decimal is lost."""
    topic = _topic("value")
    schema_id = theirs.register_schema(
        subject_of(topic), _confluent_schema(bundled()[VALUE])
    )
    _send(kafka, topic, "BRTI", [_encode_value(confluent_header(schema_id))])

    (got,) = kcat(kafka.client(), topic)

    assert got.payload is not None
    assert got.payload[:5] == b"\x00" + schema_id.to_bytes(4, "big")
    text = theirs.get_schema(schema_id).schema_str
    reader = avro.io.DatumReader(avro.schema.parse(text or ""))
    record: Any = reader.read(avro.io.BinaryDecoder(io.BytesIO(got.payload[5:])))
    assert _without_times(record["data"]) == VALUE_EXPECTED
    assert record["receivedAt"].timestamp() == RECEIVED_US / 1e6


def _confluent_schema(text: str) -> Any:
    from confluent_kafka.schema_registry import Schema

    return Schema(text, "AVRO")


def test_kcat_shows_key_partition_and_time(
    kafka: RealKafka, kcat: Callable[..., list[KcatRecord]]
) -> None:
    """Records lie, in order, where Java's partitioner would put their key."""
    topic = _topic("places")
    header = Codec(bundled()).single_object_header(BOOK)
    values = _encode_books(header)
    _send(kafka, topic, "BTC-USD", values)

    read = kcat(kafka.client(), topic)

    assert [record.payload for record in read] == values
    assert {record.key for record in read} == {b"BTC-USD"}
    assert {record.timestamp for record in read} == {RECEIVED_US // 1000}
    # Where Kafka's own hash puts it: murmur2("BTC-USD") mod 6.
    assert {record.partition for record in read} == {_librdkafka_place(kafka)}


def _librdkafka_place(broker: RealKafka) -> int:
    """Let librdkafka's Java-compatible partitioner choose."""
    topic = _topic("chosen")
    places: list[int | None] = []
    admin = AdminClient(broker.client())
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(20)
    producer = Producer(broker.client() | {"partitioner": "murmur2_random"})
    producer.produce(
        topic, b"", "BTC-USD", on_delivery=lambda _, m: places.append(m.partition())
    )
    assert producer.flush(20) == 0
    assert places[0] is not None
    return places[0]


def test_our_decoder_reads_by_id_and_by_fingerprint(ours: Registry) -> None:
    """The same record comes back from both wire formats, ids asked of the registry."""
    codec = Codec(bundled())
    schema_id = ours.register(subject_of(_topic("both")), bundled()[VALUE])
    decoder = Decoder(codec, ours.schema)
    by_id = _encode_value(confluent_header(schema_id))
    by_fingerprint = _encode_value(codec.single_object_header(VALUE))
    record = decoder.decode(by_id)
    assert record == decoder.decode(by_fingerprint)
    assert _without_times(record["data"]) == VALUE_EXPECTED


def test_every_bundled_schema_registers(ours: Registry) -> None:
    """The registry takes each schema, knows it again, and calls it compatible."""
    for name, text in bundled().items():
        subject = subject_of(_topic(name))
        assert ours.find(subject, text) is None
        schema_id = ours.register(subject, text)
        assert ours.lookup(subject, text) == schema_id
        assert ours.register(subject, text) == schema_id
        ours.check(subject, text)


def test_the_id_is_ours_even_behind_a_newer_version(
    registry: RealRegistry, ours: Registry
) -> None:
    """Another program's newer, compatible schema does not change what we write with."""
    subject, text = subject_of(_topic("newer")), bundled()["finery.Status"]
    before = ours.register(subject, text)
    newer = json.loads(text)
    extra = {"name": "extra", "type": "int", "default": 0, "doc": "More."}
    newer["fields"].append(extra)
    latest = ours.register(subject, json.dumps(newer))
    assert latest != before

    fresh = Registry(Login(registry.url))
    assert fresh.ids({subject: text}, auto_register=True) == {subject: before}
    fresh.close()


def test_the_registry_refuses_what_breaks_readers(ours: Registry) -> None:
    """An incompatible schema is refused by name, and nothing is registered."""
    subject, text = subject_of(_topic("breaks")), bundled()["finery.Status"]
    ours.register(subject, text)
    broken = text.replace('"name": "code"', '"name": "number"')
    assert broken != text
    for refuse in (ours.check, ours.register):
        with pytest.raises(SchemaError) as refused:
            refuse(subject, broken)
        assert refused.value.code == "SCHEMA_INCOMPATIBLE"
    with pytest.raises(SchemaError) as absent:
        ours.lookup(subject, broken)
    assert absent.value.code == "SCHEMA_NOT_REGISTERED"


def test_the_verbs_work_on_the_real_registry(registry: RealRegistry) -> None:
    """Check says what is missing, register adds it, check then finds it."""
    topics, login = [(_topic("verb"), BOOK)], Login(registry.url)

    def states(verb_: Any) -> list[str]:
        out = io.StringIO()
        assert asyncio.run(verb_(topics, login, out, as_json=True)) == 0
        lines = json.loads(out.getvalue())
        return [line["state"] for line in lines if line["subject"]]

    assert states(verb.check) == ["compatible, not registered"]
    assert states(verb.register) == ["registered now"]
    assert states(verb.register) == ["was registered"]
    assert states(verb.check) == ["registered"]
