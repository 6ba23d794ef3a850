"""A broker that asks for a password and a certificate, and takes changes of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides NewTopic
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.support.client_certificates import Authority
from tests.support.kafka import USER, RealKafka
from tests.support.proxy import Proxy
from tests.support.servers import free_ports

PARTITIONS = 2
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class GuardedKafka:
    """A broker behind a proxy that wants a password and a client's certificate."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Start it; `port` is the proxy's, a free one if there is no proxy yet."""
        self.port = port or free_ports(1)[0]
        self.old, self.new = Authority("old"), Authority("new")
        self._folder = folder
        (folder / "both.pem").write_bytes(self.old.pem + self.new.pem)
        (folder / "new.pem").write_bytes(self.new.pem)
        prefix = "listener.name.proxied."
        self.kafka = RealKafka(
            folder,
            options={
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,"
                "CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,PROXIED:SASL_SSL",
                f"{prefix}scram-sha-512.sasl.jaas.config": SCRAM_MODULE,
                f"{prefix}ssl.client.auth": "required",
                f"{prefix}ssl.truststore.type": "PEM",
                f"{prefix}ssl.truststore.location": str(folder / "both.pem"),
            },
            proxied_port=self.port,
        )
        self.kafka.start()
        self._admin = AdminClient(self.kafka.client())

    def proxy(self) -> Proxy:
        """Return the proxy, to be entered."""
        made = Proxy("127.0.0.1", self.kafka.ports["PROXIED"])
        made.port = self.port
        return made

    def make_topic(self, name: str) -> None:
        """Make an empty topic."""
        _done(self._admin.create_topics([NewTopic(name, PARTITIONS, 1)]))

    def change_password(self, password: str) -> None:
        """Let the user in with this password alone."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(USER, info, password.encode())
        _done(self._admin.alter_user_scram_credentials([change]))

    def trust(self, name: str) -> None:
        """Let in whose certificates these authorities have signed."""
        entry = ConfigEntry(
            "listener.name.proxied.ssl.truststore.location",
            str(self._folder / name),
            incremental_operation=AlterConfigOpType.SET,
        )
        broker = ConfigResource(
            ConfigResource.Type.BROKER, "1", incremental_configs=[entry]
        )
        _done(self._admin.incremental_alter_configs([broker]))


def _done(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result(30)
