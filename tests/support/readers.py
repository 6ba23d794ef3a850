"""Members and readers that write down what they are told, in its order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import confluent_kafka as ck

from bridge.core.model import Note
from bridge.edge.consumer import Message
from bridge.edge.group import Group, Membership
from bridge.edge.journal import Journal
from bridge.edge.kafka_options import Options
from bridge.errors import KafkaError


class Recorder:
    """A member of a group: starts what it is given, lets go of what is asked back."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.owned: dict[int, int | None] = {}
        self.messages: list[Message] = []
        self.notes: list[Note] = []
        self.failures: list[KafkaError] = []
        self.group: Group | None = None
        self.starts = True
        self.takes = True
        self.releases = True
        self.commits = False

    @property
    def its(self) -> Group:
        """The group it is in."""
        assert self.group is not None
        return self.group

    def on_assigned(self, topic: str, partition: int, committed: int | None) -> None:
        self.told.append(("assigned", topic, partition, committed))
        self.owned[partition] = committed
        if self.starts:
            self.its.start(topic, partition, committed)

    def on_revoked(self, topic: str, partition: int) -> None:
        self.told.append(("revoked", topic, partition))
        if self.releases:
            self.owned.pop(partition, None)
            self.its.release(topic, partition)

    def on_lost(self, topic: str, partition: int) -> None:
        self.told.append(("lost", topic, partition))
        self.owned.pop(partition, None)

    def on_messages(self, messages: list[Message]) -> None:
        self.messages += messages
        for message in messages:
            if self.takes:
                self.its.taken(message)
            if self.commits:
                self.its.commit(message.topic, message.partition, message.offset + 1)

    def on_note(self, note: Note) -> None:
        self.notes.append(note)

    def on_failed(self, error: KafkaError) -> None:
        self.failures.append(error)

    def offsets(self, partition: int) -> list[int]:
        """Return the offsets that came from a partition, in the order they came."""
        return [m.offset for m in self.messages if m.partition == partition]

    def noted(self, event: str) -> list[Note]:
        """Return the notes of that name."""
        return [note for note in self.notes if note.event == event]


class Log:
    """A journal's reader."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.entries: list[Message] = []
        self.notes: list[Note] = []
        self.failures: list[KafkaError] = []

    def on_entries(self, entries: list[Message]) -> None:
        self.entries += entries
        self.told += [("entry", entry.partition, entry.offset) for entry in entries]

    def on_caught_up(self, topic: str, partition: int) -> None:
        self.told.append(("caught_up", partition))

    def on_broken(self, topic: str, partition: int, detail: str) -> None:
        self.told.append(("broken", partition))

    def on_note(self, note: Note) -> None:
        self.notes.append(note)

    def on_failed(self, error: KafkaError) -> None:
        self.failures.append(error)

    def caught_up(self, partition: int) -> bool:
        """Tell whether the end of `follow`'s time was reached."""
        return ("caught_up", partition) in self.told

    def before_caught_up(self, partition: int) -> list[int]:
        """Return the offsets that came before the word that all is read."""
        end = self.told.index(("caught_up", partition))
        return [t[2] for t in self.told[:end] if t[:2] == ("entry", partition)]


@asynccontextmanager
async def member(
    options: Options, membership: Membership, recorder: Recorder | None = None
) -> AsyncGenerator[Recorder]:
    """Be in a group for the length of a block."""
    recorder = recorder or Recorder()
    recorder.group = Group(options, membership, recorder)
    recorder.group.open()
    try:
        yield recorder
    finally:
        await recorder.group.close()
    assert recorder.failures == []


@asynccontextmanager
async def journal(
    options: Options, log: Log, isolation: str = "read_uncommitted"
) -> AsyncGenerator[Journal]:
    """Have a journal open for the length of a block."""
    made = Journal(options, log, isolation=isolation)
    made.open()
    try:
        yield made
    finally:
        await made.close()
    assert log.failures == []


Put = tuple[str, int, bytes | None]


def put(
    options: Options, records: Iterable[Put], key: bytes | None = b"k", at_ms: int = 0
) -> None:
    """Produce records, and wait until they are acknowledged."""
    client = ck.Producer(
        {
            "linger.ms": 1,
            "enable.idempotence": "true",  # else a retry would reorder
            "message.max.bytes": 10_000_000,
            **options,
        }
    )
    for topic, partition, value in records:
        client.produce(topic, value, key, partition, timestamp=at_ms)
    assert client.flush(20) == 0
