"""Kafka's credentials under watch: a new password, or new TLS files, for all clients.

librdkafka takes a new password for the connections to come, and the present ones stay.
It reads TLS files only when a client is made, so these need new clients.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bridge.app.view import Running
from bridge.config.kafka import TLS_FILES, Kafka
from bridge.edge.admin import Admin
from bridge.edge.clock import Clock
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.errors import ConfigError, KafkaError

PROOF_S = 5.0
LOGIN = frozenset({"sasl.username", "sasl.password"})
# Mechanisms whose password may change under way; source: `set_sasl_credentials`.
WITH_PASSWORD = ("PLAIN", "SCRAM-")

Clients = Callable[[dict[str, str]], Iterable[tuple[KafkaClient, Options]]]


class Access(NamedTuple):
    """The way into Kafka: all properties, and a digest of the TLS files they name."""

    properties: dict[str, str]
    files: bytes

    def digest(self) -> bytes:
        """Return what changes with any of it."""
        told = repr(sorted(self.properties.items())).encode()
        return hashlib.sha256(told + self.files).digest()

    def login(self, before: Access) -> tuple[str, str] | None:
        """Return user and password, if nothing else is different."""
        mine, old = self.properties, before.properties
        changed = {name for name in mine | old if mine.get(name) != old.get(name)}
        if self.files != before.files or not changed <= LOGIN or not _by_password(mine):
            return None
        return mine.get("sasl.username", ""), mine.get("sasl.password", "")


class KafkaRotation:
    """Shows Kafka's credentials as they are now, and has all clients take them up."""

    def __init__(
        self,
        kafka: Kafka,
        clients: Clients,
        clock: Clock,
        hide: Callable[[str], None],
    ) -> None:
        """Read what is in use; make this before the clients, so that no change is lost.

        Args:
            kafka: the section of the settings.
            clients: returns every client with the properties it is to have of those
                it is given.
            clock: paces the proof.
            hide: told of each new secret before it is used.

        Raises:
            OSError, ValueError: a file cannot be read, or is no text.
        """
        self._kafka = kafka
        self._clients = clients
        self._clock = clock
        self._hide = hide
        self._in_use = access(kafka)
        self._looked = False

    def look(self) -> bytes:
        """Return a digest: first of what is in use, then of what is there.

        Runs in a thread. Raises OSError or ValueError as the files do.
        """
        if self._looked:
            return access(self._kafka).digest()
        self._looked = True
        return self._in_use.digest()

    async def renew(self) -> None:
        """Prove that what is there now works, and have every client take it up.

        Raises:
            KafkaError: it does not work; says what was seen. All goes on as before.
        """
        found = await asyncio.to_thread(self._access)
        if found == self._in_use:
            return
        for secret in self._kafka.secrets(found.properties):
            self._hide(secret)
        await self._prove(found.properties)
        login = found.login(self._in_use)
        for client, options in self._clients(found.properties):
            if login is None:
                client.renew(options)
            else:
                client.login(*login)
        self._in_use = found

    def _access(self) -> Access:
        try:
            return access(self._kafka)
        except (OSError, ValueError) as error:
            raise KafkaError(f"cannot be read: {error}") from error

    async def _prove(self, properties: Options) -> None:
        """Log in with a client of its own."""
        try:
            await Admin(properties, self._clock).partition_counts([], PROOF_S)
        except (ConfigError, KafkaError) as error:
            raise KafkaError(
                f"Kafka's new credentials do not work, the old ones stay: {error}"
            ) from error


def access(kafka: Kafka) -> Access:
    """Read the way into Kafka; raises OSError or ValueError as the files do."""
    properties = kafka.properties()
    found = hashlib.sha256()
    for name in TLS_FILES:
        for path in _files(properties.get(name, "")):
            found.update(f"{name} {path} ".encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return Access(properties, found.digest())


def clients_of(
    running: Running, options: dict[str, str]
) -> Iterator[tuple[KafkaClient, Options]]:
    """Yield every Kafka client of a worker with what it is to have of `options`."""
    yield running.parts.producer, options
    yield from running.shares.clients(options)
    if running.orders is not None:
        yield from running.orders.clients(options)


def _files(location: str) -> list[Path]:
    """Return the files of a location, which may be a folder, none, or `probe`."""
    if location in {"", "probe"}:
        return []
    path = Path(location)
    if path.is_dir():
        return sorted(one for one in path.iterdir() if one.is_file())
    return [path]


def _by_password(properties: Options) -> bool:
    """Tell whether the client logs in with a password; both spellings are one."""
    alias = properties.get("sasl.mechanism", "")
    return str(properties.get("sasl.mechanisms", alias)).startswith(WITH_PASSWORD)
