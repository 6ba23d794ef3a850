"""What becomes of records that were given to librdkafka."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import confluent_kafka as ck

Place = tuple[str, int]
"""A topic and a partition."""
Headers = list[tuple[str, str | bytes | None]]
Report = Callable[[ck.KafkaError | None, ck.Message, Headers | None], None]


class Failure(NamedTuple):
    """A record that will never be in Kafka, as far as is known, and why."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    code: str
    text: str
    retriable: bool
    fatal: bool
    headers: Headers | None = None

    @classmethod
    def of(
        cls,
        error: ck.KafkaError,
        place: Place,
        key: bytes,
        value: bytes,
        headers: Headers | None,
    ) -> Failure:
        """Return what librdkafka says of a record, as plain values."""
        code, text = error.name(), error.str()
        retriable, fatal = bool(error.retriable()), bool(error.fatal())
        return cls(*place, key, value, code, text, retriable, fatal, headers)


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

    def plus(self, seconds: float) -> Latency:
        """Return the same with one more sample."""
        samples, total_s, max_s = self
        return Latency(samples + 1, total_s + seconds, max(max_s, seconds))


class Patience(NamedTuple):
    """How long to wait for reports: in silence, and at most, whatever is heard."""

    silence_s: float
    limit_s: float

    def over(self, silent_ns: int, waited_ns: int) -> bool:
        """Tell whether it is time to give up."""
        return silent_ns >= self.silence_s * 1e9 or waited_ns >= self.limit_s * 1e9


class Fate:
    """The delivery report of one record that somebody waits for, or with headers.

    librdkafka's reports have no headers (2.16), so they are kept here.
    """

    __slots__ = ("_headers", "_report", "known", "place")

    def __init__(
        self, report: Report, place: Place, headers: Headers | None = None
    ) -> None:
        """Pass the report on to `report`, which every other record's goes to."""
        self._headers = headers
        self.known = False
        self.place = place
        self._report = report

    def __call__(self, error: ck.KafkaError | None, message: ck.Message) -> None:
        """Take the report, from within librdkafka's poll."""
        self.known = True
        self._report(error, message, self._headers)
