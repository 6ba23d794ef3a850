"""Verify a response topic: finals, pairs, open claims and corrections, from records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Result
from bridge.core.verify_response_result import EXAMPLES
from bridge.core.verify_responses import (
    Likeness,
    Logged,
    Place,
    ResponseResult,
    ResponseVerifier,
)

NOW_MS = 1_000_000
DONE, REJECTED = Outcome.DONE, Outcome.REJECTED


class Log:
    """Appends records of one response partition and verifies them."""

    def __init__(self) -> None:
        self.verifier = ResponseVerifier(300.0)
        self.offset = 0

    def write(
        self, command: int, phase: Phase, *, partition: int = 0, **more: Any
    ) -> None:
        facts = {
            "key": Key("finery.commands", "desk", f"r-{command}"),
            "phase": phase,
            "command_offset": command,
            "method": "add",
            "worker": "w1",
            "epoch": "e1",
            "claimed_ms": NOW_MS - 1_000,
        }
        entry = Entry(**{**facts, **more})
        place = Place("finery.commands", 0, command)
        self.verifier.take(
            Logged("finery.responses", partition, self.offset, place, entry)
        )
        self.offset += 1

    def claim(self, command: int, **more: Any) -> None:
        self.write(command, Phase.CLAIMED, **more)

    def final(
        self, command: int, outcome: Outcome = DONE, code: str = "", **more: Any
    ) -> None:
        said = result(outcome, code)
        self.write(command, Phase.FINAL, result=said, **more)

    @property
    def result(self) -> ResponseResult:
        [found] = self.verifier.results(NOW_MS)
        return found


def result(outcome: Outcome, code: str = "") -> Result:
    return Result(outcome=outcome, code=code, text="", evidence=Evidence.REPLY)


@pytest.fixture
def log() -> Log:
    return Log()


def test_one_final_a_command_is_complete(log: Log) -> None:
    """Claimed, perhaps in doubt, final: nothing is wrong."""
    for command in (0, 1):
        log.claim(command)
    log.write(1, Phase.DOUBT)
    log.final(0)
    log.final(1, Outcome.NO_TRACE)
    found = log.result

    assert found.complete
    assert (found.commands, found.finals, found.open) == (2, 2, 0)
    assert found.outcomes == {"DONE": 1, "NO_TRACE": 1}


@pytest.mark.parametrize(
    ("binding", "further", "more", "expected"),
    [
        ((DONE, "FILLED"), (DONE, "DEALS_FOUND"), {}, Likeness.SAME),
        ((DONE, "FILLED"), (Outcome.NO_TRACE, "NO_TRACE"), {}, Likeness.DIFFERS),
        ((Outcome.REFUSED, "HALTED"), (DONE, "FILLED"), {}, Likeness.DIFFERS),
        # the order was gone: the venue refuses the cancel, the look-up finds nothing
        ((REJECTED, "VENUE_5"), (DONE, "NOT_ACTIVE"), {}, Likeness.BOTH_TRUE),
        ((DONE, "NOT_ACTIVE"), (REJECTED, "VENUE_5"), {}, Likeness.BOTH_TRUE),
        # what nobody knows is not confirmed by a state
        ((Outcome.UNRESOLVED, ""), (DONE, "NOT_ACTIVE"), {}, Likeness.DIFFERS),
        # a read goes without a claim and may be asked twice
        ((DONE, "ANSWERED"), (Outcome.EXPIRED, ""), {"claimed_ms": 0},
         Likeness.BOTH_TRUE),
    ],
)  # fmt: skip
def test_a_further_final_is_a_pair(
    log: Log,
    binding: tuple[Outcome, str],
    further: tuple[Outcome, str],
    more: dict[str, Any],
    expected: Likeness,
) -> None:
    """The first one binds; only what cannot be true beside it is a fault."""
    log.final(0, *binding, **more)
    log.final(0, *further, **more)
    found = log.result
    [pair] = found.pairs

    assert pair.likeness is expected
    assert (pair.binding.outcome, pair.further.outcome) == (
        binding[0].name,
        further[0].name,
    )
    assert (pair.binding.offset, pair.further.offset) == (0, 1)
    assert found.further[expected] == 1
    assert found.finals == 1
    assert found.complete is (expected is not Likeness.DIFFERS)


def test_many_harmless_pairs_hide_no_harmful_one(log: Log) -> None:
    """Examples are bounded, and those that differ come first."""
    for command in range(EXAMPLES + 5):
        log.final(command)
        log.final(command)
    log.final(99)
    log.final(99, REJECTED)
    found = log.result

    assert len(found.pairs) == EXAMPLES
    assert found.pairs[0].likeness is Likeness.DIFFERS
    assert found.further[Likeness.SAME] == EXAMPLES + 5


@pytest.mark.parametrize(("age_ms", "fault"), [(300_000, False), (300_001, True)])
def test_a_claim_without_a_final_is_open(log: Log, age_ms: int, fault: bool) -> None:
    """Open is no fault until the limit."""
    log.claim(0, claimed_ms=NOW_MS - age_ms)
    log.write(0, Phase.DOUBT, claimed_ms=NOW_MS - age_ms)
    found = log.result
    [one] = found.open_claims

    assert found.open == 1
    assert found.complete is not fault
    assert one.age_s == age_ms / 1000
    assert one.doubted


def test_results_may_be_asked_for_twice(log: Log) -> None:
    """What is open is counted anew each time."""
    log.claim(0)
    assert log.result.open == 1
    assert log.result.open == 1


def test_the_first_claim_counts_and_others_are_lost(log: Log) -> None:
    """A claim of another assignment is lost, before and after the final."""
    log.claim(0)
    log.claim(0)  # the same writer, again
    log.claim(0, worker="w2", epoch="e2")
    log.final(0)
    log.claim(0, worker="w3", epoch="e3")
    found = log.result

    assert found.lost_claims == 2
    assert [one.text for one in found.lost] == [
        "w2 was not the first",
        "w3 was not the first",
    ]
    assert found.complete


def test_a_correction_is_a_fault(log: Log) -> None:
    """It says that a final record was not true."""
    log.claim(0)
    log.final(0, Outcome.NO_TRACE)
    log.write(0, Phase.CORRECTION, result=result(DONE, "FILLED"))
    found = log.result

    assert not found.complete
    assert found.corrected[0].text == "corrected to DONE FILLED"
    assert found.corrected[0].offset == 2


def test_unresolved_is_listed_and_is_no_fault(log: Log) -> None:
    """It tells the truth; a person must look."""
    log.final(0, Outcome.UNRESOLVED, "NO_LOOKUP")
    found = log.result

    assert found.complete
    assert [(one.req_id, one.text) for one in found.unresolved] == [
        ("r-0", "NO_LOOKUP")
    ]


def test_a_repeat_ends_as_the_first_one_did(log: Log) -> None:
    """Another outcome is a fault; a first one that is not there any more is none."""
    log.final(0)
    log.final(1, repeat_of=0)
    log.final(2, Outcome.UNRESOLVED, "FIRST_UNKNOWN", repeat_of=0)
    log.final(3, repeat_of=-1)
    assert log.result.complete

    log.final(4, REJECTED, repeat_of=0)
    assert log.result.disorder == 1
    assert "which ended DONE, REJECTED told" in log.result.faults[0].text


def test_records_of_one_command_are_in_one_partition(log: Log) -> None:
    """Two partitions have no order, so neither final would be the first."""
    log.claim(0)
    log.final(0, partition=1)
    results = log.verifier.results(NOW_MS)

    assert [found.complete for found in results] == [True, False]
    assert results[1].faults[0].text == "is in finery.responses[0], too"


def test_an_unknown_phase_is_a_fault(log: Log) -> None:
    """What cannot be understood cannot be proved."""
    log.write(0, Phase.UNKNOWN)
    assert not log.result.complete


def test_a_result_is_json(log: Log) -> None:
    """Names, not numbers."""
    log.claim(1)
    log.final(0)
    log.final(0, REJECTED)
    plain = json.loads(json.dumps(log.result.as_dict()))

    assert plain["complete"] is False
    assert plain["pairs"][0]["likeness"] == "differing"
    assert plain["pairs"][0]["further"]["outcome"] == "REJECTED"
    assert plain["further"] == {"same": 0, "both_true": 0, "differing": 1}
