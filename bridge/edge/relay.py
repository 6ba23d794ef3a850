"""Gives records to librdkafka in order, over a full queue or a change of client.

TLS files are read by librdkafka when a client is made, so new ones need a new client.
It begins once the old one has reported on all it was given: nothing overtakes, and
nothing is given to both. A record may be in Kafka although its client has not heard of
it, so none is ever taken back from one client to be given to another.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import NoReturn

import confluent_kafka as ck

from bridge.core.model import Headers
from bridge.edge.fates import Fate

# In the order of what `ck.Producer.produce` takes.
Record = tuple[str, bytes, bytes, int, Fate | None, None, int, Headers | None]


class Relay:
    """The client that has the records, and those that wait behind it, in order."""

    def __init__(
        self, client: ck.Producer, refused: Callable[[Record, ck.KafkaError], None]
    ) -> None:
        """Begin with `client`; `refused` is told of records that it does not take."""
        self.overflow: deque[Record] = deque()
        self._refused = refused
        self._next: ck.Producer | None = None
        self._use(client)

    def _use(self, client: ck.Producer) -> None:
        self.client = client
        self.produce: Callable[..., None] = client.produce
        self.poll = client.poll

    def give(self, record: Record) -> None:
        """Give a record to the client, or keep it behind those that wait already."""
        if self.overflow or not self._given(record):
            self.overflow.append(record)

    def move_up(self, outstanding: int) -> None:
        """Change the client if it is time, and fill its queue up.

        `outstanding` is how many records, waiting ones included, have no known fate.
        """
        overflow = self.overflow
        if self._next is not None and outstanding == len(overflow):
            following, self._next = self._next, None
            self._follow(following)
        while overflow and self._given(overflow[0]):
            overflow.popleft()

    def renew(self, client: ck.Producer) -> None:
        """Go on with `client` as soon as the present one has nothing left."""
        unused, self._next = [self._next], client
        _drop(unused)
        self.produce = _full

    def login(self, user: str, password: str) -> None:
        """Use these from the next connection to a broker on."""
        for client in (self.client, self._next):
            if client is not None:
                client.set_sasl_credentials(user, password)

    def give_up(self) -> Counter[str]:
        """Drop all; return by topic what no client had, the rest comes by report."""
        waiting = Counter(record[0] for record in self.overflow)
        self.overflow.clear()
        self.client.purge(blocking=False)
        return waiting

    def _follow(self, client: ck.Producer) -> None:
        done: list[ck.Producer | None] = [self.client]
        self._use(client)
        _drop(done)

    def _given(self, record: Record) -> bool:
        """Give a record to the client; False if its queue is full."""
        try:
            self.produce(*record)
        except BufferError:
            return False
        except ck.KafkaException as error:
            self._refused(record, error.args[0])
        return True


def _drop(clients: list[ck.Producer | None]) -> None:
    """Let go of a client in a thread: the loop must not wait for librdkafka's end.

    The list must hold the last reference to it.
    """
    threading.Thread(target=clients.clear, name="dropping a producer").start()


def _full(*_record: object) -> NoReturn:
    raise BufferError
