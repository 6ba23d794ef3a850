"""The newest records of data topics, found by reading back from now, a bit at a time.

Most subscriptions are found within the last 2 s; only partitions where one is missing
are read further back. So a look costs little on a busy topic, and is bounded on all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bridge.core.codec import Decoder
from bridge.core.model import Action, Note
from bridge.core.overview import Key, Sight, Spot, Tails
from bridge.edge.admin import Admin
from bridge.edge.consumer import Message
from bridge.edge.journal import Journal
from bridge.edge.kafka_options import Options
from bridge.errors import BridgeError, KafkaError, SchemaError

STEPS_S = (2.0, 10.0)
MOST_BYTES = 32 << 20  # read of one partition in one step
TIMEOUT_S = 30.0

Boundary = tuple[str, str, str, int]


async def look_back(
    options: Options,
    wanted: Mapping[Spot, set[Key]],
    decoder: Decoder,
    now_ms: int,
    window_s: float,
) -> Tails:
    """Return what the ends of the partitions show of the subscriptions in them.

    Args:
        options: librdkafka properties.
        wanted: the partitions, and which subscriptions to look for in each.
        decoder: reads the records; may ask a registry.
        now_ms: the present, Unix time.
        window_s: how far back to read at most; less where a partition is very busy.

    Raises:
        KafkaError: no broker answers, or a step took longer than `TIMEOUT_S`.
        SchemaError: the registry is away.
    """
    counts = await Admin(options).partition_counts(sorted({t for t, _ in wanted}))
    there = {s: keys for s, keys in wanted.items() if s[1] < counts.get(s[0], 0)}
    look = _Look(options, there, decoder, now_ms)
    return await look.run([*(s for s in STEPS_S if s < window_s), window_s])


class _Look:
    """Implements the journal's `Reader`; everything is on the loop.

    `_behind` has the bytes read so far in this step of each partition not yet done.
    """

    def __init__(
        self,
        options: Options,
        wanted: Mapping[Spot, set[Key]],
        decoder: Decoder,
        now_ms: int,
    ) -> None:
        self._wanted = wanted
        self._decoder = decoder
        self._now_ms = now_ms
        self._sights: dict[Key, Sight] = {}
        self._covered_s: dict[Spot, float] = {}
        self._behind: dict[Spot, int] = {}
        self._back_s = 0.0
        self._failure: BridgeError | None = None
        self._unreadable = 0
        self._done = asyncio.Event()
        self._journal = Journal(options, self)

    async def run(self, steps_s: Sequence[float]) -> Tails:
        self._journal.open()
        try:
            for self._back_s in steps_s:
                await self._step()
        finally:
            await self._journal.close()
        return Tails(self._sights, self._covered_s, self._unreadable)

    async def _step(self) -> None:
        """Read the partitions where something is still missing, from further back."""
        self._behind = dict.fromkeys(filter(self._incomplete, self._wanted), 0)
        if not self._behind:
            return
        self._done.clear()
        for place in list(self._behind):
            self._journal.follow(*place, self._now_ms - round(self._back_s * 1000))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._done.wait()
        except TimeoutError as error:
            left = ", ".join(f"{topic}/{number}" for topic, number in self._behind)
            message = f"not read to the end within {TIMEOUT_S:g} s: {left}"
            raise KafkaError(message) from error
        if self._failure is not None:
            raise self._failure

    def _incomplete(self, place: Spot) -> bool:
        missing = Sight()
        keys = self._wanted[place]
        return any(self._sights.get(key, missing).data_ms is None for key in keys)

    def _end(self, place: Spot) -> None:
        self._journal.unfollow(*place)
        self._behind.pop(place, None)
        if not self._behind:
            self._done.set()

    # -- what the journal calls

    def on_entries(self, entries: list[Message]) -> None:
        """Look at records; give a partition up that is too much to read."""
        place = (entries[0].topic, entries[0].partition)
        if place not in self._behind:
            return
        for entry in entries:
            if entry.value is not None:
                self._behind[place] += len(entry.value)
                self._take(entry, entry.value)
        if self._behind[place] > MOST_BYTES:
            self._end(place)

    def on_caught_up(self, topic: str, partition: int) -> None:
        """Note how far back a partition has been read, without a hole."""
        self._covered_s[topic, partition] = self._back_s
        self._end((topic, partition))

    def on_broken(self, topic: str, partition: int, detail: str) -> None:
        """Give up: what was read is not all."""
        self.on_failed(KafkaError(f"{topic}/{partition} cannot be read: {detail}"))

    def on_note(self, note: Note) -> None:
        """Nothing to note: who waits for too long is told."""

    def on_failed(self, error: BridgeError) -> None:
        """Give up."""
        self._failure = error
        self._done.set()

    # -- inside

    def _take(self, message: Message, value: bytes) -> None:
        try:
            header = self._decoder.header(value)
            told = header.action == Action.BOUNDARY
            boundary = self._boundary(message, value) if told else None
        except SchemaError as error:
            self._unreadable += 1
            if error.retry:  # the registry is away, so nothing can be said
                self.on_failed(error)
            return
        key = (header.source, header.subscription)
        sight = self._sights.setdefault(key, Sight())
        if header.connection > sight.connection:
            sight.connection, sight.boundary = header.connection, None
        if boundary is None:
            sight.data_ms = max(sight.data_ms or 0, message.timestamp_ms)
        elif header.connection == sight.connection:
            sight.boundary = boundary

    def _boundary(self, message: Message, value: bytes) -> Boundary:
        told = self._decoder.decode(value)["boundary"]
        if told is None:
            raise SchemaError("a record with action BOUNDARY, but without a boundary")
        at_ms = message.timestamp_ms
        return told["state"], told["reason"], told["detail"], at_ms
