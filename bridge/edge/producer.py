"""The way to Kafka: one idempotent librdkafka producer, polled on the event loop.

`send` never blocks and never refuses: what does not fit into librdkafka's queue waits
behind it, in order (`edge/relay.py`). Every record sent is, at any time, in exactly one
of three counts: acked, failed, or outstanding. Failures and notes are told from
`poll`, never from inside `send`, so nobody is called while in the middle of sending.

Facts of confluent-kafka 2.16 relied on (measured 2026-11-21): `produce` does not
block; delivery reports come only inside `poll`, in the caller's thread; a report's
`len()` is the value's length; an `on_delivery` in the configuration costs less than
one given with each record; a fatal error is raised by `poll`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container

import confluent_kafka as ck
import msgspec

from bridge.core.model import Headers, Note
from bridge.edge.clock import Clock, SystemClock
from bridge.edge.fates import Failure, Fate, Left, Patience, Place, Watched
from bridge.edge.kafka_options import Budget, Options, producer_options, refusal
from bridge.edge.kafka_statistics import Statistics, statistics_of
from bridge.edge.relay import Record, Relay
from bridge.errors import KafkaError

__all__ = ["Budget", "Failure", "Left", "Producer"]

# What librdkafka and the binding need for a queued record beside key and value: 220
# to 230 bytes were measured with 100,000 records in the queue.
OVERHEAD_BYTES = 230
SAMPLE_MASK = 63  # one report in 64
FLUSH_POLL_S = 0.005
PURGE_LIMIT_S = 1.0


class Producer:
    """Sends records, counts what became of them, and knows its budget's marks.

    One thread owns it. After `flush` it must not be used again. `on_latency` is told
    of one record in 64: microseconds from `send` to its acknowledgement.
    """

    def __init__(
        self,
        options: Options,
        budget: Budget,
        on_failed: Callable[[Failure], None],
        on_note: Callable[[Note], None],
        clock: Clock | None = None,
    ) -> None:
        """Start librdkafka; no broker needs to be there yet.

        Args:
            options: librdkafka properties; they win over ours, but what the promises
                rest on cannot be turned off.
            budget: what may wait, in bytes and records.
            on_failed: called from `poll` for each record that failed for good.
            on_note: called from `poll` when Kafka goes away or comes back.
            clock: paces `flush`; the machine's own by default.

        Raises:
            ConfigError: a property is unknown, or may not be changed.
        """
        self.produced = 0
        self.acked = 0
        self.failed = 0
        self.outstanding_bytes = 0
        self.fatal: KafkaError | None = None
        self.statistics = Statistics()
        self.on_latency: Callable[[int], None] = _nobody
        self._on_failed = on_failed
        self._on_note = on_note
        self._clock = clock or SystemClock()
        self._high = budget.mark(budget.high)
        self._low = budget.mark(budget.low)
        self._budget = budget
        self._watched = Watched()
        self._failures: deque[Failure] = deque()
        self._notes: deque[Note] = deque()
        self._troubles: set[str] = set()
        self._acked_at_trouble = 0
        self._left: Counter[str] | None = None
        self._relay = Relay(self._client(options), self._refused)

    def _client(self, options: Options) -> ck.Producer:
        callbacks = {
            "on_delivery": self._on_report,
            "error_cb": self._on_error,
            "stats_cb": self._on_statistics,
        }
        try:
            return ck.Producer(producer_options(options, self._budget) | callbacks)
        except ck.KafkaException as error:
            raise refusal(error) from error

    # -- sending

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int,
        timestamp_ms: int,
        headers: Headers | None = None,
    ) -> None:
        """Queue one record; what became of it comes with a later `poll`."""
        fate = Fate(self._on_report, (topic, partition), headers) if headers else None
        self._queue((topic, value, key, partition, fate, None, timestamp_ms, headers))

    def send_watched(
        self, topic: str, value: bytes, key: bytes, partition: int, timestamp_ms: int
    ) -> None:
        """Queue one record that `settled` waits for."""
        fate = Fate(self._on_report, (topic, partition))
        self._watched.add(fate)
        self._queue((topic, value, key, partition, fate, None, timestamp_ms, None))

    def poll(self) -> None:
        """Serve delivery reports, fill the queue up, and tell what happened."""
        try:
            self._relay.poll(0)
        except ck.KafkaException as error:
            self._on_fatal(error.args[0])
        self._relay.move_up(self.outstanding)
        if self._troubles and self.acked > self._acked_at_trouble:
            self._troubles.clear()
            self._notes.append(Note("kafka_back", {}))
        if self._failures or self._notes:
            self._tell()

    def renew(self, options: Options) -> None:
        """Go on with a client of these properties, which reads its TLS files anew.

        It begins when the present one has reported on all it has; what is sent until
        then waits. Raises ConfigError, and changes nothing, where librdkafka refuses.
        """
        self._relay.renew(self._client(options))

    def login(self, user: str, password: str) -> None:
        """Use these from the next connection to a broker on."""
        self._relay.login(user, password)

    # -- looking

    @property
    def outstanding(self) -> int:
        """Return how many records have no known fate yet."""
        return self.produced - self.acked - self.failed

    @property
    def above_high(self) -> bool:
        """Tell whether more waits than the budget's high mark."""
        return self._high.passed(self.outstanding_bytes, self.outstanding)

    @property
    def below_low(self) -> bool:
        """Tell whether less waits than the budget's low mark."""
        return not self._low.passed(self.outstanding_bytes, self.outstanding)

    async def settled(self, places: Container[Place], patience: Patience) -> bool:
        """Wait until the fate of every watched record there is known; False if not.

        Records of one partition arrive in order, so what was sent to it before is in
        Kafka then, too. Nothing follows for other partitions: each batch of each
        partition is a request of its own (librdkafka), and the reports may overtake.
        A partition may wait long for its turn on a slow broker (26 s were seen, with
        60 partitions), so it is silence that ends the wait, and only then the limit.
        """
        waiting = self._watched.unknown(places)
        began_ns = heard_ns = self._clock.now().mono_ns
        self.poll()
        while not all(fate.known for fate in waiting):
            now_ns, acked = self._clock.now().mono_ns, self.acked
            if patience.over(now_ns - heard_ns, now_ns - began_ns):
                return False
            await self._clock.sleep(FLUSH_POLL_S)
            self.poll()
            heard_ns = heard_ns if self.acked == acked else now_ns
        return True

    # -- the end

    async def flush(self, timeout_s: float) -> Left:
        """Wait for every record's fate, at most `timeout_s`; then give the rest up.

        The loop keeps turning. What is left stays counted as outstanding; it may or
        may not be in Kafka, if it was on its way.
        """
        await self._settle(timeout_s)
        if not self.outstanding:
            return Left(0, 0, {})
        left, left_bytes = self.outstanding, self.outstanding_bytes
        by_topic = self._left = self._relay.give_up()
        end_ns = self._clock.now().mono_ns + int(PURGE_LIMIT_S * 1e9)
        while by_topic.total() < left and self._clock.now().mono_ns < end_ns:
            self.poll()
            await self._clock.sleep(FLUSH_POLL_S)
        return Left(left, left_bytes, dict(by_topic))

    async def _settle(self, timeout_s: float) -> None:
        end_ns = self._clock.now().mono_ns + int(timeout_s * 1e9)
        self.poll()
        while self.outstanding and self._clock.now().mono_ns < end_ns:
            await self._clock.sleep(FLUSH_POLL_S)
            self.poll()

    # -- what librdkafka calls from within poll; nothing here may raise

    def _on_report(
        self,
        error: ck.KafkaError | None,
        message: ck.Message,
        headers: Headers | None = None,
    ) -> None:
        key = message.key() or b""
        if error is None:
            self.outstanding_bytes -= len(message) + len(key) + OVERHEAD_BYTES
            self.acked += 1
            if not self.acked & SAMPLE_MASK:
                self.on_latency(int((message.latency() or 0.0) * 1_000_000))
            return
        topic, value = message.topic() or "", message.value() or b""
        if self._left is not None:
            self._left[topic] += 1
            return
        number = message.partition()
        place = (topic, -1 if number is None else number)
        self._failed(Failure.of(error, place, key, value, headers), error)

    def _on_error(self, error: ck.KafkaError) -> None:
        """Keep each kind of trouble once, until something is acknowledged again."""
        self._acked_at_trouble = self.acked
        if error.name() not in self._troubles:
            self._troubles.add(error.name())
            facts = {"code": error.name(), "detail": error.str()}
            self._notes.append(Note("kafka_trouble", facts))

    def _on_statistics(self, told: str) -> None:
        try:
            self.statistics = statistics_of(told)
        except msgspec.MsgspecError as error:
            self._notes.append(Note("kafka_statistics_unread", {"why": str(error)}))

    # -- inside

    def _queue(self, record: Record) -> None:
        self.produced += 1
        self.outstanding_bytes += len(record[1]) + len(record[2]) + OVERHEAD_BYTES
        self._relay.give(record)

    def _refused(self, record: Record, error: ck.KafkaError) -> None:
        """Count a record that librdkafka did not take, so that no report comes."""
        topic, value, key, partition, fate, *_, headers = record
        if fate is not None:
            fate.known = True
        place = (topic, partition)
        self._failed(Failure.of(error, place, key, value, headers), error)

    def _on_fatal(self, error: ck.KafkaError) -> None:
        if self.fatal is None:
            self.fatal = KafkaError(
                f"the producer cannot go on: {error.name()}: {error.str()};"
                " start the worker again"
            )
            facts = {"code": error.name(), "detail": error.str()}
            self._notes.append(Note("kafka_fatal", facts))

    def _failed(self, failure: Failure, error: ck.KafkaError) -> None:
        """Count a record that will never arrive; `poll` tells it."""
        self.outstanding_bytes -= len(failure.value) + len(failure.key) + OVERHEAD_BYTES
        self.failed += 1
        if failure.fatal:
            self._on_fatal(error)
        self._failures.append(failure)

    def _tell(self) -> None:
        """Call back for all that was gathered; what a callback raises comes out.

        What a callback sends may be refused on the spot: that is told by the next poll.
        """
        for _ in range(len(self._notes)):
            self._on_note(self._notes.popleft())
        for _ in range(len(self._failures)):
            self._on_failed(self._failures.popleft())


def _nobody(_microseconds: int) -> None:
    """Tell nobody of a latency."""
