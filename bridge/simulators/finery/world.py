"""Commands about the venue's world: market, permissions, floods, and what is known."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from bridge.simulators.finery import methods
from bridge.simulators.finery.flood import Shape
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.wire import Json

if TYPE_CHECKING:
    from bridge.simulators.finery.server import FinerySimulator

_LISTED: Final = 10_000


def act(
    simulator: FinerySimulator,
    account: int,
    method: str,
    content: dict[str, Any] | None = None,
) -> Json:
    """Run a request method as any account, the market's own included."""
    venue = simulator.venue
    call = Call(venue, venue.account(account), content or {}, 0)
    try:
        return methods.execute(method, call)
    finally:
        simulator.hub.publish()


def step(simulator: FinerySimulator, instrument: str, count: int = 1) -> None:
    """Let the made-up market make changes in one book now."""
    for _ in range(count):
        simulator.market.step(instrument)
        simulator.hub.publish()


def desk_step(simulator: FinerySimulator, count: int = 1) -> None:
    """Let the demo accounts do their next acts now."""
    for _ in range(count):
        simulator.activity.step()


def pause(simulator: FinerySimulator, instrument: str | None = None) -> None:
    """Stop the made-up market in one book, or in all."""
    names = simulator.venue.catalogue.instruments
    simulator.market.paused.update(names if instrument is None else {instrument})


def resume(simulator: FinerySimulator, instrument: str | None = None) -> None:
    """Let the made-up market go on."""
    paused = simulator.market.paused
    paused.intersection_update(paused - {instrument} if instrument else set())


def flood(
    simulator: FinerySimulator,
    rate: int = 5_000,
    instruments: list[str] | None = None,
    length: int = 128,
    changes: int = 1,
) -> list[str]:
    """Publish so many book updates a second in total, until `stop_flood`."""
    names = instruments or list(simulator.venue.catalogue.instruments)
    simulator.flood.start(names, Shape(length, changes))
    simulator.flood.halt()
    simulator.flood.halt = simulator.spawn(simulator.flood.run(rate))
    return names


def stop_flood(simulator: FinerySimulator) -> list[dict[str, Any]]:
    """Stop the flood; return frames and final book of each instrument."""
    return simulator.flood.stop()


def hide_maker(
    simulator: FinerySimulator, account: int, maker: int, *, hidden: bool = True
) -> None:
    """Take a maker out of an account's tradable books, or back in."""
    owner = simulator.venue.account(account)
    change = owner.hidden_makers.add if hidden else owner.hidden_makers.discard
    change(maker)
    simulator.hub.reseat(owner)


def enable_pair(
    simulator: FinerySimulator, owner: int, counterparty: int, *, enabled: bool
) -> None:
    """Switch trading between two accounts on or off, from the owner's side."""
    venue = simulator.venue
    venue.limits.enable(owner, counterparty, enabled=enabled)
    for one, other in ((owner, counterparty), (counterparty, owner)):
        venue.tell_limit(one, other, "M")
        simulator.hub.reseat(venue.account(one))
    simulator.hub.publish()


def set_account(
    simulator: FinerySimulator,
    account: int,
    *,
    trading: bool | None = None,
    agreed: bool | None = None,
    forbidden: list[str] | None = None,
) -> None:
    """Change what an account may do: trade (84), log in (13), instruments (36)."""
    chosen = simulator.venue.account(account)
    if trading is not None:
        chosen.trading = trading
    if agreed is not None:
        chosen.agreed = agreed
    if forbidden is not None:
        chosen.forbidden = set(forbidden)


def rekey(simulator: FinerySimulator, account: int, key: str, secret: str) -> None:
    """Give an account another login; open connections go on, the old login is over."""
    found = simulator.venue.account(account)
    found.key, found.secret = key, secret


def add_instrument(simulator: FinerySimulator, name: str) -> int:
    """List a new instrument; return its id."""
    made = simulator.venue.add_instrument(name)
    simulator.hub.publish()
    return made.id


