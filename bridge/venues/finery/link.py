"""The connection's own state: waiting for the status, logging in, ready, venue down."""

from __future__ import annotations

from enum import Enum, auto

from bridge.core.lifecycle import SECOND_NS
from bridge.core.model import Close, Event, Now, Reason, Send
from bridge.venues.base import Context
from bridge.venues.finery import auth
from bridge.venues.finery.codes import Code, Kind, code

# Public client code waits 3 s at most for the first status message.
STATUS_TIMEOUT_S = 3
LOGIN_TIMEOUT_S = 5
# Public client code sends the JSON ping every 60 s; the venue's idle timeout is 80 s.
PING_INTERVAL_S = 60
PING = '{"event":"ping"}'


class Stage(Enum):
    """How far a connection has come."""

    NEW = auto()
    LOGIN = auto()
    READY = auto()


class Link:
    """One connection's stage, its deadline, and the venue's last status code."""

    def __init__(self, context: Context, *, inband: bool, ping: bool) -> None:
        """Start before the first status message."""
        self.stage = Stage.NEW
        self.status: Code | None = None
        self.now = Now(0, 0)
        self._context = context
        self._inband = inband
        self._ping = ping
        self._deadline_ns = 0
        self._ping_ns = 0

    @property
    def trouble(self) -> str:
        """Say why nothing may be bound now; empty if all is well."""
        if self.status is not None and self.status.number:
            return self.status.label
        return "" if self.stage is Stage.READY else "not logged in yet"

    def opened(self, now: Now) -> None:
        """Start the clock on the first status message."""
        self.now = now
        self._wait(STATUS_TIMEOUT_S)
        self._ping_ns = now.mono_ns + PING_INTERVAL_S * SECOND_NS

    def told(self, status: Code, received_ns: int) -> list[Event]:
        """Note a status message; the first 0 opens the way, or starts the login."""
        self.status = status
        if status.number or self.stage is not Stage.NEW:
            return []
        if not self._inband:
            self.stage = Stage.READY
            return []
        self.stage = Stage.LOGIN
        self._wait(LOGIN_TIMEOUT_S)
        nonce = self._context.nonce()
        return [Send(auth.inband(self._context.credentials, nonce, received_ns))]

    def answered(self, failure: int) -> list[Event]:
        """Note the answer to the login: 0 is success."""
        if self.stage is not Stage.LOGIN:
            return []
        if not failure:
            self.stage = Stage.READY
            return []
        known = code(failure)
        refused = known.kind is Kind.PERMANENT
        return [
            Close(Reason.VENUE_REFUSED, f"login refused with {known.label}", refused)
        ]

    def tick(self, now: Now) -> list[Event]:
        """Let time pass: deadlines and the ping."""
        self.now = now
        if self._waiting and now.mono_ns > self._deadline_ns:
            what = (
                "status message" if self.stage is Stage.NEW else "answer to the login"
            )
            return [Close(Reason.UNANSWERED, f"no {what} in time")]
        if self._ping and now.mono_ns >= self._ping_ns:
            self._ping_ns = now.mono_ns + PING_INTERVAL_S * SECOND_NS
            return [Send(PING)]
        return []

    @property
    def _waiting(self) -> bool:
        """Tell whether an answer is due; a venue that is down may take its time."""
        return self.stage is Stage.LOGIN or self.status is None

    def _wait(self, seconds: int) -> None:
        self._deadline_ns = self.now.mono_ns + seconds * SECOND_NS
