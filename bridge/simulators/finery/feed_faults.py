"""Commands that break feeds: silence, gaps, contradictions, unreadable frames.

`feed` and `feed_id` choose what is met, as they were bound; left out, everything is.
`times` None lasts until `clear`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bridge.simulators.finery import faults, wire
from bridge.simulators.finery.books import Sight
from bridge.simulators.finery.faults import Changed, Twist
from bridge.simulators.finery.hub import Binding
from bridge.simulators.finery.wire import Json, Message

if TYPE_CHECKING:
    from bridge.simulators.finery.server import FinerySimulator

ANY: Final = "any feed id"
_BIG: Final = (1 << 53) + 1


def _twist(
    simulator: FinerySimulator,
    name: str,
    change: Callable[[Message], Changed],
    where: dict[str, Any],
) -> None:
    """Add a twist; `where` holds the common arguments of the commands below."""
    feed_id = where.pop("feed_id", ANY)
    known = {"feed", "connection", "times"}
    if unknown := set(where) - known - {"actions"}:
        raise TypeError(f"unknown arguments: {', '.join(sorted(unknown))}")
    echo = None if feed_id == ANY else wire.compact(0 if feed_id is None else feed_id)
    simulator.table.twists.append(Twist(name=name, change=change, echo=echo, **where))


def mute_feed(simulator: FinerySimulator, **where: Json) -> None:
    """Let a subscription be acknowledged and then stay silent."""
    where = {"times": None, "actions": faults.UPDATES, **where}
    _twist(simulator, "mute_feed", lambda _: [], where)


def drop_update(simulator: FinerySimulator, **where: Json) -> None:
    """Leave the next update out: a gap that only a contradiction can show."""
    where = {"times": 1, "actions": faults.UPDATES, **where}
    _twist(simulator, "drop_update", lambda _: [], where)


def double_message(simulator: FinerySimulator, **where: Json) -> None:
    """Send the next message twice."""
    _twist(simulator, "double_message", lambda m: [m, m], {"times": 1, **where})


def garble(simulator: FinerySimulator, **where: Json) -> None:
    """Send only half of the next message."""
    _twist(simulator, "garble", faults.cut_short, {"times": 1, **where})


def extra_elements(simulator: FinerySimulator, count: int = 1, **where: Json) -> None:
    """Append unknown elements to every record, as later eras do."""
    change = partial(faults.with_extra, count=count)
    _twist(simulator, "extra_elements", change, {"times": None, **where})


def big_number(simulator: FinerySimulator, number: int = _BIG, **where: Json) -> None:
    """Put a huge integer (default 2^53 + 1) in place of the message's last one."""
    change = partial(faults.with_number, number=int(number))
    _twist(simulator, "big_number", change, {"times": 1, **where})


def inject(
    simulator: FinerySimulator, text: str, connection: int | None = None, pad: int = 0
) -> int:
    """Send any text, made longer by `pad` letters, as a frame; return to how many."""
    chosen = [s for n, s in simulator.sessions.items() if connection in {None, n}]
    return sum(session.post(text + "x" * pad) for session in chosen)


def duplicate_level(
    simulator: FinerySimulator, feed: str = "F", feed_id: Json = ANY
) -> int:
    """Send `+` for a level that is there already; return how many got it."""
    return _change_books(simulator, feed, feed_id, _existing)


def unknown_level(
    simulator: FinerySimulator, feed: str = "F", feed_id: Json = ANY, action: str = "M"
) -> int:
    """Send `M` (or `-`) for a level that is not there; return how many got it."""
    return _change_books(simulator, feed, feed_id, partial(_missing, action))


def refuse_bind(
    simulator: FinerySimulator,
    code: int,
    feed: str | None = None,
    feed_id: Json = ANY,
    times: int | None = 1,
) -> None:
    """Answer the next bind with `Z` and this code."""
    simulator.table.binds.append((feed, _wanted(feed_id), code, times))


def ignore_bind(
    simulator: FinerySimulator,
    feed: str | None = None,
    feed_id: Json = ANY,
    times: int | None = 1,
) -> None:
    """Never answer the next bind."""
    simulator.table.binds.append((feed, _wanted(feed_id), None, times))


def _wanted(feed_id: Json) -> str | None:
    if feed_id == ANY:
        return None
    return wire.canonical(0 if feed_id is None else feed_id)


def _change_books(
    simulator: FinerySimulator,
    feed: str,
    feed_id: Json,
    change: Callable[[Sight], list[Any]],
) -> int:
    echo = None if feed_id == ANY else wire.compact(feed_id)
    met = 0
    for binding in list(simulator.hub.bindings()):
        if binding.feed == feed and echo in {None, binding.echo}:
            met += _send_change(binding, change)
    return met


def _send_change(binding: Binding, change: Callable[[Sight], list[Any]]) -> bool:
    view = binding.view
    if view is None or not view.sight.bids:
        return False
    data = [[change(view.sight)], []]
    binding.line.emit(Message(binding.feed, binding.echo, "M", data), binding)
    return True


def _existing(sight: Sight) -> list[Any]:
    price, size = sight.bids[0]
    return ["+", price, size]


def _missing(action: str, sight: Sight) -> list[Any]:
    known = {price for price, _ in sight.bids}
    price = sight.bids[0][0] - 1
    while price in known:
        price -= 1
    return [action, price, 1]


COMMANDS: Final = (
    mute_feed,
    drop_update,
    double_message,
    garble,
    extra_elements,
    big_number,
    inject,
    duplicate_level,
    unknown_level,
    refuse_bind,
    ignore_bind,
)
