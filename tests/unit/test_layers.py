"""Imports point one way, and the checker that says so notices when they do not."""

from pathlib import Path

import pytest

from tests.support.layers import modules, violations

ROOT = Path(__file__).parents[2]


def test_imports_of_the_package_point_one_way() -> None:
    found = [line for module in modules(ROOT) for line in violations(*module)]
    assert found == []


def test_the_package_is_really_looked_at() -> None:
    names = {name for name, _ in modules(ROOT)}
    assert {"bridge.errors", "bridge.core.model", "bridge.venues.base"} <= names


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bridge.errors", "from bridge.core import model"),
        ("bridge.core.book", "import bridge.edge.clock"),
        ("bridge.core.book", "from bridge import venues"),
        ("bridge.core.book", "from ..flow import feed"),
        ("bridge.core.book", "import time"),
        ("bridge.core.book", "import os.path"),
        ("bridge.core.book", "def f():\n    import random"),
        ("bridge.venues.finery.auth", "from bridge.edge.clock import now"),
        ("bridge.venues.finery.auth", "from bridge.venues.cfbenchmarks import auth"),
        ("bridge.venues.finery.auth", "from ..cfbenchmarks import auth"),
        ("bridge.venues.finery.auth", "from asyncio import sleep"),
        ("bridge.venues.base", "from pathlib import Path"),
        ("bridge.edge.producer", "from bridge.core import codec"),
        ("bridge.edge.producer", "from bridge.core.codec import encode"),
        ("bridge.edge.producer", "from bridge.config import Settings"),
        ("bridge.edge.producer", "from bridge.config.tree import Settings"),
        ("bridge.flow.feed", "from bridge.app import main"),
        ("bridge.flow.feed", "from bridge.simulators import finery"),
        ("bridge.simulators.finery", "from bridge.flow import feed"),
        ("bridge.simulators.finery", "from bridge.edge import clock"),
        ("bridge.embedded", "from bridge.flow import feed"),
        ("bridge.app", "from bridge.verbs import demo"),
        ("bridge.verbs.demo", "from bridge.cli import main"),
        ("bridge.helpers", "import json"),
    ],
)
def test_a_made_up_violation_is_found(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bridge.core.book", "from bridge.errors import BridgeError"),
        ("bridge.core.book", "from . import model\nfrom .model import Frame"),
        ("bridge.core.book", "import json, decimal\nfrom collections import deque"),
        ("bridge.venues.finery.session", "from bridge.venues.base import Session"),
        ("bridge.venues.finery.session", "from . import auth\nfrom .. import base"),
        ("bridge.venues.registry", "from bridge.venues.finery import session"),
        ("bridge.edge.producer", "from bridge.core.model import Record"),
        ("bridge.edge.producer", "from bridge.core import model\nimport time"),
        ("bridge.edge.producer", "from bridge.edge.clock import Clock"),
        ("bridge.flow.feed", "from bridge.edge import producer\nimport asyncio"),
        ("bridge.app", "from bridge.config import Settings"),
        ("bridge.verbs.demo", "from bridge import embedded, simulators"),
        ("bridge.cli", "from bridge import __version__\nfrom bridge.verbs import run"),
    ],
)
def test_a_rightful_import_passes(module: str, source: str) -> None:
    assert violations(module, source) == []
