"""Settings for the verbs that send, and a bridge that answers by a script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import confluent_kafka as ck

from bridge.core.codec import Codec
from bridge.core.envelopes import Control, Reader
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka
from tests.embedded.responder import COMMANDS, PARTITIONS, RESPONSES

CONTROL = "feedbridge.control"
TOPICS = {COMMANDS: PARTITIONS, RESPONSES: PARTITIONS, CONTROL: 2}
Answers = Mapping[str, list[dict[str, Any]]]


def settings_file(kafka: EmbeddedKafka, folder: Path) -> Path:
    """Write settings with one account and one command topic."""
    path = folder / "settings.yaml"
    path.write_text(
        f"kafka:\n  bootstrap_servers: '{kafka.bootstrap}'\n"
        "  options: {fetch.wait.max.ms: 10}\n"
        "finery:\n  desk: {}\n"
        f"commands:\n  {COMMANDS}: {{responses: {RESPONSES}, accounts: [desk]}}\n"
    )
    return path


def controls(kafka: EmbeddedKafka, count: int) -> list[tuple[bytes | None, Control]]:
    """Return the first `count` records of the control topic, with their keys."""
    reader = Reader(Codec(bundled()))
    consumer = ck.Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "t"})
    try:
        consumer.assign([ck.TopicPartition(CONTROL, n, 0) for n in range(2)])
        messages = [consumer.poll(10) for _ in range(count)]
        return [(m.key(), reader.control(m.value() or b"")) for m in messages if m]
    finally:
        consumer.close()
