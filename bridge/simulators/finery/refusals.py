"""The venue's way to say no, and the few error codes that the simulator uses itself.

Source: reference page "Finery Markets API", section 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from bridge.errors import BridgeError


class Code(IntEnum):
    """Error codes of the venue that the simulator decides on."""

    OK = 0
    NOT_IMPLEMENTED = 1
    NOT_CONNECTED = 2
    NOT_AUTHORISED = 3
    ALREADY_AUTHORISED = 4
    NONCE = 6
    TIMESTAMP = 7
    NO_SUCH_METHOD = 8
    PARAMETER = 9
    SIGNATURE = 14
    CURRENCY_NOT_FOUND = 26
    INSTRUMENT_NOT_FOUND = 34
    INSTRUMENT_FORBIDDEN = 36
    CLIENT_NOT_FOUND = 45
    GROSS_LIMIT = 52
    LIMIT_NOT_FOUND = 53
    LIMIT_CLIENTS_IDENTICAL = 54
    ORDER_SIZE = 70
    ORDER_PRICE = 71
    ORDER_TYPE = 73
    CLIENT_ORDER_ID = 74
    POST_ONLY = 75
    IOC = 76
    FOK = 77
    SELF_TRADE = 78
    LIMITS = 79
    ORDER_NOT_FOUND = 80
    SIZE_OR_VOLUME = 81
    MAKER_VOLUME = 82
    ORDER_VOLUME = 83
    TRADING_NOT_ALLOWED = 84
    NOTHING_LEFT = 90
    BOUND_ALREADY = 100
    NOT_BOUND = 101
    NO_SUCH_FEED = 102
    FEED_ID = 103
    REQUEST_EXISTS = 130
    REQUEST_NOT_FOUND = 131
    REQUEST_FLAGS = 132
    REQUEST_COUNTERPARTY = 133
    REQUEST_AMOUNT = 135
    TRANSACTION_AMOUNT = 141
    TRANSACTION_ID = 142
    IDENTICAL_CLIENTS = 143
    TRANSACTION_NOT_FOUND = 144


class Refused(BridgeError):
    """The simulated venue refused a login, a bind or a request.

    `code` is the venue's error number, `param` the parameter at fault, `inside` the
    object that replaces `reply` where a method has an error form of its own (`mod`).
    """

    def __init__(
        self, code: int, param: str = "", inside: Mapping[str, Any] | None = None
    ) -> None:
        """Keep the number and what goes with it."""
        super().__init__(f"the simulated venue answers error {code} {param}".strip())
        self.number = int(code)
        self.param = param
        self.inside = inside
