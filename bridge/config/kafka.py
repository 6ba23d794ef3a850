"""The sections of the settings that are about Kafka: brokers, registry, topics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from bridge.config.sections import Section, read_secret

DEFAULT_PARTITIONS = 6  # divides evenly among 1, 2, 3 or 6 consumers

# librdkafka's properties that hold a secret; source: its CONFIGURATION.md, 2.16.
SECRET_PROPERTIES = frozenset({
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
})  # fmt: skip


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


# librdkafka's properties that name a file which TLS needs; source: as above.
TLS_FILES = (
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.keystore.location",
)

Property = Annotated[str, BeforeValidator(_as_text)]


class Kafka(Section):
    """The connection to Kafka and the memory given to what it has not yet taken."""

    bootstrap_servers: str = Field(
        "localhost:9092",
        min_length=1,
        description="Brokers to start from, host:port, comma-separated.",
        examples=["kafka-0:9092,kafka-1:9092"],
    )
    options: dict[str, Property] = Field(
        default_factory=dict,
        repr=False,
        description="Any librdkafka property. In a variable's name, dots become "
        "underscores: FEEDBRIDGE_KAFKA__OPTIONS__SASL_PASSWORD.",
        examples=[{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}],
    )
    option_files: dict[str, Path] = Field(
        default_factory=dict,
        description="librdkafka properties whose value stands in a file.",
        examples=[{"sasl.password": "/run/secrets/kafka/password"}],
    )
    queue_megabytes: int = Field(
        64,
        ge=1,
        le=2048,
        description="Memory for records that Kafka has not yet taken; near it, "
        "reading from the venues pauses.",
        examples=[256],
    )
    queue_messages: int = Field(
        100_000,
        ge=1000,
        le=10_000_000,
        description="The most records waiting for Kafka.",
        examples=[500_000],
    )
    pause_limit_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="The longest pause of reading, in seconds; then subscriptions are "
        "let go and the gap is announced.",
        examples=[30],
    )
    flush_timeout_s: float = Field(
        20.0,
        gt=0,
        le=600,
        description="How long a stopping worker waits for Kafka to take the rest.",
        examples=[10],
    )

    def properties(self) -> dict[str, str]:
        """Return librdkafka's properties, secrets included, files read afresh."""
        files = {k: read_secret(None, path) for k, path in self.option_files.items()}
        return {"bootstrap.servers": self.bootstrap_servers, **self.options, **files}

    def secrets(self, properties: Mapping[str, str]) -> list[str]:
        """Return what of `properties` must not be shown."""
        hidden = SECRET_PROPERTIES | set(self.option_files)
        return [text for name, text in properties.items() if name in hidden and text]


class Registry(Section):
    """The schema registry; without a URL, Avro single-object encoding is used."""

    url: str | None = Field(
        None,
        description="Address of a registry with Confluent's API.",
        examples=["https://registry:8081"],
    )
    username: str | None = Field(
        None, description="Name for HTTP basic authentication.", examples=["feedbridge"]
    )
    password: SecretStr | None = Field(
        None, description="Password; only from the environment.", examples=["***"]
    )
    password_file: Path | None = Field(
        None,
        description="File that holds the password.",
        examples=["/run/secrets/registry/password"],
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates to trust for https, PEM; the default is the "
        "system's.",
        examples=["/etc/feedbridge/ca.pem"],
    )
    auto_register: bool = Field(
        default=True,
        description="Register schemas at start; turn it off where only `feedbridge "
        "schemas register` may.",
        examples=[False],
    )

    def password_text(self) -> str:
        """Return the password, or an empty string."""
        return read_secret(self.password, self.password_file)


class TopicOverride(Section):
    """What differs for the topics of one stream."""

    partitions: int | None = Field(
        None, ge=1, le=10_000, description="Partitions.", examples=[12]
    )
    replication: int | None = Field(
        None, ge=1, le=20, description="Replicas.", examples=[3]
    )
    retention_hours: float | None = Field(
        None, gt=0, description="How long records are kept.", examples=[24]
    )
    config: dict[str, Property] = Field(
        default_factory=dict,
        description="Any topic configuration of Kafka.",
        examples=[{"compression.type": "zstd"}],
    )


class Topics(Section):
    """Names and shapes of the topics."""

    template: str = Field(
        "{venue}.{stream}",
        description="Name of a feed topic, from {venue}, {stream}, {source} and "
        "{feed_id}.",
        examples=["{venue}.{stream}.{feed_id}"],
    )
    partitions: int = Field(
        DEFAULT_PARTITIONS,
        ge=1,
        le=10_000,
        description="Partitions of a topic that feedbridge creates. More spread the "
        "load further; raising the number later moves keys.",
        examples=[12],
    )
    replication: int | None = Field(
        None,
        ge=1,
        le=20,
        description="Replicas of a topic that feedbridge creates; the default is the "
        "broker's.",
        examples=[3],
    )
    retention_hours: float | None = Field(
        None,
        gt=0,
        description="How long records are kept; the default is the broker's.",
        examples=[168],
    )
    create: bool = Field(
        default=True,
        description="Create missing topics at start; turn it off where only "
        "`feedbridge topics --apply` may.",
        examples=[False],
    )
    dead_letter: str = Field(
        "feedbridge.dead-letter",
        description="Topic for what could not be read.",
        examples=["feedbridge.dead-letter"],
    )
    feed_state: str = Field(
        "feedbridge.feed-state",
        description="Compacted topic with the last state of every subscription.",
        examples=["feedbridge.feed-state"],
    )
    control: str = Field(
        "feedbridge.control",
        description="Compacted topic with the trading state of every account.",
        examples=["feedbridge.control"],
    )
    assignment: str = Field(
        "feedbridge.assignment",
        description="Topic over whose partitions a group of workers deals out the "
        "subscriptions; it stays empty.",
        examples=["feedbridge.assignment"],
    )
    subscriptions: str = Field(
        "feedbridge.subscriptions",
        description="Compacted topic with what was subscribed and unsubscribed at run "
        "time.",
        examples=["feedbridge.subscriptions"],
    )
    overrides: dict[str, TopicOverride] = Field(
        default_factory=dict,
        description="What differs for one stream, by its full name.",
        examples=[{"finery.book.tradable": {"partitions": 12}}],
    )

    def own(self) -> dict[str, str]:
        """Return the topics that are feedbridge's own, by setting."""
        return {
            "dead_letter": self.dead_letter,
            "feed_state": self.feed_state,
            "control": self.control,
            "assignment": self.assignment,
            "subscriptions": self.subscriptions,
        }
