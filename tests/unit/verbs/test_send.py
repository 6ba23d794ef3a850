"""`feedbridge send`: what is written, what is shown, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import cli
from bridge.core.orders import Evidence, Outcome, Phase
from bridge.embedded import EmbeddedKafka
from tests.embedded.responder import PARTITIONS, Automaton, Command, Responder
from tests.unit.verbs.orders import TOPICS, settings_file

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ADD = ["add", "instrument=BTC-USD", "price=60001.5", "size=0.1", "side=bid"]


class Desk:
    """Runs the verb against a script."""

    def __init__(self, kafka: EmbeddedKafka, folder: Path) -> None:
        self.kafka = kafka
        self.config = settings_file(kafka, folder)
        self.seen: list[dict[str, Any]] = []
        self.traces: list[str | bytes | None] = []

    def send(self, *words: str, answers: list[dict[str, Any]] | None = None) -> int:
        def script(_: Command) -> list[dict[str, Any]]:
            return [dict(answer) for answer in answers or ()]

        with Automaton(self.kafka, script) as automaton:
            code = cli.main(["send", *words, "--config", str(self.config)])
        self.seen, self.traces = automaton.seen, automaton.traces
        return code


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics=TOPICS) as cluster:
        yield cluster


@pytest.fixture
def desk(kafka: EmbeddedKafka, tmp_path: Path) -> Desk:
    return Desk(kafka, tmp_path)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.DONE, 0),
        (Outcome.REJECTED, 10),
        (Outcome.REFUSED, 11),
        (Outcome.EXPIRED, 12),
        (Outcome.NO_TRACE, 13),
        (Outcome.UNRESOLVED, 14),
    ],
)
def test_each_outcome_has_its_exit_code(
    outcome: Outcome, code: int, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell script can tell the outcomes apart."""
    answer = {"outcome": outcome, "code": "WHY", "text": "because"}
    assert desk.send("positions", answers=[answer]) == code
    assert f"{outcome.name} WHY (REPLY): because" in capsys.readouterr().out


def test_words_are_sent_as_typed_content(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Price and size are scaled exactly; reqId, account and deadline go along."""
    more = ["--req-id", "mine", "--deadline-seconds", "3600", "--key", "k"]
    more += ["--traceparent", TRACE]
    assert desk.send(*ADD, "type=limitIOC", *more, answers=[{}]) == 0
    [command] = desk.seen
    name, content = command["content"]
    assert name == "Add"
    assert (content["priceE8"], content["sizeE8"]) == (6_000_150_000_000, 10_000_000)
    assert (content["side"], content["type"]) == ("BID", "LIMIT_IOC")
    assert (command["reqId"], command["account"]) == ("mine", "desk")
    assert command["notAfter"] > 1_600_000_000_000
    assert desk.traces == [TRACE.encode()]
    assert "sent mine to finery.commands[" in capsys.readouterr().out


def test_json_shows_every_response_on_a_line(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interim responses come first, the final one last."""
    answers: list[dict[str, Any]] = [
        {"phase": Phase.CLAIMED},
        {"phase": Phase.DOUBT},
        {"outcome": Outcome.NO_TRACE, "evidence": Evidence.RECONCILED, "code": "GONE"},
    ]
    assert desk.send("delAll", "--json", answers=answers) == 13
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["phase"] for line in lines] == ["CLAIMED", "DOUBT", "FINAL"]
    assert lines[2]["outcome"] == "NO_TRACE"
    assert lines[2]["evidence"] == "RECONCILED"
    assert lines[2]["clientOrderId"] == 77


def test_the_venues_refusal_and_result_are_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person sees number, meaning, and the answer as the venue sent it."""
    answer = {
        "outcome": Outcome.REJECTED,
        "venue_error": 76,
        "venue_meaning": "nothing matched",
        "body": '{"error":76}',
    }
    assert desk.send("positions", answers=[answer]) == 10
    out = capsys.readouterr().out
    assert "venue error 76  nothing matched" in out
    assert '{"error":76}' in out


def test_without_a_final_response_the_code_is_15(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text says that the order may live, and how to find it."""
    code = desk.send("positions", "--wait-seconds", "0.3", "--req-id", "lost")
    err = capsys.readouterr().err
    assert code == 15
    assert "does not mean that it was not executed" in err
    assert "lost" in err
    assert len(desk.seen) == 1


def test_a_response_that_cannot_be_read_is_code_15(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """After sending, no error says or implies that nothing was sent."""

    def junk(command: Command) -> list[dict[str, Any]]:
        key = command["reqId"].encode()
        for number in range(PARTITIONS):
            Responder(desk.kafka).raw(key, number, b"junk")
        return []

    with Automaton(desk.kafka, junk):
        code = cli.main(["send", "positions", "--config", str(desk.config)])
    err = capsys.readouterr().err
    assert code == 15
    assert "could be read. This does not mean that it was not executed" in err
    assert "because: " in err


def test_dry_run_writes_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything is checked and shown; no broker is asked."""
    desk.kafka.broker_down()
    code = cli.main(
        [
            *("send", *ADD, "type=LIMIT_IOC", "--dry-run", "--json"),
            *("--config", str(desk.config)),
        ]
    )
    facts = json.loads(capsys.readouterr().out)
    assert code == 0
    assert facts["content"][0] == "Add"
    assert facts["content"][1]["priceE8"] == 6_000_150_000_000
    assert (facts["topic"], facts["account"]) == ("finery.commands", "desk")
    assert cli.main(["send", *ADD, "--dry-run", "--config", str(desk.config)]) == 4
    assert "type is missing" in capsys.readouterr().err
    desk.kafka.broker_up()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["add", "prize=1"], "there is no prize; there are instrument"),
        (["add", "price=1", "--content", "{}"], "give either it or key=value"),
        (["positions", "--account", "x"], "no command topic serves x"),
        (["positions", "--topic", "x"], "no command topic serves x"),
        (["positions", "--traceparent", "00-1"], "'00-1' is no trace; expected 00-"),
    ],
)
def test_a_wrong_command_is_not_sent(
    words: list[str], text: str, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mistakes are told before Kafka is asked, with exit code 2."""
    assert cli.main(["send", *words, "--config", str(desk.config)]) == 2
    assert text in capsys.readouterr().err


def test_several_accounts_must_be_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where more than one account is served, the sender names one."""
    path = tmp_path / "settings.yaml"
    path.write_text(
        "finery: {a: {}, b: {}}\ncommands: {c: {responses: r, accounts: [a, b]}}\n"
    )
    words = ["send", "positions", "--dry-run", "--config", str(path)]
    assert cli.main(words) == 2
    assert "choose one of a on c, b on c" in capsys.readouterr().err
    assert cli.main([*words, "--account", "b"]) == 0
    path.write_text("log: {level: info}\n")
    assert cli.main([*words, "--account", "z"]) == 0
    assert cli.main(words) == 2
