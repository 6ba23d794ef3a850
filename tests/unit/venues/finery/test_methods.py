"""The table of methods, and typed and JSON contents to and from parameters."""

from __future__ import annotations

import json
import re
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.avro_schema import Array, Boolean, Record, Union
from bridge.core.codec import Codec
from bridge.core.envelopes import Reader, Request, Unfit, command_writer
from bridge.core.orders import Kind, Lane
from bridge.edge.schemas import bundled
from bridge.simulators.finery import methods as simulated
from bridge.venues.finery.contents import content, json_text, params
from bridge.venues.finery.methods import METHODS
from bridge.venues.finery.parameters import PARTS, RECORDS, Missing
from tests.unit.venues.finery.cases_contents import ADD, ADDED, EXAMPLES, LIMIT

CODEC = Codec(bundled())
READER = Reader(CODEC)
WRITE = command_writer(CODEC, CODEC.single_object_header("finery.Command"))
IDS = [f"{index}-{method}" for index, (method, *_) in enumerate(EXAMPLES)]


def _branches() -> dict[str, Record]:
    fields = {field.name: field.node for field in CODEC.record("finery.Command").fields}
    union = fields["content"]
    assert isinstance(union, Union)
    records = [node for node in union.branches if isinstance(node, Record)]
    return {node.name.removeprefix("finery."): node for node in records}


def _sent(method: str, asked: Any) -> Any:
    """Write a command and read it back as a worker does."""
    value = WRITE(Request("r", method, "desk", asked))
    return READER.command(value)["content"]


