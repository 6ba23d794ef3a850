"""The section of the settings that says who runs what, where there are many workers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bridge.config.sections import Section

# A member that is silent for a session is put out; it looks alive six times in one.
BEATS_A_SESSION = 6


class Ownership(Section):
    """Who runs which subscriptions; `ownership: group` alone sets the mode."""

    mode: Literal["static", "group"] = Field(
        "static",
        description="static: this process runs all subscriptions. group: workers of "
        "one consumer group share them, and take over from each other.",
        examples=["group"],
    )
    group: str = Field(
        "feedbridge",
        min_length=1,
        max_length=249,
        description="Name of the consumer group; workers that share it share the work.",
        examples=["feedbridge-prod"],
    )
    partitions: int = Field(
        24,
        ge=1,
        le=10_000,
        description="In how many shares the subscriptions are dealt, and so the most "
        "workers that can be busy. Each share has connections of its own. It must not "
        "change while workers run.",
        examples=[48],
    )
    session_timeout_s: float = Field(
        6.0,
        ge=1,
        le=300,
        description="A worker that Kafka has not heard of for this long loses its "
        "share; brokers take 6 s or more by default. With group.protocol=consumer the "
        "broker decides: give its group.consumer.session.timeout.ms here, too.",
        examples=[10],
    )
    static_membership: bool = Field(
        default=False,
        description="Keep a worker's share for its name through a restart that is "
        "shorter than the session; each worker needs a stable name of its own.",
        examples=[True],
    )

    @property
    def heartbeat_s(self) -> float:
        """Return how often Kafka hears of the worker."""
        return self.session_timeout_s / BEATS_A_SESSION

    @property
    def lease_s(self) -> float:
        """Return how long after a look a worker may go on without another.

        The broker counts the session from the last heartbeat, which may be one
        interval older than the pause that follows it.
        """
        return self.session_timeout_s - self.heartbeat_s

    def properties(self, options: dict[str, str]) -> dict[str, str]:
        """Return librdkafka's properties of the group's member, over `options`.

        With KIP-848 the broker sets both times, and librdkafka refuses them.
        """
        if options.get("group.protocol", "classic").lower() != "classic":
            return options
        return {
            **options,
            "session.timeout.ms": str(round(self.session_timeout_s * 1000)),
            "heartbeat.interval.ms": str(round(self.heartbeat_s * 1000)),
        }


def _mode_alone(value: object) -> object:
    return {"mode": value} if isinstance(value, str) else value


def spelled_out(tree: dict[str, Any]) -> dict[str, Any]:
    """Return settings with `ownership` as a mapping, so that others can be merged."""
    if "ownership" not in tree:
        return tree
    return {**tree, "ownership": _mode_alone(tree["ownership"])}


OwnershipSetting = Annotated[Ownership, BeforeValidator(_mode_alone)]
