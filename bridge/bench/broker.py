"""The broker of a benchmark, a process of its own: librdkafka's mock cluster.

It keeps nothing on disk and replicates nothing, so a run shows the client's cost.
Started as `python -m bridge.bench.broker CORE`; ends when stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import sys

from bridge.bench.machine import pin
from bridge.bench.stdio import say, until_closed
from bridge.bench.target import PARTITIONS, TOPICS
from bridge.embedded import EmbeddedKafka


def main() -> None:
    """Serve until stdin closes."""
    with EmbeddedKafka(topics=dict.fromkeys(TOPICS, PARTITIONS)) as kafka:
        say({"bootstrap": kafka.bootstrap})
        asyncio.run(until_closed())


if __name__ == "__main__":
    pin(json.loads(sys.argv[1]))
    main()
