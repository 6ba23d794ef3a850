"""The clocks of a run, and what its designs write."""

import gc

import pytest

from bridge.bench.runner import Wanted
from bridge.bench.watch import Pauses, Timed, Watch, quantiles


def test_percentiles_are_values_that_were_seen() -> None:
    """No value is made up between two that were measured."""
    values = range(1000, 2_000_000, 1000)
    assert quantiles(values, 1e3) == {"p50": 1000.0, "p99": 1980.0, "p99.9": 1998.0}
    assert quantiles([], 1e3) == {}


def test_an_acknowledgement_is_timed_from_when_its_frame_was_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frame n was due n + 1 intervals after the start; earlier counts are left out."""
    watch = Watch()
    watch.begin(at_ns=1_000_000, rate=1000, delivered=7)
    monkeypatch.setattr("bridge.bench.watch.mono_ns", lambda: 5_000_000)
    watch.acked(10)
    late = watch.summary()["acknowledged_ms"]
    assert (late["p50"], late["p99.9"]) == (2.0, 3.0)


def test_before_a_run_begins_nothing_is_timed() -> None:
    """Acknowledgements of the warm-up leave no trace."""
    watch = Watch()
    watch.acked(1000)
    assert watch.summary() == {"inside_us": {}, "acknowledged_ms": {}}


def test_a_timed_receiver_passes_everything_on() -> None:
    """Frames and the ends of chunks reach the receiver inside, in order."""
    seen: list[object] = []

    class Inner:
        def on_frame(self, data: bytes, received_ns: int) -> None:
            seen.append((data, received_ns))

        def on_chunk_end(self) -> None:
            seen.append("end")

    watch = Watch()
    timed = Timed(Inner(), watch, lambda: 0)
    timed.on_frame(b"a", 1)
    timed.on_chunk_end()
    assert seen == [(b"a", 1), "end"]
    assert watch.summary()["inside_us"]["p50"] > 0


def test_pauses_are_seen_until_they_are_stopped() -> None:
    """Each collection counts once, and none after the end."""
    pauses = Pauses()
    gc.collect()
    pauses.stop()
    count = pauses.count
    gc.collect()
    assert count >= 1
    assert pauses.count == count
    assert pauses.longest_ms > 0


def test_designs_take_turns_within_a_round() -> None:
    """Neighbours in time are compared: designs change fastest, rounds slowest."""
    wanted = Wanted(
        designs=["a", "b"], kinds=["mix"], rates=[5], rounds=2, paced=1, seconds=1
    )
    assert [(j.turn, j.rate, j.design) for j in wanted.jobs()] == [
        (0, 0, "a"),
        (0, 0, "b"),
        (0, 5, "a"),
        (0, 5, "b"),
        (1, 0, "a"),
        (1, 0, "b"),
    ]
