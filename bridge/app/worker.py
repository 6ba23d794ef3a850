"""A worker: builds the parts from settings, runs the feeds, stops cleanly."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Mapping
from secrets import SystemRandom
from typing import Any

from bridge.app.destinations import Preparation
from bridge.app.parts import Parts
from bridge.config import Settings
from bridge.core.backoff import Backoff
from bridge.core.codec import Codec
from bridge.edge.clock import Clock, SystemClock
from bridge.edge.logs import Log, LogHandler
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError, Undelivered
from bridge.flow.feed import Feed, Pacer, first

PULSE_S = 0.02
BEATS_A_TICK = 5
FREEZE_AFTER_BEATS = 250


class Worker:
    """Runs every subscription of the settings in this process."""

    def __init__(
        self, settings: Settings, log: Log, clock: Clock | None = None
    ) -> None:
        """Prepare; nothing is opened before `run`."""
        self._settings = settings
        self._log = log
        self._clock = clock or SystemClock()
        self._parts: Parts | None = None
        self._feeds: list[Feed] = []
        self._fatal: BridgeError | None = None
        self._halt = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> int:
        """Work until `stop`, or until something fails that a restart must mend.

        Returns 0 when everything was delivered. Raises BridgeError with the exit code
        otherwise, after the feeds were ended and Kafka had its chance to take the rest.
        """
        self._log("starting", worker=self._settings.worker.name)
        parts = await first(self._prepare(), stop.wait())
        if parts is None:
            return 0
        self._parts = parts
        await self._serve(parts, stop)
        await self._flush(parts)
        if self._fatal is not None:
            raise self._fatal
        self._log("stopped", ledger=parts.ledger.as_dict())
        return 0

    def status(self) -> Mapping[str, Any]:
        """Return what the worker is doing, JSON-ready."""
        parts = self._parts
        if parts is None:
            return {"worker": self._settings.worker.name, "phase": "preparing"}
        now = self._clock.now()
        producer = parts.producer
        return {
            "worker": self._settings.worker.name,
            "phase": "running",
            "flow": parts.pressure.flow.name,
            "pauses": parts.pressure.pauses,
            "cuts": parts.pressure.cuts,
            "ledger": parts.ledger.as_dict(),
            "kafka": {
                "produced": producer.produced,
                "acked": producer.acked,
                "failed": producer.failed,
                "outstanding_bytes": producer.outstanding_bytes,
            },
            "feeds": [
                {
                    "source": feed.plan.source,
                    "name": feed.plan.name,
                    "reconnects": feed.reconnects,
                    "trouble": feed.trouble,
                }
                for feed in self._feeds
            ],
            "connections": [dict(c.describe(now)) for c in parts.connections],
        }

    async def _prepare(self) -> Parts:
        schemas = bundled()
        codec = Codec(schemas)
        backoff = Backoff(SystemRandom().random, cap_seconds=10.0)
        preparation = Preparation(
            self._settings, codec, self._clock, backoff, self._log
        )
        destinations = await preparation.destinations(schemas)
        return Parts(self._settings, destinations, codec, self._clock, self._log)

    async def _serve(self, parts: Parts, stop: asyncio.Event) -> None:
        """Run the feeds and the pulse; the pulse outlives the feeds."""
        pacer = Pacer(self._clock)
        self._feeds = [Feed(p, parts, pacer) for p in self._settings.plans()]
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pulse(parts, done), name="pulse")
            group.create_task(self._heed(stop, done), name="heed")
            feeds = [
                group.create_task(self._guard(feed), name=f"feed {feed.plan.name}")
                for feed in self._feeds
            ]
            await asyncio.wait(feeds)
            done.set()

    async def _heed(self, stop: asyncio.Event, done: asyncio.Event) -> None:
        """Turn the outer stop into the inner one."""
        await first(stop.wait(), done.wait())
        self._halt.set()

    async def _guard(self, feed: Feed) -> None:
        """Run one feed; an error that it cannot mend stops the others, too."""
        try:
            await feed.run(self._halt)
        except BridgeError as error:
            self._fail(error)

    def _fail(self, error: BridgeError) -> None:
        self._fatal = self._fatal or error
        self._halt.set()

    async def _pulse(self, parts: Parts, done: asyncio.Event) -> None:
        """Serve delivery reports, pressure, losses and the sessions' time."""
        beat = 0
        while not done.is_set():
            await self._clock.sleep(PULSE_S)
            now = self._clock.now()
            parts.producer.poll()
            parts.losses.drain(now)
            parts.pressure.step(now)
            if beat % BEATS_A_TICK == 0:
                for connection in list(parts.connections):
                    connection.tick(now)
            if parts.producer.fatal is not None:
                self._fail(parts.producer.fatal)
            beat += 1
            if beat == FREEZE_AFTER_BEATS:
                freeze()

    async def _flush(self, parts: Parts) -> None:
        left = await parts.producer.flush(self._settings.kafka.flush_timeout_s)
        if left.messages and self._fatal is None:
            self._fatal = Undelivered(
                f"{left.messages} records ({left.bytes} bytes) were not delivered "
                f"within {self._settings.kafka.flush_timeout_s:g} s: {left.by_topic}"
            )


def freeze() -> None:
    """Take what start-up made out of the collector's sight.

    A full collection over import-time objects is the one long pause of a worker.
    """
    gc.collect()
    gc.freeze()


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT; return its exit code."""
    return asyncio.run(_until_signal(settings))


async def _until_signal(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = Log(settings.log.level, settings.log.format)
    for secret in settings.secrets():
        log.redactor.hide(secret)
    level = logging.DEBUG if settings.log.level == "debug" else logging.WARNING
    logging.basicConfig(level=level, handlers=[LogHandler(log)], force=True)
    # What librdkafka repeats for each attempt is told once by `kafka_away`.
    quiet = level if level == logging.DEBUG else logging.CRITICAL
    logging.getLogger("feedbridge.librdkafka").setLevel(quiet)
    return await Worker(settings, log).run(stop)
