"""Follows partitions of the response log, in one thread, without a group.

What lies in the log decides who may send an order, so it is read back in its own
order, as soon as it is there, and the reader knows when it has read all that was there
when it asked. Transactions are not waited for: a foreign transaction that hangs must
not hold up the log, and the bridge writes none.

Facts relied on (librdkafka 2.16, tried on Apache Kafka 4.3, 2026-11-21): partitions can
be added and taken away one by one without a group; the end-of-partition event comes
behind transaction markers and compaction's holes; the mock cluster answers every search
by time with -1, Apache Kafka only where no record is that new.
"""

from __future__ import annotations

from collections.abc import Mapping

import confluent_kafka as ck

from bridge.edge.clock import Clock, SystemClock
from bridge.edge.consumer import Message, Partition, message_of
from bridge.edge.followed import Followed, Reader, Span
from bridge.edge.kafka_options import Options, client_options, refusal
from bridge.edge.lookups import ends
from bridge.edge.reader_thread import Prepare, ReaderThread, Troubles, is_fatal

# librdkafka wants a group's name even where no group is joined.
GROUP = "feedbridge-journal"
WAIT_S = 0.05
BATCH = 500
AHEAD = 16  # batches that the loop has not come to yet
LOOKUP_S = 5.0
RETRY_NS = 500_000_000
BUFFER_KBYTES = 16 * 1024
# A partition that is added waits for the fetch that is under way; a record never does.
FETCH_WAIT_MS = 100
HOLES = frozenset(
    {ck.KafkaError._AUTO_OFFSET_RESET, ck.KafkaError._LOG_TRUNCATION}  # noqa: SLF001
)


