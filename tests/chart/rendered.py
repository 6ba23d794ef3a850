"""Every values file of ci/, rendered by every helm, once."""

from __future__ import annotations

import functools
from pathlib import Path

from tests.support import helm

CI_NAMES = [path.name.removesuffix("-values.yaml") for path in helm.CI_FILES]
FULL = helm.CHART / "ci" / "full-values.yaml"
MINIMAL = helm.CHART / "ci" / "minimal-values.yaml"


def ci_file(name: str) -> Path:
    """Return the values file of a realistic installation."""
    return helm.CHART / "ci" / f"{name}-values.yaml"


@functools.cache
def rendered(name: str, version: str = helm.NEWEST) -> tuple[helm.Manifest, ...]:
    """Render one realistic installation; do not change what is returned."""
    return tuple(helm.template(ci_file(name), version=version))
