"""Commands, responses and controls survive the log, whoever wrote them."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from io import BytesIO
from typing import Any

import avro.io
import avro.schema
import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.avro_schema import Record
from bridge.core.codec import Codec, confluent_header
from bridge.core.envelope_reader import MOST_SCHEMAS
from bridge.core.envelopes import (
    COMMAND,
    CONTROL,
    RESPONSE,
    SUBSCRIPTION,
    Answer,
    Control,
    Desired,
    DesiredState,
    Reader,
    Request,
    Shown,
    command_writer,
    control_writer,
    desired_writer,
    positional,
    response_writer,
)
from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Result, Trading
from bridge.edge.schemas import bundled
from bridge.errors import RegistryUnreachable, SchemaError

TEXTS = bundled()
CODEC = Codec(TEXTS)
READER = Reader(CODEC)
HEADERS = {name: CODEC.single_object_header(name) for name in CODEC.names()}
WRITE = response_writer(CODEC, HEADERS[RESPONSE])
ORDER = command_writer(CODEC, HEADERS[COMMAND])
SET = control_writer(CODEC, HEADERS[CONTROL])
WISH = desired_writer(CODEC, HEADERS[SUBSCRIPTION])

REMOVED = (5, (1235, 8000000))  # OrderRemoved
RESULT = Result(
    outcome=Outcome.DONE,
    code="DONE",
    text="cancelled",
    evidence=Evidence.REPLY,
    body='{"id":1235,"remainingSize":8000000}',
)
ENTRY = Entry(
    key=Key("finery.commands", "desk", "r-1"),
    phase=Phase.FINAL,
    command_offset=2**40,
    method="del",
    worker="w",
    epoch="e",
    order_id=7,
    result=RESULT,
    repeat_of=0,
    connection="0190-uuid",
    received_ms=1,
    claimed_ms=2,
    sent_ms=3,
    answered_ms=4,
    reply_to="desk.responses",
)

_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_MS = st.integers(0, 2**63 - 1)
_RESULTS = st.builds(
    Result,
    outcome=st.sampled_from(Outcome),
    code=_TEXT,
    text=_TEXT,
    evidence=st.sampled_from(Evidence),
    venue_error=st.integers(-(2**31), 2**31 - 1),
    venue_meaning=_TEXT,
    body=_TEXT,
)
_ENTRIES = st.builds(
    Entry,
    key=st.builds(Key, _TEXT, _TEXT, _TEXT),
    phase=st.sampled_from(Phase),
    command_offset=_MS,
    method=_TEXT,
    worker=_TEXT,
    epoch=_TEXT,
    order_id=_MS,
    request=_TEXT,
    result=st.none() | _RESULTS,
    repeat_of=st.none() | _MS,
    connection=_TEXT,
    received_ms=_MS,
    claimed_ms=_MS,
    sent_ms=_MS,
    answered_ms=_MS,
    reply_to=_TEXT,
)


@given(_ENTRIES, st.integers(0, 2**31 - 1), st.booleans())
def test_an_entry_survives_the_log(entry: Entry, partition: int, typed: bool) -> None:
    """What the claims decide on is the same after the log as before it."""
    shown = Shown(
        result=REMOVED if typed and entry.result and entry.result.body else None,
        retriable=typed,
    )
    answer = READER.response(WRITE(entry, partition, shown))
    assert (answer.entry, answer.partition) == (entry, partition)
    assert answer.retriable == typed


def test_what_is_shown_beside_an_entry() -> None:
    """A typed result, the error's name and parameter, and whether to try again."""
    refused = msgspec.structs.replace(RESULT, venue_error=9, venue_meaning="bad")
    entry = msgspec.structs.replace(ENTRY, result=refused)
    shown = Shown(
        result=REMOVED,
        error_name="INVALID_PARAMETER",
        error_param="side",
        retriable=True,
    )
    assert READER.response(WRITE(entry, 3, shown)) == Answer(
        entry=entry,
        partition=3,
        result=("OrderRemoved", {"orderId": 1235, "remainingSizeE8": 8000000}),
        error_name="INVALID_PARAMETER",
        error_param="side",
        retriable=True,
    )


