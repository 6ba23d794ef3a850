"""What became of a cancel: whether what it was to remove is still active.

Source: Finery docs, del, delAll, positions; those of pending orders are assumed alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.core.orders import Finding
from bridge.venues.finery.lookup_cases import (
    BLUR_MS,
    CLIENT_HISTORY,
    CLIENT_PENDING,
    HISTORY,
    PENDING,
    POSITIONS,
    SKEW_MS,
    Case,
    Source,
    Steps,
    active_orders,
    done,
    inconclusive,
    listed,
    not_done,
    nothing_to_ask,
    past_deals,
    unsure,
)
from bridge.venues.finery.lookup_records import PENDING_KIND, Order

_ACTIVE: Mapping[str, Source] = {
    "del": POSITIONS,
    "delAll": POSITIONS,
    "pending/del": PENDING,
    "pending/delAll": PENDING,
    "pending/authorized/del": CLIENT_PENDING,
    "pending/authorized/delAll": CLIENT_PENDING,
}


def removed(case: Case) -> Steps:
    """Look whether the order of `del` is still active."""
    number, client_id = case.number("orderId"), case.number("clientOrderId")
    if (number is None) == (client_id is None):
        return (yield from nothing_to_ask(case))
    source = _ACTIVE[case.method]
    orders = yield from active_orders(source, case)
    if orders is None:
        return _unread(source)
    if any(order.number == number for order in orders):
        return _still_active("orderId", case)
    named = [order for order in orders if order.client_id == client_id]
    return _still_named(case, named) or (yield from _not_active(case))


def cleared(case: Case) -> Steps:
    """Look whether any order is left that `delAll` was to remove."""
    if case.params.get("instrument") is not None and not case.words("instrument"):
        return (yield from nothing_to_ask(case))
    source = _ACTIVE[case.method]
    orders = yield from active_orders(source, case)
    if orders is None:
        return _unread(source)
    return _left(case, [order for order in orders if _met(case, order)])


def _still_named(case: Case, orders: Sequence[Order]) -> Finding | None:
    """Tell the order that was meant from one that took over its client order id."""
    if any(order.created_ms <= case.start_ms + BLUR_MS for order in orders):
        return _still_active("clientOrderId", case)
    if all(order.created_ms > case.start_ms + SKEW_MS for order in orders):
        return None
    client_id = case.number("clientOrderId")
    text = f"client order id {client_id} is active, perhaps with a newer order"
    return unsure("AMBIGUOUS", text, {"active": _numbers(orders)})


def _still_active(name: str, case: Case) -> Finding:
    text = f"the order with {name} {case.number(name)} is still active"
    return not_done("STILL_ACTIVE", text, {name: case.number(name), "active": True})


def _not_active(case: Case) -> Steps:
    source = CLIENT_HISTORY if _ACTIVE[case.method].for_client else HISTORY
    found = yield from past_deals(source, case)
    deals = None
    if found is not None:
        deals = listed([deal for deal in found if _meant(case, deal.order)])
    count = "unknown" if deals is None else len(deals)
    name = "orderId" if case.number("orderId") is not None else "clientOrderId"
    text = (
        f"the order with {name} {case.number(name)} is not active any more, whoever "
        f"removed it; deals from {SKEW_MS // 60_000} minutes before the request on: "
        f"{count}"
    )
    body = {name: case.number(name), "active": False, "deals": deals}
    return done("NOT_ACTIVE", text, body)


def _meant(case: Case, order: Order) -> bool:
    if order.number == case.number("orderId"):
        return True
    named = order.client_id == case.number("clientOrderId")
    return named and order.created_ms <= case.start_ms + BLUR_MS


def _met(case: Case, order: Order) -> bool:
    """Tell whether the filter meets an order; pending ones are not met by `delAll`."""
    if case.words("instrument") not in {None, order.instrument}:
        return False
    return _ACTIVE[case.method] is not POSITIONS or order.kind != PENDING_KIND


def _left(case: Case, orders: Sequence[Order]) -> Finding:
    """Judge what is still active by its age; what came after the request may stay."""
    body = {"active": _numbers(orders)}
    if any(order.created_ms <= case.start_ms - BLUR_MS for order in orders):
        text = "orders from before the request are still active"
        return not_done("ORDERS_LEFT", text, body)
    if any(order.created_ms <= case.start_ms + BLUR_MS for order in orders):
        text = "orders made about the time of the request are active"
        return unsure("AMBIGUOUS", f"{text}, older or newer ones", body)
    text = "no order from before the request is active"
    if orders:
        text += f", by the venue's clock; {len(orders)} newer ones are"
    return done("NONE_LEFT", text, body)


def _numbers(orders: Sequence[Order]) -> list[int]:
    return sorted(order.number for order in orders)


def _unread(source: Source) -> Finding:
    return inconclusive(f"the answer to {source.method} could not be read")
