"""A whole worker with fifty subscriptions on the page, three of them broken."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.app.worker import Worker
from bridge.config import Settings
from bridge.config.sections import Http
from bridge.edge.logs import Log
from bridge.simulators.finery.catalogue import Catalogue
from tests.embedded.whole import Whole, whole
from tests.support import page_states as states
from tests.support.chromium import Page
from tests.support.running import Run

BOOKS = list(Catalogue(44).instruments)
RATES = ["BRTI", "ETHUSD_RTI", "SOLUSD_RTI", "XRPUSD_RTI", "ADAUSD_RTI", "LTCUSD_RTI"]
REFUSED = {"SOL-USD": 34, "T023-USD": 3}
SILENT = "XRPUSD_RTI"
SUMMARY = "document.getElementById('summary').textContent"
LIVE = f"{SUMMARY} == 'All 50 subscriptions live.'"
NAMES = [f"value:{SILENT}", *(f"book.tradable:{name}" for name in REFUSED)]


def _worker(path: Whole, settings: Settings) -> Worker:
    """Return a worker with a port of its own."""
    log = Log("info", "text", out=path.lines)
    return Worker(settings, log, http=Http(port=0))


def test_three_of_fifty_are_seen_at_once(
    run: Run, tmp_path: Path, tab: Page, pictures: Path
) -> None:
    async def story() -> None:
        async with whole(tmp_path, instruments=44, rate=5.0) as path:
            books = [f"book.tradable:{name}" for name in BOOKS]
            rates = [f"value:{name}" for name in RATES]
            worker = _worker(path, path.settings(finery=books, rates=rates))
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 50)
            url = f"http://127.0.0.1:{worker._site.server.port}/"
            await asyncio.to_thread(tab.open, url)
            await asyncio.to_thread(tab.until, LIVE)
            for name, code in REFUSED.items():
                await path.finery.do("refuse_bind", code=code, feed_id=name)
                await path.finery.do("unknown_level", feed_id=name)
            await path.rates.do("silence", id=SILENT)
            broken = f"{SUMMARY}.startsWith('3 of 50 subscriptions not live')"
            await asyncio.to_thread(tab.until, broken)
            said = await asyncio.to_thread(tab.ask, SUMMARY)
            await asyncio.to_thread(tab.picture, pictures / "worker-broken.png")
            path.stop.set()
            assert await task == 0
        assert all(name in said for name in NAMES)
        assert tab.complaints == []

    run(story())


def test_made_up_states_have_the_names_of_real_ones(run: Run, tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path) as path:
            worker = path.worker(path.settings())
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 11)
            real = dict(worker.status())
            path.stop.set()
            assert await task == 0
        made_up = states.healthy()
        assert made_up.keys() <= real.keys()
        for part in ("ledger", "kafka", "ownership"):
            assert made_up[part].keys() <= real[part].keys()
        for part in ("feeds", "connections"):
            assert made_up[part][0].keys() <= real[part][0].keys()
        bound = [one for found in real["connections"] for one in found["bindings"]]
        lanes = [one for found in real["connections"] for one in found["subscriptions"]]
        named = {one["name"]: one for one in bound}
        assert states.book("").keys() <= named["book.tradable:BTC-USD"].keys()
        assert states.index("").keys() <= named["value:BRTI"].keys()
        assert states.lane({"name": ""}, 0).keys() <= lanes[0].keys()
        assert real["health"]["parts"][0].keys() == {"name", "ok", "why"}

    run(story())
