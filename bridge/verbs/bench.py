"""`feedbridge bench`: what the path costs, beside a naive worker and the bare floor.

`feedbridge bench orders`: how long a command takes, beside two plain Kafka hops.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bridge.bench import order_figures, orders
from bridge.bench.figures import report
from bridge.bench.frames import KINDS
from bridge.bench.job import Result
from bridge.bench.machine import described
from bridge.bench.order_parts import ACCOUNT
from bridge.bench.runner import Wanted, run
from bridge.bench.tables import tables
from bridge.bench.worker import DESIGNS
from bridge.client import Client, NoFinalYet
from bridge.errors import ConfigError, Undelivered
from bridge.verbs.out import say, say_json, table

RATES = (1_000, 10_000, 20_000, 50_000)
ROUNDS, SECONDS = 5, 3.0
ORDERS, ORDER_RATES = 500, (50, 200)
QUICK_ORDERS, QUICK_ORDER_RATES = 50, (50,)
# What only one of the two takes.
ONLY = {
    "orders": {"--orders": "count", "--bootstrap": "bootstrap"},
    "feeds": {n: n[2:] for n in ("--rounds", "--seconds", "--designs", "--kinds")},
}
QUICK_ROUNDS, QUICK_SECONDS, QUICK_RATES = 1, 1.0, (10_000,)
NOTE = """\
Absolute figures are this machine's; the ratios are the claim. CPU figures are scaled
to the machine's fastest state seen in this run (it varied {spread} x). The broker is
librdkafka's mock cluster, which neither replicates nor writes to disk."""

ORDERS_NOTE = """\
Absolute figures are this machine's, and the broker's: {broker}. The ratios to the floor
of the same load are the claim. Venue and worker stand on the same machine."""


def main(args: argparse.Namespace) -> int:
    """Measure, and print tables or JSON; exit 6 if a run lost or doubled anything."""
    _refuse_what_belongs_elsewhere(args)
    return _orders(args) if args.what == "orders" else _feeds(args)


def _feeds(args: argparse.Namespace) -> int:
    results = asyncio.run(run(_wanted(args), _tell))
    made = report(results, described())
    if args.json:
        say_json(made)
    else:
        for title, headers, rows in tables(made):
            say(f"\n{title}\n{table(headers, rows)}")
        say("\n" + NOTE.format(spread=made["speed_spread"]))
    if not made["whole"]:
        raise Undelivered("bench: a run did not deliver exactly what was sent")
    return 0


def _orders(args: argparse.Namespace) -> int:
    made = asyncio.run(orders.run(_orders_wanted(args), _sender))
    if args.json:
        say_json(made)
    else:
        for title, headers, rows in order_figures.tables(made):
            say(f"\n{title}\n{table(headers, rows)}")
        say("\n" + ORDERS_NOTE.format(broker=made["broker"]))
    if not made["whole"]:
        raise Undelivered("bench: an order was not done, or had no final response")
    return 0


def _orders_wanted(args: argparse.Namespace) -> orders.Wanted:
    rates = QUICK_ORDER_RATES if args.quick else ORDER_RATES
    given = _listed("--rates", args.rates, [f"{r}" for r in rates], numbers=True)
    most = args.count or (QUICK_ORDERS if args.quick else ORDERS)
    return orders.Wanted(most, [int(rate) for rate in given], args.bootstrap)


@asynccontextmanager
async def _sender(
    options: Mapping[str, str], topics: orders.Topics
) -> AsyncIterator[orders.Asker]:
    """Open a client as any service would."""
    async with Client(
        options, account=ACCOUNT, topic=topics.commands, responses=topics.responses
    ) as client:

        async def ask(
            method: str, content: Mapping[str, Any], req_id: str, seconds: float
        ) -> str:
            pending = await client.submit(method, content, req_id=req_id)
            try:
                outcome = (await pending.final(seconds)).outcome
            except NoFinalYet:
                outcome = None
            return "NONE" if outcome is None else outcome.name

        yield ask


def _refuse_what_belongs_elsewhere(args: argparse.Namespace) -> None:
    problems = [
        f"{name}: only `bench {what}` takes it"
        for what, names in ONLY.items()
        for name, field in names.items()
        if what != args.what and getattr(args, field) is not None
    ]
    if problems:
        raise ConfigError(problems)


def _wanted(args: argparse.Namespace) -> Wanted:
    quick = args.quick
    rounds = args.rounds or (QUICK_ROUNDS if quick else ROUNDS)
    rates = _listed("--rates", args.rates, [f"{r}" for r in RATES], numbers=True)
    return Wanted(
        designs=_listed("--designs", args.designs, list(DESIGNS)),
        kinds=_listed("--kinds", args.kinds, ["mix"] if quick else list(KINDS)),
        rates=QUICK_RATES if quick and args.rates is None else [int(r) for r in rates],
        rounds=rounds,
        paced=(rounds + 1) // 2,
        seconds=args.seconds or (QUICK_SECONDS if quick else SECONDS),
    )


def _listed(
    name: str, text: str | None, known: list[str], *, numbers: bool = False
) -> list[str]:
    """Return what a comma-separated argument names; an empty one names nothing."""
    if text is None:
        return known
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        good = word.isdecimal() and int(word) > 0 if numbers else word in known
        if not good:
            hint = "whole numbers above 0" if numbers else f"any of {', '.join(known)}"
            raise ConfigError([f"{name}: {word!r} was seen; give {hint}"])
    return words


def _tell(result: Result) -> None:
    """Show on stderr that something goes on."""
    job = result.job
    load = f"{job.rate:,}/s" if job.rate else "flood"
    cost = result.cpu_s * 1e6 / max(1, result.delivered)
    words = f"{job.turn + 1}: {job.design}, {job.kind}, {load}: {cost:.2f} us raw"
    told = "" if result.whole else f" INCOMPLETE: {result.delivered} of {result.asked}"
    sys.stderr.write(f"{words}{told}\n")
