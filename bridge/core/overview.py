"""Which subscriptions run, where and since when, put together from records alone.

Three things are laid side by side: what is wanted, the last boundary of each
subscription, and the newest records of the data topics. A worker that was killed leaves
its last boundary behind, LIVE perhaps; so a subscription counts as live only while its
records come as often as they should.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from bridge.core.model import Plan
from bridge.core.overview_values import (
    Crew,
    Key,
    Known,
    Overview,
    Row,
    Sight,
    Spot,
    Tails,
    Verdict,
    Wanted,
    headline,
)

__all__ = [
    "Crew",
    "Key",
    "Known",
    "Overview",
    "Row",
    "Sight",
    "Spot",
    "Tails",
    "Verdict",
    "Wanted",
    "connected_ms",
    "headline",
    "known_of",
    "overview",
    "wanted_of",
]

UUID_TIME = 7  # the version of UUID that begins with its time
MARGIN_S = 5.0  # clocks differ, and to ask again after silence takes a moment
REFRESHES = 1.5  # a book is silent after one and a half times of its refresh


def wanted_of(plans: Iterable[Plan], refresh_s: float) -> Wanted:
    """Return what connections shall carry, and how often records must come.

    A book is written anew every `refresh_s`, even where the venue says nothing.
    """
    silence_s: dict[Key, float | None] = {}
    names: set[str] = set()
    for plan in plans:
        names |= {_kind(one.name) for one in plan.subscriptions}
        for binding in plan.bindings:
            limit_s = _limit_s(binding.stale_after_ms)
            for channel in binding.channels:
                one = plan.subscriptions[channel]
                book = one.stream.split(".")[1:2] == ["book"]
                key = (one.source, one.name)
                silence_s[key] = _book_s(limit_s, refresh_s) if book else limit_s
    companions = names - {_kind(name) for _, name in silence_s}
    return Wanted(silence_s, frozenset(companions))


def _kind(name: str) -> str:
    return name.partition(":")[0]


def _limit_s(stale_after_ms: int | None) -> float | None:
    return None if stale_after_ms is None else stale_after_ms / 1000 + MARGIN_S


def _book_s(limit_s: float | None, refresh_s: float) -> float:
    refreshed_s = refresh_s * REFRESHES + MARGIN_S
    return refreshed_s if limit_s is None else min(limit_s, refreshed_s)


def known_of(record: Mapping[str, Any]) -> Known:
    """Return a record of the feed-state topic as a value."""
    boundary = record["boundary"]
    return Known(
        source=record["source"],
        subscription=record["subscription"],
        connection=record["connection"],
        worker=record["worker"],
        topic=record["topic"],
        partition=record["partition"],
        since_ms=record["since"] // 1000,
        state=boundary["state"],
        reason=boundary["reason"],
        detail=boundary["detail"],
    )


def connected_ms(connection: str) -> int | None:
    """Return when a connection was opened, from its UUIDv7; None if it is none."""
    try:
        found = UUID(connection)
    except ValueError:
        return None
    return found.int >> 80 if found.version == UUID_TIME else None


def overview(
    wanted: Wanted, known: Iterable[Known], tails: Tails, now_ms: int
) -> Overview:
    """Put everything together; where no settings say, all that has run is wanted.

    What has ended and is not wanted is left out.
    """
    states = {one.key: one for one in known}
    rows = [
        _row(states.get(key), key, wanted, tails, now_ms)
        for key in sorted(states.keys() | wanted.silence_s.keys())
    ]
    kept = [r for r in rows if r.wanted or r.verdict is not Verdict.NOT_RUNNING]
    names = sorted({row.worker for row in kept})
    crews = [_crew(name, [r for r in kept if r.worker == name]) for name in names]
    return Overview(
        at_ms=now_ms,
        wanted=sum(row.wanted for row in kept),
        wrong=sum(row.wrong for crew in crews for row in crew.rows),
        unwanted=sum(not row.wanted and not row.companion for row in kept),
        unreadable=tails.unreadable,
        workers=crews,
    )


def _row(
    known: Known | None, key: Key, wanted: Wanted, tails: Tails, now_ms: int
) -> Row:
    source, name = key
    asked = key in wanted.silence_s if wanted.silence_s else True
    if known is None:
        return Row(
            source=source,
            subscription=name,
            verdict=Verdict.NEVER_RUN,
            wanted=asked,
        )
    sight = tails.sights.get(key, Sight())
    known = _newest(known, sight)
    age_s = _age_s(sight.data_ms, now_ms)
    older_s = None
    if age_s is None:
        older_s = tails.covered_s.get((known.topic, known.partition))
    silent_s = age_s if age_s is not None else older_s
    limit_s = wanted.silence_s.get(key)
    return Row(
        source=source,
        subscription=name,
        verdict=_verdict(known.state, silent_s, limit_s),
        wanted=asked,
        companion=not asked and _kind(name) in wanted.companions,
        worker=known.worker,
        state=known.state,
        reason=known.reason,
        detail=known.detail,
        since_s=_age_s(known.since_ms, now_ms),
        connection=known.connection,
        connected_s=_age_s(connected_ms(known.connection), now_ms),
        topic=known.topic,
        partition=known.partition,
        data_age_s=age_s,
        data_older_than_s=older_s,
        silence_limit_s=limit_s,
    )


def _newest(known: Known, sight: Sight) -> Known:
    """Take the data topic's word where it shows a newer connection."""
    if sight.connection <= known.connection:
        return known
    told = sight.boundary or ("UNKNOWN", "", "", connected_ms(sight.connection) or 0)
    state, reason, detail, since_ms = told
    return msgspec.structs.replace(
        known,
        connection=sight.connection,
        worker="?",
        state=state,
        reason=reason,
        detail=detail,
        since_ms=since_ms,
    )


def _verdict(state: str, silent_s: float | None, limit_s: float | None) -> Verdict:
    if state == "ENDED":
        return Verdict.NOT_RUNNING
    if state != "LIVE":
        return Verdict.NOT_LIVE
    silent = limit_s is not None and silent_s is not None and silent_s >= limit_s
    return Verdict.SILENT if silent else Verdict.LIVE


def _age_s(at_ms: int | None, now_ms: int) -> float | None:
    return None if at_ms is None else max(0, now_ms - at_ms) / 1000


def _crew(worker: str, rows: list[Row]) -> Crew:
    if _gone(rows):
        rows = [_silenced(row) for row in rows]
    live = sum(row.verdict is Verdict.LIVE for row in rows)
    ages = [row.data_age_s for row in rows if row.data_age_s is not None]
    return Crew(
        worker=worker,
        subscriptions=len(rows),
        live=live,
        not_live=len(rows) - live,
        oldest_data_s=max(ages, default=None),
        rows=rows,
    )


def _gone(rows: Iterable[Row]) -> bool:
    """Tell whether all that should come from a worker has stopped coming."""
    regular = [row for row in rows if row.state == "LIVE" and row.silence_limit_s]
    return bool(regular) and all(row.verdict is Verdict.SILENT for row in regular)


def _silenced(row: Row) -> Row:
    if row.verdict is not Verdict.LIVE:
        return row
    return msgspec.structs.replace(row, verdict=Verdict.SILENT)