def test_an_untyped_result_is_the_body() -> None:
    """Without a typed result the venue's JSON text stands in the union, once."""
    value = WRITE(ENTRY, 0)
    assert READER.response(value).result == RESULT.body
    assert value.count(RESULT.body.encode()) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"body": "\ud800"}, {"body": "?"}),
        ({"text": "a\udfff"}, {"text": "a?"}),
        ({"venue_error": 2**40}, {"venue_error": 2**31 - 1}),
        (
            {"venue_error": -(2**40), "venue_meaning": "\ud800"},
            {"venue_error": 1 - 2**31, "venue_meaning": "?"},
        ),
    ],
)
def test_a_response_is_written_whatever_the_venue_says(
    changes: dict[str, Any], told: dict[str, Any]
) -> None:
    """What Avro cannot hold is replaced: an answer must never stay unwritten."""
    entry = msgspec.structs.replace(
        ENTRY, result=msgspec.structs.replace(RESULT, **changes)
    )
    shown = Shown(result=(5, ("no", "numbers")), error_param="\ud800")
    answer = READER.response(WRITE(entry, 0, shown))
    assert answer.entry.result == msgspec.structs.replace(RESULT, **told)
    assert answer.result == answer.entry.result.body
    assert answer.error_param == "?"


def test_a_claim_that_does_not_fit_is_our_own_fault() -> None:
    """Only what the venue said is mended; a broken entry of ours is an error."""
    with pytest.raises(SchemaError):
        WRITE(msgspec.structs.replace(ENTRY, order_id=2**63), 0)
    with pytest.raises(SchemaError):
        WRITE(msgspec.structs.replace(ENTRY, result=None, worker="\ud800"), 0)


def test_the_enums_are_the_schemas() -> None:
    """The index that is written stands for the symbol that the schema names."""
    symbols = {}
    for part in (*_fields(RESPONSE), *_fields(CONTROL), *_fields(SUBSCRIPTION)):
        for kind in part["type"] if isinstance(part["type"], list) else [part["type"]]:
            if isinstance(kind, dict) and kind["type"] == "enum":
                symbols[kind["name"]] = kind["symbols"]
    for name, enum in (
        ("Phase", Phase),
        ("Outcome", Outcome),
        ("Evidence", Evidence),
        ("TradingState", Trading),
        ("DesiredState", DesiredState),
    ):
        assert symbols.pop(name) == [member.name for member in enum]
        assert [*enum] == [*range(len(enum))]
    assert not symbols


def _fields(name: str) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = CODEC.schema(name)["fields"]
    return fields


@given(
    st.builds(
        Control,
        account=_TEXT,
        state=st.sampled_from(Trading),
        halt_cancels=st.booleans(),
        reason=_TEXT,
        by=_TEXT,
        at_ms=_MS,
    )
)
def test_a_control_survives_the_log(control: Control) -> None:
    """What an operator sets is what every worker reads."""
    assert READER.control(SET(control)) == control


@given(
    st.builds(
        Desired,
        source=_TEXT,
        subscription=_TEXT,
        state=st.sampled_from(DesiredState),
        options=_TEXT,
        reason=_TEXT,
        by=_TEXT,
        at_ms=_MS,
    )
)
def test_a_desired_subscription_survives_the_log(desired: Desired) -> None:
    """What is asked for at run time is what every worker reads."""
    assert READER.desired(WISH(desired)) == desired


@given(st.builds(Request, _TEXT, _TEXT, _TEXT, _TEXT, st.none() | _MS))
def test_a_command_survives_the_log(asked: Request) -> None:
    """What a sender asks for is what the worker reads."""
    assert READER.command(ORDER(asked)) == {
        "reqId": asked.req_id,
        "method": asked.method,
        "account": asked.account,
        "notAfter": asked.not_after_ms,
        "content": asked.content,
    }


def test_a_typed_content_keeps_its_name() -> None:
    """The worker sees which record a sender chose, not only its fields."""
    value = ORDER(Request("r", "delAll", "desk", ("Instruments", {})))
    assert READER.command(value)["content"] == ("Instruments", {})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (("Subtract", {}), "there is no content Subtract"),
        (("Del", {"orderID": 1}), "finery.Del has no orderID; it has orderId, client"),
        (("Mod", {"orderId": 1}), "finery.Mod.priceE8 is missing"),
        (
            ("Add", {"instrument": "X", "side": "UP"}),
            "finery.Add.side is one of BID, ASK, not UP",
        ),
        (("Del", {"orderId": 2**63}), "finery.Command: "),
        (("Del", {"orderId": "1"}), "finery.Command: "),
    ],
)
def test_a_content_that_does_not_fit_is_not_written(content: Any, told: str) -> None:
    """A sender learns of a misspelt or missing field before anything is sent."""
    with pytest.raises(SchemaError, match=told):
        ORDER(Request("r", "m", "desk", content))


