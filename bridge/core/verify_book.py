"""Replays a book's records as any consumer would, to compare it with its REFRESH.

Written apart from the worker's own book, so that a fault there does not hide here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LEVELS = 25

Sides = tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
_NAMES = ("bids", "asks")


class Book:
    """Sizes by price for each side; nothing until the first whole book."""

    def __init__(self) -> None:
        """Know nothing."""
        self._sides: tuple[dict[int, int], dict[int, int]] | None = None

    def forget(self) -> None:
        """Know nothing until the next whole book."""
        self._sides = None

    def replace(self, sides: Sides) -> None:
        """Take a whole book."""
        bids, asks = ({lv["priceE8"]: lv["sizeE8"] for lv in side} for side in sides)
        self._sides = (bids, asks)

    def apply(self, sides: Sides) -> None:
        """Apply the changes of one message, in order."""
        if self._sides is None:
            return
        for index, changes in enumerate(sides):
            side = self._sides[index]
            for change in changes:
                _change(side, change, is_bid=index == 0)
            for price in _sorted(side, is_bid=index == 0)[LEVELS:]:
                del side[price]

    def compare(self, sides: Sides) -> str:
        """Say where a whole book differs from the one replayed; empty: nowhere."""
        if self._sides is None:
            return ""
        for name, known, levels in zip(_NAMES, self._sides, sides, strict=True):
            whole = {lv["priceE8"]: lv["sizeE8"] for lv in levels}
            if whole != known:
                price = min(price for price, _ in whole.items() ^ known.items())
                return f"{name} differ, first at price {price}"
        return ""


def _change(side: dict[int, int], change: Mapping[str, Any], *, is_bid: bool) -> None:
    price, size = change["priceE8"], change["sizeE8"]
    match change["operation"]:
        case "DELETE":
            side.pop(price, None)
        case "CUT_TOP":
            for better in [p for p in side if _better(p, price, is_bid=is_bid)]:
                del side[better]
            if price or size:
                side[price] = size
            else:
                side.clear()
        case _:
            side[price] = size


def _better(price: int, top: int, *, is_bid: bool) -> bool:
    return price > top if is_bid else price < top


def _sorted(side: dict[int, int], *, is_bid: bool) -> list[int]:
    return sorted(side, reverse=is_bid)
