"""What becomes of records that were given to librdkafka."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

import confluent_kafka as ck

from bridge.core.model import Headers

Place = tuple[str, int]
"""A topic and a partition."""
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


class Watched:
    """The records that somebody waits for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._fates: deque[Fate] = deque()

    def add(self, fate: Fate) -> None:
        """Watch one more; those whose fate is known are let go in their order."""
        while self._fates and self._fates[0].known:
            self._fates.popleft()
        self._fates.append(fate)

    def unknown(self, places: Container[Place]) -> list[Fate]:
        """Return those of these places whose fate is not known yet."""
        return [one for one in self._fates if not one.known and one.place in places]
