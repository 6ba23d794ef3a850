"""The settings file and what was asked for at run time become one, by one rule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.model import Plan
from bridge.venues import VENUES
from bridge.venues.base import Source, Wanted
from bridge.venues.desired import Change, Merged, merged

BOOK = "book.tradable"
GONE = Change(None)


def wanted(name: str, **options: object) -> Wanted:
    text, _, label = name.partition("#")
    stream, _, feed_id = text.partition(":")
    return Wanted(stream=stream, feed_id=feed_id, label=label, options=options)


def ask(name: str, at_ms: int = 0, **options: object) -> Change:
    return Change(wanted(name, **options), at_ms)


def source(*names: str, name: str = "desk", venue: str = "finery") -> Source:
    return Source(
        name=name,
        venue=venue,
        url="ws://127.0.0.1:1/ws",
        wanted=tuple(wanted(one) for one in names),
    )


FILE = (
    source(f"{BOOK}:B-USD", "orders", f"{BOOK}:A-USD"),
    source("value:BRTI", name="rates", venue="cfbenchmarks"),
)


def names(found: Merged) -> list[str]:
    return [f"{s.name}/{one.name}" for s in found.sources for one in s.wanted]


def test_without_records_the_file_holds() -> None:
    """Nothing is touched, not even copied."""
    found = merged(FILE, {})
    assert found == Merged(list(FILE), {})


def test_what_is_added_comes_behind_the_file_by_name() -> None:
    """The file's order first, then by name, whatever came first."""
    changes = {
        f"desk/{BOOK}:D-USD": ask(f"{BOOK}:D-USD", 1),
        f"desk/{BOOK}:C-USD": ask(f"{BOOK}:C-USD", 2),
        "rates/value:ETHUSD_RTI": ask("value:ETHUSD_RTI"),
    }
    for order in permutations(changes):
        found = merged(FILE, {key: changes[key] for key in order})
        assert found.left_out == {}
        assert names(found) == [
            f"desk/{BOOK}:B-USD",
            "desk/orders",
            f"desk/{BOOK}:A-USD",
            f"desk/{BOOK}:C-USD",
            f"desk/{BOOK}:D-USD",
            "rates/value:BRTI",
            "rates/value:ETHUSD_RTI",
        ]


def test_the_topic_replaces_options_in_their_place() -> None:
    """A record of what the file names wins, and keeps the file's place."""
    found = merged(FILE, {f"desk/{BOOK}:B-USD": ask(f"{BOOK}:B-USD", client_id=7)})
    assert names(found) == names(merged(FILE, {}))
    assert found.sources[0].wanted[0].options == {"client_id": 7}


def test_the_topic_takes_away() -> None:
    """What is not wanted goes, and everything may go; what nobody had is no fault."""
    keys = ["desk/orders", f"desk/{BOOK}:A-USD", f"desk/{BOOK}:B-USD", "desk/positions"]
    found = merged(FILE, dict.fromkeys(keys, GONE))
    assert found.left_out == {}
    assert names(found) == ["rates/value:BRTI"]


@pytest.mark.parametrize(
    ("key", "change", "told"),
    [
        ("dsek/orders", GONE, "dsek/orders: no such source; there are: desk, rates"),
        ("orders", ask("orders"), "orders: no such source; there are: desk, rates"),
        ("desk/tape", ask("tape"), "desk/tape: unknown stream 'tape': choose one of"),
        ("desk/deals", ask("deals"), "desk/deals: deals comes along with combined"),
        ("desk/status", ask("status"), "desk/status: status comes with every"),
        (f"desk/{BOOK}", ask(BOOK), f"desk/{BOOK}: names no instrument"),
        ("rates/value", ask("value"), "rates/value: '' is not an index id"),
        (
            "desk/positions",
            ask("positions", makers=[1]),
            "desk/positions: options.makers is not known here",
        ),
        (
            "rates/value:BRTI#b",
            ask("value:BRTI#b"),
            "rates/value:BRTI#b: is asked for twice",
        ),
        (
            f"desk/{BOOK}:A-USD#b",
            ask(f"{BOOK}:A-USD#b"),
            f"desk/{BOOK}:A-USD#b: {BOOK}:A-USD and {BOOK}:A-USD#b bind the same",
        ),
        (
            "desk/orders",
            ask("orders", makers=[1]),
            "desk/orders: options.makers is not known here",
        ),
    ],
)
def test_what_is_not_valid_is_left_out_alone(
    key: str, change: Change, told: str
) -> None:
    """One bad record becomes one sentence, and the others hold."""
    good = {
        f"desk/{BOOK}:C-USD": ask(f"{BOOK}:C-USD"),
        f"desk/{BOOK}:B-USD": GONE,
        "rates/value:ETHUSD_RTI": ask("value:ETHUSD_RTI"),
    }
    found = merged(FILE, {**good, key: change})
    assert names(found) == names(merged(FILE, good))
    assert list(found.left_out) == [key]
    assert found.left_out[key].startswith(told)


