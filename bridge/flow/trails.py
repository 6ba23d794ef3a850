"""Which trace each command belongs to, so that its responses go on with it."""

from __future__ import annotations

from collections import OrderedDict

from bridge.core.claims import Claims
from bridge.core.model import Headers
from bridge.core.trace_context import TraceContext, trace_context
from bridge.edge.consumer import Message
from bridge.flow.shelf import PartitionShelf, Ways

__all__ = ["Headers", "Place", "Trails"]

Place = tuple[int, int]  # a command's partition and offset
KEPT = 10_000


class Trails:
    """The traces of the newest commands of one topic, by their place.

    They outlive the final record, which a correction may follow. What was pushed out
    is answered all the same, without a trace.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self._contexts: OrderedDict[Place, TraceContext] = OrderedDict()

    def shelf(self, partition: int, claims: Claims, ways: Ways) -> PartitionShelf:
        """Return the shelf of a command partition."""
        return PartitionShelf(partition, claims, ways)

    def taken(self, message: Message) -> None:
        """Remember the trace of a command, as its sender gave it."""
        context = trace_context(message.headers) if message.headers else None
        self.goes_on((message.partition, message.offset), context)

    def goes_on(self, place: Place, context: TraceContext | None) -> None:
        """Let the responses to a command name this trace from now on."""
        if context is None:
            self._contexts.pop(place, None)
            return
        self._contexts[place] = context
        if len(self._contexts) > KEPT:
            self._contexts.popitem(last=False)

    def context(self, place: Place) -> TraceContext | None:
        """Return the trace of a command, if it has one."""
        return self._contexts.get(place)

    def headers(self, partition: int, offset: int) -> Headers | None:
        """Return what the responses to a command carry."""
        context = self._contexts.get((partition, offset))
        return context.headers() if context else None

    def close(self) -> None:
        """Let go of what is still open."""
