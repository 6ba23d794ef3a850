"""A thread that owns one consumer: calls go in, values come out (ADR 0010).

librdkafka's consumer blocks, and its callbacks run inside its poll. So one thread owns
it. The event loop puts calls into a queue, which the thread runs between two polls;
the thread hands values over with `call_soon_threadsafe`, in order. Nothing is shared.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka as ck

from bridge.core.model import Note
from bridge.edge.clock import Clock
from bridge.edge.consumer import Message
from bridge.errors import KafkaError

TROUBLE_PAUSE_S = 0.2
CLOSE_S = 5.0
"""How long librdkafka may take to close; without brokers it takes for ever."""
REPEAT_S = 30.0
"""The same trouble is told again after this long."""

Call = Callable[[], None]
Prepare = Callable[[Sequence[Message]], None]
"""Is called in the thread with what the loop gets next; it never raises."""


class ReaderThread:
    """Runs `turn` again and again until `stop`; `end` closes what it used.

    Of its methods, `do` and `stop` belong to the loop, all others to the thread.
    """

    def __init__(
        self, name: str, turn: Call, end: Call, on_failed: Callable[[KafkaError], None]
    ) -> None:
        """Prepare; must be called on the running loop.

        Args:
            name: of the thread, for people.
            turn: one bounded round of polling; a `KafkaException` of it is told as a
                note, anything else ends the thread.
            end: called in the thread, last of all.
            on_failed: called on the loop when the thread ended by itself.
        """
        self.name = name
        self.stopping = False
        self._closed = False
        self._turn = turn
        self._end = end
        self._on_failed = on_failed
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._on_trouble: Callable[[ck.KafkaError], None] = lambda _: None
        # Not a daemon: one that dies inside librdkafka at exit would crash.
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self, on_trouble: Callable[[ck.KafkaError], None]) -> None:
        """Let the thread run; it calls `on_trouble`, in itself, for Kafka's errors."""
        self._on_trouble = on_trouble
        self._thread.start()

    # -- on the loop

    def do(self, call: Call) -> None:
        """Have the thread run `call` between two polls."""
        self._calls.put(call)

    async def stop(self) -> bool:
        """End the thread and wait for it; nothing is handed over from here on.

        The calls put before are still run. The answer is False if librdkafka did not
        close within its limit and was left to itself.
        """
        self.stopping = True
        self.do(lambda: None)
        if self._thread.ident is not None:
            await asyncio.shield(self._ended)
            self._thread.join()
        else:
            await asyncio.to_thread(self._close)
        return self._closed

    # -- in the thread

    def tell(self, call: Callable[..., None], *values: object) -> None:
        """Hand values over: call back on the loop, unless it was stopped meanwhile."""
        try:
            self._loop.call_soon_threadsafe(self._deliver, call, values)
        except RuntimeError:  # the loop was closed without stopping us
            self.stopping = True

    def serve(self, wait_s: float = 0.0) -> None:
        """Run the calls that came from the loop; wait up to `wait_s` for the first."""
        try:
            call = self._calls.get(timeout=wait_s) if wait_s else self._next()
            while True:
                call()
                call = self._next()
        except queue.Empty:
            return

    def _next(self) -> Call:
        return self._calls.get_nowait()

    def _run(self) -> None:
        try:
            while not self.stopping and not self._loop.is_closed():
                self._guarded(self.serve)
                self._guarded(self._turn)
            self._guarded(self.serve)
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop must know
            self._fail(error)
        finally:
            self._close()
            self._finish()

    def _close(self) -> None:
        """Close what was used; give it up after a while, since it may never end."""
        if self._closed:
            return
        try:
            self._closed = self.within(CLOSE_S, self._end)
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop must know
            self._closed = True
            self._fail(error)

    def within(self, limit_s: float, call: Call) -> bool:
        """Do what may never end; leave it to itself after a while, and return False.

        Raises what it raised in time.
        """
        ended: list[Exception | None] = []

        def run() -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - raised again below
                ended.append(error)
            else:
                ended.append(None)

        # A daemon, alone of all: a process must be able to end without its brokers.
        closing = threading.Thread(
            target=run, name=f"{self.name}, closing", daemon=True
        )
        closing.start()
        closing.join(limit_s)
        for error in filter(None, ended):
            raise error
        return bool(ended)

    def _guarded(self, call: Call) -> None:
        """Do it; Kafka's own errors never end the thread, and never spin it."""
        try:
            call()
        except ck.KafkaException as error:
            self._on_trouble(error.args[0])
            self.serve(TROUBLE_PAUSE_S)

    def _fail(self, error: Exception) -> None:
        known = isinstance(error, KafkaError)
        failure = error if known else KafkaError(f"{self.name} ended: {error!r}")
        failure.__cause__ = None if known else error
        self.tell(self._on_failed, failure)

    def _finish(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            return

    # -- on the loop, called by the thread

    def _deliver(self, call: Callable[..., None], values: tuple[object, ...]) -> None:
        if not self.stopping:
            call(*values)

    def _settle(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


class Troubles:
    """Tells each kind of trouble once, and again if it lasts."""

    def __init__(self, clock: Clock, tell: Callable[[Note], None]) -> None:
        """Tell through `tell`."""
        self._clock = clock
        self._tell = tell
        self._told_ns: dict[tuple[object, ...], int] = {}

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """Tell it, unless the same was told less than 30 s ago."""
        key, now_ns = (event, *facts.values()), self._clock.now().mono_ns
        before = self._told_ns.get(key)
        if before is None or now_ns - before > REPEAT_S * 1e9:
            self._told_ns = {
                k: ns for k, ns in self._told_ns.items() if now_ns - ns < REPEAT_S * 1e9
            }
            self._told_ns[key] = now_ns
            self._tell(Note(event, facts))

    def kafka(self, error: ck.KafkaError) -> None:
        """Tell what librdkafka said about itself.

        Raises:
            KafkaError: the client cannot go on.
        """
        if is_fatal(error):
            raise KafkaError(
                f"the consumer cannot go on: {error.name()}: {error.str()};"
                " start the worker again"
            )
        # The text has counters and times in it, so it is no part of the key.
        self.note("kafka_trouble", {"code": error.name()})


def is_fatal(error: ck.KafkaError) -> bool:
    """Tell whether the client cannot go on; the flag is not always set."""
    return error.fatal() or error.code() == ck.KafkaError._FATAL  # noqa: SLF001 - public
