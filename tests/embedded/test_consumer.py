"""Reading topics from their beginning, and looking at them."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, cast

import confluent_kafka as ck
import pytest
from typing_extensions import override

from bridge.edge import consumer as edge
from bridge.edge.consumer import Message, read_range
from bridge.edge.kafka_options import Options
from bridge.embedded import EmbeddedKafka
from bridge.errors import ConfigError, KafkaError
from tests.support.running import Run


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics={"a": 2, "b": 1, "empty": 3}) as cluster:
        yield cluster


def options(kafka: EmbeddedKafka) -> Options:
    return {"bootstrap.servers": kafka.bootstrap, "fetch.wait.max.ms": 10}


def produce(kafka: EmbeddedKafka, *records: tuple[str, int, bytes | None]) -> None:
    client = ck.Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 1})
    for topic, partition, value in records:
        client.produce(topic, value, b"k", partition, timestamp=1_700_000_000_001)
    assert client.flush(10) == 0


async def read(kafka: EmbeddedKafka, *topics: str) -> list[Message]:
    return [message async for message in read_range(options(kafka), topics)]


def test_everything_until_now_is_read_in_order(kafka: EmbeddedKafka, run: Run) -> None:
    """Every record of every partition comes, in its partition's order; then it ends."""
    sent = [("a", n % 2, b"%d" % n) for n in range(2000)] + [("b", 0, b"x")]
    produce(kafka, *sent)
    found = run(read(kafka, "a", "b", "empty"))
    assert len(found) == len(sent)
    for place in (("a", 0), ("a", 1), ("b", 0)):
        mine = [m for m in found if m[:2] == place]
        assert [m.value for m in mine] == [v for t, p, v in sent if (t, p) == place]
        assert [m.offset for m in mine] == list(range(len(mine)))


def test_a_record_comes_whole(kafka: EmbeddedKafka, run: Run) -> None:
    """Key, value, time and headers come as they were produced; nothing may be None."""
    client = ck.Producer({"bootstrap.servers": kafka.bootstrap})
    client.produce("b", None, b"k", timestamp=1_700_000_000_001, headers=[("h", b"1")])
    client.produce("b", b"v", None, timestamp=1_700_000_000_002)
    assert client.flush(10) == 0
    assert run(read(kafka, "b")) == [
        ("b", 0, 0, b"k", None, 1_700_000_000_001, [("h", b"1")]),
        ("b", 0, 1, None, b"v", 1_700_000_000_002, []),
    ]


def test_empty_topics_end_at_once(kafka: EmbeddedKafka, run: Run) -> None:
    """Topics without a record give none, and do not wait for one."""
    assert run(read(kafka, "empty")) == []


def test_what_comes_later_is_not_read(kafka: EmbeddedKafka, run: Run) -> None:
    """The end of each partition is where it was when reading began."""

    async def main() -> None:
        produce(kafka, ("a", 0, b"old"), *[("a", 1, b"x")] * 5000)
        found: list[bytes | None] = []
        async with aclosing(read_range(options(kafka), ["a"])) as messages:
            async for message in messages:
                found.append(message.value)
                if len(found) == 1:
                    produce(kafka, ("a", 0, b"late"))
                    await asyncio.sleep(0.3)
        assert found.count(b"old") == 1
        assert found.count(b"x") == len(found) - 1 == 5000

    run(main())


def test_a_tail_without_records_is_reached(kafka: EmbeddedKafka) -> None:
    """A partition whose last offsets hold no record ends with librdkafka's own word.

    Compaction and transactions leave such tails.
    """

    class End:
        """The event that a partition was read up to an offset."""

        def __init__(self, offset: int) -> None:
            self.at = offset

        def error(self) -> ck.KafkaError:
            return ck.KafkaError(ck.KafkaError._PARTITION_EOF)

        def topic(self) -> str:
            return "b"

        def partition(self) -> int:
            return 0

        def offset(self) -> int:
            return self.at

    wanted = edge._Range({("b", 0): 10}, follow=False)
    assert wanted.take([cast("ck.Message", End(9))]) == []
    assert wanted.open
    assert wanted.take([cast("ck.Message", End(10))]) == []
    assert not wanted.open


def test_follow_goes_on(kafka: EmbeddedKafka, run: Run) -> None:
    """With follow, records that come later are read, too."""

    async def main() -> None:
        produce(kafka, ("b", 0, b"first"))
        found = []
        messages = read_range(options(kafka), ["b", "empty"], follow=True)
        async with aclosing(messages):
            async for message in messages:
                found.append(message.value)
                if len(found) == 1:
                    produce(kafka, ("empty", 2, b"second"))
                if len(found) == 2:
                    break
        assert found == [b"first", b"second"]

    run(main())


