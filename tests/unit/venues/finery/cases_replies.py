"""Replies of the venue, from the docs' pages, and what the typed results say."""

from __future__ import annotations

import json
from typing import Any

DEAL = {
    "counterpartyId": 42,
    "id": 23,
    "price": 999900000000,
    "size": 2000000,
    "volume": 19998000000,
    "delta": 0,
}
DEAL_SHOWN = {
    "dealId": 23,
    "priceE8": 999900000000,
    "sizeE8": 2000000,
    "volumeE8": 19998000000,
    "deltaE8": 0,
    "counterpartyId": 42,
    "counterpartySubaccountId": None,
}
ADDED = {
    "orderId": 1245,
    "clientOrderId": 123456789,
    "remainingSizeE8": 8000000,
    "remainingVolumeE8": None,
    "cancelReasonCode": 2,
    "cancelReason": "NOT_BOOKABLE",
    "deals": [DEAL_SHOWN],
}
ORDER = ["BTC-USD", 0, 0, 0, 1234, 77, 5990000000000, 10000000, 8000000, 1709716088000]
ORDER_SHOWN = {
    "instrument": "BTC-USD",
    "orderTypeCode": 0,
    "orderType": "LIMIT",
    "side": "BID",
    "cancelReasonCode": 0,
    "cancelReason": "NONE",
    "orderId": 1234,
    "clientOrderId": 77,
    "priceE8": 5990000000000,
    "initialE8": 10000000,
    "remainingE8": 8000000,
    "createdAt": 1709716088000,
}
# The real sample of the reference: 21 elements, middle era.
REAL_DEAL = (
    '["BTC-USDT",4,0,0,48221507535,0,0,100000000,0,1709716088000,1709716088000,'
    "1864944,0,6674859047619,85000000,5673630190500,0,87,0,0,1864943]"
)
REQUEST = [4, "BTC", 0, 6700000000, "note", 1634406457410, "BTC", 123456, 1634405457410]
TRANSFER = [7, "BTC", 10000000, 1230, "note", 1709716000000, "a79f29", 1709716100000]
TRANSFER += [0, 1709716200000, 904, 100, "BTC"]
LIMIT = """{"counterpartyId":4,
 "tradingPermissions":{"ownTradingEnabled":true,"mutualTradingEnabled":true},
 "ownLimit":{"grossLimit":15000000000000,"asset":"EUR","limitUtilization":0,"equity":0,
  "maintenanceMargin":1000,"restrictedTrading":1500,"initialMargin":2000},
 "mutualLimit":{"grossLimit":10000000000000,"asset":"USD","limitUtilization":0,
  "equity":0}}"""
SETTLEMENT = (
    '{"settlementOrderId":1229,"clientId":7,"counterpartyId":2,'
    '"createdAt":1709716000000,"comment":"","flags":1,"currency1":"BTC",'
    '"size1":10000000,"network1":"BTC"}'
)
INSTRUMENTS = """[[["USD",4725,1000000,100000000,"fiat",["SWIFT"]],
  ["USDT",660085,100,100085000,"stablecoin",["ERC20"]],
  ["BTC",3714,1,3016218000000,"crypto",["BTC"]]],
 [["BTC-USD",4955410050,"BTC","USD"]],
 [["ERC20","Ethereum",3]]]"""

