"""The claims of one partition: every transition, with hand-made time and log."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bridge.core.claims import Claims, Limits
from bridge.core.claims_case import STATES, contradicts
from bridge.core.model import Now
from bridge.core.orders import (
    Act,
    Append,
    Command,
    Commit,
    Entry,
    Evidence,
    Finding,
    Issue,
    Key,
    Kind,
    Lane,
    Outcome,
    Phase,
    Refused,
    Resolve,
    Result,
)

WALL_MS = 1_790_000_000_000
LIMITS = Limits()
SETTLED_MS = LIMITS.settle_ms
FOREIGN_MS = LIMITS.lifetime_ms + LIMITS.margin_ms


def at(ms: int) -> Now:
    """Return the present, `ms` after the start, on two clocks."""
    return Now((WALL_MS + ms) * 1_000_000, 5_000_000_000 + ms * 1_000_000)


def key(req_id: str = "a") -> Key:
    return Key("commands", "account", req_id)


def order(offset: int = 0, req_id: str = "a", **changes: Any) -> Command:
    """Return an order that is valid for a minute."""
    values: dict[str, Any] = {
        "key": key(req_id),
        "partition": 0,
        "offset": offset,
        "method": "add",
        "kind": Kind.ORDER,
        "lane": Lane.NEW,
        "params": {"size": 1},
        "order_id": 77,
        "needs_claim": True,
        "not_after_ms": WALL_MS + 60_000,
        "received_ms": WALL_MS,
        "reply_to": "elsewhere",
    }
    return Command(**(values | changes))


def read(offset: int = 0, req_id: str = "a", **changes: Any) -> Command:
    return order(
        offset, req_id, method="book", kind=Kind.READ, needs_claim=False, **changes
    )


def refused(offset: int = 0, req_id: str = "a") -> Refused:
    return Refused(
        key=key(req_id),
        partition=0,
        offset=offset,
        method="add",
        code="TRADING_HALTED",
        text="halted",
        received_ms=WALL_MS,
    )


def result(outcome: Outcome, code: str = "") -> Result:
    return Result(
        outcome=outcome, code=code or outcome.name, text="", evidence=Evidence.REPLY
    )


DONE = result(Outcome.DONE)
REJECTED = result(Outcome.REJECTED)


def theirs(offset: int = 0, req_id: str = "a", **changes: Any) -> Entry:
    """Return another worker's claim of an order."""
    values: dict[str, Any] = {
        "key": key(req_id),
        "phase": Phase.CLAIMED,
        "command_offset": offset,
        "method": "add",
        "worker": "other",
        "epoch": "other-1",
        "order_id": 77,
        "request": "{}",
        "claimed_ms": WALL_MS,
    }
    return Entry(**(values | changes))


def their_final(said: Result = DONE, offset: int = 0, req_id: str = "a") -> Entry:
    return theirs(offset, req_id, phase=Phase.FINAL, result=said, request="")


class Bench:
    """A `Claims` and its log: what is appended is read back when `sync` is called."""

    def __init__(self, *journal: Entry, limits: Limits = LIMITS) -> None:
        self.claims = Claims("me", "me-1", limits)
        self.appended: list[Entry] = []
        for entry in journal:
            assert self.claims.entry(entry, at(0)) == []
        assert self.claims.caught_up(at(0)) == []

    def take(self, acts: list[Act]) -> list[str]:
        """Keep what is appended, and return the acts in words."""
        self.appended += [act.entry for act in acts if isinstance(act, Append)]
        return [_word(act) for act in acts]

    def sync(self, ms: int = 0) -> list[str]:
        """Read everything back, and what follows from it."""
        words: list[str] = []
        while self.appended:
            words += self.take(self.claims.entry(self.appended.pop(0), at(ms)))
        return words

    def command(self, said: Command | Refused, ms: int = 0) -> list[str]:
        return self.take(self.claims.command(said, at(ms)))

    def entry(self, entry: Entry, ms: int = 0) -> list[str]:
        return self.take(self.claims.entry(entry, at(ms)))

    def tick(self, ms: int) -> list[str]:
        return self.take(self.claims.tick(at(ms)))

    def issued(self) -> Bench:
        """Bring an order as far as the venue."""
        assert self.command(order()) == ["CLAIMED"]
        assert self.sync() == ["Issue"]
        return self

    def sent(self) -> Bench:
        assert self.issued().claims.sent(key(), "c1", at(5)) == []
        return self

    def asking(self) -> Bench:
        """Bring an order to where the venue is asked about it."""
        self.sent()
        assert self.take(self.claims.doubt(key(), "cut", at(10))) == ["DOUBT"]
        assert self.sync() == []
        assert self.tick(10 + SETTLED_MS) == ["Resolve"]
        return self


