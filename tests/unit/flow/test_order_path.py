"""The order path of one topic, with a group, a journal and a desk that tests play."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count
from typing import Any, NamedTuple

import pytest

from bridge.core.claims import Claims, Limits
from bridge.core.model import Now
from bridge.core.orders import (
    Claim,
    Command,
    Entry,
    Evidence,
    Issue,
    Key,
    Kind,
    Lane,
    Outcome,
    Phase,
    Refused,
    Result,
)
from bridge.core.tallies import Tallies
from bridge.edge.consumer import Message
from bridge.errors import BridgeError, SchemaError
from bridge.flow.orders import OrderPath, Parts, finish
from bridge.flow.shelf import PartitionShelf
from bridge.flow.trails import Trails
from tests.support.running import Run
from tests.unit.flow.fakes import FakeClock

TOPIC, RESPONSES = "commands", "responses"
LIMITS = Limits()
WINDOW_MS = LIMITS.dedup_ms
WAIT_S = 5.0
DONE = Result(outcome=Outcome.DONE, code="OK", text="", evidence=Evidence.REPLY)
NO_TRACE = Result(
    outcome=Outcome.NO_TRACE, code="NO_TRACE", text="", evidence=Evidence.RECONCILED
)
UNREADABLE = b"?"


class Poison(NamedTuple):
    """A record that is no command."""

    reason: str = "reason"
    error: str = "error"


class Group:
    """Keeps what the path asks of its group."""

    def __init__(self) -> None:
        self.started: list[int | None] = []
        self.commits: list[int] = []
        self.released: list[int] = []
        self.taken_offsets: list[int] = []

    def start(self, topic: str, partition: int, offset: int | None) -> None:
        self.started.append(offset)

    def taken(self, message: Message) -> None:
        self.taken_offsets.append(message.offset)

    def commit(self, topic: str, partition: int, offset: int) -> None:
        self.commits.append(offset)

    def release(self, topic: str, partition: int) -> None:
        self.released.append(partition)


class Journal:
    """Keeps from when on each partition was asked for."""

    def __init__(self) -> None:
        self.followed: list[tuple[int, int | None]] = []

    def follow(self, topic: str, partition: int, from_ms: int | None) -> None:
        self.followed.append((partition, from_ms))

    def unfollow(self, topic: str, partition: int) -> None:
        pass


class Desk:
    """Takes what is to be sent, and says at once that it was."""

    def __init__(self) -> None:
        self.issued: list[tuple[Issue, PartitionShelf]] = []

    def issue(self, issue: Issue, shelf: PartitionShelf, now: Now) -> None:
        self.issued.append((issue, shelf))
        shelf.sent(issue.command.key, "connection", now)

    def resolve(self, claim: Claim, shelf: PartitionShelf, now: Now) -> None:
        raise AssertionError("no test of this file asks the venue")

    def answer(self, number: int, now: Now, said: Result = DONE) -> None:
        """Let the venue answer the request of that number."""
        issue, shelf = self.issued[number]
        shelf.answered(issue.command.key, said, now)


class Stage:
    """An order path of one partition and all around it."""

    def __init__(self, *accounts: str) -> None:
        self.clock, self.group, self.journal = FakeClock(), Group(), Journal()
        self.desk, self.failures = Desk(), list[BridgeError]()
        self.sent: list[Entry] = []  # not read back yet
        self.log: list[Entry] = []
        self.asked: list[int] = []
        self.buried: list[int] = []
        self._epochs, self._offsets = count(), count()
        parts = Parts(
            topic=TOPIC,
            responses=RESPONSES,
            now=self.clock.now,
            log=lambda *_, **__: None,
            read=self._read,
            claims=lambda epoch: Claims("me", epoch, LIMITS),
            epoch=lambda: f"epoch-{next(self._epochs)}",
            encode=self._encode,
            decode=self._decode,
            send=self._send,
            bury=lambda message, *_: self.buried.append(message.offset),
            seen=lambda *_: None,
            desks=dict.fromkeys(accounts or ["a"], self.desk),  # type: ignore[arg-type]
            tallies=Tallies(),
            trails=Trails(),
            dedup_ms=WINDOW_MS,
            dry_run=False,
            release_wait_s=WAIT_S,
        )
        self.path = OrderPath(parts, self.failures.append)
        self.path.attach(self.group, self.journal)

    # -- what the path calls

    def _read(self, message: Message, now: Now) -> Command | Refused | Poison:
        self.asked.append(message.offset)
        if message.value == b"poison":
            return Poison()
        return Command(
            key=Key(TOPIC, "a", f"r{message.offset}"),
            partition=message.partition,
            offset=message.offset,
            method="add",
            kind=Kind.ORDER,
            lane=Lane.NEW,
            params={},
            order_id=message.offset,
            needs_claim=True,
            not_after_ms=self.ms + 60_000,
            received_ms=self.ms,
        )

    def _encode(self, entry: Entry, partition: int) -> bytes:
        self.log.append(entry)
        return b"%d" % (len(self.log) - 1)

    def _decode(self, value: bytes) -> Entry:
        if value == UNREADABLE:
            raise SchemaError("nobody can read it")
        return self.log[int(value)]

    def _send(
        self, topic: str, _partition: int, _key: str, value: bytes, *_: object
    ) -> None:
        assert topic == RESPONSES
        self.sent.append(self._decode(value))

    # -- what tests do

    @property
    def ms(self) -> int:
        return self.clock.now().wall_ns // 1_000_000

    def owning(self, committed: int | None = 100) -> Stage:
        """Own partition 0, with nothing in its journal."""
        self.path.on_assigned(TOPIC, 0, committed)
        self.path.on_caught_up(RESPONSES, 0)
        return self

    def commands(
        self, *offsets: int, at_ms: int | None = None, value: bytes = b""
    ) -> None:
        """Hand a batch of commands over, new ones unless a time is given."""
        ms = self.ms if at_ms is None else at_ms
        self.path.on_messages(
            [Message(TOPIC, 0, offset, None, value, ms, ()) for offset in offsets]
        )

    def entry(self, *values: bytes) -> None:
        """Let records of the log be read."""
        self.path.on_entries(
            [Message(RESPONSES, 0, next(self._offsets), b"", v, 0, ()) for v in values]
        )

    def foreign(self, entry: Entry) -> None:
        """Let a record of another worker be read."""
        self.entry(self._encode(entry, 0))

    def sync(self) -> list[tuple[str, int]]:
        """Let all be read back that was sent; return its phases and commands."""
        found, self.sent = self.sent, []
        for entry in found:
            self.entry(b"%d" % self.log.index(entry))
        return [(entry.phase.name, entry.command_offset) for entry in found]

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and the path notice it."""
        self.clock.mono_ns += int(seconds * 1e9)
        self.path.tick(self.clock.now())

    def ordered(self, offset: int = 100) -> Stage:
        """Bring an order as far as the venue."""
        self.owning(offset).commands(offset)
        assert self.sync() == [("CLAIMED", offset)]
        return self


