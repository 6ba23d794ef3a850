"""The trace that a caller is in, where its program uses OpenTelemetry."""

from __future__ import annotations

import sys

from bridge.core.trace_context import TraceContext, context_of


def current_trace() -> TraceContext | None:
    """Return the trace of the current span; None without one.

    Nothing is imported for it: a program that is in a span has done so itself.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    span = api.get_current_span().get_span_context()
    ids = f"{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"
    return context_of(f"00-{ids}", span.trace_state.to_header())
