"""Which family an index belongs to, and what is fresh, silent and late in it."""

import pytest

from bridge.venues.cfbenchmarks.rhythm import (
    DAILY,
    EACH_SECOND,
    HOMES,
    LONDON,
    SESSION,
    UNKNOWN,
    family,
)
from tests.unit.venues.cfbenchmarks.test_schedule import ms

T = ms("2026-06-10 12:00")  # a Wednesday
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("BRTI", "1s"),
        ("BTCEUR_RTI", "1s"),
        ("DOGEUSD_RTI", "1s"),
        ("U_ETHUSD_RTI", "1s"),
        ("U_LINKUSD_CHA_RTI", "1s"),
        ("NCI", "1s"),
        ("BVX", "1s-us-session"),
        ("BRR", "daily-london"),
        ("ETHUSD_RR", "daily-london"),
        ("BRRNY", "daily-new-york"),
        ("ONDOUSD_NY", "daily-new-york"),
        ("NCIS", "daily-new-york"),
        ("BRRAP", "daily-asia"),
        ("DOTUSD_AP", "daily-asia"),
        ("BVXS", "daily-london-weekdays"),
        ("BIRC", "daily"),
        ("CFCMBTCF_BTC", "daily"),
        ("CFCMEBEF_BE", "daily"),
        ("NCIUS", "none"),
        ("brti", "none"),
        ("WHATEVER", "none"),
        ("XBRTI", "none"),
    ],
)
def test_families(index: str, name: str) -> None:
    """Each id of the reference's table has its family; others have none."""
    assert family(index).name == name


@pytest.mark.parametrize(
    ("age_ms", "fresh"), [(-120_000, True), (80, True), (10_000, True), (10_001, False)]
)
def test_a_second_stream_is_fresh_for_ten_seconds(age_ms: int, fresh: bool) -> None:
    """A once-a-second value is fresh while its time is at most 10 s old."""
    assert EACH_SECOND.fresh(T - age_ms, T) is fresh


@pytest.mark.parametrize(("idle_ms", "silent"), [(5_000, False), (5_001, True)])
def test_a_second_stream_is_silent_after_five_seconds(
    idle_ms: int, silent: bool
) -> None:
    """A once-a-second stream is silent after more than 5 s without a frame."""
    assert EACH_SECOND.silent(idle_ms, T) is silent


def test_a_session_is_judged_only_while_it_is_on() -> None:
    """BVX may be silent outside its session, and is counted from the opening."""
    opening = ms("2026-06-10 12:00")  # 07:00 CDT
    day = 24 * HOUR
    assert not SESSION.silent(day, opening - 1)
    assert not SESSION.silent(day, opening + 5_000)
    assert SESSION.silent(day, opening + 5_001)
    assert SESSION.fresh(opening - day, opening - 1)
    assert SESSION.fresh(opening - day, opening + 10_000)
    assert not SESSION.fresh(opening - day, opening + 10_001)
    assert [SESSION.ticking(t) for t in (opening - 1, opening)] == [False, True]


def test_a_daily_value_is_good_until_the_next_day_is_over() -> None:
    """Yesterday's daily value is stale only when today ended without one."""
    value = ms("2026-06-09 15:00")
    assert LONDON.fresh(value, ms("2026-06-10 22:59:59"))
    assert not LONDON.fresh(value, ms("2026-06-10 23:00:00"))
    assert not LONDON.silent(48 * HOUR, T)
    assert not LONDON.ticking(T)


def test_daily_without_a_known_hour() -> None:
    """Families whose hour is unknown have four days of patience."""
    assert DAILY.fresh(T - 96 * HOUR, T)
    assert not DAILY.fresh(T - 96 * HOUR - 1, T)
    assert not DAILY.silent(96 * HOUR, T)


def test_an_unknown_family_has_no_limits() -> None:
    """An id of no known family is never silent and never old."""
    assert UNKNOWN.fresh(1, T)
    assert not UNKNOWN.silent(10**9, T)
    assert not UNKNOWN.ticking(T)


def test_limits_of_the_user() -> None:
    """A limit of the user's own replaces the family's."""
    assert EACH_SECOND.limited(None) is EACH_SECOND
    assert EACH_SECOND.limited(5_000) == EACH_SECOND
    tight = EACH_SECOND.limited(2_000)
    assert (tight.silent_ms, tight.old_ms, tight.step_ms) == (2_000, 4_000, 1_000)
    assert SESSION.limited(2_000).calendar == SESSION.calendar
    assert UNKNOWN.limited(2_000).silent(2_001, T)
    daily = LONDON.limited(HOUR)
    assert not daily.fresh(T - HOUR - 1, T)
    assert not daily.silent(2 * HOUR, T)
    assert DAILY.limited(HOUR).silent_ms is None


def test_stretches() -> None:
    """The grid pauses overnight for session indices and for no others."""
    evening, morning = ms("2026-06-09 20:59:59"), ms("2026-06-10 12:00")
    assert SESSION.stretch(evening) != SESSION.stretch(morning)
    assert EACH_SECOND.stretch(evening) == EACH_SECOND.stretch(morning)


def test_nasdaq_ids_live_on_their_own_host() -> None:
    """The Nasdaq indices are known to be served by the second host."""
    assert HOMES["NCI"] == "wss://nciprod1.cfbenchmarks.com/ws/v4"
