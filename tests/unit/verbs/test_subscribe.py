"""`feedbridge subscribe`, `unsubscribe`: what they write, refuse and show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka as ck
import pytest

from bridge import cli
from bridge.core.codec import Codec
from bridge.core.envelopes import Desired, DesiredState, Reader
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka

TOPIC = "feedbridge.subscriptions"
BTC, ETH = "book.tradable:BTC-USD", "book.tradable:ETH-USD"
FILE = f"""\
finery:
  desk:
    subscriptions: [{BTC}, orders]
cfbenchmarks:
  rates:
    subscriptions: [value:BRTI]
"""


class Board:
    """Runs the verbs against a topic, and reads what they wrote."""

    def __init__(self, kafka: EmbeddedKafka, folder: Path) -> None:
        self.kafka = kafka
        self.config = folder / "settings.yaml"
        self.config.write_text(
            f"kafka:\n  bootstrap_servers: '{kafka.bootstrap}'\n"
            f"  options: {{fetch.wait.max.ms: 10}}\n{FILE}"
        )

    def run(self, *words: str) -> int:
        return cli.main([*words, "--config", str(self.config)])

    def put(self, key: bytes, value: bytes) -> None:
        producer = ck.Producer({"bootstrap.servers": self.kafka.bootstrap})
        producer.produce(TOPIC, value, key, 0)
        assert producer.flush(10) == 0

    def records(self) -> list[tuple[bytes | None, Desired | None]]:
        """Return all records of the topic, the oldest first."""
        reader = Reader(Codec(bundled()))
        options = {"bootstrap.servers": self.kafka.bootstrap, "group.id": "t"}
        consumer = ck.Consumer(options)
        try:
            place = ck.TopicPartition(TOPIC, 0, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            found = [consumer.poll(10) for _ in range(end)]
        finally:
            consumer.close()
        return [
            (m.key(), None if m.value() is None else reader.desired(m.value() or b""))
            for m in found
            if m is not None  # one without value has no length, so is falsy
        ]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    topics = {TOPIC: 1, "finery.book.tradable": 6}
    with EmbeddedKafka(topics=topics) as kafka:
        yield Board(kafka, tmp_path)


def listed(
    board: Board, capsys: pytest.CaptureFixture[str], code: int = 0
) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert board.run("subscribe", "--list", "--json") == code
    found = json.loads(capsys.readouterr().out)
    return {line["subscription"]: line for line in found}


def test_a_wish_is_a_record_of_the_topic(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """Key, state, options as JSON, who, when and why; the place is printed."""
    words = ("client_id=7", "stale_after_s=2", "--reason", "new desk", "--json")
    assert board.run("subscribe", "desk", f"{ETH}#a", *words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert board.run("unsubscribe", "desk", "orders") == 0
    assert board.run("subscribe", "--reset", "desk", "orders") == 0

    (key, wish), (_, away), last = board.records()
    assert wish is not None
    assert away is not None
    assert key == b"desk/book.tradable:ETH-USD#a"
    assert (wish.source, wish.subscription) == ("desk", f"{ETH}#a")
    assert wish.state is DesiredState.WANTED
    assert json.loads(wish.options) == {"client_id": 7, "stale_after_s": 2}
    assert wish.reason == "new desk"
    assert wish.by
    assert wish.at_ms > 1_600_000_000_000
    assert (away.state, away.options) == (DesiredState.UNWANTED, "")
    assert last == (b"desk/orders", None)
    assert (facts["topic"], facts["partition"], facts["offset"]) == (TOPIC, 0, 0)
    assert (facts["wanted"], facts["rule"]) == (True, "topic")


def test_each_line_says_which_rule_it_follows(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file's lines first, then the topic's; a reset gives the file its say."""
    board.run("subscribe", "desk", ETH)
    board.run("subscribe", "desk", BTC, "stale_after_s=2")
    board.run("unsubscribe", "desk", "orders")
    found = listed(board, capsys)
    assert {key: (x["wanted"], x["rule"]) for key, x in found.items()} == {
        f"desk/{BTC}": (True, "topic, over the file"),
        "desk/orders": (False, "topic, over the file"),
        "rates/value:BRTI": (True, "file"),
        f"desk/{ETH}": (True, "topic"),
    }
    board.run("unsubscribe", "desk", ETH)
    board.run("subscribe", "--reset", "desk", BTC)
    board.run("subscribe", "desk", "orders")
    found = listed(board, capsys)
    assert {key: (x["wanted"], x["rule"]) for key, x in found.items()} == {
        f"desk/{BTC}": (True, "file"),
        "desk/orders": (True, "topic, over the file"),
        "rates/value:BRTI": (True, "file"),
        f"desk/{ETH}": (False, "topic"),
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("subscribe", "dsek", ETH), "dsek: no such source; there are: desk, rates"),
        (("subscribe", "desk", "tape"), "desk/tape: unknown stream 'tape': choose"),
        (("subscribe", "desk", f"{BTC}#b"), "bind the same at the venue: drop all but"),
        (("subscribe", "desk", "positions", "makers=1"), "options.makers is not known"),
        (("subscribe", "desk", "positions", "maker"), "'maker': write KEY=VALUE"),
        (("subscribe", "desk", ETH, "client_id=x"), "client_id: 'x' was seen; give a"),
        (("subscribe", "desk", f"{ETH}#a b"), "label: a text was seen; give a text"),
        (("subscribe", "rates", "value:BRTI#b"), "value:BRTI#b: is asked for twice"),
        (("subscribe", "desk", "a\udcff"), "are no text in UTF-8"),
        (("unsubscribe", "desk", "order"), "asked for it; did you mean desk/orders?"),
        (("unsubscribe", "desk", "x"), "`feedbridge subscribe --list` shows what is"),
        (("subscribe", "--reset", "desk", "orders"), "the topic has no record of it"),
        (("subscribe", "--reset", "desk", "orders", "a=1"), "takes no options"),
        (("subscribe", "desk"), "SOURCE, NAME: give both, or --list"),
        (("unsubscribe",), "SOURCE, NAME: give both, or --list"),
        (("subscribe", "--list", "desk"), "give nothing beside it"),
    ],
)
def test_a_wish_that_is_not_valid_is_not_written(
    words: tuple[str, ...],
    told: str,
    board: Board,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, a sentence, and an untouched topic."""
    assert board.run(*words) == 2
    assert told in capsys.readouterr().err
    assert board.records() == []


def test_a_wish_is_checked_beside_those_of_the_topic(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """What runs is never put out: neither by a new wish, nor by a reset."""
    assert board.run("subscribe", "desk", ETH) == 0
    assert board.run("subscribe", "desk", f"{ETH}#b") == 2
    assert board.run("unsubscribe", "desk", BTC) == 0
    assert board.run("subscribe", "desk", f"{BTC}#b") == 0
    assert board.run("subscribe", "--reset", "desk", BTC) == 2
    assert f"desk/{BTC}#b: {BTC} and {BTC}#b bind" in capsys.readouterr().err
    assert board.run("unsubscribe", "desk", f"{BTC}#b") == 0
    assert board.run("subscribe", "--reset", "desk", BTC) == 0


def test_bad_records_are_shown_and_can_be_taken_back(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody may have written them: code 2, harmless to the terminal, and curable."""
    board.put(b"desk/orders", b"rubbish")
    board.put(b"gone/x\x1b[2J", b"rubbish")
    assert board.run("subscribe", "desk", ETH) == 0
    found = listed(board, capsys, code=2)
    assert (found["desk/orders"]["wanted"], found["desk/orders"]["rule"]) == (
        True,
        "file, record left out",
    )
    assert "cannot be read" in found["desk/orders"]["problem"]
    assert board.run("subscribe", "--list") == 2
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "gone/x?[2J: its record cannot be read" in out
    assert board.run("subscribe", "--reset", "desk", "orders") == 0
    assert board.run("subscribe", "--reset", "gone", "x\x1b[2J") == 0
    assert all(line["problem"] is None for line in listed(board, capsys).values())


def test_a_topic_that_the_wish_needs_is_named(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record is written, and the command that creates the topic is said."""
    assert board.run("subscribe", "desk", "positions", "--json") == 0
    assert "finery.positions" in json.loads(capsys.readouterr().out)["missing"]
    assert board.run("subscribe", "desk", ETH) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"desk/{ETH} is wanted (by rule: topic)"
    assert lines[1] == f"  {TOPIC}/0 at offset 1"
    assert "finery.book.tradable" not in lines[2]
    assert lines[2].endswith("`feedbridge topics --apply` creates what is missing")


def test_without_the_topic_nothing_is_said_to_be_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wish that was not written is an error that says what to do."""
    with EmbeddedKafka(topics={"other": 1}) as kafka:
        board = Board(kafka, tmp_path)
        assert board.run("subscribe", "desk", ETH) == 5
        assert board.run("subscribe", "--list") == 5
    told = f"no topic {TOPIC}; run `feedbridge topics --apply`"
    assert capsys.readouterr().err.count(told) == 2
