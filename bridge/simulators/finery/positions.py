"""Positions between each two clients, kept from both sides so that they sum to zero.

Source: reference page "Finery Markets API", sections 4.2 and 13 (10). Negative means
that the account owes its counterparty (an inference there).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Position(NamedTuple):
    """What one account has with one counterparty in one currency, in 1e-8.

    `most` and `least` bound it should the pending settlement orders be committed.
    """

    currency: str
    value: int
    counterparty: int
    most: int
    least: int


class Positions:
    """All positions; a change on one side is the opposite change on the other."""

    def __init__(self) -> None:
        """Start with none."""
        self._values: dict[tuple[int, int, str], int] = {}
        self._pending: dict[tuple[int, int, str], list[int]] = {}

    def move(self, account: int, counterparty: int, currency: str, amount: int) -> None:
        """Add `amount` to the account's side and take it off the counterparty's."""
        self._add((account, counterparty, currency), amount)
        self._add((counterparty, account, currency), -amount)

    def expect(
        self, account: int, counterparty: int, currency: str, amount: int
    ) -> None:
        """Note a pending settlement of `amount`, seen from both sides."""
        self._pending.setdefault((account, counterparty, currency), []).append(amount)
        self._pending.setdefault((counterparty, account, currency), []).append(-amount)

    def settle(
        self, account: int, counterparty: int, currency: str, amount: int
    ) -> None:
        """Forget a pending settlement noted by `expect`."""
        self._pending[account, counterparty, currency].remove(amount)
        self._pending[counterparty, account, currency].remove(-amount)

    def value(self, account: int, counterparty: int, currency: str) -> int:
        """Return the signed position."""
        return self._values.get((account, counterparty, currency), 0)

    def get(self, account: int, counterparty: int, currency: str) -> Position:
        """Return one position with its bounds."""
        value = self.value(account, counterparty, currency)
        pending = self._pending.get((account, counterparty, currency), [])
        most = value + sum(amount for amount in pending if amount > 0)
        least = value + sum(amount for amount in pending if amount < 0)
        return Position(currency, value, counterparty, most, least)

    def of(self, account: int) -> Iterator[Position]:
        """Yield the account's positions that are not zero, or soon will not be."""
        keys = dict.fromkeys([*self._values, *self._pending])
        for owner, counterparty, currency in keys:
            if owner == account and self.exists(owner, counterparty, currency):
                yield self.get(owner, counterparty, currency)

    def exists(self, account: int, counterparty: int, currency: str) -> bool:
        """Tell whether a position is shown: it is not zero, or something is pending."""
        key = (account, counterparty, currency)
        return bool(self._values.get(key) or self._pending.get(key))

    def with_counterparty(self, account: int, counterparty: int) -> dict[str, int]:
        """Return currency -> value between the two."""
        return {
            currency: value
            for (owner, other, currency), value in self._values.items()
            if (owner, other) == (account, counterparty)
        }

    def total(self, currency: str) -> int:
        """Return the sum of all positions in `currency`; it is always zero."""
        return sum(v for (_, _, name), v in self._values.items() if name == currency)

    def _add(self, key: tuple[int, int, str], amount: int) -> None:
        self._values[key] = self._values.get(key, 0) + amount
