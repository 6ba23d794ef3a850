"""The partitions that a group's member owns: where each stands, and which are silent.

Belongs to the member's thread. A partition is silent in librdkafka until it is started,
and while more was handed over than the limits allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import confluent_kafka as ck

from bridge.edge.consumer import Message, Partition
from bridge.edge.membership import Limits, Progress

LOOK_NS = 500_000_000
LOW = 0.5  # share of the limits below which a full member reads on


class Place:
    """One owned partition."""

    def __init__(self, name: Partition) -> None:
        """Begin silent and not started."""
        self.name = name
        self.next: int | None = None  # what to hand over next; None: not started
        self.sought = False
        self.moved = False  # since a message was handed over
        self.silent = True
        self.end = 0  # where nothing was left when the client last said so
        self.messages = 0  # handed over and not taken
        self.bytes = 0

    def at(self, offset: int) -> ck.TopicPartition:
        """Return a position in it, in librdkafka's terms."""
        return ck.TopicPartition(*self.name, offset)


class Places:
    """All owned partitions."""

    def __init__(self, consumer: ck.Consumer, limits: Limits) -> None:
        """Begin with none."""
        self._consumer = consumer
        self._limits = limits
        self._places: dict[Partition, Place] = {}
        self._full = False
        self._lags: tuple[tuple[Partition, int | None], ...] = ()
        self._looked_ns = 0

    def __contains__(self, name: object) -> bool:
        return name in self._places

    @property
    def names(self) -> list[Partition]:
        """Return what is owned."""
        return list(self._places)

    def add(self, names: Iterable[Partition]) -> None:
        """Own more; from within the assignment's callback."""
        places = [Place(name) for name in names]
        # Nothing is read from here: `start` seeks. The beginning would have to be asked
        # for, and an answer that comes after the seek undoes it (librdkafka 2.16).
        anywhere = [place.at(0) for place in places]
        self._consumer.incremental_assign(anywhere)
        self._consumer.pause(anywhere)
        self._places |= {place.name: place for place in places}

    def drop(self, names: Iterable[Partition]) -> None:
        """Own less; from within the revocation's callback."""
        for name in names:
            self._places.pop(name, None)

    def start(self, name: Partition, offset: int | None) -> None:
        """Read on from `offset`, or from the oldest message."""
        if place := self._places.get(name):
            place.next = ck.OFFSET_BEGINNING if offset is None else offset
            place.end = 0
            place.sought = False
            place.moved = True

    def handed(self, message: Message) -> None:
        """Count a message that goes to the loop."""
        if place := self._places.get(message[:2]):
            place.next = message.offset + 1
            place.moved = False
            place.messages += 1
            place.bytes += _size(message)
            self._weigh()

    def ended(self, name: Partition, end: int) -> None:
        """Note that nothing is left before `end`: the markers of transactions may be.

        They take offsets, and never come as messages.
        """
        if (place := self._places.get(name)) and place.sought:
            place.end = end

    def taken(self, message: Message) -> None:
        """Count a message as taken; one of an earlier ownership makes no room."""
        if place := self._places.get(message[:2]):
            place.messages = max(0, place.messages - 1)
            place.bytes = max(0, place.bytes - _size(message))
            self._weigh()

    @property
    def full(self) -> bool:
        """Tell whether nothing more may be handed over."""
        return self._full

    @property
    def waiting(self) -> int:
        """Return how many messages were handed over and not taken."""
        return sum(place.messages for place in self._places.values())

    def wants(self, message: Message) -> bool:
        """Tell whether it is to be handed over: ours, started, not stale."""
        place = self._places.get(message[:2])
        return place is not None and place.next is not None and place.sought

    def missed(self, message: Message) -> Mapping[str, object]:
        """Return what was wanted and what came, if the first message is another one.

        Later on a hole is no sign of loss: the markers of transactions make them.
        """
        topic, number, found = message[:3]
        place = self._places[topic, number]
        wanted = place.next if place.moved else None
        if wanted is None or wanted < 0 or wanted == found:
            return {}
        return {"topic": topic, "partition": number, "wanted": wanted, "found": found}

    def adjust(self) -> bool:
        """Seek, silence and wake as wanted; tell whether anything can come.

        A partition that cannot be sought yet is tried again next time.
        """
        speaking = False
        for place in self._places.values():
            self._seek(place)
            silent = not place.sought or self._full
            if silent != place.silent:
                change = self._consumer.pause if silent else self._consumer.resume
                change([place.at(ck.OFFSET_INVALID)])
                place.silent = silent
            speaking = speaking or not silent
        return speaking

    def progress(self, now_ns: int, *, is_member: bool) -> Progress:
        """Return the facts; the lags are looked up twice a second."""
        if now_ns - self._looked_ns > LOOK_NS:
            self._looked_ns = now_ns
            self._lags = tuple((n, self._lag(p)) for n, p in self._places.items())
        return Progress(now_ns, self.waiting, self._lags, is_member)

    def _weigh(self) -> None:
        share = LOW if self._full else 1.0
        messages = self.waiting
        size = sum(place.bytes for place in self._places.values())
        self._full = (
            messages >= self._limits.messages * share
            or size >= self._limits.bytes * share
        )

    def _seek(self, place: Place) -> None:
        if place.sought or place.next is None:
            return
        try:
            self._consumer.seek(place.at(place.next))
        except ck.KafkaException as error:
            if error.args[0].code() != ck.KafkaError._STATE:  # noqa: SLF001 - public
                raise
        else:
            place.sought = True

    def _lag(self, place: Place) -> int | None:
        if place.next is None or not place.sought:
            return None
        low, high = self._consumer.get_watermark_offsets(
            place.at(ck.OFFSET_INVALID), cached=True
        )
        return max(0, high - max(low, place.next, place.end)) if high >= 0 else None


def _size(message: Message) -> int:
    return len(message.value or b"") + len(message.key or b"")


def names_of(found: Iterable[ck.TopicPartition]) -> list[Partition]:
    """Return the partitions that librdkafka speaks of."""
    return [(one.topic, one.partition) for one in found]
