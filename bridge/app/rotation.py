"""Takes up secrets that change while the worker runs: no restart, and no hole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from bridge.app.logins import AccountLogin
from bridge.app.parts import Parts
from bridge.app.shares import Shares
from bridge.config import Settings
from bridge.flow.feed import Feed
from bridge.flow.rotation import Watch

ORDERS, KAFKA = "{}/orders", "kafka"


class Renewable(Protocol):
    """Something that uses a secret."""

    def look(self) -> bytes:
        """Return a digest of the secret as it is now; see `flow.rotation.Look`."""

    async def renew(self) -> None:
        """Take the secret up, or raise BridgeError and go on with the old one."""


def watch(
    parts: Parts,
    shares: Shares,
    desks: list[Feed],
    others: Mapping[str, Renewable] | None = None,
) -> Watch:
    """Return the watch over all accounts and `others`; nothing is looked at yet."""
    renewables = {**_accounts(parts, shares, desks), **(others or {})}
    looks = {name: one.look for name, one in renewables.items()}

    async def renew(name: str) -> None:
        await renewables[name].renew()

    tallies = parts.ledger.tallies
    return Watch(looks, renew, parts.clock, parts.log, tallies, parts.chance)


def names(settings: Settings) -> Iterator[str]:
    """Yield every part that may be renewed, for the metric."""
    yield from (source.name for source in settings.sources())
    yield from (ORDERS.format(source.name) for source in settings.order_sources())
    yield KAFKA


def _accounts(parts: Parts, shares: Shares, desks: list[Feed]) -> dict[str, Renewable]:
    """Return every account's feeds and, apart from them, its order connection.

    An order connection may wait long for its moment; no feed waits with it.
    """
    found: dict[str, Renewable] = {}
    for source in parts.settings.sources():
        found[source.name] = AccountLogin(
            source, parts.logins, parts.clock, lambda: shares.fleet.feeds
        )
    for source in parts.settings.order_sources():
        found[ORDERS.format(source.name)] = AccountLogin(
            source, parts.logins, parts.clock, lambda: desks
        )
    return found
