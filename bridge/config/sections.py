"""The general sections of the settings: worker, transport, limits, logs.

Every setting has a description, its unit in its name, and an example; the reference
page is made from them. A `_file` setting names a file that holds a secret.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    """A part of the settings: frozen, and unknown names are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )


def read_secret(value: SecretStr | None, file: Path | None) -> str:
    """Return a secret from its value or, read afresh, from its file."""
    if value is not None:
        return value.get_secret_value()
    return file.read_text("utf-8").strip() if file is not None else ""


class Worker(Section):
    """This process."""

    name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name of this worker in logs and headers; the default is the "
        "host's name.",
        examples=["feedbridge-0"],
    )
    trace_commands: bool = Field(
        default=False,
        description="Make OpenTelemetry spans of commands; needs the extra otel. "
        "Where they go is said by OTEL_EXPORTER_OTLP_ENDPOINT.",
        examples=[True],
    )


class Books(Section):
    """Order books."""

    refresh_seconds: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="A whole book is written this often, so that a consumer may start "
        "anywhere.",
        examples=[60],
    )


class Transport(Section):
    """WebSocket connections."""

    kind: Literal["auto", "websockets", "picows"] = Field(
        "auto",
        description="auto takes picows where it is installed and can serve, else "
        "websockets.",
        examples=["websockets"],
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates to trust for wss, PEM; the default is the system's.",
        examples=["/etc/feedbridge/ca.pem"],
    )
    connect_timeout_s: float = Field(
        10.0, gt=0, le=120, description="Limit for one connect.", examples=[5]
    )
    ping_interval_s: float = Field(
        20.0,
        gt=0,
        le=60,
        description="Time between keepalive pings; Finery drops a connection that is "
        "idle for 80 s.",
        examples=[15],
    )
    ping_timeout_s: float = Field(
        20.0,
        gt=0,
        le=120,
        description="A ping unanswered for this long ends the connection.",
        examples=[10],
    )
    frame_megabytes: int = Field(
        32,
        ge=1,
        le=512,
        description="The longest message taken from a venue; a longer one ends the "
        "connection.",
        examples=[16],
    )
    max_connections: int = Field(
        100,
        ge=1,
        le=10_000,
        description="The most connections to one host from one address; Finery takes "
        "100.",
        examples=[50],
    )
    workers_per_address: int = Field(
        1,
        ge=1,
        le=1000,
        description="How many workers reach the venues from one address, such as "
        "that of a machine or of a NAT gateway; each takes its part of "
        "max_connections.",
        examples=[3],
    )

    @property
    def own_connections(self) -> int:
        """Return this worker's part of the connections to one host."""
        return max(1, self.max_connections // self.workers_per_address)


class Http(Section):
    """The port for probes, metrics and the page; `feedbridge run` listens."""

    enabled: bool = Field(
        default=True,
        description="Answer probes, metrics, status and the page over HTTP.",
        examples=[False],
    )
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen at. There is no login and no TLS: beyond "
        "127.0.0.1, let a network policy say who may ask.",
        examples=["0.0.0.0"],  # noqa: S104 - an example, not the default
    )
    port: int = Field(
        9464,
        ge=0,
        le=65_535,
        description="Port to listen at; 0 takes a free one, which the log tells.",
        examples=[0],
    )


class Stop(Section):
    """How a worker stops."""

    grace_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Time for a whole stop, flush included; keep it below the "
        "platform's kill time-out.",
        examples=[25],
    )


class Log(Section):
    """Log lines."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important line written.", examples=["debug"]
    )
    format: Literal["json", "text"] = Field(
        "json", description="json for machines, text for people.", examples=["text"]
    )


class DeadLetter(Section):
    """What could not be read."""

    part_kilobytes: int = Field(
        900,
        ge=1,
        le=100_000,
        description="A longer raw frame is split into parts of this size; keep it "
        "below the broker's message limit.",
        examples=[900],
    )
