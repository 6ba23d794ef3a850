"""Following partitions of the response log, on the mock cluster."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from typing_extensions import override

from bridge.core.model import Note
from bridge.edge import journal as edge
from bridge.edge.consumer import Message
from bridge.edge.followed import Followed
from bridge.edge.journal import Journal
from bridge.edge.kafka_options import Options
from bridge.embedded import EmbeddedKafka
from bridge.errors import ConfigError
from tests.support.readers import Log, journal, put
from tests.support.running import Run, until, wait_until

TOPIC = "responses"
FETCH, LIST_OFFSETS = 1, 2  # api keys


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics={TOPIC: 4}) as cluster:
        yield cluster


def options(kafka: EmbeddedKafka) -> Options:
    return {"bootstrap.servers": kafka.bootstrap, "fetch.wait.max.ms": 10}


def places(messages: Sequence[Message]) -> set[tuple[int, int]]:
    return {(m.partition, m.offset) for m in messages}


def plain(kafka: EmbeddedKafka) -> Options:
    return {"bootstrap.servers": kafka.bootstrap}


def test_all_entries_come_in_order(kafka: EmbeddedKafka, run: Run) -> None:
    """Entries come whole and in the log's order; then the word that all is read."""
    put(plain(kafka), [(TOPIC, 2, b"%d" % n) for n in range(3000)], at_ms=1_700_000)

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 2, None)
            await until(lambda: log.caught_up(2), "the end")
            assert log.before_caught_up(2) == [*range(3000)]
            put(plain(kafka), [(TOPIC, 2, None)], key=b"later")
            await until(lambda: len(log.entries) == 3001, "the new entry")
        first, last = log.entries[0], log.entries[-1]
        assert (first.value, first.key, first.timestamp_ms) == (b"0", b"k", 1_700_000)
        assert (last.value, last.key, last.offset) == (None, b"later", 3000)
        assert log.told.count(("caught_up", 2)) == 1

    run(main())


def test_entries_are_prepared_before_they_come(kafka: EmbeddedKafka, run: Run) -> None:
    """In the thread, with all that comes, each before the loop has it."""
    put(plain(kafka), [(TOPIC, n % 2, b"%d" % n) for n in range(2000)])
    prepared: list[Message] = []
    threads: set[str] = set()

    class Checking(Log):
        """Looks for each entry among what was prepared."""

        @override
        def on_entries(self, entries: list[Message]) -> None:
            assert places(entries) <= places(prepared)
            super().on_entries(entries)

    def prepare(entries: Sequence[Message]) -> None:
        threads.add(threading.current_thread().name)
        prepared.extend(entries)

    async def main() -> None:
        log = Checking()
        it = Journal(options(kafka), log, prepare=prepare)
        it.open()
        for partition in (0, 1):
            it.follow(TOPIC, partition, None)
            await until(lambda n=partition: log.caught_up(n), "the end")  # type: ignore[misc]
        await it.close()
        assert len(log.entries) == 2000

    run(main())
    assert threads == {"journal"}


