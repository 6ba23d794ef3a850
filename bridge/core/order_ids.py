"""Client order ids: derived where a sender gives none, and remembered for a while."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple

from bridge.core.orders import Key

LONG_MAX = 2**63 - 1


def derived_id(key: Key) -> int:
    """Return the client order id of a command that names none: 1 to 2^63-1.

    The same key gives the same id for ever: the first 8 bytes of BLAKE2b (digest size
    8) over topic, account and reqId as UTF-8, each behind its length as 4 bytes big
    endian; big endian, without the top bit; 0 becomes 1.
    """
    parts = [part.encode("utf-8", "surrogatepass") for part in key]
    told = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    number = int.from_bytes(blake2b(told, digest_size=8).digest(), "big")
    return number & LONG_MAX or 1


class _Owner(NamedTuple):
    key: Key
    until_ms: int


class OrderIds:
    """The client order ids used lately, by account; bounded in time and number.

    Call `add` for a command that will be sent, also for claims read from the log, and
    `drop` for one that was refused after all. Where ids come faster than `limit` in one
    window, the oldest are forgotten, and the venue's own check is all that is left.
    """

    __slots__ = ("_limit", "_owners", "_window_ms")

    def __init__(self, window_ms: int, limit: int = 1_000_000) -> None:
        """Remember an id for `window_ms`, and at most `limit` of them."""
        self._window_ms = window_ms
        self._limit = limit
        self._owners: OrderedDict[tuple[str, int], _Owner] = OrderedDict()

    def __len__(self) -> int:
        return len(self._owners)

    def owner(self, account: str, order_id: int, now_ms: int) -> Key | None:
        """Return the command that used the id within the window, if there is one."""
        found = self._owners.get((account, order_id))
        return found.key if found is not None and now_ms < found.until_ms else None

    def add(self, key: Key, order_id: int, now_ms: int) -> None:
        """Remember that the command `key` uses the id; its first owner keeps it."""
        self._forget(now_ms)
        place = key.account, order_id
        if order_id and self.owner(*place, now_ms) is None:
            self._owners[place] = _Owner(key, now_ms + self._window_ms)

    def drop(self, key: Key, order_id: int) -> None:
        """Forget the id, if it is the command's own."""
        found = self._owners.get((key.account, order_id))
        if found is not None and found.key == key:
            del self._owners[key.account, order_id]

    def _forget(self, now_ms: int) -> None:
        while self._owners:
            place, oldest = next(iter(self._owners.items()))
            if now_ms < oldest.until_ms and len(self._owners) < self._limit:
                return
            del self._owners[place]
