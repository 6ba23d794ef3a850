"""What can go wrong with ticks: one small function a fault, in two tables.

A *value fault* changes a tick when it is made, for every series and for REST. A *line
fault* decides what becomes of a finished tick on one line (one series of one index):
nothing, once, twice, later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from bridge.simulators.cfbenchmarks.frames import Tick

ALL = "*"


class Emit(NamedTuple):
    """A tick and when it goes out, in virtual ms."""

    tick: Tick
    due: int


class Fault(msgspec.Struct, kw_only=True):
    """A fault in force: which ticks it hits, and how.

    Args:
        number: Names it for `clear`.
        name: A key of `VALUE_FAULTS` or `LINE_FAULTS`.
        id: An index, or `*`.
        series: A series, or `*`.
        start: The first tick time that is hit.
        end: The first tick time after it that is not; None for no end.
        ticks: How many ticks of each line (or index) are hit at most; None for all.
        facts: The fault's own arguments.
        hits: How many were hit, by line or index.
    """

    number: int
    name: str
    id: str
    series: str = ALL
    start: int = 0
    end: int | None = None
    ticks: int | None = None
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    hits: dict[str, int] = msgspec.field(default_factory=dict)

    def takes(self, place: str, tick: Tick, series: str = ALL) -> bool:
        """Tell whether it hits this tick at this place, and count the hit."""
        if not self._fits(tick, series):
            return False
        hits = self.hits.get(place, 0)
        if self.ticks is not None and hits >= self.ticks:
            return False
        self.hits[place] = hits + 1
        return True

    def over(self, now_ms: int) -> bool:
        """Tell whether it can hit nothing that is still to come."""
        if self.end is not None:
            return self.end + _FORGET_MS < now_ms
        spent = self.ticks is not None and min(self.hits.values(), default=0)
        return bool(spent) and spent == self.ticks and self.id != ALL

    def _fits(self, tick: Tick, series: str) -> bool:
        if self.id not in {ALL, tick.id}:
            return False
        if series != ALL and self.series not in {ALL, series}:
            return False
        return self.start <= tick.time and (self.end is None or tick.time < self.end)


class Lane(msgspec.Struct):
    """What a line remembers for its faults: the last tick out, and ticks held back."""

    step_ms: int
    last: Tick | None = None
    held: list[tuple[int, Tick]] = msgspec.field(default_factory=list)


# A fault is kept this long after its end, for ticks that are still on their way.
_FORGET_MS = 3_600_000

Previous = Callable[[], str]
ValueFault = Callable[[Tick, Fault, Previous], Tick]
LineFault = Callable[[Lane, Emit, Fault], list[Emit]]


def _freeze(tick: Tick, fault: Fault, previous: Previous) -> Tick:
    """Keep the value, move the time."""
    kept = fault.facts.setdefault(f"frozen:{tick.id}", previous())
    return tick._replace(value=kept)


def _repeat(tick: Tick, _fault: Fault, previous: Previous) -> Tick:
    """Publish the previous value of a daily index, marked as such."""
    return tick._replace(value=previous(), repeat=True)


def _zero(tick: Tick, _fault: Fault, _previous: Previous) -> Tick:
    """Publish zero, with the index's decimals."""
    _, point, decimals = tick.value.partition(".")
    return tick._replace(value="0" + point + "0" * len(decimals))


def _negative(tick: Tick, _fault: Fault, _previous: Previous) -> Tick:
    """Publish the value with a minus sign."""
    return tick._replace(value=f"-{tick.value.lstrip('-')}")


def _huge(tick: Tick, fault: Fault, _previous: Previous) -> Tick:
    """Publish a number with many digits (`digits`, 40)."""
    digits = fault.facts.get("digits", 40)
    return tick._replace(value="9" * digits + "." + tick.value.partition(".")[2])


def _many_decimals(tick: Tick, fault: Fault, _previous: Previous) -> Tick:
    """Publish many decimals (`decimals`, 30)."""
    decimals = fault.facts.get("decimals", 30)
    whole, _, part = tick.value.partition(".")
    return tick._replace(value=f"{whole}.{part.ljust(decimals, '7')}")


def _text(tick: Tick, fault: Fault, _previous: Previous) -> Tick:
    """Publish this text as value (`value`), number or not."""
    return tick._replace(value=fault.facts["value"])


def _odd(tick: Tick, fault: Fault, _previous: Previous) -> Tick:
    return tick._replace(odd=tick.odd | {fault.name})


VALUE_FAULTS: Mapping[str, ValueFault] = {
    "freeze": _freeze,
    "repeat": _repeat,
    "zero": _zero,
    "negative": _negative,
    "huge": _huge,
    "many_decimals": _many_decimals,
    "value": _text,
    "seconds_time": _odd,
    "extra_fields": _odd,
    "null_optionals": _odd,
}


def _drop(_lane: Lane, _emit: Emit, _fault: Fault) -> list[Emit]:
    """Publish nothing."""
    return []


def _stall(lane: Lane, emit: Emit, _fault: Fault) -> list[Emit]:
    """Send the last frame again instead: `time` stands still."""
    return [emit._replace(tick=lane.last)] if lane.last else []


def _duplicate(_lane: Lane, emit: Emit, fault: Fault) -> list[Emit]:
    """Send a tick again (`copies`, 1)."""
    return [emit] * (1 + fault.facts.get("copies", 1))


def _reorder(lane: Lane, emit: Emit, fault: Fault) -> list[Emit]:
    """Send a tick after the ones that follow it (`by`, 1)."""
    release = emit.tick.time + fault.facts.get("by", 1) * lane.step_ms
    lane.held.append((release, emit.tick))
    return []


def _burst(_lane: Lane, emit: Emit, fault: Fault) -> list[Emit]:
    """Hold all ticks and send them at once at the end."""
    return [emit._replace(due=max(emit.due, fault.end or emit.due))]


def _late(_lane: Lane, emit: Emit, fault: Fault) -> list[Emit]:
    """Send a tick later (`by_ms`, 1000)."""
    return [emit._replace(due=emit.due + fault.facts.get("by_ms", 1000))]


def _crossed(_lane: Lane, emit: Emit, _fault: Fault) -> list[Emit]:
    """Swap bid and ask of `rti_stats`, so that bid <= value <= ask is violated."""
    stats = emit.tick.stats
    if stats is None:
        return [emit]
    swapped = stats._replace(bid=stats.ask, ask=stats.bid)
    return [emit._replace(tick=emit.tick._replace(stats=swapped))]


LINE_FAULTS: Mapping[str, LineFault] = {
    "missing": _drop,
    "silence": _drop,
    "stall": _stall,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "burst": _burst,
    "late": _late,
    "crossed": _crossed,
}

# How long a fault lasts when the command does not say: one tick, one second, or on.
DEFAULT_TICKS = frozenset({"repeat", "duplicate", "reorder", "late", "value"})
DEFAULT_SECONDS = frozenset({"missing", "burst"})


def through(lane: Lane, emit: Emit, faults: list[Fault]) -> list[Emit]:
    """Send a tick through the faults of its line, in the order they were set."""
    emits = [emit]
    for fault in faults:
        hit = LINE_FAULTS[fault.name]
        emits = [out for each in emits for out in hit(lane, each, fault)]
    released = [tick for when, tick in lane.held if when <= emit.tick.time]
    lane.held = [entry for entry in lane.held if entry[0] > emit.tick.time]
    emits += [emit._replace(tick=tick) for tick in released]
    if emits:
        lane.last = emits[-1].tick
    return emits
