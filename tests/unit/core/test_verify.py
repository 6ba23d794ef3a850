"""Verify: holes, repeats, order, gaps and books, each proved from records alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bridge.core.model import Action, Reason, State
from bridge.core.verify import Boundary, Result, Seen, Verifier

A, B = "0001", "0002"  # connections; later ones sort after earlier ones
Level = tuple[str, int, int]
VALUE = {"subscription": "value:BRTI", "sides": None}


class Log:
    """Writes records, of a book if not told, as a worker would, and verifies them."""

    def __init__(self) -> None:
        self.verifier = Verifier()
        self.offset = 0

    def write(self, connection: str, sequence: int, what: object, **more: Any) -> None:
        boundary = None
        action = what
        if isinstance(what, State):
            lost = more.pop("lost", None)
            reason = more.pop("reason", Reason.DELIVERY_FAILED)
            boundary = Boundary(state=what, reason=reason, lost=lost)
            action = Action.BOUNDARY
        facts = {
            "topic": "finery.book.tradable",
            "partition": 1,
            "offset": self.offset,
            "source": "desk",
            "subscription": "book.tradable:BTC-USD",
            "connection": connection,
            "sequence": sequence,
            "action": action,
            "boundary": boundary,
            "sides": None if boundary else ([], []),
        }
        self.verifier.take(Seen(**{**facts, **more}))
        self.offset += 1

    def live(self, connection: str = A, start: int = 0) -> int:
        """Write the usual beginning; return the next sequence."""
        self.write(connection, start, State.BINDING)
        self.write(connection, start + 1, Action.SNAPSHOT)
        self.write(connection, start + 2, State.LIVE)
        return start + 3

    @property
    def result(self) -> Result:
        [result] = self.verifier.results()
        return result


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_whole_sequence_is_complete(log: Log) -> None:
    """Every sequence once, boundaries in order: nothing was lost."""
    after = log.live()
    log.write(A, after, Action.UPDATE)
    log.write(A, after + 1, State.ENDED)

    assert log.result.complete
    assert (log.result.records, log.result.boundaries) == (5, 3)
    assert log.result.state == "ENDED"


def test_a_hole_that_nothing_explains_is_a_fault(log: Log) -> None:
    """A missing sequence proves loss."""
    after = log.live()
    log.write(A, after + 2, Action.UPDATE)

    assert not log.result.complete
    assert (log.result.unexplained, log.result.explained) == (2, 0)


@pytest.mark.parametrize(
    ("state", "lost", "explained"),
    [
        (State.GAP, None, 2),
        (State.GAP, 2, 2),
        (State.GAP, 3, 2),
        (State.GAP, 1, 0),
        (State.GAP, 0, 0),
        (State.STALE, None, 0),
        (State.STALE, 2, 2),
    ],
)
def test_a_later_gap_explains_a_hole_if_it_covers_it(
    log: Log, state: State, lost: int | None, explained: int
) -> None:
    """A gap that says how much was lost explains no more than that."""
    after = log.live()
    log.write(A, after + 2, Action.UPDATE)
    log.write(A, after + 3, state, lost=lost)

    assert log.result.explained == explained
    assert log.result.unexplained == 2 - explained


@pytest.mark.parametrize(
    "reason", [Reason.MISSING_TICKS, Reason.CONTRADICTION, Reason.UNREADABLE]
)
def test_what_never_had_a_sequence_explains_no_hole(log: Log, reason: Reason) -> None:
    """Frames that were not passed on are not the records that are missing."""
    after = log.live()
    log.write(A, after + 2, Action.UPDATE)
    log.write(A, after + 3, State.GAP, reason=reason, lost=5)
    log.write(A, after + 4, State.GAP, reason=reason)

    assert (log.result.unexplained, len(log.result.gaps)) == (2, 2)


@pytest.mark.parametrize("reason", [Reason.UNSUBSCRIBED, Reason.VENUE_REFUSED])
def test_a_venue_that_lets_go_explains_no_hole(log: Log, reason: Reason) -> None:
    """Only with a number, at a planned end, do these speak of records."""
    after = log.live()
    log.write(A, after + 1, State.GAP, reason=reason)
    assert log.result.unexplained == 1

    log.write(A, after + 2, State.GAP, reason=reason, lost=1)
    assert log.result.complete


@pytest.mark.parametrize("reason", [Reason.CONNECTION_LOST, Reason.KAFKA_SLOW])
def test_what_is_lost_on_the_way_explains_a_hole_without_a_number(
    log: Log, reason: Reason
) -> None:
    """Where a connection broke off or Kafka was away, the number may not be known."""
    after = log.live()
    log.write(A, after + 2, State.GAP, reason=reason)

    assert log.result.complete


def test_losses_told_bit_by_bit_explain_one_hole(log: Log) -> None:
    """A gap tells of the first loss, the next binding of what came on top."""
    after = log.live()
    log.write(A, after + 2, State.GAP, lost=1)
    log.write(A, after + 3, State.BINDING, lost=1)

    assert log.result.complete


def test_what_was_told_before_a_hole_does_not_explain_it(log: Log) -> None:
    """Only a later boundary speaks for a hole."""
    after = log.live()
    log.write(A, after, State.GAP, lost=5)
    log.write(A, after + 1, State.BINDING)
    log.write(A, after + 4, State.LIVE)

    assert log.result.unexplained == 2


def test_a_gap_of_another_connection_explains_nothing(log: Log) -> None:
    """Each connection answers for its own sequence."""
    after = log.live(A)
    log.write(A, after + 1, Action.UPDATE)
    log.write(A, after + 2, State.ENDED)
    after = log.live(B)
    log.write(B, after, State.GAP)

    assert log.result.unexplained == 1


def test_a_connection_that_broke_off_explains_its_holes(log: Log) -> None:
    """A killed worker could announce nothing; the takeover does."""
    after = log.live(A)
    log.write(A, after + 1, Action.UPDATE)
    log.live(B)

    assert log.result.complete
    assert log.result.abrupt_ends == 1
    assert log.result.holes[0].by == f"connection broke off, {B} took over"


def test_a_planned_end_leaves_no_excuse_for_a_hole(log: Log) -> None:
    """A connection that ended in order had time to announce its losses."""
    after = log.live(A)
    log.write(A, after + 1, State.ENDED)
    log.live(B)

    assert log.result.unexplained == 1
    assert log.result.abrupt_ends == 0


def test_a_new_connection_starts_at_zero(log: Log) -> None:
    """The first records of a connection may be missing, too."""
    log.live(A)
    log.write(B, 2, State.LIVE)
    log.write(B, 3, State.ENDED)

    assert log.result.unexplained == 2


def test_what_retention_removed_is_no_hole(log: Log) -> None:
    """The first record there is may have any sequence, and is reported."""
    log.write(A, 70, Action.UPDATE)
    log.write(A, 71, Action.UPDATE)

    assert log.result.complete
    assert log.result.starts_at == 70


def test_a_repeat_is_a_fault(log: Log) -> None:
    """The same sequence twice proves a duplicate."""
    after = log.live()
    log.write(A, after, Action.UPDATE)
    log.write(A, after, Action.UPDATE)

    assert not log.result.complete
    assert log.result.repeats == 1


def test_a_record_that_fills_a_hole_is_out_of_order(log: Log) -> None:
    """A late record is no repeat, but the order is broken."""
    after = log.live()
    log.write(A, after + 1, Action.UPDATE)
    log.write(A, after, Action.UPDATE)

    assert (log.result.repeats, log.result.disorder) == (0, 1)


def test_records_of_an_old_connection_are_counted_as_late(log: Log) -> None:
    """The newest connection is the valid one; a zombie's records are dropped."""
    after = log.live(A)
    log.live(B)
    log.write(A, after, Action.UPDATE)

    assert log.result.late == 1
    assert log.result.state == "LIVE"


