"""What is wanted now: the settings, and over them the records of the run-time topic.

A record is read as an entry of the settings' `subscriptions` would be, by the same
rules. See `bridge.venues.desired` for how the two become one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from bridge.config.environment import shape
from bridge.config.plans import plan_problems
from bridge.config.problems import salvage
from bridge.config.tree import Settings
from bridge.config.venues import (
    AskedFor,
    CfBenchmarksSubscription,
    FinerySubscription,
)
from bridge.core.envelopes import Desired, DesiredState, Reader
from bridge.core.model import Plan
from bridge.errors import ConfigError, SchemaError
from bridge.venues.base import Source
from bridge.venues.desired import Change, merged

SECTIONS: Mapping[str, type[AskedFor]] = {
    "finery": FinerySubscription,
    "cfbenchmarks": CfBenchmarksSubscription,
}
# These two stand in the name.
_NAMED = ("subscription", "label")
# What an option may be, so that nothing deeper is ever built; and for all of them
# together, a length at which the checks take no time.
_Plain = str | int | float | bool | None
_Options = dict[str, _Plain | list[_Plain]]
_MOST_CHARACTERS = 20_000


class Resolved(NamedTuple):
    """What is wanted now, the records that could be read, and what was left out.

    `records` and `problems` are by key, "<source>/<name>"; a problem is a sentence, and
    its record counts as if it were not there. `unread` are the keys of problems that
    may be none at another look: a registry may have a schema later, or was wrong.
    """

    sources: list[Source]
    records: dict[str, Desired]
    problems: dict[str, str]
    unread: frozenset[str]


def resolve(
    settings: Settings, values: Mapping[bytes, bytes], reader: Reader
) -> Resolved:
    """Return what settings and topic want together.

    Args:
        settings: what is set; valid.
        values: the newest value of each key of the topic.
        reader: reads them; may block, where it asks a registry.

    Raises:
        RegistryUnreachable: nothing can be said about the records; try again.
    """
    sources = settings.sources()
    venues = {source.name: source.venue for source in sources}
    records: dict[str, Desired] = {}
    changes: dict[str, Change] = {}
    problems: dict[str, str] = {}
    unread: set[str] = set()
    for raw, value in values.items():
        key = raw.decode("utf-8", "backslashreplace")
        try:
            records[key] = record = _record(key, value, reader)
            changes[key] = _change(venues.get(record.source), record)
        except ConfigError as error:
            problems[key] = f"{key}: {'; '.join(error.problems)}"
            if isinstance(error.__cause__, SchemaError):
                unread.add(key)
    now = merged(sources, changes, lambda plans: _plan_problems(settings, plans))
    left_out = problems | now.left_out
    return Resolved(now.sources, records, left_out, frozenset(unread))


def _record(key: str, value: bytes, reader: Reader) -> Desired:
    try:
        record = _typed(reader.desired(value))
    except (SchemaError, msgspec.ValidationError) as error:
        if isinstance(error, SchemaError) and error.retry:
            raise
        raise ConfigError([f"its record cannot be read: {error}"]) from error
    if record.key != key:
        raise ConfigError([f"its record is about {record.key}; write it anew"])
    return record


def _typed(record: Desired) -> Desired:
    """Check the fields: a schema of the same name may give them other types."""
    return msgspec.convert(msgspec.structs.asdict(record), Desired)


def _change(venue: str | None, record: Desired) -> Change:
    """Return what a record asks for; without a venue nothing can be read from it."""
    match record.state:
        case DesiredState.UNKNOWN:
            raise ConfigError(["its state is not known to this version; update it"])
        case DesiredState.WANTED if venue is not None:
            section = asked_for(venue, record.subscription, _options(record.options))
            return Change(section.wanted(), record.at_ms)
        case _:
            return Change(None, record.at_ms)


def _options(text: str) -> dict[str, Any]:
    if not text:
        return {}
    if len(text) > _MOST_CHARACTERS:
        most = f"give at most {_MOST_CHARACTERS}"
        raise ConfigError([f"options: {len(text)} characters were seen; {most}"])
    try:
        return msgspec.json.decode(text, type=_Options)
    except ValueError as error:
        told = "are no JSON object of plain values and lists of them"
        raise ConfigError([f"options: {told}: {error}"]) from error


def _plan_problems(settings: Settings, plans: Sequence[Plan]) -> list[str]:
    found = plan_problems(settings, [*plans, *settings.order_plans()])
    return [f"{path}: {sentence}" for path, sentence in found]


def asked_for(venue: str, name: str, options: Mapping[str, Any]) -> AskedFor:
    """Return a subscription as the settings would hold it.

    Args:
        venue: of the source.
        name: stream, feed id and label, as in `book.tradable:BTC-USD#label`.
        options: whatever else an entry of the settings may hold.

    Raises:
        ConfigError: lists what is wrong with name or options.
    """
    text, _, label = name.partition("#")
    named = [
        f"{word}: stands in the name; drop it" for word in _NAMED if word in options
    ]
    if named or not text:
        raise ConfigError(named or ["names no stream; write one, as book.tradable:X"])
    tree = {**options, "subscription": text, "label": label}
    section, problems = salvage(SECTIONS[venue], tree)
    if problems:
        raise ConfigError(problems)
    try:
        planned = section.wanted().name
    except (OverflowError, ValueError) as error:
        problem = f"stale_after_s: {section.stale_after_s} was seen; give seconds"
        raise ConfigError([problem]) from error
    if planned != name:
        raise ConfigError([f"is called {planned}; write that"])
    return section


def options_from(venue: str, words: Sequence[str]) -> dict[str, Any]:
    """Return options from words like `client_id=7` or `makers=1,2`; not yet checked.

    Raises:
        ConfigError: a word has another form, or a name stands there twice.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if not name or "=" not in word:
            raise ConfigError([f"{word!r}: write KEY=VALUE"])
        if name in found:
            raise ConfigError([f"{name}: stands there twice; keep one"])
        found[name] = _value(SECTIONS[venue], name, text)
    return found


def _value(section: type[AskedFor], name: str, text: str) -> str | list[str]:
    field = section.model_fields.get(name)
    if field is None or shape(field.annotation).kind != "list":
        return text
    return [word.strip() for word in text.strip("[] ").split(",") if word.strip()]


def options_text(section: AskedFor) -> str:
    """Return the options as a record holds them."""
    held = section.model_dump(mode="json", exclude=set(_NAMED), exclude_none=True)
    return json.dumps(held) if held else ""
