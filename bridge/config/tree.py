"""The root of the settings: one frozen tree, and what others ask of it."""

from __future__ import annotations

import msgspec
from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bridge.config.commands import CommandTopic
from bridge.config.kafka import Kafka, Registry, Topics
from bridge.config.ownership import Ownership, OwnershipSetting
from bridge.config.sections import (
    Books,
    DeadLetter,
    Http,
    Log,
    Stop,
    Transport,
    Worker,
)
from bridge.config.venues import CfBenchmarksSource, FinerySource
from bridge.core.model import Plan
from bridge.venues import VENUES
from bridge.venues.base import Credentials, Source
from bridge.venues.finery import VENUE as FINERY

SourceName = str
TopicName = str


class Settings(BaseSettings):
    """Everything that can be set. Building one by hand reads no environment."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    worker: Worker = Field(default_factory=Worker)
    kafka: Kafka = Field(default_factory=Kafka)
    registry: Registry = Field(default_factory=Registry)
    topics: Topics = Field(default_factory=Topics)
    finery: dict[SourceName, FinerySource] = Field(
        default_factory=dict,
        description="Accounts at Finery Markets, by a name of your choice.",
        examples=[{"desk-a": {"subscriptions": ["book.tradable:BTC-USD"]}}],
    )
    cfbenchmarks: dict[SourceName, CfBenchmarksSource] = Field(
        default_factory=dict,
        description="Accounts at CF Benchmarks, by a name of your choice.",
        examples=[{"rates": {"subscriptions": ["value:BRTI"]}}],
    )
    commands: dict[TopicName, CommandTopic] = Field(
        default_factory=dict,
        description="Command topics for Finery Markets, by the topic's name; empty "
        "means that no orders can be sent.",
        examples=[
            {"finery.commands": {"responses": "finery.responses", "accounts": ["a"]}}
        ],
    )
    books: Books = Field(default_factory=Books)
    transport: Transport = Field(default_factory=Transport)
    ownership: OwnershipSetting = Field(default_factory=Ownership)
    http: Http = Field(default_factory=Http)
    stop: Stop = Field(default_factory=Stop)
    log: Log = Field(default_factory=Log)
    dead_letter: DeadLetter = Field(default_factory=DeadLetter)

    @classmethod
    def settings_customise_sources(  # type: ignore[explicit-override] # 3.12's
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what `bridge.config.load` passes in: it owns the environment."""
        return (init_settings,)

    def accounts(self) -> dict[tuple[str, str], FinerySource | CfBenchmarksSource]:
        """Return every configured account by venue and name."""
        finery = {("finery", name): part for name, part in self.finery.items()}
        rates = {
            ("cfbenchmarks", name): part for name, part in self.cfbenchmarks.items()
        }
        return {**finery, **rates}

    def sources(self) -> list[Source]:
        """Return every account without its secrets."""
        return [part.source(name) for (_, name), part in self.accounts().items()]

    def plans(self) -> list[Plan]:
        """Return every feed connection that the settings need."""
        return [
            p for source in self.sources() for p in VENUES[source.venue].plans(source)
        ]

    def connections(self) -> list[Plan]:
        """Return the plans of feeds and orders."""
        return [*self.plans(), *self.order_plans()]

    def order_plans(self) -> list[Plan]:
        """Return the order connection of every account that takes commands."""
        return [FINERY.orders.plan(source) for source in self.order_sources()]

    def order_sources(self) -> list[Source]:
        """Return every account that takes commands.

        Each worker has order connections of its own, and they are named after it.
        """
        named = {
            name for section in self.commands.values() for name in section.accounts
        }
        return [
            msgspec.structs.replace(source, part=f"@{self.worker.name}")
            for source in self.sources()
            if source.venue == FINERY.name and source.name in named
        ]

    def credentials(self, source: Source) -> Credentials:
        """Return the login of `source`, its files read afresh."""
        return self.accounts()[source.venue, source.name].credentials()

    def secrets(self) -> list[str]:
        """Return every secret there is, for redaction; never print it."""
        logins = [part.credentials() for part in self.accounts().values()]
        found = [
            self.registry.password_text(),
            *(text for login in logins for text in (login.key, login.secret)),
            *self.kafka.secrets(self.kafka.properties()),
        ]
        return [text for text in found if text]
