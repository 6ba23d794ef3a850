"""What a run is asked for and what it measured; both travel as JSON."""

from __future__ import annotations

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run; `rate` 0 floods."""

    design: str
    kind: str
    rate: int
    seconds: float
    turn: int
    core: int | None = None
    url: str = ""
    bootstrap: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured; CPU and calibration in seconds of this process's core."""

    job: Job
    asked: int
    received: int
    delivered: int
    failed: int
    wall_s: float
    cpu_s: float
    calibration_s: float
    gc_pauses: int
    gc_longest_ms: float
    memory_kb: dict[str, int]
    latency: dict[str, dict[str, float]]

    @property
    def whole(self) -> bool:
        """Tell whether everything sent was received and delivered, and nothing else."""
        return self.asked == self.received == self.delivered and not self.failed
