"""What `verify` takes and what it finds: records, gaps, holes, and a result."""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.core.model import Action, State
from bridge.core.verify_book import Sides

EXAMPLES = 20  # of each kind of fault; all are counted


class Boundary(msgspec.Struct, frozen=True, kw_only=True):
    """What a boundary record says."""

    state: State
    reason: str
    detail: str = ""
    lost: int | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it stands in Kafka; `sides` are a book record's bids and asks."""

    topic: str
    partition: int
    offset: int
    source: str
    subscription: str
    connection: str
    sequence: int
    action: Action
    boundary: Boundary | None = None
    sides: Sides | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """An announced gap."""

    connection: str
    offset: int
    reason: str
    detail: str
    lost: int | None


class Hole(msgspec.Struct, kw_only=True):
    """Missing sequences `first` to `last`; `by` says what explains them."""

    connection: str
    first: int
    last: int
    offset: int
    by: str = ""

    @property
    def missing(self) -> int:
        """Return how many records are missing."""
        return self.last - self.first + 1


class Result(msgspec.Struct, kw_only=True):
    """What was found for one subscription."""

    source: str
    subscription: str
    topic: str
    partition: int
    records: int = 0
    boundaries: int = 0
    connections: int = 0
    starts_at: int = 0
    state: str = "UNKNOWN"
    gaps: list[Gap] = msgspec.field(default_factory=list)
    holes: list[Hole] = msgspec.field(default_factory=list)
    abrupt_ends: int = 0
    late: int = 0
    repeats: int = 0
    disorder: int = 0
    refreshes: int = 0
    examples: list[str] = msgspec.field(default_factory=list)

    @property
    def explained(self) -> int:
        """Return the number of missing records that are explained."""
        return sum(hole.missing for hole in self.holes if hole.by)

    @property
    def unexplained(self) -> int:
        """Return the number of missing records that nothing explains."""
        return sum(hole.missing for hole in self.holes if not hole.by)

    @property
    def complete(self) -> bool:
        """Tell whether nothing was lost, repeated or out of order unannounced."""
        return not (self.unexplained or self.repeats or self.disorder)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        sums = ("explained", "unexplained", "complete")
        return plain | {name: getattr(self, name) for name in sums}

    def fault(self, sentence: str, seen: Seen) -> None:
        """Count a disorder and keep the first ones as examples."""
        self.disorder += 1
        self.example(f"{sentence}, at {seen.topic}[{seen.partition}]@{seen.offset}")

    def example(self, sentence: str) -> None:
        """Keep one of the first examples."""
        if len(self.examples) < EXAMPLES:
            self.examples.append(sentence)
