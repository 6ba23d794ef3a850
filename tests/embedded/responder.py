"""Plays the bridge's part for the client: response records as a test wants them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

import confluent_kafka as ck

from bridge.client import Pending
from bridge.core.codec import Codec
from bridge.core.envelopes import COMMAND, RESPONSE, Reader, Shown, response_writer
from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Result
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka

COMMANDS, RESPONSES = "finery.commands", "finery.responses"
PARTITIONS = 3


def options(kafka: EmbeddedKafka) -> dict[str, str | int | float | bool]:
    """Return the properties of a client; the mock cluster does not wake a waiter."""
    return {"bootstrap.servers": kafka.bootstrap, "fetch.wait.max.ms": 10}


class Responder:
    """Writes responses, and reads commands back."""

    def __init__(self, kafka: EmbeddedKafka) -> None:
        """Use the schemas of this version."""
        codec = Codec(bundled())
        self._write = response_writer(codec, codec.single_object_header(RESPONSE))
        self.reader = Reader(codec)
        self.headers: list[tuple[str, str | bytes | None]] = []
        self.command_header = codec.single_object_header(COMMAND)
        self._producer = ck.Producer({"bootstrap.servers": kafka.bootstrap})

    def answer(self, pending: Pending, phase: Phase, **more: Any) -> None:
        """Write one response to a command that was submitted."""
        assert pending.offset is not None
        offset = more.pop("offset", pending.offset)
        self.write(pending.req_id, pending.partition, offset, phase, **more)

    def write(
        self, req_id: str, partition: int, offset: int, phase: Phase, **more: Any
    ) -> None:
        """Write one response; returns when Kafka has it."""
        entry, shown = self._entry(req_id, offset, phase, more)
        value = self._write(entry, partition, shown)
        self.raw(req_id.encode(), partition, value)

    def value(self, req_id: str, offset: int) -> bytes:
        """Return the bytes of a final response, with the wire header of no registry."""
        entry, shown = self._entry(req_id, offset, Phase.FINAL, {})
        return self._write(entry, 0, shown)

    def raw(self, key: bytes, partition: int, value: bytes | None) -> None:
        """Write any record to the response topic."""
        self._producer.produce(RESPONSES, value, key, partition, headers=self.headers)
        assert self._producer.flush(10) == 0

    def _entry(
        self, req_id: str, offset: int, phase: Phase, more: dict[str, Any]
    ) -> tuple[Entry, Shown]:
        account = more.pop("account", "desk")
        topic = more.pop("topic", COMMANDS)
        repeat_of = more.pop("repeat_of", None)
        typed = more.pop("typed", None)
        said = {"code": "OK", "text": "fine", "evidence": Evidence.REPLY, **more}
        final = phase in {Phase.FINAL, Phase.CORRECTION}
        said.setdefault("outcome", Outcome.DONE)
        entry = Entry(
            key=Key(topic, account, req_id),
            phase=phase,
            command_offset=offset,
            method="add",
            worker="w",
            epoch="e",
            order_id=77,
            connection="c",
            repeat_of=repeat_of,
            received_ms=1,
            claimed_ms=2,
            sent_ms=3,
            answered_ms=4,
            result=Result(**said) if final else None,
        )
        return entry, Shown(result=typed)


Command = Mapping[str, Any]
Script = Callable[[Command], list[dict[str, Any]]]


class Automaton:
    """Answers each command by a script, in a thread; for verbs that block.

    The script returns what `Responder.write` takes beside the place, for each response.
    """

    def __init__(self, kafka: EmbeddedKafka, script: Script) -> None:
        """Follow the command topic from its end."""
        self.seen: list[dict[str, Any]] = []
        self.traces: list[str | bytes | None] = []
        self._responder = Responder(kafka)
        self._script = script
        self._stop = threading.Event()
        more = {"group.id": "automaton", "auto.offset.reset": "earliest"}
        self._consumer = ck.Consumer(options(kafka) | more)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        places = [ck.TopicPartition(COMMANDS, n) for n in range(PARTITIONS)]
        for place in places:
            place.offset = self._consumer.get_watermark_offsets(place, timeout=10)[1]
        self._consumer.assign(places)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.05)
            if message is None or message.error():
                continue
            command = self._responder.reader.command(message.value() or b"")
            self.seen.append(command)
            self.traces.append(dict(message.headers() or ()).get("traceparent"))
            place = (message.partition() or 0, message.offset() or 0)
            for more in self._script(command):
                phase = more.pop("phase", Phase.FINAL)
                self._responder.write(
                    command["reqId"], *place, phase, account=command["account"], **more
                )
