"""The indices on offer: which there are, how precise, and when they are published.

Sources: families, ids and publication times from the CME CF benchmarks FAQ and the
index pages of cfbenchmarks.com; the five indices with a 200 ms series from
docs.kalshi.com/websockets/cfbenchmarks-value-5hz. The decimals of BRTI are observed
(two, always); all other decimals and every price level are made up here, since the
venue tells decimals to key holders only.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import NamedTuple
from zoneinfo import ZoneInfo

FAST_MS = 200
SECOND_MS = 1000
_DAY = timedelta(days=1)
_WEEKEND = (5, 6)
# The longest run of days without a trading day that a schedule looks across.
_LOOK_DAYS = 15


class Rhythm(Enum):
    """How often an index is published."""

    FAST = "every 200 ms and every second"
    SECOND = "every second"
    SESSION = "every second of a trading session"
    DAILY = "once a day"


class Index(NamedTuple):
    """One index; `level` is its price level in units of its last decimal.

    `zone` and `opens` to `closes` are civil time: a session, or for a daily index the
    effective time `closes`. `trading_days` leaves out weekends and holidays.
    """

    id: str
    decimals: int
    level: int
    rhythm: Rhythm
    zone: str = "UTC"
    closes: time = time(16)
    opens: time = time(16)
    trading_days: bool = False
    stats: bool = False

    @property
    def step_ms(self) -> int:
        """Return the finest distance of two values in ms; a day's for a daily index."""
        return _STEPS[self.rhythm]


_STEPS = {
    Rhythm.FAST: FAST_MS,
    Rhythm.SECOND: SECOND_MS,
    Rhythm.SESSION: SECOND_MS,
    Rhythm.DAILY: 86_400_000,
}

_LONDON, _NEW_YORK = "Europe/London", "America/New_York"
_HONG_KONG, _CHICAGO = "Asia/Hong_Kong", "America/Chicago"


def _real_time(index_id: str, decimals: int, level: int) -> Index:
    fast = index_id in _FAST_IDS
    rhythm = Rhythm.FAST if fast else Rhythm.SECOND
    return Index(index_id, decimals, level, rhythm, stats=True)


def _daily(index_id: str, decimals: int, level: int, zone: str) -> Index:
    return Index(index_id, decimals, level, Rhythm.DAILY, zone)


_FAST_IDS = ("BRTI", "ETHUSD_RTI", "SOLUSD_RTI", "XRPUSD_RTI", "DOGEUSD_RTI")

_DEFAULT_HOST = (
    _real_time("BRTI", 2, 5_000_000),
    _real_time("BTCEUR_RTI", 2, 4_500_000),
    _real_time("ETHUSD_RTI", 2, 300_000),
    _real_time("ETHEUR_RTI", 2, 270_000),
    _real_time("SOLUSD_RTI", 4, 1_500_000),
    _real_time("XRPUSD_RTI", 4, 20_000),
    _real_time("DOGEUSD_RTI", 6, 200_000),
    _real_time("ADAUSD_RTI", 4, 8_000),
    _real_time("AVAXUSD_RTI", 4, 300_000),
    _real_time("BCHUSD_RTI", 3, 400_000),
    _real_time("DOTUSD_RTI", 4, 60_000),
    _real_time("LINKUSD_RTI", 4, 150_000),
    _real_time("LTCUSD_RTI", 3, 90_000),
    _real_time("MATICUSD_RTI", 4, 9_000),
    _real_time("BNBUSD_RTI", 2, 60_000),
    _real_time("HYPEUSD_RTI", 4, 250_000),
    _daily("BRR", 2, 5_000_000, _LONDON),
    _daily("BTCEUR_RR", 2, 4_500_000, _LONDON),
    _daily("ETHUSD_RR", 2, 300_000, _LONDON),
    _daily("SOLUSD_RR", 4, 1_500_000, _LONDON),
    _daily("BRRNY", 2, 5_000_000, _NEW_YORK),
    _daily("ETHUSD_NY", 2, 300_000, _NEW_YORK),
    _daily("BRRAP", 2, 5_000_000, _HONG_KONG),
    _daily("ETHUSD_AP", 2, 300_000, _HONG_KONG),
    # 07:00 to 16:00 US Central on CME trading days only (factsheet/bvx).
    Index("BVX", 2, 5_500, Rhythm.SESSION, _CHICAGO, time(16), time(7), True),
    Index("BVXS", 2, 5_500, Rhythm.DAILY, _LONDON, trading_days=True),
)

