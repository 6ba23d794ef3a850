"""From the stage to the judges, and from the judges to a summary."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.feeds_chain import Calm
from tests.chaos.feeds_faults import Faults
from tests.chaos.feeds_judge import Court, Evidence
from tests.chaos.feeds_log import Wish, lines, wishes
from tests.chaos.feeds_settings import REFRESH_S, flowing
from tests.chaos.feeds_stage import Stage, watch
from tests.chaos.feeds_times import Bounds, Times
from tests.chaos.orders_stage import now_ms, say

BUILD = Path(__file__).parents[2] / "build"
MOST_SHOWN = 30
CALM_S = 2.0 * REFRESH_S


def quiet(stage: Stage) -> Calm:
    """Do nothing for a while, so that everything can be seen to flow."""
    from_ms = now_ms()
    watch(CALM_S, stage.members)
    return Calm(from_ms, now_ms())


def evidence(stage: Stage, faults: Faults, calm: Calm) -> Evidence:
    """Return all that is judged beside the records."""
    asked = [Wish(key, wanted=True, at_ms=stage.started_ms) for key in stage.wanted]
    asked += wishes(stage.broker.bootstrap)
    wanted = {wish.key: wish.wanted for wish in asked}
    assert {key for key in wanted if wanted[key]} == set(faults.wanted)
    return Evidence(
        owners=stage.board.owners,
        troubles=faults.troubles,
        wishes=asked,
        calm=calm,
        flowing=flowing(faults.wanted),
    )


def judged(stage: Stage, told: Evidence) -> tuple[Court, Times]:
    """Return the judges after they have seen all topics."""
    court = Court(told)
    court.judge(lines(stage.broker.bootstrap))
    return court, Times(court, Bounds())


def summary(court: Court, times: Times) -> dict[str, Any]:
    """Return what was found, JSON-ready."""
    chains = court.chains.values()
    problems = [*court.problems, *times.problems]
    return {
        "verdict": "guilty" if problems else "acquitted",
        "records": court.records,
        "subscriptions": len(chains),
        "connections_of_subscriptions": sum(len(c.strands) for c in chains),
        "refreshes_compared": sum(c.refreshes for c in chains),
        "holes_announced": sum(c.explained for c in chains),
        "without_owner": times.percentiles(),
        "bounds_ms": Bounds()._asdict(),
        "late_records": dict(sorted(court.late.items())),
        "last_received_after_next_began_ms": dict(sorted(court.worst_ms.items())),
        "problems": len(problems),
        "first_problems": problems[:MOST_SHOWN],
    }


def of_verify(code: int, found: Any) -> dict[str, Any]:
    """Return what `feedbridge verify` said, in short."""
    if not isinstance(found, dict):
        return {"exit_code": code, "said": found}
    parts = found["subscriptions"]
    sums = ("connections", "abrupt_ends", "late", "refreshes")
    texts = [f"{s['subscription']}: {text}" for s in parts for text in s["examples"]]
    left_out = {"subscriptions"}
    return {
        "exit_code": code,
        **{name: value for name, value in found.items() if name not in left_out},
        **{name: sum(s[name] for s in parts) for name in sums},
        "topics": dict(sorted(Counter(s["topic"] for s in parts).items())),
        "examples": texts[:MOST_SHOWN],
    }


def keep(told: dict[str, Any], name: str) -> None:
    """Keep a summary in `build`, and tell it."""
    BUILD.mkdir(exist_ok=True)
    text = json.dumps(told, indent=1)
    (BUILD / name).write_text(text + "\n")
    say(text)
