"""What makes a worker ready, alive and started."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bridge.core.health import (
    Link,
    Out,
    Step,
    Stream,
    Thread,
    View,
    alive,
    parts,
    started,
)

LINK = Link(source="desk", name="books", kind="feed", is_open=True)
STREAM = Stream(source="desk", name="book:A", phase="LIVE", age_s=1.0, rhythm_s=2.0)
OUT = Out(name="feeds", waiting=5, stalled_s=0.0)
THREAD = Thread(name="commands", age_s=0.1)
WELL = View(
    step=Step.RUNNING, links=[LINK], streams=[STREAM], outs=[OUT], threads=[THREAD]
)
replace = msgspec.structs.replace


def wrong(view: View) -> list[str]:
    return [f"{part.name}: {part.why}" for part in parts(view) if not part.ok]


def test_a_worker_that_works_is_ready_alive_and_started() -> None:
    assert wrong(WELL) == []
    assert all(part.ok for part in (*alive(WELL), *started(WELL)))


def test_a_worker_of_a_group_without_shares_is_ready() -> None:
    assert wrong(View(step=Step.RUNNING, outs=[OUT])) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"links": [replace(LINK, is_open=False, trouble="tls: expired")]},
            "connection desk/books: tls: expired",
        ),
        (
            {"streams": [replace(STREAM, phase="WAITING", age_s=70.0)]},
            "subscription desk/book:A: WAITING; no data for 70.0 s",
        ),
        (
            {"streams": [replace(STREAM, state="STALE")]},
            "subscription desk/book:A: STALE; no data for 1.0 s",
        ),
        (
            {"streams": [replace(STREAM, age_s=7.1)]},
            "subscription desk/book:A: no data for 7.1 s, expected every 2 s",
        ),
        (
            {"outs": [replace(OUT, stalled_s=10.1)]},
            "kafka feeds: nothing was acknowledged for 10 s, 5 records wait",
        ),
        ({"outs": [replace(OUT, fatal="fenced")]}, "kafka feeds: fenced"),
        ({"flow": "CUT"}, "kafka flow: too slow: subscriptions were let go"),
        (
            {"threads": [replace(THREAD, age_s=31.0)]},
            "consumer commands: its thread did not come round for 31 s",
        ),
        (
            {"threads": [replace(THREAD, is_member=False)]},
            "consumer commands: is not a member of its group",
        ),
        (
            {"threads": [replace(THREAD, lag=9, lag_s=31.0)]},
            "consumer commands: 9 wait, and no fewer for 31 s",
        ),
        ({"unread": ["control"]}, "log control: not read yet"),
        ({"left_out": ["a/b: no such topic"]}, "wishes: a/b: no such topic"),
        ({"pulse_s": 6.0}, "worker: the event loop's pulse is 6 s late"),
        ({"lease_over": True}, "worker: it stood still for longer than its lease"),
    ],
)
def test_each_trouble_is_one_line(change: dict[str, Any], told: str) -> None:
    assert wrong(replace(WELL, **change)) == [told]


@pytest.mark.parametrize(
    "change",
    [
        {"streams": [replace(STREAM, age_s=6.9)]},
        {"streams": [replace(STREAM, age_s=1e6, rhythm_s=None)]},
        {"outs": [replace(OUT, stalled_s=9.9)]},
        {"flow": "PAUSED"},
        {"threads": [replace(THREAD, lag=9, lag_s=29.0)]},
        {"threads": [replace(THREAD, age_s=29.0)]},
    ],
)
def test_what_mends_itself_in_time_is_no_trouble(change: dict[str, Any]) -> None:
    assert wrong(replace(WELL, **change)) == []


def test_the_broken_parts_come_first() -> None:
    found = parts(replace(WELL, flow="CUT"))
    assert [part.ok for part in found] == sorted(part.ok for part in found)


def test_before_it_is_prepared_it_says_what_it_waits_for() -> None:
    view = View(step=Step.PREPARING, waits_for="kafka_unreachable: no broker")
    assert wrong(view) == ["worker: kafka_unreachable: no broker"]
    assert all(part.ok for part in alive(view))


def test_a_start_is_under_way_until_it_is_over_or_waits_for_others() -> None:
    """To be killed for what Kafka or the registry lacks would mend nothing."""
    busy = View(step=Step.PREPARING)
    assert [(part.ok, part.why) for part in started(busy)] == [(False, "preparing")]
    for why in ("kafka_unreachable: no broker", "registry_unreachable: refused"):
        assert all(part.ok for part in started(replace(busy, waits_for=why)))


def test_while_it_stops_it_is_alive_and_not_ready() -> None:
    view = replace(WELL, step=Step.STOPPING)
    assert wrong(view) == ["worker: stopping"]
    assert all(part.ok for part in (*alive(view), *started(view)))


@pytest.mark.parametrize(
    "change", [{"pulse_s": 91.0}, {"threads": [replace(THREAD, age_s=91.0)]}]
)
def test_only_what_a_new_start_could_mend_ends_life(change: dict[str, Any]) -> None:
    """A venue that is away, or Kafka, never gets a worker killed."""
    assert not all(part.ok for part in alive(replace(WELL, **change)))
    broken = replace(WELL, links=[replace(LINK, is_open=False)], flow="CUT")
    assert all(part.ok for part in alive(broken))