def final(of: Entry, said: Result) -> Entry:
    """Return another worker's final record for a claim."""
    return Entry(
        key=of.key,
        phase=Phase.FINAL,
        command_offset=of.command_offset,
        worker="other",
        epoch="other",
        result=said,
    )


def claim(offset: int, account: str) -> Entry:
    """Return another worker's claim."""
    return Entry(
        key=Key(TOPIC, account, f"r{offset}"),
        phase=Phase.CLAIMED,
        command_offset=offset,
        method="add",
        worker="other",
        epoch="other",
        request="{}",
        claimed_ms=1,
    )


# -- reading the journal anew


def _old_command(stage: Stage) -> None:
    """A command comes that is older than the journal was read back, then a new one."""
    old = Message(TOPIC, 0, 100, None, b"", stage.ms - WINDOW_MS - 1, ())
    new = Message(TOPIC, 0, 101, None, b"", stage.ms, ())
    stage.path.on_messages([old, new])


def _broken(stage: Stage) -> None:
    """Records of the journal are missed, and commands come before it is read anew."""
    stage.path.on_broken(RESPONSES, 0, "retention")
    stage.commands(100, 101)


@pytest.mark.parametrize("way", [_old_command, _broken])
def test_no_command_is_passed_by_when_the_journal_is_read_anew(way: Any) -> None:
    """What came too early is dropped, and comes again with the group's `start`."""
    stage = Stage().owning()
    way(stage)
    stage.commands(102)
    assert stage.group.taken_offsets == [100, 101, 102]
    stage.path.on_caught_up(RESPONSES, 0)
    assert stage.sent == []
    assert stage.group.started == [100, 100]

    stage.commands(100, 101, 102)
    claims = [("CLAIMED", 100), ("CLAIMED", 101), ("CLAIMED", 102)]
    assert stage.sync() == claims
    for number in (1, 2):
        stage.desk.answer(number, stage.clock.now())
    assert stage.sync() == [("FINAL", 101), ("FINAL", 102)]
    assert stage.group.commits == []
    stage.desk.answer(0, stage.clock.now())
    assert stage.sync() == [("FINAL", 100)]
    assert stage.group.commits == [103]


