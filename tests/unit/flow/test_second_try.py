"""The second time for what Kafka has failed for good."""

from __future__ import annotations

from collections import Counter

import pytest

from bridge.edge.producer import Failure, Left
from bridge.flow.second_try import Failures, sent_again
from tests.support.running import Run
from tests.unit.flow.fakes import FakeKafka


def failed(*headers: tuple[str, str | bytes | None], topic: str = "dead") -> Failure:
    """Return a dead letter that was not delivered."""
    text = "Local: Message timed out"
    given = [*headers] or None
    return Failure(
        topic, 0, b"key", b"raw", "_MSG_TIMED_OUT", text, False, False, given
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


class Kafka(FakeKafka):
    """A producer that fails something more at its flush, and leaves something."""

    def __init__(self, left: Left) -> None:
        super().__init__()
        self.left = left
        self.at_flush: list[Failure] = []
        self.failures: Failures

    async def flush(self, _timeout_s: float) -> Left:
        for one in self.at_flush:
            self.failures.take(one)
        return self.left


class Path:
    """An order path that writes its responses again, or not, or misses none."""

    def __init__(self, *, writes: bool = False, settled: bool = False) -> None:
        self.writes, self.settled = writes, settled
        self.told: list[tuple[int, bytes]] = []

    def not_delivered(self, partition: int, value: bytes, *, again: bool) -> bool:
        self.told.append((partition, value))
        return self.settled or (self.writes and again)


NOTHING = Left(0, 0, {})


def failures(left: Left = NOTHING) -> tuple[Failures, Kafka, dict[str, Path]]:
    kafka = Kafka(left)
    paths = {"writes": Path(writes=True), "over": Path(), "done": Path(settled=True)}
    kafka.failures = Failures(paths, kafka, lambda: 7)
    return kafka.failures, kafka, paths


def test_a_response_that_nobody_writes_again_is_lost(run: Run) -> None:
    """Its path says so; it has no second time beside the claims."""
    all_of_it, kafka, paths = failures()
    assert not all_of_it.take(failed(topic="writes"))
    assert all_of_it.take(failed(topic="over"))
    assert kafka.sent == []
    assert {t: path.told for t, path in paths.items()} == {
        "writes": [(0, b"raw")],
        "over": [(0, b"raw")],
        "done": [],
    }
    assert run(all_of_it.flush(1.0)) == Left(1, 6, {"over": 1})


def test_what_was_lost_before_a_stop_is_not_the_stops(run: Run) -> None:
    """The log told it, and the worker lived on for days perhaps."""
    all_of_it, _, _ = failures(Left(2, 20, {"over": 1, "copies": 1}))
    all_of_it.take(failed(topic="over"))
    all_of_it.stopping()
    assert run(all_of_it.flush(1.0)).messages == 2


@pytest.mark.parametrize("topic", ["writes", "over"])
def test_a_response_that_fails_at_the_last_flush_is_lost(run: Run, topic: str) -> None:
    """Whoever might write it again does not come to it any more."""
    all_of_it, kafka, paths = failures(Left(1, 20, {topic: 1}))
    kafka.at_flush = [failed(topic=topic)]
    assert run(all_of_it.flush(1.0)) == Left(2, 26, {topic: 2})
    assert len(paths[topic].told) == 1


def test_a_response_that_nobody_misses_is_not_lost_at_the_last_flush(run: Run) -> None:
    """It was read back for all that, or another one stands."""
    all_of_it, kafka, _ = failures()
    kafka.at_flush = [failed(topic="done")]
    assert run(all_of_it.flush(1.0)) == NOTHING


def test_a_copy_is_lost_the_second_time(run: Run) -> None:
    """Also at the last flush, which sends it the second time itself."""
    all_of_it, kafka, _ = failures()
    kafka.at_flush = [failed(topic="copies"), failed(("attempt", b"2"), topic="copies")]
    left = run(all_of_it.flush(1.0))
    assert (left.messages, Counter(left.by_topic)) == (1, Counter(copies=1))
    assert len(kafka.sent) == 1
