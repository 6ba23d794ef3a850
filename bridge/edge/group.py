"""A member of a consumer group, in one thread, that hands values to the event loop.

A partition that is assigned stays silent until `start` says where: the true position
of a command partition stands in the journal, the group's offset is only a hint. Before
a partition is given away, the thread waits, within a limit, until the loop has let it
go with `release`, so that what is in flight can be journalled and committed.

Facts relied on (librdkafka 2.16, tried on its mock cluster and on Apache Kafka 4.3,
2026-11-21): a paused partition can be sought, even within the assignment's callback;
the group's heartbeats go on while a callback waits; commits asked for before a
partition is given back, or before the end, arrive before that.
"""

from __future__ import annotations

from collections import Counter

import confluent_kafka as ck

from bridge.edge.clock import Clock, SystemClock
from bridge.edge.commits import Commits
from bridge.edge.consumer import Message, Partition, message_of
from bridge.edge.kafka_options import Options, client_options, refusal
from bridge.edge.membership import Limits, Member, Membership, Progress
from bridge.edge.places import Places, names_of
from bridge.edge.reader_thread import CLOSE_S, Prepare, ReaderThread, Troubles, is_fatal

__all__ = ["Group", "Limits", "Member", "Membership", "Progress"]

WAIT_S = 0.05
BATCH = 500


