"""The made-up market, the demo accounts' activity, floods and chance."""

from typing import Any

import pytest

from bridge.simulators.clock import VirtualClock
from bridge.simulators.finery.activity import Activity
from bridge.simulators.finery.books import sight
from bridge.simulators.finery.chance import Chance
from bridge.simulators.finery.flood import Flood, Shape
from bridge.simulators.finery.market import Market, Pace
from bridge.simulators.finery.options import Era
from tests.unit.simulators.finery.stage import INSTRUMENT, MAKER, TAKER, Stage
from tests.unit.simulators.finery.test_books import Reader, bound


def still() -> VirtualClock:
    return VirtualClock(0, 0)


def market_of(stage: Stage, seed: int = 1) -> Market:
    market = Market(stage.venue, stage.hub, still(), Chance(seed))
    market.open()
    stage.hub.publish()
    return market


def test_chance_is_the_same_everywhere() -> None:
    """SplitMix64's first values from seed 0 are its published ones."""
    chance = Chance(0)

    assert chance.bits() == 0xE220A8397B1DCDAF
    assert chance.bits() == 0x6E789E6AA1B965F4
    assert {Chance(n).between(2, 4) for n in range(50)} == {2, 3, 4}


def test_a_seed_replays_the_market() -> None:
    """Two markets of one seed make the same books, of another seed others."""

    def run(seed: int) -> list[Any]:
        stage = Stage()
        market = market_of(stage, seed)
        for _ in range(300):
            market.step(INSTRUMENT)
        return [list(side) for side in sight(stage.venue.books[INSTRUMENT])]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_books_stay_deep_and_never_cross() -> None:
    """Every book opens 27 levels deep and stays usable over thousands of steps."""
    stage = Stage(instruments=12)
    market = market_of(stage)
    for name in stage.venue.catalogue.instruments:
        book = stage.venue.books[name]
        assert [len(half) for half in book.halves] == [27, 27]
        for _ in range(200):
            market.step(name)
            assert not book.crossed()
        assert all(len(half) >= 15 for half in book.halves)


def test_a_pace_loses_no_fraction() -> None:
    """Three steps a second are 30 steps in ten seconds, however they are asked."""
    pace = Pace(3, 0)

    assert sum(pace.due(now) for now in range(0, 10_001, 7)) in {29, 30}
    assert Pace(0.5, 0).due(10_000) == 5


def test_the_demo_accounts_make_news_on_every_feed() -> None:
    """All account feeds of taker and maker get every action in a few rounds."""
    stage = Stage()
    market_of(stage)
    seen: set[tuple[int, str, str]] = set()
    stage.hub.publish = lambda: seen.update(  # type: ignore[method-assign]
        (who, feed, action) for who, feed, action, _ in stage.news()
    )
    activity = Activity(stage.venue, stage.hub, still(), Chance(1))
    activity.open()
    for _ in range(20 * len(activity.acts)):
        activity.step()

    wanted = {
        "O": "+-D",
        "K": "+M",
        "S": "+MD-",
        "N": "+MD-",
        "R": "+-",
        "L": "+M-",
    }
    taker = {
        (TAKER, feed, action) for feed, actions in wanted.items() for action in actions
    }
    assert taker <= seen
    assert {(0, "C", "M"), (0, "I", "+"), (0, "I", "-")} <= seen
    assert {(MAKER, feed, "+") for feed in "OSNRL"} <= seen


def test_the_old_era_is_active_too() -> None:
    """The activity also sets the old global limits."""
    stage = Stage(Era.OLD)
    market_of(stage)
    Activity(stage.venue, stage.hub, still(), Chance(1)).open()

    assert set(stage.venue.limits.worldwide[TAKER]) == {"USD", "BTC"}


def flooded(
    stage: Stage, feed: str, changes: int = 1
) -> tuple[Any, Any, Reader, Flood]:
    market_of(stage)
    tape, binding = bound(stage, feed)
    reader = Reader(stage.hub.snapshot(binding))
    flood = Flood(stage.hub, still(), Chance(5), stage.ledger)
    flood.start([INSTRUMENT], Shape(64, changes))
    return tape, binding, reader, flood


@pytest.mark.parametrize("changes", [1, 5])
def test_a_flood_is_consistent_from_begin_to_end(changes: int) -> None:
    """Flood updates apply without contradiction, round after round, and end well."""
    stage = Stage()
    tape, _, reader, flood = flooded(stage, "F", changes)
    for _ in range(50):
        flood.publish(7)
        for message in tape.messages:
            reader.apply(message.data)
        tape.messages.clear()
        assert reader.levels() == list(flood.loops[INSTRUMENT].sight)
    report = flood.stop()

    for message in tape.messages:
        reader.apply(message.data)
    assert report[0]["frames"] == 350
    assert reader.levels() == list(sight(stage.venue.books[INSTRUMENT]))
    assert stage.ledger.entries("flood")[0]["frames"] == 350


def test_a_bind_during_a_flood_gets_the_floods_book() -> None:
    """A late bind starts at the flooded book's present place."""
    stage = Stage()
    _, _, _, flood = flooded(stage, "F")
    flood.publish(33)

    tape, late = bound(stage, "F")
    reader = Reader(stage.hub.snapshot(late))
    flood.publish(40)

    for message in tape.messages:
        reader.apply(message.data)
    assert reader.levels() == list(flood.loops[INSTRUMENT].sight)


def test_feed_b_is_flooded_with_whole_books() -> None:
    """In the new era a flood of B sends snapshots."""
    tape, _, _, flood = flooded(Stage(), "B")

    flood.publish(3)

    assert [m.action for m in tape.messages[-3:]] == ["S", "S", "S"]
    assert flood.stop()
    assert flood.publish(5) == 0
