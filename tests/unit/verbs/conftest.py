"""Fixtures of the verbs' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.embedded import EmbeddedKafka
from tests.unit.verbs.topic import TOPIC, Topic


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[Topic]:
    with EmbeddedKafka(topics={TOPIC: 1, "empty": 1}) as kafka:
        yield Topic(kafka, tmp_path)
