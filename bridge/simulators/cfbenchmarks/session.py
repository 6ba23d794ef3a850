"""One client's session: its key, its subscriptions, and what it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

from bridge.simulators.cfbenchmarks import commands
from bridge.simulators.cfbenchmarks.commands import Command
from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.cfbenchmarks.indices import Index, Rhythm
from bridge.simulators.cfbenchmarks.keys import PER_SECOND, Key
from bridge.simulators.cfbenchmarks.lines import Line, Series
from bridge.simulators.cfbenchmarks.options import (
    OFFICIAL_REASONS,
    CfBenchmarksOptions,
)
from bridge.simulators.connection import Payload

# How the session treats its client; the failed logins among them do not answer.
Manner = Literal["normal", "silence", "errors"]
_STREAMS = frozenset({"value", "rti_stats", "constituents"})


class Floor(Protocol):
    """What a session knows of the simulator around it."""

    options: CfBenchmarksOptions
    info_order: tuple[str, ...]

    @property
    def indices(self) -> Mapping[str, Index]:
        """The indices on offer, by id."""

    @property
    def lines(self) -> Mapping[tuple[str, Series], Line]:
        """Every line, by index id and series."""


class Out(Protocol):
    """Sends one frame to the client and writes it down; returns whether it went out."""

    def __call__(self, payload: Payload, why: str, tick: Tick | None = None) -> bool:
        """Send `payload`; `why` is for the ledger."""


class Subscription(msgspec.Struct):
    """One (id, stream) and its line; `ending` lets one more tick through."""

    command: Command
    line: Line
    ending: bool = False


class Session:
    """Answers commands and passes on the ticks of the subscribed lines.

    Args:
        key: The key of the login.
        floor: The simulator.
        out: Sends a text.
        render: Writes a tick as a frame.
        manner: Whether commands are answered, ignored, or all refused.
    """

    def __init__(
        self,
        key: Key,
        floor: Floor,
        out: Out,
        render: Callable[[Tick], str],
        manner: Manner = "normal",
    ) -> None:
        self.key = key
        self.manner = manner
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self._floor = floor
        self._out = out
        self._render = render

    def receive(self, data: str | bytes) -> None:
        """Answer one message of the client."""
        command = commands.read(data)
        if self.manner == "silence":
            return
        if self.manner == "errors":
            self._fail(command, "login")
        elif command is None:
            self._fail(None, "malformed")
        else:
            _ANSWERS.get(command.type, Session._unknown)(self, command)

    def on_tick(self, line: Line, tick: Tick) -> bool:
        """Send a tick if its line is subscribed; return whether it is."""
        place = (tick.id, tick.stream)
        subscription = self.subscriptions.get(place)
        if subscription is None or subscription.line is not line:
            return False
        self._out(self._render(tick), "tick", tick)
        if subscription.ending:
            del self.subscriptions[place]
        return True

    def revoke(self, index_id: str, *, say: bool) -> None:
        """End the subscriptions of an index, with an error frame or without."""
        for place in [p for p in self.subscriptions if p[0] == index_id]:
            command = self.subscriptions.pop(place).command
            if say:
                self._fail(command, "unknown_id")

    def _unknown(self, command: Command) -> None:
        self._fail(command, "unknown_command")

    def _info(self, command: Command) -> None:
        options = self._floor.options
        if options.info == "error":
            self._fail(command, "unknown_command")
        elif options.info == "answer":
            ids = [i for i in self._floor.info_order if self.key.allows(i)]
            self._out(commands.info(ids, options), "info")

    def _subscribe(self, command: Command) -> None:
        problem = self._problem(command)
        if problem:
            self._fail(command, problem)
            return
        place = (command.id, command.stream)
        known = self.subscriptions.get(place)
        if known is not None and not known.ending:
            self._again(command, known)
            return
        subscription = Subscription(command, self._line(command))
        self.subscriptions[place] = subscription
        self._acknowledge(command)
        self._snapshot(subscription)

    def _unsubscribe(self, command: Command) -> None:
        options = self._floor.options
        subscription = self.subscriptions.get((command.id, command.stream))
        if subscription is None:
            if options.stray_unsubscribe == "error":
                self._fail(command, "not_subscribed")
            return
        if options.in_flight:
            subscription.ending = True
        else:
            del self.subscriptions[command.id, command.stream]
        self._acknowledge(command)

    def _again(self, command: Command, known: Subscription) -> None:
        """Take a second subscribe to the same stream, as the switch says."""
        manner = self._floor.options.duplicate_subscribe
        if manner == "error":
            self._fail(command, "duplicate")
        elif manner == "snapshot":
            self._snapshot(known)

    def _problem(self, command: Command) -> str:
        """Return the name of the reason why a subscribe is refused, if it is."""
        index = self._floor.indices.get(command.id)
        if index is None or not self.key.allows(command.id):
            return "unknown_id"
        if command.stream not in _STREAMS:
            return "unknown_stream"
        if command.stream == "constituents" or command.stream not in self.key.streams:
            return "not_permitted"
        if command.stream == "rti_stats" and not index.stats:
            return "unknown_stream"
        wrong = command.max_resolution not in {None, PER_SECOND}
        strict = self._floor.options.unknown_resolution == "error"
        return "unknown_resolution" if wrong and strict else ""

    def _line(self, command: Command) -> Line:
        index = self._floor.indices[command.id]
        return self._floor.lines[index.id, self._series(command, index)]

    def _series(self, command: Command, index: Index) -> Series:
        if command.stream == "rti_stats":
            return Series.STATS
        if index.rhythm is not Rhythm.FAST:
            return Series.DAILY if index.rhythm is Rhythm.DAILY else Series.SECOND
        asked = command.max_resolution or self._floor.options.default_resolution
        coarse = PER_SECOND in {asked, self.key.resolution}
        return Series.SECOND if coarse else Series.FAST

    def _snapshot(self, subscription: Subscription) -> None:
        """Send the value that was published last: it may be old."""
        tick = subscription.line.latest
        if tick is not None:
            self._out(self._render(tick), "snapshot", tick)

    def _acknowledge(self, command: Command) -> None:
        if self._floor.options.acknowledge:
            self._out(commands.success(command), "acknowledgement")

    def _fail(self, command: Command | None, name: str) -> None:
        text = commands.failure(command, self._floor.options.reason(name))
        official = name in OFFICIAL_REASONS and name not in self._floor.options.reasons
        self._out(text, "error" if official else "error, not an official text")


_ANSWERS: Mapping[str, Callable[[Session, Command], None]] = {
    "info": Session._info,  # noqa: SLF001 - the class's own table
    "subscribe": Session._subscribe,  # noqa: SLF001 - as above
    "unsubscribe": Session._unsubscribe,  # noqa: SLF001 - as above
}
