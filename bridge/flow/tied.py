"""The orders of one account that end with its order connection."""

from __future__ import annotations

from typing import NamedTuple

from bridge.core.model import Now
from bridge.core.orders import Command, Kind, Result
from bridge.flow.flights import Flight
from bridge.flow.lease import FOREVER_NS
from bridge.venues.base import OrderVenue


class _Tie(NamedTuple):
    """What tied an order, whether it has no deal, and from when on lists must show it.

    An order that was accepted and has no deal yet is `untouched`: whoever asked for it
    must hear that it went.
    """

    flight: Flight
    untouched: bool
    shown_ns: int


class Tied:
    """Follows the answers, and knows what would be cancelled on disconnect."""

    def __init__(self, venue: OrderVenue, settle_ns: int) -> None:
        """Begin with none; the venue says what an answer changes."""
        self.orders: frozenset[int] = frozenset()
        self._venue = venue
        self._settle_ns = settle_ns
        self._ties: dict[int, _Tie] = {}

    def follow(
        self, flight: Flight, command: Command, result: Result, now: Now
    ) -> None:
        """Take what the venue says of a request: an answer, or what a look-up found.

        It ends nothing that came too late for the request to meet it.
        """
        before = self.orders
        after = self._venue.retie(before, command.method, command.params, result)
        if after is before:
            return
        gone = {one for one in before - after if self._met(one, flight, command)}
        old = [self._ties.pop(one).shown_ns for one in gone]
        listed = command.method in self._venue.listed
        shown_ns = now.mono_ns + self._settle_ns if listed else FOREVER_NS
        tie = _Tie(flight, self._venue.untouched(result), max([shown_ns, *old]))
        self._ties |= dict.fromkeys(after - before, tie)
        self.orders = frozenset(self._ties)

    def cut(self) -> tuple[list[int], list[Flight]]:
        """Forget all: return the orders that end, and what placed untouched ones."""
        ties, self._ties = sorted(self._ties.items()), {}
        self.orders = frozenset()
        return [one for one, _ in ties], [t.flight for _, t in ties if t.untouched]

    def _met(self, one: int, flight: Flight, command: Command) -> bool:
        """Tell whether an order was there for a request; a list may be a bit behind."""
        tie = self._ties[one]
        if command.kind is Kind.READ:
            return tie.shown_ns < flight.sent_ns
        return tie.flight.number < flight.number
