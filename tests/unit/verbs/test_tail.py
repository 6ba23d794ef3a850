"""`feedbridge tail` on topics of an embedded Kafka."""

from __future__ import annotations

import json
import threading

import pytest

from bridge import cli
from tests.unit.verbs.topic import TOPIC, Topic


def tail(topic: Topic, *more: str) -> int:
    return cli.main(["tail", TOPIC, "--config", str(topic.config), *more])


def test_records_are_json_lines(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line has the place, the key, and the whole record."""
    topic.write(topic.life())
    code = tail(topic, "--from", "beginning")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert code == 0
    assert [line["record"]["sequence"] for line in lines] == [0, 1, 2, 3]
    assert lines[0]["key"] == "BTC-USD"
    assert lines[0]["record"]["boundary"]["state"] == "BINDING"
    assert lines[1]["record"]["bids"] == [
        {"operation": "INSERT", "priceE8": 10_000_000_000, "sizeE8": 50_000_000}
    ]


def test_count_ends_the_tail(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    """`--count` also ends a tail that follows."""
    topic.write(topic.life())
    code = tail(topic, "--from", "beginning", "--follow", "--count", "2")

    assert code == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_seconds_end_the_tail(topic: Topic) -> None:
    """`--seconds` ends a tail where nothing comes."""
    assert tail(topic, "--seconds", "0.5") == 0


def test_from_the_end_means_from_now_on(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old records are passed over, new ones shown."""
    topic.write(topic.life()[:2])
    later = threading.Timer(1.0, topic.write, [topic.life()[2:]])
    later.start()
    code = tail(topic, "--count", "1", "--seconds", "20")
    later.join()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert code == 0
    assert [line["record"]["sequence"] for line in lines] == [2]


def test_a_table_line_says_what_a_record_holds(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person sees place, subscription, sequence and the best prices."""
    topic.write(topic.life())
    tail(topic, "--from", "beginning", "--table")
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].endswith(
        f"{TOPIC}[0]@0  desk/book.tradable:BTC-USD #0 BOUNDARY BINDING CONNECTED"
    )
    assert lines[1].endswith("#1 SNAPSHOT BTC-USD 100 / 101")


def test_what_is_not_ours_is_shown_as_it_is(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that cannot be decoded does not end the tail."""
    topic.write([b"hello\xff"])
    tail(topic, "--from", "beginning")
    line = json.loads(capsys.readouterr().out)

    assert line["raw"] == "hello\\xff"
    assert "not written by feedbridge" in line["error"]


def test_a_topic_that_is_not_there_is_exit_5(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the topic."""
    code = cli.main(["tail", "nothing", "--config", str(topic.config)])

    assert code == 5
    assert "no such topic: nothing" in capsys.readouterr().err
