"""What is offered, what is a problem, and who shares a connection."""

import json
from pathlib import Path

import pytest

from bridge.core.model import Subscription
from bridge.venues.base import Source, Wanted
from bridge.venues.cfbenchmarks import VENUE
from bridge.venues.cfbenchmarks.plans import as_of
from tests.unit.venues.cfbenchmarks.talk import URL, source, wanted
from tests.unit.venues.cfbenchmarks.test_schedule import ms

AVRO = Path(__file__).parents[4] / "avro" / "cfbenchmarks"


def test_streams() -> None:
    """Values and statistics are offered, each with its schema."""
    assert VENUE.name == "cfbenchmarks"
    assert {s.name: s.schema for s in VENUE.streams.values()} == {
        "value": "cfbenchmarks.Value",
        "rti-stats": "cfbenchmarks.RtiStats",
    }


def test_a_good_source_has_no_problem() -> None:
    """All documented options together are fine."""
    good = source(
        wanted("value:BRTI", max_resolution="PER_SECOND", rhythm="1s"),
        wanted("rti-stats:BRTI", rhythm="none"),
        wanted("value:U_LINKUSD_CHA_RTI", stale_after_ms=2000),
        login="subprotocol",
    )
    assert VENUE.problems(good) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (source("constituents:NCI"), "constituents:NCI: is not offered, since the sh"),
        (source("rti_stats:BRTI"), "it has value and rti-stats"),
        (source("book:BRTI"), "'book' is not a stream of CF Benchmarks"),
        (source("value"), "value: '' is not an index id; write one behind the colon"),
        (source("value:BR TI"), "'BR TI' is not an index id"),
        (source("value:BRTI", "value:BRTI"), "value:BRTI: is asked for twice"),
        (
            source(Wanted(stream="value", feed_id="A", label="x"), "value:A"),
            "value:A: is asked for twice",
        ),
        (
            source(wanted("value:A", max_resolution="200MS")),
            "value:A: max_resolution: '200MS' is not known; use PER_SECOND",
        ),
        (
            source(wanted("rti-stats:A", max_resolution="PER_SECOND")),
            "rti-stats:A: max_resolution: is known for the value stream only",
        ),
        (source(wanted("value:A", rhythm="5s")), "'5s' is not known; use one of 1s, "),
        (source(wanted("value:A", rhythm=[])), "[] is not known"),
        (source(wanted("value:A", makers=1)), "makers: is not an option; remove it"),
        (source("value:A", login="token"), "'token' is not known; use basic or subpro"),
        (source("value:A", colour="red"), "colour: is not an option of a CF Bench"),
        (source("value:A", url="https://x"), "'https://x' is no WebSocket address"),
    ],
)
def test_problems_say_what_to_do(bad: Source, said: str) -> None:
    """Each wrong setting is one problem, with its name and what to do."""
    problems = VENUE.problems(bad)
    assert len(problems) == 1
    assert said in problems[0]


def test_all_problems_at_once() -> None:
    """Problems are collected, not raised one by one."""
    assert len(VENUE.problems(source("constituents:A", "value", "value"))) == 4


def test_subscriptions_and_bindings() -> None:
    """A subscription has its index as key, partition key and constant."""
    plan = VENUE.plans(
        source("value:BRTI", wanted("rti-stats:BRTI", stale_after_ms=7000))
    )[0]
    assert (plan.source, plan.venue, plan.name) == ("rates", "cfbenchmarks", "rates-1")
    assert plan.url == URL
    assert plan.subscriptions[0] == Subscription(
        source="rates",
        name="value:BRTI",
        stream="cfbenchmarks.value",
        key="BRTI",
        partition_key="BRTI",
        feed_id="BRTI",
        constants=("BRTI",),
    )
    assert plan.subscriptions[1].stream == "cfbenchmarks.rti-stats"
    assert [b.name for b in plan.bindings] == ["value:BRTI", "rti-stats:BRTI"]
    assert [b.channels for b in plan.bindings] == [(0,), (1,)]
    assert [b.stale_after_ms for b in plan.bindings] == [5000, 7000]


@pytest.mark.parametrize(
    ("line", "longest"),
    [
        (wanted("value:BRTI"), 5_000),
        (wanted("value:BRTI", stale_after_ms=2_000), 2_000),
        (wanted("value:BVX"), None),
        (wanted("value:BVX", stale_after_ms=2_000), None),
        (wanted("value:OTHER", rhythm="1s-us-session"), None),
        (wanted("value:BRR"), None),
        (wanted("value:BRR", stale_after_ms=10**8), 10**8),
        (wanted("rti-stats:BRTI"), None),
    ],
)
def test_only_a_rhythm_that_never_pauses_limits_silence(
    line: Wanted, longest: int | None
) -> None:
    """What keeps hours may be silent for a weekend: its session alone can judge it."""
    (binding,) = VENUE.plans(source(line))[0].bindings
    assert binding.stale_after_ms == longest


def test_of_one_moment_only_what_keeps_hours_has_another_limit() -> None:
    """The others speak, or are silent, by night as by day."""
    names = ("value:BRTI", "value:BRR", "rti-stats:BRTI", "value:BVX")
    own = wanted("value:ETHUSD_RTI", stale_after_ms=2_000)
    (plan,) = VENUE.plans(source(*names, own))
    day, night = (
        [b.stale_after_ms for b in as_of(plan, ms(now)).bindings]
        for now in ("2026-06-10 15:00", "2026-06-10 08:00")
    )
    assert day == [5_000, None, None, 5_000, 2_000]
    assert night == [b.stale_after_ms for b in plan.bindings]


def test_a_hundred_subscriptions_share_a_connection() -> None:
    """250 subscriptions make three connections, in the order of the settings."""
    plans = VENUE.plans(source(*(f"value:X{n}USD_RTI" for n in range(250))))
    assert [p.name for p in plans] == ["rates-1", "rates-2", "rates-3"]
    assert [len(p.bindings) for p in plans] == [100, 100, 50]
    assert plans[2].bindings[49].name == "value:X249USD_RTI"
    assert plans[2].bindings[49].channels == (49,)


def test_labels_are_part_of_the_name() -> None:
    """A label tells the same stream of two sources apart by name."""
    plan = VENUE.plans(source(Wanted(stream="value", feed_id="A", label="x")))[0]
    assert plan.subscriptions[0].name == "value:A#x"


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        (
            "value.avsc",
            (
                "valueText value time amendTime repeatOfPreviousValue revision "
                "duplicate late delayMillis"
            ),
        ),
        (
            "rti-stats.avsc",
            (
                "time valueText value utilizedDepthText utilizedDepth valueBidText "
                "valueBid valueAskText valueAsk midPriceText midPrice ordered late "
                "delayMillis"
            ),
        ),
    ],
)
def test_payloads_follow_the_schemas(file: str, fields: str) -> None:
    """The order in which the session writes a payload is the schema's order."""
    schema = json.loads((AVRO / file).read_text())
    data = schema["fields"][-1]
    assert data["name"] == "data"
    assert [f["name"] for f in data["type"][1]["fields"]] == fields.split()
