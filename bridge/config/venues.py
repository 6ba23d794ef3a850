"""The sections of the settings that belong to a venue, and what they ask for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr

from bridge.config.sections import Section, read_secret
from bridge.venues.base import Credentials, Source, Wanted

# Venue hosts; source: the venues' API manuals, "Endpoints".
FINERY_URL = "wss://trade.finerymarkets.com/ws"
CFBENCHMARKS_URL = "wss://www.cfbenchmarks.com/ws/v4"

_COMMON = frozenset({"subscription", "label", "stale_after_s"})


class AskedFor(Section):
    """One subscription with its options."""

    subscription: str = Field(
        min_length=1,
        description="Stream and, behind a colon, what it is about.",
        examples=["book.tradable:BTC-USD"],
    )
    label: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="Tells apart two subscriptions of the same name.",
        examples=["desk-a"],
    )
    stale_after_s: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The longest silence before the subscription counts as stale; "
        "the default is the stream's own.",
        examples=[5],
    )

    def wanted(self) -> Wanted:
        """Return the subscription as the venues take it."""
        text, _, label = self.subscription.partition("#")
        stream, _, feed_id = text.partition(":")
        return Wanted(
            stream=stream,
            feed_id=feed_id,
            label=self.label or label,
            stale_after_ms=_milliseconds(self.stale_after_s),
            options=self.options(),
        )

    def options(self) -> dict[str, Any]:
        """Return the venue's own options that were set."""
        return self.model_dump(exclude=set(_COMMON), exclude_none=True)


class FinerySubscription(AskedFor):
    """A Finery Markets subscription with its options."""

    stale_after_s: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="The longest silence before the subscription counts as stale; 0 "
        "means never, the default is the stream's own.",
        examples=[60],
    )
    makers: tuple[int, ...] | None = Field(
        None,
        description="View-only books: ids of the liquidity providers to show.",
        examples=[[1, 2, 3]],
    )
    client_id: int | None = Field(
        None,
        ge=0,
        description="Master accounts: the sub-account whose book to show.",
        examples=[123],
    )
    instrument_id: int | None = Field(
        None,
        ge=0,
        description="Bind by the venue's number instead of the name.",
        examples=[4955410050],
    )


class CfBenchmarksSubscription(AskedFor):
    """A CF Benchmarks subscription with its options."""

    max_resolution: Literal["PER_SECOND"] | None = Field(
        None,
        description="Ask for one value a second where the venue publishes more.",
        examples=["PER_SECOND"],
    )
    rhythm: str | None = Field(
        None,
        description="How often values are due, where the index family is not known.",
        examples=["1s"],
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else math.ceil(seconds * 1000)


def _from_text(value: object) -> object:
    return {"subscription": value} if isinstance(value, str) else value


class FinerySource(Section):
    """One account at Finery Markets."""

    url: str = Field(
        FINERY_URL,
        description="WebSocket address; the test venue is "
        "wss://test.finerymarkets.com/ws.",
        examples=["wss://test.finerymarkets.com/ws"],
    )
    key: SecretStr | None = Field(
        None, description="API key; only from the environment.", examples=["***"]
    )
    key_file: Path | None = Field(
        None,
        description="File that holds the API key.",
        examples=["/run/secrets/finery/key"],
    )
    secret: SecretStr | None = Field(
        None, description="API secret; only from the environment.", examples=["***"]
    )
    secret_file: Path | None = Field(
        None,
        description="File that holds the API secret.",
        examples=["/run/secrets/finery/secret"],
    )
    login: Literal["header", "inband"] = Field(
        "header",
        description="header signs the upgrade request; inband logs in after it, as "
        "old servers want.",
        examples=["inband"],
    )
    role: Literal["maker", "taker", "master", "unknown"] = Field(
        "unknown",
        description="What the account is at the venue; orders that do not fit are "
        "refused before they are sent. unknown leaves that to the venue.",
        examples=["taker"],
    )
    subscriptions: tuple[
        Annotated[FinerySubscription, BeforeValidator(_from_text)], ...
    ] = Field(
        (),
        description="What to subscribe to: names, or objects with options.",
        examples=[["book.tradable:BTC-USD", "orders"]],
    )
    books_per_connection: int = Field(
        50,
        ge=1,
        le=1000,
        description="Books that share one WebSocket connection.",
        examples=[10],
    )

    def source(self, name: str) -> Source:
        """Return the account without its secrets."""
        options = {
            "login": self.login,
            "books_per_connection": self.books_per_connection,
        }
        wanted = tuple(s.wanted() for s in self.subscriptions)
        return Source(
            name=name, venue="finery", url=self.url, wanted=wanted, options=options
        )

    def credentials(self) -> Credentials:
        """Return the login, files read afresh."""
        return Credentials(
            key=read_secret(self.key, self.key_file),
            secret=read_secret(self.secret, self.secret_file),
        )


class CfBenchmarksSource(Section):
    """One account at CF Benchmarks."""

    url: str = Field(
        CFBENCHMARKS_URL,
        description="WebSocket address; Nasdaq indices are on "
        "wss://nciprod1.cfbenchmarks.com/ws/v4.",
        examples=["wss://nciprod1.cfbenchmarks.com/ws/v4"],
    )
    user: SecretStr | None = Field(
        None, description="Key user name; only from the environment.", examples=["***"]
    )
    user_file: Path | None = Field(
        None,
        description="File that holds the key user name.",
        examples=["/run/secrets/cfbenchmarks/user"],
    )
    password: SecretStr | None = Field(
        None, description="Key password; only from the environment.", examples=["***"]
    )
    password_file: Path | None = Field(
        None,
        description="File that holds the key password.",
        examples=["/run/secrets/cfbenchmarks/password"],
    )
    login: Literal["basic", "subprotocol"] = Field(
        "basic",
        description="basic sends an Authorization header; subprotocol sends the login "
        "as WebSocket sub-protocols.",
        examples=["subprotocol"],
    )
    subscriptions: tuple[
        Annotated[CfBenchmarksSubscription, BeforeValidator(_from_text)], ...
    ] = Field(
        (),
        description="What to subscribe to: names, or objects with options.",
        examples=[["value:BRTI", "rti-stats:BRTI"]],
    )

    def source(self, name: str) -> Source:
        """Return the account without its secrets."""
        return Source(
            name=name,
            venue="cfbenchmarks",
            url=self.url,
            wanted=tuple(s.wanted() for s in self.subscriptions),
            options={"login": self.login},
        )

    def credentials(self) -> Credentials:
        """Return the login, files read afresh."""
        return Credentials(
            key=read_secret(self.user, self.user_file),
            secret=read_secret(self.password, self.password_file),
        )
