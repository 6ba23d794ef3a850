"""A producer that changes its client under load: nothing twice, lost or reordered."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka as ck
import pytest

from bridge.core.model import Note
from bridge.edge.fates import Patience
from bridge.edge.kafka_options import Options
from bridge.edge.producer import OVERHEAD_BYTES, Budget, Failure, Producer
from bridge.embedded import EmbeddedKafka
from bridge.errors import ConfigError
from tests.support.running import Run, until, wait_until

TOPICS = {"t": 2, "u": 1}
EVERYWHERE = {("t", 0), ("t", 1), ("u", 0)}
PRODUCE = 0
NOT_LEADER = 6
SLOW_MS, FROZEN_MS = 300, 3_600_000


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics=TOPICS) as cluster:
        yield cluster


def options(kafka: EmbeddedKafka, **more: str | int) -> Options:
    named = {name.replace("_", "."): value for name, value in more.items()}
    quick = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100}
    return {"bootstrap.servers": kafka.bootstrap, **quick, **named}


class Desk:
    """A producer and what it told."""

    def __init__(
        self, kafka: EmbeddedKafka, budget: Budget | None = None, **more: str | int
    ) -> None:
        self.failures: list[Failure] = []
        self.notes: list[Note] = []
        self.options = options(kafka, **more)
        self.producer = Producer(
            self.options, budget or Budget(), self.failures.append, self.notes.append
        )
        self.sent = 0

    def send(self, count: int = 1) -> None:
        """Send the next numbers, in turn to the two partitions."""
        for _ in range(count):
            self.producer.send("t", b"%d" % self.sent, b"k", self.sent % 2, 1)
            self.sent += 1

    def renew(self) -> None:
        """Change the client, to one of the same properties."""
        self.producer.renew(self.options)

    async def warm(self) -> None:
        """Have a connection, so that nothing but the test decides what waits.

        The first one may take a second, longer than some tests let a record wait.
        """
        while not self.producer.acked:
            self.producer.send("u", b"warm", b"", 0, 1)
            await self.settle()
        self.failures.clear()

    async def settle(self) -> None:
        """Poll until no record is outstanding."""

        def done() -> bool:
            p = self.producer
            p.poll()
            assert p.produced == p.acked + p.failed + p.outstanding
            assert p.outstanding or not p.outstanding_bytes
            return not p.outstanding

        await until(done, "all reports")


def numbers(kafka: EmbeddedKafka, count: int) -> dict[int | None, list[int]]:
    """Read the records of `t`, all of them, by partition."""
    there = {"bootstrap.servers": kafka.bootstrap, "group.id": "check"}
    consumer = ck.Consumer({**there, "fetch.wait.max.ms": 10})
    consumer.assign([ck.TopicPartition("t", p, ck.OFFSET_BEGINNING) for p in (0, 1)])
    found: defaultdict[int | None, list[int]] = defaultdict(list)

    def done() -> bool:
        for message in consumer.consume(1000, 0.1):
            found[message.partition()].append(int(message.value() or b"-1"))
        return sum(map(len, found.values())) >= count

    try:
        wait_until(done, f"{count} records")
        assert consumer.consume(1, 0.2) == []
    finally:
        consumer.close()
    return dict(found)


def test_a_change_under_load_keeps_every_order(kafka: EmbeddedKafka, run: Run) -> None:
    """Twenty changes among 10,000 records, with retries: each once, and in order."""
    count = 10_000

    async def main() -> None:
        desk = Desk(kafka, Budget(max_messages=700), retry_backoff_ms=10)
        await desk.warm()
        for round_ in range(20):
            kafka.fail_requests(PRODUCE, [NOT_LEADER])
            desk.send(count // 40)
            desk.renew()
            desk.send(count // 40)
            if round_ % 2:
                desk.producer.poll()
                await asyncio.sleep(0.01)
        await desk.settle()
        assert (desk.producer.acked, desk.failures) == (count + 1, [])

    run(main())
    assert numbers(kafka, count) == {p: [*range(p, count, 2)] for p in (0, 1)}


def test_what_is_sent_meanwhile_waits_and_counts(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Until the old client has its reports the new one gets nothing; all is counted."""

    async def main() -> None:
        desk = Desk(kafka, Budget(max_messages=20))
        await desk.warm()
        old = desk.producer._relay.client
        kafka.round_trip(SLOW_MS)
        desk.send(5)
        desk.renew()
        desk.send(7)
        desk.producer.poll()
        assert desk.producer._relay.client is old
        assert len(desk.producer._relay.overflow) == 7
        assert desk.producer.outstanding == 12
        size = sum(len(b"%dk" % n) for n in range(12)) + 12 * OVERHEAD_BYTES
        assert desk.producer.outstanding_bytes == size
        assert desk.producer.above_high
        kafka.round_trip(0)
        await desk.settle()
        assert desk.producer._relay.client is not old

    run(main())
    assert numbers(kafka, 12) == {p: [*range(p, 12, 2)] for p in (0, 1)}


