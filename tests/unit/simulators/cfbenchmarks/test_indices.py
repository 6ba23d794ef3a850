"""Schedules in civil time: `bridge.simulators.cfbenchmarks.indices`."""

from datetime import UTC, datetime

import pytest

from bridge.simulators.cfbenchmarks.indices import Calendar, Rhythm
from tests.unit.simulators.cfbenchmarks.scenes import INDICES

HOUR_MS = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("index_id", "after", "expected"),
    [
        # London: 16:00 is 16:00 UTC in winter and 15:00 UTC in summer.
        ("BRR", "2026-03-28T12:00", "2026-03-28T16:00"),
        ("BRR", "2026-03-28T16:00", "2026-03-29T15:00"),
        ("BRR", "2026-10-24T15:00", "2026-10-25T16:00"),
        # New York changes on other days than London does.
        ("BRRNY", "2026-03-07T22:00", "2026-03-08T20:00"),
        ("BRRNY", "2026-10-31T20:00", "2026-11-01T21:00"),
        # Hong Kong has no daylight saving.
        ("BRRAP", "2026-03-28T08:00", "2026-03-29T08:00"),
        # BVXS: CME trading days only, so Friday is followed by Monday.
        ("BVXS", "2026-01-16T16:00", "2026-01-19T16:00"),
        # NCIS: the index page shows 21:00 GMT in February.
        ("NCIS", "2026-02-10T00:00", "2026-02-10T21:00"),
    ],
)
def test_daily_times_follow_daylight_saving(
    index_id: str, after: str, expected: str
) -> None:
    """A daily value is effective at 16:00 civil time of its city, every day."""
    assert Calendar().next_daily(INDICES[index_id], ms(after)) == ms(expected)


def test_a_day_of_23_hours() -> None:
    """Over London's change in March two values are 23 hours apart, in October 25."""
    spring = Calendar().dailies(
        INDICES["BRR"], ms("2026-03-28T00:00"), ms("2026-03-30T00:00")
    )
    autumn = Calendar().dailies(
        INDICES["BRR"], ms("2026-10-24T00:00"), ms("2026-10-26T00:00")
    )
    assert spring[1] - spring[0] == 23 * HOUR_MS
    assert autumn[1] - autumn[0] == 25 * HOUR_MS


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-01-14T12:59:59", False),  # 06:59:59 in Chicago
        ("2026-01-14T13:00:00", True),
        ("2026-01-14T21:59:59", True),
        ("2026-01-14T22:00:00", False),
        ("2026-07-15T12:00:00", True),  # daylight saving: an hour earlier in UTC
        ("2026-07-15T21:00:00", False),
        ("2026-01-17T15:00:00", False),  # a Saturday
        ("2026-01-19T15:00:00", False),  # named as a holiday below
    ],
)
def test_the_session_of_bvx(when: str, expected: bool) -> None:
    """BVX ticks from 07:00 to 16:00 US Central on trading days, and not otherwise."""
    calendar = Calendar({"2026-01-19"})
    assert calendar.has_tick(INDICES["BVX"], ms(when)) is expected


def test_the_last_tick_outside_of_a_session() -> None:
    """On a Sunday the last tick of BVX is Friday's, one second before the close."""
    last = Calendar().last_tick(INDICES["BVX"], ms("2026-01-18T15:00:00"))
    assert last == ms("2026-01-16T21:59:59")


def test_the_last_tick_within_a_session() -> None:
    """Within a session the last tick is the newest on the grid."""
    now = ms("2026-01-14T15:00:00")
    assert Calendar().last_tick(INDICES["BVX"], now + 999) == now


def test_the_last_daily_value() -> None:
    """A daily value is the last one until the next is effective."""
    calendar = Calendar()
    assert calendar.last_tick(INDICES["BRR"], ms("2026-01-14T16:00")) == ms(
        "2026-01-14T16:00"
    )
    assert calendar.last_tick(INDICES["BRR"], ms("2026-01-14T15:59")) == ms(
        "2026-01-13T16:00"
    )


def test_five_indices_are_fast() -> None:
    """Five ids have a 200 ms series (docs.kalshi.com, cfbenchmarks-value-5hz)."""
    fast = {i.id for i in INDICES.values() if i.rhythm is Rhythm.FAST}
    assert fast == {"BRTI", "ETHUSD_RTI", "SOLUSD_RTI", "XRPUSD_RTI", "DOGEUSD_RTI"}


def test_only_fast_indices_tick_between_seconds() -> None:
    """A tick at a fifth of a second exists for the fast indices alone."""
    now = ms("2026-01-14T15:00:00") + 200
    assert Calendar().has_tick(INDICES["BRTI"], now)
    assert not Calendar().has_tick(INDICES["BRTI"], now + 1)
    assert not Calendar().has_tick(INDICES["LTCUSD_RTI"], now)
