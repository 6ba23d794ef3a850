"""One account's order connection: lanes, replies, doubt, late answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.model import Events, Now, Send
from bridge.core.orders import (
    Claim,
    Command,
    Evidence,
    Finding,
    Issue,
    Key,
    Kind,
    Lane,
    Outcome,
    Reply,
    Result,
)
from bridge.flow.desk import Desk, Waits, nothing_sent
from tests.unit.flow.fakes import PLAN, FakeTransport, ScriptedSession, World

SECOND = 1_000_000_000
DONE = Result(outcome=Outcome.DONE, code="OK", text="", evidence=Evidence.REPLY)


class Venue:
    """Judges every reply as done, but for number errors, which are doubtful."""

    listed = frozenset({"add"})

    def __init__(self) -> None:
        self.found: Result | None = DONE
        self.questions: list[tuple[str, Mapping[str, Any]]] = [
            ("positions", {}),
            ("dealHistory", {}),
        ]

    def judge(self, method: str, reply: Reply) -> Result | None:
        return None if reply.error else DONE

    def retie(
        self,
        tied: frozenset[int],
        method: str,
        params: Mapping[str, Any],
        result: Result,
    ) -> frozenset[int]:
        after = {"positions": tied, "delAll": frozenset[int]()}
        return after.get(method, tied | {len(tied) + 1})

    def untouched(self, result: Result) -> bool:
        return True

    def lookup(self, claim: Claim, now_ms: int) -> Lookup:
        return Lookup(list(self.questions), self.found)


class Lookup:
    """Asks its questions one after the other."""

    def __init__(
        self, questions: list[tuple[str, Mapping[str, Any]]], found: Result | None
    ) -> None:
        self.questions = questions
        self.found = found
        self.answers: list[Reply] = []

    def request(self) -> tuple[str, Mapping[str, Any]] | None:
        return self.questions.pop(0) if self.questions else None

    def answer(self, reply: Reply) -> None:
        self.answers.append(reply)

    def finding(self) -> Finding:
        return Finding(asked=True, result=self.found)


class OrderSession(ScriptedSession):
    """Requests become readable sends."""

    ready = True

    def request(self, number: int, method: str, params: Mapping[str, Any]) -> Events:
        return [Send(f"{number} {method}")]


class Shelf:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def sent(self, key: Key, connection: str, now: Now) -> None:
        self.told.append(f"sent {key.req_id} on {connection}")

    def unsent(self, key: Key, result: Result, now: Now) -> None:
        self.told.append(f"unsent {key.req_id} {result.outcome.name} {result.code}")

    def answered(self, key: Key, result: Result, now: Now) -> None:
        self.told.append(f"answered {key.req_id} {result.outcome.name}")

    def doubt(self, key: Key, why: str, now: Now) -> None:
        self.told.append(f"doubt {key.req_id}: {why}")

    def took(self, key: Key, now: Now) -> None:
        self.told.append(f"took {key.req_id}")

    def late(self, key: Key, result: Result, now: Now) -> None:
        self.told.append(f"late {key.req_id} {result.outcome.name}")

    def found(self, key: Key, finding: Finding, now: Now) -> None:
        self.told.append(f"found {key.req_id} {finding.asked}")


class Keeper:
    """Has a last word, and writes down what it hears."""

    def __init__(self, refusal: Result | None) -> None:
        self.refusal = refusal
        self.told: list[str] = []

    def last_look(self, command: Command, now: Now) -> Result | None:
        return self.refusal

    def heard(self, command: Command, result: Result, now: Now) -> None:
        self.told.append(f"{command.method} {result.outcome.name}")


class Stage:
    """A desk with an open connection."""

    def __init__(self, refusal: Result | None = None) -> None:
        self.session = OrderSession()
        self.world = World(self.session)
        self.transport = FakeTransport()
        self.shelf = Shelf()
        self.keeper = Keeper(refusal)
        waits = Waits(answer_timeout_ms=5_000, settle_ms=10_000, max_waiting=2)
        self.venue = Venue()
        self.desk = Desk(self.venue, "desk", waits, self.keeper, self.world.log)  # type: ignore[arg-type]
        self.connect()

    def busy(self) -> bool:
        return self.desk.business(self.now) != ""

    def connect(self) -> None:
        connection = self.world.connection(PLAN, self.session)
        connection.attach(self.transport, self.now)
        self.desk.joined(connection)

    @property
    def now(self) -> Now:
        return self.world.clock.now()

    def issue(
        self,
        req_id: str,
        lane: Lane = Lane.NEW,
        life_s: float = 3.0,
        method: str = "add",
    ) -> None:
        command = Command(
            key=Key("commands", "desk", req_id),
            partition=0,
            offset=1,
            method=method,
            kind=Kind.ORDER,
            lane=lane,
            params={},
            order_id=1,
            needs_claim=method == "add",
            not_after_ms=self.now.wall_ns // 1_000_000 + 10_000,
            received_ms=0,
        )
        until_ns = self.now.mono_ns + int(life_s * SECOND)
        self.desk.issue(Issue(command, until_ns), self.shelf, self.now)

    def wait(self, seconds: float) -> None:
        self.world.clock.mono_ns += int(seconds * SECOND)
        self.desk.tick(self.now)


def test_a_command_is_sent_and_its_answer_told() -> None:
    """The number on the connection matches reply and command."""
    stage = Stage()
    stage.issue("a")
    stage.issue("b")
    stage.desk.reply(Reply(number=2))
    stage.desk.reply(Reply(number=1))

    assert stage.transport.sent == ["1 add", "2 add"]
    assert stage.shelf.told[2:] == ["answered b DONE", "answered a DONE"]


def test_nothing_is_queued_while_offline() -> None:
    """Without a connection a command is refused at once, and nothing was sent."""
    stage = Stage()
    stage.session.ready = False
    stage.issue("a")

    assert stage.shelf.told == ["unsent a REFUSED NO_CONNECTION"]
    assert stage.transport.sent == []


def test_a_claim_past_its_lifetime_is_never_sent() -> None:
    """The lifetime is looked at once more right before the socket write."""
    stage = Stage()
    stage.issue("a", life_s=0.0)

    assert stage.transport.sent == []
    assert not [line for line in stage.shelf.told if line.startswith("sent")]


def test_the_last_look_may_refuse() -> None:
    """A halt that comes between claim and send keeps the order in."""
    halted = nothing_sent(Outcome.REFUSED, "TRADING_HALTED", "halted")
    stage = Stage(halted)
    stage.issue("a")

    assert stage.shelf.told == ["unsent a REFUSED TRADING_HALTED"]
    assert stage.transport.sent == []


def test_what_was_in_flight_is_in_doubt_when_the_connection_ends() -> None:
    """A lost connection is never taken for a rejection."""
    stage = Stage()
    stage.issue("a")
    stage.desk.left(stage.now)

    assert stage.shelf.told[-1] == "doubt a: the connection ended before the answer"
    assert stage.desk.in_flight == 0


def test_the_orders_that_end_with_a_connection_are_told() -> None:
    """What rests with cancel-on-disconnect is named once, when its connection ends."""
    stage = Stage()
    stage.issue("a")
    stage.desk.reply(Reply(number=1))
    stage.issue("b")
    stage.desk.reply(Reply(number=2))

    assert stage.desk.left(stage.now) == "cancelled on disconnect: 1, 2"
    assert stage.shelf.told[-2:] == ["took a", "took b"]
    assert stage.desk.left(stage.now) == ""


def test_an_answer_after_the_time_out_is_late() -> None:
    """Silence is doubt; what comes afterwards is told as late, once."""
    stage = Stage()
    stage.issue("a")
    stage.wait(6)
    stage.desk.reply(Reply(number=1))
    stage.desk.reply(Reply(number=1))

    assert stage.shelf.told[1:] == ["doubt a: no answer in time", "late a DONE"]


def test_an_order_whose_answer_came_late_ends_with_its_connection() -> None:
    """It rests at the venue as any other: a rotation waits, and its end is told."""
    stage = Stage()
    stage.issue("a")
    stage.wait(6)
    stage.desk.reply(Reply(number=1))

    assert stage.busy()
    stage.wait(3_600)
    assert stage.busy()
    assert stage.desk.left(stage.now) == "cancelled on disconnect: 1"
    assert stage.shelf.told[-1] == "took a"


def test_what_has_no_clear_answer_is_business_until_it_must_have_settled() -> None:
    """It may have placed an order; the last look-up is on its way by then."""
    stage = Stage()
    stage.issue("silent")
    stage.issue("unclear")
    stage.desk.reply(Reply(number=2, error=10, meaning="internal error"))
    stage.wait(6)

    assert stage.desk.business(stage.now).startswith("2 requests without an answer")
    stage.wait(9)
    assert stage.desk.business(stage.now).startswith("1 requests without an answer")
    stage.wait(7)
    assert not stage.busy()


def test_a_read_without_an_answer_is_no_business() -> None:
    """It places no order, and the instruments are asked for again and again."""
    stage = Stage()
    stage.issue("r", Lane.QUERY, method="positions")
    assert stage.busy()
    stage.wait(6)

    assert not stage.busy()


def test_a_late_answer_that_says_nothing_leaves_the_command_open() -> None:
    """An answer that comes after it still counts."""
    stage = Stage()
    stage.issue("a")
    stage.wait(6)
    stage.desk.reply(Reply(number=1, error=10))
    assert stage.busy()
    assert stage.shelf.told[-1] == "doubt a: no answer in time"
    stage.desk.reply(Reply(number=1))

    assert stage.shelf.told[-1] == "late a DONE"


def test_an_order_that_a_look_up_finds_ends_with_its_connection() -> None:
    """It was sent on this one; after a reconnect the venue has removed it already."""
    stage = Stage()
    stage.issue("a")
    stage.wait(6)
    stage.desk.resolve(_claim(), stage.shelf, stage.now)
    for number in (2, 3):
        stage.desk.reply(Reply(number=number))

    assert stage.shelf.told[-1] == "found a True"
    stage.wait(3_600)
    assert stage.desk.left(stage.now) == "cancelled on disconnect: 1"
    assert stage.shelf.told[-1] == "took a"

    stage.connect()
    stage.desk.resolve(_claim(), stage.shelf, stage.now)
    for number in (4, 5):
        stage.desk.reply(Reply(number=number))
    assert stage.shelf.told[-1] == "found a True"
    assert not stage.busy()


def test_a_clearing_ends_no_order_that_was_sent_after_it() -> None:
    """However its end is learned: in time but out of order, late, or by a look-up."""
    for learn in (_in_time, _late, _looked_up):
        stage = Stage()
        stage.issue("old")
        stage.desk.reply(Reply(number=1))
        stage.issue("clear", Lane.CANCEL, method="delAll")
        stage.issue("new")
        stage.desk.reply(Reply(number=3))
        learn(stage)

        assert stage.shelf.told[-1].split()[1] == "clear"
        assert stage.desk.left(stage.now) == "cancelled on disconnect: 2"
        assert stage.shelf.told[-1] == "took new"


def _in_time(stage: Stage) -> None:
    stage.desk.reply(Reply(number=2))


def _late(stage: Stage) -> None:
    stage.wait(6)
    stage.desk.reply(Reply(number=2))


def _looked_up(stage: Stage) -> None:
    stage.wait(6)
    stage.desk.resolve(_claim("clear"), stage.shelf, stage.now)
    for number in (4, 5):
        stage.desk.reply(Reply(number=number))


def test_a_late_answer_ties_nothing_that_a_look_up_has_shown() -> None:
    """It tells of a moment before; the order may have been removed since."""
    stage = Stage()
    stage.issue("a")
    stage.wait(6)
    stage.desk.resolve(_claim(), stage.shelf, stage.now)
    for number in (2, 3):
        stage.desk.reply(Reply(number=number))
    stage.issue("clear", Lane.CANCEL, method="delAll")
    stage.desk.reply(Reply(number=4))
    assert not stage.busy()
    stage.desk.reply(Reply(number=1))

    assert stage.shelf.told[-1] == "late a DONE"
    assert not stage.busy()


def test_who_asked_for_a_look_up_hears_of_the_order_that_it_found() -> None:
    """Who sent it still hears the late answer."""
    stage, asker = Stage(), Shelf()
    stage.issue("a")
    stage.wait(6)
    stage.desk.resolve(_claim(), asker, stage.now)
    for number in (2, 3, 1):
        stage.desk.reply(Reply(number=number))
    stage.desk.left(stage.now)

    assert stage.shelf.told[-1] == "late a DONE"
    assert asker.told == ["found a True", "took a"]


def test_a_doubt_is_business_while_the_venue_cannot_be_asked() -> None:
    """Each attempt to look it up makes it count for as long again."""
    stage = Stage()
    stage.issue("a")
    stage.wait(6)
    stage.wait(10)
    for ready in (True, False) * 20:
        stage.session.ready = ready
        stage.desk.resolve(_claim(), stage.shelf, stage.now)
        stage.wait(6)
        assert stage.shelf.told[-1] == "found a False"
        assert stage.desk.business(stage.now).startswith("1 requests")

    stage.wait(10)
    assert not stage.busy()


def test_a_look_up_that_found_nothing_ends_the_business() -> None:
    """Nothing of the command is under way, and nothing of it rests."""
    stage = Stage()
    stage.venue.found = None
    stage.issue("a")
    stage.wait(6)
    stage.desk.resolve(_claim(), stage.shelf, stage.now)
    stage.desk.reply(Reply(number=2))
    assert stage.busy()
    stage.desk.reply(Reply(number=3))

    assert not stage.busy()
    # What the venue says all the same is still told.
    stage.desk.reply(Reply(number=1))
    assert stage.shelf.told[-1] == "late a DONE"
    assert stage.busy()


def test_the_keeper_hears_every_answer_once() -> None:
    """In time or late; not what says nothing, and not what a look-up found."""
    stage = Stage()
    stage.issue("a")
    stage.issue("b")
    stage.issue("c")
    stage.desk.reply(Reply(number=1))
    stage.desk.reply(Reply(number=2, error=10))
    stage.wait(6)
    stage.desk.reply(Reply(number=3))
    stage.desk.resolve(_claim(), stage.shelf, stage.now)
    for number in (4, 5):
        stage.desk.reply(Reply(number=number))

    assert stage.keeper.told == ["add DONE", "add DONE"]


def test_an_answer_without_evidence_is_doubt() -> None:
    """An error that says nothing about the order closes nothing."""
    stage = Stage()
    stage.issue("a")
    stage.desk.reply(Reply(number=1, error=10, meaning="internal error"))

    assert stage.shelf.told[-1].startswith("doubt a: the venue answered 10")


def test_a_claim_is_looked_up_question_by_question() -> None:
    """Each question waits for the answer to the one before."""
    stage = Stage()
    stage.desk.resolve(_claim(), stage.shelf, stage.now)
    assert stage.transport.sent == ["1 positions"]
    stage.desk.reply(Reply(number=1))
    assert stage.transport.sent == ["1 positions", "2 dealHistory"]
    stage.desk.reply(Reply(number=2))

    assert stage.shelf.told == ["found a True"]


def test_a_lookup_that_gets_no_answer_found_nothing_out() -> None:
    """The venue could not be asked: that is not evidence of anything."""
    stage = Stage()
    stage.desk.resolve(_claim(), stage.shelf, stage.now)
    stage.wait(6)
    stage.desk.left(stage.now)
    stage.desk.resolve(_claim(), stage.shelf, stage.now)

    assert stage.shelf.told == ["found a False", "found a False"]


def _claim(req_id: str = "a") -> Claim:
    return Claim(
        key=Key("commands", "desk", req_id),
        command_offset=1,
        method="add",
        order_id=1,
        request="{}",
        claimed_ms=0,
        sent_ms=0,
    )
