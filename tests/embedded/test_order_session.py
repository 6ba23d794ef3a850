"""Requests over a real socket, and what lookups find after every kind of doubt.

The venue is the simulator with a still market and a standing clock; what it really did
is read from its ledger, and every finding must agree with that.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import pytest

from bridge.core.model import Now, Send, Transport, Unreadable
from bridge.core.orders import Claim, Finding, Key, Reply, Result
from bridge.edge.websocket import TransportOptions, connect
from bridge.simulators.finery import FineryOptions, FinerySimulator, Rules
from bridge.venues.base import Context, Credentials, Source
from bridge.venues.finery import VENUE
from tests.support.running import Run, until

T = TypeVar("T")
USD = 100_000_000
BUY = {"instrument": "BTC-USD", "clientOrderId": 501, "side": "bid"}
TAKE = {**BUY, "size": 10, "type": "marketIOC"}
FAR = {**BUY, "size": 10, "type": "limitIOC", "price": USD}
REST = {**BUY, "size": 10, "type": "limit", "price": USD}
PENDING = {**BUY, "size": 10, "price": USD}
HIT = {"instrument": "BTC-USD", "size": 1, "side": "ask", "type": "marketIOC"}
Params = Mapping[str, Any]


class Line:
    """One order connection: asks, and waits for the answer or for its loss."""

    nonce = 0

    def __init__(self, simulator: FinerySimulator, who: str) -> None:
        """Prepare the session of an account."""
        self.simulator = simulator
        account = simulator.account(who)
        url = simulator.url
        inband = simulator.options.rules.in_band_login
        options = {"login": "inband" if inband else "header"}
        source = Source(
            name="desk", venue="finery", url=url, wanted=(), options=options
        )
        credentials = Credentials(key=account.key, secret=account.secret)
        context = Context(
            credentials=credentials, chance=lambda: 0.5, nonce=self._nonce
        )
        self.session = VENUE.orders.open(VENUE.orders.plan(source), context)
        self.replies: list[Reply] = []
        self.letters: list[Unreadable] = []
        self.closed = False
        self._number = 0
        self._early: list[bytes] = []
        self._transport: Transport | None = None

    def _nonce(self) -> int:
        type(self).nonce += 1
        return self.nonce

    def on_frame(self, data: bytes, received_ns: int) -> None:
        """Take a message, once the session is open."""
        if self._transport is None:
            self._early.append(data)
            return
        for event in self.session.receive(data, received_ns):
            if isinstance(event, Send):
                self._transport.send(event.text)
            elif isinstance(event, Reply):
                self.replies.append(event)
            elif isinstance(event, Unreadable):
                self.letters.append(event)

    def on_chunk_end(self) -> None:
        """Do nothing at the end of a read."""

    async def open(self) -> Line:
        """Connect, log in and wait until requests may go out."""
        now = Now(time.time_ns(), time.monotonic_ns())
        options = TransportOptions(kind="websockets")
        transport = await connect(self.session.handshake(now), self, options)
        self._transport = transport
        self.session.opened(now)
        for data in self._early:
            self.on_frame(data, now.wall_ns)
        await until(lambda: self.session.ready, "the order connection is ready")
        self._watch = asyncio.create_task(self._ends(transport))
        return self

    async def _ends(self, transport: Transport) -> None:
        await transport.wait_closed()
        self.session.closed("gone")
        self.closed = True

    async def close(self) -> None:
        """Drop the connection."""
        assert self._transport is not None
        self._transport.abort()
        await self._watch

    def send(self, method: str, params: Params) -> int:
        """Send one request; return its number."""
        assert self._transport is not None
        self._number += 1
        for event in self.session.request(self._number, method, params):
            assert isinstance(event, Send)
            self._transport.send(event.text)
        return self._number

    async def ask(self, method: str, params: Params) -> Reply | None:
        """Ask, and wait for the answer; None once the venue has kept it back."""
        before = self.simulator.ledger.counts().get("request", 0)
        number = self.send(method, params)

        def over() -> bool:
            entries = self.simulator.ledger.entries("request")[before:]
            mine = [e for e in entries if e["reqId"] == number]
            withheld = bool(mine) and mine[-1]["reply"] != "sent"
            return withheld or self._reply(number) is not None or self.closed

        await until(over, f"{method} is over")
        return self._reply(number)

    def _reply(self, number: int) -> Reply | None:
        found = [reply for reply in self.replies if reply.number == number]
        return found[0] if found else None

    async def done(self, method: str, params: Params) -> Result:
        """Ask for something that must succeed."""
        reply = await self.ask(method, params)
        assert reply is not None
        result = VENUE.orders.judge(method, reply)
        assert result is not None
        return result


class Desk:
    """A venue and one account's order connection to it."""

    def __init__(self, simulator: FinerySimulator, line: Line, who: str) -> None:
        """Take the parts."""
        self.simulator, self.line, self.who = simulator, line, who

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self.simulator.clock.jump(seconds)

    def act(self, who: str, method: str, **params: Any) -> Any:
        """Let another account do something."""
        account = self.simulator.account(who).id
        return self.simulator.faults.act(account, method, params)

    async def doubt(self, method: str, params: Params) -> Claim:
        """Send something whose answer does not come; return its claim."""
        sent_ms = self.simulator.clock.now_ms()
        reply = await self.line.ask(method, params)
        assert reply is None
        self.jump(30)
        return Claim(
            key=Key("finery.commands", "desk", "r-1"),
            command_offset=1,
            method=method,
            order_id=params.get("clientOrderId", 0),
            request=json.dumps(params),
            claimed_ms=sent_ms - 1,
            sent_ms=sent_ms,
        )

    async def find(self, claim: Claim) -> Finding:
        """Look a claim up, on a new connection where the old one is gone."""
        if self.line.closed or not self.line.session.ready:
            self.line = await Line(self.simulator, self.who).open()
        lookup = VENUE.orders.lookup(claim, self.simulator.clock.now_ms())
        while (asked := lookup.request()) is not None:
            reply = await self.line.ask(*asked)
            assert reply is not None
            lookup.answer(reply)
        return lookup.finding()

    async def lost(self, fault: str, method: str, params: Params) -> Finding:
        """Send with a fault on the way, then look up what became of it."""
        await self.simulator.do(fault, method=method)
        claim = await self.doubt(method, params)
        if fault.startswith("disconnect"):
            await until(lambda: self.line.closed, "the connection is gone")
        return await self.find(claim)

    def decision(self, method: str) -> str:
        """Return what the venue really did with the last request of a method."""
        entries = self.simulator.ledger.entries("request")
        found = [e["decision"] for e in entries if e["method"] == method]
        return str(found[-1])


