"""What a venue is to the rest of feedbridge: streams, plans and sessions, all pure.

Calling rules of a `Session`, one for each connection attempt, all calls from one loop:

1. `handshake` is called first, once; the transport connects with what it returns.
2. A refused upgrade goes to `refused`; nothing else is called after that.
3. After the upgrade `opened` is called once, then `receive` for every message and
   `tick` about ten times a second, in any order.
4. `lost`, `cut` and `heal` report what happened on the Kafka side.
5. `drop` lets single bindings go, at any time, also before `opened`. They are out for
   the life of the session: no later call marks, binds or describes them again, and
   what the venue still sends of them is counted as discarded or, an answer, as control.
6. `stop` (planned) or `closed` (unplanned) comes last and ends every sequence.

Every call returns events in the order in which they must take effect. No call raises,
whatever a venue sends: what cannot be read becomes `Unreadable`. `tally` classifies
every frame passed to `receive` exactly once. Only the events of `receive` can be
`Data` for a frame; `tick` may return `Data` for refreshes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from typing_extensions import override

from bridge.core.forms import Forms, Steps
from bridge.core.model import Events, Handshake, Now, Plan, Reason, Tally
from bridge.core.orders import Claim, Finding, Kind, Lane, Reply, Result
from bridge.errors import VenueError


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of subscription that a venue offers.

    `name` is its topic without the venue (`book.tradable`); `schema` the record's full
    name (`finery.Book`); `takes` tells what stands behind the colon of a subscription
    name ("instrument", "currency", "index", "" for nothing); `key` says in words what
    the Kafka key is; `stale_after_ms` is the default rhythm, None where silence is
    normal; `guarantee` is one sentence for `feedbridge check`. `bindable` is False for
    streams that come along with another one (`deals` with `orders`). `weight` is how
    heavy one binding is beside others: about the records a second that it brings in
    busy times, 1 for lists and for all that says less; `weights` has the feed ids
    that differ.
    """

    name: str
    schema: str
    takes: str
    key: str
    guarantee: str
    stale_after_ms: int | None = None
    bindable: bool = True
    weight: int = 1
    weights: Mapping[str, int] = {}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a source's `subscriptions`: `book.tradable:BTC-USD`, with options.

    `label` tells apart two subscriptions of the same name (`book.viewonly:BTC-USD#a`);
    `options` are the venue's own (`makers`, `client_id`, `instrument_id`, ...).
    """

    stream: str
    feed_id: str = ""
    label: str = ""
    stale_after_ms: int | None = None
    options: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """Return the subscription's name as consumers see it."""
        name = f"{self.stream}:{self.feed_id}" if self.feed_id else self.stream
        return f"{name}#{self.label}" if self.label else name


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A configured account at a venue, without its secrets.

    `part` names the share of the account that this is, "" for all of it. It ends the
    name of every plan (`books-1@7`), so that no two workers use the same.
    """

    name: str
    venue: str
    url: str
    wanted: tuple[Wanted, ...]
    options: Mapping[str, Any] = {}
    part: str = ""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A login; its repr shows nothing."""

    key: str
    secret: str

    @override
    def __repr__(self) -> str:
        """Hide both parts."""
        return "Credentials(***)"


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is given from outside: login, chance and nonces."""

    credentials: Credentials
    chance: Callable[[], float]
    nonce: Callable[[], int]
    refresh_s: float = 30.0
    options: Mapping[str, Any] = {}


class Session(Protocol):
    """One connection's conversation with a venue; see the module for the rules."""

    tally: Tally

    def handshake(self, now: Now) -> Handshake:
        """Return URL, headers and sub-protocols, signed afresh."""

    def refused(self, status: int, body: bytes) -> VenueError:
        """Turn a failed upgrade into VenueRefused or VenueUnreachable."""

    def opened(self, now: Now) -> Events:
        """Start the conversation."""

    def receive(self, data: bytes, received_ns: int) -> Events:
        """Take one message; `received_ns` is Unix time."""

    def tick(self, now: Now) -> Events:
        """Let time pass: staleness, deadlines, refreshes, application pings."""

    def lost(self, channel: int, count: int, now: Now, detail: str) -> Events:
        """Records of a subscription will never reach Kafka: gap, rebind."""

    def cut(self, now: Now) -> Events:
        """Let every binding go, since Kafka has been slow for too long."""

    def heal(self, now: Now) -> Events:
        """Kafka takes records again: announce the gaps, bind everything."""

    def drop(self, names: Collection[str], reason: Reason) -> Events:
        """End the sequences of these bindings alone: unbinds, then ENDED marks.

        A name that is unknown or was dropped before is ignored; a binding that was
        never begun has nothing to end.
        """

    def stop(self, reason: Reason) -> Events:
        """End every sequence on purpose: unbinds, then ENDED marks."""

    def closed(self, detail: str) -> Events:
        """End every sequence of a lost connection: GAP and ENDED marks."""

    def positions(self) -> Mapping[str, int]:
        """Return the last good source time in ms by binding name, for the next session.

        It is handed over as `Context.options["resume"]`; empty where a venue has none.
        """

    def describe(self, now: Now) -> Sequence[Mapping[str, Any]]:
        """Return a JSON-ready mapping a binding: name, phase, age, top of book."""


