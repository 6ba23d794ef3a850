"""A changed secret is taken up once it is whole; what fails is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from bridge.core.tallies import Tallies
from bridge.errors import VenueRefused
from bridge.flow.rotation import LOOK_S, RETRY_CAP_S, Watch
from tests.support.clock import ManualClock
from tests.support.running import Run, until


class Stage:
    """A watch over secrets that a test sets; what it did, and what it said."""

    def __init__(self, **secrets: bytes | Exception) -> None:
        self.secrets = secrets
        self.acts: list[str] = []
        self.looks = 0
        self.fault: Exception | None = None
        self.stuck: set[str] = set()
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.clock = ManualClock()
        self.tallies = Tallies()
        looks = {name: self._look(name) for name in secrets}
        self.watch = Watch(
            looks, self._act, self.clock, self._log, self.tallies, lambda: 0.999999
        )

    def _look(self, name: str) -> Callable[[], bytes]:
        def look() -> bytes:
            self.looks += 1
            found = self.secrets[name]
            if isinstance(found, Exception):
                raise found
            return found

        return look

    async def _act(self, name: str) -> None:
        self.acts.append(name)
        if name in self.stuck:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault

    def _log(self, event: str, **facts: object) -> None:
        self.said.append((event, facts))

    async def look(self, times: int = 1) -> None:
        """Let every part be looked at `times` times."""
        for _ in range(times):
            before = self.looks
            sleeping = len(self.clock._sleepers)
            self.clock.step(LOOK_S)
            await until(lambda b=before, s=sleeping: self.looks >= b + s, "looked")  # type: ignore[misc]
            await until(lambda: len(self.clock._sleepers) >= self.awake, "at rest")

    @property
    def awake(self) -> int:
        """Return how many parts are not in an act that lasts."""
        return len(self.secrets) - len(self.stuck & set(self.acts))

    def play(self, run: Run, story: Callable[[], Any]) -> None:
        """Run a story beside the watch."""

        async def both() -> None:
            await self.watch.begin()
            task = asyncio.ensure_future(self.watch.run())
            await until(lambda: len(self.clock._sleepers) == len(self.secrets), "runs")
            await story()
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        run(both())


def test_a_secret_is_taken_up_when_two_looks_agree(run: Run) -> None:
    """Once; what does not change is left alone."""
    stage = Stage(desk=b"old", rates=b"same")

    async def story() -> None:
        await stage.look(2)
        assert stage.acts == []
        stage.secrets["desk"] = b"half"
        await stage.look()
        stage.secrets["desk"] = b"new"
        await stage.look()
        assert stage.acts == []
        await stage.look(4)

    stage.play(run, story)

    assert stage.acts == ["desk"]
    assert stage.tallies.rotations == {("desk", "renewed"): 1}
    assert stage.said == [("rotated", {"part": "desk"})]


def test_what_cannot_be_read_is_a_failure_and_changes_nothing(run: Run) -> None:
    """A file may be away for a while: told, ever more rarely, until it is there."""
    stage = Stage(desk=b"old")

    async def story() -> None:
        stage.secrets["desk"] = FileNotFoundError("no such file: /run/key")
        await stage.look(3)
        stage.secrets["desk"] = b"old"
        await stage.look(3)
        assert stage.acts == []
        stage.secrets["desk"] = PermissionError("denied")
        await stage.look()
        stage.secrets["desk"] = b"new"
        await stage.look(2)

    stage.play(run, story)

    assert stage.acts == ["desk"]
    events = [event for event, _ in stage.said]
    assert events == [*["rotation_unreadable"] * 3, "rotated"]
    assert stage.tallies.rotations == {("desk", "failed"): 3, ("desk", "renewed"): 1}
    assert stage.said[0][1]["detail"] == "no such file: /run/key"


def test_a_secret_that_could_not_be_read_at_first_is_taken_up(run: Run) -> None:
    """Whatever is in use came from elsewhere."""
    stage = Stage(desk=FileNotFoundError("none"))

    async def story() -> None:
        stage.secrets["desk"] = b"new"
        await stage.look(2)

    stage.play(run, story)

    assert stage.acts == ["desk"]


def test_a_failure_keeps_the_old_and_is_tried_again_ever_later(run: Run) -> None:
    """The wait grows up to its limit; another change is tried at once."""
    stage = Stage(desk=b"old")
    stage.fault = VenueRefused("desk", "3 not authorised", 3)

    async def story() -> None:
        stage.secrets["desk"] = b"wrong"
        at: list[int] = []
        for _ in range(150):
            before = len(stage.acts)
            await stage.look()
            if len(stage.acts) > before:
                at.append(stage.clock.mono_ns)
        gaps_s = [(b - a) / 1e9 for a, b in pairwise(at)]
        assert gaps_s == sorted(gaps_s)
        assert gaps_s[0] <= 2 * LOOK_S
        assert RETRY_CAP_S - LOOK_S <= gaps_s[-1] <= RETRY_CAP_S + LOOK_S
        tried = len(stage.acts)
        assert stage.tallies.rotations == {("desk", "failed"): tried}
        stage.fault = None
        stage.secrets["desk"] = b"right"
        await stage.look(2)
        assert len(stage.acts) == tried + 1

    stage.play(run, story)

    assert stage.tallies.rotations["desk", "renewed"] == 1
    assert stage.said[0] == (
        "rotation_failed",
        {"level": "warning", "part": "desk", "detail": "desk: 3 not authorised"},
    )


def test_putting_the_old_one_back_ends_the_attempts(run: Run) -> None:
    """What is in use is never renewed."""
    stage = Stage(desk=b"old")
    stage.fault = VenueRefused("desk", "3 not authorised", 3)

    async def story() -> None:
        stage.secrets["desk"] = b"wrong"
        await stage.look(2)
        assert stage.acts == ["desk"]
        stage.secrets["desk"] = b"old"
        await stage.look(60)

    stage.play(run, story)

    assert stage.acts == ["desk"]


def test_a_part_that_waits_delays_no_other(run: Run) -> None:
    """An order connection may wait for hours until it is at rest."""
    stage = Stage(orders=b"old", desk=b"old")
    stage.stuck = {"orders"}

    async def story() -> None:
        stage.secrets["orders"] = b"new"
        await stage.look(2)
        stage.secrets["desk"] = b"new"
        await stage.look(2)

    stage.play(run, story)

    assert stage.acts == ["orders", "desk"]
