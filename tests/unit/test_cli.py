"""The command line: exit codes, errors a line a cause, no tracebacks, no secrets."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge import __version__, cli
from bridge.errors import (
    BridgeError,
    ConfigError,
    KafkaError,
    SchemaError,
    Undelivered,
    VenueRefused,
    VenueUnreachable,
)
from bridge.verbs import table


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def main(_args: argparse.Namespace) -> int:
        raise error

    verb = SimpleNamespace(main=main)
    monkeypatch.setattr("bridge.cli.importlib.import_module", lambda _name: verb)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BridgeError("x"), 1),
        (ConfigError(["x"]), 2),
        (VenueRefused("desk", "x"), 3),
        (VenueUnreachable("desk", "x"), 1),
        (SchemaError("x"), 4),
        (KafkaError("x"), 5),
        (Undelivered("x"), 6),
        (ValueError("x"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit code says what kind of thing went wrong, without a traceback."""
    failing(monkeypatch, error)

    assert cli.main(["run"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_chain_of_causes_is_one_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happened comes first, what caused it below."""
    error = KafkaError("no broker\nanswered")
    error.__cause__ = OSError("connection refused")
    failing(monkeypatch, error)
    cli.main(["run"])

    assert capsys.readouterr().err.splitlines() == [
        "feedbridge: no broker answered",
        "  because: OSError: connection refused",
    ]


def test_an_unexpected_error_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A traceback is shown with -v only."""
    failing(monkeypatch, ValueError("odd"))
    cli.main(["run"])
    quiet = capsys.readouterr().err
    cli.main(["run", "-v"])
    loud = capsys.readouterr().err
    cli.main(["-v", "run"])

    assert quiet.splitlines() == [
        "feedbridge: ValueError: odd",
        "  run with -v for a traceback",
    ]
    assert "Traceback" in loud
    assert "Traceback" in capsys.readouterr().err


def test_with_json_an_error_is_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program reads problems from standard output, a person from standard error."""
    failing(monkeypatch, ConfigError(["a: b", "c: d"]))
    code = cli.main(["check", "--json"])
    out, err = capsys.readouterr()

    assert code == 2
    assert json.loads(out) == {
        "error": {"code": "CONFIG", "exit_code": 2, "problems": ["a: b", "c: d"]}
    }
    assert err.splitlines() == ["feedbridge: settings: 2 problems", "  a: b", "  c: d"]


@pytest.mark.parametrize(
    "argv", [[], ["fly"], ["tail"], ["simulate"], ["demo", "--seconds", "-1"]]
)
def test_a_wrong_command_line_is_exit_2(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage errors are settings errors."""
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)

    assert caught.value.code == 2
    assert "usage: feedbridge" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` says what is installed."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])

    assert caught.value.code == 0
    assert capsys.readouterr().out == f"feedbridge {__version__}\n"


@pytest.mark.parametrize("verb", sorted(table.VERBS))
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of each verb says what it does."""
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])

    assert caught.value.code == 0
    assert table.VERBS[verb].text in " ".join(capsys.readouterr().out.split())


def test_help_imports_no_verb() -> None:
    """`--help` is fast: neither Kafka nor settings are imported for it."""
    code = (
        "import sys\nfrom bridge import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(set(sys.modules) & {'confluent_kafka', 'pydantic', 'rich'}))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert out.splitlines()[-1] == "[]"


def feedbridge(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge.cli", *argv],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environ},
        timeout=50,
    )


BAD = """\
kafka: {bootstrap_server: x, queue_megabytes: lots, options: {sasl.password: hunter2}}
finery:
  desk: {secret: hunter2, subscriptions: [book.tradable:BTC-USD, book.tradable:BTC-USD]}
  other: {subscriptions: [orders], passwort: hunter2}
cfbenchmarks:
  desk: {subscriptions: [value:BRTI]}
"""


@pytest.mark.parametrize("verb", ["check", "run", "topics", "verify", "tail"])
def test_bad_settings_are_exit_2_with_all_problems(verb: str, tmp_path: Path) -> None:
    """Every verb lists every problem, without a traceback and without a secret."""
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    more = {"tail": ["t"], "verify": ["t"]}.get(verb, [])
    done = feedbridge(verb, *more, "--config", str(file), FEEDBRIDGE_TYPO="hunter2")
    lines = done.stderr.splitlines()
    paths = {line.strip().partition(": ")[0] for line in lines[1:]}

    assert done.returncode == 2
    assert {
        "kafka.bootstrap_server",
        "kafka.queue_megabytes",
        "kafka.options.sasl.password",
        "finery.desk.secret",
        "finery.desk.subscriptions",
        "finery.other.passwort",
        "cfbenchmarks.desk",
        "FEEDBRIDGE_TYPO",
    } <= paths
    assert lines[0] == f"feedbridge: settings: {len(lines) - 1} problems"
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`feedbridge ... | head` ends without a word."""
    script = (
        f"{sys.executable} -m bridge.cli schemas list --json | head -c 1; "
        "echo; echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
        cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[", "0"]
