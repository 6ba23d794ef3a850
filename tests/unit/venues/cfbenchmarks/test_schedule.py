"""Civil-time schedules across both daylight-saving changes of 2026."""

from datetime import UTC, date, datetime

import pytest

from bridge.venues.cfbenchmarks.schedule import Daily, Hours

LONDON = Daily(zone="Europe/London")
LONDON_WEEKDAYS = Daily(zone="Europe/London", weekdays_only=True)
NEW_YORK = Daily(zone="America/New_York")
ASIA = Daily(zone="Asia/Hong_Kong")
BVX = Hours(zone="America/Chicago", opens=7, closes=16)


def ms(text: str) -> int:
    """Read `2026-03-29 15:00` as UTC, in Unix milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("calendar", "now", "due"),
    [
        # London: clocks go forward on 29 March and back on 25 October 2026
        (LONDON, "2026-03-28 23:00", "2026-03-28 16:00"),
        (LONDON, "2026-03-29 14:59", "2026-03-28 16:00"),
        (LONDON, "2026-03-29 15:00", "2026-03-29 15:00"),
        (LONDON, "2026-10-24 16:00", "2026-10-24 15:00"),
        (LONDON, "2026-10-25 15:59", "2026-10-24 15:00"),
        (LONDON, "2026-10-25 16:00", "2026-10-25 16:00"),
        # New York: forward on 8 March, back on 1 November 2026
        (NEW_YORK, "2026-03-07 23:00", "2026-03-07 21:00"),
        (NEW_YORK, "2026-03-08 19:59", "2026-03-07 21:00"),
        (NEW_YORK, "2026-03-08 20:00", "2026-03-08 20:00"),
        (NEW_YORK, "2026-10-31 23:00", "2026-10-31 20:00"),
        (NEW_YORK, "2026-11-01 20:30", "2026-10-31 20:00"),
        (NEW_YORK, "2026-11-01 21:00", "2026-11-01 21:00"),
        # Hong Kong has no daylight saving
        (ASIA, "2026-03-29 07:59", "2026-03-28 08:00"),
        (ASIA, "2026-03-29 08:00", "2026-03-29 08:00"),
        # weekdays: Monday before 16:00 looks back to Friday
        (LONDON_WEEKDAYS, "2026-06-15 10:00", "2026-06-12 15:00"),
        (LONDON_WEEKDAYS, "2026-06-14 18:00", "2026-06-12 15:00"),
        (LONDON_WEEKDAYS, "2026-06-13 00:00", "2026-06-12 15:00"),
    ],
)
def test_the_due_hour_is_local(calendar: Daily, now: str, due: str) -> None:
    """A daily value is due at 16:00 local time, whatever that is in UTC."""
    assert calendar.due_ms(ms(now)) == ms(due)


@pytest.mark.parametrize(
    ("calendar", "now", "settled"),
    [
        (LONDON, "2026-03-29 22:59:59", date(2026, 3, 28)),  # 23:59:59 in London
        (LONDON, "2026-03-29 23:00:00", date(2026, 3, 29)),
        (LONDON, "2026-10-25 23:59:59", date(2026, 10, 24)),
        (LONDON, "2026-10-26 00:00:00", date(2026, 10, 25)),
        (NEW_YORK, "2026-03-09 03:59:59", date(2026, 3, 7)),
        (NEW_YORK, "2026-03-09 04:00:00", date(2026, 3, 8)),
        (NEW_YORK, "2026-11-02 04:59:59", date(2026, 10, 31)),
        (NEW_YORK, "2026-11-02 05:00:00", date(2026, 11, 1)),
        (LONDON_WEEKDAYS, "2026-06-15 22:00", date(2026, 6, 12)),
        (LONDON_WEEKDAYS, "2026-06-15 23:00", date(2026, 6, 15)),
    ],
)
def test_a_day_is_over_after_its_last_second(
    calendar: Daily, now: str, settled: date
) -> None:
    """A day's value may come until 23:59:59 local time."""
    assert calendar.settled_day(ms(now)) == settled


@pytest.mark.parametrize(
    ("time", "now", "late"),
    [
        ("2026-03-28 16:00", "2026-03-29 14:59", False),  # not due
        ("2026-03-28 16:00", "2026-03-29 15:30", False),  # may still arrive
        ("2026-03-28 16:00", "2026-03-29 15:31", True),
        ("2026-03-29 15:00", "2026-03-29 15:31", False),  # arrived
        ("2026-03-29 15:12", "2026-03-29 15:31", False),  # stamped at publication
    ],
)
def test_late_after_half_an_hour(time: str, now: str, late: bool) -> None:
    """A daily value counts as late half an hour after its hour."""
    assert LONDON.late(ms(time), ms(now)) is late


@pytest.mark.parametrize(
    ("now", "opened"),
    [
        ("2026-03-06 12:59:59", None),  # Friday, 06:59:59 CST
        ("2026-03-06 13:00:00", "2026-03-06 13:00"),
        ("2026-03-06 21:59:59", "2026-03-06 13:00"),
        ("2026-03-06 22:00:00", None),
        ("2026-03-07 15:00:00", None),  # Saturday
        ("2026-03-08 15:00:00", None),  # Sunday
        ("2026-03-09 11:59:59", None),  # Monday, 06:59:59 CDT
        ("2026-03-09 12:00:00", "2026-03-09 12:00"),
        ("2026-10-30 12:00:00", "2026-10-30 12:00"),  # Friday, 07:00 CDT
        ("2026-11-02 12:00:00", None),  # Monday, 06:00 CST
        ("2026-11-02 13:00:00", "2026-11-02 13:00"),
    ],
)
def test_session_hours(now: str, opened: str | None) -> None:
    """BVX is on from 07:00 to 16:00 US Central on weekdays."""
    assert BVX.opened_ms(ms(now)) == (ms(opened) if opened else None)
