"""One source: schema and table are made from values.yaml, and every value is used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import bridge
from tests.chart.rendered import ci_file, rendered
from tests.support import chart_values, helm

TEMPLATES = helm.CHART / "templates"


def test_made_files_are_up_to_date() -> None:
    """Schema and README follow values.yaml (`python -m tests.support.chart_values`)."""
    for path, text in chart_values.made().items():
        assert path.read_text("utf-8") == text, f"{path.name} is out of date"


PEER = {"ipBlock": {"cidr": "192.0.2.0/24"}}
# What to set a value to, where a change of its default would not do.
CHANGED: dict[str, Any] = {
    "install": "kafka",
    "image.digest": "sha256:" + 64 * "a",
    "image.pullPolicy": "Always",
    "image.pullSecrets": ["x"],
    "settings": {"log": {"level": "debug"}},
    "secrets": [{"secret": "x", "at": "y"}],
    "configMaps": [{"configMap": "x", "at": "y"}],
    "env": [{"name": "X", "value": "y"}],
    "externalSecrets": [
        {
            "name": "x",
            "store": {"kind": "SecretStore", "name": "s"},
            "keys": {"k": {"key": "x"}},
        }
    ],
    "podDisruptionBudget.maxUnavailable": "50%",
    "spread.hosts": "Off",
    "spread.zones": "Off",
    "autoscaling.kind": "none",
    "autoscaling.minReplicas": 4,
    "setup.backoffLimit": 1,
    "networkPolicy.dns.ports": [5353],
    "networkPolicy.kafka.ports": [1],
    "networkPolicy.registry.ports": [1],
    "networkPolicy.venues.ports": [1],
    "serviceMonitor.interval": "31s",
    "serviceMonitor.scrapeTimeout": "7s",
    "serviceMonitor.relabelings": [{"action": "drop"}],
    "serviceMonitor.metricRelabelings": [{"action": "drop"}],
    "strimzi.apiVersion": "kafka.strimzi.io/v1beta2",
    "strimzi.topics": [{"topic": "x", "partitions": 1}],
    "strimzi.authentication": "tls",
    "strimzi.senders": [],
    "pod.tolerations": [{"operator": "Exists"}],
    "pod.affinity": {"podAffinity": {}},
}
# Values that only some installations read -> one of them.
BASES = {
    "replicas": "minimal",
    "image.tag": "minimal",
    "autoscaling.commandLag": "orders",
    "autoscaling.kedaAuthentication": "orders",
    "strimzi": "strimzi",
}


def _read() -> tuple[chart_values.Value, ...]:
    return chart_values.values((helm.CHART / "values.yaml").read_text("utf-8"))


def _changed(value: chart_values.Value) -> Any:
    if value.path in CHANGED:
        return CHANGED[value.path]
    match value.default:
        case bool():
            return not value.default
        case int():
            return value.default + 61
        case str():
            return f"{value.default}x"
        case dict():
            return {"cpu": "7"}
    return [PEER]


def _base(path: str) -> str:
    return BASES.get(path) or BASES.get(path.partition(".")[0], "full")


def _nested(path: str, value: Any) -> Any:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize(
    "value", list(chart_values._leaves(_read())), ids=lambda value: value.path
)
def test_every_value_makes_a_difference(value: chart_values.Value) -> None:
    """No value is declared that changes nothing."""
    base = _base(value.path)
    over = _nested(value.path, _changed(value))
    if value.path.endswith(".enabled"):
        wanted = _nested(value.path, True), _nested(value.path, False)
        assert _render(base, wanted[0]) != _render(base, wanted[1])
    else:
        if value.path == "install":
            over["strimzi"] = {"topics": CHANGED["strimzi.topics"]}
        assert _render(base, over) != list(rendered(base))


def _render(base: str, over: dict[str, Any]) -> list[helm.Manifest]:
    return helm.template(ci_file(base), values=over)


def test_every_use_is_declared() -> None:
    """No template reads a value that is not declared."""
    used = "".join(p.read_text("utf-8") for p in TEMPLATES.rglob("*") if p.is_file())
    values = yaml.safe_load((helm.CHART / "values.yaml").read_text("utf-8"))
    for path in set(re.findall(r"\.Values\.([A-Za-z.]+)", used)):
        at = values
        for part in path.split("."):
            if path.startswith("settings.") and at is values["settings"]:
                break
            assert part in at, path
            at = at[part]


def test_a_value_without_a_comment_is_an_error() -> None:
    """The values file is the documentation."""
    with pytest.raises(ValueError, match=r"a\.b has no comment"):
        chart_values.values("# Text.\na:\n  b: 1\n")


def test_objects_are_strict() -> None:
    """Each object of the schema refuses unknown names, or says that it is free."""
    read = _read()
    whole = chart_values.schema(read)
    free = {"settings", "pod.affinity"}
    for value in _all(read):
        shape = chart_values._schema_of(value)
        if shape.get("type") == "object" and value.path not in free:
            assert shape.get("additionalProperties") is not True, value.path
            assert "additionalProperties" in shape, value.path
    assert whole["additionalProperties"] is False


def _all(read: tuple[chart_values.Value, ...]) -> list[chart_values.Value]:
    return [one for value in read for one in (value, *_all(value.inner))]


def test_the_chart_goes_with_this_version() -> None:
    """Chart and program are released together."""
    chart = yaml.safe_load((helm.CHART / "Chart.yaml").read_text("utf-8"))
    assert str(chart["appVersion"]) == bridge.__version__


def test_no_foreign_images_and_no_subcharts() -> None:
    """Nothing runs but feedbridge, and nothing is pulled in."""
    chart = yaml.safe_load((helm.CHART / "Chart.yaml").read_text("utf-8"))
    assert "dependencies" not in chart
    assert not (helm.CHART / "charts").exists()
    images = re.findall(r"^\s*image: (.*)$", _text(TEMPLATES), re.MULTILINE)
    assert set(images) == {'{{ include "feedbridge.image" . }}'}


def _text(folder: Path) -> str:
    return "\n".join(p.read_text("utf-8") for p in folder.rglob("*") if p.is_file())
