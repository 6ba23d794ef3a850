"""The request methods that change orders.

Source: reference page "Finery Markets API", section 6. Assumed, as no source has the
layouts: `pending/del`, `pending/delAll` and `pending/orders` work like `del`, `delAll`
and feed O; `liquidationTrade` deals at once with the counterparty at the given price.
"""

from __future__ import annotations

from typing import Any, Final

from bridge.simulators.finery import leaving, records, trading
from bridge.simulators.finery.accounts import Account, Right
from bridge.simulators.finery.engine import Cancel, Fill, Kind, Order, Side
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.trading import Ask, Placed
from bridge.simulators.finery.wire import Json

SIDES: Final = {"bid": int(Side.BID), "ask": int(Side.ASK)}
TYPES: Final = {
    "limit": int(Kind.LIMIT),
    "postOnly": int(Kind.POST_ONLY),
    "limitIOC": int(Kind.LIMIT_IOC),
    "limitFOK": int(Kind.LIMIT_FOK),
    "marketIOC": int(Kind.MARKET_IOC),
    "marketFOK": int(Kind.MARKET_FOK),
}
_AUTHORISED_DEAL: Final = 1
_LIQUIDATION_DEAL: Final = 2


def add(call: Call) -> Json:
    """Place an order (6.1)."""
    call.need(Right.TRADE)
    ask = _ask(call, call.choice("type", TYPES))
    return _placed(call, trading.add(call.venue, call.account, ask, call.connection))


def authorized_add(call: Call) -> Json:
    """Place an order for a sub-account (6.5)."""
    call.need(Right.TRADE)
    kind = _LIQUIDATION_DEAL if call.flag("liquidation") else _AUTHORISED_DEAL
    ask = _ask(call, call.choice("type", TYPES))._replace(deal_kind=kind)
    account = _client(call)
    return _placed(call, trading.add(call.venue, account, ask, call.connection))


def mod(call: Call) -> Json:
    """Replace a maker's order (6.2)."""
    call.need(Right.TRADE)
    number = call.integer("orderId", least=1)
    wanted = Ask(
        instrument="",
        kind=0,
        side=0,
        price=call.integer("price"),
        size=call.integer("size"),
        client_id=_client_order_id(call),
    )
    done = leaving.modify(call.venue, call.account, number, wanted)
    return {
        **_reply(call, done.placed),
        "initialSize": done.placed.order.initial,
        "origId": done.old.id,
        "origRemainingSize": done.old_left,
    }


def delete(call: Call) -> Json:
    """Cancel one order by exactly one of its two ids (6.3)."""
    call.need(Right.TRADE)
    return _delete(call, call.account)


def delete_all(call: Call) -> Json:
    """Cancel all orders in the book, or those of one instrument (6.3)."""
    call.need(Right.TRADE)
    return _delete_all(call, call.account, pending=False)


def pending_add(call: Call) -> Json:
    """Place a pending limit order (6.4)."""
    call.need(Right.TRADE)
    return _placed(call, _pending(call, call.account))


def pending_authorized_add(call: Call) -> Json:
    """Place a pending limit order for a sub-account (6.4)."""
    call.need(Right.TRADE)
    return _placed(call, _pending(call, _client(call)))


def pending_delete(call: Call) -> Json:
    """Cancel a pending order; layout assumed like `del`."""
    call.need(Right.TRADE)
    return _delete(call, _client_or_self(call))


def pending_delete_all(call: Call) -> Json:
    """Cancel all pending orders; layout assumed like `delAll`."""
    call.need(Right.TRADE)
    return _delete_all(call, _client_or_self(call), pending=True)


def pending_orders(call: Call) -> Json:
    """List pending orders; layout assumed like feed O."""
    live = call.venue.live.get(_client_or_self(call).id, {})
    return [records.order_record(o) for o in live.values() if o.kind == Kind.PENDING]


