"""What both WebSocket transports share: options, refusal, keepalive, and the end.

Rules of both transports, checked by one set of tests:

- The first frame reaches the receiver on a later turn of the loop than the one in
  which `connect` returned: a caller has until its next `await` to prepare itself.
- After `close` or `abort` the receiver is not called again.
- An exception raised by the receiver ends the connection and comes out of
  `wait_closed`.
- While paused, the end of the connection may go unnoticed until it is read again.
- When more than `UNSENT_BYTES` wait because the venue does not read, the connection is
  given up; a venue that pings and reads no pong would fill the memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from bridge.core.model import Closed, Handshake

PING = b"feedbridge"
NORMAL = 1000
PROTOCOL_ERROR = 1002
NO_CODE = 1005
ABNORMAL = 1006
TOO_BIG = 1009
BODY_LIMIT = 4096
UNSENT_BYTES = 1024 * 1024
UNREAD = f"the venue does not read: more than {UNSENT_BYTES} bytes wait for it"
USER_AGENT = "feedbridge"

# What of a refusal's headers may be told: nothing that could echo a credential.
TOLD_HEADERS = frozenset({"content-type", "date", "location", "retry-after", "server"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What the other side showed of itself while a connection was opened.

    `host` has the port; `clock_ahead_s` is its clock minus ours, from its Date header,
    to the second; `expires_s` (Unix time) is the end of its certificate. None where it
    gave none.
    """

    host: str
    clock_ahead_s: float | None
    expires_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """How to connect and how patient to be.

    `kind` auto takes picows where it is installed and can serve. `proxy` is the URL of
    an HTTP proxy (`http://host:port`); environment proxies are not used. `tls_ca_file`
    replaces the system's certificate authorities; verification cannot be turned off.
    `user_timeout_ms` is TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged
    (Linux; source: tcp(7), read 2026-11-21). `accepted_subprotocols` are the names that
    the venue may echo; empty means any that was offered. `on_peer` is told of the other
    side once a connection is open.
    """

    kind: Literal["auto", "websockets", "picows"] = "auto"
    open_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0
    max_message_bytes: int = 16 * 1024 * 1024
    compression: Literal["off", "deflate"] = "off"
    proxy: str | None = None
    tls_ca_file: str | None = None
    user_timeout_ms: int | None = None
    accepted_subprotocols: tuple[str, ...] = ()
    on_peer: Callable[[Peer], None] | None = None


class Unfit(Exception):
    """The transport cannot serve: compression is asked for, or its library differs."""


class UpgradeRefused(Exception):
    """The server answered the upgrade with a status of its own.

    `status` is the HTTP status, `body` its first 4096 bytes, `headers` the harmless
    ones. Not a BridgeError: the session of the venue says what it means.
    """

    def __init__(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what the server said; the body is cut."""
        super().__init__(f"the upgrade was refused with HTTP {status}")
        self.status = status
        self.body = body[:BODY_LIMIT]
        self.headers = {
            name.lower(): value
            for name, value in (headers or {}).items()
            if name.lower() in TOLD_HEADERS
        }


class Keepalive:
    """Pings at an interval, and gives up on a peer from which nothing comes.

    A ping goes out each `interval_s`, also while paused. When reading and nothing at
    all (data or control) came within `timeout_s` after a ping, `fail` is called with a
    reason. While paused nothing can be read, so the time-out does not run; it starts
    anew on resume. The owner sets `heard` to True whenever anything arrives.
    """

    def __init__(
        self,
        options: TransportOptions,
        ping: Callable[[], None],
        fail: Callable[[str], None],
    ) -> None:
        """Wait for `start`."""
        self.heard = True
        self._interval = options.ping_interval_s
        self._timeout = options.ping_timeout_s
        self._ping = ping
        self._fail = fail
        self._paused = False
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to ping, unless the interval is 0."""
        if self._interval > 0:
            self._next = self._loop.call_later(self._interval, self._tick)

    def stop(self) -> None:
        """Stop for good."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._disarm()

    def pause(self) -> None:
        """Note that nothing can be heard from now on."""
        self._paused = True
        self._disarm()

    def resume(self) -> None:
        """Listen again; an unanswered ping gets its whole time-out."""
        self._paused = False
        if self._next is not None and not self.heard:
            self._arm()

    def _tick(self) -> None:
        self._next = self._loop.call_later(self._interval, self._tick)
        self._ping()
        if self._deadline is None:
            self.heard = False
            if not self._paused:
                self._arm()

    def _arm(self) -> None:
        if self._timeout > 0 and self._deadline is None:
            self._deadline = self._loop.call_later(self._timeout, self._check)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _check(self) -> None:
        self._deadline = None
        if not self.heard:
            self.stop()
            self._fail(f"nothing arrived for {self._timeout:g} s after a ping")


class End:
    """How a connection ended: the first cause wins, and the waiters learn it."""

    def __init__(self, close_timeout_s: float, drop: Callable[[], None]) -> None:
        """Stand open; `drop` closes the socket when a close takes too long."""
        self._cause: Closed | None = None
        self._failure: Exception | None = None
        self._limit_s = close_timeout_s
        self._drop = drop
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def finished(self) -> bool:
        """Tell whether the socket is closed."""
        return self._done.done()

    def because(self, code: int, detail: str) -> None:
        """Give the cause, unless there is one."""
        if self._cause is None:
            self._cause = Closed(code, detail)

    def closed_by_venue(self, code: int, reason: str) -> None:
        """Give the venue's own words as the cause, unless there is one."""
        self.because(code, f"closed by the venue: {reason or 'no reason given'}")

    def fail(self, failure: Exception) -> None:
        """Blame the receiver, unless there is a cause."""
        if self._cause is None and self._failure is None:
            self._failure = failure

    def expect(self) -> None:
        """Give the other side the close time-out, then drop the connection."""
        if self._timer is None and not self.finished:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._limit_s, self._drop)

    def finish(self) -> None:
        """Wake the waiters: the socket is closed."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._done.done():
            self._done.set_result(None)

    async def wait(self) -> Closed:
        """Wait until the socket is closed; raise the receiver's exception."""
        await self.settled()
        if self._failure is not None:
            raise self._failure
        return self._cause or Closed(ABNORMAL, "broke without a close frame")

    async def settled(self) -> None:
        """Wait until the socket is closed; never raise for what happened."""
        await asyncio.shield(self._done)


def check_subprotocol(
    chosen: str | None, handshake: Handshake, options: TransportOptions
) -> None:
    """Refuse an echo that was not offered or is not accepted, without repeating it.

    Raises:
        ConnectionError: the echo; it may be one of the credentials.
    """
    accepted = options.accepted_subprotocols or handshake.subprotocols
    if chosen is not None and not (
        chosen in accepted and chosen in handshake.subprotocols
    ):
        raise ConnectionError("the server chose a sub-protocol that is not accepted")
