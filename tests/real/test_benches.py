"""The measuring programs for many workers, each in its shortest form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import soak, takeover, workers

pytestmark = pytest.mark.timeout(300)


def test_takeover_times_both_ways_to_go_and_the_return(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only what must move does, and its time is known."""
    words = [
        "--times",
        "1",
        "--workers",
        "2",
        "--books",
        "12",
        "--protocols",
        "classic",
    ]
    code = takeover.main([*words, "--json"])
    said = json.loads(capsys.readouterr().out)

    assert code == 0, said
    by_event = {case["event"]: case for case in said["cases"]}
    assert by_event.keys() == {"SIGTERM", "SIGKILL", "return"}
    assert all(case["moves"] for case in by_event.values())
    # A killed worker is missed only when its session is over.
    assert by_event["SIGTERM"]["max"] < by_event["SIGKILL"]["p50"]


def test_two_workers_share_a_flood(capsys: pytest.CaptureFixture[str]) -> None:
    """Both counts have a figure, and memory has a slope."""
    words = ["--rounds", "1", "--seconds", "1", "--books", "5", "40"]
    code = workers.main([*words, "--broker", "embedded", "--json"])
    said = json.loads(capsys.readouterr().out)

    assert code == 0
    assert all(one["least"] > 0 for one in said["throughput"]["workers"].values())
    assert all(rate > 0 for rate in said["throughput"]["offered"].values())
    assert said["memory"]["base_mb"] > 0


def test_a_short_soak_draws_and_judges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every series of every worker is judged; half a minute proves no more."""
    plot = tmp_path / "soak.svg"
    code = soak.main(["--minutes", "0.5", "--out", str(plot), "--json"])
    said = json.loads(capsys.readouterr().out)

    assert code == (0 if said["flat"] else 1)
    assert said["series"].keys() == {"worker-0", "worker-1"}
    assert all(count > 0 for count in said["acknowledged"].values())
    assert set(said["failed"].values()) == {0}
    assert plot.read_text().startswith("<svg")