def test_an_empty_partition_is_caught_up_at_once(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Where there is nothing, the word comes without waiting; entries follow it."""

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 1, 1_700_000_000_000)
            await until(lambda: log.caught_up(1), "the end", limit=5)
            put(plain(kafka), [(TOPIC, 1, b"x")])
            await until(lambda: len(log.entries) == 1, "the entry")
        assert log.told == [("caught_up", 1), ("entry", 1, 0)]

    run(main())


def test_without_times_all_is_read(kafka: EmbeddedKafka, run: Run) -> None:
    """A broker that cannot search by time costs reading more, never an entry."""
    put(plain(kafka), [(TOPIC, 0, b"%d" % n) for n in range(10)])

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 0, 1_700_000_000_000)
            await until(lambda: log.caught_up(0), "the end")
        assert log.before_caught_up(0) == [*range(10)]

    run(main())


def test_nothing_comes_after_unfollow(kafka: EmbeddedKafka, run: Run) -> None:
    """From the moment of `unfollow` on nothing comes, be it on its way or not.

    Other partitions are not disturbed, and following again begins anew.
    """
    put(plain(kafka), [(TOPIC, n % 2, b"x") for n in range(8000)])

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 0, None)
            it.follow(TOPIC, 1, None)
            await until(lambda: log.entries != [], "an entry")
            it.unfollow(TOPIC, 0)
            there = [e for e in log.entries if e.partition == 0]
            await until(lambda: log.caught_up(1), "the end")
            assert log.before_caught_up(1) == [*range(4000)]
            assert [e for e in log.entries if e.partition == 0] == there
            log.told.clear()
            it.follow(TOPIC, 0, None)
            await until(lambda: log.caught_up(0), "the end")
            assert log.before_caught_up(0) == [*range(4000)]

    run(main())


def test_the_reader_may_stop_in_the_midst(kafka: EmbeddedKafka, run: Run) -> None:
    """A reader that lets go from within a callback hears nothing more."""
    put(plain(kafka), [(TOPIC, 0, b"x")] * 10)

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            taking = log.on_entries

            def once(entries: list[Message]) -> None:
                taking(entries)
                it.unfollow(TOPIC, 0)

            log.on_entries = once  # type: ignore[method-assign]
            it.follow(TOPIC, 0, None)
            await until(lambda: log.entries != [], "an entry")
            await asyncio.sleep(0.2)
        assert not log.caught_up(0)

    run(main())


def test_the_loop_is_not_flooded(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the loop stands still, only a few batches wait for it."""
    monkeypatch.setattr(edge, "BATCH", 10)
    monkeypatch.setattr(edge, "AHEAD", 2)
    put(plain(kafka), [(TOPIC, 0, b"x")] * 1000)
    told: list[int] = []
    handing = Journal._hand_over

    def count(self: Journal, follow: Followed) -> None:
        told.append(len(follow.entries))
        handing(self, follow)

    async def main() -> None:
        monkeypatch.setattr(Journal, "_hand_over", count)
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 0, None)
            # The rule is about a loop that stands still.
            wait_until(lambda: sum(told) > 0, "entries")
            time.sleep(0.3)  # noqa: ASYNC251
            assert sum(told) <= 20
            await until(lambda: log.caught_up(0), "the end")
        assert log.before_caught_up(0) == [*range(1000)]

    run(main())


def test_trouble_is_ridden_out(kafka: EmbeddedKafka, run: Run) -> None:
    """Brokers that are away, or refuse, cost time, and a note, but no entry."""
    put(plain(kafka), [(TOPIC, 0, b"x")] * 10)

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            kafka.fail_requests(LIST_OFFSETS, [29, 29])  # not authorized
            it.follow(TOPIC, 0, None)
            await until(lambda: log.caught_up(0), "the end")
            (note,) = [n for n in log.notes if n.event == "journal_trouble"]
            assert note.facts["code"] == "TOPIC_AUTHORIZATION_FAILED"
            kafka.broker_down()
            await until(lambda: "kafka_trouble" in events(log.notes), "the note")
            kafka.broker_up()
            put(plain(kafka), [(TOPIC, 0, b"x")] * 10)
            await until(lambda: len(log.entries) == 20, "the rest")
        assert [entry.offset for entry in log.entries] == [*range(20)]

    run(main())


def events(notes: list[Note]) -> list[str]:
    return [note.event for note in notes]


def test_missed_records_are_told(kafka: EmbeddedKafka, run: Run) -> None:
    """When the log does not hold the position any more, following ends with a word.

    Following again begins anew.
    """
    out_of_range = 1
    put(plain(kafka), [(TOPIC, 0, b"x")] * 10)

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 0, None)
            await until(lambda: log.caught_up(0), "the end")
            kafka.fail_requests(FETCH, [out_of_range] * 3)
            await until(lambda: ("broken", 0) in log.told, "the word")
            kafka.clear_errors(FETCH)
            put(plain(kafka), [(TOPIC, 0, b"x")])
            await asyncio.sleep(0.2)
            assert len(log.entries) == 10
            log.told.clear()
            it.follow(TOPIC, 0, None)
            await until(lambda: log.caught_up(0), "the end")
            assert log.before_caught_up(0) == [*range(11)]

    run(main())


