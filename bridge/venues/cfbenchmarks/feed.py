"""One subscription on one connection: its life, its ticks, its records and marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.core.backoff import Backoff
from bridge.core.lifecycle import Ask, Lifecycle, Limits, Phase, Step
from bridge.core.model import (
    Action,
    Binding,
    Data,
    Event,
    Mark,
    Note,
    Now,
    Reason,
    Send,
    State,
)
from bridge.venues.cfbenchmarks import frames
from bridge.venues.cfbenchmarks.gaps import COARSE_MS, FINE_MS, Grid, Span, reports
from bridge.venues.cfbenchmarks.notes import Warned
from bridge.venues.cfbenchmarks.rhythm import RHYTHMS
from bridge.venues.cfbenchmarks.ticks import FAR_AHEAD_MS, Ticks

MS = 1_000_000
# Unanswered subscribes before one that never spoke counts as dead.
PATIENCE = Limits().bind_attempts

_UNHEARD = frozenset({Phase.IDLE, Phase.CUT, Phase.ENDED})


class Feed:
    """Turns what the venue sends for one (id, stream) into events.

    `standing` is the last boundary written; the lifecycle's LIVE means no more than
    that the venue answers, `standing` LIVE that the data can be trusted.
    """

    def __init__(
        self, binding: Binding, backoff: Backoff, resume_ms: int | None
    ) -> None:
        """Prepare; `resume_ms` is the last source time of the connection before."""
        request = binding.request
        self.name = binding.name
        self.index: str = request["id"]
        self.stream: str = request["stream"]
        self.channel = binding.channels[0]
        self.rhythm = RHYTHMS[request["rhythm"]].limited(request.get("limit_ms"))
        self.life = Lifecycle(binding, backoff)
        self.standing: State | None = None
        self.heard = False
        self.misses = 0
        self.ticks = Ticks()
        self._resume_ms = resume_ms
        self._resolution: str | None = request.get("max_resolution")
        self._raster = FINE_MS if self._resolution is None else COARSE_MS
        self._grid = Grid(
            self.rhythm.step_ms,
            self.rhythm.stretch,
            resume_ms,
            fine=self._resolution is None,
        )
        self._snapshot = True
        self._heard_ns = 0
        self._value = ""
        self._ahead = Warned("source_clock_ahead")
        self._off_grid = Warned("off_grid")
        self._overdue = False
        self._asks: Mapping[Ask, Callable[[int], list[Event]]] = {
            Ask.BIND: self._bind,
            Ask.UNBIND: self._unbind,
            Ask.RECONNECT: self._hopeless,
        }

    @property
    def accepting(self) -> bool:
        """Tell whether a frame is passed on; values need no state, so mostly yes."""
        return self.life.phase not in _UNHEARD

    @property
    def telling(self) -> bool:
        """Tell whether its silence would say something about the connection."""
        return self.heard and self.standing is not State.REFUSED

    @property
    def dead(self) -> bool:
        """Tell whether the venue no longer answers subscribes."""
        return self.misses >= (1 if self.heard else PATIENCE)

    @property
    def position_ms(self) -> int | None:
        """Return the newest good source time, of this connection or the one before."""
        seen, resumed = self.ticks.newest_ms, self._resume_ms
        return seen if resumed is None else max(resumed, seen or 0)

    def value(self, frame: frames.Value, received_ms: int, mono_ns: int) -> list[Event]:
        """Take a value: its record, and what it changes."""
        late, notes = self._place(frame.time, received_ms, mono_ns)
        revision, duplicate = self.ticks.see(frame.time, frame.amend_time, frame.text)
        self._value = frame.text
        record = (
            frame.text,
            frame.number,
            frame.time,
            frame.amend_time,
            frame.repeat,
            revision,
            duplicate,
            late,
            received_ms - frame.time,
        )
        return self._passed_on(record, notes, received_ms, mono_ns)

    def stats(self, frame: frames.Stats, received_ms: int, mono_ns: int) -> list[Event]:
        """Take statistics: their record, and what they change."""
        late, notes = self._place(frame.time, received_ms, mono_ns)
        value, _depth, bid, ask, _mid = frame.numbers
        pairs = zip(frame.texts, frame.numbers, strict=True)
        self._value = frame.texts[0]
        record = (
            frame.time,
            *(part for pair in pairs for part in pair),
            bid <= value <= ask,
            late,
            received_ms - frame.time,
        )
        return self._passed_on(record, notes, received_ms, mono_ns)

    def refused(self, reason: str, now_ns: int) -> list[Event]:
        """Note that the venue sent the subscribe back as an error."""
        return self.act(self.life.refused(now_ns, reason), now_ns)

    def tick(self, now: Now) -> list[Event]:
        """Let time pass: answers that are due, silence, age, gaps."""
        before = self.life.phase
        steps = self.life.tick(now.mono_ns)
        if before is Phase.BINDING and steps:
            self.misses += 1
        events = self.act(steps, now.mono_ns)
        if self.life.phase is Phase.LIVE:
            events += self._judge(now)
        if self.accepting:
            events += self.gaps(self._grid.due(now.mono_ns // MS))
        return events

    def act(self, steps: Sequence[Step], now_ns: int) -> list[Event]:
        """Pass marks on and turn asks into the venue's commands."""
        events: list[Event] = []
        for step in steps:
            if isinstance(step, Mark):
                self.standing = step.state
                events.append(step)
            else:
                events += self._asks[step](now_ns)
        return events

    def leave(self) -> list[Event]:
        """Return the command that ends the subscription, if there is one."""
        held = self.life.held and self.life.phase is not Phase.ENDED
        return [self._unsubscribe()] if held else []

    def end(self, reason: Reason, detail: str = "") -> list[Event]:
        """Report what is missing and close the sequence."""
        missing = self.gaps(self._grid.drain()) if self.standing is not None else []
        return [*missing, *self.act(self.life.ended(reason, detail), 0)]

    def gaps(self, spans: Sequence[Span]) -> list[Event]:
        """List missing times; the stream itself goes on, so it is live again."""
        if not spans:
            return []
        events: list[Event] = [
            Mark(self.channel, State.GAP, Reason.MISSING_TICKS, text, lost)
            for text, lost in reports(spans)
        ]
        if self.standing is State.LIVE:
            events.append(Mark(self.channel, State.LIVE, Reason.FRESH))
        return events

    def describe(self, now: Now) -> Mapping[str, Any]:
        """Return what a person wants to know, JSON-ready."""
        newest = self.ticks.newest_ms
        return {
            "name": self.name,
            "phase": self.life.phase.name,
            "state": None if self.standing is None else self.standing.name,
            "age_ms": (now.mono_ns - self._heard_ns) // MS if self.heard else None,
            "source_time_ms": newest,
            "source_age_ms": None if newest is None else now.wall_ns // MS - newest,
            "value": self._value,
            "rhythm": self.rhythm.name,
            "step_ms": self._grid.step_ms,
        }

    def _place(
        self, time_ms: int, received_ms: int, mono_ns: int
    ) -> tuple[bool, list[Event]]:
        """Put a source time in its place: late or not, on the grid or not."""
        facts = {"subscription": self.name, "time": time_ms}
        ahead_ms = time_ms - received_ms
        notes = self._ahead.note(ahead_ms > FAR_AHEAD_MS, {**facts, "ahead": ahead_ms})
        if self.rhythm.step_ms is not None:
            off = time_ms % self._raster != 0
            notes += self._off_grid.note(off, {**facts, "grid": self._raster})
        if self.ticks.outlier(time_ms, received_ms):
            return False, notes
        self._grid.see(time_ms, mono_ns // MS)
        return self.ticks.pass_by(time_ms), notes

    def _passed_on(
        self,
        record: tuple[Any, ...],
        notes: list[Event],
        received_ms: int,
        mono_ns: int,
    ) -> list[Event]:
        action = Action.SNAPSHOT if self._snapshot else Action.UPDATE
        self._snapshot = False
        self.heard = True
        self.misses = 0
        self._heard_ns = mono_ns
        events: list[Event] = [Data(self.channel, action, None, (record,)), *notes]
        if self.standing is not State.LIVE and self.life.accepting:
            events += self._answered(received_ms, mono_ns)
        return events

    def _answered(self, received_ms: int, mono_ns: int) -> list[Event]:
        """Take a frame as the answer to the subscribe; live only if it is fresh."""
        snapshot = self.life.live(mono_ns, Reason.SNAPSHOT)
        if not self._fresh(received_ms):
            return []
        return self.act(snapshot or self.life.marks(State.LIVE, Reason.FRESH), mono_ns)

    def _fresh(self, now_ms: int) -> bool:
        newest = self.ticks.newest_ms
        return newest is not None and self.rhythm.fresh(newest, now_ms)

    def _judge(self, now: Now) -> list[Event]:
        now_ms = now.wall_ns // MS
        idle_ms = (now.mono_ns - self._heard_ns) // MS
        if self.rhythm.silent(idle_ms, now_ms):
            detail = f"no frame for {idle_ms} ms"
            steps = self.life.silent(now.mono_ns, Reason.SILENT, detail)
            return self.act(steps, now.mono_ns)
        if self.standing is not State.STALE and not self._fresh(now_ms):
            detail = f"newest source time {self.ticks.newest_ms}, now {now_ms}"
            old = self.life.marks(State.STALE, Reason.SOURCE_TIME_OLD, detail)
            return self.act(old, now.mono_ns)
        return self._lateness(now_ms)

    def _lateness(self, now_ms: int) -> list[Event]:
        """Note once that a daily value is overdue, and once that it came."""
        newest = self.ticks.newest_ms
        overdue = newest is not None and self.rhythm.late(newest, now_ms)
        if overdue is self._overdue:
            return []
        self._overdue = overdue
        return [
            Note("daily_value_late", {"subscription": self.name, "over": not overdue})
        ]

    def _bind(self, _now_ns: int) -> list[Event]:
        self._snapshot = True
        return [Send(frames.subscribe(self.index, self.stream, self._resolution))]

    def _unbind(self, now_ns: int) -> list[Event]:
        """Unsubscribe; there is no acknowledgement, so go on at once."""
        return [self._unsubscribe(), *self.act(self.life.unbound(now_ns), now_ns)]

    def _unsubscribe(self) -> Send:
        return Send(frames.unsubscribe(self.index, self.stream))

    def _hopeless(self, now_ns: int) -> list[Event]:
        """Write the subscription off for now: one bad id must not end the others."""
        detail = "no value after several subscribes: unknown, not licensed, or quiet"
        steps = self.life.silent(now_ns, Reason.UNANSWERED, detail)
        return self.act(steps, now_ns)
