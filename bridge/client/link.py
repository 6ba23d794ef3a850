"""The client's way to Kafka: records sent one by one, partitions read as they grow.

`Sender` tells each record's place in Kafka, or that it has none. `Reader` starts at an
exact offset, so nothing written after `open` is missed. Every blocking call runs in a
thread of the part's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple, TypeVar, cast

import confluent_kafka as ck

from bridge.client.errors import Sent
from bridge.edge.admin import Admin
from bridge.edge.clock import mono_ns
from bridge.edge.consumer import METADATA_S, PASSING, Headers, Message
from bridge.edge.kafka_options import (
    Budget,
    Options,
    client_options,
    producer_options,
    refusal,
)
from bridge.errors import KafkaError

GROUP = "feedbridge-client"  # librdkafka wants a name; nothing is joined or committed
POLL_S = 0.001
WAIT_S = 0.1
BATCH = 500
BUFFER_KBYTES = 16 * 1024
CLOSE_S = 5.0
# Clocks of workers differ; a look back in time starts this much earlier.
CLOCK_MARGIN_MS = 60_000
T = TypeVar("T")

# The record cannot be in Kafka after these; source: rdkafka.h of librdkafka 2.16 for
# the local ones, which come before anything is sent, and Kafka's protocol guide,
# "Error Codes", for the others, which refuse the record itself.
NEVER_SENT = frozenset(
    {
        ck.KafkaError._QUEUE_FULL,  # noqa: SLF001 - public
        ck.KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        ck.KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        ck.KafkaError._INVALID_ARG,  # noqa: SLF001
        ck.KafkaError.MSG_SIZE_TOO_LARGE,
        ck.KafkaError.INVALID_RECORD,
    }
)


class Place(NamedTuple):
    """Where a record lies."""

    partition: int
    offset: int


class Unconfirmed(Exception):
    """A record without a place; `sent` says whether it may be in Kafka."""

    def __init__(self, sent: Sent, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.sent = sent


async def partition_count(options: Options, topic: str, responses: str) -> int:
    """Return how many partitions both topics have.

    Raises:
        KafkaError: one is missing, or they differ; no broker answers.
    """
    counts = await Admin(options).partition_counts([topic, responses])
    if missing := [name for name in (topic, responses) if name not in counts]:
        raise KafkaError(
            f"no such topic: {missing[0]}; `feedbridge topics` lists what is needed"
        )
    here, there = counts[topic], counts[responses]
    if here != there:
        raise KafkaError(
            f"{topic} has {here} partitions and {responses} {there}; a response comes"
            " on its command's partition, so they must be equal"
        )
    return here


class Sender:
    """Writes records and waits for the acknowledgement of each."""

    def __init__(self, options: Options, timeout_s: float) -> None:
        """Start librdkafka; it gives a record up after `timeout_s`.

        Raises:
            ConfigError: a property is unknown, or would break the promises.
        """
        # Commands are few and urgent: none waits for others.
        quick = {"linger.ms": 0, "delivery.timeout.ms": round(timeout_s * 1000)}
        mine = {k: v for k, v in options.items() if not k.startswith("fetch.")}
        try:
            self._kafka = ck.Producer(
                producer_options(quick | mine, Budget(max_messages=100_000))
            )
        except ck.KafkaException as error:
            raise refusal(error) from error
        self._waiting = 0
        self._wake = asyncio.Event()
        self._pump = asyncio.create_task(self._serve(), name="client sender")

    async def send(
        self,
        topic: str,
        partition: int,
        key: bytes,
        value: bytes | None,
        headers: list[tuple[str, str | bytes | None]] | None = None,
    ) -> Place:
        """Write one record; return its place once all replicas have it.

        None deletes, where the topic is compacted.

        Raises:
            Unconfirmed: Kafka did not confirm it.
        """
        done: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        tell, more = _teller(done), headers or []
        try:
            self._kafka.produce(topic, value, key, partition, tell, headers=more)
        except BufferError as error:
            raise Unconfirmed("no", "the queue to Kafka is full") from error
        except ck.KafkaException as error:
            raise _unconfirmed(error.args[0]) from error
        self._waiting += 1
        self._wake.set()
        try:
            return await done
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Give what is on its way its chance, for some seconds."""
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        end_ns = mono_ns() + int(CLOSE_S * 1e9)
        while len(self._kafka) and mono_ns() < end_ns:
            self._kafka.poll(0)
            await asyncio.sleep(POLL_S)

    async def _serve(self) -> None:
        """Serve delivery reports while any is due."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting or len(self._kafka):
                # A fatal error fails each record by its own report, too.
                with suppress(ck.KafkaException):
                    self._kafka.poll(0)
                await asyncio.sleep(POLL_S)


def _teller(
    done: asyncio.Future[Place],
) -> Callable[[ck.KafkaError | None, ck.Message], None]:
    def tell(error: ck.KafkaError | None, message: ck.Message) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(_unconfirmed(error))
        else:
            done.set_result(Place(message.partition() or 0, message.offset() or 0))

    return tell


def _unconfirmed(error: ck.KafkaError) -> Unconfirmed:
    sent: Sent = "no" if error.code() in NEVER_SENT else "maybe"
    return Unconfirmed(sent, f"{error.name()}: {error.str()}")


class Reader:
    """Reads partitions of one topic, in order, without a group."""

    def __init__(self, options: Options, topic: str) -> None:
        """Start librdkafka.

        Raises:
            ConfigError: an option is unknown.
        """
        self.topic = topic
        self._thread = ThreadPoolExecutor(1, "feedbridge-client")
        fixed = client_options(
            options,
            group_id=GROUP,
            enable_auto_commit="false",
            enable_auto_offset_store="false",
            enable_partition_eof="true",
            auto_offset_reset="earliest",
            queued_max_messages_kbytes=BUFFER_KBYTES,
        )
        try:
            self._kafka = ck.Consumer(fixed)
        except ck.KafkaException as error:
            raise refusal(error) from error

    async def follow(self, partitions: Sequence[int]) -> None:
        """Start where each partition ends now: what is written from now on is read."""
        await self._run(self._follow, partitions)

    async def replay(self, partition: int, since_ms: int | None) -> int:
        """Start at a time, or at the beginning; return where the partition ends."""
        return await self._run(self._replay, partition, since_ms)

    async def read(self) -> list[Message]:
        """Return what came, at once when something comes; empty after some time.

        The value of the record that marks the end of a partition is None and its
        offset is the end.

        Raises:
            KafkaError: reading cannot go on.
        """
        return await self._run(self._read)

    async def close(self) -> None:
        """Leave Kafka; waits for a read that still runs."""
        await self._run(self._kafka.close)
        self._thread.shutdown(wait=False)

    # -- in the thread

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, call, *arguments)
        except ck.KafkaException as error:
            raise _failed(self.topic, error.args[0]) from error

    def _follow(self, partitions: Sequence[int]) -> None:
        places = [ck.TopicPartition(self.topic, number) for number in partitions]
        for place in places:
            place.offset = self._end(place)
        self._kafka.assign(places)

    def _replay(self, partition: int, since_ms: int | None) -> int:
        place = ck.TopicPartition(self.topic, partition)
        end = self._end(place)
        place.offset = self._start(place, since_ms)
        self._kafka.assign([place])
        return end

    def _end(self, place: ck.TopicPartition) -> int:
        return self._kafka.get_watermark_offsets(place, timeout=METADATA_S)[1]

    def _start(self, place: ck.TopicPartition, since_ms: int | None) -> int:
        if since_ms is None:
            return ck.OFFSET_BEGINNING
        at = max(0, since_ms - CLOCK_MARGIN_MS)
        asked = ck.TopicPartition(place.topic, place.partition, at)
        try:
            [found] = self._kafka.offsets_for_times([asked], timeout=METADATA_S)
        except ck.KafkaException:
            return ck.OFFSET_BEGINNING
        # No offset: nothing is so new, or this broker (the embedded one) knows no
        # times. Both read alike, so read all.
        known = found.error is None and found.offset >= 0
        return found.offset if known else ck.OFFSET_BEGINNING

    def _read(self) -> list[Message]:
        first = self._kafka.poll(WAIT_S)
        if first is None:
            return []
        more = self._kafka.consume(BATCH, 0)
        return [found for m in (first, *more) if (found := self._message(m))]

    def _message(self, message: ck.Message) -> Message | None:
        partition, offset = message.partition() or 0, message.offset() or 0
        error = message.error()
        if error is None:
            time_ms = message.timestamp()[1]
            headers = cast("Headers", message.headers() or [])
            key, value = message.key(), message.value()
            return Message(self.topic, partition, offset, key, value, time_ms, headers)
        if error.code() == ck.KafkaError._PARTITION_EOF:  # noqa: SLF001 - public
            return Message(self.topic, partition, offset, None, None, -1, ())
        if error.retriable() or error.code() in PASSING:
            return None
        raise ck.KafkaException(error)


def _failed(topic: str, error: ck.KafkaError) -> KafkaError:
    return KafkaError(
        f"cannot read {topic}: {error.name()}: {error.str()}; check the brokers'"
        " addresses and the rights of this user"
    )
