"""The values that cross between senders, the log and the envelopes' Avro records."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from bridge.core.orders import Entry, Trading

COMMAND = "finery.Command"
RESPONSE = "finery.Response"
CONTROL = "feedbridge.Control"
SUBSCRIPTION = "feedbridge.Subscription"

# A typed record of a union: its name without the namespace, and its fields.
Typed: TypeAlias = tuple[str, Mapping[str, Any]]
# What a command asks with: JSON text, or a typed record by the names of the schema.
Content: TypeAlias = str | Typed


class Unfit(Exception):
    """Parameters of a command that cannot be sent: what was seen, and where."""

    def __init__(self, text: str, where: str = "") -> None:
        """Keep the facts; `where` is the name of the parameter, if it is one."""
        super().__init__(f"{where}: {text}" if where else text)
        self.text = text
        self.where = where


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a response shows beside its entry.

    `result` is a typed value (branch, values) of the schema's union; without one the
    entry's `body` goes out as JSON text. `error_name` names the entry's `venue_error`.
    """

    result: tuple[int, Any] | None = None
    error_name: str = ""
    error_param: str = ""
    retriable: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A response as it was read; `result` is typed, JSON text, or nothing."""

    entry: Entry
    partition: int
    result: str | Typed | None = None
    error_name: str = ""
    error_param: str = ""
    retriable: bool = False


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may do from now on; `at_ms` is Unix time."""

    account: str
    state: Trading
    halt_cancels: bool = False
    reason: str = ""
    by: str = ""
    at_ms: int = 0


class DesiredState(IntEnum):
    """Whether a subscription is wanted; the order is the Avro enum's."""

    WANTED = 0
    UNWANTED = 1
    UNKNOWN = 2


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a subscription at run time; `at_ms` is Unix time.

    `options` is a JSON object as text, empty for none.
    """

    source: str
    subscription: str
    state: DesiredState
    options: str = ""
    reason: str = ""
    by: str = ""
    at_ms: int = 0

    @property
    def key(self) -> str:
        """Return the record's key on its topic."""
        return f"{self.source}/{self.subscription}"


class Request(NamedTuple):
    """A command to write; `not_after_ms` is the deadline, None for the default one."""

    req_id: str
    method: str
    account: str
    content: Content
    not_after_ms: int | None = None
