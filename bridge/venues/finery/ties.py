"""Which orders a connection would take with it: those placed on it with `cod`.

Source: Finery docs, WebSocket API and add: cancel-on-disconnect is a flag of the order,
and holds for the connection that placed it. Whether a replaced order keeps its tie is
not documented: it is counted as tied, so that the list never leaves one out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bridge.core.orders import Outcome, Result

PLACING = frozenset({"add", "authorized/add", "pending/add", "pending/authorized/add"})


def retie(
    tied: frozenset[int], method: str, params: Mapping[str, Any], result: Result
) -> frozenset[int]:
    """Return the ids of the tied orders after an answered command."""
    reply = _reply(result)
    if method in PLACING and params.get("cod") is True:
        return tied | _ids(reply, "id") if _rests(reply) else tied
    if method == "mod":
        old = _ids(reply, "origId") & tied
        return (tied - old) | (_ids(reply, "id") if old and _rests(reply) else set())
    if method == "del":
        return tied - _ids(reply, "id")
    if method == "delAll" and result.outcome is Outcome.DONE and not params:
        return frozenset()
    return tied


def untouched(result: Result) -> bool:
    """Tell whether an order has no deal, and leaves no trace where it is removed."""
    return not _reply(result).get("deals")


def _reply(result: Result) -> Mapping[str, Any]:
    try:
        read = json.loads(result.body) if result.body else {}
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _rests(reply: Mapping[str, Any]) -> bool:
    left = reply.get("remainingSize", reply.get("remainingVolume", 0))
    return isinstance(left, int) and left > 0 and not reply.get("cancelReason")


def _ids(reply: Mapping[str, Any], name: str) -> frozenset[int]:
    number = reply.get(name)
    return frozenset({number}) if isinstance(number, int) else frozenset()
