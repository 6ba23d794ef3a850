"""What the parameters of Finery's methods are, for the checks before sending.

Source: Finery docs, REST API, trading (add, mod, del, delAll, pending limit orders,
authorized add, liquidation trade) and data types. What no page describes has no form:
its parameters pass as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.forms import Form, Forms, OrderType

_TAKER = frozenset({"taker", "master"})
_MAKER = frozenset({"maker", "master"})

TYPES: Mapping[str, OrderType] = {
    "limit": OrderType(priced=True, roles=_MAKER),
    "postOnly": OrderType(priced=True, roles=_MAKER),
    "limitIOC": OrderType(priced=True, roles=_TAKER),
    "limitFOK": OrderType(priced=True, roles=_TAKER),
    "marketIOC": OrderType(priced=False, roles=_TAKER),
    "marketFOK": OrderType(priced=False, roles=_TAKER),
}

_ID = {"clientOrderId": "checked with all orders"}
_PRICED = _ID | {"price": "amount", "size": "amount"}
_ORDER = _PRICED | {"instrument": "name", "side": "side"}
_BY_VOLUME = _ORDER | {"volume": "amount"}
_ADD = _BY_VOLUME | {
    "type": "checked with all orders",
    "cod": "flag",
    "qsEnabled": "flag",
    "firmBookEnabled": "flag",
    "makers": "ids",
}
_AUTHORIZED = {"clientId": "id", "liquidation": "flag"}
_ADD_NEEDS = ("instrument", "side", "type")
_PENDING_NEEDS = ("instrument", "price", "side")
_HISTORY = {
    "instrument": "names",
    "counterpartyIds": "ids",
    "till": "id",
    "from": "id",
    "to": "id",
    "limit": "id",
    "clientId": "id",
}
METHODS: Mapping[str, Form] = {
    "add": Form(kinds=_ADD, closed=True, needed=_ADD_NEEDS, sized=True, takes_cod=True),
    "authorized/add": Form(
        kinds=_ADD | _AUTHORIZED,
        closed=True,
        needed=(*_ADD_NEEDS, "clientId"),
        sized=True,
        takes_cod=True,
    ),
    "pending/add": Form(
        kinds=_BY_VOLUME, closed=True, needed=_PENDING_NEEDS, sized=True
    ),
    "pending/authorized/add": Form(
        kinds=_BY_VOLUME | {"clientId": "id"},
        closed=True,
        needed=(*_PENDING_NEEDS, "clientId"),
        sized=True,
    ),
    "liquidationTrade": Form(
        kinds=_ORDER | {"counterpartyId": "id"},
        closed=True,
        needed=("counterpartyId", "instrument", "price", "size", "side"),
    ),
    "mod": Form(
        kinds=_PRICED | {"orderId": "id"},
        closed=True,
        needed=("orderId", "price", "size"),
    ),
    "del": Form(kinds=_ID | {"orderId": "id"}, closed=True, referring=True),
    "delAll": Form(kinds={"instrument": "name"}, closed=True),
    "book": Form(
        kinds={"instrument": "name", "tradable": "flag", "clientId": "id"},
        needed=("instrument",),
    ),
    "dealHistory": Form(kinds=_HISTORY),
    "authorized/dealHistory": Form(kinds=_HISTORY),
}

FORMS = Forms(methods=METHODS, types=TYPES, by_volume=_TAKER)
