"""A real worker between simulators and an embedded Kafka, watched by Prometheus."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import confluent_kafka as ck

from bridge.config import load
from bridge.config.plans import wanted_topics
from bridge.core.codec import Codec
from bridge.core.envelopes import (
    COMMAND,
    CONTROL,
    RESPONSE,
    Control,
    Request,
    command_writer,
    control_writer,
    response_writer,
)
from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Result, Trading
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka
from tests.support.processes import Feedbridge, Venue, running, settings_file, venue
from tests.support.prometheus import (
    RealPrometheus,
    hastened,
    prometheus,
    rule_groups,
)
from tests.support.running import wait_until
from tests.support.servers import free_ports

COMMANDS, RESPONSES = "finery.commands", "finery.responses"
ACCOUNT = "desk"
BOOKS = ("book.tradable:BTC-USD", "book.tradable:ETH-USD")
SETTLE_MS = 5_000
SESSION_S = 2.0
ALERT_SECONDS = 40.0
# What a test cannot wait for; each is the true expression but for this number.
THRESHOLDS: Mapping[str, tuple[str, str]] = {
    "FeedbridgeNotDelivering": ("> 15", "> 3"),
    # A book that contradicts itself is asked for again more and more slowly.
    "FeedbridgeGaps": ("> 3.5", "> 1"),
    # So are a login that does not work, and at most once a minute in the end.
    "FeedbridgeRotationFailing": ("> 2.5", "> 0"),
}
SETTINGS: Mapping[str, Any] = {
    "ownership": {"mode": "group", "partitions": 2, "session_timeout_s": SESSION_S},
    "commands": {
        COMMANDS: {
            "responses": RESPONSES,
            "accounts": [ACCOUNT],
            "methods": ["read", "order", "setUserSettings"],
            "answer_timeout_ms": 500,
            "user_timeout_ms": 400,
            "claim_lifetime_ms": 1000,
            "settle_ms": SETTLE_MS,
        }
    },
}
KAFKA: Mapping[str, Any] = {
    # 250 records are the low mark, and a broker that is away is found again soon.
    "queue_messages": 1000,
    "options": {
        "session.timeout.ms": "2000",
        "heartbeat.interval.ms": "500",
        "reconnect.backoff.max.ms": "500",
    },
}


class Stage:
    """All parts, and what a test does to them."""

    def __init__(self, folder: Path, kafka: EmbeddedKafka, finery: Venue) -> None:
        """Choose a port for the worker's metrics."""
        self.folder, self.kafka, self.finery = folder, kafka, finery
        (self.port,) = free_ports(1)
        self.watch: RealPrometheus
        self.worker: Feedbridge
        self._codec = Codec(bundled())
        self._producer = ck.Producer(
            {"bootstrap.servers": kafka.bootstrap, "log_level": 0}
        )

    @property
    def target(self) -> str:
        """Return where the worker's metrics are."""
        return f"127.0.0.1:{self.port}"

    def variables(self, accounts: Mapping[str, Any], **more: Any) -> dict[str, str]:
        """Write settings, create their topics, and return the environment."""
        options = {**KAFKA, "bootstrap_servers": self.kafka.bootstrap}
        tree = {
            "kafka": options,
            "books": {"refresh_seconds": 1},
            "finery": accounts,
            **more,
        }
        logins = {
            f"FEEDBRIDGE_FINERY__{name}__{word.upper()}": self.finery.facts[word]
            for name, section in accounts.items()
            for word in ("key", "secret")
            if f"{word}_file" not in section
        }
        path = settings_file(self.folder, tree)
        for topic in wanted_topics(load(path, logins)):
            self.kafka.create_topic(topic.name, topic.partitions)
        port = {"FEEDBRIDGE_HTTP__PORT": str(self.port)}
        return {"FEEDBRIDGE_CONFIG": str(path), **port, **logins}

    def sees(self, *names: str, limit_s: float = ALERT_SECONDS) -> None:
        """Wait until these alerts fire, and read what they would tell a person."""
        wanted, seen = set(names), set[str]()

        def all_seen() -> bool:
            seen.update(self.watch.firing() & wanted)
            return seen == wanted

        try:
            wait_until(all_seen, "alerts", limit_s)
        except AssertionError:
            missing = sorted(wanted - seen)
            raise AssertionError(f"{missing} do not fire: {self._about()}") from None
        for text in self.watch.texts(wanted):
            assert "<no value>" not in text, text
            assert "<error" not in text, text

    def resolved(self, *names: str, limit_s: float = ALERT_SECONDS) -> None:
        """Wait until none of these alerts is pending or firing."""
        wanted = set(names)
        try:
            wait_until(lambda: not wanted & set(self.watch.states()), "", limit_s)
        except AssertionError:
            left = sorted(wanted & set(self.watch.states()))
            raise AssertionError(f"{left} still there: {self._about()}") from None

    def quiet(self) -> None:
        """Wait until the worker is well: ready, and no alert at all."""
        wait_until(lambda: bool(self.watch.query("feedbridge_ready == 1")), "ready", 40)
        wait_until(lambda: not self.watch.states(), f"no alert; {self._about()}", 40)

    def metrics(self) -> str:
        """Return what the worker exports, as Prometheus gets it."""
        url = f"http://{self.target}/metrics"
        with urllib.request.urlopen(url, timeout=10) as reply:
            text: str = reply.read().decode()
        return text

    def send(self, req_id: str, method: str, **content: Any) -> None:
        """Write a command to partition 0."""
        write = command_writer(self._codec, self._codec.single_object_header(COMMAND))
        value = write(Request(req_id, method, ACCOUNT, json.dumps(content)))
        self._put(COMMANDS, value)

    def trading(self, state: Trading) -> None:
        """Write the account's trading state, as `feedbridge halt` does."""
        write = control_writer(self._codec, self._codec.single_object_header(CONTROL))
        value = write(Control(account=ACCOUNT, state=state, reason="test"))
        self._producer.produce("feedbridge.control", value, ACCOUNT, partition=0)
        assert self._producer.flush(10) == 0

    def journal(self, phase: Phase, outcome: Outcome, offset: int) -> None:
        """Write a response as another worker would that thinks it owns partition 0."""
        write = response_writer(self._codec, self._codec.single_object_header(RESPONSE))
        said = Result(
            outcome=outcome,
            code=outcome.name,
            text="written by a test",
            evidence=Evidence.LOCAL,
        )
        entry = Entry(
            key=Key(COMMANDS, ACCOUNT, f"foreign-{offset}"),
            phase=phase,
            command_offset=offset,
            method="add",
            worker="another",
            epoch="another",
            result=said,
        )
        self._put(RESPONSES, write(entry, 0))

    def answered(self) -> int:
        """Return how many responses partition 0 has."""
        consumer = ck.Consumer(
            {"bootstrap.servers": self.kafka.bootstrap, "group.id": "none"}
        )
        place = ck.TopicPartition(RESPONSES, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=10)
        consumer.close()
        return int(end)

    @contextmanager
    def stranger(self, group: str, topic: str) -> Iterator[None]:
        """Be a member of a group, take partitions, and do nothing with them."""
        options = {
            **KAFKA["options"],
            "bootstrap.servers": self.kafka.bootstrap,
            "group.id": group,
            "partition.assignment.strategy": "cooperative-sticky",
        }
        with ck.Consumer(options) as consumer:
            consumer.subscribe([topic])
            wait_until(lambda: _has_some(consumer), "a part for the stranger")
            yield

    def _put(self, topic: str, value: bytes) -> None:
        self._producer.produce(topic, value, "key", partition=0)
        assert self._producer.flush(10) == 0

    def _about(self) -> str:
        facts = {
            "alerts": self.watch.states(),
            "targets": self.watch.query("up"),
            "worker": self.worker.errors()[-5:],
        }
        return str(facts)


