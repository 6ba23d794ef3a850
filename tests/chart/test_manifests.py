"""What operators and policies rely on in the rendered manifests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.rendered import CI_NAMES, MINIMAL, rendered
from tests.support import helm


def _worker(manifests: Any) -> dict[str, Any]:
    spec: dict[str, Any] = helm.only(manifests, "StatefulSet")["spec"]["template"]
    return spec


def _container(manifests: Any) -> dict[str, Any]:
    (found,) = _worker(manifests)["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def _env(container: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in container["env"]}


def _checksum(settings: dict[str, Any], **over: Any) -> str:
    made = helm.template(MINIMAL, values={"settings": settings, **over})
    return str(_worker(made)["metadata"]["annotations"]["checksum/settings"])


class TestWorker:
    def test_is_a_stateful_set_whose_pods_start_together(self) -> None:
        """Stable names without an order, and rollbacks that need no help."""
        spec = helm.only(rendered("minimal"), "StatefulSet")["spec"]
        assert spec["podManagementPolicy"] == "Parallel"
        assert (
            spec["serviceName"]
            == helm.only(rendered("minimal"), "Service")["metadata"]["name"]
        )
        assert "volumeClaimTemplates" not in spec

    def test_takes_its_name_from_its_pod(self) -> None:
        """Static membership and the states in Kafka go by the pod's name."""
        (name,) = [
            one
            for one in _container(rendered("minimal"))["env"]
            if one["name"] == "FEEDBRIDGE_WORKER__NAME"
        ]
        assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"

    @pytest.mark.parametrize(
        ("probe", "path"),
        [
            ("startupProbe", "/startupz"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ],
    )
    def test_is_probed_at_its_http_port(self, probe: str, path: str) -> None:
        """Each probe asks its own path at the named port."""
        asked = _container(rendered("minimal"))[probe]["httpGet"]
        assert asked == {"path": path, "port": "http"}

    def test_listens_where_the_probes_can_reach_it(self) -> None:
        """Loopback is the program's default; the pod's address is the chart's."""
        container = _container(rendered("static"))
        assert container["ports"][0]["containerPort"] == 9500
        assert _env(container)["FEEDBRIDGE_HTTP__HOST"] == "0.0.0.0"  # noqa: S104 # of the pod
        over = {"settings": {"http": {"host": "::"}}}
        told = _env(_container(helm.template(MINIMAL, values=over)))
        assert "FEEDBRIDGE_HTTP__HOST" not in told

    def test_restarts_when_the_settings_change_and_only_then(self) -> None:
        """The checksum follows the settings, not the number of workers."""
        same = _checksum({})
        assert _checksum({}, replicas=5) == same
        assert _checksum({"log": {"level": "debug"}}) != same

    def test_mounts_secrets_as_whole_folders(self) -> None:
        """A subPath would never see a rotated secret; the mode keeps others out."""
        spec = _worker(rendered("full"))["spec"]
        mounts = {m["mountPath"]: m for m in spec["containers"][0]["volumeMounts"]}
        assert all(m["readOnly"] and "subPath" not in m for m in mounts.values())
        assert {"/run/secrets/finery", "/run/secrets/kafka"} <= mounts.keys()
        modes = {v["secret"]["defaultMode"] for v in spec["volumes"] if "secret" in v}
        assert modes == {0o440}

    def test_has_no_secret_of_its_own(self) -> None:
        """The chart refers to secrets and never makes one."""
        for name in CI_NAMES:
            assert not helm.kinds(rendered(name), "Secret")

    def test_leaves_the_number_of_workers_to_the_autoscaler(self) -> None:
        """A fixed number would undo the autoscaler's at each upgrade."""
        assert "replicas" not in helm.only(rendered("full"), "StatefulSet")["spec"]
        assert helm.only(rendered("minimal"), "StatefulSet")["spec"]["replicas"] == 2

    def test_image_by_digest(self) -> None:
        """A digest wins over the tag."""
        assert _container(rendered("full"))["image"].endswith(
            "@sha256:" + 4 * ("0123456789abcdef")
        )
        assert _container(rendered("minimal"))["image"] == "feedbridge:0.1.0"

    def test_spreads_over_hosts_and_zones(self) -> None:
        """Each constraint counts the workers alone."""
        spread = _worker(rendered("full"))["spec"]["topologySpreadConstraints"]
        assert {s["topologyKey"]: s["whenUnsatisfiable"] for s in spread} == {
            "kubernetes.io/hostname": "DoNotSchedule",
            "topology.kubernetes.io/zone": "ScheduleAnyway",
        }
        labels = _worker(rendered("full"))["metadata"]["labels"]
        for one in spread:
            assert one["labelSelector"]["matchLabels"].items() <= labels.items()
        assert "topologySpreadConstraints" not in _worker(rendered("static"))["spec"]


class TestSelectors:
    @pytest.mark.parametrize("name", ["minimal", "full", "orders", "static"])
    def test_find_the_workers_and_no_job(self, name: str) -> None:
        """Service, budget and monitor mean workers; the network policy means all."""
        manifests = rendered(name)
        worker = _worker(manifests)["metadata"]["labels"]
        others = [
            one["metadata"]["labels"]
            for key, one in helm.pod_templates(manifests).items()
            if not key.startswith("StatefulSet/")
        ]
        for kind, found in _selectors(manifests).items():
            assert found.items() <= worker.items(), kind
            for labels in others:
                is_found = found.items() <= labels.items()
                assert is_found == (kind == "NetworkPolicy"), kind


def _selectors(manifests: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for one in manifests:
        spec = one.get("spec", {})
        if one["kind"] == "Service":
            found["Service"] = spec["selector"]
        elif one["kind"] == "NetworkPolicy":
            found["NetworkPolicy"] = spec["podSelector"]["matchLabels"]
        elif one["kind"] in {"PodDisruptionBudget", "ServiceMonitor", "StatefulSet"}:
            found[one["kind"]] = spec["selector"]["matchLabels"]
    return found


class TestNetworkPolicy:
    def _egress(self, manifests: Any) -> list[tuple[set[tuple[str, int]], Any]]:
        rules = helm.only(manifests, "NetworkPolicy")["spec"]["egress"]
        return [
            ({(p["protocol"], p["port"]) for p in rule["ports"]}, rule.get("to"))
            for rule in rules
        ]

    def test_goes_out_to_dns_kafka_registry_and_venues_only(self) -> None:
        """Four rules, each with ports and peers from the values."""
        dns, kafka, registry, venues = self._egress(rendered("full"))
        assert dns[0] == {("UDP", 53), ("TCP", 53)}
        assert kafka[0] == {("TCP", 9093)}
        assert "podSelector" in kafka[1][0]
        assert registry[0] == {("TCP", 8081)}
        assert venues == ({("TCP", 443)}, [{"ipBlock": {"cidr": "203.0.113.0/24"}}])

    def test_ports_follow_the_settings(self) -> None:
        """Without values, the ports are those of the settings' addresses."""
        over = {
            "settings": {
                "kafka": {"bootstrap_servers": "a:9094, b:9095,c,[::1]:9096"},
                "registry": {"url": "https://user@registry/path"},
            }
        }
        _, kafka, registry, _ = self._egress(helm.template(MINIMAL, values=over))
        assert kafka[0] == {("TCP", port) for port in (9092, 9094, 9095, 9096)}
        assert registry[0] == {("TCP", 443)}

    def test_no_registry_no_rule(self) -> None:
        """What is not used is not opened."""
        assert len(self._egress(rendered("minimal"))) == 3

    def test_private_networks_are_no_venue(self) -> None:
        """The default for venues leaves out every private range."""
        (peer,) = self._egress(rendered("minimal"))[-1][1]
        assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(peer["ipBlock"]["except"])

    def test_nothing_comes_in_by_default(self) -> None:
        """Both directions are denied; the http port is opened by name only."""
        spec = helm.only(rendered("minimal"), "NetworkPolicy")["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["ingress"] == []
        (rule,) = helm.only(rendered("full"), "NetworkPolicy")["spec"]["ingress"]
        assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
        assert "namespaceSelector" in rule["from"][0]


class TestSetup:
    def _steps(self, manifests: Any) -> list[list[str]]:
        (job,) = helm.kinds(manifests, "Job")
        spec = job["spec"]["template"]["spec"]
        inner = [*spec.get("initContainers", []), *spec["containers"]]
        return [one["args"] for one in inner]

    def test_checks_before_it_changes_anything(self) -> None:
        """An incompatible schema stops the upgrade before the first topic."""
        check, apply = ["schemas", "check"], ["topics", "--apply"]
        assert self._steps(rendered("minimal")) == [check, apply]
        register = ["schemas", "register"]
        assert self._steps(rendered("full")) == [check, apply, register]

    def test_topics_may_be_made_by_others(self) -> None:
        """Without topics and registry, what is left is the check."""
        made = helm.template(MINIMAL, values={"setup": {"topics": False}})
        assert self._steps(made) == [["schemas", "check"]]

    def test_runs_before_install_and_upgrade_with_the_new_settings(self) -> None:
        """The job has a ConfigMap of its own, made before it."""
        (job,) = helm.kinds(rendered("full"), "Job")
        hooks = job["metadata"]["annotations"]
        assert hooks["helm.sh/hook"] == "pre-install,pre-upgrade"
        (volume, *_) = job["spec"]["template"]["spec"]["volumes"]
        (settings,) = [
            one
            for one in helm.kinds(rendered("full"), "ConfigMap")
            if one["metadata"]["name"] == volume["configMap"]["name"]
        ]
        before = settings["metadata"]["annotations"]
        assert before["helm.sh/hook"] == hooks["helm.sh/hook"]
        assert int(before["helm.sh/hook-weight"]) < int(hooks["helm.sh/hook-weight"])
        workers = helm.only(rendered("static"), "ConfigMap")
        assert workers["metadata"]["name"] != settings["metadata"]["name"]

    def test_does_not_repeat_what_cannot_mend_itself(self) -> None:
        """Settings (2) and schema (4) fail at once; Kafka (5) is asked again."""
        (job,) = helm.kinds(rendered("full"), "Job")
        (rule,) = job["spec"]["podFailurePolicy"]["rules"]
        assert rule == {
            "action": "FailJob",
            "onExitCodes": {"operator": "In", "values": [2, 4]},
        }
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        assert job["spec"]["backoffLimit"] > 0

    def test_can_be_turned_off(self) -> None:
        """Where others make topics and schemas, no hook is left."""
        assert not helm.kinds(rendered("static"), "Job")


def test_helm_test_opens_every_dependency() -> None:
    """`helm test` runs `feedbridge check --connect` with the workers' own files."""
    (pod,) = helm.kinds(rendered("full"), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["check", "--connect"]
    assert container["volumeMounts"] == _container(rendered("full"))["volumeMounts"]
