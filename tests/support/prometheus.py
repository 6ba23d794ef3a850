"""A real Prometheus for the alerts tier, and promtool, its judge of rules.

Both come from the Debian package `prometheus` (`make tools`).
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml

from tests.support.running import wait_until
from tests.support.servers import LocalServer, free_ports

RULES = Path(__file__).parents[2] / "helm/feedbridge/rules/feedbridge.yaml"
PROGRAMS = ("prometheus", "promtool")
SCRAPE = "500ms"
WINDOW = "10s"
ANSWER_SECONDS = 5.0
STOP_SECONDS = 20.0
_RANGE = re.compile(r"\[\d+[smhd]\]")


@functools.cache
def missing() -> str | None:
    """Say what the alerts tier lacks here; None if it can run."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if not lacking:
        return None
    return (
        f"{' and '.join(lacking)} not on the search path "
        "(Debian: apt-get install prometheus)"
    )


def promtool(*arguments: str, folder: Path | None = None) -> tuple[bool, str]:
    """Run promtool; return whether it is content, and what it said."""
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode == 0, done.stdout + done.stderr


def rule_groups(path: Path = RULES) -> dict[str, Any]:
    """Return the rule file as plain values."""
    tree: dict[str, Any] = yaml.safe_load(path.read_text())
    return tree


def alerts(path: Path = RULES) -> list[dict[str, Any]]:
    """Return every alert of the rule file, in its order."""
    groups = rule_groups(path)["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def hastened(
    tree: Mapping[str, Any], thresholds: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Return the rules as a test of a minute can see them; nothing else is changed.

    Three substitutions: every `for` becomes a second, every range (`[5m]`) becomes
    `WINDOW`, and `thresholds` replaces one text by another in the expression of the
    alert that it names, where the true one would take minutes to pass.
    """
    changed: dict[str, Any] = json.loads(json.dumps(tree))
    for group in changed["groups"]:
        for rule in group["rules"]:
            _hasten(rule, thresholds.get(rule["alert"]))
    return changed


def _hasten(rule: dict[str, Any], threshold: tuple[str, str] | None) -> None:
    if "for" in rule:
        rule["for"] = "1s"
    if threshold:
        old, new = threshold
        assert old in rule["expr"], f"{rule['alert']}: no {old!r} in {rule['expr']}"
        rule["expr"] = rule["expr"].replace(old, new)
    rule["expr"] = _RANGE.sub(f"[{WINDOW}]", rule["expr"])


class RealPrometheus:
    """A Prometheus on loopback that scrapes `targets` and evaluates `rules`."""

    def __init__(
        self, folder: Path, rules: Mapping[str, Any], targets: Sequence[str]
    ) -> None:
        """Write its configuration; nothing runs before `start`.

        Args:
            folder: an empty folder of its own.
            rules: a tree with `groups`.
            targets: `host:port` of what it scrapes, as job `feedbridge`.
        """
        (self._port,) = free_ports(1)
        (folder / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
        self._config = folder / "prometheus.yaml"
        self._targets = folder / "targets.json"
        self.scrape(targets)
        self._config.write_text(yaml.safe_dump(self._settings()))
        self._server = LocalServer(self._command(folder), folder, {})

    def _settings(self) -> dict[str, Any]:
        discovered = {"files": [str(self._targets)], "refresh_interval": "1s"}
        return {
            "global": {
                "scrape_interval": SCRAPE,
                "scrape_timeout": SCRAPE,
                "evaluation_interval": SCRAPE,
            },
            "rule_files": ["rules.yaml"],
            "scrape_configs": [
                {"job_name": "feedbridge", "file_sd_configs": [discovered]}
            ],
        }

    def _command(self, folder: Path) -> list[str]:
        program = shutil.which("prometheus")
        assert program, missing()
        return [
            program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]

    def scrape(self, targets: Sequence[str]) -> None:
        """Change what is scraped; it is picked up within a second."""
        made = self._targets.with_suffix(".new")
        made.write_text(json.dumps([{"targets": list(targets)}]))
        made.replace(self._targets)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._server.start()
        wait_until(self._is_ready, "Prometheus answers")

    def close(self) -> None:
        """End it."""
        self._server.signal(signal.SIGTERM)
        self._server.wait(STOP_SECONDS)

    def log(self) -> str:
        """Return what it has printed (warnings and errors)."""
        return self._server.log()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the instant vector of a PromQL expression."""
        asked = urllib.parse.urlencode({"query": expression})
        found: list[dict[str, Any]] = self._get(f"/api/v1/query?{asked}")["result"]
        return found

    def states(self) -> dict[str, set[str]]:
        """Return the states (pending, firing) of every alert that is not inactive."""
        found: dict[str, set[str]] = {}
        for alert in self._get("/api/v1/alerts")["alerts"]:
            found.setdefault(alert["labels"]["alertname"], set()).add(alert["state"])
        return found

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {name for name, states in self.states().items() if "firing" in states}

    def texts(self, names: set[str]) -> list[str]:
        """Return what the alerts of these names say, filled in."""
        return [
            text
            for alert in self._get("/api/v1/alerts")["alerts"]
            if alert["labels"]["alertname"] in names
            for text in alert["annotations"].values()
        ]

    def _is_ready(self) -> bool:
        assert self._server.is_alive(), self.log()[-3000:]
        try:
            self._get("/api/v1/status/runtimeinfo")
        except (URLError, OSError):
            return False
        return True

    def _get(self, path: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._port}{path}"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as reply:
            data: dict[str, Any] = json.load(reply)["data"]
        return data


@contextmanager
def prometheus(
    folder: Path, rules: Mapping[str, Any], targets: Sequence[str]
) -> Iterator[RealPrometheus]:
    """Run a Prometheus for the length of a `with` block."""
    made = RealPrometheus(folder, rules, targets)
    try:
        made.start()
        yield made
    finally:
        made.close()
