"""The Finery simulator over real sockets: `bridge.simulators.finery`.

Each test runs a simulator on loopback and talks to it with the `websockets` client.
Virtual time stands still unless a test moves it.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.core.model import Close, Now, Plan, Send, State, Unreadable
from bridge.simulators.control import ControlClient
from bridge.simulators.finery import (
    Era,
    FineryOptions,
    FinerySimulator,
    Nonces,
    Recording,
    Rules,
    simulate,
)
from bridge.simulators.finery.accounts import signature
from bridge.simulators.finery.commands import COMMANDS
from bridge.simulators.finery.faults import Asked, Fate
from bridge.venues import VENUES
from bridge.venues.base import Context, Credentials, Session, Source, Wanted
from tests.support.certificates import make_certificates
from tests.support.running import Run, until
from tests.unit.simulators.finery.test_books import Reader

T = TypeVar("T")
NAME = "BTC-USD"
USD = 100_000_000
BUY = {"instrument": NAME, "size": 10, "side": "bid", "type": "marketIOC"}
QUOTE = {"instrument": NAME, "size": 10, "side": "bid", "type": "limit", "price": USD}


class Client:
    """A client of the venue that logs in with obviously fake keys."""

    nonce = 0

    def __init__(self, simulator: FinerySimulator, who: str = "taker") -> None:
        self.simulator = simulator
        self.account = simulator.account(who)
        self.socket: ClientConnection | None = None

    def headers(self, **change: str) -> dict[str, str]:
        """Return the signed headers of one login."""
        type(self).nonce += 1
        stamp = self.simulator.clock.wall_ms()
        content = f'{{"nonce":{self.nonce},"timestamp":{stamp}}}'
        signed = signature(self.account.secret, content)
        named = {"EFX-Key": self.account.key, "EFX-Content": content}
        return {**named, "EFX-Sign": signed, **change}

    async def open(
        self, headers: dict[str, str] | None = None, **more: Any
    ) -> "Client":
        """Connect and take the X message."""
        self.socket = await connect(
            self.simulator.url,
            additional_headers=self.headers() if headers is None else headers,
            proxy=None,
            open_timeout=20,
            **more,
        )
        self.x = await self.take()
        return self

    async def send(self, **message: Any) -> None:
        """Send one message."""
        assert self.socket is not None
        await self.socket.send(json.dumps(message))

    async def text(self) -> str:
        """Return the next frame as text."""
        assert self.socket is not None
        async with asyncio.timeout(20):
            return str(await self.socket.recv())

    async def take(self) -> Any:
        """Return the next frame as JSON."""
        return json.loads(await self.text())

    async def quiet(self) -> bool:
        """Tell whether nothing is on its way: a request's reply comes next."""
        await self.send(event="request", reqId="quiet?", method="nope", content={})
        return bool((await self.take()).get("reqId") == "quiet?")

    async def bind(self, feed: str, feed_id: Any = None) -> Any:
        """Bind and return the answer."""
        await self.send(event="bind", feed=feed, **_id(feed_id))
        return await self.take()

    async def request(self, method: str, req_id: Any = 1, **content: Any) -> Any:
        """Send a request and return the next frame."""
        await self.ask(method, req_id, **content)
        return await self.take()

    async def ask(self, method: str, req_id: Any = 1, **content: Any) -> None:
        """Send a request."""
        await self.send(event="request", reqId=req_id, method=method, content=content)

    async def ended(self) -> int:
        """Read to the end and return the close code; 1006 for none."""
        assert self.socket is not None
        try:
            while True:
                await self.text()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006

    async def close(self) -> None:
        """Drop the connection."""
        if self.socket is not None:
            self.socket.transport.abort()
            await self.socket.wait_closed()


def _id(feed_id: Any) -> dict[str, Any]:
    return {} if feed_id is None else {"feedId": feed_id}


Scene = Callable[[FinerySimulator, Client], Awaitable[T]]


def play(run: Run, scene: Scene[T], who: str = "taker", **options: Any) -> T:
    """Run a scene with a still market, a connected client, and a standing clock."""
    still = {"rate": 0, "desk_rate": 0, "speed": 0, "instruments": 3}
    rules = {"latency_floor_ms": 0, **options.pop("rules", {})}
    chosen = FineryOptions(**{**still, **options}, rules=Rules(**rules))

    async def whole() -> T:
        async with FinerySimulator(chosen) as simulator:
            client = await Client(simulator, who).open()
            try:
                return await scene(simulator, client)
            finally:
                await client.close()

    return run(whole())


async def refused_login(simulator: FinerySimulator, headers: dict[str, str]) -> Any:
    """Return status and body of a refused upgrade."""
    with pytest.raises(InvalidStatus) as refused:
        await Client(simulator).open(headers)
    response = refused.value.response
    return response.status_code, bytes(response.body or b"").decode()


# Items 1 and 2: handshake and X.


