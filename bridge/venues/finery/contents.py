"""What a command asks with: typed records or JSON text to the venue's parameters.

The venue's integers stay integers of any length, never floats. A parameter that is not
set is left out, not sent as null. What is not known is refused, never left out: an
order goes to the venue as its sender meant it, or not at all.
Source: Finery docs, REST API, parameters of each method; public client code for those
that are marked so in the table of methods.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from bridge.core.envelope_values import Content, Unfit
from bridge.venues.finery.parameters import PARTS, RECORDS, Missing, Part
from bridge.venues.finery.values import Misread, shown

_Pairs = list[tuple[str, Any]]
_EMPTY: tuple[Any, ...] = (None, [], (), {})


def params(method: str, content: Content) -> dict[str, Any]:
    """Return the venue's parameters of a command.

    Args:
        method: the venue's name of the method.
        content: JSON text, or record name and fields; the name may be empty.

    Raises:
        Unfit: no JSON object, another method's record, a field that is not known, or a
            value of the wrong type.
    """
    if isinstance(content, str):
        return _json(content)
    name, fields = content
    expected = RECORDS.get(method)
    if expected is None:
        raise Unfit(f"{method} has no typed content: use JSON text")
    if name not in {expected, ""}:
        raise Unfit(f"the content is a {name}, but {method} takes a {expected}")
    return _named(PARTS[expected], fields)


def content(method: str, given: Mapping[str, Any]) -> Content:
    """Return parameters as typed content; as JSON text where a record cannot say it.

    The inverse of `params`: what comes back means the same to the venue.
    """
    name = RECORDS.get(method)
    if name is not None:
        fields = _fields(PARTS[name], given)
        if fields is not None:
            return name, fields
    return json_text(given)


def json_text(given: Mapping[str, Any]) -> str:
    """Write parameters as compact JSON text.

    Raises:
        Unfit: a float among them, or something that JSON does not have.
    """
    _no_floats(given)
    try:
        return json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unfit(f"cannot be written as JSON: {error}") from error


def _named(parts: Iterable[Part], fields: Mapping[str, Any]) -> dict[str, Any]:
    left = dict(fields)
    found: dict[str, Any] = {}
    for part in parts:
        value = left.pop(part.field, None)
        if value in _EMPTY:
            if part.missing is Missing.REFUSE:
                raise Unfit("missing", part.field)
            value = False if part.missing is Missing.FALSE else None
        if value is not None:
            _put(found, part.param.split("."), _formed(part, value))
    for name, value in left.items():
        if value not in _EMPTY:
            raise Unfit("this worker does not know the field; update it first", name)
    return found


def _formed(part: Part, value: object) -> object:
    try:
        return part.form.out(value)
    except Misread as fault:
        raise Unfit(fault.sentence, part.field) from None


def _put(found: dict[str, Any], path: list[str], value: object) -> None:
    for step in path[:-1]:
        found = found.setdefault(step, {})
    found[path[-1]] = value


def _fields(parts: Iterable[Part], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the fields of a record; None where it cannot say the same."""
    left = dict(_flat(given))
    fields: dict[str, Any] = {}
    for part in parts:
        if part.param in left:
            try:
                fields[part.field] = part.form.back(left.pop(part.param))
            except Misread:
                return None
        elif part.missing is Missing.REFUSE:
            return None
    return None if left else fields


def _flat(given: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in given.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(
            text,
            parse_float=_refuse,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unfit(
            "a text that UTF-8 cannot hold (half of a surrogate pair)"
        ) from None
    except (ValueError, RecursionError) as error:
        raise Unfit(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Unfit(f"saw {shown(found)}, expected a JSON object")
    return found


def _refuse(number: str) -> NoReturn:
    raise Unfit(f"saw {number[:40]}: numbers are integers, in the venue's units")


def _unique(pairs: _Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unfit("stands there twice", twice)
    return found


def _no_floats(value: object) -> None:
    match value:
        case float():
            _refuse(str(value))
        case Mapping():
            if not all(isinstance(name, str) for name in value):
                raise Unfit("the names of parameters are texts")
            for item in value.values():
                _no_floats(item)
        case list() | tuple():
            for item in value:
                _no_floats(item)
