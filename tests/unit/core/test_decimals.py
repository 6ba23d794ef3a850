"""Decimal text to unscaled integers."""

from decimal import Context, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.decimals import unscaled

WIDE = Context(prec=80)

PLAIN = [
    ("8835.56", 8835560000000000000000),
    ("77002.30", 77002300000000000000000),
    ("40067.00", 40067000000000000000000),
    ("0", 0),
    ("-0.00", 0),
    ("-1.5", -1500000000000000000),
    ("+1.5", 1500000000000000000),
    ("007", 7000000000000000000),
    ("0.000000000000000001", 1),
    ("99999999999999999999.999999999999999999", 10**38 - 1),
    ("-99999999999999999999.999999999999999999", 1 - 10**38),
]

WRONG = [
    "",
    " 1",
    "1 ",
    "1\n",
    ".5",
    "5.",
    "-",
    "+",
    "1e3",
    "1E3",
    "1_000",
    "1,000.00",
    "0x10",
    "NaN",
    "Infinity",
    "-inf",
    "null",
    "1.2.3",
    "--1",
    "٣",  # an Arabic digit
    "²",
    "0.0000000000000000001",  # 19 decimals
    "100000000000000000000",  # 39 digits at scale 18
    "9" * 39,
    "0" * 39,
    "1" * 10_000_000,
]


@pytest.mark.parametrize(("text", "number"), PLAIN)
def test_plain_decimals_are_exact(text: str, number: int) -> None:
    """A plain decimal becomes the integer that is 10**18 times as large."""
    assert unscaled(text) == number


@pytest.mark.parametrize("text", WRONG, ids=lambda text: repr(text[:24]))
def test_all_else_is_an_error(text: str) -> None:
    """What is not a plain decimal(38,18) is an error with a short message."""
    with pytest.raises(ValueError, match="decimal") as caught:
        unscaled(text)
    assert len(str(caught.value)) < 120


@settings(max_examples=500, deadline=None)
@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 18))
def test_agrees_with_decimal(number: int, decimals: int) -> None:
    """The result equals what the decimal module makes of the same text."""
    text = f"{Decimal(number).scaleb(-18, WIDE):.{decimals}f}"
    if len(text.lstrip("-").partition(".")[0]) > 20:  # rounded up past the limit
        return
    assert unscaled(text) == Decimal(text).scaleb(18, WIDE)
