"""Worker processes between a simulated venue and a private broker, under orders."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as ck

from bridge.core.codec import Codec
from bridge.core.envelopes import COMMAND, Request, command_writer
from bridge.edge.schemas import bundled
from tests.chaos.orders_judge import Entry, Freeze, Limits
from tests.chaos.orders_log import Place, Record, Response, response_of
from tests.chaos.orders_mix import CLEARED, TRADED, Asked, Final, Mix
from tests.support.kafka import RealKafka
from tests.support.processes import Feedbridge, Venue, ask, settings_file, venue
from tests.support.running import wait_until

COMMANDS, RESPONSES = "finery.commands", "finery.responses"
PARTITIONS = 4
ACCOUNT, ACCOUNT_ID = "desk", 9  # at the venue: the one that may place every type
SESSION_MS = 6_000
LIMITS = Limits(lifetime_ms=1_000, settle_ms=3_500)
ANSWER_MS, USER_TIMEOUT_MS = 1_500, 1_000
DEADLINE_MS = 20_000  # so that most commands outlive the outage that they meet
OPTIONS = {
    "session.timeout.ms": SESSION_MS,
    "heartbeat.interval.ms": 1_000,
    "reconnect.backoff.max.ms": 1_000,
}
_OURS = {"log_level": 0}  # a broker that is away is no news here
_ALONE = {"group.id": "none", "enable.auto.commit": False, **_OURS}
DRAIN_S = 150.0
CALM_S = LIMITS.settle_ms / 1000 + 2.5  # a correction waits for the settling time


def now_ms() -> int:
    """Return the Unix time."""
    return time.time_ns() // 1_000_000


def say(text: str) -> None:
    """Tell whoever looks on; pytest shows it with a failure."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Member:
    """One worker by name; it is started anew again and again."""

    def __init__(self, name: str, start: Callable[[str], Feedbridge]) -> None:
        """Start it."""
        self.name = name
        self.ended: list[str] = []
        self._start = start
        self._frozen_ms: int | None = None
        self.process = start(name)
        self.processes = [self.process]

    def start(self) -> None:
        """Run again what was ended."""
        self.process = self._start(self.name)
        self.processes.append(self.process)

    def end(self, number: signal.Signals) -> None:
        """End it; nothing else may have ended it."""
        self.check()
        code = self.process.stop(number)
        begun = bool(self.process.events("starting"))  # else nobody heard the signal
        if number is signal.SIGTERM and code != 0 and begun:
            self._note(f"exit code {code} at SIGTERM")

    def check(self) -> None:
        """Note, and mend, that it ended by itself."""
        if not self.process.alive():
            self._note(f"ended by itself: {self.process.process.returncode}")
            self.start()

    def freeze(self) -> None:
        """Stop it in its tracks."""
        self.check()
        self._frozen_ms = now_ms()
        self.process.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> Freeze:
        """Let it go on, as if nothing had happened."""
        self.process.process.send_signal(signal.SIGCONT)
        assert self._frozen_ms is not None
        return Freeze(self.name, self._frozen_ms, now_ms())

    def _note(self, what: str) -> None:
        tail = " | ".join(self.process.errors()[-3:])
        self.ended.append(f"{self.name} {what}: {tail}")


class Stage(NamedTuple):
    """Everything that faults are made to."""

    folder: Path
    broker: RealKafka
    finery: Venue
    members: list[Member]

    def ledger(self) -> list[Entry]:
        """Return what the venue did for the account."""
        path = self.folder / "ledger.jsonl"
        self.finery.do("save_ledger", path=str(path))
        entries = map(json.loads, path.read_text().splitlines())
        return [entry for entry in entries if entry.get("account") == ACCOUNT_ID]

    def stop(self) -> list[str]:
        """Stop all workers in order; return what went wrong with any of them."""
        for member in self.members:
            member.end(signal.SIGTERM)
        return [text for member in self.members for text in member.ended]


@contextmanager
def staged(folder: Path, broker: RealKafka, workers: int, seed: int) -> Iterator[Stage]:
    """Start venue and workers, and wait until every one has its connection."""
    with ExitStack() as stack:
        options = ("--instruments", "20", "--rate", "1", "--seed", str(seed))
        finery = stack.enter_context(venue(folder, "finery", *options))
        config = settings_file(folder, _settings(broker, finery))
        variables = {
            "FEEDBRIDGE_CONFIG": str(config),
            "FEEDBRIDGE_FINERY__desk__KEY": "fake-demo-key-of-master",
            "FEEDBRIDGE_FINERY__desk__SECRET": (
                "fake-demo-secret-of-master-good-for-nothing"
            ),
        }
        code, said = ask(folder, "topics", "--apply", "--json", variables=variables)
        assert code == 0, said

        def start(name: str) -> Feedbridge:
            mine = {**variables, "FEEDBRIDGE_WORKER__NAME": name}
            process = Feedbridge(folder, ("run",), mine)
            stack.callback(_end, process)
            return process

        members = [Member(f"worker-{number}", start) for number in range(workers)]
        stage = Stage(folder, broker, finery, members)
        wait_until(lambda: _connections(finery) >= workers, "order connections", 60)
        yield stage