Scene = Callable[[Desk], Awaitable[T]]


def play(run: Run, scene: Scene[T], who: str = "taker", **rules: Any) -> T:
    """Run a scene with one account's order connection."""
    options = FineryOptions(
        rate=0,
        desk_rate=0,
        speed=0,
        instruments=3,
        control_port=None,
        rules=Rules(latency_floor_ms=0, idle_timeout_s=10**6, **rules),
    )

    async def whole() -> T:
        async with FinerySimulator(options) as simulator:
            desk = Desk(simulator, await Line(simulator, who).open(), who)
            try:
                return await scene(desk)
            finally:
                await desk.line.close()

    return run(whole())


def words(finding: Finding) -> tuple[str, str, Any]:
    """Return outcome, code and body of a finding with a result."""
    assert finding.asked
    assert finding.final
    assert finding.result is not None
    body = json.loads(finding.result.body) if finding.result.body else None
    return finding.result.outcome.name, finding.result.code, body


NOTHING = Finding(asked=True)
SWALLOWED = ("lose_request", "disconnect_before")
EXECUTED = ("lose_reply", "disconnect_after")


# The session.


def test_a_taker_session_from_login_to_answers(run: Run) -> None:
    """Signed login, X, and requests whose replies are judged (4.11)."""

    async def scene(desk: Desk) -> None:
        assert (await desk.line.done("instruments", {})).code == "ANSWERED"
        filled = await desk.line.done("add", TAKE)
        assert (filled.code, json.loads(filled.body)["remainingSize"]) == ("FILLED", 0)
        refused = await desk.line.done("add", FAR)
        assert (refused.code, refused.venue_error) == ("VENUE_76", 76)
        wrong = await desk.line.done("add", {**TAKE, "side": "both"})
        assert wrong.code == "VENUE_9"
        assert wrong.text.endswith("parameter side")
        assert desk.line.session.tally.unreadable == 0

    play(run, scene)