def test_a_login_is_followed_by_x(run: Run) -> None:
    """After the upgrade the first frame is `["X",0,"Z",0]`."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        assert client.x == ["X", 0, "Z", 0]

    play(run, scene)


def test_refused_logins_say_why(run: Run) -> None:
    """Bad key, signature, nonce and timestamp answer HTTP 400 and `{"error":N}`."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        good = client.headers()
        assert await refused_login(simulator, {}) == (400, '{"error":3}')
        bad = {**good, "EFX-Key": "x"}
        assert await refused_login(simulator, bad) == (400, '{"error":3}')
        bad = {**good, "EFX-Sign": "x"}
        assert await refused_login(simulator, bad) == (400, '{"error":14}')
        old = '{"nonce":77,"timestamp":5}'
        signed = signature(client.account.secret, old)
        bad = {**good, "EFX-Content": old, "EFX-Sign": signed}
        assert await refused_login(simulator, bad) == (400, '{"error":7}')
        second = await Client(simulator).open(good)
        assert await refused_login(simulator, good) == (400, '{"error":6}')
        await second.close()
        assert len(simulator.ledger.entries("handshake refused")) == 5

    play(run, scene)


def test_status_and_nonce_rule_are_switches(run: Run) -> None:
    """The status of a refusal and the nonce rule can be chosen."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        earlier, later = client.headers(), client.headers()
        await (await Client(simulator).open(later)).close()
        assert await refused_login(simulator, earlier) == (401, '{"error":6}')

    rules = {"refusal_status": 401, "nonces": Nonces.INCREASING}
    play(run, scene, rules=rules)


def test_a_login_may_come_by_message(run: Run) -> None:
    """The legacy mode takes a bare handshake, then `{"event":"auth",...}` (1.5)."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        bare = await Client(simulator).open({})
        assert await bare.bind("O") == ["O", 0, "Z", 3]
        assert (await bare.request("instruments"))["error"] == 3
        signed = client.headers()
        names = ("key", "content", "signature")
        login = dict(zip(names, signed.values(), strict=True))
        await bare.send(event="auth", **{**login, "signature": "bad"})
        assert await bare.take() == {"event": "auth", "error": 14}
        await bare.send(event="auth", **login)
        assert await bare.take() == {"event": "auth"}
        assert await bare.bind("O") == ["O", 0, "S", []]
        await bare.send(event="auth", **login)
        assert await bare.take() == {"event": "auth", "error": 4}
        await bare.close()

    play(run, scene, rules={"in_band_login": True})


def test_x_goes_down_and_comes_back(run: Run) -> None:
    """While the link is down feeds are silent and requests answer 2 (item 2)."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.bind("F", NAME)
        simulator.faults.x()
        assert await client.take() == ["X", 0, "Z", 2]
        simulator.faults.step(instrument=NAME, count=20)
        assert (await client.request("instruments"))["error"] == 2
        assert await client.bind("O") == ["O", 0, "Z", 2]
        late = await Client(simulator).open()
        assert late.x == ["X", 0, "Z", 2]
        simulator.faults.x(code=0)
        assert await client.take() == await late.take() == ["X", 0, "Z", 0]
        assert "reply" in await client.request("instruments")
        await late.close()

    play(run, scene)


def test_a_lost_link_may_drop_the_bindings(run: Run) -> None:
    """Whether subscriptions survive a lost link is a switch."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.bind("F", NAME)
        simulator.faults.x()
        simulator.faults.x(code=0)
        await client.take()
        await client.take()
        assert (await client.bind("F", NAME))[2] == "S"

    play(run, scene, rules={"down_drops_bindings": True})


# Items 3 and 4: keep-alive and the connection cap.


def test_silence_ends_a_connection_and_a_ping_keeps_it(run: Run) -> None:
    """80 s without any client frame end it; a ping frame counts as one (1.7)."""

    async def scene(simulator: FinerySimulator, client: Client) -> int:
        assert client.socket is not None
        simulator.faults.jump(79)
        await (await client.socket.ping())
        simulator.faults.jump(79)
        assert await client.quiet()
        simulator.faults.jump(81)
        return await client.ended()

    assert play(run, scene) == 1000
    assert play(run, scene, rules={"idle_close_code": 0}) == 1006


def test_ping_events_are_taken(run: Run) -> None:
    """`{"event":"ping"}` is answered by nothing, or by a pong by a switch."""

    async def silent(_: FinerySimulator, client: Client) -> None:
        await client.send(event="ping")
        assert await client.quiet()

    async def answered(_: FinerySimulator, client: Client) -> None:
        await client.send(event="ping")
        assert await client.take() == {"event": "pong"}

    play(run, silent)
    play(run, answered, rules={"pong_event": True})


def test_connections_per_ip_are_capped(run: Run) -> None:
    """One connection more than the cap is refused."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        second = await Client(simulator).open()
        status, _ = await refused_login(simulator, client.headers())
        assert status == 429
        await second.close()

    play(run, scene, rules={"connections_per_ip": 2})


def test_another_path_is_not_found(run: Run) -> None:
    """Only /ws is served."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(simulator.url + "/rfq", proxy=None)
        assert refused.value.response.status_code == 404

    play(run, scene)


