"""What is seen of a book: the best 25 levels, and the changes between two sights.

Source: reference page "Finery Markets API", sections 3.1, 3.2 and 13 (7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from bridge.simulators.finery.engine import VISIBLE_LEVELS, Book, Levels, Order

Change = list[str | int]
"""One element of an update: action, price, size."""


class Sight(NamedTuple):
    """Both sides as shown to somebody."""

    bids: Levels = ()
    asks: Levels = ()

    def payload(self) -> list[Levels]:
        """Return the data of a snapshot message."""
        return [self.bids, self.asks]


NOTHING: Final = Sight()


def sight(book: Book, seen: Callable[[Order], bool] | None = None) -> Sight:
    """Look at `book`; `seen` says which orders count, None counts all."""
    if seen is None:
        return Sight(*(half.levels() for half in book.halves))
    return Sight(*(_filtered(half.orders(), seen) for half in book.halves))


def changes(before: Sight, after: Sight, *, cut_top: bool = True) -> list[list[Change]]:
    """Return the data of an `M` message that leads from `before` to `after`."""
    return [
        side_changes(before.bids, after.bids, cut_top=cut_top),
        side_changes(before.asks, after.asks, cut_top=cut_top),
    ]


def side_changes(before: Levels, after: Levels, *, cut_top: bool) -> list[Change]:
    """Return the changes of one side: cut, removals, new sizes, additions.

    Removals come before additions, so a reader that applies them one by one never
    holds more than 25 levels.
    """
    if before and not after and cut_top:
        return [["~", 0, 0]]
    made, old = _cut(before, after) if cut_top else ([], dict(before))
    new = dict(after)
    made += [["-", price, size] for price, size in old.items() if price not in new]
    made += [
        ["M", price, size] for price, size in after if old.get(price, size) != size
    ]
    made += [["+", price, size] for price, size in after if price not in old]
    return made


def _cut(before: Levels, after: Levels) -> tuple[list[Change], dict[int, int]]:
    """Say by `~` that levels better than the new top are gone, if that is so."""
    old = dict(before)
    if not before or not after or before[0][0] == after[0][0]:
        return [], old
    price, size = after[0]
    if price not in old:
        return [], old
    for gone, _ in before:
        if gone == price:
            break
        del old[gone]
    old[price] = size
    return [["~", price, size]], old


def _filtered(orders: Iterable[Order], seen: Callable[[Order], bool]) -> Levels:
    totals: dict[int, int] = {}
    for order in orders:
        if seen(order):
            totals[order.price] = totals.get(order.price, 0) + order.left
    return tuple(totals.items())[:VISIBLE_LEVELS]
