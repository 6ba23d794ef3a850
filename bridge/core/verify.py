"""Proves from the records alone that nothing of a subscription was lost unannounced.

`sequence` counts a subscription's records from 0 within a connection. So a hole proves
loss and a repeat proves a duplicate. A hole is explained if the same connection tells
afterwards of records that were lost on the way to Kafka, or if the connection broke off
without an ENDED and a newer one took over. Anything else is a fault, as are boundaries
out of order, a second partition, and a book that contradicts its REFRESH.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.model import Action, Reason, State
from bridge.core.verify_book import Book
from bridge.core.verify_result import Boundary, Gap, Hole, Result, Seen

__all__ = ["Boundary", "Gap", "Hole", "Result", "Seen", "Verifier"]

# What may follow on what, within one connection. `DATA` changes a state that must be
# known, `WHOLE` gives a snapshot or refresh of it, and `ALONE` (a value, a status, a
# deal) needs none. After a hole the phase is unknown and anything may follow.
START, UNKNOWN, DATA, WHOLE, ALONE = "START", "UNKNOWN", "DATA", "WHOLE", "ALONE"
_ANY = frozenset({DATA, WHOLE, ALONE, *(state.name for state in State)})
_FOLLOWS: Mapping[str, frozenset[str]] = {
    START: frozenset({"BINDING"}),
    UNKNOWN: _ANY,
    "BINDING": _ANY - {DATA},
    "SNAPSHOT_BEGIN": _ANY - {DATA, "SNAPSHOT_BEGIN"},
    "LIVE": _ANY - {"BINDING"},
    "STALE": _ANY,
    "GAP": _ANY,
    "REFUSED": frozenset({ALONE, "BINDING", "GAP", "STALE", "REFUSED", "ENDED"}),
    "ENDED": frozenset(),
}
_WHOLE_ACTIONS = frozenset({Action.SNAPSHOT, Action.REFRESH})
# So where there are neither sides of a book nor framed snapshots of a list.
_ALONE_ACTIONS = frozenset({Action.SNAPSHOT, Action.UPDATE, Action.EXECUTE})

# Frames that the venue left out, or that were not passed on, never had a sequence.
_NEVER_COUNTED = frozenset(
    {Reason.CONTRADICTION, Reason.MISSING_TICKS, Reason.UNREADABLE}
)
# What is lost on the way to Kafka had one, and its number may not be known.
_ON_THE_WAY = frozenset(
    {Reason.CONNECTION_LOST, Reason.DELIVERY_FAILED, Reason.KAFKA_SLOW}
)


class _Connection:
    """One connection's sequence of one subscription."""

    def __init__(self) -> None:
        self.next = 0
        self.phase = START
        self.ended = False
        self.open_holes: list[Hole] = []
        self.told = 0  # records announced as lost, for the open holes
        self.book = Book()