def test_a_second_partition_is_a_fault(log: Log) -> None:
    """All records of a subscription are in one partition."""
    after = log.live()
    log.write(A, after, Action.UPDATE, partition=2)

    assert "second partition" in log.result.examples[0]
    assert not log.result.complete


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([Action.UPDATE], "DATA follows on START"),
        ([State.LIVE], "LIVE follows on START"),
        ([State.BINDING, Action.UPDATE], "DATA follows on BINDING"),
        (
            [State.BINDING, State.SNAPSHOT_BEGIN, Action.ADD],
            "DATA follows on SNAPSHOT_BEGIN",
        ),
        ([State.BINDING, State.LIVE, State.BINDING], "BINDING follows on LIVE"),
        ([State.BINDING, State.REFUSED, State.LIVE], "LIVE follows on REFUSED"),
        ([State.BINDING, State.REFUSED, Action.UPDATE], "DATA follows on REFUSED"),
        ([State.BINDING, State.REFUSED, Action.SNAPSHOT], "WHOLE follows on REFUSED"),
        ([State.BINDING, State.ENDED, Action.UPDATE], "DATA follows on ENDED"),
        ([State.BINDING, State.ENDED, State.BINDING], "BINDING follows on ENDED"),
    ],
)
def test_boundaries_out_of_order_are_a_fault(
    log: Log, steps: list[object], fault: str
) -> None:
    """Nothing is live before its snapshot, nothing comes after the end."""
    for sequence, step in enumerate(steps):
        log.write(A, sequence, step)

    assert fault in log.result.examples[0]
    assert log.result.disorder == 1


