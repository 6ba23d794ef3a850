"""The commands of the chaos tests: a seeded mixture of what senders do, and of errors.

What the judge must be able to tell apart, the mixture keeps apart: each order has a
client order id of its own, and instruments that are cleared by `delAll` rest before it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

TRADED = ("BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD")
CLEARED = tuple(f"T{number:03}-USD" for number in range(10, 20))
CENT, UNIT = 10**6, 10**8
MOST_RESTING = 80  # what is on its way counts
REST_MS = 4_000  # above the blur that a lookup allows for two clocks
SIDES = ("bid", "ask")
RECORDS = {"add": "Add", "mod": "Mod", "del": "Del", "delAll": "DelAll"}
NAMES = {"price": "priceE8", "size": "sizeE8"}
WORDS = {"bid": "BID", "ask": "ASK", "limit": "LIMIT", "limitIOC": "LIMIT_IOC"}


class Target(NamedTuple):
    """An order that rests in the book, as far as the sender knows."""

    order_id: int
    client_id: int
    price: int


class Asked(NamedTuple):
    """One command to send; content that is no mapping is sent as it is."""

    kind: str
    method: str
    content: Mapping[str, Any] | str
    req_id: str
    key: str
    patience_ms: int | None = None
    typed: bool = False

    def written(self) -> str | tuple[str, Mapping[str, Any]]:
        """Return the content as JSON, or as the record of the method."""
        if isinstance(self.content, str):
            return self.content
        if not self.typed or self.method not in RECORDS:
            return json.dumps(self.content)
        fields = {NAMES.get(k, k): v for k, v in self.content.items()}
        enums = {k: WORDS[v] for k, v in fields.items() if k in {"side", "type"}}
        return RECORDS[self.method], {**fields, **enums}


class Final(NamedTuple):
    """What the sender learns: the outcome, and the order that it made."""

    outcome: str | None
    order_id: int | None


@dataclass
class Clearing:
    """One instrument on its way: some orders, a rest, a `delAll`, and again."""

    instrument: str
    waiting: int = 0
    adds: int = 0
    rested_ms: int = 0


class Mix:
    """Makes commands; the same seed makes the same choices."""

    def __init__(self, seed: int, prices: Mapping[str, int]) -> None:
        """`prices` are about where each instrument trades."""
        self._chance = random.Random(seed)
        self._prices = prices
        self._number = 0
        self._resting: list[Target] = []
        self._sent: list[Asked] = []
        self._open: dict[str, tuple[Asked, Target | None]] = {}
        self._clearings = [Clearing(name) for name in CLEARED]
        self._cleared_by: dict[str, Clearing] = {}
        self._deck = [make for make, count in self._kinds() for _ in range(count)]

    def next(self, now_ms: int) -> Asked:
        """Return one command."""
        asked = self._clear(now_ms) if self._chance.random() < 0.06 else None
        asked = asked or self._chance.choice(self._deck)()
        if asked.kind not in {"repeat", "reused"}:
            self._sent.append(asked)
        return asked

    def answered(self, req_id: str, final: Final, now_ms: int) -> None:
        """Learn what is in the book; repeats tell nothing new."""
        if clearing := self._cleared_by.pop(req_id, None):
            clearing.waiting -= 1
            clearing.rested_ms = now_ms + REST_MS
        asked, target = self._open.pop(req_id, (None, None))
        if asked is None:
            return
        if final.outcome == "DONE" and final.order_id and asked.method != "del":
            content = dict(asked.content)  # type: ignore[arg-type] # orders have fields
            client_id = content.get("clientOrderId", 0)
            made = Target(final.order_id, client_id, content["price"])
            self._resting.append(made)
        elif target and final.outcome in {"REFUSED", "EXPIRED", "NO_TRACE"}:
            self._resting.append(target)  # for all we know, it is still there

    def _kinds(self) -> list[tuple[Callable[[], Asked], int]]:
        return [
            (self._limit, 22),
            (self._ioc, 12),
            (self._mod, 14),
            (self._delete, 18),
            (self._delete_unknown, 2),
            (self._read, 8),
            (self._bad, 5),
            (self._repeat, 6),
            (self._reused, 2),
            (self._expired, 2),
            (self._hurried, 5),
        ]

    # -- orders

    def _limit(self) -> Asked:
        if len(self._resting) + len(self._open) >= MOST_RESTING:
            return self._delete() if self._resting else self._ioc()
        instrument = self._chance.choice(TRADED)
        cod = self._chance.random() < 0.1
        asked = self._add("limit", instrument, "limit", away=40, cod=cod)
        self._open[asked.req_id] = (asked, None)
        return asked

    def _ioc(self) -> Asked:
        """Through the market, or too far from it."""
        away = self._chance.choice((-10, 30, 30))
        return self._add("ioc", self._chance.choice(TRADED), "limitIOC", away=away)

    def _mod(self) -> Asked:
        if not self._resting:
            return self._limit()
        target = self._take()
        content = {
            "orderId": target.order_id,
            "price": target.price + CENT,
            "size": self._size(),
            "clientOrderId": self._client_order_id(),
        }
        return self._aimed("mod", content, target)

    def _delete(self) -> Asked:
        if not self._resting:
            return self._limit()
        target = self._take()
        content = {"orderId": target.order_id}
        if target.client_id and self._chance.random() < 0.4:
            content = {"clientOrderId": target.client_id}
        return self._aimed("del", content, target)

    def _delete_unknown(self) -> Asked:
        number = 10**15 + self._chance.randrange(10**12)
        return self._asked("del unknown", "del", {"orderId": number})

    def _clear(self, now_ms: int) -> Asked | None:
        """Go on with one of the instruments that are cleared."""
        clearing = self._chance.choice(self._clearings)
        if clearing.waiting or now_ms < clearing.rested_ms:
            return None
        if clearing.adds < 2:
            clearing.adds += 1
            asked = self._add("to clear", clearing.instrument, "limit", away=40)
        else:
            clearing.adds = 0
            what = {"instrument": clearing.instrument}
            asked = self._asked("clear", "delAll", what)
        clearing.waiting += 1
        self._cleared_by[asked.req_id] = clearing
        return asked

    # -- what must not be sent, or not twice

    def _read(self) -> Asked:
        book = {"instrument": "BTC-USD", "tradable": True}
        reads: tuple[tuple[str, dict[str, Any]], ...] = (
            ("instruments", {}),
            ("positions", {}),
            ("book", book),
        )
        method, content = self._chance.choice(reads)
        return self._asked("read", method, content)

    def _bad(self) -> Asked:
        asked = self._add("bad", "BTC-USD", "limitIOC", away=1)
        fields = dict(asked.content)  # type: ignore[arg-type] # orders have fields
        bad: list[tuple[str, object]] = [
            ("add", {**fields, "size": -1}),
            ("add", {**fields, "price": fields["price"] + 1}),
            ("add", {**fields, "instrument": "NO-SUCH"}),
            ("setCLimit", {"counterpartyId": 41, "currency": "USD", "grossLimit": 1}),
            ("add", None),
        ]
        method, content = self._chance.choice(bad)
        text = json.dumps(content) if content else '{"instrument":'
        return asked._replace(method=method, content=text, typed=False)

    def _repeat(self) -> Asked:
        """The same again, soon or late, as a nervous sender does."""
        if not self._sent:
            return self._read()
        recent = self._sent[-self._chance.choice((3, 30, 300)) :]
        return self._chance.choice(recent)._replace(kind="repeat", patience_ms=None)

    def _reused(self) -> Asked:
        """A `reqId` of before with another order: never to be sent."""
        if not self._sent:
            return self._read()
        old = self._chance.choice(self._sent[-100:])
        asked = self._add("reused", "BTC-USD", "limit", away=40)
        return asked._replace(req_id=old.req_id, key=old.key)

    def _expired(self) -> Asked:
        asked = self._add("expired", "BTC-USD", "limitIOC", away=-5)
        return asked._replace(patience_ms=-self._chance.randrange(1, 60_000))

    def _hurried(self) -> Asked:
        """With a deadline that may pass at any step."""
        away = self._chance.choice((-10, 30))
        asked = self._add("hurried", "ETH-USD", "limitIOC", away=away)
        return asked._replace(patience_ms=self._chance.randrange(5, 400))

    # -- parts

    def _add(
        self, kind: str, instrument: str, order: str, away: int, *, cod: bool = False
    ) -> Asked:
        """Make an order `away` percent from the market; negative is through it."""
        side = self._chance.randrange(2)
        percent = 100 + (away if side else -away)
        content: dict[str, Any] = {
            "instrument": instrument,
            "price": self._prices[instrument] * percent // 100 // CENT * CENT,
            "size": self._size(),
            "side": SIDES[side],
            "type": order,
            "cod": cod,
        }
        own = self._chance.random() < 0.6  # else the bridge derives one
        if own:
            content["clientOrderId"] = self._client_order_id()
        return self._asked(kind, "add", content)

    def _aimed(self, method: str, content: Mapping[str, Any], target: Target) -> Asked:
        asked = self._asked(method, method, content)
        self._open[asked.req_id] = (asked, target)
        return asked

    def _asked(self, kind: str, method: str, content: Mapping[str, Any]) -> Asked:
        self._number += 1
        desk = f"desk-{self._chance.randrange(16)}"
        typed = self._chance.random() < 0.5
        req_id = f"r{self._number}"
        return Asked(kind, method, content, req_id, desk, typed=typed)

    def _take(self) -> Target:
        return self._resting.pop(self._chance.randrange(len(self._resting)))

    def _size(self) -> int:
        return self._chance.randint(1, 50) * UNIT // 1000

    def _client_order_id(self) -> int:
        self._number += 1
        return 10**12 + self._number
