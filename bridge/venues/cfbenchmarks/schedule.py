"""Publication times in local civil time, so that they move with daylight saving.

Holidays are not known here: a calendar knows weekdays at most. Times are Unix
milliseconds.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

MINUTE_MS = 60_000
# A daily value may arrive about half an hour after its hour; CF Benchmarks index
# pages and methodology as read by third parties.
ARRIVAL_MS = 30 * MINUTE_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_SATURDAY = 5


def local(zone: str, at_ms: int) -> datetime:
    """Return the wall-clock time in `zone`."""
    return (_EPOCH + at_ms * _MILLISECOND).astimezone(ZoneInfo(zone))


def moment(zone: str, day: date, hour: int) -> int:
    """Return the Unix time of an hour of a local day."""
    return (datetime.combine(day, time(hour), ZoneInfo(zone)) - _EPOCH) // _MILLISECOND


class Daily(msgspec.Struct, frozen=True, kw_only=True):
    """Published once a local day, at `hour` or up to half an hour later.

    A day's value may still come, or be replaced by the day before's, until 23:59:59.
    """

    zone: str
    hour: int = 16
    weekdays_only: bool = False

    def day(self, at_ms: int) -> date:
        """Return the local day to which a calculation time belongs."""
        return local(self.zone, at_ms).date()

    def due_ms(self, now_ms: int) -> int:
        """Return the newest publication hour that has come."""
        today = self._published(self.day(now_ms))
        due = moment(self.zone, today, self.hour)
        if due <= now_ms:
            return due
        return moment(self.zone, self._published(today - _DAY), self.hour)

    def settled_day(self, now_ms: int) -> date:
        """Return the newest publication day that is over, 23:59:59 included."""
        return self._published(self.day(now_ms) - _DAY)

    def late(self, time_ms: int, now_ms: int) -> bool:
        """Tell whether the value that is due should have arrived by now."""
        due = self.due_ms(now_ms)
        return now_ms > due + ARRIVAL_MS and self.day(time_ms) < self.day(due)

    def _published(self, day: date) -> date:
        """Return `day`, or the last publication day before it."""
        if not self.weekdays_only:
            return day
        return day - _DAY * max(0, day.weekday() - _SATURDAY + 1)


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """Published without pause between two local hours of each weekday."""

    zone: str
    opens: int
    closes: int

    def day(self, at_ms: int) -> date:
        """Return the local day of a calculation time."""
        return local(self.zone, at_ms).date()

    def opened_ms(self, now_ms: int) -> int | None:
        """Return when the session that is on began; None if none is on."""
        here = local(self.zone, now_ms)
        if here.weekday() >= _SATURDAY or not self.opens <= here.hour < self.closes:
            return None
        return moment(self.zone, here.date(), self.opens)
