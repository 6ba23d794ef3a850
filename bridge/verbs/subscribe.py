"""`feedbridge subscribe`, `unsubscribe`: what is wanted, changed while workers run.

A wish is a record of a compacted topic that every worker follows, so it stays when
workers restart. It is checked as the workers will do, beside all that settings and
topic hold, before anything is written.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.app.destinations import login_of
from bridge.app.subscriptions import Held, read_topic, reader_of, topics_now
from bridge.client.link import Place, Sender, Unconfirmed
from bridge.client.records import wire_header
from bridge.config import Settings, load
from bridge.config.desired import (
    Resolved,
    asked_for,
    options_from,
    options_text,
    resolve,
)
from bridge.config.environment import near
from bridge.core.codec import Codec
from bridge.core.envelopes import SUBSCRIPTION, Desired, DesiredState, desired_writer
from bridge.core.plain import is_broken
from bridge.core.routing import partition
from bridge.edge.admin import Admin
from bridge.edge.clock import wall_ns
from bridge.edge.registry import Registry
from bridge.edge.schemas import bundled
from bridge.errors import ConfigError, KafkaError
from bridge.verbs.out import say, say_json
from bridge.verbs.wanted import Line, lines, show

TIMEOUT_S = 10.0
LIST = "`feedbridge subscribe --list` shows what is wanted"


def main(args: argparse.Namespace) -> int:
    """Write a wish, or show what is wanted; 2 if it is refused, or a record is bad."""
    settings = load(args.config, venues=False)
    if getattr(args, "list", False):
        return asyncio.run(_list(args, settings))
    if not args.name:
        raise ConfigError(["SOURCE, NAME: give both, or --list"])
    return asyncio.run(_act(args, settings))


async def _list(args: argparse.Namespace, settings: Settings) -> int:
    if args.source:
        raise ConfigError(["--list: shows everything; give nothing beside it"])
    found = lines(settings, await _now(settings, await read_topic(settings)))
    show(found, as_json=args.json)
    return ConfigError.exit_code if any(line.problem for line in found) else 0


async def _act(args: argparse.Namespace, settings: Settings) -> int:
    held = await read_topic(settings)
    before = await _now(settings, held)
    wish = _wish(args, settings, before)
    key = f"{args.source}/{args.name}"
    value = await asyncio.to_thread(_value, settings, wish) if wish else None
    after = await _now(settings, _with(held, key, value))
    _refuse(key, before, after)
    place = await _write(settings, held, key, value)
    missing = await _missing(settings, after)
    line = next((x for x in lines(settings, after) if x.key == key), None)
    _say(_facts(settings, key, line, place, missing), as_json=args.json)
    return 0


async def _now(settings: Settings, held: Held) -> Resolved:
    """Return what is wanted while the topic holds this."""
    return await asyncio.to_thread(resolve, settings, held.values, reader_of(settings))


def _with(held: Held, key: str, value: bytes | None) -> Held:
    """Return what the topic will hold."""
    values = dict(held.values)
    values.pop(key.encode(), None)
    if value is not None:
        values[key.encode()] = value
    return held._replace(values=values)


# -- what is asked for


def _wish(
    args: argparse.Namespace, settings: Settings, now: Resolved
) -> Desired | None:
    """Return the record to write; None for one without value."""
    key = f"{args.source}/{args.name}"
    if is_broken(key):
        raise ConfigError(["SOURCE, NAME: are no text in UTF-8; write them anew"])
    if getattr(args, "reset", False):
        _is_resettable(args, now, key)
        return None
    if args.verb == "unsubscribe":
        _is_known(settings, now, key)
        return _desired(args, DesiredState.UNWANTED)
    return _desired(args, DesiredState.WANTED, _options(args, settings))


def _is_resettable(args: argparse.Namespace, now: Resolved, key: str) -> None:
    """Refuse a reset that would do nothing: its name may be misspelt."""
    if args.words or args.reason:
        raise ConfigError(["--reset: takes no options and no reason; drop them"])
    _among(key, [*now.records, *now.problems], "the topic has no record of it")


def _is_known(settings: Settings, now: Resolved, key: str) -> None:
    """Refuse a name that nobody has asked for: it may be misspelt."""
    file = [f"{s.name}/{one.name}" for s in settings.sources() for one in s.wanted]
    _among(key, [*file, *now.records, *now.problems], "nobody has asked for it")


def _among(key: str, known: Iterable[str], problem: str) -> None:
    keys = set(known)
    if key not in keys:
        hint = near(key, keys) or f"; {LIST}"
        raise ConfigError([f"{key}: {problem}{hint}"])


def _options(args: argparse.Namespace, settings: Settings) -> str:
    """Return the options as the record holds them, each checked by itself."""
    venues = {source.name: source.venue for source in settings.sources()}
    if args.source not in venues:
        there = f"there are: {', '.join(sorted(venues)) or 'none'}"
        raise ConfigError([f"{args.source}: no such source; {there}"])
    venue = venues[args.source]
    try:
        options = options_from(venue, args.words)
        return options_text(asked_for(venue, args.name, options))
    except ConfigError as error:
        problems = [f"{args.source}/{args.name}: {line}" for line in error.problems]
        raise ConfigError(problems) from None


def _desired(
    args: argparse.Namespace, state: DesiredState, options: str = ""
) -> Desired:
    return Desired(
        source=args.source,
        subscription=args.name,
        state=state,
        options=options,
        reason=args.reason or "",
        by=getpass.getuser(),
        at_ms=wall_ns() // 1_000_000,
    )


def _refuse(key: str, before: Resolved, after: Resolved) -> None:
    """Refuse a wish that would be left out, or have another one left out."""
    found = {k: text for k, text in after.problems.items() if k not in before.problems}
    if key in after.problems:
        found = {key: after.problems[key]}
    if found:
        raise ConfigError(list(found.values()))


# -- writing it


def _value(settings: Settings, wish: Desired) -> bytes:
    texts = bundled()
    codec, login = Codec(texts), login_of(settings)
    registry = Registry(login) if login else None
    topic = settings.topics.subscriptions
    header = wire_header(codec, texts, SUBSCRIPTION, topic, registry)
    return desired_writer(codec, header)(wish)


async def _write(
    settings: Settings, held: Held, key: str, value: bytes | None
) -> Place:
    topic, raw = settings.topics.subscriptions, key.encode()
    sender = Sender(settings.kafka.properties(), TIMEOUT_S)
    try:
        number = partition(raw, held.partitions)
        return await sender.send(topic, number, raw, value)
    except Unconfirmed as error:
        state = "is not" if error.sent == "no" else "may or may not be"
        raise KafkaError(
            f"the wish for {key} {state} on {topic}: {error}; give the command again"
        ) from error
    finally:
        await sender.close()


async def _missing(settings: Settings, after: Resolved) -> list[str]:
    """Return the topics that are needed from now on and not there."""
    names = [topic.name for topic in topics_now(settings, after)]
    there = await Admin(settings.kafka.properties()).partition_counts(names)
    return sorted(set(names) - there.keys())


# -- saying it


def _facts(
    settings: Settings, key: str, line: Line | None, place: Place, missing: list[str]
) -> dict[str, Any]:
    told = line or Line(key, wanted=False, rule="none", record=None, problem="")
    return {
        **told.facts(),
        "topic": settings.topics.subscriptions,
        "partition": place.partition,
        "offset": place.offset,
        "missing": missing,
    }


def _say(facts: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(facts)
        return
    wanted = "wanted" if facts["wanted"] else "not wanted"
    say(f"{facts['subscription']} is {wanted} (by rule: {facts['rule']})")
    say(f"  {facts['topic']}/{facts['partition']} at offset {facts['offset']}")
    if facts["missing"]:
        names = ", ".join(facts["missing"])
        say(f"  missing: {names}; `feedbridge topics --apply` creates what is missing")
