"""No secret in anything that people or programs can read."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.config import Settings
from bridge.config.plans import wanted_topics
from bridge.edge.consumer import read_range
from bridge.errors import BridgeError
from tests.embedded.test_orders import ORDERS, Sender
from tests.embedded.whole import whole
from tests.support.running import Run, until


def test_no_secret_is_logged_written_or_told(run: Run, tmp_path: Path) -> None:
    """Logins are in no log line, record, header, status or error of a hard life."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(commands=ORDERS)
            secrets = [s for s in settings.secrets() if s]
            assert len(secrets) >= 4
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 3)
            await path.finery.do("inject", text=f'["F","{path.finery.secret[::-1]}"]')
            await path.finery.do("refuse_handshakes", error=6, times=2)
            await path.finery.do("kill")
            sender = Sender(path, settings)
            sender.raw(b"no command")
            sender.send("one", "add", instrument="BTC-USD")
            await until(lambda: "disconnected" in path.lines.getvalue(), "trouble")
            await path.live(worker, 3)
            seen = [path.lines.getvalue(), repr(worker.status()), repr(settings)]
            path.stop.set()
            assert await task == 0
            seen += await everything(settings)
            await path.finery.do("refuse_handshakes", error=14, times=100)
            try:
                await path.worker(settings).run(asyncio.Event())
            except BridgeError as error:
                seen.append(repr(error) + str(error))
            seen.append(path.lines.getvalue())
            found = [s for s in secrets for text in seen if s in text]
            assert found == []

    run(story(), limit=55.0)


async def everything(settings: Settings) -> list[str]:
    """Return every record of every topic, headers included, as text."""
    names = [topic.name for topic in wanted_topics(settings)]
    options = settings.kafka.properties()
    return [repr((m.key, m.value, m.headers)) async for m in read_range(options, names)]
