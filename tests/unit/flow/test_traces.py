"""Trails and spans without Kafka and without OpenTelemetry: bounds, ends, faults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.core.command_spans import (
    FAILED,
    Step,
    command_facts,
    failure,
    final_facts,
    response_facts,
)
from bridge.core.model import Now
from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Refused, Result
from bridge.core.trace_context import TraceContext
from bridge.edge.consumer import Message
from bridge.flow import traces as flow
from bridge.flow import trails
from bridge.flow.traces import Traces
from bridge.flow.trails import Trails

GIVEN = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=1")
KEY = Key("finery.commands", "desk", "r")
SAID = Refused(
    key=KEY, partition=2, offset=7, method="add", code="C", text="t", received_ms=1
)
ENTRY = Entry(key=KEY, phase=Phase.FINAL, command_offset=7, worker="w")


class Span:
    """A span that was started."""

    def __init__(self, name: str, parent: object, at_ns: int) -> None:
        self.name, self.parent = name, parent
        self.at_ns = [at_ns]
        self.failure = ""
        self.facts: dict[str, object] = {}


class Fake:
    """Makes spans that a test can look at; a span may be ended once."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.broken = False

    def start(
        self, name: str, kind: str, parent: Any, facts: Mapping[str, Any], at_ns: int
    ) -> Span:
        if self.broken:
            raise RuntimeError("broken")
        self.spans.append(Span(name, parent, at_ns))
        return self.spans[-1]

    def end(
        self, span: Span, facts: Mapping[str, Any], at_ns: int, failure: str = ""
    ) -> None:
        assert len(span.at_ns) == 1
        span.at_ns.append(at_ns)
        span.failure = failure
        span.facts.update(facts)

    def headers(self, span: Span) -> Mapping[str, str]:
        number = self.spans.index(span) + 1
        return {"traceparent": f"00-{'a' * 32}-{number:016x}-01"}

    def open(self) -> list[str]:
        return [span.name for span in self.spans if len(span.at_ns) == 1]


class Stand:
    """Traces over a fake, and a clock that goes on by one at each look."""

    def __init__(self) -> None:
        self.fake, self.lines, self.time_ns = Fake(), list[str](), 0
        self.traces = Traces(self.fake, "responses", self.now, self.log)

    def now(self) -> Now:
        self.time_ns += 1
        return Now(self.time_ns, self.time_ns)

    def log(self, event: str, **facts: object) -> None:
        self.lines.append(f"{event} {facts.get('error')}")


def message(offset: int, *headers: tuple[str, str | bytes | None]) -> Message:
    return Message("finery.commands", 2, offset, None, b"", 0, headers)


def test_a_trail_is_what_the_sender_gave_and_nothing_else() -> None:
    """A record that takes an offset anew, without a trace, has none."""
    known = Trails()
    known.taken(message(7, *GIVEN.headers()))
    assert known.headers(2, 7) == GIVEN.headers()
    assert known.headers(2, 8) is None
    known.taken(message(7))
    assert known.headers(2, 7) is None


def test_only_the_newest_trails_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "KEPT", 3)
    known = Trails()
    for offset in range(5):
        known.taken(message(offset, *GIVEN.headers()))
    assert [known.headers(2, n) is None for n in range(5)] == 2 * [True] + 3 * [False]


def test_a_command_is_opened_once_and_ended_by_its_first_final_record() -> None:
    """Whatever is delivered or read again changes nothing."""
    stand = Stand()
    for _ in range(2):
        stand.traces.taken(message(7, *GIVEN.headers()))
        stand.traces.opened(SAID, "")
        stand.traces.appended(2, msgspec.structs.replace(ENTRY, phase=Phase.CLAIMED))
    names = [span.name for span in stand.fake.spans]
    assert names == ["feedbridge.command", "feedbridge.claim"]
    root = stand.fake.spans[0]
    assert root.parent == {"traceparent": GIVEN.parent, "tracestate": GIVEN.state}
    own = {"traceparent": f"00-{'a' * 32}-{1:016x}-01"}
    assert dict(stand.traces.headers(2, 7) or []) == {
        name: text.encode() for name, text in own.items()
    }

    said = Result(outcome=Outcome.REFUSED, code="C", text="t", evidence=Evidence.LOCAL)
    final = msgspec.structs.replace(ENTRY, result=said)
    stand.traces.appended(2, final)
    for _ in range(2):
        stand.traces.read_back(2, final)
    assert stand.fake.open() == []
    assert root.failure == "REFUSED C"
    assert root.facts["feedbridge.outcome"] == "REFUSED"
    assert (stand.traces.failures, stand.traces._places) == (0, {})


