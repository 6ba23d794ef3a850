"""The values of the order path: what crosses between log, rules and venue.

A command becomes a `Command` or a `Refused`. A record of the response partition is an
`Entry`, read back in the order of the log, which decides everything. What the claims
decide leaves as `Act`s. Wall times are Unix ms, `_ns` is a clock that never steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import msgspec


class Kind(StrEnum):
    """What a method touches; the source of each is in the venue's table of methods."""

    READ = "read"
    ORDER = "order"
    RISK = "risk"
    SETTLEMENT = "settlement"
    RELATION = "relation"


class Lane(IntEnum):
    """Who goes first on the connection: cancels, then queries, then all else."""

    CANCEL = 0
    QUERY = 1
    NEW = 2


class Phase(IntEnum):
    """What a response record says about its command; the order is the Avro enum's."""

    CLAIMED = 0
    DOUBT = 1
    FINAL = 2
    CORRECTION = 3
    UNKNOWN = 4


class Outcome(IntEnum):
    """How a command ended; the order is the Avro enum's."""

    DONE = 0
    REJECTED = 1
    REFUSED = 2
    EXPIRED = 3
    NO_TRACE = 4
    UNRESOLVED = 5
    UNKNOWN = 6


class Evidence(IntEnum):
    """What an outcome rests on; the order is the Avro enum's."""

    REPLY = 0
    RECONCILED = 1
    LOCAL = 2
    UNKNOWN = 3


class Trading(IntEnum):
    """What an account may do; the order is the Avro enum's."""

    ACTIVE = 0
    REDUCING = 1
    HALTED = 2
    UNKNOWN = 3


class Key(NamedTuple):
    """What a `reqId` is unique within: its command topic and account."""

    topic: str
    account: str
    req_id: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command that passed all checks; `params` are the venue's own parameters.

    `order_id` is the client order id that identifies the order at the venue (the
    sender's or a derived one; 0 where the method makes no order). `needs_claim` is
    False for methods that may be asked twice. `not_after_ms` is the deadline.
    """

    key: Key
    partition: int
    offset: int
    method: str
    kind: Kind
    lane: Lane
    params: Mapping[str, Any]
    order_id: int
    needs_claim: bool
    not_after_ms: int
    received_ms: int
    reply_to: str = ""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is refused before anything is sent; `code` is stable.

    `key` parts are empty where they could not be read; without a `req_id` there is no
    response, only a dead letter. `outcome` is REFUSED or EXPIRED.
    """

    key: Key
    partition: int
    offset: int
    method: str
    code: str
    text: str
    received_ms: int
    outcome: Outcome = Outcome.REFUSED
    retriable: bool = False
    reply_to: str = ""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue answered to request `number`.

    `error` 0 is success. `gone` is True for the special answer to a replacement: the
    old order was removed and the new one not placed. `result` is the JSON text.
    """

    number: int
    error: int = 0
    meaning: str = ""
    param: str = ""
    gone: bool = False
    result: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a final response says; `venue_error` 0 means that the venue named none."""

    outcome: Outcome
    code: str
    text: str
    evidence: Evidence
    venue_error: int = 0
    venue_meaning: str = ""
    body: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the response partition, as it stands in the log.

    `epoch` names one assignment of the partition to one worker, so a worker that lost
    the partition and got it back treats its own old claims as foreign. `request` is the
    JSON of what a claim wants to send, so that a successor can resolve it.
    """

    key: Key
    phase: Phase
    command_offset: int
    method: str = ""
    worker: str = ""
    epoch: str = ""
    order_id: int = 0
    request: str = ""
    result: Result | None = None
    repeat_of: int | None = None
    connection: str = ""
    received_ms: int = 0
    claimed_ms: int = 0
    sent_ms: int = 0
    answered_ms: int = 0
    reply_to: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An open claim, as resolving it needs it."""

    key: Key
    command_offset: int
    method: str
    order_id: int
    request: str
    claimed_ms: int
    sent_ms: int


class Append(msgspec.Struct, frozen=True):
    """Write `entry` to the response partition."""

    entry: Entry


class Issue(msgspec.Struct, frozen=True):
    """Send the command to the venue, unless the connection is down or the time is up.

    `not_after_ns` is the end of the claim's lifetime; it is checked again right before
    the socket write. The answer is `Claims.sent` or `Claims.unsent`.
    """

    command: Command
    not_after_ns: int


class Resolve(msgspec.Struct, frozen=True):
    """Ask the venue what became of a claim; the answer is `Claims.found`."""

    claim: Claim


class Commit(msgspec.Struct, frozen=True):
    """Every command below `offset` has its final record: the group may start there."""

    offset: int


Act = Append | Issue | Resolve | Commit


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue shows of a claim.

    `result` is None where nothing was found; `asked` is False where the venue could not
    be asked. `final` is False where waiting may still bring something to light.
    """

    asked: bool
    result: Result | None = None
    final: bool = True
