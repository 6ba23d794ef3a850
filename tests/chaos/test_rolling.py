"""Three workers are replaced one after the other, under load, and orders go on."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import orders_judge, orders_log, orders_stage
from tests.chaos.feeds_faults import Faults
from tests.chaos.feeds_report import (
    MOST_SHOWN,
    evidence,
    judged,
    keep,
    of_verify,
    quiet,
    summary,
)
from tests.chaos.feeds_settings import DESK, flooded
from tests.chaos.feeds_stage import Stage, staged, watch
from tests.chaos.orders_stage import COMMANDS, LIMITS, RESPONSES, read_topic, say
from tests.support.kafka import RealKafka
from tests.support.link import Link

SEED = os.environ.get("FEEDBRIDGE_CHAOS_SEED", "")
ORDERS_A_SECOND = 40.0
UPDATES_A_SECOND = 1_000
BEFORE_S = 5.0
# ENDED to LIVE: two rounds of the group, connections one after the other, snapshots.
LONGEST_GAP_MS = 5_000
SECTIONS = {
    # Pings as they are by default: a venue that is flooded may answer after seconds.
    "transport": {"workers_per_address": 3},
    "topics": {"partitions": orders_stage.PARTITIONS},
    "commands": {
        COMMANDS: {
            "responses": RESPONSES,
            "accounts": [DESK],
            "methods": ["read", "order"],
            "claim_lifetime_ms": LIMITS.lifetime_ms,
            "settle_ms": LIMITS.settle_ms,
            "answer_timeout_ms": orders_stage.ANSWER_MS,
            "user_timeout_ms": orders_stage.USER_TIMEOUT_MS,
            "default_deadline_ms": orders_stage.DEADLINE_MS,
        }
    },
}


@pytest.mark.timeout(400)
def test_a_rolling_restart_under_load(
    tmp_path: Path, private_kafka: Callable[..., RealKafka]
) -> None:
    """No feed stands still for long, orders keep their promises, all exit with 0."""
    seed = int(SEED or random.SystemRandom().randrange(10**6))
    say(f"again: FEEDBRIDGE_CHAOS_SEED={seed}")
    link = Link()
    broker = private_kafka(proxied_port=link.port)
    with staged(tmp_path, broker, link, seed, SECTIONS) as stage:
        faults, orders = Faults(stage), _orders(stage)
        traffic = orders_stage.Traffic(orders, seed, ORDERS_A_SECOND)
        stage.finery.do("flood", rate=UPDATES_A_SECOND, instruments=flooded())
        traffic.begin()
        watch(BEFORE_S, stage.members)
        for member in stage.members:
            faults.stop(member, 0)
            stage.wait_shared(faults.wanted)
        traffic.end()
        stage.finery.do("stop_flood")
        calm = quiet(stage)
        codes = [member.process.stop(signal.SIGTERM) for member in stage.members]
        ended = [text for member in stage.members for text in member.ended]
        code, found = stage.verify(RESPONSES)
        court, times = judged(stage, evidence(stage, faults, calm))
        trial = _trial(orders)
    gaps = [one.length_ms for one in times.pauses]
    facts = {
        "seed": seed,
        "longest_gap_ms": max(gaps),
        "handovers": len(gaps),
        "orders": _facts(trial, traffic),
        "exit_codes": codes,
        "workers_ended": ended,
        "verify": of_verify(code, found),
    }
    keep(summary(court, times) | facts, "chaos-rolling.json")

    assert not court.problems, "\n".join(court.problems[:MOST_SHOWN])
    assert not times.problems, "\n".join(times.problems[:MOST_SHOWN])
    assert max(gaps) <= LONGEST_GAP_MS
    assert not trial.problems, "\n".join(trial.problems[:MOST_SHOWN])
    assert (codes, ended) == ([0, 0, 0], [])
    assert code == 0, facts["verify"]


def _orders(stage: Stage) -> orders_stage.Stage:
    """Return the same stage, as the sender of orders sees it."""
    return orders_stage.Stage(stage.folder, stage.broker, stage.finery, stage.members)


def _trial(stage: orders_stage.Stage) -> orders_judge.Court:
    """Return the judge of the orders after the judgement."""
    asked, answered = (read_topic(stage.broker, t) for t in (COMMANDS, RESPONSES))
    court = orders_judge.Court(
        orders_judge.Evidence(
            commands=[orders_log.command_of(COMMANDS, r) for r in asked],
            responses=[orders_log.response_of(r) for r in answered],
            ledger=stage.ledger(),
            limits=LIMITS,
        )
    )
    court.judge()
    return court


def _facts(court: orders_judge.Court, traffic: orders_stage.Traffic) -> dict[str, Any]:
    finals = [found[0] for found in court.finals.values()]
    outcomes: dict[str, int] = {}
    for final in finals:
        outcomes[str(final.outcome)] = outcomes.get(str(final.outcome), 0) + 1
    return {
        "commands": len(court.commands),
        "unanswered": len(traffic.unanswered),
        "outcomes": dict(sorted(outcomes.items())),
        "reconciled": sum(final.evidence == "RECONCILED" for final in finals),
        "corrections": len(court.corrections),
        "problems": len(court.problems),
    }
