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
    """Return the ids of the tied orders after a command was answered or looked up."""
    reply = _reply(result)
    if method in PLACING and params.get("cod") is True:
        return tied | _ids(reply, "id") if _rests(reply) else tied
    if method == "mod" and not reply.get("origActive"):
        old = _ids(reply, "origId") & tied
        return (tied - old) | (_ids(reply, "id") if old and _rests(reply) else set())
    if method == "del":
        return tied - _ids(reply, "id") - _gone(reply)
    if method == "delAll" and result.outcome is Outcome.DONE and not params:
        return frozenset()
    return tied


def untouched(result: Result) -> bool:
    """Tell whether an order has no deal, and leaves no trace where it is removed."""
    return not _reply(result).get("deals")


def _reply(result: Result) -> Mapping[str, Any]:
    """Return the fields of an answer; a look-up puts those of the order in one."""
    try:
        read = json.loads(result.body) if result.body else {}
    except ValueError:
        return {}
    if not isinstance(read, dict):
        return {}
    order = read.get("order")
    return {**read, **order} if isinstance(order, dict) else read


def _rests(reply: Mapping[str, Any]) -> bool:
    """Tell whether an order rests; one that may rest, for all that is seen, does."""
    if reply.get("active") is False:
        return False
    left = reply.get("remainingSize", reply.get("remainingVolume", 0))
    return isinstance(left, int) and left > 0 and not reply.get("cancelReason")


def _gone(reply: Mapping[str, Any]) -> frozenset[int]:
    """Return the order that a look-up of `del` found not active."""
    return frozenset() if reply.get("active") else _ids(reply, "orderId")


def _ids(reply: Mapping[str, Any], name: str) -> frozenset[int]:
    number = reply.get(name)
    return frozenset({number}) if isinstance(number, int) else frozenset()
