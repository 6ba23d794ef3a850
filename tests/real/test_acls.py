"""The rights that the chart asks Strimzi for, before Apache Kafka's own authorizer.

What each user does must work with exactly these, and nothing beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides some
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from tests.support.authorized import (
    ANSWERS,
    COMMANDS,
    FOREIGN,
    OPERATOR,
    PASSWORDS,
    RESPONSES,
    SENDER,
    WORKER,
    Said,
    Site,
    site,
)
from tests.support.processes import Feedbridge
from tests.support.running import wait_until

__all__ = ["site"]  # the fixture
pytestmark = pytest.mark.timeout(300)

BOOK = "finery.book.tradable"
AT_A_TIME = 8
REFUSED_SECONDS = 20
# librdkafka wants a group where none is joined; so that only the topic can be refused.
GROUPS = {
    WORKER: "feedbridge-journal",
    OPERATOR: "feedbridge-reader",
    SENDER: "feedbridge-client",
}
DENIED = (
    ck.KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ck.KafkaError.GROUP_AUTHORIZATION_FAILED,
    ck.KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)


def _all_live(site: Site) -> bool:
    return site.run(OPERATOR, "status", "--check").code == 0


def _owns(worker: Feedbridge) -> bool:
    """Tell whether it is a member of both groups and has a part of each topic."""
    return all(worker.events(f"{what}_assigned") for what in ("share", "commands"))


@pytest.fixture
def nothing_denied(site: Site) -> Iterator[None]:
    """Fail a test during which the authorizer refused anything."""
    before = len(site.denials())
    yield
    assert site.denials()[before:] == []


@pytest.mark.usefixtures("nothing_denied")
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_workers_share_feeds_and_take_over(site: Site, protocol: str) -> None:
    """Both protocols of groups; commands and feeds; the second goes on alone."""
    chosen = {"FEEDBRIDGE_KAFKA__OPTIONS__GROUP_PROTOCOL": protocol}
    with ExitStack() as stack:
        one = site.worker(stack, "one", **chosen)
        two = site.worker(stack, "two", **chosen)
        wait_until(lambda: _owns(one) and _owns(two), "shared", 90)
        wait_until(lambda: _all_live(site), "all live", 90)
        assert one.stop() == 0, one.errors()[-5:]
        wait_until(lambda: _all_live(site), "all live at the second", 60)
        assert two.stop() == 0, two.errors()[-5:]
    assert site.run(OPERATOR, "verify", "--all").code == 0


def _order(site: Site) -> Said:
    # The worst ask: the market moves on between this look and the order.
    ask = site.finery.do("book", instrument="BTC-USD")[1][-1][0]
    words = (f"priceE8={ask}", "sizeE8=1000000", "side=BID", "type=LIMIT_IOC")
    return site.run(SENDER, "send", "add", "instrument=BTC-USD", *words)


@pytest.mark.usefixtures("nothing_denied")
def test_a_sender_orders_and_an_operator_looks_and_halts(site: Site) -> None:
    """Everything that the two may do, in the order of a day."""
    with ExitStack() as stack:
        worker = site.worker(stack, "one")
        wait_until(lambda: _all_live(site), "all live", 90)
        said = _order(site)
        assert said.code == 0, said
        _write(site, WORKER, ANSWERS)
        _read(site, SENDER, ANSWERS)
        site.finery.do("inject", text="no json")

        for verb in (
            ("topics",),
            ("verify", "--all"),
            ("verify", RESPONSES),
            ("tail", BOOK, "--count", "3"),
            ("tail", "feedbridge.control", "--seconds", "2"),
            ("tail", "feedbridge.dead-letter", "--seconds", "2"),
            ("subscribe", "desk", "book.tradable:ETH-USD"),
            ("subscribe", "--list"),
            ("unsubscribe", "desk", "book.tradable:ETH-USD"),
            ("reduce", "desk"),
            ("halt", "desk", "--cancel-all"),
            ("resume", "desk"),
        ):
            said = site.run(OPERATOR, *verb)
            assert said.code == 0, (verb, said)
        assert worker.stop() == 0, worker.errors()[-5:]


@pytest.mark.usefixtures("nothing_denied")
def test_helms_own_test_passes(site: Site) -> None:
    """`helm test` runs `check --connect` as the workers' user."""
    said = site.run(WORKER, "check", "--connect")
    assert said.code == 0, said


# -- what nobody may


def _write(site: Site, user: str, topic: str) -> None:
    told: list[ck.KafkaError | None] = []
    producer = ck.Producer(site.client(user))
    producer.produce(topic, b"x", on_delivery=lambda error, _: told.append(error))
    assert producer.flush(REFUSED_SECONDS) == 0
    _raise(told[0])


