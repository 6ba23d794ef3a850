"""The REST companion: `bridge.simulators.cfbenchmarks.rest`."""

import base64
import json
from typing import Any

import pytest

from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.cfbenchmarks.keys import Key
from bridge.simulators.cfbenchmarks.lines import series_of
from bridge.simulators.cfbenchmarks.rest import Rest
from tests.unit.simulators.cfbenchmarks.scenes import INDICES, START_MS, Scene

IDS = ("BRTI", "LTCUSD_RTI", "BRR")
HOUR_MS = 3_600_000


def login(user: str = "simulated-user", password: str = "simulated-password") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Desk:
    """A REST companion and its scene."""

    def __init__(self, *keys: Key) -> None:
        self.scene = Scene(*IDS)
        self.scene.options.keys = keys or (Key(),)
        order = ("LTCUSD_RTI", "BRR", "BRTI")
        publisher = self.scene.publisher
        self.rest = Rest(
            publisher.indices,
            order,
            self.scene.options,
            self.scene.history,
            self.latest,
        )

    def latest(self, index_id: str) -> Tick | None:
        index = INDICES[index_id]
        return self.scene.publisher.lines[index_id, series_of(index)[0]].latest

    def get(self, target: str, header: str | None = "right") -> tuple[int, Any]:
        header = login() if header == "right" else header
        now = self.scene.clock.now_ms()
        status, body = self.rest.answer(f"/api/v1/{target}", header, now)
        return status, json.loads(body)

    def payload(self, target: str) -> Any:
        status, body = self.get(target)
        assert status == 200
        return body["payload"]


def test_the_envelope() -> None:
    """Success has `serverTime` and `payload`, failure `error` in its place."""
    _, good = Desk().get("info")
    _, bad = Desk().get("values?id=NONE")
    assert good["serverTime"] == "2026-01-14T12:00:00.000Z"
    assert set(good) == {"serverTime", "payload"}
    assert bad == {"serverTime": "2026-01-14T12:00:00.000Z", "error": "Unknown id"}


def test_info_has_decimals() -> None:
    """`info` tells the decimals of the ids that the key may use."""
    desk = Desk(Key(ids=frozenset({"BRTI", "BRR"})))
    assert desk.payload("info") == [
        {"id": "BRR", "decimals": 2},
        {"id": "BRTI", "decimals": 2},
    ]


@pytest.mark.parametrize(
    ("target", "header", "status", "error"),
    [
        ("values?id=NONE", "right", 400, "Unknown id"),
        ("values", "right", 400, "Unknown id"),
        # Measured by others: without credentials an id is unknown, not forbidden.
        ("values?id=BRTI", None, 400, "Unknown id"),
        ("info", None, 401, "Unauthorised"),
        ("info", login("x", "y"), 401, "Unauthorised"),
        ("assets", "right", 404, "Not found"),
        ("history/values?id=BRTI", "right", 400, "Unknown timespan"),
        ("history/values?id=BRTI&timespan=MINUTE", "right", 400, "Unknown timespan"),
        (
            "history/values?id=BRTI&timespan=HOUR&timestamp=x",
            "right",
            400,
            "Malformed timestamp",
        ),
        (
            "history/values?id=BRTI&timespan=HOUR&timestamp=2026-01-14T10:30:00.000Z",
            "right",
            400,
            "The timestamp is not truncated to the timespan",
        ),
    ],
)
def test_errors(target: str, header: str | None, status: int, error: str) -> None:
    """A refused request has a status of 400 or more and a text."""
    got, body = Desk().get(target, header)
    assert (got, body["error"]) == (status, error)


@pytest.mark.parametrize("lookback_s", [600, 3600])
def test_values_reach_back(lookback_s: int) -> None:
    """`values` is ascending and reaches back 10 minutes or an hour, as switched."""
    desk = Desk()
    desk.scene.options.lookback_s = lookback_s
    entries = desk.payload("values?id=BRTI")
    times = [entry["time"] for entry in entries]
    assert times == list(range(START_MS - lookback_s * 1000, START_MS + 1, 200))
    assert all(isinstance(entry["value"], str) for entry in entries)


def test_values_per_second() -> None:
    """`maxResolution=PER_SECOND` thins to whole seconds; so does such a key."""
    thinned = Desk().payload("values?id=BRTI&maxResolution=PER_SECOND")
    by_key = Desk(Key(resolution="PER_SECOND")).payload("values?id=BRTI")
    assert thinned == by_key
    assert len(thinned) == 3601


