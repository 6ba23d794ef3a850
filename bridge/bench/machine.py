"""What is asked of the operating system: cores, memory, and how fast it is just now."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time

ROUNDS = 8
STEPS = 200_000
STATUS = Path("/proc/self/status")
RESIDENT, PEAK = "VmRSS", "VmHWM"


def cores() -> tuple[int | None, int | None]:
    """Return the core for the worker and the one for all else; None: not pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    free = sorted(os.sched_getaffinity(0))
    return free[0], free[min(1, len(free) - 1)]


def pin(core: int | None) -> None:
    """Keep this process, and what it starts, on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this process, and what it starts, on one core; afterwards as before."""
    before = None if core is None else os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)


def memory_kb() -> dict[str, int]:
    """Return the resident memory now and at its peak, in kB; 0 where unknown."""
    if not STATUS.exists():
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"now": 0, "peak": most // (1024 if sys.platform == "darwin" else 1)}
    lines = (line.split() for line in STATUS.read_text("ascii").splitlines())
    found = {words[0][:-1]: words[1] for words in lines if len(words) > 1}
    return {"now": int(found[RESIDENT]), "peak": int(found[PEAK])}


def calibrate() -> float:
    """Return the CPU seconds of a fixed amount of integer work, here and now.

    A shared machine drifts between speeds; figures are scaled by this. The fastest of
    several goes counts: interrupts only ever make one slower.
    """
    return min(_work() for _ in range(ROUNDS)) * ROUNDS


def _work() -> float:
    start = process_time()
    value = 1
    for step in range(STEPS):
        value = (value * 1_103_515_245 + step) & 0x7FFFFFFF
    return process_time() - start


def described() -> dict[str, object]:
    """Say what the absolute figures are figures of."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "pinned": cores()[0] is not None,
    }
