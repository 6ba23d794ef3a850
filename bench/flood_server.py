"""Runs the flooding server in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Server:
    """The flooding server, and the switch of its flood."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Read where it listens."""
        assert process.stdout is not None  # noqa: S101 - it was asked for
        facts = json.loads(process.stdout.readline())
        self.url: str = facts["url"]
        self.pid: int = facts["pid"]
        self.port = int(self.url.rsplit(":", 1)[1].partition("/")[0])
        self._process = process

    def flood(self, word: str) -> None:
        """Say `go` or `halt`."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()


@contextmanager
def server() -> Iterator[Server]:
    """Run the flooding server for a `with` block."""
    words = [sys.executable, "-m", "bench.flood"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 - words of our own
        try:
            yield Server(process)
        finally:
            process.kill()
