"""How an order gets in: checks, matching, resting, pending orders.

Source: reference page "Finery Markets API", sections 6.1, 6.4, 13 (9-12). Which check
wins where several fail is not documented; `_CHECKS` gives this simulator's order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from bridge.simulators.finery.accounts import Account, Role
from bridge.simulators.finery.engine import Cancel, Kind, Order, Plan, Side
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.venue import Deal, Venue

AGGRESSIVE: Final = frozenset(
    {Kind.LIMIT_IOC, Kind.LIMIT_FOK, Kind.MARKET_IOC, Kind.MARKET_FOK}
)
_RESTS: Final = frozenset({Kind.LIMIT, Kind.POST_ONLY})
_MARKET: Final = frozenset({Kind.MARKET_IOC, Kind.MARKET_FOK})
_ALLOWED: Final = {
    Role.MAKER: _RESTS,
    Role.TAKER: AGGRESSIVE | {Kind.PENDING},
    Role.MASTER: AGGRESSIVE | _RESTS | {Kind.PENDING},
}
_NO_MATCH: Final = {
    Kind.LIMIT_IOC: Code.IOC,
    Kind.MARKET_IOC: Code.IOC,
    Kind.LIMIT_FOK: Code.FOK,
    Kind.MARKET_FOK: Code.FOK,
}
_ALL_OR_NOTHING: Final = frozenset({Kind.LIMIT_FOK, Kind.MARKET_FOK})


class Ask(NamedTuple):
    """What somebody wants to place; `size` or `volume` is None where not given."""

    instrument: str
    kind: int
    side: int
    price: int = 0
    size: int | None = None
    volume: int | None = None
    client_id: int = 0
    cod: bool = False
    deal_kind: int = 0


class Placed(NamedTuple):
    """An accepted order and its immediate deals."""

    order: Order
    deals: list[Deal]


def _check_instrument(venue: Venue, account: Account, ask: Ask) -> None:
    venue.catalogue.instrument(ask.instrument)
    if ask.instrument in account.forbidden:
        raise Refused(Code.INSTRUMENT_FORBIDDEN)


def _check_role(_: Venue, account: Account, ask: Ask) -> None:
    if not account.trading:
        raise Refused(Code.TRADING_NOT_ALLOWED)
    if ask.kind not in _ALLOWED[account.role]:
        raise Refused(Code.ORDER_TYPE)


def check_amount(venue: Venue, account: Account, ask: Ask) -> None:
    """Refuse with 81, 82, 70 or 83."""
    if (ask.size is None) == (ask.volume is None):
        raise Refused(Code.SIZE_OR_VOLUME)
    if ask.volume is not None and account.role is Role.MAKER:
        raise Refused(Code.MAKER_VOLUME)
    steps = venue.books[ask.instrument].steps
    if ask.size is not None and (ask.size <= 0 or ask.size % steps.size):
        raise Refused(Code.ORDER_SIZE)
    if ask.volume is not None and (ask.volume <= 0 or ask.volume % steps.volume):
        raise Refused(Code.ORDER_VOLUME)


def check_price(venue: Venue, ask: Ask) -> None:
    """Refuse a price that is missing or not on its step with 71."""
    step = venue.books[ask.instrument].steps.volume
    if ask.kind not in _MARKET and (ask.price <= 0 or ask.price % step):
        raise Refused(Code.ORDER_PRICE)


def _check_client_id(venue: Venue, account: Account, ask: Ask) -> None:
    if not ask.client_id:
        return
    active = venue.live.get(account.id, {}).values()
    used = any(order.client_id == ask.client_id for order in active)
    if venue.options.rules.client_ids_for_ever:
        used = (account.id, ask.client_id) in venue.client_ids
    if used:
        raise Refused(Code.CLIENT_ORDER_ID)


_CHECKS: Final[tuple[Callable[[Venue, Account, Ask], None], ...]] = (
    _check_instrument,
    _check_role,
    check_amount,
    lambda venue, _, ask: check_price(venue, ask),
    _check_client_id,
)


class _Headroom:
    """Keeps count, over one order's fills, of what the limits still allow."""

    def __init__(self, venue: Venue, incoming: Order) -> None:
        self._venue = venue
        self._incoming = incoming
        self._positions: dict[int, dict[str, int]] = {}

    def __call__(self, maker: Order, size: int, volume: int) -> bool:
        limits, me = self._venue.limits, self._incoming.account
        if not (limits.get(me, maker.account) or limits.get(maker.account, me)):
            return True
        after = dict(self._with(maker.account))
        pair = self._venue.catalogue.instruments[maker.instrument]
        sign = 1 if self._incoming.side == Side.BID else -1
        after[pair.asset] = after.get(pair.asset, 0) + sign * size
        after[pair.balance] = after.get(pair.balance, 0) - sign * volume
        allowed = limits.allow(me, maker.account, after)
        if allowed:
            self._positions[maker.account] = after
        return allowed

    def _with(self, maker: int) -> dict[str, int]:
        if maker not in self._positions:
            mine = self._venue.positions.with_counterparty(
                self._incoming.account, maker
            )
            self._positions[maker] = mine
        return self._positions[maker]


