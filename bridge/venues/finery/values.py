"""Values inside a message: read one by one, each with a check of type and range.

All numbers of the venue are JSON integers, never texts or decimals, and must fit the
signed 64 bits of an Avro long. Source: Finery docs, data types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bridge.core.model import Reason

LONG_MAX = 2**63 - 1
LONG_MIN = -(2**63)
INT_MAX = 2**31 - 1
SHOWN = 80

Payload = tuple[object, ...]


class Misread(Exception):
    """A frame or a part of one that cannot be read: why, and what was seen where."""

    def __init__(self, reason: Reason, text: str, where: str = "") -> None:
        """Keep the facts; `where` is the path to the value."""
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.where = where

    def inside(self, where: str) -> Misread:
        """Return the same fault with the path of its surroundings in front."""
        return Misread(self.reason, self.text, where + self.where)

    @property
    def sentence(self) -> str:
        """Return one sentence: seen, expected, where."""
        return f"{self.text}, at {self.where}" if self.where else self.text


def at(row: Sequence[object], index: int, reader: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - the reader knows
    """Return what `reader` makes of the element at `index`.

    Raises:
        Misread: it is missing, or not what the reader expects.
    """
    try:
        return reader(row[index])
    except IndexError:
        seen = f"saw {len(row)} elements, expected at least {index + 1}"
        raise Misread(Reason.TOO_SHORT, seen) from None
    except Misread as fault:
        raise fault.inside(f"[{index}]") from None


def array(value: object, least: int = 0, where: str = "") -> list[Any]:
    """Return an array of at least so many elements."""
    if not isinstance(value, list):
        raise Misread(
            Reason.WRONG_TYPE, f"saw {shown(value)}, expected an array", where
        )
    if len(value) < least:
        seen = f"saw {shown(value)}, expected at least {least}"
        raise Misread(Reason.TOO_SHORT, seen, where)
    return value


def error_code(value: object) -> int:
    """Return a code that comes as a number or as a one-element array.

    Source: public client code reads both forms of `Z`.
    """
    if isinstance(value, list) and len(value) == 1:
        return at(value, 0, code)  # type: ignore[no-any-return]
    return code(value)


def text(value: object) -> str:
    """Return a text."""
    if type(value) is not str:
        raise _wrong(value, "a text")
    return value


def boolean(value: object) -> bool:
    """Return true or false."""
    if type(value) is not bool:
        raise _wrong(value, "true or false")
    return value


def signed(value: object) -> int:
    """Return an integer that fits a signed 64-bit long; never wraps."""
    return _between(value, LONG_MIN, LONG_MAX)


def unsigned(value: object) -> int:
    """Return an integer from 0 on that fits a signed 64-bit long."""
    return _between(value, 0, LONG_MAX)


def code(value: object) -> int:
    """Return a code or flags: an integer from 0 on that fits 32 bits."""
    return _between(value, 0, INT_MAX)


def bit(value: object) -> int:
    """Return 0 or 1."""
    return _between(value, 0, 1)


def _between(value: object, least: int, most: int) -> int:
    if type(value) is not int:
        raise _wrong(value, "an integer")
    if not least <= value <= most:
        seen = f"saw {shown(value)}, expected {least} to {most}"
        raise Misread(Reason.OUT_OF_RANGE, seen)
    return value


def _wrong(value: object, expected: str) -> Misread:
    return Misread(Reason.WRONG_TYPE, f"saw {shown(value)}, expected {expected}")


def shown(value: object) -> str:
    """Return a value in words for a person; long ones are cut in the middle."""
    if isinstance(value, list):
        return f"an array of {len(value)} elements"
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, str):
        return f'the text "{shortened(value)}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"the number {shortened(str(value))}"


def shortened(value: str) -> str:
    """Return the text, cut in the middle if it is long."""
    half = SHOWN // 2
    return value if len(value) <= SHOWN else f"{value[:half]} ... {value[-half:]}"


class Column(NamedTuple):
    """One field of a payload: where it stands in a record, and how it is read.

    `at` is an index or a field name; None gives null, for what an era does not send.
    An optional column may be missing or null.
    """

    at: int | str | None
    reader: Callable[[object], object] = text
    optional: bool = False


ABSENT = Column(None)


class Layout(NamedTuple):
    """How one era lays out one kind of record: positional, or an object."""

    shape: type[list[Any] | dict[str, Any]]
    columns: tuple[Column, ...]

    def read(self, row: object, where: str) -> Payload:
        """Return the payload in the schema's order; extra elements are let pass.

        Raises:
            Misread: a column that is not optional is missing, or has the wrong type.
        """
        if type(row) is not self.shape:
            expected = "an array" if self.shape is list else "an object"
            raise _wrong(row, expected).inside(where)
        return tuple([_take(column, row, where) for column in self.columns])


def _take(column: Column, row: Any, where: str) -> object:  # noqa: ANN401 - list or dict
    at, reader, optional = column
    if at is None:
        return None
    try:
        value = row[at]
        return None if optional and value is None else reader(value)
    except LookupError:
        if optional:
            return None
        seen = f"saw {shown(row)}, without element {at}"
        raise Misread(Reason.TOO_SHORT, seen, where) from None
    except Misread as fault:
        raise fault.inside(f"{where}[{at}]") from None
