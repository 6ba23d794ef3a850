"""The queue before the connection: order, bounds, deadlines; nothing is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.lanes import Lanes
from bridge.core.orders import Lane

FAR = 1_000


def test_cancels_go_before_queries_before_all_else() -> None:
    """Within a lane, who came first goes first."""
    lanes: Lanes[str] = Lanes(10)
    for name, lane in (
        ("new 1", Lane.NEW),
        ("query 1", Lane.QUERY),
        ("new 2", Lane.NEW),
        ("cancel 1", Lane.CANCEL),
        ("cancel 2", Lane.CANCEL),
    ):
        assert lanes.put(name, lane, FAR)

    assert lanes.pop(0) == "cancel 1"
    assert lanes.put("cancel 3", Lane.CANCEL, FAR)
    left = [lanes.pop(0) for _ in range(5)]
    assert left == ["cancel 2", "cancel 3", "query 1", "new 1", "new 2"]
    assert lanes.pop(0) is None
    assert len(lanes) == 0


def test_a_full_lane_keeps_no_cancel_out() -> None:
    """LANE_FULL: each lane has its own bound."""
    lanes: Lanes[int] = Lanes(2)

    assert [lanes.put(n, Lane.NEW, FAR) for n in range(3)] == [True, True, False]
    assert lanes.put(9, Lane.CANCEL, FAR)
    assert (lanes.waiting(Lane.NEW), lanes.waiting(Lane.CANCEL), len(lanes)) == (
        2,
        1,
        3,
    )
    lanes.pop(0)
    lanes.pop(0)
    assert lanes.put(3, Lane.NEW, FAR)


def test_waiting_never_exceeds_the_deadline() -> None:
    """What is late leaves through `expired`, the earliest first, and only there."""
    lanes: Lanes[str] = Lanes(10)
    lanes.put("late cancel", Lane.CANCEL, 10)
    lanes.put("later order", Lane.NEW, 7)
    lanes.put("order", Lane.NEW, 11)

    assert lanes.pop(10) == "order"
    assert lanes.pop(10) is None
    assert lanes.expired(6) == []
    assert lanes.expired(10) == ["later order", "late cancel"]
    assert lanes.expired(10) == []
    assert len(lanes) == 0


def test_a_deadline_is_the_first_moment_that_is_too_late() -> None:
    """Both ends agree on it, so nothing can leave by neither door."""
    lanes: Lanes[str] = Lanes(10)
    lanes.put("a", Lane.NEW, 10)

    assert lanes.expired(9) == []
    assert lanes.pop(9) == "a"


def test_all_that_waits_can_be_taken_out_at_once() -> None:
    """A connection that ends leaves nothing behind, in the order of the lanes."""
    lanes: Lanes[str] = Lanes(10)
    lanes.put("order", Lane.NEW, 5)
    lanes.put("cancel", Lane.CANCEL, 5)

    assert lanes.drain() == ["cancel", "order"]
    assert len(lanes) == 0
    assert lanes.expired(FAR) == []


def test_deadlines_of_what_has_gone_do_not_pile_up() -> None:
    """Memory is bounded by what waits, not by what has passed through."""
    lanes: Lanes[int] = Lanes(10)
    for number in range(10_000):
        lanes.put(number, Lane.NEW, 10**9)
        lanes.pop(0)

    assert len(lanes._deadlines) < 200


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(Lane), st.integers(0, 30)),
            st.just("pop"),
            st.just("expired"),
            st.just("drain"),
        ),
        max_size=200,
    )
)
def test_everything_put_leaves_exactly_once(steps: list[object]) -> None:
    """Whatever happens in whichever order, each item is popped, expired or drained."""
    lanes: Lanes[int] = Lanes(5)
    put: list[int] = []
    gone: list[int] = []
    for now, step in enumerate(steps):
        if isinstance(step, tuple):
            lane, wait = step
            if lanes.put(now, lane, now + wait):
                put.append(now)
        elif step == "pop":
            gone += [item for item in [lanes.pop(now)] if item is not None]
        else:
            gone += lanes.expired(now) if step == "expired" else lanes.drain()
    gone += lanes.expired(10_000)

    assert sorted(gone) == put
    assert len(lanes) == 0
