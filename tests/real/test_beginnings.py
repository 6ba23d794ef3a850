"""Readers and members that begin just as a broker goes, go on when it is back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides NewTopic
    AdminClient,
    NewTopic,
)

from bridge.client.reader import Reader
from bridge.edge.group import Group, Membership
from bridge.edge.journal import Journal
from bridge.edge.kafka_options import Options
from bridge.errors import KafkaError
from tests.support.kafka import RealKafka
from tests.support.readers import Log, Recorder
from tests.support.running import Run, until

pytestmark = pytest.mark.timeout(180)

TOPIC = "beginnings"
# A stop takes half a second, so several of these begin in its midst.
READERS, EVERY_S = 10, 0.05
BACK_S = 90.0  # librdkafka believes for 900 s what it was told
CONNECTED_S, ASKED_S, AWAY_S = 1.5, 0.5, 1.0


def topic(broker: RealKafka) -> None:
    """Create the topic that is read."""
    admin = AdminClient(broker.client())
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(30)


def quiet(broker: RealKafka) -> Options:
    """Return properties of a client that does not tell of each vain attempt."""
    return {**broker.client(), "log_level": 0}


def followed(broker: RealKafka) -> tuple[Journal, Log]:
    """Follow the topic from the beginning."""
    log = Log()
    journal = Journal(quiet(broker), log)
    journal.open()
    journal.follow(TOPIC, 0, None)
    return journal, log


def test_they_ask_again_who_leads(
    private_kafka: Callable[..., RealKafka], run: Run
) -> None:
    """A broker that is about to end tells of partitions that nobody leads."""
    broker = private_kafka()
    topic(broker)

    async def main() -> None:
        journals, readers, tries = [], [], []
        stopped = asyncio.ensure_future(asyncio.to_thread(broker.stop))
        for _ in range(READERS):
            journals.append(followed(broker))
            readers.append(Reader(quiet(broker), TOPIC))
            tries.append(asyncio.create_task(readers[-1].follow([0])))
            await asyncio.sleep(EVERY_S)
        await stopped
        broker.start()  # not in a thread: a broker ends with the one that started it

        for journal, log in journals:
            await until(lambda log=log: log.caught_up(0), "all is read", BACK_S)  # type: ignore[misc]
            await journal.close()
        told = await asyncio.gather(*tries, return_exceptions=True)
        assert all(one is None or isinstance(one, KafkaError) for one in told), told
        for reader in readers:
            await reader.follow([0])
            await reader.close()

    run(main(), 150)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_member_that_was_about_to_join_joins(
    private_kafka: Callable[..., RealKafka], run: Run, protocol: str
) -> None:
    """A broker crashes while a member asks it for the topics that it wants."""
    broker = private_kafka()
    topic(broker)
    recorder = Recorder()
    options = {**quiet(broker), "group.protocol": protocol}

    async def main() -> None:
        group = recorder.group = Group(
            options, Membership("beginners", [TOPIC]), recorder
        )
        await asyncio.sleep(CONNECTED_S)
        broker.freeze()
        group.open()
        await asyncio.sleep(ASKED_S)
        broker.stop(signal.SIGKILL)
        await asyncio.sleep(AWAY_S)
        broker.start()

        await until(lambda: 0 in recorder.owned, "a share", BACK_S)
        await group.close()

    run(main(), 150)
