"""The commands of `demo --orders`: a seeded mixture of what senders do, and of errors.

Prices, sizes and steps follow the simulated market: BTC-USD trades near 60,000 and
ETH-USD near 3,000, in steps of 0.01 USD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.client import Outcome, Response
from bridge.simulators.finery.chance import Chance

TAKER, MAKER = "taker", "maker"
INSTRUMENTS = ("BTC-USD", "ETH-USD")
FORBIDDEN = "LTC-USD"
PRICES = {"BTC-USD": 60_000, "ETH-USD": 3_000}
UNIT, CENT = 10**8, 10**6
LARGEST_E8 = 10 * UNIT
DESKS = 8  # senders, each with a key of its own
MOST_RESTING = 12
HOUR_MS = 3_600_000

Content = Mapping[str, Any] | str
READS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("instruments", {}),
    ("positions", {}),
    ("climits", {}),
    ("dealHistory", {"limit": 10}),
    ("book", {"instrument": "BTC-USD", "tradable": True}),
)


class Asked(NamedTuple):
    """One command; `req_id` is given for repeats only."""

    kind: str
    account: str
    method: str
    content: Content
    key: str
    req_id: str | None = None
    not_after_ms: int | None = None


class Mix:
    """Makes commands; what was answered tells it what is in the book."""

    def __init__(self, seed: int, now_ms: Callable[[], int]) -> None:
        """Start; the same seed makes the same choices."""
        self._seeds = Chance(seed)
        self._chance = Chance(seed)
        self._now_ms = now_ms
        self._orders = 0
        self._resting: list[tuple[int, int]] = []
        self._sent: list[tuple[str, Asked]] = []
        self._deck = [make for make, cards in self._kinds() for _ in range(cards)]

    def next(self) -> Asked:
        """Return one command."""
        # Anew for each: what a command draws does not depend on earlier answers.
        self._chance = Chance(self._seeds.bits())
        return self._chance.pick(self._deck)()

    def sent(self, req_id: str, asked: Asked) -> None:
        """Remember what may be repeated."""
        if asked.req_id is None:
            self._sent.append((req_id, asked))

    def answered(self, asked: Asked, final: Response) -> None:
        """Learn which orders rest in the book."""
        if asked.kind in {"limit", "post only"} and final.outcome is Outcome.DONE:
            order, client = final.result["orderId"], final.client_order_id
            self._resting.append((order, client or 0))

    def _kinds(self) -> list[tuple[Callable[[], Asked], int]]:
        """Return how often each kind is dealt."""
        return [
            (self._ioc, 20),
            (self._fok, 8),
            (self._market, 14),
            (self._limit, 20),
            (self._post_only, 5),
            (self._mod, 10),
            (self._delete, 9),
            (self._delete_unknown, 2),
            (self._delete_all, 1),
            (self._pending, 3),
            (self._read, 12),
            (self._beyond_policy, 6),
            (self._bad, 6),
            (self._repeat, 6),
            (self._expired, 4),
        ]

    # -- takers

    def _ioc(self) -> Asked:
        """At a price that meets the market, or far from it."""
        meets = self._chance.below(4)
        return self._add("IOC", TAKER, "LIMIT_IOC", away=-5 if meets else 30)

    def _fok(self) -> Asked:
        size = 9 * UNIT if self._chance.below(2) else 0
        return self._add("FOK", TAKER, "LIMIT_FOK", away=-2, size=size)

    def _market(self) -> Asked:
        kind = self._chance.pick(("MARKET_IOC", "MARKET_FOK"))
        asked = self._add("market", TAKER, kind)
        return asked._replace(content={**_fields(asked), "priceE8": None})

    def _pending(self) -> Asked:
        asked = self._add("pending", TAKER, "", away=40)
        content = {k: v for k, v in _fields(asked).items() if k not in {"type", "cod"}}
        return asked._replace(method="pending/add", content=content)

    # -- makers

    def _limit(self) -> Asked:
        return self._add("limit", MAKER, "LIMIT", away=20)

    def _post_only(self) -> Asked:
        """Beside the market, or through it, which the venue rejects."""
        away = self._chance.pick((20, -20))
        return self._add("post only", MAKER, "POST_ONLY", away=away)

    def _mod(self) -> Asked:
        if not self._resting:
            return self._limit()
        place = self._chance.below(len(self._resting))
        order, _ = self._resting.pop(place)
        price = self._price("BTC-USD", 0, 30)
        content = {"orderId": order, "priceE8": price, "sizeE8": self._size()}
        return self._asked("mod", MAKER, "mod", content)

    def _delete(self) -> Asked:
        if not self._resting:
            return self._limit()
        order, client = self._resting.pop(self._chance.below(len(self._resting)))
        by_order = {"orderId": order}
        by_client = {"clientOrderId": client} if client else by_order
        return self._asked(
            "del", MAKER, "del", self._chance.pick((by_order, by_client))
        )

    def _delete_unknown(self) -> Asked:
        number = 10**15 + self._chance.below(10**9)
        return self._asked("del unknown", MAKER, "del", {"orderId": number})

    def _delete_all(self) -> Asked:
        self._resting.clear()
        return self._asked("delAll", MAKER, "delAll", {})

    # -- the rest

    def _read(self) -> Asked:
        method, content = self._chance.pick(READS)
        account = self._chance.pick((TAKER, MAKER)) if method != "book" else TAKER
        return self._asked("read", account, method, content)

    def _beyond_policy(self) -> Asked:
        """What the topic's policy refuses: instrument, size, or method."""
        asked = self._add("beyond policy", TAKER, "MARKET_IOC")
        fields = {**_fields(asked), "priceE8": None}
        limit = {"counterpartyId": 41, "currency": "USD", "grossLimitE8": 1}
        return self._chance.pick(
            (
                asked._replace(content={**fields, "instrument": FORBIDDEN}),
                asked._replace(content={**fields, "sizeE8": LARGEST_E8 + 1}),
                asked._replace(method="setCLimit", content=limit),
            )
        )

    def _bad(self) -> Asked:
        """Content that no venue should see."""
        asked = self._add("bad content", TAKER, "LIMIT_IOC", away=1)
        fields = _fields(asked)
        return self._chance.pick(
            (
                asked._replace(content='{"instrument":'),
                asked._replace(content='{"instrument":"BTC-USD","size":0.1}'),
                asked._replace(content={**fields, "volumeE8": UNIT}),
                asked._replace(content={**fields, "priceE8": fields["priceE8"] + 1}),
                asked._replace(content={**fields, "sizeE8": -1}),
                asked._replace(content={**fields, "type": "LIMIT"}),
                asked._replace(content={**fields, "instrument": "NO-SUCH"}),
            )
        )

    def _repeat(self) -> Asked:
        """The same reqId and content again, as a nervous sender does."""
        if not self._sent:
            return self._read()
        recent = self._sent[-200:]
        req_id, asked = self._chance.pick(recent)
        return asked._replace(kind="repeat", req_id=req_id)

    def _expired(self) -> Asked:
        asked = self._add("expired", TAKER, "LIMIT_IOC", away=-5)
        late = self._now_ms() - 1 - self._chance.below(HOUR_MS)
        return asked._replace(not_after_ms=late)

    # -- parts

    def _add(
        self, kind: str, account: str, order: str, away: int = 0, size: int = 0
    ) -> Asked:
        """Make an order `away` percent from the market; negative is through it."""
        instrument = self._chance.pick(INSTRUMENTS)
        side = self._chance.below(2)
        self._orders += 1
        own = self._chance.below(3) > 0  # else the bridge derives the id
        content = {
            "instrument": instrument,
            "clientOrderId": 10**12 + self._orders if own else None,
            "priceE8": self._price(instrument, side, away),
            "sizeE8": size or self._size(),
            "side": ("BID", "ASK")[side],
            "type": order,
            "cod": False,
        }
        return self._asked(kind, account, "add", content)

    def _price(self, instrument: str, side: int, away: int) -> int:
        percent = 100 + (away if side else -away)
        cents = PRICES[instrument] * percent + self._chance.below(100)
        return cents * CENT

    def _size(self) -> int:
        return self._chance.between(1, 50) * UNIT // 1000

    def _asked(
        self, kind: str, account: str, method: str, content: Mapping[str, Any]
    ) -> Asked:
        desk = f"desk-{self._chance.below(DESKS)}"
        return Asked(kind, account, method, content, desk)


def _fields(asked: Asked) -> dict[str, Any]:
    return dict(asked.content) if not isinstance(asked.content, str) else {}
