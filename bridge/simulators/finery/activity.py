"""What the demo accounts do by themselves, so that every account feed has news."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bridge.simulators.clock import VirtualClock
from bridge.simulators.finery import methods
from bridge.simulators.finery.accounts import MARKET_MAKERS, MARKET_TAKERS
from bridge.simulators.finery.catalogue import UNIT
from bridge.simulators.finery.chance import Chance
from bridge.simulators.finery.engine import Order
from bridge.simulators.finery.hub import Hub
from bridge.simulators.finery.market import Pace
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.refusals import Refused
from bridge.simulators.finery.venue import Venue
from bridge.simulators.finery.wire import Json

TAKER: Final = 7
MAKER: Final = 8
_TICK_MS: Final = 50
_LIMIT: Final = 1_000_000_000 * UNIT
_KEPT: Final = 4
_NEWCOMER: Final = "DEMO-USD"


class Activity:
    """Runs through a list of account events, `desk_rate` of them a second."""

    def __init__(
        self, venue: Venue, hub: Hub, clock: VirtualClock, chance: Chance
    ) -> None:
        """Act at `venue` as the demo accounts and their counterparties."""
        self._venue = venue
        self._hub = hub
        self._clock = clock
        self._chance = chance
        self._turn = 0
        self.acts: tuple[Callable[[], object], ...] = (
            self._take,
            self._rest,
            self._wait,
            self._announce,
            self._take,
            self._give_up,
            self._ask,
            self._confirm,
            self._take,
            self._cap,
            self._withdraw,
            self._revalue,
            self._forget,
            self._list,
        )

    def open(self) -> None:
        """Set limits with every counterparty and do each act once."""
        for owner in (TAKER, MAKER):
            for other in (*MARKET_MAKERS, *MARKET_TAKERS):
                self._set_limit(owner, other)
                self._set_limit(other, owner)
            for currency in ("USD", "BTC"):
                limit = {"currency": currency, "netLimit": _LIMIT, "grossLimit": _LIMIT}
                self._do(owner, "setLimit", **limit)
        for act in (self._rest, self._wait, self._announce, self._ask, self._take):
            act()
        self._hub.publish()

    def step(self) -> None:
        """Do the next act."""
        self.acts[self._turn % len(self.acts)]()
        self._turn += 1
        self._hub.publish()

    async def run(self) -> None:
        """Go on for ever."""
        pace = Pace(self._venue.options.desk_rate, self._clock.now_ms())
        while True:
            await self._clock.sleep(_TICK_MS / 1000)
            for _ in range(pace.due(self._clock.now_ms())):
                self.step()

    def _do(self, account: int, method: str, **content: Json) -> Json:
        call = Call(self._venue, self._venue.accounts[account], content, 0)
        try:
            return methods.execute(method, call)
        except Refused:
            return None

    def _take(self) -> None:
        name = self._instrument()
        side = self._chance.pick(("bid", "ask"))
        size = self._small(name)
        self._do(TAKER, "add", instrument=name, type="marketIOC", side=side, size=size)

    def _rest(self) -> None:
        """Let the demo maker quote far from the middle, and drop its oldest order."""
        self._drop_oldest(MAKER, "del")
        name = self._instrument()
        price = self._far(name)
        size = self._small(name)
        order = {"instrument": name, "side": "bid", "price": price, "size": size}
        self._do(MAKER, "add", type="limit", **order)

    def _wait(self) -> None:
        """Let the demo taker keep a few pending orders."""
        self._drop_oldest(TAKER, "pending/del")
        name = self._instrument()
        order = {"instrument": name, "side": "bid", "price": self._far(name)}
        self._do(TAKER, "pending/add", size=self._small(name), **order)

    def _announce(self) -> None:
        for sender, receiver in ((41, TAKER), (TAKER, 42), (41, MAKER), (MAKER, 42)):
            payment = {"counterpartyId": receiver, "currency": "USD", "comment": "demo"}
            self._do(
                sender,
                "addOutgoingSettlementTransaction",
                amount=self._chance.between(1, 500) * UNIT,
                network="SWIFT",
                **payment,
            )

    def _confirm(self) -> None:
        for payment in list(self._venue.clearing.transactions.values()):
            number = {"transactionId": payment.order_id}
            hash_ = f"demo{payment.order_id:x}"
            self._do(payment.sender, "sendSettlementTransaction", txId=hash_, **number)
            method = "commitIncomingSettlementTransaction"
            self._do(payment.receiver, method, **number)

    def _give_up(self) -> None:
        """Take back one payment that a demo account announced."""
        known = self._venue.clearing.transactions.values()
        ours = [t for t in known if t.sender in {TAKER, MAKER}]
        if ours:
            payment = self._chance.pick(ours)
            self._do(
                payment.sender,
                "delOutgoingSettlementTransaction",
                transactionId=payment.order_id,
            )

    def _ask(self) -> None:
        for asker, payer in ((TAKER, 42), (41, TAKER), (MAKER, 42), (41, MAKER)):
            self._do(
                asker,
                "addIncomingSettlementRequest",
                counterpartyId=payer,
                currency="BTC",
                comment="demo",
                network="BTC",
            )

    def _withdraw(self) -> None:
        for request in list(self._venue.clearing.requests.values()):
            self._do(
                request.asker, "delIncomingSettlementRequest", requestId=request.id
            )

    def _cap(self) -> None:
        other = self._chance.pick(MARKET_MAKERS)
        for owner in (TAKER, MAKER):
            self._set_limit(owner, other, self._chance.between(1, 99))

    def _forget(self) -> None:
        """Remove a limit altogether and set it again, for `-` and `+` on feed L."""
        for owner in (TAKER, MAKER):
            self._do(owner, "delCLimit", counterpartyId=43)
            self._do(43, "delCLimit", counterpartyId=owner)
            self._set_limit(owner, 43)
            self._set_limit(43, owner)

    def _revalue(self) -> None:
        known = self._venue.catalogue.currencies["BTC"]
        change = self._chance.between(-50, 50) * UNIT
        self._venue.revalue("BTC", max(known.valuation + change, UNIT))

    def _list(self) -> None:
        """List a newcomer, or delist it."""
        if _NEWCOMER in self._venue.catalogue.instruments:
            self._venue.remove_instrument(_NEWCOMER)
        else:
            self._venue.add_instrument(_NEWCOMER)

    def _set_limit(self, owner: int, other: int, more: int = 0) -> None:
        limit = {"counterpartyId": other, "currency": "USD"}
        self._do(owner, "setCLimit", grossLimit=_LIMIT + more * UNIT, **limit)

    def _drop_oldest(self, account: int, method: str) -> None:
        live: list[Order] = list(self._venue.live.get(account, {}).values())
        if len(live) > _KEPT:
            self._do(account, method, orderId=live[0].id)

    def _instrument(self) -> str:
        listed = [n for n in self._venue.catalogue.instruments if n != _NEWCOMER]
        return self._chance.pick(listed)

    def _far(self, name: str) -> int:
        step = self._venue.catalogue.price_step(name)
        fair = self._venue.catalogue.fair_price(name)
        return max(fair * 8 // 10 // step, 1) * step

    def _small(self, name: str) -> int:
        pair = self._venue.catalogue.instruments[name]
        asset = self._venue.catalogue.currencies[pair.asset]
        worth = self._chance.between(100, 900) * UNIT * UNIT // asset.valuation
        return max(worth // asset.step, 1) * asset.step
