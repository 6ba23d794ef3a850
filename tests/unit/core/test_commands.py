"""Commands: checked completely before anything is sent, each refusal with its code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bridge.core.codec import Codec
from bridge.core.commands import RawCommand, Rules
from bridge.core.envelopes import (
    COMMAND,
    CONTROL,
    Content,
    Control,
    Reader,
    Request,
    Unfit,
    command_writer,
    control_writer,
)
from bridge.core.order_ids import LONG_MAX, OrderIds, derived_id
from bridge.core.orders import Key, Kind, Lane, Outcome, Trading
from bridge.core.plain import check_plain
from bridge.core.policy import Limit
from bridge.core.refusals import (
    REFUSALS,
    Poison,
    PoisonReason,
    is_retriable,
    refuse,
    shown,
)
from bridge.edge.schemas import bundled
from bridge.errors import RegistryUnreachable
from bridge.venues.finery.contents import content as typed
from bridge.venues.finery.forms import FORMS
from bridge.venues.finery.methods import METHODS
from tests.unit.core.command_cases import (
    ADD,
    E8,
    MOD,
    NOW_MS,
    TOPIC,
    accepted,
    key,
    limited,
    policy,
    raw,
    read,
    record,
    refused,
    rules,
)
from tests.unit.core.test_policy import STATE_CODES

ERRORS = Path(__file__).parents[3] / "docs" / "errors.md"
RESTRICTED = policy(instruments=frozenset({"BTC-USD"}))
TAKEN = OrderIds(60_000)
TAKEN.add(key("r-0"), 5, NOW_MS)


class Case(NamedTuple):
    """A record that is refused, under which rules, and words of the text."""

    record: RawCommand
    words: str
    rules: Mapping[str, Any] = {}


def order(**changes: Any) -> RawCommand:
    """Return an `add` with some parameters changed; `...` leaves one out."""
    whole = {**ADD, **changes}
    return record({name: v for name, v in whole.items() if v is not ...})


def replyto(value: bytes | None) -> RawCommand:
    return record()._replace(headers=[("replyTo", value)])


def unreadable(**changes: Any) -> RawCommand:
    headers = [("reqId", b"r-1"), ("account", b"desk-a")]
    return raw(b"\x00\x01", headers=headers)._replace(**changes)


CASES: Mapping[str, list[Case]] = {
    "UNREADABLE": [
        Case(unreadable(), "not a command"),
        Case(unreadable(value=None), "no value"),
        Case(unreadable(value=b""), "no bytes"),
        Case(unreadable(value=bytes(5_000_000)), "at most 64000"),
    ],
    "REQ_ID_INVALID": [
        Case(record(reqId="x" * 65), "65 characters"),
        Case(record(reqId="a\nb"), "cannot be printed"),
    ],
    "FIELD_INVALID": [
        Case(record(account=7), "account is 7"),
        Case(record(account=["desk-a"]), "account is a list"),
        Case(record(account="x" * 1_025), "account is xxx"),
        Case(record(content=["Add", None]), "content is a tuple"),
        Case(record(method=None), "method is None"),
        Case(record(method=""), "method is "),
        Case(record(method="x" * 65), "method is xxx"),
        Case(record(method="add order"), "method is add order"),
        Case(record(method=[]), "method is a list"),
        Case(record(notAfter="soon"), "notAfter is soon"),
        Case(record(notAfter=True), "notAfter is True"),
        Case(record(content=7), "content is 7"),
    ],
    "ACCOUNT_UNKNOWN": [
        Case(record(account="desk-b"), "desk-b"),
        Case(
            record(account=""),
            "account  is",
            {"policy": policy(accounts=frozenset({"a", "b"}))},
        ),
    ],
    "REPLY_TO_NOT_ALLOWED": [
        Case(replyto(b"mine"), "mine"),
        Case(replyto(b"\xff"), "None"),
        Case(replyto(None), "None"),
    ],
    "METHOD_NOT_ALLOWED": [
        Case(record(method="setCLimit"), "setCLimit", {"policy": policy(kinds=set())}),
        Case(record(), "add", {"policy": policy(kinds={Kind.READ})}),
        Case(record(method="somethingNew"), "somethingNew"),
    ],
    "DEADLINE_PASSED": [
        Case(record(notAfter=NOW_MS), "passed 0 ms ago"),
        Case(record(notAfter=-5), "passed"),
        Case(record()._replace(timestamp_ms=NOW_MS - 5_007), "passed 7 ms ago"),
    ],
    "DEADLINE_TOO_FAR": [Case(record(notAfter=NOW_MS + 60_001), "60001 ms")],
    "CONTENT_INVALID": [
        Case(record(content="{"), "no JSON"),
        Case(record(content="[1]"), "object"),
        Case(record(content='{"size": 1.5}'), "integers"),
        Case(record(content='{"size": 1, "size": 2}'), "twice"),
        Case(record(content=["Mod", MOD]), "Mod"),
        Case(record(method="limits", content='{"a":' * 9 + "1" + "}" * 9), "deep"),
        Case(record(method="limits", content={"a": 2**64}), "64 bits"),
        Case(record(method="limits", content={"a": "x" * 1_025}), "1025 characters"),
        Case(record(method="limits", content={"a" * 1_025: 1}), "1025 characters"),
        Case(record(method="limits", content='{"a":"\\ud800"}'), "surrogate"),
    ],
    "PARAMETER_MISSING": [
        Case(order(instrument=...), "instrument"),
        Case(order(side=...), "side"),
        Case(order(type=...), "type"),
        Case(record({"price": 1, "size": 1}, method="mod"), "orderId"),
        Case(record({}, method="book"), "instrument"),
        Case(record({**ADD}, method="authorized/add"), "clientId"),
    ],
    "PARAMETER_UNKNOWN": [
        Case(order(sise=1), "sise"),
        Case(record({**MOD, "instrument": "BTC-USD"}, method="mod"), "instrument"),
    ],
    "PARAMETER_INVALID": [
        Case(order(side="buy"), "side is buy"),
        Case(order(side=[]), "side is a list"),
        Case(order(instrument=4955410050), "instrument is 4955410050"),
        Case(order(instrument=""), "instrument is "),
        Case(order(instrument="x" * 65), "1 to 64 characters"),
        Case(order(cod=1), "cod is 1"),
        Case(order(makers=[1, -1]), "makers is a list"),
        Case(order(makers=[0] * 257), "up to 256"),
        Case(order(price="1"), "price is 1"),
        Case(order(size=2**63), "size is 9223372036854775808"),
        Case(order(size=True), "size is True"),
        Case(record({**MOD, "orderId": -1}, method="mod"), "orderId is -1"),
        Case(record({"instrument": 7, "size": 1}, method="voiceTrade"), "instrument"),
        Case(record({"size": "1"}, method="voiceTrade"), "size is 1"),
    ],
    "INSTRUMENTS_UNKNOWN": [Case(record(), "not been read", {"instruments": None})],
    "INSTRUMENT_UNKNOWN": [Case(order(instrument="BTC-EUR"), "BTC-EUR")],
    "INSTRUMENT_NOT_ALLOWED": [
        Case(order(instrument="ETH-USD"), "ETH-USD", {"policy": RESTRICTED}),
        Case(record(MOD, method="mod"), "mod", {"policy": RESTRICTED}),
    ],
    "NOT_POSITIVE": [
        Case(order(price=0), "price is 0"),
        Case(order(size=0), "size is 0"),
        Case(order(size=..., volume=-E8), "volume is -100000000"),
        Case(record({**MOD, "size": -1}, method="mod"), "size is -1"),
    ],
    "OFF_STEP": [
        Case(order(price=9_999 * E8 + 1), "multiple of 1000000"),
        Case(order(instrument="ETH-USD", size=1_500), "multiple of 1000"),
        Case(order(size=..., volume=1_500_000), "volume 1500000"),
    ],
    "SIZE_OR_VOLUME": [
        Case(order(size=...), "none was"),
        Case(order(volume=E8), "both were"),
    ],
    "PRICE_MISSING": [
        Case(order(price=...), "limitIOC"),
        Case(order(price=..., type="postOnly"), "postOnly"),
    ],
    "ORDER_TYPE_UNKNOWN": [
        Case(order(type="stop"), "stop"),
        Case(order(type=["limit"]), "a list"),
    ],
    "ORDER_TYPE_NOT_FOR_ROLE": [
        Case(order(), "maker", {"roles": {"desk-a": "maker"}}),
        Case(order(type="limit"), "taker", {"roles": {"desk-a": "taker"}}),
    ],
    "VOLUME_NOT_FOR_ROLE": [
        Case(
            order(type="limit", size=..., volume=E8),
            "maker",
            {"roles": {"desk-a": "maker"}},
        ),
    ],
    "ORDER_REFERENCE": [
        Case(record({}, method="del"), "none was"),
        Case(record({"orderId": 1, "clientOrderId": 1}, method="del"), "both were"),
    ],
    "CLIENT_ORDER_ID_INVALID": [
        Case(order(clientOrderId=0), "is 0"),
        Case(order(clientOrderId=2**63), "2^63-1"),
        Case(order(clientOrderId="a"), "is a;"),
        Case(record({"clientOrderId": 0}, method="del"), "is 0"),
    ],
    "DUPLICATE_CLIENT_ORDER_ID": [
        Case(order(clientOrderId=5), "reqId r-0", {"order_ids": TAKEN})
    ],
    "SIZE_TOO_LARGE": [
        Case(order(), "above the limit of 9999999", {"policy": limited(E8 // 10 - 1)}),
        Case(record(MOD, method="mod"), "above", {"policy": limited(E8 - 1)}),
        Case(
            record(MOD, method="mod"),
            "above",
            {"policy": policy(limits={"ETH-USD": Limit(size=E8 - 1)})},
        ),
    ],
    "VOLUME_TOO_LARGE": [
        # 0.1 at 9999 is a volume of 999.9
        Case(order(), "volume 99990000000", {"policy": limited(None, 99_989_999_999)}),
        Case(
            order(type="marketIOC", price=..., size=..., volume=2 * E8),
            "above",
            {"policy": limited(None, E8)},
        ),
        Case(
            order(),
            "above",
            {"policy": policy(limits={"BTC-USD": Limit(volume=E8)})},
        ),
    ],
    "LIMIT_UNMEASURABLE": [
        Case(
            order(type="marketIOC"), "order by size", {"policy": limited(None, E8)}
        ),
        Case(
            order(type="marketFOK", size=..., volume=E8),
            "order by volume",
            {"policy": limited(E8)},
        ),
        Case(record({}, method="voiceTrade"), "neither", {"policy": limited(E8)}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "case"),
    [
        pytest.param(code, case, id=f"{code}-{number}")
        for code, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_what_does_not_pass_is_refused_with_its_code(code: str, case: Case) -> None:
    """Each refusal has a stable code, names the command, and says what was seen."""
    found = refused(case.record, rules(**case.rules))

    assert found.code == code
    assert case.words in found.text
    assert found.retriable is (code == "INSTRUMENTS_UNKNOWN")
    expired = code == "DEADLINE_PASSED"
    assert found.outcome is (Outcome.EXPIRED if expired else Outcome.REFUSED)
    assert (found.partition, found.offset) == (2, 41)
    assert found.received_ms == NOW_MS
    assert found.reply_to == ""


def test_the_codes_of_table_page_and_tests_agree() -> None:
    """A code is in the table, on the page and under test, or it does not exist."""
    written = ERRORS.read_text().splitlines()

    assert {*CASES, *STATE_CODES} == set(REFUSALS)
    for reason in PoisonReason:
        assert any(line.startswith(f"| `{reason}` |") for line in written), reason


def test_the_page_has_no_code_that_the_table_has_not() -> None:
    """A code that nobody writes any more leaves the page, too."""
    _, _, section = ERRORS.read_text().partition("## Codes of refused commands\n")
    lines = section.partition("\n## ")[0].splitlines()

    assert [line for line in lines if line.startswith("| `")] == rows()


def rows() -> list[str]:
    """Return the rows of docs/errors.md, as the table of codes has them."""
    return [
        f"| `{code}` | {found.text} | {'yes' if found.retriable else 'no'} "
        f"| {found.todo} |"
        for code, found in REFUSALS.items()
    ]


def test_an_order_passes_with_all_that_it_says() -> None:
    """The parameters reach the venue as they are, beside a derived id."""
    found = accepted(record())

    assert found.key == key()
    assert (found.partition, found.offset, found.method) == (2, 41, "add")
    assert (found.kind, found.lane) == (Kind.ORDER, Lane.NEW)
    assert found.needs_claim
    assert found.params == {**ADD, "clientOrderId": derived_id(key())}
    assert found.order_id == derived_id(key())
    assert found.received_ms == NOW_MS


def test_a_typed_content_passes_like_a_json_text() -> None:
    """The record of the method becomes the venue's parameters."""
    content = [
        "Add",
        {
            "instrument": "BTC-USD",
            "clientOrderId": 5,
            "priceE8": ADD["price"],
            "sizeE8": ADD["size"],
            "volumeE8": None,
            "side": "BID",
            "type": "LIMIT_IOC",
            "cod": False,
            "qsEnabled": None,
            "firmBookEnabled": None,
            "makers": [],
        },
    ]

    assert accepted(record(content=content)).params == {**ADD, "clientOrderId": 5}