# Items 5 to 7: binding, feeds, books.


def test_bind_and_unbind_codes(run: Run) -> None:
    """100 bound twice, 101 not bound, 102 unknown feed, 103 and 34 bad id."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        assert (await client.bind("F", NAME))[1:3] == [NAME, "S"]
        assert await client.bind("F", NAME) == ["F", NAME, "Z", 100]
        assert await client.bind("Q") == ["Q", 0, "Z", 102]
        assert await client.bind("F", "NO-USD") == ["F", "NO-USD", "Z", 34]
        assert await client.bind("F", {"a": 1}) == ["F", {"a": 1}, "Z", 103]
        await client.send(event="unbind", feed="F", feedId=NAME)
        assert await client.take() == ["F", NAME, "U", 0]
        await client.send(event="unbind", feed="F", feedId=NAME)
        assert await client.take() == ["F", NAME, "Z", 101]
        await client.send(event="unbind", feed="Q")
        assert await client.take() == ["Q", 0, "Z", 102]
        assert (await client.bind("F", 4_955_410_050))[1] == 4_955_410_050

    play(run, scene)


def test_z_may_be_an_array(run: Run) -> None:
    """The code of a `Z` comes as a one-element array by a switch (2.3)."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        assert await client.bind("Q") == ["Q", 0, "Z", [102]]

    play(run, scene, rules={"z_as_array": True})


def test_object_ids_may_be_echoed_by_name(run: Run) -> None:
    """How an object feedId is echoed is unknown, hence a switch."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        assert (await client.bind("MD", {"instrument": NAME}))[1] == NAME

    play(run, scene, rules={"echo_object_ids": False})


def test_a_key_without_rights_binds_nothing(run: Run) -> None:
    """A key without the right to read answers `Z` 3."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        assert await client.bind("O") == ["O", 0, "Z", 3]

    play(run, scene, who="nothing")


@pytest.mark.parametrize("era", list(Era))
def test_every_feed_of_an_era_is_bound(run: Run, era: Era) -> None:
    """Each letter of the era snapshots; the others are unknown (4.9)."""
    letters = {
        Era.OLD: "I P L R N G M",
        Era.MIDDLE: "I P L R N O K S",
        Era.NEW: "I P L R N O K S",
    }[era].split()

    async def scene(_: FinerySimulator, client: Client) -> None:
        for letter in ["I", "O", "K", "S", "P", "L", "R", "N", "G", "M"]:
            expected = "S" if letter in letters else "Z"
            assert (await client.bind(letter))[2] == expected, letter

    play(run, scene, era=era, desk_rate=0.001)


def test_a_live_market_keeps_a_client_book_true(run: Run) -> None:
    """What a client builds from S and M equals the simulator's own book."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        snapshot = await client.bind("F", NAME)
        reader = Reader(snapshot[3])
        simulator.faults.step(instrument=NAME, count=300)
        stream = simulator.faults.streams()[0]
        for _ in range(stream["sent"] - 1):
            reader.apply((await client.take())[3])
        book = simulator.faults.book(instrument=NAME)
        assert reader.levels() == [tuple(side) for side in book]

    play(run, scene)


def test_a_market_runs_by_itself_on_virtual_time(run: Run) -> None:
    """With a rate, frames come without being asked for."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        await client.bind("F", NAME)
        await client.bind("O")
        seen = {(await client.take())[0] for _ in range(300)}
        assert {"F", "O"} <= seen

    play(run, scene, rate=10, desk_rate=20, speed=20, start_ms=1_700_000_000_000)


# Items 8 to 13: requests and orders.


def test_requests_are_answered_by_req_id(run: Run) -> None:
    """The reqId comes back as sent, whatever its type; errors name their param."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        assert "reply" in await client.request("instruments", 7)
        assert (await client.request("book", "text", instrument=NAME))[
            "reqId"
        ] == "text"
        assert await client.request("book", 8) == {
            "event": "request",
            "reqId": 8,
            "error": 9,
            "param": "instrument",
        }
        assert (await client.request("nope"))["error"] == 8
        await client.send(event="request", method="instruments")
        assert "reqId" not in await client.take()
        await client.send(event="request", reqId=1, method="book", content=[])
        assert (await client.take())["param"] == "content"

    play(run, scene)


@pytest.mark.parametrize("frame", ["not json", "[]", '{"event":"nope"}', '{"a":1}'])
def test_unreadable_client_frames_get_an_error(run: Run, frame: str) -> None:
    """What is no known event is answered by an error, and the session goes on."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        assert client.socket is not None
        await client.socket.send(frame)
        assert await client.take() == {"error": 9}
        assert await client.quiet()

    play(run, scene)


