"""A whole worker against both simulators, judged by the simulators' own books."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import Undelivered, VenueRefused
from tests.embedded.whole import FINERY, RATES, whole
from tests.support.running import Run, until

PRODUCE, POLICY_VIOLATION = 0, 44  # Kafka protocol guide


def bodies(records: list[dict[str, Any]], *actions: str) -> list[dict[str, Any]]:
    """Return the records with one of these actions."""
    return [r for r in records if r["action"] in actions]


def sides(record: dict[str, Any]) -> list[list[list[int]]]:
    """Return a whole book in the venue's form."""
    return [
        [[level["priceE8"], level["sizeE8"]] for level in record[side]]
        for side in ("bids", "asks")
    ]


def test_what_the_venue_published_is_what_stands_in_kafka(
    run: Run, tmp_path: Path
) -> None:
    """Each frame of a book is one record, and the last book is the venue's own."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings()
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, len(FINERY) + len(RATES))
            await asyncio.sleep(2)
            await path.finery.do("pause")
            await asyncio.sleep(1.5)  # a refresh after the last update
            streams = await path.finery.do("streams")
            book = await path.finery.do("book", instrument="BTC-USD")
            path.stop.set()
            assert await task == 0

            records = await path.records(settings, "finery.book.global")
            sent = next(s for s in streams if s["feed"] == "B")
            assert len(bodies(records, "SNAPSHOT", "UPDATE")) == sent["sent"]
            assert sides(bodies(records, "REFRESH", "SNAPSHOT")[-1]) == [
                [list(level) for level in side] for side in book
            ]
            assert [r["sequence"] for r in records] == list(range(len(records)))

    run(story())


def test_a_stop_tells_of_records_that_kafka_refused_at_its_end(
    run: Run, tmp_path: Path
) -> None:
    """Nobody announces them any more: they are logged, and the end is no 0."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            worker = path.worker(path.settings(["book.global:BTC-USD"], []))
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 1)
            path.kafka.fail_requests(PRODUCE, [POLICY_VIOLATION] * 10_000)
            path.stop.set()
            with pytest.raises(Undelivered) as told:
                await task
            assert told.value.exit_code == 6
            assert "finery.book.global" in str(told.value)
            assert "feedbridge.feed-state" in str(told.value)
            assert "lost_unannounced" in path.lines.getvalue()

    run(story())


def test_rates_arrive_as_text_in_the_order_of_publication(
    run: Run, tmp_path: Path
) -> None:
    """Every tick of the ledger after the first one seen is there, unchanged."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(finery=())
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, len(RATES))
            await asyncio.sleep(3)
            path.stop.set()
            assert await task == 0

            records = await path.records(settings, "cfbenchmarks.value")
            seen = [
                (r["data"]["time"], r["data"]["valueText"])
                for r in records
                if r["id"] == "BRTI" and r["data"]
            ]
            ticks = [
                (t["time"], t["value"])
                for t in path.rates.ledger.entries("tick")
                if t["id"] == "BRTI" and t["series"] == "200ms"
            ]
            assert len(seen) > 10
            fresh = seen[1:]  # the first one was published before
            start = ticks.index(fresh[0])
            assert ticks[start : start + len(fresh)] == fresh

    run(story())


def test_refused_credentials_end_the_worker_with_the_venue_code(
    run: Run, tmp_path: Path
) -> None:
    """A wrong secret is told with number and meaning, and the exit code is 3."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings()
            await path.finery.do("refuse_handshakes", error=14, times=100)
            with pytest.raises(VenueRefused) as caught:
                await path.worker(settings).run(path.stop)
            assert caught.value.exit_code == 3
            assert "14" in str(caught.value)
            assert "signature" in str(caught.value)
            assert path.finery.secret not in path.lines.getvalue()

    run(story())


