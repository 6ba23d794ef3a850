"""Which orders a connection would take with it: those placed on it with `cod`.

Source: Finery docs, WebSocket API and add: cancel-on-disconnect is a flag of the order,
and holds for the connection that placed it. Whether a replaced order keeps its tie is
not documented: it is counted as tied, so that the list never leaves one out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.orders import Outcome, Result
from bridge.venues.finery import lookup_records
from bridge.venues.finery.frames import read
from bridge.venues.finery.values import Misread, array

# Whose active orders `positions` lists, and a replacement's if it lists the old one's.
# No documented list shows those of a sub-account.
LISTED = frozenset({"add", "mod"})
PLACING = frozenset({"add", "authorized/add", "pending/add", "pending/authorized/add"})


def retie(
    tied: frozenset[int], method: str, params: Mapping[str, Any], result: Result
) -> frozenset[int]:
    """Return the ids of the tied orders after a command was answered or looked up."""
    if method == "positions":
        return tied if params else _active(tied, result)
    reply = _reply(result)
    if method in PLACING and params.get("cod") is True:
        return tied | _ids(reply, "id") if _rests(reply) else tied
    if method == "mod" and not reply.get("origActive"):
        old = _ids(reply, "origId") & tied
        return (tied - old) | (_ids(reply, "id") if old and _rests(reply) else set())
    if method == "del":
        return tied - _ids(reply, "id") - _gone(reply)
    if method == "delAll" and result.outcome is Outcome.DONE and not params:
        return tied & _ids(reply, "active")
    return tied


def untouched(result: Result) -> bool:
    """Tell whether an order has no deal, and leaves no trace where it is removed."""
    return not _reply(result).get("deals")


def _reply(result: Result) -> Mapping[str, Any]:
    """Return the fields of an answer; a look-up puts those of the order in one."""
    try:
        fields = read(result.body.encode()) if result.body else {}
    except Misread:
        return {}
    if not isinstance(fields, dict):
        return {}
    order = fields.get("order")
    return {**fields, **order} if isinstance(order, dict) else fields


def _active(tied: frozenset[int], result: Result) -> frozenset[int]:
    """Return the tied orders that a list shows; all of them where it cannot be read.

    Source: Finery docs, positions: element 2 holds the active orders.
    """
    try:
        orders = lookup_records.orders(array(read(result.body.encode()), 3)[2])
    except Misread:
        return tied
    return tied & {order.number for order in orders}


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
    """Return the ids that stand under a name: one, or a list of them."""
    found = reply.get(name)
    numbers = found if isinstance(found, list) else [found]
    return frozenset(number for number in numbers if type(number) is int)
