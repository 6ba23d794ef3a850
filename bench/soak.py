"""Runs workers under moderate load for long and judges whether anything grows.

    python -m bench.soak [--minutes 30] [--out docs/soak.svg] [--json]

Real Kafka, both simulators, and workers that sample themselves: resident memory, open
files, threads, asyncio tasks, records waiting in librdkafka, objects the collector
watches. Thirty times a run something happens: all connections of one venue are cut, or
a further book is subscribed to or let go. `bench.flatness` judges each series by its
rule; the exit code is 1 if one is not flat.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from bench.flatness import LONG_S, RULES, Finding, judged, series
from bench.plot import Panel, svg
from bench.stage import (
    RATES,
    SOURCE,
    Tree,
    books,
    finery_login,
    folder,
    group,
    merged,
    rates_login,
    real_kafka,
)
from bridge.errors import BridgeError
from tests.support.kafka import RealKafka
from tests.support.processes import Venue, ask, settings_file, venue

ROOT = Path(__file__).parents[1]
BOOKS, RATE, PARTITIONS = 20, 10, 4
INDICES = ("BRTI", "ETHUSD_RTI")
EVENTS, SAMPLES = 30, 600  # in one run, at most
LEAST_PAUSE_S = 10.0
LEAST_EVERY_S = 0.5
START_S, STOP_S = 60.0, 60.0

Act = Callable[[], object]
Row = Mapping[str, Any]


class Inside:
    """One worker that writes samples of itself."""

    def __init__(
        self, where: Path, name: str, every_s: float, variables: Mapping[str, str]
    ) -> None:
        """Start it."""
        self.name = name
        self.samples = where / f"{name}.samples"
        self._err = where / f"{name}.err"
        mine = {**os.environ, **variables, "FEEDBRIDGE_WORKER__NAME": name}
        words = ("-m", "bench.soak_inside", str(self.samples), f"{every_s}")
        with self._err.open("wb") as err:
            self.process = subprocess.Popen(  # noqa: S603 - arguments of our own
                [sys.executable, *words], env=mine, stderr=err, cwd=ROOT
            )

    def rows(self) -> list[Row]:
        """Return what it has sampled."""
        if not self.samples.exists():
            return []
        lines = self.samples.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def check(self) -> None:
        """Raise BridgeError if it has ended."""
        if (code := self.process.poll()) is not None:
            raise BridgeError(f"{self.name} ended with {code}: {self._last()}")

    def stop(self) -> None:
        """End it in order; raises BridgeError if it left something behind."""
        self.check()
        self.process.send_signal(signal.SIGTERM)
        if code := self.process.wait(STOP_S):
            raise BridgeError(f"{self.name} ended with {code}: {self._last()}")

    def close(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_S)

    def _last(self) -> str:
        return " | ".join(self._err.read_text().splitlines()[-3:])


class Stage(NamedTuple):
    """Workers and all around them."""

    workers: Sequence[Inside]
    acts: Sequence[Act]


@contextmanager
def staged(args: argparse.Namespace, where: Path, every_s: float) -> Iterator[Stage]:
    """Start everything, and wait until each worker samples itself."""
    options = ("--instruments", f"{BOOKS}", "--rate", f"{RATE}")
    with ExitStack() as stack:
        broker = stack.enter_context(real_kafka(where))
        finery = stack.enter_context(venue(where, "finery", *options))
        rates = stack.enter_context(
            venue(where, "cfbenchmarks", "--indices", ",".join(INDICES))
        )
        *wanted, more = books(finery)
        tree = merged(_settings(broker, finery, rates, wanted), _sharing(args.workers))
        config = str(settings_file(where, tree))
        variables = {
            "FEEDBRIDGE_CONFIG": config,
            **finery_login(finery),
            **rates_login(rates),
        }
        workers = []
        for number in range(args.workers):
            made = Inside(where, f"worker-{number}", every_s, variables)
            stack.callback(made.close)
            workers.append(made)
        yield Stage(workers, _acts(where, finery, rates, more, variables))


def _sharing(workers: int) -> Tree:
    return group("soak", "classic", PARTITIONS) if workers > 1 else {}


def _settings(
    broker: RealKafka, finery: Venue, rates: Venue, wanted: Sequence[str]
) -> Tree:
    values = [f"value:{name}" for name in INDICES]
    finery_part = {
        "url": finery.facts["url"],
        "subscriptions": [*wanted, "positions", "instruments"],
    }
    return {
        "kafka": {"bootstrap_servers": broker.bootstrap},
        "log": {"level": "warning"},
        "finery": {SOURCE: finery_part},
        "cfbenchmarks": {RATES: {"url": rates.facts["url"], "subscriptions": values}},
    }


def _acts(
    where: Path, finery: Venue, rates: Venue, more: str, variables: Mapping[str, str]
) -> list[Act]:
    """Return what happens now and then, in turn.

    The further book is there for a quarter of the time, so it moves no median.
    """

    def wish(verb: str) -> None:
        words = (verb, SOURCE, more, "--json")
        code, said = ask(where, *words, variables=variables)
        if code:
            raise BridgeError(f"{' '.join(words)} ended with {code}: {said}")

    return [
        lambda: finery.do("kill"),
        lambda: rates.do("reset"),
        lambda: wish("subscribe"),
        lambda: wish("unsubscribe"),
    ]


def soak(stage: Stage, seconds: float) -> dict[str, list[Row]]:
    """Let time pass, with something happening now and then; return the samples."""
    _until_sampled(stage.workers)
    start, acts = time.monotonic(), cycle(stage.acts)
    due = pause_s = max(LEAST_PAUSE_S, seconds / EVENTS)
    while (past := time.monotonic() - start) < seconds:
        for worker in stage.workers:
            worker.check()
        if past >= due and past < seconds - pause_s:
            next(acts)()
            due += pause_s
        time.sleep(min(1.0, pause_s / 4))
    found = {worker.name: worker.rows() for worker in stage.workers}
    for worker in stage.workers:
        worker.stop()
    return found


def _until_sampled(workers: Sequence[Inside]) -> None:
    end = time.monotonic() + START_S
    while not all(worker.rows() for worker in workers):
        for worker in workers:
            worker.check()
        if time.monotonic() > end:
            raise BridgeError("a worker did not start working")
        time.sleep(0.2)


def report(found: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Judge every series of every worker; JSON-ready."""
    findings = {
        worker: [judged(name, series(rows, name)) for name in RULES]
        for worker, rows in found.items()
    }
    return {
        "flat": all(f.flat for each in findings.values() for f in each),
        "samples": {worker: len(rows) for worker, rows in found.items()},
        "acknowledged": {
            worker: rows[-1]["acked"] - rows[0]["acked"]
            for worker, rows in found.items()
        },
        "failed": {worker: rows[-1]["failed"] for worker, rows in found.items()},
        "series": {
            worker: {f.name: _rounded(f) for f in each}
            for worker, each in findings.items()
        },
    }


