"""One client's connection: login state, bindings, and what its frames ask for.

Source: reference page "Finery Markets API", sections 1.5, 1.7, 1.8 and 2.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from websockets.protocol import Event

from bridge.simulators.connection import Connection
from bridge.simulators.finery import feeds, wire
from bridge.simulators.finery.accounts import Account
from bridge.simulators.finery.faults import Asked
from bridge.simulators.finery.hub import Binding
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.wire import Json, Message

if TYPE_CHECKING:
    from bridge.simulators.finery.server import FinerySimulator


class Session:
    """The venue's end of one WebSocket."""

    def __init__(
        self,
        simulator: FinerySimulator,
        connection: Connection,
        account: Account | None,
    ) -> None:
        """Serve `connection`; `account` is None until an in-band login."""
        self._simulator = simulator
        self.connection = connection
        self.account = account
        self.number = connection.number
        self.bindings: dict[tuple[str, str], Binding] = {}
        self.ended = False
        self.heard_ms = 0
        self._events: dict[str, Callable[[dict[str, Any]], None]] = {
            "bind": self._bind,
            "unbind": self._unbind,
            "request": self._request,
            "ping": self._ping,
            "auth": self._auth,
        }

    def post(self, text: str) -> bool:
        """Send one text frame; tell whether it was written."""
        return self.connection.post(text)

    def watch_frames(self, now_ms: Callable[[], int]) -> None:
        """Stamp every frame of the client, control frames included (1.7)."""
        act = self.connection.process_event
        self.heard_ms = now_ms()

        def stamped(event: Event) -> None:
            self.heard_ms = now_ms()
            act(event)

        self.connection.process_event = stamped  # type: ignore[method-assign]

    @property
    def plain(self) -> bool:
        """Tell whether no fault stands between this connection and its feeds."""
        table = self._simulator.table
        return not table.twists and not table.x_code

    def post_frames(self, frames: list[bytes]) -> None:
        """Write ready-made WebSocket frames in one go."""
        connection = self.connection
        if not connection.alive:
            return
        if connection.backlog > self._simulator.options.max_backlog_bytes:
            connection.kill()
            return
        connection.transport.write(b"".join(frames))

    def emit(self, message: Message, binding: Binding) -> None:
        """Send a feed message, subject to the faults in force."""
        table = self._simulator.table
        if table.x_code and self._simulator.options.rules.silent_while_down:
            return
        if not table.twists:
            self._deliver(message.text(), binding)
            return
        for item in table.shape(message, binding.feed, self.number):
            text = item if isinstance(item, str) else item.text()
            self._deliver(text, binding)

    def receive(self, frame: str | bytes) -> None:
        """Act on one frame of the client."""
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError):
            message = None
        event = message.get("event") if isinstance(message, dict) else None
        act = self._events.get(event) if isinstance(event, str) else None
        if act is None:
            error = self._simulator.options.rules.malformed_error
            self.post(wire.compact({"error": error}))
            return
        act(message)

    def drop_bindings(self) -> None:
        """Forget all bindings."""
        for binding in self.bindings.values():
            self._simulator.hub.drop(binding)
        self.bindings.clear()

    def facts(self) -> dict[str, Any]:
        """Return what the control interface shows."""
        return {
            "number": self.number,
            "account": self.account.id if self.account else None,
            "ip": self.connection.ip,
            "muted": self.connection.muted,
            "bindings": [list(key) for key in self.bindings],
        }

    def _deliver(self, text: str, binding: Binding) -> None:
        if self.post(text):
            self._simulator.hub.count(binding, text)

    def _bind(self, message: dict[str, Any]) -> None:
        letter, feed_id = message.get("feed"), message.get("feedId")
        faulty, code = self._simulator.table.bind_fault(str(letter), feed_id)
        if faulty:
            if code is not None:
                self._refuse_feed(letter, feed_id, Refused(code))
            return
        try:
            binding = self._accept(letter, feed_id)
        except Refused as refused:
            self._refuse_feed(letter, feed_id, refused)
            return
        data = self._simulator.hub.snapshot(binding)
        self.emit(Message(binding.feed, binding.echo, "S", data), binding)

    def _accept(self, letter: Json, feed_id: Json) -> Binding:
        key = (str(letter), wire.canonical(feed_id))
        if self.account is None:
            raise Refused(Code.NOT_AUTHORISED)
        if self._simulator.table.x_code:
            raise Refused(self._simulator.options.rules.down_error)
        venue = self._simulator.venue
        target = feeds.resolve(venue, self.account, letter, feed_id)
        if key in self.bindings:
            raise Refused(Code.BOUND_ALREADY)
        binding = Binding(self, letter, self._echo(feed_id), target)
        self.bindings[key] = binding
        self._simulator.ledger.add(
            "bind", connection=self.number, feed=letter, feedId=feed_id
        )
        return binding

    def _unbind(self, message: dict[str, Any]) -> None:
        letter, feed_id = message.get("feed"), message.get("feedId")
        binding = self.bindings.pop((str(letter), wire.canonical(feed_id)), None)
        if binding is None:
            known = str(letter) in feeds.FEEDS
            code = Code.NOT_BOUND if known else Code.NO_SUCH_FEED
            self._refuse_feed(letter, feed_id, Refused(code))
            return
        self.emit(Message(binding.feed, binding.echo, "U", 0), binding)
        self._simulator.hub.drop(binding)

    def _refuse_feed(self, letter: Json, feed_id: Json, refused: Refused) -> None:
        as_array = self._simulator.options.rules.z_as_array
        code = [refused.number] if as_array else refused.number
        name = letter if isinstance(letter, str) else ""
        head = wire.compact([name])[1:-1]
        self.post(f'[{head},{self._echo(feed_id)},"Z",{wire.compact(code)}]')
        self._simulator.ledger.add(
            "refused",
            connection=self.number,
            feed=letter,
            feedId=feed_id,
            error=refused.number,
        )

    def _echo(self, feed_id: Json) -> str:
        """Return the feedId exactly as sent, 0 where absent (2.3)."""
        if feed_id is None:
            return "0"
        whole = self._simulator.options.rules.echo_object_ids
        if isinstance(feed_id, dict) and not whole:
            return wire.compact(feed_id.get("instrument", 0))
        return wire.compact(feed_id)

    def _request(self, message: dict[str, Any]) -> None:
        asked = Asked(
            self.number,
            message.get("reqId"),
            str(message.get("method")),
            message.get("content", {}),
        )
        self._simulator.desk.take(self, asked)

    def _ping(self, _: dict[str, Any]) -> None:
        if self._simulator.options.rules.pong_event:
            self.post('{"event":"pong"}')

    def _auth(self, message: dict[str, Any]) -> None:
        """Log in by message (1.5)."""
        texts = [message.get(name) for name in ("key", "content", "signature")]
        key, content, signed = (str(text) for text in texts)
        if self.account is not None:
            error = int(Code.ALREADY_AUTHORISED)
            self.post(wire.compact({"event": "auth", "error": error}))
            return
        try:
            self.account = self._simulator.login(key, content, signed)
        except Refused as refused:
            self.post(wire.compact({"event": "auth", "error": refused.number}))
            return
        self.post('{"event":"auth"}')
