"""The schemas of the ids that records name, learned away from the event loop.

Whoever may write to a topic chooses the id that its record names. So the loop never
asks: a reading thread calls `prepare` with a batch before it hands the batch over, and
the loop then reads what is known. Whatever is kept is bounded, and a registry that is
away costs one attempt in `QUIET_NS`, however many ids come.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeVar

from bridge.edge.clock import Clock
from bridge.edge.consumer import Message
from bridge.edge.registry import UNAUTHORISED
from bridge.errors import RegistryUnreachable, SchemaError

LOOK_UP_S = 2.0
"""How long the registry has for an answer."""
BATCH_NS = 2_000_000_000
"""How long one batch may ask; then the registry is left alone, as if it were away."""
QUIET_NS = 5_000_000_000
"""How long nobody asks a registry that is away."""
REFUSED_NS = 60_000_000_000
"""How long a refusal is believed: the schema may be registered meanwhile."""
MOST = 1_000
"""Ids that are kept, of those that were found and of those that were refused."""

_MAGIC, _HEADER_SIZE = 0, 5  # Confluent wire format: byte 0, then the id, big-endian
_MAX_ID = (1 << 31) - 1  # registries keep ids as Java ints

Schema = Mapping[str, Any]
_Kept = TypeVar("_Kept")


class Registry(Protocol):
    """Where ids are looked up; implemented by `edge.registry.Registry`."""

    def schema(self, schema_id: int) -> Schema:
        """Return the schema with this id; blocks, and raises SchemaError."""

    def close(self) -> None:
        """Let the connections go."""


class _Refusal(NamedTuple):
    """Why an id has no schema, and until when nobody asks again."""

    why: str
    kind: type[SchemaError]
    until_ns: int


class KnownSchemas:
    """Schemas by id; every method may be called from any thread.

    `prepare` and `fetch` may block, `schema_by_id` never does.
    """

    def __init__(
        self, own: Mapping[int, Schema], connect: Callable[[], Registry], clock: Clock
    ) -> None:
        """Open nothing yet.

        Args:
            own: the schemas that this worker writes with, which are never asked for.
            connect: opens a client of the registry, its secrets read afresh.
            clock: the time.
        """
        self._own = own
        self._connect = connect
        self._clock = clock
        self._asking = Lock()  # held by whoever changes what is below
        self._registry: Registry | None = None
        self._found: OrderedDict[int, Schema] = OrderedDict()
        self._refused: OrderedDict[int, _Refusal] = OrderedDict()
        self._quiet = _Refusal("", RegistryUnreachable, self._now_ns())

    def prepare(self, messages: Sequence[Message]) -> None:
        """Learn every id that these values name; never raises."""
        unknown = [named for named in _named(messages) if self._known(named) is None]
        if unknown:
            self._learn(unknown)

    def schema_by_id(self, schema_id: int) -> Schema:
        """Return the schema of an id that was prepared, at once.

        Raises:
            SchemaError: there is none, or the registry did not answer; never `retry`.
        """
        schema = self._known(schema_id)
        if schema is None:
            raise SchemaError(self._refusal(schema_id).why)
        return schema

    def fetch(self, schema_id: int) -> Schema:
        """Return a schema, and ask the registry for it if need be; blocks.

        Raises:
            SchemaError: there is none; RegistryUnreachable where later there may be.
        """
        self._learn([schema_id])
        schema = self._known(schema_id)
        if schema is None:
            refusal = self._refusal(schema_id)
            raise refusal.kind(refusal.why)
        return schema

    def close(self) -> None:
        """Let the connections go."""
        with self._asking:
            self._let_go()

    # -- without the lock: single reads, which no other thread can split

    def _known(self, schema_id: int) -> Schema | None:
        own = self._own.get(schema_id)
        return self._found.get(schema_id) if own is None else own

    def _refusal(self, schema_id: int) -> _Refusal:
        why = f"schema id {schema_id}: was not looked up"
        return self._refused.get(schema_id) or _Refusal(why, RegistryUnreachable, 0)

    # -- with the lock

    def _learn(self, ids: Iterable[int]) -> None:
        with self._asking:
            end_ns = self._now_ns() + BATCH_NS
            for schema_id in ids:
                self._look_up(schema_id)
                if self._now_ns() > end_ns:
                    self._leave_alone("the registry is too slow for so many ids")

    def _look_up(self, schema_id: int) -> None:
        """Ask for an id, unless it is known, refused, or the registry is away."""
        now_ns = self._now_ns()
        believed = now_ns < self._refusal(schema_id).until_ns
        if believed or self._known(schema_id) is not None:
            return
        if now_ns >= self._quiet.until_ns:
            self._ask(schema_id)
        if now_ns < self._quiet.until_ns:
            why = f"schema id {schema_id}: {self._quiet.why}"
            _keep(self._refused, schema_id, self._quiet._replace(why=why))

    def _ask(self, schema_id: int) -> None:
        """Keep the answer; what is no answer about this id is one about the registry.

        That may be its secrets or certificates, so the next client reads them anew.
        """
        try:
            _keep(self._found, schema_id, self._schema(schema_id))
        except Exception as error:  # noqa: BLE001 - no record may end a reading thread
            if isinstance(error, SchemaError) and _is_answer(error):
                until_ns = self._now_ns() + REFUSED_NS
                refusal = _Refusal(str(error), SchemaError, until_ns)
                _keep(self._refused, schema_id, refusal)
            else:
                self._leave_alone(str(error))
                self._let_go()

    def _schema(self, schema_id: int) -> Schema:
        if schema_id > _MAX_ID:
            raise SchemaError(f"schema id {schema_id}: no registry has ids so high")
        if self._registry is None:
            self._registry = self._connect()
        return self._registry.schema(schema_id)

    def _leave_alone(self, why: str) -> None:
        now_ns = self._now_ns()
        if now_ns >= self._quiet.until_ns:
            self._quiet = self._quiet._replace(why=why, until_ns=now_ns + QUIET_NS)

    def _let_go(self) -> None:
        registry, self._registry = self._registry, None
        if registry is not None:
            with suppress(Exception):  # it may be broken, and is not used again
                registry.close()

    def _now_ns(self) -> int:
        return self._clock.now().mono_ns


def _named(messages: Sequence[Message]) -> set[int]:
    """Return the ids that the wire headers of these values name."""
    values = [message.value for message in messages if message.value is not None]
    return {
        int.from_bytes(value[1:_HEADER_SIZE], "big")
        for value in values
        if len(value) >= _HEADER_SIZE and value[0] == _MAGIC
    }


def _is_answer(error: SchemaError) -> bool:
    """Tell whether the registry said something about the id that was asked for."""
    return not error.retry and error.code != UNAUTHORISED


def _keep(table: OrderedDict[int, _Kept], schema_id: int, value: _Kept) -> None:
    """Keep the newest values only."""
    table[schema_id] = value
    table.move_to_end(schema_id)
    if len(table) > MOST:
        table.popitem(last=False)
