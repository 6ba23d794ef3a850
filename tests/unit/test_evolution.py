"""The bundled schemas keep the data contract, and never break the last release's."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from bridge.core import model
from bridge.core.avro_compat import problems
from bridge.core.avro_encoder import feed_layout
from bridge.core.avro_schema import load, parse
from bridge.edge.schemas import bundled, released

SCHEMAS = {name: load(text) for name, text in bundled().items()}
OTHERS = {
    "feedbridge.Control",
    "feedbridge.FeedState",
    "feedbridge.Subscription",
    "finery.Command",
    "finery.Response",
}
FEEDS = sorted(SCHEMAS.keys() - OTHERS)
# Longs that are no scaled numbers: ids, counts, and times whose unit is a logical type.
COUNTS = {"sequence", "lost", "id", "commandOffset", "repeatOf"}


def _fields(schema: Any) -> Iterator[dict[str, Any]]:
    """Find every field, however deep."""
    if isinstance(schema, list):
        for item in schema:
            yield from _fields(item)
    elif isinstance(schema, dict):
        yield from schema.get("fields", ())
        for field in schema.get("fields", ()):
            yield from _fields(field["type"])
        yield from _fields(schema.get("items"))


def _named(schema: Any) -> Iterator[dict[str, Any]]:
    """Find every enum and record, however deep."""
    if isinstance(schema, list):
        for item in schema:
            yield from _named(item)
    elif isinstance(schema, dict):
        if schema["type"] in {"enum", "record"}:
            yield schema
        for field in schema.get("fields", ()):
            yield from _named(field["type"])
        yield from _named(schema.get("items"))


def _theirs(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    """Ask Apache's checker whether `reader` reads what `writer` wrote."""
    parsed = [avro.schema.parse(json.dumps(schema)) for schema in (reader, writer)]
    checker: Any = ReaderWriterCompatibilityChecker
    answer = checker().get_compatibility(*parsed)
    return bool(answer.compatibility is SchemaCompatibilityType.compatible)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_reads_the_last_release(name: str) -> None:
    """A consumer with the new schema reads records of the last release."""
    old = {full: load(text) for full, text in released().items()}.get(name)
    writer = SCHEMAS[name] if old is None else old
    assert problems(parse(SCHEMAS[name]), parse(writer)) == []
    assert _theirs(SCHEMAS[name], writer)


def test_no_released_schema_is_gone() -> None:
    """Every schema of the last release is still there."""
    assert released().keys() <= SCHEMAS.keys()


Change = Callable[[dict[str, Any]], None]


