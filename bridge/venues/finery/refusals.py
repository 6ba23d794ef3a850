"""What a failed upgrade means: try again, or call a person.

The HTTP status and the exact body are not documented; by analogy with REST the body is
{"error": N}. So the body decides where it can be read, and the status where not.
Source: Finery docs, WebSocket API, handshake; troubleshooting, errors 6 and 7.
"""

from __future__ import annotations

from http import HTTPStatus

from bridge.errors import VenueError, VenueRefused, VenueUnreachable
from bridge.venues.finery.codes import Code, Kind, code
from bridge.venues.finery.frames import read
from bridge.venues.finery.values import Misread, error_code, shortened

_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_CLOCK_ADVICE = "check this machine's clock and that no one else uses the key's nonces"


def refusal(source: str, status: int, body: bytes) -> VenueError:
    """Return the error of a refused upgrade, retriable or not."""
    known = _code(body)
    if known is None:
        return _by_status(source, status, body)
    facts = f"login refused with {known.label}, HTTP {status}"
    unknown = known.kind is Kind.UNKNOWN and status in _FORBIDDEN
    if known.kind is Kind.PERMANENT or unknown:
        return VenueRefused(source, facts, known.number)
    if known.kind is Kind.CLOCK:
        return VenueUnreachable(source, f"{facts}: {_CLOCK_ADVICE}", known.number)
    return VenueUnreachable(source, facts, known.number)


def _code(body: bytes) -> Code | None:
    try:
        answer = read(body)
        if not isinstance(answer, dict):
            return None
        return code(error_code(answer.get("error")))
    except Misread:
        return None


def _by_status(source: str, status: int, body: bytes) -> VenueError:
    words = shortened(body[:1000].decode("utf-8", "replace"))
    facts = f"upgrade refused with HTTP {status} and no error code, body: {words!r}"
    if status in _FORBIDDEN:
        return VenueRefused(source, facts)
    return VenueUnreachable(source, facts)
