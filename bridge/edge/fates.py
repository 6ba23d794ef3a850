"""What becomes of records that were given to librdkafka."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import confluent_kafka as ck

Report = Callable[[ck.KafkaError | None, ck.Message], None]


class Failure(NamedTuple):
    """A record that will never be in Kafka, and why; its headers are not known."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    code: str
    text: str
    retriable: bool
    fatal: bool


class Left(NamedTuple):
    """What `flush` could not deliver in time; `bytes` as the budget counts them."""

    messages: int
    bytes: int
    by_topic: Mapping[str, int]


class Latency(NamedTuple):
    """Produce to acknowledgement, of one record in 64, since the last look."""

    samples: int = 0
    total_s: float = 0.0
    max_s: float = 0.0


class Patience(NamedTuple):
    """How long to wait for reports: in silence, and at most, whatever is heard."""

    silence_s: float
    limit_s: float

    def over(self, silent_ns: int, waited_ns: int) -> bool:
        """Tell whether it is time to give up."""
        return silent_ns >= self.silence_s * 1e9 or waited_ns >= self.limit_s * 1e9


class Fate:
    """The delivery report of one record that somebody waits for."""

    __slots__ = ("_report", "known")

    def __init__(self, report: Report) -> None:
        """Pass the report on to `report`, which every other record's goes to."""
        self.known = False
        self._report = report

    def __call__(self, error: ck.KafkaError | None, message: ck.Message) -> None:
        """Take the report, from within librdkafka's poll."""
        self.known = True
        self._report(error, message)
