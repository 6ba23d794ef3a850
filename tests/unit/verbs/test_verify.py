"""`feedbridge verify` on topics of an embedded Kafka."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bridge import cli
from bridge.core.codec import Codec, confluent_header
from bridge.core.model import Action, BoundaryFields, Reason, State
from bridge.edge.schemas import bundled
from tests.unit.edge.registry_stand import standing
from tests.unit.verbs.topic import BOOK, CONNECTION, TOPIC, Topic


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


LATER_ID = 900


def later(schema: str, action: int, state: int) -> bytes:
    """Return a book record as a later version writes it, by numbers of its enums."""
    codec = Codec({"finery.Book": schema})
    encoder = codec.encoder("finery.Book", confluent_header(LATER_ID))
    prefix = encoder.prefix(("desk", "book.tradable:BTC-USD", CONNECTION, "BTC-USD"))
    told = action == Action.BOUNDARY
    boundary: Any = BoundaryFields(state, Reason.CONNECTED, "", None)
    values = (boundary, encoder.empty) if told else (None, BOOK)
    return encoder.encode(prefix, 4, 1_000_000, action, *values)


@pytest.mark.parametrize(
    ("action", "state", "named"),
    [
        (len(Action), State.LIVE, f"action {len(Action)}"),
        (Action.BOUNDARY, len(State), "state PAUSED"),
    ],
)
def test_a_word_of_a_later_version_is_a_fault_and_no_crash(
    action: int,
    state: int,
    named: str,
    topic: Topic,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Actions and states may be added; this version cannot prove what they mean."""
    schema = bundled()["finery.Book"]
    schema = re.sub(r'"UNKNOWN"(\s*\])', r'"UNKNOWN", "PAUSED"\1', schema)
    topic.write([*topic.life(), later(schema, action, state)])
    with standing() as stand:
        stand.answers["/schemas/ids/"] = (200, {"schema": schema})
        config = topic.config.read_text()
        topic.config.write_text(f"{config}registry: {{url: {stand.url}}}\n")
        code = verify(topic)
    out = capsys.readouterr().out

    assert code == 6
    assert f"{TOPIC}[0]@4: {named} is of a later version" in out


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
