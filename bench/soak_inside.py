"""A worker that looks at itself while it works; started by `bench.soak`.

    python -m bench.soak_inside SAMPLES EVERY_SECONDS

Settings come from the environment, as for `feedbridge run`. SAMPLES gets one JSON line
every so many seconds, from a task in the worker's own loop.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from bridge.app.worker import Worker
from bridge.config import load
from bridge.edge.logs import Log

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MEGA = 1e6
LOOKS_A_COLLECTION = 10
# A worker takes its start's objects out of the collector's sight after 5 s.
STARTED_S = 10.0


class Sampler:
    """Looks at a worker from inside.

    Objects are counted behind a collection, so that what waits to be collected does not
    count; that is done at every tenth look, to leave the memory as it would be.
    """

    def __init__(self, worker: Worker) -> None:
        """Look at `worker`."""
        self._worker = worker
        self._looks = 0
        self._objects = 0

    def sample(self) -> dict[str, Any] | None:
        """Return what the worker holds now; None before it has started."""
        status = self._worker.status()
        if status["phase"] != "running":
            return None
        kafka = status["kafka"]
        resident = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return {
            "at_s": time.time(),
            "rss_mb": resident * PAGE_BYTES / MEGA,
            "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - makes no objects
            "threads": len(os.listdir("/proc/self/task")),  # noqa: PTH208 - as above
            "tasks": len(asyncio.all_tasks()),
            "queue": kafka["produced"] - kafka["acked"] - kafka["failed"],
            "objects": self._counted(),
            "acked": kafka["acked"],
            "failed": kafka["failed"],
        }

    def _counted(self) -> int:
        if self._looks % LOOKS_A_COLLECTION == 0:
            gc.collect()
            self._objects = len(gc.get_objects())
        self._looks += 1
        return self._objects


async def watch(sampler: Sampler, file: TextIO, every_s: float) -> None:
    """Write a sample every so often, once the start is over."""
    await asyncio.sleep(STARTED_S)
    while True:
        await asyncio.sleep(every_s)
        if found := sampler.sample():
            file.write(json.dumps(found) + "\n")
            file.flush()


async def work(path: Path, every_s: float) -> int:
    """Run the worker until SIGTERM, and the watch beside it."""
    settings = load(None)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    log = Log(settings.log.level, settings.log.format)
    for secret in settings.secrets():
        log.redactor.hide(secret)
    worker = Worker(settings, log)
    with path.open("w") as file:
        task = asyncio.create_task(watch(Sampler(worker), file, every_s), name="watch")
        try:
            return await worker.run(stop)
        finally:
            task.cancel()


if __name__ == "__main__":
    sys.exit(asyncio.run(work(Path(sys.argv[1]), float(sys.argv[2]))))
