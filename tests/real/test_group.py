"""Group, journal and compacted topics on Apache Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides NewTopic
    AdminClient,
    NewTopic,
)

from bridge.edge.compacted import Follow, read_compacted
from bridge.edge.group import Membership
from bridge.edge.kafka_options import Options
from tests.support.kafka import RealKafka
from tests.support.readers import Log, Recorder, journal, member, put
from tests.support.running import Run, until

pytestmark = pytest.mark.timeout(120)

PARTITIONS = 4
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])
# A member in a process of its own: prints what it owns; its first argument says how.
PROGRAM = """
import asyncio, json, sys
from bridge.edge.group import Membership
from tests.support.readers import Recorder, member

class Printing(Recorder):
    def on_assigned(self, *told):
        super().on_assigned(*told)
        self.show()
    def on_revoked(self, *told):
        super().on_revoked(*told)
        self.show()
    def on_lost(self, *told):
        super().on_lost(*told)
        self.show()
    def show(self):
        print(json.dumps([sorted(self.owned), self.told[-1][0]]), flush=True)

async def main(options, group):
    async with member(options, Membership(**group), Printing()):
        await asyncio.sleep(600)

asyncio.run(main(*json.loads(sys.argv[1])))
"""


def new_topic(kafka: RealKafka, partitions: int = PARTITIONS, **config: str) -> str:
    name = f"t-{uuid4().hex[:12]}"
    named = {key.replace("_", "."): value for key, value in config.items()}
    admin = AdminClient(kafka.client())
    futures = admin.create_topics([NewTopic(name, partitions, 1, config=named)])
    futures[name].result(20)
    return name


def options(kafka: RealKafka, protocol: str = "classic") -> Options:
    paces: dict[str, str | int] = {"fetch.wait.max.ms": 50}
    if protocol == "classic":
        paces |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    return {**kafka.client(), "group.protocol": protocol, **paces}


def group_on(topic: str) -> Membership:
    return Membership(f"g-{topic}", [topic])


def owns(*recorders: Recorder) -> bool:
    """Tell whether the partitions are shared out, each to one member."""
    owned = sorted(number for recorder in recorders for number in recorder.owned)
    return owned == list(range(PARTITIONS)) and all(r.owned for r in recorders)


def told(recorder: Recorder, word: str) -> set[int]:
    return {t[2] for t in recorder.told if t[0] == word}


def closing() -> list[threading.Thread]:
    """List what was left to itself."""
    return [thread for thread in threading.enumerate() if "closing" in thread.name]


class Other:
    """A member in another process, that can be stopped in its tracks."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.states: list[tuple[set[int], str]] = []

    async def read(self) -> None:
        """Keep up with what it prints."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            owned, word = json.loads(line)
            self.states.append((set(owned), word))

    @property
    def owned(self) -> set[int]:
        return self.states[-1][0] if self.states else set()


@asynccontextmanager
async def other(options: Options, group: Mapping[str, object]) -> AsyncGenerator[Other]:
    """Run a member in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        json.dumps([options, group]),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    made = Other(process)
    reading = asyncio.ensure_future(made.read())
    try:
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@PROTOCOLS
def test_a_share_moves_with_its_commits(
    kafka: RealKafka, run: Run, protocol: str
) -> None:
    """A second member gets its share after the release, with the last commits.

    What stays is never revoked; closing gives the share back at once.
    """
    topic = new_topic(kafka)
    put(kafka.client(), [(topic, n % PARTITIONS, b"%d" % n) for n in range(400)])
    ours = options(kafka, protocol)

    async def main() -> None:
        one, two = Recorder(), Recorder()
        one.releases = two.starts = False
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(member(ours, group_on(topic), one))
            await until(lambda: len(one.messages) == 400, "all messages")
            assert [one.offsets(n) for n in range(PARTITIONS)] == [[*range(100)]] * 4
            async with member(ours, group_on(topic), two):
                await until(lambda: len(told(one, "revoked")) == 2, "the revocation")
                await asyncio.sleep(1)
                asked = told(one, "revoked")
                assert two.owned == {}
                for partition in asked:
                    one.its.commit(topic, partition, 50 + partition)
                    one.its.release(topic, partition)
                    del one.owned[partition]
                await until(lambda: owns(one, two), "an even share")
                assert two.owned == {n: 50 + n for n in asked}
                assert told(one, "revoked") == asked
            left = time.monotonic()
            await until(lambda: len(one.owned) == PARTITIONS, "all again", 10)
            # A session lasts six seconds (KIP-848: 45); leaving is quicker than that.
            assert time.monotonic() - left < 5.5
        assert told(one, "lost") == set()

    run(main())


