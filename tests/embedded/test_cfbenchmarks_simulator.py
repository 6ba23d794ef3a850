"""The CF Benchmarks simulator over real sockets: logins, commands, every fault, REST.

The virtual clock stands still and is moved by `jump`, so nothing here waits for time.
What a client was *not* sent is shown by a fence: a command whose error comes back
behind everything that was sent before it.
"""

import asyncio
import base64
import contextlib
import io
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from bridge.errors import BridgeError
from bridge.simulators.cfbenchmarks import (
    CfBenchmarksOptions,
    CfBenchmarksSimulator,
    Key,
    simulate,
)
from bridge.simulators.control import ControlClient
from tests.support.certificates import make_certificates
from tests.support.running import Run, until

T = TypeVar("T")
Sim = CfBenchmarksSimulator
# Wednesday 2026-01-14 12:00:00 UTC.
START_MS = 1_768_392_000_000
IDS = ("BRTI", "LTCUSD_RTI", "BRR", "BVX")


def basic(user: str, password: str) -> dict[str, str]:
    coded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {coded}"}


class Probe:
    """A client that keeps what it was sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def tell(self, **command: Any) -> list[dict[str, Any]]:
        """Send a command and return everything that came until the fence."""
        await self.socket.send(json.dumps(command))
        return await self.fence()

    async def subscribe(self, index_id: str, **more: Any) -> list[dict[str, Any]]:
        command = {"type": "subscribe", "id": index_id, "stream": "value"}
        return await self.tell(**{**command, **more})

    async def fence(self) -> list[Any]:
        """Return what was sent before this moment, read as JSON."""
        return [json.loads(text) for text in await self.raw()]

    async def raw(self) -> list[str | bytes]:
        await self.socket.send('{"type":"fence"}')
        got: list[str | bytes] = []
        while True:
            message = await self.socket.recv()
            if isinstance(message, str) and '"fence"' in message:
                return got
            got.append(message)


def dial(sim: Sim, **options: Any) -> connect:
    options.setdefault("additional_headers", basic(sim.user, sim.password))
    limits = {"ping_interval": None, "close_timeout": 1, "max_size": None}
    return connect(sim.url, proxy=None, **{**limits, **options})


@contextlib.asynccontextmanager
async def simulator(**options: Any) -> AsyncIterator[Sim]:
    defaults = {"speed": 0.0, "start_ms": START_MS, "ids": IDS, "spike_per_mille": 0}
    async with Sim(CfBenchmarksOptions(**{**defaults, **options})) as sim:
        yield sim


def with_probe(
    run: Run, scene: Callable[[Sim, Probe], Awaitable[T]], **options: Any
) -> T:
    async def whole() -> T:
        async with simulator(**options) as sim, dial(sim) as socket:
            return await scene(sim, Probe(socket))

    return run(whole())


def with_simulator(run: Run, scene: Callable[[Sim], Awaitable[T]], **options: Any) -> T:
    async def whole() -> T:
        async with simulator(**options) as sim:
            return await scene(sim)

    return run(whole())


async def per_second(sim: Sim, probe: Probe, index_id: str = "LTCUSD_RTI") -> None:
    """Subscribe, take the snapshot, and go to half past a second."""
    await probe.subscribe(index_id, maxResolution="PER_SECOND")
    await sim.do("jump", seconds=1.5)
    await probe.fence()


def seconds(frames: list[Any]) -> list[int]:
    """Return the whole seconds since the start at which frames are stamped."""
    return [(frame["time"] - START_MS) // 1000 for frame in frames]


# Logins.


def test_both_logins(run: Run) -> None:
    """Basic needs no sub-protocol; sub-protocols are answered by `cfb` alone."""

    async def scene(sim: Sim) -> list[str | None]:
        offered = [Subprotocol(name) for name in ("cfb", sim.user, sim.password)]
        async with (
            dial(sim) as plain,
            dial(sim, additional_headers={}, subprotocols=offered) as named,
        ):
            assert await Probe(named).subscribe("BRTI")
            return [plain.subprotocol, named.subprotocol]

    assert with_simulator(run, scene) == [None, "cfb"]


def test_no_echo(run: Run) -> None:
    """With the switch no sub-protocol is selected; the upgrade succeeds even so."""

    async def scene(sim: Sim) -> str | None:
        offered = [Subprotocol(name) for name in ("cfb", sim.user, sim.password)]
        async with dial(sim, additional_headers={}, subprotocols=offered) as socket:
            return socket.subprotocol

    assert with_simulator(run, scene, echo_subprotocol=False) is None


@pytest.mark.parametrize(("failure", "status"), [("401", 401), ("403", 403)])
@pytest.mark.parametrize("headers", [{}, basic("simulated-user", "wrong")])
def test_a_refused_upgrade(
    run: Run, failure: str, status: int, headers: dict[str, str]
) -> None:
    """Without credentials or with wrong ones the upgrade is refused."""

    async def scene(sim: Sim) -> int:
        with pytest.raises(InvalidStatus) as refused:
            await dial(sim, additional_headers=headers)
        return refused.value.response.status_code

    assert with_simulator(run, scene, login_failure=failure) == status


def test_a_login_that_closes(run: Run) -> None:
    """Login failure `close`: the upgrade succeeds, then code 1008."""

    async def scene(sim: Sim) -> int | None:
        async with dial(sim, additional_headers=basic("a", "b")) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return socket.close_code

    assert with_simulator(run, scene, login_failure="close") == 1008


def test_a_login_that_is_silent(run: Run) -> None:
    """Login failure `silence`: the socket opens and nothing ever comes."""

    async def scene(sim: Sim) -> int:
        async with dial(sim, additional_headers={}) as socket:
            await socket.send('{"type":"info"}')
            await (await socket.ping())
            await sim.do("jump", seconds=10)
            return len(sim.ledger.entries("frame"))

    assert with_simulator(run, scene, login_failure="silence") == 0


def test_a_login_with_an_error_a_command(run: Run) -> None:
    """Login failure `errors`: each command is answered by an error frame."""

    async def scene(sim: Sim) -> list[Any]:
        async with dial(sim, additional_headers={}) as socket:
            return await Probe(socket).subscribe("BRTI")

    (answer,) = with_simulator(run, scene, login_failure="errors")
    assert (answer["type"], answer["success"]) == ("subscribe", False)


def test_a_forced_login_mode(run: Run) -> None:
    """The control interface refuses the next logins, right ones too, then no more."""

    async def scene(sim: Sim) -> None:
        await sim.do("login", mode="403", count=1)
        with pytest.raises(InvalidStatus):
            await dial(sim)
        async with dial(sim) as socket:
            assert await Probe(socket).subscribe("BRTI")
        with pytest.raises(BridgeError, match="no login mode"):
            await sim.do("login", mode="nonsense")

    with_simulator(run, scene)


def test_a_close_during_the_handshake(run: Run) -> None:
    """The socket is cut before the upgrade is answered."""

    async def scene(sim: Sim) -> None:
        await sim.do("login", mode="hang_up", count=1)
        with pytest.raises((OSError, EOFError, InvalidHandshake)):
            await dial(sim)
        async with dial(sim):
            pass

    with_simulator(run, scene)


def test_without_login(run: Run) -> None:
    """With `require_login` off anybody may subscribe."""

    async def scene(sim: Sim) -> list[Any]:
        async with dial(sim, additional_headers={}) as socket:
            return await Probe(socket).subscribe("BRTI")

    assert with_simulator(run, scene, require_login=False)[0]["id"] == "BRTI"


def test_other_paths(run: Run) -> None:
    """Only `/ws/v4` is a WebSocket; other paths are not found."""

    async def scene(sim: Sim) -> int:
        with pytest.raises(InvalidStatus) as refused:
            await connect(sim.url.replace("v4", "v3"), proxy=None)
        return refused.value.response.status_code

    assert with_simulator(run, scene) == 404


def test_tls(run: Run, tmp_path: Path) -> None:
    """The simulator serves `wss` and `https` with a given certificate."""
    made = make_certificates(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.server)
    client = ssl.create_default_context(cafile=str(made.authority))

    async def scene(sim: Sim) -> list[Any]:
        assert sim.url.startswith("wss://")
        assert sim.rest_url.startswith("https://")
        async with dial(sim, ssl=client) as socket:
            await sim.do("jump", seconds=1)
            return await Probe(socket).subscribe("BRTI")

    assert with_simulator(run, scene, tls=server)[0]["id"] == "BRTI"


def test_secrets_stay_out_of_the_ledger(run: Run) -> None:
    """Logins are noted by user name; passwords are nowhere in the ledger."""

    async def scene(sim: Sim, probe: Probe) -> str:
        await probe.subscribe("BRTI")
        return json.dumps(sim.ledger.entries())

    written = with_probe(run, scene)
    assert "simulated-user" in written
    assert "simulated-password" not in written


def test_compression(run: Run) -> None:
    """With `compression` permessage-deflate is offered and frames still arrive."""

    async def scene(sim: Sim, probe: Probe) -> int:
        assert await probe.subscribe("BRTI")
        return len(probe.socket.protocol.extensions)

    assert with_probe(run, scene, compression=True) == 1
    assert with_probe(run, scene) == 0


def test_client_pings_are_answered(run: Run) -> None:
    """A ping gets its pong, whatever else goes on."""

    async def scene(_sim: Sim, probe: Probe) -> None:
        await (await probe.socket.ping())

    with_probe(run, scene)


# Ticks.


def test_snapshot_then_live(run: Run) -> None:
    """A subscribe is answered by the last value, then each tick comes, exactly once."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        first = await probe.subscribe("LTCUSD_RTI")
        await sim.do("jump", seconds=5.5)
        return first + await probe.fence()

    frames = with_probe(run, scene)
    assert seconds(frames) == [-1, 1, 2, 3, 4, 5]


