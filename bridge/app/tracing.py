"""The traces of one worker's commands: spans where they are on, else only passed on."""

from __future__ import annotations

from bridge.app.parts import Parts
from bridge.edge.tracing import open_tracer
from bridge.flow.traces import Traces
from bridge.flow.trails import Trails

FLUSH_S = 2.0


class Tracing:
    """Makes the trails of each command topic, and ends them with the worker."""

    def __init__(self, parts: Parts) -> None:
        """Start the exporter, if the settings want spans.

        Raises:
            ConfigError: they do, and OpenTelemetry is not installed.
        """
        worker = parts.settings.worker
        self._tracer = open_tracer(worker.name) if worker.trace_commands else None
        self._parts = parts
        self._made: list[Trails] = []

    def trails(self, responses: str) -> Trails:
        """Return the trails of a command topic; `responses` is its response topic."""
        clock, log = self._parts.clock, self._parts.log
        if self._tracer is None:
            return Trails()
        self._made.append(Traces(self._tracer, responses, clock.now, log))
        return self._made[-1]

    async def close(self) -> None:
        """End what is open, and give the exporter a moment for what is queued."""
        for trails in self._made:
            trails.close()
        if self._tracer is not None and not await self._tracer.close(FLUSH_S):
            self._parts.log("traces_not_exported", level="warning", within_s=FLUSH_S)
