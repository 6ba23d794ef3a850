"""What an order path is given from outside: the seam to the app and to the edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from bridge.core.claims import Claims
from bridge.core.model import Headers, Now
from bridge.core.orders import Command, Entry, Refused
from bridge.core.tallies import Tallies
from bridge.edge.consumer import Message
from bridge.flow.connection import Log
from bridge.flow.desk import Desk
from bridge.flow.trails import Trails


class Poison(Protocol):
    """A record that is no command and gets no response."""

    @property
    def reason(self) -> str:
        """Return the stable reason."""

    @property
    def error(self) -> str:
        """Return what is wrong, in a sentence."""


class Parts(NamedTuple):
    """What the order path of one topic is given.

    `read` checks one record completely. `encode` and `decode` speak the response
    schema; `send` queues bytes for a response topic, partition and key. `bury` writes a
    dead letter. `epoch` makes a new name for each assignment. `seen` is told of every
    record that is read back. `tallies` counts what is answered. `trails` knows the
    trace of each command.
    """

    topic: str
    responses: str
    now: Callable[[], Now]
    log: Log
    read: Callable[[Message, Now], Command | Refused | Poison]
    claims: Callable[[str], Claims]
    epoch: Callable[[], str]
    encode: Callable[[Entry, int], bytes]
    decode: Callable[[bytes], Entry]
    send: Callable[[str, int, str, bytes, Now, Headers | None], None]
    bury: Callable[[Message, Poison, Now], None]
    seen: Callable[[Entry, Now], None]
    desks: Mapping[str, Desk]
    tallies: Tallies
    trails: Trails
    dedup_ms: int
    dry_run: bool
    release_wait_s: float


class GroupPort(Protocol):
    """The consumer group of the command topic."""

    def start(self, topic: str, partition: int, offset: int | None) -> None:
        """Begin at an offset; None is the oldest record."""

    def taken(self, message: Message) -> None:
        """Note that a message was taken over."""

    def commit(self, topic: str, partition: int, offset: int) -> None:
        """Commit in the background."""

    def release(self, topic: str, partition: int) -> None:
        """Let a revoked partition go."""


class JournalPort(Protocol):
    """The reader of the response partitions."""

    def follow(self, topic: str, partition: int, from_ms: int | None) -> None:
        """Read from a time on, and go on reading."""

    def unfollow(self, topic: str, partition: int) -> None:
        """Stop reading."""
