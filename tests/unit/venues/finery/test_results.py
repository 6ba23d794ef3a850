"""Replies of the venue become typed results, or stay the text that they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.avro_schema import Array, Enum, Node, Record, Union
from bridge.core.codec import Codec
from bridge.core.envelopes import Reader, Shown, response_writer
from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Result
from bridge.edge.schemas import bundled
from bridge.venues.finery.methods import METHODS
from bridge.venues.finery.replies import REPLIES
from bridge.venues.finery.results import BRANCHES, TEXT, typed
from tests.unit.venues.finery.cases_replies import EXAMPLES, ROWS, TRANSFER

CODEC = Codec(bundled())
READER = Reader(CODEC)
WRITE = response_writer(CODEC, CODEC.single_object_header("finery.Response"))


def _entry(method: str, body: str) -> Entry:
    said = Result(
        outcome=Outcome.DONE, code="", text="", evidence=Evidence.REPLY, body=body
    )
    return Entry(
        key=Key("finery.commands", "desk", "r"),
        phase=Phase.FINAL,
        command_offset=1,
        method=method,
        result=said,
    )


def _read(method: str, body: str) -> Any:
    """Write a response as a worker does and read it back as a consumer does."""
    value = WRITE(_entry(method, body), 0, Shown(result=typed(method, body)))
    answer = READER.response(value)
    assert answer.entry.result is not None
    assert answer.entry.result.body == body
    return answer.result


@pytest.mark.parametrize(("method", "body", "record", "told"), EXAMPLES)
def test_a_reply_becomes_its_record(
    method: str, body: str, record: str, told: dict[str, Any]
) -> None:
    """What the venue answered stands in the record's fields, whatever its era."""
    name, fields = _read(method, body)
    assert name == record
    assert {**fields, **told} == fields


@pytest.mark.parametrize(("method", "body", "record", "field", "rows"), ROWS)
def test_a_reply_of_rows_becomes_records(
    method: str, body: str, record: str, field: str, rows: list[dict[str, Any]]
) -> None:
    """Lists of records are read as the feeds read them, by index and by era."""
    name, fields = _read(method, body)
    assert name == record
    assert len(fields[field]) == len(rows)
    for found, told in zip(fields[field], rows, strict=True):
        assert {**found, **told} == found


def test_every_reply_that_is_known_has_an_example() -> None:
    """No reader of a reply is without a hand-written example."""
    shown = {method for method, *_ in (*EXAMPLES, *ROWS)}
    assert REPLIES.keys() - shown == {"pending/authorized/add"}
    assert REPLIES.keys() <= METHODS.keys()
    assert {record for _, _, record, *_ in (*EXAMPLES, *ROWS)} == set(BRANCHES)


def test_the_branches_are_the_schemas() -> None:
    """The table of branches is the union of the schema, in its order."""
    fields = {f.name: f.node for f in CODEC.record("finery.Response").fields}
    union = fields["result"]
    assert isinstance(union, Union)
    names = [n.name for n in union.branches[TEXT + 1 :] if isinstance(n, Record)]
    assert names == [f"finery.{name}" for name in BRANCHES]


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("add", "no JSON"),
        ("add", "[]"),
        ("add", '{"error":0}'),
        ("add", '{"id":1.5,"deals":[]}'),
        ("add", '{"id":"1","deals":[]}'),
        ("add", f'{{"id":{2**63},"deals":[]}}'),
        ("add", '{"id":1,"deals":[{}]}'),
        ("add", '{"id":1,"deals":null}'),
        ("mod", '{"error":80}'),
        ("del", '{"error":80,"id":1,"remainingSize":1}'),
        ("delAll", '{"error":3}'),
        ("book", "[[[1]],[]]"),
        ("positions", "[1,[]]"),
        ("settlementTransactionHistory", "[]"),
        ("settlementTransactionHistory", json.dumps([TRANSFER, TRANSFER])),
        ("getSubaccounts", '[{"status":"active","createdAt":1,"type":"maker"}]'),
        ("getSubaccounts", "[1]"),
        (
            "qs/getAvailableQsProviders",
            '{"providers":{},"providerSupportedOrderTypes":{"x":[]}}',
        ),
        (
            "qs/getAvailableQsProviders",
            '{"providers":[],"providerSupportedOrderTypes":{}}',
        ),
        ("setCLimit", '{"error":0}'),
        ("voiceTrade", '{"anything":[1]}'),
        ("unheard/of", "[]"),
        ("climits", "[" * 100_000),
        ("add", '{"id":' + "1" * 5000 + "}"),
    ],
)
def test_what_does_not_fit_stays_text(method: str, body: str) -> None:
    """A reply of another shape goes out as the text that it is: nothing fails."""
    assert typed(method, body) == (TEXT, body)
    assert _read(method, body) == body


def test_no_reply_is_no_result() -> None:
    """Where the venue said nothing, the result is null."""
    assert _read("add", "") is None


def test_half_a_surrogate_pair_does_not_stop_a_response() -> None:
    """A text that UTF-8 cannot hold is no reason not to write the response."""
    body = '{"providers":{"\\ud800":[1]},"providerSupportedOrderTypes":{}}'
    assert _read("qs/getAvailableQsProviders", body) == body


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "deals", "removed", "error", "origId", "providers"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(REPLIES)), _JSON)
def test_any_reply_can_be_written(method: str, reply: Any) -> None:
    """Whatever JSON comes, the response is written and its text comes back."""
    _read(method, json.dumps(reply))


def _definitions(node: Node) -> dict[str, Node]:
    """Find every record and enum of a tree."""
    found: dict[str, Node] = {}
    match node:
        case Record(name=name, fields=fields):
            found[name] = node
            for field in fields:
                found |= _definitions(field.node)
        case Enum(name=name):
            found[name] = node
        case Array(items=items):
            found = _definitions(items)
        case Union(branches=branches):
            for branch in branches:
                found |= _definitions(branch)
    return found


def test_a_name_means_the_same_in_every_schema() -> None:
    """Code made from all schemas of the package has one class for each name."""
    seen: dict[str, Node] = {}
    for schema in CODEC.names():
        for name, node in _definitions(CODEC.record(schema)).items():
            assert seen.setdefault(name, node) == node, name
