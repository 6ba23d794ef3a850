"""What a reply means: done, rejected, or neither for certain.

Only positive evidence makes a rejection: the venue names a fault of the request, or a
rule that forbids it. All else that says no to a method that changes something, a
failure inside the venue, a code in no list, an answer without a form, leaves the
outcome in doubt: it may have been executed all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bridge.core.orders import Evidence, Kind, Outcome, Reply, Result
from bridge.venues.finery.codes import Code, code
from bridge.venues.finery.codes import Kind as CodeKind
from bridge.venues.finery.frames import read
from bridge.venues.finery.methods import METHODS
from bridge.venues.finery.values import Misread, shortened

OLD_GONE = "MOD_OLD_GONE"


class Refusals(NamedTuple):
    """Codes that say for certain that nothing was executed, and who says so."""

    numbers: tuple[int, ...]
    why: str
    source: str


_LIST = "Finery docs, list of error codes"
_CLIENTS = "public client code, list of error codes"

REFUSALS = (
    Refusals((1, 8), "the venue does not have this method", _LIST),
    Refusals((3, 13), "the key or its owner may not call it", _LIST),
    Refusals((9,), "a parameter is missing or wrong", _LIST),
    Refusals((110, 111), "a field is missing or wrong", _CLIENTS),
    Refusals((*range(20, 29), *range(30, 37)), "currency or instrument", _LIST),
    Refusals((*range(40, 46),), "the client's own data", _LIST),
    Refusals((46,), "the client's own data", _CLIENTS),
    Refusals((*range(50, 56),), "the limit", _CLIENTS),
    Refusals((*range(60, 66),), "the settlement order", _CLIENTS),
    Refusals((*range(70, 76),), "the order", "Finery docs, add; " + _CLIENTS),
    Refusals((76, 77), "nothing to match, no order", "Finery docs, add, outcomes"),
    Refusals((78, 79), "self-trade prevention or limits", _CLIENTS),
    Refusals((80,), "no such active order", "Finery docs, del; " + _CLIENTS),
    Refusals((81, 82, 83), "size or volume", "Finery docs, add; " + _CLIENTS),
    Refusals((84, 85), "the account may not trade so", _CLIENTS),
    Refusals((90, 91), "the replacement", "Finery docs, mod; " + _CLIENTS),
    Refusals((*range(130, 136),), "the settlement request", _CLIENTS),
    Refusals((*range(140, 145),), "the settlement transaction", _CLIENTS),
    Refusals((*range(160, 168),), "a limit would be breached", _CLIENTS),
)
CERTAIN = frozenset(number for row in REFUSALS for number in row.numbers)

_AGAIN = "; asking again is harmless"
# A reply that names one of these shows that something was executed.
_EXECUTED = frozenset({"id", "deal", "deals", "removed", "remainingSize"})


def judge(method: str, reply: Reply) -> Result | None:
    """Say what a reply means; None if it leaves the outcome in doubt."""
    if _reads(method):
        return _judge_read(method, reply)
    found = _parsed(reply)
    if reply.error:
        return _judge_failure(method, reply, found)
    if not isinstance(found, dict):
        return None
    return _SUCCESSES.get(method, _applied)(found, reply)


def _reads(method: str) -> bool:
    known = METHODS.get(method)
    return known is not None and known.kind is Kind.READ


def _judge_read(method: str, reply: Reply) -> Result:
    if reply.error:
        failure = code(reply.error)
        transient = failure.kind in {CodeKind.TRANSIENT, CodeKind.UNKNOWN}
        return _rejected(method, reply, _AGAIN if transient else "")
    if not reply.result:
        text = f"the answer to {method} could not be read{_AGAIN}"
        return Result(
            outcome=Outcome.UNRESOLVED,
            code="UNREADABLE_REPLY",
            text=text,
            evidence=Evidence.REPLY,
        )
    return _done("ANSWERED", f"the venue answered {method}", reply)


def _judge_failure(method: str, reply: Reply, found: object) -> Result | None:
    if reply.error not in CERTAIN:
        return None
    named = found if isinstance(found, dict) else {}
    if _EXECUTED & named.keys():
        return None
    if not reply.gone:
        return _rejected(method, reply)
    return _old_gone(reply, named) if method == "mod" else None


def _rejected(method: str, reply: Reply, addition: str = "") -> Result:
    failure = code(reply.error)
    param = f", parameter {shortened(reply.param)}" if reply.param else ""
    return Result(
        outcome=Outcome.REJECTED,
        code=f"VENUE_{failure.number}",
        text=f"the venue refused {method}: {failure.label}{param}{addition}",
        evidence=Evidence.REPLY,
        venue_error=failure.number,
        venue_meaning=_meaning(failure),
        body=reply.result,
    )


def _old_gone(reply: Reply, named: Mapping[str, Any]) -> Result:
    """Word the special answer. Source: Finery docs, mod, errors."""
    failure = code(reply.error)
    old, left = named.get("origId"), named.get("origRemainingSize")
    return Result(
        outcome=Outcome.REJECTED,
        code=OLD_GONE,
        text=(
            f"the old order {old} was removed with {left} left, and the new one was "
            f"not placed: {failure.label}"
        ),
        evidence=Evidence.REPLY,
        venue_error=failure.number,
        venue_meaning=_meaning(failure),
        body=reply.result,
    )


def _placed(found: Mapping[str, Any], reply: Reply) -> Result | None:
    """Judge an order's reply. Source: Finery docs, add and mod, reply."""
    if found.get("error") == 0:
        return _done("ACCEPTED", "the venue accepted the order", reply)
    number = found.get("id")
    if type(number) is not int:
        return None
    left = _left(found)
    deals = found.get("deals") or ()
    if found.get("cancelReason"):
        what = f"{_count(deals)}, and the rest of {left} was dropped"
        status = "PARTIALLY_FILLED" if deals else "CANCELLED"
    elif left == 0 or "deal" in found:
        status, what = "FILLED", "filled"
    else:
        status, what = "ACCEPTED", f"{_count(deals)}, {left} left in place"
    return _done(status, f"order {number}: {what}", reply)