# (method, reply, record, some of what the record says); replies of the docs' pages.
EXAMPLES: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "add",
        json.dumps(
            {
                "id": 1245,
                "remainingSize": 8000000,
                "clientOrderId": 123456789,
                "cancelReason": 2,
                "deals": [DEAL],
            }
        ),
        "OrderAdded",
        ADDED,
    ),
    (  # public client code: no cancelReason is 0
        "add",
        '{"id":1245,"clientOrderId":1,"remainingSize":0,"deals":[]}',
        "OrderAdded",
        {"cancelReasonCode": 0, "cancelReason": "NONE", "deals": []},
    ),
    (
        "authorized/add",
        '{"id":1,"remainingVolume":5,"cancelReason":77,"deals":[],"new":[{}]}',
        "OrderAdded",
        {
            "clientOrderId": None,
            "remainingSizeE8": None,
            "remainingVolumeE8": 5,
            "cancelReasonCode": 77,
            "cancelReason": "UNKNOWN",
        },
    ),
    (
        "pending/add",
        '{"id":1,"remainingSize":5,"deals":[]}',
        "OrderAdded",
        {"orderId": 1, "remainingSizeE8": 5},
    ),
    (
        "mod",
        (
            '{"id":43,"initialSize":10,"remainingSize":10,"origId":42,'
            '"origRemainingSize":8,"deals":[]}'
        ),
        "OrderReplaced",
        {
            "orderId": 43,
            "clientOrderId": None,
            "initialSizeE8": 10,
            "remainingSizeE8": 10,
            "originalOrderId": 42,
            "originalRemainingSizeE8": 8,
            "cancelReason": "NONE",
        },
    ),
    (
        "mod",
        '{"error":74,"origId":42,"origRemainingSize":10000}',
        "OrderGone",
        {"originalOrderId": 42, "originalRemainingSizeE8": 10000},
    ),
    (
        "del",
        '{"id":1235,"remainingSize":8000000}',
        "OrderRemoved",
        {"orderId": 1235, "remainingSizeE8": 8000000},
    ),
    ("delAll", '{"removed":15}', "OrdersRemoved", {"removed": 15}),
    ("delAll", "{}", "OrdersRemoved", {"removed": None}),
    (
        "liquidationTrade",
        json.dumps({"id": 9, "clientOrderId": 3, "deal": DEAL}),
        "LiquidationTraded",
        {"orderId": 9, "clientOrderId": 3, "deal": DEAL_SHOWN},
    ),
    (
        "instruments",
        INSTRUMENTS,
        "InstrumentsResult",
        {
            "instruments": [
                {
                    "name": "BTC-USD",
                    "id": 4955410050,
                    "assetCurrency": "BTC",
                    "balanceCurrency": "USD",
                }
            ],
            "networks": [{"name": "ERC20", "description": "Ethereum", "id": 3}],
        },
    ),
    (  # older servers: no networks
        "instruments",
        '[[["BTC",3714,1,3016218000000]],[]]',
        "InstrumentsResult",
        {
            "currencies": [
                {
                    "name": "BTC",
                    "id": 3714,
                    "balanceStepE8": 1,
                    "usdPriceE8": 3016218000000,
                    "type": None,
                    "networks": None,
                }
            ],
            "networks": None,
        },
    ),
    (
        "book",
        "[[[6000000000000,150000000],[5999900000000,20000000]],[]]",
        "BookResult",
        {
            "bids": [
                {"priceE8": 6000000000000, "sizeE8": 150000000},
                {"priceE8": 5999900000000, "sizeE8": 20000000},
            ],
            "asks": [],
        },
    ),
    (
        "positions",
        json.dumps([903, [["BTC", -10000000, 2, 0, -10000000]], [[*ORDER, 0]], []]),
        "PositionsResult",
        {
            "nextId": 903,
            "positions": [
                {
                    "currency": "BTC",
                    "valueE8": -10000000,
                    "counterpartyId": 2,
                    "maxReachableE8": 0,
                    "minReachableE8": -10000000,
                }
            ],
            "orders": [{**ORDER_SHOWN, "byVolume": False}],
            "settlementOrders": [],
        },
    ),
    ("dealHistory", "[]", "DealsResult", {"deals": []}),
    (
        "limits",
        '[["EUR",1,2,3,4,0]]',
        "GlobalLimitsResult",
        {
            "limits": [
                {
                    "currency": "EUR",
                    "netLimitE8": 1,
                    "grossLimitE8": 2,
                    "netUtilizationE8": 3,
                    "grossUtilizationE8": 4,
                    "flags": 0,
                }
            ]
        },
    ),
    (
        "cAssetLimits",
        '[[4,"BTC",5,"USD",null,null],[5,"BTC",5,"USD",7,"EUR"]]',
        "AssetLimitsResult",
        {
            "limits": [
                {
                    "counterpartyId": 4,
                    "asset": "BTC",
                    "grossLimitE8": 5,
                    "valueCurrency": "USD",
                    "mutualGrossLimitE8": None,
                    "mutualCurrency": None,
                },
                {
                    "counterpartyId": 5,
                    "asset": "BTC",
                    "grossLimitE8": 5,
                    "valueCurrency": "USD",
                    "mutualGrossLimitE8": 7,
                    "mutualCurrency": "EUR",
                },
            ]
        },
    ),
    (
        "subaccountsLimits",
        '[[7,"EUR",1,2,3,4,5,6,7,true,0,0]]',
        "SubaccountLimitsResult",
        {
            "limits": [
                {
                    "subaccountId": 7,
                    "currency": "EUR",
                    "grossLimitE8": 1,
                    "grossUtilizationE8": 2,
                    "maintenanceMarginPercentE4": 3,
                    "restrictedTradingPercentE4": 4,
                    "initialMarginPercentE4": 5,
                    "equityE8": 6,
                    "markupPercentE4": 7,
                    "tradingEnabled": True,
                }
            ]
        },
    ),
    (
        "getCounterpartyInfo",
        '{"clientId":4,"clientType":"maker","status":"connected","disabled":false}',
        "CounterpartyInfo",
        {
            "clientId": 4,
            "clientType": "maker",
            "username": None,
            "status": "connected",
            "disabled": False,
        },
    ),
    (
        "getSubaccounts",
        (
            '[{"info":{"clientId":7,"username":"a","email":"a@example.invalid"},'
            '"status":"active","createdAt":1709716000000,"type":"maker"}]'
        ),
        "SubaccountsResult",
        {
            "subaccounts": [
                {
                    "clientId": 7,
                    "username": "a",
                    "email": "a@example.invalid",
                    "status": "active",
                    "createdAt": 1709716000000,
                    "type": "maker",
                }
            ]
        },
    ),
    (
        "qs/getAvailableQsProviders",
        (
            '{"providers":{"BTC-USD":[1]},'
            '"providerSupportedOrderTypes":{"1":["limitFOK","limitIOC"]}}'
        ),
        "QsProvidersResult",
        {
            "instruments": [{"instrument": "BTC-USD", "providers": [1]}],
            "providers": [{"providerId": 1, "orderTypes": ["limitFOK", "limitIOC"]}],
        },
    ),
    (
        "addIncomingSettlementRequest",
        '{"requestId":123456}',
        "SettlementRequestCreated",
        {"requestId": 123456},
    ),
    (
        "addOutgoingSettlementTransaction",
        '{"settlementTransactionId":123456789}',
        "SettlementTransactionCreated",
        {"settlementTransactionId": 123456789},
    ),
]
# (method, reply, record, list, some of each row's fields)
ROWS: list[tuple[str, str, str, str, list[dict[str, Any]]]] = [
    (
        "dealHistory",
        f"[{REAL_DEAL}]",
        "DealsResult",
        "deals",
        [
            {
                "instrument": "BTC-USDT",
                "orderId": 48221507535,
                "dealId": 1864944,
                "dealPriceE8": 6674859047619,
                "dealSizeE8": 85000000,
                "dealVolumeE8": 5673630190500,
                "linkedDealId": 1864943,
                "dealType": None,
            }
        ],
    ),
    (
        "climits",
        f"[{LIMIT}]",
        "CounterpartyLimitsResult",
        "limits",
        [
            {
                "counterpartyId": 4,
                "currency": "EUR",
                "grossLimitE8": 15000000000000,
                "mutualCurrency": "USD",
                "ownTradingEnabled": True,
                "takerMarkupPercentE4": None,
            }
        ],
    ),
    (  # middle era: 12 elements
        "climits",
        '[[4,"EUR",5,null,null,0,1,2,3,0,100,0]]',
        "CounterpartyLimitsResult",
        "limits",
        [{"counterpartyId": 4, "takerMarkupPercentE4": 100, "mutualCurrency": None}],
    ),
    (  # old era: 8 elements
        "climits",
        '[["EUR",1,2,3,4,0,6,7]]',
        "CounterpartyLimitsResult",
        "limits",
        [{"counterpartyId": 6, "netLimitE8": 1, "takerMarkupPercentE4": 7}],
    ),
    (
        "settlementRequests",
        json.dumps([[REQUEST], [REQUEST[:6]]]),
        "SettlementRequestsResult",
        "requests",
        [
            {"direction": "INCOMING", "amountE8": 6700000000, "requestId": 123456},
            {"direction": "OUTGOING", "counterpartyId": 4, "requestId": None},
        ],
    ),
    (
        "settlementTransactions",
        json.dumps([[TRANSFER], [TRANSFER]]),
        "SettlementTransactionsResult",
        "transactions",
        [
            {"direction": "INCOMING", "txId": "a79f29", "networkFeeE8": 100},
            {"direction": "OUTGOING", "transactionId": 904, "network": "BTC"},
        ],
    ),
    (
        "settlementTransactionHistory",
        json.dumps([[], [TRANSFER[:11]]]),
        "SettlementTransactionsResult",
        "transactions",
        [{"direction": "OUTGOING", "settlementOrderId": 1230, "network": None}],
    ),
    (
        "settlementOrders",
        f"[{SETTLEMENT}]",
        "SettlementOrdersResult",
        "settlementOrders",
        [{"settlementOrderId": 1229, "size1E8": 10000000, "committedAt": None}],
    ),
    (
        "settlementHistory",
        '[[1229,"BTC","USD",10000000,5,1709716000000,2,1709719600000,902]]',
        "SettlementOrdersResult",
        "settlementOrders",
        [
            {
                "settlementOrderId": 1229,
                "currency2": "USD",
                "committedAt": 1709719600000,
                "settlementId": 902,
                "network1": None,
            }
        ],
    ),
]