def test_the_same_seed_sends_the_same_bytes(run: Run) -> None:
    """Two runs with one seed send the same frames; another seed sends others."""

    async def scene(sim: Sim, probe: Probe) -> list[str | bytes]:
        await probe.subscribe("BRTI")
        await sim.do("jump", seconds=20)
        return await probe.raw()

    first, same, other = (with_probe(run, scene, seed=n) for n in (5, 5, 6))
    assert first == same
    assert first != other
    assert len(first) > 90


def test_the_ledger_tells_what_was_sent(run: Run) -> None:
    """Every frame of the ledger arrived, with exactly that text, and no other did."""

    async def scene(sim: Sim, probe: Probe) -> tuple[list[Any], list[str | bytes]]:
        for index_id in ("BRTI", "LTCUSD_RTI"):
            await probe.socket.send(
                json.dumps({"type": "subscribe", "id": index_id, "stream": "value"})
            )
        await until(lambda: len(sim.ledger.entries("frame")) == 2, "subscribed")
        await sim.do("jump", seconds=10)
        got = await probe.raw()
        return [e["text"] for e in sim.ledger.entries("frame")], got

    written, got = with_probe(run, scene)
    assert written[:-1] == got


def test_a_day_in_a_moment(run: Run) -> None:
    """The clock runs on at a speed of its own: a daily value comes within moments."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await probe.subscribe("BRR")
        await sim.do("speed", factor=500_000)
        return [json.loads(await probe.socket.recv()) for _ in range(2)]

    frames = with_probe(run, scene, ids=("BRR",))
    assert [s / 3600 for s in seconds(frames)] == [4, 28]


def test_daylight_saving(run: Run) -> None:
    """Over London's change in March the daily value moves by one hour in UTC."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await probe.subscribe("BRR")
        for _ in range(3):
            await sim.do("jump", seconds=86_400)
        return await probe.fence()

    friday = 1_774_569_600_000  # 2026-03-27T00:00Z
    frames = with_probe(run, scene, start_ms=friday)
    hours = [frame["time"] % 86_400_000 // 3_600_000 for frame in frames]
    assert hours == [16, 16, 15]


def test_bvx_keeps_its_session(run: Run) -> None:
    """BVX ticks within 07:00 to 16:00 US Central and not a second longer."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await probe.subscribe("BVX")
        await sim.do("jump", seconds=10 * 3600 - 3.5)
        await probe.fence()
        await sim.do("jump", seconds=10)
        return await probe.fence()

    frames = with_probe(run, scene)
    assert seconds(frames) == [36_000 - 3, 36_000 - 2, 36_000 - 1]


# Faults of ticks; the rules of each are tested in the unit tests.


@pytest.mark.parametrize(
    ("fault", "facts", "expected"),
    [
        ("missing", {"seconds": 3}, [5, 6, 7]),
        ("silence", {}, []),
        ("duplicate", {"copies": 2}, [2, 2, 2, 3, 4, 5, 6, 7]),
        ("reorder", {"by": 2}, [3, 4, 2, 5, 6, 7]),
        ("stall", {"seconds": 3}, [1, 1, 1, 5, 6, 7]),
        ("burst", {"seconds": 3}, [2, 3, 4, 5, 6, 7]),
        ("late", {"by_ms": 2500}, [2, 3, 4, 5, 6, 7]),
        ("freeze", {"seconds": 3}, [2, 3, 4, 5, 6, 7]),
    ],
)
def test_faults_of_delivery(
    run: Run, fault: str, facts: dict[str, Any], expected: list[int]
) -> None:
    """Each fault begins with the next whole second and does what it says."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        await sim.do(fault, id="LTCUSD_RTI", **facts)
        frames: list[Any] = []
        for _ in range(6):
            await sim.do("jump", seconds=1)
            frames += await probe.fence()
        assert sim.ledger.counts()["fault"] >= 1
        return frames

    assert seconds(with_probe(run, scene)) == expected


def test_a_frozen_value_is_seen(run: Run) -> None:
    """A frozen value: equal values at moving times."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        await sim.do("freeze", id="LTCUSD_RTI", seconds=20)
        await sim.do("jump", seconds=20)
        return await probe.fence()

    frames = with_probe(run, scene)
    assert len({frame["value"] for frame in frames}) == 1
    assert len({frame["time"] for frame in frames}) == 20


def test_clearing_a_fault(run: Run) -> None:
    """A fault lasts until it is cleared, by name or number; `faults` lists it."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        await sim.do("silence")
        (listed,) = await sim.do("faults")
        assert listed["name"] == "silence"
        await sim.do("jump", seconds=3)
        assert await sim.do("clear", name="stall") == 0
        assert await sim.do("clear", number=listed["number"]) == 1
        await sim.do("jump", seconds=2)
        return await probe.fence()

    assert seconds(with_probe(run, scene)) == [5, 6]


@pytest.mark.parametrize(
    ("fault", "facts", "expected"),
    [
        ("zero", {}, '"value":"0.000"'),
        ("negative", {}, '"value":"-'),
        ("huge", {"digits": 60}, '"value":"' + "9" * 60),
        ("many_decimals", {"decimals": 40}, "7" * 37 + '"'),
        ("value", {"value": "NaN"}, '"value":"NaN"'),
        ("seconds_time", {}, '"time":1768392002,'),
        ("extra_fields", {}, '"simulatedExtra":'),
        ("null_optionals", {}, '"amendTime":null,"repeatOfPreviousValue":null'),
    ],
)
def test_strange_frames(
    run: Run, fault: str, facts: dict[str, Any], expected: str
) -> None:
    """A tick can be written in every strange way, for as many ticks as asked."""

    async def scene(sim: Sim, probe: Probe) -> list[str | bytes]:
        await per_second(sim, probe)
        await sim.do(fault, id="LTCUSD_RTI", ticks=1, **facts)
        await sim.do("jump", seconds=2)
        return await probe.raw()

    strange, plain = with_probe(run, scene)
    assert isinstance(strange, str)
    assert isinstance(plain, str)
    assert expected in strange
    assert expected not in plain


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("unknown_type", lambda m: '"type":"simulated_unknown"' in m),
        ("not_json", lambda m: m.startswith('{"type"') and not m.endswith("}")),
        ("array", lambda m: m.startswith("[{")),
        ("binary", lambda m: m.startswith(b'{"type":"value"')),
        ("fragmented", lambda m: m.startswith('{"type":"value"') and m.endswith("}")),
        ("large", lambda m: len(m) > 10_000_000),
        ("text", lambda m: m == "anything"),
    ],
)
def test_odd_frames(run: Run, kind: str, check: Callable[[Any], bool]) -> None:
    """One frame of each odd kind, and the session goes on."""

    async def scene(sim: Sim, probe: Probe) -> list[str | bytes]:
        await per_second(sim, probe)
        more = {"text": "anything"} if kind == "text" else {}
        assert await sim.do("frame", kind=kind, id="LTCUSD_RTI", **more) == 1
        await sim.do("jump", seconds=1)
        return await probe.raw()

    odd, ordinary = with_probe(run, scene)
    assert check(odd)
    assert json.loads(ordinary)["id"] == "LTCUSD_RTI"


