"""What CF Benchmarks offers, what can be wrong with a wish, and who shares a socket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from bridge.core.model import Binding, Plan, Subscription
from bridge.venues.base import Source, Stream, Wanted
from bridge.venues.cfbenchmarks import frames
from bridge.venues.cfbenchmarks.auth import DEFAULT_LOGIN, LOGINS
from bridge.venues.cfbenchmarks.rhythm import (
    RHYTHMS,
    SILENT_MS,
    UNKNOWN,
    Rhythm,
    family,
)

NAME = "cfbenchmarks"
PER_CONNECTION = 100  # subscriptions on a socket; the venue names no limit, our choice
RESOLUTIONS = ("PER_SECOND",)  # the only word that public clients use
# Values a second of the indices that are published every 200 ms, too; all others have
# one a second or a day. Source: Kalshi's documentation of its relay of the 5 Hz series.
FAST = dict.fromkeys(
    ("BRTI", "ETHUSD_RTI", "SOLUSD_RTI", "XRPUSD_RTI", "DOGEUSD_RTI"), 5
)

_INDEX = re.compile(r"[A-Za-z0-9_.-]{1,64}")

STREAMS: Mapping[str, Stream] = {
    stream.name: stream
    for stream in (
        Stream(
            name="value",
            schema="cfbenchmarks.Value",
            takes="index",
            key="index id",
            guarantee="every value as sent, once a frame; repeats, amendments and late "
            "values are marked, missing seconds are listed",
            stale_after_ms=SILENT_MS,
            weights=FAST,
        ),
        Stream(
            name="rti-stats",
            schema="cfbenchmarks.RtiStats",
            takes="index",
            key="index id",
            guarantee="every set of statistics as sent, once a frame; the venue names "
            "no rhythm, so silence is noticed only if rhythm or stale_after_s is set",
        ),
    )
}
_VENUE_STREAMS = {"value": frames.VALUE, "rti-stats": frames.RTI_STATS}

_NOT_OFFERED = {
    "constituents": "is not offered, since the shape of its frames is not known; "
    "remove it",
}


def problems(source: Source) -> Sequence[str]:
    """List what is wrong with a source, each with what to do."""
    found = list(_source_problems(source))
    seen: set[tuple[str, str]] = set()
    for wanted in source.wanted:
        found += [f"{wanted.name}: {text}" for text in _wanted_problems(wanted)]
        if (wanted.stream, wanted.feed_id) in seen:
            found.append(
                f"{wanted.name}: is asked for twice, but frames name only the index; "
                "remove one, or use a second source"
            )
        seen.add((wanted.stream, wanted.feed_id))
    return found


def plans(source: Source) -> Sequence[Plan]:
    """Put up to 100 subscriptions on each connection, in the order of the settings."""
    wanted = source.wanted
    groups = [
        wanted[start : start + PER_CONNECTION]
        for start in range(0, len(wanted), PER_CONNECTION)
    ]
    return [
        _plan(source, f"rates-{n}{source.part}", group)
        for n, group in enumerate(groups, start=1)
    ]


def as_of(plan: Plan, now_ms: int) -> Plan:
    """Return a plan with the limits of silence of one moment: some keep hours."""
    bindings = tuple(_as_of(binding, now_ms) for binding in plan.bindings)
    return msgspec.structs.replace(plan, bindings=bindings)


def _as_of(binding: Binding, now_ms: int) -> Binding:
    rhythm, limit_ms = RHYTHMS[binding.request["rhythm"]], binding.request["limit_ms"]
    longest_ms = rhythm.longest_ms(limit_ms, now_ms)
    return msgspec.structs.replace(binding, stale_after_ms=longest_ms)


def _source_problems(source: Source) -> Iterator[str]:
    login = source.options.get("login", DEFAULT_LOGIN)
    if login not in LOGINS:
        yield f"login: {login!r} is not known; use {' or '.join(LOGINS)}"
    for name in sorted(set(source.options) - {"login"}):
        yield f"{name}: is not an option of a CF Benchmarks source; remove it"
    if not source.url.startswith(("wss://", "ws://")):
        yield f"url: {source.url!r} is no WebSocket address; begin it with wss://"


def _wanted_problems(wanted: Wanted) -> Iterator[str]:
    if wanted.stream not in STREAMS:
        known = " and ".join(STREAMS)
        unknown = f"{wanted.stream!r} is not a stream of CF Benchmarks; it has {known}"
        yield _NOT_OFFERED.get(wanted.stream, unknown)
        return
    if not _INDEX.fullmatch(wanted.feed_id):
        yield (
            f"{wanted.feed_id!r} is not an index id; write one behind the colon, "
            "such as BRTI"
        )
    for name, value in wanted.options.items():
        check = _OPTIONS.get(name)
        problem = check(wanted, value) if check else "is not an option; remove it"
        if problem:
            yield f"{name}: {problem}"


def _resolution_problem(wanted: Wanted, value: object) -> str | None:
    if wanted.stream != "value":
        return "is known for the value stream only; remove it"
    if value not in RESOLUTIONS:
        return f"{value!r} is not known; use {' or '.join(RESOLUTIONS)}"
    return None


def _rhythm_problem(_wanted: Wanted, value: object) -> str | None:
    if isinstance(value, str) and value in RHYTHMS:
        return None
    return f"{value!r} is not known; use one of {', '.join(RHYTHMS)}"


_OPTIONS: Mapping[str, Callable[[Wanted, object], str | None]] = {
    "max_resolution": _resolution_problem,
    "rhythm": _rhythm_problem,
}


def _plan(source: Source, name: str, group: Sequence[Wanted]) -> Plan:
    return Plan(
        source=source.name,
        venue=NAME,
        name=name,
        subscriptions=tuple(_subscription(source, wanted) for wanted in group),
        bindings=tuple(_binding(wanted, n) for n, wanted in enumerate(group)),
        url=source.url,
        options=source.options,
    )


def _subscription(source: Source, wanted: Wanted) -> Subscription:
    return Subscription(
        source=source.name,
        name=wanted.name,
        stream=f"{NAME}.{wanted.stream}",
        key=wanted.feed_id,
        partition_key=wanted.feed_id,
        feed_id=wanted.feed_id,
        constants=(wanted.feed_id,),
    )


def _binding(wanted: Wanted, channel: int) -> Binding:
    rhythm, limit_ms = _rhythm(wanted), wanted.stale_after_ms
    request = {
        "id": wanted.feed_id,
        "stream": _VENUE_STREAMS[wanted.stream],
        "rhythm": rhythm.name,
        "limit_ms": limit_ms,
        **{k: v for k, v in wanted.options.items() if k == "max_resolution"},
    }
    return Binding(
        name=wanted.name,
        request=request,
        channels=(channel,),
        stale_after_ms=rhythm.longest_ms(limit_ms),
    )


def _rhythm(wanted: Wanted) -> Rhythm:
    """Return the rhythm that was set, or the index family's for values."""
    name = wanted.options.get("rhythm")
    if name is not None:
        return RHYTHMS[name]
    return family(wanted.feed_id) if wanted.stream == "value" else UNKNOWN
