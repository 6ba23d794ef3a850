"""The producer against a real broker protocol, with faults: nothing is lost unseen."""

import asyncio
import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import confluent_kafka as ck
import pytest

from bridge.core.model import Headers, Note
from bridge.edge.fates import Patience
from bridge.edge.producer import OVERHEAD_BYTES, Budget, Failure, Producer
from bridge.embedded import EmbeddedKafka
from bridge.errors import ConfigError
from tests.support.clock import ManualClock
from tests.support.running import Run, until, wait_until

PRODUCE = 0
NOT_LEADER, TIMED_OUT, TOO_LARGE = 6, 7, 10
NOT_ENOUGH_REPLICAS, INVALID_RECORD, POLICY = 19, 87, 44
TRANSPORT = -195
TOPICS = {"t": 2, "u": 1}
EVERYWHERE = {("t", 0), ("t", 1), ("u", 0), ("bad", 0)}
ROOMY = Budget()
QUICK = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100}


class Desk:
    """A producer and all that it told."""

    def __init__(
        self, bootstrap: str, budget: Budget = ROOMY, **options: str | int | bool
    ) -> None:
        self.failures: list[Failure] = []
        self.notes: list[Note] = []
        named = {name.replace("_", "."): value for name, value in options.items()}
        self.producer = Producer(
            {"bootstrap.servers": bootstrap, **QUICK, **named},
            budget,
            self.failures.append,
            self.notes.append,
        )

    def check(self) -> None:
        """Fail if a record is in none or two of the counts."""
        p = self.producer
        assert p.produced == p.acked + p.failed + p.outstanding
        assert p.failed == len(self.failures) + len(p._failures)
        if not p.outstanding:
            assert p.outstanding_bytes == 0

    async def settle(self, limit: float = 20.0) -> None:
        """Poll until no record is outstanding."""

        def settled() -> bool:
            self.producer.poll()
            self.check()
            return not self.producer.outstanding

        await until(settled, "all delivery reports", limit)


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics=TOPICS) as cluster:
        yield cluster


def read(kafka: EmbeddedKafka, topic: str, count: int) -> list[ck.Message]:
    """Read `count` records with a client of its own, or fail."""
    consumer = ck.Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": "check",
            "log_level": 0,
            "fetch.wait.max.ms": 10,
        }
    )
    parts = range(TOPICS[topic])
    consumer.assign([ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING) for p in parts])
    found: list[ck.Message] = []

    def done() -> bool:
        found.extend(consumer.consume(1000, 0.05))
        return len(found) >= count

    try:
        wait_until(done, f"{count} records in {topic}")
        found.extend(consumer.consume(1000, 0.1))
    finally:
        consumer.close()
    assert all(message.error() is None for message in found)
    return found