def test_options_of_groups_do_no_harm(kafka: EmbeddedKafka, run: Run) -> None:
    """The options of the command group serve the journal, which joins none."""
    put(plain(kafka), [(TOPIC, 0, b"x")])

    async def main() -> None:
        log = Log()
        grouped = {"group.protocol": "consumer", "group.instance.id": "a"}
        async with journal({**options(kafka), **grouped}, log) as it:
            it.follow(TOPIC, 0, None)
            await until(lambda: log.caught_up(0), "the end")
        assert len(log.entries) == 1

    run(main())


def test_closing_leaves_nothing_behind(kafka: EmbeddedKafka, run: Run) -> None:
    """A closed journal calls nobody back and has no thread; closing again is fine."""

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 0, None)
            await until(lambda: log.caught_up(0), "the end")
            before = it.polled_ns
            await until(lambda: it.polled_ns > before, "another round")
            await it.close()
            put(plain(kafka), [(TOPIC, 0, b"x")])
            await asyncio.sleep(0.2)
            assert log.entries == []
        unopened = Journal(options(kafka), log)
        await unopened.close()
        assert not [t for t in threading.enumerate() if t.name == "journal"]

    run(main())


def test_a_new_client_reads_on_where_the_old_one_was(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Clients that change in the midst cost no entry, and none comes twice.

    What is followed afterwards, and with nothing followed, is no different.
    """
    count = 20_000
    put(plain(kafka), [(TOPIC, n % 2, b"x") for n in range(count)])

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.renew(options(kafka))
            it.follow(TOPIC, 0, None)
            it.follow(TOPIC, 1, None)
            for part in range(1, 5):
                await until(lambda n=part: len(log.entries) >= n * 3000, "entries")  # type: ignore[misc]
                it.renew(options(kafka))
                it.login("user", "password")
            await until(lambda: log.caught_up(0) and log.caught_up(1), "the ends")
            it.renew(options(kafka))
            put(plain(kafka), [(TOPIC, n % 4, b"x") for n in range(8)])
            it.follow(TOPIC, 2, None)
            await until(lambda: len(log.entries) == count + 6, "the new entries")
            await asyncio.sleep(0.2)
        for partition, there in ((0, count // 2 + 2), (1, count // 2 + 2), (2, 2)):
            found = [e.offset for e in log.entries if e.partition == partition]
            assert found == [*range(there)]
            assert log.told.count(("caught_up", partition)) == 1
        assert not [n for n in log.notes if n.event != "kafka_trouble"]

    run(main())


def test_a_client_that_cannot_be_made_changes_nothing(
    kafka: EmbeddedKafka, run: Run
) -> None:
    """Files that librdkafka cannot read are an error; the old client reads on."""
    broken = {"security.protocol": "ssl", "ssl.ca.location": "/no/such/file"}

    async def main() -> None:
        log = Log()
        async with journal(options(kafka), log) as it:
            it.follow(TOPIC, 0, None)
            await until(lambda: log.caught_up(0), "the end")
            with pytest.raises(ConfigError, match=r"ssl\.ca\.location"):
                it.renew({**options(kafka), **broken})
            put(plain(kafka), [(TOPIC, 0, b"x")])
            await until(lambda: len(log.entries) == 1, "the entry")

    run(main())


def test_an_unknown_option_is_a_settings_error(run: Run) -> None:
    """A property that librdkafka does not know is a settings error."""

    async def main() -> None:
        with pytest.raises(ConfigError, match=r"kafka\.options: .*no\.such"):
            Journal({"no.such": "x"}, Log())

    run(main())
