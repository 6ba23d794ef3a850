"""Percentiles of the order path's histograms, and which moments they take."""

from __future__ import annotations

import pytest

from bridge.core.model import Now
from bridge.core.orders import Key
from bridge.flow.latency import Histogram, Latency, Moment

KEY = Key("finery.commands", "desk", "r-1")
MS_NS = 1_000_000


def test_an_empty_histogram_says_nothing() -> None:
    """No durations: zeros, and no error."""
    expected = {"count": 0, "p50_ms": 0.0, "p90_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}
    assert Histogram().summary() == expected


@pytest.mark.parametrize(
    ("microseconds", "share", "expected"),
    [
        ([150], 0.5, 125.0),  # one of one: spread over its bucket, up to the longest
        ([150], 1.0, 150.0),
        ([50] * 9 + [9_000], 0.9, 100.0),
        ([50] * 9 + [9_000], 0.99, 8_600.0),
        ([60_000_000], 0.5, 32_500_000.0),  # above the last bound
        ([60_000_000, 90_000_000], 1.0, 90_000_000.0),
    ],
)
def test_a_percentile_lies_in_its_bucket(
    microseconds: list[int], share: float, expected: float
) -> None:
    """Linear within the bucket, and never above the longest."""
    histogram = Histogram()
    for value in microseconds:
        histogram.add(value)
    assert histogram.share_us(share) == pytest.approx(expected)


def test_each_stage_has_its_own_clock() -> None:
    """Produced to sent on the wall clock, the others on the one that never steps."""
    latency = Latency()
    latency.taken(KEY, 1_000)
    latency.note(KEY, Moment.SENT, Now(1_003 * MS_NS, 5 * MS_NS))
    latency.note(KEY, Moment.ANSWERED, Now(0, 45 * MS_NS))
    latency.note(KEY, Moment.FINAL, Now(0, 47 * MS_NS))
    found = latency.summary()

    assert {name: stage["max_ms"] for name, stage in found.items()} == {
        "command_to_sent": 3.0,
        "sent_to_answer": 40.0,
        "answer_to_final": 2.0,
    }
    assert all(stage["count"] == 1 for stage in found.values())


def test_what_was_answered_unsent_counts_for_nothing() -> None:
    """A command of another worker, and one that was refused, leave no durations."""
    latency = Latency()
    latency.note(KEY, Moment.FINAL, Now(1, 1))
    latency.taken(KEY, 1_000)
    latency.note(KEY, Moment.FINAL, Now(1, 1))

    assert all(stage["count"] == 0 for stage in latency.summary().values())
