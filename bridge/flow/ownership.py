"""What this worker runs: shares of the wanted bindings, as a group deals them.

A share is a partition of the assignment topic, or None for everything there is. Each
has connections of its own, so they come and go with it. Wishes may change meanwhile:
what is added gets a new connection, what is no longer wanted is dropped from its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bridge.core.model import Now, Plan, Reason
from bridge.flow.feed import Feed
from bridge.flow.fleet import Fleet
from bridge.venues import VENUES
from bridge.venues.base import Source
from bridge.venues.shares import deal, difference, share

Share = int | None


class Held(NamedTuple):
    """One share that runs here: since when (Unix ms), and with which feeds."""

    since_ms: int
    feeds: list[Feed]


class Ownership:
    """Runs the shares that it is given; all methods belong to the event loop."""

    def __init__(
        self,
        fleet: Fleet,
        wanted: Callable[[], Sequence[Source]],
        partitions: int,
        now: Callable[[], Now],
    ) -> None:
        """Own nothing yet; `wanted` returns all bindings that are wanted now."""
        self.held: dict[Share, Held] = {}
        self._leaving: set[Share] = set()
        # What is still on its way to Kafka has to be waited for.
        self._given: dict[Share, list[Plan]] = {}
        self._fleet = fleet
        self._wanted = wanted
        self._partitions = partitions
        self._now = now
        self._generation = 0
        self._dealt_from: Sequence[Source] | None = None
        self._dealt: dict[Share, Sequence[Source]] = {}

    def take(self, share: Share) -> None:
        """Run a share: a connection for each account that has bindings in it."""
        if share not in self.held:
            self.held[share] = Held(self._now().wall_ns // 1_000_000, [])
            self._follow(share, 0)

    def plans(self, shares: Iterable[Share]) -> list[Plan]:
        """Return what runs in shares, or ran there when they were given."""
        return [plan for one in shares for plan in self._plans_of(one)]

    def _plans_of(self, share: Share) -> list[Plan]:
        if share in self.held:
            return [feed.plan for feed in self.held[share].feeds]
        return self._given.get(share, [])

    async def give(self, shares: Iterable[Share], reason: Reason) -> None:
        """End shares: every sequence has its ENDED when this returns."""
        giving = set(shares) & self.held.keys()
        self._leaving |= giving
        feeds = [feed for one in giving for feed in self.held[one].feeds]
        await self._fleet.end(feeds, reason)
        for one in giving & self.held.keys():
            self._given[one] = self._plans_of(one)
            del self.held[one]
        self._leaving -= giving

    def lose(self, shares: Iterable[Share]) -> None:
        """Drop shares that somebody else may run already; nothing more is written.

        Those that are just being given are dropped as well.
        """
        for one in list(shares):
            if held := self.held.pop(one, None):
                self._fleet.abandon(held.feeds)

    def adjust(self) -> None:
        """Follow a change of what is wanted; what stays wanted is not touched."""
        self._generation += 1
        for one in self.held.keys() - self._leaving:
            self._follow(one, self._generation)

    def _follow(self, one: Share, generation: int) -> None:
        feeds = self.held[one].feeds
        changes = difference([f.plan for f in feeds], self._of(one), generation)
        by_plan = {(f.plan.source, f.plan.name): f for f in feeds}
        for plan, names in changes.shrink:
            by_plan[plan.source, plan.name].drop(names, plan, Reason.UNSUBSCRIBED)
        for plan in changes.stop:
            feed = by_plan[plan.source, plan.name]
            feeds.remove(feed)
            self._fleet.let_go(feed, Reason.UNSUBSCRIBED)
        feeds += [self._fleet.start(plan) for plan in _plans(changes.start)]

    def _of(self, one: Share) -> Sequence[Source]:
        """Return what is wanted in a share; all are dealt at once, after a change."""
        wanted = self._wanted()
        if wanted is not self._dealt_from:
            self._dealt_from = wanted
            self._dealt = {None: share(wanted, None, 1)}
            for number, part in deal(wanted, self._partitions).items():
                self._dealt[number] = part
        return self._dealt.get(one, ())


def _plans(sources: Iterable[Source]) -> list[Plan]:
    return [p for source in sources for p in VENUES[source.venue].plans(source)]
