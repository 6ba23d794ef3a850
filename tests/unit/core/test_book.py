"""A kept book takes every change of the venue, and notices what cannot be."""

from __future__ import annotations

import pytest

from bridge.core.book import MAX_LEVELS, OVERFLOW_HABIT_NS, Book

INSERT, SET, DELETE, CUT_TOP = 0, 1, 2, 3
SECOND_NS = 1_000_000_000
LIMIT_NS = 5 * SECOND_NS


def filled() -> Book:
    """Return bids 10, 9, 8 and asks 11, 12, 13, sizes ten times as large."""
    book = Book()
    bids = [(10, 100), (9, 90), (8, 80)]
    asks = [(11, 110), (12, 120), (13, 130)]
    assert book.replace(bids, asks, 0) == ""
    return book


BIDS = {10: 100, 9: 90, 8: 80}

# changes of the bids, the bids afterwards; source: reference 3.2
CHANGES = [
    ([(INSERT, 7, 70)], {**BIDS, 7: 70}),
    ([(INSERT, 10, 5)], {**BIDS, 10: 5}),
    ([(SET, 9, 1)], {**BIDS, 9: 1}),
    ([(DELETE, 8, 80)], {10: 100, 9: 90}),
    ([(DELETE, 8, 0)], {10: 100, 9: 90}),
    ([(DELETE, 8, -7)], {10: 100, 9: 90}),
    ([(CUT_TOP, 9, 30)], {9: 30, 8: 80}),
    ([(CUT_TOP, 10, 30)], {**BIDS, 10: 30}),
    ([(CUT_TOP, 11, 30)], {**BIDS, 11: 30}),
    ([(CUT_TOP, 7, 30)], {7: 30}),
    ([(CUT_TOP, 0, 0)], {}),
    ([(CUT_TOP, 0, 0), (INSERT, 5, 50)], {5: 50}),
    ([(DELETE, 10, 0), (INSERT, 10, 3), (SET, 10, 4)], {**BIDS, 10: 4}),
]


@pytest.mark.parametrize(("changes", "bids"), CHANGES)
def test_changes(changes: list[tuple[int, int, int]], bids: dict[int, int]) -> None:
    """Insert, set, delete and cut do what the venue's docs say, in order."""
    book = filled()
    assert book.apply(changes, [], 0) == ""
    assert book.bids == bids
    assert book.asks == {11: 110, 12: 120, 13: 130}


def test_better_is_lower_for_asks() -> None:
    """The top of the asks is the lowest price (reference 3.2)."""
    book = filled()
    assert book.apply([], [(CUT_TOP, 12, 5)], 0) == ""
    assert book.asks == {12: 5, 13: 130}


def test_worked_example_of_the_docs() -> None:
    """After `~` at 123.00000000 with size 1 that is the top (reference 3.2)."""
    book = Book()
    book.replace([(12400000000, 5), (12350000000, 5), (12200000000, 7)], [], 0)
    book.apply([(CUT_TOP, 12300000000, 100000000)], [], 0)
    assert book.top() == ((12300000000, 100000000), None)


# changes of the bids, what contradicts
CONTRADICTIONS = [
    ([(DELETE, 7, 0)], "delete of unknown level 7"),
    ([(SET, 7, 1)], "set of unknown level 7"),
    ([(INSERT, 7, 0)], "level 7 of size 0"),
    ([(SET, 9, 0)], "level 9 of size 0"),
    ([(SET, 9, -1)], "level 9 of size -1"),
    ([(CUT_TOP, 9, 0)], "top 9 of size 0"),
]


@pytest.mark.parametrize(("changes", "fault"), CONTRADICTIONS)
def test_contradictions(changes: list[tuple[int, int, int]], fault: str) -> None:
    """Changes of unknown levels and levels without size are noticed."""
    assert filled().apply(changes, [], 0) == fault


def test_contradictions_of_asks_are_noticed_too() -> None:
    """Both sides are watched."""
    assert filled().apply([], [(SET, 99, 1)], 0) == "set of unknown level 99"


def test_snapshot_flaws() -> None:
    """A price twice, or a level without size, is no book."""
    assert Book().replace([(5, 1), (5, 2)], [], 0) == "a bid price twice in a snapshot"
    assert Book().replace([], [(5, 0)], 0) == "a ask of size 0 in a snapshot"


def test_a_snapshot_replaces_all() -> None:
    """Nothing of the old state stays."""
    book = filled()
    assert book.replace([(5, 50)], [], 0) == ""
    assert book.levels() == ([(INSERT, 5, 50)], [])


def test_levels_are_sorted_best_first() -> None:
    """A refresh lists both sides best first, whatever the order of changes."""
    book = Book()
    book.replace([(8, 1), (10, 1)], [(13, 1), (11, 1)], 0)
    book.apply([(INSERT, 9, 1)], [(INSERT, 12, 1)], 0)
    assert book.levels() == (
        [(INSERT, 10, 1), (INSERT, 9, 1), (INSERT, 8, 1)],
        [(INSERT, 11, 1), (INSERT, 12, 1), (INSERT, 13, 1)],
    )
    assert book.top() == ((10, 1), (11, 1))


def test_the_top_of_an_empty_book() -> None:
    """An empty side has no top."""
    assert Book().top() == (None, None)


