"""Faults: what can go wrong with feeds and with requests, switched on by name.

Feed faults are `Twist`s: they see every feed message and return what is sent instead.
Request faults are control functions: they see a request and return its `Fate`, or
None to let the next one decide. Each is used `times` times, or until it is cleared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from bridge.simulators.finery.wire import Json, Message, canonical

UPDATES: Final = frozenset({"+", "M", "-", "D"})
EVERY: Final = frozenset({"S", "Z", "U", *UPDATES})

Changed = list[Message | str]
"""Messages, or raw texts, to send instead of one message; empty: send nothing."""


@dataclass(slots=True, kw_only=True)
class Twist:
    """A feed fault: which messages it meets, how often, and what becomes of them."""

    name: str
    change: Callable[[Message], Changed]
    feed: str | None = None
    echo: str | None = None
    connection: int | None = None
    actions: frozenset[str] = EVERY
    times: int | None = None

    def meets(self, message: Message, bound: str, connection: int) -> bool:
        """Tell whether this fault is for `message`, bound as feed `bound`."""
        return (
            message.action in self.actions
            and self.feed in {None, message.feed, bound}
            and self.echo in {None, message.echo}
            and self.connection in {None, connection}
        )


class Asked(NamedTuple):
    """A request as control functions see it."""

    connection: int
    req_id: Any
    method: str
    content: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What happens to one request.

    `error` answers with that code and executes nothing; `result` answers with that
    result and executes nothing. `answer` is "send", "lose", "garble" or "double".
    `cut` drops the connection "before" or "after" executing. `before_ms` and
    `after_ms` are virtual delays; `hold` keeps replies until that many are held and
    sends them last first.
    """

    error: int | None = None
    param: str = ""
    result: Any = None
    execute: bool = True
    answer: str = "send"
    cut: str = ""
    before_ms: int = 0
    after_ms: int = 0
    hold: int = 0


NORMAL: Final = Fate()
ControlFunction = Callable[[Asked], Fate | None]


@dataclass(slots=True)
class Rule:
    """A control function for a method (None: all), used `times` times."""

    name: str
    method: str | None
    decide: ControlFunction
    times: int | None = 1


@dataclass(slots=True)
class Handshakes:
    """What happens to the next handshakes: a delay, or a refusal."""

    delay_ms: int = 0
    delays: int | None = 0
    refusals: int | None = 0
    error: int = 0
    status: int = 400
    body: str | None = None


@dataclass(slots=True)
class Table:
    """All faults in force."""

    twists: list[Twist] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    binds: list[tuple[str | None, str | None, int | None, int | None]] = field(
        default_factory=list
    )
    handshakes: Handshakes = field(default_factory=Handshakes)
    x_code: int = 0

    def shape(self, message: Message, bound: str, connection: int) -> Changed:
        """Return what is sent instead of `message`."""
        out: Changed = [message]
        for twist in list(self.twists):
            if twist.meets(message, bound, connection):
                out = [
                    changed
                    for item in out
                    for changed in (
                        [item] if isinstance(item, str) else twist.change(item)
                    )
                ]
                twist.times = _used(twist.times)
        self.twists = [t for t in self.twists if t.times != 0]
        return out

    def fate(self, asked: Asked) -> Fate:
        """Return what shall happen to a request; the first rule that decides wins."""
        for rule in list(self.rules):
            if rule.method not in {None, asked.method}:
                continue
            fate = rule.decide(asked)
            if fate is not None:
                rule.times = _used(rule.times)
                self.rules = [r for r in self.rules if r.times != 0]
                return fate
        return NORMAL

    def bind_fault(self, feed: str, feed_id: object) -> tuple[bool, int | None]:
        """Return whether this bind is to fail, and with which code (None: silence)."""
        echo = canonical(0 if feed_id is None else feed_id)
        for place, (letter, wanted, code, times) in enumerate(self.binds):
            if letter in {None, feed} and wanted in {None, echo}:
                left = _used(times)
                self.binds[place] = (letter, wanted, code, left)
                self.binds = [b for b in self.binds if b[3] != 0]
                return True, code
        return False, None

    def clear(self, name: str | None = None) -> None:
        """Take back the faults of that name, or all but the X status."""
        self.twists = [t for t in self.twists if name not in {None, t.name}]
        self.rules = [r for r in self.rules if name not in {None, r.name}]
        if name in {None, "refuse_bind"}:
            self.binds = []
        if name in {None, "slow_handshakes", "refuse_handshakes"}:
            self.handshakes = Handshakes()


def take(times: int | None) -> tuple[bool, int | None]:
    """Say whether a counted fault still applies, and what is left of its count."""
    return times != 0, _used(times)


def _used(times: int | None) -> int | None:
    return times if times is None or times == 0 else times - 1


def with_extra(message: Message, count: int) -> Changed:
    """Append `count` unknown elements to every record of the message."""
    extra = ["extra"] * count
    return [message._replace(data=_extended(message.data, extra))]


def with_number(message: Message, number: int) -> Changed:
    """Replace the last integer of the message's data by `number`."""
    data, _ = _last_replaced(message.data, number)
    return [message._replace(data=data)]


def cut_short(message: Message) -> Changed:
    """Send only the first half of the message's text."""
    text = message.text()
    return [text[: len(text) // 2]]


def _extended(data: Json, extra: list[str]) -> Json:
    """Extend the innermost arrays; objects get a field."""
    if isinstance(data, dict):
        return {**data, **{f"extra{n}": text for n, text in enumerate(extra)}}
    if not isinstance(data, list | tuple) or not data:
        return data
    if not any(isinstance(item, list | tuple | dict) for item in data):
        return [*data, *extra]
    return [_extended(item, extra) for item in data]


def _last_replaced(data: Json, number: int) -> tuple[Any, bool]:
    if isinstance(data, int) and not isinstance(data, bool):
        return number, True
    if isinstance(data, dict):
        keys = list(data)
        values, done = _last_replaced(list(data.values()), number)
        return dict(zip(keys, values, strict=True)), done
    if not isinstance(data, list | tuple):
        return data, False
    out, done = list(data), False
    for place in range(len(out) - 1, -1, -1):
        out[place], done = _last_replaced(out[place], number)
        if done:
            break
    return out, done
