"""From results to figures: calibrated, medians over the rounds, ratios, goals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from bridge.bench.job import Result

Figures = dict[str, Any]
Case = tuple[str, str, int]

OURS, NAIVE, FLOOR = "feedbridge", "naive", "floor"
HUNDRED = 100


class Goal(NamedTuple):
    """One thing to reach: `path` leads to the figure in the report."""

    text: str
    path: tuple[str, ...]
    bound: float
    least: bool = False

    def judged(self, report: Mapping[str, Any]) -> Figures | None:
        """Return the goal beside what was measured; None if it was not."""
        found: Any = report
        for step in self.path:
            if step not in found or found[step] is None:
                return None
            found = found[step]
        met = found >= self.bound if self.least else found <= self.bound
        word = ">=" if self.least else "<="
        wanted = f"{word} {self.bound:g}"
        return {"goal": self.text, "wanted": wanted, "measured": found, "met": met}


def _paced(text: str, rate: int, figure: str, bound: float) -> Goal:
    return Goal(f"{text}, {rate:,}/s", ("paced", f"{rate}", OURS, figure), bound)


GOALS = (
    Goal("CPU against naive, mix", ("flood", "mix", OURS, "x_naive"), 4.5, least=True),
    Goal(
        "share of the raw floor, mix, %",
        ("flood", "mix", OURS, "of_floor_percent"),
        30,
        least=True,
    ),
    *(
        _paced(f"frame in our code to produce() returned, {name}, us", rate, name, most)
        for rate in (10_000, 50_000)
        for name, most in (("p50", 20), ("p99", 150), ("p99.9", 500))
    ),
    _paced("due to delivery report, p99, ms", 10_000, "ack_p99", 12),
    _paced("CPU, % of a core", 1_000, "cpu_percent", 12),
    Goal("longest GC pause, ms", ("memory", OURS, "gc_longest_ms"), 2),
    Goal("RSS when idle, MB", ("memory", OURS, "idle_mb"), 45),
    _paced("RSS, MB", 20_000, "rss_mb", 64),
)


def report(results: Sequence[Result], machine: Mapping[str, object]) -> Figures:
    """Return everything measured, JSON-ready."""
    fastest = min(r.calibration_s for r in results)
    cases = _by_case(results)
    made: Figures = {
        "machine": dict(machine),
        "runs": len(results),
        "whole": all(r.whole for r in results),
        "speed_spread": round(max(r.calibration_s for r in results) / fastest, 2),
        "flood": _flood(cases, fastest),
        "paced": _of_rates(cases, fastest),
        "memory": _memory(results),
    }
    made["goals"] = [judged for goal in GOALS if (judged := goal.judged(made))]
    made["results"] = [_plain(r) for r in results]
    return made


def _plain(result: Result) -> Figures:
    """Return a result without the addresses of the run."""
    job, names = result.job, result.__struct_fields__
    head = {"design": job.design, "kind": job.kind, "rate": job.rate, "turn": job.turn}
    rest = {n: getattr(result, n) for n in names if n != "job"}
    return {**head, "seconds": job.seconds, **rest}


def _by_case(results: Iterable[Result]) -> Mapping[Case, list[Result]]:
    cases: dict[Case, list[Result]] = defaultdict(list)
    for result in results:
        cases[result.job.design, result.job.kind, result.job.rate].append(result)
    return cases


def cpu_us(result: Result, fastest_s: float) -> float:
    """Return the CPU us a message, as if the machine had been in its fast state."""
    scale = fastest_s / result.calibration_s
    return result.cpu_s * scale * 1e6 / max(1, result.delivered)


def _flood(cases: Mapping[Case, list[Result]], fastest_s: float) -> Figures:
    found: Figures = defaultdict(dict)
    for (design, kind, rate), runs in cases.items():
        if rate:
            continue
        costs = [cpu_us(r, fastest_s) for r in runs]
        cost = median(costs)
        found[kind][design] = {
            "cpu_us": round(cost, 2),
            "frames_a_second_a_core": round(1e6 / cost),
            "wall_frames_a_second": round(median(r.delivered / r.wall_s for r in runs)),
            "x_naive": _ratio(cases, (NAIVE, kind, 0), costs, fastest_s),
            "of_floor_percent": _percent(cases, (FLOOR, kind, 0), costs, fastest_s),
            "peak_mb": _mb(max(r.memory_kb["peak"] for r in runs)),
        }
    return dict(found)


def _ratio(
    cases: Mapping[Case, list[Result]],
    other: Case,
    costs: Sequence[float],
    fastest_s: float,
) -> float | None:
    """Return the median over the rounds of another design's cost by this one's."""
    others = [cpu_us(r, fastest_s) for r in cases.get(other, ())]
    pairs = [theirs / ours for theirs, ours in zip(others, costs, strict=False)]
    return round(median(pairs), 2) if pairs else None


def _percent(
    cases: Mapping[Case, list[Result]],
    other: Case,
    costs: Sequence[float],
    fastest_s: float,
) -> float | None:
    share = _ratio(cases, other, [cost / HUNDRED for cost in costs], fastest_s)
    return None if share is None else round(share, 1)


def _of_rates(cases: Mapping[Case, list[Result]], fastest_s: float) -> Figures:
    found: Figures = defaultdict(dict)
    for (design, _, rate), runs in cases.items():
        if rate:
            found[f"{rate}"][design] = {
                "cpu_us": _middle(runs, lambda r: cpu_us(r, fastest_s)),
                "cpu_percent": _middle(runs, lambda r: _share(r, fastest_s)),
                **_latency(runs, "inside_us", ""),
                **_latency(runs, "acknowledged_ms", "ack_"),
                "rss_mb": _mb(max(r.memory_kb["running"] for r in runs)),
            }
    return dict(found)


def _share(result: Result, fastest_s: float) -> float:
    """Return the share of a core, calibrated, in percent."""
    scale = fastest_s / result.calibration_s
    return result.cpu_s * scale / result.wall_s * HUNDRED


def _latency(runs: Sequence[Result], of: str, prefix: str) -> dict[str, float]:
    names = runs[0].latency.get(of, {})
    return {
        f"{prefix}{name}": round(median(r.latency[of][name] for r in runs), 2)
        for name in names
    }


def _memory(results: Iterable[Result]) -> Figures:
    designs: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        designs[result.job.design].append(result)
    return {
        design: {
            "imports_mb": _mb(median(r.memory_kb["imports"] for r in runs)),
            "idle_mb": _mb(median(r.memory_kb["idle"] for r in runs)),
            "peak_mb": _mb(max(r.memory_kb["peak"] for r in runs)),
            "gc_longest_ms": max(r.gc_longest_ms for r in runs),
        }
        for design, runs in designs.items()
    }


def _middle(runs: Iterable[Result], of: Callable[[Result], float]) -> float:
    return round(median(of(r) for r in runs), 2)


def _mb(kilobytes: float) -> float:
    return round(kilobytes / 1000, 1)
