"""Why a command is refused: one table of stable codes, with what to tell whom.

`docs/errors.md` holds the same table for people; a test compares the two. A sender may
send a retriable command again as it is, under a new `reqId`. Facts are cut before they
stand in a text, and no code has a fact that could be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from bridge.core.orders import Command, Outcome, Refused

_SHOWN = 60  # characters of a value that a text repeats
_BITS = 256  # of an integer that a text repeats
_LONG = {"known": 400, "error": 400, "expected": 100}  # facts that may be longer


class Poison(msgspec.Struct, frozen=True):
    """A record that is no command: it goes to the dead letters, with no response."""

    reason: PoisonReason
    error: str


class PoisonReason(StrEnum):
    """Why a record of a command topic is no command."""

    NULL_VALUE = "NULL_VALUE"
    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    NOT_A_COMMAND = "NOT_A_COMMAND"
    NO_REQ_ID = "NO_REQ_ID"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One code: the text for the sender, and what to do.

    `text` is a template of facts. `dead_letter` is True where the record itself goes to
    the dead letters, too, since it could not be read.
    """

    text: str
    todo: str
    retriable: bool = False
    outcome: Outcome = Outcome.REFUSED
    dead_letter: bool = False


def _no(text: str, todo: str) -> Refusal:
    return Refusal(text=text, todo=todo)


def _later(text: str, todo: str) -> Refusal:
    return Refusal(text=text, todo=todo, retriable=True)


REFUSALS: Mapping[str, Refusal] = {
    # The envelope.
    "UNREADABLE": Refusal(
        text="the record is no readable command: {error}",
        todo="Write `finery.Command` with the schema that is registered.",
        dead_letter=True,
    ),
    "REQ_ID_INVALID": _no(
        "reqId has {length} characters, or some that cannot be printed; use 1 to 64",
        "Use 1 to 64 printable characters.",
    ),
    "FIELD_INVALID": _no(
        "{field} is {seen}; expected {expected}",
        "Correct the field of the command that the text names.",
    ),
    "ACCOUNT_UNKNOWN": _no(
        "account {account} is not served on this topic",
        "Name one of the topic's accounts (`commands.TOPIC.accounts`).",
    ),
    "REPLY_TO_NOT_ALLOWED": _no(
        "replyTo {topic} is not allowed on this topic",
        "Leave the header out, or add the topic to `commands.TOPIC.reply_to`.",
    ),
    "METHOD_NOT_ALLOWED": _no(
        "method {method} is not allowed on this topic",
        "Add the method or its class to `commands.TOPIC.methods`; by default, only "
        "reading is allowed.",
    ),
    "DEADLINE_PASSED": Refusal(
        text="the deadline passed {late} ms ago; nothing was sent",
        todo="Send it anew if it is still wanted; look for delays between sender and "
        "bridge, and at both clocks.",
        outcome=Outcome.EXPIRED,
    ),
    "DEADLINE_TOO_FAR": _no(
        "notAfter is {ahead} ms ahead; at most {most} are allowed",
        "Give a nearer `notAfter`, or raise `commands.TOPIC.max_deadline_ms`.",
    ),
    # The content.
    "CONTENT_INVALID": _no(
        "content is not what {method} takes: {error}",
        "Use the content record of the method, or a JSON object of whole numbers, "
        "texts, truth values, lists and objects.",
    ),
    "PARAMETER_MISSING": _no(
        "{name} is missing; {method} needs it",
        "Add the parameter that the text names.",
    ),
    "PARAMETER_UNKNOWN": _no(
        "{method} has no parameter {name}; it has {known}",
        "Correct or remove the parameter; what nobody checked is not sent with an "
        "order.",
    ),
    "PARAMETER_INVALID": _no(
        "{name} is {seen}; expected {expected}",
        "Correct the parameter that the text names.",
    ),
    "INSTRUMENTS_UNKNOWN": _later(
        "the venue's instruments have not been read yet",
        "Send it again in a moment; if it lasts, look at the order connection.",
    ),
    "INSTRUMENT_UNKNOWN": _no(
        "the venue lists no instrument {instrument}",
        "Correct the name; `feedbridge tail` of the instruments shows all.",
    ),
    "INSTRUMENT_NOT_ALLOWED": _no(
        "{instrument} may not be traded on this topic",
        "Add it to `commands.TOPIC.instruments`. A method that names no instrument "
        "must be named in `commands.TOPIC.methods`.",
    ),
    "NOT_POSITIVE": _no("{name} is {seen}; give more than 0", "Give more than 0."),
    "OFF_STEP": _no(
        "{name} {seen} is no multiple of {step}, the step of its currency",
        "Round to the currency's step; prices and volumes follow the balance "
        "currency's, sizes the asset currency's.",
    ),
    "SIZE_OR_VOLUME": _no(
        "{seen} given; give exactly one of size and volume",
        "Give one of the two.",
    ),
    "PRICE_MISSING": _no(
        "price is missing; an order of type {type} needs it",
        "Give a price, or use a market type.",
    ),
    "ORDER_TYPE_UNKNOWN": _no(
        "{type} is no order type; there are {known}",
        "Correct the type.",
    ),
    "ORDER_TYPE_NOT_FOR_ROLE": _no(
        "the account is a {role}, which may not send {type}",
        "Use a type of the account's role, or correct `finery.NAME.role`.",
    ),
    "VOLUME_NOT_FOR_ROLE": _no(
        "the account is a {role}, which may not order by volume",
        "Give a size instead.",
    ),
    "ORDER_REFERENCE": _no(
        "{seen} given; give exactly one of orderId and clientOrderId",
        "Give one of the two.",
    ),
    "CLIENT_ORDER_ID_INVALID": _no(
        "clientOrderId is {seen}; expected a whole number from 1 to 2^63-1",
        "Correct it, or leave it out: then one is derived from `reqId`.",
    ),
    "DUPLICATE_CLIENT_ORDER_ID": _no(
        "clientOrderId {id} belongs to the command with reqId {req_id}",
        "Use each id once, or leave it out.",
    ),
    "SIZE_TOO_LARGE": _no(
        "size {seen} is above the limit of {most} for one order",
        "Split the order, or raise `max_size_e8`.",
    ),
    "VOLUME_TOO_LARGE": _no(
        "volume {seen} is above the limit of {most} for one order",
        "Split the order, or raise `max_volume_e8`.",
    ),
    "LIMIT_UNMEASURABLE": _no(
        "the limit of {limit} cannot be checked for an order by {given} of this type",
        "Give a limit price, order by the other of size and volume, or set both "
        "limits.",
    ),
    # The state of the account, the connection and the worker.
    "TRADING_HALTED": _no(
        "trading of account {account} is halted",
        "Wait until it is resumed (`feedbridge resume`).",
    ),
    "TRADING_REDUCING": _no(
        "account {account} may only cancel and query",
        "Wait until it is resumed (`feedbridge resume`).",
    ),
    "TRADING_STATE_UNKNOWN": _later(
        "the trading state of account {account} has not been read yet",
        "Send it again in a moment; if it lasts, look at the control topic.",
    ),
    "RATE_LIMITED": _later(
        "account {account} has used up its orders for this second",
        "Send fewer orders a second, or raise `commands.TOPIC.orders_per_second`.",
    ),
    "TOO_MANY_REJECTIONS": _later(
        "the venue rejected too many orders of account {account} in a row",
        "Find out why; new orders pass again after `rejection_pause_s`.",
    ),
    "LANE_FULL": _later(
        "too many commands of account {account} wait for the connection",
        "Send more slowly, or raise `commands.TOPIC.max_waiting`.",
    ),
    "NO_CONNECTION": _later(
        "account {account} has no connection to the venue; nothing was sent",
        "Send it again once the connection is back; orders are never kept for then.",
    ),
    "RESPONSES_BLOCKED": _later(
        "responses cannot be written at the moment; nothing was sent",
        "Look at the brokers; send it again once they take records.",
    ),
    "CLAIM_TOO_OLD": _later(
        "the claim was not read back within its lifetime; nothing was sent",
        "Send it again; if it recurs, look at the brokers, or raise "
        "`commands.TOPIC.claim_lifetime_ms`.",
    ),
    "NOT_SENT": _later(
        "the worker that refused it ended before it said why; nothing was sent",
        "Send it again.",
    ),
}


