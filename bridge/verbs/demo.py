"""`feedbridge demo`: embedded Kafka, both simulators, a worker, and what flows.

All of it lives in this process and ends with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live

from bridge.app.destinations import feed_schemas
from bridge.app.worker import Worker
from bridge.config import Settings
from bridge.config.plans import wanted_topics
from bridge.edge.clock import mono_ns, wall_ns
from bridge.edge.logs import Log
from bridge.embedded import EmbeddedKafka
from bridge.errors import Undelivered
from bridge.simulators.cfbenchmarks import CfBenchmarksOptions, CfBenchmarksSimulator
from bridge.simulators.finery import FineryOptions, FinerySimulator
from bridge.verbs import demo_orders
from bridge.verbs.out import say_json
from bridge.verbs.records import decoder_of, reading
from bridge.verbs.watch import Watch

FINERY = (
    "book.tradable:BTC-USD",
    "book.tradable:ETH-USD",
    "book.tradable:BTC-EUR",
    "book.global:BTC-USD",
    "book.global:ETH-USD",
    "book.viewonly:BTC-USD",
    "instruments",
    "orders",
    "positions",
    "settlement-orders",
    "settlement-requests",
    "settlement-transactions",
    "counterparty-limits",
)
CFBENCHMARKS = (
    "value:BRTI",
    "value:ETHUSD_RTI",
    "value:SOLUSD_RTI",
    "value:BRR",
    "rti-stats:BRTI",
    "rti-stats:ETHUSD_RTI",
)
PARTITIONS = 3
REFRESH_S = 5.0
REDRAW_S = 0.25
START_LIMIT_S = 20.0
SETTLED_S = 1.0  # nothing new for this long: all was read
SETTLE_LIMIT_S = 10.0


def main(args: argparse.Namespace) -> int:
    """Show what flows until Ctrl-C or --seconds; 6 unless all of it is complete."""
    if args.orders:
        return demo_orders.main(args)
    return asyncio.run(_demo(args))


async def _demo(args: argparse.Namespace) -> int:
    stop = _stop()
    started_ns = mono_ns()
    with EmbeddedKafka() as kafka:
        async with (
            FinerySimulator(FineryOptions()) as finery,
            CfBenchmarksSimulator(CfBenchmarksOptions()) as rates,
        ):
            settings = settings_of(kafka.bootstrap, finery, rates)
            for topic in wanted_topics(settings):
                kafka.create_topic(topic.name, topic.partitions)
            watch = _watch(settings)
            with _drawn(watch, live=not args.json):
                timer = asyncio.create_task(_timer(args.seconds, watch, stop))
                worker = await _flow(settings, watch, stop)
                timer.cancel()
    seconds = (mono_ns() - started_ns) / 1e9
    return _conclude(args, summary(watch, worker, seconds))


def _stop() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _timer(seconds: float | None, watch: Watch, stop: asyncio.Event) -> None:
    """Stop after `seconds`, counted from the first record."""
    if seconds is None:
        return
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(watch.started.wait(), START_LIMIT_S)
    await asyncio.sleep(seconds)
    stop.set()


def settings_of(
    bootstrap: str, finery: FinerySimulator, rates: CfBenchmarksSimulator
) -> Settings:
    """Return the settings of the demo's worker."""
    return Settings.model_validate(
        {
            "worker": {"name": "demo"},
            "kafka": {"bootstrap_servers": bootstrap},
            "topics": {"create": False, "partitions": PARTITIONS},
            "books": {"refresh_seconds": REFRESH_S},
            "finery": {
                "desk": {
                    "url": finery.url,
                    "key": finery.key,
                    "secret": finery.secret,
                    "subscriptions": FINERY,
                }
            },
            "cfbenchmarks": {
                "rates": {
                    "url": rates.url,
                    "user": rates.user,
                    "password": rates.password,
                    "subscriptions": CFBENCHMARKS,
                }
            },
        }
    )


def _watch(settings: Settings) -> Watch:
    topics = settings.topics
    return Watch(
        sorted(feed_schemas(settings)),
        [topics.feed_state, topics.dead_letter],
        decoder_of(settings),
    )


async def _flow(
    settings: Settings, watch: Watch, stop: asyncio.Event
) -> Mapping[str, Any]:
    """Run the worker until `stop`, read what it writes, and return its counts."""
    reader = asyncio.create_task(_read(settings, watch), name="reader")
    worker = Worker(settings, Log("error", "text"))
    try:
        await worker.run(stop)
        await _settled(watch, reader)
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    status = worker.status()
    return {name: status.get(name) for name in ("ledger", "kafka")}


async def _read(settings: Settings, watch: Watch) -> None:
    async with reading(settings, list(watch.counts), follow=True) as messages:
        async for message in messages:
            watch.take(message, wall_ns() // 1_000_000)


async def _settled(watch: Watch, reader: asyncio.Task[None]) -> None:
    """Wait until nothing new is read any more, and pass on what stopped the reader."""
    deadline_ns = mono_ns() + int(SETTLE_LIMIT_S * 1e9)
    before = -1
    while watch.taken != before and mono_ns() < deadline_ns:
        before = watch.taken
        await asyncio.wait([reader], timeout=SETTLED_S)
        if reader.done():
            reader.result()


@contextlib.contextmanager
def _drawn(watch: Watch, *, live: bool) -> Iterator[None]:
    """Draw the table again and again on a terminal, else once at the end."""
    console = Console()
    if live and console.is_terminal:
        with Live(
            get_renderable=lambda: watch.table(wall_ns() // 1_000_000),
            console=console,
            refresh_per_second=1 / REDRAW_S,
        ):
            yield
        return
    yield
    if live:
        wide = Console(width=160, file=sys.stdout)
        wide.print(watch.table(wall_ns() // 1_000_000))


def summary(watch: Watch, worker: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return counts and verdicts by topic, JSON-ready."""
    found = watch.found()
    silent = [topic for topic, facts in found.items() if not facts["records"]]
    complete = not silent and all(facts["complete"] for facts in found.values())
    return {
        "seconds": round(seconds, 1),
        "records": sum(facts["records"] for facts in found.values()),
        "topics_with_records": len(found) - len(silent),
        "topics_without_records": silent,
        "worker": worker,
        "complete": complete,
        "topics": found,
        "other_topics": {
            topic: count.records
            for topic, count in watch.counts.items()
            if topic not in found
        },
    }


def _conclude(args: argparse.Namespace, facts: dict[str, Any]) -> int:
    if args.json:
        say_json(facts)
    else:
        verdict = "complete: no hole" if facts["complete"] else "NOT complete"
        sys.stdout.write(
            f"{facts['records']:,} records on {facts['topics_with_records']} topics in "
            f"{facts['seconds']} s; {verdict}\n"
        )
    return 0 if facts["complete"] else Undelivered.exit_code
