"""Made-up values: a seeded walk in integers that can be asked for any moment.

Real index history is licensed, so none is used. A walk is pinned to a level at the
start of every ten minutes and wanders in steps of 200 ms in between; so the value of
a time depends on seed, index and time alone, whenever the simulator was started.
"""

from __future__ import annotations

import functools
import random  # noqa: TID251 - the simulator's one source of chance, always seeded
from itertools import accumulate

from bridge.simulators.cfbenchmarks.indices import FAST_MS, Index, Rhythm

_BLOCK_MS = 600_000
_STEPS = _BLOCK_MS // FAST_MS
# Levels differ from block to block by up to one part in 200 of the index's level.
_SPREAD = 200
_STEP_PART = 100_000
_BLOCKS_KEPT = 512


def seeded(*parts: object) -> random.Random:
    """Return a source of chance that depends on `parts` alone."""
    return random.Random(":".join(map(str, parts)))  # noqa: S311 - made-up data


def text_of(units: int, decimals: int) -> str:
    """Write an integer number of last-decimal units as zero-padded decimal text."""
    sign, digits = "-" * (units < 0), str(abs(units)).rjust(decimals + 1, "0")
    return (
        f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
        if decimals
        else (sign + digits)
    )


class Walk:
    """The values of all indices under one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._block = functools.lru_cache(_BLOCKS_KEPT)(self._make_block)

    def units(self, index: Index, time_ms: int) -> int:
        """Return the value at `time_ms` in units of the last decimal."""
        block, offset = divmod(time_ms, _BLOCK_MS)
        if index.rhythm is Rhythm.DAILY:
            return self._pin(index, block)
        return self._block(index, block)[offset // FAST_MS]

    def text(self, index: Index, time_ms: int) -> str:
        """Return the value at `time_ms` as the venue writes it."""
        return text_of(self.units(index, time_ms), index.decimals)

    def _pin(self, index: Index, block: int) -> int:
        spread = max(1, index.level // _SPREAD)
        chance = seeded(self._seed, index.id, "pin", block)
        return index.level + chance.randint(-spread, spread)

    def _make_block(self, index: Index, block: int) -> tuple[int, ...]:
        chance = seeded(self._seed, index.id, "walk", block)
        size = max(1, index.level // _STEP_PART)
        steps = (chance.randint(-size, size) for _ in range(_STEPS))
        free = list(accumulate(steps, initial=0))
        first, last = self._pin(index, block), self._pin(index, block + 1)
        pull = last - first - free[_STEPS]
        return tuple(
            max(1, first + free[n] + pull * n // _STEPS) for n in range(_STEPS)
        )
