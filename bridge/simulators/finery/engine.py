"""The matching engine of one instrument: pure, integers only, price-time order.

A decision and its execution are two steps: `Book.plan` finds the fills of an incoming
order without touching anything, `Book.hit` carries one out. What a plan forbids
(nothing to match, not enough, self-trade) is the caller's to judge.

Source of the rules: reference page "Finery Markets API", sections 6.1 and 13 (9-11);
price-time order is an inference there.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from bridge.simulators.finery.catalogue import UNIT

Levels = tuple[tuple[int, int], ...]
"""Price and size of each level, the best first."""

VISIBLE_LEVELS: Final = 25
"""The venue shows at most this many levels a side (section 3.1)."""


class Side(IntEnum):
    """Codes of section 10.4."""

    BID = 0
    ASK = 1


class Kind(IntEnum):
    """Order types of section 10.2; 7 as the data-types page has it."""

    LIMIT = 0
    POST_ONLY = 1
    LIMIT_IOC = 2
    LIMIT_FOK = 3
    MARKET_IOC = 4
    MARKET_FOK = 5
    PENDING = 7


class Cancel(IntEnum):
    """Cancel reasons of section 10.3."""

    NONE = 0
    CLIENT = 1
    NON_BOOK = 2
    SELF_TRADE = 3
    DISCONNECT = 4


@dataclass(slots=True, kw_only=True)
class Order:
    """An order, resting or incoming; `left` counts volume where `by_volume`."""

    id: int
    account: int
    instrument: str
    kind: int
    side: int
    price: int
    initial: int
    left: int
    created: int
    by_volume: bool = False
    client_id: int = 0
    reason: int = Cancel.NONE
    connection: int | None = None

    def reaches(self, price: int) -> bool:
        """Tell whether the limit allows a deal at `price`; 0 means any price."""
        if self.price == 0:
            return True
        return price <= self.price if self.side == Side.BID else price >= self.price


class Fill(NamedTuple):
    """What an incoming order would take from one resting order."""

    maker: Order
    size: int
    volume: int


class Plan(NamedTuple):
    """What would happen to an incoming order.

    `left` is what remains of it, `limited` whether limits forbade some fill, `own`
    whether it would meet an order of the same account, `filled` whether nothing that
    could be traded remains.
    """

    fills: tuple[Fill, ...]
    left: int
    limited: bool
    own: bool
    filled: bool


Admit = Callable[[Order, int, int], bool]
"""Says whether a fill with this resting order, of size and volume, keeps the limits."""

Seen = Callable[[Order], bool]
"""Says whether a resting order is in somebody's book at all."""

_ROUNDING: Final[dict[str, Callable[[int, int], int]]] = {
    "down": lambda amount, step: amount // step,
    "up": lambda amount, step: -(-amount // step),
    "nearest": lambda amount, step: (2 * amount + step) // (2 * step),
}


class Steps(NamedTuple):
    """Size step, volume step and the rounding of volumes of one instrument."""

    size: int
    volume: int
    rounding: str = "nearest"

    def volume_of(self, price: int, size: int) -> int:
        """Return price x size on the balance step (section 13, item 11)."""
        return _ROUNDING[self.rounding](price * size, UNIT * self.volume) * self.volume

    def size_for(self, price: int, volume: int) -> int:
        """Return the largest size on its step that `volume` pays for at `price`."""
        return volume * UNIT // price // self.size * self.size


class Half:
    """One side of a book: resting orders by price, then by time of arrival."""

    def __init__(self, side: int) -> None:
        """Make an empty side."""
        self._sign = -1 if side == Side.BID else 1
        self._keys: list[int] = []
        self._queues: dict[int, dict[int, Order]] = {}
        self._totals: dict[int, int] = {}

    def put(self, order: Order) -> None:
        """Queue `order` behind those of its price."""
        if order.price not in self._queues:
            insort(self._keys, self._sign * order.price)
            self._queues[order.price] = {}
            self._totals[order.price] = 0
        self._queues[order.price][order.id] = order
        self._totals[order.price] += order.left

    def shrink(self, order: Order, size: int) -> None:
        """Take `size` off `order`; it leaves when nothing is left."""
        order.left -= size
        self._totals[order.price] -= size
        if order.left == 0:
            self._drop(order)

    def remove(self, order: Order) -> None:
        """Take `order` out, whatever is left of it."""
        self._totals[order.price] -= order.left
        self._drop(order)

    def orders(self) -> Iterator[Order]:
        """Yield the resting orders, the best price first, the oldest first in each."""
        for key in self._keys:
            yield from self._queues[self._sign * key].values()

    def best(self) -> int | None:
        """Return the best price."""
        return self._sign * self._keys[0] if self._keys else None

    def levels(self, limit: int = VISIBLE_LEVELS) -> Levels:
        """Return the best `limit` levels with their totals."""
        prices = (self._sign * key for key in self._keys[:limit])
        return tuple((price, self._totals[price]) for price in prices)

    def __len__(self) -> int:
        return len(self._keys)

    def _drop(self, order: Order) -> None:
        queue = self._queues[order.price]
        del queue[order.id]
        if not queue:
            del self._queues[order.price], self._totals[order.price]
            del self._keys[bisect_left(self._keys, self._sign * order.price)]


class Book:
    """Both sides of one instrument."""

    def __init__(self, steps: Steps) -> None:
        """Make an empty book."""
        self.steps = steps
        self.halves = (Half(Side.BID), Half(Side.ASK))

    def plan(self, incoming: Order, admit: Admit, seen: Seen | None = None) -> Plan:
        """Find what `incoming` would trade with, best price first, oldest first."""
        fills: list[Fill] = []
        left, limited, filled = incoming.left, False, False
        for maker in self.halves[1 - incoming.side].orders():
            if filled or not incoming.reaches(maker.price):
                break
            if seen is not None and not seen(maker):
                continue
            if maker.account == incoming.account:
                return Plan(tuple(fills), left, limited, True, filled)
            size, volume = self._take(incoming, maker, left)
            if size and not admit(maker, size, volume):
                limited = True
                continue
            if size:
                fills.append(Fill(maker, size, volume))
            left -= volume if incoming.by_volume else size
            filled = self._done(incoming, maker.price, left)
        return Plan(tuple(fills), left, limited, False, filled)

    def hit(self, incoming: Order, fill: Fill) -> None:
        """Carry one fill out: both orders shrink by what is dealt."""
        self.halves[fill.maker.side].shrink(fill.maker, fill.size)
        incoming.left -= fill.volume if incoming.by_volume else fill.size

    def rest(self, order: Order) -> None:
        """Put `order` into the book."""
        self.halves[order.side].put(order)

    def remove(self, order: Order) -> None:
        """Take a resting `order` out of the book."""
        self.halves[order.side].remove(order)

    def crossed(self) -> bool:
        """Tell whether the best bid meets the best ask."""
        bid, ask = (half.best() for half in self.halves)
        return bid is not None and ask is not None and bid >= ask

    def _take(self, incoming: Order, maker: Order, left: int) -> tuple[int, int]:
        if incoming.by_volume:
            size = min(self.steps.size_for(maker.price, left), maker.left)
        else:
            size = min(left, maker.left)
        return size, self.steps.volume_of(maker.price, size)

    def _done(self, incoming: Order, price: int, left: int) -> bool:
        if incoming.by_volume:
            return self.steps.size_for(price, left) == 0
        return left == 0
