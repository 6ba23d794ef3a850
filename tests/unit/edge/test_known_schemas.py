"""Ids are learned by the thread that reads, at a bounded cost, and the loop only looks.

The registry is scripted: what it holds, what it refuses, and when it is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bridge.edge.consumer import Message
from bridge.edge.known_schemas import MOST, QUIET_NS, REFUSED_NS, KnownSchemas
from bridge.edge.registry import UNAUTHORISED, Login, Registry
from bridge.errors import ConfigError, RegistryUnreachable, SchemaError
from tests.support.clock import ManualClock
from tests.unit.edge.registry_stand import ABSENT_SCHEMA, standing

OWN, FOREIGN, ABSENT = 5, 9, 12_345
OURS = {"name": "ours"}
THEIRS = {"name": "theirs"}
AWAY = "the registry did not answer"


class Script:
    """A registry that answers as a test tells it to, and keeps what it was asked."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked: list[int] = []
        self.opened = self.closed = 0
        self.has: Callable[[int], bool] = lambda schema_id: schema_id == FOREIGN
        self.fault: Exception | None = None
        self.takes_s = 0.0

    def connect(self) -> Script:
        self.opened += 1
        return self

    def schema(self, schema_id: int) -> Mapping[str, Any]:
        self.asked.append(schema_id)
        self.clock.step(self.takes_s)
        if self.fault is not None:
            raise self.fault
        if not self.has(schema_id):
            raise SchemaError(f"schema id {schema_id}: it is not in the registry")
        return THEIRS

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def script(clock: ManualClock) -> Script:
    return Script(clock)


@pytest.fixture
def known(script: Script, clock: ManualClock) -> KnownSchemas:
    return KnownSchemas({OWN: OURS}, script.connect, clock)


def naming(schema_id: int, tail: bytes = b"junk") -> Message:
    return record(b"\x00" + schema_id.to_bytes(4, "big") + tail)


def record(value: bytes | None) -> Message:
    return Message("t", 0, 0, None, value, 0, [])


def why(known: KnownSchemas, schema_id: int) -> str:
    """Return the reason; an error of the loop's is never to be tried again."""
    with pytest.raises(SchemaError) as caught:
        known.schema_by_id(schema_id)
    assert not caught.value.retry
    return str(caught.value)


def test_own_ids_are_known_without_a_registry(
    known: KnownSchemas, script: Script
) -> None:
    """An outage that begins after the start changes nothing for them."""
    script.fault = RegistryUnreachable(AWAY)
    known.prepare([naming(OWN)])
    assert (known.schema_by_id(OWN), known.fetch(OWN)) == (OURS, OURS)
    assert (script.asked, script.opened) == ([], 0)


def test_a_foreign_id_is_asked_for_once(known: KnownSchemas, script: Script) -> None:
    """One client learns it; from then on the answer is kept."""
    for _ in range(3):
        known.prepare([naming(FOREIGN), naming(FOREIGN, b"")])
    assert known.schema_by_id(FOREIGN) == THEIRS
    assert (script.asked, script.opened) == ([FOREIGN], 1)


@pytest.mark.parametrize(
    "value",
    [None, b"", b"\x00", b"\x00\x00\x00\x09", b"{}junk", b"\xc3\x01" + bytes(9)],
)
def test_a_value_without_an_id_asks_nothing(
    known: KnownSchemas, script: Script, value: bytes | None
) -> None:
    """Tombstones, cut headers, text and fingerprints name no id."""
    known.prepare([record(value)])
    assert script.asked == []


def test_looking_never_asks(known: KnownSchemas, script: Script) -> None:
    """What nobody prepared is unknown at once, since the loop may not wait."""
    assert why(known, FOREIGN) == "schema id 9: was not looked up"
    assert script.asked == []