def _removed(found: Mapping[str, Any], reply: Reply) -> Result | None:
    """Judge the reply of del. Source: Finery docs, del."""
    number = found.get("id")
    if type(number) is int:
        return _done("REMOVED", f"order {number} removed, {_left(found)} left", reply)
    if found.get("error") == 0:
        return _done("REMOVED", "the venue removed the order", reply)
    return None


def _cleared(found: Mapping[str, Any], reply: Reply) -> Result | None:
    """Judge the reply of delAll. Source: Finery docs, delAll; optional in clients."""
    count = found.get("removed")
    shown = str(count) if type(count) is int else "an unknown number of"
    return _done("REMOVED", f"{shown} orders removed", reply)


def _applied(_found: Mapping[str, Any], reply: Reply) -> Result | None:
    return _done("APPLIED", "the venue carried it out", reply)


_SUCCESSES: Mapping[str, Callable[[Mapping[str, Any], Reply], Result | None]] = {
    "add": _placed,
    "mod": _placed,
    "authorized/add": _placed,
    "pending/add": _placed,
    "pending/authorized/add": _placed,
    "liquidationTrade": _placed,
    "del": _removed,
    "delAll": _cleared,
    "pending/del": _removed,
    "pending/delAll": _cleared,
    "pending/authorized/del": _removed,
    "pending/authorized/delAll": _cleared,
}


def _done(status: str, text: str, reply: Reply) -> Result:
    return Result(
        outcome=Outcome.DONE,
        code=status,
        text=text,
        evidence=Evidence.REPLY,
        body=reply.result,
    )


def _left(found: Mapping[str, Any]) -> object:
    left = found.get("remainingSize", found.get("remainingVolume"))
    return left if type(left) is int else "an unknown size"


def _count(deals: object) -> str:
    number = len(deals) if isinstance(deals, list | tuple) else 0
    return f"{number} deal{'' if number == 1 else 's'}"


def _meaning(failure: Code) -> str:
    return f"{failure.name}: {failure.meaning}"


def _parsed(reply: Reply) -> object:
    try:
        return read(reply.result.encode()) if reply.result else None
    except Misread:
        return None
