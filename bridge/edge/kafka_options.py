"""The librdkafka properties of each client: the user's over ours, promises on top.

Property names and defaults: librdkafka 2.16, CONFIGURATION.md, read 2026-11-21.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import confluent_kafka as ck

from bridge.errors import ConfigError

Options = Mapping[str, str | int | bool | float]
"""librdkafka properties by name, as they stand under `kafka.options`."""

LOGGER = logging.getLogger("feedbridge.librdkafka")


class KafkaClient(Protocol):
    """A client that goes on while the way into Kafka changes."""

    def renew(self, options: Options) -> None:
        """Go on with these properties, and with the TLS files as they are now.

        Raises ConfigError, and changes nothing, where librdkafka refuses.
        """

    def login(self, user: str, password: str) -> None:
        """Use these from the next connection to a broker on; PLAIN and SCRAM."""


class Mark(NamedTuple):
    """A level of what waits for Kafka; either count alone passes it."""

    bytes: int
    messages: int

    def passed(self, bytes_: int, messages: int) -> bool:
        """Tell whether more waits than this."""
        return bytes_ > self.bytes or messages > self.messages


class Budget(NamedTuple):
    """How much may wait for Kafka, and the two marks as shares of it."""

    max_bytes: int = 64 * 1024 * 1024
    max_messages: int = 100_000
    high: float = 0.5
    low: float = 0.2

    def mark(self, share: float) -> Mark:
        """Return the mark at a share of the budget."""
        return Mark(int(self.max_bytes * share), int(self.max_messages * share))


# Without one of these the promise of no silent loss, or the counting, would break.
# Each line: the names, the only values allowed, and why.
KEPT = (
    (("enable.idempotence",), {"true"}, "retries would reorder and double records"),
    (
        ("acks", "request.required.acks"),
        {"all", "-1"},
        "an acknowledged record could be lost with its broker",
    ),
    (
        ("delivery.report.only.error",),
        {"false"},
        "every record's fate is counted from its report",
    ),
    (
        ("transactional.id",),
        {""},
        "a WebSocket has no offsets to commit, so no transactions are begun",
    ),
)

PRODUCER = {
    "acks": "all",
    "enable.idempotence": "true",
    "linger.ms": 5,
    # Below the broker's default limit of 1,048,588 bytes a request: a record above
    # that limit then fails alone, not with its neighbours.
    "batch.size": 1_000_000,
    "compression.type": "none",
    "delivery.timeout.ms": 300_000,
    # A dead letter may hold a whole frame; the topic's own limit decides, not ours.
    "message.max.bytes": 64 * 1024 * 1024,
    # As the Java clients do, for keys whose partition is not given.
    "partitioner": "murmur2_random",
    # A broker that went without a word is given up within this; librdkafka's own minute
    # would hold every record back for as long.
    "socket.timeout.ms": 10_000,
    "statistics.interval.ms": 10_000,
    "log.connection.close": "false",
}

# librdkafka holds a property under all its names, and takes the last one given. These
# have two, and are set by us; those of KEPT can have no other value under either.
SAME = {
    "compression.codec": "compression.type",
    "message.timeout.ms": "delivery.timeout.ms",
    "queue.buffering.max.ms": "linger.ms",
}

# Only for producers; other clients would warn that they ignore them.
PRODUCER_ONLY = frozenset(PRODUCER) - {
    "socket.timeout.ms",
    "statistics.interval.ms",
    "message.max.bytes",
    "log.connection.close",
} | {
    "batch.num.messages",
    "compression.codec",
    "compression.level",
    "delivery.report.only.error",
    "enable.gapless.guarantee",
    "max.in.flight",
    "message.send.max.retries",
    "message.timeout.ms",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "sticky.partitioning.linger.ms",
    "transactional.id",
}


def producer_options(options: Options, budget: Budget) -> dict[str, Any]:
    """Return the properties of the producer.

    Raises:
        ConfigError: a property takes a promise away; all of them at once.
    """
    mine = _texts(options)
    problems = [
        f"kafka.options.{name}: expected {' or '.join(sorted(allowed)) or 'nothing'},"
        f" not {mine[name]!r}: {why}"
        for names, allowed, why in KEPT
        for name in names
        if name in mine and mine[name].lower() not in allowed
    ]
    if problems:
        raise ConfigError(problems)
    caps = {
        "queue.buffering.max.messages": budget.max_messages,
        "queue.buffering.max.kbytes": max(1, budget.max_bytes // 1024),
    }
    return PRODUCER | caps | mine | {"logger": LOGGER}


def client_options(options: Options, **ours: str | int) -> dict[str, Any]:
    """Return the properties of a consumer or admin client; `ours` win."""
    mine = {k: v for k, v in _texts(options).items() if k not in PRODUCER_ONLY}
    fixed = {name.replace("_", "."): value for name, value in ours.items()}
    return mine | fixed | {"logger": LOGGER}


def refusal(error: ck.KafkaException) -> ConfigError:
    """Turn what librdkafka says about a property into our error."""
    return ConfigError([f"kafka.options: {error.args[0].str()}"])


def one_name(options: Options) -> dict[str, str | int | float | bool]:
    """Return properties under the names that are used here; see SAME.

    Where both names of one are given, that of ours wins.
    """
    renamed = {SAME[name]: value for name, value in options.items() if name in SAME}
    named = {name: value for name, value in options.items() if name not in SAME}
    return renamed | named


def _texts(options: Options) -> dict[str, str]:
    """Write values as librdkafka reads them: booleans in small letters."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in one_name(options).items()
    }
