"""What each feed letter means: who may bind it, when, with which id, what it shows.

Source: reference page "Finery Markets API", sections 3 and 4, overview in 4.9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from bridge.simulators.finery import records
from bridge.simulators.finery.accounts import Account, Right, Role
from bridge.simulators.finery.engine import Kind, Order
from bridge.simulators.finery.options import Era
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.venue import News, Venue
from bridge.simulators.finery.wire import Json

_EVER: Final = frozenset(Era)
_ANY: Final = frozenset(Role)
_SINCE_MIDDLE: Final = frozenset({Era.MIDDLE, Era.NEW})
_NO_ID: Final = (None, 0)


class Target(NamedTuple):
    """What a bind asks for, resolved: whose data, which names, which makers."""

    account: Account
    names: frozenset[str] | None = None
    instrument: str = ""
    makers: frozenset[int] | None = None


class Feed(NamedTuple):
    """One letter: eras and roles that may bind it, how to read its id, its data."""

    eras: frozenset[Era]
    roles: frozenset[Role]
    target: Callable[[Venue, Account, Any], Target]
    snapshot: Callable[[Venue, Target], Any] | None = None


def _nothing(_: Venue, account: Account, feed_id: object) -> Target:
    if feed_id not in _NO_ID:
        raise Refused(Code.FEED_ID)
    return Target(account)


def _instrument_filter(venue: Venue, account: Account, feed_id: object) -> Target:
    if feed_id in _NO_ID:
        return Target(account)
    name = venue.catalogue.instrument(_scalar(feed_id)).name
    return Target(account, names=frozenset({name}))


def _currency_filter(venue: Venue, account: Account, feed_id: object) -> Target:
    if feed_id in _NO_ID:
        return Target(account)
    try:
        name = venue.catalogue.currency(_scalar(feed_id)).name
    except Refused as refusal:
        raise Refused(Code.FEED_ID) from refusal
    return Target(account, names=frozenset({name}))


def _instrument(venue: Venue, account: Account, feed_id: object) -> Target:
    name = venue.catalogue.instrument(_scalar(feed_id)).name
    return Target(account, instrument=name)


def _firm(venue: Venue, account: Account, feed_id: object) -> Target:
    """Read an instrument, or a master's object with the client it acts for (3.1)."""
    if not isinstance(feed_id, dict):
        return _instrument(venue, account, feed_id)
    if set(feed_id) != {"instrument", "clientId"} or account.role is not Role.MASTER:
        raise Refused(Code.FEED_ID)
    actor = venue.acting_for(account, feed_id["clientId"])
    return _instrument(venue, actor, feed_id["instrument"])


def _view_only(venue: Venue, account: Account, feed_id: object) -> Target:
    """Read the object of feed MD (3.4)."""
    if not isinstance(feed_id, dict) or "instrument" not in feed_id:
        raise Refused(Code.FEED_ID)
    if not set(feed_id) <= {"instrument", "makers", "clientId"}:
        raise Refused(Code.FEED_ID)
    actor = venue.acting_for(account, feed_id.get("clientId"))
    makers = feed_id.get("makers")
    if not _are_ids(makers):
        raise Refused(Code.FEED_ID)
    target = _instrument(venue, actor, feed_id["instrument"])
    return target._replace(makers=frozenset(makers) if makers else None)


def _are_ids(makers: object) -> bool:
    if makers is None:
        return True
    return isinstance(makers, list) and all(type(maker) is int for maker in makers)


def _scalar(feed_id: object) -> object:
    if isinstance(feed_id, bool) or not isinstance(feed_id, str | int):
        raise Refused(Code.FEED_ID)
    return feed_id


def _wanted(target: Target, *names: str) -> bool:
    return target.names is None or not target.names.isdisjoint(names)


def active_orders(venue: Venue, target: Target) -> list[Order]:
    """Return the account's resting orders, and pending ones where the rules say so."""
    shown = venue.options.rules.pending_on_orders
    return [
        order
        for order in venue.live.get(target.account.id, {}).values()
        if _wanted(target, order.instrument) and (shown or order.kind != Kind.PENDING)
    ]


def _show_instruments(venue: Venue, _: Target) -> Json:
    era, known = venue.options.era, venue.catalogue
    return [
        [records.currency_record(c, era) for c in known.currencies.values()],
        [records.instrument_record(i) for i in known.instruments.values()],
    ]


def _show_orders(venue: Venue, target: Target) -> Json:
    return [records.order_record(o) for o in active_orders(venue, target)]


def show_positions(venue: Venue, target: Target) -> list[Any]:
    """Return the account's positions as records."""
    return [
        records.position_record(p, venue.options.era)
        for p in venue.positions.of(target.account.id)
        if _wanted(target, p.currency)
    ]


def _show_k(venue: Venue, target: Target) -> Json:
    positions = show_positions(venue, target)
    if venue.options.era is Era.MIDDLE:
        return [venue.next_deal_id, positions]
    return positions


def _show_settlements(venue: Venue, target: Target) -> Json:
    mine, era = target.account.id, venue.options.era
    lists = venue.clearing.transactions_of(mine)
    return [
        records.settlement_order(t, mine, era)
        for t in [*lists.incoming, *lists.outgoing]
        if _wanted(target, t.currency)
    ]


