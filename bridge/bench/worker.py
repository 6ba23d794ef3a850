"""One run: one design, one kind of frames, one rate, in a process of its own.

Started as `python -m bridge.bench.worker JOB`; the last line of stdout is the result.
The generator is asked for an exact number of frames, so every run proves that what was
sent was received and delivered.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from time import process_time
from typing import Any, cast

import msgspec

from bridge.bench.job import Job, Result
from bridge.bench.machine import calibrate, memory_kb, pin
from bridge.bench.stdio import say
from bridge.bench.target import Design, Target
from bridge.bench.watch import SECOND_NS, Pauses, Watch
from bridge.edge.clock import mono_ns

# Imported only when asked for, so that each design's memory is its own.
DESIGNS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "naive": ("bridge.bench.naive", "Naive", ()),
    "floor": ("bridge.bench.floor", "Floor", ()),
    "feedbridge": ("bridge.bench.path", "Path", ("auto",)),
    "feedbridge-websockets": ("bridge.bench.path", "Path", ("websockets",)),
}
PULSE_S = 0.02
FIRST_FRAMES = 3  # status and two snapshots
WARM_COUNT = 2000
WARM_S = 0.3
LEAD_NS = 50_000_000
QUIET_PULSES = 5
START_LIMIT_S = 30.0
FLOOD_LIMIT_S = 60.0
PATIENCE = 10  # a paced run may take so many times what it should


class Asked:
    """What one ask brought: counts, wall and CPU time."""

    def __init__(self, design: Design) -> None:
        """Note where the counts stand."""
        self._design = design
        self._received, self._delivered = design.received, design.delivered
        self._start_ns, self._start_cpu_s = mono_ns(), process_time()

    def done(self, count: int) -> bool:
        """Tell whether `count` records are delivered, or something failed."""
        return self.delivered >= count or self._design.failed > 0

    @property
    def received(self) -> int:
        """Return how many frames came."""
        return self._design.received - self._received

    @property
    def delivered(self) -> int:
        """Return how many records were delivered."""
        return self._design.delivered - self._delivered

    @property
    def wall_s(self) -> float:
        """Return the time since the ask."""
        return (mono_ns() - self._start_ns) / SECOND_NS

    @property
    def cpu_s(self) -> float:
        """Return the CPU time since the ask, librdkafka's threads included."""
        return process_time() - self._start_cpu_s


async def ask(design: Design, count: int, rate: int, watch: Watch | None) -> Asked:
    """Ask for frames and wait until they are delivered."""
    at_ns = mono_ns() + LEAD_NS
    if watch is not None and rate:
        watch.begin(at_ns, rate, design.delivered)
    asked = Asked(design)
    wanted = {"count": count, "rate": rate, "at": at_ns}
    await design.ask(json.dumps({"bench": wanted}))
    limit_s = START_LIMIT_S + (PATIENCE * count / rate if rate else FLOOD_LIMIT_S)
    await _until(design, lambda: asked.done(count), limit_s)
    return asked


async def _until(design: Design, done: Callable[[], bool], limit_s: float) -> None:
    """Pulse until `done`; give up after `limit_s`, for the counts will tell."""
    end_ns = mono_ns() + int(limit_s * SECOND_NS)
    while not done() and mono_ns() < end_ns:
        await asyncio.sleep(PULSE_S)
        design.pulse()


async def _quiet(design: Design) -> None:
    """Wait for the first snapshots, and until nothing more is delivered."""
    await _until(design, lambda: design.received >= FIRST_FRAMES, START_LIMIT_S)
    before = -1
    while design.delivered != before:
        before = design.delivered
        for _ in range(QUIET_PULSES):
            await asyncio.sleep(PULSE_S)
            design.pulse()


async def measure(job: Job) -> Result:
    """Open the design, warm it up, and measure one ask."""
    watch = Watch() if job.rate else None
    design = made(job, watch)
    imported = memory_kb()["now"]
    await design.open()
    await _quiet(design)
    idle = memory_kb()["now"]
    count = await _warmed(design, job)
    design.settle()
    before, pauses = calibrate(), Pauses()
    asked = await ask(design, count, job.rate, watch)
    wall_s, cpu_s = asked.wall_s, asked.cpu_s
    pauses.stop()
    memory = memory_kb()
    result = Result(
        job=job,
        asked=count,
        received=asked.received,
        delivered=asked.delivered,
        failed=design.failed,
        wall_s=wall_s,
        cpu_s=cpu_s,
        calibration_s=(before + calibrate()) / 2,
        gc_pauses=pauses.count,
        gc_longest_ms=round(pauses.longest_ms, 3),
        memory_kb={
            "imports": imported,
            "idle": idle,
            "running": memory["now"],
            "peak": memory["peak"],
        },
        latency=watch.summary() if watch else {},
    )
    await design.close()
    return result


async def _warmed(design: Design, job: Job) -> int:
    """Warm up; return how many frames fill the run's seconds."""
    if job.rate:
        await ask(design, max(1, int(job.rate * WARM_S)), job.rate, None)
        return max(1, int(job.rate * job.seconds))
    speed = await _speed(design, WARM_COUNT)
    speed = await _speed(design, int(speed * WARM_S))
    return max(WARM_COUNT, int(speed * job.seconds))


async def _speed(design: Design, count: int) -> float:
    """Return how many frames a second the design takes."""
    asked = await ask(design, count, 0, None)
    return asked.delivered / asked.wall_s


def made(job: Job, watch: Watch | None) -> Design:
    """Import and make a design."""
    module, name, arguments = DESIGNS[job.design]
    kind = getattr(importlib.import_module(module), name)
    target = Target(job.url, job.bootstrap, watch)
    return cast("Design", kind(target, *arguments))


def main(text: str) -> None:
    """Run one job and say its result."""
    job = msgspec.json.decode(text, type=Job)
    pin(job.core)
    result: dict[str, Any] = msgspec.to_builtins(asyncio.run(measure(job)))
    say(result)


if __name__ == "__main__":
    main(sys.argv[1])
