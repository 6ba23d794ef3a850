"""The whole path in one process: embedded Kafka, both simulators, a worker."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bridge.app.worker import Worker
from bridge.config import Settings, load
from bridge.config.plans import wanted_topics
from bridge.core.codec import Codec, Decoder
from bridge.edge.consumer import read_range
from bridge.edge.logs import Log
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka
from bridge.simulators.cfbenchmarks import CfBenchmarksOptions, CfBenchmarksSimulator
from bridge.simulators.finery import FineryOptions, FinerySimulator, Recording
from tests.support.processes import settings_file
from tests.support.running import until

FINERY = (
    *("book.tradable:BTC-USD", "book.global:BTC-USD", "book.viewonly:ETH-USD"),
    *("instruments", "orders", "positions", "settlement-orders"),
    *("settlement-requests", "settlement-transactions", "counterparty-limits"),
)
RATES = ("value:BRTI", "value:ETHUSD_RTI", "value:BRR", "rti-stats:BRTI")


class Whole:
    """All parts of the path, and what a test asks of them."""

    def __init__(
        self, kafka: EmbeddedKafka, finery: FinerySimulator, rates: Any, folder: Path
    ) -> None:
        """Write the settings that join the parts."""
        self.kafka, self.finery, self.rates, self.folder = kafka, finery, rates, folder
        self.stop = asyncio.Event()
        self.lines = io.StringIO()
        self.workers: list[Worker] = []

    def settings(
        self, finery: Sequence[Any] = FINERY, rates: Sequence[Any] = RATES, **more: Any
    ) -> Settings:
        """Return settings for these subscriptions; create their topics."""
        tree: dict[str, Any] = {
            "kafka": {"bootstrap_servers": self.kafka.bootstrap},
            "books": {"refresh_seconds": 1},
            **more,
        }
        if finery:
            desk = {"url": self.finery.url, "subscriptions": list(finery)}
            tree["finery"] = {"desk": desk}
        if rates:
            cf = {"url": self.rates.url, "subscriptions": list(rates)}
            tree["cfbenchmarks"] = {"rates": cf}
        made = self.made = load(
            settings_file(self.folder, tree), self.secrets(finery, rates)
        )
        for topic in wanted_topics(made):
            self.kafka.create_topic(topic.name, topic.partitions)
        return made

    def secrets(self, finery: Sequence[Any], rates: Sequence[Any]) -> dict[str, str]:
        """Return the logins as environment variables."""
        desk = {
            "FEEDBRIDGE_FINERY__desk__KEY": self.finery.key,
            "FEEDBRIDGE_FINERY__desk__SECRET": self.finery.secret,
        }
        cf = {
            "FEEDBRIDGE_CFBENCHMARKS__rates__USER": self.rates.user,
            "FEEDBRIDGE_CFBENCHMARKS__rates__PASSWORD": self.rates.password,
        }
        return {**(desk if finery else {}), **(cf if rates else {})}

    def worker(self, settings: Settings) -> Worker:
        """Return a worker that logs into `lines`."""
        made = Worker(settings, Log("info", "text", out=self.lines))
        self.workers.append(made)
        return made

    async def live(self, worker: Worker, names: int) -> None:
        """Wait until `names` bindings of the worker are live."""

        def count() -> int:
            connections = worker.status().get("connections", [])
            phases = [b["phase"] for c in connections for b in c["bindings"]]
            return phases.count("LIVE")

        await until(lambda: count() >= names, f"{names} live")

    async def records(self, settings: Settings, topic: str) -> list[dict[str, Any]]:
        """Return the decoded records of a topic, with key and Kafka time."""
        decoder = Decoder(Codec(bundled()))
        found = []
        options = settings.kafka.properties()
        async for message in read_range(options, [topic]):
            assert message.value is not None
            found.append({**decoder.decode(message.value), "key": message.key})
        return found


@asynccontextmanager
async def whole(folder: Path, **finery: Any) -> AsyncIterator[Whole]:
    """Start embedded Kafka and both simulators."""
    options = FineryOptions(seed=3, recording=Recording.TEXT, **finery)
    with EmbeddedKafka() as kafka:
        async with (
            FinerySimulator(options) as venue,
            CfBenchmarksSimulator(CfBenchmarksOptions(seed=3)) as rates,
        ):
            yield Whole(kafka, venue, rates, folder)