def _rounded(finding: Finding) -> dict[str, Any]:
    numbers = {
        name: round(value, 2)
        for name, value in finding._asdict().items()
        if isinstance(value, float | int) and not isinstance(value, bool)
    }
    return {**numbers, "flat": finding.flat, "rule": RULES[finding.name].words}


def drawn(found: Mapping[str, Sequence[Row]], said: Mapping[str, Any]) -> str:
    """Return the plot of all series."""
    first = min(rows[0]["at_s"] for rows in found.values())
    last = max(rows[-1]["at_s"] for rows in found.values())
    panels = [
        Panel(
            f"{rule.text}{', ' * bool(rule.unit)}{rule.unit}",
            "flat" if _all_flat(said, name) else "NOT FLAT",
            {
                worker: [((at - first) / 60, value) for at, value in series(rows, name)]
                for worker, rows in found.items()
            },
        )
        for name, rule in RULES.items()
    ]
    records = sum(said["acknowledged"].values())
    minutes = (last - first) / 60
    note = f"{records:,} records in {minutes:.0f} minutes, with reconnects now and then"
    return svg("What a worker holds over time", note, panels)


def _all_flat(said: Mapping[str, Any], name: str) -> bool:
    return all(each[name]["flat"] for each in said["series"].values())


def table(said: Mapping[str, Any]) -> str:
    """Return the judgement as a Markdown table."""
    lines = [
        "| worker | series | second sixth | last sixth | slope an hour | rule | flat |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for worker, each in said["series"].items():
        for name, one in each.items():
            cells = (one["early"], one["late"], one["slope"], one["rule"])
            words = " | ".join(map(str, cells))
            flat = "yes" if one["flat"] else "**no**"
            lines.append(f"| {worker} | {RULES[name].text} | {words} | {flat} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    """Soak, draw, judge."""
    parser = argparse.ArgumentParser(description="does a worker grow?")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2, help="more than 1: a group")
    parser.add_argument("--out", type=Path, help="where to write the plot, as SVG")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    seconds = args.minutes * 60
    every_s = max(LEAST_EVERY_S, seconds / SAMPLES)
    with folder() as where, staged(args, where, every_s) as stage:
        found = soak(stage, seconds)
    said = report(found)
    if args.out:
        args.out.write_text(drawn(found, said))
    print(json.dumps(said, indent=1) if args.json else table(said))
    if seconds < LONG_S:
        print("too short to judge a slope an hour", file=sys.stderr)
    return 0 if said["flat"] else 1


if __name__ == "__main__":
    sys.exit(main())
