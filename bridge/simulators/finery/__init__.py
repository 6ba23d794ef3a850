"""A local Finery Markets: signed login, every feed, a matching engine, faults."""

from bridge.simulators.finery.options import (
    Era,
    FineryOptions,
    Nonces,
    Recording,
    Rules,
)
from bridge.simulators.finery.server import FinerySimulator, simulate

__all__ = [
    "Era",
    "FineryOptions",
    "FinerySimulator",
    "Nonces",
    "Recording",
    "Rules",
    "simulate",
]
