"""The requests on one order connection: on their way, or given up without an answer."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple, Protocol

from bridge.core.model import Now
from bridge.core.orders import Command, Finding, Key, Result
from bridge.venues.base import Lookup

LATE_KEPT = 10_000


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


class Flight(NamedTuple):
    """A command on its way, or a question about a claim.

    `until_ns` is when it is given up; of one that was given up, how long it counts as
    business of its connection. `known` tells that a look-up has shown it carried out.
    """

    number: int
    key: Key
    shelf: Shelf
    asked: Command | Lookup
    sent_ns: int
    until_ns: int
    known: bool = False


class Flights:
    """Knows every request by its number; numbers go on over connections."""

    def __init__(self, timeout_ns: int, settle_ns: int) -> None:
        """Wait `timeout_ns` for an answer; a look-up follows after `settle_ns`."""
        self._timeout_ns = timeout_ns
        # Until then a look-up has said what became of it, or none will be made here.
        self._unclear_ns = settle_ns + timeout_ns
        self._number = 0
        self._open: dict[int, Flight] = {}
        self._given_up: OrderedDict[int, Flight] = OrderedDict()
        self._doubts: dict[Key, int] = {}  # of the commands among them

    def __len__(self) -> int:
        """Return how many are on their way."""
        return len(self._open)

    def unclear(self, now: Now) -> int:
        """Return how many were given up and may have placed an order.

        Reads place none; what stays without an answer must not count for ever.
        """
        return sum(
            isinstance(one.asked, Command)
            and one.asked.needs_claim
            and one.until_ns > now.mono_ns
            for one in self._given_up.values()
        )

    def begin(self, key: Key, shelf: Shelf, asked: Command | Lookup, now: Now) -> int:
        """Take a request, and return its number."""
        self._number += 1
        number, sent_ns = self._number, now.mono_ns
        until_ns = sent_ns + self._timeout_ns
        self._open[number] = Flight(number, key, shelf, asked, sent_ns, until_ns)
        return number

    def end(self, number: int) -> Flight | None:
        """Return the request that was answered in time, if it was."""
        return self._open.pop(number, None)

    def late(self, number: int) -> Flight | None:
        """Return the request that was given up before, if there is one."""
        return self._given_up.get(number)

    def forget(self, number: int) -> None:
        """Let go of a request that was given up: it has its answer."""
        flight = self._given_up.pop(number)
        if self._doubts.get(flight.key) == number:
            del self._doubts[flight.key]

    def overdue(self, now: Now) -> list[Flight]:
        """Give up what is unanswered for too long, and return it."""
        numbers = [n for n, one in self._open.items() if one.until_ns <= now.mono_ns]
        late = [self._open.pop(number) for number in numbers]
        for flight in late:
            self.give_up(flight, now)
        return late

    def give_up(self, flight: Flight, now: Now) -> None:
        """Keep a request without a clear answer: one may still come."""
        until_ns = now.mono_ns + self._unclear_ns
        self._given_up[flight.number] = flight._replace(until_ns=until_ns)
        if isinstance(flight.asked, Command):
            self._doubts[flight.key] = flight.number
        while len(self._given_up) > LATE_KEPT:
            self.forget(next(iter(self._given_up)))

    def doubted(self, key: Key) -> Flight | None:
        """Return the command that was given up under `key`, if there is one."""
        number = self._doubts.get(key)
        return None if number is None else self._given_up[number]

    def settle(self, flight: Flight, *, known: bool) -> None:
        """Count a request no more that was given up: it has been looked up."""
        settled = flight._replace(until_ns=0, known=known)
        self._given_up[flight.number] = settled

    def cut(self) -> list[Flight]:
        """Forget all with their connection; return what was on its way."""
        flights, self._open = list(self._open.values()), {}
        self._given_up.clear()
        self._doubts.clear()
        return flights
