"""OpenTelemetry's edge: where spans go, what turns them off, and how it ends."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from typing_extensions import override

from bridge.edge import otel
from bridge.edge.tracing import open_tracer
from bridge.errors import ConfigError
from tests.support.running import Run

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "congo=t61"}
AT_NS = 1_800_000_000_000_000_000


class Collector:
    """A collector on loopback; it keeps what came, and may hang."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.free = threading.Event()
        self.free.set()

    def take(self, path: str, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.paths.append(path)
        for group in request.resource_spans:
            named = {a.key: a.value.string_value for a in group.resource.attributes}
            self.services.append(named)
            self.spans += [span for scope in group.scope_spans for span in scope.spans]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no variable of the machine decide."""
    for name in (*otel.ENDPOINTS, "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def collecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Listen, and let the environment name the address."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.free.wait(20)
            collector.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        try:
            yield collector
        finally:
            collector.free.set()
            server.shutdown()
            thread.join()


def make_spans(tracer: otel.Tracer) -> dict[str, str]:
    """Make a command's span with one child; return the headers that follow it."""
    root = tracer.start("feedbridge.command", "CONSUMER", GIVEN, {"a": 1}, AT_NS)
    step = tracer.start("feedbridge.request", "CLIENT", root, {}, AT_NS + 1)
    tracer.end(step, {}, AT_NS + 2)
    tracer.end(root, {"b": "x"}, AT_NS + 3, "REFUSED WHY")
    return tracer.headers(root)


def test_spans_reach_a_collector_by_otlp_over_http(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`close` exports what is queued; times, kinds, parents and status are kept."""
    with collecting(monkeypatch) as collector:

        async def story() -> dict[str, str]:
            tracer = open_tracer("worker-7")
            told = make_spans(tracer)
            assert await tracer.close(10)
            return told

        told = run(story())
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.services[0]["service.name"] == "feedbridge"
    assert collector.services[0]["service.instance.id"] == "worker-7"
    step, root = collector.spans
    assert root.trace_id.hex() == TRACE
    assert root.parent_span_id.hex() == PARENT
    assert step.parent_span_id == root.span_id
    assert (root.start_time_unix_nano, root.end_time_unix_nano) == (AT_NS, AT_NS + 3)
    assert (root.kind, step.kind) == (5, 3)  # CONSUMER, CLIENT in trace.proto
    assert {a.key for a in root.attributes} == {"a", "b"}
    assert (root.status.code, root.status.message) == (2, "REFUSED WHY")
    assert told["traceparent"] == f"00-{TRACE}-{root.span_id.hex()}-01"
    assert told["tracestate"] == "congo=t61"


def test_the_environment_names_the_service(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over our own names."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "orders")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=uat")
    with collecting(monkeypatch) as collector:

        async def story() -> None:
            tracer = open_tracer("w")
            make_spans(tracer)
            assert await tracer.close(10)

        run(story())
    assert collector.services[0]["service.name"] == "orders"
    assert collector.services[0]["service.instance.id"] == "w"
    assert collector.services[0]["deployment.environment.name"] == "uat"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ],
)
def test_the_environment_turns_the_export_off(
    name: str, value: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, and the sender's trace still goes on."""
    monkeypatch.setenv(name, value)
    with collecting(monkeypatch) as collector:

        async def story() -> dict[str, str]:
            tracer = open_tracer("w")
            told = make_spans(tracer)
            assert await tracer.close(10)
            return told

        told = run(story())
    assert collector.paths == []
    assert told["traceparent"].split("-")[1] == TRACE


def test_without_an_endpoint_there_is_no_exporter(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenTelemetry itself would try localhost."""

    def forbidden() -> None:
        raise AssertionError("an exporter was made")

    monkeypatch.setattr(otel, "OTLPSpanExporter", forbidden)

    async def story() -> None:
        tracer = open_tracer("w")
        assert make_spans(tracer)["traceparent"].split("-")[1] == TRACE
        assert await tracer.close(10)

    run(story())


def test_a_collector_that_hangs_delays_the_end_by_no_more_than_the_limit(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on meanwhile, and `close` says that it was not done."""
    with collecting(monkeypatch) as collector:
        collector.free.clear()

        async def story() -> bool:
            tracer = open_tracer("w")
            make_spans(tracer)
            done = await tracer.close(0.2)
            collector.free.set()
            return done

        assert run(story()) is False


def test_a_full_queue_drops_spans_and_never_waits(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the collector hanging, ten thousand spans are made at once."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    with collecting(monkeypatch) as collector:
        collector.free.clear()

        async def story() -> None:
            tracer = open_tracer("w")
            for _ in range(5_000):
                make_spans(tracer)
            assert collector.spans == []
            collector.free.set()
            assert await tracer.close(10)

        run(story())
    assert 0 < len(collector.spans) <= 64 + 8


def test_without_the_extra_the_settings_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "bridge.edge.otel", None)
    with pytest.raises(ConfigError, match=r"pip install 'feedbridge\[otel\]'"):
        open_tracer("w")


def test_a_variable_that_opentelemetry_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends the start as a fault of the settings, not as a crash."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0")
    with pytest.raises(ConfigError, match="OTEL_"):
        open_tracer("w")
