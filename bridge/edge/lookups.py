"""Where partitions begin and end; a leader that was away is found again.

Fact relied on (librdkafka 2.16, tried on Apache Kafka 4.3, 2026-11-22): a lookup takes
the leader from the client's cache. A partition that had none when the topic was asked
for, as while its broker is being stopped, stays `_UNKNOWN_PARTITION` until the topic is
asked for again, which nobody does for `metadata.max.age.ms` (15 minutes).
"""

from __future__ import annotations

import threading

import confluent_kafka as ck

from bridge.edge.clock import mono_ns

RETRY_S = 0.2
# What ends by itself: an election, a broker that comes back.
AWAITED = frozenset(
    {
        ck.KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - public
        ck.KafkaError._TRANSPORT,  # noqa: SLF001 - public
        ck.KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - public
        ck.KafkaError._DESTROY_BROKER,  # noqa: SLF001 - public
        ck.KafkaError._TIMED_OUT,  # noqa: SLF001 - public
        ck.KafkaError.LEADER_NOT_AVAILABLE,
        ck.KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)


def ends(
    consumer: ck.Consumer, place: ck.TopicPartition, timeout_s: float
) -> tuple[int, int]:
    """Return the oldest offset of a partition, and the one behind its newest.

    After a failure the topics are asked for, so that the next lookup may succeed: all
    of them, since asking for one by name may create it.

    Raises:
        KafkaException: the partition has no leader now, or nobody answers in time.
    """
    try:
        low, high = consumer.get_watermark_offsets(place, timeout=timeout_s)
    except ck.KafkaException:
        consumer.list_topics(timeout=timeout_s)
        raise
    return low, high


def awaited_ends(
    consumer: ck.Consumer, place: ck.TopicPartition, timeout_s: float
) -> tuple[int, int]:
    """Return the same; blocks while there is no leader, or no broker.

    Raises:
        KafkaException: the time is over, or this user may not look.
    """
    end_ns, pause = mono_ns() + int(timeout_s * 1e9), threading.Event()
    while True:
        try:
            return ends(consumer, place, timeout_s)
        except ck.KafkaException as error:
            if error.args[0].code() not in AWAITED or mono_ns() > end_ns:
                raise
        pause.wait(RETRY_S)