@pytest.mark.parametrize(
    "steps",
    [
        [State.BINDING, State.SNAPSHOT_BEGIN, Action.SNAPSHOT, State.LIVE, Action.ADD],
        [State.BINDING, State.LIVE, State.STALE, State.LIVE, Action.UPDATE],
        [State.BINDING, State.LIVE, State.GAP, State.BINDING, State.LIVE],
        [State.BINDING, State.LIVE, State.GAP, Action.UPDATE, State.LIVE],
        [State.BINDING, State.REFUSED, State.BINDING, State.LIVE],
        [State.BINDING, State.LIVE, State.REFUSED, State.BINDING, State.LIVE],
        [State.BINDING, State.STALE, State.GAP, State.ENDED],
    ],
)
def test_lives_of_a_subscription_that_are_in_order(
    log: Log, steps: list[object]
) -> None:
    """Rebinding, staleness and refusal are ordinary."""
    for sequence, step in enumerate(steps):
        log.write(A, sequence, step)

    assert log.result.complete, log.result.examples


@pytest.mark.parametrize("before", [State.BINDING, State.REFUSED])
@pytest.mark.parametrize("action", [Action.SNAPSHOT, Action.UPDATE, Action.EXECUTE])
def test_what_stands_alone_may_come_before_live(
    log: Log, before: State, action: Action
) -> None:
    """A value or a deal needs no state, so it is passed on whenever it comes."""
    for sequence, step in enumerate([State.BINDING, before, action, State.ENDED]):
        log.write(A, sequence, step, **VALUE)

    assert log.result.complete, log.result.examples


@pytest.mark.parametrize(
    "steps",
    [
        [Action.ADD],
        [State.SNAPSHOT_BEGIN, State.LIVE, State.GAP, State.BINDING, Action.EXECUTE],
        [State.ENDED, Action.UPDATE],
    ],
)
def test_a_list_needs_its_snapshot_first_and_nothing_comes_after_the_end(
    log: Log, steps: list[object]
) -> None:
    """Framed snapshots show that a subscription is a list, for good."""
    for sequence, step in enumerate([State.BINDING, *steps]):
        log.write(A, sequence, step, **VALUE)

    assert log.result.disorder == 1


def sides(bids: list[Level], asks: list[Level]) -> tuple[Any, Any]:
    def level(one: Level) -> Mapping[str, Any]:
        return dict(zip(("operation", "priceE8", "sizeE8"), one, strict=True))

    return [level(one) for one in bids], [level(one) for one in asks]