def test_steps_follow_each_other_by_the_commands_key() -> None:
    """A read is issued again after a doubt; an unknown key is nobody's."""
    stand = Stand()
    stand.traces.opened(SAID, "")
    for _ in range(2):
        stand.traces.issued(KEY, (2, 7), Step.LANE)
        stand.traces.turned(KEY, Step.LANE, Step.REQUEST)
        assert stand.fake.open() == ["feedbridge.command", "feedbridge.request"]
        stand.traces.turned(KEY, Step.REQUEST, None, "no clear answer")
    stand.traces.turned(KEY._replace(req_id="other"), Step.LANE, Step.REQUEST)
    assert stand.fake.open() == ["feedbridge.command"]
    assert [s.failure for s in stand.fake.spans[1:]] == 2 * ["", "no clear answer"]
    times = [span.at_ns for span in stand.fake.spans[1:]]
    assert times == sorted(times)


def test_what_is_open_is_bounded_and_ends_with_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest span is ended without an outcome; `close` ends all, steps first."""
    monkeypatch.setattr(flow, "OPEN_KEPT", 2)
    stand = Stand()
    for offset in range(4):
        stand.traces.opened(msgspec.structs.replace(SAID, offset=offset), "")
    assert len(stand.fake.open()) == 2
    stand.traces.issued(KEY, (2, 3), Step.LANE)
    stand.traces.close()
    assert stand.fake.open() == []
    assert all("feedbridge.outcome" not in s.facts for s in stand.fake.spans)


def test_a_fault_is_told_once_and_goes_no_further() -> None:
    """The sender's own trace goes on; the next command is traced again."""
    stand = Stand()
    stand.traces.taken(message(7, *GIVEN.headers()))
    stand.fake.broken = True
    for _ in range(3):
        stand.traces.opened(SAID, "")
        stand.traces.issued(KEY, (2, 7), Step.LANE)
        stand.traces.turned(KEY, Step.LANE, Step.REQUEST)
    assert stand.lines == ["tracing_failed RuntimeError('broken')"]
    assert stand.traces.failures == 3
    assert stand.traces.headers(2, 7) == GIVEN.headers()
    stand.fake.broken = False
    stand.traces.opened(SAID, "")
    assert stand.fake.open() == ["feedbridge.command"]


def test_every_outcome_has_a_status() -> None:
    """Only DONE is no error; a final record without a result is unresolved."""
    assert set(FAILED) == set(Outcome)
    assert [outcome for outcome, failed in FAILED.items() if not failed] == [
        Outcome.DONE
    ]
    assert failure(ENTRY) == "UNRESOLVED"
    assert "feedbridge.outcome" not in final_facts(ENTRY)


def test_the_page_names_every_span_and_attribute() -> None:
    """docs/tracing.md is what operators build their views on."""
    page = (Path(__file__).parents[3] / "docs" / "tracing.md").read_text("utf-8")
    said = Result(outcome=Outcome.DONE, code="C", text="t", evidence=Evidence.REPLY)
    entry = msgspec.structs.replace(ENTRY, result=said, repeat_of=1)
    for step in Step:
        assert f"| `{step.value.name}` | {step.value.kind} |" in page
    facts = {**command_facts(SAID, "x"), **final_facts(entry)}
    for name in {**facts, **response_facts("t", 0)}:
        assert f"`{name}`" in page
