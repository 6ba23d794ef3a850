"""The request methods that only read.

Source: reference page "Finery Markets API", section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from bridge.simulators.finery import feeds, records
from bridge.simulators.finery.accounts import Account
from bridge.simulators.finery.books import sight
from bridge.simulators.finery.catalogue import NETWORKS
from bridge.simulators.finery.clearing import Transaction
from bridge.simulators.finery.feeds import Target
from bridge.simulators.finery.limits import Limit
from bridge.simulators.finery.options import Era
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.venue import Deal
from bridge.simulators.finery.wire import Json

_MOST_DEALS: Final = 250
"""At most this many in one reply (5.5)."""


def instruments(call: Call) -> Json:
    """List currencies, instruments and, but in the old era, networks (5.2)."""
    era, known = call.venue.options.era, call.venue.catalogue
    currencies = [
        [*records.currency_record(c, Era.NEW), list(c.networks)]
        for c in known.currencies.values()
    ]
    pairs = [records.instrument_record(i) for i in known.instruments.values()]
    if era is Era.OLD:
        return [currencies, pairs]
    return [currencies, pairs, [list(network) for network in NETWORKS]]


def book(call: Call) -> Json:
    """Show a tradable or the global book (5.3)."""
    name = call.venue.catalogue.instrument(call.text("instrument")).name
    account = call.venue.acting_for(call.account, call.maybe("clientId"))
    seen = call.venue.seen_by(account) if call.flag("tradable") else None
    return sight(call.venue.books[name], seen).payload()


def positions(call: Call) -> Json:
    """Show next id, positions, orders and settlement orders (5.4)."""
    return feeds.show_everything(call.venue, _mine(call))


def deal_history(call: Call) -> Json:
    """List deals by the filters of 5.5; the latest where there are too many."""
    return _deals(call, call.account)


def authorized_deal_history(call: Call) -> Json:
    """List the deals of a sub-account; layout assumed like `dealHistory`."""
    account = call.venue.acting_for(call.account, call.integer("clientId"))
    return _deals(call, account)


def limits(call: Call) -> Json:
    """List the old global limits (5.6)."""
    known = call.venue.limits.worldwide.get(call.account.id, {})
    return [records.global_record(limit) for limit in known.values()]


def counterparty_limits(call: Call) -> Json:
    """List the counterparty limits as feed L does (5.6)."""
    return feeds.show_limits(call.venue, _mine(call))


def asset_limits(call: Call) -> Json:
    """List limits by asset (5.6); here each counterparty limit counts for its asset."""
    wanted = call.maybe("counterpartyId")
    return [
        [
            r.counterparty,
            r.own.currency,
            r.own.gross,
            r.own.currency,
            r.mutual.gross if r.mutual else None,
            r.mutual.currency if r.mutual else None,
        ]
        for r in call.venue.relations(call.account.id)
        if r.own is not None and wanted in {None, r.counterparty}
    ]


def subaccounts_limits(call: Call) -> Json:
    """List the limits of sub-accounts (5.6)."""
    venue, rows = call.venue, []
    for account in _subaccounts(call):
        limit = venue.limits.get(call.account.id, account.id)
        rows.append(_subaccount_row(account, limit))
    return rows


def settlement_requests(call: Call) -> Json:
    """List open settlement requests (5.7)."""
    return feeds.show_requests(call.venue, _mine(call))


def settlement_transactions(call: Call) -> Json:
    """List open settlement transactions (5.7)."""
    return feeds.show_transactions(call.venue, _mine(call))


def settlement_orders(call: Call) -> Json:
    """List settlement orders as objects (5.7); all of them carry a transaction here."""
    if call.flag("filterTransactions"):
        return []
    mine, wanted = call.account.id, call.maybe("counterpartyId")
    lists = call.venue.clearing.transactions_of(mine)
    return [
        records.settlement_order(t, mine, Era.NEW)
        for t in [*lists.incoming, *lists.outgoing]
        if wanted in {None, t.other(mine)}
    ]


def settlement_history(call: Call) -> Json:
    """List committed settlement orders in the layout of 5.7."""
    mine = call.account.id
    return [
        [
            t.order_id,
            t.currency,
            "",
            t.amount,
            0,
            t.created,
            t.other(mine),
            t.settled,
            t.deal_id,
        ]
        for t in _settled(call, lambda t: t.deal_id, lambda t: t.settled)
    ]


def transaction_history(call: Call) -> Json:
    """List committed settlement transactions; from and to mean creation (5.7)."""
    settled = _settled(call, lambda t: t.order_id, lambda t: t.created)
    lists = call.venue.clearing.transactions_of(call.account.id, settled)
    mine = call.account.id
    return [[records.transaction_record(t, mine) for t in part] for part in lists]


def counterparty_info(call: Call) -> Json:
    """Describe one counterparty (5.8)."""
    account = call.counterparty()
    return {
        "clientId": account.id,
        "clientType": account.role.value,
        "username": account.name,
        "status": "connected",
        "disabled": not call.venue.limits.may_trade(call.account.id, account.id),
    }


def subaccounts(call: Call) -> Json:
    """List a master's sub-accounts (5.8)."""
    return [
        {
            "info": {
                "clientId": account.id,
                "username": account.name,
                "email": f"{account.name}@example.invalid",
            },
            "status": "active",
            "createdAt": 0,
            "type": account.role.value,
        }
        for account in _subaccounts(call)
    ]


