"""An upgrade that nobody waits for any more."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, cast
from unittest.mock import Mock

import pytest

from bridge.edge.picows_upgrade import Answer
from tests.support.running import Run


def test_an_opening_that_was_cancelled_is_no_fault(run: Run) -> None:
    """The connection ends without an answer, and nobody is there to hear of it."""
    strays: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: strays.append(context))
        answer = Answer(cast("Any", Mock()))
        answer.connection_lost(None)
        del answer
        gc.collect()
        await asyncio.sleep(0)

    run(main())
    assert strays == []


def test_whoever_waits_hears_why(run: Run) -> None:
    """The end before an answer is told to the opening."""

    async def main() -> None:
        answer = Answer(cast("Any", Mock()))
        answer.connection_lost(None)
        with pytest.raises(ConnectionResetError, match="before it answered"):
            await answer.response

    run(main())