def test_fragments_are_real(run: Run) -> None:
    """The fragmented frame is sent as several WebSocket frames."""

    async def scene(sim: Sim, probe: Probe) -> list[str]:
        await probe.subscribe("LTCUSD_RTI")
        await sim.do("frame", kind="fragmented", id="LTCUSD_RTI")
        return [str(part) async for part in probe.socket.recv_streaming()]

    assert len([part for part in with_probe(run, scene) if part]) == 3


def test_amendments(run: Run) -> None:
    """An amended tick comes again: same `time`, new value, `amendTime`; also twice."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        await sim.do("jump", seconds=5)
        frames = await probe.fence()
        await sim.do("amend", id="LTCUSD_RTI", ticks_ago=2, change=7)
        await sim.do("amend", id="LTCUSD_RTI", ticks_ago=2, value="1.500", times=2)
        return [frames[-3], *await probe.fence()]

    old, first, second, third = with_probe(run, scene)
    assert {f["time"] for f in (old, first, second, third)} == {old["time"]}
    assert float(first["value"]) == pytest.approx(float(old["value"]) + 0.007)
    assert second["value"] == third["value"] == "1.500"
    assert first["amendTime"] <= second["amendTime"] < third["amendTime"]
    assert "amendTime" not in old


def test_an_amendment_of_a_tick_never_seen(run: Run) -> None:
    """A tick from before the subscribe can be amended; one that never was cannot."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        await sim.do("amend", id="LTCUSD_RTI", time=START_MS - 60_000)
        with pytest.raises(BridgeError, match="no tick at"):
            await sim.do("amend", id="LTCUSD_RTI", time=START_MS + 1)
        with pytest.raises(BridgeError, match="no tick at"):
            await sim.do("amend", id="LTCUSD_RTI", time=START_MS + 60_000)
        return await probe.fence()

    assert seconds(with_probe(run, scene)) == [-60]


