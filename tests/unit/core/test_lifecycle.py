"""A binding's life: every edge of the state machine, with hand-made time."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.backoff import Backoff
from bridge.core.lifecycle import SECOND_NS, Ask, Lifecycle, Limits, Phase, Step
from bridge.core.model import Binding, Mark, Reason

S = SECOND_NS
LIMITS = Limits(
    bind_timeout_s=5,
    unbind_timeout_s=2,
    bind_attempts=3,
    refused_retry_s=60,
    stable_s=30,
)


def life(phase: Phase = Phase.IDLE) -> Lifecycle:
    """Return a lifecycle of two channels that came to `phase` at time 0."""
    binding = Binding(name="b", request={}, channels=(3, 4))
    made = Lifecycle(binding, Backoff(lambda: 1.0), LIMITS)
    for step in WAYS[phase]:
        step(made)
    assert made.phase is phase
    return made


WAYS: dict[Phase, list[Any]] = {
    Phase.IDLE: [],
    Phase.BINDING: [lambda made: made.bind(0, Reason.CONNECTED)],
}
WAYS[Phase.LIVE] = [*WAYS[Phase.BINDING], lambda m: m.live(0, Reason.SNAPSHOT)]
WAYS[Phase.UNBINDING] = [
    *WAYS[Phase.LIVE],
    lambda made: made.broken(0, Reason.CONTRADICTION, ""),
]
WAYS[Phase.WAITING] = [*WAYS[Phase.BINDING], lambda made: made.refused(0, "no")]
WAYS[Phase.SUSPENDED] = [*WAYS[Phase.LIVE], lambda made: made.suspend(0, "down")]
WAYS[Phase.CUT] = [*WAYS[Phase.LIVE], lambda made: made.cut(0)]
WAYS[Phase.ENDED] = [*WAYS[Phase.LIVE], lambda made: made.ended(Reason.STOPPED)]


def said(steps: list[Step]) -> list[Any]:
    """Return the asks, and the marks of the first channel, in words."""
    both = [s.channel for s in steps if isinstance(s, Mark)]
    assert both.count(3) == both.count(4)
    return [
        step.name if isinstance(step, Ask) else _words(step)
        for step in steps
        if isinstance(step, Ask) or step.channel == 3
    ]


def _words(mark: Mark) -> tuple[Any, ...]:
    lost = () if mark.lost is None else (mark.lost,)
    return mark.state.name, str(mark.reason), *lost


BIND_AGAIN = [("BINDING", "RESUBSCRIBED"), "BIND"]

# phase, what happens, what is said, the phase afterwards
EDGES: list[tuple[Phase, Any, list[Any], Phase]] = [
    (
        Phase.IDLE,
        lambda m: m.bind(0, Reason.CONNECTED),
        [("BINDING", "CONNECTED"), "BIND"],
        Phase.BINDING,
    ),
    (
        Phase.BINDING,
        lambda m: m.live(0, Reason.SNAPSHOT),
        [("LIVE", "SNAPSHOT")],
        Phase.LIVE,
    ),
    (Phase.LIVE, lambda m: m.live(0, Reason.SNAPSHOT), [], Phase.LIVE),
    (
        Phase.BINDING,
        lambda m: m.refused(0, "34"),
        [("REFUSED", "VENUE_REFUSED")],
        Phase.WAITING,
    ),
    (
        Phase.LIVE,
        lambda m: m.broken(0, Reason.CONTRADICTION, "x", 2),
        [("GAP", "CONTRADICTION", 2), "UNBIND"],
        Phase.UNBINDING,
    ),
    (
        Phase.BINDING,
        lambda m: m.broken(0, Reason.UNREADABLE, "x"),
        [("GAP", "UNREADABLE"), "UNBIND"],
        Phase.UNBINDING,
    ),
    (
        Phase.WAITING,
        lambda m: m.broken(0, Reason.UNREADABLE, "x", 1),
        [],
        Phase.WAITING,
    ),
    (
        Phase.LIVE,
        lambda m: m.silent(0, Reason.SILENT, ""),
        [("STALE", "SILENT"), "UNBIND"],
        Phase.UNBINDING,
    ),
    (Phase.BINDING, lambda m: m.occupied(0), ["UNBIND"], Phase.UNBINDING),
    (Phase.UNBINDING, lambda m: m.unbound(0), BIND_AGAIN, Phase.BINDING),
    (Phase.LIVE, lambda m: m.unbound(0), [], Phase.LIVE),
    (Phase.WAITING, lambda m: m.unbound(0), [], Phase.WAITING),
    (Phase.BINDING, lambda m: m.tick(5 * S - 1), [], Phase.BINDING),
    (Phase.BINDING, lambda m: m.tick(5 * S), ["UNBIND"], Phase.UNBINDING),
    (Phase.UNBINDING, lambda m: m.tick(2 * S - 1), [], Phase.UNBINDING),
    (Phase.UNBINDING, lambda m: m.tick(2 * S), BIND_AGAIN, Phase.BINDING),
    (Phase.WAITING, lambda m: m.tick(60 * S - 1), [], Phase.WAITING),
    (Phase.WAITING, lambda m: m.tick(60 * S), BIND_AGAIN, Phase.BINDING),
    (Phase.IDLE, lambda m: m.tick(99 * S), [], Phase.IDLE),
    (Phase.LIVE, lambda m: m.tick(99 * S), [], Phase.LIVE),
    (Phase.SUSPENDED, lambda m: m.tick(99 * S), [], Phase.SUSPENDED),
    (Phase.CUT, lambda m: m.tick(99 * S), [], Phase.CUT),
    (Phase.ENDED, lambda m: m.tick(99 * S), [], Phase.ENDED),
    (
        Phase.LIVE,
        lambda m: m.suspend(0, "2"),
        [("STALE", "VENUE_DOWN")],
        Phase.SUSPENDED,
    ),
    (Phase.IDLE, lambda m: m.suspend(0, "2"), [], Phase.IDLE),
    (Phase.SUSPENDED, lambda m: m.suspend(0, "2"), [], Phase.SUSPENDED),
    (Phase.CUT, lambda m: m.suspend(0, "2"), [], Phase.CUT),
    (Phase.ENDED, lambda m: m.suspend(0, "2"), [], Phase.ENDED),
    (Phase.SUSPENDED, lambda m: m.recover(0), ["UNBIND"], Phase.UNBINDING),
    (Phase.LIVE, lambda m: m.recover(0), [], Phase.LIVE),
    (Phase.LIVE, lambda m: m.cut(0), ["UNBIND"], Phase.CUT),
    (Phase.BINDING, lambda m: m.cut(0), ["UNBIND"], Phase.CUT),
    (Phase.UNBINDING, lambda m: m.cut(0), [], Phase.CUT),
    (Phase.WAITING, lambda m: m.cut(0), [], Phase.CUT),
    (Phase.CUT, lambda m: m.cut(0), [], Phase.CUT),
    (Phase.ENDED, lambda m: m.cut(0), [], Phase.ENDED),
    (Phase.CUT, lambda m: m.heal(0), [("GAP", "KAFKA_SLOW")], Phase.UNBINDING),
    (
        Phase.CUT,
        lambda m: m.heal(2 * S),
        [("GAP", "KAFKA_SLOW"), *BIND_AGAIN],
        Phase.BINDING,
    ),
    (Phase.LIVE, lambda m: m.heal(0), [], Phase.LIVE),
    (
        Phase.CUT,
        lambda m: m.parked(0, "2"),
        [("GAP", "KAFKA_SLOW"), ("STALE", "VENUE_DOWN")],
        Phase.SUSPENDED,
    ),
    (Phase.LIVE, lambda m: m.parked(0, "2"), [], Phase.LIVE),
    (
        Phase.LIVE,
        lambda m: m.ended(Reason.STOPPED),
        [("ENDED", "STOPPED")],
        Phase.ENDED,
    ),
    (
        Phase.LIVE,
        lambda m: m.ended(Reason.CONNECTION_LOST),
        [("GAP", "CONNECTION_LOST"), ("ENDED", "CONNECTION_LOST")],
        Phase.ENDED,
    ),
    (Phase.IDLE, lambda m: m.ended(Reason.STOPPED), [], Phase.IDLE),
    (Phase.ENDED, lambda m: m.ended(Reason.STOPPED), [], Phase.ENDED),
]


@pytest.mark.parametrize(("before", "act", "words", "after"), EDGES)
def test_edges(before: Phase, act: Any, words: list[Any], after: Phase) -> None:
    """Each edge says its boundaries for every channel, and asks once."""
    made = life(before)
    assert said(act(made)) == words
    assert made.phase is after


@pytest.mark.parametrize("phase", list(Phase))
def test_only_binding_and_live_accept_data(phase: Phase) -> None:
    """A data frame in any other phase belongs to no stream."""
    assert life(phase).accepting is (phase in {Phase.BINDING, Phase.LIVE})


HELD = {Phase.BINDING, Phase.LIVE, Phase.UNBINDING, Phase.SUSPENDED, Phase.CUT}


@pytest.mark.parametrize("phase", list(Phase))
def test_what_the_venue_may_hold(phase: Phase) -> None:
    """From the bind on, until it is refused or let go."""
    assert life(phase).held is (phase in HELD | {Phase.ENDED})


def test_letting_go_is_noted_in_every_phase() -> None:
    """A `U` that comes late, after a cut or a suspension, still counts."""
    for phase in (Phase.CUT, Phase.SUSPENDED):
        made = life(phase)
        assert made.unbound(0) == []
        assert not made.held


def test_a_late_letting_go_does_not_undo_a_bind() -> None:
    """While accepting, a `U` belongs to an earlier unbind."""
    for phase in (Phase.BINDING, Phase.LIVE):
        made = life(phase)
        assert made.unbound(0) == []
        assert made.held


def test_healing_what_was_let_go_binds_at_once() -> None:
    """Nothing to wait for."""
    made = life(Phase.CUT)
    made.unbound(0)
    assert said(made.heal(0))[-1] == "BIND"


def test_recovering_what_was_never_bound_asks_for_no_unbind() -> None:
    """Refused and then suspended: bind, do not unbind."""
    made = life(Phase.BINDING)
    made.refused(0, "1")
    made.suspend(0, "2")
    assert said(made.recover(0)) == BIND_AGAIN


def test_a_transient_refusal_waits_for_the_backoff() -> None:
    """It is tried again soon, the next time later."""
    made = life(Phase.BINDING)
    made.refused(0, "2", transient=True)
    assert said(made.tick(S // 2)) == BIND_AGAIN
    made.refused(S, "2", transient=True)
    assert said(made.tick(S + S // 2)) == []
    assert said(made.tick(2 * S)) == BIND_AGAIN


def test_discarded_frames_are_announced_with_the_next_bind() -> None:
    """Counted while unbinding, told in BINDING, and only once."""
    made = life(Phase.UNBINDING)
    made.discard()
    made.discard()
    assert said(made.unbound(0))[0] == ("BINDING", "RESUBSCRIBED", 2)
    assert made.discarded == 0


def test_what_breaks_while_not_accepting_is_counted() -> None:
    """A loss reported in between is told with the next boundary."""
    made = life(Phase.UNBINDING)
    assert made.broken(0, Reason.DELIVERY_FAILED, "", 5) == []
    assert said(made.unbound(0))[0] == ("BINDING", "RESUBSCRIBED", 5)


def test_discarded_frames_are_announced_at_the_end() -> None:
    """A planned end with frames discarded is a gap, too."""
    made = life(Phase.UNBINDING)
    made.discard()
    assert said(made.ended(Reason.STOPPED)) == [
        ("GAP", "STOPPED", 1),
        ("ENDED", "STOPPED"),
    ]


def test_a_bind_that_is_never_answered_gives_the_connection_up() -> None:
    """After three binds the whole connection is suspect."""
    made = life(Phase.BINDING)
    now = 0
    for _ in range(2):
        now += 5 * S
        assert said(made.tick(now)) == ["UNBIND"]
        now += 2 * S
        assert said(made.tick(now)) == BIND_AGAIN
    assert said(made.tick(now + 5 * S)) == ["RECONNECT"]


def test_a_live_period_forgets_unanswered_binds() -> None:
    """Attempts count in a row only."""
    made = life(Phase.BINDING)
    made.tick(5 * S)
    made.unbound(5 * S)
    made.live(6 * S, Reason.SNAPSHOT)
    made.broken(7 * S, Reason.CONTRADICTION, "")
    made.tick(9 * S)
    assert said(made.tick(14 * S)) == ["UNBIND"]


def test_the_second_rebind_waits_until_a_stable_period_forgives() -> None:
    """The first rebind is at once, the next by back-off, then at once again."""
    made = life(Phase.UNBINDING)
    assert said(made.unbound(0)) == BIND_AGAIN
    made.live(0, Reason.SNAPSHOT)
    made.broken(S, Reason.CONTRADICTION, "")
    assert made.unbound(S) == []
    assert made.phase is Phase.WAITING
    made.tick(2 * S)
    made.live(2 * S, Reason.SNAPSHOT)
    made.tick(33 * S)
    made.broken(34 * S, Reason.CONTRADICTION, "")
    assert said(made.unbound(34 * S)) == BIND_AGAIN
