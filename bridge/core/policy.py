"""What senders may do: policy, trading states, rate limit and breaker; all pure.

Clocks are arguments: `_ns` is one that never steps. A code is a name of
`core.refusals`; None means that nothing speaks against a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from bridge.core.orders import Kind, Lane, Trading

SECOND_NS = 1_000_000_000


class Limit(NamedTuple):
    """The largest single order in 10^-8; None where there is no limit."""

    size: int | None = None
    volume: int | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What senders on one command topic may do.

    `kinds` and `methods` are what may be asked: whole classes, and names. Empty
    `instruments` means all. What `limits` says of an instrument wins over `limit`.
    `reply_to` are further response topics that a sender may name.
    """

    accounts: frozenset[str]
    kinds: frozenset[Kind] = frozenset({Kind.READ})
    methods: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()
    limit: Limit = Limit()
    limits: Mapping[str, Limit] = {}
    orders_per_second: float = 100.0
    reply_to: frozenset[str] = frozenset()

    def allows(self, method: str, kind: Kind | None) -> bool:
        """Tell whether `method` may be asked; `kind` is None where it is not known."""
        return method in self.methods or (kind is not None and kind in self.kinds)

    def trades(self, method: str, instrument: str) -> bool:
        """Tell whether an order may touch `instrument`, which is empty if not named.

        An order that names none passes a restriction only by its method's name.
        """
        if not self.instruments or instrument in self.instruments:
            return True
        return not instrument and method in self.methods

    def limit_of(self, instrument: str) -> Limit:
        """Return the largest order of `instrument`; if empty, the least of all."""
        if not instrument:
            every = (self.limit, *self.limits.values())
            return Limit(_least(p.size for p in every), _least(p.volume for p in every))
        own = self.limits.get(instrument, Limit())
        size = self.limit.size if own.size is None else own.size
        volume = self.limit.volume if own.volume is None else own.volume
        return Limit(size, volume)


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


# What is refused in each state, by lane: the code. What is not listed may pass. A
# state that is unknown, not yet read or of a newer version, halts.
_REFUSED: Mapping[tuple[Trading, Lane], str] = {
    (Trading.REDUCING, Lane.NEW): "TRADING_REDUCING",
    (Trading.HALTED, Lane.NEW): "TRADING_HALTED",
    (Trading.UNKNOWN, Lane.NEW): "TRADING_STATE_UNKNOWN",
}
_HALTED_CANCELS: Mapping[Trading, str] = {
    Trading.HALTED: "TRADING_HALTED",
    Trading.UNKNOWN: "TRADING_STATE_UNKNOWN",
}


def refusal_in(
    state: Trading | None, lane: Lane, *, halt_cancels: bool = False
) -> str | None:
    """Return the code with which an account's state refuses a lane; None if it may.

    `state` is None until the control topic has been read. Queries always pass, and
    cancels, too, unless `halt_cancels` was said with the halt.
    """
    known = Trading.UNKNOWN if state is None else state
    if lane is Lane.CANCEL and halt_cancels:
        return _HALTED_CANCELS.get(known)
    return _REFUSED.get((known, lane))


class Rate:
    """Limits new orders of an account: so many a second, with one second's burst.

    Counts in whole nanoseconds, so nothing drifts: `_free_ns` is when the orders taken
    so far would be through at an even pace.
    """

    __slots__ = ("_free_ns", "_step_ns", "_tolerance_ns")

    def __init__(self, per_second: float) -> None:
        """Start with a whole second's worth; `per_second` is above 0."""
        self._step_ns = max(1, round(SECOND_NS / per_second))
        self._tolerance_ns = max(SECOND_NS, self._step_ns) - self._step_ns
        self._free_ns: int | None = None

    def take(self, now_ns: int) -> bool:
        """Take one order, or tell that it is too early and take nothing."""
        free = now_ns if self._free_ns is None else max(self._free_ns, now_ns)
        if free - now_ns > self._tolerance_ns:
            return False
        self._free_ns = free + self._step_ns
        return True


class Breaker:
    """Stops new orders of an account for a while after many rejections in a row.

    After the pause one more rejection stops them again; only success starts anew.
    """

    __slots__ = ("_limit", "_pause_ns", "_rejections", "_until_ns")

    def __init__(self, limit: int, pause_ns: int) -> None:
        """Trip after `limit` rejections in a row; 0 never trips."""
        self._limit = limit
        self._pause_ns = pause_ns
        self._rejections = 0
        self._until_ns: int | None = None

    def rejected(self, now_ns: int) -> None:
        """Count a rejection by the venue."""
        self._rejections += 1
        if self._limit and self._rejections >= self._limit:
            self._until_ns = now_ns + self._pause_ns

    def accepted(self) -> None:
        """Forget the rejections; orders that are stopped stay so until their time."""
        self._rejections = 0

    def closed(self, now_ns: int) -> bool:
        """Tell whether new orders may pass."""
        return self._until_ns is None or now_ns >= self._until_ns
