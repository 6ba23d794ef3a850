"""The client itself: opens Kafka, submits, resumes, and reads what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from secrets import randbits
from types import TracebackType
from typing import Self

from bridge.client.errors import NotSubmitted
from bridge.client.link import Sender, Unconfirmed, partition_count
from bridge.client.pending import Pending
from bridge.client.reader import Reader
from bridge.client.records import Content, Records, Response
from bridge.client.trace import current_trace
from bridge.client.waiting import Waiting
from bridge.core.identity import uuid7
from bridge.core.routing import partition as partition_of
from bridge.core.trace_context import TraceContext, context_of
from bridge.edge.clock import wall_ns
from bridge.edge.consumer import Message
from bridge.edge.kafka_options import Options
from bridge.edge.registry import Login
from bridge.errors import BridgeError, KafkaError, RegistryUnreachable, SchemaError

COMMANDS, RESPONSES = "finery.commands", "finery.responses"
MOST_PENDING = 10_000
REGISTRY_RETRY_S = 1.0
UUID_CHANCE_BITS = 74
_NOTHING: Content = {}
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


class Client:
    """Sends the commands of one account and waits for their responses.

    Use it from one event loop. Several clients, in one process or many, may share the
    topics.
    """

    def __init__(  # noqa: PLR0913 - all but one are options by name
        self,
        kafka: str | Options,
        *,
        account: str,
        topic: str = COMMANDS,
        responses: str = RESPONSES,
        registry: str | Login | None = None,
        max_pending: int = MOST_PENDING,
        send_timeout_s: float = 10.0,
        on_corrected: Callable[[Response], None] | None = None,
    ) -> None:
        """Open nothing yet; that is `async with`'s work.

        Args:
            kafka: bootstrap servers, or librdkafka properties by name.
            account: the configured name of the venue account to act for.
            topic: where commands go.
            responses: where responses come; as many partitions as `topic`.
            registry: address or login of the schema registry, if the topics use one.
            max_pending: commands that may wait for their final response.
            send_timeout_s: seconds that Kafka has to confirm a command.
            on_corrected: called for each correction of a response that is still
                remembered; also after `final` has returned.
        """
        self.account = account
        self.topic = topic
        self.responses = responses
        self._options = (
            {"bootstrap.servers": kafka} if isinstance(kafka, str) else kafka
        )
        self._login = Login(registry) if isinstance(registry, str) else registry
        self._waiting = Waiting(max_pending, on_corrected or _ignore)
        self._send_timeout_s = send_timeout_s
        self._failure: BridgeError | None = None
        self._partitions = 0

    async def __aenter__(self) -> Self:
        """Find the topics and schemas, and start to read the response partitions.

        Raises:
            KafkaError: a topic is missing, their partitions differ, or no broker
                answers.
            SchemaError: the schema of commands is not in the registry.
            ConfigError: a librdkafka property is unknown.
        """
        self._records = await asyncio.to_thread(Records, self.topic, self._login)
        self._partitions = await partition_count(
            self._options, self.topic, self.responses
        )
        self._reader = Reader(self._options, self.responses)
        try:
            await self._reader.follow(range(self._partitions))
            self._sender = Sender(self._options, self._send_timeout_s)
        except BaseException:
            await self._reader.close()
            raise
        self._reading = asyncio.create_task(self._read(), name="client reader")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; who still waits for a final response is told so."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._sender.close()
        await self._reader.close()
        self._waiting.close()

    async def submit(
        self,
        method: str,
        content: Content = _NOTHING,
        *,
        req_id: str | None = None,
        not_after: datetime | int | None = None,
        key: str | None = None,
        trace: TraceContext | None = None,
    ) -> Pending:
        """Put one command on the topic; return when Kafka has confirmed it.

        Args:
            method: the venue's name of the method.
            content: its parameters by the names of the schema, or JSON text.
            req_id: unique among the commands of the topic and account, at most 64
                characters; a new UUID by default. Choose and keep it yourself to find
                the response after a crash.
            not_after: the deadline, aware or Unix ms; by default the bridge's.
            key: commands with the same key keep their order; by default the account.
            trace: the trace that it belongs to, left out if it is not valid; by default
                that of the current OpenTelemetry span, if there is one.

        Raises:
            NotSubmitted: Kafka did not confirm it, or the client is closed; `sent`
                says whether it may have arrived all the same.
            Busy: too many commands are waiting; nothing was sent.
            SchemaError: the content does not fit; nothing was sent.
        """
        name = req_id or new_req_id()
        words = (key or self.account).encode()
        partition = self.partition_of(key)
        value = self._records.command(
            name, method, content, self.account, _ms(not_after)
        )
        found = context_of(*trace) if trace else current_trace()
        headers = found.headers() if found else None
        pending = self._watch(name, partition)
        try:
            place = await self._sender.send(
                self.topic, partition, words, value, headers
            )
        except Unconfirmed as error:
            self._waiting.drop(pending)
            raise NotSubmitted(name, partition, error.sent, str(error)) from error
        except BaseException:
            self._waiting.drop(pending)
            raise
        return self._released(pending, place.offset)

    async def resume(
        self,
        req_id: str,
        *,
        key: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        since: datetime | int | None = None,
    ) -> Pending:
        """Wait again for the responses to a command that was sent before.

        Nothing is sent. Responses written since then are read again, so a final one
        that came while nobody listened is found.

        Args:
            req_id: the command's.
            key: the key it was sent with; by default the account.
            partition: its partition, in place of the key.
            offset: its offset, if known (`Pending.offset`). Without it, the first
                final response for the `req_id` counts.
            since: when it was sent or earlier, aware or Unix ms; by default the oldest
                response is the first to be read.

        Raises:
            KafkaError: the responses cannot be read, or nothing came for 30 s.
        """
        number = self.partition_of(key) if partition is None else partition
        if not 0 <= number < self._partitions:
            raise KafkaError(f"{self.topic} has no partition {number}")
        pending = self._watch(req_id, number)
        pending.offset = offset
        try:
            await self._replay(pending, _ms(since))
        except BaseException:
            self._waiting.drop(pending)
            raise
        return self._released(pending, offset)

    def partition_of(self, key: str | None = None) -> int:
        """Return the partition of commands with this key, as Kafka's own clients do."""
        return partition_of((key or self.account).encode(), self._partitions)

    # -- inside

    def _released(self, pending: Pending, offset: int | None) -> Pending:
        pending.release(offset)
        self._waiting.settle(pending)
        return pending

    def _watch(self, req_id: str, partition: int) -> Pending:
        if self._failure is not None:
            raise self._failure
        return self._waiting.add(req_id, partition)

    async def _read(self) -> None:
        """Give each response to who waits for it, until the client is closed."""
        try:
            while True:
                for message in await self._reader.read():
                    await self._take(message)
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever
            if not isinstance(error, BridgeError):
                error = BridgeError(f"the client broke: {error!r}")
            self._failure = error
            self._waiting.fail(error)

    async def _take(self, message: Message) -> None:
        waiting = self._waiting.of(message)
        if not waiting:
            return
        try:
            response = await self._decode(message)
        except SchemaError as error:
            for pending in waiting:
                pending.fail(error)
                self._waiting.settle(pending)
            return
        for pending in waiting:
            if self._is_ours(response):
                pending.take(response)
                self._waiting.settle(pending)

    def _is_ours(self, response: Response) -> bool:
        return (response.account, response.topic) == (self.account, self.topic)

    async def _decode(self, message: Message) -> Response:
        """Read one record; waits for a registry that is away."""
        while True:
            try:
                if self._login is None:
                    return self._records.response(message)
                return await asyncio.to_thread(self._records.response, message)
            except RegistryUnreachable:
                await asyncio.sleep(REGISTRY_RETRY_S)

    async def _replay(self, pending: Pending, since_ms: int | None) -> None:
        """Give `pending` what its partition held until now."""
        reader = Reader(self._options, self.responses)
        try:
            end, at = await reader.replay(pending.partition, since_ms), -1
            while at < end:
                for message in await reader.read_on():
                    await self._take_past(pending, message)
                    marks_end = message.value is None and message.key is None
                    at = message.offset + (not marks_end)
        finally:
            await reader.close()

    async def _take_past(self, pending: Pending, message: Message) -> None:
        if message.value is None or message.key != pending.req_id.encode():
            return
        response = await self._decode(message)
        if self._is_ours(response):
            pending.replayed(response)


def new_req_id() -> str:
    """Return a new UUID, later ones sorting after earlier ones."""
    return uuid7(wall_ns() // 1_000_000, randbits(UUID_CHANCE_BITS))


def _ms(moment: datetime | int | None) -> int | None:
    if moment is None or isinstance(moment, int):
        return moment
    if moment.tzinfo is None:
        raise ValueError("a time without a zone; give an aware datetime or Unix ms")
    return (moment - _EPOCH) // _MILLISECOND


def _ignore(_correction: Response) -> None:
    """Do nothing about a correction."""
