"""The newest value of each key of a compacted topic, read once or followed.

Kafka may keep older values for a while; here a later record replaces an earlier one of
the same key, and a record without value deletes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bridge.core.model import Note
from bridge.edge.admin import Admin
from bridge.edge.clock import Clock
from bridge.edge.consumer import Message
from bridge.edge.journal import Journal
from bridge.edge.kafka_options import Options
from bridge.edge.reader_thread import Prepare
from bridge.errors import KafkaError

TIMEOUT_S = 30.0

Change = Callable[[bytes, bytes | None], None]


class Follow:
    """Keeps the newest value by key; every method belongs to the event loop."""

    def __init__(
        self,
        options: Options,
        topic: str,
        on_change: Change,
        on_note: Callable[[Note], None],
        clock: Clock | None = None,
        prepare: Prepare = lambda _: None,
    ) -> None:
        """Make the client; no broker needs to be there yet.

        Args:
            options: librdkafka properties.
            topic: what to read, whole.
            on_change: called for each record, the old ones first; None deletes.
            on_note: called for changes of state.
            clock: the machine's own by default.
            prepare: called in the thread with records that are about to be handed over.

        Raises:
            ConfigError: an option is unknown.
        """
        self.failure: KafkaError | None = None
        self._topic = topic
        self._change = on_change
        self._note = on_note
        self._options = options
        self._clock = clock
        self._values: dict[bytes, bytes] = {}
        self._behind: set[int] = set()
        self._settled = asyncio.Event()
        self._journal = Journal(options, self, clock, prepare=prepare)

    async def open(self, partitions: int | None = None) -> None:
        """Start reading the topic's partitions, from their beginnings.

        With their number given, no broker needs to answer yet.

        Raises:
            KafkaError: the topic is not there, or no broker answers.
        """
        count = partitions or await self._count()
        self._behind = set(range(count))
        self._journal.open()
        for partition in range(count):
            self._journal.follow(self._topic, partition, None)

    async def _count(self) -> int:
        admin = Admin(self._options, self._clock)
        counts = await admin.partition_counts([self._topic])
        if self._topic not in counts:
            raise KafkaError(
                f"no such topic: {self._topic};"
                " `feedbridge topics` lists what the settings need"
            )
        return counts[self._topic]

    async def close(self) -> None:
        """End; nothing is called back from here on."""
        await self._journal.close()

    def renew(self, options: Options) -> None:
        """Go on with clients of these properties, which read their TLS files anew.

        Raises ConfigError, and changes nothing, where librdkafka refuses.
        """
        self._journal.renew(options)
        self._options = options

    def login(self, user: str, password: str) -> None:
        """Use these from the next connection to a broker on."""
        self._journal.login(user, password)
        changed = {"sasl.username": user, "sasl.password": password}
        self._options = {**self._options, **changed}

    @property
    def values(self) -> Mapping[bytes, bytes]:
        """Return the values as far as they were read; a live view."""
        return MappingProxyType(self._values)

    @property
    def caught_up(self) -> bool:
        """Tell whether all is read that was there at `open`, and it still goes on."""
        return self.failure is None and self._settled.is_set()

    async def wait_caught_up(self) -> None:
        """Wait until the values are complete.

        Raises:
            KafkaError: reading has ended; nothing is known any more.
        """
        await self._settled.wait()
        if self.failure is not None:
            raise self.failure

    # -- what the journal calls

    def on_entries(self, entries: list[Message]) -> None:
        """Let each record replace what its key had."""
        for entry in entries:
            if entry.key is None:
                facts = {"topic": entry.topic, "offset": entry.offset}
                self._note(Note("record_without_key", facts))
            else:
                self._replace(entry.key, entry.value)

    def _replace(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        self._change(key, value)

    def on_caught_up(self, _topic: str, partition: int) -> None:
        """Note that one partition is read."""
        self._behind.discard(partition)
        if not self._behind:
            self._settled.set()

    def on_broken(self, topic: str, partition: int, detail: str) -> None:
        """End: records were missed, so the values cannot be trusted."""
        self.on_failed(KafkaError(f"{topic}/{partition} cannot be followed: {detail}"))

    def on_note(self, note: Note) -> None:
        """Pass it on."""
        self._note(note)

    def on_failed(self, error: KafkaError) -> None:
        """End; whoever waits is told."""
        self.failure = error
        self._settled.set()


async def read_compacted(
    options: Options, topic: str, timeout_s: float = TIMEOUT_S
) -> dict[bytes, bytes]:
    """Read the newest value of each key, as it is now.

    Raises:
        KafkaError: the topic is not there, or was not read within `timeout_s`.
        ConfigError: an option is unknown.
    """
    follow = Follow(options, topic, lambda *_: None, lambda _: None)
    try:
        async with asyncio.timeout(timeout_s):
            await follow.open()
            await follow.wait_caught_up()
    except TimeoutError as error:
        message = f"{topic} was not read to its end within {timeout_s:g} s"
        raise KafkaError(message) from error
    finally:
        await follow.close()
    return dict(follow.values)
