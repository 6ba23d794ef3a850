"""From the wanted subscriptions to connections, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.core.model import Binding, Plan, Subscription
from bridge.venues.base import (
    Context,
    Credentials,
    OrderVenue,
    Session,
    Source,
    Stream,
    Wanted,
)
from bridge.venues.finery.feeds import FEEDS
from bridge.venues.finery.frames import canonical
from bridge.venues.finery.orders import ORDERS
from bridge.venues.finery.session import FinerySession, status_subscription
from bridge.venues.finery.streams import BINDS, STREAMS

BOOKS_PER_CONNECTION = 50
LONG_MAX = 2**63 - 1
ID_MAX = 2**32 - 1  # client ids are uint32; source: Finery docs, data types


def _whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


_SOURCE_OPTIONS: Mapping[str, tuple[str, Any]] = {
    "login": ("header or inband", lambda v: v in {"header", "inband"}),
    "json_ping": ("true or false", lambda v: isinstance(v, bool)),
    "books_per_connection": ("1 or more", lambda v: _whole(v, 1, LONG_MAX)),
    "crossed_seconds": ("a number above 0", _positive),
}
_OPTIONS: Mapping[str, tuple[str, Any]] = {
    "client_id": ("an id from 0 to 2^32-1", lambda v: _whole(v, 0, ID_MAX)),
    "instrument_id": ("an id from 0 to 2^63-1", lambda v: _whole(v, 0, LONG_MAX)),
    "makers": (
        "a list of ids from 0 to 2^32-1, at least one",
        lambda v: (
            isinstance(v, (list, tuple))
            and bool(v)
            and all(_whole(m, 0, ID_MAX) for m in v)
        ),
    ),
}


class Finery:
    """Finery Markets, as the rest of the program sees it."""

    name = "finery"
    streams: Mapping[str, Stream] = STREAMS
    orders: OrderVenue = ORDERS

    def problems(self, source: Source) -> Sequence[str]:
        """List what is wrong with the subscriptions, each with what to do."""
        found = list(_option_problems("options", source.options, _SOURCE_OPTIONS))
        for wanted in source.wanted:
            found += [f"{wanted.name}: {text}" for text in _problems(wanted)]
        if found:
            return found
        return [*found, *_collisions(source.wanted)]

    def plans(self, source: Source) -> Sequence[Plan]:
        """Put books on connections of their own, and all lists on `account`."""
        share = source.options.get("books_per_connection", BOOKS_PER_CONNECTION)
        books = [w for w in source.wanted if _is_book(w)]
        lists = [w for w in source.wanted if not _is_book(w)]
        groups = [books[at : at + share] for at in range(0, len(books), share)]
        named = {f"books-{n}": group for n, group in enumerate(groups, 1)}
        if lists:
            named["account"] = lists
        return [_plan(source, name, group) for name, group in named.items()]

    def as_of(self, plan: Plan, now_ms: int) -> Plan:  # noqa: ARG002 - base.Venue
        """Return the plan: the venue trades at all hours."""
        return plan

    def unusable(self, source: Source, credentials: Credentials) -> Sequence[str]:  # noqa: ARG002 - base.Venue
        """Return nothing: any key and secret can be signed with."""
        return []

    def open(self, plan: Plan, context: Context) -> Session:
        """Make the session of one connection attempt."""
        return FinerySession(plan, context)


def _is_book(wanted: Wanted) -> bool:
    return FEEDS[BINDS[wanted.stream].letter].book


def _plan(source: Source, name: str, group: Sequence[Wanted]) -> Plan:
    subscriptions: list[Subscription] = []
    bindings: list[Binding] = []
    for wanted in group:
        first = len(subscriptions)
        subscriptions += _subscriptions(source.name, wanted)
        channels = tuple(range(first, len(subscriptions)))
        bindings.append(_binding(wanted, channels))
    whole = name + source.part
    subscriptions.append(status_subscription(source.name, whole))
    return Plan(
        source=source.name,
        venue="finery",
        name=whole,
        subscriptions=tuple(subscriptions),
        bindings=tuple(bindings),
        url=source.url,
        options=source.options,
    )


def _subscriptions(source: str, wanted: Wanted) -> Iterator[Subscription]:
    """Yield a subscription for each stream that the binding feeds, named alike."""
    book = _is_book(wanted)
    for stream in FEEDS[BINDS[wanted.stream].letter].streams:
        name = _renamed(wanted, stream)
        yield Subscription(
            source=source,
            name=name,
            stream=f"finery.{stream}",
            key=wanted.feed_id if book else name,
            partition_key=wanted.feed_id if book else name,
            feed_id=wanted.feed_id,
            constants=(wanted.feed_id,) if book else (),
        )


def _renamed(wanted: Wanted, stream: str) -> str:
    return Wanted(stream=stream, feed_id=wanted.feed_id, label=wanted.label).name


def _binding(wanted: Wanted, channels: tuple[int, ...]) -> Binding:
    """Return what to ask; a silence limit of 0 means none."""
    request: dict[str, Any] = {"feed": BINDS[wanted.stream].letter}
    feed_id = _feed_id(wanted)
    if feed_id is not None:
        request["feedId"] = feed_id
    default = STREAMS[wanted.stream].stale_after_ms
    stale = default if wanted.stale_after_ms is None else wanted.stale_after_ms
    return Binding(
        name=wanted.name,
        request=request,
        channels=channels,
        stale_after_ms=stale or None,
    )


def _feed_id(wanted: Wanted) -> str | int | dict[str, Any] | None:
    """Return the id as the venue takes it: a name, a number, an object, or none."""
    options = wanted.options
    if "instrument_id" in options:
        return int(options["instrument_id"])
    if BINDS[wanted.stream].by_object or "client_id" in options:
        asked: dict[str, Any] = {"instrument": wanted.feed_id}
        if "makers" in options:
            asked["makers"] = list(options["makers"])
        if "client_id" in options:
            asked["clientId"] = options["client_id"]
        return asked
    if _is_number(wanted.feed_id):
        return int(wanted.feed_id)
    return wanted.feed_id or None


def _is_number(feed_id: str) -> bool:
    """Tell a numeric id from a name; a name is never all digits."""
    return feed_id.isascii() and feed_id.isdigit()


def _problems(wanted: Wanted) -> Iterator[str]:
    bind = BINDS.get(wanted.stream)
    if bind is None:
        yield _unknown(wanted.stream)
        return
    yield from _id_problems(wanted)
    allowed = {name: _OPTIONS[name] for name in bind.options}
    yield from _option_problems("options", wanted.options, allowed)
    if {"client_id", "instrument_id"} <= set(wanted.options):
        yield "client_id and instrument_id exclude each other: drop instrument_id"
    if wanted.stale_after_ms is not None and wanted.stale_after_ms < 0:
        yield f"stale_after_ms is {wanted.stale_after_ms}: give 0 for never, or more"


def _unknown(stream: str) -> str:
    known = ", ".join(sorted(BINDS))
    if stream not in STREAMS:
        return f"unknown stream {stream!r}: choose one of {known}"
    parents = sorted(
        name for name, bind in BINDS.items() if stream in FEEDS[bind.letter].streams
    )
    if not parents:
        return f"{stream} comes with every connection: drop it"
    return f"{stream} comes along with {' or '.join(parents)}: subscribe to that"


def _id_problems(wanted: Wanted) -> Iterator[str]:
    feed_id = wanted.feed_id
    if not feed_id:
        if BINDS[wanted.stream].needs_id or "instrument_id" in wanted.options:
            yield f"names no instrument: write {wanted.stream}:BTC-USD"
    elif not STREAMS[wanted.stream].takes:
        yield f"takes nothing behind the colon: write {wanted.stream}"
    elif any(c.isspace() or not c.isprintable() for c in feed_id):
        yield f"{feed_id!r} has a blank or unprintable character: remove it"
    elif _is_number(feed_id):
        yield from _number_problems(wanted)


def _number_problems(wanted: Wanted) -> Iterator[str]:
    number = wanted.feed_id[:40]
    if number != wanted.feed_id or int(number) > LONG_MAX:
        yield f"{number} is beyond 64 bits: check the id"
    elif BINDS[wanted.stream].by_object or "client_id" in wanted.options:
        yield f"{number} is a number: give the instrument's name"


def _option_problems(
    where: str, options: Mapping[str, Any], allowed: Mapping[str, tuple[str, Any]]
) -> Iterator[str]:
    for name, value in options.items():
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            yield f"{where}.{name} is not known here: drop it (known: {known})"
        elif not allowed[name][1](value):
            yield f"{where}.{name} is {value!r}: give {allowed[name][0]}"


def _collisions(wanted: Sequence[Wanted]) -> list[str]:
    """Find names taken twice, and messages that could belong to two bindings."""
    names: Counter[str] = Counter()
    echoes: dict[tuple[str, bytes], list[str]] = {}
    for one in wanted:
        feed = FEEDS[BINDS[one.stream].letter]
        names.update(_renamed(one, stream) for stream in feed.streams)
        for echo in _echoes(one):
            echoes.setdefault(echo, []).append(one.name)
    twice = [
        f"{name}: subscribed {count} times (combined feeds orders, deals, positions "
        "and settlement-orders): drop all but one, or give them labels"
        for name, count in names.items()
        if count > 1
    ]
    shared = [
        f"{' and '.join(several)} bind the same at the venue: drop all but one"
        for several in {tuple(found): None for found in echoes.values()}
        if len(several) > 1 and len(set(several)) > 1
    ]
    return twice + shared


def _echoes(wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    letter = BINDS[wanted.stream].letter
    feed_id = _feed_id(wanted)
    yield letter, canonical(0 if feed_id is None else feed_id)
    for brought in FEEDS[letter].brings:
        yield brought, canonical(0)


VENUE = Finery()