class _Chain:
    """One subscription: its connections, the newest of which is the valid one."""

    def __init__(self, first: Seen) -> None:
        self.result = Result(
            source=first.source,
            subscription=first.subscription,
            topic=first.topic,
            partition=first.partition,
            starts_at=first.sequence,
        )
        self.connections: dict[str, _Connection] = {}
        self.newest = ""
        self.framed = False  # a list: its snapshots begin with SNAPSHOT_BEGIN

    def take(self, seen: Seen) -> None:
        """Take the next record in the order of offsets."""
        self.result.records += 1
        if (seen.topic, seen.partition) != (self.result.topic, self.result.partition):
            self.result.fault("is in a second partition", seen)
        connection = self._connection(seen)
        if seen.connection < self.newest:
            self.result.late += 1
        if self._count(connection, seen):
            self._follow(connection, seen)
            self._replay(connection, seen)

    def _connection(self, seen: Seen) -> _Connection:
        if seen.connection not in self.connections:
            made = self.connections[seen.connection] = _Connection()
            self.result.connections += 1
            if len(self.connections) == 1:
                made.next = seen.sequence  # what retention removed is no hole
                made.phase = UNKNOWN if seen.sequence else START
        if seen.connection > self.newest:
            self._take_over(seen)
        return self.connections[seen.connection]

    def _take_over(self, seen: Seen) -> None:
        old = self.connections.get(self.newest)
        self.newest = seen.connection
        if old is not None and not old.ended:
            self.result.abrupt_ends += 1
            for hole in old.open_holes:
                hole.by = f"connection broke off, {seen.connection} took over"
            old.open_holes.clear()

    def _count(self, connection: _Connection, seen: Seen) -> bool:
        """Check the sequence; False for a record that was there before."""
        if seen.sequence < connection.next:
            return self._old(connection, seen)
        if seen.sequence > connection.next:
            hole = Hole(
                connection=seen.connection,
                first=connection.next,
                last=seen.sequence - 1,
                offset=seen.offset,
            )
            self.result.holes.append(hole)
            connection.open_holes.append(hole)
            connection.phase = UNKNOWN
            connection.book.forget()
        connection.next = seen.sequence + 1
        return True

    def _old(self, connection: _Connection, seen: Seen) -> bool:
        missing = any(
            hole.first <= seen.sequence <= hole.last
            for hole in self.result.holes
            if hole.connection == seen.connection
        )
        if missing:
            self.result.fault(f"sequence {seen.sequence} comes late", seen)
        else:
            self.result.repeats += 1
            self.result.example(
                f"sequence {seen.sequence} is there twice, "
                f"at {seen.topic}[{seen.partition}]@{seen.offset}"
            )
        connection.book.forget()
        return False

    def _follow(self, connection: _Connection, seen: Seen) -> None:
        boundary = seen.boundary
        event = boundary.state.name if boundary else self._kind(seen)
        if event not in _FOLLOWS[connection.phase]:
            self.result.fault(f"{event} follows on {connection.phase}", seen)
        if boundary is None:
            return
        self.result.boundaries += 1
        connection.phase = event
        self.framed = self.framed or boundary.state is State.SNAPSHOT_BEGIN
        connection.ended = boundary.state is State.ENDED
        if seen.connection == self.newest:
            self.result.state = event
        self._explain(connection, boundary)
        if boundary.state is State.GAP:
            self.result.gaps.append(_gap(seen, boundary))
        if boundary.state is not State.LIVE:
            connection.book.forget()

    def _kind(self, seen: Seen) -> str:
        based = self.framed or seen.sides is not None
        if seen.action in _ALONE_ACTIONS and not based:
            return ALONE
        return WHOLE if seen.action in _WHOLE_ACTIONS else DATA

    def _explain(self, connection: _Connection, boundary: Boundary) -> None:
        """Let a boundary that tells of lost records explain the holes before it."""
        if not _tells_of_records(boundary):
            return
        holes = connection.open_holes
        if boundary.lost is not None:
            connection.told += boundary.lost
        while holes and (boundary.lost is None or connection.told >= holes[0].missing):
            hole = holes.pop(0)
            connection.told -= min(connection.told, hole.missing)
            hole.by = f"{boundary.state.name} {boundary.reason}"
        if not holes:
            connection.told = 0

    def _replay(self, connection: _Connection, seen: Seen) -> None:
        if seen.sides is None or seen.boundary is not None:
            return
        if seen.action is Action.REFRESH:
            self.result.refreshes += 1
            if difference := connection.book.compare(seen.sides):
                self.result.fault(
                    f"REFRESH contradicts the updates: {difference}", seen
                )
        if seen.action in _WHOLE_ACTIONS:
            connection.book.replace(seen.sides)
        else:
            connection.book.apply(seen.sides)


def _tells_of_records(boundary: Boundary) -> bool:
    """Tell whether a boundary speaks of lost records, which had a sequence."""
    if boundary.lost is not None:
        return boundary.reason not in _NEVER_COUNTED
    return boundary.state is State.GAP and boundary.reason in _ON_THE_WAY


def _gap(seen: Seen, boundary: Boundary) -> Gap:
    return Gap(
        connection=seen.connection,
        offset=seen.offset,
        reason=boundary.reason,
        detail=boundary.detail,
        lost=boundary.lost,
    )


class Verifier:
    """Takes records, of any number of subscriptions, each in the order of offsets."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._chains: dict[tuple[str, str], _Chain] = {}

    def take(self, seen: Seen) -> None:
        """Take the next record."""
        key = (seen.source, seen.subscription)
        if key not in self._chains:
            self._chains[key] = _Chain(seen)
        self._chains[key].take(seen)

    def results(self) -> list[Result]:
        """Return what was found so far, by source and subscription."""
        return [self._chains[key].result for key in sorted(self._chains)]
