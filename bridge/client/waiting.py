"""Who waits for which response: bounded, whatever comes or never comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from bridge.client.errors import Busy, NoFinalYet
from bridge.client.pending import Pending
from bridge.client.records import Response
from bridge.edge.consumer import Message
from bridge.errors import BridgeError

MOST_REMEMBERED = 1_000


class Waiting:
    """The commands of one client, by reqId.

    Finished ones are remembered for a while, since a correction may follow.
    """

    def __init__(self, most: int, on_corrected: Callable[[Response], None]) -> None:
        """Let at most `most` commands wait for their final response."""
        self._most = most
        self._on_corrected = on_corrected
        self._watched: dict[bytes, list[Pending]] = {}
        self._open: set[Pending] = set()
        self._finished: deque[Pending] = deque()
        self._closed = False

    def add(self, req_id: str, partition: int) -> Pending:
        """Begin to wait; raises Busy where too many do already."""
        if len(self._open) >= self._most:
            raise Busy(
                f"{len(self._open)} commands wait for their final response; nothing was"
                " sent: wait for some, or raise max_pending"
            )
        pending = Pending(req_id, partition, self._on_corrected)
        self._watched.setdefault(req_id.encode(), []).append(pending)
        self._open.add(pending)
        if self._closed:
            self.close()
        return pending

    def drop(self, pending: Pending) -> None:
        """Forget one at once."""
        key = pending.req_id.encode()
        left = [other for other in self._watched.get(key, ()) if other is not pending]
        if left:
            self._watched[key] = left
        else:
            self._watched.pop(key, None)
        self._open.discard(pending)

    def settle(self, pending: Pending) -> None:
        """Make room for others, if this one is done."""
        if pending in self._open and pending.done:
            self._open.discard(pending)
            self._finished.append(pending)
        while len(self._finished) > MOST_REMEMBERED:
            self.drop(self._finished.popleft())

    def of(self, message: Message) -> list[Pending]:
        """Return who waits for a record, before it is decoded."""
        if message.value is None:
            return []
        watched = self._watched.get(message.key or b"", ())
        return [p for p in watched if p.partition == message.partition]

    def fail(self, error: BridgeError) -> None:
        """Tell everyone who still waits that responses cannot be read any more."""
        for pending in list(self._open):
            pending.fail(error)
            self.settle(pending)

    def close(self) -> None:
        """Tell everyone who waits, now or later, that nobody listens any more."""
        self._closed = True
        reason = "before the client was closed"
        for pending in list(self._open):
            pending.fail(NoFinalYet(pending.req_id, pending.partition, reason))
