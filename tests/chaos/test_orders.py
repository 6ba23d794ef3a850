"""Nothing is sent twice, all is answered, and no answer is untrue, whatever happens."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.orders_faults import Faults, schedule
from tests.chaos.orders_judge import Court, Evidence
from tests.chaos.orders_log import Response, command_of, response_of
from tests.chaos.orders_stage import (
    COMMANDS,
    LIMITS,
    RESPONSES,
    Stage,
    Traffic,
    read_topic,
    say,
    staged,
)
from tests.support.kafka import RealKafka

SEED = os.environ.get("FEEDBRIDGE_CHAOS_SEED", "")
FAULTS = int(os.environ.get("FEEDBRIDGE_CHAOS_FAULTS", "37"))
WORKERS = [int(n) for n in os.environ.get("FEEDBRIDGE_CHAOS_WORKERS", "3").split(",")]
RATE = 40.0
BUILD = Path(__file__).parents[2] / "build"
SECONDS_A_FAULT = 20
MOST_SHOWN = 30


@pytest.mark.timeout(300 + FAULTS * SECONDS_A_FAULT)
@pytest.mark.parametrize("workers", WORKERS)
def test_orders_under_faults(
    tmp_path: Path, private_kafka: Callable[..., RealKafka], workers: int
) -> None:
    """No order goes twice, every command has its final response, and each is true."""
    seed = int(SEED or random.SystemRandom().randrange(10**6))
    say(f"again: FEEDBRIDGE_CHAOS_SEED={seed} FEEDBRIDGE_CHAOS_FAULTS={FAULTS}")
    with staged(tmp_path, private_kafka(), workers, seed) as stage:
        faults, traffic = Faults(stage), Traffic(stage, seed, RATE)
        traffic.begin()
        for fault in schedule(seed, FAULTS, workers):
            faults.make(fault)
        faults.heal()
        traffic.end()
        ended = stage.stop()
        evidence = _evidence(stage, faults)
    court = Court(evidence)
    court.judge()
    summary = _summary(court, evidence, faults) | {
        "seed": seed,
        "workers": workers,
        "undelivered": traffic.undelivered,
        "workers_ended": ended,
    }
    _write(summary, workers)

    assert not court.problems, "\n".join(court.problems[:MOST_SHOWN])
    assert not ended, "\n".join(ended)
    assert len(faults.made) == FAULTS


def _evidence(stage: Stage, faults: Faults) -> Evidence:
    return Evidence(
        commands=[command_of(COMMANDS, r) for r in read_topic(stage.broker, COMMANDS)],
        responses=[response_of(r) for r in read_topic(stage.broker, RESPONSES)],
        ledger=stage.ledger(),
        freezes=faults.freezes,
        limits=LIMITS,
    )


def _summary(court: Court, evidence: Evidence, faults: Faults) -> dict[str, Any]:
    finals = [found[0] for found in court.finals.values()]
    requests = [entry for found in court.asked.values() for entry in found]
    return {
        "verdict": "guilty" if court.problems else "acquitted",
        "faults": len(faults.made),
        "faults_by_kind": faults.kinds(),
        "commands": len(evidence.commands),
        "outcomes": _counted(final.outcome for final in finals),
        "codes": _counted(final.code for final in finals),
        "reconciled": sum(final.evidence == "RECONCILED" for final in finals),
        "repeats": sum(final.repeat_of is not None for final in finals),
        "further_finals": _counted(_origin(one) for one in _further(court)),
        "takeovers": sum(_taken_over(court, final) for final in finals),
        "doubts": sum(r.phase == "DOUBT" for r in evidence.responses),
        "requests_at_venue": _counted(entry["decision"] for entry in requests),
        "corrections": len(court.corrections),
        "excused": court.excused,
        "problems": len(court.problems),
        "first_problems": court.problems[:MOST_SHOWN],
    }


def _taken_over(court: Court, final: Response) -> bool:
    """Tell whether another assignment answered what was claimed under one before."""
    claim = court.claims.get(final.place)
    return claim is not None and claim.epoch != final.epoch


def _further(court: Court) -> list[tuple[Response, Response]]:
    """Return the binding final with each that came after it."""
    found = court.finals.values()
    return [(one[0], other) for one in found for other in one[1:]]


def _origin(pair: tuple[Response, Response]) -> str:
    """Tell who wrote a second final: one assignment again, or the next one."""
    same = pair[0].epoch == pair[1].epoch
    return "of the same assignment" if same else "of another assignment"


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _write(summary: dict[str, Any], workers: int) -> None:
    BUILD.mkdir(exist_ok=True)
    text = json.dumps(summary, indent=1)
    (BUILD / f"chaos-orders-{workers}.json").write_text(text + "\n")
    say(text)