def remove_instrument(simulator: FinerySimulator, name: str) -> None:
    """Delist an instrument."""
    simulator.venue.remove_instrument(name)
    simulator.hub.publish()


def revalue(simulator: FinerySimulator, currency: str, valuation: int) -> None:
    """Change a currency's USD valuation."""
    simulator.venue.revalue(currency, valuation)
    simulator.hub.publish()


def jump(simulator: FinerySimulator, seconds: float) -> int:
    """Move the virtual clock forward; return its time in ms."""
    simulator.clock.jump(seconds)
    return simulator.clock.now_ms()


def speed(simulator: FinerySimulator, factor: float) -> None:
    """Let the virtual time run `factor` times as fast as the real one."""
    simulator.clock.speed = factor


def now(simulator: FinerySimulator) -> int:
    """Return the virtual time in ms."""
    return simulator.clock.now_ms()


def clear(simulator: FinerySimulator, name: str | None = None) -> None:
    """Take back the faults of that name, or all of them."""
    simulator.table.clear(name)


def ledger(
    simulator: FinerySimulator,
    kind: str | None = None,
    since: int = 0,
    limit: int = _LISTED,
) -> list[dict[str, Any]]:
    """Return ledger entries of a kind, from number `since` on, at most `limit`."""
    entries = simulator.ledger.entries(kind)
    return [e for e in entries if e["number"] >= since][: min(limit, _LISTED)]


def counts(simulator: FinerySimulator) -> dict[str, int]:
    """Return how many ledger entries of each kind there were."""
    return {**simulator.ledger.counts(), "dropped": simulator.ledger.dropped}


def save_ledger(simulator: FinerySimulator, path: str) -> int:
    """Write the ledger as JSON lines; return how many entries."""
    return simulator.ledger.to_file(path)


def book(simulator: FinerySimulator, instrument: str) -> list[Any]:
    """Return the best 25 levels of each side as they are published."""
    name = simulator.venue.catalogue.instrument(instrument).name
    if name in simulator.hub.flooded:
        return simulator.flood.loops[name].sight.payload()
    return simulator.hub.global_sight(name).payload()


def connections(simulator: FinerySimulator) -> list[dict[str, Any]]:
    """List the open connections with their bindings."""
    return [session.facts() for session in simulator.sessions.values()]


def streams(simulator: FinerySimulator) -> list[dict[str, Any]]:
    """Tell of every bound feed how many frames it got, their hash, and the last one."""
    return [binding.facts() for binding in simulator.hub.bindings()]


def orders(
    simulator: FinerySimulator, account: int | None = None
) -> list[dict[str, Any]]:
    """List the active orders, of one account if asked."""
    known = simulator.venue.orders.values()
    return [asdict(o) for o in known if account in {None, o.account}]


def positions(simulator: FinerySimulator, account: int) -> list[dict[str, Any]]:
    """List the positions of an account."""
    return [p._asdict() for p in simulator.venue.positions.of(account)]


def faults(simulator: FinerySimulator) -> dict[str, Any]:
    """List the faults in force."""
    table = simulator.table
    return {
        "x": table.x_code,
        "feeds": [[t.name, t.feed, t.echo, t.times] for t in table.twists],
        "requests": [[r.name, r.method, r.times] for r in table.rules],
        "binds": [list(bind) for bind in table.binds],
        "handshakes": asdict(table.handshakes),
    }


COMMANDS: Final = (
    act,
    step,
    desk_step,
    pause,
    resume,
    flood,
    stop_flood,
    hide_maker,
    enable_pair,
    set_account,
    rekey,
    add_instrument,
    remove_instrument,
    revalue,
    jump,
    speed,
    now,
    clear,
    ledger,
    counts,
    save_ledger,
    book,
    connections,
    streams,
    orders,
    positions,
    faults,
)
