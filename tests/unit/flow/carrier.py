"""Carries out what a session says, as a worker does: what cannot be done, raises."""

from __future__ import annotations

import io
from collections.abc import Callable

from bridge.core.model import Events, Plan
from bridge.edge.logs import Log
from bridge.flow.connection import Connection
from bridge.flow.surroundings import Surroundings
from tests.unit.flow.fakes import FakeTransport, ScriptedSession, World


def carrier(plan: Plan) -> Callable[[Events], Events]:
    """Return what hands events to a real connection with a real log, and back."""
    session = ScriptedSession()
    world = World(session)
    around = Surroundings(
        world.kafka,
        world.ledger,
        Log(out=io.StringIO()),
        world.pressure.full,
        world.clock.now,
        world.lease,
    )
    connection = Connection(session, world.connection(plan, session).outlet, around)
    connection.attach(FakeTransport(), world.clock.now())

    def carry(events: Events) -> Events:
        connection.apply(events, world.clock.now().wall_ns)
        return events

    return carry
