"""The order path in one process: commands in, responses out, judged by the venue."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import confluent_kafka as ck
import pytest

from bridge.config import Settings
from bridge.core.codec import Codec
from bridge.core.envelopes import (
    Answer,
    Control,
    Reader,
    Request,
    command_writer,
    control_writer,
)
from bridge.core.orders import Outcome, Phase, Trading
from bridge.edge.consumer import read_range
from bridge.edge.schemas import bundled
from bridge.errors import Undelivered
from tests.embedded.whole import Whole, whole
from tests.support.running import Run, until

TOPIC, RESPONSES = "finery.commands", "finery.responses"
PRODUCE, POLICY_VIOLATION = 0, 44  # an api key, and an error of it
ORDERS = {
    TOPIC: {
        "responses": RESPONSES,
        "accounts": ["desk"],
        "methods": ["read", "order"],
        "answer_timeout_ms": 500,
        "user_timeout_ms": 400,
        "claim_lifetime_ms": 1000,
        "settle_ms": 1500,
    }
}


class Sender:
    """Writes commands and reads responses, with the schemas alone."""

    def __init__(self, path: Whole, settings: Settings) -> None:
        self.codec = Codec(bundled())
        self.reader = Reader(self.codec)
        self.options = settings.kafka.properties()
        self.path = path
        self.producer = ck.Producer({**self.options, "linger.ms": 0})
        self.headers: list[tuple[str, str | bytes | None]] = []
        header = self.codec.single_object_header
        self._command = command_writer(self.codec, header("finery.Command"))
        self._control = control_writer(self.codec, header("feedbridge.Control"))

    def send(self, req_id: str, method: str, **content: Any) -> None:
        """Write one command."""
        request = Request(req_id, method, "desk", json.dumps(content))
        self.raw(self._command(request))

    def raw(self, value: bytes | None) -> None:
        """Write any bytes to the command topic."""
        self.producer.produce(
            TOPIC, value, key="strategy", partition=0, headers=self.headers
        )
        self.producer.flush(5)

    def state(self, state: Trading) -> None:
        """Write the trading state of the account."""
        value = self._control(Control(account="desk", state=state))
        self.producer.produce("feedbridge.control", value, key="desk", partition=0)
        self.producer.flush(5)

    async def answers(self) -> list[Answer]:
        """Return everything in the response topic."""
        return [
            self.reader.response(message.value)
            async for message in read_range(self.options, [RESPONSES])
            if message.value is not None
        ]

    async def finals(self, count: int) -> dict[int, Answer]:
        """Wait for so many finals; return the first one of each command offset."""
        found: dict[int, Answer] = {}
        async with asyncio.timeout(30):
            while len(found) < count:
                found = {}
                for answer in await self.answers():
                    if answer.entry.phase is Phase.FINAL:
                        found.setdefault(answer.entry.command_offset, answer)
                await asyncio.sleep(0.05)
        return found


@asynccontextmanager
async def trading(
    folder: Path,
    orders: Mapping[str, Any] = ORDERS,
    kind: type[Sender] = Sender,
    **more: Any,
) -> AsyncIterator[tuple[Whole, Sender]]:
    """Run a worker that takes orders, and what sends them."""
    async with whole(folder, rate=0.0, desk_rate=0.0) as path:
        # The embedded cluster's rebalances last as long as a session.
        options = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"}
        kafka = {"bootstrap_servers": path.kafka.bootstrap, "options": options}
        settings = path.settings(
            rates=(), finery=("orders",), commands=orders, kafka=kafka, **more
        )
        worker = path.worker(settings)
        task = asyncio.ensure_future(worker.run(path.stop))
        sender = kind(path, settings)
        await until(lambda: "commands_assigned" in path.lines.getvalue(), "assigned")
        await path.live(worker, 1)
        await ready(sender)
        yield path, sender
        path.stop.set()
        assert await task == 0


async def ready(sender: Sender) -> None:
    """Wait until the order connection and the instruments are there."""
    for number in range(100):
        sender.send(f"ready-{number}", "add", **await taking(sender, "BTC-USD", -1))
        answer = (await sender.finals(number + 1))[number]
        assert answer.entry.result is not None
        if answer.entry.result.code not in {"NO_CONNECTION", "INSTRUMENTS_UNKNOWN"}:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the worker never became ready")


async def taking(sender: Sender, instrument: str, offset: int = 0) -> dict[str, Any]:
    """Return an order that takes the best offer, or (offset -1) finds no match."""
    book = await sender.path.finery.do("book", instrument=instrument)
    price = book[1][0][0] if offset == 0 else 1_000_000
    return {
        "instrument": instrument,
        "price": price,
        "size": 1_000_000,
        "side": "bid",
        "type": "limitIOC",
    }


def committed(sender: Sender) -> int:
    """Return where the group of the command topic would start in partition 0."""
    (part,) = sender.path.made.commands.values()
    asking = ck.Consumer({**sender.options, "group.id": part.group})
    try:
        (found,) = asking.committed([ck.TopicPartition(TOPIC, 0)], timeout=10)
        return int(found.offset)
    finally:
        asking.close()


def told(answer: Answer) -> tuple[str, str]:
    """Return outcome and code."""
    assert answer.entry.result is not None
    return answer.entry.result.outcome.name, answer.entry.result.code


def test_orders_are_claimed_sent_and_answered(run: Run, tmp_path: Path) -> None:
    """Done, rejected, refused and repeated: each has one final that is true."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            order = await taking(sender, "BTC-USD")
            sender.send("take", "add", **order)
            sender.send("take", "add", **order)
            sender.send("miss", "add", **{**order, "price": 1_000_000})
            sender.send("odd", "add", **{**order, "size": -1})
            finals = await sender.finals(base + 4)

            assert told(finals[base]) == ("DONE", "FILLED")
            assert told(finals[base + 1]) == ("DONE", "FILLED")
            assert finals[base + 1].entry.repeat_of == base
            assert told(finals[base + 2]) == ("REJECTED", "VENUE_76")
            assert told(finals[base + 3])[0] == "REFUSED"
            requests = path.finery.ledger.entries("request")
            adds = [r for r in requests if r["method"] == "add"]
            assert len({r["clientOrderId"] for r in adds}) == len(adds)

    run(story())