def test_an_amendment_on_both_series(run: Run) -> None:
    """A phase-000 tick is amended for both series, another for the fast one alone."""

    async def scene(sim: Sim, slow: Probe) -> tuple[list[Any], list[Any]]:
        async with dial(sim) as socket:
            fast = Probe(socket)
            await fast.subscribe("BRTI")
            await slow.subscribe("BRTI", maxResolution="PER_SECOND")
            for time_ms in (START_MS - 2000, START_MS - 1800):
                await sim.do("amend", id="BRTI", time=time_ms)
            return await fast.fence(), await slow.fence()

    fast, slow = with_probe(run, scene)
    assert (len(fast), len(slow)) == (2, 1)


def test_daily_faults(run: Run) -> None:
    """A daily value: repeated, missing until the next day, late by hours."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        frames = await probe.subscribe("BRR")
        for fault, facts in (
            ("repeat", {}),
            ("missing", {}),
            ("late", {"by_ms": 6 * 3_600_000}),
        ):
            await sim.do(fault, id="BRR", **facts)
            await sim.do("jump", seconds=86_400)
        frames += await probe.fence()
        await sim.do("jump", seconds=3600)
        return frames + await probe.fence()

    before, repeated, late = with_probe(run, scene)
    assert repeated["repeatOfPreviousValue"] is True
    assert repeated["value"] == before["value"]
    assert late["time"] - repeated["time"] == 2 * 86_400_000


def test_statistics(run: Run) -> None:
    """`rti_stats` is a stream of its own; its bid and ask can be crossed."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await probe.subscribe("LTCUSD_RTI", stream="rti_stats")
        await sim.do("jump", seconds=30)
        straight = await probe.fence()
        await sim.do("crossed", id="LTCUSD_RTI")
        await sim.do("jump", seconds=30)
        return [straight, await probe.fence()]

    def is_right(frame: dict[str, str]) -> bool:
        bid, value, ask = (
            int(frame[name].replace(".", ""))
            for name in ("valueBid", "value", "valueAsk")
        )
        return bid <= value <= ask

    straight, crossed = with_probe(run, scene)
    assert all(map(is_right, straight))
    assert not all(map(is_right, crossed))


