"""Every secret of a running worker changes, and nothing is restarted or missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as ck
import pytest

from tests.support.guarded_kafka import GuardedKafka
from tests.support.kafka import PASSWORD, USER
from tests.support.link import Link
from tests.support.processes import (
    Feedbridge,
    Venue,
    ask,
    running,
    settings_file,
    venue,
)
from tests.support.running import Run, until

pytestmark = pytest.mark.timeout(300)

TAKER = 7  # this account in the simulator
SECOND = "battery staple"
BOOKS = [f"book.{kind}:BTC-USD" for kind in ("tradable", "global", "viewonly")]
FINERY = [*BOOKS, "orders", "positions"]
RATES = ["value:BRTI", "value:ETHUSD_RTI"]
FLOWING = ("finery.book.tradable", "cfbenchmarks.value")
COMMANDS = {"accounts": ["desk"], "methods": ["read", "order"]}


class Stage(NamedTuple):
    """A worker, what it talks to, and the files of its secrets."""

    broker: GuardedKafka
    link: Link
    finery: Venue
    rates: Venue
    worker: Feedbridge
    folder: Path

    def write(self, **texts: str) -> None:
        """Write secrets, each into its file."""
        _write(self.folder, **texts)

    def rotated(self) -> list[str]:
        """Return the parts that have taken up a secret, in order."""
        return [str(event["part"]) for event in self.worker.events("rotated")]

    def written(self) -> int:
        """Return how many records the topics have that never stand still."""
        reader = ck.Consumer({**self.broker.kafka.client(), "group.id": "watch"})
        try:
            known = reader.list_topics(timeout=20).topics
            places = [(t, p) for t in FLOWING for p in known[t].partitions]
            marks = [ck.TopicPartition(*place) for place in places]
            ends = [reader.get_watermark_offsets(m, timeout=20)[1] for m in marks]
        finally:
            reader.close()
        return sum(ends)

    async def goes_on(self, records: int = 30) -> None:
        """Wait until that many more records are in Kafka."""
        wanted = await asyncio.to_thread(self.written) + records
        while await asyncio.to_thread(self.written) < wanted:
            assert self.worker.alive(), self.worker.errors()[-5:]
            await asyncio.sleep(0.2)


def _write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text + "\n")


def _settings(broker: GuardedKafka, folder: Path, urls: Mapping[str, str]) -> Path:
    at = {name: str(folder / name) for name in ("key", "secret", "user", "password")}
    tree: dict[str, Any] = {
        "kafka": {
            "bootstrap_servers": f"127.0.0.1:{broker.port}",
            "options": {
                "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(broker.kafka.authority),
                "ssl.certificate.location": str(folder / "client.pem"),
                "ssl.key.location": str(folder / "client.key"),
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": USER,
                "reconnect.backoff.max.ms": "500",
            },
            "option_files": {"sasl.password": str(folder / "kafka")},
        },
        "ownership": {"mode": "group", "partitions": 4},
        "books": {"refresh_seconds": 2},
        "finery": {
            "desk": {
                "url": urls["finery"],
                "key_file": at["key"],
                "secret_file": at["secret"],
                "subscriptions": FINERY,
            }
        },
        "cfbenchmarks": {
            "rates": {
                "url": urls["rates"],
                "user_file": at["user"],
                "password_file": at["password"],
                "subscriptions": RATES,
            }
        },
        "commands": {"finery.commands": {"responses": "finery.responses", **COMMANDS}},
    }
    return settings_file(folder, tree)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Run a worker whose every secret is in a file; the old ones are in use."""
    with ExitStack() as stack:
        link = Link()
        stack.callback(link.close)
        broker = GuardedKafka(tmp_path, link.port)
        stack.callback(broker.kafka.close)
        link.lead(broker.kafka.ports["PROXIED"])
        finery = stack.enter_context(venue(tmp_path, "finery", "--rate", "20"))
        rates = stack.enter_context(venue(tmp_path, "cfbenchmarks"))
        login = finery.facts
        _write(tmp_path, key=login["key"], secret=login["secret"], kafka=PASSWORD)
        _write(tmp_path, user=rates.facts["user"], password=rates.facts["password"])
        broker.old.write_client(tmp_path)
        urls = {"finery": login["url"], "rates": rates.facts["url"]}
        config = str(_settings(broker, tmp_path, urls))
        arguments = ("run", "--config", config)
        worker = stack.enter_context(running(tmp_path, *arguments))
        yield Stage(broker, link, finery, rates, worker, tmp_path)


async def _venue_logins(stage: Stage) -> None:
    stage.finery.do("rekey", account=TAKER, key="new-key", secret="n3w-secret")
    stage.write(key="new-key", secret="n3w-secret")
    stage.rates.do("rekey", new_user="new-user", password="n3w-password")
    stage.write(user="new-user", password="n3w-password")
    wanted = ["desk", "desk/orders", "rates"]
    await until(lambda: sorted(stage.rotated()) == wanted, "venues' logins", 60)


async def _password(stage: Stage) -> None:
    await asyncio.to_thread(stage.broker.change_password, SECOND)
    stage.write(kafka=SECOND)
    await until(lambda: stage.rotated()[3:] == ["kafka"], "Kafka's password", 60)
    stage.link.reset()


async def _certificate(stage: Stage) -> None:
    stage.broker.new.write_client(stage.folder)
    await until(lambda: stage.rotated()[4:] == ["kafka"], "the certificate", 60)
    await asyncio.to_thread(stage.broker.trust, "new.pem")
    stage.link.reset()


STEPS: tuple[Callable[[Stage], Any], ...] = (_venue_logins, _password, _certificate)


def test_no_restart_and_no_hole(stage: Stage, run: Run) -> None:
    """Venues, password, certificate: one after the other, each old one void at once."""

    async def main() -> None:
        await until(lambda: _live(stage) >= {*FINERY, *RATES}, "all LIVE", 60)
        for step in STEPS:
            await stage.goes_on()
            await step(stage)
        await stage.goes_on()

    run(main(), 240)
    assert stage.worker.stop() == 0
    ended = _reasons(stage)
    assert {ended[name][0] for name in (*FINERY, *RATES)} == {"ROTATED"}
    config = str(stage.folder / "feedbridge.yaml")
    verb = ("verify", "--all", "--json", "--config", config)
    code, found = ask(stage.folder, *verb, variables={})
    assert code == 0, found
    assert found["complete"]
    assert found["gaps"] == 0, found
    text = stage.worker.err.read_text()
    assert not [s for s in ("n3w-secret", "n3w-password", SECOND) if s in text]


def _live(stage: Stage) -> set[str]:
    """Return what has been live."""
    told = stage.worker.events("subscription")
    return {str(event["subscription"]) for event in told if event["state"] == "LIVE"}


def _reasons(stage: Stage) -> dict[str, list[str]]:
    """Return why the sequences of each subscription ended, in order."""
    found: dict[str, list[str]] = {}
    for event in stage.worker.events("subscription"):
        if event["state"] == "ENDED":
            found.setdefault(str(event["subscription"]), []).append(
                str(event["reason"])
            )
    return found
