"""The request methods that change limits and settlements.

Source: reference page "Finery Markets API", section 8. How a settlement moves the
positions: the sender's with the receiver goes up by the amount, the receiver's with
the sender goes down (4.2: negative means that the account owes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from bridge.simulators.finery.accounts import Right
from bridge.simulators.finery.clearing import Request, Transaction
from bridge.simulators.finery.limits import GlobalLimit, Limit, Margins
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.venue import Venue
from bridge.simulators.finery.wire import Json

DONE: Final = {"error": 0}
_DAY_MS: Final = 24 * 3600 * 1000
_MAX_MARGIN: Final = 1_000_000


def set_limit(call: Call) -> Json:
    """Set the limit towards a counterparty; one each, set again to overwrite."""
    call.need(Right.RISK)
    other = call.counterparty()
    if other is call.account:
        raise Refused(Code.LIMIT_CLIENTS_IDENTICAL, "counterpartyId")
    limit = Limit(
        owner=call.account.id,
        counterparty=other.id,
        currency=call.venue.catalogue.currency(call.text("currency")).name,
        gross=_gross(call),
        net=call.number("netLimit"),
        margins=_margins(call, call.content),
        markup=call.number("takerMarkup"),
    )
    fresh = call.venue.limits.set(limit)
    call.venue.tell_limit(call.account.id, other.id, "+" if fresh else "M")
    call.venue.tell_limit(other.id, call.account.id, "M")
    return DONE


def delete_limit(call: Call) -> Json:
    """Remove the limit towards a counterparty."""
    call.need(Right.RISK)
    other = call.counterparty()
    if not call.venue.limits.delete(call.account.id, other.id):
        raise Refused(Code.LIMIT_NOT_FOUND)
    gone = call.venue.limits.get(other.id, call.account.id) is None
    call.venue.tell_limit(call.account.id, other.id, "-" if gone else "M")
    call.venue.tell_limit(other.id, call.account.id, "-" if gone else "M")
    return DONE


def set_global_limit(call: Call) -> Json:
    """Set an old-era global limit."""
    call.need(Right.RISK)
    name = call.venue.catalogue.currency(call.text("currency")).name
    limit = GlobalLimit(currency=name, net=call.integer("netLimit"), gross=_gross(call))
    call.venue.limits.worldwide.setdefault(call.account.id, {})[name] = limit
    call.venue.tell(call.account.id, "G", "M", limit)
    return DONE


def delete_global_limit(call: Call) -> Json:
    """Remove all old-era global limits."""
    call.need(Right.RISK)
    known = call.venue.limits.worldwide.pop(call.account.id, {})
    if not known:
        raise Refused(Code.LIMIT_NOT_FOUND)
    for limit in known.values():
        call.venue.tell(call.account.id, "G", "M", replace(limit, net=0, gross=0))
    return DONE


def set_subaccount_limit(call: Call) -> Json:
    """Set a sub-account's limit; the reply's form is assumed."""
    call.need(Right.RISK)
    account = call.venue.acting_for(call.account, call.integer("subaccountId"))
    given = call.content.get("limits")
    if not isinstance(given, dict) or account is call.account:
        raise Refused(Code.PARAMETER, "limits")
    inner = call._replace(content=given)
    limit = Limit(
        owner=call.account.id,
        counterparty=account.id,
        currency=call.venue.catalogue.currency(inner.text("currency")).name,
        gross=_gross(inner),
        margins=_margins(inner, given.get("margins") or {}),
        markup=inner.number("markup"),
    )
    call.venue.limits.set(limit)
    return DONE


def add_request(call: Call) -> Json:
    """Ask a counterparty to send money."""
    call.need(Right.SETTLE)
    venue, other = call.venue, call.counterparty()
    if other is call.account:
        raise Refused(Code.IDENTICAL_CLIENTS, "counterpartyId")
    currency = venue.catalogue.currency(call.text("currency")).name
    if venue.clearing.request_between(call.account.id, other.id, currency):
        raise Refused(Code.REQUEST_EXISTS)
    now = venue.now_ms()
    request = Request(
        id=venue.order_id(),
        asker=call.account.id,
        payer=other.id,
        currency=currency,
        flags=_checked(call.number("flags"), Code.REQUEST_FLAGS, lambda n: n in {0, 1}),
        amount=_checked(call.number("amount"), Code.REQUEST_AMOUNT, lambda n: n >= 0),
        comment=call.text("comment", ""),
        expires=call.number("cancelTimestamp", now + _DAY_MS),
        network=call.text("network", ""),
        created=now,
    )
    venue.clearing.requests[request.id] = request
    _tell_request(venue, request, "+")
    return {"requestId": request.id}


def delete_request(call: Call) -> Json:
    """Take back a request, named by counterparty and currency or by `requestId`."""
    call.need(Right.SETTLE)
    if call.has("requestId"):
        found = call.venue.clearing.requests.get(call.integer("requestId"))
        if found is None or found.asker != call.account.id:
            raise Refused(Code.REQUEST_NOT_FOUND)
        return _drop_request(call.venue, found)
    asker, payer = call.account.id, call.integer("counterpartyId")
    return _drop_request(call.venue, _request_between(call, asker, payer))


def decline_request(call: Call) -> Json:
    """Decline a request that a counterparty made."""
    call.need(Right.SETTLE)
    asker, payer = call.integer("counterpartyId"), call.account.id
    return _drop_request(call.venue, _request_between(call, asker, payer))


def add_transaction(call: Call) -> Json:
    """Announce a payment to a counterparty; a settlement order comes with it."""
    call.need(Right.SETTLE)
    venue, other = call.venue, call.counterparty()
    if other is call.account:
        raise Refused(Code.IDENTICAL_CLIENTS, "counterpartyId")
    currency = venue.catalogue.currency(call.text("currency"))
    amount = call.integer("amount")
    if amount <= 0 or amount % currency.step:
        raise Refused(Code.TRANSACTION_AMOUNT)
    payment = Transaction(
        order_id=venue.order_id(),
        sender=call.account.id,
        receiver=other.id,
        currency=currency.name,
        amount=amount,
        comment=call.text("comment", ""),
        created=venue.now_ms(),
        network=call.text("network", ""),
        fee=call.number("fee"),
    )
    venue.clearing.transactions[payment.order_id] = payment
    _tell_payment(venue, payment, "+", "+")
    _expect(venue, payment, venue.positions.expect)
    return {"settlementTransactionId": payment.order_id}


def send_transaction(call: Call) -> Json:
    """Mark a payment as sent, with its hash."""
    call.need(Right.SETTLE)
    payment = _payment(call, sender=True)
    text = call.text("txId")
    if not text:
        raise Refused(Code.TRANSACTION_ID)
    clearing = call.venue.clearing
    clearing.mark_sent(payment.order_id, text, call.maybe("fee"), call.venue.now_ms())
    _tell_payment(call.venue, clearing.transactions[payment.order_id], "M", "M")
    return DONE


def delete_transaction(call: Call) -> Json:
    """Take a payment back."""
    call.need(Right.SETTLE)
    payment = _payment(call, sender=True)
    del call.venue.clearing.transactions[payment.order_id]
    _tell_payment(call.venue, payment, "-", "-")
    _expect(call.venue, payment, call.venue.positions.settle)
    return DONE


def commit_transaction(call: Call) -> Json:
    """Confirm that a payment arrived; the positions change."""
    call.need(Right.SETTLE)
    venue = call.venue
    payment = _payment(call, sender=False)
    _expect(venue, payment, venue.positions.settle)
    done = venue.clearing.commit(payment.order_id, venue.deal_id(), venue.now_ms())
    _tell_payment(venue, done, "D", "D")
    venue.move(done.sender, done.receiver, done.currency, done.amount)
    return DONE


def _gross(call: Call) -> int:
    return _checked(call.integer("grossLimit"), Code.GROSS_LIMIT, lambda n: n >= 0)


def _checked(value: int, code: int, fine: Callable[[int], bool]) -> int:
    if not fine(value):
        raise Refused(code)
    return value


def _margins(call: Call, given: dict[str, Any]) -> Margins | None:
    """Read the three margins; the docs spell the first one in two ways (8)."""
    inner = call._replace(content=given)
    first = "maintenaceMargin" if "maintenaceMargin" in given else "maintenanceMargin"
    if not inner.has(first):
        return None
    margins = Margins(
        *(inner.integer(n) for n in (first, "restrictedTrading", "initialMargin"))
    )
    if not 0 <= margins[0] <= margins[1] <= margins[2] <= _MAX_MARGIN:
        raise Refused(Code.PARAMETER, first)
    return margins


def _request_between(call: Call, asker: int, payer: int) -> Request:
    currency = call.text("currency")
    found = call.venue.clearing.request_between(asker, payer, currency)
    if found is None:
        raise Refused(Code.REQUEST_NOT_FOUND)
    return found


def _drop_request(venue: Venue, request: Request) -> Json:
    del venue.clearing.requests[request.id]
    _tell_request(venue, request, "-")
    return DONE


def _tell_request(venue: Venue, request: Request, action: str) -> None:
    for account in (request.asker, request.payer):
        venue.tell(account, "R", action, request)


def _payment(call: Call, *, sender: bool) -> Transaction:
    number = call.integer("transactionId")
    payment = call.venue.clearing.transactions.get(number)
    mine = call.account.id
    if payment is None or mine != (payment.sender if sender else payment.receiver):
        raise Refused(Code.TRANSACTION_NOT_FOUND)
    return payment


def _tell_payment(venue: Venue, payment: Transaction, n: str, s: str) -> None:
    """Tell both sides on feed N and, about the settlement order, on feed S."""
    for account in (payment.sender, payment.receiver):
        venue.tell(account, "N", n, payment)
        venue.tell(account, "S", s, payment, payment.currency)


def _expect(
    venue: Venue, payment: Transaction, change: Callable[[int, int, str, int], None]
) -> None:
    """Change what is pending and tell both sides on feed K."""
    one, other, name = payment.sender, payment.receiver, payment.currency
    pairs = ((one, other), (other, one))
    before = [venue.positions.exists(a, b, name) for a, b in pairs]
    change(one, other, name, payment.amount)
    for (a, b), existed in zip(pairs, before, strict=True):
        venue.tell_position(a, b, name, existed=existed)
