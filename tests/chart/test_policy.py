"""The restricted pod security standard, by a table of its rules, and by checkov.

Source of the table: Kubernetes documentation, Pod Security Standards, restricted.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendered import CI_NAMES, rendered
from tests.support import helm

Pod = dict[str, Any]
VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
    "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
# What checkov asks for and the chart does not do -> why.
NOT_DONE = {
    "CKV_K8S_11": "no CPU limit: a throttled worker is a late worker",
    "CKV_K8S_15": "IfNotPresent; a digest makes the image certain, not a pull",
    "CKV_K8S_43": "the digest is the operator's to give",
    "CKV_K8S_8": "a job has no liveness",
    "CKV_K8S_9": "a job has no readiness",
}


def _containers(pod: Pod) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def _each(check: Callable[[dict[str, Any]], bool]) -> Callable[[Pod], bool]:
    return lambda pod: all(check(one["securityContext"]) for one in _containers(pod))


RULES: dict[str, Callable[[Pod], bool]] = {
    "no host namespaces": lambda pod: (
        not ({"hostNetwork", "hostPID", "hostIPC"} & pod.keys())
    ),
    "no host ports": lambda pod: (
        not any(
            "hostPort" in port
            for one in _containers(pod)
            for port in one.get("ports", [])
        )
    ),
    "only harmless volumes": lambda pod: all(
        volume.keys() - {"name"} <= VOLUMES for volume in pod["volumes"]
    ),
    "not privileged": _each(lambda c: c["privileged"] is False),
    "no escalation": _each(lambda c: c["allowPrivilegeEscalation"] is False),
    "no capabilities": _each(lambda c: c["capabilities"] == {"drop": ["ALL"]}),
    "not root": _each(lambda c: c["runAsNonRoot"] is True),
    "seccomp": _each(lambda c: c["seccompProfile"] == {"type": "RuntimeDefault"}),
    "a user that is not 0": lambda pod: pod["securityContext"]["runAsUser"] > 0,
    # Beyond the standard:
    "a root that cannot be written": _each(lambda c: c["readOnlyRootFilesystem"]),
    "no service account token": lambda pod: (
        pod["automountServiceAccountToken"] is False
    ),
    "no variables from other services": lambda pod: pod["enableServiceLinks"] is False,
    "nothing writable mounted": lambda pod: all(
        mount["readOnly"] for one in _containers(pod) for mount in one["volumeMounts"]
    ),
    "requests and a memory limit": lambda pod: all(
        {"cpu", "memory"} <= one["resources"]["requests"].keys()
        and "memory" in one["resources"]["limits"]
        for one in _containers(pod)
    ),
    "the image's own entry point": lambda pod: all(
        "command" not in one for one in _containers(pod)
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", [n for n in CI_NAMES if n != "strimzi"])
def test_every_pod_is_restricted(name: str, rule: str) -> None:
    """Workers, job and test pod alike keep each rule."""
    pods = helm.pod_templates(rendered(name))
    assert pods
    for key, pod in pods.items():
        assert RULES[rule](pod["spec"]), f"{key}: {rule}"


@pytest.mark.timeout(120)
def test_checkov_finds_nothing_else(tmp_path: Path) -> None:
    """Every check of checkov for Kubernetes passes, but those with a reason above."""
    for name in CI_NAMES:
        text = yaml.safe_dump_all(rendered(name))
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    report = _checkov(tmp_path)
    failed = {
        (check["check_id"], check["resource"], check["check_name"])
        for check in report["results"]["failed_checks"]
    }
    assert not {one for one in failed if one[0] not in NOT_DONE}
    assert NOT_DONE.keys() == {one[0] for one in failed}, "an exception is not needed"
    assert report["summary"]["passed"] > 100
    assert report["summary"]["parsing_errors"] == 0


def _checkov(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(str(helm.checkov()), "-m", "checkov.main"),
            *("--directory", str(folder), "--framework", "kubernetes"),
            *("--skip-download", "--quiet", "--compact", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report
