"""What lookups read: orders, deals and limits, by the few elements that they need.

Records have gained elements over time, so only those that are needed must be there.
Source: Finery docs, feed O (orders and deals), positions, dealHistory, climits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.core.model import Reason
from bridge.venues.finery.values import Misread, array, at, shown, text

# Source: Finery docs, data types, order types; 7 may mean a liquidation trade as well,
# which is never active.
PENDING_KIND = 7


class Order(NamedTuple):
    """An order as the venue shows it; amounts are volumes where `by_volume`."""

    instrument: str
    kind: int
    side: int
    number: int
    client_id: int
    initial: int
    left: int
    created_ms: int
    by_volume: bool


class Deal(NamedTuple):
    """A deal and its order, with what was left of it after the deal."""

    order: Order
    dealt_ms: int
    number: int
    price: int
    size: int
    volume: int
    delta: int
    counterparty: int

    @property
    def key(self) -> tuple[int, int]:
        """Return what is unique: both sides of a deal carry its number."""
        return self.number, self.order.number

    def shown(self) -> Mapping[str, int]:
        """Return the deal as the reply of `add` words it."""
        return {
            "id": self.number,
            "price": self.price,
            "size": self.size,
            "volume": self.volume,
            "delta": self.delta,
            "counterpartyId": self.counterparty,
        }


class Limit(NamedTuple):
    """The account's own limit towards a counterparty; amounts may be missing."""

    counterparty: int
    currency: str
    gross: int
    more: Mapping[str, object]


def orders(value: object) -> list[Order]:
    """Read an array of orders.

    Raises:
        Misread: it is none.
    """
    return [_order(row, 10) for row in array(value)]


def deals(value: object) -> list[Deal]:
    """Read an array of deals.

    Raises:
        Misread: it is none.
    """
    return [_deal(row) for row in array(value)]


def limits(value: object) -> list[Limit]:
    """Read an array of counterparty limits of any era; those not set are left out.

    Raises:
        Misread: it is none.
    """
    found = [_limit(row) for row in array(value)]
    return [limit for limit in found if limit is not None]


def scattered(value: object) -> list[Order] | None:
    """Find orders in a value of unknown form; None unless all of it was understood.

    The layout of `pending/orders` is in no source: feed O's is assumed, at any depth,
    and an empty array means that there are none.
    """
    try:
        return list(_orders_in(value))
    except Misread:
        return None


def _orders_in(value: object) -> Iterator[Order]:
    rows = array(value)
    if rows and isinstance(rows[0], str):
        yield _order(rows, 10)
        return
    for row in rows:
        yield from _orders_in(row)


def _order(row: object, by_volume: int) -> Order:
    row = array(row)
    return Order(
        instrument=at(row, 0, text),
        kind=at(row, 1, _whole),
        side=at(row, 2, _whole),
        number=at(row, 4, _whole),
        client_id=at(row, 5, _whole),
        initial=at(row, 7, _whole),
        left=at(row, 8, _whole),
        created_ms=at(row, 9, _whole),
        by_volume=row[by_volume : by_volume + 1] in ([1], [True]),
    )


def _deal(row: object) -> Deal:
    row = array(row)
    return Deal(
        order=_order(row, 18),
        dealt_ms=at(row, 10, _whole),
        number=at(row, 11, _whole),
        price=at(row, 13, _whole),
        size=at(row, 14, _whole),
        volume=at(row, 15, _whole),
        delta=at(row, 16, _whole),
        counterparty=at(row, 17, _whole),
    )


_MARGINS = ("maintenanceMargin", "restrictedTrading", "initialMargin")
_MIDDLE_LENGTH = 12


def _limit(row: object) -> Limit | None:
    if isinstance(row, dict):
        return _limit_object(row)
    row = array(row, 8)
    if len(row) < _MIDDLE_LENGTH:
        return _limit_row(row, (6, 0, 2), {"netLimit": 1, "takerMarkup": 7})
    margins = {name: 6 + place for place, name in enumerate(_MARGINS)}
    return _limit_row(row, (0, 1, 2), {**margins, "takerMarkup": 10})


def _limit_object(row: Mapping[str, Any]) -> Limit | None:
    own = row.get("ownLimit")
    counterparty = _whole(row.get("counterpartyId"))
    if own is None:
        return None
    if not isinstance(own, dict):
        raise Misread(Reason.WRONG_TYPE, f"saw {shown(own)}, expected an object")
    more = {name: own[name] for name in _MARGINS if name in own}
    return Limit(
        counterparty, text(own.get("asset")), _whole(own.get("grossLimit")), more
    )


def _limit_row(
    row: Sequence[Any], places: tuple[int, int, int], more: Mapping[str, int]
) -> Limit | None:
    """Read a positional limit; without one of its own its amount is 0."""
    gross = at(row, places[2], _whole)
    if not gross:
        return None
    return Limit(
        counterparty=at(row, places[0], _whole),
        currency=at(row, places[1], text),
        gross=gross,
        more={name: row[place] for name, place in more.items()},
    )


def _whole(value: object) -> int:
    """Return an integer of any size: foreign records may hold any client id."""
    if type(value) is not int:
        raise Misread(Reason.WRONG_TYPE, f"saw {shown(value)}, expected an integer")
    return value
