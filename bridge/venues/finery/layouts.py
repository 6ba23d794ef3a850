"""Record layouts of every era, each as a table from the schema's fields to positions.

Records have gained trailing elements at least once each: they are read by index, extra
elements are let pass, and those that older servers lack become null.
Source: Finery docs, feeds O, K, S, P, L, R, N; public client code for G, M, I and C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.venues.finery.values import (
    ABSENT,
    Column,
    Layout,
    Payload,
    bit,
    code,
    signed,
    text,
    unsigned,
)

Reader = Callable[[object], object]

# Source: Finery docs, data types, order types; 8 is not listed. Values: Avro symbols.
ORDER_TYPES = {**{n: n for n in range(8)}, 9: 8}
# Source: Finery docs, data types, cancel reasons.
CANCEL_REASONS = {n: n for n in range(5)}
# Source: Finery docs, data types, deal type and liquidity source.
DEAL_TYPES = {n: n for n in range(3)}
LIQUIDITY_SOURCES = {n: n for n in range(4)}


def symbol(known: Mapping[int, int], unknown: int) -> Reader:
    """Make a reader from the venue's code to the index of an Avro symbol."""

    def read(value: object) -> int:
        return known.get(code(value), unknown)

    return read


def flag(value: object) -> bool:
    """Return True for 1 and False for 0."""
    return bit(value) == 1


_ORDER_TYPE = symbol(ORDER_TYPES, 9)
_CANCEL_REASON = symbol(CANCEL_REASONS, 5)

# Order elements 0 to 9, which begin a deal as well.
_ORDER_HEAD = (
    Column(0, text),  # instrument
    Column(1, code),  # orderTypeCode
    Column(1, _ORDER_TYPE),  # orderType
    Column(2, bit),  # side
    Column(3, code),  # cancelReasonCode
    Column(3, _CANCEL_REASON),  # cancelReason
    Column(4, unsigned),  # orderId
    Column(5, signed),  # clientOrderId
    Column(6, unsigned),  # priceE8
    Column(7, signed),  # initialE8
    Column(8, signed),  # remainingE8
    Column(9, unsigned),  # createdAt
)

ORDER = Layout(list, (*_ORDER_HEAD, Column(10, flag, optional=True)))  # byVolume

DEAL = Layout(
    list,
    (
        *_ORDER_HEAD,
        Column(10, unsigned),  # dealtAt
        Column(11, unsigned),  # dealId
        Column(12, bit),  # aggressorSide
        Column(13, unsigned),  # dealPriceE8
        Column(14, signed),  # dealSizeE8
        Column(15, signed),  # dealVolumeE8
        Column(16, signed),  # dealDeltaE8
        Column(17, unsigned),  # counterpartyId
        Column(18, flag, optional=True),  # byVolume
        Column(19, unsigned, optional=True),  # takerOwnerId, middle era on
        Column(20, unsigned, optional=True),  # linkedDealId, middle era on
        Column(21, code, optional=True),  # dealTypeCode, middle era on
        Column(21, symbol(DEAL_TYPES, 3), optional=True),  # dealType
        Column(22, unsigned, optional=True),  # makerOwnerId, new era
        Column(23, code, optional=True),  # liquiditySourceCode, new era
        Column(23, symbol(LIQUIDITY_SOURCES, 4), optional=True),  # liquiditySource
    ),
)

POSITION = Layout(
    list,
    (
        Column(0, text),  # currency
        Column(1, signed),  # valueE8
        Column(2, unsigned),  # counterpartyId
        Column(3, signed, optional=True),  # maxReachableE8, not in the oldest era
        Column(4, signed, optional=True),  # minReachableE8, not in the oldest era
    ),
)

CURRENCY = Layout(
    list,
    (
        Column(0, text),  # name
        Column(1, unsigned),  # id
        Column(2, unsigned),  # balanceStepE8
        Column(3, unsigned),  # usdPriceE8
        Column(4, text, optional=True),  # type
    ),
)

INSTRUMENT = Layout(
    list,
    (
        Column(0, text),  # name
        Column(1, unsigned),  # id
        Column(2, text),  # assetCurrency
        Column(3, text),  # balanceCurrency
    ),
)