def _word(act: Act) -> str:
    if isinstance(act, Commit):
        return f"Commit {act.offset}"
    if not isinstance(act, Append):
        return type(act).__name__
    said = act.entry.result
    repeat = "" if act.entry.repeat_of is None else f" of {act.entry.repeat_of}"
    return act.entry.phase.name + (f" {said.code}" if said else "") + repeat


# The way without faults.


def test_an_order_is_claimed_read_back_sent_and_closed() -> None:
    """Each step waits for the log: claim, send, final record, commit."""
    bench = Bench()
    assert bench.command(order()) == ["CLAIMED"]
    claim = bench.appended[0]
    assert (claim.worker, claim.epoch, claim.request) == ("me", "me-1", '{"size":1}')
    assert (claim.order_id, claim.claimed_ms) == (77, WALL_MS)
    assert bench.sync(20) == ["Issue"]
    assert bench.claims.sent(key(), "c1", at(21)) == []
    assert bench.take(bench.claims.answered(key(), DONE, at(30))) == ["FINAL DONE"]
    final = bench.appended[0]
    assert (final.connection, final.sent_ms, final.answered_ms) == (
        "c1",
        WALL_MS + 21,
        WALL_MS + 30,
    )
    assert (final.reply_to, final.request) == ("elsewhere", "")
    assert bench.claims.open_claims == 1
    assert bench.sync(31) == ["Commit 1"]
    assert bench.claims.open_claims == 0
    assert bench.claims.outcomes == {Outcome.DONE: 1}


def test_the_lifetime_counts_from_before_the_append() -> None:
    """An issue ends when the claim is as old as its lifetime, whenever it was read."""
    bench = Bench()
    bench.command(order())
    (issue,) = bench.claims.entry(bench.appended[0], at(2_000))
    assert isinstance(issue, Issue)
    assert issue.not_after_ns == at(LIMITS.lifetime_ms).mono_ns


def test_a_deadline_before_the_end_of_the_lifetime_ends_the_issue() -> None:
    """Nothing is sent after the command's own deadline."""
    bench = Bench()
    bench.command(order(not_after_ms=WALL_MS + 700))
    (issue,) = bench.claims.entry(bench.appended[0], at(20))
    assert isinstance(issue, Issue)
    assert issue.not_after_ns == at(700).mono_ns


def test_a_read_goes_without_a_claim() -> None:
    """A method that may be asked twice is issued at once, and answered."""
    bench = Bench()
    assert bench.command(read()) == ["Issue"]
    assert bench.claims.sent(key(), "c1", at(20)) == []
    assert bench.take(bench.claims.answered(key(), DONE, at(30))) == ["FINAL DONE"]
    assert bench.sync(31) == ["Commit 1"]


def test_a_refusal_is_claimed_and_then_final() -> None:
    """What another worker might send is refused in the log's order, too."""
    bench = Bench()
    assert bench.command(refused()) == ["CLAIMED"]
    assert bench.appended[0].request == ""
    assert bench.sync() == ["FINAL TRADING_HALTED", "Commit 1"]


def test_a_record_without_req_id_is_passed_by() -> None:
    """It gets no response, and does not hold up the position."""
    assert Bench().command(refused(req_id="")) == ["Commit 1"]


