"""The second time for what Kafka has failed for good."""

from __future__ import annotations

from bridge.edge.producer import Failure
from bridge.flow.second_try import sent_again
from tests.unit.flow.fakes import FakeKafka


def failed(*headers: tuple[str, str | bytes | None]) -> Failure:
    """Return a dead letter that was not delivered."""
    text = "Local: Message timed out"
    given = [*headers] or None
    return Failure(
        "dead", 0, b"key", b"raw", "_MSG_TIMED_OUT", text, False, False, given
    )


def test_a_record_is_sent_again_with_its_headers() -> None:
    """And with one more, by which its reader knows that it may stand there twice."""
    kafka = FakeKafka()
    assert sent_again(failed(("reason", b"TOO_LARGE")), kafka, 7)
    headers = [("reason", b"TOO_LARGE"), ("attempt", b"2")]
    assert kafka.sent == [("dead", b"raw", b"key", 0, 7, headers)]


def test_a_record_is_sent_again_once() -> None:
    kafka = FakeKafka()
    assert sent_again(failed(), kafka, 7)
    *_, headers = kafka.sent.pop()
    assert not sent_again(failed(*headers), kafka, 8)
    assert kafka.sent == []
