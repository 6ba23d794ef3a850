"""The REST companion, answered on the same port as the WebSocket.

Sources: envelope and `info` from docs.cfbenchmarks.com/api/rest; the forms of `values`,
`latest_values` and `history/values` from the same pages as read by public clients;
status 400 with `Unknown id` for a request without credentials is measured by others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.cfbenchmarks.history import History
from bridge.simulators.cfbenchmarks.indices import SECOND_MS, Index, Rhythm
from bridge.simulators.cfbenchmarks.keys import PER_SECOND, Key, basic_login, find
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions
from bridge.simulators.cfbenchmarks.values import seeded

PREFIX = "/api/v1/"
_YEAR_MS = 365 * 86_400_000
_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000
_UNKNOWN_ID = "Unknown id"  # the one text that is known
# Seconds that one hole of `history/values` lacks: observed 4 to 29.
_HOLE_S = (4, 29)


class Answer(NamedTuple):
    """A status and a payload, or an error text in its place."""

    status: int
    payload: Any = None
    error: str = ""


class Refused(Exception):
    """Ends a request with an error envelope."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.answer = Answer(status, error=error)


class Query(NamedTuple):
    """One request: its parameters, its key, and the present."""

    parameters: Mapping[str, str]
    key: Key | None
    now_ms: int


class Rest:
    """Answers GET requests below `/api/v1/`."""

    def __init__(
        self,
        indices: Mapping[str, Index],
        order: tuple[str, ...],
        options: CfBenchmarksOptions,
        history: History,
        latest: Callable[[str], Tick | None],
    ) -> None:
        self._indices = indices
        self._order = order
        self._options = options
        self._history = history
        self._latest = latest
        # How many requests are answered with 429 from now on.
        self.limited = 0

    def answer(
        self, target: str, authorization: str | None, now_ms: int
    ) -> tuple[int, bytes]:
        """Return status and JSON body for the target of a GET request."""
        parts = urlsplit(target)
        try:
            query = self._query(parts.query, authorization, now_ms)
            call = _CALLS.get(parts.path.removeprefix(PREFIX), Rest._nothing)
            answer = Answer(200, call(self, query))
        except Refused as refused:
            answer = refused.answer
        return answer.status, _envelope(answer, now_ms)

    def _query(self, text: str, authorization: str | None, now_ms: int) -> Query:
        if self.limited > 0:
            self.limited -= 1
            raise Refused(429, "Too many requests")
        login = basic_login(authorization)
        key = find(self._options.keys, login)
        if authorization is not None and key is None:
            raise Refused(401, "Unauthorised")
        return Query(dict(parse_qsl(text)), key, now_ms)

    def _nothing(self, _query: Query) -> None:
        raise Refused(404, "Not found")

    def _info(self, query: Query) -> list[dict[str, Any]]:
        if query.key is None:
            raise Refused(401, "Unauthorised")
        return [
            {"id": index_id, "decimals": self._indices[index_id].decimals}
            for index_id in self._order
            if query.key.allows(index_id)
        ]

    def _values(self, query: Query) -> list[dict[str, Any]]:
        index = self._index(query)
        daily = index.rhythm is Rhythm.DAILY
        reach = _YEAR_MS if daily else self._options.lookback_s * 1000
        ticks = self._history.between(
            index,
            query.now_ms - reach,
            query.now_ms,
            query.now_ms,
            self._step(query),
        )
        return [_entry(tick, self._options) for tick in ticks]

    def _latest_values(self, query: Query) -> dict[str, Any]:
        index = self._index(query)
        tick = self._latest(index.id)
        values = {index.id: _entry(tick, self._options)} if tick else {}
        return {"latest_values": values}

    def _history_values(self, query: Query) -> list[dict[str, Any]]:
        index = self._index(query)
        if query.key is None or not query.key.history:
            raise Refused(400, _UNKNOWN_ID)
        start = _hour(query.parameters)
        if start < self._options.history_from_ms:
            return []
        newest = query.now_ms - self._options.history_lag_s * 1000
        last = min(start + _HOUR_MS - 1, newest)
        ticks = self._history.between(
            index, start, last, query.now_ms, self._step(query)
        )
        holes = self._holes(index, start)
        return [
            _entry(tick, self._options)
            for tick in ticks
            if tick.time // SECOND_MS not in holes
        ]

    def _index(self, query: Query) -> Index:
        """Return the index asked for; a missing permission looks like an unknown id."""
        index = self._indices.get(query.parameters.get("id", ""))
        if index is None or query.key is None or not query.key.allows(index.id):
            raise Refused(400, _UNKNOWN_ID)
        return index

    @staticmethod
    def _step(query: Query) -> int:
        coarse = query.key is not None and query.key.resolution == PER_SECOND
        asked = query.parameters.get("maxResolution") == PER_SECOND
        return SECOND_MS if coarse or asked else 0

    def _holes(self, index: Index, start_ms: int) -> set[int]:
        """Return the seconds of an hour that history lacks though the feed had them."""
        holes: set[int] = set()
        if index.rhythm is Rhythm.DAILY:
            return holes
        for minute in range(
            start_ms // _MINUTE_MS, (start_ms + _HOUR_MS) // _MINUTE_MS
        ):
            chance = seeded(self._options.seed, index.id, "hole", minute)
            if chance.randrange(1000) < self._options.history_holes_per_mille:
                length = chance.randint(*_HOLE_S)
                first = minute * 60 + chance.randint(0, 60 - length)
                holes.update(range(first, first + length))
        return holes


_CALLS: Mapping[str, Callable[[Rest, Query], Any]] = {
    "info": Rest._info,  # noqa: SLF001 - the class's own table
    "values": Rest._values,  # noqa: SLF001 - as above
    "latest_values": Rest._latest_values,  # noqa: SLF001 - as above
    "history/values": Rest._history_values,  # noqa: SLF001 - as above
}


def _hour(parameters: Mapping[str, str]) -> int:
    """Read `timespan` and `timestamp`: `HOUR`, and the start of an hour."""
    if parameters.get("timespan") != "HOUR":
        raise Refused(400, "Unknown timespan")
    try:
        when = datetime.fromisoformat(parameters.get("timestamp", ""))
    except ValueError:
        raise Refused(400, "Malformed timestamp") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if when.minute or when.second or when.microsecond:
        raise Refused(400, "The timestamp is not truncated to the timespan")
    return int(when.timestamp()) * 1000


def _entry(tick: Tick, options: CfBenchmarksOptions) -> dict[str, Any]:
    value: Any = tick.value if options.quoted else msgspec.Raw(tick.value.encode())
    entry: dict[str, Any] = {"value": value, "time": tick.time}
    if tick.amend_time is not None:
        entry["amendTime"] = tick.amend_time
    if tick.repeat:
        entry["repeatOfPreviousValue"] = True
    return entry


def _envelope(answer: Answer, now_ms: int) -> bytes:
    server_time = datetime.fromtimestamp(now_ms // 1000, UTC).replace(
        microsecond=now_ms % 1000 * 1000
    )
    stamp = server_time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    part = {"error": answer.error} if answer.error else {"payload": answer.payload}
    return msgspec.json.encode({"serverTime": stamp, **part})
