"""Signed logins: HMAC-SHA384 over the exact text sent, and nonces that only rise.

Source: Finery docs, WebSocket API, connection; troubleshooting, error 14.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import msgspec

from bridge.venues.base import Credentials

Headers = tuple[tuple[str, str], ...]


class NonceSource:
    """Gives strictly rising nonces, one source for each API key, for all connections.

    The venue's pages disagree on the rule (rising for each key, or unique within two
    minutes); rising ones seeded from the clock in ns satisfy both, and a restart too.
    Source: Finery docs, REST API, errors 6 and 14; FIX API, admin messages.
    """

    def __init__(self, wall_ns: Callable[[], int]) -> None:
        """Take the clock, which returns Unix time in ns."""
        self._wall_ns = wall_ns
        self._last = 0

    def __call__(self) -> int:
        """Return the next nonce, even if the clock stood still or went back."""
        self._last = max(self._last + 1, self._wall_ns())
        return self._last


def content(nonce: int, wall_ns: int) -> str:
    """Return the text to sign: serialised once, sent as it is; timestamp in ms."""
    return f'{{"nonce":{nonce},"timestamp":{wall_ns // 1_000_000}}}'


def sign(secret: str, text: str) -> str:
    """Return the padded Base64 of HMAC-SHA384(secret, text), both as UTF-8."""
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha384)
    return base64.b64encode(mac.digest()).decode("ascii")


def headers(login: Credentials, nonce: int, wall_ns: int) -> Headers:
    """Return the three headers of a signed upgrade."""
    text = content(nonce, wall_ns)
    return (
        ("EFX-Key", login.key),
        ("EFX-Content", text),
        ("EFX-Sign", sign(login.secret, text)),
    )


def inband(login: Credentials, nonce: int, wall_ns: int) -> str:
    """Return the legacy login message, sent after the first status X 0.

    Source: public client code only; the current docs do not describe it.
    """
    text = content(nonce, wall_ns)
    message = {
        "event": "auth",
        "key": login.key,
        "content": text,
        "signature": sign(login.secret, text),
    }
    return msgspec.json.encode(message).decode()
