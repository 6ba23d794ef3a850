"""Workers that share the feeds, on real Kafka: who runs what, and what a loss costs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, TopicPartition
from fastavro import parse_schema, schemaless_reader

from bridge.simulators.finery.catalogue import Catalogue
from tests.support.kafka import RealKafka
from tests.support.processes import Feedbridge, Venue, ask, settings_file, venue
from tests.support.running import wait_until

pytestmark = pytest.mark.timeout(240)

BOOKS = 12
SESSION_S = 6.0
FEED_STATE = Path(__file__).parents[2] / "avro" / "feedbridge" / "feed-state.avsc"
HEADER_BYTES = 10  # Avro's single-object encoding


@pytest.fixture
def finery(tmp_path: Path) -> Iterator[Venue]:
    """Run a simulated venue with a dozen books."""
    options = ("--seed", "5", "--rate", "5", "--instruments", str(BOOKS))
    with venue(tmp_path, "finery", *options) as made:
        yield made


def state_of(value: bytes) -> Mapping[str, Any]:
    """Read a feed state with a generic reader."""
    schema = parse_schema(json.loads(FEED_STATE.read_text()))
    record = schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema, None)
    return cast("Mapping[str, Any]", record)


class Fleet:
    """Workers by name over one set of settings, and what their topics say."""

    def __init__(
        self, folder: Path, kafka: RealKafka, finery: Venue, **ownership: Any
    ) -> None:
        """Write settings with topics and a group of their own."""
        self._folder = folder
        self._kafka = kafka
        stem = folder.name.replace("_", "-")
        self._names = {
            "feed_state": f"{stem}.state",
            "dead_letter": f"{stem}.dead",
            "assignment": f"{stem}.assignment",
            "subscriptions": f"{stem}.subscriptions",
        }
        options = ownership.pop("options", {})
        self.books = [f"book.tradable:{name}" for name in Catalogue(BOOKS).instruments]
        tree = {
            "kafka": {"bootstrap_servers": kafka.bootstrap, "options": options},
            "topics": {"template": f"{stem}.{{venue}}.{{stream}}", **self._names},
            "ownership": {
                "mode": "group", "group": stem, "partitions": 8,
                "session_timeout_s": SESSION_S, **ownership,
            },
            "finery": {
                "desk": {"url": finery.facts["url"], "subscriptions": self.books}
            },
        }  # fmt: skip
        self.variables = {
            "FEEDBRIDGE_CONFIG": str(settings_file(folder, tree)),
            "FEEDBRIDGE_FINERY__desk__KEY": finery.facts["key"],
            "FEEDBRIDGE_FINERY__desk__SECRET": finery.facts["secret"],
        }

    def ask(self, *verb: str) -> tuple[int, Any]:
        """Run a verb with JSON output."""
        return ask(self._folder, *verb, "--json", variables=self.variables)

    def worker(self, stack: ExitStack, name: str) -> Feedbridge:
        """Start a worker; it ends with the test."""
        mine = {**self.variables, "FEEDBRIDGE_WORKER__NAME": name}
        process = Feedbridge(self._folder, ("run",), mine)
        stack.callback(lambda: process.alive() and process.stop(signal.SIGKILL))
        return process

    def states(self) -> dict[str, Mapping[str, Any]]:
        """Return the newest state of each book, from Kafka alone."""
        options = {"bootstrap.servers": self._kafka.bootstrap, "group.id": "none"}
        consumer = Consumer({**options, "enable.partition.eof": True})
        consumer.assign([TopicPartition(self._names["feed_state"], 0, 0)])
        found = {}
        while (message := consumer.poll(10)) is not None and message.error() is None:
            record = state_of(message.value() or b"")
            if record["subscription"].startswith("book."):
                found[record["subscription"]] = record
        consumer.close()
        return found

    def owners(self, state: str = "LIVE") -> dict[str, str]:
        """Return which worker runs each book that is in that state."""
        return {
            name: one["worker"]
            for name, one in self.states().items()
            if one["boundary"]["state"] == state
        }

    def wait_shared(self, *names: str, limit_s: float = 60) -> dict[str, str]:
        """Wait until all books are live, run by these workers, and return by whom."""
        wait_until(
            lambda: len(o := self.owners()) == BOOKS and set(o.values()) == set(names),
            f"all books at {names}; now {self.owners()}",
            limit_s,
        )
        return self.owners()


@pytest.fixture
def fleet(tmp_path: Path, kafka: RealKafka, finery: Venue) -> Fleet:
    """Return settings of workers that share a dozen books."""
    return Fleet(tmp_path, kafka, finery)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_workers_share_and_take_over(
    tmp_path: Path, kafka: RealKafka, finery: Venue, protocol: str
) -> None:
    """A second worker takes its share alone; what stays where it was is not touched.

    After SIGTERM the other one has all within a second or so, each book ended first.
    """
    fleet = Fleet(tmp_path, kafka, finery, options={"group.protocol": protocol})
    with ExitStack() as stack:
        one = fleet.worker(stack, "one")
        fleet.wait_shared("one")
        before = fleet.states()
        two = fleet.worker(stack, "two")
        shared = fleet.wait_shared("one", "two")
        after = fleet.states()
        stayed = [name for name, worker in shared.items() if worker == "one"]
        assert 0 < len(stayed) < BOOKS
        assert all(before[name] == after[name] for name in stayed)
        assert two.stop() == 0, two.errors()[-5:]
        fleet.wait_shared("one", limit_s=20)
        final = fleet.states()
        assert all(before[name] == final[name] for name in stayed)
        assert one.stop() == 0, one.errors()[-5:]
        assert set(fleet.owners("ENDED")) == set(fleet.books)
    code, found = fleet.ask("verify", "--all")
    assert (code, found["complete"]) == (0, True), found


def test_a_killed_worker_is_replaced_and_a_frozen_one_is_silent(fleet: Fleet) -> None:
    """The zombie writes nothing for a book that somebody else has bound since."""
    with ExitStack() as stack:
        fleet.worker(stack, "one")
        zombie = fleet.worker(stack, "two")
        fleet.wait_shared("one", "two")
        zombie.process.send_signal(signal.SIGSTOP)
        fleet.wait_shared("one", limit_s=SESSION_S + 30)
        zombie.process.send_signal(signal.SIGCONT)
        wait_until(lambda: bool(zombie.events("lease_over")), "the end of the lease")
        fleet.wait_shared("one", "two")
        assert not [e for e in zombie.events("subscription") if e["state"] == "GAP"]
        zombie.stop(signal.SIGKILL)
        fleet.wait_shared("one", limit_s=SESSION_S + 30)
    code, found = fleet.ask("verify", "--all")
    assert (code, found["complete"]) == (0, True), found


def test_subscriptions_change_while_workers_run(fleet: Fleet) -> None:
    """What is taken away ends, alone; what comes back has a newer connection."""
    book = fleet.books[3]
    with ExitStack() as stack:
        fleet.worker(stack, "one")
        fleet.worker(stack, "two")
        fleet.wait_shared("one", "two")
        before = fleet.states()
        code, said = fleet.ask("unsubscribe", "desk", book)
        assert code == 0, said
        wait_until(lambda: set(fleet.owners("ENDED")) == {book}, "the end of one book")
        code, said = fleet.ask("subscribe", "desk", book)
        assert code == 0, said
        fleet.wait_shared("one", "two")
        after = fleet.states()
    others = set(fleet.books) - {book}
    assert all(before[name] == after[name] for name in others)
    assert after[book]["connection"] > before[book]["connection"]
    code, found = fleet.ask("verify", "--all")
    assert (code, found["complete"]) == (0, True), found
