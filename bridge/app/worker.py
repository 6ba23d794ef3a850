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
from bridge.app.orders import OrderPaths
from bridge.app.parts import Parts
from bridge.app.shares import Shares
from bridge.config import Settings
from bridge.core.backoff import Backoff
from bridge.core.codec import Codec
from bridge.core.envelopes import Reader
from bridge.edge.clock import Clock, SystemClock
from bridge.edge.logs import Log, LogHandler
from bridge.edge.producer import Producer
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError, Undelivered
from bridge.flow.feed import Feed, first
from bridge.flow.pacer import Pacer

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
        self._shares: Shares | None = None
        self._orders: OrderPaths | None = None
        self._desks: list[Feed] = []
        self._fatal: BridgeError | None = None
        self._halt = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> int:
        """Work until `stop`, or until something fails that a restart must mend.

        Returns 0 when everything was delivered. Raises BridgeError with the exit code
        otherwise, after the feeds were ended and Kafka had its chance to take the rest.
        """
        self._log("starting", worker=self._settings.worker.name)
        asyncio.get_running_loop().set_exception_handler(self._on_stray)
        parts = await first(self._prepare(), stop.wait())
        if parts is None:
            return 0
        self._parts = parts
        await self._serve(parts, stop)
        await self._flush(parts.producer)
        if self._orders is not None:
            await self._flush(self._orders.producer)
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
            "ownership": self._shares.describe() if self._shares else None,
            "feeds": [
                {
                    "source": feed.plan.source,
                    "name": feed.plan.name,
                    "reconnects": feed.reconnects,
                    "trouble": feed.trouble,
                }
                for feed in self._feeds()
            ],
            "orders": self._orders.describe() if self._orders else None,
            "connections": [dict(c.describe(now)) for c in parts.connections],
        }

    async def _prepare(self) -> Parts:
        schemas = bundled()
        codec = Codec(schemas)
        backoff = Backoff(SystemRandom().random, cap_seconds=10.0)
        preparation = Preparation(
            self._settings, schemas, codec, self._clock, backoff, self._log
        )
        destinations = await preparation.destinations()
        parts = Parts(self._settings, destinations, codec, self._clock, self._log)
        reader = Reader(codec, preparation.schema_by_id)
        # Order connections have places of their own: feeds must not keep them waiting.
        orders = max(1, len(self._settings.order_plans()))
        feeds = max(1, self._settings.transport.own_connections - orders)
        self._pacer = Pacer(self._clock, most=orders)
        pacer = Pacer(self._clock, most=feeds)
        self._shares = Shares(parts, preparation, reader, pacer, self._fail)
        if self._settings.commands:
            self._orders = OrderPaths(parts, codec, destinations, reader, self._fail)
        return parts

    async def _serve(self, parts: Parts, stop: asyncio.Event) -> None:
        """Run feeds, orders and the pulse; the pulse outlives both."""
        self._desks = self._orders.feeds(self._pacer) if self._orders else []
        done, closed = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pulse(parts, done), name="pulse")
            group.create_task(self._heed(stop, done), name="heed")
            loops = [
                group.create_task(self._guard(feed, closed), name=_named(feed))
                for feed in self._desks
            ]
            loops.append(group.create_task(self._take_orders(closed), name="orders"))
            loops.append(group.create_task(self._run_feeds(), name="feeds"))
            await asyncio.wait(loops)
            done.set()

    async def _run_feeds(self) -> None:
        """Run what is wanted here until the halt, then end it in order."""
        assert self._shares is not None  # noqa: S101 - prepared
        try:
            if not self._halt.is_set():
                await first(self._shares.open(), self._halt.wait())
                await self._halt.wait()
            await self._shares.close()
        except BridgeError as error:
            self._fail(error)

    def _feeds(self) -> list[Feed]:
        return [*(self._shares.fleet.feeds if self._shares else ()), *self._desks]

    async def _take_orders(self, closed: asyncio.Event) -> None:
        """Take commands until the halt, finish them, then let their connections go."""
        try:
            if self._orders is not None and not self._halt.is_set():
                await self._orders.open()
                await self._halt.wait()
                await self._orders.close()
        except BridgeError as error:
            self._fail(error)
        finally:
            closed.set()

    async def _heed(self, stop: asyncio.Event, done: asyncio.Event) -> None:
        """Turn the outer stop into the inner one."""
        await first(stop.wait(), done.wait())
        self._halt.set()

    async def _guard(self, feed: Feed, stop: asyncio.Event) -> None:
        """Run one feed; an error that it cannot mend stops the others, too."""
        try:
            await feed.run(stop)
        except BridgeError as error:
            self._fail(error)

    def _on_stray(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        """End the worker for an error that a callback let out: a fault of ours.

        asyncio would log it and go on, with a partition or a feed silently stuck.
        """
        loop.default_exception_handler(context)
        cause = context.get("exception")
        error = BridgeError(f"unexpected: {context.get('message')}: {cause!r}")
        error.__cause__ = cause
        self._fail(error)

    def _fail(self, error: BridgeError) -> None:
        self._fatal = self._fatal or error
        self._halt.set()

    async def _pulse(self, parts: Parts, done: asyncio.Event) -> None:
        """Serve delivery reports, pressure, losses and the sessions' time."""
        shares = self._shares
        assert shares is not None  # noqa: S101 - prepared
        beat = 0
        while not done.is_set():
            await self._clock.sleep(PULSE_S)
            now = self._clock.now()
            shares.tick()
            parts.producer.poll()
            parts.losses.drain(now)
            parts.pressure.step(now)
            if self._orders is not None:
                self._orders.tick(now)
            if beat % BEATS_A_TICK == 0:
                for connection in [*parts.connections, *parts.order_connections]:
                    connection.tick(now)
            if parts.producer.fatal is not None:
                self._fail(parts.producer.fatal)
            beat += 1
            if beat == FREEZE_AFTER_BEATS:
                freeze()

    async def _flush(self, producer: Producer) -> None:
        left = await producer.flush(self._settings.kafka.flush_timeout_s)
        if left.messages and self._fatal is None:
            self._fatal = Undelivered(
                f"{left.messages} records ({left.bytes} bytes) were not delivered "
                f"within {self._settings.kafka.flush_timeout_s:g} s: {left.by_topic}"
            )


def _named(feed: Feed) -> str:
    return f"{feed.plan.source}/{feed.plan.name}"


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
