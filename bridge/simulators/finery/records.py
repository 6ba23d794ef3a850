"""The positional records and objects of the venue, by era.

Source: reference page "Finery Markets API", sections 4 and 5; the dating of the eras
is an inference there. Each function takes a domain value and returns JSON values.
"""

from __future__ import annotations

from typing import Any, Final

from bridge.simulators.finery.catalogue import Currency, Instrument
from bridge.simulators.finery.clearing import Request, Transaction
from bridge.simulators.finery.engine import Order
from bridge.simulators.finery.limits import GlobalLimit, Limit, Relation
from bridge.simulators.finery.options import Era, Rules
from bridge.simulators.finery.positions import Position
from bridge.simulators.finery.venue import Deal
from bridge.simulators.finery.wire import Json

Record = list[Any]

_DEAL_ELEMENTS: Final = {Era.OLD: 19, Era.MIDDLE: 22, Era.NEW: 24}
_POSITION_ELEMENTS: Final = {Era.OLD: 3, Era.MIDDLE: 5, Era.NEW: 5}
_CURRENCY_ELEMENTS: Final = {Era.OLD: 4, Era.MIDDLE: 4, Era.NEW: 5}
_SETTLEMENT_ELEMENTS: Final = {Era.OLD: 7, Era.MIDDLE: 9, Era.NEW: 9}
_REQUEST_ELEMENTS: Final = {Era.OLD: 6, Era.MIDDLE: 7, Era.NEW: 9}


def order_record(order: Order) -> Record:
    """Return the 11 elements of an order (4.1)."""
    return [*_order_head(order), int(order.by_volume)]


def deal_record(deal: Deal, era: Era, rules: Rules) -> Record:
    """Return the 19, 22 or 24 elements of a deal (4.1)."""
    record = [
        *_order_head(deal.order),
        deal.moment,
        deal.id,
        deal.aggressor,
        deal.price,
        deal.size,
        deal.volume,
        deal.delta,
        deal.counterparty,
        int(deal.order.by_volume),
        deal.taker,
        deal.linked,
        deal.kind,
        deal.maker,
        deal.source,
    ]
    return record[: rules.deal_elements or _DEAL_ELEMENTS[era]]


def deal_object(deal: Deal, era: Era) -> dict[str, int]:
    """Return a deal as the reply of `add` shows it (6.1)."""
    made = {
        "id": deal.id,
        "price": deal.price,
        "size": deal.size,
        "volume": deal.volume,
        "delta": deal.delta,
        "counterpartyId": deal.counterparty,
    }
    if era is Era.MIDDLE:
        made["counterpartySubaccountId"] = deal.taker
    return made


def position_record(position: Position, era: Era) -> Record:
    """Return a position; without its bounds in the old era (4.2)."""
    record = [
        position.currency,
        position.value,
        position.counterparty,
        position.most,
        position.least,
    ]
    return record[: _POSITION_ELEMENTS[era]]


def currency_record(currency: Currency, era: Era) -> Record:
    """Return a currency as feeds I and C show it, without networks (3.5)."""
    return list(currency[:5])[: _CURRENCY_ELEMENTS[era]]


def instrument_record(instrument: Instrument) -> Record:
    """Return the four elements of an instrument (5.2)."""
    return list(instrument)


def settlement_order(order: Transaction, account: int, era: Era) -> Json:
    """Return a settlement order: an object in the new era, else positional (4.3)."""
    if era is not Era.NEW:
        return settlement_positional(order, account, era)
    made = {
        "settlementOrderId": order.order_id,
        "clientId": account,
        "counterpartyId": order.other(account),
        "createdAt": order.created,
        "comment": order.comment,
        "flags": 1,
        "currency1": order.currency,
        "size1": order.amount,
    }
    return {**made, "network1": order.network} if order.network else made


def settlement_deal(order: Transaction, account: int, era: Era) -> Json:
    """Return a committed settlement order (4.3; `commitedAt` has one t there)."""
    made = settlement_order(order, account, era)
    if era is Era.NEW:
        settled = {"settlementId": order.deal_id, "commitedAt": order.settled}
        return {**made, **settled}
    return [*made, order.settled, order.deal_id]


