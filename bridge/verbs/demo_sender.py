"""The sender of `demo --orders`: a service that uses `bridge.client`."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bridge.client import Client, NoFinalYet, Outcome, Response
from bridge.config import Settings
from bridge.core.envelopes import Control
from bridge.core.orders import Trading
from bridge.edge.clock import mono_ns, wall_ns
from bridge.errors import KafkaError
from bridge.verbs.demo_judge import Sent
from bridge.verbs.demo_mix import MAKER, TAKER, Asked, Mix
from bridge.verbs.halt import write

MOST_AT_ONCE = 64
READY_S = 30.0
ANSWER_S = 60.0
PROBE_S = 0.2


async def trade(
    settings: Settings, commands: int, seed: int, seconds: float
) -> list[Sent]:
    """Send `commands` evenly over `seconds`, and wait for the last response.

    Raises:
        KafkaError: the worker answered nothing.
    """
    for account in (TAKER, MAKER):
        await write(settings, _active(account))
    options = settings.kafka.properties()
    async with (
        Client(options, account=TAKER) as taker,
        Client(options, account=MAKER) as maker,
    ):
        sender = Sender({TAKER: taker, MAKER: maker}, Mix(seed, _now_ms))
        await sender.wait_until_served()
        await sender.send_all(commands, seconds)
        return sender.sent


class Sender:
    """Sends at an even pace, with a limit on what is on its way."""

    def __init__(self, clients: dict[str, Client], mix: Mix) -> None:
        """Use a client for each account."""
        self.sent: list[Sent] = []
        self._clients = clients
        self._mix = mix
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    async def wait_until_served(self) -> None:
        """Ask both accounts until the venue answers."""
        end_ns = mono_ns() + int(READY_S * 1e9)
        for account in self._clients:
            while not await self._served(account):
                if mono_ns() > end_ns:
                    raise KafkaError(f"{account} is not served within {READY_S:g} s")
                await asyncio.sleep(PROBE_S)

    async def send_all(self, commands: int, seconds: float) -> None:
        """Send, and return when all have their final response, or time is up."""
        start_ns = mono_ns()
        async with asyncio.TaskGroup() as group:
            for number in range(commands):
                due_ns = start_ns + int(seconds * 1e9 * number / commands)
                await asyncio.sleep(max(0, due_ns - mono_ns()) / 1e9)
                await self._room.acquire()
                group.create_task(self._one(self._mix.next()), name="command")

    async def _one(self, asked: Asked) -> None:
        try:
            # A missing final response is found by the judge, not here.
            with suppress(NoFinalYet):
                self._mix.answered(asked, await self._ask(asked, ANSWER_S))
        finally:
            self._room.release()

    async def _ask(self, asked: Asked, seconds: float) -> Response:
        client = self._clients[asked.account]
        pending = await client.submit(
            asked.method,
            asked.content,
            req_id=asked.req_id,
            not_after=asked.not_after_ms,
            key=asked.key,
        )
        place = pending.partition, pending.offset or 0
        self.sent.append(Sent(asked, pending.req_id, place))
        self._mix.sent(pending.req_id, asked)
        return await pending.final(seconds)

    async def _served(self, account: str) -> bool:
        probe = Asked("probe", account, "instruments", {}, "probe")
        try:
            return (await self._ask(probe, READY_S)).outcome is Outcome.DONE
        except NoFinalYet:
            return False


def _active(account: str) -> Control:
    return Control(
        account=account,
        state=Trading.ACTIVE,
        reason="demo",
        by="demo",
        at_ms=_now_ms(),
    )


def _now_ms() -> int:
    return wall_ns() // 1_000_000
