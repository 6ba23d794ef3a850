"""Logins that change while data flows: no restart, no hole, hardly a pause."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.app import accounts
from bridge.app.worker import Worker
from bridge.config import Settings, load
from bridge.config.plans import wanted_topics
from bridge.core.codec import Codec, Decoder
from bridge.edge.consumer import read_range
from bridge.edge.schemas import bundled
from tests.embedded.test_orders import ORDERS, Sender, ready, taking, told
from tests.embedded.whole import FINERY, RATES, Whole, whole
from tests.support.processes import ask, settings_file
from tests.support.running import Run, until

TAKER, MAKER = 7, 8
LOGIN_FILES = ("key", "secret", "user", "password")


def write(folder: Path, **texts: str) -> None:
    """Write the files of a login."""
    for name, text in texts.items():
        (folder / name).write_text(text + "\n")


def settings(path: Whole, account: str = "taker", **more: Any) -> Settings:
    """Return settings whose logins are files; create their topics."""
    login = path.finery.account(account)
    write(path.folder, key=login.key, secret=login.secret)
    write(path.folder, user=path.rates.user, password=path.rates.password)
    files = {f"{name}_file": str(path.folder / name) for name in LOGIN_FILES}
    desk = {name: files[name] for name in ("key_file", "secret_file")}
    rates = {name: files[name] for name in ("user_file", "password_file")}
    tree: dict[str, Any] = {
        "kafka": {"bootstrap_servers": path.kafka.bootstrap},
        "books": {"refresh_seconds": 1},
        "finery": {"desk": {"url": path.finery.url, "subscriptions": FINERY, **desk}},
        "cfbenchmarks": {
            "rates": {"url": path.rates.url, "subscriptions": RATES, **rates}
        },
        **more,
    }
    made = load(settings_file(path.folder, tree), {})
    for topic in wanted_topics(made):
        path.kafka.create_topic(topic.name, topic.partitions)
    return made


async def marks(made: Settings) -> dict[tuple[str, str], list[tuple[str, str, int]]]:
    """Return by subscription: connection, state and reason, Kafka time in ms."""
    decoder = Decoder(Codec(bundled()))
    found: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    own = ("finery.", "cfbenchmarks.")
    topics = sorted({t.name for t in wanted_topics(made) if t.name.startswith(own)})
    async for message in read_range(made.kafka.properties(), topics):
        assert message.value is not None
        record = decoder.decode(message.value)
        told = record["boundary"]
        what = f"{told['state']} {told['reason']}" if told else record["action"]
        key = (record["source"], record["subscription"])
        line = (record["connection"], what, message.timestamp_ms)
        found.setdefault(key, []).append(line)
    return found


def pause_ms(lines: Sequence[tuple[str, str, int]]) -> int:
    """Return the time from ENDED to LIVE; there is one change, and it is in order."""
    whats = [what for _, what, _ in lines]
    ended, live = whats.index("ENDED ROTATED"), len(lines)
    old, new = lines[0][0], lines[-1][0]
    assert {connection for connection, _, _ in lines[: ended + 1]} == {old}
    assert {connection for connection, _, _ in lines[ended + 1 :]} == {new}
    assert new > old
    assert whats[ended + 1] == "BINDING CONNECTED"
    assert not any(what.startswith("GAP") for what in whats)
    live = next(i for i in range(ended, len(lines)) if whats[i].startswith("LIVE"))
    return lines[live][2] - lines[ended][2]


async def complete(path: Whole) -> None:
    """See that `feedbridge verify` finds no hole in any topic."""
    file = str(path.folder / "feedbridge.yaml")
    verb = ("verify", "--all", "--json", "--config", file)
    code, verdict = await asyncio.to_thread(ask, path.folder, *verb, variables={})
    assert code == 0, verdict


def rotations(worker: Worker) -> dict[tuple[str, str], int]:
    """Return how often each part was renewed, or could not be."""
    return dict(worker._vitals.tallies.rotations)


def test_logins_are_taken_up_while_data_flows(run: Run, tmp_path: Path) -> None:
    """Each subscription ends on the old connection and is live on the new one."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            made = settings(path)
            worker = path.worker(made)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, len(FINERY) + len(RATES))
            await path.finery.do("rekey", account=TAKER, key="new-key", secret="n3w-s")
            write(path.folder, key="new-key", secret="n3w-s")
            await path.rates.do("rekey", new_user="new-user", password="n3w-p")
            write(path.folder, user="new-user", password="n3w-p")
            wanted = {("desk", "renewed"): 1, ("rates", "renewed"): 1}
            await until(lambda: rotations(worker) == wanted, "renewed")
            await path.live(worker, len(FINERY) + len(RATES))
            await asyncio.sleep(1)
            path.stop.set()
            assert await task == 0

            await complete(path)
            found = await marks(made)
            pauses = {key: pause_ms(lines) for key, lines in found.items()}
            logging.getLogger(__name__).info("ENDED to LIVE in ms: %s", pauses)
            assert len(pauses) >= len(FINERY) + len(RATES)
            assert max(pauses.values()) < 1_000
            assert not {"n3w-s", "n3w-p"} & set(path.lines.getvalue().split("'"))

    run(story())


