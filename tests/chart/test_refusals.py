"""What is refused, by both helms, and with which sentence."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.config.stop_rules import LEAVE_S, MARGIN_S
from tests.chart.rendered import MINIMAL, ci_file
from tests.support import helm

KEPT_S = LEAVE_S + MARGIN_S
COMMANDS = {"c": {"responses": "r", "accounts": ["desk-a"], "answer_timeout_ms": 15000}}

# Values over those of ci/minimal-values.yaml -> a part of what helm says.
MISSPELT: list[tuple[dict[str, Any], str]] = [
    ({"replica": 3}, "replica"),
    ({"image": {"tagg": "1"}}, "tagg"),
    ({"networkPolicy": {"kafka": {"port": [1]}}}, "port"),
    ({"networkPolicy": {"kafka": {"to": [{"ipblock": {}}]}}}, "ipblock"),
    ({"secrets": [{"name": "x", "at": "y"}]}, "name"),
    ({"secrets": [{"secret": "x", "at": "../y"}]}, "at"),
    ({"configMaps": [{"configMap": "x", "at": "settings"}]}, "at"),
    ({"externalSecrets": [{"name": "x", "key": {}}]}, "key"),
    ({"env": [{"name": "X", "valueForm": {}}]}, "valueForm"),
    ({"resources": {"limit": {}}}, "limit"),
    ({"spread": {"hosts": "Never"}}, "hosts"),
    ({"autoscaling": {"kind": "CPU"}}, "kind"),
    ({"replicas": "three"}, "replicas"),
    ({"install": "all"}, "install"),
    ({"image": {"digest": "sha256:12"}}, "digest"),
    ({"settings": "kafka: {}"}, "settings"),
    ({"strimzi": {"topics": [{"topic": "a b", "partitions": 1}]}}, "topic"),
    ({"prometheusRule": {"runbookUrl": "a b"}}, "runbookUrl"),
    ({"prometheusRule": {"runbookUrl": ""}}, "runbookUrl"),
]
SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"terminationGracePeriodSeconds": 34},
        (
            "terminationGracePeriodSeconds (34) leaves a worker too little time to "
            "stop: settings.stop.grace_seconds is 30; give at least 35"
        ),
    ),
    (
        {"settings": {"stop": {"grace_seconds": 50}}},
        "settings.stop.grace_seconds is 50; give at least 55",
    ),
    (
        {"settings": {"stop": {"grace_seconds": 21}}},
        (
            "settings.stop.grace_seconds (21) leaves no time to flush for "
            "settings.kafka.flush_timeout_s (20); give at least 22"
        ),
    ),
    (
        {"settings": {"kafka": {"flush_timeout_s": 29}}},
        "leaves no time to flush for settings.kafka.flush_timeout_s (29)",
    ),
    (
        {"settings": {"commands": COMMANDS}},
        "is less than the 35 that commands of c may wait for their answers",
    ),
    (
        {
            "settings": {
                "kafka": {"flush_timeout_s": 5},
                "stop": {"grace_seconds": 25},
                "commands": COMMANDS,
            }
        },
        (
            "settings.stop.grace_seconds (25) leaves commands of c no time for their "
            f"answers (answer_timeout_ms, 15 s), since a stop keeps {KEPT_S:g} s to "
            f"leave Kafka in order; give at least {15 + KEPT_S:g}, or lower "
            "answer_timeout_ms"
        ),
    ),
    ({"settings": {"ownership": "static"}}, "each worker would run all subscriptions"),
    (
        {
            "settings": {"ownership": {"mode": "static"}},
            "replicas": 1,
            "autoscaling": {"kind": "cpu"},
        },
        "autoscaling.kind to none",
    ),
    (
        {"autoscaling": {"kind": "cpu", "minReplicas": 7}},
        "autoscaling.minReplicas is more than autoscaling.maxReplicas",
    ),
    ({"autoscaling": {"kind": "keda"}}, "settings.commands names no command topic"),
    ({"settings": {"worker": {"name": "x"}}}, "would give all workers one name"),
    ({"settings": {"http": {"enabled": False}}}, "the probes need the http port"),
    ({"settings": {"http": {"port": 0}}}, "the probes need a known one"),
    (
        {"settings": {"finery": {"desk-a": {"secret": "x"}}}},
        "settings.finery.desk-a.secret would be readable in a ConfigMap",
    ),
    (
        {"settings": {"registry": {"password": "x"}}},
        "settings.registry.password would be readable",
    ),
    (
        {"settings": {"kafka": {"options": {"sasl.password": "x"}}}},
        "settings.kafka.options.sasl.password would be readable",
    ),
    (
        {"settings": {"commands": {"c": {"max_size_e8": 9223372036854775807}}}},
        "settings.commands.c.max_size_e8 is more than 2^53",
    ),
    (
        {"settings": {"finery": {"desk-a": {"subscriptions": [{"x": 2**60}]}}}},
        "settings.finery.desk-a.subscriptions[0].x is more than 2^53",
    ),
    ({"install": "kafka"}, "strimzi.topics is empty"),
]


@pytest.mark.parametrize("version", helm.HELMS)
def test_everything_starts_from_what_is_taken(version: str) -> None:
    """The refusals below are not about the values that they begin with."""
    assert helm.template(MINIMAL, version=version)


@pytest.mark.parametrize("version", helm.HELMS)
@pytest.mark.parametrize(("values", "named"), MISSPELT, ids=lambda x: str(x)[:40])
def test_a_misspelt_value_is_refused(
    values: dict[str, Any], named: str, version: str
) -> None:
    """A name, kind or range that the schema does not know stops the install."""
    with pytest.raises(helm.Refused) as said:
        helm.template(MINIMAL, values=values, version=version)
    assert "schema" in str(said.value)
    assert named in str(said.value)


@pytest.mark.parametrize("version", helm.HELMS)
@pytest.mark.parametrize(("values", "sentence"), SENTENCES, ids=lambda x: str(x)[:40])
def test_a_contradiction_is_refused_with_a_sentence(
    values: dict[str, Any], sentence: str, version: str
) -> None:
    """Values that cannot work together say so, and say what to do."""
    with pytest.raises(helm.Refused) as said:
        helm.template(MINIMAL, values=values, version=version)
    assert sentence in str(said.value)


def test_a_sender_needs_a_command_topic() -> None:
    """A user who may write to a topic that nobody reads is a mistake."""
    values = {"strimzi": {"senders": [{"user": "x", "topic": "y"}]}}
    with pytest.raises(helm.Refused, match="y, which is no command topic"):
        helm.template(ci_file("strimzi"), values=values)
