"""`feedbridge run`: a worker, until it is told to stop."""

from __future__ import annotations

import argparse

from bridge.config import load


def main(args: argparse.Namespace) -> int:
    """Run a worker and return its exit code."""
    settings = load(args.config)
    # Imported here, so that wrong settings are told before anything is opened.
    from bridge.app.run import run_worker  # noqa: PLC0415

    return run_worker(settings)