@pytest.mark.parametrize("at_top", [False, True])
def test_acknowledgements_are_success_in_both_forms(run: Run, at_top: bool) -> None:
    """`{"error":0}` may come inside the reply or beside its number (2.5)."""

    async def scene(desk: Desk) -> None:
        params = {"counterpartyId": 41, "currency": "USD", "grossLimit": USD}
        done = await desk.line.done("setCLimit", params)
        assert (done.code, done.body) == ("APPLIED", '{"error":0}')

    play(run, scene, acknowledge_at_top=at_top)


def test_an_in_band_login_opens_the_line(run: Run) -> None:
    """The legacy login comes by message; requests wait for its answer (1.5)."""

    async def scene(desk: Desk) -> None:
        assert (await desk.line.done("positions", {})).code == "ANSWERED"

    play(run, scene, in_band_login=True)


def test_replies_in_another_order_find_their_requests(run: Run) -> None:
    """Many requests in flight, answered last first, are matched by number."""

    async def scene(desk: Desk) -> None:
        await desk.simulator.do("reorder_replies", count=3)
        numbers = [desk.line.send("add", {**TAKE, "size": n}) for n in (1, 2, 3)]
        await until(lambda: len(desk.line.replies) == 3, "all are answered")
        assert [reply.number for reply in desk.line.replies] == numbers[::-1]
        sizes = {
            reply.number: json.loads(reply.result)["deals"][0]["size"]
            for reply in desk.line.replies
        }
        assert sizes == dict(zip(numbers, (1, 2, 3), strict=True))

    play(run, scene)


def test_doubled_replies_come_twice(run: Run) -> None:
    """A second answer to the same number is passed on, for the caller to compare."""

    async def scene(desk: Desk) -> None:
        await desk.simulator.do("double_reply", method="add")
        desk.line.send("add", TAKE)
        await until(lambda: len(desk.line.replies) == 2, "both are here")
        assert desk.line.replies[0] == desk.line.replies[1]

    play(run, scene)


def test_a_garbled_reply_is_a_dead_letter(run: Run) -> None:
    """Half an answer cannot be matched; the request stays without one."""

    async def scene(desk: Desk) -> None:
        await desk.simulator.do("garble_reply", method="add")
        desk.line.send("add", TAKE)
        await until(lambda: bool(desk.line.letters), "the dead letter is here")
        assert desk.line.replies == []

    play(run, scene)


def test_nothing_is_sent_while_the_venue_is_down(run: Run) -> None:
    """X with 2 closes the way, X with 0 opens it; late replies still come."""

    async def scene(desk: Desk) -> None:
        line, simulator = desk.line, desk.simulator
        await simulator.do("delay_reply", ms=1000, method="add")
        number = line.send("add", TAKE)
        await simulator.do("x", code=2)
        await until(lambda: not line.session.ready, "the session is not ready")
        before = simulator.ledger.counts().get("request", 0)
        assert line.session.request(99, "add", TAKE) == []
        simulator.clock.jump(2)
        await until(lambda: bool(line.replies), "the late reply is here")
        assert [reply.number for reply in line.replies] == [number]
        assert simulator.ledger.counts()["request"] == before + 1
        await simulator.do("x", code=0)
        await until(lambda: line.session.ready, "the session is ready again")
        assert (await line.done("positions", {})).code == "ANSWERED"

    play(run, scene)


@pytest.mark.parametrize("number", [2, 10, 104, 4711])
def test_failures_inside_the_venue_are_doubt(run: Run, number: int) -> None:
    """They prove nothing about an order, and refuse a read."""

    async def scene(desk: Desk) -> None:
        await desk.simulator.do("reply_error", error=number, times=None)
        reply = await desk.line.ask("add", TAKE)
        assert reply is not None
        assert VENUE.orders.judge("add", reply) is None
        assert (await desk.line.done("positions", {})).code == f"VENUE_{number}"

    play(run, scene)


# Lookups of orders.


