"""Records as they lie in Kafka, decoded, for `tail`, `verify` and `demo`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, TypeVar

from bridge.app.destinations import login_of
from bridge.config import Settings
from bridge.core.codec import Codec, Decoder
from bridge.core.model import Action, State
from bridge.core.verify import Boundary, Seen
from bridge.edge.consumer import Message, Start, read_range
from bridge.edge.registry import Registry
from bridge.edge.schemas import bundled
from bridge.errors import SchemaError

Record = Mapping[str, Any]
K = TypeVar("K")
V = TypeVar("V")

_ACTIONS = {action.value: action for action in Action}

# A book's records are read whole, to replay them; of others the header is enough.
_BOOKS = frozenset({Action.SNAPSHOT, Action.UPDATE, Action.REFRESH})
E8 = 8
SHOWN = 4  # fields of an entity that are shown
# What is shown, in this order, of a dead letter's headers and of records that are no
# feed's: commands, responses, controls and run-time subscriptions.
MAIN = (
    "account", "source", "subscription", "reqId", "method", "state", "haltCancels",
    "phase", "outcome", "code", "notAfter", "sentAt", "clientOrderId", "options",
    "reason", "error", "by", "text", "content", "part",
)  # fmt: skip
TIMES = frozenset({"notAfter", "sentAt"})  # Unix ms


def decoder_of(settings: Settings) -> Decoder:
    """Return a decoder of the bundled schemas that asks the registry for others."""
    login = login_of(settings)
    codec = Codec(bundled())
    return Decoder(codec, Registry(login).schema if login else None)


def reading(
    settings: Settings,
    topics: Sequence[str],
    *,
    start: Start = "beginning",
    follow: bool = False,
) -> aclosing[AsyncGenerator[Message, None]]:
    """Return the records of `topics`, as `read_range` does, for `async with`."""
    options = settings.kafka.properties()
    return aclosing(read_range(options, topics, start=start, follow=follow))


def seen_of(message: Message, decoder: Decoder) -> Seen | None:
    """Return what `verify` needs of a record; None for a tombstone.

    Raises:
        SchemaError: it is no feed record, or says what only a later version knows.
    """
    if message.value is None:
        return None
    header = decoder.header(message.value)
    action = _known("action", header.action, _ACTIONS)
    book = action in _BOOKS and header.subscription.startswith("book.")
    whole = decoder.decode(message.value) if book or action is Action.BOUNDARY else {}
    return Seen(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        source=header.source,
        subscription=header.subscription,
        connection=header.connection,
        sequence=header.sequence,
        action=action,
        boundary=_boundary(whole.get("boundary")),
        sides=(whole["bids"], whole["asks"]) if "bids" in whole else None,
    )


def _boundary(part: Record | None) -> Boundary | None:
    if part is None:
        return None
    return Boundary(
        state=_known("state", part["state"], State.__members__),
        reason=part["reason"],
        detail=part["detail"],
        lost=part["lost"],
    )


def _known(what: str, said: K, known: Mapping[K, V]) -> V:
    """Return what a record's word means; raises SchemaError where that is not known."""
    if said not in known:
        raise SchemaError(
            f"{what} {said} is of a later version, which alone can judge it"
        )
    return known[said]


def words(record: Record) -> str:
    """Say in a few words what a record holds."""
    if boundary := record.get("boundary"):
        lost = boundary["lost"]
        told = f", {lost} lost" if lost is not None else ""
        return f"{boundary['state']} {boundary['reason']}{told}"
    if "bids" in record:
        return _book(record)
    if "data" in record:
        return _entity(record["data"] or {})
    return main_fields(record)


def main_fields(fields: Record) -> str:
    """Return the main ones of the fields, each with its name, in a fixed order."""
    told = ((name, fields.get(name)) for name in MAIN)
    return " ".join(f"{n}={_plain(n, v)}" for n, v in told if v not in (None, ""))


def _plain(name: str, value: object) -> str:
    if name in TIMES and isinstance(value, int):
        return at_ms(value)
    return json.dumps(value, default=str) if isinstance(value, dict) else str(value)


def at_ms(value: int) -> str:
    """Write a Unix time in ms, UTC; one that is no time stays a number."""
    try:
        when = datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(value)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}Z"


def _book(record: Record) -> str:
    bids, asks = record["bids"], record["asks"]
    if record["action"] == "UPDATE":
        return f"{record['instrument']} {len(bids)} bid and {len(asks)} ask changes"
    best = [fixed(side[0]["priceE8"]) if side else "-" for side in (bids, asks)]
    return f"{record['instrument']} {best[0]} / {best[1]}"


def _entity(data: Record) -> str:
    plain = {
        name: value
        for name, value in data.items()
        if isinstance(value, str | int) and value != "" and not isinstance(value, bool)
    }
    return " ".join(_field(name, value) for name, value in list(plain.items())[:SHOWN])


def _field(name: str, value: str | int) -> str:
    if name.endswith("E8"):
        return f"{name[:-2]}={fixed(int(value))}"
    return str(value) if isinstance(value, str) else f"{name}={value}"


def fixed(value: int) -> str:
    """Write an integer in units of 1e-8 as a decimal, exactly."""
    whole, part = divmod(abs(value), 10**E8)
    digits = f"{part:0{E8}d}".rstrip("0")
    return f"{'-' * (value < 0)}{whole}{'.' * bool(digits)}{digits}"
