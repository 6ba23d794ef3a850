"""An account of the order path: its instruments, its guards, its connection."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.app import parts as parts_module
from bridge.app.accounts import Account, Guards, OrderParts
from bridge.app.checks import Checks
from bridge.app.destinations import Destination, schemas_by_topic
from bridge.app.parts import Parts
from bridge.config import load
from bridge.core.codec import Codec
from bridge.core.command_rules import Rules
from bridge.core.forms import Steps
from bridge.core.model import Now
from bridge.core.order_ids import OrderIds
from bridge.core.orders import (
    Command,
    Entry,
    Evidence,
    Finding,
    Issue,
    Key,
    Kind,
    Lane,
    Outcome,
    Phase,
    Result,
)
from bridge.core.policy import Breaker, Policy, Rate
from bridge.edge.schemas import bundled
from bridge.venues.finery import VENUE
from tests.support.clock import ManualClock
from tests.support.processes import settings_file
from tests.unit.flow.fakes import FakeKafka, FakeTransport
from tests.unit.venues.finery.desk import UP

TOPIC = "finery.commands"
PAUSE_NS = 30_000_000_000
INSTRUMENTS = '[[["BTC",1,5,0],["EUR",2,7,0]],[["BTC-EUR",1,"BTC","EUR"]],[]]'
BTC_EUR = {"BTC-EUR": Steps(5, 7)}
LOGIN = {"FEEDBRIDGE_FINERY__DESK__KEY": "k", "FEEDBRIDGE_FINERY__DESK__SECRET": "s"}
ORDER = (Kind.ORDER, Lane.NEW)


class Shelf:
    """Writes down what it is told of commands."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def sent(self, key: Key, connection: str, now: Now) -> None:
        """Nothing to write down."""

    def unsent(self, key: Key, result: Result, now: Now) -> None:
        self.told.append(f"unsent {result.code}")

    def answered(self, key: Key, result: Result, now: Now) -> None:
        self.told.append(f"{result.evidence.name} {result.code}")

    def took(self, key: Key, now: Now) -> None:
        """Nothing to write down."""

    def doubt(self, key: Key, why: str, now: Now) -> None:
        self.told.append(f"doubt: {why}")

    def late(self, key: Key, result: Result, now: Now) -> None:
        self.told.append(f"late {result.code}")

    def found(self, key: Key, finding: Finding, now: Now) -> None:
        """Nothing to write down."""