@pytest.mark.parametrize("fault", EXECUTED)
def test_a_filled_order_is_found(run: Run, fault: str) -> None:
    """Executed and not answered: the deals of the order are its trace."""

    async def scene(desk: Desk) -> None:
        outcome, code, body = words(await desk.lost(fault, "add", TAKE))
        assert (outcome, code) == ("DONE", "DEALS_FOUND")
        assert (body["order"]["remainingSize"], body["order"]["active"]) == (0, False)
        assert sum(deal["size"] for deal in body["deals"]) == 10
        assert desk.decision("add") == "executed"

    play(run, scene)


@pytest.mark.parametrize("fault", SWALLOWED)
@pytest.mark.parametrize("method", ["add", "pending/add"])
def test_an_order_that_never_arrived_leaves_nothing(
    run: Run, fault: str, method: str
) -> None:
    """Neither an active order nor a deal: nothing is found."""

    async def scene(desk: Desk) -> None:
        params = TAKE if method == "add" else PENDING
        assert await desk.lost(fault, method, params) == NOTHING
        assert desk.decision(method) in {"swallowed", "cut before"}

    play(run, scene)


@pytest.mark.parametrize("fault", EXECUTED)
def test_a_refused_order_leaves_nothing(run: Run, fault: str) -> None:
    """Nothing to match, and the refusal is lost: nothing is found."""

    async def scene(desk: Desk) -> None:
        assert await desk.lost(fault, "add", FAR) == NOTHING
        assert desk.decision("add") == "refused"

    play(run, scene)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_partly_filled_order_is_found(run: Run, newest_first: bool) -> None:
    """Two deals, and a rest that was dropped: both are told."""

    async def scene(desk: Desk) -> None:
        book = await desk.line.done("book", {"instrument": "BTC-USD", "tradable": True})
        _, asks = json.loads(book.body)
        size = asks[0][1] + asks[1][1]
        price = asks[1][0]
        params = {**BUY, "type": "limitIOC", "price": price, "size": size + 7}
        outcome, code, body = words(await desk.lost("lose_reply", "add", params))
        assert (outcome, code) == ("DONE", "DEALS_FOUND")
        assert (body["order"]["remainingSize"], body["order"]["active"]) == (7, False)
        assert [deal["price"] for deal in body["deals"]] == [asks[0][0], price]
        assert [deal["id"] for deal in body["deals"]] == sorted(
            deal["id"] for deal in body["deals"]
        )

    play(run, scene, newest_deals_first=newest_first)


def test_an_order_by_volume_is_found(run: Run) -> None:
    """Volumes are counted where the order is by volume."""

    async def scene(desk: Desk) -> None:
        params = {**BUY, "volume": 50 * USD, "type": "marketIOC"}
        _, code, body = words(await desk.lost("lose_reply", "add", params))
        assert code == "DEALS_FOUND"
        assert "remainingVolume" in body["order"]

    play(run, scene)


@pytest.mark.parametrize("fault", EXECUTED)
def test_a_resting_order_is_found(run: Run, fault: str) -> None:
    """A maker's order that nobody touched is active."""

    async def scene(desk: Desk) -> None:
        _, code, body = words(await desk.lost(fault, "add", REST))
        assert (code, body["order"]["remainingSize"], body["deals"]) == (
            "ORDER_ACTIVE",
            10,
            [],
        )

    play(run, scene, who="maker")


def test_a_resting_order_and_its_deals_are_found(run: Run) -> None:
    """What others took from it before it was looked up is told with it."""

    async def scene(desk: Desk) -> None:
        best = desk.act("taker", "book", instrument="BTC-USD")[0][0][0]
        await desk.simulator.do("lose_reply", method="add")
        claim = await desk.doubt("add", {**REST, "price": best + USD})
        desk.act("taker", "add", **{**HIT, "size": 3})
        desk.act("taker", "add", **{**HIT, "size": 4})
        _, code, body = words(await desk.find(claim))
        assert (code, body["order"]["active"], body["order"]["remainingSize"]) == (
            "ORDER_ACTIVE",
            True,
            3,
        )
        assert [deal["size"] for deal in body["deals"]] == [3, 4]

    play(run, scene, who="maker")


def test_a_resting_order_with_cancel_on_disconnect_is_gone(run: Run) -> None:
    """It went with its connection, so neither order nor deal is there (12)."""

    async def scene(desk: Desk) -> None:
        params = {**REST, "cod": True}
        assert await desk.lost("disconnect_after", "add", params) == NOTHING
        assert desk.decision("add") == "executed"

    play(run, scene, who="maker")


