"""A command topic with one account, and records for it: what the tests start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.core.commands import RawCommand, Rules, read_command
from bridge.core.forms import Steps
from bridge.core.order_ids import OrderIds
from bridge.core.orders import Command, Key, Kind, Refused
from bridge.core.policy import Limit, Policy
from bridge.core.refusals import Poison
from bridge.errors import SchemaError
from bridge.venues.finery.contents import params
from bridge.venues.finery.forms import FORMS
from bridge.venues.finery.methods import METHODS

NOW_MS = 1_800_000_000_000
TOPIC = "finery.commands"
E8 = 100_000_000
Json = dict[str, Any]

# Steps as in the reference's sample: BTC 1, USD 1000000 (a cent).
INSTRUMENTS = {"BTC-USD": Steps(1, 1_000_000), "ETH-USD": Steps(1_000, 1_000_000)}
ADD: Json = {
    "instrument": "BTC-USD",
    "side": "bid",
    "type": "limitIOC",
    "price": 9_999 * E8,
    "size": E8 // 10,
    "cod": False,
}
MOD: Json = {"orderId": 7, "price": 9_999 * E8, "size": E8}


def decode(value: bytes) -> Mapping[str, Any]:
    """Stand in for Avro: the fields as JSON; a list as content is a typed record."""
    try:
        fields = json.loads(value)
        content = fields.get("content")
    except (ValueError, AttributeError) as error:
        raise SchemaError(f"not a command: {error}") from None
    if isinstance(content, list):
        fields["content"] = tuple(content)
    return dict(fields)


def policy(**changes: Any) -> Policy:
    """Return a policy under which all known methods may be asked."""
    open_to_all = Policy(accounts=frozenset({"desk-a"}), kinds=frozenset(Kind))
    return msgspec.structs.replace(open_to_all, **changes)


def limited(size: int | None = None, volume: int | None = None) -> Policy:
    """Return the policy with a limit for one order."""
    return policy(limit=Limit(size, volume))


def rules(**changes: Any) -> Rules:
    """Return the rules of the topic."""
    usual = Rules(
        topic=TOPIC,
        policy=policy(),
        methods=METHODS,
        forms=FORMS,
        decode=decode,
        params=params,
        order_ids=OrderIds(3_600_000),
        instruments=INSTRUMENTS,
    )
    return msgspec.structs.replace(usual, **changes)


def raw(value: bytes | None, **changes: Any) -> RawCommand:
    """Return a record of the topic."""
    return RawCommand(TOPIC, 2, 41, NOW_MS - 20, None, value)._replace(**changes)


def record(content: object = None, **fields: Any) -> RawCommand:
    """Return a record with a whole command; `add` where nothing else is said.

    A mapping as content becomes a JSON text. A field that is `...` is left out.
    """
    given = ADD if content is None else content
    text = json.dumps(given) if isinstance(given, dict) else given
    whole = {
        "reqId": "r-1",
        "method": "add",
        "account": "desk-a",
        "notAfter": None,
        "content": text,
        **fields,
    }
    kept = {name: value for name, value in whole.items() if value is not ...}
    return raw(json.dumps(kept).encode())


def read(
    found: RawCommand, given: Rules | None = None, now_ms: int = NOW_MS
) -> Command | Refused | Poison:
    """Read a record under the usual rules."""
    return read_command(found, given or rules(), now_ms)


def accepted(found: RawCommand, given: Rules | None = None) -> Command:
    """Return the command of a record that must pass."""
    command = read(found, given)
    assert isinstance(command, Command), command
    return command


def refused(found: RawCommand, given: Rules | None = None) -> Refused:
    """Return the refusal of a record that must not pass."""
    refusal = read(found, given)
    assert isinstance(refusal, Refused), refusal
    return refusal


def key(req_id: str = "r-1") -> Key:
    """Return the key of a command of this topic and account."""
    return Key(TOPIC, "desk-a", req_id)
