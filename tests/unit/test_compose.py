"""compose.yaml holds together: its settings load, and nothing is open or writable."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bridge import __version__
from bridge.cli import parser
from bridge.config import Settings, load
from bridge.simulators.cfbenchmarks import CfBenchmarksOptions, CfBenchmarksSimulator
from bridge.simulators.finery import FineryOptions, FinerySimulator
from tests.support import downloads

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = "${FEEDBRIDGE_IMAGE:-localhost/feedbridge:" + __version__ + "}"
WORKERS = ("worker-1", "worker-2")
LOGINS = {
    "FEEDBRIDGE_FINERY__DESK__KEY_FILE": "finery-key",
    "FEEDBRIDGE_FINERY__DESK__SECRET_FILE": "finery-secret",
    "FEEDBRIDGE_CFBENCHMARKS__RATES__USER_FILE": "cfbenchmarks-user",
    "FEEDBRIDGE_CFBENCHMARKS__RATES__PASSWORD_FILE": "cfbenchmarks-password",
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Load the workers' settings, with the logins where this machine has them."""
    files = {
        variable: str(ROOT / COMPOSE["secrets"][name]["file"])
        for variable, name in LOGINS.items()
    }
    return load(ROOT / "ops/compose/feedbridge.yaml", files)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert service["mem_limit"]
    assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_no_port_is_taken_twice() -> None:
    ports = [port for s in SERVICES.values() for port in s.get("ports", [])]
    outer = [port.split(":")[1] for port in ports]
    assert len(outer) == len(set(outer))


@pytest.mark.parametrize("name", SERVICES)
def test_image_has_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image == OURS or re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image)


def test_servers_are_those_that_the_tests_run() -> None:
    assert SERVICES["kafka"]["image"] == downloads.KAFKA_IMAGE
    assert SERVICES["registry"]["image"] == downloads.REGISTRY_IMAGE


@pytest.mark.parametrize("name", SERVICES)
def test_files_that_are_mounted_exist_and_stay_as_they_are(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = volume.partition(":")
        if source in COMPOSE["volumes"]:
            continue
        assert rest.endswith(":ro")
        assert (ROOT / source).exists(), source


@pytest.mark.parametrize("name", SERVICES)
def test_command_of_ours_is_one_that_we_take(name: str) -> None:
    if SERVICES[name]["image"] == OURS:
        assert parser().parse_args(SERVICES[name]["command"]).verb


def test_settings_share_the_work_among_two_workers(settings: Settings) -> None:
    assert settings.ownership.mode == "group"
    assert all(SERVICES[name]["hostname"] == name for name in WORKERS)


def test_settings_name_services(settings: Settings) -> None:
    desk, rates = settings.finery["desk"], settings.cfbenchmarks["rates"]
    assert settings.registry.url is not None
    urls = (desk.url, rates.url, str(settings.registry.url))
    hosts = [urlsplit(url).hostname for url in urls]
    assert hosts == ["finery", "cfbenchmarks", "registry"]
    assert settings.kafka.bootstrap_servers == "kafka:9092"
    for name in ("finery", "cfbenchmarks"):
        assert "--port=8080" in SERVICES[name]["command"]
        assert f"{name}:8080" in " ".join(urls)


def test_workers_end_by_themselves(settings: Settings) -> None:
    for name in WORKERS:
        period = SERVICES[name]["stop_grace_period"]
        assert int(period.removesuffix("s")) > settings.stop.grace_seconds


def test_logins_are_the_simulators_own(settings: Settings) -> None:
    async def made_up() -> list[str]:
        async with (
            FinerySimulator(FineryOptions()) as finery,
            CfBenchmarksSimulator(CfBenchmarksOptions()) as rates,
        ):
            return [finery.key, finery.secret, rates.user, rates.password]

    desk = settings.finery["desk"].credentials()
    rates = settings.cfbenchmarks["rates"].credentials()
    ours = [desk.key, desk.secret, rates.key, rates.secret]
    assert ours == asyncio.run(made_up())


def test_prometheus_asks_the_workers_and_has_the_rules(settings: Settings) -> None:
    tree = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    (job,) = tree["scrape_configs"]
    (targets,) = job["static_configs"]
    assert targets["targets"] == [f"{name}:{settings.http.port}" for name in WORKERS]
    assert settings.http.host == "0.0.0.0"  # noqa: S104 - behind a port of loopback
    (pattern,) = tree["rule_files"]
    rules = ROOT / "helm/feedbridge/rules"
    assert pattern == "/etc/prometheus/rules/*.yaml"
    assert [one for one in rules.glob("*.yaml") if "groups" in one.read_text()]


def test_grafana_has_the_dashboard_and_its_source() -> None:
    provisioning = ROOT / "ops/grafana/provisioning"
    source = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    folder = yaml.safe_load((provisioning / "dashboards/feedbridge.yaml").read_text())
    path = folder["providers"][0]["options"]["path"]
    assert f"./helm/feedbridge/dashboards:{path}:ro" in SERVICES["grafana"]["volumes"]
    for one in (ROOT / "helm/feedbridge/dashboards").glob("*.json"):
        assert json.loads(one.read_text())["panels"]