def test_wrong_fault_commands(run: Run) -> None:
    """An unknown index, series or argument is refused with a sentence."""

    async def scene(sim: Sim, _probe: Probe) -> None:
        for name, facts, says in (
            ("missing", {"id": "NONE"}, "no index 'NONE'"),
            ("missing", {"second": 3}, "unknown: second"),
            ("clear", {"all": True}, "unknown: all"),
            ("value", {"id": "BRTI"}, "missing: value"),
            ("frame", {"kind": "odd"}, "no kind of frame"),
            ("frame", {"text": "x", "connection": 99}, "no connection 99"),
            ("switch", {"seed": 2}, "no switch seed"),
            ("revoke", {"id": "BRR", "how": "x"}, "how is one of"),
        ):
            with pytest.raises(BridgeError, match=says):
                await sim.do(name, **facts)
        for name, facts in (
            ("missing", {"series": "series"}),
            ("missing", {"seconds": "three"}),
            ("huge", {"digits": 10**9}),
            ("frame", {"kind": "large", "bytes": -1}),
        ):
            with pytest.raises(ValueError, match=r"series|Expected"):
                await sim.do(name, **facts)
        assert await sim.do("faults") == []

    with_probe(run, scene)


# Faults of connections.


async def ended(probe: Probe) -> int | None:
    await probe.socket.wait_closed()
    return probe.socket.close_code


