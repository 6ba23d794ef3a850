"""Judges whether what a worker holds stays the same over a long run.

The run is cut into six parts of equal length. The second and the last are compared by
their medians, so that a reconnect or a busy moment does not count; the first is left
out, since a worker fills its buffers then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

PARTS = 6
LONG_S = 600.0  # a slope per hour says nothing about a shorter run
MOST_SLOPES = 200

Points = Sequence[tuple[float, float]]  # seconds, value


class Rule(NamedTuple):
    """What must hold for one series: `most` of the last median, given the early one.

    `slope_an_hour` bounds the straight line through all but the first part.
    """

    text: str
    unit: str
    most: Callable[[float], float]
    words: str
    least: Callable[[float], float] = lambda _early: 0.0
    slope_an_hour: float | None = None


class Finding(NamedTuple):
    """One series judged; the slope is per hour."""

    name: str
    early: float
    late: float
    slope: float
    flat: bool


def _same(early: float) -> float:
    return early


RULES: Mapping[str, Rule] = {
    "rss_mb": Rule(
        "resident memory",
        "MB",
        lambda early: early * 1.03 + 1,
        "grows by at most 3 % and 1 MB, and by at most 6 MB an hour",
        slope_an_hour=6.0,
    ),
    "files": Rule("open files", "", _same, "stay equal", least=_same),
    "threads": Rule("threads", "", _same, "stay equal", least=_same),
    "tasks": Rule("asyncio tasks", "", _same, "stay equal", least=_same),
    "queue": Rule(
        "records waiting in librdkafka",
        "",
        lambda early: early * 2 + 100,
        "at most double, and 100 more",
    ),
    "objects": Rule(
        "objects the collector watches",
        "",
        lambda early: early * 1.05 + 500,
        "grow by at most 5 % and 500",
    ),
}


def judged(name: str, points: Points) -> Finding:
    """Judge one series by its rule; it must have a point in each part."""
    rule, parts = RULES[name], _parts(points)
    early, late = (_middle(part) for part in (parts[1], parts[-1]))
    slope = slope_an_hour([p for part in parts[1:] for p in part])
    flat = rule.least(early) <= late <= rule.most(early)
    if rule.slope_an_hour is not None and points[-1][0] - points[0][0] >= LONG_S:
        flat = flat and slope <= rule.slope_an_hour
    return Finding(name, early, late, slope, flat)


def _parts(points: Points) -> list[list[tuple[float, float]]]:
    start, end = points[0][0], points[-1][0]
    width = (end - start) / PARTS or 1.0
    parts: list[list[tuple[float, float]]] = [[] for _ in range(PARTS)]
    for at_s, value in points:
        parts[min(PARTS - 1, int((at_s - start) / width))].append((at_s, value))
    return parts


def _middle(part: Points) -> float:
    return median(value for _, value in part)


def slope_an_hour(points: Points) -> float:
    """Return the slope per hour: the median over pairs of points (Theil and Sen)."""
    step = max(1, len(points) // MOST_SLOPES)
    thin = points[::step]
    slopes = [
        (b[1] - a[1]) / (b[0] - a[0])
        for i, a in enumerate(thin)
        for b in thin[i + 1 :]
        if b[0] > a[0]
    ]
    return median(slopes) * 3600 if slopes else 0.0


def series(rows: Sequence[Mapping[str, Any]], name: str) -> Points:
    """Return one series of the samples."""
    return [(row["at_s"], row[name]) for row in rows]