def test_an_idle_producer_changes_at_once(kafka: EmbeddedKafka, run: Run) -> None:
    """With nothing under way the next poll changes; the old client is let go."""

    def threads() -> int:
        return len([*Path("/proc/self/task").iterdir()])

    async def main() -> None:
        desk = Desk(kafka)
        await desk.warm()
        before = threads()
        for _ in range(10):
            old = id(desk.producer._relay.client)
            desk.renew()
            desk.producer.poll()
            assert id(desk.producer._relay.client) != old
        desk.send()
        await desk.settle()
        await until(lambda: threads() <= before + 3, "the old clients' ends")

    run(main())
    assert numbers(kafka, 1) == {0: [0]}


def test_the_last_of_several_changes_counts(kafka: EmbeddedKafka, run: Run) -> None:
    """A client that was never begun is passed over."""

    async def main() -> None:
        desk = Desk(kafka)
        await desk.warm()
        kafka.round_trip(SLOW_MS)
        desk.send(4)
        for _ in range(3):
            desk.renew()
            desk.send(2)
        following = desk.producer._relay._next
        kafka.round_trip(0)
        await desk.settle()
        assert desk.producer._relay.client is following

    run(main())
    assert numbers(kafka, 10) == {p: [*range(p, 10, 2)] for p in (0, 1)}


def test_what_the_old_client_cannot_deliver_fails(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """It fails by its own time-out and is told; what waited behind it arrives."""

    async def main() -> None:
        desk = Desk(kafka, delivery_timeout_ms=1000, request_timeout_ms=500)
        await desk.warm()
        kafka.broker_down()
        desk.send(4)
        desk.producer.renew(options(kafka))
        desk.send(4)

        def failed() -> bool:
            desk.producer.poll()
            return len(desk.failures) == 4

        await until(failed, "the failures")
        kafka.broker_up()
        await desk.settle()
        assert {f.value for f in desk.failures} == {b"0", b"1", b"2", b"3"}
        assert {f.code for f in desk.failures} == {"_MSG_TIMED_OUT"}
        assert desk.producer.acked == 5

    run(main())
    assert numbers(kafka, 4) == {0: [4, 6], 1: [5, 7]}


def test_settled_means_the_same_across_a_change(kafka: EmbeddedKafka, run: Run) -> None:
    """A watched record is waited for, be it with the old client or behind it."""

    async def main() -> None:
        desk = Desk(kafka)
        await desk.warm()
        kafka.round_trip(SLOW_MS)
        desk.producer.send_watched("t", b"0", b"k", 0, 1)
        desk.renew()
        desk.producer.send_watched("t", b"1", b"k", 1, 1)
        assert not await desk.producer.settled(EVERYWHERE, Patience(0.01, 0.01))
        assert await desk.producer.settled(EVERYWHERE, Patience(10.0, 10.0))
        assert (desk.producer.acked, desk.producer.outstanding) == (3, 0)

    run(main())
    assert numbers(kafka, 2) == {0: [0], 1: [1]}


def test_flush_goes_through_a_change(kafka: EmbeddedKafka, run: Run) -> None:
    """What waits for the new client is flushed, too."""

    async def main() -> None:
        desk = Desk(kafka)
        await desk.warm()
        desk.send(100)
        desk.renew()
        desk.send(100)
        assert await desk.producer.flush(10.0) == (0, 0, {})
        assert desk.producer.acked == 201

    run(main())
    assert numbers(kafka, 200) == {p: [*range(p, 200, 2)] for p in (0, 1)}


def test_a_flush_that_gives_up_tells_both_parts(kafka: EmbeddedKafka, run: Run) -> None:
    """What the old client has and what waits behind it are left, by topic."""

    async def main() -> None:
        desk = Desk(kafka)
        await desk.warm()
        kafka.round_trip(FROZEN_MS)
        desk.send(10)
        desk.renew()
        desk.send(5)
        desk.producer.send("u", b"x", b"", 0, 1)
        left = await desk.producer.flush(0.2)
        assert (left.messages, left.by_topic) == (16, {"t": 15, "u": 1})
        assert desk.producer.outstanding == 16

    run(main())


def test_a_client_that_cannot_be_made_changes_nothing(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Files that librdkafka cannot read are an error; the old client goes on."""

    async def main() -> None:
        desk = Desk(kafka)
        await desk.warm()
        broken = {"security.protocol": "ssl", "ssl.ca.location": "/no/such/file"}
        with pytest.raises(ConfigError, match=r"ssl\.ca\.location"):
            desk.producer.renew({**desk.options, **broken})
        desk.send(3)
        await desk.settle()
        assert (desk.producer.acked, desk.failures) == (4, [])

    run(main())


def test_a_login_reaches_both_clients(kafka: EmbeddedKafka, run: Run) -> None:
    """New credentials disturb nothing, even in the midst of a change."""

    async def main() -> None:
        desk = Desk(kafka)
        desk.send(10)
        desk.renew()
        desk.producer.login("user", "password")
        desk.send(10)
        await desk.settle()
        assert (desk.producer.acked, desk.failures) == (20, [])

    run(main())