def test_a_late_order_is_found_after_it_arrived(run: Run) -> None:
    """Bytes that the network kept are found by the next look."""

    async def scene(desk: Desk) -> None:
        await desk.simulator.do("delay_request", ms=5000, method="add")
        sent_ms = desk.simulator.clock.now_ms()
        desk.line.send("add", TAKE)
        await until(lambda: desk.simulator.desk.in_flight == 1, "it is on its way")
        claim = Claim(
            key=Key("finery.commands", "desk", "r-1"),
            command_offset=1,
            method="add",
            order_id=501,
            request=json.dumps(TAKE),
            claimed_ms=sent_ms,
            sent_ms=sent_ms,
        )
        assert await desk.find(claim) == NOTHING
        desk.jump(6)
        await until(lambda: desk.simulator.desk.in_flight == 0, "it has arrived")
        assert words(await desk.find(claim))[1] == "DEALS_FOUND"

    play(run, scene)


def test_more_deals_than_a_page(run: Run) -> None:
    """The order is behind 600 newer deals: the history is paged back to it."""

    async def scene(desk: Desk) -> None:
        await desk.simulator.do("lose_reply", method="add")
        claim = await desk.doubt("add", TAKE)
        for number in range(600):
            more = {**TAKE, "size": 1, "clientOrderId": 1000 + number}
            desk.act("taker", "add", **more)
        _, code, body = words(await desk.find(claim))
        assert (code, body["order"]["clientOrderId"]) == ("DEALS_FOUND", 501)
        pages = [
            entry["content"].get("till")
            for entry in desk.simulator.ledger.entries("request")
            if entry["method"] == "dealHistory"
        ]
        assert len(pages) >= 3

    play(run, scene)


def test_orders_that_used_the_id_before_do_not_count(run: Run) -> None:
    """Only what came after the claim is its order's, whatever is in the history."""

    async def scene(desk: Desk) -> None:
        for _ in range(3):
            desk.act("taker", "add", **TAKE)
            desk.jump(20)
        _, code, body = words(await desk.lost("lose_reply", "add", TAKE))
        assert code == "DEALS_FOUND"
        assert sum(deal["size"] for deal in body["deals"]) == 10
        decided = desk.simulator.ledger.entries("order")
        assert body["order"]["id"] == max(entry["id"] for entry in decided)

    play(run, scene)


def test_an_id_that_was_only_used_before_is_not_taken_for_the_order(run: Run) -> None:
    """Long before: nothing is found; shortly before: a person must look."""

    async def scene(desk: Desk) -> None:
        desk.act("taker", "add", **TAKE)
        desk.jump(600)
        assert await desk.lost("lose_request", "add", TAKE) == NOTHING
        desk.act("taker", "add", **TAKE)
        desk.jump(60)
        found = words(await desk.lost("lose_request", "add", TAKE))
        assert found[:2] == ("UNRESOLVED", "AMBIGUOUS")

    play(run, scene)


@pytest.mark.parametrize("fault", [*EXECUTED, *SWALLOWED])
def test_authorized_orders(run: Run, fault: str) -> None:
    """A master's order for a sub-account is found in the client's history."""

    async def scene(desk: Desk) -> None:
        finding = await desk.lost(fault, "authorized/add", {**TAKE, "clientId": 10})
        if fault in SWALLOWED:
            assert finding == NOTHING
        else:
            assert words(finding)[:2] == ("DONE", "DEALS_FOUND")

    play(run, scene, who="master")


@pytest.mark.parametrize("on_orders", [False, True])
def test_pending_orders(run: Run, on_orders: bool) -> None:
    """A pending order is found in its list, whether or not it is among the active."""

    async def scene(desk: Desk) -> None:
        found = words(await desk.lost("lose_reply", "pending/add", PENDING))
        assert found[:2] == ("DONE", "ORDER_ACTIVE")

    play(run, scene, pending_on_orders=on_orders)