def test_a_deal_is_told_on_every_feed_it_touches(run: Run) -> None:
    """Reply, O, K and F agree about one deal; the ledger has request and deal."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        for feed in ("O", "K"):
            await client.bind(feed)
        await client.bind("F", NAME)
        await client.ask("add", **BUY, clientOrderId=5)
        frames = [await client.take() for _ in range(6)]
        assert [f[0] + f[2] for f in frames[:5]] == ["O+", "OD", "K+", "K+", "FM"]
        reply = frames[5]["reply"]
        assert reply["deals"][0]["id"] == frames[1][3][11]
        entry = simulator.ledger.entries("request")[0]
        assert (entry["method"], entry["clientOrderId"], entry["reply"]) == (
            "add",
            5,
            "sent",
        )
        assert simulator.ledger.entries("deal")[0]["id"] == reply["deals"][0]["id"]

    play(run, scene)


def test_a_reply_may_come_first(run: Run) -> None:
    """The order of reply and feed messages is a switch."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        await client.bind("O")
        await client.ask("add", **BUY)
        assert "reply" in await client.take()

    play(run, scene, rules={"reply_first": True})


def test_acknowledgements_have_two_forms(run: Run) -> None:
    """`{"error":0}` comes inside `reply`, or at the top by a switch (2.5)."""
    limit = {"counterpartyId": 41, "currency": "USD", "grossLimit": 10**15}

    async def inside(_: FinerySimulator, client: Client) -> None:
        assert (await client.request("setCLimit", **limit))["reply"] == {"error": 0}

    async def top(_: FinerySimulator, client: Client) -> None:
        assert (await client.request("setCLimit", **limit))["error"] == 0

    play(run, inside)
    play(run, top, rules={"acknowledge_at_top": True})


def test_the_mod_error_is_inside_reply(run: Run) -> None:
    """Old order gone, new one refused: `reply.error` with origId (2.5)."""

    async def scene(_: FinerySimulator, client: Client) -> None:
        await client.request("add", **{**QUOTE, "price": 2 * USD, "clientOrderId": 9})
        old = (await client.request("add", **QUOTE))["reply"]["id"]
        change = {"price": USD, "size": 5, "clientOrderId": 9}
        reply = await client.request("mod", orderId=old, **change)
        assert reply["reply"] == {"error": 74, "origId": old, "origRemainingSize": 10}

    play(run, scene, who="maker")


def test_taker_orders_wait_for_the_latency_floor(run: Run) -> None:
    """An aggressive order is executed 100 ms later; a read overtakes it (6.1)."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.ask("add", 1, **BUY)
        assert (await client.request("book", 2, instrument=NAME))["reqId"] == 2
        assert simulator.desk.in_flight == 1
        simulator.faults.jump(0.099)
        assert await client.quiet()
        simulator.faults.jump(0.001)
        assert (await client.take())["reqId"] == 1

    play(run, scene, rules={"latency_floor_ms": None})


def test_orders_die_with_their_connection(run: Run) -> None:
    """Orders with cod true are cancelled with reason 4; others stay (12)."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        other = await Client(simulator, "maker").open()
        await other.bind("O")
        tied = await client.request("add", **QUOTE, cod=True)
        kept = await client.request("add", **{**QUOTE, "cod": False})
        await other.take()
        await other.take()
        simulator.faults.kill(connection=1)
        gone = await other.take()
        assert (gone[2], gone[3][3], gone[3][4]) == ("-", 4, tied["reply"]["id"])
        left = [order["id"] for order in simulator.faults.orders(account=8)]
        assert left == [kept["reply"]["id"]]
        await other.close()

    play(run, scene, who="maker")


def test_a_clean_close_may_keep_the_orders(run: Run) -> None:
    """Whether a clean close counts as a loss is a switch."""

    async def scene(simulator: FinerySimulator, client: Client) -> int:
        assert client.socket is not None
        await client.request("add", **QUOTE, cod=True)
        await client.socket.close()
        await until(lambda: not simulator.sessions, "the end of the session")
        return len(simulator.faults.orders(account=8))

    assert play(run, scene, who="maker") == 0
    assert play(run, scene, who="maker", rules={"cod_on_clean_close": False}) == 1


# Item 14: nothing is replayed.


def test_a_reconnect_gets_snapshots_only(run: Run) -> None:
    """Positions and orders outlive a connection; messages do not."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.request("add", **QUOTE)
        await client.close()
        again = await Client(simulator, "maker").open()
        snapshot = await again.bind("O")
        assert len(snapshot[3]) == 1
        assert await again.quiet()
        await again.close()

    play(run, scene, who="maker")


# Item 15: faults of feeds.


def test_a_muted_feed_is_acknowledged_and_silent(run: Run) -> None:
    """`mute_feed` lets S through and nothing after it, until cleared."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.mute_feed(feed="F", feed_id=NAME)
        assert (await client.bind("F", NAME))[2] == "S"
        assert (await client.bind("F", "ETH-USD"))[2] == "S"
        simulator.faults.step(instrument=NAME, count=20)
        assert await client.quiet()
        simulator.faults.step(instrument="ETH-USD", count=20)
        assert (await client.take())[1] == "ETH-USD"
        simulator.faults.clear("mute_feed")

    play(run, scene)


