"""A worker's HTTP port: what it looks at, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from bridge.app.samples import Looked, samples
from bridge.app.view import Running, Watcher
from bridge.app.vitals import Vitals
from bridge.app.web import (
    JSON,
    Fresh,
    described,
    encoded,
    events,
    metrics,
    page,
    probe,
    probed,
    text,
)
from bridge.config.sections import Http
from bridge.core.health import Part, Step, View, alive, parts, started
from bridge.edge.clock import Clock
from bridge.edge.http import Route, Routes, Server
from bridge.edge.logs import Log
from bridge.edge.process import usage

NS = 1_000_000_000
T = TypeVar("T")


class Seen(NamedTuple):
    """What the port is told of its worker; the calls tell the present."""

    name: str
    clock: Clock
    log: Log
    vitals: Vitals
    running: Callable[[], Running | None]
    step: Callable[[], Step]
    waits_for: Callable[[], str]
    status: Callable[[], Mapping[str, Any]]


class Site:
    """Looks at one worker; answers over HTTP between `open` and `close`."""

    def __init__(self, worker: Seen) -> None:
        """Listen to nothing yet."""
        self._worker = worker
        self._watcher = Watcher(worker.vitals)
        self._started_s = worker.clock.now().wall_ns / NS
        self._faults: set[str] = set()
        self._status = self._text(lambda: json.dumps(worker.status()))
        self.server = Server(self._routes())

    async def open(self, http: Http) -> None:
        """Listen, where that is wanted; raises ConfigError if it is not possible."""
        if http.enabled:
            await self.server.open(http.host, http.port)
            where = f"http://{http.host}:{self.server.port}/"
            self._worker.log("http_listening", port=self.server.port, url=where)

    async def close(self) -> None:
        """Answer nobody any more."""
        await self.server.close()

    def health(self) -> Mapping[str, Any]:
        """Return all parts as plain values."""
        return described(parts(self._view()))

    def metrics(self) -> str:
        """Return all metrics as text."""
        view, worker = self._view(), self._worker
        looked = Looked(
            worker=worker.name,
            started_s=self._started_s,
            view=view,
            parts=parts(view),
            vitals=worker.vitals,
            usage=usage(),
            running=worker.running(),
            server=self.server,
        )
        return samples(looked).text()

    def _view(self) -> View:
        worker = self._worker
        return self._watcher.view(
            worker.running(), worker.step(), worker.waits_for(), worker.clock.now()
        )

    def _routes(self) -> Routes:
        answers = {
            **page(),
            "/livez": self._probe(alive),
            "/readyz": self._probe(parts),
            "/startupz": self._probe(started),
            "/metrics": metrics(self._text(self.metrics)),
            "/status": text(JSON, self._status),
        }
        return Routes(answers, {"/events": events(self._status)}, self._failed)

    def _probe(self, judge: Callable[[View], list[Part]]) -> Route:
        clean = self._worker.log.redactor.clean
        return probe(self._fresh(lambda: probed(judge(self._view()), clean)))

    def _text(self, make: Callable[[], str]) -> Fresh[bytes]:
        clean = self._worker.log.redactor.clean
        return self._fresh(lambda: encoded(make(), clean))

    def _fresh(self, make: Callable[[], T]) -> Fresh[T]:
        return Fresh(make, lambda: self._worker.clock.now().mono_ns)

    def _failed(self, path: str, error: Exception) -> None:
        """Log a fault of ours, each kind once: whoever asks may ask often."""
        kind = f"{path} {type(error).__name__}"
        if kind not in self._faults:
            self._faults.add(kind)
            self._worker.log("http_failed", level="error", path=path, why=repr(error))
