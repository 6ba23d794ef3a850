"""The processes of `bench --orders` beside the sender: Kafka, venue, worker, echo.

Started as `python -m bridge.bench.order_parts ROLE`; the first line of stdin says what
to do, the first line of stdout that it is done. Each ends when stdin closes; the worker
then says when each command was sent, answered and read back. The monotonic clock is
one for all processes of a machine, so times of different ones are compared.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import confluent_kafka as ck

from bridge.app.worker import Worker
from bridge.bench.stdio import say, until_closed
from bridge.config import Settings
from bridge.core.orders import Key
from bridge.edge.clock import mono_ns
from bridge.edge.kafka_options import (
    LOGGER,
    Budget,
    Options,
    client_options,
    one_name,
    producer_options,
)
from bridge.edge.logs import Log
from bridge.edge.lookups import awaited_ends
from bridge.embedded import EmbeddedKafka
from bridge.errors import BridgeError
from bridge.flow.latency import Latency, Moment
from bridge.simulators.finery import FineryOptions, FinerySimulator, Rules

ACCOUNT = "taker"
POLL_S = 0.1
LOOKUP_S = 10.0
STOP_S = 20.0
LINE_LIMIT = 1 << 26
GROUP = "feedbridge-bench"

Job = Mapping[str, Any]


async def kafka(job: Job) -> None:
    """Serve an embedded Kafka with the topics of the job."""
    with EmbeddedKafka(topics=job["topics"]) as broker:
        say({"bootstrap": broker.bootstrap})
        await until_closed()


async def venue(_job: Job) -> None:
    """Serve a Finery that answers at once and whose market stands still."""
    rules = Rules(latency_floor_ms=0)
    options = FineryOptions(rate=0, desk_rate=0, control_port=None, rules=rules)
    async with FinerySimulator(options) as simulator:
        login = simulator.account(ACCOUNT)
        say({"url": simulator.url, "key": login.key, "secret": login.secret})
        await until_closed()


async def worker(job: Job) -> None:
    """Run a worker, and tell the moments of each command when it has ended."""
    moments: dict[str, dict[str, int]] = defaultdict(dict)

    def note(key: Key, moment: Moment, at_ns: int) -> None:
        moments[key.req_id].setdefault(moment.value, at_ns)

    Latency.watchers.append(note)
    settings = Settings.model_validate(job["settings"])
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(settings, Log("error", "text")).run(stop))
    say({})
    leash = asyncio.create_task(until_closed())
    await asyncio.wait([running, leash], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await running
    say(moments)


async def echo(job: Job) -> None:
    """Send each record of one topic on to another, with the time in between."""
    options, there, back = job["options"], job["there"], job["back"]
    producer = Plain(options)

    def pass_on(value: bytes) -> None:
        producer.send(back, value + b" %d" % mono_ns())

    with Listening(options, there, pass_on):
        say({})
        await until_closed()
    producer.flush()


class Plain:
    """A producer as a careful user makes it: nothing waits for company."""

    def __init__(self, options: Options) -> None:
        """Start librdkafka."""
        mine = {k: v for k, v in options.items() if not k.startswith("fetch.")}
        quick: Options = {"linger.ms": 0}
        self._kafka = ck.Producer(
            producer_options({**quick, **one_name(mine)}, Budget())
        )

    def send(self, topic: str, value: bytes) -> None:
        """Write one record to the first partition."""
        self._kafka.produce(topic, value, partition=0)
        self._kafka.poll(0)

    def flush(self) -> None:
        """Wait until nothing is on its way."""
        self._kafka.flush(LOOKUP_S)


class Listening:
    """A thread that calls `heard` with each new value of a topic's first partition."""

    def __init__(
        self, options: Options, topic: str, heard: Callable[[bytes], None]
    ) -> None:
        """Start at the end of the topic: what is written from now on is heard."""
        ours = {"group_id": GROUP, "enable_auto_commit": "false"}
        self._kafka = ck.Consumer(client_options(options, **ours))
        place = ck.TopicPartition(topic, 0)
        place.offset = awaited_ends(self._kafka, place, LOOKUP_S)[1]
        self._kafka.assign([place])
        self._heard = heard
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"hears {topic}")

    def __enter__(self) -> None:
        """Begin."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """End the thread, and wait for it."""
        self._ended.set()
        self._thread.join()
        self._kafka.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            found = self._kafka.poll(POLL_S)
            value = found.value() if found is not None and not found.error() else None
            if value is not None:
                self._heard(value)


class Part(NamedTuple):
    """A process of the benchmark, and the first that it said."""

    process: Process
    first: Any

    async def end(self) -> Any:  # noqa: ANN401 - what it says is its own
        """Let it end; return its last word."""
        async with asyncio.timeout(STOP_S):
            out, _ = await self.process.communicate(b"")
        if self.process.returncode or not out:
            raise BridgeError("bench: the worker did not end well")
        return json.loads(out.splitlines()[-1])


@asynccontextmanager
async def part(role: str, job: Mapping[str, Any]) -> AsyncIterator[Part]:
    """Start a process; on the way out let it go, and kill it if it stays."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bridge.bench.order_parts", role),
        stdin=PIPE,
        stdout=PIPE,
        limit=LINE_LIMIT,
        start_new_session=True,  # Ctrl-C is ours; they end with their stdin
    )
    assert process.stdin is not None  # noqa: S101 - it was asked for
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(json.dumps(job).encode() + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise BridgeError(f"bench: {role} did not start")
        yield Part(process, json.loads(line))
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


ROLES = {"kafka": kafka, "venue": venue, "worker": worker, "echo": echo}


if __name__ == "__main__":
    # librdkafka's remark that an option is for consumers only helps nobody here.
    LOGGER.setLevel(logging.CRITICAL)
    asyncio.run(ROLES[sys.argv[1]](json.loads(sys.stdin.buffer.readline())))