def _end(process: Feedbridge) -> None:
    with suppress(ProcessLookupError):
        process.stop(signal.SIGKILL)


def _connections(finery: Venue) -> int:
    return len(finery.do("connections"))


def _settings(broker: RealKafka, finery: Venue) -> dict[str, Any]:
    return {
        "kafka": {"bootstrap_servers": broker.bootstrap, "options": OPTIONS},
        "topics": {"partitions": PARTITIONS},
        "transport": {"ping_interval_s": 1, "ping_timeout_s": 2},
        "finery": {ACCOUNT: {"url": finery.facts["url"], "role": "master"}},
        "commands": {
            COMMANDS: {
                "responses": RESPONSES,
                "accounts": [ACCOUNT],
                "methods": ["read", "order"],
                "claim_lifetime_ms": LIMITS.lifetime_ms,
                "settle_ms": LIMITS.settle_ms,
                "answer_timeout_ms": ANSWER_MS,
                "user_timeout_ms": USER_TIMEOUT_MS,
                "default_deadline_ms": DEADLINE_MS,
                "resolve_limit_s": 120,
            }
        },
    }


class Traffic:
    """A steady flow of commands, and an ear for their responses."""

    def __init__(self, stage: Stage, seed: int, rate: float) -> None:
        """Prepare; `begin` starts both threads."""
        books = {n: stage.finery.do("book", instrument=n) for n in (*TRADED, *CLEARED)}
        self._mix = Mix(seed, {name: book[0][0][0] for name, book in books.items()})
        self._pause_s = 1 / rate
        self.sent: set[Place] = set()
        self.undelivered = 0
        self._final: set[Place] = set()
        self._lock = threading.Lock()
        self._stop, self._deaf = threading.Event(), threading.Event()
        self._bootstrap = {"bootstrap.servers": stage.broker.bootstrap}
        codec = Codec(bundled())
        self._write = command_writer(codec, codec.single_object_header(COMMAND))
        self._threads = [
            threading.Thread(target=self._send, name="sender", daemon=True),
            threading.Thread(target=self._hear, name="hearer", daemon=True),
        ]

    @property
    def unanswered(self) -> set[Place]:
        """Return which delivered commands have no final response yet."""
        with self._lock:
            return self.sent - self._final

    def begin(self) -> None:
        """Start sending."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop sending; wait until all is answered, or long enough."""
        self._stop.set()
        self._threads[0].join(DRAIN_S)
        end = time.monotonic() + DRAIN_S
        while self.unanswered and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(CALM_S)  # what is late may still contradict what is final
        self._deaf.set()
        self._threads[1].join(DRAIN_S)

    def _send(self) -> None:
        options = {"linger.ms": 0, "enable.idempotence": True, **_OURS}
        producer = ck.Producer({**self._bootstrap, **options})
        due = time.monotonic()
        while not self._stop.is_set():
            with self._lock:
                asked = self._mix.next(now_ms())
            value = self._write(_request(asked))
            producer.produce(COMMANDS, value, asked.key, on_delivery=self._delivered)
            due = max(due + self._pause_s, time.monotonic() - 1)
            while (left := due - time.monotonic()) > 0:
                producer.poll(left)
        producer.flush(DRAIN_S)

    def _delivered(self, error: ck.KafkaError | None, message: ck.Message) -> None:
        with self._lock:
            if error is None:
                self.sent.add(Place(message.partition() or 0, message.offset() or 0))
            else:
                self.undelivered += 1

    def _hear(self) -> None:
        consumer = ck.Consumer({**self._bootstrap, **_ALONE})
        starts = [ck.TopicPartition(RESPONSES, p, 0) for p in range(PARTITIONS)]
        consumer.assign(starts)
        while not self._deaf.is_set():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                self._learn(response_of(_record(message)))
        consumer.close()

    def _learn(self, told: Response) -> None:
        if told.phase != "FINAL":
            return
        with self._lock:
            if told.place in self._final:
                return
            self._final.add(told.place)
            if told.repeat_of is None:
                body = json.loads(told.body) if told.body else {}
                number = body.get("id") if isinstance(body, dict) else None
                final = Final(told.outcome, number)
                self._mix.answered(told.req_id, final, now_ms())


def read_topic(broker: RealKafka, topic: str) -> list[Record]:
    """Return all records of a topic."""
    options = {"enable.partition.eof": True, **_ALONE}
    consumer = ck.Consumer({"bootstrap.servers": broker.bootstrap, **options})
    consumer.assign([ck.TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    found, ends, limit = [], 0, time.monotonic() + 60
    while ends < PARTITIONS:
        assert time.monotonic() < limit, f"{topic} could not be read"
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            found.append(_record(message))
        elif message is not None and (error := message.error()) is not None:
            ends += error.code() == ck.KafkaError._PARTITION_EOF
    consumer.close()
    return found


def _record(message: ck.Message) -> Record:
    place = message.partition() or 0, message.offset() or 0
    return Record(*place, message.timestamp()[1], message.value() or b"")


def _request(asked: Asked) -> Request:
    patience = asked.patience_ms
    until = None if patience is None else now_ms() + patience
    return Request(asked.req_id, asked.method, ACCOUNT, asked.written(), until)
