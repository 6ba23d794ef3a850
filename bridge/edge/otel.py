"""Spans by OpenTelemetry's SDK, exported by OTLP over HTTP in a thread of its own.

Everything but the switch comes from OpenTelemetry's environment variables: endpoint,
headers, sampler, limits of queue and batch. The queue is bounded, and what does not
fit is dropped; a call from the event loop never waits for the exporter.

Facts relied on (opentelemetry-sdk 1.45, read and tried 2026-11-22): without an endpoint
the exporter would try localhost; `shutdown` exports what is queued and waits up to 30 s
for it; attributes given to `Resource.create` win over the environment's.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.environment_variables import OTEL_TRACES_EXPORTER
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# It logs a header that it cannot read, and headers hold logins.
logging.getLogger("opentelemetry.util.re").setLevel(logging.CRITICAL)
SCOPE = "feedbridge"
ENDPOINTS = (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)
W3C = TraceContextTextMapPropagator()
Attributes = Mapping[str, str | int | bool]


class Tracer:
    """Makes spans; times are Unix ns. Every method belongs to one thread."""

    def __init__(self, provider: TracerProvider) -> None:
        """Make spans by `provider`, which `close` shuts down."""
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE)

    def start(
        self,
        name: str,
        kind: str,
        parent: Span | Mapping[str, str],
        facts: Attributes,
        at_ns: int,
    ) -> Span:
        """Start a span below another one, or where W3C headers say; empty: a trace."""
        if isinstance(parent, Span):
            context = trace.set_span_in_context(parent, Context())
        else:
            context = W3C.extract(parent, Context())
        return self._tracer.start_span(
            name, context, SpanKind[kind], dict(facts), start_time=at_ns
        )

    def end(self, span: Span, facts: Attributes, at_ns: int, failure: str = "") -> None:
        """End a span; a `failure` is the description of its error status."""
        span.set_attributes(dict(facts))
        if failure:
            span.set_status(Status(StatusCode.ERROR, failure))
        span.end(at_ns)

    def headers(self, span: Span) -> dict[str, str]:
        """Return the W3C headers that continue a trace from `span`, empty for none."""
        carrier: dict[str, str] = {}
        W3C.inject(carrier, trace.set_span_in_context(span, Context()))
        return carrier

    async def close(self, timeout_s: float) -> bool:
        """Export what is queued; False if that took longer than it may.

        The thread is a daemon: an exporter that hangs holds no exit up.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits: the loop is closed
                loop.call_soon_threadsafe(done.set)

        Thread(target=shut_down, name="tracing end", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_s):
                await done.wait()
        except TimeoutError:
            return False
        return True


def exporting(worker: str) -> Tracer:
    """Return a tracer that exports to where the environment says, if anywhere."""
    named = {"service.name": SCOPE, "service.instance.id": worker}
    resource = Resource.create(named).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if _is_exported():
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracer(provider)


def _is_exported() -> bool:
    environ = os.environ  # noqa: TID251 - OpenTelemetry's variables, not ours
    wanted = environ.get(OTEL_TRACES_EXPORTER, "otlp").strip() or "otlp"
    return wanted == "otlp" and any(environ.get(name) for name in ENDPOINTS)
