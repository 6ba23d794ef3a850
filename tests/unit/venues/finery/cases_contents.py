"""Contents of commands by hand: the fields of a record, the venue's parameters."""

from __future__ import annotations

from typing import Any

ADD: dict[str, Any] = {"instrument": "BTC-USD", "side": "BID", "type": "LIMIT_IOC"}
ADDED = {"instrument": "BTC-USD", "side": "bid", "type": "limitIOC", "cod": False}
LIMIT = {"counterpartyId": 4, "currency": "EUR", "grossLimit": 15000000000000}

# (method, fields of its record, the venue's parameters), by hand.
# Source: Finery docs, the example requests and the parameter tables of each method.
EXAMPLES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "add",  # the docs' example of add
        {
            **ADD,
            "clientOrderId": 123456789,
            "priceE8": 999900000000,
            "sizeE8": 10000000,
            "cod": False,
        },
        {**ADDED, "clientOrderId": 123456789, "price": 999900000000, "size": 10000000},
    ),
    (
        "add",  # the docs' example of a request
        {
            "instrument": "BTC-EUR",
            "clientOrderId": 1,
            "sizeE8": 100000,
            "side": "BID",
            "type": "MARKET_IOC",
        },
        {
            "instrument": "BTC-EUR",
            "clientOrderId": 1,
            "size": 100000,
            "side": "bid",
            "type": "marketIOC",
            "cod": False,
        },
    ),
    (
        "add",
        {
            "instrument": "BTC-USD",
            "volumeE8": 5,
            "side": "ASK",
            "type": "MARKET_FOK",
            "cod": True,
            "qsEnabled": True,
            "firmBookEnabled": False,
            "makers": [1, 2, 3],
        },
        {
            "instrument": "BTC-USD",
            "volume": 5,
            "side": "ask",
            "type": "marketFOK",
            "cod": True,
            "qsEnabled": True,
            "firmBookEnabled": False,
            "makers": [1, 2, 3],
        },
    ),
    *(
        (
            "add",
            {**ADD, "priceE8": 1, "sizeE8": 2, "type": symbol},
            {**ADDED, "price": 1, "size": 2, "type": text},
        )
        for symbol, text in (
            ("LIMIT", "limit"),
            ("POST_ONLY", "postOnly"),
            ("LIMIT_FOK", "limitFOK"),
        )
    ),
    (
        "authorized/add",
        {**ADD, "clientId": 7, "priceE8": 1, "sizeE8": 2, "liquidation": True},
        {**ADDED, "clientId": 7, "price": 1, "size": 2, "liquidation": True},
    ),
    (
        "mod",
        {"orderId": 42, "clientOrderId": 9, "priceE8": 5, "sizeE8": 12},
        {"orderId": 42, "clientOrderId": 9, "price": 5, "size": 12},
    ),
    ("del", {"orderId": 1235}, {"orderId": 1235}),
    ("del", {"clientOrderId": 77}, {"clientOrderId": 77}),
    ("delAll", {}, {}),
    ("delAll", {"instrument": "BTC-USD"}, {"instrument": "BTC-USD"}),
    (
        "pending/add",
        {
            "instrument": "BTC-USD",
            "clientOrderId": 3,
            "priceE8": 5,
            "volumeE8": 6,
            "side": "ASK",
        },
        {
            "instrument": "BTC-USD",
            "clientOrderId": 3,
            "price": 5,
            "volume": 6,
            "side": "ask",
        },
    ),
    (
        "pending/authorized/add",
        {
            "clientId": 5,
            "instrument": "BTC-USD",
            "priceE8": 5,
            "sizeE8": 6,
            "side": "BID",
        },
        {"clientId": 5, "instrument": "BTC-USD", "price": 5, "size": 6, "side": "bid"},
    ),
    (
        "liquidationTrade",
        {
            "counterpartyId": 5,
            "instrument": "BTC-USD",
            "priceE8": 5,
            "sizeE8": 6,
            "side": "BID",
        },
        {
            "counterpartyId": 5,
            "instrument": "BTC-USD",
            "price": 5,
            "size": 6,
            "side": "bid",
        },
    ),
    *(
        (method, {}, {})
        for method in (
            "instruments",
            "limits",
            "climits",
            "subaccountsLimits",
            "getSubaccounts",
            "delLimit",
            "qs/getAvailableQsProviders",
        )
    ),
    (
        "book",
        {"instrument": "BTC-EUR", "tradable": True, "clientId": 5},
        {"instrument": "BTC-EUR", "tradable": True, "clientId": 5},
    ),
    ("positions", {"filter": "subaccounts"}, {"filter": "subaccounts"}),
    (
        "dealHistory",
        {
            "instruments": ["BTC-USD"],
            "counterpartyIds": [4, 5],
            "filter": "all",
            "tillId": 905,
            "from": 1709716088000,
            "to": 1709716098000,
            "limit": 250,
        },
        {
            "instrument": "BTC-USD",
            "counterpartyIds": [4, 5],
            "filter": "all",
            "till": 905,
            "from": 1709716088000,
            "to": 1709716098000,
            "limit": 250,
        },
    ),
    (
        "dealHistory",
        {"instruments": ["BTC-USD", "ETH-USD"]},
        {"instrument": ["BTC-USD", "ETH-USD"]},
    ),
    (
        "cAssetLimits",
        {"counterpartyId": 4, "filter": "external"},
        {"counterpartyId": 4, "filter": "external"},
    ),
    ("settlementRequests", {"filter": "all"}, {"filter": "all"}),
    (
        "settlementOrders",
        {"filter": "all", "filterTransactions": True, "counterpartyId": 4},
        {"filter": "all", "filterTransactions": True, "counterpartyId": 4},
    ),
    ("settlementTransactions", {"filter": "all"}, {"filter": "all"}),
    (
        "settlementHistory",
        {"tillId": 1, "from": 2, "to": 3, "limit": 4},
        {"till": 1, "from": 2, "to": 3, "limit": 4},
    ),
    (
        "settlementTransactionHistory",
        {"tillId": 1, "from": 2, "to": 3, "limit": 4, "filter": "all"},
        {"till": 1, "from": 2, "to": 3, "limit": 4, "filter": "all"},
    ),
    ("getCounterpartyInfo", {"counterpartyId": 4}, {"counterpartyId": 4}),
    (
        "qs/getAvailableQsProviders",
        {"instrument": "BTC-USD"},
        {"instrument": "BTC-USD"},
    ),
    (
        "setCLimit",
        {
            "counterpartyId": 4,
            "currency": "EUR",
            "grossLimitE8": 15000000000000,
            "maintenanceMarginPercentE4": 1000,
            "restrictedTradingPercentE4": 1500,
            "initialMarginPercentE4": 2000,
        },
        {
            **LIMIT,
            "maintenanceMargin": 1000,
            "restrictedTrading": 1500,
            "initialMargin": 2000,
        },
    ),
    (
        "setCLimit",
        {
            "counterpartyId": 4,
            "currency": "EUR",
            "grossLimitE8": 15000000000000,
            "takerMarkupPercentE4": -100000,
            "netLimitE8": 3,
        },
        {**LIMIT, "takerMarkup": -100000, "netLimit": 3},
    ),
    ("delCLimit", {"counterpartyId": 4}, {"counterpartyId": 4}),
    (
        "setLimit",
        {"currency": "EUR", "netLimitE8": 1, "grossLimitE8": 2},
        {"currency": "EUR", "netLimit": 1, "grossLimit": 2},
    ),
    (
        "setSubaccountLimit",
        {
            "subaccountId": 7,
            "currency": "EUR",
            "grossLimitE8": 2,
            "markupPercentE4": 3,
            "maintenanceMarginPercentE4": 4,
            "restrictedTradingPercentE4": 5,
            "initialMarginPercentE4": 6,
        },
        {
            "subaccountId": 7,
            "limits": {
                "currency": "EUR",
                "grossLimit": 2,
                "markup": 3,
                "margins": {
                    "maintenanceMargin": 4,
                    "restrictedTrading": 5,
                    "initialMargin": 6,
                },
            },
        },
    ),
    (
        "addIncomingSettlementRequest",
        {
            "counterpartyId": 4,
            "currency": "BTC",
            "amountE8": 0,
            "comment": "note",
            "flags": 1,
            "cancelTimestamp": 0,
            "network": "BTC",
        },
        {
            "counterpartyId": 4,
            "currency": "BTC",
            "amount": 0,
            "comment": "note",
            "flags": 1,
            "cancelTimestamp": 0,
            "network": "BTC",
        },
    ),
    *(
        (
            method,
            {"counterpartyId": 4, "currency": "BTC"},
            {"counterpartyId": 4, "currency": "BTC"},
        )
        for method in (
            "addIncomingSettlementRequest",
            "delIncomingSettlementRequest",
            "delIncomingSettlementCPRequest",
        )
    ),
    (
        "addOutgoingSettlementTransaction",
        {
            "counterpartyId": 7,
            "currency": "BTC",
            "amountE8": 10000000,
            "comment": "",
            "feeE8": 100,
            "network": "BTC",
        },
        {
            "counterpartyId": 7,
            "currency": "BTC",
            "amount": 10000000,
            "comment": "",
            "fee": 100,
            "network": "BTC",
        },
    ),
    *(
        (
            method,
            {"transactionId": 123456789, "txId": "a79f29", "feeE8": 100},
            {"transactionId": 123456789, "txId": "a79f29", "fee": 100},
        )
        for method in ("sendSettlementTransaction", "sendOutgoingSettlementTransaction")
    ),
    *(
        (method, {"transactionId": 5}, {"transactionId": 5})
        for method in (
            "delOutgoingSettlementTransaction",
            "commitIncomingSettlementTransaction",
        )
    ),
]
