"""Spans of commands; used only where tracing is on.

`TracedShelf` tells what happens to a command, `Traces` makes spans of it. No error in
here reaches an order: it is told once, and counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol

from typing_extensions import override

from bridge.core.claims import Claims
from bridge.core.command_spans import (
    IN_DOUBT,
    NOT_ASKED,
    NOT_SENT,
    Facts,
    Step,
    command_facts,
    failure,
    final_facts,
    response_facts,
)
from bridge.core.model import Now
from bridge.core.orders import (
    Append,
    Command,
    Entry,
    Finding,
    Issue,
    Key,
    Phase,
    Refused,
    Resolve,
    Result,
)
from bridge.core.trace_context import (
    TRACEPARENT,
    TRACESTATE,
    TraceContext,
    context_of,
)
from bridge.flow.connection import Log
from bridge.flow.shelf import PartitionShelf, Ways
from bridge.flow.trails import Place, Trails

OPEN_KEPT = 10_000
NOTHING: Facts = {}
P = ParamSpec("P")


class Tracer(Protocol):
    """Makes spans; `edge.otel.Tracer` is one. A span is whatever `start` returns."""

    def start(
        self,
        name: str,
        kind: str,
        parent: Any,  # noqa: ANN401 - a span of its own, or W3C headers
        facts: Facts,
        at_ns: int,
    ) -> Any:  # noqa: ANN401 - OpenTelemetry's
        """Start a span below another one, or where W3C headers say."""

    def end(self, span: Any, facts: Facts, at_ns: int, failure: str = "") -> None:  # noqa: ANN401
        """End a span; a `failure` makes its status an error."""

    def headers(self, span: Any) -> Mapping[str, str]:  # noqa: ANN401
        """Return the W3C headers that continue a trace from a span."""


class _Open(NamedTuple):
    """A command's span, what its responses name, and its steps that have not ended."""

    key: Key
    span: Any
    trace: TraceContext | None
    steps: dict[Step, Any]


