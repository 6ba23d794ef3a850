"""`feedbridge status`: what runs where and since when; reads only Kafka, no worker."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping

from bridge.app import subscriptions
from bridge.config import Settings, load
from bridge.core.codec import Decoder
from bridge.core.model import Plan
from bridge.core.overview import (
    Crew,
    Key,
    Known,
    Overview,
    Row,
    Spot,
    Verdict,
    Wanted,
    headline,
    known_of,
    overview,
    wanted_of,
)
from bridge.edge.clock import wall_ns
from bridge.edge.compacted import read_compacted
from bridge.errors import ConfigError, Undelivered
from bridge.venues import VENUES
from bridge.verbs.out import printable, say, say_json, table
from bridge.verbs.records import decoder_of
from bridge.verbs.tails import look_back

HEADERS = ("subscription", "state", "reason", "since", "connected", "data", "")
CLEAR = "\x1b[2J\x1b[H"
# Each is shown up to how many s, in units of how many s.
UNITS = ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h"))


def main(args: argparse.Namespace) -> int:
    """Show the state once, or again and again; with --check, 6 if anything is wrong."""
    if args.check and args.watch:
        raise ConfigError(["--check: looks once; give it without --watch"])
    settings = load(args.config, venues=False)
    if args.watch:
        asyncio.run(_watch(args, settings))
    found = asyncio.run(_show(args, settings))
    return Undelivered.exit_code if args.check and found.wrong else 0


async def _watch(args: argparse.Namespace, settings: Settings) -> None:
    while True:
        await _show(args, settings, CLEAR if sys.stdout.isatty() else "")
        await asyncio.sleep(args.watch)


async def _show(
    args: argparse.Namespace, settings: Settings, before: str = ""
) -> Overview:
    found = await look(settings, args.window)
    sys.stdout.write(before)
    if args.json:
        say_json(found.as_dict())
    else:
        say(text(found, stale_only=args.stale_only))
    sys.stdout.flush()
    return found


async def look(settings: Settings, window_s: float) -> Overview:
    """Return the state of this moment.

    Raises:
        KafkaError: the topic of feed states is not there, or no broker answers.
        SchemaError: a feed state cannot be read.
    """
    options = settings.kafka.properties()
    now = await subscriptions.look(settings)
    plans = subscriptions.connections(settings, now)
    decoder = decoder_of(settings)
    states = await read_compacted(options, settings.topics.feed_state)
    known = await asyncio.to_thread(_known, states, decoder)
    now_ms = wall_ns() // 1_000_000
    wanted = wanted_at(plans, settings.books.refresh_seconds, now_ms)
    spots = _spots(known, wanted.silence_s.keys())
    tails = await look_back(options, spots, decoder, now_ms, window_s)
    return overview(wanted, known, tails, now_ms)


def wanted_at(plans: Iterable[Plan], refresh_s: float, now_ms: int) -> Wanted:
    """Return what is wanted, with the limits of silence of one moment."""
    now = [VENUES[plan.venue].as_of(plan, now_ms) for plan in plans]
    return wanted_of(now, refresh_s)


def _known(states: Mapping[bytes, bytes], decoder: Decoder) -> list[Known]:
    return [known_of(decoder.decode(value)) for value in states.values()]


def _spots(known: Iterable[Known], wanted: Iterable[Key]) -> dict[Spot, set[Key]]:
    """Return where to look for data, and of what: not of what is over for good."""
    asked = set(wanted)
    spots: dict[Spot, set[Key]] = defaultdict(set)
    for one in known:
        if one.state != "ENDED" or one.key in asked:
            spots[one.topic, one.partition].add(one.key)
    return spots


# -- for people


def text(found: Overview, *, stale_only: bool = False) -> str:
    """Return what is wrong, then each worker's subscriptions.

    Args:
        found: the state.
        stale_only: leave out the subscriptions that are live.
    """
    lines = [headline(found)]
    for crew in found.workers:
        rows = [r for r in crew.rows if not stale_only or r.verdict is not Verdict.LIVE]
        lines += ["", _summary(crew)]
        if rows:
            lines.append(table(HEADERS, [_cells(row) for row in rows]))
    return "\n".join(printable(line) for line in "\n".join(lines).split("\n"))


def _summary(crew: Crew) -> str:
    name = crew.worker or "no worker"
    oldest = _span(crew.oldest_data_s)
    return (
        f"{name}: {crew.subscriptions} subscriptions, {crew.live} live, "
        f"{crew.not_live} not" + (f", oldest data {oldest}" if oldest else "")
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.source}/{row.subscription}",
        row.state,
        row.reason,
        _span(row.since_s),
        _span(row.connected_s),
        _data(row),
        _remark(row),
    )


def _data(row: Row) -> str:
    if row.data_older_than_s is not None:
        return f"> {_span(row.data_older_than_s)}"
    return _span(row.data_age_s)


def _remark(row: Row) -> str:
    said = "" if row.verdict in {Verdict.LIVE, Verdict.NOT_LIVE} else str(row.verdict)
    spare = "" if row.wanted or row.companion else "not wanted"
    return f"{said} {spare}".strip()


def _span(seconds: float | None) -> str:
    """Write a span of time in about three digits."""
    if seconds is None:
        return ""
    for limit_s, unit_s, unit in UNITS:
        if seconds < limit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds / 86_400:.1f} d"
