"""How often each family of indices speaks, and when its silence is a fault.

Source of the families: CME CF Cryptocurrency Benchmarks FAQ, CME's table of July 2024,
and CF Benchmarks' index pages; "Indices and schedules" in docs/venues/cfbenchmarks.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import msgspec

from bridge.venues.cfbenchmarks.schedule import Daily, Hours

# Longest silence of a once-a-second stream, ms. Users' limits: 2 to 15 s; our choice.
SILENT_MS = 5_000
# Oldest source time of a once-a-second stream, ms. Same users; our choice.
OLD_MS = 10_000
# Daily families whose hour and weekend are not known: a long weekend; our choice.
UNTIMED_OLD_MS = 96 * 3_600_000
STEP_MS = 1_000  # real-time indices: every second, on the second; CME FAQ
_UNTIMED = "daily"


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """One family's rhythm; None where no limit is known or wanted.

    `step_ms` is the grid on which each time must appear, `silent_ms` the longest time
    without a frame, `old_ms` the oldest source time, all while `calendar` says so.
    """

    name: str
    step_ms: int | None = None
    silent_ms: int | None = None
    old_ms: int | None = None
    calendar: Daily | Hours | None = None

    def pulse(self, now_ms: int) -> int | None:
        """Return since when ticks have been due; None while silence is normal."""
        if self.silent_ms is None and self.old_ms is None:
            return None
        if isinstance(self.calendar, Hours):
            return self.calendar.opened_ms(now_ms)
        return 0

    def ticking(self, now_ms: int) -> bool:
        """Tell whether frames must come now."""
        return self.silent_ms is not None and self.pulse(now_ms) is not None

    def silent(self, idle_ms: int, now_ms: int) -> bool:
        """Tell whether `idle_ms` without a frame is too long."""
        if self.silent_ms is None or idle_ms <= self.silent_ms:
            return False
        return self.patience_ms(now_ms) is not None

    def patience_ms(self, now_ms: int) -> int | None:
        """Return the longest silence that is normal now; None while any is."""
        since = self.pulse(now_ms)
        if since is None or self.silent_ms is None or now_ms - since <= self.silent_ms:
            return None
        return self.silent_ms

    def fresh(self, time_ms: int, now_ms: int) -> bool:
        """Tell whether a newest source time of `time_ms` is good enough."""
        if isinstance(self.calendar, Daily):
            return self.calendar.day(time_ms) >= self.calendar.settled_day(now_ms)
        since = self.pulse(now_ms)
        if since is None or self.old_ms is None:
            return True
        return now_ms - max(time_ms, since) <= self.old_ms

    def late(self, time_ms: int, now_ms: int) -> bool:
        """Tell whether a daily value is overdue, though still allowed to come."""
        return isinstance(self.calendar, Daily) and self.calendar.late(time_ms, now_ms)

    def stretch(self, time_ms: int) -> date | None:
        """Return the day of the session; None for what runs on without a pause.

        The grid runs through from one time to another only where these are equal.
        """
        if isinstance(self.calendar, Hours):
            return self.calendar.day(time_ms)
        return None

    def longest_ms(self, limit_ms: int | None, now_ms: int | None = None) -> int | None:
        """Return the longest silence that is normal, under a user's limit.

        None where silence is normal now or, if no time is given, at some hours.
        """
        if not isinstance(self.calendar, Hours):
            return self.silent_ms if limit_ms is None else limit_ms
        return None if now_ms is None else self.limited(limit_ms).patience_ms(now_ms)

    def limited(self, stale_after_ms: int | None) -> Rhythm:
        """Return the rhythm with a limit of the user's own."""
        if stale_after_ms is None:
            return self
        if isinstance(self.calendar, Daily) or self.name == _UNTIMED:
            return Rhythm(name=self.name, old_ms=stale_after_ms)
        return msgspec.structs.replace(
            self, silent_ms=stale_after_ms, old_ms=2 * stale_after_ms
        )


EACH_SECOND = Rhythm(name="1s", step_ms=STEP_MS, silent_ms=SILENT_MS, old_ms=OLD_MS)
SESSION = Rhythm(
    name="1s-us-session",
    step_ms=STEP_MS,
    silent_ms=SILENT_MS,
    old_ms=OLD_MS,
    calendar=Hours(zone="America/Chicago", opens=7, closes=16),
)
LONDON = Rhythm(name="daily-london", calendar=Daily(zone="Europe/London"))
LONDON_WEEKDAYS = Rhythm(
    name="daily-london-weekdays",
    calendar=Daily(zone="Europe/London", weekdays_only=True),
)
NEW_YORK = Rhythm(name="daily-new-york", calendar=Daily(zone="America/New_York"))
ASIA = Rhythm(name="daily-asia", calendar=Daily(zone="Asia/Hong_Kong"))
DAILY = Rhythm(name=_UNTIMED, old_ms=UNTIMED_OLD_MS)
UNKNOWN = Rhythm(name="none")

RHYTHMS: Mapping[str, Rhythm] = {
    r.name: r
    for r in (
        EACH_SECOND,
        SESSION,
        LONDON,
        LONDON_WEEKDAYS,
        NEW_YORK,
        ASIA,
        DAILY,
        UNKNOWN,
    )
}

# The first pattern that fits the whole id decides.
FAMILIES: tuple[tuple[str, Rhythm], ...] = (
    (r"BRTI|[A-Z0-9_]+_RTI|U_[A-Z0-9_]+", EACH_SECOND),
    (r"BRR|[A-Z0-9]+_RR", LONDON),
    (r"BRRNY|[A-Z0-9]+_NY", NEW_YORK),
    (r"BRRAP|[A-Z0-9]+_AP", ASIA),
    (r"BVX", SESSION),
    (r"BVXS", LONDON_WEEKDAYS),
    (r"NCI", EACH_SECOND),
    (r"NCIS", NEW_YORK),
    (r"BIRC|CFCM[A-Z0-9_]+", DAILY),
)

# Ids that only the Nasdaq host serves; WebSocket API v4, "Endpoints".
HOMES: Mapping[str, str] = dict.fromkeys(
    ("NCI", "NCIS", "NCIUS"), "wss://nciprod1.cfbenchmarks.com/ws/v4"
)


def family(index: str) -> Rhythm:
    """Return the rhythm of an index by its id; `UNKNOWN` if no family fits."""
    for pattern, rhythm in FAMILIES:
        if re.fullmatch(pattern, index):
            return rhythm
    return UNKNOWN
