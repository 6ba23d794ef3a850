"""An embedded Kafka with one topic of book records, written as a worker would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import confluent_kafka as ck

from bridge.core.codec import Codec
from bridge.core.model import Action, BoundaryFields, Reason, State
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka

TOPIC = "finery.book.tradable"
CONNECTION = "0190a0a0-0000-7000-8000-000000000001"
BOOK = (((0, 10_000_000_000, 50_000_000),), ((0, 10_100_000_000, 1),))


class Topic:
    """Writes to one partition and knows the settings file that leads to it."""

    def __init__(self, kafka: EmbeddedKafka, folder: Path) -> None:
        codec = Codec(bundled())
        header = codec.single_object_header("finery.Book")
        self.encoder = codec.encoder("finery.Book", header)
        self.prefix = self.encoder.prefix(
            ("desk", "book.tradable:BTC-USD", CONNECTION, "BTC-USD")
        )
        self.bootstrap = kafka.bootstrap
        self.producer = ck.Producer({"bootstrap.servers": kafka.bootstrap})
        self.config = folder / "settings.yaml"
        self.config.write_text(
            f"kafka: {{bootstrap_servers: '{kafka.bootstrap}'}}\n"
            "finery:\n  desk:\n    url: ws://127.0.0.1:1/ws\n"
            "    subscriptions: [book.tradable:BTC-USD]\n"
        )

    def mark(self, sequence: int, state: State, lost: int | None = None) -> bytes:
        boundary = BoundaryFields(state, Reason.CONNECTED, "", lost)
        return self._record(sequence, Action.BOUNDARY, boundary, self.encoder.empty)

    def data(
        self, sequence: int, action: Action, values: tuple[Any, ...] = BOOK
    ) -> bytes:
        return self._record(sequence, action, None, values)

    def _record(
        self,
        sequence: int,
        action: Action,
        boundary: BoundaryFields | None,
        values: tuple[Any, ...],
    ) -> bytes:
        encode = self.encoder.encode
        return encode(self.prefix, sequence, 1_000_000, action, boundary, values)

    def life(self) -> list[bytes]:
        """Return a beginning without fault: four records, live at the third."""
        return [
            self.mark(0, State.BINDING),
            self.data(1, Action.SNAPSHOT),
            self.mark(2, State.LIVE),
            self.data(3, Action.REFRESH),
        ]

    def write(self, values: Sequence[bytes], topic: str = TOPIC) -> None:
        for value in values:
            self.producer.produce(topic, value, b"BTC-USD", 0)
        assert self.producer.flush(10) == 0
