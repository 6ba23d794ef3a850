"""Measures what a claim in the log costs, beside a claim in a transaction.

    python -m bench.claims_vs_transactions [--bootstrap HOST:PORT] [--rounds N]

Without an address it starts the Apache Kafka of the tests. All five are measured in
turn, round by round, on topics of one partition; times are from the call of `produce`:

- ack: a plain produce, until its report is back;
- hop: the same, until a plain consumer has the record;
- log claim: the same, until the journal has handed the record to the event loop;
- transaction: begin, produce, send the offset, commit, until `commit` is back;
- transaction claim: the same, until a journal that reads committed records has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

from bridge.core.model import Note
from bridge.edge.consumer import Message
from bridge.edge.journal import Journal
from bridge.errors import KafkaError
from tests.support.kafka import RealKafka

VALUE = b"x" * 400  # about what a claim has
WARM_UP = 50
WAIT_S = 10.0


class Arrivals:
    """A journal's reader that wakes whoever waits for the next entry."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.next = asyncio.Event()
        self.at_ns = 0

    def on_entries(self, _entries: list[Message]) -> None:
        """Note when it came."""
        self.at_ns = time.perf_counter_ns()
        self.next.set()

    def on_caught_up(self, _topic: str, _partition: int) -> None:
        """Note that the journal stands at the end."""
        self.ready.set()

    def on_broken(self, topic: str, partition: int, detail: str) -> None:
        """Give up."""
        sys.exit(f"{topic}/{partition}: {detail}")

    def on_note(self, note: Note) -> None:
        """Show what went wrong."""
        print(note, file=sys.stderr)

    def on_failed(self, error: KafkaError) -> None:
        """Give up."""
        sys.exit(str(error))


class Bench:
    """The clients, and one method for each thing that is measured."""

    def __init__(self, bootstrap: str) -> None:
        self.at = {"bootstrap.servers": bootstrap}
        name = uuid4().hex[:12]
        self.topics = [f"{kind}-{name}" for kind in ("plain", "claims", "committed")]
        self.plain, self.claims, self.committed = self.topics
        admin = AdminClient(self.at)
        made = admin.create_topics([NewTopic(t, 1, 1) for t in self.topics])
        for future in made.values():
            future.result(WAIT_S)
        common = {**self.at, "acks": "all", "linger.ms": 0}
        self.producer = ck.Producer({**common, "enable.idempotence": "true"})
        self.writer = ck.Producer({**common, "transactional.id": f"bench-{name}"})
        self.writer.init_transactions(WAIT_S)
        self.consumer = self._consumer(name)
        self.offset = 0

    def _consumer(self, group: str) -> ck.Consumer:
        consumer = ck.Consumer({**self.at, "group.id": group, "fetch.min.bytes": 1})
        consumer.assign([ck.TopicPartition(self.plain, 0, 0)])
        return consumer

    async def open(self) -> None:
        """Start both journals and wait until they stand at the end."""
        self.arrivals, self.decided = Arrivals(), Arrivals()
        self.journal = Journal(self.at, self.arrivals)
        self.strict = Journal(self.at, self.decided, isolation="read_committed")
        for journal, reader, topic in (
            (self.journal, self.arrivals, self.claims),
            (self.strict, self.decided, self.committed),
        ):
            journal.open()
            journal.follow(topic, 0, None)
            await reader.ready.wait()

    async def close(self) -> None:
        """End all clients."""
        await self.journal.close()
        await self.strict.close()
        self.consumer.close()

    async def one_round(self) -> dict[str, int]:
        """Measure each once, in ns."""
        ack, hop = self._plain()
        claim = await self._claim()
        transaction, claimed = await self._transaction()
        return {
            "ack": ack,
            "hop": hop,
            "log claim": claim,
            "transaction": transaction,
            "transaction claim": claimed,
        }

    def _plain(self) -> tuple[int, int]:
        acked: list[int] = []
        start = time.perf_counter_ns()
        self.producer.produce(
            self.plain,
            VALUE,
            b"k",
            0,
            on_delivery=lambda *_: acked.append(time.perf_counter_ns()),
        )
        found = self.consumer.poll(WAIT_S)
        hop = time.perf_counter_ns() - start
        if found is None:
            sys.exit("no record came")
        self.producer.flush(WAIT_S)
        # Once more for the report alone: both cannot be waited for in one thread.
        acked.clear()
        start = time.perf_counter_ns()
        self.producer.produce(
            self.plain,
            VALUE,
            b"k",
            0,
            on_delivery=lambda *_: acked.append(time.perf_counter_ns()),
        )
        while not acked:
            self.producer.poll(WAIT_S)
        self.consumer.poll(WAIT_S)
        return acked[0] - start, hop

    async def _claim(self) -> int:
        self.arrivals.next.clear()
        start = time.perf_counter_ns()
        self.producer.produce(self.claims, VALUE, b"k", 0)
        async with asyncio.timeout(WAIT_S):
            await self.arrivals.next.wait()
        self.producer.poll(0)
        return self.arrivals.at_ns - start

    async def _transaction(self) -> tuple[int, int]:
        self.decided.next.clear()
        self.offset += 1
        start = time.perf_counter_ns()
        done = await asyncio.to_thread(self._commit)
        async with asyncio.timeout(WAIT_S):
            await self.decided.next.wait()
        return done - start, self.decided.at_ns - start

    def _commit(self) -> int:
        self.writer.begin_transaction()
        self.writer.produce(self.committed, VALUE, b"k", 0)
        self.writer.send_offsets_to_transaction(
            [ck.TopicPartition(self.plain, 0, self.offset)],
            self.consumer.consumer_group_metadata(),
            WAIT_S,
        )
        self.writer.commit_transaction(WAIT_S)
        return time.perf_counter_ns()


def figures(found: list[int]) -> dict[str, float]:
    """Return what the table shows, in ms."""
    cuts = statistics.quantiles(found, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49] / 1e6, 2),
        "p99_ms": round(cuts[98] / 1e6, 2),
        "max_ms": round(max(found) / 1e6, 2),
    }


async def measure(bootstrap: str, rounds: int) -> dict[str, dict[str, float]]:
    """Measure `rounds` rounds after warming up."""
    bench = Bench(bootstrap)
    await bench.open()
    for _ in range(WARM_UP):
        await bench.one_round()
    found = [await bench.one_round() for _ in range(rounds)]
    await bench.close()
    return {name: figures([one[name] for one in found]) for name in found[0]}


@contextmanager
def broker(bootstrap: str) -> Iterator[str]:
    """Use the broker at `bootstrap`, or one of our own for the length of a block."""
    if bootstrap:
        yield bootstrap
        return
    with tempfile.TemporaryDirectory() as folder:
        kafka = RealKafka(Path(folder))
        try:
            kafka.start()
            yield kafka.bootstrap
        finally:
            kafka.close()


def main() -> None:
    """Print a table, then the same as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", default="", help="brokers to measure")
    parser.add_argument("--rounds", type=int, default=1000)
    wanted = parser.parse_args()
    with broker(wanted.bootstrap) as bootstrap:
        results = asyncio.run(measure(bootstrap, wanted.rounds))
    print(f"{'':<18} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
    for name, row in results.items():
        print(f"{name:<18}" + "".join(f" {value:>8.2f}" for value in row.values()))
    print(json.dumps({"rounds": wanted.rounds, **results}))


if __name__ == "__main__":
    main()
