"""An index that keeps hours, at night and by day, as a worker and `status` see it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from bridge.app.view import Watcher
from bridge.app.vitals import Vitals
from bridge.core.health import Step, View, parts
from bridge.core.model import Event, Mark, Plan, Reason, State
from bridge.core.overview import Known, Sight, Tails, Verdict, overview
from bridge.venues.cfbenchmarks import VENUE
from bridge.verbs.status import wanted_at
from tests.unit.venues.cfbenchmarks.talk import Talk, source, wanted
from tests.unit.venues.cfbenchmarks.test_schedule import ms

KEY = ("rates", "value:BVX")
LISTED = '{"type":"info","streams":[{"id":"BVX"}]}'
# Three seconds before the close in Chicago, and 03:00 there.
CLOSING, NIGHT = ms("2026-06-10 20:59") + 57_000, ms("2026-06-11 08:00")
MORNING = ms("2026-06-11 13:00")
HOUR_MS = 3_600_000


class Judged(NamedTuple):
    """What `/readyz` finds wrong, the rhythm in `/metrics`, the word of `status`."""

    wrong: list[str]
    rhythm_s: float | None
    verdict: Verdict


def judged(talk: Talk, said: list[Event], last_ms: int) -> Judged:
    """Look at one connection whose last data came at `last_ms`."""
    told = {"bindings": talk.session.describe(talk.now)}
    connection = SimpleNamespace(
        describe=lambda _now: told, outlet=SimpleNamespace(lanes=[])
    )
    feed: Any = SimpleNamespace(plan=talk.plan, connection=connection)
    (stream,) = Watcher(Vitals())._streams([feed], talk.now)
    wrong = [
        p.why for p in parts(View(step=Step.RUNNING, streams=[stream])) if not p.ok
    ]
    mark = [event for event in said if isinstance(event, Mark)][-1]
    return Judged(wrong, stream.rhythm_s, verdict(talk.plan, mark, last_ms, talk.ms))


def verdict(plan: Plan, mark: Mark, last_ms: int, now_ms: int) -> Verdict:
    """Return the word of `status`, where the feed's last boundary was `mark`."""
    known = Known(
        source=KEY[0],
        subscription=KEY[1],
        connection="c1",
        worker="w1",
        topic="cfbenchmarks.value",
        partition=0,
        since_ms=0,
        state=mark.state.name,
        reason=str(mark.reason),
    )
    tails = Tails({KEY: Sight(connection="c1", data_ms=last_ms)}, {})
    found = overview(wanted_at([plan], 30.0, now_ms), [known], tails, now_ms)
    return found.rows[0].verdict


def evening() -> tuple[Talk, list[Event]]:
    """Return a conversation in which the last value of the day has come."""
    talk = Talk("value:BVX", at=CLOSING)
    talk.say(LISTED)
    said = [*talk.start, *talk.value(CLOSING, id="BVX")]
    return talk, [*said, *talk.value(CLOSING + 2_000, id="BVX")]


def test_the_silence_of_the_night_is_none() -> None:
    """Hours after the close it is ready and live, and has no rhythm to be late by."""
    talk, said = evening()
    said += talk.wait(10_000)
    said += talk.tick(NIGHT - talk.ms)

    assert judged(talk, said, CLOSING + 2_000) == Judged([], None, Verdict.LIVE)


def test_silence_in_the_session_still_shows() -> None:
    """Without a value from the opening on, it is neither ready nor live."""
    talk, said = evening()
    said += talk.tick(MORNING - talk.ms)
    said += talk.wait(6_000)

    found = judged(talk, said, CLOSING + 2_000)
    assert found.verdict is Verdict.NOT_LIVE
    (why,) = found.wrong
    assert "no data for" in why


@pytest.mark.parametrize(
    ("now", "limit_ms", "expected"),
    [
        ("2026-06-10 15:00", None, Verdict.SILENT),  # 10:00 in Chicago, a Wednesday
        ("2026-06-10 15:00", 2 * HOUR_MS, Verdict.LIVE),
        ("2026-06-10 15:00", 60_000, Verdict.SILENT),
        ("2026-06-10 08:00", None, Verdict.LIVE),  # 03:00
        ("2026-06-10 08:00", 60_000, Verdict.LIVE),
        ("2026-06-13 15:00", None, Verdict.LIVE),  # a Saturday
        ("2026-06-10 12:00:05", None, Verdict.LIVE),  # 5 s after the opening
        ("2026-06-10 12:00:06", None, Verdict.SILENT),
        ("2026-06-10 12:00:06", 60_000, Verdict.LIVE),
    ],
)
def test_a_worker_that_was_killed_shows_within_the_hours(
    now: str, limit_ms: int | None, expected: Verdict
) -> None:
    """It left LIVE behind, and the last value is an hour old."""
    (plan,) = VENUE.plans(source(wanted("value:BVX", stale_after_ms=limit_ms)))
    live = Mark(channel=0, state=State.LIVE, reason=Reason.SNAPSHOT)
    now_ms = ms(now)

    assert verdict(plan, live, now_ms - HOUR_MS, now_ms) is expected
