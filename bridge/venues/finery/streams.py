"""What can be subscribed to at Finery Markets, and which feed letter it is there."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bridge.venues.base import Stream

BOOKS_STALE_AFTER_MS = 120_000
# A list speaks when its account trades, a book with every change of its market; the
# venue names no rate. Twice what the simulator sends by default; our choice.
BOOK_WEIGHT = 10

_BOOK = "Full book first, then every change in the venue's order, and the book again."
_LIST = "Every entity in a framed snapshot, then every change in the venue's order."


def _book(name: str) -> Stream:
    return Stream(
        name=name,
        schema="finery.Book",
        takes="instrument",
        key="instrument",
        guarantee=_BOOK,
        stale_after_ms=BOOKS_STALE_AFTER_MS,
        weight=BOOK_WEIGHT,
    )


def _list(
    name: str, schema: str, key: str, takes: str = "", *, bindable: bool = True
) -> Stream:
    return Stream(
        name=name,
        schema=f"finery.{schema}",
        takes=takes,
        key=key,
        guarantee=_LIST,
        bindable=bindable,
    )


_ALL = (
    _book("book.tradable"),
    _book("book.global"),
    _book("book.viewonly"),
    _list("instruments", "Instrument", "instrument name"),
    _list("currencies", "Currency", "currency name", bindable=False),
    _list("orders", "Order", "order id", "instrument"),
    Stream(
        name="deals",
        schema="finery.Deal",
        takes="instrument",
        key="order id",
        guarantee="Every deal while connected; none is repeated after a gap.",
        bindable=False,
    ),
    _list("positions", "Position", "currency/counterparty id", "currency"),
    _list("settlement-orders", "SettlementOrder", "settlement order id", "currency"),
    _list("settlement-requests", "SettlementRequest", "request id"),
    _list("settlement-transactions", "SettlementTransaction", "settlement order id"),
    _list("counterparty-limits", "CounterpartyLimit", "counterparty id"),
    _list("global-limits", "GlobalLimit", "currency"),
    _list("mutual-limits", "MutualLimit", "counterparty id"),
    Stream(
        name="combined",
        schema="",
        takes="",
        key="that of orders, deals, positions and settlement-orders, which it feeds",
        guarantee="Obsolete at the venue; positions come only with the snapshot.",
    ),
    Stream(
        name="status",
        schema="finery.Status",
        takes="",
        key="source",
        guarantee="Every status message; one such subscription a connection.",
        bindable=False,
    ),
)

STREAMS: Mapping[str, Stream] = {stream.name: stream for stream in _ALL}


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream is bound: its letter, whether an id is a must, and its options."""

    letter: str
    needs_id: bool = False
    by_object: bool = False
    options: frozenset[str] = frozenset()


# Source: Finery docs, overview of all feed letters; feedId forms on each feed's page.
BINDS: Mapping[str, Bind] = {
    "book.tradable": Bind(
        letter="F", needs_id=True, options=frozenset({"client_id", "instrument_id"})
    ),
    "book.global": Bind(
        letter="B", needs_id=True, options=frozenset({"instrument_id"})
    ),
    "book.viewonly": Bind(
        letter="MD",
        needs_id=True,
        by_object=True,
        options=frozenset({"client_id", "makers"}),
    ),
    "instruments": Bind(letter="I"),
    "orders": Bind(letter="O", options=frozenset({"instrument_id"})),
    "positions": Bind(letter="K"),
    "settlement-orders": Bind(letter="S"),
    "settlement-requests": Bind(letter="R"),
    "settlement-transactions": Bind(letter="N"),
    "counterparty-limits": Bind(letter="L"),
    "global-limits": Bind(letter="G"),
    "mutual-limits": Bind(letter="M"),
    "combined": Bind(letter="P"),
}
