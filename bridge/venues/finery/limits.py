"""Record layouts of limits: counterparty limits of all eras, global and mutual limits.

Amounts are in 1e-8, margins and markups in percent times 1e4.
Source: Finery docs, feed L; public client code for feeds G and M.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.model import Reason
from bridge.venues.finery.values import (
    ABSENT,
    Column,
    Layout,
    Misread,
    Payload,
    boolean,
    code,
    shown,
    signed,
    text,
    unsigned,
)

_LIMIT_OBJECT = Layout(
    dict,
    (
        Column("counterpartyId", unsigned),
        Column("ownLimit.asset", text, optional=True),  # currency
        ABSENT,  # netLimitE8
        Column("ownLimit.grossLimit", signed, optional=True),
        ABSENT,  # netUtilizationE8
        Column("ownLimit.limitUtilization", signed, optional=True),
        Column("ownLimit.equity", signed, optional=True),
        Column("ownLimit.maintenanceMargin", signed, optional=True),
        Column("ownLimit.restrictedTrading", signed, optional=True),
        Column("ownLimit.initialMargin", signed, optional=True),
        Column("mutualLimit.asset", text, optional=True),
        Column("mutualLimit.grossLimit", signed, optional=True),
        Column("mutualLimit.limitUtilization", signed, optional=True),
        Column("mutualLimit.equity", signed, optional=True),
        ABSENT,  # takerMarkupPercentE4
        ABSENT,  # flags
        *(
            Column(f"tradingPermissions.{name}", boolean, optional=True)
            for name in (
                "ownTradingEnabled",
                "mutualTradingEnabled",
                "ownIncomingFlowEnabled",
                "mutualIncomingFlowEnabled",
                "ownOutgoingFlowEnabled",
                "mutualOutgoingFlowEnabled",
            )
        ),
    ),
)

_LIMIT_MIDDLE = Layout(
    list,
    (
        Column(0, unsigned),  # counterpartyId
        Column(1, text),  # currency
        ABSENT,  # netLimitE8
        Column(2, signed),  # grossLimitE8
        ABSENT,  # netUtilizationE8
        Column(5, signed, optional=True),  # grossUtilizationE8
        Column(9, signed, optional=True),  # equityE8
        Column(6, signed, optional=True),  # maintenanceMarginPercentE4
        Column(7, signed, optional=True),  # restrictedTradingPercentE4
        Column(8, signed, optional=True),  # initialMarginPercentE4
        Column(3, text, optional=True),  # mutualCurrency
        Column(4, signed, optional=True),  # mutualGrossLimitE8
        *(ABSENT,) * 2,  # mutualUtilizationE8, mutualEquityE8
        Column(10, signed, optional=True),  # takerMarkupPercentE4
        Column(11, code, optional=True),  # flags
        *(ABSENT,) * 6,  # permissions
    ),
)

_LIMIT_OLD = Layout(
    list,
    (
        Column(6, unsigned),  # counterpartyId
        Column(0, text),  # currency
        Column(1, signed),  # netLimitE8
        Column(2, signed),  # grossLimitE8
        Column(3, signed),  # netUtilizationE8
        Column(4, signed),  # grossUtilizationE8
        *(ABSENT,) * 8,  # equity, margins, mutual limit
        Column(7, signed, optional=True),  # takerMarkupPercentE4
        Column(5, code),  # flags
        *(ABSENT,) * 6,  # permissions
    ),
)

_GLOBAL_HEAD = (
    Column(0, text),  # currency
    Column(1, signed),  # netLimitE8
    Column(2, signed),  # grossLimitE8
    Column(3, signed),  # netUtilizationE8
    Column(4, signed),  # grossUtilizationE8
)

GLOBAL_LIMIT = Layout(list, (*_GLOBAL_HEAD, Column(5, code)))  # flags
MUTUAL_LIMIT = Layout(list, (*_GLOBAL_HEAD, Column(6, unsigned)))  # counterpartyId


def counterparty_limit(row: object, where: str) -> Payload:
    """Read a counterparty limit of any era: objects, 12 elements, 8 elements."""
    if isinstance(row, dict):
        return _LIMIT_OBJECT.read(_flat(row, where), where)
    if isinstance(row, list) and row and isinstance(row[0], str):
        return _LIMIT_OLD.read(row, where)
    return _LIMIT_MIDDLE.read(row, where)


def _flat(row: Mapping[str, object], where: str) -> dict[str, object]:
    """Lift the fields of the three inner objects, names joined by a dot."""
    found = dict(row)
    for part in ("tradingPermissions", "ownLimit", "mutualLimit"):
        inner = row.get(part)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            seen = f"saw {shown(inner)}, expected an object"
            raise Misread(Reason.WRONG_TYPE, seen, f"{where}[{part}]")
        found.update({f"{part}.{name}": value for name, value in inner.items()})
    return found
