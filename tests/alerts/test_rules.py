"""The alert rules against promtool, the metric table and the runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.core.metric_table import BY_NAME, PREFIX, Kind, values_of
from tests.support.prometheus import RULES, alerts, promtool, rule_groups
from tests.support.promql import asked

HERE = Path(__file__).parent
CASES = HERE / "rules_test.yaml"
RUNBOOK = HERE.parents[1] / "docs/runbook.md"
PARTS = ("**Means**", "**Look at**", "**Do**", "**Threshold**")
TARGET_LABELS = {"job", "instance", "namespace", "pod"}
SUFFIXES = ("_bucket", "_sum", "_count")

EVERY = pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])


def cases() -> dict[str, list[dict[str, Any]]]:
    """Return promtool's tests, by the alert that they are named after."""
    found: dict[str, list[dict[str, Any]]] = {}
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        found.setdefault(case["name"], []).append(case)
    return found


def sections() -> dict[str, str]:
    """Return the runbook's sections about alerts, by heading."""
    parts = re.split(r"^## (Feedbridge\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def labels_of(series: str) -> frozenset[str]:
    """Return the labels that the table gives a series; fails if it has no such one."""
    name = series.removeprefix(PREFIX)
    if name in BY_NAME and BY_NAME[name].kind is not Kind.HISTOGRAM:
        return frozenset(BY_NAME[name].labels)
    stem = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), "")
    assert stem in BY_NAME, f"{series} is not exported"
    assert BY_NAME[stem].kind is Kind.HISTOGRAM, f"{series}: {stem} is no histogram"
    return frozenset((*BY_NAME[stem].labels, "le"))


def test_promtool_takes_the_rules() -> None:
    good, said = promtool("check", "rules", str(RULES))
    assert good, said


def test_every_alert_fires_and_resolves_as_the_cases_say() -> None:
    good, said = promtool("test", "rules", str(CASES))
    assert good, said


@EVERY
def test_no_alert_is_without_a_firing_and_a_resolving_case(
    rule: dict[str, Any],
) -> None:
    """Its cases see it firing, and nothing of it before and after."""
    name = rule["alert"]
    seen = [
        (_seconds(test["eval_time"]), bool(test["exp_samples"]))
        for case in cases().get(name, [])
        for test in case["promql_expr_test"]
        if f'alertname="{name}"' in test["expr"]
    ]
    fires = [at for at, firing in seen if firing]
    quiet = [at for at, firing in seen if not firing]
    assert fires, f"{name} has no case in which it fires"
    assert min(quiet) < min(fires), f"{name} has no case in which it is quiet before"
    assert max(quiet) > max(fires), f"{name} has no case in which it resolves"


def test_no_case_is_about_an_alert_that_is_gone() -> None:
    assert set(cases()) == {rule["alert"] for rule in alerts()}


def test_alert_names_are_unique() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))


@EVERY
def test_an_alert_asks_only_for_what_is_exported(rule: dict[str, Any]) -> None:
    found = asked(rule["expr"], PREFIX)
    assert found.series
    known = set(TARGET_LABELS)
    for series, matched in found.series:
        labels = labels_of(series)
        assert matched <= labels | TARGET_LABELS, f"{series} has no {matched - labels}"
        known |= labels
    assert found.grouped <= known


@EVERY
def test_an_alert_matches_values_that_exist(rule: dict[str, Any]) -> None:
    """A misspelt value, such as UNRESOLVD, would never fire."""
    matchers = re.findall(r'(feedbridge_\w+)\{(\w+)!?="(\w+)"\}', rule["expr"])
    assert len(matchers) == rule["expr"].count("{")
    for series, label, value in matchers:
        allowed = values_of(BY_NAME[series.removeprefix(PREFIX)], label)
        assert allowed is None or value in allowed, f"{series}: no {label}={value}"


@EVERY
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert len(notes["summary"]) <= 100


@EVERY
def test_texts_name_labels_that_the_alert_keeps(rule: dict[str, Any]) -> None:
    """An unknown label would leave an empty place in the sentence."""
    text = " ".join(rule["annotations"].values())
    named = set(re.findall(r"\$labels\.(\w+)", text))
    by = re.search(r"\bby \(([^)]*)\)", rule["expr"])
    lost = re.search(r"\bwithout \(([^)]*)\)", rule["expr"])
    if by:
        kept = {label.strip() for label in by[1].split(",")}
    else:
        first = asked(rule["expr"], PREFIX).series[0][0]
        kept = (set(labels_of(first)) | TARGET_LABELS) - set(
            lost[1].split(", ") if lost else ()
        )
    assert named <= kept


@EVERY
def test_the_runbook_has_a_whole_section_for_the_alert(rule: dict[str, Any]) -> None:
    section = sections().get(rule["alert"], "")
    assert [part for part in PARTS if part not in section] == []
    assert f"`{rule['labels']['severity']}`" in section


def test_the_runbook_has_no_section_without_an_alert() -> None:
    assert set(sections()) == {rule["alert"] for rule in alerts()}


def test_the_rules_are_plain_groups() -> None:
    """The chart puts the file as it is into the spec of a PrometheusRule."""
    tree = rule_groups()
    assert set(tree) == {"groups"}
    names = [group["name"] for group in tree["groups"]]
    assert len(names) == len(set(names))


def _seconds(text: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms])", text))
