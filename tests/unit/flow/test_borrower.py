"""Orders have places of their own, and borrow one more while a connection changes."""

from __future__ import annotations

import asyncio

import pytest

from bridge.flow.borrower import Borrower
from bridge.flow.pacer import Pacer
from tests.support.running import Run
from tests.unit.flow.fakes import FakeClock

URL = "ws://venue:1/ws"


def test_a_place_is_borrowed_and_given_back_first(run: Run) -> None:
    """The lender's limit holds, and nothing is lost on the way."""

    async def story() -> None:
        clock = FakeClock()
        lender = Pacer(clock, 0.0, most=1)
        own = Borrower(clock, 1, lender)
        await own.turn(URL)
        assert own.full(URL) == ""
        await own.turn(URL)
        assert "1 of 1 allowed" in own.full(URL)
        assert lender.full(URL)
        own.done(URL)
        assert lender.full(URL) == ""
        await lender.turn(URL)
        assert own.full(URL)
        own.done(URL)
        assert own.full(URL) == ""
        with pytest.raises(ValueError, match="released too many times"):
            own.done(URL)

    run(story())


def test_without_a_place_anywhere_it_waits_for_its_own(run: Run) -> None:
    """An order connection that was lost must come back, whatever the feeds hold."""

    async def story() -> None:
        clock = FakeClock()
        lender = Pacer(clock, 0.0, most=1)
        own = Borrower(clock, 1, lender)
        await own.turn(URL)
        await lender.turn(URL)
        waiting = asyncio.ensure_future(own.turn(URL))
        await asyncio.sleep(0)
        assert not waiting.done()
        own.done(URL)
        await waiting
        own.done(URL)

    run(story())