def show_everything(venue: Venue, target: Target) -> list[Any]:
    """Return the four elements of feed P and of `positions` (4.4, 5.4)."""
    mine, era = target.account.id, venue.options.era
    lists = venue.clearing.transactions_of(mine)
    return [
        venue.next_deal_id,
        show_positions(venue, target),
        _show_orders(venue, target),
        [
            records.settlement_positional(t, mine, era)
            for t in [*lists.incoming, *lists.outgoing]
        ],
    ]


def show_limits(venue: Venue, target: Target) -> Json:
    """Return the account's counterparty limits."""
    era = venue.options.era
    return [records.limit_record(r, era) for r in venue.relations(target.account.id)]


def _show_mutual(venue: Venue, target: Target) -> Json:
    return [records.mutual_record(r) for r in venue.relations(target.account.id)]


def _show_global(venue: Venue, target: Target) -> Json:
    known = venue.limits.worldwide.get(target.account.id, {})
    return [records.global_record(limit) for limit in known.values()]


def show_requests(venue: Venue, target: Target) -> list[Any]:
    """Return `[incoming, outgoing]` settlement requests."""
    mine, era = target.account.id, venue.options.era
    lists = venue.clearing.requests_of(mine)
    return [[records.request_record(r, mine, era) for r in part] for part in lists]


def show_transactions(venue: Venue, target: Target) -> list[Any]:
    """Return `[incoming, outgoing]` settlement transactions."""
    mine = target.account.id
    lists = venue.clearing.transactions_of(mine)
    return [[records.transaction_record(t, mine) for t in part] for part in lists]


def _show_n(venue: Venue, target: Target) -> Json:
    first = venue.next_deal_id if venue.options.era is Era.OLD else 0
    return [first, *show_transactions(venue, target)]


FEEDS: Final[dict[str, Feed]] = {
    "I": Feed(_EVER, _ANY, _nothing, _show_instruments),
    "B": Feed(_EVER, _ANY, _instrument),
    "F": Feed(_EVER, _ANY, _firm),
    "MD": Feed(frozenset({Era.NEW}), _ANY - {Role.MAKER}, _view_only),
    "O": Feed(_SINCE_MIDDLE, _ANY, _instrument_filter, _show_orders),
    "K": Feed(_SINCE_MIDDLE, _ANY, _currency_filter, _show_k),
    "S": Feed(_SINCE_MIDDLE, _ANY, _currency_filter, _show_settlements),
    "P": Feed(_EVER, _ANY, _nothing, show_everything),
    "L": Feed(_EVER, _ANY, _nothing, show_limits),
    "R": Feed(_EVER, _ANY, _nothing, show_requests),
    "N": Feed(_EVER, _ANY, _nothing, _show_n),
    "G": Feed(frozenset({Era.OLD}), _ANY, _nothing, _show_global),
    "M": Feed(frozenset({Era.OLD}), _ANY, _nothing, _show_mutual),
}
BOOKS: Final = frozenset({"B", "F", "MD"})


def resolve(venue: Venue, account: Account, letter: object, feed_id: object) -> Target:
    """Check a bind: 102 unknown feed, 3 not allowed, 103 or 34 bad id."""
    feed = FEEDS.get(letter) if isinstance(letter, str) else None
    if feed is None or venue.options.era not in feed.eras:
        raise Refused(Code.NO_SUCH_FEED)
    if Right.READ not in account.rights or account.role not in feed.roles:
        raise Refused(Code.NOT_AUTHORISED)
    rules = venue.options.rules
    closed = {
        (Role.TAKER, "B"): not rules.takers_may_bind_b,
        (Role.MAKER, "F"): not rules.makers_may_bind_f,
    }
    if closed.get((account.role, str(letter))):
        raise Refused(Code.NOT_AUTHORISED)
    return feed.target(venue, account, feed_id)


def _pair(record: Json, *, incoming: bool) -> list[Any]:
    return [[record], []] if incoming else [[], [record]]


def _request_news(news: News, era: Era) -> list[Any]:
    request = news.body
    record = records.request_record(request, news.account, era)
    return _pair(record, incoming=request.asker == news.account)


def _transaction_news(news: News, _: Era) -> list[Any]:
    payment = news.body
    record = records.transaction_record(payment, news.account)
    return _pair(record, incoming=payment.receiver == news.account)


def _settlement_news(news: News, era: Era) -> Json:
    shape = records.settlement_deal if news.action == "D" else records.settlement_order
    record = shape(news.body, news.account, era)
    return [record] if era is Era.NEW else record


def payload(venue: Venue, news: News, *, combined: bool) -> Json:
    """Return the data of the message that `news` becomes.

    `combined` is True for feed P, whose settlement orders stay positional (4.3).
    """
    era, rules = venue.options.era, venue.options.rules
    if news.feed == "O" and news.action == "D":
        return records.deal_record(news.body, era, rules)
    if news.feed == "S" and combined:
        return _settlement_news(news, Era.MIDDLE if era is Era.NEW else era)
    return _NEWS[news.feed](news, era)


_NEWS: Final[dict[str, Callable[[News, Era], Any]]] = {
    "I": lambda news, _: records.instrument_record(news.body),
    "C": lambda news, era: records.currency_record(news.body, era),
    "O": lambda news, _: records.order_record(news.body),
    "K": lambda news, era: records.position_record(news.body, era),
    "S": _settlement_news,
    "L": lambda news, era: records.limit_record(news.body, era),
    "M": lambda news, _: records.mutual_record(news.body),
    "G": lambda news, _: records.global_record(news.body),
    "R": _request_news,
    "N": _transaction_news,
}
