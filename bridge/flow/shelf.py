"""One command partition under one assignment: commands in, claims decide, acts out.

It holds no rules: `core.claims` decides, and this hands its acts to the journal, to the
desk of the account, and to the consumer group. It ends with the assignment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.core.claims import Claims
from bridge.core.model import Now
from bridge.core.orders import (
    Act,
    Append,
    Command,
    Commit,
    Entry,
    Finding,
    Issue,
    Key,
    Outcome,
    Phase,
    Refused,
    Resolve,
    Result,
)
from bridge.flow.desk import Desk, nothing_sent
from bridge.flow.latency import Moment

DRY_RUN = nothing_sent(
    Outcome.DONE, "DRY_RUN", "everything was checked and nothing was sent"
)


class Ways(NamedTuple):
    """Where a shelf's acts go.

    `append` writes an entry to the response partition of the same number; `commit` and
    `release` speak to the group; `note` is told of the moments that `latency` measures.
    """

    append: Callable[[int, Entry], None]
    commit: Callable[[int, int], None]
    release: Callable[[int], None]
    desks: Mapping[str, Desk]
    note: Callable[[Key, Moment], None]
    dry_run: bool


class PartitionShelf:
    """See the module; implements `flow.flights.Shelf`."""

    def __init__(self, partition: int, claims: Claims, ways: Ways) -> None:
        """Start with an empty journal; nothing is sent before `caught_up`."""
        self.partition = partition
        self.claims = claims
        self.closing_until_ns: int | None = None
        self.ended = False
        self.ended_ns = 0
        self.issued = False
        self._read = -1
        self._ways = ways
        self._acts: Mapping[type, Callable[[Any, Now], None]] = {
            Append: self._append,
            Issue: self._issue,
            Resolve: self._resolve,
            Commit: self._commit,
        }

    # -- from the journal

    def entry(self, entry: Entry, offset: int, now: Now) -> None:
        """Take one record of the response partition, in the order of the log, once."""
        if offset <= self._read:
            return
        self._read = offset
        if entry.phase is Phase.FINAL:
            self._ways.note(entry.key, Moment.FINAL)
        self._do(self.claims.entry(entry, now), now)

    def caught_up(self, now: Now) -> None:
        """The journal has been read to its end as of the assignment."""
        self._do(self.claims.caught_up(now), now)

    def not_delivered(self, entry: Entry, now: Now, *, again: bool) -> bool:
        """A record will never stand in the log; tell whether nothing is lost by it.

        `again` tells whether time goes on for the shelf, which then writes it again.
        """
        self._do(self.claims.lost(entry, now), now)
        return self.claims.keeps(entry, again=again)

    # -- from the command topic

    @property
    def takes(self) -> bool:
        """Tell whether commands are taken here now.

        While the journal is read they come again afterwards, with the group's `start`;
        while closing they are left to the successor.
        """
        begun = not self.claims.reading
        return begun and self.closing_until_ns is None and not self.ended

    def command(self, command: Command | Refused, now: Now) -> None:
        """Take the next command."""
        self._do(self.claims.command(command, now), now)

    def skip(self, offset: int, now: Now) -> None:
        """Note a record that gets no response: it is in the dead letters."""
        self._do(self.claims.skip(offset, now), now)

    # -- from the desk

    def sent(self, key: Key, connection: str, now: Now) -> None:
        """The request has been handed to the socket."""
        self._ways.note(key, Moment.SENT)
        self._do(self.claims.sent(key, connection, now), now)

    def unsent(self, key: Key, result: Result, now: Now) -> None:
        """Nothing was sent, for the reason given."""
        self._do(self.claims.unsent(key, result, now), now)

    def answered(self, key: Key, result: Result, now: Now) -> None:
        """The venue answered with positive evidence."""
        self._ways.note(key, Moment.ANSWERED)
        self._do(self.claims.answered(key, result, now), now)

    def took(self, key: Key, now: Now) -> None:
        """An accepted order went with its connection, without a deal."""
        self.claims.took(key, now)

    def doubt(self, key: Key, why: str, now: Now) -> None:
        """It was sent, and what became of it is not known."""
        self._do(self.claims.doubt(key, why, now), now)

    def late(self, key: Key, result: Result, now: Now) -> None:
        """An answer came after it was given up."""
        self._do(self.claims.late(key, result, now), now)

    def found(self, key: Key, finding: Finding, now: Now) -> None:
        """The venue was asked about a claim, or could not be."""
        self._do(self.claims.found(key, finding, now), now)

    # -- time and end

    def tick(self, now: Now) -> None:
        """Let time pass; a closing shelf is let go when nothing is open any more."""
        self._do(self.claims.tick(now), now)
        until_ns = self.closing_until_ns
        if until_ns is None or self.ended:
            return
        idle = self.claims.reading or not self.claims.open
        if idle or now.mono_ns >= until_ns:
            self._ways.release(self.partition)

    def close(self, now: Now, wait_s: float) -> None:
        """Take no more; finish what is open within the limit, then let go."""
        if self.closing_until_ns is None:
            self.closing_until_ns = now.mono_ns + int(wait_s * 1e9)
            self.tick(now)

    def end(self, now: Now) -> None:
        """Let go: nothing more is sent, and only a correction may still be written."""
        self.ended = True
        self.ended_ns = now.mono_ns
        self.claims.revoked()

    # -- acts

    def _do(self, acts: Sequence[Act], now: Now) -> None:
        for act in acts:
            self._acts[type(act)](act, now)

    def _append(self, act: Append, _now: Now) -> None:
        self._ways.append(self.partition, act.entry)

    def _commit(self, act: Commit, _now: Now) -> None:
        self._ways.commit(self.partition, act.offset)

    def _issue(self, act: Issue, now: Now) -> None:
        key = act.command.key
        if self._ways.dry_run:
            self.unsent(key, DRY_RUN, now)
        else:
            self.issued = True
            self._ways.desks[key.account].issue(act, self, now)

    def _resolve(self, act: Resolve, now: Now) -> None:
        key = act.claim.key
        if (desk := self._ways.desks.get(key.account)) is not None:
            desk.resolve(act.claim, self, now)
        else:  # the settings named the account when this was claimed
            self.found(key, Finding(asked=False, final=False), now)