def test_from_the_end_old_records_are_not_even_fetched(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """What lies there already is not read, however much it is."""
    handed: list[int | None] = []

    class Counting(ck.Consumer):
        @override
        def consume(
            self, num_messages: int = 1, timeout: float = -1
        ) -> list[ck.Message]:
            found = super().consume(num_messages, timeout)
            handed.extend(m.offset() for m in found if m.error() is None)
            return found

    async def main() -> None:
        produce(kafka, *[("a", 0, b"old")] * 2000, *[("b", 0, b"old")] * 10)
        messages = read_range(options(kafka), ["a", "b"], start="end", follow=True)
        async with aclosing(messages):
            first = asyncio.ensure_future(anext(messages))
            while not first.done():
                produce(kafka, ("a", 0, b"new"))
                await asyncio.wait([first], timeout=0.2)
            assert first.result().value == b"new"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.edge.consumer.ck.Consumer", Counting)
        run(main())
    assert handed
    assert min(offset or 0 for offset in handed) >= 2000


def test_from_the_end_to_the_end_is_nothing(kafka: EmbeddedKafka, run: Run) -> None:
    """Without follow, nothing is to be waited for."""
    produce(kafka, ("b", 0, b"old"))

    async def main() -> list[Message]:
        return [m async for m in read_range(options(kafka), ["b"], start="end")]

    assert run(main()) == []


@pytest.mark.parametrize("follow", [False, True])
def test_what_retention_removes_in_mid_read_is_told(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch, *, follow: bool
) -> None:
    """A range would have a hole, so it ends with an error; a follower reads on."""
    monkeypatch.setattr(edge, "BUFFER_KBYTES", 1)
    slow = {**options(kafka), "fetch.message.max.bytes": 20_000}

    async def main() -> None:
        produce(kafka, *[("b", 0, b"x" * 1000)] * 4000)
        messages = read_range(slow, ["b"], follow=follow)
        async with aclosing(messages):
            await anext(messages)
            produce(kafka, *[("b", 0, b"y" * 1000)] * 8000)  # the mock keeps 5 MB
            async for message in messages:
                if message.value and message.value[:1] == b"y":
                    return

    if follow:
        run(main())
        return
    with pytest.raises(KafkaError, match=r"b/0: retention removed records .*again"):
        run(main())


def test_leaving_early_closes_the_client(kafka: EmbeddedKafka, run: Run) -> None:
    """A reader cancelled while its thread waits closes its client after that."""
    closed: list[bool] = []
    inside: list[bool] = []

    class Watched(ck.Consumer):
        @override
        def consume(
            self, num_messages: int = 1, timeout: float = -1
        ) -> list[ck.Message]:
            inside.append(True)
            try:
                return super().consume(num_messages, timeout)
            finally:
                time.sleep(0.1)
                inside.clear()

        @override
        def close(self) -> None:
            closed.append(not inside)
            super().close()

    async def main() -> None:
        async def endless() -> None:
            async with aclosing(read_range(options(kafka), ["b"], follow=True)) as all_:
                async for _ in all_:
                    pass

        task = asyncio.ensure_future(endless())
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.edge.consumer.ck.Consumer", Watched)
        run(main())
    assert closed == [True]


def test_a_missing_topic_is_told(kafka: EmbeddedKafka, run: Run) -> None:
    """A topic that is not there is named, and not created by asking."""
    for _ in range(2):
        with pytest.raises(KafkaError, match=r"no such topic: nope;.*topics"):
            run(read(kafka, "a", "nope"))


def test_no_broker_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker the error says so, and what to check."""
    monkeypatch.setattr(edge, "METADATA_S", 0.3)

    async def main() -> None:
        nowhere = {"bootstrap.servers": "127.0.0.1:1"}
        with pytest.raises(KafkaError, match=r"cannot read: .*kafka\.bootstrap"):
            async for _ in read_range(nowhere, ["a"]):
                pass

    run(main())


def test_silence_is_told(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When brokers go away before the end is reached, the rest is named."""
    monkeypatch.setattr(edge, "SILENCE_S", 0.5)

    monkeypatch.setattr(edge, "BUFFER_KBYTES", 1)
    produce(kafka, *[("b", 0, b"x" * 1000)] * 2000)
    slow = {**options(kafka), "fetch.message.max.bytes": 20_000}

    async def main() -> None:
        messages = read_range(slow, ["b"])
        await anext(messages)
        kafka.broker_down()
        async for _ in messages:
            pass

    with pytest.raises(KafkaError, match=r"not read to the end: b/0"):
        run(main())


def test_a_refused_read_is_told(kafka: EmbeddedKafka, run: Run) -> None:
    """An error that does not pass by itself ends the reading, with Kafka's name."""
    fetch, not_authorized = 1, 29
    produce(kafka, ("b", 0, b"x"))
    kafka.fail_requests(fetch, [not_authorized] * 20)
    with pytest.raises(KafkaError, match="TOPIC_AUTHORIZATION_FAILED"):
        run(read(kafka, "b"))


def test_a_passing_error_is_ridden_out(kafka: EmbeddedKafka, run: Run) -> None:
    """Errors that librdkafka heals are not seen."""
    fetch, not_leader, transport = 1, 6, -195
    produce(kafka, ("b", 0, b"x"))
    kafka.fail_requests(fetch, [not_leader, transport, not_leader])
    assert [message.value for message in run(read(kafka, "b"))] == [b"x"]


def test_producer_options_do_no_harm(
    kafka: EmbeddedKafka, run: Run, caplog: Any
) -> None:
    """The one set of options serves all clients, without a warning."""
    produce(kafka, ("b", 0, b"x"))

    async def main() -> int:
        mixed = {
            **options(kafka),
            "acks": "all",
            "linger.ms": 5,
            "compression.type": "lz4",
        }
        return len([m async for m in read_range(mixed, ["b"])])

    assert run(main()) == 1
    assert [r for r in caplog.records if "CONFWARN" in r.getMessage()] == []


def test_an_unknown_option_is_a_settings_error(run: Run) -> None:
    """A property that librdkafka does not know is a settings error."""

    async def main() -> None:
        async for _ in read_range({"no.such": "x"}, ["a"]):
            pass

    with pytest.raises(ConfigError, match=r"kafka\.options: .*no\.such"):
        run(main())
