"""Shows what is wanted, line by line, and whether the file or the topic says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from bridge.config import Settings
from bridge.config.desired import Resolved
from bridge.core.envelopes import Desired, DesiredState
from bridge.venues.base import Source
from bridge.verbs.out import say, say_json, table

HEADERS = ("subscription", "wanted", "by rule", "options", "by", "at", "reason")

# Stands in the settings file, state on the topic -> which rule holds.
_RULES = {
    (True, None): "file",
    (True, DesiredState.WANTED): "topic, over the file",
    (True, DesiredState.UNWANTED): "topic, over the file",
    (False, DesiredState.WANTED): "topic",
    (False, DesiredState.UNWANTED): "topic",
}
_LEFT_OUT = {True: "file, record left out", False: "record left out"}


class Line(NamedTuple):
    """One subscription: whether it is wanted, and which rule says so."""

    key: str
    wanted: bool
    rule: str
    record: Desired | None
    problem: str

    def facts(self) -> dict[str, object]:
        """Return it JSON-ready."""
        record = self.record
        return {
            "subscription": self.key,
            "wanted": self.wanted,
            "rule": self.rule,
            "state": record.state.name if record else None,
            "options": record.options if record else None,
            "reason": record.reason if record else None,
            "by": record.by if record else None,
            "at": record.at_ms if record else None,
            "problem": self.problem or None,
        }


def lines(settings: Settings, now: Resolved) -> list[Line]:
    """Return a line a subscription: the file's in its order, then the topic's."""
    file, wanted = _keys(settings.sources()), set(_keys(now.sources))
    more = sorted((now.records.keys() | now.problems.keys()) - set(file))
    return [_line(key, key in file, key in wanted, now) for key in [*file, *more]]


def _keys(sources: Iterable[Source]) -> dict[str, None]:
    found = (f"{source.name}/{one.name}" for source in sources for one in source.wanted)
    return dict.fromkeys(found)


def _line(key: str, in_file: bool, wanted: bool, now: Resolved) -> Line:  # noqa: FBT001 - facts, no switches
    record, problem = now.records.get(key), now.problems.get(key, "")
    state = record.state if record else None
    rule = _LEFT_OUT[in_file] if problem else _RULES[in_file, state]
    return Line(key, wanted, rule, record, problem)


def show(found: Sequence[Line], *, as_json: bool) -> None:
    """Write the lines, then what is wrong with records that were left out."""
    if as_json:
        say_json([line.facts() for line in found])
        return
    say(table(HEADERS, [[_clean(cell) for cell in _row(line)] for line in found]))
    for line in found:
        if line.problem:
            say(_clean(line.problem))


def _row(line: Line) -> tuple[str, ...]:
    wanted, record = "yes" if line.wanted else "no", line.record
    if record is None:
        return line.key, wanted, line.rule, "", "", "", ""
    words = (record.options, record.by, _time(record.at_ms), record.reason)
    return line.key, wanted, line.rule, *words


def _time(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"  # a year that no calendar has


def _clean(text: str) -> str:
    """Replace what would steer a terminal: anybody may have written the record."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
