"""The worker as a member of the group that deals the shares of the feeds.

The assignment topic holds no records: its partitions are what is dealt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from bridge.core.model import Note, Plan, Reason
from bridge.edge.consumer import Message
from bridge.errors import KafkaError
from bridge.flow.connection import Log
from bridge.flow.ownership import Ownership


class GroupPort(Protocol):
    """The consumer group of the assignment topic."""

    def taken(self, message: Message) -> None:
        """Note that a message was taken over."""

    def release(self, topic: str, partition: int) -> None:
        """Let a revoked partition go."""


class GroupMember:
    """Hands what the group deals to `Ownership`; implements the group's `Member`."""

    def __init__(
        self,
        ownership: Ownership,
        settled: Callable[[Sequence[Plan]], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
        session_s: float,
        log: Log,
        failed: Callable[[KafkaError], None],
    ) -> None:
        """`attach` the group before it is opened.

        Args:
            ownership: what runs here.
            settled: waits until Kafka has taken what was written for these plans.
            sleep: waits.
            session_s: after this long without a loss, a member is one still.
            log: told of every change.
            failed: told when the membership has ended by itself.
        """
        self.dealt: set[int] = set()
        # Revoked and not released yet: their last records may still be on their way.
        self.leaving: set[int] = set()
        self.lapses = 0
        self._ownership = ownership
        self._settled = settled
        self._sleep = sleep
        self._session_s = session_s
        self._log = log
        self._failed = failed
        self._group: GroupPort
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving = False

    def attach(self, group: GroupPort) -> None:
        """Join the group, which needs this object to be made."""
        self._group = group

    def on_assigned(self, topic: str, partition: int, committed: int | None) -> None:  # noqa: ARG002 - edge.group.Member
        """Run a share, unless this worker is about to leave."""
        if self._leaving:
            return
        self._log("share_assigned", share=partition)
        self.dealt.add(partition)
        self._ownership.take(partition)

    def on_revoked(self, topic: str, partition: int) -> None:
        """End a share in order, and then let it go."""
        self._log("share_revoked", share=partition)
        self.dealt.discard(partition)
        self.leaving.add(partition)
        self._spawn(self._give(topic, partition))

    def on_lost(self, topic: str, partition: int) -> None:  # noqa: ARG002 - edge.group.Member
        """Drop a share at once."""
        self._log("share_lost", level="warning", share=partition)
        self.dealt.discard(partition)
        self.leaving.discard(partition)
        self._ownership.lose([partition])

    def lapsed(self) -> None:
        """Stand still for longer than the lease: drop everything, and see.

        librdkafka counts the session on its own clock, and tells of a loss at the
        latest one session after its last answer from the broker. What was not lost
        by then is ours.
        """
        self.lapses += 1
        self._log("lease_over", level="warning", shares=sorted(self.dealt))
        self._ownership.lose(self.dealt)
        self._spawn(self._take_back())

    def on_messages(self, messages: Sequence[Message]) -> None:
        """Pass over what somebody wrote to a topic that holds nothing."""
        for message in messages:
            self._group.taken(message)

    def on_note(self, note: Note) -> None:
        """Log it."""
        self._log(note.event, **note.facts)

    def on_failed(self, error: KafkaError) -> None:
        """Drop everything: nothing is ours any more."""
        self._ownership.lose(self.dealt)
        self._failed(error)

    async def _give(self, topic: str, partition: int) -> None:
        plans = self._ownership.plans([partition])
        await self._ownership.give([partition], Reason.MOVED)
        await self._settled(plans)
        self.leaving.discard(partition)
        self._group.release(topic, partition)

    async def _take_back(self) -> None:
        lapses = self.lapses
        await self._sleep(self._session_s)
        if self._leaving or self.lapses != lapses:  # a later lapse waits for itself
            return
        for partition in sorted(self.dealt):
            self._ownership.take(partition)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # the loop's handler ends the worker

    def leave(self) -> None:
        """Take nothing more: all that is held is about to be given up.

        When several workers stop at once, the group deals the share of the first to
        the others, which are about to go as well.
        """
        self._leaving = True
