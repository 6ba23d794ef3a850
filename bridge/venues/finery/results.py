"""What the venue answered, as the typed results of `finery.Response`.

A reply that does not fit its record stays the JSON text that it is. Nothing here fails:
a response must always be written.
"""

from __future__ import annotations

import json
from typing import Any

from bridge.venues.finery.replies import FAILURES, REPLIES
from bridge.venues.finery.values import Misread

# The branches of `result`, in the schema's order; null and JSON text stand before them.
BRANCHES = (
    "OrderAdded",
    "OrderReplaced",
    "OrderGone",
    "OrderRemoved",
    "OrdersRemoved",
    "LiquidationTraded",
    "InstrumentsResult",
    "BookResult",
    "PositionsResult",
    "DealsResult",
    "CounterpartyLimitsResult",
    "GlobalLimitsResult",
    "AssetLimitsResult",
    "SubaccountLimitsResult",
    "SettlementRequestsResult",
    "SettlementTransactionsResult",
    "SettlementOrdersResult",
    "CounterpartyInfo",
    "SubaccountsResult",
    "QsProvidersResult",
    "SettlementRequestCreated",
    "SettlementTransactionCreated",
)
NOTHING = 0
TEXT = 1
_INDEX = {name: index for index, name in enumerate(BRANCHES, start=2)}


def typed(method: str, body: str) -> tuple[int, Any]:
    """Return branch and value of a reply, for `Shown.result`; never fails.

    Args:
        method: the venue's name of the method.
        body: the reply's JSON text; empty where there is none.
    """
    if not body:
        return NOTHING, None
    if method not in REPLIES:
        return TEXT, body
    try:
        return _read(method, json.loads(body))
    except (Misread, ValueError, RecursionError):
        return TEXT, body


def _read(method: str, reply: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
    name, read = REPLIES[method]
    if isinstance(reply, dict) and reply.get("error"):
        if method not in FAILURES:
            raise ValueError("the venue refused")
        name, read = FAILURES[method]
    return _INDEX[name], read(reply)
