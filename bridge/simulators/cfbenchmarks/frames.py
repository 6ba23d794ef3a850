"""Ticks and their text on the wire."""

from __future__ import annotations

from typing import NamedTuple

from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions

# Live captures have the first order, the documentation's table the second.
_ORDERS = {
    "observed": ("type", "time", "id", "value"),
    "documented": ("type", "id", "value", "time"),
}
_SEPARATORS = {False: (",", ":"), True: (", ", ": ")}


class Stats(NamedTuple):
    """The further numbers of an `rti_stats` frame, as text."""

    depth: str
    bid: str
    ask: str
    mid: str


class Tick(NamedTuple):
    """One published value.

    `odd` names the ways in which the frame differs from an ordinary one, `padding` the
    bytes that a very large frame adds.
    """

    id: str
    time: int
    value: str
    amend_time: int | None = None
    repeat: bool = False
    stats: Stats | None = None
    odd: frozenset[str] = frozenset()
    padding: int = 0

    @property
    def stream(self) -> str:
        """Return the stream to which the frame belongs."""
        return "rti_stats" if self.stats else "value"


def frame(tick: Tick, options: CfBenchmarksOptions) -> str:
    """Write a tick as the JSON text of its frame."""
    comma, colon = _SEPARATORS[options.spaces]
    fields = _fields(tick, options)
    return "{" + comma.join(f'"{name}"{colon}{raw}' for name, raw in fields) + "}"


def _fields(tick: Tick, options: CfBenchmarksOptions) -> list[tuple[str, str]]:
    plain = {
        "type": f'"{tick.stream}"',
        "time": str(tick.time // 1000 if "seconds_time" in tick.odd else tick.time),
        "id": f'"{tick.id}"',
        "value": f'"{tick.value}"' if options.quoted else tick.value,
    }
    order = "observed" if tick.stats else options.key_order
    fields = [(name, plain[name]) for name in _ORDERS[order]]
    return fields + _stats(tick) + _optional(tick) + _odd(tick)


def _stats(tick: Tick) -> list[tuple[str, str]]:
    """Order and quotes as in the fixtures of Chainlink's public adapter."""
    if tick.stats is None:
        return []
    names = ("utilizedDepth", "valueBid", "valueAsk", "midPrice")
    return [(n, f'"{text}"') for n, text in zip(names, tick.stats, strict=True)]


def _optional(tick: Tick) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    if tick.amend_time is not None:
        fields.append(("amendTime", str(tick.amend_time)))
    if tick.repeat:
        fields.append(("repeatOfPreviousValue", "true"))
    return fields


def _odd(tick: Tick) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    if "null_optionals" in tick.odd and not _optional(tick):
        fields += [("amendTime", "null"), ("repeatOfPreviousValue", "null")]
    if "extra_fields" in tick.odd:
        fields.append(("simulatedExtra", '{"nested":[1,null,"x"]}'))
    if tick.padding:
        fields.append(("simulatedPadding", '"' + "x" * tick.padding + '"'))
    return fields
