"""Places of a pacer that may borrow from another one."""

from __future__ import annotations

from collections import Counter

from typing_extensions import override

from bridge.flow.pacer import Clock, Pacer


class Borrower(Pacer):
    """Has places of its own; for a connection that takes over, it borrows one more.

    Places are alike, so what is given back goes to the lender first.
    """

    def __init__(self, clock: Clock, most: int, lender: Pacer) -> None:
        """Let `most` connections a host be open, and as many more as are to spare."""
        super().__init__(clock, most=most)
        self._lender = lender
        self._borrowed: Counter[str] = Counter()

    @override
    def full(self, url: str) -> str:
        """Return why `turn` would wait for a place, empty if there is one."""
        return super().full(url) and self._lender.full(url)

    @override
    async def turn(self, url: str) -> None:
        """Wait for a place, of our own if there is one."""
        if super().full(url) and not self._lender.full(url):
            await self._lender.turn(url)
            self._borrowed[url] += 1
        else:
            await super().turn(url)

    @override
    def done(self, url: str) -> None:
        """Give a place back."""
        if self._borrowed[url]:
            self._borrowed[url] -= 1
            self._lender.done(url)
        else:
            super().done(url)
