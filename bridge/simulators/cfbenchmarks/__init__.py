"""A simulator of CF Benchmarks: WebSocket API v4, REST companion, faults on demand."""

from bridge.simulators.cfbenchmarks.keys import Key
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions
from bridge.simulators.cfbenchmarks.server import CfBenchmarksSimulator, simulate

__all__ = ["CfBenchmarksOptions", "CfBenchmarksSimulator", "Key", "simulate"]
