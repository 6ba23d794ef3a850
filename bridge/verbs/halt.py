"""`feedbridge halt`, `reduce`, `resume`: what an account may do, and emptying it.

The state is a record of the control topic, which every worker follows and which stays
when workers restart. `halt --cancel-all` then cancels everything, and looks at the
venue until nothing is left.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Mapping
from typing import Any

from bridge.app.destinations import login_of
from bridge.client.link import Place, Sender, Unconfirmed
from bridge.client.records import wire_header
from bridge.config import Settings, load
from bridge.core.codec import Codec
from bridge.core.envelopes import CONTROL, Control, control_writer
from bridge.core.orders import Trading
from bridge.core.routing import partition
from bridge.edge.admin import Admin
from bridge.edge.clock import wall_ns
from bridge.edge.registry import Registry
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError, ConfigError, KafkaError, Undelivered
from bridge.verbs.clearing import clear
from bridge.verbs.out import say, say_json
from bridge.verbs.sending import Target, client_of, target_of

TIMEOUT_S = 10.0
STATES = {
    "halt": Trading.HALTED,
    "reduce": Trading.REDUCING,
    "resume": Trading.ACTIVE,
}


def main(args: argparse.Namespace) -> int:
    """Write the state; with --cancel-all, 0 only if nothing is left."""
    settings = load(args.config, venues=False)
    state = STATES[args.verb]
    cancel_all = getattr(args, "cancel_all", False)
    halt_cancels = getattr(args, "halt_cancels", False)
    if cancel_all and halt_cancels:
        raise ConfigError(["--halt-cancels: would hold --cancel-all back; choose one"])
    control = Control(
        account=_known(settings, args.account),
        state=state,
        halt_cancels=halt_cancels,
        reason=args.reason or "",
        by=getpass.getuser(),
        at_ms=wall_ns() // 1_000_000,
    )
    return asyncio.run(_act(args, settings, control, cancel_all=cancel_all))


def _known(settings: Settings, account: str) -> str:
    """Return the account; a misspelt one would halt nobody."""
    names = set(settings.finery) | {
        name for part in settings.commands.values() for name in part.accounts
    }
    if names and account not in names:
        raise ConfigError([f"{account}: no such account; there are {sorted(names)}"])
    return account


async def _act(
    args: argparse.Namespace, settings: Settings, control: Control, *, cancel_all: bool
) -> int:
    # A mistake in the words must show before the halt, not instead of its outcome.
    target = target_of(settings, control.account, args.topic) if cancel_all else None
    place = await write(settings, control)
    facts: dict[str, Any] = {
        "account": control.account,
        "state": control.state.name,
        "haltCancels": control.halt_cancels,
        "partition": place.partition,
        "offset": place.offset,
    }
    # The halt stands from here on, and is told at once: a clearing may take minutes.
    if not args.json:
        say(f"{control.account} is {control.state.name}")
        sys.stdout.flush()
    if target is not None:
        facts["cleared"] = await _cleared(settings, target)
    _say_rest(args, facts)
    empty = target is None or facts["cleared"]["empty"]
    return 0 if empty else Undelivered.exit_code


async def _cleared(settings: Settings, target: Target) -> dict[str, Any]:
    """Return what `clear` found, or why it could not look."""
    try:
        async with client_of(settings, target) as client:
            return await clear(client)
    except BridgeError as error:
        return {"empty": False, "left": [], "steps": [str(error)]}


async def write(settings: Settings, control: Control) -> Place:
    """Put the account's state on the control topic; return where it lies.

    Raises:
        KafkaError: the topic is missing, or Kafka did not confirm the record.
        SchemaError: the schema is not in the registry.
    """
    options, topic = settings.kafka.properties(), settings.topics.control
    counts = await Admin(options).partition_counts([topic])
    if topic not in counts:
        raise KafkaError(f"no topic {topic}; run `feedbridge topics --apply`")
    value = await asyncio.to_thread(_value, settings, control)
    key = control.account.encode()
    sender = Sender(options, TIMEOUT_S)
    try:
        number = partition(key, counts[topic])
        return await sender.send(topic, number, key, value)
    except Unconfirmed as error:
        state = "is not" if error.sent == "no" else "may or may not be"
        raise KafkaError(
            f"{control.account} {state} {control.state.name}: {error}; give the"
            " command again"
        ) from error
    finally:
        await sender.close()


def _value(settings: Settings, control: Control) -> bytes:
    texts = bundled()
    codec, login = Codec(texts), login_of(settings)
    registry = Registry(login) if login else None
    header = wire_header(codec, texts, CONTROL, settings.topics.control, registry)
    return control_writer(codec, header)(control)


def _say_rest(args: argparse.Namespace, facts: Mapping[str, Any]) -> None:
    if args.json:
        say_json(facts)
        return
    for line in facts.get("cleared", {}).get("steps", ()):
        say(f"  {line}")
    if "cleared" in facts:
        empty = facts["cleared"]["empty"]
        say("nothing is left" if empty else "NOT empty, or not known to be: look there")