def _has_some(consumer: ck.Consumer) -> bool:
    consumer.poll(0.1)
    return bool(consumer.assignment())


def accounts(url: str) -> dict[str, Any]:
    """Return the settings of the one account, with a rhythm to be waited for."""
    names = [{"subscription": name, "stale_after_s": 2} for name in BOOKS]
    return {ACCOUNT: {"url": url, "subscriptions": names}}


@contextmanager
def staged(
    folder: Path,
    before: Callable[[EmbeddedKafka], None] = lambda _: None,
    door: Callable[[int], AbstractContextManager[int]] = nullcontext,
    more_accounts: Mapping[str, Any] | None = None,
    **more: Any,
) -> Iterator[Stage]:
    """Start venue, Kafka, worker and Prometheus.

    Args:
        folder: an empty folder.
        before: done to Kafka before the worker starts.
        door: opens another port to the venue, which the worker takes.
        more_accounts: by name, beside the one of the stage.
        more: further sections of the settings.
    """
    with ExitStack() as stack:
        kafka = stack.enter_context(EmbeddedKafka())
        finery = stack.enter_context(venue(folder, "finery", "--rate", "10"))
        stage = Stage(folder, kafka, finery)
        port = urlsplit(finery.facts["url"]).port or 0
        url = f"ws://127.0.0.1:{stack.enter_context(door(port))}/ws"
        known = {**accounts(url), **(more_accounts or {})}
        variables = stage.variables(known, **{**SETTINGS, **more})
        before(kafka)
        watched = folder / "prometheus"
        watched.mkdir()
        rules = hastened(rule_groups(), THRESHOLDS)
        stage.worker = stack.enter_context(running(folder, "run", variables=variables))
        stage.watch = stack.enter_context(prometheus(watched, rules, [stage.target]))
        yield stage
