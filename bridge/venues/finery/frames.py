"""Messages as the venue sends them, decoded: the only place that sees JSON text.

A frame that starts with `[` is a feed message of four elements, one that starts with
`{` a command reply. Source: Finery docs, WebSocket API, message envelopes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from bridge.core.model import Operation, Reason
from bridge.venues.finery.values import (
    LONG_MAX,
    LONG_MIN,
    Misread,
    array,
    at,
    shown,
    signed,
    text,
    unsigned,
)

Unsigned = Annotated[int, msgspec.Meta(ge=0, le=LONG_MAX)]
Signed = Annotated[int, msgspec.Meta(ge=LONG_MIN, le=LONG_MAX)]
Letter = Literal["+", "M", "-", "~"]
Wire = tuple[Letter, Unsigned, Signed]
Change = tuple[int, int, int]
Level = tuple[int, int]

# Source: Finery docs, order book updates.
OPERATIONS: Mapping[str, int] = {
    "+": int(Operation.INSERT),
    "M": int(Operation.SET),
    "-": int(Operation.DELETE),
    "~": int(Operation.CUT_TOP),
}


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A feed message with its feed id and data not yet decoded."""

    feed: str
    feed_id: msgspec.Raw
    action: str
    data: msgspec.Raw


class BookUpdate(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A book's incremental message, decoded in one go."""

    feed: Literal["F", "B", "MD"]
    feed_id: str | int
    action: Literal["M"]
    data: tuple[list[Wire], list[Wire]]


read_update = msgspec.json.Decoder(BookUpdate).decode
_read_head = msgspec.json.Decoder(Head).decode
_read_levels = msgspec.json.Decoder(
    tuple[list[tuple[Unsigned, Signed]], list[tuple[Unsigned, Signed]]]
).decode
_read_changes = msgspec.json.Decoder(tuple[list[Wire], list[Wire]]).decode
_read_any = msgspec.json.Decoder().decode


def canonical(value: object) -> bytes:
    """Return the one JSON text of a feed id, whatever its spacing and field order."""
    return msgspec.json.encode(value, order="sorted")


def read(data: bytes | msgspec.Raw) -> object:
    """Decode any JSON.

    Raises:
        Misread: it is none, a number is beyond bounds, or it is nested too deep.
    """
    try:
        return _read_any(data)
    except msgspec.ValidationError as error:
        raise Misread(Reason.OUT_OF_RANGE, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Misread(Reason.NOT_JSON, str(error)) from None
    except RecursionError:
        raise Misread(Reason.NOT_A_MESSAGE, "nested too deep") from None


def read_message(data: bytes) -> Head | dict[str, Any]:
    """Return a feed message's head, or a command reply.

    Raises:
        Misread: it is neither.
    """
    try:
        return _read_head(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = read(data)
    if type(value) is dict:
        return value
    raise _not_a_message(value)


def _not_a_message(value: object) -> Misread:
    if not isinstance(value, list):
        text = f"saw {shown(value)}, expected an array or an object"
        return Misread(Reason.NOT_A_MESSAGE, text)
    if len(value) < 4:  # noqa: PLR2004 - feed, feed id, action, data
        text = f"saw {shown(value)}, expected 4: feed, feed id, action, data"
        return Misread(Reason.TOO_SHORT, text)
    at = 2 if isinstance(value[0], str) else 0
    text = f"saw {shown(value[at])}, expected a text"
    return Misread(Reason.WRONG_TYPE, text, f"[{at}]")


def levels(data: msgspec.Raw) -> tuple[list[Level], list[Level]]:
    """Return a book snapshot's sides: (price, size) each, extra elements cut off.

    Raises:
        Misread: it cannot be read.
    """
    try:
        return _read_levels(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _sides(read(data), _level)


def updates(data: msgspec.Raw) -> tuple[list[Change], list[Change]]:
    """Return a book update's sides in the venue's order.

    Raises:
        Misread: it cannot be read.
    """
    try:
        bids, asks = _read_changes(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = _sides(read(data), _change)
        # An element without numbers says nothing that could be applied; old test data.
        return [c for c in found[0] if c], [c for c in found[1] if c]
    return (
        [(OPERATIONS[letter], price, size) for letter, price, size in bids],
        [(OPERATIONS[letter], price, size) for letter, price, size in asks],
    )


def _sides(data: object, one: Callable[[list[Any]], Any]) -> tuple[Any, Any]:
    both = array(data, 2, "data")
    return _side(both[0], one, "data[0]"), _side(both[1], one, "data[1]")


def _side(data: object, one: Callable[[list[Any]], Any], where: str) -> list[Any]:
    found = []
    for index, item in enumerate(array(data, 0, where)):
        try:
            found.append(one(array(item, 1)))
        except Misread as fault:
            raise fault.inside(f"{where}[{index}]") from None
    return found


def _level(item: list[Any]) -> Level:
    return at(item, 0, unsigned), at(item, 1, signed)


def _change(item: list[Any]) -> Change | None:
    operation = OPERATIONS.get(at(item, 0, text))
    if operation is None:
        seen = f"saw {shown(item[0])}, expected one of {' '.join(OPERATIONS)}"
        raise Misread(Reason.UNKNOWN_ACTION, seen, "[0]")
    if operation == Operation.CUT_TOP and len(item) == 1:
        return None
    price = at(item, 1, unsigned)
    if operation == Operation.DELETE:  # its size means nothing
        return operation, price, 0
    return operation, price, at(item, 2, signed)
