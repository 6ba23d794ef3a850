"""Whatever a command topic holds: a command, a refusal or poison, never an error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core.commands import Rules
from bridge.core.order_ids import LONG_MAX
from bridge.core.orders import Command, Kind, Lane, Refused
from bridge.core.policy import Limit
from bridge.core.refusals import REFUSALS, Poison
from bridge.venues.finery.contents import json_text
from bridge.venues.finery.forms import FORMS, TYPES
from bridge.venues.finery.methods import METHODS
from tests.unit.core.command_cases import (
    ADD,
    E8,
    INSTRUMENTS,
    NOW_MS,
    policy,
    raw,
    read,
    rules,
)

EXAMPLES = 1_000
MOST = Limit(2 * E8, 10_000 * E8)
FIELDS = ("reqId", "method", "account", "notAfter", "content")

numbers = st.one_of(
    st.sampled_from([0, 1, -1, E8, 2**63, 2**63 - 1, -(2**63), 2**64, 10**30]),
    st.integers(),
    st.floats(),
)
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "\x00", "\ud800", "x" * 2_000, *METHODS, *TYPES, "BTC-USD"]),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, texts, st.binary(max_size=4))
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
        | st.tuples(texts, inner)
    ),
    max_leaves=12,
)
names = st.sampled_from([*ADD, "volume", "clientOrderId", "orderId", "makers", "x"])
changed = st.dictionaries(names, anything, max_size=3)
near = st.builds(
    lambda changes, gone: {n: v for n, v in {**ADD, **changes}.items() if n != gone},
    changed,
    names,
)
contents = st.one_of(
    anything,
    near.map(lambda found: json.dumps(found, default=str)),
    st.tuples(texts, near),
)
commands = st.fixed_dictionaries(
    {},
    optional={
        "reqId": st.one_of(st.just("r-1"), anything),
        "method": st.one_of(st.sampled_from([*METHODS]), anything),
        "account": st.one_of(st.just("desk-a"), anything),
        "notAfter": st.one_of(st.none(), st.just(NOW_MS + 1_000), anything),
        "content": contents,
    },
)
headers = st.lists(
    st.tuples(
        st.sampled_from(["reqId", "account", "replyTo", "x"]),
        st.one_of(st.none(), st.binary(max_size=4), st.just(b"r-1")),
    ),
    max_size=4,
)
GIVEN = rules(policy=policy(limit=MOST, methods=frozenset({"x"})))
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def told(found: Command | Refused | Poison) -> None:
    """Check what must hold for anything that comes out."""
    match found:
        case Command():
            sound(found)
        case Refused():
            assert found.code in REFUSALS
            assert found.key.req_id
            assert len(found.text) < 1_000
            assert found.text.isprintable()
            json.dumps([found.key, found.method]).encode()
        case Poison():
            assert found.error


def sound(command: Command) -> None:
    """Check that a command that passed is one that may be sent."""
    json_text(command.params)
    assert 0 <= command.order_id <= LONG_MAX
    assert NOW_MS < command.not_after_ms <= NOW_MS + 60_000
    form = FORMS.methods.get(command.method)
    if form is not None:
        assert not form.closed or set(command.params) <= set(form.kinds)
    if command.kind is Kind.ORDER and command.lane is Lane.NEW:
        trades_no_more(command.params)


def trades_no_more(params: Any) -> None:
    """Check an order against steps and limits, on its own way."""
    steps = INSTRUMENTS.get(params.get("instrument"))
    for name in {"price", "size", "volume"} & set(params):
        assert 0 < params[name] <= LONG_MAX
        step = steps and (steps.asset if name == "size" else steps.balance)
        assert not step or params[name] % step == 0
    assert params.get("size", 0) <= 2 * E8
    assert params.get("volume", 0) <= 10_000 * E8


@quick
@given(commands, headers, st.integers(-1, 2**62))
def test_any_decoded_command_is_judged(
    fields: dict[str, Any], told_in: Any, time: int
) -> None:
    """Fields of any type and size come out as one of three, and never sent wrongly."""
    given_rules: Rules = _decoding(fields)

    told(read(raw(b"x", headers=told_in, timestamp_ms=time), given_rules))


@quick
@given(contents)
def test_any_content_of_an_order_is_judged(content: Any) -> None:
    """With everything else in order, the content alone decides."""
    fields = dict(zip(FIELDS, ("r-1", "add", "desk-a", None, content), strict=True))

    found = read(raw(b"x"), _decoding(fields))
    assert not isinstance(found, Poison)
    told(found)


@quick
@given(st.one_of(st.none(), st.binary(max_size=200)), headers)
def test_any_bytes_are_judged(value: bytes | None, told_in: Any) -> None:
    """What is no command is poison, or refused where a header has the reqId."""
    found = read(raw(value, headers=told_in), GIVEN)
    told(found)
    assert not isinstance(found, Command)


def _decoding(fields: dict[str, Any]) -> Rules:
    return rules(policy=GIVEN.policy, decode=lambda _: fields)
