"""The floor: a raw frame from our fastest transport straight to `produce`.

No Python design can cost less and still count what became of every record.
"""

from __future__ import annotations

import confluent_kafka as ck

from bridge.bench.target import BINDS, RAW, Target
from bridge.bench.watch import Timed
from bridge.core.model import Handshake, Receiver, Transport
from bridge.edge.websocket import TransportOptions, connect

HIGH, LOW = 20_000, 4_000


class Floor:
    """Frames in, the same bytes out, reports counted."""

    def __init__(self, target: Target) -> None:
        """Make the producer."""
        self.received = 0
        self.delivered = 0
        self.failed = 0
        self._target = target
        self._producer = ck.Producer(
            target.producer() | {"on_delivery": self._on_report}
        )
        self._produce = self._producer.produce
        self._poll = self._producer.poll
        self._paused = False
        self._transport: Transport | None = None

    async def open(self) -> None:
        """Connect and bind."""
        watch = self._target.watch
        receiver: Receiver = self
        if watch is not None:
            receiver = Timed(self, watch, lambda: self.delivered)
        handshake = Handshake(self._target.url)
        self._transport = await connect(handshake, receiver, TransportOptions())
        for text in BINDS:
            self._transport.send(text)

    async def ask(self, text: str) -> None:
        """Send a text frame."""
        if self._transport is not None:
            self._transport.send(text)

    def on_frame(self, data: bytes, _received_ns: int) -> None:
        """Produce one frame as it is."""
        self.received += 1
        self._produce(RAW, data)

    def on_chunk_end(self) -> None:
        """Serve reports; above the mark, read no more."""
        self._poll(0)
        if self.received - self.delivered > HIGH and self._transport is not None:
            self._paused = True
            self._transport.pause()

    def pulse(self) -> None:
        """Serve reports; below the mark, read on."""
        self._poll(0)
        if self._target.watch is not None:
            self._target.watch.acked(self.delivered)
        below = self.received - self.delivered < LOW
        if self._paused and below and self._transport is not None:
            self._paused = False
            self._transport.resume()

    def settle(self) -> None:
        """Nothing is to be done."""

    async def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            await self._transport.close()

    def _on_report(self, error: ck.KafkaError | None, _: ck.Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1
