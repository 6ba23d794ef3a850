"""Waiting for whichever of two things comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def first(
    one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, Any]
) -> T | None:
    """Return the result of `one`, or None if `other` ends first; cancels the loser.

    An error of either comes out.
    """
    wanted, rival = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        await asyncio.wait({wanted, rival}, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            rival.result()
            return None
        return wanted.result()
    finally:
        for task in (wanted, rival):
            task.cancel()
        await asyncio.gather(wanted, rival, return_exceptions=True)
