"""What became of a limit: whether it is now as it was to be, whoever made it so.

There is one limit towards a counterparty, and setting it again overwrites it, so the
list shows all that there is to know.
Source: Finery docs, setCLimit, delCLimit, climits.
"""

from __future__ import annotations

from bridge.venues.finery import lookup_records
from bridge.venues.finery.lookup_cases import (
    Asking,
    Case,
    Steps,
    ask,
    done,
    not_done,
    nothing_to_ask,
)
from bridge.venues.finery.lookup_records import Limit

_NAMES = ("counterpartyId", "currency", "grossLimit")
# The docs spell the first margin in both ways.
_SPELLED = {"maintenaceMargin": "maintenanceMargin"}


def limit_set(case: Case) -> Steps:
    """Look whether the limit is as it was to be set."""
    other, gross = case.number("counterpartyId"), case.number("grossLimit")
    currency = case.words("currency")
    if other is None or gross is None or currency is None:
        return (yield from nothing_to_ask(case))
    limit = yield from _limit(other)
    more = {n: v for n, v in case.params.items() if n not in _NAMES}
    asked = {_SPELLED.get(name, name): value for name, value in more.items()}
    if limit is None:
        text = f"there is no limit above 0 towards {other}"
        return not_done("LIMIT_DIFFERS", text, {"counterpartyId": other})
    shown = {"currency": limit.currency, "grossLimit": limit.gross, **limit.more}
    asked |= {"currency": currency, "grossLimit": gross}
    if any(name in shown and shown[name] != value for name, value in asked.items()):
        text = f"the limit towards {other} is not as was asked"
        return not_done("LIMIT_DIFFERS", text, _body(limit))
    if not asked.keys() <= shown.keys():
        return (yield from nothing_to_ask(case))
    text = f"the limit towards {other} is {gross} {currency}, as was asked"
    return done("LIMIT_AS_ASKED", text, _body(limit))


def limit_gone(case: Case) -> Steps:
    """Look whether there is no limit any more."""
    other = case.number("counterpartyId")
    if other is None:
        return (yield from nothing_to_ask(case))
    limit = yield from _limit(other)
    if limit is not None:
        text = f"there is still a limit towards {other}"
        return not_done("LIMIT_STILL_SET", text, _body(limit))
    text = f"there is no limit above 0 towards {other}"
    return done("NO_LIMIT", text, {"counterpartyId": other})


def _limit(other: int) -> Asking[Limit | None]:
    value = yield from ask("climits", {})
    found = [x for x in lookup_records.limits(value) if x.counterparty == other]
    return found[0] if found else None


def _body(limit: Limit) -> dict[str, object]:
    return {
        "counterpartyId": limit.counterparty,
        "currency": limit.currency,
        "grossLimit": limit.gross,
        **limit.more,
    }
