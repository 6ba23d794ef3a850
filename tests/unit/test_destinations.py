"""What a worker writes with, it knows by id, with a registry and without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.app.destinations import (
    Destination,
    known_schemas,
    schemas_by_id,
    schemas_by_topic,
)
from bridge.app.parts import Parts
from bridge.config import Settings, load
from bridge.core.codec import Codec, confluent_header
from bridge.core.envelopes import Control, Reader, control_writer
from bridge.core.orders import Trading
from bridge.edge.consumer import Message
from bridge.edge.fates import Failure
from bridge.edge.schemas import bundled
from bridge.errors import SchemaError
from tests.support.clock import ManualClock

CODEC = Codec(bundled())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "settings.yaml"
    path.write_text("cfbenchmarks: {rates: {subscriptions: [value:BRTI]}}")
    return load(path, {}, venues=False)


def destinations(
    settings: Settings, header: Callable[[int, str], bytes]
) -> dict[str, Destination]:
    """Return a destination of each topic; `header` is given a number and a schema."""
    return {
        topic: Destination(topic, schema, 1, header(number, schema))
        for number, (topic, schema) in enumerate(schemas_by_topic(settings).items(), 7)
    }


def with_ids(settings: Settings) -> dict[str, Destination]:
    return destinations(settings, lambda number, _: confluent_header(number))


def test_every_topic_of_ours_is_known_by_its_id(settings: Settings) -> None:
    """The ids of the start need no registry any more."""
    found = with_ids(settings)
    known = known_schemas(settings, CODEC, ManualClock(), found)
    for number, to in enumerate(found.values(), 7):
        assert known.schema_by_id(number) == CODEC.schema(to.schema)


def test_without_a_registry_an_id_means_nothing(settings: Settings) -> None:
    """A fingerprint is no id, and a foreign id is refused with the setting's name."""
    found = destinations(settings, lambda _, name: CODEC.single_object_header(name))
    assert schemas_by_id(CODEC, found) == {}
    known = known_schemas(settings, CODEC, ManualClock(), found)
    write = control_writer(CODEC, confluent_header(9))
    value = write(Control(account="desk", state=Trading.ACTIVE))
    known.prepare([Message("t", 0, 0, None, value, 0, [])])
    with pytest.raises(SchemaError, match=r"registry\.url is not set"):
        Reader(CODEC, known.schema_by_id).control(value)


def test_a_lost_record_has_an_owner_with_a_registry(settings: Settings) -> None:
    """Its header holds an id of ours, also of a topic that came while we ran."""
    found = with_ids(settings)
    late = {
        topic: found.pop(topic)
        for topic, to in list(found.items())
        if to.schema == "cfbenchmarks.Value"
    }
    told: list[str] = []

    def log(event: str, **_facts: object) -> None:
        told.append(event)

    parts = Parts(settings, found, CODEC, ManualClock(), log)
    parts.routing.add(late)
    [(topic, to)] = late.items()
    encoder = CODEC.encoder(to.schema, to.header)
    value = encoder.prefix(["rates", "value:BRTI", "c", "BRTI"]) + bytes(50)
    parts.losses.failed(Failure(topic, 0, b"", value, "X", "x", False, False))
    assert parts.losses.total == 1
