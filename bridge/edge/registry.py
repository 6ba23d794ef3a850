"""The schema registry, through confluent-kafka's client.

Only the id of exactly our schema is ever used, never "latest". Every call blocks;
`wait_for_ids` runs them in a thread. The client is imported when the first registry is
opened: it costs 20 MB that a worker without a registry does not need.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.core.model import Note
from bridge.errors import ConfigError, RegistryUnreachable, SchemaError

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

NOT_REGISTERED = "SCHEMA_NOT_REGISTERED"
INCOMPATIBLE = "SCHEMA_INCOMPATIBLE"
REFUSED = "SCHEMA_REFUSED"
UNAUTHORISED = "REGISTRY_UNAUTHORISED"
NO_REGISTRY = "REGISTRY_MISSPOKE"

TIMEOUT_S = 10.0
SAID_CHARS = 300  # of what a registry, or a stranger in its place, says
_TRY_LATER = {408, 429}
_UNAUTHORISED = {401, 403}
_NOT_FOUND, _CONFLICT, _UNPROCESSABLE, _SERVER_FAULT = 404, 409, 422, 500
_KNOWN_ABSENCES = {40401, 40402, 40403}  # subject, version, schema


class Login(NamedTuple):
    """How to reach a registry; its repr shows no secret."""

    url: str
    username: str = ""
    password: str = ""
    ca_file: str = ""
    timeout_s: float = TIMEOUT_S

    def __repr__(self) -> str:  # type: ignore[explicit-override] # 3.12's
        """Show the address alone."""
        return f"Login({self.url!r}, ***)"


class Registry:
    """One registry; its methods block and raise SchemaError or RegistryUnreachable."""

    def __init__(
        self, login: Login, client: SchemaRegistryClient | None = None
    ) -> None:
        """Open nothing yet; `client` is for tests.

        Raises:
            ConfigError: the address or the CA file cannot be used.
        """
        self._url = login.url
        self._client = client or _client(login)

    def ids(
        self, wanted: Mapping[str, str], *, auto_register: bool = False
    ) -> dict[str, int]:
        """Return the id of each subject's schema, registering what is missing if asked.

        Args:
            wanted: schema text by subject (`finery.book.tradable-value`).
            auto_register: register what the registry does not have.
        """
        find = self.register if auto_register else self.lookup
        return {subject: find(subject, text) for subject, text in wanted.items()}

    def lookup(self, subject: str, text: str) -> int:
        """Return the id of exactly this schema.

        Raises:
            SchemaError: code SCHEMA_NOT_REGISTERED, with the command that helps.
        """
        with self._translated(subject):
            found = self._client.lookup_schema(subject, _schema(text))
            return _number(found.schema_id)

    def find(self, subject: str, text: str) -> int | None:
        """Return the id of exactly this schema; None if it is not registered."""
        try:
            return self.lookup(subject, text)
        except SchemaError as error:
            if error.code == NOT_REGISTERED:
                return None
            raise

    def register(self, subject: str, text: str) -> int:
        """Return the schema's id; if it is missing, check it and register it.

        Raises:
            SchemaError: code SCHEMA_INCOMPATIBLE; nothing was registered.
        """
        found = self.find(subject, text)
        if found is not None:
            return found
        self.check(subject, text)
        with self._translated(subject):
            return _number(self._client.register_schema(subject, _schema(text)))

    def check(self, subject: str, text: str) -> None:
        """Refuse a schema that the registry would not accept beside its newest one."""
        try:
            with self._translated(subject):
                fits = self._client.test_compatibility(subject, _schema(text))
        except SchemaError as error:
            if error.code == NOT_REGISTERED:
                return  # the first schema of a subject is compatible with anything
            raise
        if not fits:
            raise self._incompatible(subject)

    def schema(self, schema_id: int) -> dict[str, Any]:
        """Return the schema with this id; keep none, for there may be very many.

        Raises:
            SchemaError: code SCHEMA_NOT_REGISTERED, where there is no such id.
        """
        try:
            with self._translated(f"schema id {schema_id}"):
                text = self._client.get_schema(schema_id).schema_str
                self._client.clear_caches()  # type: ignore[no-untyped-call] # theirs
                loaded: dict[str, Any] = json.loads(text or "")
                return loaded
        except SchemaError as error:
            if error.code == NOT_REGISTERED:
                told = f"schema id {schema_id}: it is not in registry {self._url}"
                raise _problem(NOT_REGISTERED, told) from error
            raise

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    @contextmanager
    def _translated(self, subject: str) -> Iterator[None]:
        """Turn the client's errors into ours, the cause chained."""
        try:
            yield
        except Exception as error:
            raise self._translate(subject, error) from error

    def _translate(self, subject: str, error: Exception) -> SchemaError:
        status = getattr(error, "http_status_code", None)
        said = f"{self._url}: {str(error)[:SAID_CHARS]}"
        if _is_network(error) or status in _TRY_LATER:
            return RegistryUnreachable(f"registry did not answer: {said}", status)
        if status is None:
            return _problem(NO_REGISTRY, self._misspoke(repr(error)))
        if status >= _SERVER_FAULT:
            return RegistryUnreachable(f"registry failed: {said}", status)
        return self._refusal(subject, status, error)

    def _refusal(self, subject: str, status: int, error: Exception) -> SchemaError:
        if status in _UNAUTHORISED:
            return _problem(
                UNAUTHORISED,
                f"{self._url} refuses the login for {subject} (HTTP {status}); "
                "check registry.username and registry.password",
            )
        if status == _NOT_FOUND:
            return self._absent(subject, error)
        if status == _CONFLICT:
            return self._incompatible(subject)
        if status == _UNPROCESSABLE:
            said = str(error)[:SAID_CHARS]
            return _problem(REFUSED, f"registry refuses {subject}: {said}")
        return _problem(NO_REGISTRY, self._misspoke(str(error)))

    def _absent(self, subject: str, error: Exception) -> SchemaError:
        if getattr(error, "error_code", None) not in _KNOWN_ABSENCES:
            return _problem(NO_REGISTRY, self._misspoke(str(error)))
        return _problem(
            NOT_REGISTERED,
            f"{subject}: the schema of this version is not in registry {self._url}; "
            "run `feedbridge schemas register` or set registry.auto_register",
        )

    def _incompatible(self, subject: str) -> SchemaError:
        return _problem(
            INCOMPATIBLE,
            f"{subject}: the schema of this version is not compatible with the one in "
            f"registry {self._url}; use another topic (topics.template), or have the "
            "owner of the subject change its compatibility",
        )

    def _misspoke(self, detail: str) -> str:
        return (
            f"{self._url} does not answer like a schema registry; check registry.url "
            f"(it needs Confluent's API): {detail[:SAID_CHARS]}"
        )


