"""Every error code has a number, a name, a meaning and a class."""

from __future__ import annotations

import pytest

from bridge.venues.finery.codes import CODES, Kind, code

# Retry classes as the reference lists them, section 11.
CLASSES = {
    Kind.NONE: {0},
    Kind.TRANSIENT: {2, 10, 104},
    Kind.CLOCK: {6, 7},
    Kind.PERMANENT: {3, 8, 13, 14, 36, 84},
    Kind.ORDER: {*range(70, 84), 85, 90, 91},
    Kind.PROGRAMMING: {9, 100, 101, 102, 103},
}

LISTED = {
    *range(16),
    *range(20, 29),
    *range(30, 37),
    *range(40, 47),
    *range(50, 56),
    *range(60, 66),
    *range(70, 86),
    90,
    91,
    *range(100, 105),
    *range(110, 115),
    120,
    121,
    *range(130, 136),
    *range(140, 145),
    *range(160, 168),
    300,
}


def test_every_listed_code_is_known() -> None:
    """The table holds exactly the codes of the reference, section 11."""
    assert set(CODES) == LISTED


@pytest.mark.parametrize("kind", CLASSES)
def test_classes(kind: Kind) -> None:
    """Each class holds the codes that the reference puts there."""
    assert {n for n, known in CODES.items() if known.kind is kind} == CLASSES[kind]


def test_names_are_unique() -> None:
    """A name stands for one code."""
    assert len({known.name for known in CODES.values()}) == len(CODES)


def test_unknown_codes_are_passed_on() -> None:
    """A code of no source is a generic failure with its number (reference 11)."""
    unknown = code(777)
    assert (unknown.number, unknown.name, unknown.kind) == (
        777,
        "CODE_777",
        Kind.UNKNOWN,
    )
    assert unknown.label == "777 (not listed)"


def test_label_tells_number_and_meaning() -> None:
    """What a person reads has both."""
    assert code(34).label == "34 (instrument not found)"
