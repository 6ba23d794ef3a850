"""The spans of a command: their names and kinds, and what is said in them.

Names that begin with `messaging.` are OpenTelemetry's semantic conventions for
messaging (read at version 1.45 of its Python packages).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from bridge.core.orders import Command, Entry, Evidence, Outcome, Refused

Facts = Mapping[str, str | int | bool]


class Span(NamedTuple):
    """A span's name, and its kind by the name of OpenTelemetry's `SpanKind`."""

    name: str
    kind: str


class Step(Enum):
    """What takes time on a command's way; all are children of `COMMAND`."""

    COMMAND = Span("feedbridge.command", "CONSUMER")
    CLAIM = Span("feedbridge.claim", "INTERNAL")
    LANE = Span("feedbridge.lane", "INTERNAL")
    REQUEST = Span("feedbridge.request", "CLIENT")
    LOOKUP = Span("feedbridge.lookup", "CLIENT")
    RESPONSE = Span("feedbridge.response", "PRODUCER")


# Whether the status of a command's span is an error, by how the command ended.
FAILED: Mapping[Outcome, bool] = {
    Outcome.DONE: False,
    Outcome.REJECTED: True,
    Outcome.REFUSED: True,
    Outcome.EXPIRED: True,
    Outcome.NO_TRACE: True,
    Outcome.UNRESOLVED: True,
    Outcome.UNKNOWN: True,
}

IN_DOUBT = "no clear answer"
NOT_SENT = "not sent"
NOT_ASKED = "the venue could not be asked"


def command_facts(said: Command | Refused, claimed_by: str) -> Facts:
    """Return what a command's span says from its start on.

    `claimed_by` is the worker whose claim was in the log before; empty for none.
    """
    facts = {
        **_place("process", said.key.topic, said.partition),
        "messaging.kafka.offset": said.offset,
        "feedbridge.method": said.method,
        "feedbridge.account": said.key.account,
        "feedbridge.req_id": said.key.req_id,
    }
    return facts | ({"feedbridge.taken_over_from": claimed_by} if claimed_by else {})


def response_facts(topic: str, partition: int) -> Facts:
    """Return what the span of a final response says."""
    return _place("send", topic, partition)


def final_facts(entry: Entry) -> Facts:
    """Return what a final record adds to its command's span."""
    facts: dict[str, str | int | bool] = {"feedbridge.answered_by": entry.worker}
    if entry.repeat_of is not None:
        facts["feedbridge.repeat_of"] = entry.repeat_of
    if (said := entry.result) is not None:
        facts["feedbridge.outcome"] = said.outcome.name
        facts["feedbridge.code"] = said.code
        facts["feedbridge.evidence"] = said.evidence.name
        facts["feedbridge.reconciled"] = said.evidence is Evidence.RECONCILED
    return facts


def failure(entry: Entry) -> str:
    """Return the description of an error status; empty for a command that was done."""
    if entry.result is None:
        return Outcome.UNRESOLVED.name
    outcome, code = entry.result.outcome, entry.result.code
    return f"{outcome.name} {code}" if FAILED[outcome] else ""


def _place(operation: str, topic: str, partition: int) -> Facts:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
    }
