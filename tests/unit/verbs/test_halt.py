"""`feedbridge halt`, `reduce`, `resume`: the record, and the emptying."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import cli
from bridge.client import Client
from bridge.core.orders import Outcome, Trading
from bridge.core.routing import partition
from bridge.embedded import EmbeddedKafka
from bridge.verbs import clearing, halt
from bridge.verbs.clearing import orders_of
from tests.embedded.responder import COMMANDS, Automaton, Command
from tests.unit.verbs.orders import CONTROL, TOPICS, controls, settings_file

NOTHING: dict[str, Any] = {"body": "[7,[],[],[]]"}
ONE_LEFT: dict[str, Any] = {"body": '[7,[],[["BTC-USD",1]],[]]'}


class Desk:
    """Runs the verbs, with a script for what the venue answers."""

    def __init__(self, kafka: EmbeddedKafka, folder: Path) -> None:
        self.kafka = kafka
        self.config = settings_file(kafka, folder)
        self.asked: list[str] = []

    def run(self, *words: str) -> int:
        return cli.main([*words, "--config", str(self.config)])

    def cancel_all(self, positions: list[dict[str, Any]], **more: Any) -> int:
        """Answer `positions` by turns, the last for ever; others as `more` says."""
        looks = list(positions)

        def script(command: Command) -> list[dict[str, Any]]:
            if command["method"] == "positions":
                return [dict(looks.pop(0) if len(looks) > 1 else looks[0])]
            if command["method"] == "pending/orders":
                return [dict(more.get("pending", {"body": "[]"}))]
            return [dict(more.get("cancels", {"body": '{"removed":1}'}))]

        with Automaton(self.kafka, script) as automaton:
            code = self.run("halt", "desk", "--cancel-all", "--json")
        self.asked = [command["method"] for command in automaton.seen]
        return code


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(clearing, "PAUSE_S", 0.0)
    monkeypatch.setattr(clearing, "ANSWER_S", 5.0)
    with EmbeddedKafka(topics=TOPICS) as kafka:
        yield Desk(kafka, tmp_path)


def test_each_verb_writes_its_state(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record's key is the account, on the partition of Kafka's own hash."""
    assert desk.run("halt", "desk", "--reason", "odd prices") == 0
    assert desk.run("halt", "desk", "--halt-cancels") == 0
    assert desk.run("reduce", "desk") == 0
    capsys.readouterr()
    assert desk.run("resume", "desk", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    found = controls(desk.kafka, 4)

    assert [(c.state, c.halt_cancels) for _, c in found] == [
        (Trading.HALTED, False),
        (Trading.HALTED, True),
        (Trading.REDUCING, False),
        (Trading.ACTIVE, False),
    ]
    assert {(key, c.account) for key, c in found} == {(b"desk", "desk")}
    assert found[0][1].reason == "odd prices"
    assert found[0][1].by
    assert found[0][1].at_ms > 1_600_000_000_000
    assert facts["state"] == "ACTIVE"
    assert (facts["partition"], facts["offset"]) == (partition(b"desk", 2), 3)


def test_an_unknown_account_is_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt name would halt nobody."""
    assert desk.run("halt", "dsek") == 2
    assert "no such account; there are ['desk']" in capsys.readouterr().err
    assert desk.run("halt", "desk", "--halt-cancels", "--cancel-all") == 2


def test_a_command_line_that_cannot_be_carried_out_halts_nobody(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which topic to cancel on must be clear before the halt is written."""
    text = desk.config.read_text()
    desk.config.write_text(text + "  other: {responses: others, accounts: [desk]}\n")
    assert desk.run("halt", "desk", "--cancel-all") == 2
    assert "choose one of desk on finery.commands, desk on" in capsys.readouterr().err
    assert desk.run("reduce", "desk") == 0
    assert controls(desk.kafka, 1)[0][1].state is Trading.REDUCING


def test_without_the_control_topic_nobody_is_told_to_be_halted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A halt that was not written is an error."""
    with EmbeddedKafka(topics={"other": 1}) as kafka:
        desk = Desk(kafka, tmp_path)
        assert desk.run("halt", "desk") == 5
    assert "no topic feedbridge.control" in capsys.readouterr().err


def test_cancel_all_ends_well_when_nothing_is_left_twice(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Halt first, cancel, then two looks in a row that show nothing."""
    assert desk.cancel_all([NOTHING]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["cleared"]["empty"] is True
    looks = ["positions", "pending/orders"]
    assert desk.asked == ["delAll", "pending/delAll", *looks, *looks]
    assert controls(desk.kafka, 1)[0][1].state is Trading.HALTED


def test_an_order_that_slips_in_is_cancelled_too(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A look that shows an order starts the count again, after another cancel."""
    assert desk.cancel_all([NOTHING, ONE_LEFT, NOTHING]) == 0
    assert desk.asked.count("delAll") == 2
    assert desk.asked.count("positions") == 4


@pytest.mark.parametrize(
    ("positions", "more", "left"),
    [
        (ONE_LEFT, {}, 1),
        (NOTHING, {"pending": {"body": "[[1]]"}}, 1),
        ({"outcome": Outcome.REFUSED, "code": "TRADING_HALTED"}, {}, 0),
        (NOTHING, {"pending": {"outcome": Outcome.REJECTED}}, 0),
        ({"body": '"odd"'}, {}, 0),
    ],
)
def test_what_is_left_or_not_known_is_code_6(
    positions: dict[str, Any],
    more: dict[str, Any],
    left: int,
    desk: Desk,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only the venue's own empty lists prove that nothing is left."""
    assert desk.cancel_all([positions], **more) == 6
    cleared = json.loads(capsys.readouterr().out)["cleared"]
    assert cleared["empty"] is False
    assert len(cleared["left"]) == left


def test_the_halt_is_told_when_nothing_can_be_cleared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands, whatever becomes of the rest: an operator must not doubt it."""
    with EmbeddedKafka(topics={CONTROL: 2, COMMANDS: 2}) as kafka:
        desk = Desk(kafka, tmp_path)
        assert desk.run("halt", "desk", "--cancel-all") == 6
        told = capsys.readouterr().out
        assert desk.run("halt", "desk", "--cancel-all", "--json") == 6
        facts = json.loads(capsys.readouterr().out)
        assert controls(kafka, 1)[0][1].state is Trading.HALTED

    assert told.startswith("desk is HALTED\n  no such topic: finery.responses")
    assert told.endswith("NOT empty, or not known to be: look there\n")
    assert facts["state"] == "HALTED"
    assert (facts["cleared"]["empty"], facts["cleared"]["left"]) == (False, [])
    assert "no such topic: finery.responses" in facts["cleared"]["steps"][0]


def test_the_halt_is_told_before_the_clearing_begins(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clearing may take minutes, and may be interrupted."""
    told: list[str] = []

    async def clear(_: Client) -> dict[str, Any]:
        told.append(capsys.readouterr().out)
        raise KeyboardInterrupt

    monkeypatch.setattr(halt, "clear", clear)
    assert desk.run("halt", "desk", "--cancel-all") == 130
    assert told == ["desk is HALTED\n"]


def test_a_command_that_kafka_refuses_does_not_end_the_clearing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a step like the others; what the others did is still told."""
    desk.kafka.fail_requests(0, [0, 10])  # the halt passes, the first command does not
    assert desk.cancel_all([NOTHING]) == 0
    steps = json.loads(capsys.readouterr().out)["cleared"]["steps"]
    assert "was not confirmed" in steps[0]
    assert "DONE" in steps[1]


@pytest.mark.parametrize(
    ("result", "orders"),
    [
        ({"nextId": 1, "positions": [], "orders": [{"id": 1}]}, [{"id": 1}]),
        ([7, [], [[1], [2]], []], [[1], [2]]),
        ([7, []], None),
        ([], []),
        ({"other": 1}, None),
        (None, None),
        ("text", None),
    ],
)
def test_orders_are_found_in_typed_and_in_plain_answers(
    result: Any, orders: list[Any] | None
) -> None:
    """An answer that is not understood is never taken for an empty one."""
    assert orders_of(result) == orders
