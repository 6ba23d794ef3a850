"""The venue's socket is cut, goes half-open, or says nothing, under load."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.stage import INSTRUMENTS, Stage, staged, watch
from tests.support.kafka import RealKafka
from tests.support.processes import Feedbridge
from tests.support.running import wait_until

pytestmark = pytest.mark.timeout(180)

RATE = 5_000
TRANSPORT = {"ping_interval_s": 1, "ping_timeout_s": 2}
MUTED = "book.tradable:BTC-USD"
Act = Callable[[Stage], None]


def _connected(worker: Feedbridge) -> int:
    return len(worker.events("connected"))


def faulty(
    tmp_path: Path, kafka: RealKafka, act: Act, **changes: Any
) -> tuple[dict[str, Any], Feedbridge]:
    """Flood, make trouble, wait until all is live again, stop, and verify."""
    name = tmp_path.name.replace("_", "-")
    topics = {
        "template": f"{name}.{{venue}}.{{stream}}",
        "dead_letter": f"{name}.dead",
        "feed_state": f"{name}.state",
    }
    with staged(tmp_path, kafka, topics=topics, transport=TRANSPORT, **changes) as (
        stage,
        worker,
    ):
        stage.finery.do("flood", rate=RATE)
        watch(2, worker)
        act(stage)
        wait_until(lambda: _troubled(worker), "trouble noticed", 30)
        stage.finery.do("clear")
        wait_until(lambda: stage.live(worker) > INSTRUMENTS, "live again", 60)
        watch(2, worker)
        stage.finery.do("stop_flood")
        assert worker.stop() == 0, worker.errors()[-5:]
        return stage.verify(), worker


def _troubled(worker: Feedbridge) -> bool:
    marks = worker.events("subscription")
    return any(m["state"] in {"GAP", "STALE"} for m in marks)


def _books(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for s in found["subscriptions"] if s["subscription"] != "status:books-1"]


def test_a_reset_socket_is_announced_and_replaced(
    tmp_path: Path, kafka: RealKafka
) -> None:
    """Each book ends behind a gap; a new connection brings a fresh snapshot."""
    found, worker = faulty(tmp_path, kafka, lambda s: s.finery.do("kill"))

    for book in _books(found):
        assert [g["reason"] for g in book["gaps"]] == ["CONNECTION_LOST"]
        assert (book["connections"], book["state"]) == (2, "ENDED")
        assert book["holes"] == []
    assert _connected(worker) == 2


def test_a_half_open_socket_is_found_by_the_keepalive(
    tmp_path: Path, kafka: RealKafka
) -> None:
    """No frame and no pong for the ping time-out ends the connection."""
    start = time.monotonic()
    found, worker = faulty(tmp_path, kafka, lambda s: s.finery.do("mute"))

    assert time.monotonic() - start < 30
    for book in _books(found):
        assert [g["reason"] for g in book["gaps"]] == ["CONNECTION_LOST"]
    assert "ping" in worker.events("disconnected")[0]["detail"]


def test_a_muted_subscription_is_stale_and_bound_again_alone(
    tmp_path: Path, kafka: RealKafka
) -> None:
    """Silence on one book harms no other: the connection stays."""

    def mute(stage: Stage) -> None:
        stage.finery.do("mute_feed", feed="F", feed_id="BTC-USD")

    special = {MUTED: {"stale_after_s": 2}}
    found, worker = faulty(tmp_path, kafka, mute, special=special)

    by_name = {s["subscription"]: s for s in found["subscriptions"]}
    assert by_name[MUTED]["connections"] == 1
    stale = [m for m in worker.events("subscription") if m["state"] == "STALE"]
    assert {(m["subscription"], m["reason"]) for m in stale} == {(MUTED, "SILENT")}
    assert _connected(worker) == 1