class Venue(Protocol):
    """A venue's folder, as the rest of the program sees it: one entry of `VENUES`."""

    name: str
    streams: Mapping[str, Stream]

    def problems(self, source: Source) -> Sequence[str]:
        """List what is wrong with the subscriptions, each with what to do."""

    def unusable(self, source: Source, credentials: Credentials) -> Sequence[str]:
        """List why this login cannot be sent, without showing it."""

    def plans(self, source: Source) -> Sequence[Plan]:
        """Group the subscriptions into connections; `problems` must have been empty."""

    def as_of(self, plan: Plan, now_ms: int) -> Plan:
        """Return a plan with the limits of silence of one moment: some keep hours."""

    def open(self, plan: Plan, context: Context) -> Session:
        """Make the session of one connection attempt."""


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One request method of a venue.

    `lane` says who goes first; `needs_claim` is False where asking twice is harmless.
    `makes_order` is True where a client order id travels with it (`clientOrderId`).
    `source` is the page that describes it.
    """

    name: str
    kind: Kind
    lane: Lane
    needs_claim: bool
    makes_order: bool
    source: str


class Lookup(Protocol):
    """Finds out what became of one claim: asks, reads, and says what it found; pure."""

    def request(self) -> tuple[str, Mapping[str, Any]] | None:
        """Return the next method and parameters to ask with; None when done."""

    def answer(self, reply: Reply) -> None:
        """Take the answer to the last request."""

    def finding(self) -> Finding:
        """Return what the venue shows; call when `request` returned None."""


class OrderSession(Session, Protocol):
    """A session that also carries requests; replies leave `receive` as `Reply`."""

    @property
    def ready(self) -> bool:
        """Tell whether the venue is up and logged in, so that requests may go out."""

    def request(self, number: int, method: str, params: Mapping[str, Any]) -> Events:
        """Ask; `number` is unique on this connection and comes back in the `Reply`."""


class OrderVenue(Protocol):
    """The order side of a venue: an attribute `orders` of its `VENUE`.

    `listed` are the methods whose orders `positions` lists as long as they rest.
    """

    methods: Mapping[str, Method]
    forms: Forms
    listed: frozenset[str]

    def params(self, method: str, content: Any) -> Mapping[str, Any]:  # noqa: ANN401 - Avro's or JSON
        """Return the parameters in the venue's words; raises Unfit."""

    def typed(self, method: str, body: str) -> tuple[int, Any]:
        """Return branch and value of a reply for the response's result; never fails."""

    def retie(
        self,
        tied: frozenset[int],
        method: str,
        params: Mapping[str, Any],
        result: Result,
    ) -> frozenset[int]:
        """Return which orders end with the connection, after an answer or a look-up.

        An answer of `positions` counts as well; the same object where nothing changes.
        """

    def untouched(self, result: Result) -> bool:
        """Tell whether an accepted order has no deal: removed, it leaves no trace."""

    def steps(self, body: str) -> Mapping[str, Steps]:
        """Return the steps of each instrument; raises SchemaError.

        `body` is the reply of `instruments`.
        """

    def plan(self, source: Source) -> Plan:
        """Return the plan of the order connection, apart from all feeds."""

    def open(self, plan: Plan, context: Context) -> OrderSession:
        """Make the session of one connection attempt."""

    def judge(self, method: str, reply: Reply) -> Result | None:
        """Say what a reply means; None if it leaves the outcome in doubt."""

    def lookup(self, claim: Claim, now_ms: int) -> Lookup:
        """Start finding out what became of a claim."""
