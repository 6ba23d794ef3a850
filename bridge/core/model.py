"""The values that cross the seams of feedbridge.

A *binding* is what is asked of a venue (one bind or subscribe). A *subscription* is
what a consumer sees: one sequence of records in one partition of one topic. A binding
feeds one or more subscriptions (binding orders gives `orders` and `deals`).

Events leave a session, in the order in which they must take effect. The hot ones are
msgspec structs: they cost a third of a dataclass and the collector skips them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec

from bridge.core.orders import Reply

Headers = list[tuple[str, str | bytes | None]]
"""The headers of a Kafka record that is to be sent."""


class Action(IntEnum):
    """What a record does to a consumer's state; the order is the Avro enum's."""

    SNAPSHOT = 0
    UPDATE = 1
    ADD = 2
    MODIFY = 3
    REMOVE = 4
    EXECUTE = 5
    REFRESH = 6
    BOUNDARY = 7
    UNKNOWN = 8


class State(IntEnum):
    """Where a subscription stands; the order is the Avro enum's."""

    BINDING = 0
    SNAPSHOT_BEGIN = 1
    LIVE = 2
    STALE = 3
    GAP = 4
    REFUSED = 5
    ENDED = 6
    UNKNOWN = 7


class Operation(IntEnum):
    """How a book level changes; the order is the Avro enum's."""

    INSERT = 0
    SET = 1
    DELETE = 2
    CUT_TOP = 3


class Reason(StrEnum):
    """Why a boundary or a dead letter was written; stable, listed in the docs."""

    # boundaries
    CONNECTED = "CONNECTED"
    RESUBSCRIBED = "RESUBSCRIBED"
    SNAPSHOT = "SNAPSHOT"
    FRESH = "FRESH"
    SILENT = "SILENT"
    SOURCE_TIME_OLD = "SOURCE_TIME_OLD"
    VENUE_DOWN = "VENUE_DOWN"
    CONTRADICTION = "CONTRADICTION"
    UNREADABLE = "UNREADABLE"
    MISSING_TICKS = "MISSING_TICKS"
    CONNECTION_LOST = "CONNECTION_LOST"
    KAFKA_SLOW = "KAFKA_SLOW"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    VENUE_REFUSED = "VENUE_REFUSED"
    UNANSWERED = "UNANSWERED"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    STOPPED = "STOPPED"
    MOVED = "MOVED"
    ROTATED = "ROTATED"
    # dead letters
    NOT_JSON = "NOT_JSON"
    NOT_A_MESSAGE = "NOT_A_MESSAGE"
    TOO_SHORT = "TOO_SHORT"
    WRONG_TYPE = "WRONG_TYPE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNKNOWN_FEED = "UNKNOWN_FEED"
    UNKNOWN_ACTION = "UNKNOWN_ACTION"
    UNKNOWN_SUBSCRIPTION = "UNKNOWN_SUBSCRIPTION"
    NOT_A_DECIMAL = "NOT_A_DECIMAL"
    VENUE_ERROR = "VENUE_ERROR"
    UNEXPECTED = "UNEXPECTED"


class Now(NamedTuple):
    """The present on both clocks: Unix time and a clock that never steps."""

    wall_ns: int
    mono_ns: int


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One sequence of records, as a consumer sees it.

    `stream` names schema and topic (`finery.book.tradable`). `partition_key` is hashed
    with murmur2 into the partition; `key` is the Kafka key of records that name no
    other; `constants` are the strings that follow `connection` in the schema.
    """

    source: str
    name: str
    stream: str
    key: str
    partition_key: str
    feed_id: str = ""
    constants: tuple[str, ...] = ()


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to ask of a venue, and the subscriptions that it feeds.

    `request` is the venue's own argument (feed letter, feed id, ...), read by its
    session alone. `stale_after_ms` is the longest silence; None where silence is
    normal. `channels` are indices into the plan's subscriptions.
    """

    name: str
    request: Mapping[str, Any]
    channels: tuple[int, ...]
    stale_after_ms: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one WebSocket connection shall carry.

    `url` and `options` are the source's: where to connect, the venue's switches.
    """

    source: str
    venue: str
    name: str
    subscriptions: tuple[Subscription, ...]
    bindings: tuple[Binding, ...]
    url: str = ""
    options: Mapping[str, Any] = {}


class Data(msgspec.Struct, frozen=True, gc=False):
    """A record for subscription `channel`: its key and its payload in schema order.

    `key` None means the subscription's own key. Enums in `values` are integers, times
    and prices integers, nested records tuples, arrays sequences of tuples.
    """

    channel: int
    action: int
    key: str | None
    values: tuple[Any, ...]


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A boundary record for subscription `channel`."""

    channel: int
    state: State
    reason: Reason
    detail: str = ""
    lost: int | None = None


class Send(msgspec.Struct, frozen=True, gc=False):
    """A text frame for the venue."""

    text: str


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """A frame for the dead-letter topic; `channel` where it is known."""

    channel: int | None
    reason: Reason
    error: str
    raw: bytes


class Close(msgspec.Struct, frozen=True, gc=False):
    """Give the connection up: `refused` True means that a person must act."""

    reason: Reason
    detail: str
    refused: bool = False


class Note(msgspec.Struct, frozen=True, gc=False):
    """A change of state worth one log line: an event name and its facts."""

    event: str
    facts: Mapping[str, Any]


Event = Data | Mark | Send | Unreadable | Close | Note | Reply
Events = Sequence[Event]


class Tally(msgspec.Struct):
    """Where every received frame went; the four sum up to the frames received."""

    data: int = 0
    control: int = 0
    unreadable: int = 0
    discarded: int = 0

    @property
    def frames(self) -> int:
        """Return how many frames were classified."""
        return self.data + self.control + self.unreadable + self.discarded


class Handshake(NamedTuple):
    """What to send to open one WebSocket connection; never logged as a whole."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()


class Closed(NamedTuple):
    """How a connection ended: close code (1006 where there was none) and a sentence."""

    code: int
    detail: str


class Receiver(Protocol):
    """What a transport calls, always on the event loop, never re-entrantly."""

    def on_frame(self, data: bytes, received_ns: int) -> None:
        """Take one whole message, fragments joined, stamped in Unix ns."""

    def on_chunk_end(self) -> None:
        """Note that no more frames of this read follow: the batch boundary."""


class Transport(Protocol):
    """One open WebSocket connection."""

    def send(self, text: str) -> None:
        """Queue one text frame; does nothing on a closed connection."""

    def pause(self) -> None:
        """Stop reading the socket; pings to the venue go on."""

    def resume(self) -> None:
        """Read on."""

    async def close(self) -> None:
        """Close with code 1000; give up and abort after the close time-out."""

    def abort(self) -> None:
        """Drop the connection at once, without a close frame."""

    async def wait_closed(self) -> Closed:
        """Wait for the end, whoever caused it; never raises for network errors."""


class BoundaryFields(NamedTuple):
    """The boundary record in schema order."""

    state: int
    reason: str
    detail: str
    lost: int | None


class Encoder(Protocol):
    """Turns one stream's events into Avro bodies; made by `core.codec`.

    `prefix` is made once a connection and subscription; `encode` is a plain function.
    """

    empty: tuple[Any, ...]
    encode: Callable[
        [bytes, int, int, int, BoundaryFields | None, tuple[Any, ...]], bytes
    ]

    def prefix(self, constants: Sequence[str]) -> bytes:
        """Return wire header and the leading strings: source, subscription, ..."""
