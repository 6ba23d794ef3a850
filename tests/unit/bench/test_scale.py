"""The simulation of large groups: small runs, and figures that must hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench import scale
from bench.scale_model import fewest, wishes, world
from bench.scale_recovery import BROKER_SESSION_S, CONNECT_S, Wait, percentiles
from bridge.venues import VENUES

SMALL = ("--workers", "1,3,5", "--subscriptions", "60", "--partitions", "4,12")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert scale.main([*SMALL, "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_same_seed_gives_the_same_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing depends on the clock or on the order of sizes."""
    assert run(capsys, "--seed", "7") == run(capsys, "--seed", "7")
    assert run(capsys, "--seed", "7") != run(capsys, "--seed", "8")


def test_no_more_partitions_move_than_must(capsys: pytest.CaptureFixture[str]) -> None:
    """Joins, losses and rolling restarts cost what any even deal would cost."""
    rows = run(capsys)["movement"]

    assert [(row["workers"], row["partitions"]) for row in rows] == [
        (1, 4), (3, 4), (1, 12), (3, 12), (5, 12),
    ]  # fmt: skip
    pairs = [
        row[event]
        for row in rows
        for event in ("join", "leave_or_kill", "rolling_restart")
        if row[event] is not None
    ]
    assert all(moved == least for moved, least in pairs)
    [three] = [row for row in rows if (row["workers"], row["partitions"]) == (3, 12)]
    assert three["join"] == [3, 3]
    assert three["leave_or_kill"] == [4, 4]
    assert three["rolling_restart"] == [24, 24]


def test_everything_is_dealt(capsys: pytest.CaptureFixture[str]) -> None:
    """One worker carries all; of several, the heaviest more than the mean."""
    rows = run(capsys)["balance"]

    assert [r["most_bindings"] for r in rows if r["workers"] == 1] == [60, 60]
    assert [r["imbalance"] for r in rows if r["workers"] == 1] == [1, 1]
    assert all(r["imbalance"] > 1 for r in rows if r["workers"] > 1)


def test_a_crash_is_noticed_after_the_session(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Stopping is faster, and a broker's own session of 45 s slower."""
    rows = run(capsys, "--session-timeout", "12")["recovery"]
    found = [row for row in rows if row["sigkill_classic_s"]]

    assert found
    for row in found:
        assert row["sigterm_classic_s"][0] < row["sigkill_classic_s"][0]
        assert row["sigkill_classic_s"][0] > 12 * 5 / 6 + CONNECT_S
        assert row["sigkill_kip848_s"][0] > BROKER_SESSION_S * 5 / 6


def test_what_is_beyond_the_limit_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing recovers where there is no room for a connection."""
    monkeypatch.setattr("bench.scale_recovery.CAP", 0)
    for row in run(capsys)["recovery"]:
        assert row["over_the_limit"] == row["lost_bindings"] > 0
        assert row["sigkill_classic_s"] is None


def test_the_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Every table has a title and a row for each size."""
    scale.main([*SMALL])
    lines = capsys.readouterr().out.splitlines()

    for title in scale.TITLES.values():
        assert title in lines
    assert any(line.startswith("| 60 | 3 | 12 | ") for line in lines)


def test_the_wishes_are_as_many_as_asked_for_and_valid() -> None:
    """The venues themselves find nothing wrong with them."""
    sources = wishes(303, scale._chance(scale._arguments([]), 1))

    assert sum(len(source.wanted) for source in sources) == 303
    assert [VENUES[source.venue].problems(source) for source in sources] == [[]] * 5


def test_a_world_has_every_wish_once() -> None:
    """The loads of the partitions come to what was wished."""
    the = world(100, 7, scale._chance(scale._arguments([]), 1))

    assert sum(load.bindings for load in the.loads.values()) == 100
    plans = [plan for found in the.plans.values() for plan in found]
    assert sum(len(plan.bindings) for plan in plans) == 100
    counted = sum(load.connections.total() for load in the.loads.values())
    assert counted == len(plans)


def test_percentiles_weigh_bindings() -> None:
    """A connection with many bindings counts for all of them."""
    assert percentiles([Wait(9.0, 1), Wait(1.0, 98), Wait(5.0, 1)]) == [1.0, 5.0, 9.0]
    assert percentiles([]) is None


def test_the_fewest_moves() -> None:
    """Orphans move, and what is too much; nothing else."""
    assert fewest({"a": [0, 1], "b": [2, 3]}, ["a", "b"], 4) == 0
    assert fewest({"a": [0, 1], "b": [2, 3]}, ["a"], 4) == 2
    assert fewest({"a": [0, 1, 2], "b": []}, ["a", "b"], 3) == 1