def test_a_lost_reply_is_doubt_and_then_the_truth(run: Run, tmp_path: Path) -> None:
    """The order that was executed is found at the venue, and not sent again."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            await path.finery.do("lose_reply", method="add", times=1)
            sender.send("lost", "add", **await taking(sender, "BTC-USD"))
            finals = await sender.finals(base + 1)

            phases = [
                a.entry.phase
                for a in await sender.answers()
                if a.entry.command_offset == base
            ]
            assert phases == [Phase.CLAIMED, Phase.DOUBT, Phase.FINAL]
            assert told(finals[base])[0] == "DONE"
            result = finals[base].entry.result
            assert result is not None
            assert result.evidence.name == "RECONCILED"

    run(story())


def test_a_request_that_never_arrived_leaves_no_trace(run: Run, tmp_path: Path) -> None:
    """After the settling time the venue shows nothing, and that is what is said."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            await path.finery.do("disconnect_before", method="add", times=1)
            sender.send("gone", "add", **await taking(sender, "BTC-USD"))
            finals = await sender.finals(base + 1)

            assert told(finals[base])[0] == Outcome.NO_TRACE.name

    run(story())


def test_poison_is_buried_and_the_partition_goes_on(run: Run, tmp_path: Path) -> None:
    """Not Avro, empty, null, 5 MB: dead letters, and the next command is answered."""

    async def story() -> None:
        async with trading(tmp_path) as (_, sender):
            base = len(await sender.finals(1))
            for value in (b"no avro", b"", None, b"x" * 900_000):
                sender.raw(value)
            sender.send("after", "positions")
            finals = await sender.finals(base + 1)

            assert told(finals[base + 4])[0] == "DONE"
            letters = [
                m async for m in read_range(sender.options, ["feedbridge.dead-letter"])
            ]
            assert len(letters) == 4

    run(story())


def test_a_dead_letter_that_kafka_refuses_is_sent_again(
    run: Run, tmp_path: Path
) -> None:
    """It arrives with its reason and the mark of the second time, and is logged."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            sender.raw(b"no avro")  # the loop stands still until this is acknowledged
            path.kafka.fail_requests(PRODUCE, [POLICY_VIOLATION])
            line = "topic=feedbridge.dead-letter code=POLICY_VIOLATION lost=False"
            await until(lambda: line in path.lines.getvalue(), "the failure")
            path.stop.set()
            await until(lambda: "stopped ledger" in path.lines.getvalue(), "stopped")
            (letter,) = [
                m async for m in read_range(sender.options, ["feedbridge.dead-letter"])
            ]
            assert letter.value == b"no avro"
            assert dict(letter.headers).keys() > {"reason", "error", "part"}
            assert ("attempt", b"2") in letter.headers

    run(story())


def test_a_halt_stops_new_orders_and_lets_cancels_pass(
    run: Run, tmp_path: Path
) -> None:
    """Halted: orders are refused with a code, cancels and queries reach the venue."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            sender.state(Trading.HALTED)
            await until(lambda: "state=HALTED" in path.lines.getvalue(), "halted")
            sender.send("order", "add", **await taking(sender, "BTC-USD"))
            sender.send("cancel", "delAll")
            sender.send("query", "positions")
            finals = await sender.finals(base + 3)

            assert told(finals[base]) == ("REFUSED", "TRADING_HALTED")
            assert told(finals[base + 1])[1] != "TRADING_HALTED"
            assert told(finals[base + 2])[0] == "DONE"
            sender.state(Trading.ACTIVE)
            await until(lambda: "state=ACTIVE" in path.lines.getvalue(), "active")
            sender.send("again", "add", **await taking(sender, "BTC-USD"))
            finals = await sender.finals(base + 4)
            assert told(finals[base + 3])[0] == "DONE"

    run(story())


