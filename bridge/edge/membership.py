"""What a group's member is told to be, and what it calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from bridge.core.model import Note
from bridge.edge.consumer import Message, Partition
from bridge.edge.kafka_options import Options
from bridge.errors import KafkaError

BUFFER_KBYTES = 16 * 1024
# A member asks for its topics before it joins. A broker that goes meanwhile takes the
# request along, and librdkafka 2.16 does not repeat it: the next one is this, and by
# default 300 s away (tried on Apache Kafka 4.3, 2026-11-22).
REFRESH = "topic.metadata.refresh.interval.ms"
REFRESH_MS = 5_000


class Limits(NamedTuple):
    """How much may be handed over and not yet taken; one message may exceed it."""

    messages: int = 1000
    bytes: int = 32 * 1024 * 1024


class Membership(NamedTuple):
    """Which group to be a member of, and how.

    `instance_id` makes the member static: its partitions are kept for it through a
    restart that is shorter than the session. `release_timeout_s` is how long a revoked
    partition is waited for; well below `max.poll.interval.ms`.
    """

    group_id: str
    topics: Sequence[str]
    instance_id: str = ""
    limits: Limits = Limits()
    release_timeout_s: float = 10.0

    def properties(self, options: Options) -> dict[str, str | int]:
        """Return the librdkafka properties that are the member's own, over `options`.

        Underscores in the names stand for dots.
        """
        ours: dict[str, str | int] = {
            "group_id": self.group_id,
            "enable_auto_commit": "false",
            "enable_auto_offset_store": "false",
            "auto_offset_reset": "earliest",
            "enable_partition_eof": "true",
            "queued_max_messages_kbytes": BUFFER_KBYTES,
        }
        if REFRESH not in options:
            ours[REFRESH] = REFRESH_MS
        if str(options.get("group.protocol", "classic")).lower() == "classic":
            ours["partition_assignment_strategy"] = "cooperative-sticky"
        if self.instance_id:
            ours["group_instance_id"] = self.instance_id
        return ours


class Progress(NamedTuple):
    """What a watchdog looks at.

    `polled_ns` is when the thread last came round, on the clock that never steps.
    `lags` counts, for each owned partition, what lies in Kafka and was not handed
    over; None where that is not known (yet). `waiting` was handed over and not taken.
    `is_member` holds from the group's first answer until the membership is lost; with
    KIP-848 a client names itself, so there it always holds.
    """

    polled_ns: int
    waiting: int = 0
    lags: tuple[tuple[Partition, int | None], ...] = ()
    is_member: bool = False


class Member(Protocol):
    """What a group calls, always on the event loop, in the order of happening."""

    def on_assigned(self, topic: str, partition: int, committed: int | None) -> None:
        """Own a partition; nothing comes before `start`.

        `committed` is the group's offset, None where there is none or where it could
        not be read.
        """

    def on_revoked(self, topic: str, partition: int) -> None:
        """Let go: finish or journal, commit, then call `release`."""

    def on_lost(self, topic: str, partition: int) -> None:
        """Note that somebody else may own the partition already; there is no wait.

        Comes, too, after a revocation that was not released in time.
        """

    def on_messages(self, messages: list[Message]) -> None:
        """Take messages of any owned partitions, in order within each.

        Call `taken` for each of them, sooner or later.
        """

    def on_note(self, note: Note) -> None:
        """Log a change of state."""

    def on_failed(self, error: KafkaError) -> None:
        """Note that the member has ended by itself: nothing is its own any more.

        Comes without `on_lost`; the group cannot be used again, only closed.
        """
