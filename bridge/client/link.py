"""The client's way into Kafka: records sent one by one, each with its place there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import confluent_kafka as ck

from bridge.client.errors import Sent
from bridge.edge.admin import Admin
from bridge.edge.clock import mono_ns
from bridge.edge.kafka_options import (
    Budget,
    Options,
    one_name,
    producer_options,
    refusal,
)
from bridge.errors import KafkaError

POLL_S = 0.001
CLOSE_S = 5.0
CLOSED = "the client was closed"

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
                producer_options(quick | one_name(mine), Budget(max_messages=100_000))
            )
        except ck.KafkaException as error:
            raise refusal(error) from error
        self._open: set[asyncio.Future[Place]] = set()
        self._closed = False
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
        if self._closed:
            raise Unconfirmed("no", CLOSED)
        done: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        tell, more = _teller(done), headers or []
        try:
            self._kafka.produce(topic, value, key, partition, tell, headers=more)
        except BufferError as error:
            raise Unconfirmed("no", "the queue to Kafka is full") from error
        except ck.KafkaException as error:
            raise _unconfirmed(error.args[0]) from error
        self._open.add(done)
        self._wake.set()
        try:
            return await done
        finally:
            self._open.discard(done)

    async def close(self) -> None:
        """Give what is on its way its chance, for some seconds; then nobody waits."""
        self._closed = True
        self._pump.cancel()
        try:
            await asyncio.gather(self._pump, return_exceptions=True)
            end_ns = mono_ns() + int(CLOSE_S * 1e9)
            while len(self._kafka) and mono_ns() < end_ns:
                await self._poll()
        finally:
            for done in self._open:
                if not done.done():
                    done.set_exception(Unconfirmed("maybe", CLOSED))

    async def _serve(self) -> None:
        """Serve delivery reports while any is due."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._open or len(self._kafka):
                await self._poll()

    async def _poll(self) -> None:
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
