"""One window of a flood: what Kafka took in it, and what it cost."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as ck

from bench.flood_server import Server
from bench.watching import BOOKS
from bridge.errors import BridgeError
from tests.support.processes import Feedbridge

WARM_S = 2.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Window(NamedTuple):
    """One measured window: records and CPU seconds a second."""

    workers: int
    acknowledged: float
    worker_cores: list[float]
    server_cores: float
    busy_cores: float


class Ends:
    """Reads how many records the book topic has taken."""

    def __init__(self, bootstrap: str) -> None:
        """Ask with a consumer of no group."""
        options = {"bootstrap.servers": bootstrap, "group.id": "none"}
        self._consumer = ck.Consumer({**options, "enable.auto.commit": False})

    def count(self) -> int:
        """Return the sum of the ends of all partitions."""
        numbers = self._consumer.list_topics(BOOKS, 10).topics[BOOKS].partitions
        places = [ck.TopicPartition(BOOKS, number) for number in numbers]
        return sum(self._end(place) for place in places)

    def _end(self, place: ck.TopicPartition) -> int:
        ends = self._consumer.get_watermark_offsets(place, timeout=10)
        if ends is None:
            raise BridgeError(f"{place.topic}/{place.partition}: no end was told")
        return int(ends[1])

    def close(self) -> None:
        """Let the consumer go."""
        self._consumer.close()


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process; source: proc_pid_stat(5), fields 14, 15."""
    after_name = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2]
    user, system = after_name.split()[11:13]
    return (int(user) + int(system)) * TICK_S


def busy_s() -> float:
    """Return the CPU seconds of all processes on all cores; source: proc_stat(5)."""
    first = Path("/proc/stat").read_text("ascii").partition("\n")[0]
    user, nice, system, _idle, _wait, irq, soft = map(int, first.split()[1:8])
    return (user + nice + system + irq + soft) * TICK_S


def measured(
    source: Server, ends: Ends, processes: Sequence[Feedbridge], seconds: float
) -> Window:
    """Measure one window of the flood."""
    pids = [process.process.pid for process in processes]
    source.flood("go")
    time.sleep(WARM_S)

    def look() -> list[float]:
        cpu = [cpu_s(pid) for pid in (*pids, source.pid)]
        return [time.monotonic(), float(ends.count()), busy_s(), *cpu]

    before = look()
    time.sleep(seconds)
    took_s, count, busy, *cpu = (b - a for a, b in zip(before, look(), strict=True))
    source.flood("halt")
    cores = [one / took_s for one in cpu]
    return Window(len(pids), count / took_s, cores[:-1], cores[-1], busy / took_s)


def figures(windows: Sequence[Window]) -> dict[str, Any]:
    """Return the figures of one worker, of two, and how they compare."""
    by_count = {f"{n}": _of([w for w in windows if w.workers == n]) for n in (1, 2)}
    one, two = (by_count[n]["frames_a_second"] for n in "12")
    return {"workers": by_count, "x_one_worker": round(two / one, 2)}


def _of(windows: Sequence[Window]) -> dict[str, Any]:
    """Return medians; a frame's CPU time is that of the workers alone."""
    rates = [w.acknowledged for w in windows]
    costs = [sum(w.worker_cores) / w.acknowledged * 1e6 for w in windows]
    return {
        "windows": len(windows),
        "frames_a_second": round(statistics.median(rates)),
        "least": round(min(rates)),
        "most": round(max(rates)),
        "worker_cpu_us_a_frame": round(statistics.median(costs), 1),
        "worker_cores": _middle(sum(w.worker_cores) for w in windows),
        "server_cores": _middle(w.server_cores for w in windows),
        "busy_cores": _middle(w.busy_cores for w in windows),
    }


def _middle(values: Iterator[float]) -> float:
    return round(statistics.median(values), 2)
