"""The chart's settings are feedbridge's own: what it renders, the program takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.config import Settings, load
from bridge.config.plans import wanted_topics
from bridge.verbs.topics import Line, _facts
from tests.chart.rendered import CI_NAMES, ci_file, rendered
from tests.support import helm

WORKERS = [name for name in CI_NAMES if name != "strimzi"]
MOUNTS = re.compile(r"/(?:run/secrets|etc/feedbridge)/[a-z0-9-]+/[a-z.]+")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("FEEDBRIDGE_"):
            monkeypatch.delenv(name)


def _settings(manifests: Any, folder: Path) -> Settings:
    """Load a rendered settings file, with the mounted files that it names."""
    text = helm.only(
        [m for m in manifests if not m["metadata"]["name"].endswith("-dashboard")],
        "ConfigMap",
    )["data"]["settings.yaml"]
    for path in set(MOUNTS.findall(text)):
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("made-up", encoding="utf-8")
        text = text.replace(path, str(file))
    where = folder / "settings.yaml"
    where.write_text(text, encoding="utf-8")
    return load(where)


@pytest.mark.parametrize("name", WORKERS)
def test_the_program_takes_the_rendered_settings(name: str, tmp_path: Path) -> None:
    """Every installation of ci/ passes feedbridge's own checks."""
    manifests = _without_certificates(rendered(name))
    settings = _settings(manifests, tmp_path)
    assert settings.ownership.mode == ("static" if name == "static" else "group")


def _without_certificates(manifests: Any) -> list[helm.Manifest]:
    """Leave out the certificates to trust, which no made-up text can be."""
    made: list[helm.Manifest] = json.loads(json.dumps(manifests))
    for one in helm.kinds(made, "ConfigMap"):
        if "settings.yaml" in one["data"]:
            lines = one["data"]["settings.yaml"].splitlines()
            kept = [line for line in lines if "ca.pem" not in line]
            one["data"]["settings.yaml"] = "\n".join(kept)
    return made


@pytest.mark.parametrize("name", WORKERS)
def test_every_named_file_is_mounted(name: str) -> None:
    """A settings file names no path that no volume brings."""
    (worker,) = helm.kinds(rendered(name), "StatefulSet")
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    folders = {mount["mountPath"] for mount in container["volumeMounts"]}
    for one in helm.kinds(rendered(name), "ConfigMap"):
        for path in MOUNTS.findall(one["data"].get("settings.yaml", "")):
            assert path.rpartition("/")[0] in folders


def test_the_programs_variables_are_known() -> None:
    """Each variable that the chart sets is a setting of the program."""
    (worker,) = helm.kinds(rendered("minimal"), "StatefulSet")
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    names = {one["name"] for one in container["env"]} - {"FEEDBRIDGE_CONFIG"}
    for name in names:
        section, field = name.removeprefix("FEEDBRIDGE_").lower().split("__")
        part = Settings.model_fields[section].annotation
        assert field in getattr(part, "model_fields", {}), name


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, "group"),
        ({"ownership": {"partitions": 48}}, "group"),
        ({"ownership": "static"}, "static"),
        ({"ownership": {"mode": "static"}}, "static"),
    ],
)
def test_workers_share_unless_told_otherwise(
    given: dict[str, Any], mode: str, tmp_path: Path
) -> None:
    """The chart's one default over the program's."""
    values = {"settings": given, "replicas": 1}
    manifests = helm.template(ci_file("minimal"), values=values)
    assert _settings(manifests, tmp_path).ownership.mode == mode


def test_large_numbers_arrive_whole(tmp_path: Path) -> None:
    """Helm's floats change no limit of an order."""
    manifests = _without_certificates(rendered("full"))
    section = _settings(manifests, tmp_path).commands["finery.commands"]
    assert section.max_size_e8 == 500_000_000
    assert section.max_volume_e8 == 9_223_372_036_854_775_807


def _user_acls(manifests: Any, name: str) -> dict[tuple[str, str], set[str]]:
    (user,) = [
        one
        for one in helm.kinds(manifests, "KafkaUser")
        if one["metadata"]["name"] == name
    ]
    return {
        (acl["resource"]["type"], acl["resource"]["name"]): set(acl["operations"])
        for acl in user["spec"]["authorization"]["acls"]
    }


@pytest.fixture
def strimzi(tmp_path: Path) -> tuple[Settings, list[helm.Manifest]]:
    """Render for Strimzi what the program itself says about the settings of full."""
    manifests = _without_certificates(rendered("full"))
    settings = _settings(manifests, tmp_path)
    lines = [Line(topic, "not asked") for topic in wanted_topics(settings)]
    given = yaml.safe_load(ci_file("full").read_text("utf-8"))["settings"]
    values = {
        "install": "kafka",
        "settings": given,
        "strimzi": {
            "topics": [_facts(line) for line in lines],
            "senders": [{"user": "desk-a", "topic": "finery.commands"}],
            "operator": "people",
        },
    }
    return settings, helm.template(values=values)


def test_every_topic_of_the_program_becomes_a_manifest(
    strimzi: tuple[Settings, list[helm.Manifest]],
) -> None:
    """`feedbridge topics --json` is taken as it is, shape and all."""
    settings, manifests = strimzi
    made = {
        one["spec"]["topicName"]: one["spec"]
        for one in helm.kinds(manifests, "KafkaTopic")
    }
    for topic in wanted_topics(settings):
        spec = made.pop(topic.name)
        assert spec["partitions"] == topic.partitions
        assert spec["replicas"] == topic.replication
        assert spec["config"] == dict(topic.config)
    assert not made


def test_the_worker_may_do_what_it_does_and_no_more(
    strimzi: tuple[Settings, list[helm.Manifest]],
) -> None:
    """Read where it reads, Write where it writes, and a look at how topics are set."""
    settings, manifests = strimzi
    acls = _user_acls(manifests, "feedbridge")
    own = settings.topics.own()
    reads = {own["assignment"], own["subscriptions"], own["control"], "finery.commands"}
    for topic in wanted_topics(settings):
        expected = {"Read"} if topic.name in reads else {"Write"}
        if topic.name == "finery.responses":
            expected = {"Read", "Write"}
        assert acls.pop(("topic", topic.name)) == {*expected, "DescribeConfigs"}
    assert acls == {
        ("group", settings.ownership.group): {"Read"},
        ("group", "feedbridge.commands"): {"Read"},
        ("group", "feedbridge-journal"): {"Describe"},
    }


def test_only_senders_may_write_commands(
    strimzi: tuple[Settings, list[helm.Manifest]],
) -> None:
    """Who may send orders is said in one place."""
    _, manifests = strimzi
    sender = _user_acls(manifests, "desk-a")
    assert sender.pop(("topic", "finery.commands")) == {"Write"}
    assert sender.pop(("topic", "finery.responses")) == {"Read"}
    assert sender == {("group", "feedbridge-client"): {"Describe"}}
    for name in ("feedbridge", "people"):
        acls = _user_acls(manifests, name)
        assert "Write" not in acls["topic", "finery.commands"]


def test_people_may_look_and_halt(
    strimzi: tuple[Settings, list[helm.Manifest]],
) -> None:
    """The operator writes the trading state and run-time subscriptions only."""
    settings, manifests = strimzi
    acls = _user_acls(manifests, "people")
    writes = {name for (_, name), may in acls.items() if "Write" in may}
    own = settings.topics.own()
    assert writes == {own["control"], own["subscriptions"]}
