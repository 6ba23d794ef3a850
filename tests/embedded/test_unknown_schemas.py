"""Ids that nobody knows on the command topic, with a registry and in its outage."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Settings
from bridge.core.codec import confluent_header
from bridge.core.envelopes import (
    COMMAND,
    CONTROL,
    RESPONSE,
    Reader,
    command_writer,
    control_writer,
    response_writer,
)
from bridge.core.orders import Entry, Key, Phase, Trading
from bridge.edge.consumer import read_range
from bridge.edge.known_schemas import QUIET_NS
from bridge.edge.registry import Registry
from bridge.edge.schemas import bundled
from tests.embedded.test_orders import RESPONSES, Sender, told, trading
from tests.embedded.whole import Whole
from tests.support.running import Run, until
from tests.unit.edge.registry_stand import ABSENT_SCHEMA, Asked, Stand, serving

TEXTS = bundled()
IDS = {name: number for number, name in enumerate(TEXTS, 100)}
NEWER = {COMMAND: 901, CONTROL: 902, RESPONSE: 903}
BY_ID = {(IDS | NEWER)[name]: TEXTS[name] for name in NEWER}
BY_ID |= {IDS[name]: text for name, text in TEXTS.items()}
ENDLESS, MANY = 904, 905
BY_ID |= {
    number: json.dumps(
        {"type": "record", "name": COMMAND, "fields": [{"name": "n", "type": kind}]}
    )
    for number, kind in {
        ENDLESS: ["null", COMMAND],
        MANY: {"type": "array", "items": "null"},
    }.items()
}
BY_TEXT = {text: IDS[name] for name, text in TEXTS.items()}
AWAY = (503, {"error_code": 50301, "message": "away"})


class Full(Stand):
    """Has every bundled schema under an id of its own."""

    away = False

    def answer(self, asked: Asked) -> tuple[int, Any]:  # type: ignore[explicit-override]
        self.asked.append(asked)
        if self.away:
            return AWAY
        if asked.method == "POST":
            text = asked.body["schema"]
            found = {"id": BY_TEXT[text], "subject": "s", "version": 1, "schema": text}
            return 200, found
        text = BY_ID.get(int(asked.path.partition("?")[0].rpartition("/")[2]))
        return (200, {"schema": text}) if text else ABSENT_SCHEMA

    def looked_up(self) -> list[str]:
        """Return the paths of all questions for an id."""
        return [path for path in self.paths() if "/schemas/ids/" in path]


class Naming(Sender):
    """Names its schemas by the registry's ids."""

    def __init__(self, path: Whole, settings: Settings) -> None:
        super().__init__(path, settings)
        self.reader = Reader(self.codec, lambda named: json.loads(BY_ID[named]))
        self.use(IDS)

    def use(self, ids: Mapping[str, int]) -> None:
        """Write with these ids from now on."""
        self._command = command_writer(self.codec, confluent_header(ids[COMMAND]))
        self._control = control_writer(self.codec, confluent_header(ids[CONTROL]))
        self._response = response_writer(self.codec, confluent_header(ids[RESPONSE]))

    def respond(self, entry: Entry) -> None:
        """Write one record to the response topic, as another worker does."""
        value = self._response(entry, 0)
        self.producer.produce(RESPONSES, value, key=entry.key.req_id, partition=0)
        self.producer.flush(5)

    async def letters(self) -> list[dict[str, str]]:
        """Return the headers of the dead letters."""
        return [
            {name: str(value, "utf-8") for name, value in message.headers}  # type: ignore[arg-type] # ours are bytes
            async for message in read_range(self.options, ["feedbridge.dead-letter"])
        ]


@pytest.fixture
def registry() -> Iterator[tuple[Full, ExitStack]]:
    """Run a registry; closing the stack ends it early."""
    with ExitStack() as stack:
        yield stack.enter_context(serving(Full())), stack