def test_a_record_arrives_as_it_was_sent(kafka: EmbeddedKafka, run: Run) -> None:
    """Topic, partition, key, value, timestamp and headers arrive unchanged."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        desk.producer.send("t", b"value", b"key", 1, 1_700_000_000_123)
        headers: list[tuple[str, str | bytes | None]] = [("reason", "x"), ("n", None)]
        desk.producer.send("u", b"", b"", 0, 5, headers)
        await desk.settle()
        assert (desk.producer.acked, desk.failures) == (2, [])

    run(main())
    (first,) = read(kafka, "t", 1)
    assert (first.partition(), first.key(), first.value()) == (1, b"key", b"value")
    assert first.timestamp() == (ck.TIMESTAMP_CREATE_TIME, 1_700_000_000_123)
    assert first.headers() is None
    (second,) = read(kafka, "u", 1)
    assert second.headers() == [("reason", b"x"), ("n", None)]


def test_bytes_are_counted_until_the_report(kafka: EmbeddedKafka, run: Run) -> None:
    """A record weighs its key, its value and the overhead until its fate is known."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        desk.producer.send("t", b"12345", b"123", 0, 1)
        assert desk.producer.outstanding == 1
        assert desk.producer.outstanding_bytes == 8 + OVERHEAD_BYTES
        await desk.settle()
        assert desk.producer.outstanding_bytes == 0

    run(main())


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param([NOT_LEADER] * 2, id="not leader"),
        pytest.param([TIMED_OUT], id="timed out"),
        pytest.param([NOT_ENOUGH_REPLICAS] * 3, id="not enough replicas"),
        pytest.param([TRANSPORT] * 2, id="hangs up"),
    ],
)
def test_retriable_errors_are_healed(
    kafka: EmbeddedKafka, run: Run, errors: list[int]
) -> None:
    """What Kafka asks to try again is tried again: all arrive once and in order."""
    count = 500

    async def main() -> None:
        desk = Desk(kafka.bootstrap, retry_backoff_ms=10)
        desk.producer.send("t", b"warm", b"", 1, 1)
        await desk.settle()
        kafka.fail_requests(PRODUCE, errors)
        for number in range(count):
            desk.producer.send("t", b"%d" % number, b"k", 0, 1)
        await desk.settle()
        assert desk.failures == []

    run(main())
    values = [m.value() for m in read(kafka, "t", count + 1) if m.partition() == 0]
    assert values == [b"%d" % number for number in range(count)]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TOO_LARGE, "MSG_SIZE_TOO_LARGE"),
        (INVALID_RECORD, "INVALID_RECORD"),
        (POLICY, "POLICY_VIOLATION"),
    ],
)
def test_a_permanent_error_is_a_failure(
    kafka: EmbeddedKafka, run: Run, error: int, name: str
) -> None:
    """What Kafka refuses for good is told once, whole; later records go on."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        desk.producer.send("t", b"first", b"", 0, 1)
        await desk.settle()
        kafka.fail_requests(PRODUCE, [error])
        desk.producer.send("t", b"value", b"key", 0, 1)
        await desk.settle()
        (failure,) = desk.failures
        assert failure[:4] == ("t", 0, b"key", b"value")
        assert failure.code == name
        assert failure.text
        assert not failure.fatal
        desk.producer.send("t", b"later", b"", 0, 1)
        await desk.settle()
        assert desk.producer.acked == 2

    run(main())
    assert [m.value() for m in read(kafka, "t", 2)] == [b"first", b"later"]


def test_a_record_too_large_for_us_is_a_failure(kafka: EmbeddedKafka, run: Run) -> None:
    """A record above message.max.bytes fails from poll, never from within send."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap, message_max_bytes=2000, batch_size=2000)
        desk.producer.send("t", b"x" * 5000, b"key", 1, 1)
        assert desk.failures == []
        desk.check()
        desk.producer.poll()
        (failure,) = desk.failures
        assert failure.code == "MSG_SIZE_TOO_LARGE"
        assert (failure.partition, len(failure.value)) == (1, 5000)
        assert desk.producer.outstanding == 0

    run(main())


def test_an_unknown_partition_is_a_failure(kafka: EmbeddedKafka, run: Run) -> None:
    """A partition that the topic does not have fails the record, not the producer."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        desk.producer.send("t", b"x", b"", 9, 1)
        desk.producer.send("t", b"y", b"", 0, 1)
        await desk.settle()
        desk.producer.send("t", b"z", b"", 9, 1)
        await desk.settle()
        assert {f.code for f in desk.failures} == {"_UNKNOWN_PARTITION"}
        assert (desk.producer.failed, desk.producer.acked) == (2, 1)

    run(main())


def test_an_overfull_queue_loses_and_reorders_nothing(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Ten thousand records through a queue of 500, the broker down on the way."""
    count = 10_000

    async def main() -> None:
        desk = Desk(
            kafka.bootstrap,
            Budget(max_bytes=1_000_000, max_messages=500),
        )
        desk.producer.send("t", b"warm", b"", 1, 1)
        await desk.settle()
        kafka.broker_down()
        for number in range(count):
            desk.producer.send("t", b"%d" % number, b"k", number % 2, 1)
            if not number % 100:
                desk.producer.poll()
                desk.check()
        assert desk.producer.outstanding == count
        assert len(desk.producer._relay.overflow) >= count - 500
        assert desk.producer.above_high
        kafka.broker_up()
        await desk.settle()
        assert desk.producer.below_low
        assert (desk.producer.acked, desk.failures) == (count + 1, [])

    run(main())
    found: dict[int | None, list[int]] = defaultdict(list)
    for message in read(kafka, "t", count + 1):
        if message.value() != b"warm":
            found[message.partition()].append(int(message.value() or b"-1"))
    assert found == {0: list(range(0, count, 2)), 1: list(range(1, count, 2))}


