"""A worker as values: what `core.health` judges, from the parts that run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bridge.app.accounts import Account
from bridge.app.orders import OrderPaths
from bridge.app.parts import Parts
from bridge.app.shares import Shares
from bridge.app.vitals import Vitals
from bridge.core.health import Link, Step, Stream, View
from bridge.core.model import Binding, Now
from bridge.flow.feed import Feed

MS_NS = 1_000_000
NS = 1_000_000_000


class Running(NamedTuple):
    """The parts of a worker that has been prepared; `desks` carry its orders."""

    parts: Parts
    shares: Shares
    orders: OrderPaths | None
    desks: list[Feed]

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Return the accounts that take commands."""
        return self.orders.accounts if self.orders else {}


class Watcher:
    """Looks at a worker, and remembers when each subscription was last heard.

    A session forgets that with its connection; the age of data goes on.
    """

    def __init__(self, vitals: Vitals) -> None:
        """Have heard nothing yet."""
        self._vitals = vitals
        self._heard_ns: dict[tuple[str, str], int] = {}

    def view(
        self, running: Running | None, step: Step, waits_for: str, now: Now
    ) -> View:
        """Return everything that health depends on."""
        if running is None:
            return View(step=step, waits_for=waits_for)
        streams = list(self._streams(running.shares.fleet.feeds, now))
        wanted = {(one.source, one.name) for one in streams}
        self._heard_ns = {k: ns for k, ns in self._heard_ns.items() if k in wanted}
        return View(
            step=step,
            pulse_s=self._vitals.pulse_s(now),
            lease_over=running.parts.lease.over,
            flow=running.parts.pressure.flow.name,
            links=[*_feed_links(running), *_order_links(running)],
            streams=streams,
            outs=self._vitals.outs(now),
            threads=self._vitals.threads(now),
            unread=list(_unread(running)),
            left_out=list(running.shares.wishes.problems.values()),
        )

    def _streams(self, feeds: list[Feed], now: Now) -> Iterator[Stream]:
        for feed in feeds:
            connection = feed.connection
            told = connection.describe(now)["bindings"] if connection else ()
            by_name = {one["name"]: one for one in told}
            for binding in feed.plan.bindings:
                yield self._stream(feed, binding, by_name.get(binding.name, {}), now)

    def _stream(
        self, feed: Feed, binding: Binding, told: Mapping[str, Any], now: Now
    ) -> Stream:
        key = (feed.plan.source, binding.name)
        if (age_ms := told.get("age_ms")) is not None:
            self._heard_ns[key] = now.mono_ns - age_ms * MS_NS
        heard_ns = self._heard_ns.setdefault(key, now.mono_ns)
        after_ms = binding.stale_after_ms
        return Stream(
            source=key[0],
            name=key[1],
            phase=told.get("phase", "NOT CONNECTED"),
            state=told.get("state"),
            age_s=(now.mono_ns - heard_ns) / NS,
            rhythm_s=None if after_ms is None else after_ms / 1000,
            records=_records(feed, binding),
        )


def _records(feed: Feed, binding: Binding) -> int:
    """Return how many records the open connection has written for a binding."""
    connection = feed.connection
    if connection is None:
        return 0
    lanes = connection.outlet.lanes  # its channels may not be those of a later plan
    names = {feed.plan.subscriptions[channel].name for channel in binding.channels}
    return sum(lane.sequence for lane in lanes if lane.subscription.name in names)


def _feed_links(running: Running) -> Iterator[Link]:
    for feed in running.shares.fleet.feeds:
        yield _link(feed, "feed", is_open=feed.connection is not None)


def _order_links(running: Running) -> Iterator[Link]:
    for feed in running.desks:
        account = running.accounts[feed.plan.source]
        yield _link(feed, "orders", is_open=account.desk.session is not None)


def _link(feed: Feed, kind: str, *, is_open: bool) -> Link:
    return Link(
        source=feed.plan.source,
        name=feed.plan.name,
        kind=kind,
        is_open=is_open,
        trouble=feed.trouble or "not logged in yet",
    )


def _unread(running: Running) -> Iterator[str]:
    """Name the logs without which nothing is begun, as far as they are not read."""
    settings = running.parts.settings
    if not running.shares.wishes.known:
        yield settings.topics.subscriptions
    if not all(account.control_read for account in running.accounts.values()):
        yield settings.topics.control
    for topic, path in (running.orders.paths if running.orders else {}).items():
        for number, shelf in path.shelves.items():
            if shelf.claims.reading:
                yield f"of responses to {topic}, partition {number}"
