"""One command's way through the log: where it stands, and the records it writes.

    CLAIMING -first in the log-> ISSUED -sent-> SENT -answer-> CLOSING -read-> FINAL
    CLAIMING -another was first-> WAITING; -repeat-> REPEAT
    CLAIMING -refused, too late-> CLOSING
    ISSUED -nothing sent-> CLOSING
    SENT -doubt-> WAITING -time-> ASKING -found, or never answered-> CLOSING
    REPEAT -the first one is final-> CLOSING
    READING (no claim) -answer, nothing sent-> CLOSING

A final record of anybody leads from every stage to FINAL.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

import msgspec

from bridge.core.orders import (
    Act,
    Append,
    Claim,
    Command,
    Entry,
    Evidence,
    Key,
    Outcome,
    Phase,
    Refused,
    Result,
)

MS_NS = 1_000_000
NEVER = (1 << 63) - 1
# A repeat tells the first one's result; longer ones are not kept for the whole window.
KEPT_BODY = 4096


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long each wait is, in milliseconds.

    `lifetime_ms` is how old a claim may be when its command is sent, `margin_ms` covers
    clocks of unequal speed, `settle_ms` how long bytes may be on their way. The venue
    is asked every `ask_every_ms`, at most for `ask_limit_ms`. A key is a repeat within
    `dedup_ms`. What was appended and not read back is appended again after
    `append_retry_ms`, which must exceed the producer's delivery time-out.
    """

    lifetime_ms: int = 3_000
    margin_ms: int = 1_000
    settle_ms: int = 10_000
    ask_limit_ms: int = 120_000
    ask_every_ms: int = 1_000
    dedup_ms: int = 3_600_000
    append_retry_ms: int = 10_000


class Stage(Enum):
    """Where a command stands."""

    CLAIMING = auto()
    READING = auto()
    ISSUED = auto()
    SENT = auto()
    WAITING = auto()
    ASKING = auto()
    REPEAT = auto()
    CLOSING = auto()
    FINAL = auto()


DOUBTABLE = {Stage.READING, Stage.ISSUED, Stage.SENT}


class Case(msgspec.Struct, kw_only=True):
    """One command of the partition, ours or another worker's.

    `record` is the claim that counts: the first in the log where `logged`, else the one
    we want to write. `refusal` is what to answer instead of sending. `due_ns` is when
    time moves it on, `limit_ns` when asking ends. `truth` is what the venue told us,
    `result` the binding one. `since_ns` is when this worker first heard of it.
    `reads` is True for a method that goes without a claim: two answers do no harm.
    """

    record: Entry
    stage: Stage
    since_ns: int
    logged: bool = False
    command: Command | None = None
    refusal: Result | None = None
    repeat_of: int | None = None
    not_after_ns: int = NEVER
    due_ns: int = NEVER
    limit_ns: int = NEVER
    doubted: bool = False
    why: str = ""
    truth: Result | None = None
    result: Result | None = None
    corrected: bool = False
    reads: bool = False

    @property
    def key(self) -> Key:
        """Return the key of the command."""
        return self.record.key

    @property
    def offset(self) -> int:
        """Return the offset of the command."""
        return self.record.command_offset

    @property
    def seen_ms(self) -> int:
        """Return when the key was used, by the record's own word: all read the same."""
        return self.record.claimed_ms or self.record.received_ms

    @property
    def harmless(self) -> bool:
        """Tell whether nothing can have been sent for the claim, whoever wrote it."""
        return self.repeat_of is not None or not self.record.request

    @property
    def claim(self) -> Claim:
        """Return what resolving it needs."""
        r = self.record
        return Claim(
            key=r.key,
            command_offset=r.command_offset,
            method=r.method,
            order_id=r.order_id,
            request=r.request,
            claimed_ms=r.claimed_ms,
            sent_ms=r.sent_ms,
        )


def request_of(command: Command) -> str:
    """Return what a claim wants to send, as JSON; never empty."""
    return msgspec.json.encode(command.params).decode()


