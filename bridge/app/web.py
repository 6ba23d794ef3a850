"""What a worker answers on its HTTP port: probes, metrics, status and the page.

Each answer is made at most twice a second, however many ask: a stranger who asks fast
takes no time from the order path.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs

from bridge.core.exposition import CONTENT_TYPE
from bridge.core.health import Part
from bridge.edge.http import Answer, Route

FRESH_NS = 500_000_000
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

Clean = Callable[[str], str]
T = TypeVar("T")


class Fresh(Generic[T]):
    """A value that is made anew at most twice a second, however many ask for it."""

    def __init__(self, make: Callable[[], T], mono_ns: Callable[[], int]) -> None:
        """Nothing is made before it is asked for."""
        self._make, self._mono_ns = make, mono_ns
        self._made: tuple[int, T] | None = None  # until when it holds, and what it is

    def __call__(self) -> T:
        """Return the value."""
        now_ns = self._mono_ns()
        if self._made is None or now_ns >= self._made[0]:
            self._made = (now_ns + FRESH_NS, self._make())
        return self._made[1]


class Probed(NamedTuple):
    """The two answers of a probe."""

    plain: Answer
    as_json: Answer


def probed(parts: list[Part], clean: Clean) -> Probed:
    """Return 200 when all parts are well, else 503 with a line for each that is not.

    In JSON all parts are told.
    """
    status = 200 if all(part.ok for part in parts) else 503
    return Probed(
        Answer(status, TEXT, encoded(_as_text(parts), clean)),
        Answer(status, JSON, encoded(_as_json(parts), clean)),
    )


def probe(found: Callable[[], Probed]) -> Route:
    """Answer in JSON with `format=json`, else in plain text."""

    def answer(query: str) -> Answer:
        as_json = parse_qs(query).get("format") == ["json"]
        return found().as_json if as_json else found().plain

    return answer


def encoded(made: str, clean: Clean) -> bytes:
    """Return a text as UTF-8, cleaned of secrets."""
    return clean(made).encode(errors="replace")


def _as_text(parts: Iterable[Part]) -> str:
    wrong = [
        f"{_line(part.name)}: {_line(part.why)}\n" for part in parts if not part.ok
    ]
    return "".join(wrong) or "ok\n"


def _line(text: str) -> str:
    """Keep what a venue said within its line."""
    return " ".join(text.split())


def _as_json(parts: list[Part]) -> str:
    return json.dumps(described(parts))


def described(parts: list[Part]) -> Mapping[str, Any]:
    """Return parts as plain values."""
    told = [{"name": part.name, "ok": part.ok, "why": part.why} for part in parts]
    return {"ok": all(part.ok for part in parts), "parts": told}


def text(content_type: str, body: Callable[[], bytes]) -> Route:
    """Answer with what `body` gives."""
    return lambda _query: Answer(200, content_type, body())


def metrics(body: Callable[[], bytes]) -> Route:
    """Answer in Prometheus's format."""
    return text(CONTENT_TYPE, body)


def events(body: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return the messages of an event stream; `body` must be one line."""
    return lambda: b"event: status\ndata: " + body() + b"\n\n"


def page() -> dict[str, Route]:
    """Return the files of the page by path: those of the package, and no others."""
    found: dict[str, Route] = {}
    folder = importlib.resources.files("bridge") / "page"
    for file in folder.iterdir() if folder.is_dir() else ():
        kind = TYPES.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            found[f"/{file.name}"] = _file(kind, file.read_bytes())
    if "/index.html" in found:
        found["/"] = found.pop("/index.html")
    return found


def _file(kind: str, content: bytes) -> Route:
    return lambda _query: Answer(200, kind, content)
