"""A lost worker costs seconds, and no data goes unaccounted, whatever happens."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.feeds_faults import Faults, schedule
from tests.chaos.feeds_report import (
    MOST_SHOWN,
    evidence,
    judged,
    keep,
    of_verify,
    quiet,
    summary,
)
from tests.chaos.feeds_stage import WORKERS, staged
from tests.chaos.orders_stage import say
from tests.support.kafka import RealKafka
from tests.support.link import Link

SEED = os.environ.get("FEEDBRIDGE_CHAOS_SEED", "")
FAULTS = int(os.environ.get("FEEDBRIDGE_CHAOS_FEED_FAULTS", "9"))
SECONDS_A_FAULT = 45


@pytest.mark.timeout(300 + FAULTS * SECONDS_A_FAULT)
def test_feeds_under_faults(
    tmp_path: Path, private_kafka: Callable[..., RealKafka]
) -> None:
    """Nothing is lost unannounced, run twice, or left without an owner for long."""
    seed = int(SEED or random.SystemRandom().randrange(10**6))
    say(f"again: FEEDBRIDGE_CHAOS_SEED={seed} FEEDBRIDGE_CHAOS_FEED_FAULTS={FAULTS}")
    link = Link()
    broker = private_kafka(proxied_port=link.port)
    with staged(tmp_path, broker, link, seed) as stage:
        faults, begun = Faults(stage), time.monotonic()
        for fault in schedule(seed, FAULTS, len(WORKERS)):
            faults.make(fault)
        minutes = (time.monotonic() - begun) / 60
        stage.wait_shared(faults.wanted)
        calm = quiet(stage)
        ended = stage.stop()
        code, found = stage.verify()
        court, times = judged(stage, evidence(stage, faults, calm))
    facts = {
        "seed": seed,
        "workers": len(WORKERS),
        "faults": len(faults.made),
        "faults_by_kind": faults.kinds(),
        "minutes_of_faults": round(minutes, 1),
        "workers_ended": ended,
        "verify": of_verify(code, found),
    }
    keep(summary(court, times) | facts, f"chaos-feeds-{len(WORKERS)}.json")

    assert not court.problems, "\n".join(court.problems[:MOST_SHOWN])
    assert not times.problems, "\n".join(times.problems[:MOST_SHOWN])
    assert not ended, "\n".join(ended)
    assert code == 0, facts["verify"]
    assert found["complete"]
    assert len(faults.made) == FAULTS
