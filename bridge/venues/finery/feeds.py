"""The table of the venue's feed letters: what each brings, and how it is read.

A feed letter never leaves this folder; outside there are streams.
Source: Finery docs, WebSocket API, one page a feed; overview of all feed letters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from bridge.core.model import Action
from bridge.venues.finery import layouts, limits
from bridge.venues.finery.values import Payload, array, unsigned

STATUS = "X"


class Item(NamedTuple):
    """One entity out of a message."""

    stream: str
    action: Action
    key: str
    payload: Payload


class Snapshot(NamedTuple):
    """All entities of a snapshot, and the venue's next id (0: none was given)."""

    items: list[Item]
    next_id: int = 0


class Entity(NamedTuple):
    """A kind of entity: its stream, how a row becomes a payload, and its key."""

    stream: str
    read: Callable[[object, str], Payload]
    key: Callable[[Payload], str]

    def items(self, rows: object, action: Action, where: str) -> list[Item]:
        """Return an item a row."""
        return [
            self.item(row, action, f"{where}[{index}]")
            for index, row in enumerate(array(rows, 0, where))
        ]

    def item(self, row: object, action: Action, where: str) -> Item:
        """Return one row's item."""
        payload = self.read(row, where)
        return Item(self.stream, action, self.key(payload), payload)


