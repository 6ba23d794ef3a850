"""`feedbridge verify` on topics of an embedded Kafka."""

from __future__ import annotations

import json

import pytest

from bridge import cli
from bridge.core.model import Action, State
from tests.unit.verbs.topic import TOPIC, Topic


def verify(topic: Topic, *more: str) -> int:
    return cli.main(["verify", TOPIC, "--config", str(topic.config), *more])


def test_a_complete_topic_is_exit_0(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every record there once and in order: nothing was lost."""
    topic.write(topic.life())
    code = verify(topic, "--json")
    found = json.loads(capsys.readouterr().out)

    assert code == 0
    assert found["complete"] is True
    assert found["records"] == 4
    assert found["subscriptions"][0]["refreshes"] == 1


def test_a_hole_is_exit_6_and_listed(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says which sequences are missing, and where."""
    topic.write([*topic.life(), topic.data(6, Action.REFRESH)])
    code = verify(topic)
    out = capsys.readouterr().out

    assert code == 6
    assert "2 missing, sequence 4 to 5, before offset 4: not explained" in out
    assert "NOT complete: 1 subscriptions, 5 records" in out


def test_an_announced_gap_is_shown_and_no_fault(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hole that a later GAP covers is explained."""
    topic.write([*topic.life(), topic.mark(5, State.GAP, lost=1)])

    assert verify(topic) == 0
    assert "1 gaps announced, 1 missing records explained" in capsys.readouterr().out


def test_a_contradicting_refresh_is_exit_6(topic: Topic) -> None:
    """A book that differs from its updates is a fault, though no record is missing."""
    topic.write([*topic.life(), topic.data(4, Action.REFRESH, ((), ()))])

    assert verify(topic) == 6


def test_a_record_of_a_stranger_is_a_fault(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read cannot be proved."""
    topic.write([*topic.life(), b"hello"])

    assert verify(topic) == 6
    assert f"{TOPIC}[0]@4: value starts with 6865" in capsys.readouterr().out


def test_all_means_every_feed_topic_of_the_settings(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """A topic that the settings need and Kafka lacks is told."""
    code = cli.main(["verify", "--all", "--config", str(topic.config)])

    assert code == 5
    assert "no such topic: finery.status" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [["verify"], ["verify", "--all"]],
)
def test_there_must_be_something_to_verify(
    argv: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without topics nothing is proved, so that is an error."""
    monkeypatch.delenv("FEEDBRIDGE_CONFIG", raising=False)

    assert cli.main(argv) == 2
    assert "verify: " in capsys.readouterr().err
