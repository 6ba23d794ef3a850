"""Runs every design in turn, interleaved, each run in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from bridge.bench.job import Job, Result
from bridge.bench.machine import cores, pinned
from bridge.errors import BridgeError

RUN_LIMIT_S = 600
STOP_LIMIT_S = 5
PACED_KIND = "mix"

Tell = Callable[[Result], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure: floods of each kind `rounds` times, each rate `paced` times."""

    designs: Sequence[str]
    kinds: Sequence[str]
    rates: Sequence[int]
    rounds: int
    paced: int
    seconds: float

    def jobs(self) -> Iterator[Job]:
        """Yield the runs in order: designs change fastest, rounds slowest."""
        for turn in range(max(self.rounds, self.paced)):
            cases = [(kind, 0) for kind in self.kinds if turn < self.rounds]
            cases += [(PACED_KIND, rate) for rate in self.rates if turn < self.paced]
            for kind, rate in cases:
                for design in self.designs:
                    yield Job(
                        design=design,
                        kind=kind,
                        rate=rate,
                        seconds=self.seconds,
                        turn=turn,
                    )


async def run(wanted: Wanted, tell: Tell) -> list[Result]:
    """Run all jobs; `tell` hears of each result.

    Raises:
        BridgeError: a process of the benchmark failed.
    """
    worker_core, other_core = cores()
    jobs, results = list(wanted.jobs()), []
    async with AsyncExitStack() as stack:
        stack.enter_context(pinned(other_core))
        broker = await stack.enter_async_context(_process("broker", other_core))
        urls = {}
        for kind in dict.fromkeys(job.kind for job in jobs):
            served = await stack.enter_async_context(
                _process("generator", kind, other_core)
            )
            urls[kind] = served["url"]
        for job in jobs:
            ready = replace(
                job, core=worker_core, url=urls[job.kind], bootstrap=broker["bootstrap"]
            )
            results.append(await _result(ready))
            tell(results[-1])
    return results


async def _result(job: Job) -> Result:
    async with _start("worker", msgspec.json.encode(job).decode()) as process:
        async with asyncio.timeout(RUN_LIMIT_S):
            out, error = await process.communicate()
    if process.returncode:
        last = (error.decode(errors="replace").strip() or "no word").splitlines()[-1]
        message = f"bench: {job.design} on {job.kind} ended with {process.returncode}"
        raise BridgeError(f"{message}: {last}")
    return msgspec.json.decode(out.splitlines()[-1], type=Result)


@asynccontextmanager
async def _process(module: str, *arguments: str | int | None) -> AsyncIterator[Any]:
    """Start a helper; yields what it says first, ends it by closing its stdin."""
    words = [a if isinstance(a, str) else json.dumps(a) for a in arguments]
    async with _start(module, *words) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        line = await process.stdout.readline()
        if not line:
            raise BridgeError(f"bench: {module} did not start")
        yield json.loads(line)


@asynccontextmanager
async def _start(module: str, *arguments: str) -> AsyncIterator[Process]:
    """Start a module; on the way out let it go, and kill it if it stays."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"bridge.bench.{module}", *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE if module == "worker" else None,
        start_new_session=True,  # Ctrl-C is ours; they end with their stdin
    )
    try:
        yield process
    finally:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
