"""`feedbridge demo --orders`: about a thousand commands, and a judge for each response.

Embedded Kafka, the Finery simulator with its matching engine, a worker, and a sender
that uses `bridge.client` as any service would; all of it in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from bridge.app.worker import Worker
from bridge.client import Response
from bridge.client.records import Records
from bridge.config import Settings
from bridge.config.plans import wanted_topics
from bridge.edge.clock import mono_ns
from bridge.edge.consumer import read_range
from bridge.edge.logs import Log
from bridge.embedded import EmbeddedKafka
from bridge.errors import Undelivered
from bridge.simulators.finery import FineryOptions, FinerySimulator
from bridge.verbs.demo_judge import Sent, Venue, judge
from bridge.verbs.demo_mix import (
    INSTRUMENTS,
    LARGEST_E8,
    MAKER,
    TAKER,
)
from bridge.verbs.demo_sender import trade
from bridge.verbs.out import say, say_json, table
from bridge.verbs.sending import COMMANDS, RESPONSES

PARTITIONS = 3
SECONDS = 20.0
SHARE = 0.8  # of the time is for sending, the rest for the last answers
STOP_S = 15.0


def main(args: argparse.Namespace) -> int:
    """Send, judge, and say how it ended; 0 only if every response is true."""
    # librdkafka's remark that an option is for consumers only helps nobody here.
    logging.getLogger("feedbridge.librdkafka").setLevel(logging.CRITICAL)
    return asyncio.run(_demo(args))


async def _demo(args: argparse.Namespace) -> int:
    seconds = args.seconds if args.seconds is not None else SECONDS
    started_ns = mono_ns()
    options = FineryOptions(seed=args.seed, desk_rate=0, instruments=10)
    with EmbeddedKafka() as kafka:
        async with FinerySimulator(options) as venue:
            settings = settings_of(kafka.bootstrap, venue)
            _create_topics(kafka, settings)
            stop = asyncio.Event()
            worker = asyncio.create_task(
                Worker(settings, Log("error", "text")).run(stop), name="worker"
            )
            try:
                trading = trade(settings, args.commands, args.seed, seconds * SHARE)
                sent = await _unless_ended(trading, worker)
            finally:
                stop.set()
                await asyncio.wait([worker], timeout=STOP_S)
            verdict = judge(sent, await responses(settings), ledger_of(venue))
            await worker
    took = (mono_ns() - started_ns) / 1e9
    kinds = Counter(one.asked.kind for one in sent)
    facts = {"seconds": round(took, 1), "kinds": dict(sorted(kinds.items()))}
    return _conclude(args, facts | verdict)


async def _unless_ended(
    trading: Coroutine[Any, Any, list[Sent]], worker: asyncio.Task[int]
) -> list[Sent]:
    """Return what was sent; a worker that ends before that says why by its error."""
    sending = asyncio.create_task(trading, name="sender")
    try:
        await asyncio.wait([sending, worker], return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            worker.result()
        return await sending
    finally:
        sending.cancel()


def settings_of(bootstrap: str, venue: FinerySimulator) -> Settings:
    """Return the settings of the demo's worker: two accounts and a command topic."""
    logins = {name: venue.account(name) for name in (TAKER, MAKER)}
    return Settings.model_validate(
        {
            "worker": {"name": "demo"},
            "kafka": {
                "bootstrap_servers": bootstrap,
                # The embedded Kafka does not wake who waits for news.
                "options": {"fetch.wait.max.ms": "10"},
            },
            "topics": {"create": False, "partitions": PARTITIONS},
            "finery": {
                name: {
                    "url": venue.url,
                    "key": login.key,
                    "secret": login.secret,
                    "role": name,
                }
                for name, login in logins.items()
            },
            "commands": {
                COMMANDS: {
                    "responses": RESPONSES,
                    "accounts": [TAKER, MAKER],
                    "methods": ["read", "order", "mod", "delAll"],
                    "instruments": list(INSTRUMENTS),
                    "max_size_e8": LARGEST_E8,
                    "orders_per_second": 1000.0,
                }
            },
        }
    )


def _create_topics(kafka: EmbeddedKafka, settings: Settings) -> None:
    wanted = {topic.name: topic.partitions for topic in wanted_topics(settings)}
    for name in (COMMANDS, RESPONSES):
        wanted.setdefault(name, PARTITIONS)
    wanted.setdefault(settings.topics.control, 1)
    for name, partitions in wanted.items():
        kafka.create_topic(name, partitions)


def ledger_of(venue: FinerySimulator) -> Venue:
    """Return what the venue did for the demo's two accounts."""
    ids = {venue.account(name).id for name in (TAKER, MAKER)}
    requests, orders = (
        [entry for entry in venue.ledger.entries(kind) if entry["account"] in ids]
        for kind in ("request", "order")
    )
    return Venue(requests, orders)


async def responses(settings: Settings) -> list[Response]:
    """Return every response in the topic, read afresh from its beginning."""
    records = Records(COMMANDS, None)
    found = read_range(settings.kafka.properties(), [RESPONSES])
    return [records.response(message) async for message in found]


def _conclude(args: argparse.Namespace, facts: dict[str, Any]) -> int:
    good = not facts["problems"]
    if args.json:
        say_json({**facts, "true": good})
    else:
        say(table(("outcome", "commands"), list(facts["outcomes"].items())))
        say(table(("kind", "commands"), list(facts["kinds"].items())))
        for problem in facts["first_problems"]:
            say(f"problem: {problem}")
        verdict = "every response is true" if good else f"{facts['problems']} problems"
        say(f"{facts['commands']:,} commands in {facts['seconds']} s: {verdict}")
    return 0 if good else Undelivered.exit_code
