"""What the verbs that send commands share: whom to ask, how to show what came."""

from __future__ import annotations

from typing import Any, NamedTuple

from bridge.app.destinations import login_of
from bridge.client import Client, Outcome, Response
from bridge.config import Settings
from bridge.core.orders import Phase
from bridge.errors import ConfigError
from bridge.verbs.out import say, say_json

COMMANDS, RESPONSES = "finery.commands", "finery.responses"

# Exit codes of `send`, beside those that every verb has.
EXIT_CODES = {
    Outcome.DONE: 0,
    Outcome.REJECTED: 10,
    Outcome.REFUSED: 11,
    Outcome.EXPIRED: 12,
    Outcome.NO_TRACE: 13,
    Outcome.UNRESOLVED: 14,
    Outcome.UNKNOWN: 14,
}
NO_FINAL = 15
CORRECTED = 16


class Target(NamedTuple):
    """Whom to ask, and through which topics."""

    account: str
    topic: str
    responses: str


def target_of(
    settings: Settings, account: str | None, topic: str | None = None
) -> Target:
    """Return the account and its topics; what is not given must follow.

    Raises:
        ConfigError: it does not.
    """
    served = [
        Target(name, at, part.responses)
        for at, part in settings.commands.items()
        for name in part.accounts
        if account in {None, name} and topic in {None, at}
    ]
    if len(served) == 1:
        return served[0]
    if not settings.commands and account:
        return Target(account, topic or COMMANDS, RESPONSES)
    if not settings.commands:
        raise ConfigError(["--account: the settings name no command topic; give it"])
    if not served:
        name = account or topic
        raise ConfigError([f"--account, --topic: no command topic serves {name}"])
    names = ", ".join(f"{found.account} on {found.topic}" for found in served)
    raise ConfigError([f"--account, --topic: choose one of {names}"])


def client_of(settings: Settings, target: Target) -> Client:
    """Return a client of the settings' Kafka and registry."""
    return Client(
        settings.kafka.properties(),
        account=target.account,
        topic=target.topic,
        responses=target.responses,
        registry=login_of(settings),
    )


def facts_of(response: Response) -> dict[str, Any]:
    """Return a response JSON-ready, by the names of the schema."""
    r = response
    error = r.venue_error
    return {
        "reqId": r.req_id,
        "account": r.account,
        "method": r.method,
        "phase": r.phase.name,
        "outcome": r.outcome.name if r.outcome is not None else None,
        "code": r.code,
        "text": r.text,
        "retriable": r.retriable,
        "venueError": error._asdict() if error else None,
        "result": r.result,
        "evidence": r.evidence.name if r.evidence is not None else None,
        "repeatOf": r.repeat_of,
        "clientOrderId": r.client_order_id,
        "worker": r.worker,
        "connection": r.connection,
        "times": r.times._asdict(),
        "partition": r.partition,
        "offset": r.offset,
        "commandOffset": r.command_offset,
        "traceparent": r.trace.parent if r.trace else None,
    }


def show(response: Response, *, as_json: bool) -> None:
    """Write one response: a JSON line, or some lines for people."""
    if as_json:
        say_json(facts_of(response))
    else:
        say(_line(response))


def _line(response: Response) -> str:
    if response.phase in {Phase.CLAIMED, Phase.DOUBT}:
        return f"{response.phase.name} by {response.worker}"
    outcome = response.outcome.name if response.outcome is not None else "?"
    evidence = response.evidence.name if response.evidence is not None else "?"
    parts = [f"{outcome} {response.code} ({evidence}): {response.text}"]
    if response.venue_error:
        error = response.venue_error
        parts.append(f"  venue error {error.number} {error.name} {error.meaning}")
    if response.client_order_id:
        parts.append(f"  clientOrderId {response.client_order_id}")
    if response.repeat_of is not None:
        parts.append(f"  a repeat of the command at offset {response.repeat_of}")
    if response.result is not None:
        parts.append(f"  {response.result_text or response.result}")
    return "\n".join(part.rstrip() for part in parts)
