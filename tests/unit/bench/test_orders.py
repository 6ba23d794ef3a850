"""The report of `bench orders`: what is joined, what is compared, what counts whole."""

import pytest

from bridge.bench.order_figures import FLOOR, HOP, Sample, quantiles, report, tables
from bridge.bench.orders import ALONE
from bridge.cli import main
from bridge.core.model import Now
from bridge.core.orders import Key
from bridge.flow.latency import BOUNDS_US, OPEN_KEPT, Histogram, Latency, Moment

MS = 1_000_000
KEY = Key("commands", "taker", "a")


def sample(outcome: str = "DONE") -> Sample:
    orders = {"a": {"produced": 0, "seen": 12 * MS}}
    return Sample(ALONE, orders, [outcome], [(2 * MS, 4 * MS)])


MOMENTS = {"a": {"sent": 6 * MS, "answered": 7 * MS, "final": 10 * MS}}


def test_each_way_joins_what_sender_and_worker_saw() -> None:
    """A way is the time between its two moments, beside the floor of the same load."""
    ways = report([sample()], MOMENTS, "embedded")["loads"][ALONE]["ways"]
    assert {name: way["p50"] for name, way in ways.items()} == {
        HOP: 2.0,
        FLOOR: 4.0,
        "produced to frame sent": 6.0,
        "frame sent to reply (venue)": 1.0,
        "reply to final read back": 3.0,
        "reply to final at the sender": 5.0,
        "produced to final at the sender": 12.0,
    }
    assert ways["produced to frame sent"]["x_floor"] == 1.5
    assert ways[FLOOR]["x_floor"] == ways[FLOOR]["x_floor_p99"] == 1.0


@pytest.mark.parametrize("outcome", ["NONE", "REFUSED", "REJECTED"])
def test_a_run_is_whole_only_if_every_order_was_done(outcome: str) -> None:
    """What was refused, or not answered, is measured but makes the run worthless."""
    assert report([sample()], MOMENTS, "embedded")["whole"]
    assert not report([sample(outcome)], MOMENTS, "embedded")["whole"]


def test_a_run_without_the_worker_s_moments_is_not_whole() -> None:
    """Every order was sent, answered and read back, or the figures are not of all."""
    assert not report([sample()], {}, "embedded")["whole"]
    lame = {"a": {"sent": 6 * MS}}
    assert not report([sample()], lame, "embedded")["whole"]


def test_quantiles_are_in_milliseconds() -> None:
    """Of 100 values the p95 is the 96th; without values there is nothing to tell."""
    values = [n * MS for n in range(100)]
    assert quantiles(values) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert quantiles([]) == {}


def test_a_table_has_a_row_for_each_way() -> None:
    """People see the same figures as machines, a table a load."""
    made = report([sample()], MOMENTS, "embedded")
    [(title, headers, rows)] = tables(made)
    assert title == f"1 orders, {ALONE}"
    assert {len(row) for row in rows} == {len(headers)}
    assert rows[1] == [FLOOR, 4.0, 4.0, 4.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("bench orders --designs naive --rounds 2", "--designs"),
        ("bench --bootstrap localhost:9092", "--bootstrap"),
        ("bench feeds --orders 5", "--orders"),
        ("bench orders --rates fast", "--rates"),
    ],
)
def test_what_belongs_to_the_other_benchmark_is_refused(
    words: str, named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """An option that would be ignored is an error, before anything runs."""
    assert main(words.split()) == 2
    assert named in capfd.readouterr().err


def test_a_histogram_counts_up_to_each_bound() -> None:
    """A bound belongs to its own bucket; what is above all has the last one."""
    found = Histogram()
    for value in (-5, BOUNDS_US[0], BOUNDS_US[0] + 1, BOUNDS_US[-1] + 1):
        found.add(value)
    counts = found.as_dict()["counts"]
    assert isinstance(counts, list)
    assert (counts[0], counts[1], counts[-1], sum(counts)) == (2, 1, 1, 4)
    assert found.total_us == sum((BOUNDS_US[0], BOUNDS_US[0] + 1, BOUNDS_US[-1] + 1))


def test_both_ways_of_a_command_are_counted_once() -> None:
    """From its record's time to the socket, and from the reply to the read-back."""
    latency = Latency()
    latency.taken(KEY, 1_000)
    for moment, ms in zip(Moment, (1_003, 1_010, 1_017), strict=True):
        latency.note(KEY, moment, Now(ms * MS, ms * MS))
    latency.note(KEY, Moment.FINAL, Now(9_000 * MS, 9_000 * MS))
    assert latency.command_to_sent.total_us == 3_000
    assert latency.answer_to_final.total_us == 7_000
    assert sum(latency.answer_to_final.counts) == 1


def test_what_was_claimed_elsewhere_is_not_counted() -> None:
    """A successor reads finals of others; it did not see their commands come."""
    latency = Latency()
    latency.note(KEY, Moment.FINAL, Now(5 * MS, 5 * MS))
    assert not sum(latency.answer_to_final.counts)


def test_commands_without_an_end_are_forgotten() -> None:
    """What is remembered is bounded; the oldest goes first."""
    latency = Latency()
    for number in range(OPEN_KEPT + 1):
        latency.taken(KEY._replace(req_id=f"{number}"), 0)
    latency.note(KEY._replace(req_id="0"), Moment.SENT, Now(MS, MS))
    assert not sum(latency.command_to_sent.counts)
    latency.note(KEY._replace(req_id="1"), Moment.SENT, Now(MS, MS))
    assert sum(latency.command_to_sent.counts) == 1
