"""Words like `price=60001.5` to the content of a command, exactly.

A field that counts in 10^-8 (`priceE8`) is given as the integer under its own name, or
as a decimal under its name without the scale (`price`): the decimal is shifted digit
by digit, never rounded, and one with too many digits is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.core.avro_schema import Array, Boolean, Enum, Node, Number, Record, Union
from bridge.errors import ConfigError

_SCALED = re.compile(r"(.+)E([48])")
_DECIMAL = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_LONG_MAX = 2**63 - 1


def content_of(words: Sequence[str], record: Record | None) -> dict[str, Any]:
    """Return the content that `key=value` words give.

    Args:
        words: the words; a key may stand once.
        record: the fields of the method's content; None where the schema has none:
            then integers, true and false are taken as such, and all else is text.

    Raises:
        ConfigError: lists every word that cannot be taken, with what to do.
    """
    fields = {field.name: field.node for field in record.fields} if record else None
    found: dict[str, Any] = {}
    problems = []
    for word in words:
        name, given, text = word.partition("=")
        try:
            if not given or not name:
                raise ValueError("expected key=value")  # noqa: TRY301 - one place
            key, value = _entry(name, text, fields)
            if key in found:
                raise ValueError(f"{key} is given twice")  # noqa: TRY301
            found[key] = value
        except ValueError as error:
            problems.append(f"{word}: {error}")
    if problems:
        raise ConfigError(problems)
    return found


def scaled(text: str, places: int) -> int:
    """Return the decimal in `text` times 10**places, exactly.

    Raises:
        ValueError: no plain decimal, too many decimals, or beyond 64 bits.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("expected a plain decimal like 60001.5")
    sign, whole, fraction = match[1], match[2], (match[3] or "").rstrip("0")
    if len(fraction) > places:
        raise ValueError(f"{len(fraction)} decimals; at most {places} can be sent")
    return _long(f"{sign}{whole}{fraction.ljust(places, '0')}")


def _entry(name: str, text: str, fields: Mapping[str, Node] | None) -> tuple[str, Any]:
    if fields is None:
        return name, _loose(text)
    if name in fields:
        return name, _value(fields[name], text)
    for field in fields:
        match = _SCALED.fullmatch(field)
        if match and match[1] == name:
            return field, scaled(text, int(match[2]))
    known = ", ".join(_SCALED.sub(r"\1", field) for field in fields)
    raise ValueError(f"there is no {name}; there are {known or 'no parameters'}")


def _value(node: Node, text: str) -> Any:  # noqa: ANN401 - any of Avro's
    match node:
        case Union(branches=branches):
            return _value(branches[-1], text)
        case Number():
            return _long(text)
        case Boolean():
            if text.lower() not in _TRUTH:
                raise ValueError("expected true or false")
            return _TRUTH[text.lower()]
        case Enum(symbols=symbols):
            return _symbol(symbols, text)
        case Array(items=items):
            return [_value(items, part) for part in text.split(",") if part]
    return text


def _symbol(symbols: Sequence[str], text: str) -> str:
    """Return the symbol that `text` means; the venue's spelling (limitIOC) will do."""
    plain = {symbol.replace("_", "").lower(): symbol for symbol in symbols}
    found = plain.get(text.replace("_", "").lower())
    if found is None:
        raise ValueError(f"expected one of {', '.join(symbols)}")
    return found


def _long(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("expected an integer")
    value = int(text) if len(text) < 40 else _LONG_MAX + 1  # noqa: PLR2004 - enough
    if not -_LONG_MAX - 1 <= value <= _LONG_MAX:
        raise ValueError("beyond 64 bits")
    return value


def _loose(text: str) -> str | int | bool:
    if text in {"true", "false"}:
        return text == "true"
    return _long(text) if _INTEGER.fullmatch(text) else text