@PROTOCOLS
def test_a_frozen_member_loses_its_partitions(
    private_kafka: Callable[..., RealKafka], run: Run, protocol: str
) -> None:
    """A process that stands still past its session loses all, and learns it awake."""
    session = {
        "group.consumer.session.timeout.ms": "6000",
        "group.consumer.min.session.timeout.ms": "6000",
        "group.consumer.heartbeat.interval.ms": "500",
        "group.consumer.min.heartbeat.interval.ms": "500",
    }
    kafka = private_kafka(options=session)
    topic = new_topic(kafka)
    ours = options(kafka, protocol)
    group = group_on(topic)

    async def main() -> None:
        async with (
            other(ours, {"group_id": group.group_id, "topics": [topic]}) as frozen,
            member(ours, group) as here,
        ):
            await until(lambda: len(frozen.owned) == len(here.owned) == 2, "shares")
            frozen.process.send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            await until(lambda: len(here.owned) == PARTITIONS, "all partitions")
            assert time.monotonic() - stopped < 15
            frozen.process.send_signal(signal.SIGCONT)
            await until(
                lambda: any(word == "lost" for _, word in frozen.states), "the loss"
            )
            await until(lambda: len(frozen.owned) == len(here.owned) == 2, "shares")
            assert not frozen.owned & set(here.owned)

    run(main())


@PROTOCOLS
def test_a_static_member_keeps_its_partitions(
    kafka: RealKafka, run: Run, protocol: str
) -> None:
    """A static member that comes back within its session gets the same partitions.

    Nothing moves meanwhile.
    """
    topic = new_topic(kafka)
    ours = options(kafka, protocol)
    group = group_on(topic)

    async def main() -> None:
        async with member(ours, group._replace(instance_id="a")) as stays:
            one = Recorder()
            async with member(ours, group._replace(instance_id="b"), one):
                await until(lambda: owns(stays, one), "an even share")
                before = stays.told.copy()
                mine = set(one.owned)
            await asyncio.sleep(1)
            async with member(ours, group._replace(instance_id="b")) as again:
                await until(lambda: set(again.owned) == mine, "the same share")
                assert stays.told == before

    run(main())


def test_a_fenced_member_says_so(kafka: RealKafka, run: Run) -> None:
    """A second member of the same name ends the first one, with a sentence."""
    topic = new_topic(kafka)
    ours = options(kafka)
    static = group_on(topic)._replace(instance_id="a")

    async def main() -> None:
        one = Recorder()
        async with member(ours, static, one):
            await until(lambda: len(one.owned) == PARTITIONS, "all partitions")
            async with member(ours, static) as two:
                await until(lambda: len(two.owned) == PARTITIONS, "all partitions")
                await until(lambda: one.failures != [], "the failure")
            assert "fenced" in str(one.failures[0])
            one.failures.clear()

    run(main())


def test_a_frozen_broker_does_not_hold_up_the_end(
    private_kafka: Callable[..., RealKafka], run: Run
) -> None:
    """Closing ends in bounded time, even if the broker answers nothing any more."""
    kafka = private_kafka()
    topic = new_topic(kafka)

    async def main() -> None:
        log, one = Log(), Recorder()
        async with (
            journal(options(kafka), log) as it,
            member(options(kafka), group_on(topic), one),
        ):
            it.follow(topic, 0, None)
            await until(lambda: log.caught_up(0), "the end")
            await until(lambda: len(one.owned) == PARTITIONS, "all partitions")
            kafka.freeze()
            one.its.commit(topic, 0, 1)
            began = time.monotonic()
            await asyncio.gather(it.close(), one.its.close())
            took = time.monotonic() - began
            kafka.thaw()
        assert took < 8
        await until(lambda: closing() == [], "librdkafka's own end")

    run(main())


def test_five_megabytes_fit(kafka: RealKafka, run: Run) -> None:
    """A message of 5 MB comes through, and so does the one behind it."""
    topic = new_topic(kafka, max_message_bytes="6000000")
    huge = b"x" * 5_000_000
    put(kafka.client(), [(topic, 0, huge), (topic, 0, b"after")])

    async def main() -> None:
        async with member(options(kafka), group_on(topic)) as it:
            await until(lambda: len(it.messages) == 2, "both")
        assert [m.value for m in it.messages] == [huge, b"after"]

    run(main())


def test_the_marker_of_a_transaction_is_no_lag(kafka: RealKafka, run: Run) -> None:
    """It takes an offset and never comes: a worker would wait for it for ever.

    A member that begins at the marker hears of no message at all.
    """
    topic = new_topic(kafka)
    writer = ck.Producer({**kafka.client(), "transactional.id": topic})
    writer.init_transactions(20)
    writer.begin_transaction()
    writer.produce(topic, b"command", partition=0)
    writer.commit_transaction(20)

    async def main() -> None:
        for came in ([0], []):
            async with member(options(kafka), group_on(topic)) as it:
                it.commits = True
                await until(
                    lambda it=it: dict(it.its.progress.lags).get((topic, 0)) == 0,  # type: ignore[misc]
                    "no lag",
                )
                assert it.offsets(0) == came
                assert it.noted("group_trouble") == []

    run(main())


