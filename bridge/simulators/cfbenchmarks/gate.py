"""The door: what happens between an HTTP request and an open session."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import NamedTuple, get_args
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from bridge.errors import BridgeError
from bridge.simulators.cfbenchmarks.keys import (
    SUBPROTOCOL,
    Key,
    basic_login,
    find,
    subprotocol_login,
)
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions, LoginMode
from bridge.simulators.cfbenchmarks.rest import Rest
from bridge.simulators.cfbenchmarks.session import Manner
from bridge.simulators.clock import VirtualClock
from bridge.simulators.connection import Connection
from bridge.simulators.ledger import Ledger

PATH = "/ws/v4"
_STATUS = {"401": 401, "403": 403}
_REASONS = {401: "Unauthorized", 403: "Forbidden"}


class Entry(NamedTuple):
    """Who came in, and how the login went."""

    key: Key
    mode: LoginMode

    @property
    def manner(self) -> Manner:
        """Return how the session treats the client."""
        return self.mode if self.mode in {"silence", "errors"} else "normal"


class Gate:
    """Lets clients in, refuses them, or fails in the way it was told.

    Args:
        options: Keys, and what a failed login looks like.
        rest: Answers what is asked below `/api/`.
        clock: The virtual time.
        ledger: Where logins are noted, without passwords.
    """

    def __init__(
        self,
        options: CfBenchmarksOptions,
        rest: Rest,
        clock: VirtualClock,
        ledger: Ledger,
    ) -> None:
        self._options = options
        self._rest = rest
        self._clock = clock
        self._ledger = ledger
        self._entries: weakref.WeakKeyDictionary[Connection, Entry] = (
            weakref.WeakKeyDictionary()
        )
        self._forced: LoginMode | None = None
        self._left: int | None = None
        self.slow_ms = 0

    def force(self, mode: str | None, count: int | None = None) -> None:
        """Treat logins so, right ones too: the next `count`, or all; None ends it."""
        known = get_args(LoginMode)
        if mode is not None and mode not in known:
            raise BridgeError(f"no login mode {mode!r}; there are: {', '.join(known)}")
        self._forced = mode  # type: ignore[assignment]  # checked above
        self._left = count

    def entry(self, connection: Connection) -> Entry:
        """Return how the client of an open connection came in."""
        return self._entries[connection]

    async def process(
        self, connection: Connection, request: Request
    ) -> Response | None:
        """Answer a request; None lets the WebSocket handshake go on."""
        path = urlsplit(request.path).path
        if path.startswith("/api/"):
            return self._answer_rest(request)
        if path != PATH:
            return connection.respond(404, "Not found\n")
        if self.slow_ms:
            await self._clock.sleep(self.slow_ms / 1000)
        return await self._login(connection, request.headers)

    def select(self, _connection: Connection, offered: Sequence[str]) -> str | None:
        """Echo `cfb` alone: never the user name or the password."""
        echo = self._options.echo_subprotocol and SUBPROTOCOL in offered
        return SUBPROTOCOL if echo else None

    async def _login(self, connection: Connection, headers: Headers) -> Response | None:
        login = basic_login(headers.get("Authorization"))
        login = login or subprotocol_login(headers.get_all("Sec-WebSocket-Protocol"))
        key = find(self._options.keys, login)
        mode = self._mode(key)
        self._ledger.add(
            "login",
            connection=connection.number,
            user=key.user if key else None,
            mode=mode,
        )
        if mode == "hang_up":
            connection.kill()
            await connection.wait_closed()
            return None
        if mode in _STATUS:
            return _refusal(connection, _STATUS[mode])
        self._entries[connection] = Entry(
            key or Key(user="anonymous", password=""), mode
        )
        return None

    def _mode(self, key: Key | None) -> LoginMode:
        if self._forced is not None and self._left != 0:
            self._left = None if self._left is None else self._left - 1
            return self._forced
        if key is not None:
            return "normal"
        return self._options.login_failure if self._options.require_login else "normal"

    def _answer_rest(self, request: Request) -> Response:
        status, body = self._rest.answer(
            request.path, request.headers.get("Authorization"), self._clock.now_ms()
        )
        self._ledger.add("rest", target=request.path, status=status, bytes=len(body))
        headers = Headers(
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ]
        )
        return Response(status, "OK" if status < 400 else "Refused", headers, body)  # noqa: PLR2004 - HTTP


def _refusal(connection: Connection, status: int) -> Response:
    response = connection.respond(status, f"{_REASONS[status]}\n")
    if status == 401:  # noqa: PLR2004 - HTTP
        response.headers["WWW-Authenticate"] = 'Basic realm="simulator"'
    return response
