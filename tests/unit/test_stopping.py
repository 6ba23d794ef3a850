"""The order to stop: what is left for Kafka of the time that a stop may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.app.stopping import LEAST_S, Stopping
from bridge.config import load
from bridge.config.stop_rules import LEAVE_S, MARGIN_S
from tests.support.clock import ManualClock
from tests.support.processes import settings_file
from tests.support.running import Run

GRACE_S, FLUSH_S = 30.0, 20.0
SETTINGS = {
    "FEEDBRIDGE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "FEEDBRIDGE_KAFKA__FLUSH_TIMEOUT_S": f"{FLUSH_S}",
    "FEEDBRIDGE_STOP__GRACE_SECONDS": f"{GRACE_S}",
    "FEEDBRIDGE_CFBENCHMARKS__INDICES__URL": "ws://127.0.0.1:1",
    "FEEDBRIDGE_CFBENCHMARKS__INDICES__USER": "u",
    "FEEDBRIDGE_CFBENCHMARKS__INDICES__PASSWORD": "p",
    "FEEDBRIDGE_CFBENCHMARKS__INDICES__SUBSCRIPTIONS": '["value:BRTI"]',
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def stopping(clock: ManualClock) -> Stopping:
    return Stopping(load(None, SETTINGS), clock)


@pytest.mark.parametrize(
    ("passed_s", "flush_s"),
    [
        (0.0, FLUSH_S),
        (GRACE_S - FLUSH_S - MARGIN_S, FLUSH_S),
        (20.0, GRACE_S - MARGIN_S - 20.0),
        (GRACE_S, LEAST_S),
        (10 * GRACE_S, LEAST_S),
    ],
)
def test_a_flush_gets_what_is_left_of_the_grace(
    stopping: Stopping, clock: ManualClock, passed_s: float, flush_s: float
) -> None:
    """A stop that waited for Kafka at a handover does not wait twice as long."""
    clock.step(1000)  # a life before the stop
    stopping.set()
    clock.step(passed_s)
    stopping.set()  # a second signal buys no time
    assert stopping.flush_s() == pytest.approx(flush_s)


@pytest.mark.parametrize(
    ("passed_s", "handover_s"),
    [
        (0.0, GRACE_S - MARGIN_S - LEAVE_S),
        (5.0, GRACE_S - MARGIN_S - LEAVE_S - 5.0),
        (GRACE_S, LEAST_S),
    ],
)
def test_a_handover_leaves_time_for_leaving(
    stopping: Stopping, clock: ManualClock, passed_s: float, handover_s: float
) -> None:
    """Who waits for Kafka to the last second is killed before he says what is left."""
    stopping.set()
    clock.step(passed_s)
    assert stopping.handover_s() == pytest.approx(handover_s)


def test_the_shortest_grace_waits_for_every_answer(
    clock: ManualClock, tmp_path: Path
) -> None:
    """What the settings let pass, no stop cuts short."""
    answer_s, flush_s = 4.5, 5.0
    commands = {
        "responses": "r",
        "accounts": ["desk"],
        "answer_timeout_ms": answer_s * 1000,
    }
    tree = {
        "kafka": {"bootstrap_servers": "127.0.0.1:9092", "flush_timeout_s": flush_s},
        "finery": {"desk": {}},
        "commands": {"c": commands},
        "stop": {"grace_seconds": answer_s + LEAVE_S + MARGIN_S},
    }
    stopping = Stopping(load(settings_file(tmp_path, tree), {}, venues=False), clock)
    stopping.set()
    assert stopping.handover_s() == pytest.approx(answer_s)


def test_without_an_order_all_is_left(stopping: Stopping, clock: ManualClock) -> None:
    """A worker that ends by itself has not begun to count."""
    clock.step(1000)
    assert stopping.flush_s() == FLUSH_S


def test_it_wakes_who_waits(stopping: Stopping, run: Run) -> None:
    """It is an event like any other."""

    async def main() -> None:
        stopping.set()
        assert await stopping.wait()

    run(main())
