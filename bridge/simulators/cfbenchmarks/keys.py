"""Who may do what: the key table, and the two ways to log in."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence

import msgspec

PER_SECOND = "PER_SECOND"
SUBPROTOCOL = "cfb"
# A list of sub-protocols that logs in: the literal, the user, the password.
_PARTS = 3


class Key(msgspec.Struct, kw_only=True):
    """One API key; obviously fake by default.

    Args:
        user: The key's user name.
        password: The key's password.
        ids: The indices it may use; None means all.
        streams: The streams it may subscribe to; never `constituents` (its frame is
            not known).
        resolution: PER_SECOND if it must not have the 200 ms series.
        history: Whether it has the permission STREAM_HISTORICAL_VALUES.
        revoked: Indices that it was allowed and has lost.
    """

    user: str = "simulated-user"
    password: str = "simulated-password"  # noqa: S105 - made up, for loopback
    ids: frozenset[str] | None = None
    streams: frozenset[str] = frozenset({"value", "rti_stats"})
    resolution: str = ""
    history: bool = True
    revoked: set[str] = msgspec.field(default_factory=set)

    # typing.override needs Python 3.12.
    def __repr__(self) -> str:  # type: ignore[explicit-override]
        """Hide the password."""
        return f"Key(user={self.user!r})"

    def allows(self, index_id: str) -> bool:
        """Tell whether the key may use an index now."""
        if index_id in self.revoked:
            return False
        return self.ids is None or index_id in self.ids


def basic_login(header: str | None) -> tuple[str, str] | None:
    """Read `Authorization: Basic` (RFC 7617); None if it is missing or unreadable."""
    scheme, _, coded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        plain = base64.b64decode(coded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, colon, password = plain.partition(":")
    return (user, password) if colon else None


def subprotocol_login(headers: Iterable[str]) -> tuple[str, str] | None:
    """Read `Sec-WebSocket-Protocol: cfb, user, password` (WebSocket API, v4)."""
    offered = [part.strip() for line in headers for part in line.split(",")]
    if len(offered) != _PARTS or offered[0] != SUBPROTOCOL:
        return None
    return offered[1], offered[2]


def find(keys: Sequence[Key], login: tuple[str, str] | None) -> Key | None:
    """Return the key that the login opens, in constant time for each key."""
    if login is None:
        return None
    user, password = (part.encode() for part in login)
    fitting = [
        key
        for key in keys
        if hmac.compare_digest(key.user.encode(), user)
        & hmac.compare_digest(key.password.encode(), password)
    ]
    return fitting[0] if fitting else None
