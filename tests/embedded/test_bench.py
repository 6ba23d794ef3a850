"""`feedbridge bench` as a person starts it, for two seconds."""

import json

import pytest

from bridge.cli import main

ARGUMENTS = "bench --json --rounds 1 --seconds 0.4 --kinds mix --rates 1000"


@pytest.mark.timeout(120)
def test_a_short_run_adds_up_and_says_so_in_json(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Each run received and delivered exactly what was sent, and tells its figures."""
    assert main([*ARGUMENTS.split(), "--designs", "naive,floor,feedbridge"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["whole"]
    assert len(report["results"]) == 6
    for result in report["results"]:
        assert result["asked"] == result["received"] == result["delivered"] > 0
    assert set(report["flood"]["mix"]) == {"naive", "floor", "feedbridge"}
    assert report["flood"]["mix"]["feedbridge"]["x_naive"] > 1
    assert report["paced"]["1000"]["feedbridge"]["p99"] > 0
    assert report["memory"]["floor"]["idle_mb"] > 0


def test_an_unknown_design_is_refused_before_anything_runs(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The message names what there is; the exit code is that of settings."""
    assert main(["bench", "--designs", "nave"]) == 2
    assert "'nave'" in capfd.readouterr().err
