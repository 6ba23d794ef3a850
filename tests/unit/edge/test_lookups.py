"""A lookup that failed asks who leads, and waits for a leader where asked to."""

from __future__ import annotations

from typing import Any, cast

import confluent_kafka as ck
import pytest

from bridge.edge import lookups
from bridge.edge.lookups import AWAITED, awaited_ends, ends

PLACE = ck.TopicPartition("topic", 0)
UNKNOWN, DENIED = (
    ck.KafkaError._UNKNOWN_PARTITION,
    ck.KafkaError.TOPIC_AUTHORIZATION_FAILED,
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between two lookups."""
    monkeypatch.setattr(lookups, "RETRY_S", 0.0)


class Consumer:
    """Fails with these codes, one a lookup, and then answers."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.asked = 0

    def list_topics(self, timeout: float) -> None:
        assert timeout > 0
        self.asked += 1

    def get_watermark_offsets(self, _place: Any, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        if self.codes:
            raise ck.KafkaException(ck.KafkaError(self.codes.pop(0)))
        return (3, 7)


def of(consumer: Consumer) -> ck.Consumer:
    """Pass it for librdkafka's."""
    return cast("ck.Consumer", consumer)


def test_a_lookup_that_failed_asks_for_the_topic_and_does_not_wait() -> None:
    consumer = Consumer(UNKNOWN)
    with pytest.raises(ck.KafkaException):
        ends(of(consumer), PLACE, 1.0)
    assert consumer.asked == 1
    assert ends(of(consumer), PLACE, 1.0) == (3, 7)
    assert consumer.asked == 1


@pytest.mark.parametrize("code", sorted(AWAITED))
def test_what_passes_is_waited_for(code: int) -> None:
    consumer = Consumer(code, code)
    assert awaited_ends(of(consumer), PLACE, 5.0) == (3, 7)
    assert consumer.asked == 2


def test_what_does_not_pass_is_told_at_once() -> None:
    consumer = Consumer(DENIED)
    with pytest.raises(ck.KafkaException) as caught:
        awaited_ends(of(consumer), PLACE, 5.0)
    assert caught.value.args[0].code() == DENIED
    assert consumer.asked == 1


def test_the_wait_has_an_end() -> None:
    consumer = Consumer(*[UNKNOWN] * 100_000)
    with pytest.raises(ck.KafkaException) as caught:
        awaited_ends(of(consumer), PLACE, 0.001)
    assert caught.value.args[0].code() == UNKNOWN
    assert consumer.codes
