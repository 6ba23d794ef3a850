"""A new password and new client certificates, on a real broker, while records flow."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bridge.app.kafka_rotation import KafkaRotation
from bridge.config.kafka import Kafka
from bridge.edge.clock import SystemClock
from bridge.edge.group import Membership
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.edge.producer import Budget, Failure, Producer
from bridge.errors import KafkaError
from tests.support.client_certificates import Authority
from tests.support.guarded_kafka import GuardedKafka
from tests.support.kafka import PASSWORD, USER
from tests.support.kcat import kcat
from tests.support.proxy import Proxy
from tests.support.readers import Log, Recorder, journal, member
from tests.support.running import Run, until

pytestmark = pytest.mark.timeout(240)

PARTITIONS = 2
SECOND, THIRD = "battery staple", "third time lucky"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    """Share one broker among these tests; each begins with what `flowing` sets."""
    made = GuardedKafka(tmp_path_factory.mktemp("kafka"))
    try:
        yield made
    finally:
        made.kafka.close()


class Flow:
    """Records on their way into Kafka and out of it again, and their rotation."""

    def __init__(self, broker: GuardedKafka, folder: Path) -> None:
        self.folder = folder
        self.topic = folder.name
        self.failures: list[Failure] = []
        self.log, self.member = Log(), Recorder()
        self.member.commits = True
        self.sent = 0
        broker.change_password(PASSWORD)
        broker.trust("both.pem")
        broker.make_topic(self.topic)
        self.write_password(PASSWORD)
        broker.old.write_client(folder)
        self.section = Kafka(
            bootstrap_servers=f"127.0.0.1:{broker.port}",
            options={
                "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(broker.kafka.authority),
                "ssl.certificate.location": str(folder / "client.pem"),
                "ssl.key.location": str(folder / "client.key"),
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": USER,
                "reconnect.backoff.max.ms": "500",
            },
            option_files={"sasl.password": folder / "password"},
        )
        self.hidden: list[str] = []
        self.clients: list[KafkaClient] = []
        self.rotation = KafkaRotation(
            self.section, self._clients, SystemClock(), self.hidden.append
        )
        self.producer = Producer(
            self.section.properties(), Budget(), self.failures.append, lambda _: None
        )

    def _clients(self, options: Options) -> Iterator[tuple[KafkaClient, Options]]:
        for client in self.clients:
            yield client, options

    def write_password(self, password: str) -> None:
        """Put a password where the settings look for it."""
        (self.folder / "password").write_text(password + "\n")

    async def pump(self) -> None:
        """Send numbers, in turn to the partitions, until cancelled."""
        while True:
            for _ in range(4):
                value, partition = b"%d" % self.sent, self.sent % PARTITIONS
                at_ms = time.time_ns() // 1_000_000  # an old record is soon deleted
                self.producer.send(self.topic, value, b"k", partition, at_ms)
                self.sent += 1
            self.producer.poll()
            await asyncio.sleep(0.01)

    async def goes_on(self) -> None:
        """Wait until what is sent from now on has come to both readers."""
        wanted = self.sent + 100

        def there() -> bool:
            found = (self.log.entries, self.member.messages)
            return min(map(len, found)) >= wanted

        await until(there, f"{wanted} records; failed: {self.failures[:1]}", 60)
        assert self.failures == []

    async def is_refused(self, seen: str) -> None:
        """Check that what lies there is refused by a sentence that tells no secret."""
        with pytest.raises(KafkaError, match=seen) as refused:
            await self.rotation.renew()
        assert "the old ones stay" in str(refused.value)
        assert not any(secret in str(refused.value) for secret in self.hidden)
        await self.goes_on()


@asynccontextmanager
async def flowing(
    broker: GuardedKafka, folder: Path
) -> AsyncGenerator[tuple[Flow, Proxy]]:
    """Let records flow for a block; then all are there once and in order."""
    flow = Flow(broker, folder)
    options = flow.section.properties()
    paces = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    group = Membership(flow.topic, [flow.topic])
    async with (
        broker.proxy() as proxy,
        journal(options, flow.log) as reader,
        member({**options, **paces}, group, flow.member),
    ):
        flow.clients += [flow.producer, reader, flow.member.its]
        for partition in range(PARTITIONS):
            reader.follow(flow.topic, partition, None)
        pump = asyncio.create_task(flow.pump())
        await flow.goes_on()
        yield flow, proxy
        pump.cancel()
        left = await flow.producer.flush(20)
        assert left.messages == 0
        await until(
            lambda: len(flow.member.messages) >= flow.sent <= len(flow.log.entries),
            "the last records",
        )
    _check(flow, broker)


def _check(flow: Flow, broker: GuardedKafka) -> None:
    """Kafka and both readers have each record once, and in order."""
    expected = {p: [*range(p, flow.sent, PARTITIONS)] for p in range(PARTITIONS)}
    in_kafka = defaultdict(list)
    for record in kcat(broker.kafka.client(), flow.topic):
        in_kafka[record.partition].append(int(record.payload or b"-1"))
    assert dict(in_kafka) == expected
    for read in (flow.log.entries, flow.member.messages):
        found = defaultdict(list)
        for message in read:
            found[message.partition].append(int(message.value or b"-1"))
        assert dict(found) == expected


def test_a_new_password(broker: GuardedKafka, tmp_path: Path, run: Run) -> None:
    """Whichever of file and broker changes first, records flow through it.

    The connections that are up stay up, and new ones log in with the new password.
    """

    async def main() -> None:
        async with flowing(broker, tmp_path) as (flow, proxy):
            await asyncio.to_thread(broker.change_password, SECOND)
            flow.write_password(SECOND)
            met = proxy.accepted
            await flow.rotation.renew()
            await flow.goes_on()
            assert proxy.accepted <= met + 2  # the proof's own
            proxy.reset()
            await flow.goes_on()

            flow.write_password(THIRD)
            await flow.is_refused("_AUTHENTICATION")
            await asyncio.to_thread(broker.change_password, THIRD)
            await flow.rotation.renew()
            proxy.reset()
            await flow.goes_on()
            assert flow.hidden == [SECOND, THIRD, THIRD]
            assert "lost" not in {told[0] for told in flow.member.told}

    run(main(), 150)


def test_a_new_certificate(broker: GuardedKafka, tmp_path: Path, run: Run) -> None:
    """Clients with a new certificate take over; then the old one is let in no more."""

    async def main() -> None:
        async with flowing(broker, tmp_path) as (flow, proxy):
            broker.new.write_client(tmp_path)
            await flow.rotation.renew()
            await flow.goes_on()
            await asyncio.to_thread(broker.trust, "new.pem")
            proxy.reset()
            await flow.goes_on()

    run(main(), 150)


def _no_key(_: GuardedKafka, folder: Path) -> None:
    (folder / "client.key").write_text("no key")


def _foreign(_: GuardedKafka, folder: Path) -> None:
    Authority("foreign").write_client(folder)


def _expired(broker: GuardedKafka, folder: Path) -> None:
    broker.new.write_client(folder, dt.timedelta(minutes=-1))


SPOILT: Sequence[tuple[Callable[[GuardedKafka, Path], object], str]] = [
    (_no_key, r"ssl\.key\.location"),
    (_foreign, "alert certificate"),
    (_expired, "alert certificate"),
]


def test_files_that_do_not_work(broker: GuardedKafka, tmp_path: Path, run: Run) -> None:
    """They are refused with what was seen; records flow, and good ones are taken."""

    async def main() -> None:
        async with flowing(broker, tmp_path) as (flow, _):
            for spoil, seen in SPOILT:
                spoil(broker, tmp_path)
                await flow.is_refused(seen)
            broker.new.write_client(tmp_path)
            await flow.rotation.renew()
            await flow.goes_on()

    run(main(), 150)


def test_an_old_certificate_is_let_in_no_more(
    broker: GuardedKafka, tmp_path: Path
) -> None:
    """What the tests above rest on: the broker asks, and a change of trust counts."""
    broker.old.write_client(tmp_path)
    flow = Flow(broker, tmp_path)
    assert flow.producer is not None
    broker.trust("new.pem")
    with pytest.raises(KafkaException):
        AdminClient({**flow.section.properties()}).list_topics(timeout=5)
