"""Five megabytes on a command topic, through a real broker that lets them pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides NewTopic
    AdminClient,
    NewTopic,
)

from bridge.core.codec import Codec
from bridge.core.envelopes import Reader, Request, command_writer
from bridge.core.orders import Phase
from bridge.edge.schemas import bundled
from tests.real.test_worker import Desk
from tests.support.kafka import RealKafka
from tests.support.kcat import kcat
from tests.support.processes import venue
from tests.support.running import wait_until

pytestmark = pytest.mark.timeout(180)

SIZE = 5_000_000
LIMIT = "6000000"


def test_five_megabytes_are_buried_and_the_next_command_is_answered(
    tmp_path: Path, kafka: RealKafka
) -> None:
    """The raw bytes are kept whole, in parts; the partition goes on."""
    commands, responses = "poison.commands", "poison.responses"
    admin = AdminClient(kafka.client())
    made = admin.create_topics(
        [
            NewTopic(commands, 1, 1, config={"max.message.bytes": LIMIT}),
            NewTopic(responses, 1, 1),
        ]
    )
    for future in made.values():
        future.result(30)
    section = {"responses": responses, "accounts": ["desk"], "group": "poison"}
    with venue(tmp_path, "finery", "--rate", "0") as finery:
        desk = Desk(
            tmp_path,
            finery,
            {"bootstrap_servers": kafka.bootstrap},
            commands={commands: section},
        )
        with desk.run() as worker:
            wait_until(lambda: bool(worker.events("commands_assigned")), "assigned", 60)
            wait_until(lambda: _connected(worker.events("connected")), "orders", 60)
            _send(kafka, commands)
            wait_until(lambda: _finals(kafka, responses) == 1, "the final", 60)
            assert worker.stop() == 0, worker.errors()[-5:]
    letters = kcat(kafka.client(), f"{desk.stem}.dead")
    assert b"".join(r.payload or b"" for r in letters) == b"p" * SIZE


def _connected(events: list[dict[str, object]]) -> bool:
    return any(str(event["name"]).startswith("orders@") for event in events)


def _send(kafka: RealKafka, topic: str) -> None:
    codec = Codec(bundled())
    write = command_writer(codec, codec.single_object_header("finery.Command"))
    sender = Producer({**kafka.client(), "message.max.bytes": int(LIMIT)})
    sender.produce(topic, b"p" * SIZE)
    sender.produce(topic, write(Request("after", "positions", "desk", json.dumps({}))))
    assert sender.flush(30) == 0


def _finals(kafka: RealKafka, topic: str) -> int:
    reader = Reader(Codec(bundled()))
    read = [reader.response(r.payload or b"") for r in kcat(kafka.client(), topic)]
    return sum(answer.entry.phase is Phase.FINAL for answer in read)
