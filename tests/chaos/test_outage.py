"""A real broker goes away under load, and comes back."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.stage import INSTRUMENTS, MEGABYTE, QUEUE_MEGABYTES, staged, watch
from tests.support.kafka import RealKafka
from tests.support.running import wait_until

RATE = 5_000
OUTAGE_S = 60


@pytest.mark.timeout(300)
def test_a_broker_stopped_for_a_minute_under_load(
    tmp_path: Path, private_kafka: Callable[..., RealKafka]
) -> None:
    """Memory stays within budget, the socket lives, every hole is announced."""
    broker = private_kafka()
    with staged(tmp_path, broker) as (stage, worker):
        stage.finery.do("flood", rate=RATE)
        before = watch(5, worker)
        sockets = {c["number"] for c in stage.finery.do("connections")}
        broker.stop(signal.SIGKILL)
        during = watch(OUTAGE_S, worker)
        alive = {c["number"] for c in stage.finery.do("connections")}
        broker.start()
        wait_until(lambda: bool(worker.events("kafka_back")), "healing", 60)
        wait_until(lambda: stage.live(worker) > INSTRUMENTS, "live again", 60)
        watch(5, worker)
        sent = stage.finery.do("stop_flood")
        assert worker.stop() == 0, worker.errors()[-5:]
        found = stage.verify()

    assert during - before <= (QUEUE_MEGABYTES + 16) * MEGABYTE
    assert alive == sockets
    books = [s for s in found["subscriptions"] if s["subscription"] != "status:books-1"]
    assert {gap["reason"] for s in books for gap in s["gaps"]} == {"KAFKA_SLOW"}
    assert all(s["gaps"][0]["lost"] > 0 for s in books)
    assert all(s["connections"] == 1 for s in books)
    assert found["records"] < sum(book["frames"] for book in sent)