def test_a_refusal_is_believed_for_a_minute(
    known: KnownSchemas, script: Script, clock: ManualClock
) -> None:
    """The same bad id costs one call; a schema registered later is found."""
    for _ in range(100):
        known.prepare([naming(ABSENT)])
    assert why(known, ABSENT) == "schema id 12345: it is not in the registry"
    assert script.asked == [ABSENT]

    script.has = lambda _: True
    clock.step(REFUSED_NS / 1e9)
    known.prepare([naming(ABSENT)])
    assert known.schema_by_id(ABSENT) == THEIRS
    assert (script.asked, script.opened) == ([ABSENT, ABSENT], 1)


@pytest.mark.parametrize(
    "fault", [RegistryUnreachable(AWAY), ConfigError([AWAY]), OSError(AWAY)]
)
def test_a_registry_that_is_away_is_left_alone(
    known: KnownSchemas, script: Script, clock: ManualClock, fault: Exception
) -> None:
    """Different ids in an outage cost one attempt for all, then one each 5 s."""
    script.fault = fault
    for batch in range(10):
        known.prepare([naming(batch * 100 + i + 10) for i in range(100)])
    assert len(script.asked) == 1
    assert why(known, 10) == f"schema id 10: {AWAY}"
    assert why(known, 1009) == f"schema id 1009: {AWAY}"

    clock.step(QUIET_NS / 1e9)
    known.prepare([naming(i) for i in range(10, 110)])
    assert len(script.asked) == 2


def test_what_an_outage_hid_is_found_after_it(
    known: KnownSchemas, script: Script, clock: ManualClock
) -> None:
    """The first batch after the pause finds it, with a client that is new."""
    script.fault = RegistryUnreachable(AWAY)
    known.prepare([naming(FOREIGN)])
    script.fault = None
    clock.step(QUIET_NS / 1e9)
    known.prepare([naming(FOREIGN)])
    assert known.schema_by_id(FOREIGN) == THEIRS
    assert (script.opened, script.closed) == (2, 1)


def test_a_refused_login_is_no_answer_about_the_id(
    known: KnownSchemas, script: Script, clock: ManualClock
) -> None:
    """The password may have changed: the next client reads it anew."""
    script.fault = SchemaError("refuses the login")
    script.fault.code = UNAUTHORISED
    known.prepare([naming(FOREIGN)])
    script.fault = None
    clock.step(QUIET_NS / 1e9)
    known.prepare([naming(FOREIGN)])
    assert known.schema_by_id(FOREIGN) == THEIRS
    assert script.opened == 2


def test_a_slow_registry_holds_a_batch_up_for_a_bounded_time(
    known: KnownSchemas, script: Script, clock: ManualClock
) -> None:
    """After 2 s of asking the rest of the batch is not asked for."""
    script.takes_s = 0.5
    known.prepare([naming(i) for i in range(10, 510)])
    assert len(script.asked) == 5
    assert clock.mono_ns == 2_500_000_000
    left = next(i for i in range(10, 510) if i not in script.asked)
    assert why(known, left) == (
        f"schema id {left}: the registry is too slow for so many ids"
    )


def test_an_id_that_no_registry_can_have_is_not_asked_for(
    known: KnownSchemas, script: Script
) -> None:
    """A registry that fails on it would look as if it were away."""
    known.prepare([naming(1 << 31)])
    assert why(known, 1 << 31) == "schema id 2147483648: no registry has ids so high"
    assert script.asked == []


@pytest.mark.parametrize("there", [True, False])
def test_what_is_kept_is_bounded(
    known: KnownSchemas, script: Script, *, there: bool
) -> None:
    """The oldest answers make room; our own ids stay."""
    script.has = lambda _: there
    known.prepare([naming(1_000_000)])
    for i in range(MOST + 1):
        known.prepare([naming(1_000_001 + i)])
    script.asked.clear()
    known.prepare([naming(1_000_001 + MOST)])
    assert script.asked == []
    known.prepare([naming(1_000_000)])
    assert script.asked == [1_000_000]
    assert known.schema_by_id(OWN) == OURS