def quote_stream_providers(_: Call) -> Json:
    """Say that there are no quote streams (5.9); they are not simulated."""
    return {"providers": {}, "providerSupportedOrderTypes": {}}


def _mine(call: Call) -> Target:
    return Target(call.account)


def _subaccounts(call: Call) -> list[Account]:
    return [a for a in call.venue.accounts.values() if a.master == call.account.id]


def _subaccount_row(account: Account, limit: Limit | None) -> list[Any]:
    margins = limit.margins if limit and limit.margins else (0, 0, 0)
    return [
        account.id,
        limit.currency if limit else "USD",
        limit.gross if limit else 0,
        0,
        *margins,
        0,
        limit.markup if limit else 0,
        account.trading,
    ]


def _deals(call: Call, account: Account) -> list[Any]:
    chosen = islice(_matching(call, account), _limit(call))
    era, rules = call.venue.options.era, call.venue.options.rules
    listed = [records.deal_record(deal, era, rules) for deal in chosen]
    return listed if rules.newest_deals_first else listed[::-1]


def _matching(call: Call, account: Account) -> Json:
    names, others = _names(call), call.numbers("counterpartyIds")
    till, since, before = call.maybe("till"), call.number("from"), call.maybe("to")
    keeps: tuple[Callable[[Deal], bool], ...] = (
        lambda d: names is None or d.order.instrument in names,
        lambda d: others is None or d.counterparty in others,
        lambda d: till is None or d.id < till,
        lambda d: d.moment >= since,
        lambda d: before is None or d.moment < before,
    )
    known = reversed(call.venue.deals.get(account.id, ()))
    return (deal for deal in known if all(keep(deal) for keep in keeps))


def _names(call: Call) -> frozenset[str] | None:
    value = call.content.get("instrument")
    if value is None:
        return None
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(n, str) for n in listed):
        raise Refused(Code.PARAMETER, "instrument")
    return frozenset(call.venue.catalogue.instrument(name).name for name in listed)


def _limit(call: Call) -> int:
    wanted = call.number("limit", _MOST_DEALS)
    if not 0 <= wanted <= _MOST_DEALS:
        raise Refused(Code.PARAMETER, "limit")
    return wanted


def _settled(
    call: Call,
    number: Callable[[Transaction], int],
    moment: Callable[[Transaction], int],
) -> list[Transaction]:
    till, since, before = call.maybe("till"), call.number("from"), call.maybe("to")
    mine = call.account.id
    return [
        t
        for t in reversed(call.venue.clearing.history)
        if mine in {t.sender, t.receiver}
        and (till is None or number(t) < till)
        and moment(t) >= since
        and (before is None or moment(t) < before)
    ][: _limit(call)]