def test_a_login_that_the_venue_refuses_leaves_the_old_one_in_use(
    run: Run, tmp_path: Path
) -> None:
    """It is told and counted; the right one is taken up as soon as it is there."""

    async def story() -> None:
        async with whole(tmp_path, rate=50.0) as path:
            made = settings(path)
            worker = path.worker(made)
            task = asyncio.ensure_future(worker.run(path.stop))
            await path.live(worker, len(FINERY) + len(RATES))
            write(path.folder, key="unknown-key", secret="wr0ng")
            await until(lambda: ("desk", "failed") in rotations(worker), "refused")
            (path.folder / "key").unlink()
            await until(lambda: "rotation_unreadable" in path.lines.getvalue(), "told")
            await path.finery.do("rekey", account=TAKER, key="new-key", secret="n3w-s")
            write(path.folder, key="new-key", secret="n3w-s")
            await until(lambda: ("desk", "renewed") in rotations(worker), "renewed")
            path.stop.set()
            assert await task == 0

            await complete(path)
            said = path.lines.getvalue()
            assert "rotation_failed part=desk" in said
            assert not any(text in said for text in ("wr0ng", "unknown-key", "n3w-s"))

    run(story())


@asynccontextmanager
async def trading(folder: Path) -> AsyncIterator[tuple[Whole, Worker, Sender]]:
    """Run a worker that takes a maker's orders."""
    async with whole(folder, rate=0.0, desk_rate=0.0) as path:
        options = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"}
        kafka = {"bootstrap_servers": path.kafka.bootstrap, "options": options}
        made = settings(path, "maker", kafka=kafka, commands=ORDERS)
        worker = path.worker(made)
        task = asyncio.ensure_future(worker.run(path.stop))
        sender = Sender(path, made)
        await until(lambda: "commands_assigned" in path.lines.getvalue(), "assigned")
        await ready(sender)
        yield path, worker, sender
        path.stop.set()
        assert await task == 0
        await complete(path)


def test_an_order_connection_is_replaced_at_rest_and_refuses_nothing(
    run: Run, tmp_path: Path
) -> None:
    """An order that would be cancelled with its connection keeps it until then."""

    async def story() -> None:
        async with trading(tmp_path) as (path, worker, sender):
            said = path.lines.getvalue
            base = max(await sender.finals(1)) + 1
            order = {**await taking(sender, "BTC-USD", -1), "type": "limit"}
            sender.send("rest", "add", **order, cod=True)
            rest = (await sender.finals(base + 1))[base].entry.result
            assert rest is not None

            await path.finery.do("rekey", account=MAKER, key="new-key", secret="n3w-s")
            write(path.folder, key="new-key", secret="n3w-s")
            await until(lambda: ("desk", "renewed") in rotations(worker), "feeds")
            await until(lambda: "1 orders that end with the connection" in said(), "w")
            sender.send("more", "add", **order)
            await sender.finals(base + 2)
            assert ("desk/orders", "renewed") not in rotations(worker)

            sender.send("gone", "del", orderId=json.loads(rest.body)["id"])
            for count in range(20):
                sender.send(f"on-{count}", "add", **order)
            await until(lambda: ("desk/orders", "renewed") in rotations(worker), "desk")
            sender.send("last", "add", **order)
            finals = await sender.finals(base + 24)
            assert {told(finals[n])[0] for n in range(base, base + 24)} == {"DONE"}
            assert "cancelled on disconnect" not in said()

    run(story())


def test_an_order_that_was_filled_keeps_no_connection(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account asks what still rests; an order that does keeps its connection."""
    monkeypatch.setattr(accounts, "REFRESH_NS", 1_000_000_000)

    async def story() -> None:
        async with trading(tmp_path) as (path, worker, sender):
            base = max(await sender.finals(1)) + 1
            bids, offers = await path.finery.do("book", instrument="BTC-USD")
            price = (bids[0][0] + offers[0][0]) // 2 // 1_000_000 * 1_000_000
            order = {"instrument": "BTC-USD", "price": price, "size": 1_000_000}
            sender.send("rest", "add", **order, side="bid", type="limit", cod=True)
            await sender.finals(base + 1)
            await path.finery.do("rekey", account=MAKER, key="new-key", secret="n3w-s")
            write(path.folder, key="new-key", secret="n3w-s")
            said = path.lines.getvalue
            await until(lambda: "1 orders that end with the connection" in said(), "w")
            await asyncio.sleep(4)
            assert ("desk/orders", "renewed") not in rotations(worker)

            sale = {**order, "side": "ask", "type": "limitIOC"}
            sold = await path.finery.do(
                "act", account=TAKER, method="add", content=sale
            )
            assert len(sold["deals"]) == 1
            await until(lambda: ("desk/orders", "renewed") in rotations(worker), "desk")
            assert "cancelled on disconnect" not in said()

    run(story())
