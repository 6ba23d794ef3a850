"""Runs coroutines in tests, and waits for conditions with a limit."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Protocol, TypeVar

T = TypeVar("T")

LIMIT_SECONDS = 50.0


class Run(Protocol):
    """The type of the `run` fixture."""

    def __call__(
        self, coro: Coroutine[object, object, T], limit: float = LIMIT_SECONDS
    ) -> T:
        """Run one coroutine to its end."""


def run(coro: Coroutine[object, object, T], limit: float = LIMIT_SECONDS) -> T:
    """Run a coroutine in asyncio's debug mode, for at most `limit` seconds."""
    return asyncio.run(_limited(coro, limit), debug=True)


async def _limited(coro: Coroutine[object, object, T], limit: float) -> T:
    async with asyncio.timeout(limit):
        return await coro


def wait_until(condition: Callable[[], bool], what: str, limit: float = 30.0) -> None:
    """Block until `condition` holds; after `limit` seconds, fail and say what."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            message = f"{what}: not within {limit:g} s"
            raise AssertionError(message)
        time.sleep(0.05)


async def until(condition: Callable[[], bool], what: str, limit: float = 30.0) -> None:
    """Wait on the loop until `condition` holds; after `limit` seconds, fail."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            message = f"{what}: not within {limit:g} s"
            raise AssertionError(message)
        await asyncio.sleep(0.01)
