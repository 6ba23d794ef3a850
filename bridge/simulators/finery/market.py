"""A made-up market: seeded makers place, move and take away orders, takers hit them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from bridge.simulators.clock import VirtualClock
from bridge.simulators.finery import leaving, trading
from bridge.simulators.finery.accounts import MARKET_MAKERS, MARKET_TAKERS
from bridge.simulators.finery.catalogue import UNIT
from bridge.simulators.finery.chance import Chance
from bridge.simulators.finery.engine import Cancel, Kind, Order, Side
from bridge.simulators.finery.hub import Hub
from bridge.simulators.finery.refusals import Refused
from bridge.simulators.finery.trading import Ask
from bridge.simulators.finery.venue import Venue

_TICK_MS: Final = 20
_MOST_STEPS: Final = 200
_TICKS_IN_PRICE: Final = 5_000
_ORDER_VALUE_USD: Final = 10_000
_DRIFT_LIMIT: Final = 10
_SWEEP_LEVELS: Final = 4

# What one step does, in hundredths.
_PLACE, _CANCEL, _RESIZE, _HIT, _SWEEP = 34, 24, 28, 8, 2


class Pace:
    """Turns elapsed virtual time into a number of steps, without losing a fraction."""

    def __init__(self, per_second: float, now_ms: int, most: int = _MOST_STEPS) -> None:
        """Count steps from `now_ms` on; at most `most` are due at a time."""
        self._most = most
        self._per_million_ms = int(per_second * 1_000)
        self._then = now_ms
        self._owed = 0

    def due(self, now_ms: int) -> int:
        """Return how many steps are due since the last call."""
        self._owed += (now_ms - self._then) * self._per_million_ms
        self._then = now_ms
        steps, self._owed = divmod(self._owed, 1_000_000)
        return min(steps, self._most)


class Quoted:
    """How one instrument is quoted: its middle, its tick, its usual size."""

    def __init__(self, venue: Venue, instrument: str) -> None:
        """Start at the price that the currencies' valuations imply."""
        step = venue.catalogue.price_step(instrument)
        asset = venue.catalogue.instruments[instrument].asset
        valuation = venue.catalogue.currencies[asset].valuation
        self.instrument = instrument
        self.fair = venue.catalogue.fair_price(instrument)
        self.tick = max(self.fair // _TICKS_IN_PRICE // step, 1) * step
        self.size_step = venue.catalogue.size_step(instrument)
        lot = _ORDER_VALUE_USD * UNIT * UNIT // valuation
        self.lot = max(lot // self.size_step, 1) * self.size_step
        self.drift = 0

    def price(self, side: int, away: int) -> int:
        """Return the price `away` ticks from the middle, on its own side."""
        sign = -1 if side == Side.BID else 1
        return max(self.fair + (self.drift + sign * away) * self.tick, self.tick)


class Market:
    """Makes `rate` changes a second in each book."""

    def __init__(
        self, venue: Venue, hub: Hub, clock: VirtualClock, chance: Chance
    ) -> None:
        """Trade at `venue` as its market makers and takers."""
        self._venue = venue
        self._hub = hub
        self._clock = clock
        self._chance = chance
        self._depth = venue.options.depth
        self.paused: set[str] = set()
        self._quoted = {
            name: Quoted(venue, name) for name in venue.catalogue.instruments
        }
        self._names = tuple(self._quoted)
        self._steps: tuple[tuple[int, Callable[[Quoted, int], None]], ...] = (
            (_PLACE, self._place),
            (_CANCEL, self._cancel),
            (_RESIZE, self._resize),
            (_HIT, self._hit),
            (_SWEEP, self._sweep),
            (100, self._move),
        )

    def open(self) -> None:
        """Fill every book to its depth."""
        for quoted in self._quoted.values():
            for away in range(1, self._depth + 1):
                for side in Side:
                    self._try_place(quoted, side, away)

    def step(self, instrument: str) -> None:
        """Make one change in one book."""
        quoted = self._quoted[instrument]
        side, dice = self._chance.below(2), self._chance.below(100)
        book = self._venue.books[instrument]
        if len(book.halves[side]) < self._depth - 6:
            self._place(quoted, side)
            return
        for weight, act in self._steps:
            dice -= weight
            if dice < 0:
                act(quoted, side)
                return

    async def run(self) -> None:
        """Go on for ever."""
        pace = Pace(self._venue.options.rate * len(self._quoted), self._clock.now_ms())
        while True:
            await self._clock.sleep(_TICK_MS / 1000)
            for _ in range(pace.due(self._clock.now_ms())):
                name = self._chance.pick(self._names)
                if (
                    name not in self.paused
                    and name in self._venue.catalogue.instruments
                ):
                    self.step(name)
                    self._hub.publish()

    def _place(self, quoted: Quoted, side: int) -> None:
        away = 1 + self._chance.below(self._depth + 6)
        if not self._try_place(quoted, side, away):
            self._cancel(quoted, 1 - side)

    def _try_place(self, quoted: Quoted, side: int, away: int) -> bool:
        maker = self._venue.accounts[self._chance.pick(MARKET_MAKERS)]
        ask = Ask(
            instrument=quoted.instrument,
            kind=Kind.POST_ONLY,
            side=side,
            price=quoted.price(side, away),
            size=self._size(quoted),
        )
        return self._add(maker.id, ask)

    def _cancel(self, quoted: Quoted, side: int) -> None:
        order = self._some_order(quoted, side)
        if order is not None:
            leaving.cancel(self._venue, order, Cancel.CLIENT)

    def _resize(self, quoted: Quoted, side: int) -> None:
        order = self._some_order(quoted, side)
        if order is None:
            return
        leaving.cancel(self._venue, order, Cancel.CLIENT)
        ask = Ask(
            instrument=quoted.instrument,
            kind=Kind.POST_ONLY,
            side=side,
            price=order.price,
            size=self._size(quoted),
        )
        self._add(order.account, ask)

    def _hit(self, quoted: Quoted, side: int) -> None:
        self._take(quoted, side, self._size(quoted))

    def _sweep(self, quoted: Quoted, side: int) -> None:
        half = self._venue.books[quoted.instrument].halves[1 - side]
        depth = 1 + self._chance.below(_SWEEP_LEVELS)
        self._take(quoted, side, sum(size for _, size in half.levels(depth)))

    def _take(self, quoted: Quoted, side: int, size: int) -> None:
        if size:
            taker = self._chance.pick(MARKET_TAKERS)
            self._add(taker, Ask(quoted.instrument, Kind.MARKET_IOC, side, size=size))

    def _move(self, quoted: Quoted, side: int) -> None:
        """Let the middle wander and quote at the new place."""
        quoted.drift += 1 if side == Side.BID else -1
        quoted.drift = max(-_DRIFT_LIMIT, min(_DRIFT_LIMIT, quoted.drift))
        self._place(quoted, side)

    def _add(self, account: int, ask: Ask) -> bool:
        try:
            trading.add(self._venue, self._venue.accounts[account], ask)
        except Refused:
            return False
        return True

    def _size(self, quoted: Quoted) -> int:
        lots = 20 + self._chance.below(180)
        return max(quoted.lot * lots // 100 // quoted.size_step, 1) * quoted.size_step

    def _some_order(self, quoted: Quoted, side: int) -> Order | None:
        half = self._venue.books[quoted.instrument].halves[side]
        ours = (o for o in half.orders() if o.account in MARKET_MAKERS)
        orders = list(islice(ours, 60))
        return self._chance.pick(orders) if orders else None