def test_fields_that_may_be_left_out() -> None:
    """Optional fields, arrays and flags have their default; enums may be numbers."""
    fields = {field.name: field.node for field in CODEC.record(COMMAND).fields}
    add: Any = fields["content"]
    record = next(n for n in add.branches if getattr(n, "name", "") == "finery.Add")
    assert isinstance(record, Record)
    asked = {"instrument": "X", "side": 1, "type": "LIMIT", "makers": [1]}
    assert positional(record, asked) == (
        *("X", None, None, None, None, 1, 0, False),
        *(None, None, (1,)),
    )


VALUES = {
    COMMAND: ORDER(Request("r", "del", "desk", ("Del", {"orderId": 1}), 5)),
    RESPONSE: WRITE(ENTRY, 3, Shown(result=REMOVED)),
    CONTROL: SET(Control(account="desk", state=Trading.HALTED, by="ops", at_ms=9)),
    SUBSCRIPTION: WISH(
        Desired(
            source="desk",
            subscription="orders",
            state=DesiredState.UNWANTED,
            at_ms=9,
        )
    ),
}


@pytest.mark.parametrize(("name", "value"), VALUES.items(), ids=VALUES.keys())
def test_two_other_libraries_agree(name: str, value: bytes) -> None:
    """Fastavro and the avro package read the same; fastavro writes the same bytes."""
    schema = avro.schema.parse(TEXTS[name])
    reader: Any = avro.io.DatumReader(schema, schema)
    theirs = reader.read(avro.io.BinaryDecoder(BytesIO(value[10:])))
    other = fastavro.schemaless_reader(BytesIO(value[10:]), CODEC.schema(name), None)
    assert theirs == other
    assert any(isinstance(field, datetime) for field in theirs.values())
    named: Any = fastavro.schemaless_reader(
        BytesIO(value[10:]), CODEC.schema(name), None, return_record_name=True
    )
    stream = BytesIO()
    fastavro.schemaless_writer(stream, CODEC.schema(name), named)
    assert stream.getvalue() == value[10:]


def _foreign(name: str, **changes: Any) -> tuple[Reader, dict[str, Any]]:
    """Make a reader that knows another writer's schema, as registry id 1."""
    schema = copy.deepcopy(CODEC.schema(name))
    schema["fields"] = [
        changes.pop(field["name"], None) or field
        for field in schema["fields"]
        if changes.get(field["name"], field) is not ...
    ] + [field for field in changes.values() if field is not ...]
    return Reader(CODEC, {1: schema}.__getitem__), schema


def _written(schema: dict[str, Any], datum: dict[str, Any]) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, schema, datum)
    return confluent_header(1) + stream.getvalue()


RESPONDED: dict[str, Any] = {
    "reqId": "r",
    "account": "desk",
    "method": "add",
    "commandTopic": "finery.commands",
    "commandPartition": 1,
    "commandOffset": 2,
    "phase": "CLAIMED",
    "code": "",
    "text": "",
    "worker": "w",
    "epoch": "e",
    "connection": "",
}


def test_responses_of_another_version_are_read() -> None:
    """Missing fields are empty, further ones let pass, new symbols are UNKNOWN."""
    phase = copy.deepcopy(_fields(RESPONSE)[6])
    phase["type"]["symbols"].append("PAUSED")
    more = {"name": "more", "type": "string"}
    reader, schema = _foreign(RESPONSE, phase=phase, more=more, request=..., epoch=...)
    datum = {**RESPONDED, "phase": "PAUSED", "more": "x"}
    entry = reader.response(_written(schema, datum)).entry
    assert entry == Entry(
        key=Key("finery.commands", "desk", "r"),
        phase=Phase.UNKNOWN,
        command_offset=2,
        method="add",
        worker="w",
    )


@pytest.mark.parametrize("field", ["reqId", "commandOffset", "phase"])
def test_a_response_without_what_the_claims_need_is_none(field: str) -> None:
    """A record that names no command, or no phase, decides nothing."""
    reader, schema = _foreign(RESPONSE, **{field: ...})
    with pytest.raises(SchemaError, match=field):
        reader.response(_written(schema, RESPONDED))


def test_commands_of_other_senders_are_read() -> None:
    """A sender may know fewer records, put them into its namespace, or only one."""
    add = {
        "type": "record",
        "name": "acme.Add",
        "fields": [{"name": "instrument", "type": "string"}],
    }
    for kind, name in ((["string", add], "Add"), (add, "")):
        reader, schema = _foreign(
            COMMAND, content={"name": "content", "type": kind}, notAfter=...
        )
        datum = {"reqId": "r", "method": "add", "account": "desk"}
        value = _written(schema, {**datum, "content": {"instrument": "X"}})
        assert reader.command(value) == {
            **datum,
            "notAfter": None,
            "content": (name, {"instrument": "X"}),
        }


