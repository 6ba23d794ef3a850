"""Whatever crashes, pauses and rebalances happen: sent at most once, answered, true."""

from __future__ import annotations

from random import Random, SystemRandom
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from tests.properties.claims_world import World

EXAMPLES = 2_000
HISTORIES = 10_000
STEPS = 50


class Claiming(RuleBasedStateMachine):
    """Draws what happens next from all that may happen."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(0)

    @initialize(processes=st.integers(1, 3), skew_ms=st.sampled_from((0, 900)))
    def begin(self, processes: int, skew_ms: int) -> None:
        self.world = World(processes, skew_ms)
        self.world.say(0, 0)

    @rule(data=st.data())
    def go_on(self, data: Any) -> None:
        move = data.draw(st.sampled_from(self.world.moves()))
        note(f"{self.world.ns // 1_000_000} ms: {move}")
        self.world.do(move)

    @override
    def teardown(self) -> None:
        self.world.calm()
        self.world.judge()


@pytest.mark.timeout(300)
def test_nothing_is_sent_twice_and_every_final_record_is_true() -> None:
    """Any order of faults leaves one send, one binding final record, and the truth."""
    wanted = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Claiming, settings=wanted)


def play(seed: int) -> None:
    """Live through one history, its moves drawn evenly."""
    chance = Random(seed)
    world = World(chance.randint(1, 3), chance.choice((0, 900)))
    world.say(0, 0)
    for _ in range(STEPS):
        world.do(chance.choice(world.moves()))
    world.calm()
    world.judge()


@pytest.mark.timeout(300)
def test_evenly_drawn_histories_keep_the_promises_too() -> None:
    """Hypothesis prefers short and simple; rare orders of events need even chances."""
    first = SystemRandom().getrandbits(32)
    for seed in range(first, first + HISTORIES):
        try:
            play(seed)
        except AssertionError as error:
            raise AssertionError(f"play({seed}) fails: {error}") from error
