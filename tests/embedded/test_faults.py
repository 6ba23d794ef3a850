"""Faults of our own, anywhere in a worker: it ends in order, and says what they were.

In order means: every sequence has its ENDED, Kafka has taken everything, the exit code
is not 0. The log has the traceback, since nobody can make the fault happen again.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from bridge.app.orders import OrderPaths
from bridge.app.shares import Shares
from bridge.app.worker import Worker
from bridge.edge.producer import Producer
from bridge.errors import Unexpected
from bridge.flow.connection import Connection
from bridge.flow.losses import Losses
from bridge.flow.pressure import Pressure
from bridge.flow.rotation import Watch
from bridge.venues.cfbenchmarks import frames
from bridge.venues.cfbenchmarks.session import CfBenchmarksSession
from tests.embedded.test_orders import ORDERS
from tests.embedded.whole import whole
from tests.support.running import Run, until

BOOK, RATE = "book.tradable:BTC-USD", "value:BRTI"
Break = Callable[[pytest.MonkeyPatch, Worker], object]


def broken(*_: object, **__: object) -> NoReturn:
    """Raise what nobody foresaw."""
    message = "multiple values for keyword argument 'source'"
    raise TypeError(message)


async def broken_later(*_: object, **__: object) -> NoReturn:
    """Raise it from within a task."""
    broken()


def method(where: type | ModuleType, name: str) -> Break:
    """Return what makes a method, or a function, raise from now on."""
    return lambda patch, _worker: patch.setattr(where, name, broken)


def callback(_patch: pytest.MonkeyPatch, _worker: Worker) -> None:
    """Let a callback of the loop raise."""
    asyncio.get_running_loop().call_soon(broken)


def wishes(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    """Let the task that follows the wishes raise."""
    assert worker._shares is not None
    patch.setattr(worker._shares.wishes, "_changed", broken)
    worker._shares.wishes._dirty.set()


def handover(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    """Let a planned end raise, when the feeds are over."""
    patch.setattr(Shares, "_settled", broken_later)
    worker._halt.set()


FAULTS: dict[str, Break] = {
    "the lease": method(Shares, "tick"),
    "the losses": method(Losses, "drain"),
    "the pressure": method(Pressure, "step"),
    "a session's time": method(CfBenchmarksSession, "tick"),
    "a frame of a rate": method(frames, "read"),
    "the end of a read": method(Connection, "on_chunk_end"),
    "the handover": handover,
    "a callback": callback,
    "the wishes": wishes,
}


@pytest.mark.parametrize("place", FAULTS)
def test_a_fault_ends_the_worker_in_order(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whatever lets it out, nothing is skipped, and nothing goes on half broken."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            settings = path.settings(rates=(RATE,), finery=(BOOK,))
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 2)
            FAULTS[place](monkeypatch, worker)
            with pytest.raises(Unexpected, match="multiple values") as caught:
                await task

            assert caught.value.exit_code == 1
            assert isinstance(caught.value.__cause__, TypeError)
            assert path.lines.getvalue().count("ERROR   unexpected") == 1
            assert "Traceback" in path.lines.getvalue()
            producer = worker._parts and worker._parts.producer
            assert isinstance(producer, Producer)
            assert producer.outstanding == 0
            for topic in ("finery.book.tradable", "cfbenchmarks.value"):
                check_ended(await path.records(settings, topic))

    run(story())


def check_ended(records: list[dict[str, Any]]) -> None:
    """Demand a sequence without a hole that ends with ENDED."""
    assert [r["sequence"] for r in records] == list(range(len(records)))
    assert records[-1]["boundary"]["state"] == "ENDED"


def test_what_a_fault_may_have_cost_is_a_gap(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection whose frame broke it ends behind a GAP; the other as planned."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(rates=(RATE,), finery=(BOOK,))
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 2)
            FAULTS["a frame of a rate"](monkeypatch, worker)
            with pytest.raises(Unexpected):
                await task

            ends = {}
            for topic in ("finery.book.tradable", "cfbenchmarks.value"):
                found = [r["boundary"] for r in await path.records(settings, topic)]
                marks = [(m["state"], m["reason"]) for m in found if m]
                ends[topic] = marks[-2:]
            assert ends["cfbenchmarks.value"] == [
                ("GAP", "CONNECTION_LOST"),
                ("ENDED", "CONNECTION_LOST"),
            ]
            assert ends["finery.book.tradable"][-1] == ("ENDED", "STOPPED")

    run(story())


@pytest.mark.parametrize(
    ("where", "name"),
    [(Watch, "run"), (OrderPaths, "open"), (OrderPaths, "tick"), (Shares, "open")],
)
def test_a_part_that_does_not_start_ends_the_worker(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: type, name: str
) -> None:
    """Whatever runs already ends in order."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            settings = path.settings(rates=(), finery=(BOOK,), commands=ORDERS)
            later = inspect.iscoroutinefunction(getattr(where, name))
            monkeypatch.setattr(where, name, broken_later if later else broken)
            with pytest.raises(Unexpected, match="multiple values"):
                await path.worker(settings).run(path.stop)
            for record in (await path.records(settings, "finery.book.tradable"))[-1:]:
                assert record["boundary"]["state"] == "ENDED"

    run(story())


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ("answer", "indices_not_listed source=rates missing=['NOSUCH']"),
        ("ignore", "info_unanswered source=rates"),
        ("error", "command_refused source=rates command=info"),
    ],
)
def test_an_index_that_is_not_there_harms_no_other(
    run: Run, tmp_path: Path, info: str, told: str
) -> None:
    """Whatever the venue makes of `info`, it is a log line, and values go on."""

    async def story() -> None:
        async with whole(tmp_path) as path:
            await path.rates.do("switch", info=info)
            settings = path.settings(rates=(RATE, "value:NOSUCH"), finery=())
            worker = path.worker(settings)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, 1)
            await until(lambda: told in path.lines.getvalue(), told)
            before = worker.status()["ledger"]["records"]
            await until(
                lambda: worker.status()["ledger"]["records"] > before + 5, "more values"
            )
            path.stop.set()
            assert await task == 0
            records = await path.records(settings, "cfbenchmarks.value")
            rates = [r for r in records if r["id"] == "BRTI"]
            assert len({r["connection"] for r in rates}) == 1
            check_ended(rates)
            assert rates[-1]["boundary"]["reason"] == "STOPPED"

    run(story())
