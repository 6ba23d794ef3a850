"""The order connection's conversation: login, status, requests, replies.

It binds nothing, so nothing rotates it, and only failure ends it. Replies may come in
any order, late or twice; they are matched by the request's number alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.core.model import Events, Plan, Reason, Send, Unreadable
from bridge.core.orders import Reply
from bridge.venues.base import Context
from bridge.venues.finery.codes import code
from bridge.venues.finery.frames import read
from bridge.venues.finery.session import FinerySession
from bridge.venues.finery.values import Misread, error_code, shown

ACKNOWLEDGED = '{"error":0}'
_MADE_OF_DIGITS = re.compile(r"[0-9]{1,18}").fullmatch
_REPLIES = ("request", None)


class FineryOrderSession:
    """A session without bindings that also carries requests; see `venues.base`.

    All but requests and replies is the feed session's, status and login included.
    While the venue is down nothing is sent, but what was sent stays open: a reply
    that still comes is passed on, and the caller decides what its absence means.
    """

    def __init__(self, plan: Plan, context: Context) -> None:
        """Prepare; requests may go out once the venue's status is 0."""
        inner = FinerySession(plan, context)
        self._inner = inner
        self.tally = inner.tally
        self.handshake = inner.handshake
        self.refused = inner.refused
        self.opened = inner.opened
        self.tick = inner.tick
        self.lost = inner.lost
        self.cut = inner.cut
        self.heal = inner.heal
        self.drop = inner.drop
        self.stop = inner.stop
        self.closed = inner.closed
        self.positions = inner.positions
        self.describe = inner.describe

    @property
    def ready(self) -> bool:
        """Tell whether the venue is up and logged in, so that requests may go out."""
        return self._inner.ready

    def request(self, number: int, method: str, params: Mapping[str, Any]) -> Events:
        """Ask; nothing is returned, and so nothing sent, unless `ready`.

        `content` is always there, since the venue demands it. Integers of any size
        stay exact. Source: Finery docs, WebSocket API, request and reply.
        """
        if not self.ready:
            return []
        asked = {
            "event": "request",
            "reqId": number,
            "method": method,
            "content": params,
        }
        return [Send(msgspec.json.encode(asked).decode())]

    def receive(self, data: bytes, received_ns: int) -> Events:
        """Take one message: a reply to a request, or what any connection may get."""
        message = _reply_in(data)
        if message is None:
            return self._inner.receive(data, received_ns)
        try:
            number = _number(message)
        except Misread as fault:
            return [self._unreadable(fault, data)]
        try:
            reply = read_reply(number, message, data)
        except Misread as fault:
            # The caller learns at once that the outcome is in doubt.
            return [self._unreadable(fault, data), Reply(number=number)]
        self.tally.control += 1
        return [reply]

    def _unreadable(self, fault: Misread, data: bytes) -> Unreadable:
        self.tally.unreadable += 1
        return Unreadable(None, fault.reason, fault.sentence, data)


class _Whole(msgspec.Struct):
    """A reply whose result is kept as it was sent."""

    reply: msgspec.Raw = msgspec.Raw(b"")


_read_whole = msgspec.json.Decoder(_Whole).decode


def read_reply(number: int, message: Mapping[str, Any], data: bytes) -> Reply:
    """Return what the venue answered; an error may stand at the top or in the reply.

    Source: Finery docs, WebSocket API, request and reply; mod, errors (`origId`).

    Raises:
        Misread: it names neither an error nor a result, or cannot be read.
    """
    reply = message.get("reply")
    inside: Mapping[str, Any] = reply if isinstance(reply, dict) else {}
    failure = _failure(message) or _failure(inside)
    if "reply" not in message and message.get("error") is None:
        seen = "saw neither a reply nor an error"
        raise Misread(Reason.NOT_A_MESSAGE, seen)
    return Reply(
        number=number,
        error=failure,
        meaning=code(failure).meaning if failure else "",
        param=_param(message) or _param(inside),
        gone=bool(failure) and ("origId" in message or "origId" in inside),
        result=_result(message, failure, data),
    )


def _reply_in(data: bytes) -> dict[str, Any] | None:
    """Return the message if it is the reply to a request, None for all others."""
    if data.lstrip()[:1] != b"{":
        return None
    try:
        message = read(data)
    except Misread:
        return None
    if not isinstance(message, dict) or message.get("event") not in _REPLIES:
        return None
    if "event" not in message and "reqId" not in message:
        return None
    return message


def _number(message: Mapping[str, Any]) -> int:
    """Return the request's number; also from a text, as another sub-protocol echoes.

    Source: Finery docs, quote streams, reqId.
    """
    value = message.get("reqId")
    if type(value) is int and value >= 0:
        return value
    if type(value) is str and _MADE_OF_DIGITS(value):
        return int(value)
    if value is None and message.get("error"):
        failure = code(error_code(message["error"]))
        seen = f"the venue answered {failure.label} to a request that it did not name"
        raise Misread(Reason.VENUE_ERROR, seen)
    seen = f"saw {shown(value)}, expected the number of a request"
    raise Misread(Reason.WRONG_TYPE, seen, ".reqId")


def _failure(part: Mapping[str, Any]) -> int:
    value = part.get("error")
    return 0 if value is None else error_code(value)


def _param(part: Mapping[str, Any]) -> str:
    value = part.get("param")
    return value if isinstance(value, str) else ""


def _result(message: Mapping[str, Any], failure: int, data: bytes) -> str:
    """Return the reply's own text; a bare acknowledgement as REST would word it."""
    if "reply" in message:
        return bytes(_read_whole(data).reply).decode()
    if not failure:
        return ACKNOWLEDGED
    names = ("origId", "origRemainingSize")
    found = {name: message[name] for name in names if name in message}
    if not found:
        return ""
    return msgspec.json.encode({"error": failure, **found}).decode()
