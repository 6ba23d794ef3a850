"""What an overview is made of, and what it says: values alone."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

SHOWN = 5  # subscriptions that the headline names

Key = tuple[str, str]  # source, subscription
Spot = tuple[str, int]  # topic, partition


class Verdict(StrEnum):
    """What is to be said of a subscription in one word."""

    LIVE = "live"
    NOT_LIVE = "not live"
    SILENT = "silent"
    NOT_RUNNING = "not running"
    NEVER_RUN = "never run"


class Wanted(NamedTuple):
    """What the settings want: for each key how long it may be silent, None for ever.

    `companions` begin the names of what comes along with a connection and goes with it.
    """

    silence_s: Mapping[Key, float | None]
    companions: frozenset[str]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The last boundary of a subscription, as the topic of feed states has it."""

    source: str
    subscription: str
    connection: str
    worker: str
    topic: str
    partition: int
    since_ms: int
    state: str
    reason: str
    detail: str = ""

    @property
    def key(self) -> Key:
        """Return source and subscription."""
        return self.source, self.subscription


class Sight(msgspec.Struct, kw_only=True):
    """What the end of a data topic shows of a subscription.

    `data_ms` is the time of the newest record that is no boundary, `boundary` the last
    one of the newest connection: state, reason, detail, time.
    """

    connection: str = ""
    data_ms: int | None = None
    boundary: tuple[str, str, str, int] | None = None


class Tails(NamedTuple):
    """What was seen at the ends of the data topics, and how far back each was read.

    `unreadable` counts the records there that are no feed records of ours.
    """

    sights: Mapping[Key, Sight]
    covered_s: Mapping[Spot, float]
    unreadable: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription; ages in s, None where they are not known.

    A companion comes along with a connection and is not asked for by itself.
    `data_older_than_s` is how far back there is no data, where none was found, and
    `silence_limit_s` how old it may be; None where silence is normal.
    """

    source: str
    subscription: str
    verdict: Verdict
    wanted: bool
    companion: bool = False
    worker: str = ""
    state: str = ""
    reason: str = ""
    detail: str = ""
    since_s: float | None = None
    connection: str = ""
    connected_s: float | None = None
    topic: str = ""
    partition: int | None = None
    data_age_s: float | None = None
    data_older_than_s: float | None = None
    silence_limit_s: float | None = None

    @property
    def wrong(self) -> bool:
        """Tell whether it is wanted and cannot be trusted now."""
        return self.wanted and self.verdict is not Verdict.LIVE


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """One worker, and how its subscriptions are; "" is nobody."""

    worker: str
    subscriptions: int
    live: int
    not_live: int
    oldest_data_s: float | None
    rows: list[Row]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one moment, `at_ms` in Unix ms."""

    at_ms: int
    wanted: int
    wrong: int
    unwanted: int
    unreadable: int
    workers: list[Crew]

    @property
    def rows(self) -> list[Row]:
        """Return every subscription."""
        return [row for worker in self.workers for row in worker.rows]

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {"headline": headline(self), **plain}


def headline(found: Overview) -> str:
    """Say at once what is wrong."""
    wrong = [row for row in found.rows if row.wrong]
    told = f"all {found.wanted} live" if found.wanted else "nothing is wanted"
    if wrong:
        named = [f"{r.source}/{r.subscription} {_why(r)}" for r in wrong[:SHOWN]]
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        listed = ", ".join([*named, *more])
        told = f"{len(wrong)} of {found.wanted} not live: {listed}"
    if found.unwanted:
        told += f"; {found.unwanted} not wanted and not ended"
    if found.unreadable:
        told += f"; {found.unreadable} unreadable records, see `feedbridge verify`"
    return told


def _why(row: Row) -> str:
    if row.verdict is not Verdict.NOT_LIVE:
        return row.verdict
    return f"{row.state} {row.reason}".strip()