def add(
    venue: Venue, account: Account, ask: Ask, connection: int | None = None
) -> Placed:
    """Place an order; raise `Refused` with the venue's code, and change nothing."""
    for check in _CHECKS:
        check(venue, account, ask)
    amount = ask.size if ask.size is not None else ask.volume or 0
    order = Order(
        id=0,
        account=account.id,
        instrument=ask.instrument,
        kind=ask.kind,
        side=ask.side,
        price=0 if ask.kind in _MARKET else ask.price,
        initial=amount,
        left=amount,
        created=venue.now_ms(),
        by_volume=ask.volume is not None,
        client_id=ask.client_id,
        connection=connection if ask.cod else None,
    )
    plan = _plan(venue, account, order)
    _judge(venue, order, plan)
    order.id = venue.order_id()
    if venue.options.rules.client_ids_for_ever:
        venue.client_ids.add((account.id, ask.client_id))
    return Placed(order, _carry_out(venue, order, plan, ask.deal_kind))


def _plan(venue: Venue, account: Account, order: Order) -> Plan:
    book = venue.books[order.instrument]
    return book.plan(order, _Headroom(venue, order), venue.seen_by(account))


def _judge(venue: Venue, order: Order, plan: Plan) -> None:
    """Refuse what the order's type forbids (section 6.1, outcome rules)."""
    if plan.own:
        raise Refused(Code.SELF_TRADE)
    if order.kind == Kind.POST_ONLY and (plan.fills or plan.limited):
        raise Refused(Code.POST_ONLY)
    if _falls_short(order, plan):
        raise Refused(Code.LIMITS if plan.limited else _NO_MATCH[Kind(order.kind)])
    if order.kind in _RESTS and plan.limited:
        raise Refused(Code.LIMITS)
    rules = venue.options.rules
    count = venue.resting[order.account, order.instrument, order.side]
    if order.kind in _RESTS and plan.left and count >= rules.orders_per_side:
        raise Refused(rules.order_cap_error)


def _falls_short(order: Order, plan: Plan) -> bool:
    if order.kind in _ALL_OR_NOTHING:
        return not plan.filled
    return order.kind in AGGRESSIVE and not plan.fills


def _carry_out(venue: Venue, order: Order, plan: Plan, kind: int) -> list[Deal]:
    rules = venue.options.rules
    shown = order.kind in _RESTS or rules.order_added
    if shown and (order.kind != Kind.PENDING or rules.pending_on_orders):
        venue.tell(order.account, "O", "+", replace(order), order.instrument)
    venue.decide("order", order=replace(order))
    deals = _fill(venue, order, plan, kind)
    if order.kind in AGGRESSIVE:
        _drop_rest(venue, order, plan)
    elif not plan.filled:
        _rest(venue, order)
    return deals


def _fill(venue: Venue, order: Order, plan: Plan, kind: int) -> list[Deal]:
    book = venue.books[order.instrument]
    deals = []
    for fill in plan.fills:
        book.hit(order, fill)
        deals.append(venue.deal(order, fill, kind))
        venue.decide("deal", deal=deals[-1])
        if fill.maker.left == 0:
            venue.forget(fill.maker)
            _say_filled(venue, fill.maker)
    if plan.fills:
        venue.dirty.add(order.instrument)
    return deals


def _say_filled(venue: Venue, order: Order) -> None:
    if venue.options.rules.order_filled_removed:
        venue.tell(order.account, "O", "-", replace(order), order.instrument)


def _drop_rest(venue: Venue, order: Order, plan: Plan) -> None:
    if plan.filled:
        _say_filled(venue, order)
        return
    order.reason = Cancel.NON_BOOK
    if venue.options.rules.order_rest:
        venue.tell(order.account, "O", "-", replace(order), order.instrument)


def _rest(venue: Venue, order: Order) -> None:
    venue.keep(order)
    if order.kind == Kind.PENDING:
        return
    venue.books[order.instrument].rest(order)
    venue.dirty.add(order.instrument)
    trigger_pending(venue, order.instrument)


def trigger_pending(venue: Venue, instrument: str) -> None:
    """Let takers' pending orders trade with what is in the book now."""
    for order in list(venue.pending.get(instrument, {}).values()):
        plan = _plan(venue, venue.accounts[order.account], order)
        if not plan.fills:
            continue
        _fill(venue, order, plan, 0)
        if plan.filled:
            venue.forget(order)
            _say_filled(venue, order)
