"""A failed upgrade is retried or not, by the venue's code where there is one."""

from __future__ import annotations

import pytest

from bridge.errors import VenueRefused, VenueUnreachable
from bridge.venues.finery.refusals import refusal

# status, body, refused, venue code; source: reference 1.6 and 11
CASES = [
    (400, b'{"error":3}', True, 3),
    (400, b'{"error":8}', True, 8),
    (400, b'{"error":13}', True, 13),
    (400, b'{"error":14}', True, 14),
    (400, b'{"error":36}', True, 36),
    (400, b'{"error":84}', True, 84),
    (500, b'{"error":14}', True, 14),
    (200, b'{"error":[14]}', True, 14),
    (400, b'{"error":6}', False, 6),
    (401, b'{"error":7}', False, 7),
    (400, b'{"error":2}', False, 2),
    (400, b'{"error":10}', False, 10),
    (400, b'{"error":104}', False, 104),
    (401, b'{"error":2}', False, 2),
    (401, b'{"error":999}', True, 999),
    (403, b'{"error":999}', True, 999),
    (400, b'{"error":999}', False, 999),
    (401, b"", True, None),
    (403, b"<html>Forbidden</html>", True, None),
    (403, b'{"error":"14"}', True, None),
    (500, b"Internal Server Error", False, None),
    (503, b"\xff\xfe", False, None),
    (502, b'{"error":1.5}', False, None),
    (400, b"[14]", False, None),
    (400, b'{"message":"no"}', False, None),
]


@pytest.mark.parametrize(("status", "body", "refused", "number"), CASES)
def test_refusals(status: int, body: bytes, refused: bool, number: int | None) -> None:
    """Codes that a person must settle, and unknown 401 and 403, are not retried."""
    error = refusal("desk", status, body)
    assert type(error) is (VenueRefused if refused else VenueUnreachable)
    assert error.venue_code == number
    assert error.retry is not refused


def test_refusal_names_number_and_meaning() -> None:
    """The message has what a person needs (issue: wrong credentials)."""
    error = refusal("desk", 400, b'{"error":14}')
    assert str(error) == "desk: login refused with 14 (invalid signature), HTTP 400"


def test_nonce_and_time_faults_come_with_advice() -> None:
    """Codes 6 and 7 point to the clock (reference 11, retry classes)."""
    for number in (6, 7):
        assert "clock" in str(refusal("desk", 400, b'{"error":%d}' % number))


def test_long_bodies_are_cut() -> None:
    """A page of HTML does not become a log line of its size."""
    assert len(str(refusal("desk", 502, b"x" * 100_000))) < 300
