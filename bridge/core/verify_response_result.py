"""What `verify` takes and finds in a response topic: records, pairs, and a result."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec
from typing_extensions import override

from bridge.core.claims_case import EXECUTED, STATES
from bridge.core.orders import Entry, Outcome

EXAMPLES = 20  # of each kind; all are counted
_SURE = frozenset(outcome.name for outcome in EXECUTED)

T = TypeVar("T")


class Place(NamedTuple):
    """Where a command lies."""

    topic: str
    partition: int
    offset: int

    @override
    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Logged(NamedTuple):
    """One response record as it stands in Kafka; `command` is where its command is."""

    topic: str
    partition: int
    offset: int
    command: Place
    entry: Entry


class Likeness(StrEnum):
    """How a further final compares with the binding one."""

    SAME = "same"
    BOTH_TRUE = "both_true"
    DIFFERS = "differing"


class Final(msgspec.Struct, frozen=True, kw_only=True):
    """A final record; `claimed` is False for a read, which may be asked twice."""

    offset: int
    outcome: str
    code: str
    claimed: bool

    @override
    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.outcome} {self.code} at offset {self.offset}"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A further final of a command beside the binding one."""

    command: str
    req_id: str
    binding: Final
    further: Final
    likeness: Likeness


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was claimed, or is in doubt, and has no final record."""

    command: str
    req_id: str
    account: str
    method: str
    worker: str
    age_s: float
    doubted: bool


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """A record that a person may want to look at."""

    command: str
    req_id: str
    offset: int
    text: str


class ResponseResult(msgspec.Struct, kw_only=True):
    """What was found in one partition of a response topic.

    Everything is counted; the lists keep the first of each kind. `unresolved` are the
    binding finals for which a person must look.
    """

    topic: str
    partition: int
    open_limit_s: float
    records: int = 0
    commands: int = 0
    finals: int = 0
    outcomes: dict[str, int] = msgspec.field(default_factory=dict)
    further: dict[Likeness, int] = msgspec.field(
        default_factory=lambda: dict.fromkeys(Likeness, 0)
    )
    open: int = 0
    open_too_long: int = 0
    corrections: int = 0
    lost_claims: int = 0
    disorder: int = 0
    pairs: list[Pair] = msgspec.field(default_factory=list)
    open_claims: list[Open] = msgspec.field(default_factory=list)
    corrected: list[Remark] = msgspec.field(default_factory=list)
    lost: list[Remark] = msgspec.field(default_factory=list)
    unresolved: list[Remark] = msgspec.field(default_factory=list)
    faults: list[Remark] = msgspec.field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Tell whether every claim was closed in time, once, and truly."""
        differing = self.further[Likeness.DIFFERS]
        return not (
            differing or self.corrections or self.open_too_long or self.disorder
        )

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain | {"complete": self.complete}


def likeness(binding: Final, further: Final) -> Likeness:
    """Tell whether a further final says the same, or is true beside the binding one.

    A read may be answered twice. A look-up finds a state, whoever made it so: that an
    order is gone, and that the venue refused to cancel it, are both true.
    """
    if binding.outcome == further.outcome:
        return Likeness.SAME
    reads = not binding.claimed and not further.claimed
    sure = {binding.outcome, further.outcome} <= _SURE
    state = not STATES.isdisjoint((binding.code, further.code))
    return Likeness.BOTH_TRUE if reads or (state and sure) else Likeness.DIFFERS


def final_of(logged: Logged) -> Final:
    """Return what is kept of a final record, or of a correction."""
    entry, said = logged.entry, logged.entry.result
    return Final(
        offset=logged.offset,
        outcome=(said.outcome if said else Outcome.UNKNOWN).name,
        code=said.code if said else "",
        claimed=entry.claimed_ms > 0,
    )


def remark(logged: Logged, text: str) -> Remark:
    """Return a remark about a record."""
    return Remark(
        command=str(logged.command),
        req_id=logged.entry.key.req_id,
        offset=logged.offset,
        text=text,
    )


def keep(kept: list[T], one: T) -> None:
    """Keep one of the first examples."""
    if len(kept) < EXAMPLES:
        kept.append(one)
