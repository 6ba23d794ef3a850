"""What stands around the workers: budget, autoscaler, rules, Kafka's objects."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.chart.rendered import FULL, MINIMAL, ci_file, rendered
from tests.support import helm

DASHBOARD = '{"title": "{{ not a template }}"}'
RULES = """\
groups:
  - name: x
    rules:
      - alert: X
        expr: up == 0
        annotations: {summary: "{{ $labels.pod }} is {{ $value }}"}
"""


def test_a_drain_may_evict_a_worker_that_is_not_ready() -> None:
    """An outage of a venue makes all workers not ready, and must not block a drain."""
    spec = helm.only(rendered("minimal"), "PodDisruptionBudget")["spec"]
    assert spec["maxUnavailable"] == 1
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_autoscaling_moves_one_worker_at_a_time() -> None:
    """CPU and lag share one slow behaviour, since each change moves subscriptions."""
    cpu = helm.only(rendered("full"), "HorizontalPodAutoscaler")["spec"]
    keda = helm.only(rendered("orders"), "ScaledObject")["spec"]
    behaviour = keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour == cpu["behavior"]
    for way in behaviour.values():
        assert [policy["value"] for policy in way["policies"]] == [1]


def test_keda_looks_at_every_command_topic() -> None:
    """One trigger a topic, with the group that commits there."""
    triggers = helm.only(rendered("orders"), "ScaledObject")["spec"]["triggers"]
    asked = {t["metadata"]["topic"]: t["metadata"]["consumerGroup"] for t in triggers}
    assert asked == {
        "desk-a.commands": "desk-a.workers",
        "desk-b.commands": "feedbridge.commands",
    }


def test_rules_and_dashboards_pass_as_they_are(tmp_path: Path) -> None:
    """Prometheus' and Grafana's own templates are not read by helm."""
    chart = tmp_path / "feedbridge"
    shutil.copytree(helm.CHART, chart)
    (chart / "rules/more.yaml").write_text(RULES, encoding="utf-8")
    (chart / "dashboards/more.json").write_text(DASHBOARD, encoding="utf-8")
    for version in helm.HELMS:
        made = helm.template(FULL, chart=chart, version=version)
        (rules,) = [
            one
            for one in helm.kinds(made, "PrometheusRule")
            if one["metadata"]["name"].endswith("-more")
        ]
        assert rules["spec"] == yaml.safe_load(RULES)
        (shown,) = [
            one
            for one in helm.kinds(made, "ConfigMap")
            if one["metadata"]["name"].endswith("-dashboard")
        ]
        assert shown["data"]["more.json"] == DASHBOARD
        assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_shipped_rules_are_rendered_whole() -> None:
    """What promtool tests is what the cluster gets."""
    files = sorted((helm.CHART / "rules").glob("*.yaml"))
    values = {"prometheusRule": {"enabled": True}}
    rules = helm.kinds(helm.template(MINIMAL, values=values), "PrometheusRule")
    assert files
    assert [one["spec"] for one in rules] == [
        yaml.safe_load(path.read_text("utf-8")) for path in files
    ]


def test_alerts_link_to_where_the_runbook_is_read() -> None:
    """The chosen place replaces the path, for every alert, and nothing else changes."""
    (made,) = helm.kinds(rendered("full"), "PrometheusRule")
    (file,) = (helm.CHART / "rules").glob("*.yaml")
    place = "https://docs.example.com/feedbridge/runbook#"
    text = file.read_text("utf-8").replace("docs/runbook.md#", place)
    assert made["spec"] == yaml.safe_load(text)
    links = [
        rule["annotations"]["runbook_url"]
        for group in made["spec"]["groups"]
        for rule in group["rules"]
    ]
    assert links
    assert all(link.startswith(place) for link in links)


def test_one_user_may_be_operator_and_sender() -> None:
    """There is one KafkaUser a name, with the rights of both, each named once."""
    users = {
        one["metadata"]["name"]: one["spec"]["authorization"]["acls"]
        for one in helm.kinds(rendered("strimzi"), "KafkaUser")
    }
    assert len(users) == len(helm.kinds(rendered("strimzi"), "KafkaUser"))
    rights = {
        (acl["resource"]["type"], acl["resource"]["name"]): acl["operations"]
        for acl in users["feedbridge-operator"]
    }
    assert len(rights) == len(users["feedbridge-operator"])
    assert rights["topic", "finery.commands"] == ["Read", "DescribeConfigs", "Write"]
    assert rights["group", "feedbridge-client"] == ["Describe"]


def test_kafka_objects_come_alone() -> None:
    """The release in Kafka's namespace has nothing of the workers'."""
    kinds = {one["kind"] for one in rendered("strimzi")}
    assert kinds == {"KafkaTopic", "KafkaUser"}


def test_topics_stay_when_the_release_goes() -> None:
    """`helm uninstall` must not delete records."""
    for topic in helm.kinds(rendered("strimzi"), "KafkaTopic"):
        assert topic["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_topic_names_that_kubernetes_does_not_take() -> None:
    """The topic keeps its name; the object gets one of its own."""
    names = ["A_b", "a-b", "a_b", "_", "x.", "a..b"]
    topics = [{"topic": name, "partitions": 1} for name in names]
    values = {"strimzi": {"topics": topics}}
    made = helm.kinds(helm.template(ci_file("strimzi"), values=values), "KafkaTopic")
    assert [one["spec"]["topicName"] for one in made] == names
    assert len({one["metadata"]["name"] for one in made}) == len(names)
    plain = {one["spec"]["topicName"]: one["metadata"]["name"] for one in made}
    assert plain["a-b"] == "a-b"
