"""The commands of one topic: checked, judged by the moment, remembered, or buried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from bridge.app.accounts import Account
from bridge.app.parts import Parts
from bridge.core.command_rules import RawCommand, Rules
from bridge.core.commands import read_command
from bridge.core.forms import Steps
from bridge.core.model import Now
from bridge.core.orders import Command, Entry, Outcome, Phase, Refused
from bridge.core.refusals import REFUSALS, Poison, refuse
from bridge.core.trace_context import trace_context
from bridge.edge.consumer import Message
from bridge.flow import orders as flow
from bridge.flow.outlet import DeadLetters

MS_NS = 1_000_000
NOT_SENT = frozenset({Outcome.REFUSED, Outcome.EXPIRED})


class _Unreadable(NamedTuple):
    """A record that is refused under a header's reqId, and kept as it came."""

    reason: str
    error: str


class Checks:
    """Everything that happens to a command before the claims see it."""

    def __init__(
        self,
        rules: Rules,
        accounts: Mapping[str, Account],
        dead: DeadLetters,
        parts: Parts,
    ) -> None:
        """Check by `rules`; what is no command goes to `dead`."""
        self._rules = rules
        self._accounts = accounts
        self._dead = dead
        self._parts = parts

    def read(self, message: Message, now: Now) -> Command | Refused | Poison:
        """Check one record completely, then by the moment."""
        rules = msgspec.structs.replace(self._rules, instruments=self._instruments())
        read = read_command(_raw(message), rules, now.wall_ns // MS_NS)
        if isinstance(read, Refused) and REFUSALS[read.code].dead_letter:
            self.bury(message, _Unreadable(read.code, read.text), now)
        if not isinstance(read, Command):
            return read
        code = self._accounts[read.key.account].moment(read, now)
        if code is not None:
            return refuse(read, code)
        rules.order_ids.add(read.key, read.order_id, read.received_ms)
        return read

    def seen(self, entry: Entry, now: Now) -> None:  # noqa: ARG002 - flow.orders.Parts
        """Learn from the log which client order ids are in use."""
        if entry.phase is Phase.CLAIMED:
            self._rules.order_ids.add(entry.key, entry.order_id, entry.claimed_ms)
        elif entry.phase is Phase.FINAL and _unsent(entry):
            self._rules.order_ids.drop(entry.key, entry.order_id)

    def bury(self, message: Message, poison: flow.Poison, now: Now) -> None:
        """Keep a record's raw bytes with the reason why it is no command."""
        origin = f"{message.topic}/{message.partition}/{message.offset}"
        facts = {
            "reason": str(poison.reason),
            "error": poison.error,
            "source": message.topic,
            "subscription": "",
            "connection": "",
            "received_ns": str(now.wall_ns),
        }
        if trace := trace_context(message.headers):
            facts |= trace.texts()
        self._dead.send(origin, facts, message.value or b"", now.wall_ns)
        ledger = self._parts.ledger
        ledger.dead_letters += 1
        ledger.tallies.dead_letters[message.topic, str(poison.reason)] += 1

    def _instruments(self) -> Mapping[str, Steps] | None:
        known = {
            name: steps
            for account in self._rules.policy.accounts
            for name, steps in (self._accounts[account].instruments or {}).items()
        }
        return known or None


def _unsent(entry: Entry) -> bool:
    return entry.result is not None and entry.result.outcome in NOT_SENT


def _raw(message: Message) -> RawCommand:
    headers = [
        (name, value.encode() if isinstance(value, str) else value)
        for name, value in message.headers or ()
    ]
    return RawCommand(
        message.topic,
        message.partition,
        message.offset,
        message.timestamp_ms,
        message.key,
        message.value,
        headers,
    )
