"""Pytest plugin: sorts tests into tiers by folder and reports which tiers ran.

A tier whose dependency is missing is skipped by name, with the reason.
With CI=true or FEEDBRIDGE_TIERS=all, a tier that did not run is a failure.
"""

import os
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pytest

FOLDERS = (
    "unit",
    "properties",
    "hostile",
    "simulators",
    "embedded",
    "conformance",
    "chart",
    "page",
    "alerts",
    "image",
    "real",
    "chaos",
)
NOT_ASKED = "not asked for"


def _missing_real() -> str | None:
    from tests.support import downloads

    return downloads.missing()


def _missing_chart() -> str | None:
    from tests.support import helm

    return helm.missing()


def _missing_page() -> str | None:
    from tests.support import chromium

    return chromium.missing()


def _missing_alerts() -> str | None:
    from tests.support import prometheus

    return prometheus.missing()


def _missing_image() -> str | None:
    from tests.image import engine

    return engine.missing()


NEEDS: dict[str, Callable[[], str | None]] = {
    "chart": _missing_chart,
    "page": _missing_page,
    "alerts": _missing_alerts,
    "image": _missing_image,
    "real": _missing_real,
    "chaos": _missing_real,
}


@dataclass
class TierCount:
    """What became of one tier in this run."""

    missing: str | None = None
    asked: bool = True
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def state(self) -> str:
        """The table's middle column."""
        if not self.asked:
            return NOT_ASKED
        if self.missing:
            return f"skipped: {self.missing}"
        return "ran" if self.ran else "skipped: each of its tests was skipped"

    @property
    def ran(self) -> bool:
        """Whether at least one test of it came to a verdict."""
        return bool(self.outcomes["passed"] or self.outcomes["failed"])


def tier_of(nodeid: str) -> str:
    """Name the tier of a test: the folder below `tests`, else `unit`."""
    parts = PurePosixPath(nodeid.partition("::")[0]).parts
    below = parts[parts.index("tests") + 1 :] if "tests" in parts else parts
    return below[0] if len(below) > 1 else "unit"


def is_strict() -> bool:
    """Tell whether the environment says that no tier may be missing."""
    everything = os.environ.get("FEEDBRIDGE_TIERS") == "all"
    return everything or os.environ.get("CI") == "true"


class Tiers:
    """Counts one run; registered as a plugin of its own."""

    def __init__(self, wanted: frozenset[str], *, strict: bool) -> None:
        self.wanted = wanted
        self.strict = strict
        self.counts: dict[str, TierCount] = {}

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Drop what was not asked for and mark what cannot run."""
        dropped = [i for i in items if not self._is_wanted(tier_of(i.nodeid))]
        for item in dropped:
            self.counts[tier_of(item.nodeid)] = TierCount(asked=False)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = [i for i in items if self._is_wanted(tier_of(i.nodeid))]
        items.sort(key=lambda item: _rank(tier_of(item.nodeid)))
        for item in items:
            self._mark(item)

    def _is_wanted(self, tier: str) -> bool:
        return not self.wanted or tier in self.wanted

    def _mark(self, item: pytest.Item) -> None:
        tier = tier_of(item.nodeid)
        if tier not in self.counts:
            self.counts[tier] = TierCount(NEEDS.get(tier, _nothing)())
        if reason := self.counts[tier].missing:
            item.add_marker(pytest.mark.skip(reason=f"tier {tier}: {reason}"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a verdict once a test."""
        if report.when == "call" or report.outcome != "passed":
            count = self.counts.setdefault(tier_of(report.nodeid), TierCount())
            count.outcomes[report.outcome] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run where a missing tier is a failure."""
        if self.absent() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def absent(self) -> list[str]:
        """Say, a sentence a tier, what should have run and did not."""
        if not self.strict:
            return []
        return [
            f"Tier {name} must run here and did not: {count.state}."
            for name, count in sorted(self.counts.items())
            if count.asked and not count.ran
        ]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        """Print the table below everything else but the closing line."""
        yield
        if not self.counts or terminalreporter.config.option.collectonly:
            return
        terminalreporter.section("tiers")
        for line in self.table():
            terminalreporter.line(line)
        for sentence in self.absent():
            terminalreporter.line(sentence, red=True)

    def table(self) -> list[str]:
        """Lay out one line a tier."""
        names = sorted(self.counts, key=_rank)
        wide = max(len(self.counts[name].state) for name in names)
        header = f"{'tier':<12} {'':<{wide}} {'passed':>7} {'failed':>7} {'skipped':>8}"
        return [header, *(self._row(name, wide) for name in names)]

    def _row(self, name: str, wide: int) -> str:
        count = self.counts[name]
        passed, failed, skipped = (
            count.outcomes[word] for word in ("passed", "failed", "skipped")
        )
        numbers = f"{passed:>7} {failed:>7} {skipped:>8}"
        return f"{name:<12} {count.state:<{wide}} {numbers}"


def _nothing() -> None:
    return None


def _rank(tier: str) -> tuple[int, str]:
    return (FOLDERS.index(tier) if tier in FOLDERS else len(FOLDERS), tier)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that narrows a run."""
    parser.addoption("--tiers", default="", help="run only these, comma-separated")


def pytest_configure(config: pytest.Config) -> None:
    """Start counting."""
    names = str(config.getoption("--tiers")).split(",")
    wanted = frozenset(name.strip() for name in names if name.strip())
    if unknown := sorted(wanted - set(FOLDERS)):
        message = f"--tiers: no tier {', '.join(unknown)}; there are {FOLDERS}"
        raise pytest.UsageError(message)
    config.pluginmanager.register(Tiers(wanted, strict=is_strict()), "tier-counts")
