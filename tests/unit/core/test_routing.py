"""Topics and partitions are where other Kafka programs expect them."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from bridge.core.routing import murmur2, partition, topic_name
from bridge.errors import ConfigError

NAMES = {"venue": "finery", "source": "desk-a", "stream": "book.tradable"}


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        # Source: Apache Kafka, UtilsTest.testMurmur2.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(key: bytes, signed: int) -> None:
    """murmur2 gives the values of Kafka's own test."""
    assert murmur2(key) == signed & 0xFFFFFFFF


def test_librdkafka_puts_keys_into_the_same_partitions() -> None:
    """Java's partitioner, as librdkafka has it, agrees on every key length."""
    admin = AdminClient({"test.mock.num.brokers": 1, "log_level": 0})
    brokers = admin.list_topics(timeout=5).brokers.values()
    servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    placed: dict[bytes, int] = {}

    def note(error: object, message: object) -> None:
        assert error is None
        placed[message.key()] = message.partition()  # type: ignore[attr-defined]

    producer = Producer(
        {
            "bootstrap.servers": servers,
            "partitioner": "murmur2_random",
            "on_delivery": note,
        }
    )
    keys = [uuid.uuid5(uuid.NAMESPACE_DNS, str(n)).bytes * 2 for n in range(33)]
    keys = [key[: n + 1] for n, key in enumerate(keys[:32])] + [
        b"BTC-USD",
        "ü".encode(),
    ]
    for key in keys:
        producer.produce("keys", b"", key=key)
    assert producer.flush(10) == 0

    assert placed == {key: partition(key, 4) for key in keys}
    assert len(set(placed.values())) == 4  # the mock's default count


@pytest.mark.parametrize(
    ("template", "feed_id", "expected"),
    [
        ("{venue}.{stream}", "BTC-USD", "finery.book.tradable"),
        ("{venue}.{stream}.{feed_id}", "BTC-USD", "finery.book.tradable.BTC-USD"),
        ("{venue}.{stream}.{feed_id}", "", "finery.book.tradable"),
        ("prod-{source}_{stream}", "", "prod-desk-a_book.tradable"),
        ("all", "BTC-USD", "all"),
    ],
)
def test_templates_make_names(template: str, feed_id: str, expected: str) -> None:
    """Fields are filled in; an absent feed id leaves no separator behind."""
    assert topic_name(template, **NAMES, feed_id=feed_id) == expected


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{nothing}", "'nothing' is not known"),
        ("{venue.x}", "not known"),
        ("{venue!r}", "not known"),
        ("{venue:>9}", "not known"),
        ("{}", "not known"),
        ("{venue", "expected '}'"),
        ("{venue}/{stream}", "only letters"),
        ("..", "no topic name"),
        ("", "no topic name"),
        ("x" * 250, "longer than 249"),
    ],
)
def test_wrong_templates_are_refused(template: str, told: str) -> None:
    """A wrong template names itself, the setting and what is allowed."""
    with pytest.raises(ConfigError, match=r"^topics\.template: ") as refused:
        topic_name(template, **NAMES, feed_id="BTC-USD")
    assert told in str(refused.value)


def test_a_feed_id_that_kafka_refuses_is_refused() -> None:
    """A feed id with a slash cannot become part of a topic's name."""
    with pytest.raises(ConfigError, match="only letters"):
        topic_name("{stream}.{feed_id}", **NAMES, feed_id="BTC/USD")