class Journal:
    """Follows partitions; every method belongs to the event loop."""

    def __init__(
        self,
        options: Options,
        reader: Reader,
        clock: Clock | None = None,
        *,
        isolation: str = "read_uncommitted",
        prepare: Prepare = lambda _: None,
    ) -> None:
        """Make the client; no broker needs to be there yet.

        Args:
            options: librdkafka properties.
            reader: who is called back.
            clock: the machine's own by default.
            isolation: `read_committed` reads transactions only when they are decided.
            prepare: called in the thread with records that are about to be handed over.

        Raises:
            ConfigError: an option is unknown.
        """
        self._reader = reader
        self._prepare = prepare
        self._clock = clock or SystemClock()
        self._wanted: dict[Partition, Followed] = {}  # the loop's
        self._follows: dict[Partition, Followed] = {}  # the thread's, as the next two
        self._to_open: list[Followed] = []
        self._retry_ns = 0
        self._ahead = 0
        self._polled_ns = self._clock.now().mono_ns
        self._thread = ReaderThread("journal", self._turn, self._end, reader.on_failed)
        self._troubles = Troubles(
            self._clock, lambda note: self._thread.tell(reader.on_note, note)
        )
        self._isolation = isolation
        self._consumer = self._make(options)

    def _make(self, options: Options) -> ck.Consumer:
        # No group is joined, so what is said about groups is not for us.
        mine = {k: v for k, v in options.items() if not k.startswith("group.")}
        mine = {"fetch.wait.max.ms": FETCH_WAIT_MS} | mine
        fixed = client_options(
            mine,
            group_id=GROUP,
            enable_auto_commit="false",
            enable_auto_offset_store="false",
            enable_partition_eof="true",
            auto_offset_reset="error",
            fetch_min_bytes=1,
            isolation_level=self._isolation,
            queued_max_messages_kbytes=BUFFER_KBYTES,
        )
        try:
            return ck.Consumer(fixed | {"error_cb": self._on_error})
        except ck.KafkaException as error:
            raise refusal(error) from error

    # -- on the loop

    def open(self) -> None:
        """Start reading; callbacks come from here on."""
        self._thread.start(self._troubles.kafka)

    async def close(self) -> None:
        """End; nothing is called back from here on."""
        await self._thread.stop()

    def renew(self, options: Options) -> None:
        """Go on with a client of these properties, which reads its TLS files anew.

        Raises ConfigError, and changes nothing, where librdkafka refuses.
        """
        made = self._make(options)
        self._thread.do(lambda: self._go_on(made))

    def login(self, user: str, password: str) -> None:
        """Use these from the next connection to a broker on."""
        self._thread.do(lambda: self._consumer.set_sasl_credentials(user, password))

    def follow(self, topic: str, partition: int, from_ms: int | None) -> None:
        """Read a partition from the first record of that Unix time in ms, or newer.

        None is the oldest record. What is followed already begins anew.
        """
        self.unfollow(topic, partition)
        follow = Followed((topic, partition), from_ms)
        self._wanted[follow.place] = follow
        self._thread.do(lambda: self._to_open.append(follow))

    def unfollow(self, topic: str, partition: int) -> None:
        """Forget a partition; nothing comes from it any more, from this moment on."""
        if follow := self._wanted.pop((topic, partition), None):
            self._thread.do(lambda: self._forget(follow))

    @property
    def polled_ns(self) -> int:
        """Return when the thread last came round, on the clock that never steps."""
        return self._polled_ns

    # -- on the loop, called by the thread

    def _deliver(self, follow: Followed, entries: list[Message]) -> None:
        self._thread.do(self._delivered)
        if self._wanted.get(follow.place) is follow:
            self._reader.on_entries(entries)

    def _catch_up(self, follow: Followed) -> None:
        if self._wanted.get(follow.place) is follow:
            self._reader.on_caught_up(*follow.place)

    def _break(self, follow: Followed, detail: str) -> None:
        if self._wanted.get(follow.place) is follow:
            del self._wanted[follow.place]
            self._reader.on_broken(*follow.place, detail)

    # -- in the thread

    def _turn(self) -> None:
        if self._to_open and self._clock.now().mono_ns >= self._retry_ns:
            self._open_all()
        self._polled_ns = self._clock.now().mono_ns
        if not self._follows or self._ahead >= AHEAD:
            self._thread.serve(WAIT_S)
        if self._ahead >= AHEAD:
            return
        message = self._consumer.poll(WAIT_S if self._follows else 0)
        left = BATCH
        while message is not None:
            self._take(message)
            left -= 1
            message = self._consumer.poll(0) if left else None
        for follow in self._follows.values():
            self._hand_over(follow)

    def _end(self) -> None:
        self._consumer.close()

    def _go_on(self, consumer: ck.Consumer) -> None:
        """Read on with another client, from where the present one has come to."""
        self._consumer = consumer
        consumer.incremental_assign([f.at() for f in self._follows.values()])

    def _open_all(self) -> None:
        """Find where to start; what cannot be found now is tried again soon."""
        waiting, self._to_open = self._to_open, []
        for follow in waiting:
            try:
                self._begin(follow, self._span(follow))
            except ck.KafkaException as error:
                self._to_open.append(follow)
                self._retry_ns = self._clock.now().mono_ns + RETRY_NS
                self._trouble(follow.place, error.args[0])

    def _begin(self, follow: Followed, span: Span) -> None:
        follow.next, follow.end = span
        self._consumer.incremental_assign([follow.at()])
        self._follows[follow.place] = follow
        self._reached(follow, span.start)

    def _span(self, follow: Followed) -> Span:
        place = ck.TopicPartition(*follow.place)
        low, high = ends(self._consumer, place, LOOKUP_S)
        if follow.from_ms is None or low >= high:
            return Span(low, high)
        found = self._search(follow.place, follow.from_ms)
        if found < 0 and self._search(follow.place, 0) >= 0:
            found = high  # times are known here, and no record is that new
        return Span(max(low, found), high)

    def _search(self, place: Partition, from_ms: int) -> int:
        wanted = ck.TopicPartition(*place, from_ms)
        found = self._consumer.offsets_for_times([wanted], timeout=LOOKUP_S)[0]
        if found.error is not None:
            raise ck.KafkaException(found.error)
        return found.offset

    def _forget(self, follow: Followed) -> None:
        if follow in self._to_open:
            self._to_open.remove(follow)
        if self._follows.get(follow.place) is follow:
            del self._follows[follow.place]
            self._consumer.incremental_unassign([ck.TopicPartition(*follow.place)])

    def _take(self, found: ck.Message) -> None:
        place = (found.topic() or "", found.partition() or 0)
        follow = self._follows.get(place)
        if follow is None:
            return
        if error := found.error():
            self._on_partition_error(follow, found.offset() or 0, error)
            return
        message = message_of(found)
        follow.entries.append(message)
        self._reached(follow, message.offset + 1)

    def _reached(self, follow: Followed, offset: int) -> None:
        follow.next = max(follow.next, offset)
        if not follow.caught_up and offset >= follow.end:
            follow.caught_up = True
            self._hand_over(follow)
            self._thread.tell(self._catch_up, follow)

    def _hand_over(self, follow: Followed) -> None:
        if follow.entries:
            entries, follow.entries = follow.entries, []
            self._ahead += 1
            self._prepare(entries)
            self._thread.tell(self._deliver, follow, entries)

    def _delivered(self) -> None:
        self._ahead -= 1

    def _on_partition_error(
        self, follow: Followed, offset: int, error: ck.KafkaError
    ) -> None:
        if error.code() == ck.KafkaError._PARTITION_EOF:  # noqa: SLF001 - public
            self._reached(follow, offset)
        elif error.code() in HOLES:
            self._hand_over(follow)
            self._forget(follow)
            self._thread.tell(self._break, follow, error.str())
        else:
            self._trouble(follow.place, error)

    def _trouble(self, place: Partition, error: ck.KafkaError) -> None:
        if is_fatal(error):
            self._on_error(error)
        facts: Mapping[str, object] = {"topic": place[0], "partition": place[1]}
        self._troubles.note("journal_trouble", {**facts, "code": error.name()})

    def _on_error(self, error: ck.KafkaError) -> None:
        self._troubles.kafka(error)
