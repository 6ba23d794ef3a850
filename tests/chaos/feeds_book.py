"""Builds a book from its records, by the documented rules alone."""

from __future__ import annotations

from tests.chaos.feeds_log import Level, Sides

LEVELS = 25  # a side never has more
BID, ASK = 0, 1
Side = dict[int, int]  # size by price


class Replay:
    """One book; it knows nothing until the first whole one."""

    def __init__(self) -> None:
        """Know nothing."""
        self._sides: tuple[Side, Side] | None = None

    @property
    def known(self) -> bool:
        """Tell whether there is something to compare with."""
        return self._sides is not None

    def forget(self) -> None:
        """Know nothing until the next whole book."""
        self._sides = None

    def replace(self, sides: Sides) -> None:
        """Take a whole book."""
        self._sides = _whole(sides[BID]), _whole(sides[ASK])

    def update(self, sides: Sides) -> None:
        """Make the changes of one record; they follow a whole book."""
        if self._sides is None:
            return
        for place, changes in enumerate(sides):
            side = self._sides[place]
            for change in changes:
                _CHANGES[change["operation"]](side, change, place)
            _cut(side, place)

    def difference(self, sides: Sides) -> str:
        """Say where a whole book is another one than this; empty: nowhere."""
        if self._sides is None:
            return ""
        for name, mine, levels in zip(
            ("bids", "asks"), self._sides, sides, strict=True
        ):
            if (whole := _whole(levels)) != mine:
                return f"{name}: {sorted(whole.items() ^ mine.items())[:3]}"
        return ""


def _whole(levels: object) -> Side:
    assert isinstance(levels, list)
    return {level["priceE8"]: level["sizeE8"] for level in levels}


def _set(side: Side, change: Level, _place: int) -> None:
    side[change["priceE8"]] = change["sizeE8"]


def _delete(side: Side, change: Level, _place: int) -> None:
    side.pop(change["priceE8"], None)


def _cut_top(side: Side, change: Level, place: int) -> None:
    top, size = change["priceE8"], change["sizeE8"]
    if not top and not size:
        side.clear()
        return
    better = [p for p in side if (p > top if place == BID else p < top)]
    for price in better:
        del side[price]
    side[top] = size


def _cut(side: Side, place: int) -> None:
    if len(side) > LEVELS:
        for price in sorted(side, reverse=place == BID)[LEVELS:]:
            del side[price]


_CHANGES = {"INSERT": _set, "SET": _set, "DELETE": _delete, "CUT_TOP": _cut_top}