class Refusing(Exception):
    """A check does not hold: its code and the facts of its text."""

    def __init__(self, code: str, **facts: object) -> None:
        """Keep `code`, a name of `REFUSALS`, and the facts that its text names."""
        super().__init__(code)
        self.code = code
        self.facts = facts


def text_of(code: str, facts: Mapping[str, object]) -> str:
    """Return the sentence of a code, long facts cut in the middle."""
    cut = {name: shown(fact, _LONG.get(name, _SHOWN)) for name, fact in facts.items()}
    return REFUSALS[code].text.format_map(cut)


def is_retriable(code: str) -> bool:
    """Tell whether a command that ended with `code` may be sent again as it is."""
    return code in REFUSALS and REFUSALS[code].retriable


def shown(value: object, most: int = _SHOWN) -> str:
    """Return a value as a text may repeat it: printable, and cut in the middle."""
    if isinstance(value, int) and value.bit_length() > _BITS:
        return "a number of very many digits"
    if value is not None and not isinstance(value, str | int):
        return f"a {type(value).__name__}"
    text = str(value)
    text = text if text.isprintable() else ascii(text)
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def refuse(command: Command, code: str, **facts: object) -> Refused:
    """Return the refusal of a command that passed the checks of `core.commands`."""
    found = REFUSALS[code]
    return Refused(
        key=command.key,
        partition=command.partition,
        offset=command.offset,
        method=command.method,
        code=code,
        text=text_of(code, {"account": command.key.account, **facts}),
        received_ms=command.received_ms,
        outcome=found.outcome,
        retriable=found.retriable,
        reply_to=command.reply_to,
    )
