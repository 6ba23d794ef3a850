"""How moves are judged from what the topics tell."""

from __future__ import annotations

import pytest

from bench.timelines import Timelines, moved, percentile

BOOK = "book.tradable:BTC-USD"


def lines_of(*told: tuple[str, str, int]) -> Timelines:
    """Return timelines of one book; the first letter of a connection is its worker."""
    lines = Timelines()
    for connection, state, at_us in told:
        # Newer connections sort behind older ones, as UUIDv7 do.
        lines.workers[connection[1:] + connection[0]] = connection[0]
        lines.boundary(BOOK, connection[1:] + connection[0], state, at_us)
    return lines


def test_a_planned_move_lasts_from_ended_to_live() -> None:
    """What the next connection does before it is live does not count as life."""
    lines = lines_of(
        ("a1", "LIVE", 1_000),
        ("a1", "ENDED", 5_000),
        ("b2", "BINDING", 6_000),
        ("b2", "LIVE", 9_500),
    )
    found = moved(lines, {BOOK: "1a"}, "a", None)

    assert found == ([4.5], [], [], [])
    assert lines.all_live()


def test_a_cut_off_connection_ends_when_it_was_killed() -> None:
    """Its last record may be older, and there is no ENDED."""
    lines = lines_of(("a1", "LIVE", 1_000), ("b2", "LIVE", 9_000))

    assert moved(lines, {BOOK: "1a"}, "a", 3_000).gap_ms == [6.0]


def test_a_move_without_its_end_is_named() -> None:
    """A worker that stops in order says so for every subscription."""
    lines = lines_of(("a1", "LIVE", 1_000), ("b2", "LIVE", 9_000))

    assert moved(lines, {BOOK: "1a"}, "a", None) == ([], [], [], [BOOK])


def test_a_move_between_others_was_not_needed() -> None:
    """Only what the stopped or returned worker had or gets may move."""
    lines = lines_of(("a1", "LIVE", 1), ("a1", "ENDED", 2), ("b2", "LIVE", 3))

    assert moved(lines, {BOOK: "1a"}, "c", None).disturbed == [BOOK]
    assert moved(lines, {BOOK: "1a"}, "b", None).disturbed == []


def test_a_reconnect_of_another_worker_is_a_disturbance() -> None:
    """The owner is the same, but its consumers saw a gap."""
    lines = lines_of(("a1", "LIVE", 1), ("a1", "ENDED", 2), ("a2", "LIVE", 3))

    assert moved(lines, {BOOK: "1a"}, "b", None).disturbed == [BOOK]


def test_two_moves_are_one_too_many() -> None:
    """The time counts until the first LIVE, wherever that was."""
    lines = lines_of(
        ("a1", "ENDED", 1_000),
        ("b2", "BINDING", 2_000),
        ("b2", "ENDED", 2_500),
        ("c3", "LIVE", 8_000),
    )
    found = moved(lines, {BOOK: "1a"}, "a", None)

    assert (found.twice, found.gap_ms) == ([BOOK], [7.0])
    assert found.disturbed == [BOOK]


def test_what_stays_is_not_counted() -> None:
    """The newest connection is the one of before."""
    lines = lines_of(("a1", "LIVE", 1_000))

    assert moved(lines, lines.newest(), "a", None) == ([], [], [], [])


def test_a_record_behind_its_successor_is_counted() -> None:
    """That is a worker that does not know that it is no longer the owner."""
    lines = lines_of(("a1", "LIVE", 1), ("b2", "LIVE", 2))
    lines.seen(BOOK, "1a")

    assert lines.overtaken == 1
    assert lines.newest() == {BOOK: "2b"}


def test_not_all_live_while_one_has_ended_or_is_nobodys() -> None:
    """Both the data topic and the feed states must have told."""
    lines = lines_of(("a1", "LIVE", 1))
    assert lines.all_live()
    lines.workers.clear()
    assert not lines.all_live()
    assert not lines_of(("a1", "LIVE", 1), ("a1", "ENDED", 2)).all_live()


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.9, 90), (0.99, 99), (1.0, 100)]
)
def test_percentiles_are_measured_values(share: float, value: int) -> None:
    """The smallest value that so many do not exceed."""
    assert percentile(range(100, 0, -1), share) == value
    assert percentile([7.0], share) == 7.0
