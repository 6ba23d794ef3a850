"""The venue that takes orders, and what a response shows of its answers."""

from __future__ import annotations

from bridge.core.envelopes import Shown
from bridge.core.orders import Entry, Evidence, Phase
from bridge.core.refusals import REFUSALS
from bridge.venues import VENUES
from bridge.venues.base import OrderVenue

VENUE = "finery"


def order_venue() -> OrderVenue:
    """Return the one venue that takes orders."""
    orders: OrderVenue = VENUES[VENUE].orders  # type: ignore[attr-defined]
    return orders


def shown(venue: OrderVenue, entry: Entry) -> Shown:
    """Return what a response shows beside its entry: the typed result, the codes."""
    said = entry.result
    if said is None or entry.phase is Phase.CLAIMED:
        return Shown()
    known = REFUSALS.get(said.code)
    # What was put together while reconciling is no reply: it goes out as JSON text.
    replied = said.body and said.evidence is Evidence.REPLY
    return Shown(
        result=venue.typed(entry.method, said.body) if replied else None,
        retriable=bool(known and known.retriable),
    )
