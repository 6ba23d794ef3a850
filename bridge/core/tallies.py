"""What a worker counts by name: gaps, losses, dead letters, ends, final responses.

Written where things happen, read by whoever looks. Every key is bounded by the
settings or by the code; what was said by a venue or a stranger is never a key.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from bridge.core.model import Mark, State
from bridge.core.orders import Entry, Outcome, Phase

FINALS_KEPT = 20
UNSENT = frozenset({Outcome.REFUSED, Outcome.EXPIRED})

Pair = tuple[str, str]


class Tallies:
    """Counts since the process began; the names of the keys are in each comment."""

    def __init__(self) -> None:
        """Start at zero."""
        self.gaps: Counter[Pair] = Counter()  # source, reason
        self.gaps_of: Counter[Pair] = Counter()  # source, subscription
        self.lost: Counter[Pair] = Counter()  # source, subscription
        self.dead_letters: Counter[Pair] = Counter()  # source or topic, reason
        self.disconnects: Counter[Pair] = Counter()  # source, reason
        self.finals: Counter[Pair] = Counter()  # topic, outcome
        self.refusals: Counter[Pair] = Counter()  # topic, code
        self.rotations: Counter[Pair] = Counter()  # source or "kafka", outcome
        self.last_finals: deque[Mapping[str, Any]] = deque(maxlen=FINALS_KEPT)

    def marked(self, source: str, subscription: str, mark: Mark) -> None:
        """Count a boundary that tells of a gap or of a loss."""
        if mark.state is State.GAP:
            self.gaps[source, str(mark.reason)] += 1
            self.gaps_of[source, subscription] += 1
        if mark.lost:
            self.lost[source, subscription] += mark.lost

    def answered(self, entry: Entry, at_ms: int) -> None:
        """Count a final response that this worker writes; others are not looked at."""
        said = entry.result
        if entry.phase is not Phase.FINAL or said is None:
            return
        topic = entry.key.topic
        self.finals[topic, said.outcome.name] += 1
        if said.outcome in UNSENT:
            self.refusals[topic, said.code] += 1
        self.last_finals.append(
            {
                "at_ms": at_ms,
                "topic": topic,
                "account": entry.key.account,
                "req_id": entry.key.req_id,
                "method": entry.method,
                "outcome": said.outcome.name,
                "code": said.code,
            }
        )
