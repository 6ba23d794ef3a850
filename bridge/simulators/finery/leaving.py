"""How an order gets out: del, delAll, mod, and the end of its connection.

Source: reference page "Finery Markets API", sections 6.2, 6.3 and 12.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bridge.simulators.finery.accounts import Account
from bridge.simulators.finery.engine import Cancel, Kind, Order
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.trading import (
    Ask,
    Placed,
    add,
    check_amount,
    check_price,
)
from bridge.simulators.finery.venue import Venue


def cancel(venue: Venue, order: Order, reason: int) -> None:
    """Take a resting or pending order out and tell its owner."""
    venue.forget(order)
    if order.kind != Kind.PENDING:
        venue.books[order.instrument].remove(order)
        venue.dirty.add(order.instrument)
    order.reason = reason
    if order.kind != Kind.PENDING or venue.options.rules.pending_on_orders:
        venue.tell(order.account, "O", "-", replace(order), order.instrument)
    venue.decide("cancel", order=replace(order))


class Modified(NamedTuple):
    """The order that replaced `old`, which had `old_left` left."""

    placed: Placed
    old: Order
    old_left: int


def modify(venue: Venue, account: Account, number: int, wanted: Ask) -> Modified:
    """Replace a maker's order (6.2); `wanted` gives price, size and client id.

    Size, price and code 90 are checked before the old order is touched. What fails
    after that raises `Refused` with the `mod` error object: the old order is gone.
    """
    old = find(venue, account, number)
    left = (wanted.size or 0) - (old.initial - old.left)
    if wanted.size is not None and wanted.size > 0 and left <= 0:
        raise Refused(Code.NOTHING_LEFT)
    ask = wanted._replace(
        instrument=old.instrument,
        kind=old.kind,
        side=old.side,
        size=left,
        cod=old.connection is not None and venue.options.rules.cod_survives_mod,
    )
    check_amount(venue, account, ask)
    check_price(venue, ask)
    cancel(venue, old, Cancel.CLIENT)
    try:
        placed = add(venue, account, ask, old.connection)
    except Refused as refusal:
        gone = {"origId": old.id, "origRemainingSize": old.left}
        inside = {"error": refusal.number, **gone}
        raise Refused(refusal.number, inside=inside) from refusal
    return Modified(placed, old, old.left)


def find(venue: Venue, account: Account, number: int) -> Order:
    """Return an active order of the account; error 80 where there is none."""
    order = venue.orders.get(number)
    if order is None or order.account != account.id:
        raise Refused(Code.ORDER_NOT_FOUND)
    return order


def find_client(venue: Venue, account: Account, client_id: int) -> Order:
    """Return an active order by the client's id; error 80 where there is none."""
    for order in venue.live.get(account.id, {}).values():
        if order.client_id == client_id and client_id:
            return order
    raise Refused(Code.ORDER_NOT_FOUND)


def cancel_all(
    venue: Venue, account: Account, instrument: str | None, *, pending: bool
) -> int:
    """Cancel the account's book orders, or its pending ones; return how many."""
    chosen = [
        order
        for order in venue.live.get(account.id, {}).values()
        if (order.kind == Kind.PENDING) == pending
        and instrument in {None, order.instrument}
    ]
    for order in chosen:
        cancel(venue, order, Cancel.CLIENT)
    return len(chosen)


def disconnected(venue: Venue, connection: int) -> int:
    """Cancel the orders tied to a lost connection, with reason 4 (section 12)."""
    tied = [o for o in venue.orders.values() if o.connection == connection]
    for order in tied:
        cancel(venue, order, Cancel.DISCONNECT)
    return len(tied)
