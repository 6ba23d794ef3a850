"""What may stand in a request: whole numbers, texts, truth values, lists, objects.

No float: no venue method takes one, and none could be sent back exactly.
"""

from __future__ import annotations

from bridge.core.envelope_values import Unfit

MAX_DEPTH = 8
MAX_TEXT = 1_024
NUMBER_MIN, NUMBER_MAX = -(2**63), 2**64 - 1


def check_plain(value: object, where: str = "", depth: int = 0) -> None:
    """Raise Unfit unless all of `value` can be sent as it is.

    Args:
        value: the parameters, or a part of them.
        where: the name of the parameter, for the text.
        depth: how many containers it stands in.
    """
    if depth > MAX_DEPTH:
        raise Unfit(f"is nested more than {MAX_DEPTH} deep", where)
    match value:
        case dict():
            for name in value:
                _check_text(name, where)
                check_plain(value[name], where or name, depth + 1)
        case list() | tuple():
            for item in value:
                check_plain(item, where, depth + 1)
        case str():
            _check_text(value, where)
        case _:
            _check_scalar(value, where)


def _check_scalar(value: object, where: str) -> None:
    if value is not None and not isinstance(value, int):
        raise Unfit("is no whole number, text, truth value, list or object", where)
    if value is not None and not NUMBER_MIN <= value <= NUMBER_MAX:
        raise Unfit("is a number above 64 bits", where)


def _check_text(value: object, where: str) -> None:
    if not isinstance(value, str):
        raise Unfit("has a name that is no text", where)
    if len(value) > MAX_TEXT:
        raise Unfit(f"has {len(value)} characters; at most {MAX_TEXT}", where)
    if is_broken(value):
        raise Unfit("holds half a surrogate pair, which cannot be sent", where)


def is_broken(text: str) -> bool:
    """Tell whether a text holds what UTF-8 cannot: half a surrogate pair."""
    return not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text)
