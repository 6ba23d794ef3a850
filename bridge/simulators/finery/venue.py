"""The state of the simulated venue, and the news that its changes make.

Pure: no socket, no await; the time comes in as a function. Whatever changes leaves
`News` for the account feeds and marks books whose sight may have changed; the hub
takes both and publishes them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from bridge.simulators.finery.accounts import Account, Role, demo_accounts
from bridge.simulators.finery.catalogue import Catalogue, Instrument
from bridge.simulators.finery.clearing import Clearing
from bridge.simulators.finery.engine import Book, Fill, Kind, Order, Side, Steps
from bridge.simulators.finery.limits import Limits, Relation
from bridge.simulators.finery.options import FineryOptions
from bridge.simulators.finery.positions import Positions
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.wire import Json

EVERYBODY: Final = 0
_KEPT_DEALS: Final = 100_000
_FIRST_ORDER_ID: Final = 48_221_000_000
_FIRST_DEAL_ID: Final = 1_864_000


class News(NamedTuple):
    """One change for the feed `feed` of `account`; `names` are what filters match."""

    account: int
    feed: str
    action: str
    body: Any
    names: tuple[str, ...] = ()


class Deal(NamedTuple):
    """One party's record of a deal; each deal exists twice, with one id (13, 10)."""

    order: Order
    moment: int
    id: int
    aggressor: int
    price: int
    size: int
    volume: int
    counterparty: int
    taker: int
    maker: int
    linked: int = 0
    kind: int = 0
    source: int = 0
    delta: int = 0


Decide = Callable[..., None]
"""Writes a decision into the ledger: a kind and its facts."""


