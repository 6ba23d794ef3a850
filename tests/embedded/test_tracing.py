"""Traces of commands in one process: what comes back, and the tree of spans."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from typing_extensions import override

from bridge.app import tracing
from bridge.core.orders import Phase
from bridge.edge.consumer import Message, read_range
from bridge.edge.otel import Tracer
from tests.embedded.test_orders import (
    ORDERS,
    RESPONSES,
    TOPIC,
    Sender,
    taking,
    told,
    trading,
)
from tests.support.running import Run, until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN: list[tuple[str, str | bytes | None]] = [
    ("traceparent", f"00-{TRACE}-{PARENT}-01"),
    ("tracestate", "congo=t61rcWkgMzE"),
]
ON = {"name": "tracer", "trace_commands": True}
DONE = {
    "messaging.system": "kafka",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": TOPIC,
    "messaging.destination.partition.id": "0",
    "feedbridge.method": "add",
    "feedbridge.account": "desk",
    "feedbridge.req_id": "take",
    "feedbridge.answered_by": "tracer",
    "feedbridge.outcome": "DONE",
    "feedbridge.code": "FILLED",
    "feedbridge.evidence": "REPLY",
    "feedbridge.reconciled": False,
}
KINDS = {
    "feedbridge.command": "CONSUMER",
    "feedbridge.claim": "INTERNAL",
    "feedbridge.lane": "INTERNAL",
    "feedbridge.request": "CLIENT",
    "feedbridge.response": "PRODUCER",
}
WAY = ["feedbridge.claim", "feedbridge.lane", "feedbridge.request"]


class Spans:
    """The spans that have ended, as a test asks for them."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self.exporter = exporter

    def ended(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def root(self, req_id: str) -> ReadableSpan:
        """Return the newest span of a command."""
        return self.roots(req_id)[-1]

    def roots(self, req_id: str) -> list[ReadableSpan]:
        return [s for s in self.ended() if facts(s).get("feedbridge.req_id") == req_id]

    def steps(self, root: ReadableSpan) -> list[str]:
        """Return the names of its children, in the order of their starts."""
        below = [s for s in self.ended() if s.parent == root.get_span_context()]
        return [s.name for s in sorted(below, key=lambda s: s.start_time or 0)]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Keep the spans of all workers in memory in place of exporting them."""
    exporter = InMemorySpanExporter()

    def opened(_worker: str) -> Tracer:
        provider = TracerProvider(shutdown_on_exit=False)
        exporter._stopped = False  # by the provider of the worker before
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return Tracer(provider)

    monkeypatch.setattr(tracing, "open_tracer", opened)
    return Spans(exporter)


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def headers(message: Message) -> dict[str, str | bytes | None]:
    return dict(message.headers)


async def responses(
    sender: Sender, req_id: str, topic: str = RESPONSES
) -> list[Message]:
    """Return the records that answer commands of that reqId."""
    found = read_range(sender.options, [topic])
    return [m async for m in found if m.key == req_id.encode()]


async def dead_letters(sender: Sender) -> list[Message]:
    found = read_range(sender.options, ["feedbridge.dead-letter"])
    return [message async for message in found]


async def in_doubt(sender: Sender, req_id: str) -> None:
    """Wait until a command has a claim and a doubt in the log."""
    for _ in range(500):
        if len(await responses(sender, req_id)) > 1:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{req_id} never came into doubt")


def follows(root: ReadableSpan) -> bytes:
    """Return the header that continues the sender's trace from a command's span."""
    context = root.get_span_context()
    assert context is not None
    assert root.parent is not None
    assert format_trace_id(context.trace_id) == TRACE
    assert format_span_id(root.parent.span_id) == PARENT
    return f"00-{TRACE}-{format_span_id(context.span_id)}-01".encode()


def test_without_spans_the_senders_trace_comes_back(run: Run, tmp_path: Path) -> None:
    """Interim and final responses and copies carry it; what is invalid is dropped."""
    copies = {TOPIC: {**ORDERS[TOPIC], "reply_to": ["my.replies"]}}

    async def story() -> None:
        async with trading(tmp_path, copies) as (path, sender):
            base = len(await sender.finals(1))
            await path.finery.do("lose_reply", method="add", times=1)
            sender.headers = [*GIVEN, ("replyTo", "my.replies")]
            sender.send("lost", "add", **await taking(sender, "BTC-USD"))
            sender.send("refused", "noSuchMethod")
            sender.headers = [("traceparent", b"00-zero"), GIVEN[1]]
            sender.send("invalid", "positions")
            sender.headers = GIVEN
            sender.raw(b"no avro")
            sender.headers = []
            sender.send("none", "positions")
            await sender.finals(base + 4)

            carried = [(name, str(text).encode()) for name, text in GIVEN]
            lost = await responses(sender, "lost")
            phases = [sender.reader.response(m.value or b"").entry.phase for m in lost]
            assert phases == [Phase.CLAIMED, Phase.DOUBT, Phase.FINAL]
            lost += await responses(sender, "lost", "my.replies")
            lost += await responses(sender, "refused")
            assert [list(m.headers) for m in lost] == 7 * [carried]
            [letter] = await dead_letters(sender)
            assert headers(letter).items() >= dict(carried).items()
            for req_id in ("invalid", "none"):
                for message in await responses(sender, req_id):
                    assert list(message.headers) == []

    run(story())


def test_the_tree_of_spans_of_a_done_command(
    run: Run, tmp_path: Path, spans: Spans
) -> None:
    """A consumer span in the sender's trace; the responses name that span."""

    async def story() -> None:
        async with trading(tmp_path, worker=ON) as (_, sender):
            base = len(await sender.finals(1))
            sender.headers = GIVEN
            sender.send("take", "add", **await taking(sender, "BTC-USD"))
            await sender.finals(base + 1)
            await until(lambda: bool(spans.roots("take")), "the span")

            done = spans.root("take")
            assert facts(done) == DONE | {"messaging.kafka.offset": base}
            assert done.status.status_code is StatusCode.UNSET
            assert spans.steps(done) == [*WAY, "feedbridge.response"]
            assert {s.name: s.kind.name for s in spans.ended()} == KINDS
            assert {s.kind for s in spans.roots("take")} == {SpanKind.CONSUMER}
            for answer in await responses(sender, "take"):
                assert headers(answer)["traceparent"] == follows(done)
                assert headers(answer)["tracestate"] == b"congo=t61rcWkgMzE"

    run(story())


def test_the_trees_of_commands_that_take_a_shorter_way(
    run: Run, tmp_path: Path, spans: Spans
) -> None:
    """A refusal and a repeat are not sent; a read has no claim."""

    async def story() -> None:
        async with trading(tmp_path, worker=ON) as (_, sender):
            base = len(await sender.finals(1))
            sender.headers = GIVEN
            sender.send("odd", "add", instrument="BTC-USD")
            sender.headers = []
            sender.send("read", "positions")
            sender.send("read", "positions")
            finals = await sender.finals(base + 3)
            await until(lambda: len(spans.roots("read")) == 2, "the last span")

            refused = spans.root("odd")
            assert follows(refused)
            assert refused.status.status_code is StatusCode.ERROR
            assert refused.status.description == "REFUSED " + told(finals[base])[1]
            assert spans.steps(refused) == ["feedbridge.claim", "feedbridge.response"]
            first, repeat = sorted(
                spans.roots("read"), key=lambda s: facts(s)["messaging.kafka.offset"]
            )
            assert spans.steps(first) == [*WAY[1:], "feedbridge.response"]
            assert first.parent is None
            assert facts(repeat)["feedbridge.repeat_of"] == base + 1
            assert spans.steps(repeat) == ["feedbridge.claim", "feedbridge.response"]

    run(story())


def test_the_tree_of_spans_of_a_command_that_stays_unresolved(
    run: Run, tmp_path: Path, spans: Spans
) -> None:
    """The request is in doubt, the look-up fails, and the status says so."""
    soon = {TOPIC: {**ORDERS[TOPIC], "resolve_limit_s": 1}}

    async def story() -> None:
        async with trading(tmp_path, soon, worker=ON) as (path, sender):
            base = len(await sender.finals(1))
            order = await taking(sender, "BTC-USD")
            await path.finery.do("lose_reply", times=None)
            sender.headers = GIVEN
            sender.send("lost", "add", **order)
            finals = await sender.finals(base + 1)
            assert told(finals[base])[0] == "UNRESOLVED"
            await until(lambda: bool(spans.roots("lost")), "the span")

            root = spans.root("lost")
            assert root.status.description == "UNRESOLVED UNRESOLVED"
            steps = spans.steps(root)
            assert steps[:4] == [*WAY, "feedbridge.lookup"]
            assert steps[-1] == "feedbridge.response"
            failed = {s.name: s.status.description for s in spans.ended()}
            assert failed["feedbridge.request"] == "no clear answer"
            assert failed["feedbridge.lookup"] == "the venue could not be asked"

    run(story())


def test_a_successor_goes_on_with_the_same_trace(
    run: Run, tmp_path: Path, spans: Spans
) -> None:
    """It reads the command again: same parent, and the span says whom it followed."""

    async def story() -> None:
        async with trading(tmp_path, worker=ON) as (path, sender):
            base = len(await sender.finals(1))
            # None for the look-up either: the first worker must not close it itself.
            await path.finery.do("lose_reply", times=None)
            sender.headers = GIVEN
            sender.send("lost", "add", **await taking(sender, "BTC-USD"))
            await in_doubt(sender, "lost")
            path.stop.set()
            await until(lambda: "stopped ledger" in path.lines.getvalue(), "stopped")
            await path.finery.do("clear")
            stop = asyncio.Event()
            task = asyncio.ensure_future(path.worker(path.made).run(stop))
            finals = await sender.finals(base + 1)
            await until(lambda: len(spans.roots("lost")) == 2, "both spans")
            stop.set()
            assert await task == 0

            assert told(finals[base])[0] == "DONE"
            first, second = spans.roots("lost")
            assert "feedbridge.outcome" not in facts(first)
            assert follows(first) != follows(second)
            assert facts(second)["feedbridge.taken_over_from"] == "tracer"
            assert facts(second)["feedbridge.reconciled"] is True
            assert spans.steps(second) == ["feedbridge.lookup", "feedbridge.response"]
            last = (await responses(sender, "lost"))[-1]
            assert headers(last)["traceparent"] == follows(second)

    run(story())


def test_a_fault_of_tracing_reaches_no_order(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once; the command is answered, with the sender's own trace."""

    class Broken(Tracer):
        @override
        def start(self, *args: object) -> Any:
            raise RuntimeError("broken")

    monkeypatch.setattr(tracing, "open_tracer", lambda _: Broken(TracerProvider()))

    async def story() -> None:
        async with trading(tmp_path, worker=ON) as (path, sender):
            base = len(await sender.finals(1))
            sender.headers = GIVEN
            sender.send("take", "add", **await taking(sender, "BTC-USD"))
            finals = await sender.finals(base + 1)
            assert told(finals[base])[0] == "DONE"
            last = (await responses(sender, "take"))[-1]
            assert headers(last)["traceparent"] == str(GIVEN[0][1]).encode()
            assert path.lines.getvalue().count("tracing_failed") == 1

    run(story())


def test_nothing_of_opentelemetry_is_imported_while_it_is_off() -> None:
    """A worker's and a client's modules come without it."""
    lines = (
        "import sys, bridge.app.worker, bridge.client, bridge.cli, bridge.verbs.send",
        "found = [n for n in sys.modules if n.partition('.')[0] == 'opentelemetry']",
        "sys.exit(repr(found) if found else 0)",
    )
    code = "; ".join(lines)
    subprocess.run([sys.executable, "-c", code], check=True)