def settlement_positional(order: Transaction, account: int, era: Era) -> Record:
    """Return the positional form, still used in feed P; no networks in the old era."""
    record = [
        order.order_id,
        order.currency,
        "",
        order.amount,
        0,
        order.created,
        order.other(account),
        order.network,
        "",
    ]
    return record[: _SETTLEMENT_ELEMENTS[era]]


def request_record(request: Request, account: int, era: Era) -> Record:
    """Return a settlement request; older eras stop earlier (4.7)."""
    other = request.payer if account == request.asker else request.asker
    record = [
        other,
        request.currency,
        request.flags,
        request.amount,
        request.comment,
        request.expires,
        request.network,
        request.id,
        request.created,
    ]
    return record[: _REQUEST_ELEMENTS[era]]


def transaction_record(transaction: Transaction, account: int) -> Record:
    """Return the 13 elements of a settlement transaction (4.8)."""
    return [
        transaction.other(account),
        transaction.currency,
        transaction.amount,
        transaction.order_id,
        transaction.comment,
        transaction.created,
        transaction.tx_id,
        transaction.sent,
        transaction.flags,
        transaction.settled,
        transaction.deal_id,
        transaction.fee,
        transaction.network,
    ]


def limit_record(relation: Relation, era: Era) -> Json:
    """Return a counterparty limit in the layout of the era (4.5)."""
    return _LIMIT_LAYOUTS[era](relation)


def mutual_record(relation: Relation) -> Record:
    """Return the old era's mutual limit, elements 5 and 7 reserved (4.6)."""
    record = _old_limit(relation, relation.mutual, relation.mutual_used)
    record[5] = record[7] = 0
    return record


def global_record(limit: GlobalLimit) -> Record:
    """Return the old era's global limit (4.6)."""
    return [
        limit.currency,
        limit.net,
        limit.gross,
        limit.net_used,
        limit.gross_used,
        limit.flags,
    ]


def _order_head(order: Order) -> Record:
    return [
        order.instrument,
        int(order.kind),
        int(order.side),
        int(order.reason),
        order.id,
        order.client_id,
        order.price,
        order.initial,
        order.left,
        order.created,
    ]


def _new_limit(relation: Relation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "counterpartyId": relation.counterparty,
        "tradingPermissions": {
            "ownTradingEnabled": relation.own_enabled,
            "mutualTradingEnabled": relation.mutual_enabled,
        },
    }
    if relation.own is not None:
        made["ownLimit"] = _limit_object(relation.own, relation.own_used)
    if relation.mutual is not None:
        made["mutualLimit"] = _limit_object(relation.mutual, relation.mutual_used)
        for name in ("maintenanceMargin", "restrictedTrading", "initialMargin"):
            made["mutualLimit"].pop(name, None)
    return made


def _limit_object(limit: Limit, used: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "grossLimit": limit.gross,
        "asset": limit.currency,
        "limitUtilization": used,
        "equity": 0,
    }
    if limit.margins is not None:
        names = ("maintenanceMargin", "restrictedTrading", "initialMargin")
        made.update(zip(names, limit.margins, strict=True))
    return made


def _middle_limit(relation: Relation) -> Record:
    own, mutual = relation.own, relation.mutual
    margins = own.margins if own and own.margins else (0, 0, 0)
    disabled = (not relation.own_enabled) | (not relation.mutual_enabled) << 1
    return [
        relation.counterparty,
        own.currency if own else "USD",
        own.gross if own else 0,
        mutual.currency if mutual else None,
        mutual.gross if mutual else None,
        relation.own_used,
        *margins,
        0,
        own.markup if own else 0,
        int(disabled),
    ]


def _old_own_limit(relation: Relation) -> Record:
    return _old_limit(relation, relation.own, relation.own_used)


def _old_limit(relation: Relation, limit: Limit | None, used: int) -> Record:
    return [
        limit.currency if limit else "USD",
        limit.net if limit else 0,
        limit.gross if limit else 0,
        used,
        used,
        int(not relation.own_enabled),
        relation.counterparty,
        limit.markup if limit else 0,
    ]


_LIMIT_LAYOUTS: Final = {
    Era.OLD: _old_own_limit,
    Era.MIDDLE: _middle_limit,
    Era.NEW: _new_limit,
}
