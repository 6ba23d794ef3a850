"""What a worker is doing, as plain values: `/status`, the page, and tests read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge import __version__
from bridge.app.view import Running
from bridge.app.vitals import Vitals
from bridge.core.model import Now
from bridge.edge.kafka_options import Budget
from bridge.flow.connection import Connection
from bridge.flow.feed import Feed

MS_NS = 1_000_000


def status(running: Running, vitals: Vitals, now: Now) -> Mapping[str, Any]:
    """Return the present, JSON-ready; times in Unix ms, ages in ms."""
    parts = running.parts
    orders = running.orders.describe() if running.orders else None
    recent = {"recent": list(reversed(vitals.tallies.last_finals))}
    return {
        "version": __version__,
        "at_ms": now.wall_ns // MS_NS,
        "flow": parts.pressure.flow.name,
        "pauses": parts.pressure.pauses,
        "cuts": parts.pressure.cuts,
        "ledger": parts.ledger.as_dict(),
        "kafka": _kafka(running),
        "ownership": running.shares.describe(),
        "feeds": [_feed(f) for f in (*running.shares.fleet.feeds, *running.desks)],
        "orders": {**orders, **recent} if orders else None,
        "connections": [_connection(c, vitals, now) for c in parts.connections],
    }


def _kafka(running: Running) -> Mapping[str, int]:
    producer, kafka = running.parts.producer, running.parts.settings.kafka
    most_bytes = kafka.queue_megabytes << 20
    return {
        "produced": producer.produced,
        "acked": producer.acked,
        "failed": producer.failed,
        "outstanding_bytes": producer.outstanding_bytes,
        "high_bytes": int(most_bytes * Budget(most_bytes, kafka.queue_messages).high),
    }


def _feed(feed: Feed) -> Mapping[str, Any]:
    return {
        "source": feed.plan.source,
        "name": feed.plan.name,
        "reconnects": feed.reconnects,
        "trouble": feed.trouble,
        "bindings": [binding.name for binding in feed.plan.bindings],
    }


def _connection(connection: Connection, vitals: Vitals, now: Now) -> Mapping[str, Any]:
    """Return a connection; its subscriptions with what each of them wrote last."""
    binding_of = {
        connection.plan.subscriptions[channel].name: binding
        for binding in connection.plan.bindings
        for channel in binding.channels
    }
    source, told = connection.plan.source, vitals.tallies
    subscriptions = []
    for lane in connection.outlet.lanes:
        name = lane.subscription.name
        binding, mark = binding_of.get(name), lane.state
        rhythm_ms = binding.stale_after_ms if binding else None
        subscriptions.append(
            {
                "name": name,
                "binding": binding.name if binding else None,
                "state": mark.state.name if mark else None,
                "reason": str(mark.reason) if mark else None,
                "detail": mark.detail if mark else None,
                "records": lane.sequence,
                "gaps": told.gaps_of[source, name],
                "lost": told.lost[source, name],
                "rhythm_ms": rhythm_ms,
            }
        )
    return {**connection.describe(now), "subscriptions": subscriptions}