def test_the_journal_is_read_anew_from_before_an_old_command() -> None:
    stage = Stage().owning()
    old_ms = stage.ms - WINDOW_MS - 1
    stage.commands(100, at_ms=old_ms)
    (_, first_ms), (_, again_ms) = stage.journal.followed
    assert first_ms == stage.ms - WINDOW_MS
    assert again_ms is not None
    assert again_ms < old_ms
    stage.path.on_caught_up(RESPONSES, 0)
    stage.commands(100, at_ms=old_ms)
    assert stage.sync() == [("CLAIMED", 100)]


def test_an_old_command_takes_no_answer_from_an_order_on_its_way() -> None:
    """The journal is read anew only when the order has its final record."""
    stage = Stage().ordered()
    stage.commands(101, at_ms=stage.ms - WINDOW_MS - 1)
    stage.pass_s(0.1)
    assert len(stage.journal.followed) == 1
    stage.desk.answer(0, stage.clock.now())
    assert [entry.result for entry in stage.sent] == [DONE]
    assert stage.sync() == [("FINAL", 100)]
    stage.pass_s(0.1)
    assert (len(stage.journal.followed), stage.group.released) == (2, [])
    stage.path.on_caught_up(RESPONSES, 0)
    assert stage.group.started == [100, 101]


def test_an_order_without_an_answer_holds_an_old_command_up_for_a_while() -> None:
    """Then it is a successor's, as it would be at a release."""
    stage = Stage().ordered()
    stage.commands(101, at_ms=stage.ms - WINDOW_MS - 1)
    stage.pass_s(WAIT_S - 0.1)
    assert len(stage.journal.followed) == 1
    stage.pass_s(0.2)
    assert (len(stage.journal.followed), len(stage.path.witnesses)) == (2, 1)


def _deliver(stage: Stage, times: dict[int, int]) -> None:
    """Hand over every command from where the group was told to start, again and again.

    The venue answers whatever reaches it.
    """
    answered = 0
    for _ in range(10 * len(times)):
        followed, start = len(stage.journal.followed), stage.group.started[-1]
        for offset in [o for o in times if start is None or o >= start]:
            stage.commands(offset, at_ms=times[offset])
        while stage.sent:
            stage.sync()
            for number in range(answered, len(stage.desk.issued)):
                stage.desk.answer(number, stage.clock.now())
                answered = number + 1
        stage.pass_s(0.1)
        if len(stage.journal.followed) == followed:
            return
        for index in range(len(stage.log)):
            message = Message(RESPONSES, 0, index, b"", b"%d" % index, 0, ())
            stage.path.on_entries([message])
        stage.path.on_caught_up(RESPONSES, 0)


