"""How long nobody ran a subscription, by what had ended the connection before.

The time without an owner runs from the last record of a connection that was LIVE
(ENDED, or the moment when its worker was killed, stopped or cut off, if that is later)
to the first LIVE of a newer one. Nobody can take over while the broker or the venue is
away, and every further trouble in between begins a takeover anew. So what is held
against the bound is counted from the last of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.chaos.feeds_chain import Chain, Strand
from tests.chaos.feeds_judge import PLANNED, Court, Trouble
from tests.chaos.feeds_log import Wish

# From when on a takeover can go its way, by what was done. A worker that was put out
# leaves at once; a broker, a venue or a worker that only stood still must be back.
FROM_THE_START = frozenset({"killed", "stopped", "paused", "cut"})
# The group deals nothing while it waits for a member that is missed, for a session.
MISSED = frozenset({"killed", "paused", "cut", "broker"})


class Bounds(NamedTuple):
    """The longest times without an owner, in ms, and what they are made of.

    `session_ms`: until the broker misses a worker that is gone; one heartbeat may be on
    its way. `deal_ms`: the group agrees twice, and hears of it with a heartbeat each.
    `connect_ms`: connections to one host are opened one after the other. `bind_ms`:
    login, bind and snapshot. `broker_ms`: the longest wait before a broker that was
    away is tried again; `retry_ms`: the same for a venue (it is owned all the while).
    """

    session_ms: int = 6_000
    heartbeat_ms: int = 1_000
    deal_ms: int = 3_000
    connect_ms: int = 3_500
    bind_ms: int = 2_000
    broker_ms: int = 2_000
    retry_ms: int = 30_000

    def of(self, cause: str) -> int:
        """Return the bound after a cause."""
        planned = self.deal_ms + self.connect_ms + self.bind_ms
        if cause in PLANNED.values():
            return planned
        if cause == "venue":
            return self.retry_ms + self.connect_ms + self.bind_ms
        if cause == "broker":
            return self.broker_ms + self.session_ms + planned
        return self.session_ms + self.heartbeat_ms + planned


class Pause(NamedTuple):
    """A time without an owner; `counted_ms` is what the bound is for."""

    key: str
    cause: str
    from_ms: int
    to_ms: int
    counted_ms: int
    bound_ms: int
    disturbed: bool

    @property
    def length_ms(self) -> int:
        """Return the whole of it."""
        return self.to_ms - self.from_ms

    @property
    def words(self) -> str:
        """Say what was too long."""
        return (
            f"{self.key}: without an owner for {self.counted_ms} ms of "
            f"{self.length_ms}, up to {self.to_ms} ({self.cause}); the bound is "
            f"{self.bound_ms}"
        )


class Times:
    """Finds all times without an owner in what a court has taken."""

    def __init__(self, court: Court, bounds: Bounds) -> None:
        """Measure them; `problems` has those that were too long."""
        self._court = court
        self._bounds = bounds
        self.pauses: list[Pause] = []
        for key, wishes in court.wishes().items():
            if key in court.chains:
                self.pauses += self._of(court.chains[key], wishes)
        self.problems = [p.words for p in self.pauses if p.counted_ms > p.bound_ms]

    def percentiles(self) -> dict[str, dict[str, int]]:
        """Return figures by cause, of the undisturbed ones; the others in one row."""
        found: dict[str, list[int]] = {}
        for one in self.pauses:
            name = "several troubles" if one.disturbed else one.cause
            found.setdefault(name, []).append(one.counted_ms)
        return {name: figures(found[name]) for name in sorted(found)}

    def _of(self, chain: Chain, wishes: Sequence[Wish]) -> Iterable[Pause]:
        strands = sorted(chain.strands.values(), key=lambda one: one.connection)
        before: Strand | None = None
        for strand in strands:
            if strand.live_ms is None:
                continue
            if before is not None:
                yield self._pause(chain.key, before, strand, wishes)
            elif wishes[0].at_ms > self._started_ms:
                yield self._between(chain.key, "wished", wishes[0].at_ms, strand)
            before = strand

    @property
    def _started_ms(self) -> int:
        return min(wish.at_ms for wish in self._court.evidence.wishes)

    def _pause(
        self, key: str, before: Strand, after: Strand, wishes: Sequence[Wish]
    ) -> Pause:
        cause, from_ms = self._end(before, after)
        wished = [w.at_ms for w in wishes if w.wanted and w.at_ms > before.began_ms]
        again = [at_ms for at_ms in wished if at_ms <= _live(after)]
        if again:
            cause, from_ms = "wished", max(from_ms, again[-1])
        return self._between(key, cause, from_ms, after)

    def _end(self, before: Strand, after: Strand) -> tuple[str, int]:
        """Return what ended a strand, and when."""
        if before.ended:
            return PLANNED.get(before.ended, "venue"), before.last_ms
        cover = self._court.cover(before, after.began_ms)
        if cover is None:  # a problem of its own
            return "nothing", before.last_ms
        return cover.cause, max(before.last_ms, cover.from_ms)

    def _between(self, key: str, cause: str, from_ms: int, after: Strand) -> Pause:
        to_ms = _live(after)
        others = [
            one
            for one in self._court.evidence.troubles
            if self._matters(one, key, from_ms) and one.from_ms < to_ms
        ]
        last_ms = min(max([from_ms, *map(_restart, others)]), to_ms)
        causes = [cause, *(one.cause for one in others)]
        return Pause(
            key=key,
            cause=cause,
            from_ms=from_ms,
            to_ms=to_ms,
            counted_ms=to_ms - last_ms,
            bound_ms=max(map(self._bounds.of, causes)),
            disturbed=set(causes) != {cause},
        )

    def _matters(self, trouble: Trouble, key: str, from_ms: int) -> bool:
        """Tell whether a trouble may delay what begins at `from_ms`."""
        source = key.partition("/")[0]
        if trouble.sources and source not in trouble.sources:
            return False
        waited_ms = self._bounds.session_ms + self._bounds.heartbeat_ms
        missed = waited_ms if trouble.cause in MISSED else 0
        return _restart(trouble) + missed > from_ms


def _restart(trouble: Trouble) -> int:
    """Return from when on what a trouble broke off could be taken over."""
    if trouble.cause in FROM_THE_START:
        return trouble.from_ms
    return trouble.to_ms


def _live(strand: Strand) -> int:
    assert strand.live_ms is not None
    return strand.live_ms


def figures(lengths: Sequence[int]) -> dict[str, int]:
    """Return how many there are, and their percentiles in ms."""
    found = sorted(lengths)

    def at(share: float) -> int:
        return found[min(len(found) - 1, int(share * len(found)))]

    return {
        "count": len(found),
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "max_ms": found[-1],
    }
