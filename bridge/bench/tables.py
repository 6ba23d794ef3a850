"""The report as tables for people: headers and rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Table = tuple[str, Sequence[str], list[list[object]]]

FLOOD = {
    "design": "",
    "CPU us/msg": "cpu_us",
    "frames/s/core": "frames_a_second_a_core",
    "frames/s seen": "wall_frames_a_second",
    "x naive": "x_naive",
    "% of floor": "of_floor_percent",
    "peak MB": "peak_mb",
}
PACED = {
    "design": "",
    "CPU us/msg": "cpu_us",
    "% of a core": "cpu_percent",
    "p50 us": "p50",
    "p99 us": "p99",
    "p99.9 us": "p99.9",
    "report p50 ms": "ack_p50",
    "p99 ms": "ack_p99",
    "p99.9 ms": "ack_p99.9",
    "RSS MB": "rss_mb",
}
MEMORY = {
    "design": "",
    "imports MB": "imports_mb",
    "idle MB": "idle_mb",
    "peak MB": "peak_mb",
    "longest GC pause ms": "gc_longest_ms",
}
GOALS = ("goal", "wanted", "measured", "met")


def tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield title, headers and rows of each table that has something to show."""
    for kind, designs in report["flood"].items():
        yield _table(f"flood, {kind}", FLOOD, designs)
    for rate, designs in report["paced"].items():
        title = f"{int(rate):,} frames/s: frame in our code to produce() returned;"
        yield _table(f"{title} due to delivery report", PACED, designs)
    yield _table("memory and garbage collection", MEMORY, report["memory"])
    if report["goals"]:
        rows = [[_yes(goal[name]) for name in GOALS] for goal in report["goals"]]
        yield "goals", GOALS, rows


def _table(title: str, columns: Mapping[str, str], designs: Mapping[str, Any]) -> Table:
    rows = [
        [design if not key else figures.get(key) for key in columns.values()]
        for design, figures in designs.items()
    ]
    return title, list(columns), rows


def _yes(value: object) -> object:
    return ("no", "yes")[value] if isinstance(value, bool) else value
