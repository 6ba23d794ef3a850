"""A member of a consumer group in a thread of its own, on the mock cluster."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

import confluent_kafka as ck
import pytest
from typing_extensions import override

from bridge.edge import group as edge
from bridge.edge.consumer import Message
from bridge.edge.group import Group, Limits, Membership
from bridge.edge.kafka_options import Options
from bridge.embedded import EmbeddedKafka
from bridge.errors import ConfigError
from tests.support.readers import Recorder, member, put
from tests.support.running import Run, until

PARTITIONS = 4
TOPIC = "commands"
GROUP = Membership("g", [TOPIC])
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])
FETCH, OFFSET_COMMIT = 1, 8  # api keys


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics={TOPIC: PARTITIONS}) as cluster:
        yield cluster


def options(kafka: EmbeddedKafka, protocol: str = "classic") -> Options:
    paces: dict[str, str | int] = {"fetch.wait.max.ms": 10}
    if protocol == "classic":
        paces |= {"session.timeout.ms": 1500, "heartbeat.interval.ms": 100}
    return {
        "bootstrap.servers": kafka.bootstrap,
        "group.protocol": protocol,
        **paces,
    }


def unhurried(options: Options) -> Options:
    """Return the same with a session that a busy machine does not outlast."""
    longer = {"session.timeout.ms": 6_000} if "session.timeout.ms" in options else {}
    return {**options, **longer}


def places(messages: Sequence[Message]) -> set[tuple[int, int]]:
    return {(m.partition, m.offset) for m in messages}


def plain(kafka: EmbeddedKafka) -> Options:
    return {"bootstrap.servers": kafka.bootstrap}


def records(count: int, partition: int | None = None) -> list[tuple[str, int, bytes]]:
    spread = range(count)
    return [
        (TOPIC, n % PARTITIONS if partition is None else partition, b"%d" % n)
        for n in spread
    ]


def owns(*recorders: Recorder) -> bool:
    """Tell whether the partitions are shared out, each to one member."""
    owned = sorted(number for recorder in recorders for number in recorder.owned)
    return owned == list(range(PARTITIONS)) and all(r.owned for r in recorders)


@PROTOCOLS
def test_messages_come_in_order(kafka: EmbeddedKafka, run: Run, protocol: str) -> None:
    """Every message of every partition comes once, whole, in its partition's order."""
    put(plain(kafka), records(4000))

    async def main() -> None:
        async with member(options(kafka, protocol), GROUP) as it:
            await until(lambda: len(it.messages) == 4000, "all messages")
        assert [it.offsets(n) for n in range(PARTITIONS)] == [[*range(1000)]] * 4
        assert {m.value for m in it.messages} == {b"%d" % n for n in range(4000)}
        assert it.messages[0].key == b"k"

    run(main())


def test_nothing_comes_before_start(kafka: EmbeddedKafka, run: Run) -> None:
    """An assigned partition is silent until `start` says from which offset on."""
    put(plain(kafka), records(400))

    async def main() -> None:
        it = Recorder()
        it.starts = False
        async with member(options(kafka), GROUP, it):
            await until(lambda: owns(it), "the partitions")
            await asyncio.sleep(0.3)
            assert it.messages == []
            it.its.start(TOPIC, 1, 40)
            it.its.start(TOPIC, 2, None)
            it.its.start(TOPIC, 3, 100)
            await until(lambda: len(it.messages) >= 160, "the messages")
            put(plain(kafka), [(TOPIC, 3, b"new")])
            await until(lambda: it.offsets(3) == [100], "the new message")
        assert it.offsets(0) == []
        assert it.offsets(1) == [*range(40, 100)]
        assert it.offsets(2) == [*range(100)]

    run(main())


