"""What became of a request that was not answered, as the venue's own lists show it.

Start one after the settling time, when nothing can be under way any more: what it finds
is final. Each is a generator that asks, reads and ends with a finding. It never says
more than the lists show: what several orders could be, or a list of unknown form
could hold, is told as unresolved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge.core.orders import Claim, Finding, Reply
from bridge.venues.base import Lookup
from bridge.venues.finery.lookup_cases import (
    Ask,
    Case,
    Steps,
    Unanswered,
    nothing_to_ask,
)
from bridge.venues.finery.lookup_limits import limit_gone, limit_set
from bridge.venues.finery.lookup_orders import made, replaced
from bridge.venues.finery.lookup_removals import cleared, removed
from bridge.venues.finery.values import Misread

_CASES: Mapping[str, Callable[[Case], Steps]] = {
    "add": made,
    "authorized/add": made,
    "pending/add": made,
    "pending/authorized/add": made,
    "liquidationTrade": made,
    "mod": replaced,
    "del": removed,
    "pending/del": removed,
    "pending/authorized/del": removed,
    "delAll": cleared,
    "pending/delAll": cleared,
    "pending/authorized/delAll": cleared,
    "setCLimit": limit_set,
    "delCLimit": limit_gone,
}


class FineryLookup:
    """Runs one lookup; without all its answers the venue counts as not asked."""

    def __init__(self, steps: Steps) -> None:
        """Go to the first question."""
        self._steps = steps
        self._asked: Ask | None = None
        self._finding = Finding(asked=False, final=False)
        self._go(None)

    def request(self) -> tuple[str, Mapping[str, Any]] | None:
        """Return the question that is open; None when done."""
        return self._asked

    def answer(self, reply: Reply) -> None:
        """Take the answer to it, and go on to the next question."""
        if self._asked is not None:
            self._go(reply)

    def finding(self) -> Finding:
        """Return what the venue shows."""
        return self._finding

    def _go(self, reply: Reply | None) -> None:
        try:
            self._asked = (
                next(self._steps) if reply is None else self._steps.send(reply)
            )
        except StopIteration as end:
            self._asked, self._finding = None, end.value
        except (Misread, Unanswered):
            self._asked = None


def lookup(claim: Claim, now_ms: int) -> Lookup:
    """Start finding out what became of a claim; `now_ms` is the present."""
    case = Case.of(claim, now_ms)
    return FineryLookup(_CASES.get(claim.method, nothing_to_ask)(case))
