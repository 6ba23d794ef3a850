"""A worker's HTTP port against real connections, an embedded Kafka and simulators."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.app.worker import Worker
from bridge.config import Settings, load
from bridge.config.sections import Http
from bridge.core.metric_table import BY_NAME
from bridge.edge.logs import Log
from bridge.errors import ConfigError
from tests.embedded.test_orders import ORDERS, Sender
from tests.embedded.whole import FINERY, RATES, Whole, whole
from tests.support.http import Reply, get
from tests.support.processes import settings_file
from tests.support.running import Run, until
from tests.unit.edge.test_http import stream

PATHS = ("/", "/livez", "/readyz", "/readyz?format=json", "/startupz")
ALL = (*PATHS, "/metrics", "/status", "/page.css", "/page.js", "/nothing")
ANY = Http(port=0)


class Site:
    """A worker that listens, and its port."""

    def __init__(self, path: Whole, settings: Settings) -> None:
        self.worker = Worker(
            settings, Log("info", "text", out=path.lines), http=Http(port=0)
        )
        self.path = path
        self.port = 0
        self.task = asyncio.ensure_future(self.worker.run(path.stop))

    async def listening(self) -> None:
        await until(lambda: "http_listening" in self.path.lines.getvalue(), "port")
        self.port = int(re.findall(r"port=(\d+)", self.path.lines.getvalue())[-1])

    async def ready(self, status: int = 200) -> Reply:
        """Wait until everything is well, or is not, and return the answer."""
        found = await get(self.port, "/readyz")
        while found.status != status:
            await asyncio.sleep(0.05)
            found = await get(self.port, "/readyz")
        return found

    async def metrics(self) -> dict[str, float]:
        return series((await get(self.port, "/metrics")).body.decode())


@contextlib.asynccontextmanager
async def site(path: Whole, settings: Settings) -> AsyncIterator[Site]:
    made = Site(path, settings)
    try:
        await made.listening()
        yield made
    finally:
        path.stop.set()
        assert await made.task == 0


def series(text: str) -> dict[str, float]:
    """Return the value of each series of an exposition."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (s.rpartition(" ") for s in lines)}


def test_every_path_of_a_worker_that_works(run: Run, tmp_path: Path) -> None:
    async def story() -> dict[str, Reply]:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(commands=ORDERS)
            async with site(path, settings) as at:
                await at.ready()
                return {one: await get(at.port, one) for one in ALL}

    found = run(story())
    assert [(one, found[one].status) for one in ALL if found[one].status != 200] == [
        ("/nothing", 404)
    ]
    assert found["/readyz"].body == b"ok\n"
    parts = found["/readyz?format=json"].json()["parts"]
    names = {part["name"].split()[0] for part in parts}
    assert names >= {"worker", "connection", "subscription", "kafka"}
    assert b"<html" in found["/"].body
    assert found["/status"].json()["phase"] == "running"


def test_what_is_exported_is_the_table(run: Run, tmp_path: Path) -> None:
    """Each counter without a settings label is there from the first scrape on, at 0."""

    async def story() -> tuple[str, dict[str, float]]:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(commands=ORDERS)
            async with site(path, settings) as at:
                await at.ready()
                text = (await get(at.port, "/metrics")).body.decode()
                return text, series(text)

    text, found = run(story())
    types = dict(re.findall(r"^# TYPE feedbridge_(\w+) (\w+)$", text, re.MULTILINE))
    assert types.keys() <= BY_NAME.keys()
    assert all(types[name] == BY_NAME[name].kind for name in types)
    missing = BY_NAME.keys() - types.keys()
    assert missing <= LATER, missing - LATER
    live = [n for n in found if n.startswith("feedbridge_subscription_live{")]
    assert len(live) == len(FINERY) + len(RATES)
    assert all(found[name] == 1 for name in live)
    assert found["feedbridge_ready"] == 1
    assert found['feedbridge_gaps_total{source="desk",reason="KAFKA_SLOW"}'] == 0
    assert found["feedbridge_loop_lag_seconds_count"] > 0
    assert found["feedbridge_records_total"] > 0


LATER = {
    *("clock_skew_seconds", "certificate_expiry_timestamp_seconds"),
    *("librdkafka_requests_waiting", "librdkafka_messages_sent_total"),
    *("librdkafka_broker_rtt_seconds", "librdkafka_brokers_up"),
    *("command_lag_messages", "command_poll_age_seconds"),
    *("ownership_lease_seconds", "ownership_poll_age_seconds"),
}