Reading = Callable[[object, Action], list[Item]]


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One feed letter.

    `streams` are the subscriptions that a bind feeds, `listed` those of them that a
    snapshot fills. `brings` are other letters under which its changes come, feed id 0.
    """

    streams: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()
    snapshot: Callable[[object], Snapshot] | None = None
    changes: Mapping[str, tuple[Action, Reading]] = {}
    book: bool = False


def _text(index: int) -> Callable[[Payload], str]:
    """Make a key of one payload field."""
    return lambda payload: str(payload[index])


def _position_key(payload: Payload) -> str:
    return f"{payload[0]}/{payload[2]}"


def _request_key(payload: Payload) -> str:
    """Return the request id; older servers send none, but only one such request."""
    if payload[8] is not None:
        return str(payload[8])
    direction = "OUTGOING" if payload[0] else "INCOMING"
    return f"{payload[1]}/{payload[2]}/{direction}"


_CURRENCY = Entity("currencies", layouts.CURRENCY.read, _text(0))
_INSTRUMENT = Entity("instruments", layouts.INSTRUMENT.read, _text(0))
_ORDER = Entity("orders", layouts.ORDER.read, _text(6))
_DEAL = Entity("deals", layouts.DEAL.read, _text(6))
_POSITION = Entity("positions", layouts.POSITION.read, _position_key)
_SETTLEMENT = Entity("settlement-orders", layouts.settlement_order, _text(0))
_SETTLED = Entity("settlement-orders", layouts.settlement_deal, _text(0))
_LIMIT = Entity("counterparty-limits", limits.counterparty_limit, _text(0))
_GLOBAL = Entity("global-limits", limits.GLOBAL_LIMIT.read, _text(0))
_MUTUAL = Entity("mutual-limits", limits.MUTUAL_LIMIT.read, _text(5))
_REQUESTS = tuple(
    Entity("settlement-requests", read, _request_key) for read in layouts.REQUESTS
)
# The transaction id is 0 before commitment, so the settlement order id is the key.
_TRANSACTIONS = tuple(
    Entity("settlement-transactions", read, _text(4)) for read in layouts.TRANSACTIONS
)


def _one(entity: Entity) -> Reading:
    """Make a reading of data that is one record."""
    return lambda data, action: [entity.item(data, action, "data")]


def _settled(entity: Entity) -> Reading:
    """Make a reading of one positional record (older) or of an array (newer)."""

    def read(data: object, action: Action) -> list[Item]:
        several = isinstance(data, list) and (not data or type(data[0]) in {dict, list})
        if several:
            return entity.items(data, action, "data")
        return [entity.item(data, action, "data")]

    return read


def _both_ways(entities: Sequence[Entity], first: int = 0) -> Reading:
    """Make a reading of an incoming and an outgoing list, from element `first` on."""

    def read(data: object, action: Action) -> list[Item]:
        sides = array(data, first + 2, "data")[first : first + 2]
        return [
            item
            for index, (entity, rows) in enumerate(zip(entities, sides, strict=True))
            for item in entity.items(rows, action, f"data[{first + index}]")
        ]

    return read


def _list(entity: Entity) -> Callable[[object], Snapshot]:
    """Make a snapshot reading of an array of records."""
    return lambda data: Snapshot(entity.items(data, Action.SNAPSHOT, "data"))


def _starts_with_number(data: object) -> bool:
    return isinstance(data, list) and bool(data) and type(data[0]) is int


def _instruments(data: object) -> Snapshot:
    currencies, instruments, *_ = array(data, 2, "data")
    return Snapshot(
        _CURRENCY.items(currencies, Action.SNAPSHOT, "data[0]")
        + _INSTRUMENT.items(instruments, Action.SNAPSHOT, "data[1]")
    )


def _positions(data: object) -> Snapshot:
    """Read a plain array (new era, and oldest clients), or one behind the next id."""
    if not _starts_with_number(data):
        return Snapshot(_POSITION.items(data, Action.SNAPSHOT, "data"))
    next_id, rows, *_ = array(data, 2, "data")
    return Snapshot(
        _POSITION.items(rows, Action.SNAPSHOT, "data[1]"), unsigned(next_id)
    )


def _combined(data: object) -> Snapshot:
    next_id, positions, orders, settlements, *_ = array(data, 4, "data")
    return Snapshot(
        _POSITION.items(positions, Action.SNAPSHOT, "data[1]")
        + _ORDER.items(orders, Action.SNAPSHOT, "data[2]")
        + _SETTLEMENT.items(settlements, Action.SNAPSHOT, "data[3]"),
        unsigned(next_id),
    )


def _requests(data: object) -> Snapshot:
    return Snapshot(_both_ways(_REQUESTS)(data, Action.SNAPSHOT))


def _transactions(data: object) -> Snapshot:
    """Read three elements, the first reserved or the next id; two are read as well."""
    if not _starts_with_number(data):
        return Snapshot(_both_ways(_TRANSACTIONS)(data, Action.SNAPSHOT))
    items = _both_ways(_TRANSACTIONS, 1)(data, Action.SNAPSHOT)
    return Snapshot(items, unsigned(array(data)[0]))


_ACTIONS = {
    "+": Action.ADD,
    "M": Action.MODIFY,
    "-": Action.REMOVE,
    "D": Action.EXECUTE,
}


def _changes(letters: str, reading: Reading) -> dict[str, tuple[Action, Reading]]:
    """Read each of these action letters the same way."""
    return {letter: (_ACTIONS[letter], reading) for letter in letters}


FEEDS: Mapping[str, Feed] = {
    "B": Feed(streams=("book.global",), book=True),
    "F": Feed(streams=("book.tradable",), book=True),
    "MD": Feed(streams=("book.viewonly",), book=True),
    "I": Feed(
        streams=("instruments", "currencies"),
        listed=("instruments", "currencies"),
        brings=("C",),
        snapshot=_instruments,
        changes=_changes("+M-", _one(_INSTRUMENT)),
    ),
    "C": Feed(changes=_changes("+M-", _one(_CURRENCY))),
    "O": Feed(
        streams=("orders", "deals"),
        listed=("orders",),
        snapshot=_list(_ORDER),
        changes=_changes("+-", _one(_ORDER)) | _changes("D", _one(_DEAL)),
    ),
    "K": Feed(
        streams=("positions",),
        listed=("positions",),
        snapshot=_positions,
        changes=_changes("+M-", _one(_POSITION)),
    ),
    "S": Feed(
        streams=("settlement-orders",),
        listed=("settlement-orders",),
        snapshot=_list(_SETTLEMENT),
        changes=_changes("+M-", _settled(_SETTLEMENT))
        | _changes("D", _settled(_SETTLED)),
    ),
    "P": Feed(
        streams=("orders", "deals", "positions", "settlement-orders"),
        listed=("orders", "positions", "settlement-orders"),
        brings=("O", "S"),
        snapshot=_combined,
    ),
    "L": Feed(
        streams=("counterparty-limits",),
        listed=("counterparty-limits",),
        snapshot=_list(_LIMIT),
        changes=_changes("+M-", _one(_LIMIT)),
    ),
    "R": Feed(
        streams=("settlement-requests",),
        listed=("settlement-requests",),
        snapshot=_requests,
        changes=_changes("+-", _both_ways(_REQUESTS)),
    ),
    "N": Feed(
        streams=("settlement-transactions",),
        listed=("settlement-transactions",),
        snapshot=_transactions,
        changes=_changes("+MD-", _both_ways(_TRANSACTIONS)),
    ),
    "G": Feed(
        streams=("global-limits",),
        listed=("global-limits",),
        snapshot=_list(_GLOBAL),
        changes=_changes("M", _one(_GLOBAL)),
    ),
    "M": Feed(
        streams=("mutual-limits",),
        listed=("mutual-limits",),
        snapshot=_list(_MUTUAL),
        changes=_changes("+M-", _one(_MUTUAL)),
    ),
}