class Group:
    """A member of a group; every method belongs to the event loop."""

    def __init__(
        self,
        options: Options,
        membership: Membership,
        member: Member,
        clock: Clock | None = None,
        prepare: Prepare = lambda _: None,
    ) -> None:
        """Make the client; `open` joins.

        Args:
            options: librdkafka properties; `group.protocol=consumer` chooses KIP-848.
            membership: which group, and how.
            member: who is called back.
            clock: the machine's own by default.
            prepare: called in the thread with a batch that is about to be handed over.

        Raises:
            ConfigError: an option is unknown or does not fit the protocol.
        """
        self._membership = membership
        self._member = member
        self._prepare = prepare
        self._release_ns = int(membership.release_timeout_s * 1e9)
        self._clock = clock or SystemClock()
        self._progress = Progress(self._clock.now().mono_ns)
        # How many calls of `start` the thread has not come to yet; the loop's.
        self._starting: Counter[Partition] = Counter()
        self._leaving: set[Partition] = set()
        self._batch: list[Message] = []
        self._closing = False
        name = f"group {membership.group_id}"
        self._thread = ReaderThread(name, self._turn, self._end, member.on_failed)
        self._troubles = Troubles(
            self._clock, lambda note: self._thread.tell(member.on_note, note)
        )
        self._commits = Commits(self._troubles)
        self._next: list[ck.Consumer] = []
        self._use(self._make(options))

    def _make(self, options: Options) -> ck.Consumer:
        all_of_it = client_options(options, **self._membership.properties(options))
        errors, commits = self._troubles.kafka, self._commits.on_commit
        try:
            return ck.Consumer(all_of_it | {"error_cb": errors, "on_commit": commits})
        except ck.KafkaException as error:
            raise refusal(error) from error

    def _use(self, consumer: ck.Consumer) -> None:
        self._consumer = consumer
        self._places = Places(consumer, self._membership.limits)

    # -- on the loop

    def open(self) -> None:
        """Join the group; callbacks come from here on."""
        self._progress = Progress(self._clock.now().mono_ns)
        self._thread.start(self._troubles.kafka)
        self._thread.do(self._join)

    async def close(self) -> bool:
        """Send the commits, leave the group, and wait until that is done.

        Nothing is called back from here on, and no release is waited for. A static
        member's partitions stay its own until its session runs out. The answer is False
        if the brokers did not answer in time; the group notices by itself then.
        """
        return await self._thread.stop()

    def start(self, topic: str, partition: int, offset: int | None) -> None:
        """Hand over messages from `offset` on, and no others; None is the oldest."""
        name = (topic, partition)
        self._starting[name] += 1
        self._thread.do(lambda: self._start(name, offset))

    def taken(self, message: Message) -> None:
        """Make room for another message."""
        self._thread.do(lambda: self._places.taken(message))

    def commit(self, topic: str, partition: int, offset: int) -> None:
        """Let the group start at `offset`; failures are notes.

        Commits for partitions that are not ours any more are dropped; of several that
        wait, the last one counts.
        """
        self._thread.do(lambda: self._commit((topic, partition), offset))

    def release(self, topic: str, partition: int) -> None:
        """Agree that a revoked partition goes to somebody else now."""
        self._thread.do(lambda: self._leaving.discard((topic, partition)))

    def renew(self, options: Options) -> None:
        """Leave, and join with a client of these properties that reads its TLS files.

        All partitions are asked back first. Raises ConfigError, and changes nothing,
        where librdkafka refuses.
        """
        made = self._make(options)
        self._thread.do(lambda: self._next.append(made))

    def login(self, user: str, password: str) -> None:
        """Use these from the next connection to a broker on."""
        self._thread.do(lambda: self._consumer.set_sasl_credentials(user, password))

    @property
    def progress(self) -> Progress:
        """Return the newest facts."""
        return self._progress

    # -- on the loop, called by the thread

    def _deliver(self, batch: list[Message]) -> None:
        """Pass on what was read from where the last `start` said."""
        stale = [m for m in batch if self._starting[m[:2]]]
        for message in stale:
            self.taken(message)
        if fresh := [m for m in batch if not self._starting[m[:2]]]:
            self._member.on_messages(fresh)

    # -- in the thread

    def _start(self, name: Partition, offset: int | None) -> None:
        self._hand_over()  # in the midst of a batch only after an error
        self._places.start(name, offset)
        self._thread.tell(self._starting.subtract, [name])

    def _join(self) -> None:
        self._consumer.subscribe(
            list(self._membership.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _rejoin(self) -> None:
        """Leave in order, and join with the newest client.

        One that cannot reach its brokers any more does not come back from leaving.
        """
        limit_s = self._membership.release_timeout_s + CLOSE_S
        self._thread.within(limit_s, self._leave)
        self._lose(self._places.names)
        self._commits.clear()
        self._use(self._next.pop())
        self._next.clear()
        self._join()

    def _leave(self) -> None:
        self._hand_over()
        self._commits.send(self._consumer, even_if_busy=True)
        self._consumer.close()

    def _turn(self) -> None:
        if self._next:
            self._rejoin()
        self._commits.send(self._consumer)
        if not self._places.adjust():
            # Nothing can come, so the loop's calls are what to wait for.
            self._thread.serve(WAIT_S)
        message = self._consumer.poll(WAIT_S if self._places.adjust() else 0)
        while message is not None:
            self._take(message)
            if len(self._batch) >= BATCH or self._places.full:
                break
            message = self._consumer.poll(0)
        self._hand_over()
        self._look()

    def _end(self) -> None:
        self._closing = True
        self._leave()

    def _take(self, found: ck.Message) -> None:
        if error := found.error():
            self._on_partition_error(found, error)
            return
        message = message_of(found)
        if not self._places.wants(message):
            return
        if facts := self._places.missed(message):
            self._troubles.note("command_position_gone", facts)
        self._batch.append(message)
        self._places.handed(message)

    def _on_partition_error(self, found: ck.Message, error: ck.KafkaError) -> None:
        topic, number = found.topic() or "", found.partition() or 0
        if error.code() == ck.KafkaError._PARTITION_EOF:  # noqa: SLF001 - public
            self._places.ended((topic, number), found.offset() or 0)
            return
        if is_fatal(error):
            self._troubles.kafka(error)
        facts = {"topic": topic, "partition": number, "code": error.name()}
        self._troubles.note("group_trouble", facts)

    def _hand_over(self) -> None:
        if self._batch and not self._thread.stopping:
            batch, self._batch = self._batch, []
            self._prepare(batch)
            self._thread.tell(self._deliver, batch)

    def _commit(self, name: Partition, offset: int) -> None:
        if name in self._places:
            self._commits.add(name, offset)

    def _look(self) -> None:
        now_ns, is_member = self._clock.now().mono_ns, bool(self._consumer.memberid())
        self._progress = self._places.progress(now_ns, is_member=is_member)

    # -- in the thread: librdkafka's callbacks, from within poll and close

    def _on_assign(self, consumer: ck.Consumer, found: list[ck.TopicPartition]) -> None:
        committed = self._commits.known(consumer, found)
        self._places.add(names_of(found))
        for name in names_of(found):
            self._thread.tell(self._member.on_assigned, *name, committed.get(name))

    def _on_revoke(self, consumer: ck.Consumer, found: list[ck.TopicPartition]) -> None:
        if names := self._owned(consumer, found):
            self._give(names)
        consumer.incremental_unassign(found)

    def _owned(
        self, consumer: ck.Consumer, found: list[ck.TopicPartition]
    ) -> list[Partition]:
        """Return what is ours of it; nothing is, of what a former client speaks."""
        if consumer is not self._consumer:
            return []
        return [name for name in names_of(found) if name in self._places]

    def _give(self, names: list[Partition]) -> None:
        self._hand_over()
        late = [] if self._closing else self._wait_released(names)
        self._places.drop(names)
        for name in late:
            facts = {"topic": name[0], "partition": name[1]}
            self._troubles.note("partition_not_released_in_time", facts)
            self._thread.tell(self._member.on_lost, *name)

    def _wait_released(self, names: list[Partition]) -> list[Partition]:
        """Ask the loop to let go, wait, commit; return what it still holds."""
        self._leaving = set(names)
        for name in names:
            self._thread.tell(self._member.on_revoked, *name)
        end_ns = self._clock.now().mono_ns + self._release_ns
        while self._leaving and not self._thread.stopping:
            self._thread.serve(WAIT_S)
            if self._clock.now().mono_ns > end_ns:
                break
        self._commits.send(self._consumer, even_if_busy=True)
        late, self._leaving = sorted(self._leaving), set()
        return late

    def _on_lost(self, consumer: ck.Consumer, found: list[ck.TopicPartition]) -> None:
        if names := self._owned(consumer, found):
            self._lose(names)
        consumer.incremental_unassign(found)

    def _lose(self, names: list[Partition]) -> None:
        self._hand_over()
        for name in names:
            self._thread.tell(self._member.on_lost, *name)
            self._commits.forget(name)
        self._places.drop(names)
