"""The typed contents: each field of a record and the venue's parameter it stands for.

Names of records and fields are those of `finery.Command`, in the schema's order.
Source: Finery docs, REST API, parameters of each method; public client code for
`setLimit`, `delLimit`, `settlementHistory`, `getCounterpartyInfo`, `getSubaccounts` and
the settlement methods that the docs name no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from bridge.core.model import Reason
from bridge.venues.finery.values import (
    Misread,
    array,
    boolean,
    code,
    shown,
    signed,
    text,
)


class Missing(Enum):
    """What to do where a field is not set."""

    REFUSE = auto()
    LEAVE_OUT = auto()
    FALSE = auto()


class Form(NamedTuple):
    """How a value is written at the venue, and read back; both raise Misread."""

    out: Callable[[Any], object]
    back: Callable[[Any], object]


class Part(NamedTuple):
    """One field; `param` is the venue's name, dots lead into objects."""

    field: str
    param: str
    form: Form
    missing: Missing = Missing.REFUSE


def _choice(symbols: Mapping[str, str]) -> Form:
    """Make the form of an enum: a symbol here, the venue's text there."""
    texts = {text_: symbol for symbol, text_ in symbols.items()}

    def pick(known: Mapping[str, str], value: object) -> str:
        if isinstance(value, str) and value in known:
            return known[value]
        seen = f"saw {shown(value)}, expected one of {', '.join(known)}"
        raise Misread(Reason.WRONG_TYPE, seen)

    return Form(lambda value: pick(symbols, value), lambda value: pick(texts, value))


def _numbers(value: object) -> list[int]:
    return [signed(item) for item in array(value, least=1)]


def _names(value: object) -> str | list[str]:
    """Write one name as a text, which servers of every era take."""
    names = [text(item) for item in array(value, least=1)]
    return names[0] if len(names) == 1 else names


def _names_back(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text(item) for item in array(value, least=1)]


_TEXT = Form(text, text)
_LONG = Form(signed, signed)
_INT = Form(code, code)
_FLAG = Form(boolean, boolean)
_NUMBERS = Form(_numbers, _numbers)
_NAMES = Form(_names, _names_back)
# Source: Finery docs, add: side and type.
_SIDE = _choice({"BID": "bid", "ASK": "ask"})
_TYPE = _choice(
    {
        "LIMIT": "limit",
        "POST_ONLY": "postOnly",
        "LIMIT_IOC": "limitIOC",
        "LIMIT_FOK": "limitFOK",
        "MARKET_IOC": "marketIOC",
        "MARKET_FOK": "marketFOK",
    }
)


def _maybe(field: str, param: str, form: Form) -> Part:
    return Part(field, param, form, Missing.LEAVE_OUT)


def _flag(field: str) -> Part:
    return Part(field, field, _FLAG, Missing.FALSE)


_INSTRUMENT = Part("instrument", "instrument", _TEXT)
_ONE_INSTRUMENT = _maybe("instrument", "instrument", _TEXT)
_CLIENT_ORDER = _maybe("clientOrderId", "clientOrderId", _LONG)
_PRICE = Part("priceE8", "price", _LONG)
_SIZE = Part("sizeE8", "size", _LONG)
_AMOUNTS = (_maybe("sizeE8", "size", _LONG), _maybe("volumeE8", "volume", _LONG))
_SIDE_PART = Part("side", "side", _SIDE)
_CLIENT = Part("clientId", "clientId", _LONG)
_COUNTERPARTY = Part("counterpartyId", "counterpartyId", _LONG)
_ONE_COUNTERPARTY = _maybe("counterpartyId", "counterpartyId", _LONG)
_CURRENCY = Part("currency", "currency", _TEXT)
_FILTER = _maybe("filter", "filter", _TEXT)
_SPAN = (
    _maybe("tillId", "till", _LONG),
    _maybe("from", "from", _LONG),
    _maybe("to", "to", _LONG),
    _maybe("limit", "limit", _INT),
)
_FEE = _maybe("feeE8", "fee", _LONG)
_NETWORK = _maybe("network", "network", _TEXT)
_TRANSACTION = Part("transactionId", "transactionId", _LONG)
_ORDER = (
    _INSTRUMENT,
    _CLIENT_ORDER,
    _maybe("priceE8", "price", _LONG),
    *_AMOUNTS,
    _SIDE_PART,
    Part("type", "type", _TYPE),
    _flag("cod"),
)
_PENDING = (_INSTRUMENT, _CLIENT_ORDER, _PRICE, *_AMOUNTS, _SIDE_PART)


def _margins(inside: str = "") -> tuple[Part, ...]:
    return tuple(
        _maybe(f"{name}PercentE4", inside + name, _LONG)
        for name in ("maintenanceMargin", "restrictedTrading", "initialMargin")
    )