def test_a_halt_outlives_the_worker(run: Run, tmp_path: Path) -> None:
    """A new worker reads the control topic before it sends anything."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            sender.state(Trading.HALTED)
            await until(lambda: "state=HALTED" in path.lines.getvalue(), "halted")
            path.stop.set()
            await until(lambda: "stopped ledger" in path.lines.getvalue(), "stopped")
            path.lines, stop = io.StringIO(), asyncio.Event()
            task = asyncio.ensure_future(path.worker(path.made).run(stop))
            await until(lambda: "state=HALTED" in path.lines.getvalue(), "still halted")
            await path.live(path.workers[-1], 1)
            sender.send("order", "add", **await taking(sender, "BTC-USD"))
            finals = await sender.finals(base + 1)
            stop.set()
            assert await task == 0
            assert told(finals[base])[0] == "REFUSED"
            assert told(finals[base])[1] in {"TRADING_HALTED", "NO_CONNECTION"}

    run(story())


def test_a_stop_waits_for_the_answers_that_are_due(run: Run, tmp_path: Path) -> None:
    """An order that is at the venue when the worker stops has the venue's own word.

    It is read back and committed, too, so that the successor finds nothing open.
    """
    patient = {TOPIC: {**ORDERS[TOPIC], "answer_timeout_ms": 5_000}}

    async def story() -> None:
        async with trading(tmp_path, patient) as (path, sender):
            base = len(await sender.finals(1))
            await path.finery.do("delay_reply", ms=1_000, method="add")
            orders = path.workers[0]._orders
            assert orders is not None
            desk = orders.accounts["desk"].desk
            sender.send("slow", "add", **await taking(sender, "BTC-USD"))
            await until(lambda: desk.in_flight > 0, "sent")
            path.stop.set()
            await until(lambda: "stopped ledger" in path.lines.getvalue(), "stopped")
            found = [
                a for a in await sender.answers() if a.entry.command_offset >= base
            ]
            assert [a.entry.phase for a in found] == [Phase.CLAIMED, Phase.FINAL]
            assert told(found[-1]) == ("DONE", "FILLED")
            result = found[-1].entry.result
            assert result is not None
            assert result.evidence.name == "REPLY"
            assert committed(sender) == base + 1

    run(story())


def test_a_stop_tells_of_a_final_response_that_never_arrives(
    run: Run, tmp_path: Path
) -> None:
    """It fails for the last time when its partition has gone: nobody writes it again.

    A successor will look the order up; that this answer is gone must not pass for 0.
    """

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            await sender.finals(1)
            await path.finery.do("delay_reply", ms=200, method="add")
            orders = path.workers[0]._orders
            assert orders is not None
            desk = orders.accounts["desk"].desk
            sender.send("slow", "add", **await taking(sender, "BTC-USD"))
            await until(lambda: desk.in_flight > 0, "sent")
            path.kafka.fail_requests(PRODUCE, [POLICY_VIOLATION] * 10_000)
            path.stop.set()
            line = f"topic={RESPONSES} code=POLICY_VIOLATION lost=True"
            await until(lambda: line in path.lines.getvalue(), "the loss")

    with pytest.raises(Undelivered, match=f"1 records .*{RESPONSES}"):
        run(story())


def test_an_old_record_leaves_an_order_its_answer(run: Run, tmp_path: Path) -> None:
    """The journal is read anew for it, but only when the order is through."""
    patient = {TOPIC: {**ORDERS[TOPIC], "answer_timeout_ms": 5_000}}

    async def story() -> None:
        async with trading(tmp_path, patient) as (path, sender):
            base = len(await sender.finals(1))
            await path.finery.do("delay_reply", ms=500, method="add")
            orders = path.workers[0]._orders
            assert orders is not None
            desk = orders.accounts["desk"].desk
            sender.send("slow", "add", **await taking(sender, "BTC-USD"))
            await until(lambda: desk.in_flight > 0, "sent")
            sender.producer.produce(TOPIC, b"old", partition=0, timestamp=1)
            sender.send("after", "positions")
            finals = await sender.finals(base + 2)

            assert told(finals[base]) == ("DONE", "FILLED")
            assert told(finals[base + 2])[0] == "DONE"
            result = finals[base].entry.result
            assert result is not None
            assert result.evidence.name == "REPLY"
            assert len(orders.paths[TOPIC].witnesses) == 1

    run(story())


def test_orders_with_cod_are_told_when_their_connection_ends(
    run: Run, tmp_path: Path
) -> None:
    """The boundary of the order connection names the orders that it takes with it."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            order = {**await taking(sender, "BTC-USD"), "price": 1_000_000}
            sender.send("rest", "add", **{**order, "type": "limit", "cod": True})
            finals = await sender.finals(base + 1)
            result = finals[base].entry.result
            assert result is not None
            if result.outcome is Outcome.DONE:
                number = json.loads(result.body)["id"]
                await path.finery.do("kill")
                took = f"cancelled on disconnect: {number}"
                await until(lambda: took in path.lines.getvalue(), "told")
            else:
                assert result.code == "VENUE_73"  # the account is a taker

    run(story())
