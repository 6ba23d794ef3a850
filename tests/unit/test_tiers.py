"""The rules of the tier system, shown on runs of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiers import tier_of

ROOT = Path(__file__).parents[2]
PASSING = "def test_it():\n    pass\n"


def _runs(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run pytest in `folder`, where no Docker, Java, Maven or kcat is found."""
    kept = {k: v for k, v in os.environ.items() if k not in {"CI", "FEEDBRIDGE_TIERS"}}
    bare = {
        "PATH": "",
        "DOCKER_HOST": "unix:///nowhere",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.tiers"]
    return subprocess.run(
        [*command, "--import-mode=importlib", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**kept, **bare, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a project with one unit test and one real test."""
    for tier in ("unit", "real"):
        (tmp_path / "tests" / tier).mkdir(parents=True)
        (tmp_path / "tests" / tier / f"test_{tier}.py").write_text(PASSING)
    return tmp_path


def _row(output: str, tier: str) -> str:
    rows = [line for line in output.splitlines() if line.startswith(f"{tier} ")]
    assert len(rows) == 1, output
    return rows[0]


def test_missing_tier_is_skipped_by_name_with_the_reason(tree: Path) -> None:
    done = _runs(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _row(done.stdout, "unit").split() == ["unit", "ran", "1", "0", "0"]
    row = _row(done.stdout, "real")
    assert "skipped: kcat is not on the search path" in row
    assert row.split()[-3:] == ["0", "0", "1"]


def test_table_stands_right_above_the_closing_line(tree: Path) -> None:
    lines = [line for line in _runs(tree).stdout.splitlines() if line]
    assert "1 passed, 1 skipped" in lines[-1]
    assert lines[-2].startswith("real ")
    assert lines[-3].startswith("unit ")


@pytest.mark.parametrize("variable", [("CI", "true"), ("FEEDBRIDGE_TIERS", "all")])
def test_missing_tier_is_a_failure_where_all_must_run(
    tree: Path, variable: tuple[str, str]
) -> None:
    done = _runs(tree, **dict([variable]))
    assert done.returncode == 1
    assert "Tier real must run here and did not: skipped: kcat" in done.stdout


def test_tier_whose_tests_all_skip_themselves_is_a_failure_too(tree: Path) -> None:
    skipping = "import pytest\ndef test_it():\n    pytest.skip('no server')\n"
    (tree / "tests/unit/test_unit.py").write_text(skipping)
    (tree / "tests/real/test_real.py").unlink()
    done = _runs(tree, FEEDBRIDGE_TIERS="all")
    assert done.returncode == 1
    assert "Tier unit must run here and did not" in done.stdout


def test_tier_not_asked_for_is_no_failure(tree: Path) -> None:
    done = _runs(tree, "--tiers=unit", FEEDBRIDGE_TIERS="all")
    assert done.returncode == 0, done.stdout
    assert "not asked for" in _row(done.stdout, "real")


def test_unknown_tier_is_refused(tree: Path) -> None:
    done = _runs(tree, "--tiers=unti")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no tier unti" in done.stderr


def test_failing_test_keeps_its_own_verdict(tree: Path) -> None:
    (tree / "tests/unit/test_unit.py").write_text("def test_it():\n    assert 0\n")
    done = _runs(tree)
    assert done.returncode == 1
    assert _row(done.stdout, "unit").split() == ["unit", "ran", "0", "1", "0"]


@pytest.mark.parametrize(
    ("nodeid", "tier"),
    [
        ("tests/real/test_x.py::test_y", "real"),
        ("tests/unit/deep/test_x.py::test_y[a/b]", "unit"),
        ("tests/test_x.py::test_y", "unit"),
    ],
)
def test_folder_names_the_tier(nodeid: str, tier: str) -> None:
    assert tier_of(nodeid) == tier