def test_the_journal_starts_at_a_time(kafka: RealKafka, run: Run) -> None:
    """Reading starts at the first record that is as new as was asked for.

    Where none is, there is nothing to read, and new records follow.
    """
    topic = new_topic(kafka)
    now_ms = time.time_ns() // 1_000_000
    for n in range(10):
        put(kafka.client(), [(topic, 0, b"%d" % n)], at_ms=now_ms + n * 1000)

    async def main() -> None:
        for from_ms, expected in (
            (now_ms + 5000, [*range(5, 10)]),
            (None, [*range(10)]),
        ):
            log = Log()
            async with journal(options(kafka), log) as it:
                it.follow(topic, 0, from_ms)
                await until(lambda log=log: log.caught_up(0), "the end")  # type: ignore[misc]
            assert log.before_caught_up(0) == expected
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(topic, 0, now_ms + 60_000)
            it.follow(topic, 1, now_ms)
            await until(lambda: log.caught_up(0) and log.caught_up(1), "the ends")
            assert log.entries == []
            put(kafka.client(), [(topic, 0, b"new")])
            await until(lambda: len(log.entries) == 1, "the new one")

    run(main())


def test_tails_without_records_are_reached(kafka: RealKafka, run: Run) -> None:
    """Markers of transactions at the end do not keep the journal from the end.

    A transaction that hangs does not hold up what others write.
    """
    topic = new_topic(kafka)
    writer = ck.Producer({**kafka.client(), "transactional.id": topic})
    writer.init_transactions(20)
    for _ in range(3):
        writer.begin_transaction()
        writer.produce(topic, b"x", partition=0)
        writer.commit_transaction(20)
    writer.begin_transaction()
    writer.produce(topic, b"hangs", partition=1)
    assert writer.flush(10) == 0
    put(kafka.client(), [(topic, 1, b"claim")])

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(topic, 0, None)
            it.follow(topic, 1, None)
            await until(lambda: log.caught_up(0) and log.caught_up(1), "the ends")
        assert log.before_caught_up(0) == [0, 2, 4]
        assert [e.value for e in log.entries if e.partition == 1] == [
            b"hangs",
            b"claim",
        ]

    run(main())
    writer.abort_transaction(20)


def test_records_removed_under_way_are_told(kafka: RealKafka, run: Run) -> None:
    """When retention overtakes the journal, following ends with a word."""
    topic = new_topic(kafka)
    put(kafka.client(), [(topic, 0, b"x" * 100_000)] * 100)

    async def main() -> None:
        log = Log()
        small = {**options(kafka), "fetch.message.max.bytes": 100_000}
        async with journal({**small, "queued.max.messages.kbytes": 1}, log) as it:
            taking = log.on_entries

            def slow(entries: list[object]) -> None:
                taking(entries)  # type: ignore[arg-type]
                place = ck.TopicPartition(topic, 0, 100)
                if len(log.entries) == len(entries):
                    client = AdminClient(kafka.client())
                    client.delete_records([place])[place].result(20)

            log.on_entries = slow  # type: ignore[method-assign,assignment]
            it.follow(topic, 0, None)
            await until(
                lambda: ("broken", 0) in log.told or log.caught_up(0), "the word"
            )
            if not log.caught_up(0):
                assert len(log.entries) < 100
                it.follow(topic, 0, None)
                await until(lambda: log.caught_up(0), "the end")

    run(main())


def test_the_control_topic_is_compacted(kafka: RealKafka, run: Run) -> None:
    """After compaction the newest values are still complete, holes and all."""
    topic = new_topic(
        kafka,
        1,
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
        min_compaction_lag_ms="0",
        delete_retention_ms="0",
    )
    for n in range(20):
        put(kafka.client(), [(topic, 0, b"old%d" % n)], key=b"desk-a")
    put(kafka.client(), [(topic, 0, b"HALTED"), (topic, 0, None)], key=b"desk-b")
    put(kafka.client(), [(topic, 0, b"HALTED")], key=b"desk-a")

    async def offsets() -> list[int]:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(topic, 0, None)
            await until(lambda: log.caught_up(0), "the end", 10)
        return log.before_caught_up(0)

    async def main() -> None:
        states: list[tuple[bytes, bytes | None]] = []
        it = Follow(
            options(kafka), topic, lambda *change: states.append(change), lambda _: None
        )
        await it.open()
        await it.wait_caught_up()
        assert dict(it.values) == {b"desk-a": b"HALTED"}
        end = time.monotonic() + 40
        while len(await offsets()) > 10 and time.monotonic() < end:
            # A segment is only rolled when something is written.
            put(kafka.client(), [(topic, 0, b"HALTED")], key=b"desk-a")
            await asyncio.sleep(1)
        assert len(await offsets()) <= 10
        values = await read_compacted(options(kafka), topic)
        assert values == {b"desk-a": b"HALTED"} == dict(it.values)
        await it.close()

    run(main(), 60)