_SETTLEMENT_OBJECT = Layout(
    dict,
    (
        Column("settlementOrderId", unsigned),
        Column("clientId", unsigned, optional=True),
        Column("counterpartyId", unsigned),
        Column("createdAt", unsigned),
        Column("comment", text, optional=True),
        Column("flags", code, optional=True),
        Column("currency1", text),
        Column("size1", signed),
        Column("network1", text, optional=True),
        Column("currency2", text, optional=True),
        Column("size2", signed, optional=True),
        Column("network2", text, optional=True),
        Column("settlementId", unsigned, optional=True),
        Column("commitedAt", unsigned, optional=True),  # so spelled by the venue
    ),
)


def _settlement(networks: tuple[Column, Column], deal: tuple[Column, Column]) -> Layout:
    """Lay out a positional settlement order: the networks and the deal have moved."""
    return Layout(
        list,
        (
            Column(0, unsigned),  # settlementOrderId
            ABSENT,  # clientId
            Column(6, unsigned),  # counterpartyId
            Column(5, unsigned),  # createdAt
            ABSENT,  # comment
            ABSENT,  # flags
            Column(1, text),  # currency1
            Column(3, signed),  # size1E8
            networks[0],  # network1
            Column(2, text),  # currency2
            Column(4, signed),  # size2E8
            networks[1],  # network2
            deal[1],  # settlementId
            deal[0],  # committedAt
        ),
    )


_NO_COLUMNS = (ABSENT, ABSENT)
_NETWORKS = (Column(7, text, optional=True), Column(8, text, optional=True))
_SETTLEMENT_ORDER = _settlement(_NETWORKS, _NO_COLUMNS)
_SETTLEMENT_DEAL = _settlement(_NETWORKS, (Column(9, unsigned), Column(10, unsigned)))
_SETTLEMENT_DEAL_OLDEST = _settlement(
    _NO_COLUMNS, (Column(7, unsigned), Column(8, unsigned))
)

_REQUEST = Layout(
    list,
    (
        Column(0, unsigned),  # counterpartyId
        Column(1, text),  # currency
        Column(2, code),  # flags
        Column(3, signed),  # amountE8
        Column(4, text),  # comment
        Column(5, unsigned, optional=True),  # expiresAt
        Column(6, text, optional=True),  # network
        Column(7, unsigned, optional=True),  # requestId
        Column(8, unsigned, optional=True),  # createdAt
    ),
)

_TRANSACTION = Layout(
    list,
    (
        Column(0, unsigned),  # counterpartyId
        Column(1, text),  # currency
        Column(2, signed),  # amountE8
        Column(3, unsigned),  # settlementOrderId
        Column(4, text),  # comment
        Column(5, unsigned),  # createdAt
        Column(6, text),  # txId
        Column(7, unsigned),  # sentAt
        Column(8, code),  # flags
        Column(9, unsigned),  # transactionAt
        Column(10, unsigned),  # transactionId
        Column(11, signed, optional=True),  # networkFeeE8
        Column(12, text, optional=True),  # network
    ),
)


def settlement_order(row: object, where: str) -> Payload:
    """Read a settlement order: an object in the new era, positional before."""
    layout = _SETTLEMENT_OBJECT if isinstance(row, dict) else _SETTLEMENT_ORDER
    return layout.read(row, where)


def settlement_deal(row: object, where: str) -> Payload:
    """Read an executed settlement order; the oldest form has no networks at 7 and 8."""
    if isinstance(row, dict):
        return _SETTLEMENT_OBJECT.read(row, where)
    oldest = isinstance(row, list) and len(row) > 7 and type(row[7]) is int  # noqa: PLR2004 - first network, or the moment
    return (_SETTLEMENT_DEAL_OLDEST if oldest else _SETTLEMENT_DEAL).read(row, where)


def directed(layout: Layout, direction: int) -> Callable[[object, str], Payload]:
    """Make a reader that puts the direction in front: 0 incoming, 1 outgoing."""

    def read(row: object, where: str) -> Payload:
        return (direction, *layout.read(row, where))

    return read


REQUESTS = (directed(_REQUEST, 0), directed(_REQUEST, 1))
TRANSACTIONS = (directed(_TRANSACTION, 0), directed(_TRANSACTION, 1))
