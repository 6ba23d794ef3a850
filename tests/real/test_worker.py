"""A worker process against real Kafka over TLS and SASL, and a real registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bridge.core.routing import partition
from tests.support.kafka import PASSWORD, RealKafka
from tests.support.kcat import KcatRecord, kcat
from tests.support.processes import Feedbridge, Venue, ask, running, venue
from tests.support.registry import RealRegistry
from tests.support.running import wait_until

pytestmark = pytest.mark.timeout(240)

SUBSCRIPTIONS = ["book.tradable:BTC-USD", "orders", "positions"]
HUGE_BYTES = 10_000_000


@pytest.fixture
def finery(tmp_path: Path) -> Iterator[Venue]:
    """Run a simulated venue."""
    with venue(tmp_path, "finery", "--seed", "5", "--rate", "20") as made:
        yield made


class Desk:
    """Settings of one worker, and what people do with them."""

    def __init__(
        self, folder: Path, finery: Venue, kafka: Mapping[str, Any], **more: Any
    ) -> None:
        """Write a settings file with topics of its own."""
        self.folder = folder
        self.stem = folder.name.replace("_", "-")
        tree = {
            "kafka": kafka,
            "topics": {
                "template": f"{self.stem}.{{venue}}.{{stream}}",
                "dead_letter": f"{self.stem}.dead",
                "feed_state": f"{self.stem}.state",
            },
            "finery": {
                "desk": {"url": finery.facts["url"], "subscriptions": SUBSCRIPTIONS}
            },
            **more,
        }
        (folder / "settings.yaml").write_text(yaml.safe_dump(tree))
        self.variables = {
            "FEEDBRIDGE_CONFIG": str(folder / "settings.yaml"),
            "FEEDBRIDGE_FINERY__desk__KEY": finery.facts["key"],
            "FEEDBRIDGE_FINERY__desk__SECRET": finery.facts["secret"],
        }

    def ask(self, *verb: str) -> tuple[int, Any]:
        """Run a verb with JSON output."""
        return ask(self.folder, *verb, "--json", variables=self.variables)

    def run(self) -> Any:
        """Run the worker for a `with` block."""
        return running(self.folder, "run", variables=self.variables)

    def topic(self, stream: str) -> str:
        """Return the name of a stream's topic."""
        return f"{self.stem}.finery.{stream}"


def live(worker: Feedbridge, count: int) -> Callable[[], bool]:
    """Return whether so many subscriptions have become live."""

    def done() -> bool:
        assert worker.alive(), worker.errors()[-5:]
        marks = worker.events("subscription")
        return len({m["subscription"] for m in marks if m["state"] == "LIVE"}) >= count

    return done


def sasl(kafka: RealKafka) -> dict[str, Any]:
    """Return the `kafka` section that logs in over TLS with SCRAM."""
    options = {str(k): str(v) for k, v in kafka.client("SASL_SSL").items()}
    servers = options.pop("bootstrap.servers")
    options.pop("sasl.password")
    return {"bootstrap_servers": servers, "options": options}


def test_tls_sasl_registry_and_foreign_readers(
    tmp_path: Path, kafka: RealKafka, registry: RealRegistry, finery: Venue
) -> None:
    """Any librdkafka property works, and other programs read what was written."""
    desk = Desk(tmp_path, finery, sasl(kafka), registry={"url": registry.url})
    desk.variables["FEEDBRIDGE_KAFKA__OPTIONS__SASL_PASSWORD"] = PASSWORD
    code, topics = desk.ask("topics", "--apply")
    assert code == 0, topics
    code, checked = desk.ask("check", "--connect")
    assert code == 0, checked
    with desk.run() as worker:
        wait_until(live(worker, 5), "live", 60)
        wait_until(lambda: _written(kafka, desk) > 20, "records", 60)
        assert worker.stop() == 0, worker.errors()[-5:]
        log = "\n".join(worker.errors())

    assert PASSWORD not in log
    assert finery.facts["secret"] not in log
    code, found = desk.ask("verify", "--all")
    assert (code, found["complete"]) == (0, True)
    records = _book(kafka, desk)
    assert {r.key for r in records} == {b"BTC-USD"}
    assert {r.partition for r in records} == {partition(b"BTC-USD", 6)}
    _read_by_confluent(registry, desk.topic("book.tradable"), records)


def _book(kafka: RealKafka, desk: Desk) -> list[KcatRecord]:
    return kcat(kafka.client(), desk.topic("book.tradable"))


def _written(kafka: RealKafka, desk: Desk) -> int:
    """Return how many records of the book have reached the broker."""
    return _end(kafka, desk.topic("book.tradable"), partition(b"BTC-USD", 6))


def _end(kafka: RealKafka, topic: str, number: int) -> int:
    """Return the offset that the next record of a partition will get."""
    with Consumer({**kafka.client(), "group.id": "watching"}) as consumer:
        place = TopicPartition(topic, number)
        try:
            return int(consumer.get_watermark_offsets(place, timeout=10)[1])
        except KafkaException:  # the topic has just been made
            return 0


