"""The figures of a run: every way of a command, beside the floor of the same load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bridge.bench.machine import described

NS_A_MS = 1e6
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
HOP, FLOOR = "floor: one hop", "floor: two hops"
# Each way: from one moment to another, and what it is beside.
WAYS: Mapping[str, tuple[str, str]] = {
    "produced to frame sent": ("produced", "sent"),
    "frame sent to reply (venue)": ("sent", "answered"),
    "reply to final read back": ("answered", "final"),
    "reply to final at the sender": ("answered", "seen"),
    "produced to final at the sender": ("produced", "seen"),
}
MOMENTS = {moment for way in WAYS.values() for moment in way}

Times = Mapping[str, int]
Figures = dict[str, Any]


class Sample(NamedTuple):
    """What the sender saw of one load: times by reqId, outcomes, floor's two hops."""

    load: str
    orders: dict[str, dict[str, int]]
    outcomes: list[str]
    hops: list[tuple[int, int]]


def report(
    samples: Sequence[Sample], moments: Mapping[str, Times], broker: str
) -> Figures:
    """Join what sender and worker saw; every way beside the floor of the same load."""
    loads = {sample.load: _figures(sample, moments) for sample in samples}
    return {
        "machine": described(),
        "broker": broker,
        "whole": all(load["whole"] for load in loads.values()),
        "loads": loads,
    }


def _figures(sample: Sample, moments: Mapping[str, Times]) -> Figures:
    hop, floor = (quantiles([pair[i] for pair in sample.hops]) for i in (0, 1))
    seen = [{**t, **moments.get(name, {})} for name, t in sample.orders.items()]
    full = [times for times in seen if times.keys() >= MOMENTS]
    ways = {HOP: hop, FLOOR: floor}
    for name, (start, end) in WAYS.items():
        ways[name] = quantiles([times[end] - times[start] for times in full])
    for of in ways.values():
        if of and floor:
            of["x_floor"] = round(of["p50"] / floor["p50"], 2)
            of["x_floor_p99"] = round(of["p99"] / floor["p99"], 2)
    orders, done = len(sample.orders), sample.outcomes.count("DONE")
    whole = orders == len(full) == len(sample.hops) == done
    return {"orders": orders, "done": done, "whole": whole, "ways": ways}


def quantiles(values: Sequence[int]) -> dict[str, float]:
    """Return p50, p95 and p99 in ms; empty without values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        name: round(ordered[min(last, int(share * len(ordered)))] / NS_A_MS, 2)
        for name, share in QUANTILES.items()
        if ordered
    }


def tables(made: Figures) -> list[tuple[str, list[str], list[list[object]]]]:
    """Return title, headers and rows for each load."""
    columns = ["p50", "p95", "p99", "x_floor", "x_floor_p99"]
    headers = ["", "p50 ms", "p95 ms", "p99 ms", "x floor p50", "x floor p99"]
    return [
        (
            f"{load['orders']} orders, {name}",
            headers,
            [[way, *map(of.get, columns)] for way, of in load["ways"].items()],
        )
        for name, load in made["loads"].items()
    ]
