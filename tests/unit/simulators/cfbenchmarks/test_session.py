"""Sessions: `bridge.simulators.cfbenchmarks.session`."""

import json
from typing import Any

import pytest

from bridge.simulators.cfbenchmarks.frames import Tick, frame
from bridge.simulators.cfbenchmarks.keys import Key
from bridge.simulators.cfbenchmarks.lines import Series
from bridge.simulators.cfbenchmarks.session import Manner, Session
from bridge.simulators.connection import Payload
from tests.unit.simulators.cfbenchmarks.scenes import Scene

IDS = ("BRTI", "LTCUSD_RTI", "BRR")


class Stage:
    """A session without a socket."""

    def __init__(self, key: Key | None = None, manner: Manner = "normal") -> None:
        scene = Scene(*IDS)
        self.scene = scene
        self.options = scene.options
        self.info_order: tuple[str, ...] = ("LTCUSD_RTI", "BRR", "BRTI")
        self.indices = scene.publisher.indices
        self.lines = scene.publisher.lines
        self.sent: list[tuple[str, str]] = []
        self.session = Session(key or Key(), self, self.out, self.render, manner)

    def out(self, payload: Payload, why: str, tick: Tick | None = None) -> bool:
        self.sent.append((str(payload), why))
        return True

    def render(self, tick: Tick) -> str:
        return frame(tick, self.options)

    def tell(self, **command: Any) -> list[dict[str, Any]]:
        """Send a command; return what it was answered."""
        self.sent.clear()
        self.session.receive(json.dumps(command))
        return [json.loads(text) for text, _ in self.sent]

    def subscribe(self, index_id: str = "BRTI", **more: Any) -> list[dict[str, Any]]:
        command = {"type": "subscribe", "id": index_id, "stream": "value"}
        return self.tell(**{**command, **more})

    def play(self, seconds: float) -> list[dict[str, Any]]:
        """Let time pass; return what was sent."""
        self.sent.clear()
        for delivery in self.scene.play(seconds):
            self.session.on_tick(delivery.line, delivery.tick)
        return [json.loads(text) for text, _ in self.sent]


def test_a_subscribe_is_answered_by_the_latest_value_alone() -> None:
    """No acknowledgement: the first frame is the value published last (API v4)."""
    (first,) = Stage().subscribe("BRR")
    assert first["type"] == "value"
    assert "success" not in first


def test_then_every_tick_comes() -> None:
    """After the snapshot each new tick is sent, of the subscribed ids alone."""
    stage = Stage()
    stage.subscribe("LTCUSD_RTI")
    assert [f["id"] for f in stage.play(5)] == ["LTCUSD_RTI"] * 4


@pytest.mark.parametrize(
    ("key", "default", "asked", "per_second"),
    [
        (Key(), "FINEST", None, False),
        (Key(), "FINEST", "PER_SECOND", True),
        (Key(), "PER_SECOND", None, True),
        (Key(resolution="PER_SECOND"), "FINEST", None, True),
    ],
)
def test_resolution(
    key: Key, default: Any, asked: str | None, per_second: bool
) -> None:
    """PER_SECOND sends phase-000 ticks only; so do such a key and such a default."""
    stage = Stage(key)
    stage.options.default_resolution = default
    stage.subscribe(**({"maxResolution": asked} if asked else {}))
    times = [f["time"] for f in stage.play(5)]
    assert all(t % 1000 == 0 for t in times) is per_second
    assert len(times) == (4 if per_second else 24)


def test_an_unknown_resolution() -> None:
    """Other words for the resolution are not known: an error, or ignored."""
    stage = Stage()
    (answer,) = stage.subscribe(maxResolution="PER_MINUTE")
    assert answer["success"] is False
    stage.options.unknown_resolution = "ignore"
    assert "success" not in stage.subscribe(maxResolution="PER_MINUTE")[0]


def test_unknown_extra_fields_are_ignored() -> None:
    """An extra field in a command does not matter (seen with public clients)."""
    (first,) = Stage().subscribe(cacheID="x")
    assert first["type"] == "value"


def test_unsubscribe_is_silent() -> None:
    """Frames stop and nothing is answered."""
    stage = Stage()
    stage.subscribe()
    assert stage.tell(type="unsubscribe", id="BRTI", stream="value") == []
    assert stage.play(3) == []


def test_one_tick_in_flight() -> None:
    """With the switch one more tick comes after an unsubscribe."""
    stage = Stage()
    stage.options.in_flight = True
    stage.subscribe("LTCUSD_RTI")
    stage.tell(type="unsubscribe", id="LTCUSD_RTI", stream="value")
    assert len(stage.play(5)) == 1


def test_a_subscribe_during_the_last_tick() -> None:
    """A subscribe after an unsubscribe is a new one, in flight or not."""
    stage = Stage()
    stage.options.in_flight = True
    stage.subscribe("LTCUSD_RTI")
    stage.tell(type="unsubscribe", id="LTCUSD_RTI", stream="value")
    assert len(stage.subscribe("LTCUSD_RTI")) == 1
    assert len(stage.play(5)) == 4


@pytest.mark.parametrize(
    ("manner", "frames", "success"),
    [("ignore", 0, None), ("snapshot", 1, None), ("error", 1, False)],
)
def test_a_second_subscribe(manner: Any, frames: int, success: bool | None) -> None:
    """A duplicate subscribe is silent by default, and switchable."""
    stage = Stage()
    stage.options.duplicate_subscribe = manner
    stage.subscribe()
    answers = stage.subscribe()
    assert len(answers) == frames
    assert [a.get("success") for a in answers] == [success] * frames