def test_start_again_goes_back(kafka: EmbeddedKafka, run: Run) -> None:
    """A second `start` moves the position, back or forth, in the midst of messages."""
    put(plain(kafka), records(2000, partition=0))

    async def main() -> None:
        async with member(options(kafka), GROUP) as it:
            await until(lambda: len(it.messages) >= 500, "the first messages")
            it.its.start(TOPIC, 0, 3)
            await until(lambda: it.offsets(0)[-1:] == [1999], "the last one")
            await until(lambda: it.offsets(0).count(3) == 2, "the second time")
            await until(lambda: it.offsets(0)[-1:] == [1999], "the last one")
        again = len(it.messages) - it.offsets(0)[::-1].index(3) - 1
        assert it.offsets(0)[again:] == [*range(3, 2000)]
        assert it.offsets(0)[:again] == [*range(again)]

    run(main())


def test_nothing_of_before_comes_after_start(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before a `start` and comes after it is dropped, and comes again."""
    put(plain(kafka), records(400, partition=0))
    monkeypatch.setattr(edge, "BATCH", 10)

    class Restarting(Recorder):
        """Starts anew with the first message, when many batches are on their way."""

        @override
        def on_messages(self, messages: list[Message]) -> None:
            if not self.messages:
                time.sleep(0.5)
                self.its.start(TOPIC, 0, 200)
                self.its.start(TOPIC, 0, 3)
            super().on_messages(messages)

    async def main() -> None:
        async with member(options(kafka), GROUP, Restarting()) as it:
            await until(lambda: it.offsets(0)[-1:] == [399], "the last one")
            await until(lambda: it.its.progress.waiting == 0, "room")
        first = it.offsets(0).index(9) + 1
        assert it.offsets(0)[:first] == [*range(10)]
        assert it.offsets(0)[first:] == [*range(3, 400)]

    run(main())


def test_batches_are_prepared_before_they_come(kafka: EmbeddedKafka, run: Run) -> None:
    """In the thread, with all that comes, each before the loop has it."""
    put(plain(kafka), records(400))
    prepared: list[Message] = []
    threads: set[str] = set()

    class Checking(Recorder):
        """Looks for each message among what was prepared."""

        @override
        def on_messages(self, messages: list[Message]) -> None:
            assert places(messages) <= places(prepared)
            super().on_messages(messages)

    def prepare(messages: Sequence[Message]) -> None:
        threads.add(threading.current_thread().name)
        prepared.extend(messages)

    async def main() -> None:
        it = Checking()
        it.group = Group(options(kafka), GROUP, it, prepare=prepare)
        it.group.open()
        await until(lambda: len(it.messages) == 400, "all messages")
        await it.group.close()

    run(main())
    assert threads == {"group g"}


def test_a_position_that_is_gone(kafka: EmbeddedKafka, run: Run) -> None:
    """A position beyond the log is told, and reading goes on from the oldest record."""
    put(plain(kafka), records(5, partition=0))

    async def main() -> None:
        it = Recorder()
        it.starts = False
        async with member(options(kafka), GROUP, it):
            await until(lambda: owns(it), "the partitions")
            it.its.start(TOPIC, 0, 1_000_000)
            await until(lambda: it.offsets(0) == [*range(5)], "the messages")
        (note,) = it.noted("command_position_gone")
        assert dict(note.facts) == {
            "topic": TOPIC,
            "partition": 0,
            "wanted": 1_000_000,
            "found": 0,
        }

    run(main())


def test_records_that_nobody_can_read_pass(kafka: EmbeddedKafka, run: Run) -> None:
    """Null, empty, huge and headed records come as they are; the partition goes on."""
    huge = b"x" * 4_900_000  # the mock cluster keeps 5 MB of a partition

    async def main() -> None:
        async with member(options(kafka), GROUP) as it:
            for value in (None, b"", b"\x00\xff", huge, b"after"):
                put(plain(kafka), [(TOPIC, 0, value)], key=None)
                await until(
                    lambda v=value: (
                        it.messages[-1:] != []  # type: ignore[misc]
                        and it.messages[-1].value == v
                    ),
                    "the record",
                )
            client = ck.Producer(dict(plain(kafka)))
            client.produce(TOPIC, b"v", partition=0, headers=[("replyTo", b"t")])
            assert client.flush(10) == 0
            await until(lambda: len(it.messages) == 6, "the headed record")
        assert it.messages[-1].headers == [("replyTo", b"t")]
        assert [m.value for m in it.messages[:3]] == [None, b"", b"\x00\xff"]

    run(main())


@PROTOCOLS
def test_a_second_member_takes_its_share(
    kafka: EmbeddedKafka, run: Run, protocol: str
) -> None:
    """Partitions move one by one: what stays is not revoked, what moves is asked for.

    When the second member leaves, its partitions come back at once.
    """

    async def main() -> None:
        async with member(options(kafka, protocol), GROUP) as one:
            await until(lambda: len(one.owned) == PARTITIONS, "all partitions")
            async with member(options(kafka, protocol), GROUP) as two:
                await until(lambda: owns(one, two), "an even share")
                moved = {t[2] for t in one.told if t[0] == "revoked"}
                assert moved == set(two.owned)
                assert len(moved) == PARTITIONS // 2
            left = time.monotonic()
            await until(lambda: len(one.owned) == PARTITIONS, "all partitions again")
            assert time.monotonic() - left < 5
        assert [t for t in one.told if t[0] == "lost"] == []

    run(main())


@PROTOCOLS
def test_the_release_is_waited_for(
    kafka: EmbeddedKafka, run: Run, protocol: str
) -> None:
    """A revoked partition goes to nobody else before `release`; commits arrive first.

    What was handed over comes before the revocation.
    """
    put(plain(kafka), records(400))

    async def main() -> None:
        one, two = Recorder(), Recorder()
        one.releases = two.starts = False
        async with AsyncExitStack() as stack:
            # A member that is missed while it is waited for loses what it commits.
            mine = unhurried(options(kafka, protocol))
            await stack.enter_async_context(member(mine, GROUP, one))
            await until(lambda: len(one.messages) == 400, "messages")
            await stack.enter_async_context(member(mine, GROUP, two))
            await until(lambda: any(t[0] == "revoked" for t in one.told), "revoked")
            await asyncio.sleep(0.3)
            asked = {t[2] for t in one.told if t[0] == "revoked"}
            assert not asked & set(two.owned)
            for partition in asked:
                one.its.commit(TOPIC, partition, 50 + partition)
                one.its.release(TOPIC, partition)
                del one.owned[partition]
            await until(lambda: owns(one, two), "an even share")
            given = {n: two.owned[n] for n in asked}
            assert given == {n: 50 + n for n in asked}
        assert one.noted("partition_not_released_in_time") == []

    run(main())


def test_the_wait_for_a_release_ends(kafka: EmbeddedKafka, run: Run) -> None:
    """A member that never lets go loses the partition after the limit, and is told."""
    impatient = GROUP._replace(release_timeout_s=0.3)

    async def main() -> None:
        one = Recorder()
        one.releases = False
        async with member(options(kafka), impatient, one):
            await until(lambda: len(one.owned) == PARTITIONS, "all partitions")
            async with member(options(kafka), GROUP) as two:
                await until(lambda: len(two.owned) == 2, "a share")
                lost = {t[2] for t in one.told if t[0] == "lost"}
                assert lost == set(two.owned)
                assert len(one.noted("partition_not_released_in_time")) == 2

    run(main())


def test_no_more_than_the_limit_waits(kafka: EmbeddedKafka, run: Run) -> None:
    """Handed over and not taken is never more than the limit; taking brings the rest.

    The group goes on meanwhile: a full member can still give partitions away.
    """
    put(plain(kafka), records(1000))
    limited = GROUP._replace(limits=Limits(messages=50))

    async def main() -> None:
        it = Recorder()
        it.takes = False
        async with member(options(kafka), limited, it):
            await until(lambda: len(it.messages) == 50, "the first messages")
            await asyncio.sleep(0.3)
            assert len(it.messages) == it.its.progress.waiting == 50
            for message in it.messages[:25]:
                it.its.taken(message)
            await asyncio.sleep(0.3)
            taken = 25
            while len(it.messages) < 1000:
                assert len(it.messages) - taken <= 50
                for message in it.messages[taken:]:
                    it.its.taken(message)
                taken = len(it.messages)
                await asyncio.sleep(0.005)
            async with member(options(kafka), GROUP) as other:
                await until(lambda: owns(it, other), "an even share")
        assert [it.offsets(n) for n in range(PARTITIONS)] == [[*range(250)]] * 4

    run(main())


def test_bytes_are_limited_too(kafka: EmbeddedKafka, run: Run) -> None:
    """The limit in bytes is exceeded by one message at most."""
    put(plain(kafka), [(TOPIC, 0, b"x" * 100_000)] * 20)
    limited = GROUP._replace(limits=Limits(bytes=250_000))

    async def main() -> None:
        it = Recorder()
        it.takes = False
        async with member(options(kafka), limited, it):
            await until(lambda: len(it.messages) == 3, "three messages")
            await asyncio.sleep(0.3)
            assert len(it.messages) == 3
            for n in range(20):
                await until(lambda n=n: len(it.messages) > n, "one more")  # type: ignore[misc]
                it.its.taken(it.messages[n])
        assert it.offsets(0) == [*range(20)]

    run(main())


def test_commits_are_a_hint_for_the_next(kafka: EmbeddedKafka, run: Run) -> None:
    """The last commits arrive before the member leaves; its successor is told them."""
    put(plain(kafka), records(400))

    async def main() -> None:
        one = Recorder()
        one.commits = True
        async with member(options(kafka), GROUP, one):
            await until(lambda: len(one.messages) == 400, "all messages")
        async with member(options(kafka), GROUP) as two:
            await until(lambda: len(two.owned) == PARTITIONS, "all partitions")
            assert set(two.owned.values()) == {100}
            await asyncio.sleep(0.2)
            assert two.messages == []

    run(main())


def test_a_foreign_partition_is_not_committed(kafka: EmbeddedKafka, run: Run) -> None:
    """A commit for a partition that is not ours moves nothing."""

    async def main() -> None:
        async with (
            member(options(kafka), GROUP) as one,
            member(options(kafka), GROUP) as two,
        ):
            await until(lambda: owns(one, two), "an even share")
            for partition in two.owned:
                one.its.commit(TOPIC, partition, 77)
            await asyncio.sleep(0.2)
        async with member(options(kafka), GROUP) as three:
            await until(lambda: len(three.owned) == PARTITIONS, "all partitions")
            assert set(three.owned.values()) == {None}

    run(main())


def test_a_refused_commit_is_told(kafka: EmbeddedKafka, run: Run) -> None:
    """A commit that fails is a note, and the next one is sent all the same."""

    async def main() -> None:
        async with member(options(kafka), GROUP) as it:
            await until(lambda: len(it.owned) == PARTITIONS, "all partitions")
            kafka.fail_requests(OFFSET_COMMIT, [12])  # OFFSET_METADATA_TOO_LARGE
            it.its.commit(TOPIC, 0, 1)
            await until(lambda: it.noted("commit_failed") != [], "the note")
            it.its.commit(TOPIC, 0, 2)
        async with member(options(kafka), GROUP) as two:
            await until(lambda: len(two.owned) == PARTITIONS, "all partitions")
            assert two.owned[0] == 2

    run(main())


def test_a_partition_in_trouble_does_not_end_it(kafka: EmbeddedKafka, run: Run) -> None:
    """Errors of a partition are told once, and reading goes on when they pass."""
    not_authorized = 29

    async def main() -> None:
        async with member(options(kafka), GROUP) as it:
            await until(lambda: len(it.owned) == PARTITIONS, "all partitions")
            kafka.fail_requests(FETCH, [not_authorized] * 3)
            put(plain(kafka), records(40))
            await until(lambda: len(it.messages) == 40, "all messages")
            kafka.broker_down()
            await until(lambda: it.noted("kafka_trouble") != [], "the note")
            kafka.broker_up()
            put(plain(kafka), records(40))
            await until(lambda: len(it.messages) == 80, "all messages")
        told = [tuple(n.facts.values()) for n in it.notes]
        assert len(told) == len(set(told))

    run(main())


def test_a_member_that_was_away_is_told_of_its_loss(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """A member whose session ran out is told that its partitions are lost.

    It joins again and gets partitions anew.
    """
    unknown_member, heartbeat = 25, 12

    async def main() -> None:
        async with member(options(kafka), GROUP) as it:
            await until(lambda: len(it.owned) == PARTITIONS, "all partitions")
            kafka.fail_requests(heartbeat, [unknown_member])
            await until(lambda: any(t[0] == "lost" for t in it.told), "the loss")
            await until(lambda: len(it.owned) == PARTITIONS, "all partitions again")
        told = [t[0] for t in it.told]
        assert told == ["assigned"] * 4 + ["lost"] * 4 + ["assigned"] * 4

    run(main())


def test_a_member_is_one_from_the_groups_first_answer(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Not while the brokers are away; a worker is not ready before."""

    async def main() -> None:
        kafka.broker_down()
        async with member(options(kafka), GROUP) as it:
            before = it.its.progress.polled_ns
            await until(lambda: it.its.progress.polled_ns > before, "a round")
            assert not it.its.progress.is_member
            kafka.broker_up()
            await until(lambda: it.its.progress.is_member, "a member")

    run(main())


def test_progress_is_there_to_watch(kafka: EmbeddedKafka, run: Run) -> None:
    """The lag of what was not handed over shows, and the thread's last round, too."""
    put(plain(kafka), records(400, partition=0))
    limited = GROUP._replace(limits=Limits(messages=100))

    async def main() -> None:
        it = Recorder()
        it.takes = False
        async with member(options(kafka), limited, it):
            await until(lambda: it.its.progress.waiting == 100, "the limit")
            await until(
                lambda: dict(it.its.progress.lags).get((TOPIC, 0)) == 300, "the lag"
            )
            before = it.its.progress.polled_ns
            await until(lambda: it.its.progress.polled_ns > before, "another round")

    run(main())


def test_nothing_is_told_after_close(kafka: EmbeddedKafka, run: Run) -> None:
    """Closing waits for no release, calls nobody back and leaves no thread behind."""
    put(plain(kafka), records(400))

    async def main() -> None:
        it = Recorder()
        it.releases = False
        async with member(options(kafka), GROUP, it):
            await until(lambda: len(it.owned) == PARTITIONS, "all partitions")
            began = time.monotonic()
            await it.its.close()
            assert time.monotonic() - began < 2
            told = (len(it.told), len(it.messages), len(it.notes))
            await asyncio.sleep(0.2)
            assert told == (len(it.told), len(it.messages), len(it.notes))
        assert not [t for t in threading.enumerate() if t.name == "group g"]

    run(main())


def test_a_loop_that_ends_takes_the_thread_along(kafka: EmbeddedKafka) -> None:
    """A member whose loop is closed without it leaves the group by itself."""

    async def main() -> None:
        it = Recorder()
        it.group = Group(options(kafka), GROUP, it)
        it.group.open()
        await until(lambda: len(it.owned) == PARTITIONS, "all partitions")

    asyncio.run(main())
    end = time.monotonic() + 5
    while [t for t in threading.enumerate() if t.name == "group g"]:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_mistake_in_the_thread_is_told(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the thread reaches the loop as an error, with its cause."""

    def broken(_: ck.Message) -> Message:
        raise ZeroDivisionError

    async def main() -> None:
        monkeypatch.setattr("bridge.edge.group.message_of", broken)
        put(plain(kafka), records(1))
        it = Recorder()
        it.group = Group(options(kafka), GROUP, it)
        it.group.open()
        await until(lambda: it.failures != [], "the failure")
        await it.group.close()
        assert isinstance(it.failures[0].__cause__, ZeroDivisionError)
        assert "group g" in str(it.failures[0])

    run(main())


def test_an_unknown_option_is_a_settings_error(run: Run) -> None:
    """A property that librdkafka does not know is a settings error."""

    async def main() -> None:
        with pytest.raises(ConfigError, match=r"kafka\.options: .*no\.such"):
            Group({"no.such": "x"}, GROUP, Recorder())

    run(main())


@PROTOCOLS
def test_a_new_client_joins_in_the_old_ones_place(
    kafka: EmbeddedKafka, run: Run, protocol: str
) -> None:
    """All partitions are asked back and come again; each message comes just once."""
    put(plain(kafka), records(4000))

    async def main() -> None:
        it = Recorder()
        it.commits = True
        async with member(options(kafka, protocol), GROUP, it):
            await until(lambda: len(it.messages) >= 100, "messages")
            it.its.login("user", "password")
            it.its.renew(options(kafka, protocol))
            await until(lambda: len(it.messages) == 4000, "all messages")
            it.told.clear()
            it.its.renew(options(kafka, protocol))
            it.its.renew(options(kafka, protocol))
            await until(lambda: sum(t[0] == "assigned" for t in it.told) >= 4, "again")
            put(plain(kafka), records(8))
            await until(lambda: len(it.messages) == 4008, "the new messages")
        assert [it.offsets(n) for n in range(PARTITIONS)] == [[*range(1002)]] * 4
        assert "lost" not in {t[0] for t in it.told}
        assert it.noted("partition_not_released_in_time") == []

    run(main())


def test_the_release_is_waited_for_before_a_change(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """The old client leaves only when the loop has let go; else it is a loss."""
    brief = GROUP._replace(release_timeout_s=1.0)

    async def main() -> None:
        one, two = Recorder(), Recorder()
        one.releases = False
        async with member(options(kafka), brief, one):
            await until(lambda: owns(one), "all partitions")
            async with member(options(kafka), brief, two):
                await until(lambda: owns(one, two), "a share")
                one.told.clear()
                kept = set(one.owned)
                one.its.renew(options(kafka))
                await until(lambda: any(t[0] == "revoked" for t in one.told), "asked")
                assert not kept & set(two.owned)
                await until(lambda: any(t[0] == "lost" for t in one.told), "the loss")
                await until(lambda: owns(one, two), "a share again")

    run(main())


def test_a_client_that_cannot_leave_is_left_behind(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose brokers are silent loses its partitions; the new one takes them."""
    monkeypatch.setattr(edge, "CLOSE_S", 0.2)
    brief = GROUP._replace(release_timeout_s=0.2)

    async def main() -> None:
        it = Recorder()
        it.releases = False
        async with member(options(kafka), brief, it):
            await until(lambda: owns(it), "all partitions")
            monkeypatch.setattr(it.its, "_leave", lambda: time.sleep(1.0))
            it.its.renew(options(kafka))
            await until(lambda: not it.owned, "the loss")
            monkeypatch.undo()
            await until(lambda: owns(it), "all partitions again")
            assert {t[0] for t in it.told} == {"assigned", "lost"}

    run(main())


def test_a_client_that_cannot_be_made_changes_nothing(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Files that librdkafka cannot read are an error; the member stays."""
    broken = {"security.protocol": "ssl", "ssl.ca.location": "/no/such/file"}

    async def main() -> None:
        async with member(options(kafka), GROUP) as it:
            await until(lambda: owns(it), "all partitions")
            with pytest.raises(ConfigError, match=r"ssl\.ca\.location"):
                it.its.renew({**options(kafka), **broken})
            put(plain(kafka), records(4))
            await until(lambda: len(it.messages) == 4, "the messages")
        assert {t[0] for t in it.told} == {"assigned"}

    run(main())