def test_pending_orders_of_a_client(run: Run) -> None:
    """A master's pending order for a sub-account is found in the client's list."""

    async def scene(desk: Desk) -> None:
        params = {**PENDING, "clientId": 10}
        found = words(await desk.lost("lose_reply", "pending/authorized/add", params))
        assert found[:2] == ("DONE", "ORDER_ACTIVE")

    play(run, scene, who="master")


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request"])
def test_liquidations(run: Run, fault: str) -> None:
    """A liquidation deals at once: its deal is its trace."""

    async def scene(desk: Desk) -> None:
        params = {**PENDING, "counterpartyId": 10}
        finding = await desk.lost(fault, "liquidationTrade", params)
        if fault == "lose_request":
            assert finding == NOTHING
        else:
            assert words(finding)[1] == "DEALS_FOUND"

    play(run, scene, who="master")


# mod


async def resting(desk: Desk, client_order_id: int = 501) -> int:
    """Place an order that rests; return its id."""
    placed = await desk.line.done("add", {**REST, "clientOrderId": client_order_id})
    number = json.loads(placed.body)["id"]
    assert isinstance(number, int)
    return number


def replacement(number: int, client_order_id: int = 502) -> dict[str, Any]:
    """Return the parameters of a `mod`."""
    price = 2 * USD
    named = {"orderId": number, "clientOrderId": client_order_id}
    return {**named, "price": price, "size": 20}


@pytest.mark.parametrize("fault", EXECUTED)
def test_a_replacement_is_found(run: Run, fault: str) -> None:
    """The new order is active under its own client order id."""

    async def scene(desk: Desk) -> None:
        number = await resting(desk)
        _, code, body = words(await desk.lost(fault, "mod", replacement(number)))
        assert (code, body["origId"]) == ("ORDER_ACTIVE", number)
        assert (body["order"]["clientOrderId"], body["order"]["remainingSize"]) == (
            502,
            20,
        )

    play(run, scene, who="maker")


@pytest.mark.parametrize("fault", SWALLOWED)
def test_a_replacement_that_never_arrived(run: Run, fault: str) -> None:
    """The old order is still active, so nothing was executed."""

    async def scene(desk: Desk) -> None:
        number = await resting(desk)
        found = words(await desk.lost(fault, "mod", replacement(number)))
        assert found[:2] == ("NO_TRACE", "MOD_OLD_ACTIVE")

    play(run, scene, who="maker")


def test_a_replacement_that_lost_the_old_order(run: Run) -> None:
    """The old order was removed and the new one not placed: said by reply or lists."""

    async def scene(desk: Desk) -> None:
        await resting(desk, 502)
        desk.jump(600)
        first, second = await resting(desk, 503), await resting(desk, 504)
        told = await desk.line.done("mod", replacement(first))
        assert (told.outcome.name, told.code) == ("REJECTED", "MOD_OLD_GONE")
        assert told.venue_error == 74
        assert f"the old order {first} was removed with 10 left" in told.text
        found = words(await desk.lost("lose_reply", "mod", replacement(second)))
        assert found[:2] == ("NO_TRACE", "MOD_OLD_GONE")
        assert found[2]["origId"] == second

    play(run, scene, who="maker")


# del and delAll


@pytest.mark.parametrize("by", ["orderId", "clientOrderId"])
@pytest.mark.parametrize("fault", [*EXECUTED, *SWALLOWED])
def test_cancels(run: Run, fault: str, by: str) -> None:
    """The order is not active any more, or it still is."""

    async def scene(desk: Desk) -> None:
        number = await resting(desk)
        named = {by: number if by == "orderId" else 501}
        found = words(await desk.lost(fault, "del", named))
        swallowed = ("NO_TRACE", "STILL_ACTIVE")
        expected = swallowed if fault in SWALLOWED else ("DONE", "NOT_ACTIVE")
        assert found[:2] == expected
        active = desk.simulator.venue.orders.get(number)
        assert (active is not None) is (fault in SWALLOWED)

    play(run, scene, who="maker")


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request"])
def test_a_cancel_of_a_finished_order(run: Run, fault: str) -> None:
    """It is not active any more, whoever ended it, and its deals are told."""

    async def scene(desk: Desk) -> None:
        best = desk.act("taker", "book", instrument="BTC-USD")[0][0][0]
        params = {**REST, "price": best + USD}
        placed = await desk.line.done("add", params)
        number = json.loads(placed.body)["id"]
        desk.act("taker", "add", **{**HIT, "size": 10})
        assert number not in desk.simulator.venue.orders
        _, code, body = words(await desk.lost(fault, "del", {"orderId": number}))
        assert code == "NOT_ACTIVE"
        assert sum(deal["size"] for deal in body["deals"]) == 10
        told = await desk.line.done("del", {"orderId": number})
        assert told.code == "VENUE_80"

    play(run, scene, who="maker")