def test_a_stray_unsubscribe() -> None:
    """An unsubscribe without subscribe is silent by default, and switchable."""
    stage = Stage()
    assert stage.tell(type="unsubscribe", id="BRTI", stream="value") == []
    stage.options.stray_unsubscribe = "error"
    (answer,) = stage.tell(type="unsubscribe", id="BRTI", stream="value")
    assert answer["reason"] == "Not subscribed"


def test_success_echoes() -> None:
    """With the switch commands are echoed with `success: true` (S10's fixture)."""
    stage = Stage()
    stage.options.acknowledge = True
    echo, first = stage.subscribe()
    assert (echo["type"], echo["success"], first["type"]) == (
        "subscribe",
        True,
        "value",
    )
    (echo,) = stage.tell(type="unsubscribe", id="BRTI", stream="value")
    assert echo == {
        "type": "unsubscribe",
        "id": "BRTI",
        "stream": "value",
        "success": True,
    }


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ({"type": "foo"}, "Unrecognised command"),
        ({"type": "subscribe", "id": "NONE", "stream": "value"}, "Unknown id"),
        ({"type": "subscribe", "id": "brti", "stream": "value"}, "Unknown id"),
        ({"type": "subscribe", "id": "BRTI", "stream": "x"}, "Unknown stream"),
        ({"type": "subscribe", "id": "BRTI"}, "Unknown stream"),
        ({"type": "subscribe", "id": "BRR", "stream": "rti_stats"}, "Unknown stream"),
        (
            {"type": "subscribe", "id": "BRTI", "stream": "constituents"},
            "Not permitted",
        ),
    ],
)
def test_errors_echo_the_command(command: dict[str, str], reason: str) -> None:
    """An invalid command comes back with `success: false` and a reason."""
    (answer,) = Stage().tell(**command)
    assert answer == {**command, "success": False, "reason": reason}


def test_only_one_text_is_official() -> None:
    """The ledger marks every other error text as not official."""
    stage = Stage()
    stage.tell(type="foo")
    assert stage.sent[0][1] == "error"
    stage.subscribe("NONE")
    assert stage.sent[0][1] == "error, not an official text"


def test_other_texts() -> None:
    """The reasons can be set."""
    stage = Stage()
    stage.options.reasons = {"unknown_id": "No such id"}
    assert stage.subscribe("NONE")[0]["reason"] == "No such id"


@pytest.mark.parametrize("data", ["no json", "[]", b'{"type":"info"}'])
def test_malformed(data: str | bytes) -> None:
    """What is no command is answered by an error; the session goes on."""
    stage = Stage()
    stage.session.receive(data)
    assert json.loads(stage.sent[0][0])["success"] is False


def test_info_is_unsorted_and_permitted() -> None:
    """`info` lists the key's ids in no order."""
    stage = Stage(Key(ids=frozenset({"BRTI", "LTCUSD_RTI"})))
    (answer,) = stage.tell(type="info")
    assert answer == {
        "type": "info",
        "streams": [{"id": "LTCUSD_RTI"}, {"id": "BRTI"}],
    }


def test_an_id_that_is_not_permitted_is_unknown() -> None:
    """A missing entitlement looks like an unknown id (measured over REST)."""
    stage = Stage(Key(ids=frozenset({"BRR"})))
    assert stage.subscribe()[0]["reason"] == "Unknown id"


def test_a_stream_that_is_not_permitted() -> None:
    """A key without `rti_stats` is refused that stream."""
    stage = Stage(Key(streams=frozenset({"value"})))
    assert stage.subscribe(stream="rti_stats")[0]["reason"] == "Not permitted"


def test_two_streams_of_one_id() -> None:
    """The same id on two streams: told apart by the frame's type."""
    stage = Stage()
    stage.subscribe(maxResolution="PER_SECOND")
    stage.subscribe(stream="rti_stats")
    types = [f["type"] for f in stage.play(5)]
    assert (types.count("value"), types.count("rti_stats")) == (4, 4)


@pytest.mark.parametrize(("manner", "answers"), [("silence", 0), ("errors", 1)])
def test_failed_logins(manner: Manner, answers: int) -> None:
    """After a failed login a session is silent, or answers each command by an error."""
    stage = Stage(manner=manner)
    sent = stage.subscribe()
    assert [a["success"] for a in sent] == [False] * answers
    assert stage.play(3) == []


def test_revoking() -> None:
    """A revoked id goes quiet, or is told by an error frame; others go on."""
    for say in (False, True):
        stage = Stage()
        stage.subscribe("LTCUSD_RTI")
        stage.subscribe("BRTI", maxResolution="PER_SECOND")
        stage.sent.clear()
        stage.session.revoke("LTCUSD_RTI", say=say)
        assert len(stage.sent) == int(say)
        assert {f["id"] for f in stage.play(3)} == {"BRTI"}


def test_lines_without_a_value_send_no_snapshot() -> None:
    """Where nothing was ever published, a subscribe is answered by nothing yet."""
    stage = Stage()
    stage.lines["BRR", Series.DAILY].latest = None
    assert stage.subscribe("BRR") == []