def full() -> Book:
    """Return a book with 25 bids, 100 down to 76."""
    book = Book()
    assert book.replace([(100 - n, 1) for n in range(MAX_LEVELS)], [], 0) == ""
    return book


def test_a_26th_level_contradicts_at_first() -> None:
    """More than 25 levels a side is not what the venue shows (reference 3.1)."""
    assert full().apply([(INSERT, 101, 1)], [], 0) == "26 bids, 0 asks: over 25"


def test_a_level_pushed_out_in_the_same_message_is_fine() -> None:
    """Only the state after a message counts: its changes apply together."""
    assert full().apply([(INSERT, 101, 1), (DELETE, 76, 0)], [], 0) == ""


def trimming() -> Book:
    """Return a book that has overflowed twice within the time: 101 down to 77."""
    book = full()
    assert book.apply([(INSERT, 101, 1)], [], SECOND_NS) != ""
    book.replace([(100 - n, 1) for n in range(MAX_LEVELS)], [], 2 * SECOND_NS)
    assert book.apply([(INSERT, 101, 1)], [], 3 * SECOND_NS) == ""
    assert book.trims
    return book


def test_a_second_overflow_is_the_servers_habit() -> None:
    """It recurs soon after the rebind: trim the worst (reference 3.2, advice)."""
    book = trimming()
    assert len(book.bids) == MAX_LEVELS
    assert min(book.bids) == 77


def test_asks_are_trimmed_at_their_worst_end() -> None:
    """The worst asks are the highest."""
    book = trimming()
    book.replace([], [(100 + n, 1) for n in range(MAX_LEVELS)], 0)
    assert book.apply([], [(INSERT, 99, 1)], 0) == ""
    assert (min(book.asks), max(book.asks)) == (99, 123)


def test_two_overflows_far_apart_are_two_contradictions() -> None:
    """A rare overflow is an error each time."""
    book = full()
    assert book.apply([(INSERT, 101, 1)], [], 0) != ""
    book.replace([(100 - n, 1) for n in range(MAX_LEVELS)], [], 0)
    assert book.apply([(INSERT, 101, 1)], [], OVERFLOW_HABIT_NS + 1) != ""


def test_an_overfull_snapshot_is_trimmed_once_it_is_a_habit() -> None:
    """Snapshots overflow like updates."""
    book = Book()
    many = [(100 - n, 1) for n in range(30)]
    assert book.replace(many, [], 0) == "30 bids, 0 asks: over 25"
    assert book.replace(many, [], 1) == ""
    assert len(book.bids) == MAX_LEVELS


def test_changes_beyond_the_worst_kept_level_are_expected_when_trimming() -> None:
    """What was trimmed here still exists there: a delete is nothing, a set a level."""
    book = trimming()
    assert book.apply([(DELETE, 76, 0)], [], 0) == ""
    assert book.apply([(DELETE, 77, 0), (SET, 75, 9)], [], 0) == ""
    assert book.bids[75] == 9


def test_changes_above_the_worst_kept_level_still_contradict() -> None:
    """Trimming excuses nothing better than the worst kept level."""
    book = trimming()
    book.apply([(DELETE, 90, 0)], [], 0)
    assert book.apply([(DELETE, 90, 0)], [], 0) == "delete of unknown level 90"


def test_a_book_that_stays_crossed() -> None:
    """Crossed for longer than the limit, at every look, is a contradiction."""
    book = filled()
    book.apply([(INSERT, 12, 1)], [], 0)
    assert book.stays_crossed(SECOND_NS, LIMIT_NS) == ""
    assert book.stays_crossed(6 * SECOND_NS, LIMIT_NS) == ""
    assert book.stays_crossed(6 * SECOND_NS + 1, LIMIT_NS) == (
        "crossed: bid 12 above ask 11"
    )


def test_a_crossing_that_passes_is_forgotten() -> None:
    """The time starts anew with each crossing."""
    book = filled()
    book.apply([(INSERT, 12, 1)], [], 0)
    book.stays_crossed(0, LIMIT_NS)
    book.apply([(DELETE, 12, 0)], [], 0)
    assert book.stays_crossed(4 * SECOND_NS, LIMIT_NS) == ""
    book.apply([(INSERT, 12, 1)], [], 0)
    assert book.stays_crossed(9 * SECOND_NS, LIMIT_NS) == ""


def test_a_locked_book_is_no_contradiction() -> None:
    """Best bid at the best ask is not excluded by any source (reference 3.3)."""
    book = filled()
    book.apply([(INSERT, 11, 1)], [], 0)
    book.stays_crossed(0, LIMIT_NS)
    assert book.stays_crossed(100 * SECOND_NS, LIMIT_NS) == ""


def test_a_snapshot_that_comes_crossed_is_the_venues_truth() -> None:
    """Rebinding would not heal it; once uncrossed, the rule holds again."""
    book = Book()
    book.replace([(12, 1)], [(11, 1)], 0)
    book.stays_crossed(0, LIMIT_NS)
    assert book.stays_crossed(100 * SECOND_NS, LIMIT_NS) == ""
    book.apply([(CUT_TOP, 10, 1)], [], 0)
    book.stays_crossed(101 * SECOND_NS, LIMIT_NS)
    book.apply([(INSERT, 12, 1)], [], 0)
    book.stays_crossed(102 * SECOND_NS, LIMIT_NS)
    assert book.stays_crossed(108 * SECOND_NS, LIMIT_NS) != ""
