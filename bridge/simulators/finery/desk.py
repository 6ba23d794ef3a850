"""Requests on their way: delay, execution, reply, and every fault between them.

Source: reference page "Finery Markets API", sections 2.5, 6.1 and 13 (8, 9). An order
whose bytes arrived is executed even if its connection ends in the meantime.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.simulators.finery import leaving, methods, wire
from bridge.simulators.finery.faults import Asked, Fate
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.wire import Json

if TYPE_CHECKING:
    from bridge.simulators.finery.server import FinerySimulator
    from bridge.simulators.finery.session import Session


class Outcome(NamedTuple):
    """What was decided about a request, and the reply that says so."""

    decision: str
    text: str
    error: int = 0


class Desk:
    """Takes requests of all connections, in any number at a time."""

    def __init__(self, simulator: FinerySimulator) -> None:
        """Serve the requests of one simulator."""
        self._simulator = simulator
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[tuple[Session, str]] = []

    @property
    def in_flight(self) -> int:
        """Return how many requests wait for a delay to pass."""
        return len(self._tasks)

    def take(self, session: Session, asked: Asked) -> None:
        """Serve one request: at once, or later where it has to wait."""
        fate = self._simulator.table.fate(asked)
        floor = self._simulator.options.latency_floor_ms
        aggressive = methods.is_aggressive(asked.method, asked.content)
        before = fate.before_ms + (floor if aggressive else 0)
        if fate.cut == "before":
            session.connection.kill()
            self._note(session, asked, Outcome("cut before", ""), "withheld")
        elif before or fate.after_ms:
            self._spawn(self._later(session, asked, fate, before))
        else:
            self._answer(session, asked, fate, self._decide(session, asked, fate))

    async def stop(self) -> None:
        """Give up what still waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def release(self) -> int:
        """Send the held replies, the last one first; return how many."""
        held, self._held = self._held, []
        for session, text in reversed(held):
            session.post(text)
        return len(held)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(
        self, session: Session, asked: Asked, fate: Fate, before_ms: int
    ) -> None:
        clock = self._simulator.clock
        if before_ms:
            await clock.sleep(before_ms / 1000)
        outcome = self._decide(session, asked, fate)
        if fate.after_ms:
            await clock.sleep(fate.after_ms / 1000)
        self._answer(session, asked, fate, outcome)

    def _decide(self, session: Session, asked: Asked, fate: Fate) -> Outcome:
        """Execute the request, unless its fate says otherwise, and word the reply."""
        at_top = self._simulator.options.rules.acknowledge_at_top
        if fate.error is not None:
            text = wire.refusal(asked.req_id, Refused(fate.error, fate.param))
            return Outcome("refused by a fault", text, fate.error)
        if fate.result is not None:
            text = wire.reply(asked.req_id, fate.result, at_top=at_top)
            return Outcome("answered by a fault", text)
        if not fate.execute:
            return Outcome("swallowed", "")
        try:
            result = self._execute(session, asked)
        except Refused as refused:
            text = wire.refusal(asked.req_id, refused)
            return Outcome("refused", text, refused.number)
        return Outcome("executed", wire.reply(asked.req_id, result, at_top=at_top))

    def _execute(self, session: Session, asked: Asked) -> Json:
        simulator = self._simulator
        if session.account is None:
            raise Refused(Code.NOT_AUTHORISED)
        if simulator.table.x_code:
            raise Refused(simulator.options.rules.down_error)
        if not isinstance(asked.content, dict):
            raise Refused(Code.PARAMETER, "content")
        call = Call(simulator.venue, session.account, asked.content, asked.connection)
        result = methods.execute(asked.method, call)
        if session.ended:
            leaving.disconnected(simulator.venue, session.number)
        return result

    def _answer(
        self, session: Session, asked: Asked, fate: Fate, outcome: Outcome
    ) -> None:
        reply_first = self._simulator.options.rules.reply_first
        if not reply_first:
            self._simulator.hub.publish()
        if fate.cut == "after":
            session.connection.kill()
            sent = "withheld"
        else:
            sent = self._send(session, fate, outcome.text)
        if reply_first:
            self._simulator.hub.publish()
        self._note(session, asked, outcome, sent)

    def _send(self, session: Session, fate: Fate, text: str) -> str:
        if fate.answer == "lose" or not text:
            return "withheld"
        if fate.hold:
            self._held.append((session, text))
            if len(self._held) >= fate.hold:
                self.release()
            return "held"
        if fate.answer == "garble":
            text = text[: len(text) // 2]
        sent = session.post(text)
        if fate.answer == "double":
            session.post(text)
        return "sent" if sent else "not sent"

    def _note(
        self, session: Session, asked: Asked, outcome: Outcome, sent: str
    ) -> None:
        content = asked.content if isinstance(asked.content, dict) else {}
        self._simulator.ledger.add(
            "request",
            connection=session.number,
            account=session.account.id if session.account else None,
            reqId=asked.req_id,
            method=asked.method,
            content=asked.content,
            clientOrderId=content.get("clientOrderId"),
            decision=outcome.decision,
            error=outcome.error,
            reply=sent,
            text=outcome.text,
        )
