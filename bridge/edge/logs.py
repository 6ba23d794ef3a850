"""One line for each change of state, to stderr: JSON for programs, text for people.

Secrets that were registered are replaced everywhere in a line, whoever wrote it: our
own events, and what libraries say through `logging`.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, TextIO

from typing_extensions import override

from bridge.edge.clock import Clock, SystemClock

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Mapping[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
HIDDEN = "***"
# A secret of one or two characters would blacken half of every line.
SHORTEST_SECRET = 3


class Redactor:
    """Replaces registered strings; the longest first, so that none leaves a rest."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self._secrets: list[str] = []
        self._lock = threading.Lock()

    def hide(self, secret: str) -> None:
        """Register a secret, and the forms it takes inside JSON; from any thread."""
        forms = {
            secret,
            *(json.dumps(secret, ensure_ascii=a)[1:-1] for a in (False, True)),
        }
        new = {form for form in forms if len(form) >= SHORTEST_SECRET}
        with self._lock:
            self._secrets = sorted({*self._secrets, *new}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return `text` without any registered secret."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


class Log:
    """Writes events; call it with an event's name and its facts."""

    def __init__(
        self,
        level: Level = "info",
        form: Literal["json", "text"] = "json",
        out: TextIO | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Write to stderr unless `out` is given; `level` is the lowest one shown."""
        self.redactor = Redactor()
        self._level = LEVELS[level]
        self._render = _as_json if form == "json" else _as_text
        self._out = out
        self._clock = clock or SystemClock()

    def __call__(
        self, event: str, /, *, level: Level = "info", **facts: object
    ) -> None:
        """Write one line, unless its level is below ours.

        Facts may come from anywhere, so no name of one may raise: a level that is none
        is always shown, and a fact called like one of our own fields gives way to it.
        """
        if LEVELS.get(level, LEVELS["error"]) >= self._level:
            at = datetime.fromtimestamp(self._clock.now().wall_ns // 1000 / 1e6, UTC)
            line = self._render(at, level, event, facts)
            out = self._out or sys.stderr
            with suppress(OSError, ValueError):  # nobody reads it, or a disk is full
                print(self.redactor.clean(line), file=out, flush=True)


class LogHandler(logging.Handler):
    """Lets what libraries say through `logging` into the same lines."""

    def __init__(self, log: Log) -> None:
        """Write to `log`; install it with `logging.basicConfig(handlers=[...])`."""
        super().__init__()
        self._log = log

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record that cannot be formatted is told by `logging`."""
        try:
            level = _level(record.levelno)
            self._log("library", level=level, of=record.name, said=record.getMessage())
        except Exception:  # noqa: BLE001 - logging must not stop the worker
            self.handleError(record)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def _as_json(
    at: datetime, level: Level, event: str, facts: Mapping[str, object]
) -> str:
    stamp = at.isoformat(timespec="milliseconds")
    head = {"at": stamp, "level": level, "event": event}
    return json.dumps({**head, **facts, **head}, default=str, ensure_ascii=False)


def _as_text(
    at: datetime, level: Level, event: str, facts: Mapping[str, object]
) -> str:
    words = [f"{at:%H:%M:%S}", str(level).upper().ljust(7), event]
    words += [
        f"{name}={_quoted(value)}"
        for name, value in facts.items()
        if value is not None and value != ""
    ]
    return " ".join(words)


def _quoted(value: object) -> str:
    text = str(value)
    plain = text and all(letter.isprintable() and letter != " " for letter in text)
    return text if plain else json.dumps(text, ensure_ascii=False)
