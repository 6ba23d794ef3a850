"""The dashboard against its script, the metric table and promtool."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bridge.core.metric_table import PREFIX, TABLE
from tests.alerts.test_rules import TARGET_LABELS, labels_of
from tests.support.prometheus import promtool
from tests.support.promql import asked

HOME = Path(__file__).parents[2]
SCRIPT = HOME / "scripts/dashboard.py"
DASHBOARD = HOME / "helm/feedbridge/dashboards/feedbridge.json"
SUFFIX = re.compile(r"_bucket$")
# What Grafana puts in the place of its variables.
CHOSEN = {"$__rate_interval": "1m", "$namespace": ".*", "$job": ".*", "$instance": "a"}


def model() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def expressions(kind: str = "") -> Iterator[str]:
    """Return the expressions of all panels, or of those of a kind."""
    for panel in model()["panels"]:
        if panel["type"] == (kind or panel["type"]):
            yield from (target["expr"] for target in panel.get("targets", ()))


def test_the_file_is_what_the_script_makes() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_its_rows_are_feeds_orders_kafka_and_workers() -> None:
    rows = [p["title"] for p in model()["panels"] if p["type"] == "row"]
    assert rows == ["Feeds", "Orders", "Kafka", "Workers"]


def test_every_expression_asks_for_what_is_exported() -> None:
    for expression in expressions():
        found = asked(expression, PREFIX)
        assert found.series, expression
        known = set(TARGET_LABELS)
        for series, matched in found.series:
            labels = labels_of(series)
            assert matched <= labels | TARGET_LABELS, expression
            assert matched >= {"namespace", "job", "instance"}, expression
            known |= labels
        assert found.grouped <= known, expression


def test_every_metric_is_in_exactly_one_panel_of_the_rows() -> None:
    shown = Counter(
        name
        for panel in model()["panels"]
        if panel["type"] == "timeseries"
        for name in {
            SUFFIX.sub("", series).removeprefix(PREFIX)
            for target in panel["targets"]
            for series, _ in asked(target["expr"], PREFIX).series
        }
    )
    assert shown == Counter(metric.name for metric in TABLE)


def test_legends_name_labels_that_the_series_have() -> None:
    for panel in model()["panels"]:
        for target in panel.get("targets", ()):
            ((series, _),) = set(asked(target["expr"], PREFIX).series)
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert named <= labels_of(series) | TARGET_LABELS, target


def test_promtool_takes_every_expression(tmp_path: Path) -> None:
    """As recording rules, with Grafana's variables put in."""
    rules = []
    for number, expression in enumerate(expressions()):
        for name, value in CHOSEN.items():
            expression = expression.replace(name, value)  # noqa: PLW2901 - step by step
        rules.append({"record": f"panel:{number}", "expr": expression})
    file = tmp_path / "dashboard.yaml"
    groups = [{"name": "dashboard", "rules": rules}]
    file.write_text(yaml.safe_dump({"groups": groups}))
    good, said = promtool("check", "rules", str(file))
    assert good, said
    assert f"{len(rules)} rules found" in said


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in model()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_it_belongs_to_no_installation() -> None:
    """The data source and everything else is chosen in Grafana."""
    sources = {p["datasource"]["uid"] for p in model()["panels"] if "datasource" in p}
    assert sources == {"${datasource}"}
    names = [v["name"] for v in model()["templating"]["list"]]
    assert names == ["datasource", "namespace", "job", "instance"]
