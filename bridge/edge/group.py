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

import confluent_kafka as ck

from bridge.edge.clock import Clock, SystemClock
from bridge.edge.consumer import Message, Partition, message_of
from bridge.edge.kafka_options import Options, client_options, refusal
from bridge.edge.membership import Member, Membership, Progress
from bridge.edge.places import Limits, Places, size_of
from bridge.edge.reader_thread import ReaderThread, Troubles, is_fatal

__all__ = ["Group", "Limits", "Member", "Membership", "Progress"]

WAIT_S = 0.05
BATCH = 500
COMMITTED_S = 5.0
LOOK_NS = 500_000_000
BUFFER_KBYTES = 16 * 1024


class Group:
    """A member of a group; every method belongs to the event loop."""

    def __init__(
        self,
        options: Options,
        membership: Membership,
        member: Member,
        clock: Clock | None = None,
    ) -> None:
        """Make the client; `open` joins.

        Args:
            options: librdkafka properties; `group.protocol=consumer` chooses KIP-848.
            membership: which group, and how.
            member: who is called back.
            clock: the machine's own by default.

        Raises:
            ConfigError: an option is unknown or does not fit the protocol.
        """
        self._membership = membership
        self._member = member
        self._release_ns = int(membership.release_timeout_s * 1e9)
        self._clock = clock or SystemClock()
        self._progress = Progress(self._clock.now().mono_ns)
        self._leaving: set[Partition] = set()
        self._batch: list[Message] = []
        self._commits: dict[Partition, int] = {}
        self._committing = False
        self._looked_ns = 0
        self._closing = False
        self._consumer = self._make(options)
        self._places = Places(self._consumer, membership.limits)
        name = f"group {membership.group_id}"
        self._thread = ReaderThread(name, self._turn, self._end, member.on_failed)
        self._troubles = Troubles(
            self._clock, lambda note: self._thread.tell(member.on_note, note)
        )

    def _make(self, options: Options) -> ck.Consumer:
        ours: dict[str, str | int] = {
            "group_id": self._membership.group_id,
            "enable_auto_commit": "false",
            "enable_auto_offset_store": "false",
            "auto_offset_reset": "earliest",
            "queued_max_messages_kbytes": BUFFER_KBYTES,
        }
        if str(options.get("group.protocol", "classic")).lower() == "classic":
            ours["partition_assignment_strategy"] = "cooperative-sticky"
        if self._membership.instance_id:
            ours["group_instance_id"] = self._membership.instance_id
        callbacks = {"error_cb": self._on_error, "on_commit": self._on_commit}
        try:
            return ck.Consumer(client_options(options, **ours) | callbacks)
        except ck.KafkaException as error:
            raise refusal(error) from error

    # -- on the loop

    def open(self) -> None:
        """Join the group; callbacks come from here on."""
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
        """Hand over messages from `offset` on; None is the oldest."""
        self._thread.do(lambda: self._places.start((topic, partition), offset))

    def pause(self, topic: str, partition: int) -> None:
        """Hand nothing more over from this partition; some may be on its way."""
        self._thread.do(lambda: self._places.hold((topic, partition), held=True))

    def resume(self, topic: str, partition: int) -> None:
        """Go on after `pause`, without a hole."""
        self._thread.do(lambda: self._places.hold((topic, partition), held=False))

    def taken(self, message: Message) -> None:
        """Make room for another message."""
        name, size = message[:2], size_of(message)
        self._thread.do(lambda: self._places.taken(name, size))

    def commit(self, topic: str, partition: int, offset: int) -> None:
        """Let the group start at `offset`; failures are notes.

        Commits for partitions that are not ours any more are dropped; of several that
        wait, the last one counts.
        """
        self._thread.do(lambda: self._commit((topic, partition), offset))

    def release(self, topic: str, partition: int) -> None:
        """Agree that a revoked partition goes to somebody else now."""
        self._thread.do(lambda: self._leaving.discard((topic, partition)))

    @property
    def progress(self) -> Progress:
        """Return the newest facts."""
        return self._progress

    # -- in the thread

    def _join(self) -> None:
        self._consumer.subscribe(
            list(self._membership.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _turn(self) -> None:
        self._send_commits()
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
        self._send_commits(even_if_busy=True)
        self._consumer.close()

    def _take(self, found: ck.Message) -> None:
        if error := found.error():
            self._on_partition_error(found, error)
            return
        message = message_of(found)
        if not self._places.wants(message):
            return
        if (wanted := self._places.missed(message)) is not None:
            facts = {"topic": message.topic, "partition": message.partition}
            facts |= {"wanted": wanted, "found": message.offset}
            self._troubles.note("command_position_gone", facts)
        self._batch.append(message)
        self._places.handed(message)

    def _on_partition_error(self, found: ck.Message, error: ck.KafkaError) -> None:
        name = (found.topic() or "", found.partition() or 0)
        if is_fatal(error):
            self._troubles.kafka(error)
        facts = {"topic": name[0], "partition": name[1], "code": error.name()}
        self._troubles.note("group_trouble", facts)

    def _hand_over(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            self._thread.tell(self._member.on_messages, batch)

    def _commit(self, name: Partition, offset: int) -> None:
        if name in self._places:
            self._commits[name] = offset

    def _send_commits(self, *, even_if_busy: bool = False) -> None:
        """Send what waits in one request, one request at a time."""
        if not self._commits or (self._committing and not even_if_busy):
            return
        commits, self._commits = self._commits, {}
        self._committing = True
        self._consumer.commit(
            offsets=[ck.TopicPartition(*n, offset) for n, offset in commits.items()],
            asynchronous=True,
        )

    def _look(self) -> None:
        now_ns = self._clock.now().mono_ns
        lags, waiting = self._progress.lags, self._places.waiting
        if now_ns - self._looked_ns > LOOK_NS:
            self._looked_ns, lags = now_ns, self._places.lags()
        self._progress = Progress(now_ns, waiting, lags)

    # -- in the thread: librdkafka's callbacks, from within poll and close

    def _on_assign(self, _: ck.Consumer, found: list[ck.TopicPartition]) -> None:
        committed = self._committed(found)
        self._places.add(_names(found))
        for name in _names(found):
            self._thread.tell(self._member.on_assigned, *name, committed.get(name))

    def _committed(self, found: list[ck.TopicPartition]) -> dict[Partition, int]:
        try:
            answers = self._consumer.committed(found, timeout=COMMITTED_S)
        except ck.KafkaException as error:
            self._troubles.kafka(error.args[0])
            return {}
        good = [one for one in answers if one.error is None and one.offset >= 0]
        return {(one.topic, one.partition): one.offset for one in good}

    def _on_revoke(self, consumer: ck.Consumer, found: list[ck.TopicPartition]) -> None:
        self._hand_over()
        names = [name for name in _names(found) if name in self._places]
        late = [] if self._closing else self._wait_released(names)
        self._places.drop(names)
        consumer.incremental_unassign(found)
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
        self._send_commits(even_if_busy=True)
        late, self._leaving = sorted(self._leaving), set()
        return late

    def _on_lost(self, consumer: ck.Consumer, found: list[ck.TopicPartition]) -> None:
        self._hand_over()
        for name in _names(found):
            self._thread.tell(self._member.on_lost, *name)
            self._commits.pop(name, None)
        self._places.drop(_names(found))
        consumer.incremental_unassign(found)

    def _on_error(self, error: ck.KafkaError) -> None:
        self._troubles.kafka(error)

    def _on_commit(
        self, error: ck.KafkaError | None, found: list[ck.TopicPartition]
    ) -> None:
        self._committing = False
        for one in found:
            if why := error or one.error:
                facts = {"topic": one.topic, "partition": one.partition}
                self._troubles.note("commit_failed", facts | {"code": why.name()})


def _names(found: list[ck.TopicPartition]) -> list[Partition]:
    return [(one.topic, one.partition) for one in found]