def test_ever_older_commands_open_the_journal_twice_at_most() -> None:
    """A shelf that has sent something keeps its window for long: few may be left."""
    stage = Stage().owning(100)
    first_ms = stage.ms - WINDOW_MS - 1
    times = {100 + n: first_ms - n * 120_000 for n in range(50)}
    _deliver(stage, times)
    finals = [e.command_offset for e in stage.log if e.phase is Phase.FINAL]
    assert sorted(finals) == list(times)
    _, (_, once_ms), *anew = stage.journal.followed
    assert once_ms is not None
    assert once_ms > 0
    assert anew == [(0, 0)]
    assert len(stage.path.witnesses) <= 1


def test_another_assignment_reads_a_part_of_the_journal_again() -> None:
    stage = Stage().owning()
    for _ in range(2):
        stage.path.on_revoked(TOPIC, 0)
        stage.owning().commands(100, at_ms=stage.ms - WINDOW_MS - 1)
        assert stage.journal.followed[-1][1] != 0
    assert stage.path.witnesses == []


@pytest.mark.parametrize("way", ["revoked", "stopped", "lost"])
def test_a_partition_that_goes_is_not_opened_anew(way: str) -> None:
    """Whatever old command waits for it: that is the successor's."""
    stage = Stage().ordered()
    stage.commands(101, at_ms=0)
    if way == "revoked":
        stage.path.on_revoked(TOPIC, 0)
    elif way == "stopped":
        stage.path.close()
    else:
        stage.path.on_lost(TOPIC, 0)
    stage.pass_s(WAIT_S + 0.1)
    assert len(stage.journal.followed) == 1
    assert stage.path.shelves == {}
    assert stage.group.released == ([] if way == "lost" else [0])


def test_a_journal_that_breaks_while_it_is_about_to_be_read_anew() -> None:
    """It is read once, from before the old command."""
    stage = Stage().ordered()
    old_ms = stage.ms - WINDOW_MS - 1
    stage.commands(101, at_ms=old_ms)
    stage.path.on_broken(RESPONSES, 0, "retention")
    stage.pass_s(WAIT_S + 0.1)
    _, (_, again_ms) = stage.journal.followed
    assert again_ms is not None
    assert again_ms < old_ms


def test_nothing_is_sent_after_a_record_that_nobody_can_read() -> None:
    """It may be a claim: the worker ends, and its own claims come to nothing."""
    stage = Stage().owning()
    stage.commands(100)
    stage.entry(UNREADABLE)
    assert stage.sync() == [("CLAIMED", 100)]
    assert stage.desk.issued == []
    (failure,) = stage.failures
    assert "may be a claim" in str(failure)


# -- witnesses


def _corrected(stage: Stage) -> list[tuple[str, int]]:
    """Send an order, lose the partition, and learn that its final record is untrue."""
    stage.ordered()
    stage.path.on_lost(TOPIC, 0)
    stage.foreign(final(stage.log[0], NO_TRACE))
    stage.desk.answer(0, stage.clock.now())
    assert stage.sent == []
    stage.pass_s(LIMITS.settle_ms / 1000 + 1)
    return [(entry.phase.name, entry.command_offset) for entry in stage.sent]


def test_a_witness_corrects_an_untrue_final_record() -> None:
    """Once, when the settling time is over, although the partition is not ours."""
    stage = Stage()
    assert _corrected(stage) == [("CORRECTION", 100)]
    assert stage.sent[0].result == DONE
    stage.sync()
    stage.pass_s(60)
    assert stage.sent == []