def _harmless(
    method: Callable[Concatenate[Traces, P], None],
) -> Callable[Concatenate[Traces, P], None]:
    @wraps(method)
    def call(self: Traces, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - tracing must never touch an order
            self.failed(error)

    return call


class Traces(Trails):
    """The spans of the commands of one topic that have no final record yet."""

    def __init__(
        self, tracer: Tracer, responses: str, now: Callable[[], Now], log: Log
    ) -> None:
        """Make spans by `tracer`; `responses` is the topic of the responses."""
        super().__init__()
        self.failures = 0
        self._tracer = tracer
        self._responses = responses
        self._now = now
        self._log = log
        self._open: OrderedDict[Place, _Open] = OrderedDict()
        self._places: dict[Key, Place] = {}

    @override
    def shelf(self, partition: int, claims: Claims, ways: Ways) -> PartitionShelf:
        """Return a shelf that tells what happens to its commands."""
        return TracedShelf(partition, claims, ways, self)

    @_harmless
    def opened(self, said: Command | Refused, claimed_by: str) -> None:
        """Start the span of a command, once; its responses name it from now on."""
        place = (said.partition, said.offset)
        if (found := self._open.get(place)) is not None:
            self.goes_on(place, found.trace)  # it was delivered again
            return
        given = self.context(place)
        facts = command_facts(said, claimed_by)
        span = self._started(Step.COMMAND, given.texts() if given else {}, facts)
        told = self._tracer.headers(span)
        mine = context_of(told.get(TRACEPARENT, ""), told.get(TRACESTATE, ""))
        self._open[place] = _Open(said.key, span, mine or given, {})
        self.goes_on(place, mine or given)
        if len(self._open) > OPEN_KEPT:
            self._over(next(iter(self._open)), NOTHING, "")

    @_harmless
    def issued(self, key: Key, place: Place, step: Step) -> None:
        """Start a step that is told of by its command's key from now on."""
        self._places[key] = place
        self._begin(step, place, NOTHING)

    @_harmless
    def turned(self, key: Key, over: Step, to: Step | None, why: str = "") -> None:
        """End one step of an issued command, and start the next if there is one."""
        place = self._places.get(key)
        if place is not None:
            self._end(over, place, why)
            if to is not None:
                self._begin(to, place, NOTHING)

    @_harmless
    def appended(self, partition: int, entry: Entry) -> None:
        """Start to wait for a record to be read back."""
        place = (partition, entry.command_offset)
        if entry.phase is Phase.CLAIMED:
            self._begin(Step.CLAIM, place, NOTHING)
        elif entry.phase is Phase.FINAL:
            facts = response_facts(self._responses, partition)
            self._begin(Step.RESPONSE, place, facts)

    @_harmless
    def read_back(self, partition: int, entry: Entry) -> None:
        """End what waited for a record; a final one ends the command's span."""
        place = (partition, entry.command_offset)
        if entry.phase is Phase.CLAIMED:
            self._end(Step.CLAIM, place)
        elif entry.phase is Phase.FINAL and place in self._open:
            self._over(place, final_facts(entry), failure(entry))

    @override
    @_harmless
    def close(self) -> None:
        """End every span: what has no final record is a successor's from now on."""
        for place in list(self._open):
            self._over(place, NOTHING, "")

    def failed(self, error: Exception) -> None:
        """Count a fault of tracing, and tell the first one."""
        self.failures += 1
        if self.failures == 1:
            self._log("tracing_failed", level="error", error=repr(error))

    # -- inside

    def _begin(self, step: Step, place: Place, facts: Facts) -> None:
        found = self._open.get(place)
        if found is not None and step not in found.steps:
            found.steps[step] = self._started(step, found.span, facts)

    def _end(self, step: Step, place: Place, why: str = "") -> None:
        found = self._open.get(place)
        span = found.steps.pop(step, None) if found is not None else None
        if span is not None:
            self._tracer.end(span, NOTHING, self._now().wall_ns, why)

    def _over(self, place: Place, facts: Facts, why: str) -> None:
        key, span, _, steps = self._open.pop(place)
        if self._places.get(key) == place:
            del self._places[key]
        at_ns = self._now().wall_ns
        for step in steps.values():
            self._tracer.end(step, NOTHING, at_ns)
        self._tracer.end(span, facts, at_ns, why)

    def _started(self, step: Step, parent: Any, facts: Facts) -> Any:  # noqa: ANN401
        name, kind = step.value
        return self._tracer.start(name, kind, parent, facts, self._now().wall_ns)


class TracedShelf(PartitionShelf):
    """A shelf that tells `Traces` what happens, each time before it happens."""

    def __init__(
        self, partition: int, claims: Claims, ways: Ways, traces: Traces
    ) -> None:
        """Start as every shelf does."""
        super().__init__(partition, claims, ways)
        self._traces = traces
        self._claimed_by: dict[int, str] = {}

    @override
    def entry(self, entry: Entry, offset: int, now: Now) -> None:
        if entry.phase is Phase.CLAIMED:
            self._claimed_by.setdefault(entry.command_offset, entry.worker)
        elif entry.phase is Phase.FINAL:
            self._claimed_by.pop(entry.command_offset, None)
        self._traces.read_back(self.partition, entry)
        super().entry(entry, offset, now)

    @override
    def command(self, command: Command | Refused, now: Now) -> None:
        # One that has its final record is delivered again after a restart.
        if self.claims.binding(command.offset) is None:
            claimed_by = self._claimed_by.get(command.offset, "")
            self._traces.opened(command, claimed_by)
        super().command(command, now)

    @override
    def sent(self, key: Key, connection: str, now: Now) -> None:
        self._traces.turned(key, Step.LANE, Step.REQUEST)
        super().sent(key, connection, now)

    @override
    def unsent(self, key: Key, result: Result, now: Now) -> None:
        self._traces.turned(key, Step.LANE, None, NOT_SENT)
        super().unsent(key, result, now)

    @override
    def answered(self, key: Key, result: Result, now: Now) -> None:
        self._traces.turned(key, Step.REQUEST, None)
        super().answered(key, result, now)

    @override
    def doubt(self, key: Key, why: str, now: Now) -> None:
        self._traces.turned(key, Step.REQUEST, None, IN_DOUBT)
        super().doubt(key, why, now)

    @override
    def found(self, key: Key, finding: Finding, now: Now) -> None:
        why = "" if finding.asked else NOT_ASKED
        self._traces.turned(key, Step.LOOKUP, None, why)
        super().found(key, finding, now)

    @override
    def _append(self, act: Append, now: Now) -> None:
        self._traces.appended(self.partition, act.entry)
        super()._append(act, now)

    @override
    def _issue(self, act: Issue, now: Now) -> None:
        command = act.command
        place = (command.partition, command.offset)
        self._traces.issued(command.key, place, Step.LANE)
        super()._issue(act, now)

    @override
    def _resolve(self, act: Resolve, now: Now) -> None:
        place = (self.partition, act.claim.command_offset)
        self._traces.issued(act.claim.key, place, Step.LOOKUP)
        super()._resolve(act, now)
