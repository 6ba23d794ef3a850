"""The venue's request methods: what each touches, who goes first, who describes it.

A method that is not listed here may still be asked with JSON content, where the policy
allows it by name; it is then treated as one that needs a claim.
Source: Finery docs, the page or folder of pages of each method; public client code
where the docs have none. Any method of the REST API can be asked over the WebSocket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.core.orders import Kind, Lane
from bridge.venues.base import Method

DOCS = "https://faq.finerymarkets.com/api-reference/"
CLIENTS = "public client code (ccx-api/ccx-api, crates/finery-markets)"
LISTED = "name in the docs' list of pages; parameters not documented"

_TRADING = "rest-api/trading"
_RISK = "rest-api/risk-management"
_SETTLEMENTS = "rest-api/settlements"
_PENDING = f"{_TRADING}/pending-limit-orders"

_CANCELS = frozenset(
    {
        "del",
        "delAll",
        "pending/del",
        "pending/delAll",
        "pending/authorized/del",
        "pending/authorized/delAll",
    }
)
_MAKES_ORDER = frozenset(
    {
        "add",
        "authorized/add",
        "mod",
        "pending/add",
        "pending/authorized/add",
        "liquidationTrade",
    }
)

# name -> page under DOCS, or one of the two other sources
_READS = {
    "instruments": "rest-api/pricing-and-instruments/instruments",
    "book": f"{_TRADING}/orders-and-order-book/book",
    "positions": "rest-api/deals-and-positions/positions",
    "dealHistory": "rest-api/deals-and-positions/dealhistory",
    "authorized/dealHistory": LISTED,
    "limits": CLIENTS,
    "climits": f"{_RISK}/climits",
    "cAssetLimits": f"{_RISK}/cassetlimits",
    "subaccountsLimits": f"{_RISK}/subaccountslimits",
    "settlementRequests": _SETTLEMENTS,
    "settlementOrders": _SETTLEMENTS,
    "settlementTransactions": _SETTLEMENTS,
    "settlementHistory": CLIENTS,
    "settlementTransactionHistory": _SETTLEMENTS,
    "getCounterpartyInfo": CLIENTS,
    "getSubaccounts": CLIENTS,
    "qs/getAvailableQsProviders": (
        f"{_TRADING}/orders-and-order-book/getavailableqsproviders"
    ),
    "pending/orders": LISTED,
    "pending/authorized/orders": LISTED,
    "instrumentMarkups": LISTED,
    "getSettings": LISTED,
    "getUserSettings": LISTED,
    "getProviders": LISTED,
    "getSessions": LISTED,
}
_ORDERS = {
    "add": f"{_TRADING}/adding-orders/add",
    "authorized/add": _TRADING,
    "mod": f"{_TRADING}/orders-and-order-book/mod",
    "del": f"{_TRADING}/del",
    "delAll": _TRADING,
    "pending/add": _PENDING,
    "pending/del": LISTED,
    "pending/delAll": LISTED,
    "pending/authorized/add": _PENDING,
    "pending/authorized/del": LISTED,
    "pending/authorized/delAll": LISTED,
    "liquidationTrade": _TRADING,
    "voiceTrade": LISTED,
}
_RISKS = {
    "setCLimit": _RISK,
    "delCLimit": _RISK,
    "setLimit": CLIENTS,
    "delLimit": CLIENTS,
    "setSubaccountLimit": _RISK,
    "addInstrumentMarkups": LISTED,
    "delInstrumentMarkups": LISTED,
    "setUserSettings": LISTED,
}
_MONEY = {
    "addIncomingSettlementRequest": _SETTLEMENTS,
    "delIncomingSettlementRequest": _SETTLEMENTS,
    "delIncomingSettlementCPRequest": CLIENTS,
    "addOutgoingSettlementTransaction": _SETTLEMENTS,
    "sendOutgoingSettlementTransaction": CLIENTS,
    "sendSettlementTransaction": _SETTLEMENTS,
    "delOutgoingSettlementTransaction": CLIENTS,
    "commitIncomingSettlementTransaction": CLIENTS,
}
_RELATIONS = {"connectCounterparty": LISTED, "cancelConnectionInvite": LISTED}


def _methods(kind: Kind, sources: Mapping[str, str]) -> Iterable[tuple[str, Method]]:
    for name, source in sources.items():
        yield (
            name,
            Method(
                name=name,
                kind=kind,
                lane=_lane(name, kind),
                needs_claim=kind is not Kind.READ,
                makes_order=name in _MAKES_ORDER,
                source=source if source in {CLIENTS, LISTED} else DOCS + source,
            ),
        )


def _lane(name: str, kind: Kind) -> Lane:
    if name in _CANCELS:
        return Lane.CANCEL
    return Lane.QUERY if kind is Kind.READ else Lane.NEW


METHODS: Mapping[str, Method] = dict(
    pair
    for kind, sources in (
        (Kind.READ, _READS),
        (Kind.ORDER, _ORDERS),
        (Kind.RISK, _RISKS),
        (Kind.SETTLEMENT, _MONEY),
        (Kind.RELATION, _RELATIONS),
    )
    for pair in _methods(kind, sources)
)