class Stage:
    """A worker in a group, with one account on an open order connection."""

    def __init__(self, folder: Path, most: int = 2) -> None:
        """`most` rejections in a row trip the breaker."""
        orders = {"responses": "finery.responses", "accounts": ["desk"]}
        desk = {"subscriptions": ["orders"]}
        tree = {
            "kafka": {"bootstrap_servers": "127.0.0.1:9"},
            "finery": {"desk": desk},
            "ownership": "group",
            "worker": {"name": "worker-0"},
            "commands": {TOPIC: orders},
        }
        settings = load(settings_file(folder, tree), LOGIN)
        codec = Codec(bundled())
        destinations = {
            topic: Destination(topic, schema, 1, codec.single_object_header(schema))
            for topic, schema in schemas_by_topic(settings).items()
        }
        self.clock = ManualClock()
        self.logged: list[str] = []
        self.parts = Parts(settings, destinations, codec, self.clock, self.log)
        [source] = settings.order_sources()
        self.breaker = Breaker(most, PAUSE_NS)
        guards = Guards(Rate(1_000), self.breaker, 5_000, 10_000, 10, 5_000)
        self.account = Account(source, VENUE.orders, self.parts, guards)
        self.account.control_read = True
        self.order_parts = OrderParts(self.parts, self.account, 5_000)
        self.transport = FakeTransport()
        self.shelf = Shelf()
        session = self.order_parts.session(self.account.plan, {})
        self.connection = self.order_parts.connection(self.account.plan, session)
        self.connection.attach(self.transport, self.now)
        self.order_parts.joined(self.connection, self.now)
        self.say(UP)
        self._names = itertools.count()
        self.params: dict[str, Any] = {}

    def log(self, event: str, **facts: Any) -> None:
        """Keep the event's name."""
        self.logged.append(event)

    @property
    def now(self) -> Now:
        """Return the present."""
        return self.clock.now()

    def refusal(self) -> str | None:
        """Return what a new order would be refused with."""
        return self.account.moment(self.command("add", *ORDER), self.now)

    def say(self, frame: str) -> None:
        """Let the venue say something."""
        self.connection.on_frame(frame.encode(), self.now.wall_ns)

    def answer(self, reply: str, number: int | None = None) -> None:
        """Answer a request, the last one if none is given."""
        number = number or json.loads(self.transport.sent[-1])["reqId"]
        self.say(f'{{"event":"request","reqId":{number},"reply":{reply}}}')

    def place(self, number: int, method: str = "add") -> None:
        """Let an order rest that ends with the connection."""
        self.params = {"cod": True}
        self.ask(method, *ORDER, f'{{"id":{number},"remainingSize":8}}')

    def look(self, seconds: float, *active: int) -> set[int]:
        """Let the account ask which orders rest; return those that are tied then."""
        sent = len(self.transport.sent)
        self.clock.step(seconds)
        self.account.tick(self.now)
        for text in self.transport.sent[sent:]:
            asked = json.loads(text)
            if asked["method"] == "positions":
                rows = [["BTC-EUR", 0, 1, 7, one, 9, 7, 8, 8, 1] for one in active]
                self.answer(json.dumps([1, [], rows, []]), asked["reqId"])
        return set(self.account.desk.tied)

    def command(self, method: str, kind: Kind, lane: Lane) -> Command:
        """Return a command that may still be sent for ten seconds."""
        now_ms = self.now.wall_ns // 1_000_000
        return Command(
            key=Key(TOPIC, "desk", f"r{next(self._names)}"),
            partition=0,
            offset=1,
            method=method,
            kind=kind,
            lane=lane,
            params=self.params,
            order_id=1,
            needs_claim=kind is not Kind.READ,
            not_after_ms=now_ms + 10_000,
            received_ms=now_ms,
        )

    def ask(self, method: str, kind: Kind, lane: Lane, reply: str = "") -> None:
        """Send a command, and let the venue answer it if there is an answer."""
        issue = Issue(self.command(method, kind, lane), self.now.mono_ns + PAUSE_NS)
        self.account.desk.issue(issue, self.shelf, self.now)
        if reply:
            self.answer(reply)


