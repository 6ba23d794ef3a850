"""`feedbridge schemas`: the schemas of the topics that the settings need."""

from __future__ import annotations

import argparse
import asyncio
import sys

from bridge.app.destinations import FEED_STATE_SCHEMA, login_of, schemas_by_topic
from bridge.config import Settings, load
from bridge.errors import ConfigError
from bridge.venues import VENUES
from bridge.verbs import schemas


def main(args: argparse.Namespace) -> int:
    """Carry out `list`, `check` or `register`."""
    settings = load(args.config, venues=False)
    topics = topics_of(settings)
    if args.what == "list":
        return schemas.list_schemas(topics, sys.stdout, as_json=args.json)
    login = login_of(settings)
    if args.what == "check":
        check = schemas.check(topics, login, sys.stdout, as_json=args.json)
        return asyncio.run(check)
    if login is None:
        raise ConfigError(["registry.url: is missing; set it to register schemas"])
    register = schemas.register(topics, login, sys.stdout, as_json=args.json)
    return asyncio.run(register)


def topics_of(settings: Settings) -> list[tuple[str, str]]:
    """Return each topic with its schema; without accounts, those of every stream."""
    if settings.accounts():
        return sorted(schemas_by_topic(settings).items())
    streams = {
        f"{venue.name}.{stream.name}": stream.schema
        for venue in VENUES.values()
        for stream in venue.streams.values()
        if stream.schema  # one that only feeds others has no topic
    }
    own = {settings.topics.feed_state: FEED_STATE_SCHEMA}
    return sorted((streams | own).items())
