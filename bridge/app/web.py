"""What a worker answers on its HTTP port: probes, metrics, status and the page.

Each answer is made at most twice a second, however many ask: a stranger who asks fast
takes no time from the order path.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
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


class Fresh:
    """Text that is made anew at most twice a second, and cleaned of secrets."""

    def __init__(
        self, make: Callable[[], str], clean: Clean, mono_ns: Callable[[], int]
    ) -> None:
        """Nothing is made before it is asked for."""
        self._make, self._clean, self._mono_ns = make, clean, mono_ns
        self._until_ns = -1
        self._body = b""

    def __call__(self) -> bytes:
        """Return the text as UTF-8."""
        now_ns = self._mono_ns()
        if now_ns >= self._until_ns:
            self._body = self._clean(self._make()).encode(errors="replace")
            self._until_ns = now_ns + FRESH_NS
        return self._body


def probe(parts: Callable[[], list[Part]], clean: Clean) -> Route:
    """Answer 200 when all parts are well, else 503 with a line for each that is not.

    With `format=json` all parts are told.
    """

    def answer(query: str) -> Answer:
        found = parts()
        status = 200 if all(part.ok for part in found) else 503
        if parse_qs(query).get("format") == ["json"]:
            return Answer(status, JSON, clean(_as_json(found)).encode())
        return Answer(status, TEXT, clean(_as_text(found)).encode(errors="replace"))

    return answer


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
