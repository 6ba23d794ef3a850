"""Reads topics from their beginning or end, without a group and without committing.

For people and checks (`tail`, `verify`, `demo`), not for work that must be shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, cast

import confluent_kafka as ck

from bridge.edge.kafka_options import Options, client_options, refusal
from bridge.edge.lookups import awaited_ends
from bridge.errors import KafkaError

# librdkafka wants a group's name even where no group is joined.
GROUP = "feedbridge-reader"
BATCH = 500
WAIT_S = 0.2
BUFFER_KBYTES = 16 * 1024
METADATA_S = 10.0
SILENCE_S = 30.0
# librdkafka goes on by itself after these.
PASSING = frozenset({ck.KafkaError._TRANSPORT, ck.KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - public

Start = Literal["beginning", "end"]
Partition = tuple[str, int]
Headers = Sequence[tuple[str, str | bytes | None]]
T = TypeVar("T")


class Message(NamedTuple):
    """One record as it lies in Kafka; `timestamp_ms` is -1 where there is none."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers


async def read_range(
    options: Options,
    topics: Sequence[str],
    *,
    start: Start = "beginning",
    follow: bool = False,
) -> AsyncGenerator[Message, None]:
    """Yield the records of `topics`, in order within each partition.

    Starts at the oldest record, or behind the newest one. Ends where each partition
    ended when the call was made, or never if `follow`. Holds at most one batch and
    librdkafka's buffer of 16 MiB. Close it (`aclosing`) when leaving early.

    Raises:
        KafkaError: a topic is not there, no broker answers, or retention removed
            records that were still to be read; those are passed over if `follow`.
        ConfigError: an option is unknown.
    """
    consumer = _consumer(options, reset="earliest" if follow else "error")
    call = _Caller()
    try:
        wanted = _Range(await call(_assign, consumer, topics, start), follow=follow)
        while wanted.open:
            for found in wanted.take(await call(consumer.consume, BATCH, WAIT_S)):
                yield found
    except ck.KafkaException as error:
        raise _failed(error.args[0]) from error
    finally:
        await call.settle()
        await asyncio.to_thread(consumer.close)


class _Caller:
    """Runs one blocking call at a time in a thread, and can wait for the last one.

    A cancelled caller leaves its thread behind; the consumer may only be closed once
    that thread has come back.
    """

    def __init__(self) -> None:
        self._running: asyncio.Future[Any] | None = None

    async def __call__(self, call: Callable[..., T], *arguments: object) -> T:
        running = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
        self._running = running
        return await asyncio.shield(running)

    async def settle(self) -> None:
        if self._running is not None:
            await asyncio.wait([self._running])


class _Range:
    """Where each partition ends, and whether anything still comes."""

    def __init__(self, ends: dict[Partition, int], *, follow: bool) -> None:
        self._ends = ends
        self._follow = follow
        self._idle = 0

    @property
    def open(self) -> bool:
        return self._follow or bool(self._ends)

    def take(self, messages: Sequence[ck.Message]) -> list[Message]:
        """Return the records within the range; raise if nothing comes any more."""
        self._idle = 0 if messages else self._idle + 1
        if self._idle * WAIT_S > SILENCE_S and not self._follow:
            left = ", ".join(f"{topic}/{number}" for topic, number in self._ends)
            message = f"no record came for {SILENCE_S:g} s; not read to the end: {left}"
            raise KafkaError(message)
        return [found for message in messages if (found := self._read(message))]

    def _read(self, message: ck.Message) -> Message | None:
        error, offset = message.error(), message.offset() or 0
        place = (message.topic() or "", message.partition() or 0)
        if error is not None:
            if error.code() == ck.KafkaError._PARTITION_EOF:  # noqa: SLF001 - public
                self._reached(place, offset)
            elif error.code() == ck.KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - public
                raise _removed(place, error)
            elif not error.retriable() and error.code() not in PASSING:
                raise ck.KafkaException(error)
            return None
        inside = self._follow or offset < self._ends.get(place, 0)
        self._reached(place, offset + 1)
        return message_of(message) if inside else None

    def _reached(self, place: Partition, offset: int) -> None:
        if offset >= self._ends.get(place, offset + 1):
            del self._ends[place]


def message_of(message: ck.Message) -> Message:
    """Turn librdkafka's message into a value of ours; it must not be an error."""
    kind, timestamp_ms = message.timestamp()
    known = kind != ck.TIMESTAMP_NOT_AVAILABLE
    partition = message.partition()
    return Message(
        message.topic() or "",
        -1 if partition is None else partition,
        message.offset() or 0,
        message.key(),
        message.value(),
        timestamp_ms if known else -1,
        cast("Headers", message.headers() or []),
    )


def _assign(
    consumer: ck.Consumer, topics: Sequence[str], start: Start
) -> dict[Partition, int]:
    """Start to read; return where the partitions that have records to read end now."""
    known = consumer.list_topics(timeout=METADATA_S).topics
    missing = [topic for topic in topics if topic not in known]
    if missing:
        raise KafkaError(
            f"no such topic: {', '.join(missing)};"
            " `feedbridge topics` lists what the settings need"
        )
    places = [
        ck.TopicPartition(topic, number, ck.OFFSET_BEGINNING)
        for topic in topics
        for number in known[topic].partitions
    ]
    ends: dict[Partition, int] = {}
    for place in places:
        low, high = awaited_ends(consumer, place, METADATA_S)
        if start == "end":
            place.offset = low = high
        if high > low:
            ends[place.topic, place.partition] = high
    consumer.assign(places)
    return ends


def _removed(place: Partition, error: ck.KafkaError) -> KafkaError:
    return KafkaError(
        f"{place[0]}/{place[1]}: retention removed records while they were read"
        f" ({error.str()}); run it again"
    )


def _failed(error: ck.KafkaError) -> KafkaError:
    return KafkaError(
        f"cannot read: {error.name()}: {error.str()};"
        " check kafka.bootstrap_servers and the rights of this user"
    )


def _consumer(options: Options, reset: str) -> ck.Consumer:
    fixed = client_options(
        options,
        group_id=GROUP,
        enable_auto_commit="false",
        enable_auto_offset_store="false",
        enable_partition_eof="true",
        auto_offset_reset=reset,
        queued_max_messages_kbytes=BUFFER_KBYTES,
    )
    try:
        return ck.Consumer(fixed)
    except ck.KafkaException as error:
        raise refusal(error) from error