def test_a_record_that_is_no_command_is_passed_by_in_its_turn() -> None:
    """Also while the journal is read: what came before it is not lost."""
    assert Bench().take(Bench().claims.skip(0, at(0))) == ["Commit 1"]
    claims = Claims("me", "me-1", LIMITS)
    assert claims.command(order(0), at(0)) == []
    assert claims.skip(1, at(0)) == []
    assert [_word(act) for act in claims.caught_up(at(1))] == ["CLAIMED"]


def test_commands_wait_until_the_journal_is_read() -> None:
    """Nothing is claimed before it is known what the log says already."""
    claims = Claims("me", "me-1", LIMITS)
    assert claims.command(order(0, "a"), at(0)) == []
    assert claims.command(order(1, "b"), at(0)) == []
    assert claims.entry(their_final(), at(0)) == []
    assert claims.tick(at(99_999)) == []
    acts = claims.caught_up(at(1))
    assert [_word(act) for act in acts] == ["Commit 1", "CLAIMED"]


# Late, expired, not sent.


@pytest.mark.parametrize(
    ("read_ms", "not_after_ms", "final"),
    [
        (2_999, 60_000, "Issue"),
        (3_000, 60_000, "FINAL CLAIM_TOO_OLD"),
        (900, 800, "FINAL DEADLINE_PASSED"),
        (9_000, 800, "FINAL DEADLINE_PASSED"),
    ],
)
def test_a_claim_read_too_late_is_not_sent(
    read_ms: int, not_after_ms: int, final: str
) -> None:
    """Neither after the lifetime nor after the deadline."""
    bench = Bench()
    bench.command(order(not_after_ms=WALL_MS + not_after_ms))
    assert bench.sync(read_ms)[0] == final


def test_a_claim_that_does_not_come_back_is_given_up_in_the_log() -> None:
    """Then even its late appearance sends nothing."""
    bench = Bench()
    bench.command(order())
    (first,) = bench.appended
    bench.appended.clear()
    assert bench.tick(2_999) == []
    assert bench.tick(3_000) == ["CLAIMED"]
    assert bench.appended[0].request == ""
    assert bench.entry(first, 3_100) == ["FINAL CLAIM_TOO_OLD"]
    assert bench.sync(3_200) == ["Commit 1"]


def test_a_given_up_claim_that_comes_first_is_a_refusal() -> None:
    """Where the first append is lost, the second one decides."""
    bench = Bench()
    bench.command(order())
    bench.appended.clear()
    bench.tick(3_000)
    assert bench.sync(3_100) == ["FINAL CLAIM_TOO_OLD", "Commit 1"]


def test_a_command_past_its_deadline_expires() -> None:
    """Nothing is sent, and the final record says so."""
    bench = Bench()
    assert bench.command(order(not_after_ms=WALL_MS)) == ["CLAIMED"]
    assert bench.sync() == ["FINAL DEADLINE_PASSED", "Commit 1"]
    assert Bench().command(read(not_after_ms=WALL_MS)) == ["FINAL DEADLINE_PASSED"]


def test_unsent_is_final() -> None:
    """The owner's word that nothing was sent ends the command; once."""
    bench = Bench().issued()
    offline = result(Outcome.REFUSED, "NOT_CONNECTED")
    said = bench.take(bench.claims.unsent(key(), offline, at(9)))
    assert said == ["FINAL NOT_CONNECTED"]
    assert bench.claims.unsent(key(), offline, at(9)) == []


def test_what_was_sent_cannot_become_unsent() -> None:
    """A report that comes too late changes nothing."""
    bench = Bench().sent()
    assert bench.claims.unsent(key(), result(Outcome.REFUSED), at(9)) == []


# Doubt.


