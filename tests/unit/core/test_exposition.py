"""The metric table and Prometheus's text format for it."""

from __future__ import annotations

import pytest

from bridge.core.exposition import Samples, Spread
from bridge.core.metric_table import (
    BOUNDED_BY,
    BUCKETS_S,
    BY_NAME,
    PREFIX,
    REASONS,
    TABLE,
    VALUES,
    Kind,
)
from bridge.flow.latency import BOUNDS_US

UNITS = ("_seconds", "_bytes", "_messages", "_total")


def test_each_name_is_there_once_and_says_its_unit() -> None:
    """Prometheus's rules: counters end with total, durations are in seconds."""
    assert len(BY_NAME) == len(TABLE)
    for metric in TABLE:
        assert metric.full_name.startswith(PREFIX)
        assert metric.help.endswith(".")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        if metric.kind is Kind.HISTOGRAM:
            assert metric.name.endswith("_seconds")
        assert not any(word in metric.name for word in ("_ms", "_us", "_kb"))


def test_every_label_is_bounded() -> None:
    for metric in TABLE:
        for label in metric.labels:
            if label == "reason":
                assert metric.name in REASONS
            else:
                assert (label in BOUNDED_BY) != (label in VALUES)
    used = {label for metric in TABLE for label in metric.labels}
    assert set(BOUNDED_BY) | set(VALUES) | {"reason"} == used


def test_the_buckets_are_those_that_are_measured() -> None:
    assert tuple(round(bound * 1_000_000) for bound in BUCKETS_S) == BOUNDS_US


def test_what_a_venue_says_cannot_break_the_format() -> None:
    found = Samples()
    found.put("account_ready", 1, 'a"b\\c\nd')
    assert found.text() == (
        "# HELP feedbridge_account_ready 1 when orders can be sent, else 0.\n"
        "# TYPE feedbridge_account_ready gauge\n"
        'feedbridge_account_ready{account="a\\"b\\\\c\\nd"} 1\n'
    )


def test_a_histogram_is_cumulative() -> None:
    found = Samples()
    counts = [0] * (len(BUCKETS_S) + 1)
    counts[0], counts[3], counts[-1] = 2, 1, 4
    found.put("loop_lag_seconds", Spread(counts, 30.5))
    lines = found.text().splitlines()[2:]
    assert lines[0] == 'feedbridge_loop_lag_seconds_bucket{le="0.0001"} 2'
    assert lines[3] == 'feedbridge_loop_lag_seconds_bucket{le="0.001"} 3'
    assert lines[-3:] == [
        'feedbridge_loop_lag_seconds_bucket{le="+Inf"} 7',
        "feedbridge_loop_lag_seconds_sum 30.5",
        "feedbridge_loop_lag_seconds_count 7",
    ]


def test_counters_begin_at_zero_with_all_their_labels() -> None:
    found = Samples()
    found.zeros("command_finals_total", {"topic": ["a", "b"]})
    lines = found.text().splitlines()[2:]
    assert len(lines) == 2 * len(VALUES["outcome"])
    assert all(line.endswith("} 0") for line in lines)


def test_one_state_is_in_force() -> None:
    found = Samples()
    found.one_of("account_trading", "HALTED", "desk")
    values = [line[-1] for line in found.text().splitlines()[2:]]
    assert values.count("1") == 1
    assert len(values) == len(VALUES["trading"])


def test_a_name_that_is_not_in_the_table_cannot_be_exported() -> None:
    with pytest.raises(KeyError):
        Samples().put("made_up_total", 1)