@pytest.mark.parametrize(
    ("fault", "facts", "code"),
    [
        ("close", {}, 1000),
        ("close", {"code": 1012, "reason": "restart"}, 1012),
        ("reset", {}, 1006),
    ],
)
def test_disconnects(run: Run, fault: str, facts: dict[str, Any], code: int) -> None:
    """A clean close has its code, a reset has none."""

    async def scene(sim: Sim, probe: Probe) -> int | None:
        await probe.subscribe("BRTI")
        doing = asyncio.create_task(sim.do(fault, **facts))
        got = await ended(probe)
        assert await doing == 1
        return got

    assert with_probe(run, scene) == code


def test_half_open(run: Run) -> None:
    """A muted connection neither sends nor answers nor ends; then it goes on."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        assert await sim.do("mute") == 1
        pong = asyncio.ensure_future(await probe.socket.ping())
        await sim.do("jump", seconds=3)
        unsent = sim.ledger.entries("unsent")
        assert seconds(unsent) == [2, 3, 4]
        assert not pong.done()
        assert await sim.do("unmute") == 1
        await pong
        await sim.do("jump", seconds=2)
        return await probe.fence()

    assert seconds(with_probe(run, scene)) == [5, 6]


def test_a_close_just_after_subscribe(run: Run) -> None:
    """The connection closes behind the snapshot of a subscribe, as often as asked."""

    async def scene(sim: Sim, probe: Probe) -> int | None:
        await sim.do("close_after_subscribe")
        await probe.socket.send('{"type":"subscribe","id":"BRTI","stream":"value"}')
        return await ended(probe)

    assert with_probe(run, scene) == 1000


def test_refused_connects(run: Run) -> None:
    """Connects are refused for a time, or until told; open connections go on."""

    async def scene(sim: Sim, probe: Probe) -> None:
        await sim.do("refuse", seconds=60)
        with pytest.raises(ConnectionRefusedError):
            await dial(sim)
        assert await probe.subscribe("BRTI")
        await until(lambda: sim.clock.sleepers == 2, "waiting")
        await sim.do("jump", seconds=61)
        await until(lambda: sim.server.listening, "listening again")
        async with dial(sim):
            pass
        await sim.do("refuse")
        assert await sim.do("listen") == sim.port
        async with dial(sim):
            pass
        await probe.fence()

    with_probe(run, scene)


def test_a_slow_server(run: Run) -> None:
    """A slow server takes its time for each frame and each handshake; order stays."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        assert await sim.do("slow", every_ms=10_000) == 1
        await sim.do("jump", seconds=3)
        before = sim.ledger.counts()["frame"]
        dialling = asyncio.create_task(_open(sim))
        await until(lambda: sim.clock.sleepers == 3, "slow handshake")
        assert sim.ledger.counts()["frame"] == before
        sim.clock.speed = 1000
        async with await dialling:
            return [json.loads(await probe.socket.recv()) for _ in range(3)]

    assert seconds(with_probe(run, scene)) == [2, 3, 4]


async def _open(sim: Sim) -> ClientConnection:
    return await dial(sim)


def test_slow_frames_end_with_their_client(run: Run) -> None:
    """What waits for a slow client is forgotten when it leaves."""

    async def scene(sim: Sim) -> int:
        async with dial(sim) as socket:
            await Probe(socket).subscribe("LTCUSD_RTI")
            await sim.do("slow", every_ms=1000)
            await sim.do("jump", seconds=3)
        await until(lambda: not sim.clients, "left")
        await until(lambda: sim.clock.sleepers == 1, "forgotten")
        return sim.clock.sleepers

    assert with_simulator(run, scene) == 1


@pytest.mark.parametrize(
    ("how", "told"), [("silence", []), ("error", [False]), ("close", None)]
)
def test_a_revoked_permission(run: Run, how: str, told: list[bool] | None) -> None:
    """A permission revoked in mid-stream: silence, an error frame, or a close."""

    async def scene(sim: Sim, probe: Probe) -> list[bool] | None:
        await per_second(sim, probe)
        assert await sim.do("revoke", id="LTCUSD_RTI", how=how) == 1
        if how == "close":
            assert await ended(probe) == 1008
            return None
        await sim.do("jump", seconds=3)
        frames = await probe.fence()
        (refused,) = await probe.subscribe("LTCUSD_RTI")
        assert refused["reason"] == "Unknown id"
        await sim.do("restore", id="LTCUSD_RTI")
        assert "success" not in (await probe.subscribe("LTCUSD_RTI"))[0]
        return [frame["success"] for frame in frames]

    assert with_probe(run, scene) == told