@pytest.fixture(autouse=True)
def _no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no client be made: nothing here is to reach Kafka."""
    monkeypatch.setattr(parts_module, "Producer", lambda *_: FakeKafka())


@pytest.mark.parametrize(
    "reply",
    [
        *("null", "[]", "{}", '{"error":0}', "7", '"text"', "true", "1.5"),
        *("[[]]", "[null,null]", "[[],{}]", "[[1],[2]]", "[[null],[null]]"),
        '[[["BTC",1]],[]]',
        '[[["BTC",1,5,0]],[["BTC-EUR",1,"BTC"]]]',
        '[[["BTC",1,"5",0]],[]]',
        '[[["BTC",1,-5,0]],[]]',
        '[[["BTC",1,9223372036854775808,0]],[]]',
        '[[[["BTC"],1,5,0]],[]]',
        '[[["BTC",1,5,0]],[[{},1,"BTC","EUR"]]]',
    ],
)
def test_instruments_of_another_form_change_nothing(tmp_path: Path, reply: str) -> None:
    """Those that are known stay; it is said once, and asked again soon."""
    stage = Stage(tmp_path)
    stage.account.tick(stage.now)
    stage.answer(INSTRUMENTS)
    assert stage.account.instruments == BTC_EUR
    for seconds in (60, 10, 10):
        stage.clock.step(seconds)
        stage.account.tick(stage.now)
        stage.answer(reply)

    assert stage.account.instruments == BTC_EUR
    assert stage.logged.count("instruments_unread") == 1
    stage.clock.step(10)
    stage.account.tick(stage.now)
    stage.answer(INSTRUMENTS.replace("5", "6"))
    assert stage.account.instruments == {"BTC-EUR": Steps(6, 7)}


@pytest.mark.parametrize("row", ['["X",3,1,0,"crypto",["net"],0]', '["X",3,1]'])
def test_instruments_are_read_by_what_is_needed_of_them(
    tmp_path: Path, row: str
) -> None:
    """Currencies of older and of newer servers are read alike."""
    stage = Stage(tmp_path)
    stage.account.tick(stage.now)
    stage.answer(INSTRUMENTS.replace('["EUR"', f'{row},["EUR"'))

    assert stage.account.instruments == BTC_EUR


REJECTED = '{"error":20}'
GONE = '{"error":80}'


def test_reads_and_cancels_between_rejections_do_not_count(tmp_path: Path) -> None:
    """Polling does not keep the breaker closed, and a refused cancel opens nothing."""
    stage = Stage(tmp_path)
    for _ in range(3):
        stage.ask("del", Kind.ORDER, Lane.CANCEL, GONE)
    assert stage.refusal() is None
    stage.ask("add", *ORDER, REJECTED)
    stage.ask("positions", Kind.READ, Lane.QUERY, "[1,[],[],[]]")
    stage.ask("del", Kind.ORDER, Lane.CANCEL, '{"id":1,"remainingSize":1}')
    assert stage.refusal() is None
    stage.ask("add", *ORDER, REJECTED)

    assert stage.refusal() == "TOO_MANY_REJECTIONS"
    assert stage.shelf.told.count("REPLY VENUE_20") == 2


def test_an_accepted_order_between_rejections_starts_anew(tmp_path: Path) -> None:
    """Only rejections in a row count; the market's answer is none."""
    stage = Stage(tmp_path)
    stage.ask("add", *ORDER, REJECTED)
    stage.ask("add", *ORDER, '{"id":7,"remainingSize":5}')
    stage.ask("add", *ORDER, REJECTED)
    stage.ask("add", *ORDER, '{"error":76}')

    assert stage.refusal() is None


def test_a_late_rejection_counts(tmp_path: Path) -> None:
    """The venue said it, whenever it was."""
    stage = Stage(tmp_path, most=1)
    stage.ask("add", *ORDER)
    stage.clock.step(6)
    stage.account.desk.tick(stage.now)
    assert stage.refusal() is None
    stage.answer(REJECTED)

    assert stage.shelf.told == ["doubt: no answer in time", "late VENUE_20"]
    assert stage.refusal() == "TOO_MANY_REJECTIONS"


def test_what_the_journal_holds_does_not_trip_the_breaker(tmp_path: Path) -> None:
    """A restart reads rejections of another time, of a worker of the same name."""
    stage = Stage(tmp_path)
    accounts = frozenset({"desk"})
    rules = Rules(
        topic=TOPIC,
        policy=Policy(accounts=accounts),
        methods=VENUE.orders.methods,
        forms=VENUE.orders.forms,
        decode=lambda _: {},
        params=VENUE.orders.params,
        order_ids=OrderIds(1_000),
    )
    checks = Checks(rules, {"desk": stage.account}, None, stage.parts)  # type: ignore[arg-type]
    for outcome in (Outcome.REJECTED,) * 3 + (Outcome.DONE,):
        said = Result(outcome=outcome, code="", text="", evidence=Evidence.REPLY)
        entry = Entry(
            key=Key(TOPIC, "desk", "r"),
            phase=Phase.FINAL,
            command_offset=1,
            worker="worker-0",
            method="add",
            result=said,
        )
        checks.seen(entry, stage.now)

    assert stage.refusal() is None