def test_a_correction_that_kafka_has_not_taken_is_written_again() -> None:
    stage = Stage()
    _corrected(stage)
    value = b"%d" % stage.log.index(stage.sent.pop())
    stage.pass_s(0.1)
    assert stage.sent == []
    stage.path.not_delivered(0, value, again=True)
    stage.pass_s(0.1)
    assert [entry.phase for entry in stage.sent] == [Phase.CORRECTION]


# -- what Kafka has failed


def _appended(stage: Stage) -> bytes:
    """Take away what was written last: it never comes to the log."""
    return b"%d" % stage.log.index(stage.sent.pop())


def test_a_final_record_that_failed_is_written_again_by_its_owner() -> None:
    stage = Stage().ordered()
    stage.desk.answer(0, stage.clock.now())
    assert stage.path.not_delivered(0, _appended(stage), again=True)
    stage.pass_s(0.1)
    assert stage.sync() == [("FINAL", 100)]


@pytest.mark.parametrize("read", [False, True])
def test_a_record_that_fails_when_time_has_ended_is_lost_if_missed(
    *, read: bool
) -> None:
    """Its owner would write it again, but does not come to it any more."""
    stage = Stage().ordered()
    stage.desk.answer(0, stage.clock.now())
    value = _appended(stage)
    if read:
        stage.entry(value)
    assert stage.path.not_delivered(0, value, again=False) is read


def test_a_claim_that_fails_after_its_assignment_is_lost() -> None:
    """Nothing was sent for it, but it may be in the log for all that."""
    stage = Stage()
    stage.owning().commands(100)
    value = _appended(stage)
    stage.path.on_lost(TOPIC, 0)
    assert not stage.path.not_delivered(0, value, again=True)
    stage.entry(value)
    assert stage.path.not_delivered(0, value, again=True)


@pytest.mark.parametrize("again", [False, True])
def test_a_final_record_that_fails_after_its_assignment_is_lost(*, again: bool) -> None:
    """No witness writes it, nor a shelf of another assignment."""
    stage = Stage().ordered()
    stage.desk.answer(0, stage.clock.now())
    stage.path.on_lost(TOPIC, 0)
    if again:
        stage.owning()
    assert not stage.path.not_delivered(0, _appended(stage), again=True)
    stage.pass_s(LIMITS.append_retry_ms / 1000 + 1)
    assert stage.sent == []


def test_a_final_record_that_is_in_the_log_for_all_that_is_not_lost() -> None:
    """Nor one whose command somebody else has finished."""
    stage = Stage().ordered()
    stage.desk.answer(0, stage.clock.now())
    stage.path.on_lost(TOPIC, 0)
    value = _appended(stage)
    stage.entry(value)
    assert stage.path.not_delivered(0, value, again=True)


def test_a_correction_that_failed_is_not_lost() -> None:
    """It is the one thing that a witness writes."""
    stage = Stage()
    assert _corrected(stage) == [("CORRECTION", 100)]
    assert stage.path.not_delivered(0, _appended(stage), again=True)


# -- an account that is gone