def liquidation_trade(call: Call) -> Json:
    """Deal at once with a sub-account at a given price (6.5); details assumed."""
    call.need(Right.TRADE)
    other = call.venue.acting_for(call.account, call.integer("counterpartyId"))
    if other is call.account:
        raise Refused(Code.IDENTICAL_CLIENTS, "counterpartyId")
    ask = _ask(call, Kind.LIMIT_FOK)
    trading.check_amount(call.venue, call.account, ask)
    trading.check_price(call.venue, ask)
    mine, theirs = (_manual(call, ask, owner) for owner in (call.account, other))
    theirs.side = 1 - ask.side
    steps = call.venue.books[ask.instrument].steps
    size = ask.size or 0
    fill = Fill(theirs, size, steps.volume_of(ask.price, size))
    mine.left = theirs.left = 0
    deal = call.venue.deal(mine, fill, _LIQUIDATION_DEAL)
    shown = records.deal_object(deal, call.venue.options.era)
    return {"id": mine.id, "clientOrderId": mine.client_id, "deal": shown}


def _manual(call: Call, ask: Ask, owner: Account) -> Order:
    return Order(
        id=call.venue.order_id(),
        account=owner.id,
        instrument=call.venue.catalogue.instrument(ask.instrument).name,
        kind=6,
        side=ask.side,
        price=ask.price,
        initial=ask.size or 0,
        left=ask.size or 0,
        created=call.venue.now_ms(),
        client_id=ask.client_id if owner is call.account else 0,
    )


def _ask(call: Call, kind: int) -> Ask:
    """Read what `add` and its siblings share."""
    limit = kind not in {Kind.MARKET_IOC, Kind.MARKET_FOK}
    return Ask(
        instrument=call.text("instrument"),
        kind=kind,
        side=call.choice("side", SIDES),
        price=call.integer("price") if limit else 0,
        size=call.maybe("size"),
        volume=call.maybe("volume"),
        client_id=_client_order_id(call),
        cod=call.flag("cod", default=call.venue.options.rules.cod_default),
    )


def _client_order_id(call: Call) -> int:
    if not call.has("clientOrderId"):
        return 0
    return call.integer("clientOrderId", least=1)


def _client(call: Call) -> Account:
    if not call.has("clientId"):
        raise Refused(Code.PARAMETER, "clientId")
    return call.venue.acting_for(call.account, call.integer("clientId"))


def _client_or_self(call: Call) -> Account:
    return call.venue.acting_for(call.account, call.maybe("clientId"))


def _pending(call: Call, account: Account) -> Placed:
    # The pending page says that `side` ignores case (6.4).
    side = str(call.content.get("side", "")).lower()
    lowered = call._replace(content={**call.content, "side": side})
    return trading.add(call.venue, account, _ask(lowered, Kind.PENDING))


def _placed(call: Call, placed: Placed) -> dict[str, Any]:
    reply = _reply(call, placed)
    if placed.order.by_volume:
        reply["remainingVolume"] = reply.pop("remainingSize")
    return reply


def _reply(call: Call, placed: Placed) -> dict[str, Any]:
    order = placed.order
    reply: dict[str, Any] = {"id": order.id, "remainingSize": order.left}
    if order.client_id:
        reply["clientOrderId"] = order.client_id
    if order.reason != Cancel.NONE:
        reply["cancelReason"] = int(order.reason)
    era = call.venue.options.era
    reply["deals"] = [records.deal_object(deal, era) for deal in placed.deals]
    return reply


def _delete(call: Call, account: Account) -> dict[str, Any]:
    if call.has("orderId") == call.has("clientOrderId"):
        raise Refused(Code.PARAMETER, "orderId")
    if call.has("orderId"):
        number = call.integer("orderId", least=1)
        order = leaving.find(call.venue, account, number)
    else:
        number = call.integer("clientOrderId", least=1)
        order = leaving.find_client(call.venue, account, number)
    leaving.cancel(call.venue, order, Cancel.CLIENT)
    return {"id": order.id, "remainingSize": order.left}


def _delete_all(call: Call, account: Account, *, pending: bool) -> dict[str, Any]:
    name = None
    if call.has("instrument"):
        name = call.venue.catalogue.instrument(call.text("instrument")).name
    removed = leaving.cancel_all(call.venue, account, name, pending=pending)
    return {"removed": removed}