def first_record(said: Command | Refused, now_ms: int) -> Entry:
    """Return a claim, without its writer; an empty `request` claims a refusal."""
    order = said if isinstance(said, Command) else None
    return Entry(
        key=said.key,
        phase=Phase.CLAIMED,
        command_offset=said.offset,
        method=said.method,
        order_id=order.order_id if order else 0,
        request=request_of(order) if order else "",
        received_ms=said.received_ms,
        claimed_ms=now_ms,
        reply_to=said.reply_to,
    )


def local(outcome: Outcome, code: str, text: str) -> Result:
    """Return a result that rests on our own knowledge."""
    return Result(outcome=outcome, code=code, text=text, evidence=Evidence.LOCAL)


def no_trace(why: str) -> Result:
    """Return the result of a search that found nothing after the settling time."""
    seen = f" ({why})" if why else ""
    return Result(
        outcome=Outcome.NO_TRACE,
        code="NO_TRACE",
        text=f"no answer{seen}; the venue shows neither a live order nor a deal",
        evidence=Evidence.RECONCILED,
    )


def nameless(offset: int) -> Refused:
    """Return the refusal of a record that names nobody to answer."""
    return Refused(
        key=Key("", "", ""),
        partition=-1,
        offset=offset,
        method="",
        code="",
        text="",
        received_ms=0,
    )


def refusal_of(refused: Refused) -> Result:
    """Return a refusal as a result."""
    return local(refused.outcome, refused.code, refused.text)


EXPIRED = local(
    Outcome.EXPIRED, "DEADLINE_PASSED", "the deadline passed; nothing was sent"
)
CLAIM_TOO_OLD = local(
    Outcome.REFUSED,
    "CLAIM_TOO_OLD",
    "the claim was not read back within its lifetime; nothing was sent",
)
NOT_SENT = local(
    Outcome.REFUSED,
    "NOT_SENT",
    "the worker that refused it ended before it said why; nothing was sent",
)
NO_ANSWER = local(
    Outcome.EXPIRED,
    "NO_ANSWER",
    "the deadline passed without an answer; reading changes nothing at the venue",
)
UNRESOLVED = local(
    Outcome.UNRESOLVED,
    "UNRESOLVED",
    "sent or not, the venue could not be asked within the limit; a person must look",
)
FIRST_UNKNOWN = local(
    Outcome.UNRESOLVED,
    "FIRST_UNKNOWN",
    "a repeat, nothing was sent for it; the log no longer shows the first one's end",
)

# Whether an outcome says that the venue did it; the others leave it open.
EXECUTED: Mapping[Outcome, bool] = {
    Outcome.DONE: True,
    Outcome.REJECTED: False,
    Outcome.REFUSED: False,
    Outcome.EXPIRED: False,
    Outcome.NO_TRACE: False,
}

# A look-up of a cancel or of a limit finds a state, whoever made it so. It stays true
# where the venue refused the request, because the order was gone already.
STATES = frozenset({"NOT_ACTIVE", "NONE_LEFT", "LIMIT_AS_ASKED", "NO_LIMIT"})


def contradicts(truth: Result | None, binding: Result) -> bool:
    """Tell whether the venue's word corrects a final record, an open one included."""
    if truth is None or truth.outcome not in EXECUTED:
        return False
    if binding.code in STATES:
        return False
    return EXECUTED.get(binding.outcome) is not EXECUTED[truth.outcome]


def differs(one: Result, other: Result) -> bool:
    """Tell whether two finals say different things; a kept one may lack its body."""
    empty = {"body": ""}
    replace = msgspec.structs.replace
    return replace(one, **empty) != replace(other, **empty)


def is_correction(act: Act) -> bool:
    """Tell whether an act is what a witness may still do."""
    return isinstance(act, Append) and act.entry.phase is Phase.CORRECTION


def kept(result: Result) -> Result:
    """Return what is remembered of a result for the window."""
    if len(result.body) <= KEPT_BODY:
        return result
    return msgspec.structs.replace(result, body="")