def test_a_record_does_not_overtake(kafka: EmbeddedKafka, run: Run) -> None:
    """While older records wait in the overflow, room in the queue is theirs."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap, Budget(max_messages=10))
        for number in range(20):
            desk.producer.send("t", b"%d" % number, b"k", 0, 1)

        def roomy() -> bool:
            desk.producer._relay.client.poll(0)  # serves reports, but moves nothing up
            return desk.producer.acked == 10

        await until(roomy, "room in the queue")
        desk.producer.send("t", b"20", b"k", 0, 1)
        await desk.settle()

    run(main())
    values = [message.value() for message in read(kafka, "t", 21)]
    assert values == [b"%d" % number for number in range(21)]


@pytest.mark.parametrize(
    ("budget", "size"),
    [
        pytest.param(Budget(100_000, 10_000, 0.5, 0.2), 770, id="bytes"),
        pytest.param(Budget(10**9, 100, 0.5, 0.2), 10, id="records"),
    ],
)
def test_the_marks_follow_the_budget(
    kafka: EmbeddedKafka, run: Run, budget: Budget, size: int
) -> None:
    """Above half of either limit is high; at most a fifth of both is low."""

    async def main() -> None:
        kafka.broker_down()
        desk = Desk(kafka.bootstrap, budget)
        seen = []
        for _ in range(60):
            seen.append((desk.producer.above_high, desk.producer.below_low))
            desk.producer.send("t", b"x" * size, b"", 0, 1)
        # 1000 bytes or one record each: 50 are half, 20 a fifth.
        assert [high for high, _ in seen] == [n > 50 for n in range(60)]
        assert [low for _, low in seen] == [n <= 20 for n in range(60)]
        kafka.broker_up()
        await desk.settle()
        assert desk.producer.below_low

    run(main())


def test_the_budgets_bytes_are_the_memory_needed(kafka: EmbeddedKafka) -> None:
    """What the producer counts as waiting is close to what the process grew by."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    kafka.broker_down()
    desk = Desk(kafka.bootstrap, Budget(10**9, 10**6))
    gc.collect()
    before = resident()
    for number in range(100_000):
        desk.producer.send("t", b"%140d" % number, b"12345678", 0, 1)
    grown, counted = resident() - before, desk.producer.outstanding_bytes
    assert counted == 100_000 * (148 + OVERHEAD_BYTES)
    assert grown < counted * 1.3
    desk.producer._relay.client.purge()


def test_a_frozen_cluster_cannot_hold_the_flush(kafka: EmbeddedKafka, run: Run) -> None:
    """Flush ends in time, lets the loop turn, and tells what is left, by topic."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap, Budget(max_messages=30))
        desk.producer.send("t", b"warm", b"", 0, 1)
        await desk.settle()
        kafka.round_trip(3_600_000)
        for number in range(40):
            desk.producer.send("u" if number % 4 else "t", b"x", b"", 0, 1)
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        turning = asyncio.ensure_future(turn())
        started = time.monotonic()
        left = await desk.producer.flush(0.3)
        assert 0.3 <= time.monotonic() - started < 2.0
        turning.cancel()
        assert turns > 10
        assert left.messages == 40
        assert left.bytes == 40 * (1 + OVERHEAD_BYTES)
        assert left.by_topic == {"t": 10, "u": 30}
        assert desk.producer.outstanding == 40
        assert desk.failures == []
        desk.check()

    run(main())


def test_flush_waits_for_everything(kafka: EmbeddedKafka, run: Run) -> None:
    """When Kafka takes all, flush returns at once and nothing is left."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap, Budget(max_messages=100))
        for _ in range(1000):
            desk.producer.send("t", b"x", b"", 0, 1)
        left = await desk.producer.flush(10)
        assert left == (0, 0, {})
        assert desk.producer.acked == 1000
        assert await desk.producer.flush(0) == (0, 0, {})

    run(main())