PASSING: Mapping[str, tuple[RawCommand, Mapping[str, Any]]] = {
    "market without a price": (order(type="marketIOC", price=...), {}),
    "market with a price": (order(type="marketIOC"), {}),
    "by volume": (order(size=..., volume=E8), {"roles": {"desk-a": "taker"}}),
    "a size on the asset's own step": (order(size=1), {}),
    "a maker's limit": (order(type="limit"), {"roles": {"desk-a": "maker"}}),
    "a master's limit": (order(type="limit"), {"roles": {"desk-a": "master"}}),
    "no role known": (order(type="limit"), {"roles": {"desk-a": "unknown"}}),
    "exactly the limits": (order(), {"policy": limited(E8 // 10, 99_990_000_000)}),
    "one limit of two can be measured": (
        order(type="marketIOC"),
        {"policy": limited(E8, E8)},
    ),
    "the limit of its instrument": (
        order(),
        {"policy": policy(limit=Limit(1), limits={"BTC-USD": Limit(E8)})},
    ),
    "mod, named where instruments are restricted": (
        record(MOD, method="mod"),
        {"policy": policy(instruments={"BTC-USD"}, methods={"mod"})},
    ),
    "del by the sender's id": (record({"clientOrderId": 5}, method="del"), {}),
    "delAll of an unknown instrument": (
        record({"instrument": "X-Y"}, method="delAll"),
        {"instruments": None, "policy": RESTRICTED},
    ),
    "pending/add": (
        record(
            {n: v for n, v in ADD.items() if n not in {"type", "cod"}},
            method="pending/add",
        ),
        {},
    ),
    "liquidationTrade": (
        record(
            {
                **{n: v for n, v in ADD.items() if n not in {"type", "cod"}},
                "counterpartyId": 3,
            },
            method="liquidationTrade",
        ),
        {},
    ),
    "voiceTrade by its name under a limit": (
        record({"any": 1}, method="voiceTrade"),
        {"policy": policy(methods={"voiceTrade"}, limit=Limit(1, 1))},
    ),
    "the last moment": (record(notAfter=NOW_MS + 1), {}),
    "the furthest moment": (record(notAfter=NOW_MS + 60_000), {}),
    "the longest reqId": (record(reqId="x" * 64), {}),
    "a reading of instruments": (
        record({}, method="instruments"),
        {"instruments": None},
    ),
    "two instruments of a history": (
        record({"instrument": ["BTC-USD", "ETH-USD"]}, method="dealHistory"),
        {},
    ),
    "nulls stand for nothing": (order(volume=None, clientOrderId=None), {}),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_is_right_passes(name: str) -> None:
    """No check refuses what the venue would take."""
    found, changes = PASSING[name]
    command = accepted(found, rules(**changes))

    assert None not in command.params.values()


def test_a_method_that_is_not_listed_passes_only_by_name_and_as_carefully() -> None:
    """It is claimed like an order, waits like one, and its content is left alone."""
    found = accepted(
        record({"x": [1, {"y": True}]}, method="something/new"),
        rules(policy=policy(methods={"something/new"}, limit=Limit(1, 1))),
    )

    assert (found.kind, found.lane, found.needs_claim) == (Kind.ORDER, Lane.NEW, True)
    assert (found.order_id, found.params) == (0, {"x": [1, {"y": True}]})


def test_a_method_that_is_not_listed_is_held_to_the_limits_it_can_be() -> None:
    """A size or volume that it names is measured."""
    given = rules(policy=policy(methods={"something/new"}, limit=Limit(1, None)))

    assert refused(record({"size": 2}, method="something/new"), given).code == (
        "SIZE_TOO_LARGE"
    )


@pytest.mark.parametrize(
    ("method", "content", "lane", "claimed"),
    [
        ("positions", {}, Lane.QUERY, False),
        ("del", {"orderId": 1}, Lane.CANCEL, True),
        ("mod", MOD, Lane.NEW, True),
    ],
)
def test_lane_and_claim_are_the_methods(
    method: str, content: dict[str, Any], lane: Lane, *, claimed: bool
) -> None:
    """Reading needs no claim; cancels go before."""
    found = accepted(record(content, method=method))

    assert (found.lane, found.needs_claim) == (lane, claimed)
    assert (found.order_id > 0) is METHODS[method].makes_order


def test_a_derived_order_id_is_the_same_for_ever() -> None:
    """A successor finds the order by what it can derive itself."""
    ids = [derived_id(Key(TOPIC, "desk-a", f"r-{n}")) for n in range(1_000)]

    assert (
        derived_id(Key("finery.commands", "desk-a", "r-1")) == 8_366_275_289_692_187_768
    )
    assert len(set(ids)) == 1_000
    assert all(0 < number <= LONG_MAX for number in ids)
    assert derived_id(Key("a", "bc", "")) != derived_id(Key("ab", "c", ""))


def test_cod_is_always_said() -> None:
    """The venue's own default is not known, so the topic's goes out."""
    found = order(cod=...)

    assert accepted(found).params["cod"] is False
    assert accepted(found, rules(cod=True)).params["cod"] is True
    assert accepted(order(cod=False), rules(cod=True)).params["cod"] is False


def test_the_default_deadline_starts_with_the_records_time() -> None:
    """Delay on the way counts; a clock that is ahead gains nothing."""
    sent = record()

    assert accepted(sent).not_after_ms == NOW_MS - 20 + 5_000
    for odd in (-1, NOW_MS + 9_999_999):
        found = accepted(sent._replace(timestamp_ms=odd))
        assert found.not_after_ms == NOW_MS + 5_000


def test_the_only_account_of_a_topic_need_not_be_named() -> None:
    """Where there is no choice, none has to be made."""
    for empty in ("", None, ...):
        assert accepted(record(account=empty)).key.account == "desk-a"


def test_a_reply_may_go_to_a_topic_that_the_policy_names() -> None:
    """The last header counts, and a later refusal goes there, too."""
    given = rules(policy=policy(reply_to={"mine"}))
    headers = [("replyTo", b"other"), ("replyTo", b"mine")]
    bad = record(method="nope")._replace(headers=headers)

    assert accepted(record()._replace(headers=headers), given).reply_to == "mine"
    assert refused(bad, given).reply_to == "mine"


def test_a_duplicate_id_is_refused_only_to_another_command() -> None:
    """The same command read again is a matter of the log, and ids age."""
    ids = OrderIds(60_000)
    ids.add(key("r-1"), 5, NOW_MS)
    given = rules(order_ids=ids)

    assert accepted(order(clientOrderId=5), given).order_id == 5
    other = record({**ADD, "clientOrderId": 5}, reqId="r-2")
    assert refused(other, given).code == "DUPLICATE_CLIENT_ORDER_ID"
    late = other._replace(timestamp_ms=NOW_MS + 60_000)
    assert not isinstance(read(late, given, NOW_MS + 60_000), Poison)
    ids.drop(key("r-2"), 5)
    assert refused(other, given).code == "DUPLICATE_CLIENT_ORDER_ID"
    ids.drop(key("r-1"), 5)
    assert accepted(other, given).order_id == 5


def test_the_window_of_order_ids_is_bounded() -> None:
    """The oldest go first, by time and by number; 0 is no id."""
    ids = OrderIds(1_000, limit=3)
    ids.add(key(), 0, NOW_MS)
    assert len(ids) == 0
    for number in range(1, 10):
        ids.add(key(f"r-{number}"), number, NOW_MS + number)
    assert len(ids) == 3
    assert ids.owner("desk-a", 9, NOW_MS + 9) == key("r-9")
    assert ids.owner("desk-b", 9, NOW_MS + 9) is None
    assert ids.owner("desk-a", 6, NOW_MS + 9) is None
    assert ids.owner("desk-a", 9, NOW_MS + 1_009) is None
    ids.add(key("r-9"), 10, NOW_MS + 5_000)
    assert len(ids) == 1


def test_the_first_owner_of_an_order_id_keeps_it() -> None:
    """A second claim in the log does not hide the first."""
    ids = OrderIds(1_000)
    ids.add(key("r-1"), 5, NOW_MS)
    ids.add(key("r-2"), 5, NOW_MS)
    assert ids.owner("desk-a", 5, NOW_MS) == key("r-1")
    ids.add(key("r-2"), 5, NOW_MS + 1_000)
    assert ids.owner("desk-a", 5, NOW_MS + 1_000) == key("r-2")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (raw(None), PoisonReason.NULL_VALUE),
        (raw(b""), PoisonReason.EMPTY),
        (raw(bytes(5_000_000)), PoisonReason.TOO_LARGE),
        (raw(b"\x00\x00\x00\x00\x09abc"), PoisonReason.NOT_A_COMMAND),
        (raw(b"{}", headers=[("reqId", None)]), PoisonReason.NO_REQ_ID),
        (raw(b"x", headers=[("reqId", b"\xff")]), PoisonReason.NOT_A_COMMAND),
        (record(reqId=...), PoisonReason.NO_REQ_ID),
        (record(reqId=""), PoisonReason.NO_REQ_ID),
        (record(reqId=7), PoisonReason.NO_REQ_ID),
        (record(reqId="x" * 1_025), PoisonReason.NO_REQ_ID),
        (record(reqId="\ud800"), PoisonReason.NO_REQ_ID),
    ],
)
def test_a_record_without_a_req_id_is_poison(
    found: RawCommand, reason: PoisonReason
) -> None:
    """Nobody can be answered, so it goes to the dead letters with a reason."""
    poison = read(found)

    assert isinstance(poison, Poison)
    assert poison.reason is reason
    assert poison.error


def test_an_unreadable_record_with_a_req_id_is_answered_and_kept() -> None:
    """The header's reqId and account name it; the record is a dead letter, too."""
    found = refused(unreadable())

    assert found.key == key()
    assert REFUSALS[found.code].dead_letter
    assert refused(unreadable(headers=[("reqId", b"r-1")])).key == key()
    two = rules(policy=policy(accounts={"a", "b"}))
    unnamed = refused(unreadable(headers=[("reqId", b"r-1")]), two)
    assert (unnamed.code, unnamed.key.account) == ("UNREADABLE", "")


def test_a_registry_that_is_away_holds_no_record_up() -> None:
    """Whoever sent it is told, or the dead letter is; the partition goes on."""

    def away(value: bytes) -> Mapping[str, Any]:
        raise RegistryUnreachable("schema id 9: the registry did not answer")

    poison = read(raw(b"x"), rules(decode=away))
    assert isinstance(poison, Poison)
    assert poison.reason is PoisonReason.NOT_A_COMMAND
    assert poison.error == "schema id 9: the registry did not answer"
    assert refused(unreadable(), rules(decode=away)).code == "UNREADABLE"


CODEC = Codec(bundled())
AVRO = rules(decode=Reader(CODEC).command)


def avro(content: Content) -> bytes:
    """Return a command as a sender writes it."""
    write = command_writer(CODEC, CODEC.single_object_header(COMMAND))
    return write(Request("r-1", "add", "desk-a", content))


@pytest.mark.parametrize("content", [json.dumps(ADD), typed("add", ADD)])
def test_a_real_record_passes_with_either_content(content: Content) -> None:
    """What senders write in Avro is what the checks read."""
    found = accepted(raw(avro(content)), AVRO)

    assert found.params == {**ADD, "clientOrderId": derived_id(key())}


def test_real_records_that_are_no_commands_are_poison() -> None:
    """Not Avro, an unknown schema, another record, cut short, or with a tail."""
    whole = avro("{}")
    control = control_writer(CODEC, CODEC.single_object_header(CONTROL))
    other = control(Control(account="desk-a", state=Trading.ACTIVE))
    strange = b"\xc3\x01" + bytes(8) + whole[10:]

    for value in (b"hello", strange, other, whole[:-1], whole + b"\x00"):
        poison = read(raw(value), AVRO)
        assert isinstance(poison, Poison), value
        assert poison.reason is PoisonReason.NOT_A_COMMAND


def test_a_refusal_names_what_was_read_before_it() -> None:
    """Account and method are known as soon as they are read."""
    found = refused(record(method="add", notAfter=1))

    assert (found.key, found.method) == (key(), "add")
    assert refused(record(account="desk-b")).key.account == "desk-b"


def test_long_and_odd_values_are_cut_in_texts() -> None:
    """No text grows with what a sender writes, or breaks a line."""
    text = refused(order(side="x\n" * 500)).text

    assert len(text) < 160
    assert "\n" not in text
    assert len(shown("x\n" * 9_000)) <= 60
    assert shown(10**5_000) == "a number of very many digits"
    assert shown({"a": 1}) == "a dict"
    assert shown(None) == "None"


def test_the_forms_belong_to_methods_of_the_venue() -> None:
    """A form of a method that does not exist would check nothing."""
    assert set(FORMS.methods) <= set(METHODS)
    for name, form in FORMS.methods.items():
        assert set(form.needed) <= set(form.kinds), name


def test_every_method_that_makes_an_order_has_a_closed_form() -> None:
    """What goes out with an order is known to the last parameter."""
    makers = {name for name, method in METHODS.items() if method.makes_order}

    assert makers <= set(FORMS.methods)
    assert all(FORMS.methods[name].closed for name in makers)
    assert all("clientOrderId" in FORMS.methods[name].kinds for name in makers)


def test_a_refusal_after_the_checks_keeps_what_the_command_says() -> None:
    """Trading state, rate and lanes refuse a whole command."""
    given = rules(policy=policy(reply_to={"mine"}))
    sent = record()._replace(headers=[("replyTo", b"mine")])
    found = refuse(accepted(sent, given), "RATE_LIMITED")

    assert (found.key, found.method, found.reply_to) == (key(), "add", "mine")
    assert found.retriable
    assert "desk-a" in found.text
    assert (is_retriable("RATE_LIMITED"), is_retriable("NO_TRACE")) == (True, False)


def test_a_command_can_be_written_as_json() -> None:
    """What passed is what the venue's frame can hold."""
    for found, changes in PASSING.values():
        params = accepted(found, rules(**changes)).params
        assert json.loads(json.dumps(params)) == params


@pytest.mark.parametrize(
    "value", [1.5, b"x", {1}, 2**64, -(2**63) - 1, "\udc00", {1: 2}]
)
def test_only_what_json_holds_exactly_may_be_sent(value: object) -> None:
    """No float, no bytes, no half character, whichever way the content came."""
    for params in ({"a": value}, {"a": [value]}, {"a": {"b": value}}):
        with pytest.raises(Unfit) as caught:
            check_plain(params)
        assert caught.value.where == "a"
    check_plain({"a": [1, None, True, "x", {"b": (2**64 - 1, -(2**63))}]})


def test_rules_are_values() -> None:
    """Instruments that arrive later make new rules; nothing is changed in place."""
    assert Rules.__struct_config__.frozen