def test_noise_from_the_venue_becomes_dead_letters(run: Run, tmp_path: Path) -> None:
    """Raw bytes and reason are kept, a huge one in parts, and the feed goes on."""
    huge = '["F","BTC-USD","M","' + "x" * 3_000_000 + '"]'

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(rates=(), finery=("book.tradable:BTC-USD",))
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 1)
            for text in ("no json", '["Q",0,"S",[]]', huge):
                await path.finery.do("inject", text=text)
            await until(
                lambda: worker.status()["ledger"]["dead_letters"] == 3, "dead letters"
            )
            await path.live(worker, 1)
            path.stop.set()
            assert await task == 0

            letters = await raw(path, settings)
            reasons = [dict(h)["reason"] for h, _ in letters]
            assert reasons[:2] == [b"NOT_JSON", b"UNKNOWN_FEED"]
            assert b"".join(value for _, value in letters[2:]) == huge.encode()

    run(story())


async def raw(path: Any, settings: Any) -> list[tuple[Any, bytes]]:
    """Return headers and values of the dead letters."""
    from bridge.edge.consumer import read_range

    topic = settings.topics.dead_letter
    return [
        (m.headers, m.value or b"")
        async for m in read_range(settings.kafka.properties(), [topic])
    ]


def test_a_contradiction_rebinds_that_book_alone(run: Run, tmp_path: Path) -> None:
    """A dropped update shows as a gap of one subscription, then a fresh snapshot."""

    async def story() -> None:
        async with whole(tmp_path, rate=0.0) as path:
            names = ("book.tradable:BTC-USD", "book.tradable:ETH-USD")
            settings = path.settings(finery=names, rates=())
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 2)
            await path.finery.do("unknown_level", feed="F", feed_id="BTC-USD")
            await until(lambda: worker.status()["ledger"]["gaps"] == 1, "the gap")
            await path.live(worker, 2)
            path.stop.set()
            assert await task == 0

            records = await path.records(settings, "finery.book.tradable")
            states = {
                name: [
                    (r["boundary"]["state"], r["boundary"]["reason"])
                    for r in bodies(records, "BOUNDARY")
                    if r["subscription"] == name
                ]
                for name in names
            }
            assert states[names[0]][2] == ("GAP", "CONTRADICTION")
            assert states[names[0]][3:5] == [
                ("BINDING", "RESUBSCRIBED"),
                ("LIVE", "SNAPSHOT"),
            ]
            assert [s for s, _ in states[names[1]]] == ["BINDING", "LIVE", "ENDED"]

    run(story())


def test_a_venue_that_loses_its_core_makes_everything_stale(
    run: Run, tmp_path: Path
) -> None:
    """X other than 0 is STALE on every subscription; its return rebinds them all."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(rates=(), finery=("book.tradable:BTC-USD",))
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 1)
            await path.finery.do("x", code=2)
            await until(lambda: "VENUE_DOWN" in path.lines.getvalue(), "stale")
            await path.finery.do("x", code=0)
            await path.live(worker, 1)
            path.stop.set()
            assert await task == 0

            records = await path.records(settings, "finery.book.tradable")
            marks = [r["boundary"]["state"] for r in bodies(records, "BOUNDARY")]
            assert marks == ["BINDING", "LIVE", "STALE", "BINDING", "LIVE", "ENDED"]
            status = await path.records(settings, "finery.status")
            codes = [r["data"]["code"] for r in status if r["data"]]
            assert codes == [0, 2, 0]

    run(story())


def test_a_broker_that_is_away_at_the_start_is_waited_for(
    run: Run, tmp_path: Path
) -> None:
    """The worker says so once, and starts when the broker is there."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(rates=(), finery=("book.tradable:BTC-USD",))
            path.kafka.broker_down()
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await until(lambda: "kafka_unreachable" in path.lines.getvalue(), "waiting")
            path.kafka.broker_up()
            await path.live(worker, 1)
            path.stop.set()
            assert await task == 0

    run(story())
