"""`feedbridge verify` on a response topic, written by the worker's own encoder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import cli
from bridge.core.codec import Codec
from bridge.core.envelopes import RESPONSE, response_writer
from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Result
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka
from tests.unit.verbs.topic import TOPIC, Topic

ANSWERS = "answers.of.a.desk"  # any name: the schema tells what it holds


class Answers(Topic):
    """Writes responses beside the book records."""

    def __init__(self, kafka: EmbeddedKafka, folder: Path) -> None:
        super().__init__(kafka, folder)
        codec = Codec(bundled())
        self.encode = response_writer(codec, codec.single_object_header(RESPONSE))

    def answer(self, command: int, phase: Phase, **more: Any) -> bytes:
        facts = {
            "key": Key("finery.commands", "desk", f"r-{command}"),
            "phase": phase,
            "command_offset": command,
            "method": "add",
            "worker": "w1",
            "epoch": "e1",
            "claimed_ms": time.time_ns() // 1_000_000,
        }
        return self.encode(Entry(**{**facts, **more}), 0)

    def final(self, command: int, outcome: Outcome, code: str) -> bytes:
        said = Result(outcome=outcome, code=code, text="", evidence=Evidence.REPLY)
        return self.answer(command, Phase.FINAL, result=said)

    def good(self) -> list[bytes]:
        """Return a command that was claimed and answered."""
        done = self.final(0, Outcome.DONE, "FILLED")
        return [self.answer(0, Phase.CLAIMED), done]


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    with EmbeddedKafka(topics={TOPIC: 1, ANSWERS: 1}) as kafka:
        yield Answers(kafka, tmp_path)


def verify(answers: Answers, *more: str) -> int:
    config = str(answers.config)
    return cli.main(["verify", "--config", config, *more, ANSWERS])


def test_closed_claims_are_exit_0(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The topic is known by its records, not by its name."""
    same = answers.final(0, Outcome.DONE, "FILLED")
    answers.write([*answers.good(), same], ANSWERS)
    code = verify(answers, "--json")
    found = json.loads(capsys.readouterr().out)

    assert code == 0
    assert found["complete"] is True
    assert found["responses"]["finals"] == 1
    assert found["responses"]["further"]["same"] == 1
    assert found["subscriptions"] == []


def test_differing_finals_are_exit_6_and_shown(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says which one binds, and where both are."""
    other = answers.final(0, Outcome.NO_TRACE, "NO_TRACE")
    answers.write([*answers.good(), other], ANSWERS)
    code = verify(answers)
    out = capsys.readouterr().out

    assert code == 6
    assert (
        "finery.commands[0]@0 r-0: DONE FILLED at offset 1, then NO_TRACE NO_TRACE at "
        "offset 2: they DIFFER; the first one binds"
    ) in out
    assert "NOT complete: 1 commands, 1 with a binding final, 0 open" in out


def test_a_claim_that_is_open_for_too_long_is_exit_6(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--open-seconds` says how long is too long."""
    old_ms = time.time_ns() // 1_000_000 - 60_000
    answers.write([answers.answer(3, Phase.CLAIMED, claimed_ms=old_ms)], ANSWERS)

    assert verify(answers) == 0
    assert "r-3: add for desk claimed by w1 60." in capsys.readouterr().out
    assert verify(answers, "--open-seconds", "30") == 6
    assert "no final yet, longer than 30 s" in capsys.readouterr().out


def test_feeds_and_responses_are_proved_together(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each record goes to the verifier of its kind; either can spoil the verdict."""
    answers.write(answers.life())
    answers.write([*answers.good(), b"hello"], ANSWERS)
    code = verify(answers, TOPIC)
    out = capsys.readouterr().out

    assert code == 6
    assert f"{ANSWERS}[0]@2: value starts with 6865" in out
    assert "\ncomplete: 1 commands, 1 with a binding final" in out
    assert "\nNOT complete: 1 subscriptions, 4 records" in out
