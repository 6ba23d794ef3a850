"""How the processes of a benchmark speak: in JSON lines, with stdin as a leash."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any


def say(facts: Mapping[str, Any]) -> None:
    """Write one JSON line to whoever started this process."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def until_closed() -> None:
    """Wait until stdin closes: then whoever started this process is gone."""
    await asyncio.to_thread(sys.stdin.buffer.read)