def test_an_open_claim_of_an_account_that_is_gone_ends_unresolved() -> None:
    """Nobody can ask the venue for it; the partition goes on."""
    stage = Stage()
    stage.path.on_assigned(TOPIC, 0, 100)
    stage.foreign(claim(99, "gone"))
    stage.path.on_caught_up(RESPONSES, 0)
    waits_ms = LIMITS.lifetime_ms + LIMITS.margin_ms + LIMITS.settle_ms
    for _ in range((waits_ms + LIMITS.ask_limit_ms) // 1000 + 2):
        stage.pass_s(1.0)
    (entry, *_) = stage.sent
    assert entry.phase is Phase.FINAL
    assert entry.result is not None
    assert entry.result.outcome is Outcome.UNRESOLVED
    stage.commands(100)
    assert ("CLAIMED", 100) in stage.sync()


# -- letting go


def _revoked(stage: Stage) -> None:
    stage.path.on_revoked(TOPIC, 0)


def _stopped(stage: Stage) -> None:
    stage.path.close()


WAYS = pytest.mark.parametrize("let_go", [_revoked, _stopped])


@WAYS
def test_what_is_claimed_is_finished_before_a_partition_goes(let_go: Any) -> None:
    """The claim may not even be read back yet: it is sent, answered, and final."""
    stage = Stage().owning()
    stage.commands(100)
    let_go(stage)
    stage.pass_s(0.1)
    assert stage.group.released == []
    assert stage.sync() == [("CLAIMED", 100)]
    stage.desk.answer(0, stage.clock.now())
    stage.pass_s(0.1)
    assert stage.group.released == []
    assert stage.sync() == [("FINAL", 100)]
    stage.pass_s(0.1)
    assert (stage.group.commits, stage.group.released) == ([101], [0])
    assert stage.path.shelves == {}


@WAYS
def test_the_wait_for_an_answer_ends(let_go: Any) -> None:
    stage = Stage().ordered()
    let_go(stage)
    stage.pass_s(WAIT_S - 0.1)
    assert stage.group.released == []
    stage.pass_s(0.2)
    assert stage.group.released == [0]


@WAYS
def test_a_partition_with_nothing_open_goes_at_once(let_go: Any) -> None:
    stage = Stage().owning()
    let_go(stage)
    assert stage.group.released == [0]


@WAYS
def test_a_partition_whose_journal_is_being_read_goes_at_once(let_go: Any) -> None:
    """No command was taken there, whatever is open in the part that was read."""
    stage = Stage()
    stage.path.on_assigned(TOPIC, 0, 100)
    stage.foreign(claim(99, "a"))
    let_go(stage)
    assert stage.group.released == [0]


@WAYS
def test_records_that_come_while_closing_are_the_successors(let_go: Any) -> None:
    """They are neither answered nor buried here."""
    stage = Stage().ordered()
    let_go(stage)
    stage.commands(101)
    stage.commands(102, value=b"poison")
    stage.commands(103, at_ms=0)
    assert (stage.asked, stage.buried, stage.sent) == ([100], [], [])
    assert len(stage.journal.followed) == 1
    assert stage.group.taken_offsets == [100, 101, 102, 103]


def test_poison_is_buried_where_it_is_passed_over() -> None:
    stage = Stage().owning()
    stage.commands(100, value=b"poison")
    assert (stage.buried, stage.group.commits) == ([100], [101])


def test_a_worker_that_stops_takes_no_partition() -> None:
    """Neither one that the group still gives it, nor one whose journal broke."""
    stage = Stage().ordered()
    stage.path.close()
    stage.path.on_assigned(TOPIC, 1, None)
    stage.path.on_broken(RESPONSES, 0, "retention")
    assert stage.path.shelves == {}
    assert Counter(n for n, _ in stage.journal.followed) == {0: 1}


def test_all_topics_finish_at_the_same_time(run: Run) -> None:
    """The slowest one decides when all are through, not their sum."""
    stages = [Stage().ordered(), Stage().ordered(), Stage().owning()]
    clock = FakeClock()

    async def pulse() -> None:
        while any(stage.path.shelves for stage in stages):
            await asyncio.sleep(0)
            for stage in stages:
                stage.pass_s(0.02)

    async def main() -> None:
        ticking = asyncio.ensure_future(pulse())
        await finish([stage.path for stage in stages], 60.0, clock)
        await ticking

    run(main())
    assert [stage.group.released for stage in stages] == [[0]] * 3
    assert sum(clock.slept) == pytest.approx(WAIT_S, abs=0.5)


def test_the_wait_for_all_ends_though_nothing_moves(run: Run) -> None:
    """Even where nobody ticks the paths any more; what is open stays as it is."""
    stage, clock = Stage().ordered(), FakeClock()
    run(finish([stage.path], 2.0, clock))
    assert sum(clock.slept) == pytest.approx(2.0, abs=0.05)
    assert stage.group.released == []
    assert not stage.path.shelves[0].takes
