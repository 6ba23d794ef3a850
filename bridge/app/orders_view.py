"""The order path of a worker as plain values, JSON-ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bridge.app.accounts import Account
from bridge.core.orders import Outcome
from bridge.flow.orders import OrderPath
from bridge.flow.shelf import PartitionShelf


def topic_view(path: OrderPath) -> Mapping[str, Any]:
    """Return what the path of one command topic is doing."""
    every = [shelf.claims for shelf in (*path.shelves.values(), *path.witnesses)]
    outcomes = sum((claims.outcomes for claims in every), Counter[Outcome]())
    return {
        "partitions": [_partition(path.shelves[n]) for n in sorted(path.shelves)],
        "witnesses": len(path.witnesses),
        "outcomes": {outcome.name: outcomes[outcome] for outcome in sorted(outcomes)},
        "lost_claims": sum(claims.lost_claims for claims in every),
        "double_finals": sum(claims.double_finals for claims in every),
        "corrections": sum(claims.corrections for claims in every),
        "latency": path.latency.summary(),
    }


def _partition(shelf: PartitionShelf) -> Mapping[str, Any]:
    claims = shelf.claims
    return {
        "partition": shelf.partition,
        "open_claims": claims.open_claims,
        "in_doubt": claims.doubts,
        "unsettled": claims.unsettled,
        "position": claims.position,
        "caught_up": not claims.reading,
        "closing": shelf.closing_until_ns is not None,
    }


def account_view(account: Account) -> Mapping[str, Any]:
    """Return an account's connection, what is in flight, and its trading state."""
    desk = account.desk
    connection = desk.connection
    control = account.control
    state = control.state.name if control else "ACTIVE"
    return {
        "connection": connection.outlet.connection if connection else None,
        "ready": desk.session is not None,
        "in_flight": desk.in_flight,
        "waiting": desk.waiting,
        # Until the topic has been read, an account counts as halted.
        "trading": state if account.control_read else "UNREAD",
        "reason": control.reason if control else "",
    }
