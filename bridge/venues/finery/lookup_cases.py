"""What every lookup starts from, how it asks, and how it words what it found."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from bridge.core.model import Reason
from bridge.core.order_ids import derived_id
from bridge.core.orders import Claim, Evidence, Finding, Outcome, Reply, Result
from bridge.venues.finery import lookup_records
from bridge.venues.finery.frames import read
from bridge.venues.finery.judging import CERTAIN
from bridge.venues.finery.lookup_records import Deal, Order
from bridge.venues.finery.values import Misread, array

T = TypeVar("T")
Ask: TypeAlias = tuple[str, Mapping[str, Any]]
Asking: TypeAlias = Generator[Ask, Reply, T]
Steps: TypeAlias = Asking[Finding]

# How far the venue's clock may be from ours at most; a login with a time further off
# would be refused (error 7; the tolerance is in no source, so this is generous).
SKEW_MS = 300_000
# Within this, two moments on the two clocks say nothing about which was first: a second
# for clocks that agree, and one for stamps in whole seconds, as all samples have them.
BLUR_MS = 2_000
# Source: Finery docs, dealHistory, limit: at most 250, the latest ones.
PAGE = 250

NOTHING = Finding(asked=True)


class Unanswered(Exception):
    """The venue answered a question of a lookup with an error, or with nothing."""


class Refused(Unanswered):
    """It said for certain that it does not answer this question."""


class Case(NamedTuple):
    """A claim to look up: what was to be sent, and not before when (Unix ms).

    `own` tells that the client order id was derived from the command, so that no other
    order can carry it.
    """

    method: str
    params: Mapping[str, Any]
    order_id: int
    start_ms: int
    own: bool

    @classmethod
    def of(cls, claim: Claim, now_ms: int) -> Case:
        """Read a claim; one from the future was written by a clock ahead of ours."""
        start_ms = claim.sent_ms or claim.claimed_ms
        return cls(
            method=claim.method,
            params=_params(claim.request),
            order_id=claim.order_id,
            start_ms=min(start_ms, now_ms),
            own=claim.order_id == derived_id(claim.key),
        )

    @property
    def since_ms(self) -> int:
        """Return from when on the venue's records can belong to the claim."""
        return max(0, self.start_ms - SKEW_MS)

    def number(self, name: str) -> int | None:
        """Return an integer parameter, None where there is none."""
        value = self.params.get(name)
        return value if type(value) is int else None

    def words(self, name: str) -> str | None:
        """Return a text parameter, None where there is none."""
        value = self.params.get(name)
        return value if isinstance(value, str) else None


def _params(request: str) -> Mapping[str, Any]:
    try:
        found = read(request.encode())
    except Misread:
        return {}
    return found if isinstance(found, dict) else {}


class Source(NamedTuple):
    """A read method; `for_client` ones take the `clientId` of the request.

    The layout of those that are not `documented` is assumed, and what cannot be read
    of them makes a lookup inconclusive.
    """

    method: str
    documented: bool = True
    for_client: bool = False

    def params(self, case: Case) -> dict[str, Any]:
        """Return the parameters that the case gives it."""
        client = case.params.get("clientId")
        return {"clientId": client} if self.for_client and client is not None else {}


# Source: Finery docs, positions, dealHistory; the others are in the list of pages.
POSITIONS = Source("positions")
HISTORY = Source("dealHistory")
PENDING = Source("pending/orders", documented=False)
CLIENT_PENDING = Source("pending/authorized/orders", False, for_client=True)
CLIENT_HISTORY = Source("authorized/dealHistory", False, for_client=True)


def ask(method: str, params: Mapping[str, Any]) -> Asking[object]:
    """Ask one question and return the answer's JSON.

    Raises:
        Unanswered: the venue answered with an error, or with nothing.
        Refused: asking again would be of no use.
        Misread: the answer is no JSON.
    """
    reply = yield method, params
    if reply.error in CERTAIN:
        raise Refused
    if reply.error or not reply.result:
        raise Unanswered
    return read(reply.result.encode())


