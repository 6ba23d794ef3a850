"""What a command costs in time, beside two plain Kafka hops of the same run.

A command goes through Kafka to the worker, its claim to Kafka and back, the frame to
the venue; the reply goes through Kafka to the sender. The floor is a record there and
an echo back, on the same broker, between the commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from itertools import count
from secrets import token_hex
from typing import Any, NamedTuple, Protocol

from bridge.bench.order_figures import Figures, Sample, report
from bridge.bench.order_parts import ACCOUNT, Listening, Plain, part
from bridge.edge.admin import Admin, TopicSpec
from bridge.edge.clock import mono_ns
from bridge.errors import KafkaError

ALONE = "one at a time"
WARM = 20
READY_S, ANSWER_S = 30.0, 30.0
PROBE_S = 0.2
# The embedded Kafka does not wake who waits for news: a hop takes up to this long.
FETCH_MS = 2
ORDER = {
    "instrument": "BTC-USD",
    "sizeE8": 100_000,
    "priceE8": 90_000 * 10**8,
    "side": "BID",
    "type": "LIMIT_IOC",
}


class Asker(Protocol):
    """The sender: carries one command out and returns its outcome's name."""

    def __call__(
        self, method: str, content: Mapping[str, Any], req_id: str, seconds: float, /
    ) -> Awaitable[str]:
        """Return when the final response is there; `NONE` if it did not come."""


class Topics(NamedTuple):
    """The topics of one run; on a real broker no two runs share any."""

    commands: str
    responses: str
    there: str
    back: str
    dead: str
    control: str
    state: str
    status: str
    subscriptions: str


Opener = Callable[[Mapping[str, str], Topics], AbstractAsyncContextManager[Asker]]


class Wanted(NamedTuple):
    """What to measure: so many orders alone, then so many at each rate.

    `bootstrap` None starts the embedded Kafka.
    """

    orders: int
    rates: Sequence[int]
    bootstrap: str | None


async def run(wanted: Wanted, opener: Opener) -> Figures:
    """Measure, and return everything JSON-ready; BridgeError if a process failed."""
    async with AsyncExitStack() as stack:
        topics = _topics()
        options = await _kafka(stack, wanted, topics)
        venue = await stack.enter_async_context(part("venue", {}))
        settings = settings_of(options, topics, venue.first)
        worker = await stack.enter_async_context(part("worker", {"settings": settings}))
        words = {"options": options, "there": topics.there, "back": topics.back}
        await stack.enter_async_context(part("echo", words))
        floor = Floor(options, topics)
        stack.enter_context(floor.listening)
        async with opener(options, topics) as ask:
            await _until_served(ask)
            await _load(f"warm {ALONE}", WARM, 0, ask, floor)
            samples = [
                await _load(
                    f"{rate}/s" if rate else ALONE, wanted.orders, rate, ask, floor
                )
                for rate in (0, *wanted.rates)
            ]
        moments = await worker.end()
    return report(samples, moments, "real" if wanted.bootstrap else "embedded")


# -- what is sent


class Floor:
    """Sends plain records to the echo and waits for each to come back."""

    def __init__(self, options: Mapping[str, str], topics: Topics) -> None:
        """Prepare; `listening` must be entered before `hops`."""
        self.listening = Listening(options, topics.back, self._heard)
        self._topic = topics.there
        self._producer = Plain(options)
        self._loop = asyncio.get_running_loop()
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[tuple[int, int]]] = {}

    async def hops(self) -> tuple[int, int]:
        """Return how many ns one record took there, and there and back."""
        number = next(self._numbers)
        arrived = self._waiting[number] = self._loop.create_future()
        start_ns = mono_ns()
        self._producer.send(self._topic, b"%d" % number)
        async with asyncio.timeout(ANSWER_S):
            there_ns, back_ns = await arrived
        return there_ns - start_ns, back_ns - start_ns

    def _heard(self, value: bytes) -> None:
        """In the listening thread: hand over, and stamp where the sender would."""
        number, there_ns = map(int, value.split())
        self._loop.call_soon_threadsafe(self._arrived, number, there_ns)

    def _arrived(self, number: int, there_ns: int) -> None:
        arrived = self._waiting.pop(number)
        if not arrived.done():
            arrived.set_result((there_ns, mono_ns()))


async def _load(name: str, orders: int, rate: int, ask: Asker, floor: Floor) -> Sample:
    """Send orders and plain records in turn, one at a time or paced."""
    sample = Sample(name, {}, [], [])
    if not rate:
        for _ in range(orders):
            await _order(ask, sample)
            await _hop(floor, sample)
        return sample
    start_ns = mono_ns()
    async with asyncio.TaskGroup() as group:
        for half in range(2 * orders):
            due_ns = start_ns + half * 500_000_000 // rate
            await asyncio.sleep(max(0, due_ns - mono_ns()) / 1e9)
            one = _hop(floor, sample) if half % 2 else _order(ask, sample)
            group.create_task(one)
    return sample


async def _order(ask: Asker, sample: Sample) -> None:
    name = token_hex(8)
    times = sample.orders[name] = {"produced": mono_ns()}
    sample.outcomes.append(await ask("add", ORDER, name, ANSWER_S))
    times["seen"] = mono_ns()


async def _hop(floor: Floor, sample: Sample) -> None:
    sample.hops.append(await floor.hops())


async def _until_served(ask: Asker) -> None:
    end_ns = mono_ns() + int(READY_S * 1e9)
    while await ask("instruments", {}, token_hex(8), READY_S) != "DONE":
        if mono_ns() > end_ns:
            raise KafkaError(f"bench: no order was served within {READY_S:g} s")
        await asyncio.sleep(PROBE_S)


# -- what it is sent through


def settings_of(
    options: Mapping[str, str], topics: Topics, venue: Mapping[str, str]
) -> Figures:
    """Return the settings of the worker under test, as its file would have them."""
    rest = {k: v for k, v in options.items() if k != "bootstrap.servers"}
    own = {
        "dead_letter": topics.dead,
        "control": topics.control,
        "subscriptions": topics.subscriptions,
    }
    feeds = topics.status.removesuffix("status") + "{stream}"
    return {
        "worker": {"name": "bench"},
        "kafka": {"bootstrap_servers": options["bootstrap.servers"], "options": rest},
        "topics": {
            "create": False,
            "template": feeds,
            "feed_state": topics.state,
            **own,
        },
        "finery": {ACCOUNT: {**venue, "role": ACCOUNT}},
        "commands": {
            topics.commands: {
                "responses": topics.responses,
                "group": topics.commands,
                "accounts": [ACCOUNT],
                "methods": ["read", "order"],
                "orders_per_second": 100_000.0,
            }
        },
    }


def _topics() -> Topics:
    run_id = token_hex(4)
    return Topics(*(f"feedbridge.bench.{run_id}.{name}" for name in Topics._fields))


async def _kafka(
    stack: AsyncExitStack, wanted: Wanted, topics: Topics
) -> dict[str, str]:
    """Return the properties of a Kafka that has the topics, of one partition each."""
    if wanted.bootstrap is not None:
        options = {"bootstrap.servers": wanted.bootstrap}
        await Admin(options).create([TopicSpec(name, 1) for name in topics])
        return options
    job = {"topics": dict.fromkeys(topics, 1)}
    broker = await stack.enter_async_context(part("kafka", job))
    bootstrap, wait = broker.first["bootstrap"], f"{FETCH_MS}"
    return {"bootstrap.servers": bootstrap, "fetch.wait.max.ms": wait}
