"""Counterparty limits of both sides, and the limits of the old era.

Source: reference page "Finery Markets API", sections 4.5, 4.6, 5.6 and 8.
How the venue computes utilization is not documented; here it is the sum of the
absolute positions at the currencies' USD valuation, in the limit's currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bridge.simulators.finery.catalogue import Catalogue


class Margins(NamedTuple):
    """Three percentages x 1e4."""

    maintenance: int
    restricted: int
    initial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What `owner` allows towards `counterparty`, in units of `currency`."""

    owner: int
    counterparty: int
    currency: str
    gross: int
    net: int = 0
    margins: Margins | None = None
    markup: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """An account's view of one counterparty: own and mutual limit, permissions."""

    counterparty: int
    own: Limit | None
    mutual: Limit | None
    own_enabled: bool
    mutual_enabled: bool
    own_used: int
    mutual_used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalLimit:
    """The old era's limit of one currency over all counterparties."""

    currency: str
    net: int
    gross: int
    net_used: int = 0
    gross_used: int = 0
    flags: int = 0


class Limits:
    """All limits and trading permissions between clients."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Start without limits: everything is allowed."""
        self._catalogue = catalogue
        self._limits: dict[tuple[int, int], Limit] = {}
        self._disabled: set[tuple[int, int]] = set()
        self.worldwide: dict[int, dict[str, GlobalLimit]] = {}

    def set(self, limit: Limit) -> bool:
        """Store `limit`, return whether it is a new one (one per counterparty, 8)."""
        key = (limit.owner, limit.counterparty)
        fresh = key not in self._limits
        self._limits[key] = limit
        return fresh

    def delete(self, owner: int, counterparty: int) -> bool:
        """Remove a limit; tell whether there was one."""
        return self._limits.pop((owner, counterparty), None) is not None

    def get(self, owner: int, counterparty: int) -> Limit | None:
        """Return what `owner` allows towards `counterparty`."""
        return self._limits.get((owner, counterparty))

    def enable(self, owner: int, counterparty: int, *, enabled: bool) -> None:
        """Switch trading between the two on or off, from the owner's side."""
        change = self._disabled.discard if enabled else self._disabled.add
        change((owner, counterparty))

    def may_trade(self, one: int, other: int) -> bool:
        """Tell whether neither of the two switched trading off."""
        return not {(one, other), (other, one)} & self._disabled

    def counterparties(self, account: int) -> Iterator[int]:
        """Yield whoever the account has a limit with, on either side."""
        own = [other for owner, other in self._limits if owner == account]
        mutual = [owner for owner, other in self._limits if other == account]
        yield from dict.fromkeys([*own, *mutual])

    def relation(
        self, account: int, counterparty: int, positions: Mapping[str, int]
    ) -> Relation:
        """Describe one counterparty; `positions` are the account's with it."""
        own = self.get(account, counterparty)
        mutual = self.get(counterparty, account)
        return Relation(
            counterparty=counterparty,
            own=own,
            mutual=mutual,
            own_enabled=(account, counterparty) not in self._disabled,
            mutual_enabled=(counterparty, account) not in self._disabled,
            own_used=self._used(own, positions),
            mutual_used=self._used(mutual, positions),
        )

    def allow(self, one: int, other: int, positions: Mapping[str, int]) -> bool:
        """Tell whether `positions` between the two keep the limits of both."""
        pair = (self.get(one, other), self.get(other, one))
        return all(
            limit is None or self._used(limit, positions) <= limit.gross
            for limit in pair
        )

    def _used(self, limit: Limit | None, positions: Mapping[str, int]) -> int:
        if limit is None:
            return 0
        known = self._catalogue.currencies
        usd = sum(abs(v) * known[name].valuation for name, v in positions.items())
        return usd // known[limit.currency].valuation