def test_of_two_that_exclude_each_other_the_older_holds() -> None:
    """What runs is not put out by what came later, whatever it is called."""
    for first, second in (("a", "b"), ("b", "a")):
        changes = {
            f"desk/{BOOK}:C-USD#{first}": ask(f"{BOOK}:C-USD#{first}", 1),
            f"desk/{BOOK}:C-USD#{second}": ask(f"{BOOK}:C-USD#{second}", 2),
        }
        found = merged(FILE, changes)
        assert names(found)[3] == f"desk/{BOOK}:C-USD#{first}"
        assert list(found.left_out) == [f"desk/{BOOK}:C-USD#{second}"]


def test_a_place_that_is_given_up_can_be_taken_at_once() -> None:
    """What is taken away goes first, even if that was asked for last."""
    changes = {
        f"desk/{BOOK}:A-USD#b": ask(f"{BOOK}:A-USD#b", 1),
        f"desk/{BOOK}:A-USD": Change(None, 2),
    }
    # Bad ones before and between have the changes tried one by one.
    doubles = {f"{BOOK}:B-USD#a": 0, f"{BOOK}:B-USD#z": 1}
    bad = {f"desk/{name}": ask(name, at_ms) for name, at_ms in doubles.items()}
    for more in ({}, bad):
        found = merged(FILE, changes | more)
        assert found.left_out.keys() == more.keys()
        assert names(found)[2] == f"desk/{BOOK}:A-USD#b"


def test_the_plans_of_all_sources_are_checked_together() -> None:
    """A problem that only the connections show leaves out who causes it."""

    def check(plans: Sequence[Plan]) -> list[str]:
        streams = {s.stream for plan in plans for s in plan.subscriptions}
        bad = {"finery.positions", "cfbenchmarks.rti-stats"} <= streams
        return ["topics.template: they meet"] if bad else []

    changes = {
        "desk/positions": ask("positions", 1),
        "rates/rti-stats:BRTI": ask("rti-stats:BRTI", 2),
        "rates/value:ETHUSD_RTI": ask("value:ETHUSD_RTI", 3),
    }
    found = merged(FILE, changes, check)
    assert found.left_out == {
        "rates/rti-stats:BRTI": "rates/rti-stats:BRTI: topics.template: they meet"
    }
    assert "desk/positions" in names(found)
    assert "rates/value:ETHUSD_RTI" in names(found)


_NAMES = [f"{BOOK}:{feed}{label}" for feed in "ABC" for label in ("", "#x")]
_NAMES += ["orders", "positions", "tape", "deals", BOOK]
_CHANGES = st.dictionaries(
    st.sampled_from(["desk", "dsek"]).flatmap(
        lambda s: st.sampled_from([f"{s}/{name}" for name in _NAMES])
    ),
    st.tuples(st.booleans(), st.integers(0, 2)),
)
_FILES = st.lists(st.sampled_from([f"{BOOK}:A", f"{BOOK}:B#x", "orders"]), unique=True)


@given(_FILES, _CHANGES)
def test_the_result_is_valid_and_as_large_as_it_can_be(
    file: list[str], asked: dict[str, tuple[bool, int]]
) -> None:
    """Every change holds or is left out with a reason; none would still fit in."""
    changes = {
        key: ask(key.partition("/")[2], at) if on else Change(None, at)
        for key, (on, at) in asked.items()
    }
    found = merged([source(*file)], changes)
    venue = VENUES["finery"]
    assert list(venue.problems(found.sources[0])) == []
    have = names(found)
    for key, change in changes.items():
        if key not in found.left_out:
            assert (key in have) == (change.wanted is not None)
        elif change.wanted is not None and key.startswith("desk/"):
            whole = [*found.sources[0].wanted, change.wanted]
            more = Source(name="desk", venue="finery", url="ws://x", wanted=(*whole,))
            assert list(venue.problems(more)) != []


def test_few_bad_records_among_thousands_cost_few_checks() -> None:
    """Each worker merges at every change, so a bad record must not cost a second."""
    checks = 0

    def check(plans: Sequence[Plan]) -> list[str]:
        nonlocal checks
        checks += 1
        bad = any("#bad" in s.name for plan in plans for s in plan.subscriptions)
        return ["bad"] if bad else []

    books = [f"{BOOK}:X{n}" if n % 500 else f"{BOOK}:X{n}#bad" for n in range(2_000)]
    changes = {f"desk/{name}": ask(name, n) for n, name in enumerate(books)}
    found = merged(FILE, changes, check)
    assert len(found.left_out) == 4
    assert len(found.sources[0].wanted) == 3 + 1_996
    assert checks < 100
