"""The frames of the benchmark: made once, consistent with each other, repeatable.

`upd5`: 5 bids + 5 asks change; `snap25`: a whole book of 25 levels a side (the venue's
most); `mix`: 94 % updates of 1 to 10 levels a side, 5 % positions, 1 % whole books.
Every update changes the size of a level that the first snapshot has, so a book that is
kept stays whole however often the run of frames is repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

LEVELS = 25
TOP = 6_000_000_000_000
STEP = 1_000_000
RUN = 1000

KINDS = ("upd5", "snap25", "mix")


def _price(side: int, level: int) -> int:
    return TOP - STEP * (level + 1) if side == 0 else TOP + STEP * (level + 1)


def _size(seed: int) -> int:
    """Return a size between 0.1 and 10 units that differs from seed to seed."""
    return 10_000_000 + seed * 7_919 % 990_000_000


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def snapshot(feed: str, seed: int, name: str = "BTC-USD") -> bytes:
    """Return a whole book of 25 levels a side."""
    sides = [
        [[_price(side, level), _size(seed + level)] for level in range(LEVELS)]
        for side in (0, 1)
    ]
    return _text([feed, name, "S", sides])


def update(seed: int, changes: int, name: str = "BTC-USD") -> bytes:
    """Return an update that sets `changes` levels a side."""
    sides = [
        [
            ["M", _price(side, (seed + n) % LEVELS), _size(seed * 31 + n)]
            for n in range(changes)
        ]
        for side in (0, 1)
    ]
    return _text(["F", name, "M", sides])


def position(seed: int) -> bytes:
    """Return a changed position."""
    return _text(["K", 0, "M", _position(seed)])


def positions() -> bytes:
    """Return the snapshot of the one position that there is."""
    return _text(["K", 0, "S", [_position(0)]])


def _position(seed: int) -> list[object]:
    return ["BTC", -_size(seed), 7, 0, -_size(seed)]


def _mixed(seed: int) -> bytes:
    share = seed % 100
    if share == 0:
        return snapshot("F", seed)
    if share % 20 == 1:
        return position(seed)
    return update(seed, 1 + seed * 7 % 10)


_MAKERS: dict[str, Callable[[int], bytes]] = {
    "upd5": partial(update, changes=5),
    "snap25": partial(snapshot, "F"),
    "mix": _mixed,
}


def run_of(kind: str) -> list[bytes]:
    """Return the run of 1000 frames that a generator repeats."""
    return [_MAKERS[kind](seed) for seed in range(RUN)]
