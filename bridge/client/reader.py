"""The client's way out of Kafka: partitions read as they grow, or from a time on.

A reader starts at an exact offset, so nothing written after `follow` is missed. Every
blocking call runs in a thread of the reader's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import confluent_kafka as ck

from bridge.edge.consumer import METADATA_S, PASSING, SILENCE_S, Headers, Message
from bridge.edge.kafka_options import Options, client_options, refusal
from bridge.edge.lookups import awaited_ends
from bridge.errors import KafkaError

GROUP = "feedbridge-client"  # librdkafka wants a name; nothing is joined or committed
WAIT_S = 0.1
BATCH = 500
BUFFER_KBYTES = 16 * 1024
# Clocks of workers differ; a look back in time starts this much earlier.
CLOCK_MARGIN_MS = 60_000
T = TypeVar("T")


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

    async def read_on(self) -> list[Message]:
        """Return what came, which must come: the end was not reached yet.

        Raises:
            KafkaError: reading cannot go on, or nothing came for `SILENCE_S`.
        """
        try:
            async with asyncio.timeout(SILENCE_S):
                while not (found := await self.read()):
                    pass
        except TimeoutError as error:
            message = f"{self.topic}: no record came for {SILENCE_S:g} s"
            raise KafkaError(f"{message}; not read to the end") from error
        return found

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
        return awaited_ends(self._kafka, place, METADATA_S)[1]

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
