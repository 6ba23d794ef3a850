"""The judge of shared feeds: all feed topics beside what was done to the workers.

It shares no code with what it judges, and knows only the public schemas and rules.
`feeds_chain` sorts the records of each subscription into strands, one a connection,
and finds what is wrong within one. What follows here is about several: whether two
workers ran one subscription at once, and whether one that broke off had a reason to.
`feeds_times` then measures how long nobody ran it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.chaos.feeds_chain import Calm, Chain, Strand
from tests.chaos.feeds_log import Line, Wish

FOREVER_MS = 1 << 62
# A connection that wrote this long after a trouble was over has survived it.
SURVIVED_MS = 1_000


class Trouble(NamedTuple):
    """What was done, from when to when (Unix ms), and to whom.

    Worker "" is every one; `sources` are the accounts that it is about, or all.
    """

    cause: str
    worker: str
    from_ms: int
    to_ms: int
    sources: tuple[str, ...] = ()


# After these a connection may end without a word. How much later than the successor's
# first record its own last one may have been received, in ms:
#   killed  nothing: a process that is gone receives nothing;
#   paused  the lease (session less heartbeat) is over before the session is, so nothing
#           again, but the look at the clock and the write are not one step;
#   cut     the client counts the session from the last answer that it got, the broker
#           from the last heartbeat that it saw: apart by one way through the network;
#   broker  the same as cut, for everybody.
SLACK_MS = {"killed": 0, "paused": 500, "cut": 500, "broker": 500}
# After these, records that were written before may arrive behind the successor's.
LATE = frozenset({"paused", "cut", "broker"})
PLANNED = {
    "STOPPED": "stopped",
    "MOVED": "moved",
    "ROTATED": "rotated",
    "UNSUBSCRIBED": "wished",
}


class Evidence(NamedTuple):
    """All that is judged, beside the records.

    `owners` has the worker of each connection, as the feed states tell it. `flowing`
    are subscriptions that must have data in any few seconds.
    """

    owners: Mapping[str, str]
    troubles: Sequence[Trouble]
    wishes: Sequence[Wish]
    calm: Calm
    flowing: frozenset[str] = frozenset()


class Court:
    """Takes all records, then judges them; `problems` stays empty if all is well."""

    def __init__(self, evidence: Evidence) -> None:
        """Begin with nothing seen."""
        self.problems: list[str] = []
        self.chains: dict[str, Chain] = {}
        self.records = 0
        self.late: dict[str, int] = {}
        self.worst_ms: dict[str, int] = {}
        self.evidence = evidence
        self._fatal: dict[str, list[Trouble]] = {}

    def take(self, line: Line) -> None:
        """Take the next record; those of a partition come in the order of offsets."""
        self.records += 1
        if line.key not in self.chains:
            self.chains[line.key] = Chain(line, self.evidence.calm, self.problems)
        self.chains[line.key].take(line)

    def judge(self, lines: Iterable[Line] = ()) -> list[str]:
        """Take what is left, apply every rule, and return the problems."""
        for line in lines:
            self.take(line)
        self._fatal = self._find_fatal()
        for chain in self.chains.values():
            chain.finish()
            self._judge_ends(chain)
        for key, wishes in self.wishes().items():
            self._judge_wish(key, wishes)
        return self.problems

    def wishes(self) -> dict[str, list[Wish]]:
        """Return the wishes by subscription, in the order of time."""
        found: dict[str, list[Wish]] = {}
        for wish in sorted(self.evidence.wishes, key=lambda one: one.at_ms):
            found.setdefault(wish.key, []).append(wish)
        return found

    def cover(self, strand: Strand, until_ms: int) -> Trouble | None:
        """Return the trouble that ended a strand without a word, if there was one."""
        worker = self.evidence.owners.get(strand.connection)
        if worker is None:  # its first feed state never arrived
            known = [t for t in self.evidence.troubles if t.cause in SLACK_MS]
        else:
            known = self._fatal.get(worker, [])
        for one in known:
            if one.to_ms >= strand.began_ms and one.from_ms <= until_ms:
                return one
        return None

    def _find_fatal(self) -> dict[str, list[Trouble]]:
        """Return the troubles that no connection of a worker survived, by worker."""
        lives: dict[str, dict[str, tuple[int, int]]] = {}
        for chain in self.chains.values():
            for one in chain.strands.values():
                mine = lives.setdefault(
                    self.evidence.owners.get(one.connection, ""), {}
                )
                first, last = mine.get(one.connection, (one.began_ms, one.last_ms))
                span = min(first, one.began_ms), max(last, one.last_ms)
                mine[one.connection] = span
        troubles = [t for t in self.evidence.troubles if t.cause in SLACK_MS]
        return {
            worker: [
                t
                for t in sorted(troubles, key=lambda t: t.from_ms)
                if t.worker in {"", worker} and not _survived(t, mine.values())
            ]
            for worker, mine in lives.items()
        }

    # -- the end of each strand, and what came after it

    def _judge_ends(self, chain: Chain) -> None:
        strands = sorted(chain.strands.values(), key=lambda one: one.connection)
        next_ms = FOREVER_MS
        for strand in reversed(strands):
            self._judge_end(chain, strand, next_ms)
            next_ms = min(next_ms, strand.began_ms)

    def _judge_end(self, chain: Chain, strand: Strand, next_ms: int) -> None:
        """Judge one strand; a newer one begins at `next_ms`."""
        if strand.ended and not strand.late and strand.last_ms <= next_ms:
            return
        cover = self.cover(strand, next_ms)
        over_ms = strand.last_ms - next_ms
        words = f"{chain.key}: {strand.words}"
        if over_ms > 0:
            words += f", received {over_ms} ms after the newer one's first record"
        if cover is None:
            self.problems.append(f"{words}; nothing had been done to its worker")
            return
        self._note(cover.cause, strand.late, over_ms)
        late = strand.late and cover.cause not in LATE
        if late or over_ms > SLACK_MS[cover.cause]:
            self.problems.append(f"{words}; two live owners ({cover.cause})")

    def _note(self, cause: str, late: int, over_ms: int) -> None:
        self.late[cause] = self.late.get(cause, 0) + late
        self.worst_ms[cause] = max(over_ms, self.worst_ms.get(cause, -FOREVER_MS))

    # -- what was wanted

    def _judge_wish(self, key: str, wishes: Sequence[Wish]) -> None:
        chain, calm = self.chains.get(key), self.evidence.calm
        if chain is None:
            if wishes[-1].wanted:
                self.problems.append(f"{key}: wanted, and there is not one record")
            return
        if not wishes[-1].wanted:
            self._judge_unwanted(chain, wishes[-1])
            return
        newest = chain.newest_at(calm.to_ms)
        state = newest.state_at(calm.to_ms) if newest else "nothing"
        if state != "LIVE":
            self.problems.append(f"{key}: wanted, and {state} at the end")
        others = set(chain.writers) - {newest.connection if newest else ""}
        if others:
            self.problems.append(f"{key}: {len(others) + 1} connections at the end")
        if key in self.evidence.flowing and not sum(chain.writers.values()):
            self.problems.append(f"{key}: LIVE at the end, and no data flows")

    def _judge_unwanted(self, chain: Chain, wish: Wish) -> None:
        begun = [s for s in chain.strands.values() if s.began_ms > wish.at_ms + ACT_MS]
        if chain.writers or begun:
            self.problems.append(f"{chain.key}: written to after it was unsubscribed")
        newest = chain.newest_at(FOREVER_MS)
        # One that broke off with its worker cannot say so; its end is judged above.
        if newest and not newest.ended and self.cover(newest, FOREVER_MS) is None:
            self.problems.append(f"{chain.key}: unsubscribed, and never ENDED")


# A wish is acted on within a second of its record; source: README, "Many workers".
ACT_MS = 1_000


def _survived(trouble: Trouble, lives: Iterable[tuple[int, int]]) -> bool:
    if trouble.cause == "killed":
        return False
    end_ms = trouble.to_ms + SURVIVED_MS
    return any(first < trouble.from_ms and last > end_ms for first, last in lives)
