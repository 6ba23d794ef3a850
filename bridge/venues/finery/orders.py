"""The order side of Finery Markets: one connection for requests, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.envelope_values import Content
from bridge.core.forms import Forms, Steps
from bridge.core.model import Plan
from bridge.core.orders import Claim, Reply, Result
from bridge.errors import SchemaError
from bridge.venues.base import Context, Lookup, Method, OrderSession, Source
from bridge.venues.finery import contents, judging, lookup, results, ties
from bridge.venues.finery.forms import FORMS
from bridge.venues.finery.frames import read
from bridge.venues.finery.methods import METHODS
from bridge.venues.finery.order_session import FineryOrderSession
from bridge.venues.finery.session import status_subscription
from bridge.venues.finery.values import Misread, array, at, text, unsigned

NAME = "orders"


class FineryOrders:
    """What the order path asks of Finery Markets; see `venues.base.OrderVenue`."""

    methods: Mapping[str, Method] = METHODS
    forms: Forms = FORMS
    listed: frozenset[str] = ties.LISTED

    def params(self, method: str, content: Content) -> Mapping[str, Any]:
        """Return the parameters in the venue's words."""
        return contents.params(method, content)

    def typed(self, method: str, body: str) -> tuple[int, Any]:
        """Return branch and value of a reply for the response's result."""
        return results.typed(method, body)

    def retie(
        self,
        tied: frozenset[int],
        method: str,
        params: Mapping[str, Any],
        result: Result,
    ) -> frozenset[int]:
        """Return which orders end with the connection, after an answered command."""
        return ties.retie(tied, method, params, result)

    def untouched(self, result: Result) -> bool:
        """Tell whether an accepted order has no deal: removed, it leaves no trace."""
        return ties.untouched(result)

    def steps(self, body: str) -> Mapping[str, Steps]:
        """Return the balance steps of each instrument's two currencies.

        Source: Finery docs, instruments: the smallest step of amounts in a currency.

        Raises:
            SchemaError: the reply has another form.
        """
        try:
            return _steps(read(body.encode()))
        except Misread as fault:
            raise SchemaError(f"the reply of instruments: {fault.sentence}") from None

    def plan(self, source: Source) -> Plan:
        """Return the plan of the order connection: its status, and nothing bound."""
        name = NAME + source.part
        return Plan(
            source=source.name,
            venue="finery",
            name=name,
            subscriptions=(status_subscription(source.name, name),),
            bindings=(),
            url=source.url,
            options=source.options,
        )

    def open(self, plan: Plan, context: Context) -> OrderSession:
        """Make the session of one connection attempt."""
        return FineryOrderSession(plan, context)

    def judge(self, method: str, reply: Reply) -> Result | None:
        """Say what a reply means; None if it leaves the outcome in doubt."""
        return judging.judge(method, reply)

    def lookup(self, claim: Claim, now_ms: int) -> Lookup:
        """Start finding out what became of a claim."""
        return lookup.lookup(claim, now_ms)


def _steps(reply: object) -> dict[str, Steps]:
    """Read the few elements that are needed: the others may be of any era."""
    currencies, instruments, *_ = array(reply, 2)
    step = {at(row, 0, text): at(row, 2, unsigned) for row in _rows(currencies, "[0]")}
    pairs = {
        at(row, 0, text): (at(row, 2, text), at(row, 3, text))
        for row in _rows(instruments, "[1]")
    }
    return {
        name: Steps(step[asset], step[balance])
        for name, (asset, balance) in pairs.items()
        if asset in step and balance in step
    }


def _rows(value: object, where: str) -> list[list[Any]]:
    return [array(row, where=where) for row in array(value, where=where)]


ORDERS = FineryOrders()
