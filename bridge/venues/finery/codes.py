"""The venue's error codes: number, name, meaning, and what a client can do about it.

Source: Finery docs, troubleshooting, list of error codes (up to about 45), and public
client code (the others). Codes above 167 exist but no readable source lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

import msgspec


class Kind(Enum):
    """What to do about a code."""

    NONE = auto()  # no failure
    TRANSIENT = auto()  # try again with back-off
    CLOCK = auto()  # new nonce, check the clock
    PERMANENT = auto()  # a person must act
    ORDER = auto()  # normal business of an order
    PROGRAMMING = auto()  # the request itself is wrong
    OTHER = auto()  # named, but of no class
    UNKNOWN = auto()  # in no source


class Code(msgspec.Struct, frozen=True):
    """One error code."""

    number: int
    name: str
    meaning: str
    kind: Kind

    @property
    def label(self) -> str:
        """Return number and meaning, for a person."""
        return f"{self.number} ({self.meaning})"


NOT_READY = 2
BINDING_EXISTS = 100
BINDING_NOT_FOUND = 101

_KINDS = {
    Kind.NONE: (0,),
    Kind.TRANSIENT: (2, 10, 104),
    Kind.CLOCK: (6, 7),
    Kind.PERMANENT: (3, 8, 13, 14, 36, 84),
    Kind.ORDER: (*range(70, 84), 85, 90, 91),
    Kind.PROGRAMMING: (9, *range(100, 104)),
}
_KIND_OF = {number: kind for kind, numbers in _KINDS.items() for number in numbers}

# number, name, meaning; source: list of error codes in the docs
_DOCUMENTED = (
    (0, "OK", "ok"),
    (1, "NOT_IMPLEMENTED", "not implemented"),
    (2, "NOT_CONNECTED", "not connected: a service of the venue is down"),
    (3, "NOT_AUTHORISED", "not authorised: the key lacks permission"),
    (4, "ALREADY_AUTHORISED", "already authorised"),
    (5, "INVALID_PASSWORD", "invalid password"),
    (6, "INVALID_NONCE", "invalid nonce; on old servers nonce or signature"),
    (7, "INVALID_TIMESTAMP", "invalid timestamp"),
    (8, "METHOD_NOT_AVAILABLE", "method not available: the call no longer exists"),
    (9, "INVALID_PARAMETER", "method parameter missing or invalid"),
    (10, "INTERNAL_ERROR", "internal error"),
    (11, "INVALID_MFA_CODE", "invalid MFA code"),
    (12, "MFA_NOT_ENABLED", "MFA not enabled"),
    (13, "AGREEMENT_NOT_SIGNED", "user agreement not signed: sign, then reissue keys"),
    (14, "INVALID_SIGNATURE", "invalid signature"),
    (15, "LINK_EXPIRED", "link expired"),
    (20, "INVALID_CURRENCY_FLAGS", "invalid currency flags"),
    (21, "INVALID_CURRENCY_PRICE", "invalid currency price"),
    (22, "INVALID_BALANCE_STEP", "invalid currency balance step"),
    (23, "INVALID_CURRENCY_NAME", "currency name invalid or malformed"),
    (24, "CURRENCY_NAME_FIXED", "currency name cannot be changed"),
    (25, "BALANCE_STEP_FIXED", "currency balance step cannot be changed"),
    (26, "CURRENCY_NOT_FOUND", "currency not found"),
    (27, "CURRENCY_NOT_REMOVABLE", "currency cannot be removed"),
    (28, "INVALID_CURRENCY_TYPE", "invalid currency type"),
    (30, "INVALID_INSTRUMENT_FLAGS", "invalid instrument flags"),
    (31, "INVALID_INSTRUMENT_NAME", "instrument name invalid or malformed"),
    (32, "ASSET_CURRENCY_FIXED", "instrument's asset currency cannot be changed"),
    (33, "BALANCE_CURRENCY_FIXED", "instrument's balance currency cannot be changed"),
    (34, "INSTRUMENT_NOT_FOUND", "instrument not found"),
    (35, "INSTRUMENT_NOT_REMOVABLE", "instrument cannot be removed"),
    (36, "INSTRUMENT_FORBIDDEN", "instrument not on the allow-list of a party"),
    (40, "INVALID_CLIENT_FLAGS", "invalid client flags"),
    (41, "INVALID_TAKER_DELTA_RATIO", "invalid taker delta ratio"),
    (42, "INVALID_NAME", "invalid name: under 20 characters, no special ones"),
    (43, "CLIENT_TYPE_FIXED", "client type cannot be changed"),
    (44, "CLIENT_EXISTS", "client already exists"),
    (45, "CLIENT_NOT_FOUND", "client not found"),
)

# number, name, meaning; source: public client code
_SEEN_IN_CLIENTS = (
    (46, "USER_NAME_EXISTS", "user name already exists"),
    (50, "INVALID_LIMIT_FLAGS", "invalid limit flags"),
    (51, "INVALID_NET_LIMIT", "invalid net limit"),
    (52, "INVALID_GROSS_LIMIT", "invalid gross limit"),
    (53, "LIMIT_NOT_FOUND", "limit not found"),
    (54, "IDENTICAL_LIMIT_CLIENTS", "limit clients identical"),
    (55, "IDENTICAL_LIMIT_CLIENT_TYPES", "limit client types identical"),
    (60, "INVALID_SETTLEMENT_FLAGS", "invalid settlement order flags"),
    (61, "INVALID_SETTLEMENT_SIZE", "invalid settlement order size"),
    (62, "INVALID_SETTLEMENT_COMMENT", "invalid settlement order comment"),
    (63, "IDENTICAL_SETTLEMENT_CLIENTS", "identical settlement clients"),
    (64, "SETTLEMENT_NOT_FOUND", "settlement not found"),
    (65, "SETTLEMENT_FROM_TRANSACTION", "settlement order is from a transaction"),
    (70, "INVALID_ORDER_SIZE", "invalid order size"),
    (71, "INVALID_ORDER_PRICE", "invalid order price"),
    (72, "INVALID_ORDER_FLAGS", "invalid order flags"),
    (73, "ORDER_TYPE_NOT_ALLOWED", "order type not allowed"),
    (74, "CLIENT_ORDER_ID_IN_USE", "client order id already in use"),
    (75, "ADD_FAILED_POST_ONLY", "add failed: post-only"),
    (76, "ADD_FAILED_IOC", "add failed: IOC, no orders to match"),
    (77, "ADD_FAILED_FOK", "add failed: FOK, not enough liquidity"),
    (78, "ADD_FAILED_SELF_TRADE", "add failed: self-trade prevention"),
    (79, "ADD_FAILED_LIMITS", "add failed: limits"),
    (80, "DEL_FAILED_NOT_FOUND", "del failed: not found"),
    (81, "VOLUME_OR_SIZE", "give either volume or size"),
    (82, "VOLUME_NOT_FOR_MAKERS", "orders by volume not supported for makers"),
    (83, "INVALID_ORDER_VOLUME", "invalid order volume"),
    (84, "TRADING_NOT_ALLOWED", "trading not allowed"),
    (85, "NO_OPEN_POSITIONS", "no open positions in order currencies"),
    (90, "MOD_FAILED_NO_SIZE", "mod failed: no size after decrement"),
    (91, "MOD_FAILED_SIDE", "mod failed: side mismatch"),
    (100, "BINDING_EXISTS", "binding already exists"),
    (101, "BINDING_NOT_FOUND", "binding not found"),
    (102, "INVALID_FEED_NAME", "invalid feed name"),
    (103, "INVALID_FEED_ID", "invalid feed id"),
    (104, "DATABASE_OUT_OF_SYNC", "database out of sync"),
    (110, "FIELD_REQUIRED", "field required"),
    (111, "FIELD_INVALID", "field invalid"),
    (112, "POOR_USERNAME", "poor username"),
    (113, "POOR_PASSWORD", "poor password"),
    (114, "PASSWORD_CHANGE_REQUIRED", "password change required"),
    (120, "TOO_MANY_KEYS", "maximum number of keys"),
    (121, "KEY_NOT_FOUND", "key not found"),
    (130, "SETTLEMENT_REQUEST_EXISTS", "settlement request already exists"),
    (131, "SETTLEMENT_REQUEST_NOT_FOUND", "settlement request not found"),
    (132, "INVALID_REQUEST_FLAGS", "invalid settlement request flags"),
    (133, "INVALID_REQUEST_COUNTERPARTY", "invalid settlement request counterparty"),
    (134, "INVALID_REQUEST_COMMENT", "invalid settlement request comment"),
    (135, "INVALID_REQUEST_AMOUNT", "invalid settlement request amount"),
    (140, "INVALID_TRANSACTION_FLAGS", "invalid settlement transaction flags"),
    (141, "INVALID_TRANSACTION_AMOUNT", "invalid settlement transaction amount"),
    (142, "INVALID_TRANSACTION_TX_ID", "invalid settlement transaction txId"),
    (143, "IDENTICAL_CLIENTS", "identical clients not allowed"),
    (144, "TRANSACTION_NOT_FOUND", "settlement transaction not found"),
    (160, "A_NET_GLOBAL", "settlement order: client A's net global limit breached"),
    (161, "A_GROSS_GLOBAL", "settlement order: client A's gross global limit breached"),
    (162, "B_NET_GLOBAL", "settlement order: client B's net global limit breached"),
    (163, "B_GROSS_GLOBAL", "settlement order: client B's gross global limit breached"),
    (164, "A_NET", "settlement order: client A's net counterparty limit breached"),
    (165, "A_GROSS", "settlement order: client A's gross counterparty limit breached"),
    (166, "B_NET", "settlement order: client B's net counterparty limit breached"),
    (167, "B_GROSS", "settlement order: client B's gross counterparty limit breached"),
    (300, "QUOTE_STREAM_BIND_FAILED", "seen at a quote-stream bind; not documented"),
)

CODES: Mapping[int, Code] = {
    number: Code(number, name, meaning, _KIND_OF.get(number, Kind.OTHER))
    for number, name, meaning in (*_DOCUMENTED, *_SEEN_IN_CLIENTS)
}


def code(number: int) -> Code:
    """Return the code of `number`, a generic one where no source knows it."""
    known = CODES.get(number)
    return known or Code(number, f"CODE_{number}", "not listed", Kind.UNKNOWN)
