"""Control commands about ticks: set faults, amend, send odd frames.

Every tick fault takes `id` (an index, or `*`), `series` (`200ms`, `1s`, `daily`,
`stats` or `*`) and how long: `seconds` of tick time, or a number of `ticks`. It begins
with the next whole second, so `missing` for 7 seconds loses exactly 7 whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from bridge.errors import BridgeError
from bridge.simulators.cfbenchmarks.clients import chosen
from bridge.simulators.cfbenchmarks.faults import (
    ALL,
    DEFAULT_SECONDS,
    DEFAULT_TICKS,
    LINE_FAULTS,
    VALUE_FAULTS,
    Fault,
)
from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.cfbenchmarks.indices import Index, Rhythm
from bridge.simulators.cfbenchmarks.lines import Series, units_of
from bridge.simulators.cfbenchmarks.values import text_of
from bridge.simulators.connection import Payload
from bridge.simulators.control import Command

if TYPE_CHECKING:
    from bridge.simulators.cfbenchmarks.server import CfBenchmarksSimulator

_Count = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_WHICH: Mapping[str, Any] = {
    "id": str,
    "series": str,
    "seconds": _Seconds,
    "ticks": _Count,
}
# What a fault takes beside `_WHICH`, and what each must be.
_FACTS: Mapping[str, Mapping[str, Any]] = {
    "missing": {"history": bool},
    "silence": {"history": bool},
    "duplicate": {"copies": _Count},
    "reorder": {"by": _Count},
    "late": {"by_ms": Annotated[int, msgspec.Meta(ge=0)]},
    "huge": {"digits": _Count},
    "many_decimals": {"decimals": _Count},
    "value": {"value": str},
}
_LARGE = 10_000_000
_Bytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 28)]


def table(simulator: CfBenchmarksSimulator) -> dict[str, Command]:
    """Return the commands about ticks, by name."""
    commands = TickCommands(simulator)
    faults: dict[str, Command] = {
        name: commands.setter(name, function.__doc__ or _ODD_DOCS[name])
        for name, function in {**VALUE_FAULTS, **LINE_FAULTS}.items()
    }
    return {
        **faults,
        "amend": commands.amend,
        "clear": commands.clear,
        "faults": commands.faults,
        "frame": commands.frame,
    }


_ODD_DOCS = {
    "seconds_time": "Write `time` in seconds instead of milliseconds.",
    "extra_fields": "Add a field that no document knows.",
    "null_optionals": "Write the optional fields as null.",
}


class TickCommands:
    """The commands, bound to a simulator."""

    def __init__(self, simulator: CfBenchmarksSimulator) -> None:
        self._simulator = simulator
        self._set = 0

    def setter(self, name: str, doc: str) -> Command:
        """Return the command that sets the fault `name`."""

        def set_fault(arguments: dict[str, Any]) -> dict[str, Any]:
            return self._put(name, dict(arguments))

        set_fault.__doc__ = doc
        return set_fault

    def amend(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Publish a tick again with a new value (`time` or `ticks_ago`; `times`)."""
        _only(arguments, {"id", "time", "ticks_ago", "change", "value", "times"})
        index = self._index(arguments["id"])
        time_ms = self._time(index, arguments)
        done = [
            self._amend_once(index, time_ms, arguments, turn)
            for turn in range(int(arguments.get("times", 1)))
        ]
        self._simulator.pump()
        return done

    def clear(self, arguments: dict[str, Any]) -> int:
        """End the fault `number`, all of a `name`, or all; return how many."""
        _only(arguments, {"number", "name"})
        publisher = self._simulator.publisher
        ending = [
            fault
            for fault in publisher.faults
            if arguments.get("number", fault.number) == fault.number
            and arguments.get("name", fault.name) == fault.name
        ]
        publisher.faults = [f for f in publisher.faults if f not in ending]
        return len(ending)

    def faults(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """List the tick faults in force and how often each has hit."""
        _only(arguments, set())
        return [_shown(fault) for fault in self._simulator.publisher.faults]

    def frame(self, arguments: dict[str, Any]) -> int:
        """Send one odd frame (`kind`, `id`, `connection`; `text`, `bytes`)."""
        _only(arguments, {"kind", "id", "connection", "text", "bytes"})
        kind = arguments.get("kind", "text")
        make = _FRAMES.get(kind)
        if make is None:
            known = ", ".join(sorted(_FRAMES))
            raise BridgeError(f"no kind of frame {kind!r}; there are: {known}")
        index = self._index(arguments.get("id", next(iter(self._simulator.indices))))
        tick = self._simulator.latest(index.id)
        if tick is None:
            raise BridgeError(f"{index.id} has no value yet")
        payload = make(self._simulator, tick, arguments)
        clients = chosen(list(self._simulator.clients), arguments.get("connection"))
        return sum(client.send(payload, f"injected {kind}") for client in clients)

    def _put(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        takes = {**_WHICH, **_FACTS.get(name, {})}
        _only(arguments, set(takes))
        if name == "value" and "value" not in arguments:
            raise BridgeError("missing: value, the text to publish")
        checked = {n: msgspec.convert(v, takes[n]) for n, v in arguments.items()}
        fault = self._fault(name, checked)
        self._simulator.publisher.faults.append(fault)
        return _shown(fault)

    def _fault(self, name: str, arguments: dict[str, Any]) -> Fault:
        index_id, series = arguments.get("id", ALL), arguments.get("series", ALL)
        daily = index_id != ALL and self._index(index_id).rhythm is Rhythm.DAILY
        if series != ALL:
            Series(series)
        now_ms = self._simulator.clock.now_ms()
        ticks, seconds = _length(name, arguments, daily=daily)
        start = self._simulator.publisher.next_second(now_ms)
        facts = {k: v for k, v in arguments.items() if k not in _WHICH}
        if name == "missing" and daily:
            # What is missing until the next day is missing over REST, too.
            facts.setdefault("history", False)
        self._set += 1
        return Fault(
            number=self._set,
            name=name,
            id=index_id,
            series=series,
            start=start,
            end=None if seconds is None else start + int(seconds * 1000),
            ticks=ticks,
            facts=facts,
        )

    def _index(self, index_id: str) -> Index:
        index = self._simulator.indices.get(index_id)
        if index is None:
            raise BridgeError(f"no index {index_id!r} on offer")
        return index

    def _time(self, index: Index, arguments: dict[str, Any]) -> int:
        """Return the time of the tick to amend: given, or so many ticks ago."""
        if "time" in arguments:
            return int(arguments["time"])
        latest = self._simulator.latest(index.id)
        if latest is None:
            raise BridgeError(f"{index.id} has no value yet")
        time_ms = latest.time
        for _ in range(int(arguments.get("ticks_ago", 0))):
            time_ms = self._simulator.calendar.last_tick(index, time_ms - 1)
        return time_ms

    def _amend_once(
        self, index: Index, time_ms: int, arguments: dict[str, Any], turn: int
    ) -> dict[str, Any]:
        calendar, now_ms = self._simulator.calendar, self._simulator.clock.now_ms()
        old = None
        if calendar.last_tick(index, time_ms) == time_ms <= now_ms:
            old = self._simulator.history.tick(index, time_ms)
        if old is None:
            raise BridgeError(f"{index.id} has no tick at {time_ms}")
        units = (units_of(old.value) or 0) + int(arguments.get("change", 1))
        value = str(arguments.get("value", text_of(units, index.decimals)))
        new = old._replace(value=value, amend_time=now_ms + turn)
        self._simulator.publisher.amend(index, new, now_ms)
        return {"time": time_ms, "value": value, "amend_time": new.amend_time}


def _length(
    name: str, arguments: dict[str, Any], *, daily: bool
) -> tuple[int | None, float | None]:
    """Return how many ticks and how many seconds a fault lasts, None for no limit."""
    ticks, seconds = arguments.get("ticks"), arguments.get("seconds")
    if ticks is None and seconds is None:
        if name in DEFAULT_TICKS or daily:
            return 1, None
        return None, 1.0 if name in DEFAULT_SECONDS else None
    return ticks, seconds


def _only(arguments: Mapping[str, Any], known: set[str]) -> None:
    strange = sorted(set(arguments) - known)
    if strange:
        takes = ", ".join(sorted(known)) or "nothing"
        raise BridgeError(f"unknown: {', '.join(strange)}; the command takes {takes}")


def _shown(fault: Fault) -> dict[str, Any]:
    return {
        "number": fault.number,
        "name": fault.name,
        "id": fault.id,
        "series": fault.series,
        "start": fault.start,
        "end": fault.end,
        "ticks": fault.ticks,
        "hits": dict(fault.hits),
    }


_Make = Callable[["CfBenchmarksSimulator", Tick, dict[str, Any]], Payload]


def _unknown_type(_simulator: object, tick: Tick, _arguments: object) -> Payload:
    return f'{{"type":"simulated_unknown","id":"{tick.id}","time":{tick.time}}}'


def _cut(simulator: CfBenchmarksSimulator, tick: Tick, _arguments: object) -> Payload:
    return simulator.render(tick)[:-7]


def _array(simulator: CfBenchmarksSimulator, tick: Tick, _arguments: object) -> Payload:
    return f"[{simulator.render(tick)}]"


def _binary(
    simulator: CfBenchmarksSimulator, tick: Tick, _arguments: object
) -> Payload:
    return simulator.render(tick).encode()


def _fragments(
    simulator: CfBenchmarksSimulator, tick: Tick, _arguments: object
) -> Payload:
    text = simulator.render(tick)
    return [text[:9], text[9:20], text[20:]]


def _large(
    simulator: CfBenchmarksSimulator, tick: Tick, arguments: dict[str, Any]
) -> Payload:
    size = msgspec.convert(arguments.get("bytes", _LARGE), _Bytes)
    return simulator.render(tick._replace(padding=size))


def _given(_simulator: object, _tick: Tick, arguments: dict[str, Any]) -> Payload:
    return str(arguments["text"])


_FRAMES: Mapping[str, _Make] = {
    "unknown_type": _unknown_type,
    "not_json": _cut,
    "array": _array,
    "binary": _binary,
    "fragmented": _fragments,
    "large": _large,
    "text": _given,
}
