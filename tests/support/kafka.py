"""A real Apache Kafka on loopback: one KRaft node, started and stopped by tests."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from testcontainers.core.container import DockerContainer

from tests.support import downloads
from tests.support.certificates import make_certificates
from tests.support.running import wait_until
from tests.support.servers import (
    DockerServer,
    LocalServer,
    Server,
    free_ports,
    listens,
)

Properties = dict[str, str | int | float | bool]
Listener = Literal["PLAINTEXT", "SSL", "SASL_SSL", "PROXIED"]
USER, PASSWORD = "alice", "correct horse"
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
START_SECONDS, STOP_SECONDS = 60.0, 30.0
LOG4J = """\
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c %m%n
"""


class RealKafka:
    """One broker with its own ports and data, which survive a restart.

    Args:
        folder: where its data, certificates, settings and log live.
        heap_mb: largest Java heap, in MiB.
        options: further broker properties; they win over the defaults.
        proxied_port: adds a listener `PROXIED` that tells clients to come back
            through this port, so that a TCP proxy can stand in between.
    """

    def __init__(
        self,
        folder: Path,
        heap_mb: int = 512,
        options: Mapping[str, str] | None = None,
        proxied_port: int | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.authority = make_certificates(self.folder).authority
        names = ["PLAINTEXT", "SSL", "SASL_SSL", "CONTROLLER"]
        names += ["PROXIED"] if proxied_port else []
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._in_docker = downloads.docker_serves()
        properties = self._properties(proxied_port) | dict(options or {})
        self._write_files(properties, heap_mb)
        self._server = self._make_server()

    def _properties(self, proxied_port: int | None) -> dict[str, str]:
        host = "0.0.0.0" if self._in_docker else "127.0.0.1"  # noqa: S104 - a container
        told = {name: p for name, p in self.ports.items() if name != "CONTROLLER"}
        told |= {"PROXIED": proxied_port} if proxied_port else {}
        return _FIXED | {
            "listeners": _addresses(host, self.ports),
            "advertised.listeners": _addresses("127.0.0.1", told),
            "controller.quorum.bootstrap.servers": self._address("CONTROLLER"),
            "log.dirs": str(self.folder / "data"),
            "ssl.keystore.location": str(self.folder / "server.pem"),
        }

    def _write_files(self, properties: Mapping[str, str], heap_mb: int) -> None:
        lines = [f"{name}={value}\n" for name, value in properties.items()]
        (self.folder / "server.properties").write_text("".join(lines))
        (self.folder / "log4j2.properties").write_text(LOG4J)
        (self.folder / "start.sh").write_text(self._script(heap_mb))

    def _script(self, heap_mb: int) -> str:
        folder = shlex.quote(str(self.folder))
        java, libs = "/opt/java/openjdk/bin/java", "/opt/kafka/libs"
        if not self._in_docker:
            java, libs = downloads.java(), str(downloads.kafka_libs())
        run = f"{shlex.quote(java)} -Xmx{heap_mb}m -cp {shlex.quote(libs + '/*')}"
        run += f" -Dlog4j2.configurationFile=file:{folder}/log4j2.properties"
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        tool = f"{run} kafka.tools.StorageTool format --standalone -t {CLUSTER_ID}"
        return (
            f"set -eu\ncd {folder}\n[ -e data/meta.properties ] || "
            f"{tool} -c server.properties --add-scram {shlex.quote(scram)}\n"
            f"exec {run} kafka.Kafka server.properties\n"
        )

    def _make_server(self) -> Server:
        command = ["sh", str(self.folder / "start.sh")]
        if not self._in_docker:
            return LocalServer(command, self.folder, os.environ)
        container = DockerContainer(downloads.KAFKA_IMAGE).with_kwargs(
            entrypoint=command, user=f"{os.getuid()}:{os.getgid()}"
        )
        return DockerServer(container, self.folder, {}, [*self.ports.values()])

    def _address(self, listener: str) -> str:
        return f"127.0.0.1:{self.ports[listener]}"

    @property
    def bootstrap(self) -> str:
        """The plaintext address."""
        return self._address("PLAINTEXT")

    def client(self, listener: Listener = "PLAINTEXT") -> Properties:
        """Return the librdkafka properties that reach a listener."""
        plain: Properties = {"bootstrap.servers": self._address(listener)}
        secure: Properties = {
            "security.protocol": listener,
            "ssl.ca.location": str(self.authority),
        }
        sasl: Properties = {
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
        }
        extra: dict[str, Properties] = {"SSL": secure, "SASL_SSL": secure | sasl}
        return plain | extra.get(listener, {})

    def start(self) -> None:
        """Start the broker and wait until it answers; data of before is kept."""
        self._server.start()
        try:
            wait_until(self._answers, "the broker answers", START_SECONDS)
        except AssertionError:
            print(self.log()[-3000:])  # noqa: T201 - pytest shows it with the failure
            self.stop(signal.SIGKILL)
            raise

    def _answers(self) -> bool:
        if not self._server.is_alive():
            message = f"the broker ended while starting:\n{self.log()[-3000:]}"
            raise RuntimeError(message)
        if not listens(self.ports["PLAINTEXT"]):
            return False
        try:
            return bool(AdminClient(self.client()).list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the broker by SIGTERM (orderly) or SIGKILL (a crash)."""
        if self._server.is_alive():
            self._server.signal(number)
            self._server.wait(STOP_SECONDS)

    def freeze(self) -> None:
        """Stop the broker in its tracks; its sockets stay open."""
        self._server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on."""
        self._server.signal(signal.SIGCONT)

    def close(self) -> None:
        """End the broker whatever its state, and leave nothing behind."""
        self.stop(signal.SIGKILL)
        if isinstance(self._server, DockerServer):
            self._server.remove()

    def log(self) -> str:
        """Return what the broker has printed (warnings and errors)."""
        return self._server.log()


_FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,"
    "CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
    "ssl.keystore.type": "PEM",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After a crash, the next start waits until the old session has run out.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}


def _addresses(host: str, ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{host}:{port}" for name, port in ports.items())


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """Share one broker; tests use topics of their own and never stop it."""
    broker = RealKafka(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture
def private_kafka(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., RealKafka]]:
    """Make running brokers of a test's own, which it may stop, kill and freeze."""
    made: list[RealKafka] = []

    def make(**arguments: object) -> RealKafka:
        folder = tmp_path_factory.mktemp("kafka")
        made.append(RealKafka(folder, **arguments))  # type: ignore[arg-type] # checked there
        made[-1].start()
        return made[-1]

    try:
        yield make
    finally:
        for broker in made:
            broker.close()