def test_doubt_is_said_at_once_and_asked_after_settling() -> None:
    """The record names the connection; the venue is asked when bytes have settled."""
    bench = Bench().sent()
    assert bench.take(bench.claims.doubt(key(), "cut", at(10))) == ["DOUBT"]
    assert bench.appended[0].connection == "c1"
    assert bench.claims.doubts == 1
    assert bench.sync(11) == []
    assert bench.tick(9 + SETTLED_MS) == []
    (act,) = bench.claims.tick(at(10 + SETTLED_MS))
    assert isinstance(act, Resolve)
    assert (act.claim.order_id, act.claim.sent_ms) == (77, WALL_MS + 5)


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (Finding(asked=True, result=DONE), ["FINAL DONE"]),
        (Finding(asked=True), ["FINAL NO_TRACE"]),
        (Finding(asked=True, final=False), []),
        (Finding(asked=False), []),
        (Finding(asked=False, final=False), []),
    ],
)
def test_a_finding_is_final_or_asked_again(finding: Finding, said: list[str]) -> None:
    """Only what the venue showed, and showed for good, ends a doubt."""
    bench = Bench().asking()
    assert bench.take(bench.claims.found(key(), finding, at(11_000))) == said
    again = bench.tick(11_000 + LIMITS.ask_every_ms)
    assert again == ([] if said else ["Resolve"])


def test_a_venue_that_cannot_be_asked_leaves_it_unresolved() -> None:
    """After the limit a person must look."""
    bench = Bench().asking()
    bench.claims.found(key(), Finding(asked=False), at(20_000))
    end_ms = 10 + SETTLED_MS + LIMITS.ask_limit_ms
    assert bench.tick(end_ms - 1) == ["Resolve"]
    assert bench.tick(end_ms) == ["FINAL UNRESOLVED"]
    assert bench.claims.found(key(), Finding(asked=True), at(end_ms)) == []


def test_an_answer_in_doubt_is_better_than_asking() -> None:
    """A late reply before the final record is the final record's evidence."""
    bench = Bench().asking()
    said = bench.take(bench.claims.late(key(), REJECTED, at(12_000)))
    assert said == ["FINAL REJECTED"]
    assert bench.claims.found(key(), Finding(asked=True), at(12_001)) == []


@pytest.mark.parametrize(
    ("stage", "ms"),
    [("issued", LIMITS.lifetime_ms + LIMITS.margin_ms), ("sent", 120_005)],
)
def test_an_owner_that_never_reports_makes_doubt(stage: str, ms: int) -> None:
    """Every issue ends, even if the owner forgets it."""
    bench: Bench = getattr(Bench(), stage)()
    assert bench.tick(ms - 1) == []
    assert bench.tick(ms) == ["DOUBT"]


def test_a_read_in_doubt_is_asked_again_until_its_deadline() -> None:
    """Asking twice does no harm, and no doubt is said."""
    bench = Bench()
    bench.command(read(not_after_ms=WALL_MS + 500))
    assert bench.take(bench.claims.doubt(key(), "cut", at(100))) == ["Issue"]
    said = bench.take(bench.claims.doubt(key(), "cut", at(500)))
    assert said == ["FINAL NO_ANSWER"]


def test_a_read_that_is_never_reported_ends() -> None:
    """The deadline and the margin close it."""
    bench = Bench()
    bench.command(read(not_after_ms=WALL_MS + 500))
    assert bench.tick(500 + LIMITS.margin_ms) == ["FINAL NO_ANSWER"]


# Other workers' claims.


def test_the_loser_of_a_claim_stays_silent_and_resolves_it_later() -> None:
    """The first claim in the log wins; its reader waits lifetime, margin, settling."""
    bench = Bench()
    bench.command(order())
    assert bench.entry(theirs(), 50) == []
    assert bench.sync(60) == []
    assert bench.claims.lost_claims == 1
    due_ms = 50 + FOREIGN_MS + SETTLED_MS
    assert bench.tick(due_ms - 1) == []
    assert bench.tick(due_ms) == ["Resolve"]


def test_an_open_claim_of_the_journal_is_never_sent_again() -> None:
    """Its command is delivered, and only waits for what the venue says."""
    bench = Bench(theirs())
    assert bench.command(order()) == []
    assert bench.tick(FOREIGN_MS + SETTLED_MS) == ["Resolve"]
    found = bench.claims.found(key(), Finding(asked=True), at(14_001))
    assert bench.take(found) == ["FINAL NO_TRACE"]
    assert bench.sync(14_002) == ["Commit 1"]