def test_an_outage_of_the_registry_stops_nobody(
    run: Run, tmp_path: Path, registry: tuple[Full, ExitStack]
) -> None:
    """Own ids are known from the start; an unknown one is buried, and work goes on."""
    stand, stack = registry

    async def story() -> None:
        at = {"url": stand.url}
        async with trading(tmp_path, kind=Naming, registry=at) as (_, sender):
            assert isinstance(sender, Naming)
            base = len(await sender.finals(1))
            assert stand.looked_up() == []
            stack.close()
            sender.send("before", "positions")
            sender.raw(b"\x00\x00\x00\x30\x39junk")
            sender.send("after", "positions")
            finals = await sender.finals(base + 2)

            assert told(finals[base])[0] == told(finals[base + 2])[0] == "DONE"
            [letter] = await sender.letters()
            assert letter["reason"] == "NOT_A_COMMAND"
            assert letter["error"].startswith("schema id 12345: ")
            assert "did not answer" in letter["error"]

    run(story())


def test_what_another_version_writes_is_looked_up(
    run: Run, tmp_path: Path, registry: tuple[Full, ExitStack]
) -> None:
    """Commands, states and responses of its ids are read, each asked for once."""
    stand, _ = registry

    async def story() -> None:
        at = {"url": stand.url}
        async with trading(tmp_path, kind=Naming, registry=at) as (path, sender):
            assert isinstance(sender, Naming)
            base = len(await sender.finals(1))
            sender.use(NEWER)
            for state in (Trading.HALTED, Trading.ACTIVE):
                sender.state(state)
                told_state = f"state={state.name}"
                await until(lambda: told_state in path.lines.getvalue(), told_state)  # noqa: B023 - awaited
            key = Key("another.topic", "desk", "x")
            sender.respond(Entry(key=key, phase=Phase.CLAIMED, command_offset=0))
            for req_id in ("one", "two"):
                sender.send(req_id, "positions")
            finals = await sender.finals(base + 2)

            assert {told(finals[base + n])[0] for n in (0, 1)} == {"DONE"}
            asked = [path.rpartition("/")[2] for path in stand.looked_up()]
            assert sorted(asked) == ["901", "902", "903"]

    run(story())


def test_bad_ids_cost_few_calls_and_none_on_the_loop(
    run: Run,
    tmp_path: Path,
    registry: tuple[Full, ExitStack],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One id is asked for once, a hundred ids in an outage once in 5 s."""
    stand, _ = registry
    askers: set[threading.Thread] = set()
    ask = Registry.schema

    def schema(self: Registry, schema_id: int) -> dict[str, Any]:
        askers.add(threading.current_thread())
        return ask(self, schema_id)

    monkeypatch.setattr(Registry, "schema", schema)

    async def story() -> None:
        at = {"url": stand.url}
        async with trading(tmp_path, kind=Naming, registry=at) as (_, sender):
            assert isinstance(sender, Naming)
            base = len(await sender.finals(1))
            for _ in range(100):
                sender.raw(confluent_header(12_345) + b"junk")
            sender.send("after", "positions")
            assert told((await sender.finals(base + 1))[base + 100])[0] == "DONE"
            assert stand.looked_up() == ["/schemas/ids/12345"]

            stand.away, began = True, time.monotonic()
            for number in range(100):
                sender.raw(confluent_header(20_000 + number) + b"junk")
            sender.send("again", "positions")
            assert told((await sender.finals(base + 2))[base + 201])[0] == "DONE"
            pauses = (time.monotonic() - began) // (QUIET_NS / 1e9)
            assert 1 <= len(stand.looked_up()) - 1 <= 1 + pauses
            assert len(await sender.letters()) == 200
            assert threading.main_thread() not in askers

    run(story())


def test_a_schema_without_bounds_ends_nothing(
    run: Run, tmp_path: Path, registry: tuple[Full, ExitStack]
) -> None:
    """Who may write commands may name any schema: such records are dead letters."""
    stand, _ = registry
    values = {ENDLESS: b"\x02" * 30_000, MANY: b"\x80" * 8 + b"\x02" + b"\x00" * 9}

    async def story() -> None:
        at = {"url": stand.url}
        async with trading(tmp_path, kind=Naming, registry=at) as (_, sender):
            assert isinstance(sender, Naming)
            base = len(await sender.finals(1))
            for number, body in values.items():
                sender.raw(confluent_header(number) + body)
            sender.send("after", "positions")
            assert told((await sender.finals(base + 1))[base + 2])[0] == "DONE"
            errors = [letter["error"] for letter in await sender.letters()]
            assert ["contains itself" in error for error in errors] == [True, False]
            assert ["may take no bytes" in error for error in errors] == [False, True]

    run(story())