def test_fetching_asks_and_says_whether_later_may_help(
    known: KnownSchemas, script: Script, clock: ManualClock
) -> None:
    """Outside the loop, an outage is told apart from a refusal."""
    assert known.fetch(FOREIGN) == THEIRS
    with pytest.raises(SchemaError, match="not in the registry") as refused:
        known.fetch(ABSENT)
    assert not refused.value.retry

    script.fault = RegistryUnreachable(AWAY)
    for _ in range(2):
        with pytest.raises(RegistryUnreachable, match="schema id 77: the registry"):
            known.fetch(77)
    assert script.asked == [FOREIGN, ABSENT, 77]
    clock.step(QUIET_NS / 1e9)
    script.fault = None
    script.has = lambda _: True
    assert known.fetch(77) == THEIRS


def test_threads_share_one_client_and_one_answer(clock: ManualClock) -> None:
    """While one asks, looking goes on, and the others wait for its answer."""
    entered, go_on = threading.Event(), threading.Event()

    class Slow(Script):
        def schema(self, schema_id: int) -> Mapping[str, Any]:  # type: ignore[explicit-override]
            entered.set()
            assert go_on.wait(10)
            return super().schema(schema_id)

    script = Slow(clock)
    known = KnownSchemas({OWN: OURS}, script.connect, clock)
    readers = [
        threading.Thread(target=known.prepare, args=([naming(FOREIGN)],))
        for _ in range(8)
    ]
    for reader in readers:
        reader.start()
    assert entered.wait(10)
    assert known.schema_by_id(OWN) == OURS
    assert why(known, FOREIGN) == "schema id 9: was not looked up"
    go_on.set()
    for reader in readers:
        reader.join(10)
    assert known.schema_by_id(FOREIGN) == THEIRS
    assert (script.asked, script.opened) == ([FOREIGN], 1)


def test_threads_with_many_ids_break_nothing(clock: ManualClock) -> None:
    """More ids than are kept, from several threads, while the loop looks."""
    script = Script(clock)
    script.has = lambda schema_id: bool(schema_id % 2)
    known = KnownSchemas({OWN: OURS}, script.connect, clock)
    failed: list[BaseException] = []

    def read(first: int) -> None:
        try:
            for i in range(first, first + MOST, 50):
                known.prepare([naming(i + n) for n in range(50)])
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    readers = [threading.Thread(target=read, args=(n * 600 + 10,)) for n in range(6)]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        for i in range(10, 4000, 7):
            try:
                known.schema_by_id(i)
            except SchemaError:
                continue
    assert failed == []


def test_closing_lets_the_client_go(known: KnownSchemas, script: Script) -> None:
    """It is let go once, and whoever asks then opens another one."""
    known.close()
    known.prepare([naming(FOREIGN)])
    known.close()
    known.close()
    assert (script.opened, script.closed) == (1, 1)
    known.prepare([naming(ABSENT)])
    assert script.opened == 2


def test_a_registry_is_asked_over_one_connection_and_keeps_nothing() -> None:
    """With the real client: found, refused and kept here alone."""
    with standing() as stand:
        stand.answers["/schemas/ids/9"] = (200, {"schema": '{"name": "theirs"}'})
        stand.answers["/schemas/ids/"] = ABSENT_SCHEMA
        stand.answers = dict(sorted(stand.answers.items(), reverse=True))
        registry = Registry(Login(stand.url, timeout_s=5))
        known = KnownSchemas({}, lambda: registry, ManualClock())
        for _ in range(2):
            known.prepare([naming(FOREIGN), naming(ABSENT)])
        assert known.schema_by_id(FOREIGN) == THEIRS
        assert why(known, ABSENT) == (
            f"schema id 12345: it is not in registry {stand.url}"
        )
        assert sorted(stand.paths()) == ["/schemas/ids/12345", "/schemas/ids/9"]
        registry.schema(FOREIGN)
        assert len(stand.asked) == 3
        known.close()