def test_one_connection_of_several(run: Run) -> None:
    """A fault may name a connection; the others go on."""

    async def scene(sim: Sim, probe: Probe) -> int:
        async with dial(sim) as other:
            await Probe(other).subscribe("BRTI")
            first, second = await sim.do("connections")
            assert second["subscriptions"][0]["id"] == "BRTI"
            await sim.do("reset", connection=second["connection"])
            with pytest.raises(ConnectionClosed):
                await other.recv()
        assert await probe.subscribe("BRTI")
        return int(first["connection"])

    assert with_probe(run, scene) == 1


def test_a_slow_reader_harms_nobody(run: Run) -> None:
    """A client that does not read is cut off; others get every tick."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await per_second(sim, probe)
        async with dial(sim) as sleepy:
            await Probe(sleepy).subscribe("LTCUSD_RTI")
            sleepy.transport.pause_reading()
            sleeper = sim.server.connections[1]
            while sleeper.alive:
                await sim.do("frame", kind="large", connection=sleeper.number)
            sleepy.transport.abort()
        await sim.do("jump", seconds=3)
        return await probe.fence()

    assert seconds(with_probe(run, scene)) == [2, 3, 4]


# Options, REST, control.


def test_options_can_be_switched(run: Run) -> None:
    """The encoding changes while running, and wrong values are refused."""

    async def scene(sim: Sim, probe: Probe) -> list[str | bytes]:
        await per_second(sim, probe)
        await sim.do("switch", quoted=False, spaces=True, key_order="documented")
        with pytest.raises(ValueError, match="Invalid enum value"):
            await sim.do("switch", key_order="alphabetical")
        await sim.do("jump", seconds=1)
        return await probe.raw()

    (text,) = with_probe(run, scene)
    assert str(text).startswith('{"type": "value", "id": "LTCUSD_RTI", "value": ')


def test_a_key_table(run: Run) -> None:
    """Each key has its own ids, streams and resolution."""
    keys = (Key(), Key(user="few", password="made-up", ids=frozenset({"BRTI"})))

    async def scene(sim: Sim) -> list[Any]:
        async with dial(sim, additional_headers=basic("few", "made-up")) as socket:
            return await Probe(socket).tell(type="info")

    (answer,) = with_simulator(run, scene, keys=keys)
    assert answer["streams"] == [{"id": "BRTI"}]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("nasdaq", {"NCI", "NCIS"}), ("unregulated", {"U_BTCUSD_RTI"})],
)
def test_other_hosts(run: Run, host: str, expected: set[str]) -> None:
    """The other two hosts offer their own indices."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        return await probe.tell(type="info")

    (answer,) = with_probe(run, scene, host=host, ids=None)
    assert expected <= {stream["id"] for stream in answer["streams"]}


def test_an_index_that_the_host_lacks() -> None:
    """Asking for an index of another host is refused at once."""
    with pytest.raises(BridgeError, match="no index NCI"):
        CfBenchmarksSimulator(CfBenchmarksOptions(ids=("NCI",)))


def get(url: str, headers: dict[str, str]) -> tuple[int, Any]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_repair_of_a_gap_over_rest(run: Run) -> None:
    """After 7 lost seconds exactly those 7 are missing, and REST has them."""

    async def scene(sim: Sim, probe: Probe) -> tuple[set[int], set[int]]:
        await per_second(sim, probe)
        await sim.do("missing", id="LTCUSD_RTI", seconds=7)
        await sim.do("jump", seconds=20)
        got = {frame["time"] for frame in await probe.fence()}
        url = f"{sim.rest_url}values?id=LTCUSD_RTI"
        status, body = await asyncio.to_thread(get, url, basic(sim.user, sim.password))
        assert status == 200
        told = {e["time"] for e in body["payload"] if e["time"] > START_MS + 1000}
        return told - got, {e["time"] for e in sim.ledger.entries("fault")}

    repaired, lost = with_probe(run, scene)
    assert len(lost) == 7
    assert lost == repaired


