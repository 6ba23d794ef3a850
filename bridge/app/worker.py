"""A worker: builds the parts from settings, runs the feeds, stops cleanly."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from secrets import SystemRandom
from typing import Any

from bridge.app import rotation
from bridge.app.destinations import Preparation, known_schemas
from bridge.app.kafka_rotation import KafkaRotation, clients_of
from bridge.app.orders import OrderPaths
from bridge.app.parts import Parts
from bridge.app.places import pacers
from bridge.app.pulse import Pulse
from bridge.app.shares import Shares
from bridge.app.site import Seen, Site
from bridge.app.status import status
from bridge.app.stopping import Stopping
from bridge.app.view import Running
from bridge.app.vitals import FEEDS, ORDERS, Vitals
from bridge.config import Settings
from bridge.config.sections import Http
from bridge.core.backoff import Backoff
from bridge.core.codec import Codec
from bridge.core.envelopes import Reader
from bridge.core.health import Step
from bridge.edge.clock import Clock, SystemClock
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.edge.logs import Level, Log
from bridge.edge.producer import Left
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError, Undelivered, Unexpected, named
from bridge.flow.feed import Feed
from bridge.flow.race import first

Work = Coroutine[Any, Any, object]


class Worker:
    """Runs every subscription of the settings in this process."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        clock: Clock | None = None,
        http: Http | None = None,
    ) -> None:
        """Prepare; nothing is opened before `run`, and no port without `http`."""
        self._settings = settings
        self._log = log
        self._clock = clock or SystemClock()
        self._parts: Parts | None = None
        self._shares: Shares | None = None
        self._orders: OrderPaths | None = None
        self._desks: list[Feed] = []
        self._fatal: BridgeError | None = None
        self._left: list[str] = []
        self._halt = Stopping(settings, self._clock)
        self._http = http or Http(enabled=False)
        self._waits_for = ""
        self._vitals = Vitals()
        self._site = Site(self._seen())
        self._ends = ExitStack()

    async def run(self, stop: asyncio.Event) -> int:
        """Work until `stop`, or until something fails that a restart must mend.

        Returns 0 when everything was delivered. Raises BridgeError with the exit code
        otherwise, after the feeds were ended and Kafka had its chance to take the rest.
        """
        self._log("starting", worker=self._settings.worker.name)
        asyncio.get_running_loop().set_exception_handler(self._on_stray)
        await self._site.open(self._http)
        try:
            return await self._run(stop)
        finally:
            await self._site.close()
            self._ends.close()

    async def _run(self, stop: asyncio.Event) -> int:
        parts = await first(self._prepare(), stop.wait())
        if parts is None:
            return 0
        self._parts = parts
        await self._serve(stop)
        if self._shares is not None:
            await self._guard("flush", self._flush(self._shares.flush))
        if self._orders is not None:
            await self._guard("flush", self._flush(self._orders.flush))
        if self._fatal is not None:
            raise self._fatal
        if self._left:
            raise Undelivered("; ".join(self._left))
        self._log("stopped", ledger=parts.ledger.as_dict())
        return 0

    def status(self) -> Mapping[str, Any]:
        """Return what the worker is doing, JSON-ready."""
        running, now = self._running(), self._clock.now()
        return {
            "worker": self._settings.worker.name,
            "phase": self._step(),
            "health": self._site.health(),
            **(status(running, self._vitals, now) if running else {}),
        }

    def _seen(self) -> Seen:
        return Seen(
            name=self._settings.worker.name,
            clock=self._clock,
            log=self._log,
            vitals=self._vitals,
            running=self._running,
            step=self._step,
            waits_for=lambda: self._waits_for,
            status=self.status,
        )

    def _running(self) -> Running | None:
        parts, shares = self._parts, self._shares
        if parts is None or shares is None:
            return None
        return Running(parts, shares, self._orders, self._desks)

    def _step(self) -> Step:
        if self._halt.is_set():
            return Step.STOPPING
        return Step.PREPARING if self._parts is None else Step.RUNNING

    def _preparing(self, event: str, level: Level = "info", **facts: object) -> None:
        """Log, and keep what the start waits for."""
        self._waits_for = f"{event}: {facts['error']}" if "error" in facts else ""
        self._log(event, level=level, **facts)

    async def _prepare(self) -> Parts:
        schemas = bundled()
        codec = Codec(schemas)
        backoff = Backoff(SystemRandom().random, cap_seconds=10.0)
        preparation = Preparation(
            self._settings, schemas, codec, self._clock, backoff, self._preparing
        )
        destinations = await preparation.destinations()
        told, hide = self._vitals.tallies, self._log.redactor.hide
        kafka = KafkaRotation(self._settings.kafka, self._clients, self._clock, hide)
        parts = Parts(self._settings, destinations, codec, self._clock, self._log, told)
        parts.logins.hide = hide
        known = known_schemas(self._settings, codec, self._clock, destinations)
        self._ends.callback(known.close)
        reader = Reader(codec, known.fetch)
        pacer, order_pacer = pacers(self._settings, self._clock)
        self._shares = Shares(parts, preparation, reader, pacer, self._fail)
        if self._settings.commands:
            self._orders = OrderPaths(parts, codec, destinations, known, self._fail)
        self._watch(parts, self._shares, self._orders)
        self._desks = self._orders.feeds(order_pacer) if self._orders else []
        self._rotation = rotation.watch(
            parts, self._shares, self._desks, {rotation.KAFKA: kafka}
        )
        await self._rotation.begin()
        return parts

    def _clients(
        self, options: dict[str, str]
    ) -> Iterable[tuple[KafkaClient, Options]]:
        running = self._running()
        return clients_of(running, options) if running else ()

    def _watch(self, parts: Parts, shares: Shares, orders: OrderPaths | None) -> None:
        vitals = self._vitals
        vitals.watch_producer(FEEDS, parts.producer)
        vitals.watch_reader(self._settings.topics.assignment, lambda: shares.progress)
        if orders is not None:
            vitals.watch_producer(ORDERS, orders.producer)
            for topic in orders.paths:
                vitals.watch_reader(topic, partial(orders.progress, topic))

    async def _serve(self, stop: asyncio.Event) -> None:
        """Run feeds, orders and the pulse; the pulse outlives both.

        What one of them lets out ends all of them, but in order: none is cancelled.
        """
        done, closed = asyncio.Event(), asyncio.Event()
        running = self._running()
        assert running is not None  # noqa: S101 - prepared
        beside: dict[str, Work] = {
            "pulse": Pulse(running, self._vitals, self._clock, self._fail).run(done),
            "heed": self._heed(stop, done),
            "rotation": first(self._rotation.run(), self._halt.wait()),
        }
        loops: dict[str, Work] = {
            **{_named(feed): feed.run(closed) for feed in self._desks},
            "orders": self._take_orders(closed),
            "feeds": self._run_feeds(),
        }
        async with asyncio.TaskGroup() as group:
            self._begin(group, beside)
            await asyncio.wait(self._begin(group, loops))
            done.set()

    def _begin(
        self, group: asyncio.TaskGroup, works: Mapping[str, Work]
    ) -> list[asyncio.Task[None]]:
        return [
            group.create_task(self._guard(name, work), name=name)
            for name, work in works.items()
        ]

    async def _guard(self, name: str, work: Work) -> None:
        """Do this work; an error that it cannot mend ends the worker in order."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a fault of ours ends it as well
            self._fail(named(name, error))

    async def _run_feeds(self) -> None:
        """Run what is wanted here until the halt, then end it in order."""
        shares = self._shares
        assert shares is not None  # noqa: S101 - prepared
        if not self._halt.is_set():
            await self._guard("feeds", first(shares.open(), self._halt.wait()))
            await self._halt.wait()
        await shares.close(self._halt)

    async def _take_orders(self, closed: asyncio.Event) -> None:
        """Take commands until the halt, finish them, then let their connections go."""
        if self._orders is not None and not self._halt.is_set():
            await self._guard("orders", self._orders.open())
            await self._halt.wait()
            await self._guard("orders", self._orders.close(self._halt.handover_s()))
        closed.set()

    async def _heed(self, stop: asyncio.Event, done: asyncio.Event) -> None:
        """Turn the outer stop into the inner one."""
        await first(stop.wait(), done.wait())
        self._halt.set()

    def _on_stray(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        """End the worker for an error that a callback let out: a fault of ours.

        asyncio would log it and go on, with a partition or a feed silently stuck.
        """
        loop.default_exception_handler(context)
        where = context.get("message", "a callback")
        self._fail(Unexpected(where, context.get("exception")))

    def _fail(self, error: BridgeError) -> None:
        """End the worker in order; the first error decides the exit code."""
        first_one, self._fatal = self._fatal is None, self._fatal or error
        self._halt.set()
        if first_one and isinstance(error, Unexpected):
            trace = "".join(traceback.format_exception(error))
            self._log("unexpected", level="error", error=str(error), trace=trace)

    async def _flush(self, flush: Callable[[float], Awaitable[Left]]) -> None:
        limit_s = self._halt.flush_s()
        left = await flush(limit_s)
        if left.messages:
            self._left.append(
                f"{left.messages} records ({left.bytes} bytes) were not delivered "
                f"within {limit_s:.1f} s: {left.by_topic}"
            )


def _named(feed: Feed) -> str:
    return f"{feed.plan.source}/{feed.plan.name}"