# The hosts differ only in their indices: the default one, the one for Nasdaq indices
# and the second environment of the `U_` indices.
HOSTS: dict[str, tuple[Index, ...]] = {
    "default": _DEFAULT_HOST,
    "nasdaq": (
        Index("NCI", 2, 400_000, Rhythm.SECOND),
        _daily("NCIS", 2, 400_000, _NEW_YORK),
    ),
    "unregulated": (
        _real_time("U_BTCUSD_RTI", 2, 5_000_000),
        _real_time("U_ETHUSD_RTI", 4, 30_000_000),
        _real_time("U_SOLUSD_RTI", 4, 1_500_000),
    ),
}


class Calendar:
    """Tells when an index is published; `holidays` are ISO dates without trading."""

    def __init__(self, holidays: Container[str] = ()) -> None:
        self._holidays = holidays

    def has_tick(self, index: Index, time_ms: int) -> bool:
        """Tell whether an index that is not daily has a value at this grid time."""
        if time_ms % index.step_ms:
            return False
        return index.rhythm is not Rhythm.SESSION or self._in_session(index, time_ms)

    def last_tick(self, index: Index, until_ms: int) -> int:
        """Return the newest time with a value, at or before `until_ms`."""
        if index.rhythm is Rhythm.DAILY:
            return next(self._closings(index, until_ms, -1))
        on_grid = until_ms - until_ms % index.step_ms
        if self.has_tick(index, on_grid):
            return on_grid
        return next(self._closings(index, until_ms, -1)) - index.step_ms

    def next_daily(self, index: Index, after_ms: int) -> int:
        """Return the next effective time of a daily index, after `after_ms`."""
        times = self._closings(index, after_ms, 1)
        return next(when for when in times if when > after_ms)

    def dailies(self, index: Index, first_ms: int, last_ms: int) -> list[int]:
        """Return the effective times from `first_ms` to `last_ms`, ascending."""
        times: list[int] = []
        when = self.next_daily(index, first_ms - 1)
        while when <= last_ms:
            times.append(when)
            when = self.next_daily(index, when)
        return times

    def _in_session(self, index: Index, time_ms: int) -> bool:
        local = _local(index, time_ms)
        in_hours = index.opens <= local.time() < index.closes
        return in_hours and self._is_day(index, local.date())

    def _is_day(self, index: Index, day: date) -> bool:
        if not index.trading_days:
            return True
        return day.weekday() not in _WEEKEND and day.isoformat() not in self._holidays

    def _closings(self, index: Index, from_ms: int, direction: int) -> Iterator[int]:
        """Yield closing times from `from_ms` on, into the past or the future."""
        day = _local(index, from_ms).date()
        for _ in range(_LOOK_DAYS):
            when = _instant(index, day)
            ahead = when > from_ms if direction > 0 else when <= from_ms
            if ahead and self._is_day(index, day):
                yield when
            day += _DAY * direction


def _local(index: Index, time_ms: int) -> datetime:
    utc = datetime.fromtimestamp(time_ms // 1000, UTC)
    return utc.astimezone(ZoneInfo(index.zone))


def _instant(index: Index, day: date) -> int:
    local = datetime.combine(day, index.closes, ZoneInfo(index.zone))
    return int(local.timestamp()) * 1000
