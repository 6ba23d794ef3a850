"""The orders of one account that end with its order connection."""

from __future__ import annotations

from typing import Generic, TypeVar

from bridge.core.orders import Command, Result
from bridge.venues.base import OrderVenue

Asker = TypeVar("Asker")


class Tied(Generic[Asker]):
    """Follows the answers, and knows what would be cancelled on disconnect.

    An order that was accepted and has no deal yet is `untouched`: whoever asked for it
    must hear that it went.
    """

    def __init__(self, venue: OrderVenue) -> None:
        """Begin with none; the venue says what an answer changes."""
        self.orders: frozenset[int] = frozenset()
        self._venue = venue
        self._untouched: dict[int, Asker] = {}

    def follow(self, command: Command, result: Result, asker: Asker) -> None:
        """Take what the venue says of a command: an answer, or what a look-up found."""
        before = self.orders
        self.orders = self._venue.retie(before, command.method, command.params, result)
        if self._venue.untouched(result):
            self._untouched |= dict.fromkeys(self.orders - before, asker)
        for number in before - self.orders:
            self._untouched.pop(number, None)

    def cut(self) -> tuple[list[int], list[Asker]]:
        """Forget all: return the orders that end, and who asked for untouched ones."""
        orders, self.orders = sorted(self.orders), frozenset()
        untouched, self._untouched = self._untouched, {}
        return orders, [untouched[one] for one in orders if one in untouched]
