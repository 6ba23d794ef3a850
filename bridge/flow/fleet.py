"""The feeds of one worker, each in a task of its own; they come and go one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from bridge.core.model import Plan, Reason
from bridge.errors import BridgeError, named
from bridge.flow.feed import Feed


class Fleet:
    """Starts, ends and abandons feeds; all methods belong to the event loop."""

    def __init__(
        self, make: Callable[[Plan], Feed], failed: Callable[[BridgeError], None]
    ) -> None:
        """Begin with none.

        Args:
            make: makes the feed of a plan.
            failed: told of an error that a feed cannot mend.
        """
        self._make = make
        self._failed = failed
        self._tasks: dict[Feed, asyncio.Task[None]] = {}
        self._stops: dict[Feed, asyncio.Event] = {}

    @property
    def feeds(self) -> list[Feed]:
        """Return the feeds that run, the oldest first."""
        return list(self._tasks)

    def start(self, plan: Plan) -> Feed:
        """Keep a connection of this plan up from now on."""
        feed = self._make(plan)
        self._stops[feed] = asyncio.Event()
        name = f"{plan.source}/{plan.name}"
        task = asyncio.create_task(feed.run(self._stops[feed]), name=name)
        self._tasks[feed] = task
        task.add_done_callback(lambda _: self._gone(feed))
        return feed

    def let_go(self, feed: Feed, reason: Reason) -> None:
        """Begin to end a feed on purpose: unbind, ENDED, close.

        The reason of the first call holds.
        """
        if feed in self._tasks and not self._stops[feed].is_set():
            feed.reason = reason
            self._stops[feed].set()

    async def end(self, feeds: Iterable[Feed], reason: Reason) -> None:
        """End feeds on purpose; return when all are over."""
        ending = [feed for feed in feeds if feed in self._tasks]
        for feed in ending:
            self.let_go(feed, reason)
        if tasks := [self._tasks[feed] for feed in ending]:
            await asyncio.wait(tasks)

    def abandon(self, feeds: Iterable[Feed]) -> None:
        """Write and send nothing more for feeds that are somebody else's now."""
        for feed in feeds:
            if feed in self._tasks:
                feed.abandon()
                self._stops[feed].set()

    def _gone(self, feed: Feed) -> None:
        task = self._tasks.pop(feed)
        del self._stops[feed]
        if not task.cancelled() and (cause := task.exception()) is not None:
            self._failed(named(task.get_name(), cause))
