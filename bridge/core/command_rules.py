"""What decides about the commands of one topic, and the records they come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from bridge.core.forms import Forms, Params, Steps
from bridge.core.order_ids import OrderIds
from bridge.core.orders import Kind, Lane
from bridge.core.policy import Policy


class Spec(Protocol):
    """What the checks know of a method; `venues.base.Method` is one."""

    @property
    def kind(self) -> Kind:
        """Return what the method touches."""

    @property
    def lane(self) -> Lane:
        """Return who goes first."""

    @property
    def needs_claim(self) -> bool:
        """Return False where asking twice is harmless."""

    @property
    def makes_order(self) -> bool:
        """Return True where a client order id travels with it."""


class _Unlisted(NamedTuple):
    """A method that the venue's table does not have: as careful as an order."""

    kind: Kind = Kind.ORDER
    lane: Lane = Lane.NEW
    needs_claim: bool = True
    makes_order: bool = False


UNLISTED = _Unlisted()


class RawCommand(NamedTuple):
    """A record of a command topic as Kafka has it; `timestamp_ms` -1 is none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides about the commands of one topic.

    `decode` reads a record's bytes, or raises SchemaError. `params` makes the venue's
    parameters of a method from the decoded content, or raises Unfit. `roles` are those
    of the accounts, where known. `instruments` is None until the venue's have been
    read; replace the rules then. `cod` is what is sent where a sender gave none.
    """

    topic: str
    policy: Policy
    methods: Mapping[str, Spec]
    forms: Forms
    decode: Callable[[bytes], Mapping[str, Any]]
    params: Callable[[str, Any], Params]
    order_ids: OrderIds
    roles: Mapping[str, str] = {}
    instruments: Mapping[str, Steps] | None = None
    default_deadline_ms: int = 5_000
    max_deadline_ms: int = 60_000
    max_bytes: int = 64_000
    cod: bool = False
