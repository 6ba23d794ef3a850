"""The ledger: what a simulator really did, so that a test can compare."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec

from bridge.simulators.clock import VirtualClock


class Ledger:
    """A list of facts in the order in which they happened.

    Every entry has `kind`, `number` (0, 1, 2, ...), `at_ms` (virtual Unix time),
    `wall_ms` (real Unix time) and the facts.

    Args:
        clock: What stamps the entries.
        limit: The most entries kept; the oldest go first. None keeps all.
    """

    def __init__(self, clock: VirtualClock, limit: int | None = 1_000_000) -> None:
        self._clock = clock
        self._entries: deque[dict[str, Any]] = deque(maxlen=limit)
        self._counts: Counter[str] = Counter()
        self._number = 0

    def add(self, kind: str, **facts: Any) -> None:  # noqa: ANN401 - facts of any kind
        """Write one entry down."""
        entry = {
            "kind": kind,
            "number": self._number,
            "at_ms": self._clock.now_ms(),
            "wall_ms": self._clock.wall_ms(),
        }
        entry.update(facts)
        self._number += 1
        self._counts[kind] += 1
        self._entries.append(entry)

    def entries(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the entries kept, oldest first; those of one kind if asked."""
        if kind is None:
            return list(self._entries)
        return [entry for entry in self._entries if entry["kind"] == kind]

    def counts(self) -> dict[str, int]:
        """Return how many entries of each kind were ever written."""
        return dict(self._counts)

    @property
    def dropped(self) -> int:
        """Return how many old entries the limit has pushed out."""
        return self._number - len(self._entries)

    def to_file(self, path: str | Path) -> int:
        """Write the entries as JSON lines and return how many there were."""
        encoder = msgspec.json.Encoder()
        entries = self.entries()
        with Path(path).open("wb") as file:
            file.writelines(encoder.encode(entry) + b"\n" for entry in entries)
        return len(entries)
