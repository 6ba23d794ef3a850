"""What the operating system says of this process: memory, files, time used."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import NamedTuple

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc/self")


class Usage(NamedTuple):
    """`rss_bytes` and `open_files` are None where the system does not tell (macOS)."""

    cpu_s: float
    rss_bytes: int | None
    open_files: int | None
    max_files: int


def usage() -> Usage:
    """Return the present use; costs some system calls."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Usage(time.process_time(), _rss_bytes(), _open_files(), most)


def _rss_bytes() -> int | None:
    try:
        return int((_PROC / "statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return None


def _open_files() -> int | None:
    try:
        return len(list((_PROC / "fd").iterdir()))
    except OSError:
        return None