def test_a_reconnect_with_a_gap_of_7_seconds(run: Run) -> None:
    """Away for 7 seconds: the next session lacks exactly 7, and REST has them."""

    async def scene(sim: Sim, probe: Probe) -> tuple[list[int], list[int]]:
        await per_second(sim, probe)
        await sim.do("reset")
        await probe.socket.wait_closed()
        await sim.do("jump", seconds=7)
        async with dial(sim) as socket:
            again = Probe(socket)
            (snapshot,) = await again.subscribe("LTCUSD_RTI")
            await sim.do("jump", seconds=1)
            first = (await again.fence())[0]
            url = f"{sim.rest_url}values?id=LTCUSD_RTI"
            _, body = await asyncio.to_thread(get, url, basic(sim.user, sim.password))
        assert snapshot["time"] == first["time"] - 1000
        told = {e["time"] for e in body["payload"]}
        lost = range(START_MS + 2000, first["time"], 1000)
        return seconds([{"time": t} for t in lost]), seconds(
            [{"time": t} for t in lost if t in told]
        )

    lost, told = with_probe(run, scene)
    assert lost == told == [2, 3, 4, 5, 6, 7, 8]


def test_rest_refusals(run: Run) -> None:
    """Without credentials an id is unknown (400); a rate limit answers 429."""

    async def scene(sim: Sim) -> list[tuple[int, str]]:
        url = f"{sim.rest_url}values?id=BRTI"
        first = await asyncio.to_thread(get, url, {})
        await sim.do("rate_limit", requests=1)
        second = await asyncio.to_thread(get, url, basic(sim.user, sim.password))
        return [(status, body["error"]) for status, body in (first, second)]

    assert with_simulator(run, scene) == [
        (400, "Unknown id"),
        (429, "Too many requests"),
    ]


def test_an_hour_of_history(run: Run) -> None:
    """`history/values` sends an hour of 18,000 ticks in one answer."""

    async def scene(sim: Sim) -> int:
        url = (
            f"{sim.rest_url}history/values?id=BRTI&timespan=HOUR"
            "&timestamp=2026-01-14T10:00:00.000Z"
        )
        _, body = await asyncio.to_thread(get, url, basic(sim.user, sim.password))
        return len(body["payload"])

    assert with_simulator(run, scene) == 18_000


def test_the_control_port(run: Run, tmp_path: Path) -> None:
    """Everything can be scripted from outside; each command is in the ledger."""

    async def scene(sim: Sim) -> int:
        control = ControlClient(sim.control_port)
        described = await control.do("describe")
        assert all(described.values())
        assert await control.do("now") == START_MS
        await control.do("jump", seconds=2)
        await control.do("missing", id="BRTI", seconds=2)
        counts = await control.do("counts")
        assert counts["tick"] > 0
        ticks = await control.do("ledger", kind="tick", limit=5)
        assert len(ticks) == 5
        rest = await control.do("ledger", kind="tick", since=ticks[-1]["number"])
        assert rest[0] == ticks[-1]
        done = [entry["do"] for entry in sim.ledger.entries("control")]
        assert done[:3] == ["now", "jump", "missing"]
        return int(await control.do("save_ledger", path=str(tmp_path / "l.jsonl")))

    assert with_simulator(run, scene) > 10


def test_simulate_prints_where_it_listens(run: Run) -> None:
    """The command prints address, control port and the made-up key, and stops."""

    async def scene() -> tuple[int, str]:
        stop, out = asyncio.Event(), io.StringIO()
        options = CfBenchmarksOptions(speed=0, ids=("BRTI",))
        task = asyncio.create_task(simulate(options, stop, out))
        await until(lambda: "key" in out.getvalue(), "printed")
        stop.set()
        return await task, out.getvalue()

    code, text = run(scene())
    assert code == 0
    assert "ws://127.0.0.1:" in text
    assert "/ws/v4" in text
    assert "simulated-user" in text


def test_it_runs_by_itself(run: Run) -> None:
    """Without any command ticks come in real time."""

    async def scene(sim: Sim, probe: Probe) -> list[Any]:
        await probe.subscribe("BRTI")
        return [json.loads(await probe.socket.recv()) for _ in range(10)]

    frames = with_probe(run, scene, speed=20.0)
    assert len({frame["time"] for frame in frames}) == 10


def test_a_simulator_that_is_not_started() -> None:
    """Before the start there is no address."""
    with pytest.raises(BridgeError, match="not started"):
        _ = CfBenchmarksSimulator().url
