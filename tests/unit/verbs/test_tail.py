"""`feedbridge tail` on topics of an embedded Kafka."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka as ck
import pytest

from bridge import cli
from bridge.core.codec import Codec, Decoder
from bridge.core.orders import Outcome, Phase
from bridge.edge.consumer import Message
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka
from bridge.verbs.tail import decoded
from tests.embedded.responder import PARTITIONS, RESPONSES, Responder
from tests.unit.verbs.orders import settings_file
from tests.unit.verbs.topic import TOPIC, Topic

DEAD = "feedbridge.dead-letter"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


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


class Others:
    """Topics that hold no feed records, and the verb on them."""

    def __init__(self, kafka: EmbeddedKafka, folder: Path) -> None:
        self.responder = Responder(kafka)
        self.bootstrap = kafka.bootstrap
        self.config = settings_file(kafka, folder)

    def respond(self) -> None:
        """Write the same response twice, first without headers and then with them."""
        said = {"outcome": Outcome.UNRESOLVED, "code": "AMBIGUOUS"}
        self.responder.write("r-1", 0, 7, Phase.FINAL, **said)
        self.responder.headers = [("traceparent", TRACE.encode())]
        self.responder.write("r-2", 0, 8, Phase.FINAL, **said)

    def lines(self, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
        argv = ["tail", *words, "--from", "beginning", "--config", str(self.config)]
        assert cli.main(argv) == 0
        return capsys.readouterr().out.splitlines()


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Others]:
    with EmbeddedKafka(topics={RESPONSES: PARTITIONS, DEAD: 1}) as kafka:
        yield Others(kafka, tmp_path)


def test_a_response_is_decoded_with_headers_and_without(
    others: Others, capsys: pytest.CaptureFixture[str]
) -> None:
    """Headers stand beside the record; they do not make it raw bytes."""
    others.respond()
    plain, traced = map(json.loads, others.lines(capsys, RESPONSES))

    assert plain["record"]["code"] == traced["record"]["code"] == "AMBIGUOUS"
    assert traced["record"]["reqId"] == "r-2"
    assert traced["headers"] == {"traceparent": TRACE}
    assert "headers" not in plain


def test_a_table_line_of_a_response_names_what_an_operator_looks_for(
    others: Others, capsys: pytest.CaptureFixture[str]
) -> None:
    """Account, command, outcome, when it was sent, and the order's id."""
    others.respond()
    others.responder.raw(b"r-3", 0, None)
    *told, last = others.lines(capsys, RESPONSES, "--table")

    for number, line in enumerate(told, 1):
        assert line.partition("  ")[2] == (
            f"account=desk reqId=r-{number} method=add phase=FINAL outcome=UNRESOLVED"
            " code=AMBIGUOUS sentAt=1970-01-01T00:00:00.003Z clientOrderId=77 text=fine"
        )
    assert last.endswith(f"{RESPONSES}[0]@2  r-3: no value")


def test_a_dead_letter_shows_why_and_the_frame(
    others: Others, capsys: pytest.CaptureFixture[str]
) -> None:
    """The headers say why; what would steer a terminal is replaced in the table."""
    headers = {"reason": "NOT_JSON", "error": "odd", "source": "desk", "part": "1/1"}
    producer = ck.Producer({"bootstrap.servers": others.bootstrap})
    producer.produce(DEAD, b'{"a\x1b[2J', headers=list(headers.items()))
    assert producer.flush(10) == 0
    [line] = map(json.loads, others.lines(capsys, DEAD))
    [shown] = others.lines(capsys, DEAD, "--table")

    assert (line["headers"], line["raw"]) == (headers, '{"a\x1b[2J')
    assert shown.endswith('source=desk reason=NOT_JSON error=odd part=1/1 {"a?[2J')


def test_a_value_of_another_format_is_shown_as_it_is() -> None:
    """A registry has schemas of other kinds, too; nothing behind such a value hides."""
    decoder = Decoder(Codec(bundled()), lambda _: {"type": "object", "properties": {}})
    message = Message(DEAD, 0, 7, b"k", b'\x00\x00\x00\x00\x09{"a": 1}', 1, ())
    shown = decoded(message, decoder)
    assert shown["raw"] == '\x00\x00\x00\x00\t{"a": 1}'
    assert "does not fit Avro" in shown["error"]


def test_a_topic_that_is_not_there_is_exit_5(
    topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the topic."""
    code = cli.main(["tail", "nothing", "--config", str(topic.config)])

    assert code == 5
    assert "no such topic: nothing" in capsys.readouterr().err