def within(seconds: float) -> Patience:
    """Return the patience that ends after so long, whatever is heard."""
    return Patience(seconds, seconds)


class Broker:
    """Takes records in librdkafka's place, and reports on them in any order."""

    def __init__(self, producer: Producer) -> None:
        self.taken: list[tuple[str, Callable[..., None]]] = []
        self._producer = producer
        producer._relay.produce = self._take

    def _take(self, topic: str, value: bytes, _k: bytes, _p: int, *rest: Any) -> None:
        if topic == "bad":
            raise ck.KafkaException(ck.KafkaError(ck.KafkaError._UNKNOWN_PARTITION))
        self.taken.append((value.decode(), rest[0] or self._producer._on_report))

    def report(self, *values: str) -> None:
        """Acknowledge these records."""
        for value, call in [one for one in self.taken if one[0] in values]:
            message = MagicMock(**{"key.return_value": b""})
            message.__len__.return_value = len(value)
            call(None, message)


def test_settled_waits_for_the_watched_and_for_nothing_else(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Reports of other partitions overtake: counting them would prove nothing."""

    async def main() -> None:
        producer = Desk(kafka.bootstrap).producer
        broker = Broker(producer)
        producer.send("t", b"before", b"", 0, 1)
        producer.send_watched("t", b"last", b"", 0, 1)
        producer.send("u", b"other", b"", 0, 1)
        waiting = asyncio.create_task(producer.settled(EVERYWHERE, within(60.0)))
        await asyncio.sleep(0)
        broker.report("other", "before")
        producer.send_watched("t", b"later", b"", 0, 1)
        for value in ("a", "b", "c"):
            producer.send("u", value.encode(), b"", 0, 1)
        broker.report("a", "b", "c")
        await asyncio.sleep(0.05)
        assert not waiting.done()
        broker.report("last")
        assert await waiting
        assert not await producer.settled(
            EVERYWHERE, within(0.0)
        )  # "later" is watched, too
        assert (producer.acked, producer.outstanding) == (6, 1)

    run(main())


@pytest.mark.parametrize(
    ("patience", "reports_s", "waited_s"),
    [
        (Patience(silence_s=0.2, limit_s=60.0), 0.5, 0.7),  # silent only then
        (Patience(silence_s=60.0, limit_s=0.2), 0.5, 0.2),  # never silent
    ],
)
def test_settled_is_patient_while_reports_come(
    kafka: EmbeddedKafka,
    run: Run,
    patience: Patience,
    reports_s: float,
    waited_s: float,
) -> None:
    """A slow broker is waited for, one that is away is not, and nothing for ever."""

    async def main() -> None:
        producer = Desk(kafka.bootstrap).producer
        broker = Broker(producer)
        producer.send_watched("t", b"never", b"", 0, 1)
        clock = producer._clock = ManualClock()
        waiting = asyncio.create_task(producer.settled(EVERYWHERE, patience))
        await asyncio.sleep(0)
        for _ in range(100):
            if clock.mono_ns < reports_s * 1e9:
                producer.send("u", b"other", b"", 0, 1)
                broker.report("other")
                broker.taken.pop()
            await clock.advance(0.01)
            if waiting.done():
                break
        assert not await waiting
        assert clock.mono_ns / 1e9 == pytest.approx(waited_s, abs=0.02)

    run(main())


def test_settled_waits_for_its_own_places_alone(kafka: EmbeddedKafka, run: Run) -> None:
    """A partition without a leader holds nobody back that has nothing there."""

    async def main() -> None:
        producer = Desk(kafka.bootstrap).producer
        broker = Broker(producer)
        producer.send_watched("t", b"dead", b"", 0, 1)
        producer.send_watched("t", b"mine", b"", 1, 1)
        mine = {("t", 1), ("u", 0)}
        assert not await producer.settled(mine, within(0.0))
        broker.report("mine")
        assert await producer.settled(mine, within(0.0))
        assert not await producer.settled(EVERYWHERE, within(0.0))

    run(main())


def test_settled_waits_not_for_what_was_refused(kafka: EmbeddedKafka, run: Run) -> None:
    """A record that librdkafka never took has no report to wait for."""

    async def main() -> None:
        producer = Desk(kafka.bootstrap).producer
        Broker(producer)
        producer.send_watched("bad", b"x", b"", 0, 1)
        assert await producer.settled(EVERYWHERE, within(0.0))
        assert producer.failed == 1

    run(main())


def test_a_watched_record_counts_like_any_other(kafka: EmbeddedKafka, run: Run) -> None:
    """It arrives, is counted once, and is waited for."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        desk.producer.send("t", b"1", b"", 0, 1)
        desk.producer.send_watched("t", b"2", b"", 0, 1)
        assert await desk.producer.settled(EVERYWHERE, within(20.0))
        desk.check()
        assert desk.producer.acked == 2

    run(main())
    assert [m.value() for m in read(kafka, "t", 2)] == [b"1", b"2"]


def test_an_expired_record_is_a_failure(kafka: EmbeddedKafka, run: Run) -> None:
    """What could not be delivered within delivery.timeout.ms fails and is told."""

    async def main() -> None:
        kafka.broker_down()
        desk = Desk(kafka.bootstrap, delivery_timeout_ms=300, request_timeout_ms=200)
        desk.producer.send("t", b"x", b"", 0, 1)
        await desk.settle()
        assert [failure.code for failure in desk.failures] == ["_MSG_TIMED_OUT"]

    run(main())


def test_a_failure_has_the_headers_of_its_record(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Be it refused at once or reported later; librdkafka's report has none."""
    large: Headers = [("reason", b"large")]
    late: Headers = [("reason", b"late")]

    async def main() -> None:
        kafka.broker_down()
        desk = Desk(
            kafka.bootstrap,
            message_max_bytes=2000,
            batch_size=2000,
            delivery_timeout_ms=300,
            request_timeout_ms=200,
        )
        desk.producer.send("t", b"x" * 5000, b"", 0, 1, large)
        desk.producer.send("t", b"x", b"", 0, 1, late)
        desk.producer.send("t", b"x", b"", 0, 1)
        await desk.settle()
        assert [failure.headers for failure in desk.failures] == [large, late, None]

    run(main())


def test_kafkas_absence_is_noted_once(kafka: EmbeddedKafka, run: Run) -> None:
    """Going away is one note for each kind of trouble, coming back is one note."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        desk.producer.send("t", b"x", b"", 0, 1)
        await desk.settle()
        assert desk.notes == []
        kafka.broker_down()

        def away() -> bool:
            desk.producer.poll()
            return "_ALL_BROKERS_DOWN" in [n.facts.get("code") for n in desk.notes]

        await until(away, "the note")
        await asyncio.sleep(0.3)
        desk.producer.poll()
        codes = [note.facts["code"] for note in desk.notes]
        assert len(codes) == len(set(codes))
        kafka.broker_up()
        desk.producer.send("t", b"y", b"", 0, 1)
        await desk.settle()
        desk.producer.poll()
        assert [note.event for note in desk.notes].count("kafka_back") == 1
        assert desk.notes[-1].event == "kafka_back"
        assert desk.producer.fatal is None

    run(main())


def test_a_fatal_error_is_kept_and_fails_what_comes(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a fatal error `fatal` is set, and poll goes on telling failures."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        error = ck.KafkaError(ck.KafkaError._FATAL, "fenced", fatal=True)

        def fail(*arguments: Any) -> None:
            raise ck.KafkaException(error)

        monkeypatch.setattr(desk.producer._relay, "poll", fail)
        monkeypatch.setattr(desk.producer._relay, "produce", fail)
        desk.producer.send("t", b"x", b"", 0, 1)
        desk.producer.poll()
        desk.producer.poll()
        assert desk.producer.fatal is not None
        assert "fenced" in str(desk.producer.fatal)
        assert [note.event for note in desk.notes] == ["kafka_fatal"]
        (failure,) = desk.failures
        assert failure.fatal
        desk.check()

    run(main())


def test_what_is_refused_at_once_cannot_hold_a_poll(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """A callback that sends again is told of the next refusal by the next poll."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        Broker(desk.producer)
        told: list[Failure] = []

        def again(failure: Failure) -> None:
            told.append(failure)
            assert len(told) < 100, "one poll goes on for ever"
            desk.producer.send_watched("bad", b"x", b"", 0, 1)

        desk.producer._on_failed = again
        desk.producer.send_watched("bad", b"x", b"", 0, 1)
        for polls in range(1, 4):
            desk.producer.poll()
            assert len(told) == polls

    run(main())


def test_a_failing_callback_loses_no_failure(kafka: EmbeddedKafka, run: Run) -> None:
    """What a callback raises comes out of poll; the next poll tells the rest."""

    async def main() -> None:
        told: list[bytes] = []

        def raising(failure: Failure) -> None:
            told.append(failure.value)
            raise RuntimeError("a bug")

        desk = Desk(kafka.bootstrap, message_max_bytes=2000, batch_size=2000)
        desk.producer._on_failed = raising
        for letter in (b"a", b"b"):
            desk.producer.send("t", letter * 5000, b"", 0, 1)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="a bug"):
                desk.producer.poll()
        desk.producer.poll()
        assert [value[:1] for value in told] == [b"a", b"b"]

    run(main())


def test_latency_is_sampled(kafka: EmbeddedKafka, run: Run) -> None:
    """One report in 64 gives a latency, in microseconds."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap)
        told: list[int] = []
        desk.producer.on_latency = told.append
        for _ in range(640):
            desk.producer.send("t", b"x", b"", 0, 1)
        await desk.settle()
        assert len(told) == 10
        assert 0 < max(told) <= sum(told) < 50_000_000

    run(main())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enable.idempotence", False),
        ("enable.idempotence", "false"),
        ("acks", "1"),
        ("acks", 0),
        ("request.required.acks", "1"),
        ("delivery.report.only.error", True),
        ("transactional.id", "t"),
    ],
)
def test_promises_cannot_be_switched_off(name: str, value: str | int | bool) -> None:
    """A property that would allow silent loss or disorder is a settings error."""
    with pytest.raises(ConfigError, match=f"kafka.options.{name}"):
        Producer({name: value}, Budget(), print, print)


@pytest.mark.parametrize(
    "options",
    [{"acks": "all"}, {"acks": -1}, {"enable.idempotence": True}, {"linger.ms": 0}],
)
def test_harmless_options_are_taken(options: dict[str, str | int | bool]) -> None:
    """The same promises in other words, and any other property, are fine."""
    Producer({"bootstrap.servers": "127.0.0.1:1", **options}, Budget(), print, print)


@pytest.mark.parametrize(
    "options",
    [{"no.such.property": "x"}, {"linger.ms": "often"}, {"max.in.flight": 6}],
)
def test_an_unknown_option_is_a_settings_error(options: dict[str, str | int]) -> None:
    """What librdkafka does not accept is a settings error with its words."""
    with pytest.raises(ConfigError, match=r"kafka\.options: "):
        Producer(options, Budget(), print, print)


def test_librdkafka_speaks_through_logging(
    kafka: EmbeddedKafka, run: Run, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    """Lines of librdkafka itself go to `logging`, none to stderr."""

    async def main() -> None:
        desk = Desk(kafka.bootstrap, debug="broker")
        desk.producer.send("t", b"x", b"", 0, 1)
        await desk.settle()

    with caplog.at_level("DEBUG", "feedbridge.librdkafka"):
        run(main())
    assert any(r.name == "feedbridge.librdkafka" for r in caplog.records)
    assert capfd.readouterr().err == ""


def test_sending_is_cheap_enough_to_be_inline(kafka: EmbeddedKafka) -> None:
    """Send makes no object that the collector tracks while librdkafka has room."""
    desk = Desk(kafka.bootstrap)
    send: Callable[..., None] = desk.producer.send
    send("t", b"warm", b"k", 0, 1)
    gc.collect()
    gc.disable()
    try:
        before = gc.get_count()[0]
        for _ in range(500):
            send("t", b"x", b"k", 0, 1)
        grown = gc.get_count()[0] - before
    finally:
        gc.enable()
    assert grown < 20
