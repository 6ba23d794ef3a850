"""One account's side of the order path: its connection, state, rate and instruments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, cast

from bridge.app.parts import Parts
from bridge.core.backoff import Backoff
from bridge.core.envelopes import Control
from bridge.core.forms import Steps
from bridge.core.model import Handshake, Now, Plan, Receiver, Transport
from bridge.core.orders import (
    Command,
    Evidence,
    Finding,
    Issue,
    Key,
    Kind,
    Lane,
    Outcome,
    Result,
    Trading,
)
from bridge.core.policy import Breaker, Rate, refusal_in
from bridge.core.refusals import refuse
from bridge.edge.websocket import connect
from bridge.errors import SchemaError
from bridge.flow.connection import Connection, Log
from bridge.flow.desk import Desk, Waits
from bridge.flow.lease import FOREVER_NS, Lease
from bridge.flow.pacer import Clock
from bridge.venues.base import OrderSession, OrderVenue, Session, Source

INSTRUMENTS = "instruments"
POSITIONS = "positions"
REFRESH_NS = 60_000_000_000
ASK_NS = 10_000_000_000
MS_NS = 1_000_000
# Nothing to match, or what a post-only order must not match: the market's answer, which
# says nothing against the sender. Source: Finery docs, list of error codes, 75 to 77.
UNMATCHED = frozenset({"VENUE_75", "VENUE_76", "VENUE_77"})


class Guards(NamedTuple):
    """What may stop a new order at the moment of sending."""

    rate: Rate
    breaker: Breaker
    answer_timeout_ms: int
    settle_ms: int
    max_waiting: int
    user_timeout_ms: int


class Account:
    """Judges commands by the moment, and keeps what the account's state depends on.

    It is a shelf of its own for two questions: which instruments there are, and which
    orders still rest, if any would end with the connection.
    """

    def __init__(
        self, source: Source, venue: OrderVenue, parts: Parts, guards: Guards
    ) -> None:
        """Nothing is known before the control topic and the venue were read."""
        self.source = source
        self.name = source.name
        self.plan: Plan = venue.plan(source)
        self.control: Control | None = None
        self.control_read = False
        self.instruments: Mapping[str, Steps] | None = None
        waits = Waits(guards.answer_timeout_ms, guards.settle_ms, guards.max_waiting)
        self.desk = Desk(venue, source.name, waits, self, parts.log)
        self.venue = venue
        self._parts = parts
        self._guards = guards
        self._ask_at_ns = {INSTRUMENTS: 0, POSITIONS: 0}
        self._unread = ""
        self.user_timeout_ms = guards.user_timeout_ms

    # -- what a command meets

    def moment(self, command: Command, now: Now) -> str | None:
        """Return the code that refuses a command now; None if it may go on."""
        if self.desk.session is None:
            return "NO_CONNECTION"
        if self._parts.orders_blocked():
            return "RESPONSES_BLOCKED"
        if code := self._state_code(command.lane):
            return code
        if not _guarded(command):
            return None
        if not self._guards.breaker.closed(now.mono_ns):
            return "TOO_MANY_REJECTIONS"
        return None if self._guards.rate.take(now.mono_ns) else "RATE_LIMITED"

    def heard(self, command: Command, result: Result, now: Now) -> None:
        """Let the breaker count what the venue answers to new orders."""
        if not _guarded(command) or result.code in UNMATCHED:
            return
        if result.outcome is Outcome.REJECTED:
            self._guards.breaker.rejected(now.mono_ns)
        else:
            self._guards.breaker.accepted()

    def halt_unread(self, error: str) -> None:
        """Stop new orders: a state was written that cannot be read."""
        self.control = Control(
            account=self.name, state=Trading.UNKNOWN, reason=f"unreadable: {error}"
        )

    def _state_code(self, lane: Lane) -> str | None:
        if not self.control_read:
            return refusal_in(None, lane)
        control = self.control
        if control is None:  # the topic has been read: nobody has ever halted it
            return None
        return refusal_in(control.state, lane, halt_cancels=control.halt_cancels)

    def last_look(self, command: Command, now: Now) -> Result | None:  # noqa: ARG002 - flow.desk.Keeper
        """Right before the socket write: only the trading state may have changed."""
        code = self._state_code(command.lane)
        if code is None:
            return None
        text = refuse(command, code).text
        return Result(
            outcome=Outcome.REFUSED, code=code, text=text, evidence=Evidence.LOCAL
        )

    # -- what is asked again and again

    def tick(self, now: Now) -> None:
        """Let time pass: the desk, and the questions that are due."""
        self.desk.tick(now)
        if self.desk.session is None:
            return
        self._ask(INSTRUMENTS, now)
        if self.desk.tied:
            self._ask(POSITIONS, now)

    def _ask(self, method: str, now: Now) -> None:
        if now.mono_ns >= self._ask_at_ns[method]:
            until_ns = self._ask_at_ns[method] = now.mono_ns + ASK_NS
            self.desk.issue(Issue(self._question(method, now), until_ns), self, now)

    def _question(self, method: str, now: Now) -> Command:
        now_ms = now.wall_ns // MS_NS
        return Command(
            key=Key("", self.name, method),
            partition=-1,
            offset=-1,
            method=method,
            kind=Kind.READ,
            lane=Lane.QUERY,
            params={},
            order_id=0,
            needs_claim=False,
            not_after_ms=now_ms + ASK_NS // MS_NS,
            received_ms=now_ms,
        )

    def answered(self, key: Key, result: Result, now: Now) -> None:
        """Ask again in a minute, or soon if the instruments do not fit.

        What positions say of the orders is the desk's.
        """
        if result.outcome is not Outcome.DONE:
            return
        if key.req_id == POSITIONS or self._learn(result.body):
            self._ask_at_ns[key.req_id] = now.mono_ns + REFRESH_NS

    def _learn(self, body: str) -> bool:
        """Take the instruments, or keep those that are known; said once."""
        try:
            self.instruments, self._unread = self.venue.steps(body), ""
        except SchemaError as error:
            if not self._unread:
                self._parts.log(
                    "instruments_unread",
                    level="warning",
                    account=self.name,
                    why=str(error),
                )
            self._unread = str(error)
        return not self._unread

    def sent(self, key: Key, connection: str, now: Now) -> None:
        """Nothing to note: asking twice is harmless."""

    def unsent(self, key: Key, result: Result, now: Now) -> None:
        """Nothing to note: it is asked again."""

    def doubt(self, key: Key, why: str, now: Now) -> None:
        """Nothing to note: it is asked again."""

    def took(self, key: Key, now: Now) -> None:
        """Nothing to note: a read places no order."""

    def late(self, key: Key, result: Result, now: Now) -> None:
        """Take a late answer as well as one in time."""
        self.answered(key, result, now)

    def found(self, key: Key, finding: Finding, now: Now) -> None:
        """Nothing to note: nothing is looked up for this question."""


def _guarded(command: Command) -> bool:
    """Tell whether rate and breaker are for this command: new orders and the like."""
    return command.lane is Lane.NEW and command.kind is not Kind.READ


class OrderParts:
    """What the feed loop of an order connection is given; see `flow.feed.Parts`.

    It shares the worker's parts, but neither the pause nor the cut of the feeds: a slow
    book never delays an order. Nor do its connections have the lease of the shares: no
    other worker writes their sequences, and the claims decide what may be sent.
    """

    def __init__(self, parts: Parts, account: Account, user_timeout_ms: int) -> None:
        """Serve one account."""
        self.clock: Clock = parts.clock
        self.log: Log = parts.log
        self._parts = parts
        self._account = account
        self._user_timeout_ms = user_timeout_ms
        self._lease = Lease(FOREVER_NS, parts.clock.now)

    def session(self, plan: Plan, resume: Mapping[str, int]) -> Session:
        """Make the session of one attempt, its secrets read afresh."""
        context = self._parts.context(self._account.source, resume)
        return self._account.venue.open(plan, context)

    def connection(self, plan: Plan, session: Session) -> Connection:
        """Make the connection of one attempt."""
        return self._parts.connection(plan, session, self._lease)

    async def may_connect(self) -> None:
        """Connect at any time."""

    def joined(self, connection: Connection, _now: Now) -> None:
        """Let the desk use the connection."""
        self._parts.welcomed.add(connection.plan.source)
        self._parts.order_connections.add(connection)
        self._account.desk.joined(connection)

    def welcome(self, source: str) -> bool:
        """Tell whether the venue has ever let this account in."""
        return self._parts.welcome(source)

    def left(self, connection: Connection) -> str:
        """What was in flight is in doubt; tell which orders end with it."""
        self._parts.order_connections.discard(connection)
        return self._account.desk.left(self.clock.now())

    def may_take_over(self, old: Connection, new: Connection) -> str:  # noqa: ARG002 - flow.feed_parts.Parts
        """Return what the end of `old` would cost now, or what `new` still lacks."""
        session = cast("OrderSession", new.session)
        lacks = "" if session.ready else "the new connection is not ready yet"
        return self._account.desk.business(self.clock.now()) or lacks

    def backoff(self) -> Backoff:
        """Make the reconnect delays of the connection."""
        return self._parts.backoff()

    async def connect(self, handshake: Handshake, receiver: Receiver) -> Transport:
        """Open a transport that gives unacknowledged bytes up in time."""
        options = replace(
            self._parts.transport_options(),
            user_timeout_ms=self._user_timeout_ms,
            accepted_subprotocols=handshake.subprotocols[:1],
        )
        return await connect(handshake, receiver, options)