def test_an_own_claim_of_an_older_assignment_is_foreign() -> None:
    """The epoch decides, not the worker's name."""
    bench = Bench(theirs(worker="me", epoch="me-0"))
    assert bench.command(order()) == []
    assert bench.tick(FOREIGN_MS + SETTLED_MS) == ["Resolve"]


def test_an_answered_command_of_the_journal_is_skipped() -> None:
    """Its final record stands: only the position moves on."""
    bench = Bench(theirs(), their_final())
    assert bench.command(order()) == ["Commit 1"]
    assert bench.command(order()) == []


@pytest.mark.parametrize(
    ("said", "final"), [(refused(), "TRADING_HALTED"), (order(), "NOT_SENT")]
)
def test_a_foreign_refusal_is_closed_without_asking(
    said: Command | Refused, final: str
) -> None:
    """A claim without a request sent nothing; no settling, and our own reason."""
    bench = Bench(theirs(request=""))
    assert bench.command(said) == []
    assert bench.tick(FOREIGN_MS - 1) == []
    assert bench.tick(FOREIGN_MS) == [f"FINAL {final}"]


def test_what_the_writer_said_of_its_doubt_helps_to_resolve() -> None:
    """The time of sending narrows the search."""
    doubted = theirs(phase=Phase.DOUBT, sent_ms=WALL_MS + 9, connection="c9")
    bench = Bench(theirs(), doubted)
    (act,) = bench.claims.tick(at(FOREIGN_MS + SETTLED_MS))
    assert isinstance(act, Resolve)
    assert act.claim.sent_ms == WALL_MS + 9


def test_a_doubt_of_somebody_else_changes_nothing() -> None:
    """Only the claim's own writer knows when it sent."""
    stray = theirs(phase=Phase.DOUBT, epoch="x", sent_ms=9)
    bench = Bench(theirs(), stray, theirs(5, phase=Phase.DOUBT))
    (act,) = bench.claims.tick(at(FOREIGN_MS + SETTLED_MS))
    assert isinstance(act, Resolve)
    assert act.claim.sent_ms == 0


def test_unknown_phases_and_keys_change_nothing() -> None:
    """Records of newer versions, and reports about nothing, are let pass."""
    bench = Bench(theirs(phase=Phase.UNKNOWN))
    claims, now = bench.claims, at(1)
    assert claims.open_claims == 0
    assert claims.binding(0) is None
    assert claims.sent(key(), "c", now) == []
    assert claims.unsent(key(), DONE, now) == []
    assert claims.answered(key(), DONE, now) == []
    assert claims.doubt(key(), "", now) == []
    assert claims.found(key(), Finding(asked=True), now) == []
    assert claims.lost(theirs(), now) == []


# Finals.


def test_the_first_final_binds_and_a_different_one_is_counted() -> None:
    """An equal one, as a repeated append leaves it, is not."""
    bench = Bench(their_final(DONE), their_final(DONE), their_final(REJECTED))
    assert bench.claims.binding(0) == DONE
    assert bench.claims.double_finals == 1


def test_a_final_of_somebody_else_ends_our_own_way() -> None:
    """It binds: ours is not appended again."""
    bench = Bench().sent()
    assert bench.entry(their_final(DONE), 20) == ["Commit 1"]
    assert bench.claims.answered(key(), DONE, at(30)) == []
    assert bench.tick(200_000) == []


def test_a_final_without_result_is_unresolved() -> None:
    """A record that says nothing cannot be read as success."""
    nothing = msgspec.structs.replace(their_final(), result=None)
    binding = Bench(nothing).claims.binding(0)
    assert binding is not None
    assert binding.outcome is Outcome.UNRESOLVED


TRUTHS = [
    (Outcome.NO_TRACE, Outcome.DONE, True),
    (Outcome.NO_TRACE, Outcome.REJECTED, False),
    (Outcome.REFUSED, Outcome.DONE, True),
    (Outcome.DONE, Outcome.DONE, False),
    (Outcome.DONE, Outcome.REJECTED, True),
    (Outcome.UNRESOLVED, Outcome.DONE, True),
    (Outcome.UNRESOLVED, Outcome.REJECTED, True),
    (Outcome.NO_TRACE, Outcome.UNKNOWN, False),
]


