"""One account's order connection: commands in by lane, requests out, replies matched.

Everything that is in flight is known here by its number on the connection. Whoever
asked (a `Shelf`, one command partition) is told exactly once what became of it: sent
or unsent; then answered, in doubt, or found.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
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
from bridge.flow.tied import Tied
from bridge.venues.base import Lookup, OrderSession, OrderVenue

LATE_KEPT = 10_000
MS_NS = 1_000_000

Refusal = Callable[[Command, Now], Result | None]


class Shelf(Protocol):
    """Who asked: one command partition under one assignment."""

    def sent(self, key: Key, connection: str, now: Now) -> None:
        """The request has been handed to the socket."""

    def unsent(self, key: Key, result: Result, now: Now) -> None:
        """Nothing was sent, for the reason given."""

    def answered(self, key: Key, result: Result, now: Now) -> None:
        """The venue answered with positive evidence."""

    def took(self, key: Key, now: Now) -> None:
        """An accepted order went with its connection, without a deal."""

    def doubt(self, key: Key, why: str, now: Now) -> None:
        """It was sent, and what became of it is not known."""

    def late(self, key: Key, result: Result, now: Now) -> None:
        """An answer came after it was given up."""

    def found(self, key: Key, finding: Finding, now: Now) -> None:
        """The venue was asked about a claim, or could not be."""


class _Waiting(NamedTuple):
    issue: Issue
    shelf: Shelf


class _Flight(NamedTuple):
    """A command on its way, or a question about a claim (`lookup`)."""

    key: Key
    method: str
    shelf: Shelf
    params: Mapping[str, Any]
    until_ns: int
    lookup: Lookup | None


def nothing_sent(outcome: Outcome, code: str, text: str) -> Result:
    """Return a final result that rests on our own knowledge that nothing was sent."""
    return Result(outcome=outcome, code=code, text=text, evidence=Evidence.LOCAL)


class Desk:
    """Carries the requests of one account; lives as long as the worker."""

    def __init__(
        self,
        venue: OrderVenue,
        account: str,
        answer_timeout_ms: int,
        max_waiting: int,
        refusal: Refusal,
        log: Log,
    ) -> None:
        """`refusal` has the last word on a command right before it is sent."""
        self.account = account
        self.connection: Connection | None = None
        self._venue = venue
        self._timeout_ns = answer_timeout_ms * MS_NS
        self._refusal = refusal
        self._log = log
        self._lanes: Lanes[_Waiting] = Lanes(max_waiting)
        self._flights: dict[int, _Flight] = {}
        self._given_up: OrderedDict[int, _Flight] = OrderedDict()
        self._number = 0
        self._tied: Tied[tuple[Shelf, Key]] = Tied(venue)

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
    def business(self) -> str:
        """Return what is open on the connection, empty if nothing is."""
        if not (self._flights or self._tied.orders):
            return ""
        return (
            f"{len(self._flights)} requests without an answer, "
            f"{len(self._tied.orders)} orders that end with the connection"
        )

    @property
    def waiting(self) -> dict[str, int]:
        """Return how many commands wait, by lane."""
        return {lane.name: self._lanes.waiting(lane) for lane in Lane}

    def joined(self, connection: Connection) -> None:
        """Use a new connection; numbers go on, so that no late reply is mistaken."""
        self.connection = connection
        self._given_up.clear()
        connection.replies = self.reply

    def left(self, now: Now) -> str:
        """The connection is over: what was in flight is in doubt from now on.

        Returns a sentence about the orders that end with it, empty if there are none.
        """
        self.connection = None
        tied, untouched = self._tied.cut()
        for shelf, key in untouched:
            shelf.took(key, now)
        flights, self._flights = self._flights, {}
        for flight in flights.values():
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
        """Ask the venue what became of a claim."""
        if self.session is None:
            shelf.found(claim.key, Finding(asked=False, final=False), now)
            return
        lookup = self._venue.lookup(claim, now.wall_ns // MS_NS)
        self._ask(claim.key, lookup, shelf, now)

    def tick(self, now: Now) -> None:
        """Give up what is unanswered or has waited too long."""
        for waiting in self._lanes.expired(now.mono_ns):
            waiting.shelf.unsent(waiting.issue.command.key, _expired(), now)
        late = [n for n, f in self._flights.items() if f.until_ns <= now.mono_ns]
        for number in late:
            flight = self._flights.pop(number)
            self._given_up[number] = flight
            self._lose(flight, "no answer in time", now)
        while len(self._given_up) > LATE_KEPT:
            self._given_up.popitem(last=False)
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
        flight = self._flights.pop(reply.number, None)
        if flight is not None:
            self._answer(flight, reply, now)
            return
        late = self._given_up.pop(reply.number, None)
        if late is None:
            self._log("reply_unknown", account=self.account, number=reply.number)
        elif late.lookup is None and (result := self._venue.judge(late.method, reply)):
            late.shelf.late(late.key, result, now)

    def _answer(self, flight: _Flight, reply: Reply, now: Now) -> None:
        if flight.lookup is not None:
            flight.lookup.answer(reply)
            self._ask(flight.key, flight.lookup, flight.shelf, now)
            return
        result = self._venue.judge(flight.method, reply)
        if result is None:
            why = (
                f"the venue answered {reply.error} {reply.meaning}, which says nothing"
            )
            flight.shelf.doubt(flight.key, why, now)
        else:
            asker = flight.shelf, flight.key
            self._tied.follow(flight.method, flight.params, result, asker)
            flight.shelf.answered(flight.key, result, now)

    def _send(self, waiting: _Waiting, now: Now) -> None:
        """Hand a command to the socket; the last look at the claim's lifetime."""
        command = waiting.issue.command
        if now.mono_ns >= waiting.issue.not_after_ns:
            waiting.shelf.unsent(command.key, _expired(), now)
        elif refused := self._refusal(command, now):
            waiting.shelf.unsent(command.key, refused, now)
        else:
            self._request(command.method, command.params, now)
            self._flights[self._number] = _Flight(
                command.key,
                command.method,
                waiting.shelf,
                command.params,
                now.mono_ns + self._timeout_ns,
                None,
            )
            assert self.connection is not None  # noqa: S101 - pump looked
            waiting.shelf.sent(command.key, self.connection.outlet.connection, now)

    def _ask(self, key: Key, lookup: Lookup, shelf: Shelf, now: Now) -> None:
        """Ask the next question of a lookup, or tell what it found."""
        asked = lookup.request()
        if asked is None:
            shelf.found(key, lookup.finding(), now)
        elif self.session is None:
            shelf.found(key, Finding(asked=False, final=False), now)
        else:
            method, params = asked
            self._request(method, params, now)
            until_ns = now.mono_ns + self._timeout_ns
            flight = _Flight(key, method, shelf, params, until_ns, lookup)
            self._flights[self._number] = flight

    def _request(self, method: str, params: Mapping[str, Any], now: Now) -> None:
        assert self.connection is not None  # noqa: S101 - the callers looked
        session = self.session
        assert session is not None  # noqa: S101
        self._number += 1
        events = session.request(self._number, method, params)
        self.connection.apply(events, now.wall_ns)

    def _lose(self, flight: _Flight, why: str, now: Now) -> None:
        if flight.lookup is None:
            flight.shelf.doubt(flight.key, why, now)
        else:
            finding = Finding(asked=False, final=False)
            flight.shelf.found(flight.key, finding, now)


def _offline(account: str) -> Result:
    return nothing_sent(
        Outcome.REFUSED, "NO_CONNECTION", f"{account} has no order connection now"
    )


def _expired() -> Result:
    return nothing_sent(
        Outcome.EXPIRED, "DEADLINE_PASSED", "the deadline passed before it was sent"
    )
