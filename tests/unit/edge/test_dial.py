"""What a stranger shows while a connection is opened, and whom TLS trusts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.edge.dial import ahead_s, trust
from tests.support.certificates import make_certificates


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 2026 99999999999:00:00 GMT",
        "Mon, 00 Jan 0000 00:00:00 GMT",
    ],
)
def test_a_date_that_is_none_tells_no_time(date: str) -> None:
    """Whatever the header holds, it never raises."""
    assert ahead_s(date) is None


def test_authorities_are_read_once_for_each_state_of_their_file(tmp_path: Path) -> None:
    """Reading them holds up the loop; a file that was replaced is read anew."""
    path = make_certificates(tmp_path).authority
    first = trust(str(path))
    assert trust(str(path)) is first
    os.utime(path, ns=(1, 1))
    assert trust(str(path)) is not first
    assert trust(None) is trust(None)


def test_an_authority_that_is_gone_is_no_longer_trusted(tmp_path: Path) -> None:
    path = make_certificates(tmp_path).authority
    trust(str(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        trust(str(path))