WHOLE = sides([("INSERT", 10, 1), ("INSERT", 9, 2)], [("INSERT", 11, 3)])


def book(log: Log, update: tuple[Any, Any], refresh: tuple[Any, Any]) -> Result:
    log.write(A, 0, State.BINDING)
    log.write(A, 1, Action.SNAPSHOT, sides=WHOLE)
    log.write(A, 2, State.LIVE)
    log.write(A, 3, Action.UPDATE, sides=update)
    log.write(A, 4, Action.REFRESH, sides=refresh)
    return log.result


@pytest.mark.parametrize(
    ("update", "refresh"),
    [
        (
            sides([("SET", 10, 5), ("INSERT", 8, 1)], []),
            sides(
                [("INSERT", 10, 5), ("INSERT", 9, 2), ("INSERT", 8, 1)],
                [("INSERT", 11, 3)],
            ),
        ),
        (
            sides([("DELETE", 10, 5)], [("CUT_TOP", 12, 4)]),
            sides([("INSERT", 9, 2)], [("INSERT", 12, 4)]),
        ),
        (sides([("CUT_TOP", 0, 0)], []), sides([], [("INSERT", 11, 3)])),
    ],
)
def test_a_refresh_that_agrees_with_the_updates_is_in_order(
    log: Log, update: tuple[Any, Any], refresh: tuple[Any, Any]
) -> None:
    """A consumer that applies the changes has the book that the worker has."""
    result = book(log, update, refresh)

    assert result.complete, result.examples
    assert result.refreshes == 1


def test_a_refresh_that_contradicts_the_updates_is_a_fault(log: Log) -> None:
    """A lost or doubled change shows, even with the sequence whole."""
    result = book(log, sides([("SET", 10, 5)], []), WHOLE)

    assert result.disorder == 1
    assert "bids differ, first at price 10" in result.examples[0]


def test_the_book_keeps_25_levels_a_side(log: Log) -> None:
    """A replayed book drops its worst level, as the worker's does."""
    many = [("INSERT", 100 - n, 1) for n in range(25)]
    log.write(A, 0, State.BINDING)
    log.write(A, 1, Action.SNAPSHOT, sides=sides(many, []))
    log.write(A, 2, State.LIVE)
    log.write(A, 3, Action.UPDATE, sides=sides([("INSERT", 101, 1)], []))
    after = [("INSERT", 101, 1), *many[:-1]]
    log.write(A, 4, Action.REFRESH, sides=sides(after, []))

    assert log.result.complete, log.result.examples


def test_after_a_hole_a_book_is_not_compared(log: Log) -> None:
    """What was lost is told by the hole; the refresh heals it."""
    log.write(A, 0, State.BINDING)
    log.write(A, 1, Action.SNAPSHOT, sides=WHOLE)
    log.write(A, 2, State.LIVE)
    log.write(A, 4, Action.REFRESH, sides=sides([], []))
    log.write(A, 5, Action.REFRESH, sides=sides([], []))

    assert log.result.disorder == 0
    assert log.result.unexplained == 1


def test_gaps_are_listed_with_reason_and_loss(log: Log) -> None:
    """An announced gap is reported, hole or not."""
    after = log.live()
    log.write(A, after, State.GAP, lost=7, reason="TEST")
    [gap] = log.result.gaps

    assert (gap.reason, gap.lost) == ("TEST", 7)
    assert log.result.as_dict()["gaps"][0]["lost"] == 7
    assert log.result.as_dict()["complete"] is True


def test_subscriptions_are_judged_apart() -> None:
    """Each source and subscription has a sequence of its own."""
    log = Log()
    log.live(A)
    log.write(A, 0, State.BINDING, subscription="orders")
    names = [result.subscription for result in log.verifier.results()]

    assert names == ["book.tradable:BTC-USD", "orders"]
    assert all(result.complete for result in log.verifier.results())
