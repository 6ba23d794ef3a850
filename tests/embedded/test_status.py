"""`feedbridge status` against a real worker: it reads only Kafka."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge import cli
from bridge.config import Settings
from bridge.core.overview import Row, Verdict, headline
from bridge.errors import KafkaError
from bridge.verbs.status import look, text
from tests.embedded.whole import FINERY, RATES, Whole, whole
from tests.support.running import Run, until

BOOK = "book.tradable:BTC-USD"


async def rows(path: Whole) -> dict[str, Row]:
    found = await look(path.made, 60.0)
    return {row.subscription: row for row in found.rows}


def test_a_running_worker_is_live_in_every_row(run: Run, tmp_path: Path) -> None:
    """Never run before; then live, with its name and with fresh data."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(worker={"name": "w1"})
            before = await look(settings, 60.0)
            assert {row.verdict for row in before.rows} == {Verdict.NEVER_RUN}
            assert before.wrong == before.wanted > len(FINERY)

            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, len(FINERY) + len(RATES))
            await asyncio.sleep(1.5)
            found = await look(settings, 60.0)
            assert headline(found) == f"all {before.wanted} live", text(found)
            assert {row.worker for row in found.rows} == {"w1"}
            assert any(row.companion for row in found.rows)
            live = {row.subscription: row for row in found.rows}
            book, rate = live[BOOK], live["value:BRTI"]
            assert 0 <= (book.data_age_s or 0.0) < 5
            assert 0 <= (rate.data_age_s or 0.0) < 5
            assert 1.0 < (book.since_s or 0.0) <= (book.connected_s or 0.0) < 30
            path.stop.set()
            assert await task == 0

    run(story())


def test_what_goes_wrong_shows_and_so_does_the_end(run: Run, tmp_path: Path) -> None:
    """Stale with its reason, at this venue alone; then not running."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(worker={"name": "w1"})
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, len(FINERY) + len(RATES))
            await path.finery.do("x", code=2)
            await until(lambda: "VENUE_DOWN" in path.lines.getvalue(), "stale")
            await asyncio.sleep(0.3)
            stale = (await look(settings, 60.0)).rows
            desk = [row for row in stale if row.source == "desk"]
            assert {row.reason for row in desk if row.wrong} == {"VENUE_DOWN"}
            assert not any(row.wrong for row in stale if row.source != "desk")

            path.stop.set()
            assert await task == 0
            ended = await look(settings, 60.0)
            assert {row.verdict for row in ended.rows} == {Verdict.NOT_RUNNING}
            assert not any(row.companion for row in ended.rows)

    run(story())


def test_a_second_life_is_a_newer_connection(run: Run, tmp_path: Path) -> None:
    """The same subscription under another worker: its name, its connection."""

    async def life(path: Whole, settings: Settings, name: str) -> Row:
        named = settings.worker.model_copy(update={"name": name})
        mine = settings.model_copy(update={"worker": named})
        stop, worker = asyncio.Event(), path.worker(mine)
        task = asyncio.ensure_future(worker.run(stop))
        await path.live(worker, 1)
        await asyncio.sleep(0.3)
        row = (await rows(path))[BOOK]
        stop.set()
        assert await task == 0
        return row

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(finery=(BOOK,), rates=())
            first = await life(path, settings, "w1")
            second = await life(path, settings, "w2")
            assert (first.worker, second.worker) == ("w1", "w2")
            assert first.connection < second.connection

    run(story())


def args(path: Whole, **more: Any) -> list[str]:
    config = str(path.folder / "feedbridge.yaml")
    words = [f"--{name}" for name, on in more.items() if on]
    return ["status", "--config", config, *words]


def test_the_verb_speaks_to_people_and_programs(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A headline first; --json has the same; --check is 6 if anything is wrong."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(finery=(BOOK,), rates=(), worker={"name": "w1"})
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 1)
            await asyncio.sleep(0.3)
            call = asyncio.to_thread
            assert await call(cli.main, args(path, check=True)) == 0
            lines = capsys.readouterr().out.splitlines()
            assert lines[0] == "all 1 live"
            assert lines[2].startswith("w1: 2 subscriptions, 2 live, 0 not")

            path.stop.set()
            assert await task == 0
            assert await call(cli.main, args(path)) == 0
            out = capsys.readouterr().out
            assert out.startswith(f"1 of 1 not live: desk/{BOOK} not running")
            assert await call(cli.main, args(path, check=True, json=True)) == 6
            found = json.loads(capsys.readouterr().out)
            assert found["wrong"] == 1
            assert found["workers"][0]["rows"][0]["verdict"] == "not running"

    run(story())


def test_a_topic_of_states_that_is_missing_is_told(run: Run, tmp_path: Path) -> None:
    """Nothing can be said without it."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(topics={"feed_state": "elsewhere"})
            broken = settings.topics.model_copy(update={"feed_state": "nowhere"})
            other = settings.model_copy(update={"topics": broken})
            with pytest.raises(KafkaError, match="no such topic: nowhere"):
                await look(other, 60.0)

    run(story())


def test_check_and_watch_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A watch has no end and so no verdict."""
    file = tmp_path / "empty.yaml"
    file.write_text("log: {level: info}\n")
    argv = ["status", "--config", str(file), "--check", "--watch", "1"]

    assert cli.main(argv) == 2
    assert "--check: looks once" in capsys.readouterr().err
