"""One account's order connection: commands in by lane, requests out, replies matched.

Everything that is in flight is known here by its number on the connection. Whoever
asked (a `Shelf`, one command partition) is told exactly once what became of it: sent
or unsent; then answered, in doubt, or found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, cast

from bridge.core.lanes import Lanes
from bridge.core.model import Now
from bridge.core.orders import (
    Claim,
    Command,
    Evidence,
    Finding,
    Issue,
    Key,
    Lane,
    Outcome,
    Reply,
    Result,
)
from bridge.flow.connection import Connection, Log
from bridge.flow.flights import Flight, Flights, Shelf
from bridge.flow.tied import Tied
from bridge.venues.base import Lookup, OrderSession, OrderVenue

MS_NS = 1_000_000
NOT_ASKED = Finding(asked=False, final=False)


class Keeper(Protocol):
    """Who answers for the account."""

    def last_look(self, command: Command, now: Now) -> Result | None:
        """Return why a command is not sent after all; None if it is."""

    def heard(self, command: Command, result: Result, now: Now) -> None:
        """Take what the venue says of a command, in time or late."""


class Waits(NamedTuple):
    """How long an account waits: for an answer, and until a look-up tells the truth.

    `max_waiting` is how many commands of a lane may wait to be sent.
    """

    answer_timeout_ms: int
    settle_ms: int
    max_waiting: int


class _Waiting(NamedTuple):
    issue: Issue
    shelf: Shelf


def nothing_sent(outcome: Outcome, code: str, text: str) -> Result:
    """Return a final result that rests on our own knowledge that nothing was sent."""
    return Result(outcome=outcome, code=code, text=text, evidence=Evidence.LOCAL)


class Desk:
    """Carries the requests of one account; lives as long as the worker."""

    def __init__(
        self,
        venue: OrderVenue,
        account: str,
        waits: Waits,
        keeper: Keeper,
        log: Log,
    ) -> None:
        """`keeper` has the last word on a command right before it is sent."""
        self.account = account
        self.connection: Connection | None = None
        self._venue = venue
        self._keeper = keeper
        self._log = log
        self._lanes: Lanes[_Waiting] = Lanes(waits.max_waiting)
        settle_ns = waits.settle_ms * MS_NS
        self._flights = Flights(waits.answer_timeout_ms * MS_NS, settle_ns)
        self._tied = Tied(venue, settle_ns)

    @property
    def session(self) -> OrderSession | None:
        """Return the session that may carry requests now, if there is one."""
        if self.connection is None:
            return None
        session = cast("OrderSession", self.connection.session)
        return session if session.ready else None

    @property
    def in_flight(self) -> int:
        """Return how many requests are unanswered."""
        return len(self._flights)

    @property
    def tied(self) -> frozenset[int]:
        """Return the orders that end with the connection."""
        return self._tied.orders

    def business(self, now: Now) -> str:
        """Return what is open on the connection, empty if nothing is."""
        requests = len(self._flights) + self._flights.unclear(now)
        if not (requests or self.tied):
            return ""
        return (
            f"{requests} requests without an answer, "
            f"{len(self.tied)} orders that end with the connection"
        )

    @property
    def waiting(self) -> dict[str, int]:
        """Return how many commands wait, by lane."""
        return {lane.name: self._lanes.waiting(lane) for lane in Lane}

    def joined(self, connection: Connection) -> None:
        """Use a new connection; numbers go on, so that no late reply is mistaken."""
        self.connection = connection
        connection.replies = self.reply

    def left(self, now: Now) -> str:
        """The connection is over: what was in flight is in doubt from now on.

        Returns a sentence about the orders that end with it, empty if there are none.
        """
        self.connection = None
        tied, untouched = self._tied.cut()
        for flight in untouched:
            flight.shelf.took(flight.key, now)
        for flight in self._flights.cut():
            self._lose(flight, "the connection ended before the answer", now)
        return f"cancelled on disconnect: {', '.join(map(str, tied))}" if tied else ""

    def issue(self, issue: Issue, shelf: Shelf, now: Now) -> None:
        """Send a command as soon as its lane is free, or say why not.

        Orders are never queued while offline: without a connection nothing waits.
        """
        command = issue.command
        if self.session is None:
            shelf.unsent(command.key, _offline(self.account), now)
            return
        deadline_ns = min(
            issue.not_after_ns,
            now.mono_ns + (command.not_after_ms * MS_NS - now.wall_ns),
        )
        if not self._lanes.put(_Waiting(issue, shelf), command.lane, deadline_ns):
            full = f"{len(self._lanes)} commands wait for {self.account}"
            refused = nothing_sent(Outcome.REFUSED, "LANE_FULL", full)
            shelf.unsent(command.key, refused, now)
            return
        self.pump(now)

    def resolve(self, claim: Claim, shelf: Shelf, now: Now) -> None:
        """Ask the venue what became of a claim; until it tells, that is business."""
        if (sent := self._flights.doubted(claim.key)) is not None:
            self._flights.give_up(sent, now)
        if self.session is None:
            shelf.found(claim.key, NOT_ASKED, now)
            return
        lookup = self._venue.lookup(claim, now.wall_ns // MS_NS)
        self._ask(claim.key, lookup, shelf, now)

    def tick(self, now: Now) -> None:
        """Give up what is unanswered or has waited too long."""
        for waiting in self._lanes.expired(now.mono_ns):
            waiting.shelf.unsent(waiting.issue.command.key, _expired(), now)
        for flight in self._flights.overdue(now):
            self._lose(flight, "no answer in time", now)
        self.pump(now)

    def pump(self, now: Now) -> None:
        """Send what waits, the first lane first."""
        while self.session is not None:
            waiting = self._lanes.pop(now.mono_ns)
            if waiting is None:
                return
            self._send(waiting, now)

    def reply(self, reply: Reply) -> None:
        """Take an answer of the venue, in time or late."""
        assert self.connection is not None  # noqa: S101 - replies come from it
        now = self.connection.now()
        flight = self._flights.end(reply.number)
        if flight is None:
            self._late(reply, now)
        elif isinstance(flight.asked, Command):
            self._answer(flight, flight.asked, reply, now)
        else:
            flight.asked.answer(reply)
            self._ask(flight.key, flight.asked, flight.shelf, now)

    def _answer(self, flight: Flight, command: Command, reply: Reply, now: Now) -> None:
        result = self._venue.judge(command.method, reply)
        if result is None:
            self._flights.give_up(flight, now)
            why = (
                f"the venue answered {reply.error} {reply.meaning}, which says nothing"
            )
            flight.shelf.doubt(flight.key, why, now)
        else:
            self._hear(flight, command, result, now)
            flight.shelf.answered(flight.key, result, now)

    def _late(self, reply: Reply, now: Now) -> None:
        flight = self._flights.late(reply.number)
        if flight is None:
            self._log("reply_unknown", account=self.account, number=reply.number)
        elif isinstance(flight.asked, Command) and (
            result := self._venue.judge(flight.asked.method, reply)
        ):
            self._flights.forget(reply.number)
            self._hear(flight, flight.asked, result, now)
            flight.shelf.late(flight.key, result, now)

    def _hear(self, flight: Flight, command: Command, result: Result, now: Now) -> None:
        if not flight.known:
            self._tied.follow(flight, command, result, now)
        self._keeper.heard(command, result, now)

    def _send(self, waiting: _Waiting, now: Now) -> None:
        """Hand a command to the socket; the last look at the claim's lifetime."""
        command = waiting.issue.command
        if now.mono_ns >= waiting.issue.not_after_ns:
            waiting.shelf.unsent(command.key, _expired(), now)
        elif refused := self._keeper.last_look(command, now):
            waiting.shelf.unsent(command.key, refused, now)
        else:
            number = self._flights.begin(command.key, waiting.shelf, command, now)
            self._request(number, command.method, command.params, now)
            assert self.connection is not None  # noqa: S101 - pump looked
            waiting.shelf.sent(command.key, self.connection.outlet.connection, now)

    def _ask(self, key: Key, lookup: Lookup, shelf: Shelf, now: Now) -> None:
        """Ask the next question of a lookup, or tell what it found."""
        asked = lookup.request()
        if asked is None:
            self._found(key, lookup.finding(), shelf, now)
        elif self.session is None:
            shelf.found(key, NOT_ASKED, now)
        else:
            self._request(self._flights.begin(key, shelf, lookup, now), *asked, now)

    def _found(self, key: Key, finding: Finding, shelf: Shelf, now: Now) -> None:
        """Tell what was found; an order of this very connection ends with it."""
        sent = self._flights.doubted(key) if finding.asked and finding.final else None
        if sent is not None:
            self._settle(sent, finding.result, shelf, now)
        shelf.found(key, finding, now)

    def _settle(
        self, sent: Flight, result: Result | None, shelf: Shelf, now: Now
    ) -> None:
        done = result is not None and result.outcome is Outcome.DONE
        self._flights.settle(sent, known=done)
        if result is not None and isinstance(sent.asked, Command):
            self._tied.follow(sent._replace(shelf=shelf), sent.asked, result, now)

    def _request(
        self, number: int, method: str, params: Mapping[str, Any], now: Now
    ) -> None:
        assert self.connection is not None  # noqa: S101 - the callers looked
        session = self.session
        assert session is not None  # noqa: S101
        events = session.request(number, method, params)
        self.connection.apply(events, now.wall_ns)

    def _lose(self, flight: Flight, why: str, now: Now) -> None:
        if isinstance(flight.asked, Command):
            flight.shelf.doubt(flight.key, why, now)
        else:
            flight.shelf.found(flight.key, NOT_ASKED, now)


def _offline(account: str) -> Result:
    return nothing_sent(
        Outcome.REFUSED, "NO_CONNECTION", f"{account} has no order connection now"
    )


def _expired() -> Result:
    return nothing_sent(
        Outcome.EXPIRED, "DEADLINE_PASSED", "the deadline passed before it was sent"
    )