def _read(site: Site, user: str, topic: str) -> None:
    mine: dict[str, Any] = {"group.id": GROUPS[user], "enable.partition.eof": True}
    mine["enable.auto.commit"] = False
    with ck.Consumer(site.client(user, **mine)) as consumer:
        _raise(consumer.list_topics(topic, REFUSED_SECONDS).topics[topic].error)
        consumer.assign([ck.TopicPartition(topic, 0, ck.OFFSET_BEGINNING)])
        message = consumer.poll(REFUSED_SECONDS)
    assert message is not None
    _raise(message.error())


def _join(site: Site, user: str, group: str) -> None:
    with ck.Consumer(site.client(user, **{"group.id": group})) as consumer:
        consumer.subscribe([COMMANDS])
        message = consumer.poll(REFUSED_SECONDS)
    assert message is not None
    _raise(message.error())


def _raise(error: ck.KafkaError | None) -> None:
    if error is not None:
        raise ck.KafkaException(error)


def _admin(
    call: Callable[[AdminClient], Mapping[Any, Any]],
) -> Callable[[Site, str, str], None]:
    """Turn an admin call into a try of a user's."""

    def tried(site: Site, user: str, _name: str) -> None:
        admin = AdminClient(site.client(user))
        for future in call(admin).values():
            future.result(REFUSED_SECONDS)

    return tried


def _configs(topic: str) -> ConfigResource:
    entry = ConfigEntry(
        "retention.ms", "1", incremental_operation=AlterConfigOpType.SET
    )
    kind = ConfigResource.Type.TOPIC
    return ConfigResource(kind, topic, incremental_configs=[entry])


def _everything(user: str) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        "*",
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )


_create = _admin(lambda admin: admin.create_topics([NewTopic("more", 1, 1)]))
_delete = _admin(lambda admin: admin.delete_topics([BOOK]))
_alter = _admin(lambda admin: admin.incremental_alter_configs([_configs(BOOK)]))
_forget = _admin(lambda admin: admin.delete_consumer_groups(["feedbridge"]))
_promote = _admin(lambda admin: admin.create_acls([_everything(SENDER)]))
Try = Callable[[Site, str, str], None]

# (user, what it tries, of what) -> refused.
REFUSED: Sequence[tuple[str, Try, str]] = [
    (WORKER, _write, FOREIGN),
    (WORKER, _write, COMMANDS),
    (WORKER, _write, "feedbridge.control"),
    (WORKER, _write, "feedbridge.subscriptions"),
    (WORKER, _write, "feedbridge.assignment"),
    (WORKER, _read, FOREIGN),
    (WORKER, _read, BOOK),
    (WORKER, _join, "payroll"),
    (WORKER, _join, "feedbridge-reader"),
    (OPERATOR, _write, BOOK),
    (OPERATOR, _write, RESPONSES),
    (OPERATOR, _write, "feedbridge.feed-state"),
    (OPERATOR, _read, FOREIGN),
    (OPERATOR, _join, "feedbridge"),
    (OPERATOR, _join, "feedbridge.commands"),
    (SENDER, _write, RESPONSES),
    (SENDER, _write, "feedbridge.control"),
    (SENDER, _write, "feedbridge.subscriptions"),
    (SENDER, _read, COMMANDS),
    (SENDER, _read, BOOK),
    (SENDER, _join, "feedbridge.commands"),
    (WORKER, _forget, "delete a group"),
    *((user, _create, "create a topic") for user in PASSWORDS),
    *((user, _delete, "delete a topic") for user in PASSWORDS),
    *((user, _alter, "alter a topic") for user in PASSWORDS),
    *((user, _promote, "give rights") for user in PASSWORDS),
]


def _outcome(site: Site, user: str, tried: Try, name: str) -> str:
    """Return what came of a try, in words; empty if the authorizer refused it."""
    what = f"{user}: {tried.__name__.strip('_')} {name}"
    try:
        tried(site, user, name)
    except ck.KafkaException as refused:
        error = refused.args[0]
        return "" if error.code() in DENIED else f"{what}: {error}"
    return f"{what}: allowed"


def test_nothing_else_is_allowed(site: Site) -> None:
    """All are tried at the same time: each is mostly waiting for the broker."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = pool.map(lambda one: _outcome(site, *one), REFUSED)
    assert [text for text in found if text] == []
    told = "\n".join(site.denials())
    assert all(f"User:{user} is Denied" in told for user in PASSWORDS)