# Record -> its fields, in the order of the schema.
PARTS: Mapping[str, tuple[Part, ...]] = {
    "Add": (
        *_ORDER,
        _maybe("qsEnabled", "qsEnabled", _FLAG),
        _maybe("firmBookEnabled", "firmBookEnabled", _FLAG),
        _maybe("makers", "makers", _NUMBERS),
    ),
    "AuthorizedAdd": (_CLIENT, *_ORDER, _maybe("liquidation", "liquidation", _FLAG)),
    "Mod": (Part("orderId", "orderId", _LONG), _CLIENT_ORDER, _PRICE, _SIZE),
    "Del": (_maybe("orderId", "orderId", _LONG), _CLIENT_ORDER),
    "DelAll": (_ONE_INSTRUMENT,),
    "PendingAdd": _PENDING,
    "PendingAuthorizedAdd": (_CLIENT, *_PENDING),
    "LiquidationTrade": (
        *(_COUNTERPARTY, _INSTRUMENT, _CLIENT_ORDER, _PRICE, _SIZE, _SIDE_PART),
    ),
    "Instruments": (),
    "BookRequest": (
        _INSTRUMENT,
        _flag("tradable"),
        _maybe("clientId", "clientId", _LONG),
    ),
    "Positions": (_FILTER,),
    "DealHistory": (
        _maybe("instruments", "instrument", _NAMES),
        _maybe("counterpartyIds", "counterpartyIds", _NUMBERS),
        _FILTER,
        *_SPAN,
    ),
    "Limits": (),
    "CLimits": (),
    "CAssetLimits": (_ONE_COUNTERPARTY, _FILTER),
    "SubaccountsLimits": (),
    "SettlementRequests": (_FILTER,),
    "SettlementOrders": (_FILTER, _flag("filterTransactions"), _ONE_COUNTERPARTY),
    "SettlementTransactions": (_FILTER,),
    "SettlementHistory": _SPAN,
    "SettlementTransactionHistory": (*_SPAN, _FILTER),
    "GetCounterpartyInfo": (_COUNTERPARTY,),
    "GetSubaccounts": (),
    "GetAvailableQsProviders": (_ONE_INSTRUMENT,),
    "SetCLimit": (
        _COUNTERPARTY,
        _CURRENCY,
        Part("grossLimitE8", "grossLimit", _LONG),
        *_margins(),
        _maybe("takerMarkupPercentE4", "takerMarkup", _LONG),
        _maybe("netLimitE8", "netLimit", _LONG),
    ),
    "DelCLimit": (_COUNTERPARTY,),
    "SetLimit": (
        _CURRENCY,
        Part("netLimitE8", "netLimit", _LONG),
        Part("grossLimitE8", "grossLimit", _LONG),
    ),
    "DelLimit": (),
    "SetSubaccountLimit": (
        Part("subaccountId", "subaccountId", _LONG),
        Part("currency", "limits.currency", _TEXT),
        Part("grossLimitE8", "limits.grossLimit", _LONG),
        _maybe("markupPercentE4", "limits.markup", _LONG),
        *_margins("limits.margins."),
    ),
    "AddIncomingSettlementRequest": (
        _COUNTERPARTY,
        _CURRENCY,
        _maybe("amountE8", "amount", _LONG),
        _maybe("comment", "comment", _TEXT),
        _maybe("flags", "flags", _INT),
        _maybe("cancelTimestamp", "cancelTimestamp", _LONG),
        _NETWORK,
    ),
    "DelIncomingSettlementRequest": (_COUNTERPARTY, _CURRENCY),
    "DelIncomingSettlementCPRequest": (_COUNTERPARTY, _CURRENCY),
    "AddOutgoingSettlementTransaction": (
        _COUNTERPARTY,
        _CURRENCY,
        Part("amountE8", "amount", _LONG),
        Part("comment", "comment", _TEXT),
        _FEE,
        _NETWORK,
    ),
    "SendSettlementTransaction": (_TRANSACTION, Part("txId", "txId", _TEXT), _FEE),
    "DelOutgoingSettlementTransaction": (_TRANSACTION,),
    "CommitIncomingSettlementTransaction": (_TRANSACTION,),
}

# Method -> its record, where the name of the method does not say it.
_OTHERS = {
    "authorized/add": "AuthorizedAdd",
    "pending/add": "PendingAdd",
    "pending/authorized/add": "PendingAuthorizedAdd",
    "book": "BookRequest",
    "climits": "CLimits",
    "qs/getAvailableQsProviders": "GetAvailableQsProviders",
    "sendOutgoingSettlementTransaction": "SendSettlementTransaction",
}

# Method -> record; a method that is not here takes JSON text only.
RECORDS: Mapping[str, str] = {
    **{
        name[0].lower() + name[1:]: name
        for name in PARTS
        if name not in {"BookRequest", "CLimits", *_OTHERS.values()}
    },
    "sendSettlementTransaction": "SendSettlementTransaction",
    **_OTHERS,
}