@pytest.mark.parametrize(("method", "fields", "wanted"), EXAMPLES, ids=IDS)
def test_a_typed_content_becomes_the_venues_parameters(
    method: str, fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """Every field of a record reaches the venue under the venue's own name."""
    assert params(method, _sent(method, (RECORDS[method], fields))) == wanted


@pytest.mark.parametrize(("method", "fields", "wanted"), EXAMPLES, ids=IDS)
def test_parameters_become_typed_content(
    method: str, fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """The venue's parameters find their record, and come back the same."""
    made = content(method, wanted)
    assert made[0] == RECORDS[method]
    assert params(method, _sent(method, made)) == wanted


@pytest.mark.parametrize(("method", "fields", "wanted"), EXAMPLES, ids=IDS)
def test_json_content_is_the_parameters(
    method: str, fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """JSON text goes to the venue as it is."""
    assert params(method, _sent(method, json.dumps(wanted))) == wanted


def test_every_record_has_an_example() -> None:
    """No record of the union is without a hand-written example."""
    assert {RECORDS[method] for method, *_ in EXAMPLES} == _branches().keys()
    assert {method for method, *_ in EXAMPLES} == RECORDS.keys()


@pytest.mark.parametrize("name", PARTS)
def test_fields_are_those_of_the_schema(name: str) -> None:
    """The table has the schema's fields in its order, required where it says so."""
    fields = _branches()[name].fields
    assert [part.field for part in PARTS[name]] == [field.name for field in fields]
    for part, field in zip(PARTS[name], fields, strict=True):
        assert (part.missing is Missing.REFUSE) != field.has_default
        assert (part.missing is Missing.FALSE) == (field.node == Boolean())
        optional = isinstance(field.node, Union | Array)
        assert (part.missing is Missing.LEAVE_OUT) == optional


def test_every_record_belongs_to_a_known_method() -> None:
    """Typed contents exist for listed methods only."""
    assert RECORDS.keys() <= METHODS.keys()
    assert set(RECORDS.values()) == PARTS.keys() == _branches().keys()


@pytest.mark.parametrize(("method", "fields", "wanted"), EXAMPLES, ids=IDS)
def test_other_libraries_read_and_write_the_same(
    method: str, fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """What is written here, the avro package reads alike, and fastavro writes alike."""
    name = RECORDS[method]
    value = WRITE(Request("r", method, "desk", (name, fields), 1709716088000))
    schema = avro.schema.parse(bundled()["finery.Command"])
    theirs: Any = avro.io.DatumReader(schema, schema)
    datum = theirs.read(avro.io.BinaryDecoder(BytesIO(value[10:])))
    assert _in_ms(datum["content"]) == READER.command(value)["content"][1]
    stream = BytesIO()
    datum["content"] = (f"finery.{name}", datum["content"])
    fastavro.schemaless_writer(stream, CODEC.schema("finery.Command"), datum)
    assert stream.getvalue() == value[10:]


def _in_ms(datum: dict[str, Any]) -> dict[str, Any]:
    """Show the times as numbers."""
    return {
        name: int(v.timestamp() * 1000) if isinstance(v, datetime) else v
        for name, v in datum.items()
    }


REFUSED: list[tuple[str, Any, str]] = [
    ("add", "{", "no JSON"),
    ("add", "[1]", "expected a JSON object"),
    ("add", "null", "expected a JSON object"),
    ("add", "", "no JSON"),
    ("add", '{"price":1.5}', "saw 1.5: numbers are integers"),
    ("add", '{"price":1e3}', "saw 1e3: numbers are integers"),
    ("add", '{"a":[{"price":NaN}]}', "saw NaN"),
    ("add", '{"price":1,"price":2}', "price: stands there twice"),
    ("add", '{"a":{"b":1,"b":1}}', "b: stands there twice"),
    ("add", '{"comment":"\\ud800"}', "UTF-8 cannot hold"),
    ("add", "[" * 100_000, "no JSON"),
    ("add", '{"price":' + "1" * 5000 + "}", "no JSON"),
    ("add", ("Mod", {"orderId": 1}), "is a Mod, but add takes a Add"),
    ("delAll", ("Instruments", {}), "is a Instruments, but delAll takes a DelAll"),
    ("voiceTrade", ("Add", {}), "has no typed content"),
    ("add", ("", {"side": "BID"}), "instrument: missing"),
    ("add", ("Add", {**ADD, "side": "UP"}), "side: saw the text"),
    ("add", ("Add", {**ADD, "type": "UNKNOWN"}), "type: saw the text"),
    ("add", ("Add", {**ADD, "priceE8": 1.5}), "priceE8: saw the number 1.5"),
    ("add", ("Add", {**ADD, "sizeE8": True}), "sizeE8: saw true"),
    ("add", ("Add", {**ADD, "makers": [1, "2"]}), "makers: saw the text"),
    ("add", ("Add", {**ADD, "iceberg": False}), "iceberg: this worker does not know"),
    ("add", ("Add", {**ADD, "iceberg": 0}), "iceberg: this worker does not know"),
]


@pytest.mark.parametrize(("method", "asked", "told"), REFUSED)
def test_what_cannot_be_sent_as_it_is_meant_is_refused(
    method: str, asked: Any, told: str
) -> None:
    """Nothing is rounded, guessed or left out: the content is refused with a reason."""
    with pytest.raises(Unfit, match="^.*" + told.replace("[", r"\[")):
        params(method, asked)


def test_a_newer_field_that_is_not_set_is_let_pass() -> None:
    """A sender with a newer schema is served as long as it asks for nothing new."""
    fields = {**ADD, "sizeE8": 2, "iceberg": None, "tags": [], "extra": {}}
    assert params("add", ("Add", fields)) == {**ADDED, "size": 2}


def test_an_older_sender_may_lack_optional_fields() -> None:
    """A record that lacks what has a default means the default."""
    assert params("book", ("BookRequest", {"instrument": "X"})) == {
        "instrument": "X",
        "tradable": False,
    }


def test_integers_beyond_53_bits_stay_exact() -> None:
    """No number goes through a float, whether typed or JSON."""
    big = 2**63 - 1
    fields = {**ADD, "sizeE8": big, "clientOrderId": 2**53 + 1}
    found = params("add", _sent("add", ("Add", fields)))
    assert (found["size"], found["clientOrderId"]) == (big, 2**53 + 1)
    assert params("x", '{"nonce":18446744073709551617}') == {"nonce": 2**64 + 1}


@pytest.mark.parametrize(
    ("method", "given_"),
    [
        ("voiceTrade", {"anything": [1, {"deep": "text"}]}),
        ("pending/del", {"orderId": 1}),
        ("add", {**ADDED, "size": 1, "newParameter": 1}),
        ("add", {**ADDED, "size": "1"}),
        ("add", {**ADDED, "size": 2**63}),
        ("add", {**ADDED, "size": 1, "type": "MarketIOC"}),
        ("add", {**ADDED, "size": 1, "makers": []}),
        ("add", {"instrument": "BTC-USD"}),
        ("positions", {"filter": None}),
        ("setCLimit", {**LIMIT, "maintenaceMargin": 1}),
        ("setSubaccountLimit", {"subaccountId": 1, "limits": {}}),
    ],
)
def test_what_no_record_can_say_goes_as_json(
    method: str, given_: dict[str, Any]
) -> None:
    """Parameters outside a record are never dropped: the whole content is JSON."""
    made = content(method, given_)
    assert isinstance(made, str)
    assert params(method, _sent(method, made)) == given_


@pytest.mark.parametrize("bad", [{"a": 1.5}, {"a": [{"b": 0.0}]}, {1: 2}, {"a": {2}}])
def test_json_text_refuses_what_json_would_bend(bad: Any) -> None:
    """Floats, and names that are no texts, are refused when writing, too."""
    with pytest.raises(Unfit):
        json_text(bad)


_PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
_JSON = st.recursive(
    _PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
_NAMES = st.sampled_from(["instrument", "size", "side", "limits", "cod", "orderId"])


@given(st.sampled_from(sorted(METHODS)), st.dictionaries(_NAMES | st.text(), _JSON))
def test_any_parameters_come_back_with_the_same_meaning(
    method: str, given_: dict[str, Any]
) -> None:
    """Typed or JSON, parameters survive; only the flags that are always sent appear."""
    found = params(method, content(method, given_))
    always = {part.param for part in PARTS.get(RECORDS.get(method, ""), ())}
    assert {k: v for k, v in found.items() if k in given_ or v is not False} == given_
    assert found.keys() - given_.keys() <= always


def test_the_simulator_knows_every_method() -> None:
    """No method of the table is unknown to the simulator, nor the other way round."""
    assert simulated.METHODS.keys() | simulated.NOT_IMPLEMENTED == METHODS.keys()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Kind.RISK, "setCLimit delCLimit setLimit delLimit setSubaccountLimit"),
        (Kind.RISK, "addInstrumentMarkups delInstrumentMarkups setUserSettings"),
        (Kind.RELATION, "connectCounterparty cancelConnectionInvite"),
        (Kind.ORDER, "add mod del delAll pending/add pending/del pending/delAll"),
        (Kind.ORDER, "authorized/add voiceTrade liquidationTrade"),
        (Kind.ORDER, "pending/authorized/add pending/authorized/delAll"),
        (Kind.SETTLEMENT, "addIncomingSettlementRequest sendSettlementTransaction"),
        (Kind.READ, "instruments book positions dealHistory pending/orders climits"),
    ],
)
def test_methods_have_the_class_of_what_they_change(kind: Kind, names: str) -> None:
    """Classes are the reference's: orders, risk settings, settlements, relations."""
    assert {METHODS[name].kind for name in names.split()} == {kind}


def test_only_reads_need_no_claim() -> None:
    """A method that changes something is never sent twice."""
    for method in METHODS.values():
        assert method.needs_claim == (method.kind is not Kind.READ)


def test_lanes() -> None:
    """Cancels go first, then queries, then everything else."""
    cancels = {name for name, m in METHODS.items() if m.lane is Lane.CANCEL}
    assert cancels == {
        *("del", "delAll", "pending/del", "pending/delAll"),
        *("pending/authorized/del", "pending/authorized/delAll"),
    }
    for method in METHODS.values():
        assert (method.lane is Lane.QUERY) == (method.kind is Kind.READ)


def test_client_order_ids_travel_with_new_orders_only() -> None:
    """A method makes an order where its parameters have the new order's client id."""
    made = {name for name, m in METHODS.items() if m.makes_order}
    typed = {
        method
        for method, name in RECORDS.items()
        if "clientOrderId" in {part.param for part in PARTS[name]}
    }
    assert made == typed - {"del"}


def test_every_method_names_its_source() -> None:
    """A page of the docs, or what else is known of it."""
    for name, method in METHODS.items():
        assert method.name == name
        assert method.source


def test_the_page_for_senders_lists_every_method() -> None:
    """docs/orders.md has each method with its class, lane and content."""
    page = (Path(__file__).parents[4] / "docs" / "orders.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    listed = {row[0].strip("| `"): row[1:4] for row in rows if len(row) == 5}
    assert listed.keys() == METHODS.keys()
    for name, (kind, lane, shown) in listed.items():
        assert (kind, lane) == (METHODS[name].kind, METHODS[name].lane.name.lower())
        record, _, fields = shown.partition(": ")
        assert record.strip("`") == RECORDS.get(name, "JSON only")
        wanted = [part.field for part in PARTS.get(RECORDS.get(name, ""), ())]
        assert re.findall(r"`(\w+)`", fields) == wanted