@pytest.mark.parametrize(("binding", "truth", "wrong"), TRUTHS)
def test_only_what_contradicts_is_corrected(
    binding: Outcome, truth: Outcome, wrong: bool
) -> None:
    """Whether the venue did it is what must be true."""
    assert contradicts(result(truth), result(binding)) is wrong
    bench = Bench().sent()
    bench.entry(their_final(result(binding)), 20)
    assert bench.claims.late(key(), result(truth), at(30)) == []
    assert bench.tick(29 + SETTLED_MS) == []
    said = bench.tick(30 + SETTLED_MS)
    assert said == ([f"CORRECTION {truth.name}"] if wrong else [])
    bench.sync(31 + SETTLED_MS)
    assert bench.claims.late(key(), result(truth), at(31 + SETTLED_MS)) == []
    assert bench.tick(32 + 2 * SETTLED_MS) == []


def test_an_order_that_went_with_its_connection_left_no_trace() -> None:
    """It was accepted, and removed without a deal: both are so, and stay so."""
    bench = Bench().sent()
    bench.entry(their_final(result(Outcome.NO_TRACE)), 20)
    assert bench.claims.answered(key(), DONE, at(30)) == []
    bench.claims.took(key(), at(31))
    assert bench.tick(30 + SETTLED_MS) == []

    early = Bench().sent()
    early.take(early.claims.answered(key(), DONE, at(9)))
    early.claims.took(key(), at(10))
    assert early.entry(their_final(result(Outcome.NO_TRACE)), 20) == ["Commit 1"]
    assert early.tick(20 + SETTLED_MS) == []


@pytest.mark.parametrize("code", sorted(STATES))
def test_what_a_look_up_found_stays_true_if_the_venue_refused(code: str) -> None:
    """The order was gone when the cancel came: refused, and not active, are both so."""
    found = msgspec.structs.replace(DONE, code=code, evidence=Evidence.RECONCILED)
    bench = Bench().sent()
    bench.entry(their_final(found), 20)
    assert bench.claims.late(key(), result(Outcome.REJECTED), at(30)) == []
    assert bench.claims.corrections == 0


def test_an_answer_before_somebody_elses_final_corrects_it() -> None:
    """The comparison is made when the final record is read."""
    bench = Bench().sent()
    assert bench.take(bench.claims.answered(key(), DONE, at(9))) == ["FINAL DONE"]
    assert bench.entry(their_final(result(Outcome.NO_TRACE)), 20) == ["Commit 1"]
    assert bench.tick(20 + SETTLED_MS) == ["CORRECTION DONE"]


def test_an_answer_while_the_final_is_under_way_waits_for_it() -> None:
    """Two final records of one worker would be one too many."""
    bench = Bench().asking()
    bench.take(bench.claims.found(key(), Finding(asked=True), at(11_000)))
    assert bench.claims.late(key(), DONE, at(11_001)) == []
    assert bench.sync(11_002) == ["Commit 1"]
    assert bench.tick(11_002 + SETTLED_MS) == ["CORRECTION DONE"]
    assert bench.sync(11_002 + SETTLED_MS) == []
    assert bench.claims.corrections == 1


def test_a_correction_in_the_log_is_not_made_twice() -> None:
    """Somebody else learned the same."""
    bench = Bench().sent()
    bench.entry(their_final(result(Outcome.NO_TRACE)), 20)
    bench.entry(theirs(phase=Phase.CORRECTION, result=DONE), 21)
    bench.entry(theirs(9, phase=Phase.CORRECTION, result=DONE), 22)
    assert bench.claims.late(key(), DONE, at(30)) == []
    assert bench.tick(30 + SETTLED_MS) == []
    assert bench.claims.corrections == 2


def test_a_read_is_never_corrected() -> None:
    """Two answers to a read do not contradict each other."""
    bench = Bench()
    bench.command(read())
    bench.entry(their_final(result(Outcome.EXPIRED)), 20)
    assert bench.claims.late(key(), DONE, at(30)) == []


