"""How results become figures: calibrated, medians, ratios of the same round, goals."""

from typing import Any

import pytest

from bridge.bench.figures import report
from bridge.bench.job import Job, Result
from bridge.bench.tables import tables

MACHINE = {"system": "here"}


def made(design: str, cpu_s: float, rate: int = 0, **changed: Any) -> Result:
    job = Job(design=design, kind="mix", rate=rate, seconds=1, turn=0)
    facts: dict[str, Any] = {
        "job": job,
        "asked": 1000,
        "received": 1000,
        "delivered": 1000,
        "failed": 0,
        "wall_s": 0.5,
        "cpu_s": cpu_s,
        "calibration_s": 1.0,
        "gc_pauses": 1,
        "gc_longest_ms": 0.2,
        "memory_kb": {
            "imports": 30_000,
            "idle": 40_000,
            "running": 50_000,
            "peak": 60_000,
        },
        "latency": {},
    }
    return Result(**(facts | changed))


def test_cpu_is_scaled_to_the_fastest_state() -> None:
    """A run in a state twice as slow counts half its CPU time."""
    results = [made("naive", 0.02, calibration_s=2.0), made("floor", 0.01)]
    flood = report(results, MACHINE)["flood"]["mix"]
    assert flood["naive"]["cpu_us"] == flood["floor"]["cpu_us"] == 10


def test_frames_a_second_follow_from_the_cpu_time() -> None:
    """A core gives as many frames a second as their CPU time fits into one."""
    flood = report([made("floor", 0.002)], MACHINE)["flood"]["mix"]["floor"]
    assert flood["frames_a_second_a_core"] == 500_000
    assert flood["wall_frames_a_second"] == 2000


def test_ratios_compare_runs_of_the_same_round() -> None:
    """Each round gives a ratio; the median of them is reported."""
    results = [
        *(made("naive", cpu) for cpu in (0.04, 0.08, 0.02)),
        *(made("floor", cpu) for cpu in (0.002, 0.004, 0.001)),
        *(made("feedbridge", cpu) for cpu in (0.01, 0.01, 0.01)),
    ]
    ours = report(results, MACHINE)["flood"]["mix"]["feedbridge"]
    assert (ours["x_naive"], ours["of_floor_percent"]) == (4.0, 20.0)


def test_what_was_not_run_has_no_ratio_and_no_goal() -> None:
    """Without the naive design there is nothing to compare with, and nothing fails."""
    made_report = report([made("feedbridge", 0.01)], MACHINE)
    assert made_report["flood"]["mix"]["feedbridge"]["x_naive"] is None
    assert [g["goal"] for g in made_report["goals"]] == [
        "longest GC pause, ms",
        "RSS when idle, MB",
    ]


@pytest.mark.parametrize(
    ("cpu_s", "met"), [(0.008, True), (0.02, False)], ids=["fast", "slow"]
)
def test_a_goal_says_whether_it_is_met(cpu_s: float, *, met: bool) -> None:
    """At least 4.5 times cheaper than the naive design is the first goal."""
    results = [made("naive", 0.04), made("feedbridge", cpu_s)]
    first = report(results, MACHINE)["goals"][0]
    assert first == {
        "goal": "CPU against naive, mix",
        "wanted": ">= 4.5",
        "measured": 0.04 / cpu_s,
        "met": met,
    }


@pytest.mark.parametrize(
    "changed", [{"delivered": 999}, {"received": 1001}, {"failed": 1}]
)
def test_a_run_that_does_not_add_up_is_told(changed: dict[str, int]) -> None:
    """Sent, received and delivered must be equal, and nothing may have failed."""
    assert report([made("floor", 1)], MACHINE)["whole"]
    assert not report([made("floor", 1, **changed)], MACHINE)["whole"]


def test_paced_runs_show_medians_of_their_percentiles() -> None:
    """The percentile of a rate is the median of the rounds' percentiles."""
    runs = [
        made("feedbridge", 0.1, 10_000, latency={"inside_us": {"p50": p50}})
        for p50 in (10.0, 90.0, 11.0)
    ]
    assert report(runs, MACHINE)["paced"]["10000"]["feedbridge"]["p50"] == 11.0


def test_every_figure_has_a_place_in_the_tables() -> None:
    """Flood, each rate, memory and goals give a table with a row a design."""
    results = [made("naive", 0.04), made("naive", 0.1, 1000), made("feedbridge", 0.01)]
    found = {title: rows for title, _, rows in tables(report(results, MACHINE))}
    assert [len(rows) for rows in found.values()] == [2, 1, 2, 3]
    assert found["flood, mix"][0][:3] == ["naive", 40.0, 25_000]