def test_a_dropped_update_is_a_gap(run: Run) -> None:
    """`drop_update` leaves exactly one update out."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.bind("O")
        simulator.faults.drop_update(feed="O")
        await client.ask("add", **BUY)
        assert (await client.take())[2] == "D"
        assert simulator.faults.faults()["feeds"] == []

    play(run, scene)


def test_contradictions_can_be_sent(run: Run) -> None:
    """`+` for a known level, `M` and `-` for an unknown one."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        bids = (await client.bind("F", NAME))[3][0]
        assert simulator.faults.duplicate_level(feed_id=NAME) == 1
        assert (await client.take())[3] == [[["+", *bids[0]]], []]
        known = {price for price, _ in bids}
        for action in ("M", "-"):
            simulator.faults.unknown_level(action=action)
            change = (await client.take())[3][0][0]
            assert change[0] == action
            assert change[1] not in known

    play(run, scene)


def test_messages_can_be_doubled_garbled_stretched_and_swollen(run: Run) -> None:
    """Doubled and halved messages, extra elements, numbers beyond 2^53."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.double_message(feed="O")
        assert await client.bind("O") == await client.take()
        simulator.faults.garble(feed="L")
        await client.send(event="bind", feed="L")
        with pytest.raises(json.JSONDecodeError):
            json.loads(await client.text())
        simulator.faults.extra_elements(count=2, feed="F", times=1)
        level = (await client.bind("F", NAME))[3][0][0]
        assert level[2:] == ["extra", "extra"]
        simulator.faults.big_number(number=1 << 70, feed="B")
        assert (await client.bind("B", NAME))[3][1][-1][1] == 1 << 70
        simulator.faults.extra_elements(feed="I")
        assert (await client.bind("I"))[3][1][0][4] == "extra"

    play(run, scene)


def test_any_text_can_be_injected(run: Run) -> None:
    """`inject` sends a raw frame to one connection or to all."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        assert simulator.faults.inject(text="\u0000{{{") == 1
        assert await client.text() == "\u0000{{{"
        assert simulator.faults.inject(text="x", connection=99) == 0

    play(run, scene)


def test_binds_can_be_refused_or_ignored(run: Run) -> None:
    """The next bind gets `Z`, or no answer at all."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.refuse_bind(code=104, feed="O")
        assert await client.bind("O") == ["O", 0, "Z", 104]
        simulator.faults.ignore_bind(feed_id=NAME)
        await client.send(event="bind", feed="F", feedId=NAME)
        assert (await client.bind("O"))[2] == "S"
        assert (await client.bind("F", NAME))[2] == "S"

    play(run, scene)


# Item 15: faults of connections.


def test_a_half_open_connection_is_dead_silent(run: Run) -> None:
    """`mute` stops replies, feeds and pongs; the venue gives it up unseen."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        assert client.socket is not None
        await client.request("add", **QUOTE, cod=True)
        simulator.faults.mute()
        pong = asyncio.ensure_future(await client.socket.ping())
        await client.ask("instruments")
        simulator.faults.jump(81)
        await until(lambda: not simulator.sessions, "the venue's end of it")
        assert not simulator.faults.orders(account=8)
        assert not pong.done()
        pong.cancel()
        assert simulator.faults.unmute() == 1
        assert await client.ended() == 1006

    play(run, scene, who="maker")


def test_a_muted_connection_may_come_back(run: Run) -> None:
    """What was asked while muted is answered after `unmute`."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.mute(connection=1)
        await client.ask("instruments")
        assert simulator.faults.connections()[0]["muted"]
        simulator.faults.unmute(connection=1)
        assert "reply" in await client.take()

    play(run, scene)


def test_connections_end_abruptly_or_cleanly(run: Run) -> None:
    """`kill` sends no close frame, `close` sends its code."""

    async def killed(simulator: FinerySimulator, client: Client) -> int:
        simulator.faults.kill()
        return await client.ended()

    async def closed(simulator: FinerySimulator, client: Client) -> int:
        end = asyncio.ensure_future(client.ended())
        await simulator.do("close", code=1012, reason="maintenance")
        return await end

    assert play(run, killed) == 1006
    assert play(run, closed) == 1012


def test_handshakes_can_be_slow_or_refused(run: Run) -> None:
    """The next handshake waits, or is refused with any status and body."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.slow_handshakes(ms=5_000)
        slow = asyncio.ensure_future(Client(simulator).open())
        await until(lambda: simulator.clock.sleepers > 1, "a handshake that waits")
        assert not slow.done()
        simulator.faults.jump(5)
        await (await slow).close()
        simulator.faults.refuse_handshakes(error=13, status=403)
        good = client.headers()
        assert await refused_login(simulator, good) == (403, '{"error":13}')
        simulator.faults.refuse_handshakes(status=503, body="down")
        assert await refused_login(simulator, good) == (503, "down")
        await (await Client(simulator).open(good)).close()

    play(run, scene)


def test_listening_can_stop_and_start(run: Run) -> None:
    """Connects are refused while the simulator does not listen."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            await Client(simulator).open()
        assert await client.quiet()
        await simulator.do("listen")
        await (await Client(simulator).open()).close()
        await simulator.do("refuse_connects", seconds=30)
        with pytest.raises(ConnectionRefusedError):
            await Client(simulator).open()
        await asyncio.sleep(0)
        simulator.faults.jump(30)
        await until(lambda: simulator.server.listening, "listening")
        await (await Client(simulator).open()).close()

    play(run, scene)


# Item 15: faults of requests.


def test_any_error_code_can_be_answered(run: Run) -> None:
    """`reply_error` answers a code and executes nothing."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.reply_error(error=4242, method="add", param="size")
        assert "reply" in await client.request("instruments")
        reply = await client.request("add", **BUY)
        assert (reply["error"], reply["param"]) == (4242, "size")
        assert not simulator.ledger.entries("deal")
        simulator.faults.answer(result={"id": 1 << 60}, method="add")
        assert (await client.request("add", **BUY))["reply"] == {"id": 1 << 60}
        assert "reply" in await client.request("add", **BUY)

    play(run, scene)


def test_replies_and_requests_can_be_lost(run: Run) -> None:
    """A lost reply is executed, a lost request is not; neither is answered."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.lose_reply(method="add", times=2)
        simulator.faults.lose_request(method="add")
        for number in range(3):
            await client.ask("add", number, **BUY)
        assert await client.quiet()
        decisions = [e["decision"] for e in simulator.ledger.entries("request")]
        assert decisions[:3] == ["executed", "executed", "swallowed"]
        assert len(simulator.ledger.entries("deal")) == 2

    play(run, scene)


def test_replies_can_be_late_and_out_of_order(run: Run) -> None:
    """A delayed reply is overtaken; held replies come last first."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.delay_reply(ms=500, method="add")
        await client.ask("add", 1, **BUY)
        assert (await client.request("instruments", 2))["reqId"] == 2
        assert len(simulator.ledger.entries("deal")) == 1
        simulator.faults.jump(1)
        assert (await client.take())["reqId"] == 1
        simulator.faults.reorder_replies(count=3)
        for number in range(3):
            await client.ask("instruments", number)
        assert [(await client.take())["reqId"] for _ in range(3)] == [2, 1, 0]
        simulator.faults.reorder_replies(count=2)
        await client.ask("instruments", 9)
        await until(lambda: simulator.faults.release_replies() == 1, "a held reply")
        assert (await client.take())["reqId"] == 9

    play(run, scene)


def test_replies_can_be_doubled_or_garbled(run: Run) -> None:
    """A reply comes twice, or in half."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.double_reply()
        assert await client.request("instruments") == await client.take()
        simulator.faults.garble_reply()
        await client.ask("instruments")
        with pytest.raises(json.JSONDecodeError):
            json.loads(await client.text())

    play(run, scene)


def test_the_connection_can_end_before_or_after_executing(run: Run) -> None:
    """`disconnect_before` executes nothing, `disconnect_after` does."""

    async def scene(simulator: FinerySimulator, client: Client) -> int:
        simulator.faults.disconnect_before(method="add")
        await client.ask("add", **BUY)
        assert await client.ended() == 1006
        assert not simulator.ledger.entries("deal")
        again = await Client(simulator).open()
        simulator.faults.disconnect_after(method="add")
        await again.ask("add", **BUY)
        assert await again.ended() == 1006
        withheld = [e["reply"] for e in simulator.ledger.entries("request")]
        assert withheld == ["withheld", "withheld"]
        return len(simulator.ledger.entries("deal"))

    assert play(run, scene) == 1


def test_late_bytes_are_executed_after_the_disconnect(run: Run) -> None:
    """`delay_request` executes even when the connection is gone, once; cod holds."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.delay_request(ms=30_000, method="add")
        await client.ask("add", **QUOTE, cod=True)
        await until(lambda: simulator.desk.in_flight == 1, "the swallowed bytes")
        await client.close()
        await until(lambda: not simulator.sessions, "the end")
        simulator.faults.jump(31)
        await until(lambda: simulator.desk.in_flight == 0, "the execution")
        entry = simulator.ledger.entries("request")[-1]
        assert (entry["decision"], entry["reply"]) == ("executed", "not sent")
        assert [e["reason"] for e in simulator.ledger.entries("cancel")] == [4]

    play(run, scene, who="maker")


def test_a_control_function_decides(run: Run) -> None:
    """A function may look and let go, or answer; it is used once unless kept."""
    seen: list[Asked] = []

    def decide(asked: Asked) -> Fate | None:
        seen.append(asked)
        return Fate(error=77) if asked.req_id == 2 else None

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        simulator.faults.on_request("add", decide)
        replies = [await client.request("add", n, **BUY) for n in (1, 2, 2)]
        assert ["error" in reply for reply in replies] == [False, True, False]
        assert [asked.req_id for asked in seen] == [1, 2]

    play(run, scene)


# The product's own session against the simulator.

STREAMS = {
    Era.OLD: "combined counterparty-limits global-limits mutual-limits",
    Era.MIDDLE: "orders positions settlement-orders counterparty-limits",
    Era.NEW: "orders positions settlement-orders counterparty-limits "
    "book.viewonly:BTC-USD",
}
ALWAYS = (
    "book.tradable:BTC-USD book.global:BTC-USD instruments settlement-requests "
    "settlement-transactions"
)


def wanted(era: Era, url: str) -> Source:
    """Return a source that wants everything an era has."""
    names = f"{ALWAYS} {STREAMS[era]}".split()
    parts = [name.partition(":") for name in names]
    streams = tuple(Wanted(stream=p[0], feed_id=p[2]) for p in parts)
    return Source(name="desk", venue="finery", url=url, wanted=streams)


async def listen(simulator: FinerySimulator, plan: Plan, rounds: int) -> Session:
    """Let the product's session hear a plan's frames; fail on what it cannot read."""
    login = Credentials(key=simulator.key, secret=simulator.secret)
    nonces = iter(range(1_000_000 + Client.nonce, 1 << 60))
    session = VENUES["finery"].open(
        plan, Context(credentials=login, chance=lambda: 0.5, nonce=nonces.__next__)
    )
    now = Now(simulator.clock.wall_ms() * 1_000_000, 0)
    opening = session.handshake(now)
    async with connect(
        opening.url, additional_headers=dict(opening.headers), proxy=None
    ) as socket:
        events = list(session.opened(now))
        while session.tally.frames < rounds:
            for event in events:
                assert not isinstance(event, Unreadable | Close), event
                assert getattr(event, "state", None) is not State.GAP, event
                if isinstance(event, Send):
                    await socket.send(event.text)
            simulator.faults.desk_step()
            simulator.faults.step(instrument=NAME)
            async with asyncio.timeout(20):
                frame = await socket.recv(decode=False)
            events = list(session.receive(frame, now.wall_ns))
        socket.transport.abort()
    return session


@pytest.mark.parametrize("era", list(Era))
def test_the_products_session_reads_every_era(run: Run, era: Era) -> None:
    """No frame of any era is unreadable or contradicts an earlier one."""

    async def scene(simulator: FinerySimulator, _: Client) -> None:
        source = wanted(era, simulator.url)
        venue = VENUES["finery"]
        assert list(venue.problems(source)) == []
        for number, plan in enumerate(venue.plans(source)):
            Client.nonce += 1_000 * (number + 1)
            session = await listen(simulator, plan, 400)
            assert session.tally.unreadable == 0
            assert session.tally.data > 300

    play(run, scene, era=era, desk_rate=0.001)


# The world's commands, the control port, the flood, the ledger, TLS, the verb.


def test_the_world_can_be_changed(run: Run) -> None:
    """Permissions, instruments and valuations change by command."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        do = simulator.faults
        await client.bind("I")
        do.add_instrument(name="DOGE-USD")
        do.revalue(currency="BTC", valuation=5 * USD)
        do.remove_instrument(name="DOGE-USD")
        letters = [(await client.take())[0] for _ in range(3)]
        assert letters == ["I", "C", "I"]
        do.set_account(account=7, forbidden=[NAME])
        assert (await client.request("add", **BUY))["error"] == 36
        do.set_account(account=7, forbidden=[], trading=False)
        assert (await client.request("add", **BUY))["error"] == 84
        do.set_account(account=7, trading=True, agreed=False)
        refused = await refused_login(simulator, client.headers())
        assert refused == (400, '{"error":13}')
        await client.bind("F", NAME)
        do.hide_maker(account=7, maker=41)
        assert (await client.take())[2] == "M"
        do.enable_pair(owner=7, counterparty=42, enabled=False)
        assert (await client.take())[2] == "M"
        do.hide_maker(account=7, maker=43)
        assert (await client.take())[3] == [[["~", 0, 0]], [["~", 0, 0]]]
        do.pause(instrument=NAME)
        assert simulator.market.paused == {NAME}
        do.resume()
        do.desk_step(count=4)
        assert do.positions(account=7)

    play(run, scene)


def test_the_control_port_does_the_same(run: Run, tmp_path: Path) -> None:
    """Every command is on the control port, described, with JSON results."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        assert simulator.control_port is not None
        control = ControlClient(simulator.control_port)
        described = await control.do("describe")
        assert set(described) == {"describe", *COMMANDS}
        assert all(described.values())
        await client.bind("F", NAME)
        await client.bind("O")
        await control.do("act", account=41, method="delAll", content={})
        assert (await client.take())[2] == "M"
        for name in ("ledger", "connections", "streams", "orders", "faults"):
            assert await control.do(name)
        assert (await control.do("counts"))["bind"] == 2
        latest = await control.do("ledger", kind="bind", since=1, limit=1)
        assert [entry["feedId"] for entry in latest] == [NAME]
        before = await control.do("now")
        assert await control.do("jump", seconds=2) == before + 2_000
        await control.do("speed", factor=2)
        assert simulator.clock.speed == 2
        assert len(await control.do("book", instrument=NAME)) == 2
        path = str(tmp_path / "ledger.jsonl")
        assert await control.do("save_ledger", path=path) > 0
        with pytest.raises(Exception, match="unknown arguments"):
            await control.do("drop_update", nonsense=1)
        with pytest.raises(AttributeError):
            _ = simulator.faults.nonsense
        with pytest.raises(Exception, match="34"):
            await control.do("book", instrument="NOPE")

    play(run, scene)


def test_a_flood_reaches_the_client_whole(run: Run) -> None:
    """Flooded frames apply without contradiction and end at the ledger's book."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        reader = Reader((await client.bind("F", NAME))[3])
        await client.bind("O")
        simulator.faults.flood(rate=5_000, instruments=[NAME], length=32)
        await asyncio.sleep(0)
        sent = 0
        while sent < 500:
            simulator.flood.publish(50)
            sent += 50
        book = simulator.faults.book(instrument=NAME)
        for _ in range(250):
            reader.apply((await client.take())[3])
        for _ in range(250):
            reader.apply((await client.take())[3])
        assert reader.levels() == [tuple(side) for side in book]
        simulator.faults.mute_feed(feed="F")
        simulator.flood.publish(10)
        assert await client.quiet()
        report = await simulator.do("stop_flood")
        assert report[0]["frames"] == 510

    play(run, scene, who="taker")


def test_a_flood_runs_by_its_rate(run: Run) -> None:
    """5,000 changes a second of virtual time arrive as that many frames."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.bind("F", NAME)
        simulator.faults.flood(instruments=[NAME])
        await until(lambda: simulator.clock.sleepers > 1, "the flood's first tick")
        simulator.faults.jump(0.1)
        for _ in range(500):
            assert (await client.take())[0] == "F"

    play(run, scene)


def test_the_ledger_can_keep_every_text(run: Run) -> None:
    """With full recording the ledger holds what the client got, frame by frame."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.send(event="bind", feed="F", feedId=NAME)
        received = [await client.text()]
        simulator.faults.step(instrument=NAME, count=50)
        sent = simulator.faults.streams()[0]["sent"]
        received += [await client.text() for _ in range(sent - 1)]
        written = [entry["text"] for entry in simulator.ledger.entries("frame")]
        assert written == received

    play(run, scene, recording=Recording.TEXT)


def test_the_ledger_may_keep_counts_only(run: Run) -> None:
    """With counts only, a stream has its number of frames and nothing more."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        await client.bind("O")
        await client.send(event="unbind", feed="O")
        await client.take()
        stream = simulator.ledger.entries("stream")[0]
        assert (stream["feed"], stream["sent"], stream["last"]) == ("O", 2, "")

    play(run, scene, recording=Recording.COUNTS)


def test_a_client_that_does_not_read_is_dropped(run: Run) -> None:
    """What one slow client may hold back is bounded."""

    async def scene(simulator: FinerySimulator, client: Client) -> None:
        assert client.socket is not None
        client.socket.transport.pause_reading()
        await client.send(event="bind", feed="F", feedId=NAME)
        await until(lambda: bool(simulator.faults.streams()), "the bind")
        simulator.faults.flood(instruments=[NAME])

        def flooded() -> bool:
            simulator.flood.publish(5_000)
            return not simulator.sessions

        await until(flooded, "the end of the slow client")

    play(run, scene, max_backlog_bytes=100_000)


def test_tls_is_served_from_files(run: Run, tmp_path: Path) -> None:
    """With certificate and key the simulator speaks wss."""
    made = make_certificates(tmp_path)
    context = ssl.create_default_context(cafile=str(made.authority))

    async def whole() -> None:
        options = FineryOptions(
            rate=0,
            desk_rate=0,
            tls_certificate=str(made.server),
        )
        async with FinerySimulator(options) as simulator:
            assert simulator.url.startswith("wss://127.0.0.1:")
            client = await Client(simulator).open(ssl=context)
            assert client.x == ["X", 0, "Z", 0]
            await client.close()

    run(whole())


def test_simulate_prints_where_it_is(run: Run) -> None:
    """The verb prints address, control port and made-up keys, and ends with 0."""

    class Out:
        text = ""

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None:
            stop.set()

    out = Out()
    stop = asyncio.Event()

    async def whole() -> int:
        return await simulate(FineryOptions(instruments=1), stop, out)  # type: ignore[arg-type]

    assert run(whole()) == 0
    assert "ws://127.0.0.1:" in out.text
    assert "fake-demo-key-of-taker" in out.text


def test_a_simulator_that_is_not_started_has_no_address() -> None:
    """The address exists between start and stop only."""
    with pytest.raises(RuntimeError, match="not started"):
        _ = FinerySimulator().url
