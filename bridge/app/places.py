"""How many connections of each kind may be open to one host."""

from __future__ import annotations

from bridge.config import Settings
from bridge.edge.clock import Clock
from bridge.flow.borrower import Borrower
from bridge.flow.pacer import Pacer


def pacers(settings: Settings, clock: Clock) -> tuple[Pacer, Pacer]:
    """Return the places of feeds and of orders: feeds must not keep orders waiting."""
    orders = max(1, len(settings.order_plans()))
    feeds = Pacer(clock, most=max(1, settings.transport.own_connections - orders))
    return feeds, Borrower(clock, orders, feeds)
