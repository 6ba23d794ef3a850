"""One order book, kept level by level to notice when it can no longer be true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridge.core.model import Operation

Change = tuple[int, int, int]
Level = tuple[int, int]

# The venue shows at most 25 levels a side; source: Finery docs, feeds B, F and MD.
MAX_LEVELS = 25
# A second overflow within this time after the first is the server's habit, no accident.
OVERFLOW_HABIT_NS = 600_000_000_000

_INSERT = int(Operation.INSERT)
_SET = int(Operation.SET)
_DELETE = int(Operation.DELETE)

# `side` is +1 for bids and -1 for asks: a price is better if side * price is higher.
_BID = 1
_ASK = -1


class Book:
    """Both sides of one book: prices and sizes as the venue sends them.

    `apply` and `replace` return an empty text, or what contradicts; after a
    contradiction the book must be filled by `replace` again. Times are monotonic
    nanoseconds.

    Nobody has documented whether the venue sends a removal for a level that is pushed
    out of its 25. So a 26th level is a contradiction the first time; if it comes again
    soon, the server evidently sends no such removals: from then on (`trims`) the worst
    levels are dropped here, and changes beyond the worst kept one are expected.
    """

    __slots__ = (
        "_crossed_ns",
        "_given_crossed",
        "_overflow_ns",
        "asks",
        "bids",
        "trims",
    )

    def __init__(self) -> None:
        """Start empty and strict."""
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.trims = False
        self._overflow_ns: int | None = None
        self._crossed_ns: int | None = None
        self._given_crossed = False

    def replace(self, bids: Sequence[Level], asks: Sequence[Level], now_ns: int) -> str:
        """Take a snapshot instead of all state."""
        self.bids = dict(bids)
        self.asks = dict(asks)
        self._crossed_ns = None
        self._given_crossed = self._is_crossed()
        return (
            _flaw("bid", self.bids, bids)
            or _flaw("ask", self.asks, asks)
            or self._fit(now_ns)
        )

    def apply(self, bids: Iterable[Change], asks: Iterable[Change], now_ns: int) -> str:
        """Apply one message's changes in order."""
        return (
            self._change(self.bids, bids, _BID)
            or self._change(self.asks, asks, _ASK)
            or (
                self._fit(now_ns)
                if len(self.bids) > MAX_LEVELS or len(self.asks) > MAX_LEVELS
                else ""
            )
        )

    def levels(self) -> tuple[list[Change], list[Change]]:
        """Return both sides whole, best level first."""
        bids = sorted(self.bids.items(), reverse=True)
        asks = sorted(self.asks.items())
        return (
            [(_INSERT, price, size) for price, size in bids],
            [(_INSERT, price, size) for price, size in asks],
        )

    def top(self) -> tuple[Level | None, Level | None]:
        """Return the best bid and the best ask as (price, size)."""
        bid = max(self.bids, default=None)
        ask = min(self.asks, default=None)
        return (
            None if bid is None else (bid, self.bids[bid]),
            None if ask is None else (ask, self.asks[ask]),
        )

    def stays_crossed(self, now_ns: int, limit_ns: int) -> str:
        """Tell, at every tick, whether the best bid is above the best ask for too long.

        A book that the venue itself sent crossed in a snapshot is the venue's truth:
        no source excludes it, and binding again would not heal it.
        """
        if not self._is_crossed():
            self._crossed_ns = None
            self._given_crossed = False
        elif self._crossed_ns is None:
            self._crossed_ns = now_ns
        elif not self._given_crossed and now_ns - self._crossed_ns > limit_ns:
            return f"crossed: bid {max(self.bids)} above ask {min(self.asks)}"
        return ""

    def _is_crossed(self) -> bool:
        return bool(self.bids and self.asks) and max(self.bids) > min(self.asks)

    def _change(
        self, levels: dict[int, int], changes: Iterable[Change], side: int
    ) -> str:
        for operation, price, size in changes:
            known = price in levels
            if operation <= _SET and size > 0 and (known or operation == _INSERT):
                levels[price] = size
            elif operation == _DELETE and known:
                del levels[price]
            elif fault := self._rarely(levels, (operation, price, size), side):
                return fault
        return ""

    def _rarely(self, levels: dict[int, int], change: Change, side: int) -> str:
        """Apply what is neither an ordinary set nor an ordinary delete."""
        operation, price, size = change
        if operation > _DELETE:
            return _cut_top(levels, price, size, side)
        if operation == _DELETE:
            return self._unknown("delete", levels, price, side)
        if size <= 0:
            return f"level {price} of size {size}"
        fault = self._unknown("set", levels, price, side)
        levels[price] = size
        return fault

    def _unknown(self, word: str, levels: dict[int, int], price: int, side: int) -> str:
        """Say that a level is not there, unless it may have been trimmed away."""
        if self.trims and all(side * price < side * kept for kept in levels):
            return ""
        return f"{word} of unknown level {price}"

    def _fit(self, now_ns: int) -> str:
        """Complain of more than 25 levels at first; trim them once it is a habit."""
        if len(self.bids) <= MAX_LEVELS and len(self.asks) <= MAX_LEVELS:
            return ""
        if not self.trims:
            last, self._overflow_ns = self._overflow_ns, now_ns
            self.trims = last is not None and now_ns - last <= OVERFLOW_HABIT_NS
        if not self.trims:
            return f"{len(self.bids)} bids, {len(self.asks)} asks: over {MAX_LEVELS}"
        for price in sorted(self.bids, reverse=True)[MAX_LEVELS:]:
            del self.bids[price]
        for price in sorted(self.asks)[MAX_LEVELS:]:
            del self.asks[price]
        return ""


def _cut_top(levels: dict[int, int], price: int, size: int, side: int) -> str:
    """Drop all levels better than `price`, the new top; 0 and 0 empty the side.

    Source: Finery docs, book update action `~`.
    """
    if not price and not size:
        levels.clear()
        return ""
    for better in [known for known in levels if side * known > side * price]:
        del levels[better]
    levels[price] = size
    return "" if size > 0 else f"top {price} of size {size}"


def _flaw(name: str, kept: dict[int, int], sent: Sequence[Level]) -> str:
    """Say what is wrong with one side of a snapshot."""
    if len(kept) != len(sent):
        return f"a {name} price twice in a snapshot"
    if kept and min(kept.values()) <= 0:
        return f"a {name} of size {min(kept.values())} in a snapshot"
    return ""
