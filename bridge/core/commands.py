"""From a record of a command topic to a command that may be sent, or why it may not.

Everything that can be known before sending is checked here, and only here; what depends
on the moment (trading state, rate, breaker, connection) is in `core.policy`. Nothing
is kept between calls but `Rules.order_ids`, which the caller fills.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from bridge.core.command_rules import UNLISTED, RawCommand, Rules, Spec
from bridge.core.envelope_values import Unfit
from bridge.core.forms import UNKNOWN_ROLE, Form, Trader, check_form, check_order
from bridge.core.order_ids import derived_id
from bridge.core.orders import Command, Key, Kind, Lane, Refused
from bridge.core.plain import check_plain, is_broken
from bridge.core.refusals import REFUSALS, Poison, PoisonReason, Refusing, text_of
from bridge.errors import SchemaError

__all__ = ["RawCommand", "Rules", "Spec", "read_command"]

REQ_ID_MOST = 64
_ECHOED = 1_024  # a longer reqId is not answered: no sender waits for it
_METHOD = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,63}")
_NO_FORM = Form()
_TEXT = "the name of an account"
_NAME = "the name of a method, of A-Z a-z 0-9 / _ . -"


def read_command(
    raw: RawCommand, rules: Rules, now_ms: int
) -> Command | Refused | Poison:
    """Return the command, or why it is refused, or why the record is none at all.

    Where the record cannot be read, but a header `reqId` can, it is refused under that
    id (and the header `account`).
    """
    fields = _decoded(raw, rules)
    poison = fields if isinstance(fields, Poison) else None
    told = _from_headers(raw) if isinstance(fields, Poison) else fields
    req_id = told.get("reqId")
    if not _is_echoed(req_id):
        return poison or Poison(PoisonReason.NO_REQ_ID, "the record has no reqId")
    draft = _Draft(raw, rules, now_ms, req_id)
    try:
        if poison is not None:
            draft.name_account(told.get("account") or "")
            raise Refusing("UNREADABLE", error=poison.error)  # noqa: TRY301
        return draft.command(told)
    except Refusing as no:
        return draft.refused(no)


def _decoded(raw: RawCommand, rules: Rules) -> Mapping[str, Any] | Poison:
    value = raw.value
    if value is None:
        return Poison(PoisonReason.NULL_VALUE, "the record has no value")
    if not value:
        return Poison(PoisonReason.EMPTY, "the record's value has no bytes")
    if len(value) > rules.max_bytes:
        error = f"{len(value)} bytes; at most {rules.max_bytes} are read"
        return Poison(PoisonReason.TOO_LARGE, error)
    try:
        return rules.decode(value)
    except SchemaError as error:
        return Poison(PoisonReason.NOT_A_COMMAND, str(error))


def _from_headers(raw: RawCommand) -> Mapping[str, str | None]:
    return {name: _header(raw, name) for name in ("reqId", "account")}


def _header(raw: RawCommand, name: str) -> str | None:
    """Return the last header of that name as text; None if there is none such."""
    found = [value for header, value in raw.headers if header == name]
    try:
        return found[-1].decode() if found and found[-1] is not None else None
    except UnicodeDecodeError:
        return None


def _is_echoed(req_id: object) -> TypeGuard[str]:
    """Tell whether a response under this id could reach whoever waits for it."""
    return (
        isinstance(req_id, str) and 0 < len(req_id) <= _ECHOED and not is_broken(req_id)
    )


class _Draft:
    """A command while it is checked: what is known of it so far, for a refusal."""

    def __init__(self, raw: RawCommand, rules: Rules, now_ms: int, req_id: str) -> None:
        self._raw = raw
        self._rules = rules
        self._now_ms = now_ms
        self._key = Key(raw.topic, "", req_id)
        self._method = ""
        self._reply_to = ""

    def refused(self, no: Refusing) -> Refused:
        """Return the refusal, with all that is known."""
        found = REFUSALS[no.code]
        return Refused(
            key=self._key,
            partition=self._raw.partition,
            offset=self._raw.offset,
            method=self._method,
            code=no.code,
            text=text_of(no.code, no.facts),
            received_ms=self._now_ms,
            outcome=found.outcome,
            retriable=found.retriable,
            reply_to=self._reply_to,
        )

    def command(self, fields: Mapping[str, Any]) -> Command:
        """Check everything, in an order that lets a refusal name what it can."""
        self.name_account(fields.get("account"))
        self._name_reply()
        _check_req_id(self._key.req_id)
        if self._key.account not in self._rules.policy.accounts:
            raise Refusing("ACCOUNT_UNKNOWN", account=self._key.account)
        spec = self._spec(fields.get("method"))
        not_after = self._deadline(fields.get("notAfter"))
        params = self._params(fields.get("content"))
        return self._made(spec, not_after, self._checked(spec, params))

    def name_account(self, account: object) -> None:
        """Take the account, as it was written; none means a topic's only one."""
        accounts = self._rules.policy.accounts
        if not account and len(accounts) == 1:
            (account,) = accounts
        if not isinstance(account, str) or not _is_echoed(account or "-"):
            raise _wrong("account", account, _TEXT)
        self._key = self._key._replace(account=account)

    def _name_reply(self) -> None:
        if not any(name == "replyTo" for name, _ in self._raw.headers):
            return
        topic = _header(self._raw, "replyTo")
        if topic not in self._rules.policy.reply_to:
            raise Refusing("REPLY_TO_NOT_ALLOWED", topic=topic)
        self._reply_to = topic

    def _spec(self, method: object) -> Spec:
        if not isinstance(method, str) or not _METHOD.fullmatch(method):
            raise _wrong("method", method, _NAME)
        self._method = method
        spec = self._rules.methods.get(method)
        if not self._rules.policy.allows(method, spec.kind if spec else None):
            raise Refusing("METHOD_NOT_ALLOWED", method=method)
        return spec or UNLISTED

    def _deadline(self, not_after: object) -> int:
        if not_after is None:
            sent = self._raw.timestamp_ms
            start = sent if 0 <= sent <= self._now_ms else self._now_ms
            not_after = start + self._rules.default_deadline_ms
        if type(not_after) is not int:
            raise _wrong("notAfter", not_after, "a time in Unix ms")
        ahead, most = not_after - self._now_ms, self._rules.max_deadline_ms
        if ahead <= 0:
            raise Refusing("DEADLINE_PASSED", late=-ahead)
        if ahead > most:
            raise Refusing("DEADLINE_TOO_FAR", ahead=ahead, most=most)
        return not_after

    def _params(self, content: object) -> dict[str, Any]:
        if not _is_content(content):
            raise _wrong("content", content, "a record or a JSON text")
        try:
            params = dict(self._rules.params(self._method, content))
            check_plain(params)
        except Unfit as error:
            facts = {"method": self._method, "error": str(error)}
            raise Refusing("CONTENT_INVALID", **facts) from None
        return {name: value for name, value in params.items() if value is not None}

    def _checked(self, spec: Spec, params: dict[str, Any]) -> dict[str, Any]:
        """Check the parameters and complete them: client order id, cod."""
        rules = self._rules
        form = rules.forms.methods.get(self._method, _NO_FORM)
        check_form(self._method, form, params)
        if spec.kind is Kind.ORDER and spec.lane is Lane.NEW:
            role = rules.roles.get(self._key.account, UNKNOWN_ROLE)
            trader = Trader(rules.policy, role, rules.instruments)
            check_order(self._method, params, rules.forms, trader)
        if spec.makes_order:
            params.setdefault("clientOrderId", derived_id(self._key))
            self._check_owner(params["clientOrderId"])
        if form.takes_cod:
            params.setdefault("cod", rules.cod)
        return params

    def _check_owner(self, order_id: int) -> None:
        account = self._key.account
        owner = self._rules.order_ids.owner(account, order_id, self._now_ms)
        if owner is not None and owner != self._key:
            raise Refusing(
                "DUPLICATE_CLIENT_ORDER_ID", id=order_id, req_id=owner.req_id
            )

    def _made(self, spec: Spec, not_after_ms: int, params: dict[str, Any]) -> Command:
        return Command(
            key=self._key,
            partition=self._raw.partition,
            offset=self._raw.offset,
            method=self._method,
            kind=spec.kind,
            lane=spec.lane,
            params=params,
            order_id=params["clientOrderId"] if spec.makes_order else 0,
            needs_claim=spec.needs_claim,
            not_after_ms=not_after_ms,
            received_ms=self._now_ms,
            reply_to=self._reply_to,
        )


def _is_content(content: object) -> bool:
    match content:
        case str() | (str(), dict()):
            return True
        case _:
            return False


def _wrong(field: str, seen: object, expected: str) -> Refusing:
    return Refusing("FIELD_INVALID", field=field, seen=seen, expected=expected)


def _check_req_id(req_id: str) -> None:
    if len(req_id) > REQ_ID_MOST or not req_id.isprintable():
        raise Refusing("REQ_ID_INVALID", length=len(req_id))
