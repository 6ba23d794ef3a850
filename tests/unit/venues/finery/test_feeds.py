"""Every feed, action and era: a frame of the reference, and its events by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from bridge.core.model import Action, Data
from bridge.venues.finery.feeds import FEEDS, STATUS
from bridge.venues.finery.streams import STREAMS
from tests.unit.venues.finery import cases_account, cases_market, cases_risk
from tests.unit.venues.finery.cases import Case
from tests.unit.venues.finery.desk import Desk

CASES = cases_market.CASES + cases_account.CASES + cases_risk.CASES
SCHEMAS = Path(__file__).parents[4] / "avro" / "finery"


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_frame(case: Case) -> None:
    """The frame causes exactly the events that stand in the table."""
    desk = Desk(*case.wanted).live(*case.before)
    assert desk.frame(case.frame) == case.said


def test_every_action_of_every_feed_has_a_case() -> None:
    """The overview of all feed letters (reference 4.9) is covered without a hole."""
    seen = {(f[0], f[2]) for f in (json.loads(case.frame) for case in CASES)}
    expected = {(STATUS, "Z"), *((b, a) for b in ("F", "B", "MD") for a in ("S", "M"))}
    for letter, feed in FEEDS.items():
        expected |= {(letter, action) for action in feed.changes}
        expected |= {(letter, "S")} if feed.snapshot else set()
    assert seen == expected


def _schema(name: str) -> dict[str, Any]:
    for path in SCHEMAS.glob("*.avsc"):
        schema: dict[str, Any] = json.loads(path.read_text())
        if f"{schema['namespace']}.{schema['name']}" == name:
            return schema
    raise LookupError(name)


def _types(schema: Any) -> dict[str, Any]:
    """Return every named type inside a schema."""
    if isinstance(schema, list):
        return {name: found for part in schema for name, found in _types(part).items()}
    if not isinstance(schema, dict):
        return {}
    inner = [schema.get("items"), schema["type"]]
    inner += [field["type"] for field in schema.get("fields", ())]
    own = {schema["name"]: schema} if "name" in schema else {}
    return own | _types(inner)


def _named(schema: Any, value: Any, types: dict[str, Any]) -> Any:
    """Give names to a payload of tuples and numbers, as fastavro wants it."""
    if isinstance(schema, list):
        return None if value is None else _named(schema[1], value, types)
    if isinstance(schema, str):
        return _named(types[schema], value, types) if schema in types else value
    match schema["type"]:
        case "record":
            return _record(schema["fields"], value, types)
        case "array":
            return [_named(schema["items"], item, types) for item in value]
        case "enum":
            return schema["symbols"][value]
        case _:
            return value


def _record(fields: Any, values: Any, types: dict[str, Any]) -> dict[str, Any]:
    return {
        field["name"]: _named(field["type"], value, types)
        for field, value in zip(fields, values, strict=True)
    }


def _is_valid(stream: str, event: Data) -> bool:
    """Tell whether fastavro accepts the event as a record of its stream's schema."""
    schema = _schema(STREAMS[stream.removeprefix("finery.")].schema)
    names = [field["name"] for field in schema["fields"]]
    at = names.index("boundary") + 1
    blank = {
        **dict.fromkeys(names[:at], "x"),
        "sequence": 0,
        "receivedAt": 0,
        "boundary": None,
        "action": Action(event.action).name,
    }
    payload = _record(schema["fields"][at:], event.values, _types(schema))
    return fastavro.validate({**blank, **payload}, fastavro.parse_schema(schema))


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_payload_fits_its_schema(case: Case) -> None:
    """Every payload is a record of the stream's Avro schema, field by field."""
    desk = Desk(*case.wanted).live(*case.before)
    desk.frame(case.frame)
    for event in desk.heard:
        if isinstance(event, Data):
            assert _is_valid(desk.plan.subscriptions[event.channel].stream, event)