async def wait_for_ids(
    registry: Registry,
    wanted: Mapping[str, str],
    *,
    auto_register: bool,
    sleep: Callable[[float], Awaitable[None]],
    delay: Callable[[], float],
    tell: Callable[[Note], None],
) -> dict[str, int]:
    """Return the ids as soon as the registry gives them, however long that takes.

    Args:
        registry: the registry to ask.
        wanted: schema text by subject.
        auto_register: register what is missing.
        sleep: waits for seconds; `asyncio.sleep` in production.
        delay: gives the seconds before the next attempt, growing.
        tell: is called once when the registry is away, once for each new reason, and
            once when it is back; never for each attempt.

    Raises:
        SchemaError: the registry answered, and waiting would not help.
    """
    said = ""
    while True:
        try:
            ids = await asyncio.to_thread(
                registry.ids, wanted, auto_register=auto_register
            )
        except RegistryUnreachable as error:
            before, said = said, str(error.status or error)  # its page may vary
            if said != before:
                tell(Note("registry_unreachable", {"error": str(error)}))
            await sleep(delay())
        else:
            if said:
                tell(Note("registry_reachable", {"subjects": len(ids)}))
            return ids


def subject_of(topic: str) -> str:
    """Return the subject of a topic's values (TopicNameStrategy)."""
    return f"{topic}-value"


def _client(login: Login) -> SchemaRegistryClient:
    from confluent_kafka.schema_registry import (  # noqa: PLC0415 # see the module
        SchemaRegistryClient,
    )

    if not login.url.startswith(("http://", "https://")) or "@" in login.url:
        problem = "registry.url: must be http:// or https://, without a login in it"
        raise ConfigError([problem])
    settings: dict[str, Any] = {
        "url": login.url,
        "timeout": login.timeout_s,
        "max.retries": 0,  # the loop above waits, and says so
    }
    if authority := login.ca_file or _system_authority():
        settings["ssl.ca.location"] = authority
    if login.username:
        settings["basic.auth.user.info"] = f"{login.username}:{login.password}"
    try:
        return SchemaRegistryClient.new_client(settings)
    except OSError as error:
        problem = f"registry.ca_file: {authority} cannot be used: {error.strerror}"
        raise ConfigError([problem]) from error


def _system_authority() -> str | None:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath


def _schema(text: str) -> Schema:
    from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 # see the module

    return Schema(text, "AVRO")


def _is_network(error: Exception) -> bool:
    """Tell a transport's error; the client brings httpx or its successor httpx2."""
    return isinstance(error, OSError) or any(
        kind.__name__ == "TransportError" for kind in type(error).__mro__
    )


def _number(schema_id: int | None) -> int:
    if schema_id is None:
        raise ValueError("an answer without a schema id")
    return schema_id


def _problem(code: str, message: str) -> SchemaError:
    error = SchemaError(message)
    error.code = code
    return error
