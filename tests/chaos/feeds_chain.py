"""One subscription's records, sorted into strands, and what is wrong within a strand.

A strand is what one connection wrote. In it `sequence` is 0, 1, 2, ... without a hole
or a repeat, it begins with BINDING, nothing follows ENDED, a book is LIVE only behind
a whole book, and every REFRESH equals the book that the updates before it make.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.chaos.feeds_book import Replay
from tests.chaos.feeds_log import Line

WHOLE = frozenset({"SNAPSHOT", "REFRESH"})


class Calm(NamedTuple):
    """The time at the end when nothing is done to anything (Unix ms)."""

    from_ms: int
    to_ms: int


class Strand:
    """What one connection wrote for one subscription."""

    def __init__(self, first: Line) -> None:
        """Begin with its first record; `began_ms` is when that was written."""
        self.connection = first.connection
        self.began_ms = self.last_ms = first.at_ms
        self.place = first.place
        self.next = 0
        self.records = 0
        self.late = 0  # records behind a newer connection's first one
        self.ended = ""
        self.live_ms: int | None = None
        self.marks: list[tuple[int, str]] = []
        self.whole = False
        self.book = Replay()
        self.hole = ""

    @property
    def words(self) -> str:
        """Describe its end."""
        how = f"ENDED {self.ended}" if self.ended else "broke off without ENDED"
        late = f", {self.late} records behind a newer connection" * bool(self.late)
        return f"connection {self.connection} {how}{late}, last at {self.place}"

    def state_at(self, at_ms: int) -> str:
        """Return how it stood at a time."""
        before = [state for when, state in self.marks if when <= at_ms]
        return before[-1] if before else "nothing"


class Chain:
    """All strands of one subscription, by connection, in the order of offsets.

    `writers` has how many data records each connection wrote in the calm at the end.
    """

    def __init__(self, first: Line, calm: Calm, problems: list[str]) -> None:
        """Begin with the first record; what is found goes to `problems`."""
        self.key = first.key
        self.strands: dict[str, Strand] = {}
        self.writers: dict[str, int] = {}
        self.refreshes = 0
        self.explained = 0
        self._home = first.topic, first.partition
        self._newest = ""
        self._problems = problems
        self._calm = calm

    def take(self, line: Line) -> None:
        """Take the next record by offset."""
        if (line.topic, line.partition) != self._home:
            self._problem(line, f"lies outside {self._home}")
        strand = self.strands.get(line.connection)
        if strand is None:
            strand = self.strands[line.connection] = self._open(line)
        if line.connection < self._newest:
            strand.late += 1
        self._count(strand, line)
        self._follow(strand, line)
        if line.sides is not None and not line.state:
            self._replay(strand, line)
        strand.last_ms = max(strand.last_ms, line.at_ms)
        strand.place = line.place
        strand.records += 1
        if self._calm.from_ms <= line.at_ms < self._calm.to_ms:
            known = self.writers.get(line.connection, 0)
            self.writers[line.connection] = known + (not line.state)

    def newest_at(self, at_ms: int) -> Strand | None:
        """Return the newest connection that had begun by then."""
        begun = [one for one in self.strands.values() if one.began_ms <= at_ms]
        return max(begun, key=lambda one: one.connection, default=None)

    def finish(self) -> None:
        """Judge what only the end shows: holes that nothing announced."""
        for strand in self.strands.values():
            if strand.hole:
                self._problems.append(f"{self.key}: {strand.hole}")

    def _open(self, line: Line) -> Strand:
        self._newest = max(self._newest, line.connection)
        if line.state != "BINDING":
            self._problem(line, f"a connection begins with {line.state or line.action}")
        return Strand(line)

    def _count(self, strand: Strand, line: Line) -> None:
        if line.sequence > strand.next:
            self._lose(strand, line)
        elif line.sequence < strand.next:
            self._problem(line, f"sequence {line.sequence} again or late")
            strand.book.forget()
        strand.next = max(strand.next, line.sequence + 1)

    def _lose(self, strand: Strand, line: Line) -> None:
        """Note a hole; a GAP of the same connection may still announce it."""
        if strand.hole:
            self._problems.append(f"{self.key}: {strand.hole}")
        missing = f"{strand.next} to {line.sequence - 1}"
        strand.hole = f"sequence {missing} missing before {line.place}"
        strand.book.forget()

    def _follow(self, strand: Strand, line: Line) -> None:
        if strand.ended:
            self._problem(line, f"{line.state or line.action} follows ENDED")
        if not line.state:
            strand.whole = strand.whole or line.action in WHOLE
            return
        strand.marks.append((line.at_ms, line.state))
        if line.state == "LIVE":
            self._live(strand, line)
        else:
            strand.whole = False
            strand.book.forget()
        if line.state == "ENDED":
            strand.ended = line.reason
        if line.state == "GAP" and strand.hole:
            strand.hole = ""
            self.explained += 1

    def _live(self, strand: Strand, line: Line) -> None:
        if line.sides is not None and not strand.whole:
            self._problem(line, "a book is LIVE without a whole book")
        if strand.live_ms is None:
            strand.live_ms = line.at_ms

    def _replay(self, strand: Strand, line: Line) -> None:
        assert line.sides is not None
        if line.action == "UPDATE":
            if not strand.whole:
                self._problem(line, "an update without a whole book before it")
            strand.book.update(line.sides)
            return
        if line.action == "REFRESH" and strand.book.known:
            self.refreshes += 1
            if difference := strand.book.difference(line.sides):
                self._problem(line, f"REFRESH contradicts the updates: {difference}")
        strand.book.replace(line.sides)

    def _problem(self, line: Line, text: str) -> None:
        self._problems.append(f"{self.key}: {text}, at {line.place}")