def _read_by_confluent(
    registry: RealRegistry, topic: str, records: list[KcatRecord]
) -> None:
    where = SerializationContext(topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": registry.url}) as client:
        deserializer = AvroDeserializer(client)
        read = [deserializer(r.payload, where) for r in records]
    assert [r["sequence"] for r in read] == list(range(len(read)))
    assert read[0]["boundary"]["state"] == "BINDING"
    assert read[1]["action"] == "SNAPSHOT"
    for record, raw in zip(read, records, strict=True):
        assert record["receivedAt"].timestamp() * 1000 - raw.timestamp < 1


def test_a_wrong_password_is_told_without_showing_it(
    tmp_path: Path, kafka: RealKafka, finery: Venue
) -> None:
    """`check --connect` names Kafka as the part that fails; the exit code is 5."""
    desk = Desk(tmp_path, finery, sasl(kafka))
    desk.variables["FEEDBRIDGE_KAFKA__OPTIONS__SASL_PASSWORD"] = "not-the-password"
    code, said = desk.ask("check", "--connect")

    assert code == 5, said
    assert "not-the-password" not in str(said)
    text = "".join(p.read_text() for p in tmp_path.glob("*.err"))
    assert "not-the-password" not in text
    assert "Traceback" not in text


def test_a_registry_that_is_away_is_waited_for(
    tmp_path: Path,
    kafka: RealKafka,
    private_registry: Callable[..., RealRegistry],
    finery: Venue,
) -> None:
    """The worker says so once, starts when ids are known, and outlives an outage."""
    away = private_registry()
    away.stop()
    kafka_section = {"bootstrap_servers": kafka.bootstrap}
    desk = Desk(tmp_path, finery, kafka_section, registry={"url": away.url})
    with desk.run() as worker:
        wait_until(lambda: bool(worker.events("registry_unreachable")), "waiting", 30)
        away.start()
        wait_until(live(worker, 5), "live", 60)
        away.stop()
        finery.do("kill")
        wait_until(lambda: len(worker.events("connected")) >= 3, "reconnected", 30)
        assert worker.stop() == 0, worker.errors()[-5:]

    assert len(worker.events("registry_unreachable")) == 1


def test_ten_megabytes_of_noise_are_kept_whole(
    tmp_path: Path, kafka: RealKafka, finery: Venue
) -> None:
    """A frame beyond the broker's message limit is kept in parts; the feed goes on."""
    desk = Desk(tmp_path, finery, {"bootstrap_servers": kafka.bootstrap})
    noise = b"noise" + b"x" * HUGE_BYTES
    dead = f"{desk.stem}.dead"
    with desk.run() as worker:
        wait_until(live(worker, 5), "live", 60)
        sockets = finery.do("inject", text="noise", pad=HUGE_BYTES)
        wait_until(lambda: _end(kafka, dead, 0) >= 12 * sockets, "dead letters", 30)
        assert worker.stop() == 0, worker.errors()[-5:]

    parts = [r.payload or b"" for r in kcat(kafka.client(), dead)]
    assert b"".join(parts) == noise * sockets
    code, found = desk.ask("verify", "--all")
    assert (code, found["complete"]) == (0, True)


def test_wrong_credentials_exit_with_three(
    tmp_path: Path, kafka: RealKafka, finery: Venue
) -> None:
    """The venue's number and its meaning are told; no traceback, no secret."""
    desk = Desk(tmp_path, finery, {"bootstrap_servers": kafka.bootstrap})
    desk.variables["FEEDBRIDGE_FINERY__desk__SECRET"] = "a-wrong-secret"
    with desk.run() as worker:
        code = worker.process.wait(60)

    text = "\n".join(worker.errors())
    assert code == 3, text
    assert re.search(r"\b14\b.*signature", text)
    assert "a-wrong-secret" not in text
    assert "Traceback" not in text


def test_sigterm_under_load_leaves_nothing_behind(
    tmp_path: Path, kafka: RealKafka, finery: Venue
) -> None:
    """Exit code 0 means that every record was acknowledged: the topic proves it."""
    desk = Desk(tmp_path, finery, {"bootstrap_servers": kafka.bootstrap})
    with desk.run() as worker:
        wait_until(live(worker, 5), "live", 60)
        finery.do("flood", rate=5_000)
        wait_until(lambda: _written(kafka, desk) > 500, "load", 60)
        assert worker.stop() == 0, worker.errors()[-5:]

    code, found = desk.ask("verify", "--all")
    assert (code, found["complete"]) == (0, True)
    assert {s["state"] for s in found["subscriptions"]} == {"ENDED"}
    stopped = worker.events("stopped")[0]["ledger"]
    kept = found["records"]
    assert kept == stopped["records"] + stopped["marks"]