def _data(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["fields"][-1]["type"][1]
    return found


def _field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return next(field for field in _data(schema)["fields"] if field["name"] == name)


def _add(schema: dict[str, Any], **field: Any) -> None:
    _data(schema)["fields"].append({"name": "added", **field})


def _retype(name: str, kind: Any) -> Change:
    return lambda schema: _field(schema, name).update(type=kind)


def _symbols(change: Callable[[list[str]], Any]) -> Change:
    return lambda schema: change(_field(schema, "side")["type"]["symbols"])


ALLOWED: dict[str, Change] = {
    "nothing": lambda _: None,
    "a doc": lambda schema: _field(schema, "orderId").update(doc="other words"),
    "a field with a default": lambda s: _add(s, type=["null", "long"], default=None),
    "a field less": lambda schema: _data(schema)["fields"].pop(),
    "int to long": _retype("orderTypeCode", "long"),
    "optional now": _retype("orderId", ["null", "long"]),
    "string to bytes": _retype("instrument", "bytes"),
    "a symbol more": _symbols(lambda symbols: symbols.append("BOTH")),
    "another order": lambda schema: _data(schema)["fields"].reverse(),
}
BREAKING: dict[str, tuple[Change, str]] = {
    "a field without a default": (
        lambda schema: _add(schema, type="long"),
        "data.added: new field without a default",
    ),
    "long to int": (_retype("orderId", "int"), "data.orderId: was long, is int"),
    "long to string": (_retype("orderId", "string"), "was long, is text"),
    "required now": (_retype("byVolume", "boolean"), "byVolume: was null, is boolean"),
    "a symbol less": (_symbols(lambda symbols: symbols.pop()), "symbols ASK are gone"),
    "another record": (
        lambda schema: _data(schema).update(name="Other"),
        "record was finery.OrderData",
    ),
    "another enum": (
        lambda schema: _field(schema, "side")["type"].update(name="Other"),
        "enum was finery.Side",
    ),
    "an array": (
        _retype("orderId", {"type": "array", "items": "long"}),
        "was long, is array",
    ),
    "no record any more": (
        lambda schema: schema["fields"][-1].update(type=["null", "string"]),
        "no branch of the new union reads record",
    ),
}


def _changed(change: Change) -> dict[str, Any]:
    schema = copy.deepcopy(SCHEMAS["finery.Order"])
    change(schema)
    return schema


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_the_checker_lets_safe_changes_pass(change: Change) -> None:
    """What Avro can bridge is no problem, as Apache's checker says."""
    new, old = _changed(change), SCHEMAS["finery.Order"]
    assert problems(parse(new), parse(old)) == []
    assert _theirs(new, old)


@pytest.mark.parametrize(("change", "told"), BREAKING.values(), ids=BREAKING.keys())
def test_the_checker_finds_breaking_changes(change: Change, told: str) -> None:
    """What a consumer could not read is named, and Apache's checker finds it too."""
    new, old = _changed(change), SCHEMAS["finery.Order"]
    found = problems(parse(new), parse(old))
    assert any(told in problem for problem in found), found
    assert not _theirs(new, old)


@pytest.mark.parametrize(
    ("schema", "field", "kind", "told"),
    [
        (
            "finery.Order",
            "createdAt",
            {"type": "long", "logicalType": "timestamp-micros"},
            "was long (timestamp-millis), is long (timestamp-micros)",
        ),
        (
            "cfbenchmarks.Value",
            "value",
            {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9},
            "was decimal(38,18), is decimal(38,9)",
        ),
    ],
)
def test_units_of_times_and_decimals_never_change(
    schema: str, field: str, kind: Any, told: str
) -> None:
    """A reader that ignores logical types would be wrong by powers of ten, silently."""
    new = copy.deepcopy(SCHEMAS[schema])
    _retype(field, kind)(new)
    (found,) = problems(parse(new), parse(SCHEMAS[schema]))
    assert told in found


def test_shared_definitions_are_the_same_everywhere() -> None:
    """Action, State and Boundary are word for word the same in every file."""
    seen: dict[str, Any] = {}
    for schema in SCHEMAS.values():
        for part in _named(schema):
            if part["name"].startswith("feedbridge."):
                assert seen.setdefault(part["name"], part) == part
    assert seen.keys() == {
        "feedbridge.Action",
        "feedbridge.State",
        "feedbridge.Boundary",
    }


@pytest.mark.parametrize("name", FEEDS)
def test_every_feed_record_has_the_same_header(name: str) -> None:
    """The fields that all feed records have are the same, docs included."""
    book = SCHEMAS["finery.Book"]["fields"]
    fields = SCHEMAS[name]["fields"]
    start = feed_layout(parse(SCHEMAS[name])).strings
    assert fields[:3] == book[:3]
    assert fields[start : start + 4] == book[4:8]


def test_enums_match_the_code() -> None:
    """The index that the code writes stands for the symbol that the schema names."""
    book = {part["name"]: part for part in _named(SCHEMAS["finery.Book"])}
    for enum, name in (
        (model.Action, "feedbridge.Action"),
        (model.State, "feedbridge.State"),
        (model.Operation, "Operation"),
    ):
        assert [member.name for member in enum] == book[name]["symbols"]
        assert [int(member) for member in enum] == list(range(len(enum)))


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_everything_is_documented(name: str) -> None:
    """Every field has a doc that ends like a sentence."""
    for part in _fields(SCHEMAS[name]):
        assert part.get("doc", "").endswith("."), part["name"]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_scaled_numbers_have_their_unit_in_the_name(name: str) -> None:
    """A long is a time, an id or a count, or its name and its doc tell the scale."""
    for field in _fields(SCHEMAS[name]):
        if '"long"' not in json.dumps(_own_types(field["type"])):
            continue
        said, doc = field["name"], field["doc"]
        if said.endswith("E8"):
            assert "1e-8" in doc or "E8" in doc, said
        elif said.endswith("E4"):
            assert "1e4" in doc, said
        else:
            assert said in COUNTS or said.endswith(("Id", "Millis")), said
            assert "1e" not in doc, said


def _own_types(kind: Any) -> list[Any]:
    """Return the branches of a field that are plain numbers."""
    return [
        part for part in (kind if isinstance(kind, list) else [kind]) if part == "long"
    ]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_no_floats_anywhere(name: str) -> None:
    """No schema has a float or a double."""
    text = json.dumps(SCHEMAS[name])
    assert '"float"' not in text
    assert '"double"' not in text
