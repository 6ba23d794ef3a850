"""Flood mode: many consistent book updates a second, encoded beforehand.

Each flooded book runs round a fixed loop of sights; the update that leads from one to
the next is encoded once for each binding, WebSocket frame included, and the frames due
at one tick leave in one write. The ledger gets counts and the final book.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from websockets.frames import Frame, Opcode

from bridge.simulators.clock import VirtualClock
from bridge.simulators.finery.books import Sight
from bridge.simulators.finery.chance import Chance
from bridge.simulators.finery.engine import Levels, Side
from bridge.simulators.finery.hub import Binding, Hub
from bridge.simulators.finery.market import Pace
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.session import Session
from bridge.simulators.finery.wire import Message
from bridge.simulators.ledger import Ledger

_TICK_MS: Final = 5
_MOST_AT_ONCE: Final = 5_000
_FEWEST: Final = 8
_RESIZE: Final = 75
_CUT: Final = 4


class Encoded(NamedTuple):
    """The loop's messages for one binding, and their frames."""

    messages: list[Message]
    frames: list[bytes]


class Shape(NamedTuple):
    """How many updates a loop has, and about how many level changes each."""

    length: int = 128
    changes: int = 1


class Loop:
    """One flooded book: a closed walk through sights."""

    def __init__(
        self, instrument: str, start: Sight, shape: Shape, chance: Chance
    ) -> None:
        """Walk from `start` and back to it."""
        if not start.bids or not start.asks:
            raise Refused(Code.INSTRUMENT_NOT_FOUND, f"{instrument} has no book")
        self.instrument = instrument
        self.place = 0
        self.frames = 0
        self.sights = [start]
        while len(self.sights) < shape.length:
            after = self.sights[-1]
            for _ in range(shape.changes):
                after = _next(after, start, chance)
            self.sights.append(after)
        self._encoded: dict[Binding, Encoded] = {}

    @property
    def sight(self) -> Sight:
        """Return the book as it stands."""
        return self.sights[self.place]

    def advance(self, steps: int) -> range:
        """Go `steps` on; return the numbers of the messages that lead there."""
        begin = self.place
        self.place = (begin + steps) % len(self.sights)
        self.frames += steps
        return range(begin, begin + steps)

    def encoded(self, binding: Binding, hub: Hub) -> Encoded:
        """Return the loop's messages for a binding, encoded on first use."""
        if binding not in self._encoded:
            self._encoded[binding] = self._encode(binding, hub)
        return self._encoded[binding]

    def _encode(self, binding: Binding, hub: Hub) -> Encoded:
        messages = []
        for place, before in enumerate(self.sights):
            after = self.sights[(place + 1) % len(self.sights)]
            action, data = hub.change(binding.feed, before, after)
            messages.append(Message(binding.feed, binding.echo, action, data))
        return Encoded(messages, [_frame(m.text()) for m in messages])


class Flood:
    """Runs any number of loops at one common rate."""

    def __init__(
        self, hub: Hub, clock: VirtualClock, chance: Chance, ledger: Ledger
    ) -> None:
        """Publish through the bindings of `hub`."""
        self._hub = hub
        self._clock = clock
        self._chance = chance
        self._ledger = ledger
        self.loops: dict[str, Loop] = {}
        self.halt: Callable[[], object] = lambda: None
        hub.flood_sight = lambda name: self.loops[name].sight

    def start(self, instruments: list[str], shape: Shape) -> None:
        """Take over the books of `instruments`."""
        for name in instruments:
            start = self._hub.global_sight(name)
            self.loops[name] = Loop(name, start, shape, self._chance)
            self._hub.flooded.add(name)
            self._hub.refresh(name)

    def stop(self) -> list[dict[str, Any]]:
        """Give the books back; return and record frames and final book of each."""
        self.halt()
        reports = [self._end(loop) for loop in self.loops.values()]
        self.loops.clear()
        return reports

    async def run(self, frames_per_second: int) -> None:
        """Publish that many changes a second, over all loops together."""
        pace = Pace(frames_per_second, self._clock.now_ms(), _MOST_AT_ONCE)
        turn = 0
        while True:
            await self._clock.sleep(_TICK_MS / 1000)
            due = pace.due(self._clock.now_ms())
            turn = self.publish(due, turn)

    def publish(self, count: int, turn: int = 0) -> int:
        """Publish `count` changes from loop `turn` on; return whose turn is next."""
        loops = list(self.loops.values())
        if not loops:
            return 0
        each, more = divmod(count, len(loops))
        writes: dict[Session, list[bytes]] = {}
        for number, loop in enumerate(loops):
            extra = (number - turn) % len(loops) < more
            if each + extra:
                self._advance(loop, each + extra, writes)
        for session, frames in writes.items():
            session.post_frames(frames)
        return (turn + more) % len(loops)

    def _advance(
        self, loop: Loop, steps: int, writes: dict[Session, list[bytes]]
    ) -> None:
        numbers = loop.advance(steps)
        for view in self._hub.views(loop.instrument):
            view.sight = loop.sight
            for binding in list(view.bindings):
                self._collect(loop, binding, numbers, writes)

    def _collect(
        self,
        loop: Loop,
        binding: Binding,
        numbers: range,
        writes: dict[Session, list[bytes]],
    ) -> None:
        encoded, length = loop.encoded(binding, self._hub), len(loop.sights)
        session = binding.line
        if not isinstance(session, Session) or not session.plain:
            for number in numbers:
                session.emit(encoded.messages[number % length], binding)
            return
        frames = writes.setdefault(session, [])
        frames.extend([encoded.frames[number % length] for number in numbers])
        binding.sent += len(numbers)
        binding.flooded += len(numbers)

    def _end(self, loop: Loop) -> dict[str, Any]:
        for view in self._hub.views(loop.instrument):
            view.sight = loop.sight
        self._hub.flooded.discard(loop.instrument)
        facts = {
            "instrument": loop.instrument,
            "frames": loop.frames,
            "book": loop.sight.payload(),
        }
        self._ledger.add("flood", **facts)
        self._hub.refresh(loop.instrument)
        return facts


def _frame(text: str) -> bytes:
    return bytes(Frame(Opcode.TEXT, text.encode()).serialize(mask=False))


def _next(now: Sight, start: Sight, chance: Chance) -> Sight:
    """Change one side a little; prices stay among those of `start`."""
    side = chance.below(2)
    levels = _changed(now[side], start[side], chance)
    return now._replace(bids=levels) if side == Side.BID else now._replace(asks=levels)


def _changed(levels: Levels, base: Levels, chance: Chance) -> Levels:
    dice = chance.below(100)
    place = chance.below(len(levels))
    if dice >= _RESIZE and len(levels) > _FEWEST:
        return (
            levels[1 + chance.below(_CUT) :] if place == 0 else _without(levels, place)
        )
    missing = [level for level in base if level[0] not in dict(levels)]
    if dice >= _RESIZE and missing:
        return _with(levels, chance.pick(missing), base)
    price, size = levels[place]
    unit = max(base[0][1] // 100, 1)
    changed = (price, size % (unit * 97) + unit)
    return (*levels[:place], changed, *levels[place + 1 :])


def _without(levels: Levels, place: int) -> Levels:
    return (*levels[:place], *levels[place + 1 :])


def _with(levels: Levels, new: tuple[int, int], base: Levels) -> Levels:
    known = {**dict(levels), new[0]: new[1]}
    return tuple((price, known[price]) for price, _ in base if price in known)
