"""The judge of the chaos tests finds what it is there to find."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.order_ids import derived_id as ours
from bridge.core.orders import Key
from tests.chaos.orders_judge import Court, Entry, Evidence, Freeze, Limits
from tests.chaos.orders_log import Command, Place, Response, derived_id

NOW = 1_790_000_000_000
HERE = Place(0, 5)
LIMITS = Limits(1_000, 3_500)
FROZEN = Freeze("worker-0", NOW + 500, NOW + 9_000)


def command(
    method: str = "add",
    target: Any = ("order", 77),
    place: Place = HERE,
    req_id: str = "r1",
    at_ms: int = NOW,
) -> Command:
    """Return a command as it lies in the topic."""
    return Command(place, at_ms, req_id, "desk", method, target)


def final(outcome: str = "DONE", place: Place = HERE, **more: Any) -> Response:
    """Return a final response."""
    facts = {"req_id": "r1", "phase": "FINAL", "at_ms": NOW + 20_000, **more}
    return Response(place, outcome=outcome, **facts)


def request(
    decision: str = "executed", error: int = 0, method: str = "add", **more: Any
) -> Entry:
    """Return a request in the venue's ledger."""
    return {
        "kind": "request",
        "method": method,
        "content": {},
        "clientOrderId": 77,
        "decision": decision,
        "error": error,
        "wall_ms": NOW + 100,
        **more,
    }


def order(kind: str = "order", **more: Any) -> Entry:
    """Return an order that came or went in the venue's ledger."""
    facts = {"id": 1, "client_id": 77, "type": 0, "instrument": "BTC-USD"}
    sizes = {"initial": 5, "left": 5, "reason": 0, "wall_ms": NOW + 100}
    return {"kind": kind, **facts, **sizes, **more}


def problems(
    commands: list[Command],
    responses: list[Response],
    ledger: list[Entry],
    *freezes: Freeze,
) -> list[str]:
    """Return what the judge finds."""
    court = Court(Evidence(commands, responses, ledger, freezes, LIMITS))
    court.judge()
    return court.problems


TRUE = [
    ("DONE", [request()], {}),
    ("REJECTED", [request("refused", 76)], {"error": 76}),
    ("REFUSED", [], {}),
    ("EXPIRED", [], {}),
    ("NO_TRACE", [], {}),
    ("NO_TRACE", [request("swallowed")], {}),
    ("NO_TRACE", [request("cut before")], {}),
    ("NO_TRACE", [request("refused", 76)], {}),
]


@pytest.mark.parametrize(("outcome", "ledger", "more"), TRUE)
def test_the_truth_is_acquitted(outcome: str, ledger: Any, more: Any) -> None:
    """A final response that agrees with the ledger is no problem."""
    assert problems([command()], [final(outcome, **more)], ledger) == []


UNTRUE = [
    ("DONE", [], {}),
    ("DONE", [request("refused", 76)], {}),
    ("DONE", [request("cut before")], {"evidence": "RECONCILED"}),
    ("REJECTED", [], {"error": 76}),
    ("REJECTED", [request()], {"error": 76}),
    ("REJECTED", [request("refused", 76)], {"error": 80}),
    ("REJECTED", [request("swallowed")], {"error": 76}),
    ("REFUSED", [request()], {}),
    ("REFUSED", [request("swallowed")], {}),
    ("EXPIRED", [request("refused", 76)], {}),
    ("NO_TRACE", [request()], {}),
    ("UNRESOLVED", [], {}),
    ("UNRESOLVED", [request()], {}),
    ("UNKNOWN", [request()], {}),
]


@pytest.mark.parametrize(("outcome", "ledger", "more"), UNTRUE)
def test_an_untrue_final_is_found(outcome: str, ledger: Any, more: Any) -> None:
    """A final response that disagrees with the ledger is one problem."""
    found = problems([command()], [final(outcome, **more)], ledger)

    assert len(found) == 1
    assert outcome in found[0]


def test_an_order_sent_twice_is_found() -> None:
    """Two requests for one command are a problem, even if one was refused."""
    twice = [request(), request("refused", 74)]

    assert "sent 2 times" in problems([command()], [final()], twice)[0]


def test_an_order_booked_twice_is_found() -> None:
    """Two orders with one client order id are a problem."""
    ledger = [request(), order(), order(id=2)]

    assert "2 times in the book" in problems([command()], [final()], ledger)[0]


def test_what_nobody_asked_for_is_found() -> None:
    """A request, an order or a response of no command is a problem."""
    assert "no command" in problems([], [], [request()])[0]
    assert "no command" in problems([], [], [order()])[0]
    assert "no such command" in problems([], [final()], [])[0]
    early = request(wall_ms=NOW - 1)
    assert any(
        "no command" in text for text in problems([command()], [final()], [early])
    )


def test_a_missing_final_is_found() -> None:
    """A claim is no answer."""
    claim = Response(HERE, NOW, "r1", "CLAIMED")

    assert "no final" in problems([command()], [claim], [request()])[0]


