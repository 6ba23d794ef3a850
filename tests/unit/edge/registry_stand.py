"""A schema registry on loopback that answers as a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, TypeVar

ABSENT_SUBJECT = (404, {"error_code": 40401, "message": "Subject not found"})
ABSENT_SCHEMA = (404, {"error_code": 40403, "message": "Schema not found"})


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    body: Any
    login: str | None


class Stand(ThreadingHTTPServer):
    """Keeps requests in `asked`; answers by the first matching piece of the path.

    Confluent's paths: `POST /subjects/S` looks up, `POST /subjects/S/versions`
    registers, `POST /compatibility/...` tests, `GET /schemas/ids/N` reads.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self.answers: dict[str, tuple[int, Any]] = {
            "/compatibility/": (200, {"is_compatible": True}),
            "/versions": (200, {"id": 21}),
            "/schemas/ids/": (200, {"schema": '{"type": "record"}'}),
            "/subjects/": ABSENT_SUBJECT,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, asked: Asked) -> tuple[int, Any]:
        self.asked.append(asked)
        path = asked.path.partition("?")[0]
        return next(a for piece, a in self.answers.items() if piece in path)

    def paths(self) -> list[str]:
        return [asked.path.partition("?")[0] for asked in self.asked]


_Stand = TypeVar("_Stand", bound=Stand)


class _Handler(BaseHTTPRequestHandler):
    server: Stand

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self._reply(json.loads(self.rfile.read(size)))

    def do_GET(self) -> None:
        self._reply(None)

    def _reply(self, body: Any) -> None:
        login = self.headers.get("Authorization")
        status, answer = self.server.answer(Asked(self.command, self.path, body, login))
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # type: ignore[explicit-override] # noqa: A002
        """Print nothing."""


@contextmanager
def standing() -> Iterator[Stand]:
    """Run a stand in a thread."""
    with serving(Stand()) as stand:
        yield stand


@contextmanager
def serving(stand: _Stand) -> Iterator[_Stand]:
    """Run a stand of any kind in a thread."""
    with stand:
        thread = Thread(target=stand.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stand
        finally:
            stand.shutdown()
            thread.join()
