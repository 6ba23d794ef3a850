"""Decimal text to an integer of fixed scale: exact, with no float on the way."""

from __future__ import annotations

import re

SCALE = 18  # decimals of the Avro type decimal(38,18)
PRECISION = 38  # its digits

_LIMIT = 10**PRECISION
_POWERS = tuple(10 ** (SCALE - decimals) for decimals in range(SCALE + 1))
_PLAIN = re.compile(rf"([+-]?[0-9]{{1,{PRECISION}}})(?:\.([0-9]{{1,{SCALE}}}))?")
_SHOWN = 60  # characters of a wrong text that an error message repeats


def unscaled(text: str) -> int:
    """Return the number in `text` times 10**18.

    Takes plain decimals only: an optional sign, digits, and where there is a point,
    digits on both sides of it.

    Raises:
        ValueError: not a plain decimal, more than 18 decimals, or more than 38 digits.
    """
    match = _PLAIN.fullmatch(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is not a plain decimal(38,18)")
    whole, fraction = match[1], match[2] or ""
    number: int = int(whole + fraction) * _POWERS[len(fraction)]
    if not -_LIMIT < number < _LIMIT:
        raise ValueError(f"{_shown(text)} is too large for a decimal(38,18)")
    return number


def _shown(text: str) -> str:
    cut = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 20]}...{text[-17:]}"
    return ascii(cut)
