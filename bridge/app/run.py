"""Runs a worker as a process does: until a signal, with its log on stderr."""

from __future__ import annotations

import asyncio
import logging
import signal

from bridge.app.worker import Worker
from bridge.config import Settings
from bridge.edge.logs import Log, LogHandler


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT; return its exit code."""
    return asyncio.run(_until_signal(settings))


async def _until_signal(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = Log(settings.log.level, settings.log.format)
    for secret in settings.secrets():
        log.redactor.hide(secret)
    level = logging.DEBUG if settings.log.level == "debug" else logging.WARNING
    logging.basicConfig(level=level, handlers=[LogHandler(log)], force=True)
    # What librdkafka repeats for each attempt is told once by `kafka_away`.
    quiet = level if level == logging.DEBUG else logging.CRITICAL
    logging.getLogger("feedbridge.librdkafka").setLevel(quiet)
    return await Worker(settings, log, http=settings.http).run(stop)
