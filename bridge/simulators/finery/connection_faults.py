"""Commands about connections: X status, silence, cuts, handshakes, listening.

`connection` is a number as `connections` lists it; None means all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.simulators.finery import wire
from bridge.simulators.finery.session import Session

if TYPE_CHECKING:
    from bridge.simulators.finery.server import FinerySimulator


def _chosen(simulator: FinerySimulator, connection: int | None) -> list[Session]:
    if connection is None:
        return list(simulator.sessions.values())
    return [simulator.sessions[connection]]


def x(simulator: FinerySimulator, code: int = 2) -> None:
    """Announce a lost link to the trading core (code 2), or its return (code 0)."""
    simulator.table.x_code = code
    for session in simulator.sessions.values():
        session.post(wire.status(code))
        if code and simulator.options.rules.down_drops_bindings:
            session.drop_bindings()


def mute(simulator: FinerySimulator, connection: int | None = None) -> int:
    """Go half-open: no frame in or out, not even a pong; return how many."""
    chosen = _chosen(simulator, connection)
    for session in chosen:
        session.connection.mute()
    return len(chosen)


def unmute(simulator: FinerySimulator, connection: int | None = None) -> int:
    """Bring half-open connections back; those given up meanwhile are cut."""
    muted = [
        c
        for c in simulator.server.connections
        if c.muted and connection in {None, c.number}
    ]
    for one in muted:
        if one.number in simulator.sessions:
            one.unmute()
        else:
            one.kill()
    return len(muted)


def kill(simulator: FinerySimulator, connection: int | None = None) -> int:
    """Cut connections by a TCP reset, without a close frame; return how many."""
    if connection is None:
        return simulator.server.kill()
    simulator.sessions[connection].connection.kill()
    return 1


async def close(
    simulator: FinerySimulator,
    connection: int | None = None,
    code: int = 1000,
    reason: str = "",
) -> int:
    """Close connections cleanly; return how many."""
    chosen = _chosen(simulator, connection)
    for session in chosen:
        await session.connection.close(code, reason)
    return len(chosen)


def slow_handshakes(simulator: FinerySimulator, ms: int, times: int | None = 1) -> None:
    """Let the next handshakes take that long (virtual)."""
    faults = simulator.table.handshakes
    faults.delay_ms, faults.delays = ms, times


def refuse_handshakes(
    simulator: FinerySimulator,
    error: int = 2,
    status: int = 400,
    times: int | None = 1,
    body: str | None = None,
) -> None:
    """Refuse the next handshakes with this HTTP status and `{"error":N}`, or `body`."""
    faults = simulator.table.handshakes
    faults.error, faults.status, faults.refusals = error, status, times
    faults.body = body


def stop_listening(simulator: FinerySimulator) -> None:
    """Refuse new TCP connections; open ones go on."""
    simulator.server.stop_listening()


async def listen(simulator: FinerySimulator) -> int:
    """Take new connections again, on the same port."""
    await simulator.server.listen()
    return simulator.server.port


async def refuse_connects(simulator: FinerySimulator, seconds: int) -> None:
    """Refuse new TCP connections for some (virtual) seconds."""
    simulator.server.stop_listening()

    async def later() -> None:
        await simulator.clock.sleep(seconds)
        await simulator.server.listen()

    simulator.spawn(later())


COMMANDS: Final = (
    x,
    mute,
    unmute,
    kill,
    close,
    slow_handshakes,
    refuse_handshakes,
    stop_listening,
    listen,
    refuse_connects,
)
