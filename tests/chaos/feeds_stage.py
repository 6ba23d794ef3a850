"""Several workers that share 300 subscriptions of two simulated venues."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, NamedTuple

from tests.chaos.feeds_board import Board
from tests.chaos.feeds_log import feed_topics
from tests.chaos.feeds_settings import (
    INSTRUMENTS,
    SPARE,
    settings,
    subscriptions,
    variables,
)
from tests.chaos.orders_stage import Member, now_ms
from tests.support.kafka import RealKafka
from tests.support.link import Link
from tests.support.processes import Feedbridge, Venue, ask, settings_file, venue
from tests.support.running import wait_until

WORKERS = ("worker-0", "worker-1", "worker-2")
WORKER, KAFKA = "FEEDBRIDGE_WORKER__", "FEEDBRIDGE_KAFKA__"
LIVE_S = 90.0
SETTLE_S = 3.0  # the feed states may be in Kafka before the records that they tell of


class Stage(NamedTuple):
    """Everything that faults are made to; the last worker goes through the link."""

    folder: Path
    broker: RealKafka
    finery: Venue
    rates: Venue
    members: list[Member]
    board: Board
    link: Link
    variables: Mapping[str, str]
    wanted: Sequence[str]
    started_ms: int

    def wait_live(self, keys: Sequence[str], limit: float = LIVE_S) -> None:
        """Wait until all of these are LIVE, by the feed states."""
        try:
            wait_until(lambda: not self.board.missing(keys), "all LIVE", limit)
        except AssertionError as error:
            states = self.board.states()
            told = [(k, states.get(k)) for k in self.board.missing(keys)[:5]]
            raise AssertionError(f"{error}; missing: {told}") from error

    def wait_shared(self, keys: Sequence[str], limit: float = LIVE_S) -> None:
        """Wait until all are LIVE, and every worker runs some of them."""
        self.wait_live(keys, limit)
        names = {member.name for member in self.members}
        everyone = lambda: set(self.board.shares(keys)) >= names  # noqa: E731
        try:
            wait_until(everyone, "everyone has a share", limit)
        except AssertionError as error:
            message = f"{error}; shares: {dict(self.board.shares(keys))}"
            raise AssertionError(f"{message}\n{self.last_words()}") from error
        self.wait_live(keys, limit)

    def last_words(self, lines: int = 30) -> str:
        """Return what each worker logged last."""
        told = {m.name: m.process.errors()[-lines:] for m in self.members}
        return "\n".join(f"{name} {line}" for name in told for line in told[name])

    def say(self, verb: str, source: str, name: str) -> None:
        """Say what is wanted from now on, as an operator does."""
        process = Feedbridge(self.folder, (verb, source, name), self.variables)
        code = process.process.wait(60)
        assert code == 0, process.errors()[-5:]

    def stop(self) -> list[str]:
        """Stop all workers in order; return what went wrong with any of them."""
        for member in self.members:
            member.end(SIGTERM)
        return [text for member in self.members for text in member.ended]

    def verify(self, *more: str) -> tuple[int, Any]:
        """Return exit code and findings of `feedbridge verify` for all topics."""
        topics = [*feed_topics(self.broker.bootstrap), *more]
        return ask(self.folder, "verify", *topics, "--json", variables=self.variables)


@contextmanager
def staged(
    folder: Path,
    broker: RealKafka,
    link: Link,
    seed: int,
    changes: Mapping[str, Any] | None = None,
) -> Iterator[Stage]:
    """Start venues and workers, and wait until all is shared and LIVE.

    `changes` are further sections of the settings. The link is closed in the end.
    """
    with ExitStack() as stack:
        stack.callback(link.close)
        link.lead(broker.ports["PROXIED"])
        finery, rates = _venues(stack, folder, seed)
        tree = settings(broker, finery, rates) | dict(changes or {})
        told = variables(folder, rates, str(settings_file(folder, tree)))
        code, said = ask(folder, "topics", "--apply", "--json", variables=told)
        assert code == 0, said
        board = Board(broker.bootstrap)
        stack.callback(board.close)
        ways = {WORKERS[-1]: f"127.0.0.1:{link.port}"}

        def start(name: str) -> Feedbridge:
            way = ways.get(name, broker.bootstrap)
            mine = {f"{KAFKA}BOOTSTRAP_SERVERS": way, f"{WORKER}NAME": name}
            process = Feedbridge(folder, ("run",), {**told, **mine})
            stack.callback(_end, process)
            return process

        stage = Stage(
            folder=folder,
            broker=broker,
            finery=finery,
            rates=rates,
            board=board,
            link=link,
            variables=told,
            wanted=[f"{s}/{n}" for s, names in subscriptions().items() for n in names],
            started_ms=now_ms(),
            members=[Member(name, start) for name in WORKERS],
        )
        stage.wait_shared(stage.wanted)
        watch(SETTLE_S, stage.members)
        yield stage


def _end(process: Feedbridge) -> None:
    with suppress(ProcessLookupError):
        process.stop(SIGKILL)


def _venues(stack: ExitStack, folder: Path, seed: int) -> tuple[Venue, Venue]:
    number = str(INSTRUMENTS + SPARE)
    quiet = ("--instruments", number, "--rate", "0.7", "--seed", str(seed))
    finery = stack.enter_context(venue(folder, "finery", *quiet))
    rates = stack.enter_context(venue(folder, "cfbenchmarks", "--seed", str(seed)))
    return finery, rates


def watch(seconds: float, members: Sequence[Member]) -> None:
    """Let time pass, and see that nobody ends by itself."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for member in members:
            member.check()
        time.sleep(0.2)