def test_a_reply_is_taken_after_a_pause_longer_than_the_lease(tmp_path: Path) -> None:
    """The lease is of the shares: an order connection goes on, and so do its orders."""
    stage = Stage(tmp_path)
    feed = stage.parts.connection(stage.account.plan, stage.connection.session)
    other = FakeTransport()
    feed.attach(other, stage.now)
    stage.ask("add", *ORDER)
    stage.clock.step(60)
    assert stage.parts.lease.over
    stage.answer('{"id":7,"remainingSize":5}')
    stage.connection.tick(stage.now)
    feed.tick(stage.now)

    assert stage.shelf.told == ["REPLY ACCEPTED"]
    assert stage.transport.calls == []
    assert other.calls == ["abort"]
    assert stage.account.desk.session is not None


def test_no_feed_takes_over_while_its_old_socket_is_not_read(tmp_path: Path) -> None:
    """What lies in the socket of a paused connection is in no sequence yet."""
    stage = Stage(tmp_path)
    kafka = stage.parts.producer
    one = stage.connection
    assert stage.parts.may_take_over(one, one) == ""
    stage.parts.pressure.full()

    assert "paused" in stage.parts.may_take_over(one, one)
    assert isinstance(kafka, FakeKafka)
    stage.parts.pressure.step(stage.now)
    assert "is being read" in stage.parts.may_take_over(one, one)
    stage.clock.step(1)
    assert stage.parts.may_take_over(one, one) == ""


def test_an_order_that_rests_no_more_ends_with_no_connection(tmp_path: Path) -> None:
    """The market tells nobody that it filled an order: the account asks each minute."""
    stage = Stage(tmp_path)
    stage.place(7)
    stage.place(8)
    assert stage.look(11, 7, 8) == {7, 8}
    assert stage.look(59) == {7, 8}
    assert stage.look(1, 8) == {8}
    assert stage.look(60) == set()
    sent = len(stage.transport.sent)

    stage.clock.step(60)
    stage.account.tick(stage.now)
    assert "positions" not in "".join(stage.transport.sent[sent:])


def test_an_order_newer_than_the_list_stays(tmp_path: Path) -> None:
    """The list may be a moment old: what was accepted shortly before is not missed."""
    stage = Stage(tmp_path)
    stage.place(7)
    assert stage.look(0) == {7}
    stage.clock.step(52)
    stage.place(8)
    assert stage.look(8) == {8}
    stage.clock.step(49)
    stage.ask("mod", *ORDER, '{"id":9,"origId":8,"remainingSize":8}')
    assert stage.look(11) == set()


def test_what_no_list_shows_stays(tmp_path: Path) -> None:
    """An order of a sub-account is in none; nor need be the one that replaced it."""
    stage = Stage(tmp_path)
    stage.place(7, "authorized/add")
    stage.place(8, "authorized/add")
    assert stage.look(11) == {7, 8}
    stage.ask("mod", *ORDER, '{"id":9,"origId":8,"remainingSize":8}')

    assert stage.look(60) == {7, 9}


def test_an_answer_without_a_list_is_asked_for_again(tmp_path: Path) -> None:
    """What is tied stays; a refused question comes again soon."""
    stage = Stage(tmp_path)
    stage.account.tick(stage.now)
    stage.answer(INSTRUMENTS)
    stage.place(7)
    stage.clock.step(11)
    for step, reply in ((10, '{"error":10}'), (60, "[1,[]]"), (60, "[1,[],[],[]]")):
        assert stage.account.desk.tied == {7}
        stage.account.tick(stage.now)
        assert json.loads(stage.transport.sent[-1])["method"] == "positions"
        stage.answer(reply)
        stage.clock.step(step)

    assert stage.account.desk.tied == frozenset()