def test_values_of_a_daily_index() -> None:
    """A daily index reaches back a year."""
    assert len(Desk().payload("values?id=BRR")) == 365


def test_values_agree_with_the_feed() -> None:
    """What REST tells is what the feed sent, amendments and gaps repaired."""
    desk = Desk()
    fault = desk.scene.fault("missing", "LTCUSD_RTI")
    fault.end = fault.start + 7000
    sent = {
        d.tick.time: d.tick.value
        for d in desk.scene.play(20)
        if d.tick.id == "LTCUSD_RTI"
    }
    told = {
        e["time"]: e["value"]
        for e in desk.payload("values?id=LTCUSD_RTI")
        if e["time"] > START_MS
    }
    lost = {e["time"] for e in desk.scene.ledger.entries("fault")}
    assert len(lost) == 7
    assert set(told) == lost | set(sent) | {START_MS + 20_000}
    assert sent.items() <= told.items()


def test_optional_fields() -> None:
    """`amendTime` and `repeatOfPreviousValue` are there only when set."""
    desk = Desk()
    index = INDICES["LTCUSD_RTI"]
    old = desk.scene.history.tick(index, START_MS)
    assert old is not None
    desk.scene.history.change(old._replace(amend_time=START_MS + 5, repeat=True))
    *_, before, last = desk.payload("values?id=LTCUSD_RTI")
    assert set(before) == {"value", "time"}
    assert (last["amendTime"], last["repeatOfPreviousValue"]) == (START_MS + 5, True)


def test_latest_values() -> None:
    """`latest_values` is a map keyed by id."""
    desk = Desk()
    latest = desk.latest("BRTI")
    assert latest is not None
    assert desk.payload("latest_values?id=BRTI") == {
        "latest_values": {"BRTI": {"value": latest.value, "time": latest.time}}
    }


def hour(desk: Desk, stamp: str, index_id: str = "BRTI") -> Any:
    return desk.payload(f"history/values?id={index_id}&timespan=HOUR&timestamp={stamp}")


def test_history_of_an_hour() -> None:
    """`HOUR` returns `[t, t+1h)`: 18,000 ticks, 3,600 of them on whole seconds."""
    entries = hour(Desk(), "2026-01-14T10:00:00.000Z")
    times = [entry["time"] for entry in entries]
    assert times == list(range(START_MS - 2 * HOUR_MS, START_MS - HOUR_MS, 200))
    assert sum(t % 1000 == 0 for t in times) == 3600


def test_history_lags() -> None:
    """The newest 15 minutes are missing."""
    times = [e["time"] for e in hour(Desk(), "2026-01-14T11:00:00.000Z", "LTCUSD_RTI")]
    assert times[-1] == START_MS - 15 * 60_000


def test_history_of_days() -> None:
    """A daily index has one value in its hour."""
    assert len(hour(Desk(), "2026-01-13T16:00:00Z", "BRR")) == 1


def test_history_before_the_index() -> None:
    """An hour before the index existed is empty, with status 200."""
    desk = Desk()
    desk.scene.options.history_from_ms = START_MS
    assert hour(desk, "2020-01-01T00:00:00Z") == []


def test_history_has_holes() -> None:
    """With the switch minutes lack 4 to 29 seconds that the feed had."""
    desk = Desk()
    desk.scene.options.history_holes_per_mille = 1000
    entries = hour(desk, "2026-01-14T10:00:00", "LTCUSD_RTI")
    assert 60 * 31 <= len(entries) <= 60 * 56
    assert entries == hour(desk, "2026-01-14T10:00:00", "LTCUSD_RTI")


def test_history_needs_its_permission() -> None:
    """A key without STREAM_HISTORICAL_VALUES is refused."""
    desk = Desk(Key(history=False))
    target = "history/values?id=BRTI&timespan=HOUR&timestamp=2026-01-14T10:00:00Z"
    assert desk.get(target)[0] == 400


def test_rate_limit() -> None:
    """So many requests are answered with 429, then it goes on."""
    desk = Desk()
    desk.rest.limited = 2
    assert [desk.get("info")[0] for _ in range(3)] == [429, 429, 200]


def test_unquoted_numbers() -> None:
    """With the switch values are numbers, trailing zeros kept."""
    desk = Desk()
    desk.scene.options.quoted = False
    _, body = desk.rest.answer("/api/v1/latest_values?id=BRTI", login(), START_MS)
    latest = desk.latest("BRTI")
    assert latest is not None
    assert f'"value":{latest.value}' in body.decode()
