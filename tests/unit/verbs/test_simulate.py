"""`feedbridge simulate` and `demo`, as a person starts them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import cli


def start(*argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("venue", ["finery", "cfbenchmarks"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_simulator_tells_its_address_and_stops_when_told(
    venue: str, number: signal.Signals
) -> None:
    """The first line is all that a client needs; a signal ends it with 0."""
    process = start("simulate", venue, "--json", "--seed", "7")
    assert process.stdout is not None
    facts = json.loads(process.stdout.readline())
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 0
    assert errors == ""
    assert facts["url"].startswith("ws://127.0.0.1:")
    assert facts["venue"] == venue


def test_a_simulator_that_cannot_listen_is_exit_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An address of another machine is a wrong setting."""
    argv = ["simulate", "finery", "--host", "192.0.2.1", "--seconds", "0"]

    assert cli.main(argv) == 2
    assert "simulate: cannot listen on 192.0.2.1" in capsys.readouterr().err


def test_a_certificate_needs_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One without the other is a wrong setting."""
    argv = ["simulate", "cfbenchmarks", "--tls-cert", str(tmp_path)]

    assert cli.main(argv) == 2
    assert "--tls-cert and --tls-key go together" in capsys.readouterr().err


def test_the_demo_fills_its_topics_and_is_complete() -> None:
    """One command, no dependency: records on every topic, and no hole."""
    process = start("demo", "--seconds", "5", "--json")
    out, errors = process.communicate(timeout=50)
    found = json.loads(out)
    faults = {t: f for t, f in found["topics"].items() if not f["complete"]}

    assert faults == {}
    assert process.returncode == 0, errors
    assert errors == ""
    assert found["complete"] is True
    assert found["topics_with_records"] >= 12
    assert found["topics_without_records"] == []
    assert found["other_topics"]["feedbridge.dead-letter"] == 0
    assert all(facts["subscriptions"] for facts in found["topics"].values())


def test_the_demo_draws_its_table_once_without_a_terminal() -> None:
    """Piped into a file, the demo is a table and a verdict."""
    process = start("demo", "--seconds", "3")
    out, errors = process.communicate(timeout=50)

    assert process.returncode == 0, errors
    assert out.count("feedbridge demo") == 1
    assert "finery.book.tradable" in out
    assert out.splitlines()[-1].endswith("complete: no hole")
