"""`feedbridge status` on real Kafka with a registry: a worker lives, and is killed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.real.test_worker import SUBSCRIPTIONS, Desk, finery, live
from tests.support.kafka import RealKafka
from tests.support.processes import Venue
from tests.support.registry import RealRegistry
from tests.support.running import wait_until

__all__ = ["finery"]  # the fixture
pytestmark = pytest.mark.timeout(240)

REFRESH_S = 2  # so a book is silent after 8 s


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows by subscription."""
    return {
        row["subscription"]: row
        for worker in found["workers"]
        for row in worker["rows"]
    }  # fmt: skip


def test_a_killed_worker_stays_live_in_word_and_is_found_silent(
    tmp_path: Path, kafka: RealKafka, registry: RealRegistry, finery: Venue
) -> None:
    """Values carry registry ids; the missing records give the dead worker away."""
    servers = str(kafka.client()["bootstrap.servers"])
    desk = Desk(
        tmp_path,
        finery,
        {"bootstrap_servers": servers},
        registry={"url": registry.url},
        books={"refresh_seconds": REFRESH_S},
        worker={"name": "w1"},
    )
    assert desk.ask("topics", "--apply")[0] == 0
    code, before = desk.ask("status", "--check")
    assert code == 6
    assert {row["verdict"] for row in by_name(before).values()} == {"never run"}

    with desk.run() as worker:
        wait_until(live(worker, len(SUBSCRIPTIONS)), "live", 60)
        wait_until(lambda: desk.ask("status", "--check")[0] == 0, "all live", 60)
        book = by_name(desk.ask("status")[1])["book.tradable:BTC-USD"]
        assert (book["state"], book["worker"]) == ("LIVE", "w1")
        assert 0 <= book["data_age_s"] < REFRESH_S + 3
        worker.stop(signal.SIGKILL)

    wait_until(lambda: desk.ask("status", "--check")[0] == 6, "silent", 60)
    found = desk.ask("status")[1]
    rows = by_name(found)
    assert found["wrong"] == found["wanted"]
    assert rows["book.tradable:BTC-USD"]["state"] == "LIVE"
    assert {rows[name]["verdict"] for name in SUBSCRIPTIONS} == {"silent"}
    assert 8 <= rows["book.tradable:BTC-USD"]["data_age_s"] < 60
