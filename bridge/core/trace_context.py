"""The trace that a command belongs to, as two headers of its record.

Source: W3C Trace Context, level 1 (Recommendation, 2021-11-23): section 3.2 for
`traceparent`, 3.3 for `tracestate`, 4 for what is invalid. Headers of Kafka records
are taken by their exact lower-case names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from bridge.core.model import Headers

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
PARENT_BYTES = 55
STATE_BYTES = 512
STATE_MEMBERS = 32

_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}",
    re.ASCII,
)
_SIMPLE = r"[a-z][a-z0-9_*/-]{0,255}"
_TENANT = r"[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
# A value: printable, neither comma nor equals sign, no space at its end.
_VALUE = r"[ -+\--<>-~]{0,255}[!-+\--<>-~]"
_MEMBER = re.compile(f"({_SIMPLE}|{_TENANT})={_VALUE}", re.ASCII)
_BLANKS = " \t"


class TraceContext(NamedTuple):
    """Where a trace goes on; `state` is what tracing systems add, often empty."""

    parent: str
    state: str = ""

    def texts(self) -> dict[str, str]:
        """Return the headers by name, as texts; none is empty."""
        named = {TRACEPARENT: self.parent, TRACESTATE: self.state}
        return {name: text for name, text in named.items() if text}

    def headers(self) -> Headers:
        """Return the headers of a Kafka record that belongs to the trace."""
        return [(name, text.encode()) for name, text in self.texts().items()]


def trace_context(
    headers: Iterable[tuple[str, str | bytes | None]] | None,
) -> TraceContext | None:
    """Return the trace that headers name; None if there is none that is valid.

    A `traceparent` that is invalid, there twice, or longer than 55 bytes counts as
    none. A `tracestate` that is invalid or longer than 512 bytes is left out alone;
    several are one list.
    """
    found: dict[str, list[str]] = {TRACEPARENT: [], TRACESTATE: []}
    for name, value in headers or ():
        if name in found:
            found[name].append(_text(value))
    if len(found[TRACEPARENT]) != 1:
        return None
    return context_of(found[TRACEPARENT][0], ",".join(found[TRACESTATE]))


def context_of(parent: str, state: str = "") -> TraceContext | None:
    """Return the trace of these two texts; None if `parent` is not valid."""
    if len(parent) != PARENT_BYTES or not _PARENT.fullmatch(parent):
        return None
    return TraceContext(parent, state if _is_state(state) else "")


def _text(value: str | bytes | None) -> str:
    """Return a header's value as text; what is no text has no valid form."""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return value or ""


def _is_state(state: str) -> bool:
    """Tell whether it is a list of members, each key there once."""
    if len(state) > STATE_BYTES:
        return False
    members = [member.strip(_BLANKS) for member in state.split(",")]
    matches = [_MEMBER.fullmatch(member) for member in members if member]
    keys = {match[1] for match in matches if match}
    return len(keys) == len(matches) <= STATE_MEMBERS
