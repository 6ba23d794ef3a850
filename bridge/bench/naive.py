"""The naive design: what one writes on the first day, from the libraries' own pages.

`async for` over websockets, `json`, a dict a record, AvroSerializer with a registry,
`produce` with a callback, and `poll(0)` after every message. It writes the same records
as feedbridge (same schemas, same keys, a sequence), but keeps no book, checks nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any

import confluent_kafka as ck
import websockets
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bridge.bench.target import BINDS, BOOKS, POSITIONS, SOURCE, Target
from bridge.core.model import Action, Operation
from bridge.edge.clock import mono_ns, wall_ns
from bridge.edge.schemas import bundled

OPERATIONS = {"+": "INSERT", "M": "SET", "-": "DELETE", "~": "CUT_TOP"}
CONNECTION = "0199b1f0-0000-7000-8000-000000000000"

Record = dict[str, Any]


class Naive:
    """One task, one message at a time."""

    def __init__(self, target: Target) -> None:
        """Make producer and serializers."""
        self.received = 0
        self.delivered = 0
        self.failed = 0
        self._target = target
        self._producer = ck.Producer(target.producer())
        registry = SchemaRegistryClient.new_client({"url": "mock://bench"})
        schemas = bundled()
        self._serializers = {
            topic: AvroSerializer(registry, schemas[name])
            for topic, name in ((BOOKS, "finery.Book"), (POSITIONS, "finery.Position"))
        }
        self._sequences: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, bind, and begin to read."""
        self._socket = await websockets.connect(self._target.url, proxy=None)
        for text in BINDS:
            await self._socket.send(text)
        self._task = asyncio.create_task(self._read())

    async def ask(self, text: str) -> None:
        """Send a text frame."""
        await self._socket.send(text)

    def pulse(self) -> None:
        """Serve the last reports, when no message follows."""
        self._producer.poll(0)
        if self._target.watch is not None:
            self._target.watch.acked(self.delivered)

    def settle(self) -> None:
        """Nothing is to be done."""

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _read(self) -> None:
        watch = self._target.watch
        async for text in self._socket:
            start_ns = mono_ns()
            self._take(json.loads(text))
            if watch is not None:
                watch.note(start_ns)
            self._producer.poll(0)
            if watch is not None:
                watch.acked(self.delivered)

    def _take(self, message: list[Any]) -> None:
        feed, feed_id, action, data = message
        self.received += 1
        if feed == "F":
            self._send(BOOKS, feed_id, book(feed_id, action, data))
        elif feed == "K":
            for row in data if action == "S" else [data]:
                self._send(POSITIONS, f"{row[0]}/{row[2]}", position(row, action))

    def _send(self, topic: str, key: str, record: Record) -> None:
        record["sequence"] = self._sequences[topic]
        self._sequences[topic] += 1
        context = SerializationContext(topic, MessageField.VALUE)
        value = self._serializers[topic](record, context)
        while True:
            try:
                self._producer.produce(
                    topic, key=key, value=value, on_delivery=self._on_report
                )
            except BufferError:
                self._producer.poll(0.01)
            else:
                return

    def _on_report(self, error: ck.KafkaError | None, _: ck.Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1


def book(instrument: str, action: str, data: list[Any]) -> Record:
    """Return the record of a book message."""
    record = header(f"book.tradable:{instrument}", action, Action.UPDATE)
    record["instrument"] = instrument
    record["bids"], record["asks"] = [[level(x) for x in side] for side in data]
    return record


def level(change: list[Any]) -> Record:
    """Return one level, whole or changed."""
    if isinstance(change[0], str):
        letter, price, size = change
        return {"operation": OPERATIONS[letter], "priceE8": price, "sizeE8": size}
    price, size = change
    return {"operation": Operation.INSERT.name, "priceE8": price, "sizeE8": size}


def position(row: list[Any], action: str) -> Record:
    """Return the record of one position."""
    record = header("positions", action, Action.MODIFY)
    currency, value, counterparty, most, least = row
    record["data"] = {
        "currency": currency,
        "valueE8": value,
        "counterpartyId": counterparty,
        "maxReachableE8": most,
        "minReachableE8": least,
    }
    return record


def header(subscription: str, letter: str, change: Action) -> Record:
    """Return the fields that every record has."""
    return {
        "source": SOURCE,
        "subscription": subscription,
        "connection": CONNECTION,
        "receivedAt": wall_ns() // 1000,
        "action": Action.SNAPSHOT.name if letter == "S" else change.name,
        "boundary": None,
    }