def test_a_late_answer_may_reach_the_next_assignment() -> None:
    """What an older epoch of the process sent is answered by whoever owns it now."""
    bench = Bench(theirs())
    assert bench.take(bench.claims.late(key(), DONE, at(30))) == ["FINAL DONE"]


# Repeats.


def test_a_repeat_is_answered_as_the_first_one() -> None:
    """It has its own claim and final record, naming the first, and is never sent."""
    bench = Bench().sent()
    assert bench.command(order(4)) == ["CLAIMED of 0"]
    assert bench.sync() == []
    bench.take(bench.claims.answered(key(), DONE, at(9)))
    assert bench.sync(10) == ["FINAL DONE of 0", "Commit 4", "Commit 5"]


@pytest.mark.parametrize("second", [order(4), refused(4), read(4)])
def test_the_repeat_of_a_closed_command_is_closed_at_once(
    second: Command | Refused,
) -> None:
    """Also where the first was refused, whatever the second one is."""
    bench = Bench(their_final(result(Outcome.REFUSED, "TRADING_HALTED")))
    assert bench.command(second) == ["CLAIMED of 0"]
    assert bench.sync() == ["FINAL TRADING_HALTED of 0", "Commit 5"]


def test_a_repeat_beyond_the_window_is_a_new_command() -> None:
    """The window is measured between the claims, by what they say themselves."""
    bench = Bench(theirs(), their_final())
    late_ms = LIMITS.dedup_ms
    late = order(4, not_after_ms=WALL_MS + late_ms + 60_000)
    assert bench.command(late, late_ms) == ["CLAIMED"]
    assert bench.sync(late_ms) == ["Issue"]


def test_of_two_commands_with_a_key_the_first_claim_in_the_log_counts() -> None:
    """An order claimed behind another one becomes its repeat."""
    bench = Bench()
    bench.command(order(3))
    assert bench.entry(theirs(5), 10) == []
    assert bench.sync(11) == []
    assert bench.entry(their_final(DONE, 5), 12) == ["FINAL DONE of 5"]


def test_a_foreign_repeat_waits_for_its_writer() -> None:
    """Whoever owns the partition may answer it, after the writer had its time."""
    bench = Bench(theirs(), theirs(2, request="", repeat_of=0), their_final())
    assert bench.tick(FOREIGN_MS - 1) == []
    assert bench.tick(FOREIGN_MS) == ["FINAL DONE of 0"]


def test_a_foreign_final_of_a_waiting_repeat_ends_it() -> None:
    """The first's end then answers it no more."""
    bench = Bench().sent()
    bench.command(order(1))
    bench.sync()
    again = msgspec.structs.replace(their_final(DONE, 1), repeat_of=0)
    assert bench.entry(again, 9) == []
    assert bench.entry(their_final(DONE), 10) == ["Commit 2"]


def test_a_repeat_whose_first_has_left_the_log_is_unresolved() -> None:
    """As long as the first may still be delivered, it waits."""
    bench = Bench(theirs(5, request="", repeat_of=3))
    bench.tick(FOREIGN_MS)
    limit_ms = FOREIGN_MS + LIMITS.ask_limit_ms
    assert bench.tick(limit_ms) == []
    bench.command(refused(4, ""))
    assert bench.tick(limit_ms + LIMITS.ask_limit_ms) == ["FINAL FIRST_UNKNOWN of 3"]


def test_a_long_result_is_not_kept_for_repeats() -> None:
    """The window's memory is bounded; the first record still has it."""
    long = msgspec.structs.replace(DONE, body="x" * 5_000)
    bench = Bench(their_final(long))
    bench.command(order(1))
    bench.sync()
    assert bench.claims.binding(0) == DONE
    assert bench.claims.double_finals == 0


# Losses, memory, the end.