def test_finals_that_differ_are_found() -> None:
    """The first one binds; one that contradicts it is a problem, the same is none."""
    both = [final(), final("NO_TRACE")]

    assert problems([command()], [final(), final()], [request()]) == []
    assert "finals differ" in problems([command()], both, [request()])[0]
    # Neither was carried out, and yet only one of them can be.
    early = [final("NO_TRACE"), final("REFUSED")]
    assert "differ" in problems([command()], early, [request("swallowed")])[0]
    gone = command(method="del", target=("del orderId", 5))
    ledger = [
        request(method="del", content={"orderId": 5}, decision="refused", error=80)
    ]
    two = [
        final(code="NOT_ACTIVE", evidence="RECONCILED"),
        final("REJECTED", error=80),
    ]
    assert problems([gone], two, ledger) == []
    # The first one is judged, not the better one.
    found = problems([command()], both[::-1], [request()])
    assert any("NO_TRACE" in text and "executed" in text for text in found)


def test_a_repeat_must_end_as_the_first_and_send_nothing() -> None:
    """Another outcome, no reference, or a request of its own is a problem."""
    again = Place(0, 9)
    reused = command(target=("order", 78), place=again, at_ms=NOW + 50)
    two, ledger = [command(), reused], [request()]

    def end(outcome: str, of: int | None) -> list[Response]:
        return [final(), final(outcome, again, repeat_of=of)]

    assert problems(two, end("DONE", 5), ledger) == []
    assert "repeat of None" in problems(two, end("DONE", None), ledger)[0]
    assert "REJECTED" in problems(two, end("REJECTED", 5), ledger)[0]
    sent = [*ledger, request(clientOrderId=78)]
    assert "a repeat was sent" in problems(two, end("DONE", 5), sent)[0]


def test_a_cancel_that_was_looked_up() -> None:
    """Found by looking, it is done only if what it was to remove is gone."""
    one = command("del", ("del orderId", 1))
    said = [final(evidence="RECONCILED")]
    gone = order("cancel", wall_ms=NOW + 200, reason=1)

    assert problems([one], said, []) == []
    active = problems([one], said, [order()])
    assert any("[1] are still active" in text for text in active)
    found = problems([one], said, [order(), gone])
    assert all("still active" not in text for text in found)
    told = problems([one], [final(evidence="REPLY")], [order(), gone])
    assert any("never executed" in text for text in told)


def test_an_order_that_its_connection_took_along_leaves_no_trace() -> None:
    """NO_TRACE is true of an undealt order that went with its connection, only then."""
    said, ledger = [final("NO_TRACE")], [request(), order()]
    with_it = order("cancel", reason=4, wall_ms=NOW + 300)

    assert problems([command()], said, [*ledger, with_it]) == []
    assert problems([command()], said, [*ledger, {**with_it, "reason": 1}])
    assert problems([command()], said, [*ledger, {**with_it, "left": 3}])
    assert problems([command()], said, [*ledger, {**with_it, "wall_ms": NOW + 30_000}])


def test_requests_are_laid_at_the_last_command_before_them() -> None:
    """What clears one instrument again and again is told apart by time."""
    later = Place(1, 2)
    clear = ("delAll", "T010-USD")
    two = [
        command("delAll", clear),
        command("delAll", clear, later, "r2", NOW + 9_000),
    ]
    said = [final(), final("NO_TRACE", later, req_id="r2")]
    content = {"instrument": "T010-USD"}
    one = request(method="delAll", content=content)

    assert problems(two, said, [one]) == []
    late = {**one, "wall_ms": NOW + 9_500}
    assert len(problems(two, said, [late])) == 2


CLAIM = Response(HERE, NOW, "r1", "CLAIMED", worker="worker-0", claimed_ms=NOW)
CORRECTION = Response(HERE, NOW + 30_000, "r1", "CORRECTION", "DONE")
WOKEN = request(wall_ms=NOW + 9_010)


def test_a_correction_counts_as_untrue() -> None:
    """Without the window it is a problem beside the final that it corrects."""
    said = [CLAIM, final("NO_TRACE"), CORRECTION]

    assert len(problems([command()], said, [request()])) == 2


def test_a_correction_is_excused_by_the_window_alone() -> None:
    """Its sender froze within the claim's lifetime, longer than all waits together."""
    said = [CLAIM, final("NO_TRACE"), CORRECTION]

    assert problems([command()], said, [WOKEN], FROZEN) == []
    others = [
        FROZEN._replace(worker="worker-1"),
        FROZEN._replace(from_ms=NOW + 1_001),
        FROZEN._replace(from_ms=NOW + 5_000),
        FROZEN._replace(to_ms=NOW + 4_000),
        FROZEN._replace(to_ms=NOW + 9_020),
    ]
    for other in others:
        assert len(problems([command()], said, [WOKEN], other)) == 2


def test_a_read_needs_an_answer_and_no_request() -> None:
    """Reads may be asked twice, but they never end in doubt."""
    one = command("positions", None)

    assert problems([one], [final()], []) == []
    assert "it is a read" in problems([one], [final("NO_TRACE")], [])[0]


def test_the_derived_client_order_id_is_the_bridge_s() -> None:
    """The documented rule, written a second time, gives the same ids."""
    for req_id in ("r1", "ünïcode", "x" * 64):
        key = "finery.commands", "desk", req_id
        assert derived_id(*key) == ours(Key(*key))
