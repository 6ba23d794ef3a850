"""Readers of the venue's replies: each gives the values of one typed result.

Replies are read as feeds are: by index or name, further elements let pass, elements
that older servers lack null. What does not fit raises Misread or ValueError.
Source: Finery docs, REST API, reply of each method; public client code for `limits`,
`settlementHistory`, `getCounterpartyInfo` and `getSubaccounts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge.core.model import Reason
from bridge.venues.finery import layouts, limits
from bridge.venues.finery.values import (
    Column,
    Layout,
    Misread,
    Payload,
    array,
    boolean,
    code,
    shown,
    signed,
    text,
    unsigned,
)

Read = Callable[[Any], Payload]
Row = Callable[[object, str], Payload]


def _rows(row: Row, least: int = 0) -> Callable[[object], tuple[Payload, ...]]:
    """Make a reader of a list of records."""

    def read(value: object) -> tuple[Payload, ...]:
        return tuple(
            row(item, f"[{index}]") for index, item in enumerate(array(value, least))
        )

    return read


def _inside(row: Row) -> Callable[[object], Payload]:
    return lambda value: row(value, "")


def _all(row: Row) -> Read:
    """Make the reader of a reply that is one list."""
    read = _rows(row)
    return lambda reply: (read(reply),)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text(item) for item in array(value))


def _numbers(value: object) -> tuple[int, ...]:
    return tuple(unsigned(item) for item in array(value))


# Source: Finery docs, add: reply.
_DEAL = Layout(
    dict,
    (
        Column("id", unsigned),
        Column("price", unsigned),
        Column("size", signed),
        Column("volume", signed),
        Column("delta", signed),
        Column("counterpartyId", unsigned),
        Column("counterpartySubaccountId", unsigned, optional=True),
    ),
)

_CANCEL_REASON = (
    Column("cancelReason", code),  # cancelReasonCode
    Column("cancelReason", layouts.symbol(layouts.CANCEL_REASONS, 5)),
)
_DEALS = Column("deals", _rows(_DEAL.read))
_ADDED = Layout(
    dict,
    (
        Column("id", unsigned),
        Column("clientOrderId", signed, optional=True),
        Column("remainingSize", signed, optional=True),
        Column("remainingVolume", signed, optional=True),
        *_CANCEL_REASON,
        _DEALS,
    ),
)
# Source: Finery docs, mod: reply, and its special error.
_REPLACED = Layout(
    dict,
    (
        Column("id", unsigned),
        Column("clientOrderId", signed, optional=True),
        Column("initialSize", signed),
        Column("remainingSize", signed),
        *_CANCEL_REASON,
        Column("origId", unsigned),
        Column("origRemainingSize", signed),
        _DEALS,
    ),
)
_GONE = Layout(dict, (Column("origId", unsigned), Column("origRemainingSize", signed)))
_REMOVED = Layout(dict, (Column("id", unsigned), Column("remainingSize", signed)))
_REMOVED_ALL = Layout(dict, (Column("removed", code, optional=True),))
_TRADED = Layout(
    dict,
    (
        Column("id", unsigned),
        Column("clientOrderId", signed, optional=True),
        Column("deal", _inside(_DEAL.read)),
    ),
)
# Source: Finery docs, instruments: reply; networks are in no reply of old servers.
_CURRENCY = Layout(list, (*layouts.CURRENCY.columns, Column(5, _texts, optional=True)))
_NETWORK = Layout(list, (Column(0, text), Column(1, text), Column(2, unsigned)))
_INSTRUMENTS = Layout(
    list,
    (
        Column(0, _rows(_CURRENCY.read)),
        Column(1, _rows(layouts.INSTRUMENT.read)),
        Column(2, _rows(_NETWORK.read), optional=True),
    ),
)
_LEVEL = Layout(list, (Column(0, unsigned), Column(1, signed)))
_BOOK = Layout(list, (Column(0, _rows(_LEVEL.read)), Column(1, _rows(_LEVEL.read))))
# Source: Finery docs, positions: reply.
_POSITIONS = Layout(
    list,
    (
        Column(0, unsigned),
        Column(1, _rows(layouts.POSITION.read)),
        Column(2, _rows(layouts.ORDER.read)),
        Column(3, _rows(layouts.settlement_order)),
    ),
)
# Source: Finery docs, cassetlimits.
_ASSET_LIMIT = Layout(
    list,
    (
        Column(0, unsigned),  # counterpartyId
        Column(1, text),  # asset
        Column(2, signed),  # grossLimitE8
        Column(3, text),  # valueCurrency
        Column(4, signed, optional=True),  # mutualGrossLimitE8
        Column(5, text, optional=True),  # mutualCurrency
    ),
)
# Source: Finery docs, subaccountslimits; the page says 12 elements and lists these.
_SUBACCOUNT_LIMIT = Layout(
    list,
    (
        Column(0, unsigned),  # subaccountId
        Column(1, text),  # currency
        *(Column(index, signed) for index in range(2, 9)),
        Column(9, boolean),  # tradingEnabled
    ),
)
_INFO = Layout(
    dict,
    (
        Column("clientId", unsigned),
        Column("clientType", text),
        Column("username", text, optional=True),
        Column("status", text),
        Column("disabled", boolean),
    ),
)
_PERSON = Layout(
    dict, (Column("clientId", unsigned), Column("username", text), Column("email"))
)
_SUBACCOUNT = Layout(
    dict,
    (
        Column("status", text),
        Column("createdAt", unsigned),
        Column("type", text),
    ),
)


def _with_reason(layout: Layout) -> Read:
    """Fill in cancelReason: absent means 0. Source: Finery docs, add: reply."""

    def read(reply: object) -> Payload:
        filled = {"cancelReason": 0, **reply} if isinstance(reply, dict) else reply
        return layout.read(filled, "")

    return read


def _subaccount(row: object, where: str) -> Payload:
    rest = _SUBACCOUNT.read(row, where)
    info = row.get("info") if isinstance(row, dict) else None
    return (*_PERSON.read(info, where), *rest)


def _both_ways(rows: tuple[Row, Row]) -> Read:
    """Make the reader of `[incoming, outgoing]`."""
    incoming, outgoing = (_rows(row) for row in rows)

    def read(reply: object) -> Payload:
        first, second, *_ = array(reply, least=2)
        return ((*incoming(first), *outgoing(second)),)

    return read


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        seen = f"saw {shown(value)}, expected an object"
        raise Misread(Reason.WRONG_TYPE, seen)
    return value


_PROVIDERS = Layout(
    dict, (Column("providers", _table), Column("providerSupportedOrderTypes", _table))
)


def _providers(reply: object) -> Payload:
    """Read two objects that are tables: the schema has lists of rows instead."""
    by_instrument, by_provider = (_table(x) for x in _PROVIDERS.read(reply, ""))
    return (
        tuple((name, _numbers(ids)) for name, ids in by_instrument.items()),
        tuple((int(name), _texts(types)) for name, types in by_provider.items()),
    )


def _created(name: str) -> Read:
    return _inside(Layout(dict, (Column(name, unsigned),)).read)


_PLACED = ("OrderAdded", _with_reason(_ADDED))
_TRANSFERS = ("SettlementTransactionsResult", _both_ways(layouts.TRANSACTIONS))

# Method -> record of the result, and its reader.
REPLIES: Mapping[str, tuple[str, Read]] = {
    "add": _PLACED,
    "authorized/add": _PLACED,
    "pending/add": _PLACED,
    "pending/authorized/add": _PLACED,
    "mod": ("OrderReplaced", _with_reason(_REPLACED)),
    "del": ("OrderRemoved", _inside(_REMOVED.read)),
    "delAll": ("OrdersRemoved", _inside(_REMOVED_ALL.read)),
    "liquidationTrade": ("LiquidationTraded", _inside(_TRADED.read)),
    "instruments": ("InstrumentsResult", _inside(_INSTRUMENTS.read)),
    "book": ("BookResult", _inside(_BOOK.read)),
    "positions": ("PositionsResult", _inside(_POSITIONS.read)),
    "dealHistory": ("DealsResult", _all(layouts.DEAL.read)),
    "climits": ("CounterpartyLimitsResult", _all(limits.counterparty_limit)),
    "limits": ("GlobalLimitsResult", _all(limits.GLOBAL_LIMIT.read)),
    "cAssetLimits": ("AssetLimitsResult", _all(_ASSET_LIMIT.read)),
    "subaccountsLimits": ("SubaccountLimitsResult", _all(_SUBACCOUNT_LIMIT.read)),
    "settlementRequests": ("SettlementRequestsResult", _both_ways(layouts.REQUESTS)),
    "settlementTransactions": _TRANSFERS,
    "settlementTransactionHistory": _TRANSFERS,
    "settlementOrders": ("SettlementOrdersResult", _all(layouts.settlement_order)),
    "settlementHistory": ("SettlementOrdersResult", _all(layouts.settlement_deal)),
    "getCounterpartyInfo": ("CounterpartyInfo", _inside(_INFO.read)),
    "getSubaccounts": ("SubaccountsResult", _all(_subaccount)),
    "qs/getAvailableQsProviders": ("QsProvidersResult", _providers),
    "addIncomingSettlementRequest": (
        "SettlementRequestCreated",
        _created("requestId"),
    ),
    "addOutgoingSettlementTransaction": (
        "SettlementTransactionCreated",
        _created("settlementTransactionId"),
    ),
}
# What a reply that holds an error may still be.
FAILURES: Mapping[str, tuple[str, Read]] = {"mod": ("OrderGone", _inside(_GONE.read))}
