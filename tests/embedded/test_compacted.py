"""The newest value of each key, on the mock cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.core.model import Note
from bridge.edge import journal as edge
from bridge.edge.compacted import Follow, read_compacted
from bridge.edge.kafka_options import Options
from bridge.embedded import EmbeddedKafka
from bridge.errors import KafkaError
from tests.support.readers import put
from tests.support.running import Run, until

TOPIC = "control"
FETCH = 1  # api key


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics={TOPIC: 3, "empty": 2}) as cluster:
        yield cluster


def options(kafka: EmbeddedKafka) -> Options:
    return {"bootstrap.servers": kafka.bootstrap, "fetch.wait.max.ms": 10}


def write(kafka: EmbeddedKafka, key: bytes | None, *values: bytes | None) -> None:
    where = 0 if key is None else key[-1] % 3
    plain = {"bootstrap.servers": kafka.bootstrap}
    put(plain, [(TOPIC, where, value) for value in values], key)


def test_the_newest_value_counts(kafka: EmbeddedKafka, run: Run) -> None:
    """Of several values of a key the last one is kept; none deletes the key."""
    write(kafka, b"desk-a", b"ACTIVE", b"HALTED")
    write(kafka, b"desk-b", b"HALTED", b"ACTIVE")
    write(kafka, b"desk-c", b"HALTED", None)
    write(kafka, b"desk-d", None, b"")
    values = run(read_compacted(options(kafka), TOPIC))
    assert values == {b"desk-a": b"HALTED", b"desk-b": b"ACTIVE", b"desk-d": b""}


def test_empty_topics_are_empty(kafka: EmbeddedKafka, run: Run) -> None:
    """A topic without records is read at once."""
    assert run(read_compacted(options(kafka), "empty", 5.0)) == {}


def test_changes_are_told(kafka: EmbeddedKafka, run: Run) -> None:
    """A follower is told the old values, then that it knows all, then each change."""
    write(kafka, b"desk-a", b"ACTIVE")
    write(kafka, None, b"lost")

    async def main() -> None:
        told: list[tuple[bytes, bytes | None]] = []
        notes: list[Note] = []
        it = Follow(
            options(kafka), TOPIC, lambda *change: told.append(change), notes.append
        )
        assert it.caught_up is False
        await it.open()
        await it.wait_caught_up()
        assert bool(it.caught_up)
        assert told == [(b"desk-a", b"ACTIVE")]
        write(kafka, b"desk-a", b"HALTED", None)
        await until(lambda: len(told) == 3, "the changes")
        assert told[1:] == [(b"desk-a", b"HALTED"), (b"desk-a", None)]
        assert dict(it.values) == {}
        await it.close()
        assert [note.event for note in notes] == ["record_without_key"]

    run(main())


def test_missed_records_end_the_trust(kafka: EmbeddedKafka, run: Run) -> None:
    """A follower that missed records says so, and is not caught up any more."""
    out_of_range = 1
    write(kafka, b"desk-a", b"ACTIVE")

    async def main() -> None:
        it = Follow(options(kafka), TOPIC, lambda *_: None, lambda _: None)
        await it.open()
        await it.wait_caught_up()
        kafka.fail_requests(FETCH, [out_of_range])
        await until(lambda: not it.caught_up, "the end of trust")
        with pytest.raises(KafkaError, match=r"control/\d cannot be followed"):
            await it.wait_caught_up()
        await it.close()

    run(main())


def test_a_missing_topic_is_told(kafka: EmbeddedKafka, run: Run) -> None:
    """A topic that is not there is named."""
    with pytest.raises(KafkaError, match=r"no such topic: nope;.*topics"):
        run(read_compacted(options(kafka), "nope"))


def test_a_topic_that_cannot_be_read_is_told(
    kafka: EmbeddedKafka, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading once ends after its limit, and says what was not read."""
    monkeypatch.setattr(edge, "LOOKUP_S", 0.2)

    async def main() -> None:
        it = read_compacted(options(kafka), TOPIC, 0.7)
        kafka.fail_requests(FETCH, [29] * 1000)
        write(kafka, b"desk-a", b"ACTIVE")
        with pytest.raises(KafkaError, match="control was not read to its end"):
            await it

    run(main())
