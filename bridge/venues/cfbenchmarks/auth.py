"""The two logins, and what a refused upgrade means.

Source: CF Benchmarks WebSocket API v4, "Authentication"; RFC 7617 and RFC 6455.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec

from bridge.core.model import Handshake
from bridge.errors import VenueError, VenueRefused, VenueUnreachable
from bridge.venues.base import Credentials

PROTOCOL = "cfb"  # the literal that stands first; WebSocket API v4, "Authentication"
# What the server may select. Whether it echoes is not documented, so none is fine;
# the user name or the password must never come back.
ACCEPTED_ANSWERS = ("", PROTOCOL)
DEFAULT_LOGIN = "basic"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_SHOWN = 200  # characters of a refusal's body that reach a message


def basic(url: str, credentials: Credentials) -> Handshake:
    """Log in with an `Authorization: Basic` header, and offer no sub-protocol."""
    pair = f"{credentials.key}:{credentials.secret}".encode()
    value = f"Basic {base64.b64encode(pair).decode()}"
    return Handshake(url, headers=(("Authorization", value),))


def subprotocol(url: str, credentials: Credentials) -> Handshake:
    """Log in with the sub-protocols `cfb`, user name, password, in this order."""
    return Handshake(url, subprotocols=(PROTOCOL, credentials.key, credentials.secret))


LOGINS: Mapping[str, Callable[[str, Credentials], Handshake]] = {
    "basic": basic,
    "subprotocol": subprotocol,
}


def problems(credentials: Credentials, login: str) -> list[str]:
    """List why these credentials cannot be sent with `login`, each with what to do."""
    user, password = credentials.key, credentials.secret
    if not user or not password:
        return ["user and password: both are needed; set them or their files"]
    if login == "basic":
        colon = "user: holds a colon, which Basic cannot carry; ask for another key"
        return [colon] if ":" in user else []
    found = [
        f"{name}: has characters that no sub-protocol may have; set login: basic"
        for name, part in (("user", user), ("password", password))
        if not _TOKEN.fullmatch(part)
    ]
    offered = (PROTOCOL, user, password)
    if len(set(offered)) < len(offered):
        found.append(
            "user and password: sub-protocols must differ from each other and from "
            f"{PROTOCOL}; set login: basic"
        )
    return found


def refusal(
    source: str, credentials: Credentials, status: int, body: bytes
) -> VenueError:
    """Translate the answer to a refused upgrade.

    What a failed login looks like is not documented; REST answers 401 without
    credentials, and 400 with an error text for what the key may not have.
    """
    text = _error_text(body, credentials)
    said = f": {text}" if text else ""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            advice = "check user, password and the key's licence"
            return VenueRefused(source, f"login refused{said}; {advice}", status)
        case HTTPStatus.BAD_REQUEST:
            return VenueRefused(source, f"upgrade refused{said or ' (400)'}", status)
        case HTTPStatus.NOT_FOUND:
            advice = "the path of the URL looks wrong, /ws/v4 is documented"
            return VenueRefused(source, f"not found{said}; {advice}", status)
        case _:
            return VenueUnreachable(source, f"upgrade answered {status}{said}", status)


def _error_text(body: bytes, credentials: Credentials) -> str:
    """Return the `error` of a JSON body, or its beginning; never the login."""
    try:
        answer = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        answer = None
    said = answer.get("error") if isinstance(answer, dict) else None
    text = said if isinstance(said, str) else body.decode("utf-8", "replace")
    for secret in (credentials.secret, credentials.key):
        text = text.replace(secret, "***") if secret else text
    return "".join(c if c.isprintable() else " " for c in text[:_SHOWN]).strip()
