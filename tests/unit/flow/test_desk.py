"""One account's order connection: lanes, replies, doubt, late answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from bridge.flow.desk import Desk, nothing_sent
from tests.unit.flow.fakes import PLAN, FakeTransport, ScriptedSession, World

SECOND = 1_000_000_000
DONE = Result(outcome=Outcome.DONE, code="OK", text="", evidence=Evidence.REPLY)


class Venue:
    """Judges every reply as done, but for number errors, which are doubtful."""

    def __init__(self) -> None:
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
        return tied | {len(tied) + 1}

    def untouched(self, result: Result) -> bool:
        return True

    def lookup(self, claim: Claim, now_ms: int) -> Lookup:
        return Lookup(list(self.questions))


class Lookup:
    """Asks its questions one after the other."""

    def __init__(self, questions: list[tuple[str, Mapping[str, Any]]]) -> None:
        self.questions = questions
        self.answers: list[Reply] = []

    def request(self) -> tuple[str, Mapping[str, Any]] | None:
        return self.questions.pop(0) if self.questions else None

    def answer(self, reply: Reply) -> None:
        self.answers.append(reply)

    def finding(self) -> Finding:
        return Finding(asked=True, result=DONE)


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


class Stage:
    """A desk with an open connection."""

    def __init__(
        self, refusal: Callable[[Command, Now], Result | None] | None = None
    ) -> None:
        self.session = OrderSession()
        self.world = World(self.session)
        self.transport = FakeTransport()
        self.shelf = Shelf()
        never = refusal or (lambda _command, _now: None)
        self.desk = Desk(Venue(), "desk", 5_000, 2, never, self.world.log)  # type: ignore[arg-type]
        self.connect()

    def connect(self) -> None:
        connection = self.world.connection(PLAN, self.session)
        connection.attach(self.transport, self.now)
        self.desk.joined(connection)

    @property
    def now(self) -> Now:
        return self.world.clock.now()

    def issue(self, req_id: str, lane: Lane = Lane.NEW, life_s: float = 3.0) -> None:
        command = Command(
            key=Key("commands", "desk", req_id),
            partition=0,
            offset=1,
            method="add",
            kind=Kind.ORDER,
            lane=lane,
            params={},
            order_id=1,
            needs_claim=True,
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
    stage = Stage(lambda _command, _now: halted)
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


def _claim() -> Claim:
    return Claim(
        key=Key("commands", "desk", "a"),
        command_offset=1,
        method="add",
        order_id=1,
        request="{}",
        claimed_ms=0,
        sent_ms=0,
    )
