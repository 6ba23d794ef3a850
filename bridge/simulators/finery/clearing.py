"""Settlement: requests, transactions and the settlement orders they carry.

Source: reference page "Finery Markets API", sections 4.3, 4.7, 4.8, 5.7 and 8.
Sign and direction are not documented: amounts are sent as positive numbers, a request
is "incoming" for the one who asks for money and "outgoing" for the one who is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`asker` wants `amount` of `currency` from `payer`; 0 is the whole position."""

    id: int
    asker: int
    payer: int
    currency: str
    flags: int
    amount: int
    comment: str
    expires: int
    network: str
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A payment from `sender` to `receiver`, and the settlement order it carries.

    `order_id` serves as the transaction's id, too: which id the methods take as
    `transactionId` is not documented.
    """

    order_id: int
    sender: int
    receiver: int
    currency: str
    amount: int
    comment: str
    created: int
    network: str
    fee: int = 0
    tx_id: str = ""
    sent: int = 0
    flags: int = 0
    settled: int = 0
    deal_id: int = 0

    def other(self, account: int) -> int:
        """Return the counterparty as `account` sees it."""
        return self.receiver if account == self.sender else self.sender


T = TypeVar("T")


class Directed(NamedTuple, Generic[T]):
    """Two lists, as feeds R and N and their methods show them."""

    incoming: list[T]
    outgoing: list[T]


class Clearing:
    """What is being settled, and what was."""

    def __init__(self) -> None:
        """Start with nothing open."""
        self.requests: dict[int, Request] = {}
        self.transactions: dict[int, Transaction] = {}
        self.history: list[Transaction] = []

    def request_between(self, asker: int, payer: int, currency: str) -> Request | None:
        """Return the open request of that currency, if there is one."""
        wanted = (asker, payer, currency)
        for request in self.requests.values():
            if (request.asker, request.payer, request.currency) == wanted:
                return request
        return None

    def mark_sent(self, number: int, tx_id: str, fee: int | None, now: int) -> None:
        """Note the hash of the payment."""
        old = self.transactions[number]
        fee = old.fee if fee is None else fee
        self.transactions[number] = replace(old, tx_id=tx_id, sent=now, fee=fee)

    def commit(self, number: int, deal_id: int, now: int) -> Transaction:
        """Move a transaction to the history."""
        old = self.transactions.pop(number)
        done = replace(old, settled=now, deal_id=deal_id)
        self.history.append(done)
        return done

    def requests_of(self, account: int) -> Directed[Request]:
        """Return the open requests of `account`."""
        known = list(self.requests.values())
        return Directed(
            [r for r in known if r.asker == account],
            [r for r in known if r.payer == account],
        )

    def transactions_of(
        self, account: int, among: list[Transaction] | None = None
    ) -> Directed[Transaction]:
        """Return the transactions of `account`; the open ones unless told otherwise."""
        known = list(self.transactions.values()) if among is None else among
        return Directed(
            [t for t in known if t.receiver == account],
            [t for t in known if t.sender == account],
        )
