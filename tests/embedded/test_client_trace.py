"""The client's part in a trace: what it writes, and what it hands back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_span_id

from bridge.client import Phase, TraceContext
from bridge.core.trace_context import trace_context
from bridge.embedded import EmbeddedKafka
from tests.embedded.test_client import TOPICS, messages, opened
from tests.support.running import Run

GIVEN = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=1")


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics=TOPICS) as cluster:
        yield cluster


def test_a_command_carries_the_trace_it_is_given(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """None by default; one that is not valid is left out, and the command is sent."""

    async def story() -> None:
        async with opened(kafka) as (client, _):
            await client.submit("positions", trace=GIVEN)
            await client.submit("positions", trace=TraceContext("00-zero", "a=1"))
            await client.submit("positions")

    run(story())
    assert [m.headers() or [] for m in messages(kafka)] == [
        [("traceparent", GIVEN.parent.encode()), ("tracestate", b"a=1")],
        [],
        [],
    ]


def test_inside_a_span_the_command_belongs_to_it(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """What is given wins over the current span."""

    async def story() -> str:
        tracer = TracerProvider().get_tracer("test")
        async with opened(kafka) as (client, _):
            with tracer.start_as_current_span("caller") as span:
                await client.submit("positions")
                await client.submit("positions", trace=GIVEN)
            return format_span_id(span.get_span_context().span_id)

    span_id = run(story())
    carried = [dict(m.headers() or ()).items() for m in messages(kafka)]
    own, given = [trace_context(headers) for headers in carried]
    assert own is not None
    assert own.parent.split("-")[2] == span_id
    assert given == GIVEN


def test_a_response_hands_the_trace_back(run: Run, kafka: EmbeddedKafka) -> None:
    """A response with an invalid one has None."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            for parent, expected in ((GIVEN.parent, GIVEN), ("\xff", None)):
                pending = await client.submit("positions")
                responder.headers = TraceContext(parent, GIVEN.state).headers()
                responder.answer(pending, Phase.FINAL)
                assert (await pending.final(10)).trace == expected

    run(story())
