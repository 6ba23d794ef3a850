"""The order path of one command topic: group, journal, shelves, desks.

    command topic -> checks -> claims -> (journal read back) -> desk -> venue
    venue -> desk -> claims -> response topic

Every callback comes on the event loop; threads hand over values only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bridge.core.model import Note, Now
from bridge.core.orders import Command, Entry, Key, Phase, Refused
from bridge.edge.consumer import Message
from bridge.errors import BridgeError, KafkaError, SchemaError
from bridge.flow.latency import Latency, Moment
from bridge.flow.order_parts import GroupPort, JournalPort, Parts, Poison
from bridge.flow.pacer import Clock
from bridge.flow.shelf import PartitionShelf, Ways

__all__ = ["OrderPath", "Parts", "Poison", "finish"]

MS_NS = 1_000_000
MARGIN_MS = 60_000
# How long the witness of an ended assignment may still learn what became of its sends.
WITNESS_NS = 600_000_000_000
FINISH_POLL_S = 0.02


class OrderPath:
    """Implements the group's `Member` and the journal's `Reader`."""

    def __init__(self, parts: Parts, failed: Callable[[BridgeError], None]) -> None:
        """`attach` the edges before the group is opened."""
        self.shelves: dict[int, PartitionShelf] = {}
        # Shelves of assignments that are over, until what they sent is settled: they
        # may learn that a final record in the log is untrue.
        self.witnesses: list[PartitionShelf] = []
        self.latency = Latency()
        self._parts = parts
        self._failed = failed
        self._leaving = False
        self._committed: dict[int, int | None] = {}
        self._from_ms: dict[int, int] = {}
        # Where the journal was read anew for an old command in this assignment; and
        # from when on it is to be, once what is open there is finished.
        self._reread: set[int] = set()
        self._anew: dict[int, int] = {}
        self._group: GroupPort
        self._journal: JournalPort

    def attach(self, group: GroupPort, journal: JournalPort) -> None:
        """Join the edges, which need this object to be made."""
        self._group = group
        self._journal = journal

    def close(self) -> None:
        """Take nothing more; each shelf goes once nothing is open there, or in time."""
        self._leaving = True
        self._anew.clear()
        for shelf in list(self.shelves.values()):
            shelf.close(self._parts.now(), self._parts.release_wait_s)

    # -- the group's calls

    def on_assigned(self, topic: str, partition: int, committed: int | None) -> None:
        """Read the journal first: it says what was claimed and answered."""
        window_ms = self._parts.now().wall_ns // MS_NS - self._parts.dedup_ms
        self._committed[partition] = committed
        self._reread.discard(partition)
        self._parts.log("commands_assigned", topic=topic, partition=partition)
        self._open(partition, max(0, window_ms))

    def _open(self, partition: int, from_ms: int) -> None:
        """Begin an assignment, or begin it anew, with the journal from a time on.

        The group's `start` follows when the journal is read, and brings every command
        without a final record. What comes before it is dropped: a later command that
        was taken here first would make the earlier ones look like old news.
        """
        if self._leaving:
            return
        epoch = self._parts.epoch()
        self._from_ms[partition] = from_ms
        claims = self._parts.claims(epoch)
        shelf = self._parts.trails.shelf(partition, claims, self._ways())
        self.shelves[partition] = shelf
        self._journal.follow(self._parts.responses, partition, from_ms)

    def on_revoked(self, topic: str, partition: int) -> None:
        """Finish what is open within the limit; the shelf releases the partition."""
        self._anew.pop(partition, None)
        shelf = self.shelves.get(partition)
        if shelf is None:
            self._group.release(topic, partition)
        else:
            shelf.close(self._parts.now(), self._parts.release_wait_s)

    def on_lost(self, topic: str, partition: int) -> None:
        """Somebody else may own it already: let go at once."""
        self._parts.log("commands_lost", topic=topic, partition=partition)
        self._anew.pop(partition, None)
        self._retire(partition)

    def on_messages(self, messages: Sequence[Message]) -> None:
        """Check each record completely before anything else is done with it."""
        for message in messages:
            self._group.taken(message)
            shelf = self.shelves.get(message.partition)
            if shelf is None or not shelf.takes:
                continue
            if 0 <= message.timestamp_ms < self._from_ms[message.partition]:
                self._begin_anew(shelf, message.timestamp_ms)
            else:
                self._take(shelf, message)

    def on_note(self, note: Note) -> None:
        """Log a change of state."""
        self._parts.log(note.event, **note.facts)

    def on_failed(self, error: KafkaError) -> None:
        """A reading thread has ended: the worker must end, too."""
        self._failed(error)

    # -- the journal's calls

    def on_entries(self, entries: Sequence[Message]) -> None:
        """Take records of a response partition, in the order of the log."""
        for message in entries:
            if message.value is not None:
                self._read_back(message, message.value)

    def on_broken(self, _topic: str, partition: int, detail: str) -> None:
        """Records of the journal were missed: begin anew, as a successor would."""
        self._parts.log("journal_broken", partition=partition, detail=detail)
        if partition in self.shelves:
            self._retire(partition)
            from_ms = self._anew.pop(partition, self._from_ms[partition])
            self._open(partition, from_ms)

    def on_caught_up(self, _topic: str, partition: int) -> None:
        """Everything up to the assignment is known: begin with the commands."""
        shelf = self.shelves.get(partition)
        if shelf is not None:
            shelf.caught_up(self._parts.now())
            committed = self._committed[partition]
            self._group.start(self._parts.topic, partition, committed)

    # -- from the producer and the pulse

    def not_delivered(self, partition: int, value: bytes, *, again: bool) -> bool:
        """A response will never arrive; the claims decide what follows.

        Tells whether it is written again, if it may be, or not missed: it was read
        back for all that, or another final response stands.
        """
        entry, now = self._parts.decode(value), self._parts.now()
        kept = [
            one.not_delivered(entry, now, again=again)
            for one in self._readers(partition)
        ]
        return all(kept)

    def tick(self, now: Now) -> None:
        """Let time pass for every shelf; let witnesses go that have nothing to add."""
        for shelf in [*self.shelves.values(), *self.witnesses]:
            shelf.tick(now)
        for witness in [w for w in self.witnesses if _done(w, now)]:
            self.witnesses.remove(witness)
            self._unfollow(witness.partition)

    # -- inside

    def _begin_anew(self, shelf: PartitionShelf, old_ms: int) -> None:
        """Finish what is open, then read the journal from before an old command.

        It has waited longer than the journal was read back: an older claim for it may
        stand there. The second time all is read: clocks may go astray without end.
        """
        partition = shelf.partition
        again = partition in self._reread
        self._anew[partition] = 0 if again else max(0, old_ms - MARGIN_MS)
        self._reread.add(partition)
        shelf.close(self._parts.now(), self._parts.release_wait_s)

    def _take(self, shelf: PartitionShelf, message: Message) -> None:
        now = self._parts.now()
        self._parts.trails.taken(message)
        read = self._parts.read(message, now)
        if isinstance(read, Command | Refused):
            if isinstance(read, Command):
                self.latency.taken(read.key, message.timestamp_ms)
            shelf.command(read, now)
        else:
            self._parts.bury(message, read, now)
            shelf.skip(message.offset, now)

    def _read_back(self, message: Message, value: bytes) -> None:
        try:
            entry = self._parts.decode(value)
        except SchemaError as error:
            # It may hide a claim: nothing may be sent on what is half known.
            self._retire(message.partition)
            place = f"{message.topic}/{message.partition}@{message.offset}"
            text = f"{place} cannot be read, and may be a claim: {error}"
            self._failed(SchemaError(f"{text}; write nothing else to this topic"))
            return
        if entry.key.topic == self._parts.topic:
            self._parts.seen(entry, self._parts.now())
            for shelf in self._readers(message.partition):
                shelf.entry(entry, message.offset, self._parts.now())

    def _readers(self, partition: int) -> list[PartitionShelf]:
        owner = self.shelves.get(partition)
        witnesses = [w for w in self.witnesses if w.partition == partition]
        return [*witnesses, owner] if owner is not None else witnesses

    def _retire(self, partition: int) -> None:
        """End an assignment; what it sent, if anything, is watched until settled."""
        shelf = self.shelves.pop(partition, None)
        if shelf is not None:
            shelf.end(self._parts.now())
            if shelf.issued or shelf.claims.unread:
                self.witnesses.append(shelf)
            self._unfollow(partition)

    def _unfollow(self, partition: int) -> None:
        if not self._readers(partition):
            self._journal.unfollow(self._parts.responses, partition)

    def _commit(self, partition: int, offset: int) -> None:
        self._committed[partition] = offset
        self._group.commit(self._parts.topic, partition, offset)

    def _ways(self) -> Ways:
        return Ways(
            append=self._append,
            commit=self._commit,
            release=self._release,
            desks=self._parts.desks,
            note=self._note,
            dry_run=self._parts.dry_run,
        )

    def _append(self, partition: int, entry: Entry) -> None:
        value = self._parts.encode(entry, partition)
        now = self._parts.now()
        self._parts.tallies.answered(entry, now.wall_ns // MS_NS)
        key = entry.key.req_id
        trail = self._parts.trails.headers(partition, entry.command_offset)
        self._parts.send(self._parts.responses, partition, key, value, now, trail)
        if entry.reply_to and entry.phase is not Phase.CLAIMED:
            self._parts.send(entry.reply_to, -1, key, value, now, trail)

    def _release(self, partition: int) -> None:
        """Let go of a partition, or begin it anew."""
        self._retire(partition)
        from_ms = self._anew.pop(partition, None)
        if from_ms is None:
            self._group.release(self._parts.topic, partition)
        else:
            self._open(partition, from_ms)

    def _note(self, key: Key, moment: Moment) -> None:
        self.latency.note(key, moment, self._parts.now())


async def finish(paths: Collection[OrderPath], limit_s: float, clock: Clock) -> None:
    """Close the paths at the same time, and wait until they are finished.

    Each shelf has its own limit; `limit_s` is there for all. The paths must be ticked.
    """
    end_ns = clock.now().mono_ns + int(limit_s * 1e9)
    for path in paths:
        path.close()
    while any(path.shelves for path in paths) and clock.now().mono_ns < end_ns:
        await clock.sleep(FINISH_POLL_S)


def _done(witness: PartitionShelf, now: Now) -> bool:
    return not witness.claims.unsettled and now.mono_ns - witness.ended_ns > WITNESS_NS
