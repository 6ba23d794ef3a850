"""An installation whose Kafka gives each user the rights that the chart asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides NewTopic
    AdminClient,
    NewTopic,
)

from tests.support import helm, strimzi
from tests.support.downloads import Unavailable
from tests.support.kafka import RealKafka
from tests.support.processes import Feedbridge, Venue, running, venue
from tests.support.registry import RealRegistry
from tests.support.tiers import is_strict

WORKER, OPERATOR, SENDER = "feedbridge", "feedbridge-operator", "desk-a"
PASSWORDS = {WORKER: "made-up-1", OPERATOR: "made-up-2", SENDER: "made-up-3"}
COMMANDS, RESPONSES, ANSWERS = "finery.commands", "finery.responses", "desk.answers"
FOREIGN = "payroll"
VERB_SECONDS = 90


class Said(NamedTuple):
    """How a verb ended; what it wrote."""

    code: int
    out: list[str]
    err: list[str]


class Site:
    """One installation: a broker with an authorizer, a venue, settings, users."""

    def __init__(
        self, folder: Path, kafka: RealKafka, registry: RealRegistry, finery: Venue
    ) -> None:
        """Apply what the chart renders for these settings."""
        self._folder, self._kafka, self.finery = folder, kafka, finery
        (folder / "settings.yaml").write_text(yaml.safe_dump(self._tree(registry)))
        self.admin = AdminClient(kafka.client())
        strimzi.apply(self.admin, self._manifests(), PASSWORDS)
        for name in (FOREIGN, ANSWERS):
            self.admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)

    def _tree(self, registry: RealRegistry) -> dict[str, Any]:
        options = self._kafka.client("SASL_SSL")
        names = ("security.protocol", "ssl.ca.location", "sasl.mechanism")
        return {
            "kafka": {
                "bootstrap_servers": options["bootstrap.servers"],
                "options": {name: options[name] for name in names},
            },
            "registry": {"url": registry.url, "auto_register": False},
            "topics": {"create": False},
            "ownership": {"mode": "group", "partitions": 4},
            "books": {"refresh_seconds": 2},
            "finery": {
                "desk": {
                    "url": self.finery.facts["url"],
                    "role": "master",
                    "subscriptions": ["book.tradable:BTC-USD", "orders", "positions"],
                }
            },
            "commands": {
                COMMANDS: {
                    "responses": RESPONSES,
                    "reply_to": [ANSWERS],
                    "accounts": ["desk"],
                    "methods": ["read", "order"],
                }
            },
        }

    def _manifests(self) -> list[helm.Manifest]:
        """Render as the chart's README says, with the topics that the verb prints."""
        path = self._folder / "settings.yaml"
        told = self.run("no-such-user", "topics", "--json")
        strimzi_values = {
            "topics": json.loads("\n".join(told.out)),
            "operator": OPERATOR,
            # Who halts must be able to empty an account, too: that takes commands.
            "senders": [{"user": u, "topic": COMMANDS} for u in (SENDER, OPERATOR)],
        }
        values = {
            "install": "kafka",
            "settings": yaml.safe_load(path.read_text()),
            "strimzi": strimzi_values,
        }
        try:
            return helm.template(values=values)
        except Unavailable as reason:
            if is_strict():
                raise
            pytest.skip(str(reason))

    def variables(self, user: str, **more: str) -> dict[str, str]:
        """Return the environment of a user's process."""
        return {
            "FEEDBRIDGE_CONFIG": str(self._folder / "settings.yaml"),
            "FEEDBRIDGE_KAFKA__OPTIONS__SASL_USERNAME": user,
            "FEEDBRIDGE_KAFKA__OPTIONS__SASL_PASSWORD": PASSWORDS.get(user, "none"),
            "FEEDBRIDGE_FINERY__desk__KEY": self.finery.facts["key"],
            "FEEDBRIDGE_FINERY__desk__SECRET": self.finery.facts["secret"],
            **more,
        }

    def run(self, user: str, *verb: str) -> Said:
        """Run a verb to its end."""
        process = Feedbridge(self._folder, verb, self.variables(user))
        code = process.process.wait(VERB_SECONDS)
        return Said(code, process.out.read_text().splitlines(), process.errors())

    def worker(self, stack: ExitStack, name: str, **more: str) -> Feedbridge:
        """Start a worker; it ends with the stack."""
        mine = self.variables(WORKER, FEEDBRIDGE_WORKER__NAME=name, **more)
        return stack.enter_context(running(self._folder, "run", variables=mine))

    def denials(self) -> list[str]:
        """Return whatever the authorizer has refused so far."""
        return strimzi.denials(self._kafka.log())

    def client(self, user: str, **more: Any) -> dict[str, Any]:
        """Return librdkafka properties of a user."""
        login = {"sasl.username": user, "sasl.password": PASSWORDS[user]}
        return {**self._kafka.client("SASL_SSL"), **login, **more}


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, registry: RealRegistry
) -> Iterator[Site]:
    """Share one installation; nothing below stops its broker."""
    folder = tmp_path_factory.mktemp("site")
    kafka = RealKafka(tmp_path_factory.mktemp("kafka"), options=strimzi.AUTHORIZER)
    with (kafka.folder / "log4j2.properties").open("a") as file:
        file.write(strimzi.DENIALS)
    try:
        kafka.start()
        with venue(folder, "finery", "--seed", "5", "--rate", "10") as finery:
            made = Site(folder, kafka, registry, finery)
            _set_up(made)
            yield made
    finally:
        kafka.close()


def _set_up(site: Site) -> None:
    """Do what the job before an install does, as its user; topics are there."""
    for verb in (("schemas", "check"), ("topics", "--apply"), ("schemas", "register")):
        said = site.run(WORKER, *verb)
        assert said.code == 0, (verb, said)
    assert site.denials() == []