def test_what_is_broken_is_told_a_line_a_part(run: Run, tmp_path: Path) -> None:
    """The connection that is down and its subscriptions, and no others; then well."""

    async def story() -> tuple[Reply, Any, Reply]:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings()
            async with site(path, settings) as at:
                await at.ready()
                await path.finery.do("refuse_handshakes", error=6, times=100)
                await path.finery.do("kill")
                await until(lambda: "disconnected" in path.lines.getvalue(), "down")
                broken = await at.ready(503)
                told = (await get(at.port, "/readyz?format=json")).json()
                alive = await get(at.port, "/livez")
                await path.finery.do("refuse_handshakes", error=6, times=0)
                return broken, told, alive

    broken, told, alive = run(story())
    lines = broken.body.decode().splitlines()
    assert broken.status == 503
    assert all("desk/" in line for line in lines)
    assert any(line.startswith("connection desk/") for line in lines)
    assert any(line.startswith("subscription desk/book.tradable") for line in lines)
    assert told["ok"] is False
    assert [part["ok"] for part in told["parts"]] == sorted(
        part["ok"] for part in told["parts"]
    )
    assert alive.status == 200


def test_it_answers_while_it_prepares(run: Run, tmp_path: Path) -> None:
    """No Kafka yet: not ready, but alive, and nothing that another start would mend."""

    async def story() -> tuple[Reply, Reply, Reply, Reply]:
        tree = {
            "kafka": {"bootstrap_servers": "127.0.0.1:1"},
            "cfbenchmarks": {"rates": {"subscriptions": ["value:BRTI"]}},
        }
        settings = load(settings_file(tmp_path, tree), LOGIN)
        lines = io.StringIO()
        worker = Worker(settings, Log("info", "text", out=lines), http=ANY)
        stop = asyncio.Event()
        task = asyncio.ensure_future(worker.run(stop))
        await until(lambda: "kafka_unreachable" in lines.getvalue(), "waiting", 40.0)
        port = int(re.findall(r"port=(\d+)", lines.getvalue())[-1])
        found = [
            await get(port, one)
            for one in ("/startupz", "/readyz", "/livez", "/status")
        ]
        stop.set()
        assert await task == 0
        return found[0], found[1], found[2], found[3]

    started, ready, alive, status = run(story())
    assert (started.status, ready.status) == (200, 503)
    assert ready.body.startswith(b"worker: kafka_unreachable: ")
    assert (alive.status, status.json()["phase"]) == (200, "preparing")


LOGIN = {
    "FEEDBRIDGE_CFBENCHMARKS__rates__USER": "u",
    "FEEDBRIDGE_CFBENCHMARKS__rates__PASSWORD": "test-secret-of-rates",
}


def test_the_page_hears_the_status_once_a_second(run: Run, tmp_path: Path) -> None:
    async def story() -> list[Any]:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings()
            async with site(path, settings) as at:
                await at.ready()
                reader, writer = await stream(at.port)
                told = []
                for _ in range(2):
                    told.append(json.loads(await reader.readline()))
                    await reader.readuntil(b"data: ")
                writer.transport.abort()
                return told

    first, second = run(story())
    assert second["at_ms"] > first["at_ms"]
    assert second["ledger"]["records"] > first["ledger"]["records"]
    told = [one for c in second["connections"] for one in c["subscriptions"]]
    wanted = {"name", "binding", "state", "records", "gaps"}
    assert all(wanted <= one.keys() for one in told)
    assert {one["binding"] for one in told} >= {*FINERY, *RATES}


def test_open_event_streams_do_not_delay_the_stop(run: Run, tmp_path: Path) -> None:
    async def story() -> float:
        async with whole(tmp_path) as path:
            made = Site(path, path.settings(finery=(), rates=RATES))
            await made.listening()
            await made.ready()
            kept = [await stream(made.port) for _ in range(16)]
            loop = asyncio.get_running_loop()
            begun = loop.time()
            path.stop.set()
            assert await made.task == 0
            for _, writer in kept:
                writer.transport.abort()
            return loop.time() - begun

    assert run(story()) < 10.0


def test_no_answer_holds_a_secret(run: Run, tmp_path: Path) -> None:
    """Not even one that a venue sends back in its refusal."""

    async def story() -> tuple[list[str], list[bytes]]:
        async with whole(tmp_path) as path:
            settings = path.settings(commands=ORDERS)
            async with site(path, settings) as at:
                await at.ready()
                sender = Sender(path, settings)
                sender.send("one", "add", instrument="BTC-USD")
                await path.finery.do("refuse_handshakes", error=6, times=3)
                await path.finery.do("kill")
                await until(lambda: "disconnected" in path.lines.getvalue(), "down")
                seen = [repr(await get(at.port, one)).encode() for one in ALL]
                reader, writer = await stream(at.port)
                seen.append(await reader.readline())
                writer.transport.abort()
                return [s for s in settings.secrets() if s], seen

    secrets, seen = run(story())
    assert len(secrets) >= 4
    assert [s for s in secrets for text in seen if s.encode() in text] == []


def test_a_port_in_use_ends_the_start(run: Run, tmp_path: Path) -> None:
    async def story() -> None:
        tree = {"cfbenchmarks": {"rates": {"subscriptions": ["value:BRTI"]}}}
        settings = load(settings_file(tmp_path, tree), LOGIN)
        taken = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        worker = Worker(settings, Log("error"), http=Http(port=port))
        with pytest.raises(ConfigError, match=r"http\.port") as caught:
            await worker.run(asyncio.Event())
        assert caught.value.exit_code == 2
        taken.close()

    run(story())
