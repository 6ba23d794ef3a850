"""Logins: `bridge.simulators.cfbenchmarks.keys`."""

import base64

import pytest

from bridge.simulators.cfbenchmarks.keys import (
    Key,
    basic_login,
    find,
    subprotocol_login,
)


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Basic {coded('u:p')}", ("u", "p")),
        (f"basic  {coded('u:p:q')}", ("u", "p:q")),
        (f"Basic {coded('u')}", None),
        ("Basic ???", None),
        (f"Basic {base64.b64encode(bytes([0xFF, 0xFE])).decode()}", None),
        ("Bearer x", None),
        (None, None),
    ],
)
def test_basic(header: str | None, expected: tuple[str, str] | None) -> None:
    """RFC 7617: user name and password around the first colon."""
    assert basic_login(header) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["cfb, abc, 123"], ("abc", "123")),
        (["cfb", "abc", "123"], ("abc", "123")),
        (["abc, cfb, 123"], None),
        (["cfb, abc"], None),
        ([], None),
    ],
)
def test_subprotocols(headers: list[str], expected: tuple[str, str] | None) -> None:
    """WebSocket API v4: the literal `cfb`, the user name, the password, in order."""
    assert subprotocol_login(headers) == expected


def test_a_key_is_found_by_both_parts() -> None:
    """Only the right user name with the right password opens a key."""
    keys = (Key(user="a", password="1"), Key(user="b", password="2"))
    assert find(keys, ("b", "2")) is keys[1]
    assert find(keys, ("b", "1")) is None
    assert find(keys, None) is None


def test_permissions() -> None:
    """A key allows its ids, less those that were revoked."""
    key = Key(ids=frozenset({"BRTI", "BRR"}), revoked={"BRR"})
    assert key.allows("BRTI")
    assert not key.allows("BRR")
    assert not key.allows("ETHUSD_RTI")


def test_the_password_is_not_shown() -> None:
    """A key's repr has no password."""
    assert "123" not in repr(Key(user="abc", password="123"))
