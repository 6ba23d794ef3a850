"""The chart lints, renders, and fits every Kubernetes it says it supports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # ships no types
import pytest
import yaml

from tests.chart.rendered import CI_NAMES, ci_file, rendered
from tests.support import helm

OLDEST_MINOR = 29
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
KUBERNETES = sorted(
    (
        path.name.removeprefix("v").removesuffix("-local-strict")
        for path in SCHEMAS.glob("v1.*-local-strict")
        if int(path.name.split(".")[1]) >= OLDEST_MINOR
    ),
    key=lambda version: int(version.split(".")[1]),
)


def _service_monitor(spec: dict[str, Any]) -> bool:
    names = {endpoint["port"] for endpoint in spec["endpoints"]}
    return names == {"http"} and bool(spec["selector"]["matchLabels"])


def _rules(spec: dict[str, Any]) -> bool:
    return all(
        {"alert", "expr"} <= rule.keys() or {"record", "expr"} <= rule.keys()
        for group in spec["groups"]
        for rule in group["rules"]
    )


def _scaled(spec: dict[str, Any]) -> bool:
    texts = [value for t in spec["triggers"] for value in t["metadata"].values()]
    is_text = all(isinstance(value, str) for value in texts)
    return is_text and spec["scaleTargetRef"]["kind"] == "StatefulSet"


def _external(spec: dict[str, Any]) -> bool:
    return all("key" in one["remoteRef"] for one in spec["data"])


def _topic(spec: dict[str, Any]) -> bool:
    is_text = all(isinstance(value, str) for value in spec.get("config", {}).values())
    return is_text and spec["partitions"] > 0 and bool(spec["topicName"])


def _user(spec: dict[str, Any]) -> bool:
    return all(
        {"resource", "operations"} == acl.keys()
        and acl["resource"]["patternType"] == "literal"
        for acl in spec["authorization"]["acls"]
    )


# Kinds that Kubernetes' own schemas do not know -> what must hold for `spec`.
CUSTOM: dict[tuple[str, str], Callable[[dict[str, Any]], bool]] = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _service_monitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): _rules,
    ("keda.sh/v1alpha1", "ScaledObject"): _scaled,
    ("external-secrets.io/v1", "ExternalSecret"): _external,
    ("kafka.strimzi.io/v1", "KafkaTopic"): _topic,
    ("kafka.strimzi.io/v1", "KafkaUser"): _user,
}


def _kind(manifest: helm.Manifest) -> tuple[str, str]:
    return manifest["apiVersion"], manifest["kind"]


@pytest.mark.parametrize("version", helm.HELMS)
@pytest.mark.parametrize("name", CI_NAMES)
def test_lints(name: str, version: str) -> None:
    """Each installation passes `helm lint --strict` with both helms."""
    helm.run(version, "lint", "--strict", str(helm.CHART), "-f", str(ci_file(name)))


@pytest.mark.parametrize("name", CI_NAMES)
def test_both_helms_render_the_same(name: str) -> None:
    """An upgrade of helm itself changes nothing."""
    assert rendered(name, helm.OLDEST) == rendered(name, helm.NEWEST)


def test_the_defaults_render() -> None:
    """A chart without any values is sound, if of no use."""
    assert helm.only(helm.template(), "StatefulSet")


@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_kubernetes_takes_all_of_it(kubernetes: str) -> None:
    """Every manifest fits the strict schema of its kind; no name is misspelt."""
    for name in CI_NAMES:
        for manifest in rendered(name):
            if _kind(manifest) not in CUSTOM:
                kubernetes_validate.validate(manifest, kubernetes, strict=True)


def test_every_supported_kubernetes_is_checked() -> None:
    """The oldest checked is the chart's own lower bound."""
    chart = yaml.safe_load((helm.CHART / "Chart.yaml").read_text("utf-8"))
    assert f">={KUBERNETES[0]}-0" == chart["kubeVersion"]
    assert len(KUBERNETES) >= 9


def test_a_misspelt_field_would_be_seen() -> None:
    """The strict schemas find what this tier relies on them to find."""
    wrong = json.loads(json.dumps(helm.only(rendered("minimal"), "StatefulSet")))
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("name", CI_NAMES)
def test_custom_kinds_keep_their_rules(name: str) -> None:
    """What Kubernetes has no schema for is checked against rules of our own."""
    for manifest in rendered(name):
        if rule := CUSTOM.get(_kind(manifest)):
            assert rule(manifest["spec"]), manifest["metadata"]["name"]


def test_every_custom_kind_is_rendered_somewhere() -> None:
    """No rule above stands for nothing."""
    seen = {_kind(manifest) for name in CI_NAMES for manifest in rendered(name)}
    assert CUSTOM.keys() <= seen


@pytest.mark.parametrize("name", CI_NAMES)
def test_names_are_unique(name: str) -> None:
    """No two objects of a kind share a name."""
    names = [(*_kind(one), one["metadata"]["name"]) for one in rendered(name)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("version", helm.HELMS)
def test_packages(version: str, tmp_path: Path) -> None:
    """The package holds rules and dashboards, and none of the test values."""
    helm.run(version, "package", str(helm.CHART), "-d", str(tmp_path))
    (package,) = tmp_path.iterdir()
    shown = helm.run(version, "show", "values", str(package))
    assert shown.strip() == (helm.CHART / "values.yaml").read_text("utf-8").strip()
