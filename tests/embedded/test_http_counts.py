"""What happens to a worker is counted by name, and shows on its port."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.embedded.test_http import Site, site
from tests.embedded.test_orders import ORDERS, Sender
from tests.embedded.whole import whole
from tests.support.running import Run


def test_what_happens_is_counted_by_name(run: Run, tmp_path: Path) -> None:
    """A loss of the connection, an unreadable frame, a command, a refusal."""

    async def story() -> dict[str, float]:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(
                commands=ORDERS, kafka=fast_statistics(path.kafka.bootstrap)
            )
            async with site(path, settings) as at:
                await at.ready()
                await path.finery.do("inject", text='["F","what"]')
                sender = Sender(path, settings)
                sender.send("one", "add", instrument="BTC-USD")
                sender.raw(b"no command")
                await path.finery.do("kill")
                for wanted in WANTED:
                    await counted(at, wanted)
                return await at.metrics()

    found = run(story(), limit=90.0)
    assert found['feedbridge_kafka_delivery_seconds_count{producer="feeds"}'] > 0
    skewed = [found[name] for name in found if name.startswith(SKEW)]
    assert skewed
    assert max(map(abs, skewed)) < 3
    assert 'feedbridge_command_poll_age_seconds{topic="finery.commands"}' in found


SKEW = 'feedbridge_clock_skew_seconds{dependency="127.0.0.1:'
WANTED = (
    'feedbridge_gaps_total{source="desk",reason="CONNECTION_LOST"}',
    'feedbridge_disconnects_total{source="desk",reason="CLOSED"}',
    'feedbridge_subscription_gaps_total{source="desk",subscription="orders"}',
    'feedbridge_dead_letters_total{source="desk",reason="TOO_SHORT"}',
    'feedbridge_librdkafka_brokers_up{producer="feeds"}',
    'feedbridge_librdkafka_messages_sent_total{producer="feeds"}',
)


def fast_statistics(bootstrap: str) -> dict[str, Any]:
    options = {"statistics.interval.ms": 500}
    return {"bootstrap_servers": bootstrap, "options": options}


async def counted(at: Site, wanted: str) -> None:
    """Wait until a series is above 0."""
    end = asyncio.get_running_loop().time() + 20.0
    found = await at.metrics()
    while not found.get(wanted):
        near = {
            n: v for n, v in found.items() if n.startswith(wanted.partition("{")[0])
        }
        assert asyncio.get_running_loop().time() < end, (wanted, near)
        await asyncio.sleep(0.1)
        found = await at.metrics()
