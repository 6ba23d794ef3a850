"""The order path's state machine: claim, read back, send, answer, doubt, close.

Three rules carry everything; `docs/order-path.md` has the argument.

1. Whatever is done for a command (send it, refuse it, answer it as a repeat) is claimed
   in the log first. The first claim for a command, and for a key, counts; every reader
   sees the same one. Only methods that may be asked twice go without.
2. Only the writer of that claim, under the same assignment, may send, and only while
   the claim's lifetime runs on its own clock, counted from before the append.
3. Everybody else waits until nothing can be under way any more, and asks the venue.

A refusal is claimed, too: it may depend on the worker (offline, halted), and a refusal
without a claim could stand in the log beside an order that another worker sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from msgspec.structs import replace as _replace

from bridge.core import claims_case as words
from bridge.core.claims_case import MS_NS, Case, Limits, Stage
from bridge.core.claims_steps import Steps
from bridge.core.model import Now
from bridge.core.orders import (
    Act,
    Append,
    Command,
    Commit,
    Entry,
    Finding,
    Key,
    Outcome,
    Phase,
    Refused,
    Result,
)

__all__ = ["Claims", "Limits"]


class Claims:
    """One command and response partition under one assignment.

    The owner calls every method in the order in which things happen, and carries out
    the acts in their order. Every `Issue` is followed by `sent` or `unsent`, every
    `Resolve` by `found`. After `revoked` it is a witness: it may still be shown records
    and answers, and all that it writes is a correction of an untrue final record.
    """

    def __init__(self, worker: str, epoch: str, limits: Limits) -> None:
        """`epoch` must be new for each assignment; it is what makes a claim ours."""
        self.double_finals = self.lost_claims = self.corrections = 0
        self.outcomes: Counter[Outcome] = Counter()
        self._epoch = epoch
        self._steps = Steps(worker, epoch, limits)
        self._memory = self._steps.memory
        self._held: list[Command | Refused] = []
        self._caught_up = self._revoked = False
        self._read: Mapping[Phase, Callable[[Entry, Now], list[Act]]] = {
            Phase.CLAIMED: self._claimed,
            Phase.DOUBT: self._doubted,
            Phase.FINAL: self._finished,
            Phase.CORRECTION: self._corrected,
        }

    @property
    def open_claims(self) -> int:
        """Return how many commands have a claim in the log and no final record."""
        return sum(case.logged for case in self._memory.open.values())

    @property
    def open(self) -> int:
        """Return how many commands wait for a final record, claimless reads apart."""
        return sum(not case.reads for case in self._memory.open.values())

    @property
    def doubts(self) -> int:
        """Return how many open commands may have been sent, with no answer."""
        return sum(case.doubted for case in self._memory.open.values())

    @property
    def unsettled(self) -> int:
        """Return how many commands that we sent wait for their binding final record."""
        mine, open_cases = self._memory.mine, self._memory.open.values()
        return sum(case.record.sent_ms > 0 and case.key in mine for case in open_cases)

    @property
    def unread(self) -> int:
        """Return how many of our records are wanted, and not read back yet."""
        return len(self._steps.unread)

    @property
    def reading(self) -> bool:
        """Tell whether the journal is still being read for the first time."""
        return not self._caught_up

    @property
    def position(self) -> int | None:
        """Return the first offset that the journal says nothing of; None if empty."""
        return self._memory.position

    def binding(self, offset: int) -> Result | None:
        """Return the final result that the log holds for a command of the window."""
        case = self._memory.cases.get(offset)
        return case.result if case else None

    # What the log shows.

    def entry(self, entry: Entry, now: Now) -> list[Act]:
        """Take one record of the response partition, our own ones included."""
        if entry.epoch == self._epoch and entry.phase is not Phase.FINAL:
            self._steps.unread.drop(entry.command_offset, entry.phase)
        read = self._read.get(entry.phase)
        return self._allowed(read(entry, now) if read else [])

    def caught_up(self, now: Now) -> list[Act]:
        """Note that all is read that was there at the assignment: begin to act."""
        self._caught_up = True
        held, self._held = self._held, []
        return [act for said in held for act in self.command(said, now)]

    def _claimed(self, entry: Entry, now: Now) -> list[Act]:
        """Take a claim: the first one for a command counts."""
        case = self._memory.cases.get(entry.command_offset)
        if case is not None and case.logged:
            self.lost_claims += entry.epoch != case.record.epoch
            return []
        case = self._logged(case, entry, now)
        if entry.epoch == self._epoch:
            return self._steps.won(case, now)
        self._steps.unread.drop(case.offset, Phase.CLAIMED)
        return self._steps.wait(case, now)

    def _logged(self, case: Case | None, entry: Entry, now: Now) -> Case:
        """Decide by the log alone whether a command is its key's first or a repeat."""
        if case is None:
            new = Case(record=entry, stage=Stage.WAITING, since_ns=now.mono_ns)
            case = self._memory.add(new)
        case.record, case.logged, case.repeat_of = entry, True, entry.repeat_of
        first = self._memory.first(case.key, case.seen_ms, logged=True)
        if case.repeat_of is None and first is not None and first is not case:
            case.repeat_of = first.offset
        elif case.repeat_of is None:
            self._memory.take(case)
        return case

    def _doubted(self, entry: Entry, _now: Now) -> list[Act]:
        """Keep what the writer of the claim says about its sending."""
        case = self._memory.cases.get(entry.command_offset)
        if case is not None and case.record.epoch == entry.epoch:
            sent_ms, connection = entry.sent_ms, entry.connection
            case.record = _replace(case.record, sent_ms=sent_ms, connection=connection)
        return []

    def _finished(self, entry: Entry, now: Now) -> list[Act]:
        """Take a final record: the first one of a command binds, others are counted."""
        case = self._memory.cases.get(entry.command_offset)
        result = entry.result or words.UNRESOLVED
        if case is not None and case.result is not None:
            self.double_finals += words.differs(case.result, result)
            return []
        if case is None or not case.logged:
            case = self._logged(case, entry, now)
        self.outcomes[result.outcome] += 1
        return self._steps.bind(case, result, now) + self._commit()

    def _corrected(self, entry: Entry, _now: Now) -> list[Act]:
        self.corrections += 1
        if (case := self._memory.cases.get(entry.command_offset)) is not None:
            case.corrected = True
        return []

    # What the command partition shows.

    def command(self, command: Command | Refused, now: Now) -> list[Act]:
        """Take the next record of the command partition, in the order of offsets."""
        if not self._caught_up:
            self._held.append(command)
            return []
        if not self._memory.deliver(command.offset):
            return []
        acts: list[Act] = []
        known = self._memory.cases.get(command.offset)
        if known is None and command.key.req_id:
            acts = self._begin(command, now)
        elif known is not None and isinstance(command, Refused):
            known.refusal = words.refusal_of(command)
        return self._allowed(acts + self._commit())

    def skip(self, offset: int, now: Now) -> list[Act]:
        """Take a record that is no command, in its turn: no response is due to it."""
        return self.command(words.nameless(offset), now)

    def _begin(self, command: Command | Refused, now: Now) -> list[Act]:
        """Claim what is to be done: answer a repeat, refuse, or send."""
        now_ms = now.wall_ns // MS_NS
        first = self._memory.first(command.key, now_ms)
        record = words.first_record(command, now_ms)
        case = Case(record=record, stage=Stage.CLAIMING, since_ns=now.mono_ns)
        self._memory.add(case)
        if first is not None:
            case.repeat_of = first.offset
            return self._steps.claim(case, now)
        self._memory.take(case)
        if isinstance(command, Refused):
            case.refusal = words.refusal_of(command)
            return self._steps.claim(case, now)
        case.command = command
        left_ns = command.not_after_ms * MS_NS - now.wall_ns
        if command.needs_claim:
            return self._steps.order(case, left_ns, now)
        case.reads, case.not_after_ns = True, now.mono_ns + left_ns
        case.record = _replace(record, claimed_ms=0)
        return self._steps.read(case, words.EXPIRED, now)

    # What becomes of what was issued.

    def sent(self, key: Key, connection: str, now: Now) -> list[Act]:
        """Note that the request was handed to the socket of `connection`."""
        if (case := self._memory.mine.get(key)) is not None:
            sent_ms = now.wall_ns // MS_NS
            case.record = _replace(case.record, connection=connection, sent_ms=sent_ms)
            self._steps.sent(case, now)
        return []

    def unsent(self, key: Key, result: Result, now: Now) -> list[Act]:
        """Note that nothing was sent, and never will be: final."""
        case = self._memory.mine.get(key)
        if case is None or case.stage not in {Stage.ISSUED, Stage.READING}:
            return []
        return self._allowed(self._steps.close(case, result, now))

    def answered(self, key: Key, result: Result, now: Now) -> list[Act]:
        """Take the venue's answer: final, or a correction if another final stands."""
        mine = self._memory.mine.get(key)
        case = mine or self._memory.first(key, now.wall_ns // MS_NS)
        return self._allowed(self._steps.learn(case, result, now) if case else [])

    def late(self, key: Key, result: Result, now: Now) -> list[Act]:
        """Take an answer that was given up: it may still come before the final."""
        return self.answered(key, result, now)

    def took(self, key: Key, now: Now) -> None:
        """Note that an accepted order went with its connection, without a deal.

        A final record that says NO_TRACE of it is true, then.
        """
        mine = self._memory.mine.get(key)
        case = mine or self._memory.first(key, now.wall_ns // MS_NS)
        if case is not None:
            self._steps.took(case)

    def doubt(self, key: Key, why: str, now: Now) -> list[Act]:
        """Say at once that a sent command has no clear answer; reads are asked anew."""
        case = self._memory.mine.get(key)
        if case is None or case.stage not in words.DOUBTABLE:
            return []
        if case.stage is Stage.READING:
            return self._allowed(self._steps.read(case, words.NO_ANSWER, now))
        return self._allowed(self._steps.doubt(case, why, now))

    def found(self, key: Key, finding: Finding, now: Now) -> list[Act]:
        """Take what the venue shows of a claim: final, or ask again."""
        case = self._memory.asked.get(key)
        if case is None or case.stage is not Stage.ASKING:
            return []
        return self._allowed(self._steps.found(case, finding, now))

    # Time, losses, the end.

    def tick(self, now: Now) -> list[Act]:
        """Act on deadlines; nothing happens before the journal is read."""
        return self._allowed(self._steps.tick(now)) if self._caught_up else []

    def lost(self, entry: Entry, _now: Now) -> list[Act]:
        """Note that an append failed; the next tick repeats it, if still wanted."""
        if entry.epoch == self._epoch:
            self._steps.unread.lost(entry)
        return []

    def keeps(self, entry: Entry, *, again: bool) -> bool:
        """Tell of a failed record whether it is written again, or not missed here."""
        awaited = entry.epoch == self._epoch and self._steps.unread.awaits(entry)
        return not awaited or (again and bool(self._allowed([Append(entry)])))

    def revoked(self) -> None:
        """Own nothing any more: from here on a witness."""
        self._revoked = True

    def _commit(self) -> list[Act]:
        reached = self._memory.advance()
        return [] if reached is None else [Commit(reached)]

    def _allowed(self, acts: list[Act]) -> list[Act]:
        """Let a witness write corrections, and nothing else."""
        return [a for a in acts if words.is_correction(a)] if self._revoked else acts