def test_a_final_that_is_not_read_back_is_appended_again() -> None:
    """After the retry time, or at the next tick when it was reported as lost."""
    bench = Bench().sent()
    bench.take(bench.claims.answered(key(), DONE, at(9)))
    (final,) = bench.appended
    retry_ms = LIMITS.append_retry_ms
    assert bench.tick(retry_ms) == []
    assert bench.tick(9 + retry_ms) == ["FINAL DONE"]
    assert bench.tick(10 + retry_ms) == []
    assert bench.claims.lost(final, at(10 + retry_ms)) == []
    assert bench.tick(11 + retry_ms) == ["FINAL DONE"]
    bench.entry(final, 12 + retry_ms)
    bench.claims.lost(final, at(13 + retry_ms))
    assert bench.tick(14 + retry_ms) == []


def test_a_lost_claim_is_appended_again_with_its_old_age() -> None:
    """Its lifetime goes on from before the first append."""
    bench = Bench()
    bench.command(order())
    claim = bench.appended.pop()
    bench.claims.lost(claim, at(100))
    assert bench.tick(200) == ["CLAIMED"]
    assert bench.appended == [claim]
    (issue,) = bench.claims.entry(claim, at(300))
    assert isinstance(issue, Issue)
    assert issue.not_after_ns == at(LIMITS.lifetime_ms).mono_ns


def test_the_position_waits_for_the_oldest_open_command() -> None:
    """Also for one that another worker claimed before."""
    bench = Bench(theirs(0, "x"))
    assert bench.command(refused(1)) == ["CLAIMED"]
    assert bench.sync() == ["FINAL TRADING_HALTED"]
    assert bench.entry(their_final(DONE, 0, "x"), 9) == ["Commit 2"]


@pytest.mark.parametrize(
    ("offsets", "position"), [((), None), ((4, 5), 6), ((4, 5, 7), 6)]
)
def test_the_journal_tells_where_to_start(
    offsets: tuple[int, ...], position: int | None
) -> None:
    """The first offset without any record, from the oldest one known."""
    journal = [theirs(offset, f"r{offset}") for offset in offsets]
    assert Bench(*journal).claims.position == position


def test_old_keys_are_forgotten() -> None:
    """What is final and older than the window leaves the memory, the oldest first."""
    bench = Bench().sent()
    bench.take(bench.claims.answered(key(), DONE, at(9)))
    bench.sync(10)
    horizon_ms = LIMITS.dedup_ms + LIMITS.ask_limit_ms
    bench.tick(horizon_ms - 1)
    assert bench.claims.binding(0) == DONE
    bench.tick(horizon_ms)
    assert bench.claims.binding(0) is None
    assert bench.claims.answered(key(), DONE, at(horizon_ms)) == []


def test_a_newer_command_keeps_the_key_when_the_older_is_forgotten() -> None:
    """Forgetting goes by command, not by key."""
    bench = Bench(their_final())
    late_ms = LIMITS.dedup_ms
    late = order(1, not_after_ms=WALL_MS + 2 * late_ms)
    bench.command(late, late_ms)
    bench.sync(late_ms)
    bench.tick(late_ms + LIMITS.ask_limit_ms)
    assert bench.command(order(2), late_ms + 1) == ["CLAIMED of 1"]


def test_after_revocation_nothing_is_claimed_sent_or_answered() -> None:
    """Whatever is called: a worker that lost the partition stays silent."""
    bench = Bench().sent()
    bench.command(order(1, "b"))
    bench.claims.revoked()
    assert bench.sync() == []
    assert bench.command(order(2, "c")) == []
    assert bench.take(bench.claims.answered(key(), DONE, at(9))) == []
    assert bench.tick(500_000) == []


def test_a_witness_corrects_what_it_knows_to_be_untrue() -> None:
    """The one thing that a worker that lost the partition may still write."""
    bench = Bench().sent()
    bench.claims.revoked()
    assert bench.claims.unsettled == 1
    assert bench.take(bench.claims.answered(key(), DONE, at(9))) == []
    said = bench.entry(their_final(result(Outcome.NO_TRACE)), 20)
    assert said == []
    assert bench.claims.unsettled == 0
    assert bench.tick(20 + SETTLED_MS) == ["CORRECTION DONE"]
    bench.claims.lost(bench.appended[-1], at(21 + SETTLED_MS))
    assert bench.tick(22 + SETTLED_MS) == ["CORRECTION DONE"]
