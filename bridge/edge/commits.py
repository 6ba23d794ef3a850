"""What a group's member commits: the newest offset of each partition, sent in turn.

Belongs to the member's thread.
"""

from __future__ import annotations

import confluent_kafka as ck

from bridge.edge.consumer import Partition
from bridge.edge.reader_thread import Troubles

KNOWN_S = 5.0


class Commits:
    """Offsets that wait to be sent, in one request at a time."""

    def __init__(self, troubles: Troubles) -> None:
        """Begin with none; what fails is told to `troubles`."""
        self._troubles = troubles
        self._waiting: dict[Partition, int] = {}
        self._busy = False

    def add(self, name: Partition, offset: int) -> None:
        """Commit this, too; of several for one partition the last one counts."""
        self._waiting[name] = offset

    def forget(self, name: Partition) -> None:
        """Do not commit what waits for a partition."""
        self._waiting.pop(name, None)

    def clear(self) -> None:
        """Begin anew with another client, which hears of no request of before."""
        self._waiting, self._busy = {}, False

    def send(self, consumer: ck.Consumer, *, even_if_busy: bool = False) -> None:
        """Send what waits in one request, one request at a time."""
        if not self._waiting or (self._busy and not even_if_busy):
            return
        found, self._waiting = self._waiting, {}
        self._busy = True
        consumer.commit(
            offsets=[ck.TopicPartition(*n, offset) for n, offset in found.items()],
            asynchronous=True,
        )

    def known(
        self, consumer: ck.Consumer, found: list[ck.TopicPartition]
    ) -> dict[Partition, int]:
        """Return the group's offsets, as far as there are any and they can be read."""
        try:
            answers = consumer.committed(found, timeout=KNOWN_S)
        except ck.KafkaException as error:
            self._troubles.kafka(error.args[0])
            return {}
        good = [one for one in answers if one.error is None and one.offset >= 0]
        return {(one.topic, one.partition): one.offset for one in good}

    def on_commit(
        self, error: ck.KafkaError | None, found: list[ck.TopicPartition]
    ) -> None:
        """Take librdkafka's answer, from within its poll."""
        self._busy = False
        for one in found:
            if why := error or one.error:
                facts = {"topic": one.topic, "partition": one.partition}
                self._troubles.note("commit_failed", facts | {"code": why.name()})