def active_orders(source: Source, case: Case) -> Asking[list[Order] | None]:
    """Ask for active orders; None where an undocumented list is not to be had."""
    if source.documented:
        value = yield from ask(source.method, source.params(case))
        # Source: Finery docs, positions: element 2 holds the active orders.
        return lookup_records.orders(array(value, 3)[2])
    try:
        value = yield from ask(source.method, source.params(case))
    except (Refused, Misread):
        return None
    return lookup_records.scattered(value)


def past_deals(source: Source, case: Case) -> Asking[list[Deal] | None]:
    """Ask for all deals since the claim, the oldest first; None as above."""
    try:
        return (yield from _pages(source, case))
    except (Refused, Misread):
        if source.documented:
            raise
        return None


def _pages(source: Source, case: Case) -> Asking[list[Deal]]:
    """Page back until nothing older comes; a short page may be a lower limit.

    A deal between two of one's own accounts comes twice, and the end of a page may part
    the two: so each page begins with the last deal of the one before.
    Source: Finery docs, dealHistory: `till` is exclusive, the latest deals come where
    there are more than the limit, in an order that is not documented.
    """
    found: dict[tuple[int, int], Deal] = {}
    params = {**source.params(case), "from": case.since_ms, "limit": PAGE}
    while True:
        value = yield from ask(source.method, params)
        page = {deal.key: deal for deal in lookup_records.deals(value)}
        _check_paging(page, params.get("till"))
        fresh = page.keys() - found.keys()
        found.update(page)
        if not fresh or _reaches_back(page.values(), case):
            return [found[key] for key in sorted(found)]
        params = {**params, "till": min(found)[0] + 1}


def _check_paging(page: Iterable[tuple[int, int]], till: int | None) -> None:
    if till is not None and any(number > till for number, _ in page):
        raise Misread(Reason.OUT_OF_RANGE, f"saw deals from {till} on")


def _reaches_back(deals: Iterable[Deal], case: Case) -> bool:
    return any(deal.dealt_ms < case.since_ms for deal in deals)


def done(status: str, text: str, body: Mapping[str, Any]) -> Finding:
    """Return that it was carried out, as the venue's lists show."""
    return _found(Outcome.DONE, status, text, body)


def not_done(status: str, text: str, body: Mapping[str, Any]) -> Finding:
    """Return that the venue's lists are as if it had not been carried out."""
    return _found(Outcome.NO_TRACE, status, text, body)


def unsure(status: str, text: str, body: Mapping[str, Any]) -> Finding:
    """Return that the venue's lists do not tell, so that a person must look."""
    text = f"{text}: a person must look at the venue"
    return _found(Outcome.UNRESOLVED, status, text, body)


def inconclusive(what: str) -> Finding:
    """Return that nothing was found, in lists that may not show everything."""
    return unsure("NOT_CONCLUSIVE", f"nothing was found, but {what}", {})


def nothing_to_ask(case: Case) -> Steps:
    """Find that no list of the venue could tell."""
    text = f"no documented list of the venue can tell whether {case.method} was done"
    result = Result(
        outcome=Outcome.UNRESOLVED,
        code="NO_LOOKUP",
        text=f"{text}: a person must look at the venue",
        evidence=Evidence.LOCAL,
    )
    yield from ()
    return Finding(asked=True, result=result)


def _found(
    outcome: Outcome, status: str, text: str, body: Mapping[str, Any]
) -> Finding:
    result = Result(
        outcome=outcome,
        code=status,
        text=text,
        evidence=Evidence.RECONCILED,
        body=msgspec.json.encode(body).decode() if body else "",
    )
    return Finding(asked=True, result=result)


def listed(deals: Sequence[Deal]) -> list[Mapping[str, int]]:
    """Return deals as the reply of `add` words them."""
    return [deal.shown() for deal in deals]
