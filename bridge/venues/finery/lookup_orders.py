"""What became of an order, or of a replacement: active, dealt, or not to be seen.

Source: Finery docs, positions, dealHistory, add, mod; an order is known by its client
order id (element 5). Taker orders are never active: only their deals can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bridge.core.orders import Finding
from bridge.venues.finery.judging import OLD_GONE
from bridge.venues.finery.lookup_cases import (
    BLUR_MS,
    CLIENT_HISTORY,
    CLIENT_PENDING,
    HISTORY,
    NOTHING,
    PENDING,
    POSITIONS,
    Asking,
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
from bridge.venues.finery.lookup_records import Deal, Order

_SIDES = {"bid": 0, "ask": 1}
_NEVER_ACTIVE = frozenset({"limitIOC", "limitFOK", "marketIOC", "marketFOK"})


class Where(NamedTuple):
    """The lists in which the trace of a method may be."""

    active: tuple[Source, ...] = (POSITIONS,)
    deals: tuple[Source, ...] = (HISTORY,)


_WHERE: Mapping[str, Where] = {
    "authorized/add": Where(deals=(HISTORY, CLIENT_HISTORY)),
    "pending/add": Where(active=(PENDING, POSITIONS)),
    "pending/authorized/add": Where(
        active=(CLIENT_PENDING, POSITIONS), deals=(HISTORY, CLIENT_HISTORY)
    ),
}


class Seen(NamedTuple):
    """What the lists show; those in `unread` could not be read."""

    orders: tuple[Order, ...]
    deals: tuple[Deal, ...]
    unread: frozenset[str]


class Trace(NamedTuple):
    """One order that carries the client order id, and its deals, the oldest first."""

    order: Order
    active: bool
    deals: tuple[Deal, ...]

    @property
    def left(self) -> int:
        """Return the least that was seen left of it."""
        return min([self.order.left, *(deal.order.left for deal in self.deals)])

    @property
    def whole(self) -> bool:
        """Tell whether the deals add up to what was dealt."""
        by_volume = self.order.by_volume
        dealt = sum(d.volume if by_volume else d.size for d in self.deals)
        return dealt == self.order.initial - self.left


def made(case: Case) -> Steps:
    """Look for the order of `add` and its siblings."""
    if not case.order_id:
        return (yield from nothing_to_ask(case))
    seen = yield from _look(case)
    return _placed(case, seen) or _missing(case, seen)


def replaced(case: Case) -> Steps:
    """Look for the new order of `mod`, and for the old one where there is none."""
    old = case.number("orderId")
    if not case.order_id or old is None:
        return (yield from nothing_to_ask(case))
    seen = yield from _look(case)
    return _placed(case, seen) or _old(old, seen)


def _look(case: Case) -> Asking[Seen]:
    """Read active orders, then deals; both again where an order came in between."""
    seen = yield from _read(case)
    if any(_moved(trace) for trace in _traces(case, seen)):
        seen = yield from _read(case)
    return seen


def _moved(trace: Trace) -> bool:
    return not trace.whole or (not trace.active and trace.left > 0)


def _read(case: Case) -> Asking[Seen]:
    where = _WHERE.get(case.method, Where())
    orders: dict[int, Order] = {}
    deals: dict[tuple[int, int], Deal] = {}
    unread = set()
    for source in where.active:
        found = yield from active_orders(source, case)
        if found is None:
            unread.add(source.method)
        orders.update({order.number: order for order in found or ()})
    for source in where.deals:
        past = yield from past_deals(source, case)
        if past is None:
            unread.add(source.method)
        deals.update({deal.key: deal for deal in past or ()})
    ordered = tuple(deals[key] for key in sorted(deals))
    return Seen(tuple(orders.values()), ordered, frozenset(unread))


def _traces(case: Case, seen: Seen) -> list[Trace]:
    """Return the orders that can be the one of the claim, by the order id."""
    active = {order.number for order in seen.orders}
    records = [*seen.orders, *(deal.order for deal in seen.deals)]
    mine = {order.number: order for order in reversed(records) if _fits(case, order)}
    return [
        Trace(
            order,
            number in active,
            tuple(deal for deal in seen.deals if deal.order.number == number),
        )
        for number, order in mine.items()
    ]


def _fits(case: Case, order: Order) -> bool:
    """Tell whether an order can be the one that was to be made.

    Only what no venue rewrites is compared: the name and the side.
    """
    if order.client_id != case.order_id or order.created_ms < case.since_ms:
        return False
    if case.method == "mod" and order.number == case.number("orderId"):
        return False
    name, side = case.words("instrument"), case.words("side")
    wanted = None if side is None else _SIDES.get(side.lower())
    return name in {None, order.instrument} and wanted in {None, order.side}


def _mine(case: Case, traces: Sequence[Trace]) -> Sequence[Trace]:
    """Leave out orders that used the same id before, as far as the clocks can tell."""
    if case.own or not traces:
        return traces
    late = [t for t in traces if t.order.created_ms >= case.start_ms - BLUR_MS]
    later = [t for t in late if t.order.created_ms >= case.start_ms]
    return later if len(late) > 1 and len(later) == 1 else late


def _placed(case: Case, seen: Seen) -> Finding | None:
    traces = _traces(case, seen)
    mine = _mine(case, traces)
    if len(mine) == 1:
        return _shown(mine[0], seen, case)
    if not traces:
        return None
    body = {"orders": [_body(trace) for trace in traces]}
    text = (
        f"client order id {case.order_id} was used more than once about the time of "
        "the request, and which order is this one's cannot be told"
    )
    return unsure("AMBIGUOUS", text, body)


def _shown(trace: Trace, seen: Seen, case: Case) -> Finding:
    count, number, left = len(trace.deals), trace.order.number, trace.left
    dealt = f"{count} deal{'' if count == 1 else 's'}"
    addition = "" if trace.whole else ", but these deals do not add up to what is gone"
    body = _body(trace, surely=not seen.unread & _LISTS_OF_ACTIVE)
    if case.method == "mod":
        body["origId"] = case.number("orderId")
    if trace.active and left > 0:
        text = f"order {number} is active with {left} left, {dealt}{addition}"
        return done("ORDER_ACTIVE", text, body)
    rest = "nothing is left"
    if left > 0:
        rest = f"{left} are left, {_rest(seen)}"
    text = f"order {number} has {dealt}, {rest}{addition}"
    return done("DEALS_FOUND", text, body)


_LISTS_OF_ACTIVE = frozenset({PENDING.method, CLIENT_PENDING.method})


def _rest(seen: Seen) -> str:
    if seen.unread & _LISTS_OF_ACTIVE:
        return "and whether they are still active could not be read"
    return "which are not active any more"


def _missing(case: Case, seen: Seen) -> Finding:
    if seen.unread:
        lists = " and ".join(sorted(seen.unread))
        return inconclusive(f"the answer to {lists} could not be read")
    kind = case.words("type")
    if case.method == "authorized/add" and kind not in _NEVER_ACTIVE:
        return inconclusive("no documented list shows a sub-account's active orders")
    return NOTHING


def _old(old: int, seen: Seen) -> Finding:
    """Tell what is known of the order that was to be replaced.

    Source: Finery docs, mod: the old order goes before the new one is placed.
    """
    deals = [deal for deal in seen.deals if deal.order.number == old]
    active = any(order.number == old for order in seen.orders)
    body = {"origId": old, "origActive": active, "origDeals": listed(deals)}
    new = "the new one is neither active nor has it deals"
    if active:
        text = f"the old order {old} is still active, and {new}"
        return not_done("MOD_OLD_ACTIVE", text, body)
    return not_done(
        OLD_GONE, f"the old order {old} is not active any more, {new}", body
    )


def _body(trace: Trace, *, surely: bool = True) -> dict[str, Any]:
    """Return order and deals; not in the form of a reply, which it is not."""
    order = trace.order
    left = "remainingVolume" if order.by_volume else "remainingSize"
    active = trace.active and trace.left > 0
    shown = {
        "id": order.number,
        "clientOrderId": order.client_id,
        "active": active if surely or active or not trace.left else None,
        left: trace.left,
    }
    return {"order": shown, "deals": listed(trace.deals)}