@pytest.mark.parametrize("fault", [*EXECUTED, *SWALLOWED])
def test_removing_all(run: Run, fault: str) -> None:
    """No order from before is left, or some are."""

    async def scene(desk: Desk) -> None:
        for client_order_id in (501, 502, 503):
            await resting(desk, client_order_id)
        desk.jump(10)
        found = words(await desk.lost(fault, "delAll", {}))
        left = ("NO_TRACE", "ORDERS_LEFT")
        assert found[:2] == (left if fault in SWALLOWED else ("DONE", "NONE_LEFT"))

    play(run, scene, who="maker")


def test_removing_all_leaves_newer_orders_and_other_instruments(run: Run) -> None:
    """What came after the request, or is not of its instrument, may stay."""

    async def scene(desk: Desk) -> None:
        await resting(desk, 501)
        names = [
            i for i in desk.simulator.venue.catalogue.instruments if i != "BTC-USD"
        ]
        other = {**REST, "instrument": names[0], "clientOrderId": 502}
        assert (await desk.line.done("add", other)).code == "ACCEPTED"
        desk.jump(10)
        await desk.simulator.do("lose_reply", method="delAll")
        claim = await desk.doubt("delAll", {"instrument": "BTC-USD"})
        newer = await resting(desk, 503)
        outcome, code, body = words(await desk.find(claim))
        assert (outcome, code, body) == ("DONE", "NONE_LEFT", {"active": [newer]})

    play(run, scene, who="maker")


@pytest.mark.parametrize("method", ["pending/del", "pending/delAll"])
@pytest.mark.parametrize("fault", ["lose_reply", "lose_request"])
def test_cancels_of_pending_orders(run: Run, method: str, fault: str) -> None:
    """Their own list tells."""

    async def scene(desk: Desk) -> None:
        await desk.line.done("pending/add", PENDING)
        desk.jump(10)
        params = {"clientOrderId": 501} if method == "pending/del" else {}
        found = words(await desk.lost(fault, method, params))
        assert found[0] == ("DONE" if fault == "lose_reply" else "NO_TRACE")

    play(run, scene)


# Limits, and what cannot be told.


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request"])
def test_limits(run: Run, fault: str) -> None:
    """A limit is as it was to be, or not; it is gone, or not."""

    async def scene(desk: Desk) -> None:
        params = {"counterpartyId": 41, "currency": "USD", "grossLimit": 5 * USD}
        found = words(await desk.lost(fault, "setCLimit", params))
        lost = fault == "lose_request"
        assert found[1] == ("LIMIT_DIFFERS" if lost else "LIMIT_AS_ASKED")
        await desk.line.done("setCLimit", params)
        found = words(await desk.lost(fault, "delCLimit", {"counterpartyId": 41}))
        assert found[1] == ("LIMIT_STILL_SET" if lost else "NO_LIMIT")

    play(run, scene)


def test_settlements_are_left_to_a_person(run: Run) -> None:
    """No documented list has a key that names one request among others."""

    async def scene(desk: Desk) -> None:
        params = {"counterpartyId": 41, "currency": "BTC", "amount": 5, "comment": "x"}
        method = "addOutgoingSettlementTransaction"
        found = words(await desk.lost("lose_reply", method, params))
        assert found[:2] == ("UNRESOLVED", "NO_LOOKUP")

    play(run, scene)


def test_a_venue_that_is_down_was_not_asked(run: Run) -> None:
    """Without answers there is no finding, and the caller asks again."""

    async def scene(desk: Desk) -> None:
        await desk.simulator.do("lose_reply", method="add")
        claim = await desk.doubt("add", TAKE)
        await desk.simulator.do("reply_error", error=2)
        assert await desk.find(claim) == Finding(asked=False, final=False)
        assert words(await desk.find(claim))[1] == "DEALS_FOUND"

    play(run, scene)
