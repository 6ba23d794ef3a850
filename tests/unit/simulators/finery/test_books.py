"""What is seen of a book, and the changes: `bridge.simulators.finery.books`."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.simulators.finery.books import (
    NOTHING,
    Sight,
    changes,
    side_changes,
    sight,
)
from bridge.simulators.finery.engine import Levels
from bridge.simulators.finery.feeds import resolve
from bridge.simulators.finery.hub import Binding
from bridge.simulators.finery.market import Market
from tests.unit.simulators.finery.stage import INSTRUMENT, TAKER, Stage, Tape


class Reader:
    """An order book as a client keeps it, by reference 3.2 alone."""

    def __init__(self, snapshot: Any) -> None:
        self.sides = [{level[0]: level[1] for level in side} for side in snapshot]

    def apply(self, data: Any) -> None:
        """Apply the data of an `M` message; contradictions fail."""
        for number, side in enumerate(data):
            for action, price, size in side:
                self._one(self.sides[number], number, action, price, size)
                assert len(self.sides[number]) <= 25

    def _one(
        self, side: dict[int, int], number: int, action: str, price: int, size: int
    ) -> None:
        if action == "~":
            better = [p for p in side if (p > price if number == 0 else p < price)]
            for gone in side.copy() if (price, size) == (0, 0) else better:
                del side[gone]
            if price:
                assert price in side
                side[price] = size
        elif action == "+":
            assert price not in side
            side[price] = size
        elif action == "M":
            assert side[price] != size
            side[price] = size
        else:
            assert action == "-"
            del side[price]
        assert all(left > 0 for left in side.values())

    def levels(self) -> list[Levels]:
        """Return both sides, best first."""
        bids, asks = self.sides
        return [tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((), ((60, 1),), [["+", 60, 1]]),
        (((60, 1),), (), [["~", 0, 0]]),
        (((60, 1),), ((60, 3),), [["M", 60, 3]]),
        (((61, 8),), ((62, 5),), [["-", 61, 8], ["+", 62, 5]]),
        (((61, 2), (60, 5), (59, 3)), ((59, 3),), [["~", 59, 3]]),
        (((61, 2), (60, 5)), ((60, 4),), [["~", 60, 4]]),
        (((61, 2), (60, 5), (59, 1)), ((60, 5),), [["~", 60, 5], ["-", 59, 1]]),
        (((61, 2),), ((61, 2),), []),
    ],
)
def test_changes_are_worded_as_documented(
    before: Levels, after: Levels, expected: list[Any]
) -> None:
    """`+ M -` for single levels, `~` when the top is gone (reference 3.2, 3.3)."""
    assert side_changes(before, after, cut_top=True) == expected


def test_cut_top_can_be_switched_off() -> None:
    """Without `~` a lost top is removed level by level."""
    assert side_changes(((61, 2), (60, 5)), ((60, 5),), cut_top=False) == [["-", 61, 2]]
    assert side_changes(((61, 2),), (), cut_top=False) == [["-", 61, 2]]


def test_only_25_levels_are_seen() -> None:
    """Level 26 is invisible, and moves in when a better one goes."""
    stage = Stage()
    first = stage.rest("bid", 100, 5)
    for price in range(75, 100):
        stage.rest("bid", price, 5)
    before = sight(stage.venue.books[INSTRUMENT])

    stage.call(41, "del", orderId=first)

    after = sight(stage.venue.books[INSTRUMENT])
    assert len(before.bids) == len(after.bids) == 25
    assert changes(before, after) == [
        [["~", 9_900_000_000, 5], ["+", 7_500_000_000, 5]],
        [],
    ]


def test_a_filtered_sight_sums_only_what_is_seen() -> None:
    """A level seen in part shows only that part."""
    stage = Stage()
    stage.rest("bid", 100, 5, account=41)
    stage.rest("bid", 100, 7, account=42)

    seen = sight(stage.venue.books[INSTRUMENT], lambda o: o.account == 42)

    assert seen == Sight(((10_000_000_000, 7),), ())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_frames_rebuild_the_book_at_every_step(seed: int) -> None:
    """Thousands of market steps: applying the frames gives the engine's top 25."""
    stage = Stage(instruments=1)
    market = Market(stage.venue, stage.hub, clock(), chance(seed))
    market.open()
    stage.hub.publish()
    tape, binding = bound(stage, "F")
    reader = Reader(stage.hub.snapshot(binding))
    used = set()
    for _ in range(2_000):
        market.step(INSTRUMENT)
        stage.hub.publish()
        for message in tape.messages:
            used |= {change[0] for side in message.data for change in side}
            reader.apply(message.data)
        tape.messages.clear()
        assert reader.levels() == list(sight(stage.venue.books[INSTRUMENT]))
    assert used == {"+", "M", "-", "~"}


SIDES = st.dictionaries(st.integers(1, 60), st.integers(1, 9), max_size=25)


@settings(max_examples=300, deadline=None)
@given(before=SIDES, after=SIDES, cut=st.booleans())
def test_any_two_sights_are_joined_by_their_changes(
    before: dict[int, int], after: dict[int, int], *, cut: bool
) -> None:
    """For any two books the changes lead from one to the other, never over 25."""

    def book(prices: dict[int, int]) -> Sight:
        bids = tuple(sorted(prices.items(), reverse=True))
        return Sight(bids, tuple(sorted(prices.items())))

    reader = Reader(book(before))

    reader.apply(changes(book(before), book(after), cut_top=cut))

    assert reader.levels() == list(book(after))


def test_nothing_is_an_empty_book() -> None:
    """A book that was never filled is shown empty."""
    assert NOTHING.payload() == [(), ()]


def bound(stage: Stage, feed: str, feed_id: Any = INSTRUMENT) -> tuple[Tape, Binding]:
    """Bind a tape to a book feed."""
    tape = Tape()
    account = stage.venue.accounts[TAKER]
    target = resolve(stage.venue, account, feed, feed_id)
    return tape, Binding(tape, feed, f'"{feed_id}"', target)


def clock() -> Any:
    """Return a clock that stands still."""
    from bridge.simulators.clock import VirtualClock

    return VirtualClock(0, 0)


def chance(seed: int) -> Any:
    """Return a source of chance."""
    from bridge.simulators.finery.chance import Chance

    return Chance(seed)
