"""A venue without sockets, and short ways to act on it."""

from typing import Any

from bridge.simulators.clock import VirtualClock
from bridge.simulators.finery import methods
from bridge.simulators.finery.engine import Kind, Side
from bridge.simulators.finery.feeds import payload
from bridge.simulators.finery.hub import Binding, Hub
from bridge.simulators.finery.options import Era, FineryOptions, Rules
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.refusals import Refused
from bridge.simulators.finery.trading import Ask
from bridge.simulators.finery.venue import Venue
from bridge.simulators.finery.wire import Message
from bridge.simulators.ledger import Ledger

TAKER, MAKER, MASTER, SUB, READER, NOTHING = 7, 8, 9, 10, 11, 12
LP1, LP2, LP3 = 41, 42, 43
START_MS = 1_700_000_000_000
USD = 100_000_000
BTC = 100_000_000
INSTRUMENT = "BTC-USD"


class Stage:
    """A venue with empty books and a clock moved by hand."""

    def __init__(self, era: Era = Era.NEW, instruments: int = 3, **rules: Any) -> None:
        self.now = START_MS
        self.decisions: list[tuple[str, dict[str, Any]]] = []
        options = FineryOptions(era=era, instruments=instruments, rules=Rules(**rules))
        self.venue = Venue(options, lambda: self.now, self._decided)
        self.venue.audience |= {LP1, LP2, LP3}
        self.ledger = Ledger(VirtualClock(0, START_MS))
        self.hub = Hub(self.venue, self.ledger)

    def _decided(self, kind: str, **facts: Any) -> None:
        self.decisions.append((kind, facts))

    def call(self, account: int, method: str, **content: Any) -> Any:
        """Run a request method; `Refused` comes through."""
        call = Call(self.venue, self.venue.accounts[account], content, 1)
        return methods.execute(method, call)

    def refused(self, account: int, method: str, **content: Any) -> Refused:
        """Run a request method that must be refused."""
        try:
            result = self.call(account, method, **content)
        except Refused as refused:
            return refused
        raise AssertionError(f"not refused: {result}")

    def rest(
        self, side: str, price: int, size: int, account: int = LP1, **more: Any
    ) -> int:
        """Put a maker's order into the book; whole dollars and 1e-8 of coins."""
        order = {"instrument": INSTRUMENT, "type": "limit", "side": side, **more}
        reply = self.call(account, "add", price=price * USD, size=size, **order)
        return int(reply["id"])

    def news(self) -> list[tuple[int, str, str, Any]]:
        """Take the news as (account, feed, action, data)."""
        taken, self.venue.news = self.venue.news, []
        return [
            (n.account, n.feed, n.action, payload(self.venue, n, combined=False))
            for n in taken
        ]

    def levels(self) -> list[Any]:
        """Return the global book of the instrument under test."""
        return [list(side) for side in self.hub.global_sight(INSTRUMENT)]


class Tape:
    """A line that keeps what it is sent."""

    def __init__(self, number: int = 1) -> None:
        self.number = number
        self.messages: list[Message] = []

    def emit(self, message: Message, binding: Binding) -> None:
        """Keep a message."""
        binding.sent += 1
        self.messages.append(message)

    def texts(self) -> list[str]:
        """Take the messages as texts."""
        taken, self.messages = self.messages, []
        return [message.text() for message in taken]


def ask(kind: Kind, side: Side, price: int, size: int, **more: Any) -> Ask:
    """Return an order wish in whole dollars."""
    return Ask(INSTRUMENT, kind, side, price=price * USD, size=size, **more)