def test_an_unknown_trading_state_is_unknown() -> None:
    """A state of a newer version is not taken for one that is known."""
    state = copy.deepcopy(_fields(CONTROL)[1])
    state["type"]["symbols"].append("PAUSED")
    reader, schema = _foreign(CONTROL, state=state, by=..., reason=..., at=...)
    value = _written(schema, {"account": "desk", "state": "PAUSED"})
    assert reader.control(value) == Control(account="desk", state=Trading.UNKNOWN)


def test_an_unknown_desired_state_is_unknown() -> None:
    """A state of a newer version is not taken for WANTED or UNWANTED."""
    state = copy.deepcopy(_fields(SUBSCRIPTION)[2])
    state["type"]["symbols"].append("PAUSED")
    left_out: dict[str, Any] = dict.fromkeys(("options", "reason", "by", "at"), ...)
    reader, schema = _foreign(SUBSCRIPTION, state=state, **left_out)
    datum = {"source": "desk", "subscription": "orders", "state": "PAUSED"}
    assert reader.desired(_written(schema, datum)) == Desired(
        source="desk", subscription="orders", state=DesiredState.UNKNOWN
    )


def _record_of(schema: object) -> Reader:
    return Reader(CODEC, lambda _id: schema)  # type: ignore[arg-type, return-value] # what a registry may send


@pytest.mark.parametrize(
    ("value", "reader", "told"),
    [
        (b"", READER, "value starts with nothing"),
        (b"{}", READER, "value starts with 7b7d"),
        (b"\xc3\x01" + bytes(8), READER, "no bundled schema has fingerprint 00000000"),
        (confluent_header(7), READER, "schema id 7, but there is no registry"),
        (VALUES[CONTROL], READER, "a feedbridge.Control, expected a finery.Command"),
        (VALUES[COMMAND][:-1], READER, "does not fit its schema: EOFError"),
        (VALUES[COMMAND] + b"\x00", READER, "1 bytes after the record"),
        (HEADERS[COMMAND] + b"\x02\xff", READER, "does not fit its schema: Unicode"),
        (HEADERS[COMMAND] + bytes(4) + b"\x7e", READER, "does not fit its schema"),
        (
            confluent_header(0),
            _record_of("string"),
            "is a nameless one, expected",
        ),
        (confluent_header(0), _record_of(["null"]), "expected a finery.Command"),
        (confluent_header(0), _record_of({"type": "nonsense"}), "does not fit"),
        (confluent_header(0), _record_of({"type": "record"}), "does not fit"),
    ],
)
def test_what_is_no_command_is_told(value: bytes, reader: Reader, told: str) -> None:
    """Poison on the command topic gives one kind of error, with the reason."""
    with pytest.raises(SchemaError, match=told) as caught:
        reader.command(value)
    assert not caught.value.retry


def test_an_outage_of_the_registry_is_no_fault_of_the_value() -> None:
    """The registry's own error comes through, so that the record is tried again."""

    def away(_id: int) -> dict[str, Any]:
        raise RegistryUnreachable("away")

    with pytest.raises(RegistryUnreachable):
        Reader(CODEC, away).command(confluent_header(7))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_an_error(tail: bytes) -> None:
    """Hostile bytes give a value or SchemaError, nothing else."""
    for name, read in (
        (COMMAND, READER.command),
        (RESPONSE, READER.response),
        (CONTROL, READER.control),
    ):
        for value in (tail, HEADERS[name] + tail):
            try:
                read(value)
            except SchemaError:
                continue


def test_only_so_many_writers_schemas_are_kept() -> None:
    """A stranger may name any id: the one that was unused longest is forgotten."""
    asked: list[int] = []

    def find(schema_id: int) -> dict[str, Any]:
        asked.append(schema_id)
        return {"type": "record", "name": "Other", "fields": []}

    reader = Reader(CODEC, find)
    for schema_id in [*range(MOST_SCHEMAS + 1), MOST_SCHEMAS, 0]:
        with pytest.raises(SchemaError, match="is a Other"):
            reader.command(confluent_header(schema_id))
    assert asked == [*range(MOST_SCHEMAS + 1), 0]


def test_the_schema_is_asked_for_once() -> None:
    """A registry id is looked up once for each reader."""
    asked = []

    def find(schema_id: int) -> dict[str, Any]:
        asked.append(schema_id)
        found: dict[str, Any] = json.loads(TEXTS[CONTROL])
        return found

    reader = Reader(CODEC, find)
    for _ in range(2):
        reader.control(confluent_header(9) + VALUES[CONTROL][10:])
    assert asked == [9]