class Venue:
    """Everything the venue knows; the order rules are in `trading`."""

    def __init__(
        self, options: FineryOptions, now_ms: Callable[[], int], decide: Decide
    ) -> None:
        """Open with the demo accounts, empty books and no limits."""
        self.options = options
        self.decide = decide
        self._now_ms = now_ms
        self.catalogue = Catalogue(options.instruments)
        self.accounts = demo_accounts()
        self.audience = {a.id for a in self.accounts.values() if a.key}
        self.positions = Positions()
        self.limits = Limits(self.catalogue)
        self.clearing = Clearing()
        self.books: dict[str, Book] = {}
        self.live: dict[int, dict[int, Order]] = {}
        self.orders: dict[int, Order] = {}
        self.pending: dict[str, dict[int, Order]] = {}
        self.resting: Counter[tuple[int, str, int]] = Counter()
        self.client_ids: set[tuple[int, int]] = set()
        self.deals: dict[int, deque[Deal]] = {}
        self.next_deal_id = _FIRST_DEAL_ID
        self._next_order_id = _FIRST_ORDER_ID
        self.news: list[News] = []
        self.dirty: set[str] = set()
        for instrument in self.catalogue.instruments.values():
            self._open_book(instrument)

    def now_ms(self) -> int:
        """Return the venue's time; in whole seconds where the rules say so."""
        now = self._now_ms()
        return now // 1000 * 1000 if self.options.rules.whole_seconds else now

    def order_id(self) -> int:
        """Return the next order id; settlement orders share the sequence (10.1)."""
        self._next_order_id += 1
        return self._next_order_id

    def deal_id(self) -> int:
        """Return the next deal id; settlements and transactions share it (10.1)."""
        number = self.next_deal_id
        self.next_deal_id += 1
        return number

    def tell(
        self, account: int, feed: str, action: str, body: Json, *names: str
    ) -> None:
        """Leave news for an account, if anybody can log in to it."""
        if account in self.audience or account == EVERYBODY:
            self.news.append(News(account, feed, action, body, names))

    def account(self, number: object) -> Account:
        """Return an account by its id; error 45 where there is none."""
        if not isinstance(number, int) or number not in self.accounts:
            raise Refused(Code.CLIENT_NOT_FOUND)
        return self.accounts[number]

    def acting_for(self, account: Account, number: object) -> Account:
        """Return the account a master acts for (clientId); its own where absent."""
        if number is None or number == account.id:
            return account
        if account.role is not Role.MASTER:
            raise Refused(Code.NOT_AUTHORISED, "clientId")
        found = self.account(number)
        if found.master != account.id:
            raise Refused(Code.NOT_AUTHORISED, "clientId")
        return found

    def keep(self, order: Order) -> None:
        """Register a resting or pending order."""
        self.orders[order.id] = order
        self.live.setdefault(order.account, {})[order.id] = order
        self.resting[order.account, order.instrument, order.side] += 1
        if order.kind == Kind.PENDING:
            self.pending.setdefault(order.instrument, {})[order.id] = order

    def forget(self, order: Order) -> None:
        """Drop an order that is filled or cancelled."""
        del self.orders[order.id], self.live[order.account][order.id]
        self.resting[order.account, order.instrument, order.side] -= 1
        if order.kind == Kind.PENDING:
            del self.pending[order.instrument][order.id]

    def deal(self, incoming: Order, fill: Fill, kind: int = 0) -> Deal:
        """Book one deal on both sides; return the incoming order's record."""
        maker, taker = fill.maker, incoming
        mine = Deal(
            order=replace(incoming),
            moment=self.now_ms(),
            id=self.deal_id(),
            aggressor=incoming.side,
            price=maker.price,
            size=fill.size,
            volume=fill.volume,
            counterparty=maker.account,
            taker=taker.account,
            maker=maker.account,
            kind=kind,
        )
        theirs = mine._replace(order=replace(maker), counterparty=taker.account)
        self._book_deal(mine)
        self._book_deal(theirs)
        self._move_positions(mine)
        return mine

    def move(self, account: int, counterparty: int, currency: str, amount: int) -> None:
        """Change a position on both sides and tell both."""
        with_change = ((account, counterparty), (counterparty, account))
        known = [self.positions.exists(a, c, currency) for a, c in with_change]
        self.positions.move(account, counterparty, currency, amount)
        for (owner, other), before in zip(with_change, known, strict=True):
            self.tell_position(owner, other, currency, existed=before)

    def tell_position(
        self, owner: int, other: int, currency: str, *, existed: bool
    ) -> None:
        """Leave news of one position: added, changed or gone."""
        exists = self.positions.exists(owner, other, currency)
        action = {(False, True): "+", (True, False): "-"}.get((existed, exists), "M")
        position = self.positions.get(owner, other, currency)
        self.tell(owner, "K", action, position, currency)

    def relation(self, account: int, counterparty: int) -> Relation:
        """Describe limits and use between the two, as `account` sees them."""
        positions = self.positions.with_counterparty(account, counterparty)
        return self.limits.relation(account, counterparty, positions)

    def relations(self, account: int) -> list[Relation]:
        """Describe all counterparties that the account has a limit with."""
        return [self.relation(account, c) for c in self.limits.counterparties(account)]

    def seen_by(self, account: Account) -> Callable[[Order], bool] | None:
        """Return which orders are in the account's tradable book; None: all."""
        limits, hidden = self.limits, account.hidden_makers
        if not hidden and all(
            limits.may_trade(account.id, other) for other in self.accounts
        ):
            return None
        return lambda order: (
            order.account not in hidden and limits.may_trade(account.id, order.account)
        )

    def add_instrument(self, name: str) -> Instrument:
        """List a new instrument and tell everybody."""
        made = self.catalogue.add(name)
        self._open_book(made)
        self.tell(EVERYBODY, "I", "+", made)
        return made

    def remove_instrument(self, name: str) -> Instrument:
        """Delist an instrument without orders and tell everybody."""
        gone = self.catalogue.remove(name)
        self.tell(EVERYBODY, "I", "-", gone)
        return gone

    def revalue(self, name: str, valuation: int) -> None:
        """Change a currency's USD valuation and tell everybody on feed C."""
        self.tell(EVERYBODY, "C", "M", self.catalogue.revalue(name, valuation))

    def _open_book(self, instrument: Instrument) -> None:
        steps = Steps(
            self.catalogue.size_step(instrument.name),
            self.catalogue.price_step(instrument.name),
            self.options.rules.volume_rounding,
        )
        self.books.setdefault(instrument.name, Book(steps))

    def _book_deal(self, deal: Deal) -> None:
        owner = deal.order.account
        kept = self.deals.setdefault(owner, deque(maxlen=_KEPT_DEALS))
        if owner in self.audience:
            kept.append(deal)
        self.tell(owner, "O", "D", deal, deal.order.instrument)

    def _move_positions(self, deal: Deal) -> None:
        pair = self.catalogue.instruments[deal.order.instrument]
        sign = 1 if deal.order.side == Side.BID else -1
        owner, other = deal.order.account, deal.counterparty
        self.move(owner, other, pair.asset, sign * deal.size)
        self.move(owner, other, pair.balance, -sign * deal.volume)
        for one, two in ((owner, other), (other, owner)):
            self.tell_limit(one, two, "M")

    def tell_limit(self, owner: int, other: int, action: str) -> None:
        """Leave news of the limits between the two, if there are any."""
        if owner not in self.audience:
            return
        relation = self.relation(owner, other)
        if relation.own or relation.mutual or action == "-":
            self.tell(owner, "L", action, relation)
            self.tell(owner, "M", action, relation)
