"""Who may log in to the simulated venue: accounts, obviously fake keys, the check.

Source: reference page "Finery Markets API", sections 1.2 to 1.6.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bridge.simulators.finery.options import Nonces, Rules
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.wire import Json

_MAX_NONCE: Final = (1 << 64) - 1


class Role(StrEnum):
    """Kinds of accounts (section 0.4)."""

    MAKER = "maker"
    TAKER = "taker"
    MASTER = "master"


class Right(StrEnum):
    """What a key may be allowed; without it the answer is error 3."""

    READ = "read"
    TRADE = "trade"
    SETTLE = "settle"
    RISK = "risk"


ALL_RIGHTS: Final = frozenset(Right)


@dataclass(slots=True, kw_only=True)
class Account:
    """One client of the venue.

    `hidden_makers` are left out of its tradable books, `forbidden` are instruments it
    may not trade (error 36), `trading` False answers error 84, `agreed` False refuses
    the login with error 13.
    """

    id: int
    name: str
    role: Role
    key: str = ""
    secret: str = field(default="", repr=False)
    rights: frozenset[Right] = ALL_RIGHTS
    master: int = 0
    hidden_makers: set[int] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    trading: bool = True
    agreed: bool = True


def _keyed(number: int, name: str, role: Role, **more: Json) -> Account:
    return Account(
        id=number,
        name=name,
        role=role,
        key=f"fake-demo-key-of-{name}",
        secret=f"fake-demo-secret-of-{name}-good-for-nothing",
        **more,
    )


def demo_accounts() -> dict[int, Account]:
    """Return the simulator's accounts: five with made-up keys, and the market's own."""
    accounts = [
        _keyed(7, "taker", Role.TAKER),
        _keyed(8, "maker", Role.MAKER),
        _keyed(9, "master", Role.MASTER),
        _keyed(10, "subaccount", Role.TAKER, master=9),
        _keyed(11, "reader", Role.TAKER, rights=frozenset({Right.READ})),
        _keyed(12, "nothing", Role.TAKER, rights=frozenset[Right]()),
        *(Account(id=n, name=f"lp{n}", role=Role.MAKER) for n in MARKET_MAKERS),
        *(Account(id=n, name=f"flow{n}", role=Role.TAKER) for n in MARKET_TAKERS),
    ]
    return {account.id: account for account in accounts}


MARKET_MAKERS: Final = (41, 42, 43)
MARKET_TAKERS: Final = (51, 52)


def signature(secret: str, text: str) -> str:
    """Return the Base64 of HMAC-SHA384 over the exact text (section 1.2)."""
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha384).digest()
    return base64.b64encode(digest).decode()


class Gate:
    """Checks logins: key, signature, timestamp, nonce, in this order.

    Which check comes first at the venue is unknown; this order spends no nonce on a
    login that fails otherwise, unless `Rules.nonce_spent_on_failure` is on.
    """

    def __init__(self, accounts: Mapping[int, Account], rules: Rules) -> None:
        """Let the keys of `accounts` in."""
        self._accounts = accounts
        self._rules = rules
        self._recent: dict[str, deque[tuple[int, int]]] = {}
        self._highest: dict[str, int] = {}

    def login(self, key: str, content: str, signed: str, now_ms: int) -> Account:
        """Return the account that `content` proves; raise `Refused` otherwise."""
        account = self._by_key(key)
        stamp = _stamp(content, lenient=self._rules.numbers_as_strings)
        nonce = stamp.get("nonce")
        if self._rules.nonce_spent_on_failure and isinstance(nonce, int):
            self._check_nonce(key, nonce, now_ms)
        if not hmac.compare_digest(
            signature(account.secret, content).encode(), signed.encode()
        ):
            raise Refused(Code.SIGNATURE)
        self._check_time(stamp.get("timestamp"), now_ms)
        if not self._rules.nonce_spent_on_failure or not isinstance(nonce, int):
            self._check_nonce(key, nonce, now_ms)
        if not account.agreed:
            raise Refused(13)
        return account

    def _by_key(self, key: str) -> Account:
        for account in self._accounts.values():
            if account.key and account.key == key:
                return account
        raise Refused(Code.NOT_AUTHORISED)

    def _check_time(self, timestamp: object, now_ms: int) -> None:
        if not isinstance(timestamp, int):
            raise Refused(Code.TIMESTAMP)
        tolerance = self._rules.timestamp_tolerance_s
        if tolerance is not None and abs(now_ms - timestamp) > tolerance * 1000:
            raise Refused(Code.TIMESTAMP)

    def _check_nonce(self, key: str, nonce: object, now_ms: int) -> None:
        if not isinstance(nonce, int) or not 0 <= nonce <= _MAX_NONCE:
            raise Refused(Code.NONCE)
        if self._rules.nonces is Nonces.INCREASING:
            if nonce <= self._highest.get(key, -1):
                raise Refused(Code.NONCE)
            self._highest[key] = nonce
            return
        recent = self._recent.setdefault(key, deque())
        while recent and recent[0][0] <= now_ms - self._rules.nonce_window_s * 1000:
            recent.popleft()
        if any(seen == nonce for _, seen in recent):
            raise Refused(Code.NONCE)
        recent.append((now_ms, nonce))


def _stamp(content: str, *, lenient: bool) -> dict[str, int]:
    """Read nonce and timestamp as exact integers; what is not one is left out."""
    try:
        read = json.loads(content)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        return {}
    if lenient:
        read = {k: _number(v) for k, v in read.items()}
    return {name: value for name, value in read.items() if type(value) is int}


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value
