"""Commands to bytes and response records to values, for the client.

Content is checked against the schema before it is written: unknown names, missing
ones, floats and numbers beyond 64 bits are errors, never guessed or rounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from bridge.core import envelopes
from bridge.core.avro_schema import Record, Union
from bridge.core.codec import Codec, confluent_header
from bridge.core.orders import Entry, Evidence, Outcome, Phase
from bridge.core.trace_context import TraceContext, trace_context
from bridge.edge.consumer import Message
from bridge.edge.registry import Login, Registry, subject_of
from bridge.edge.schemas import bundled
from bridge.errors import SchemaError

Content = Mapping[str, Any] | str
"""Parameters by the schema's names; as text, a JSON object with the venue's names."""

# The records whose names do not follow from the method's.
_NAMED = {
    "book": "BookRequest",
    "climits": "CLimits",
    "qs/getAvailableQsProviders": "GetAvailableQsProviders",
    "sendOutgoingSettlementTransaction": "SendSettlementTransaction",
}


class Times(NamedTuple):
    """When things happened, Unix ms on the worker's clock; 0 where they did not."""

    received_ms: int
    claimed_ms: int
    sent_ms: int
    answered_ms: int


class VenueError(NamedTuple):
    """The venue's refusal."""

    number: int
    name: str
    meaning: str
    param: str


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One response record.

    `outcome` and `evidence` are None on interim records. `result` holds what the venue
    answered: numbers are exact (int, or Decimal where the venue sent a fraction), and
    names are the schema's, or the venue's own where the schema has none.
    `result_text` is the answer as the venue sent it. `command_offset` names the command
    within the partition, `offset` is the response's own place in the log. `trace` is
    where the command's trace goes on, None without one.
    """

    req_id: str
    topic: str
    account: str
    method: str
    phase: Phase
    outcome: Outcome | None
    code: str
    text: str
    retriable: bool
    venue_error: VenueError | None
    result: Any
    result_text: str
    evidence: Evidence | None
    repeat_of: int | None
    client_order_id: int | None
    worker: str
    connection: str
    times: Times
    partition: int
    offset: int
    command_offset: int
    trace: TraceContext | None = None


class Records:
    """The schemas of one command topic, ready to write and read with.

    Making one asks the registry, if there is one, and blocks meanwhile.
    """

    def __init__(self, topic: str, login: Login | None) -> None:
        """Find the schema's id; raises SchemaError where the registry lacks it."""
        texts = bundled()
        codec = Codec(texts)
        registry = Registry(login) if login else None
        self._reader = envelopes.Reader(codec, registry.schema if registry else None)
        header = wire_header(codec, texts, envelopes.COMMAND, topic, registry)
        self._write = envelopes.command_writer(codec, header)
        self._contents = contents(codec)

    def command(
        self,
        req_id: str,
        method: str,
        content: Content,
        account: str,
        not_after_ms: int | None,
    ) -> bytes:
        """Return the command's bytes.

        Raises:
            SchemaError: the content does not fit the method's record.
        """
        request = envelopes.Request(
            req_id, method, account, self.content(method, content), not_after_ms
        )
        return self._write(request)

    def content(self, method: str, content: Content) -> envelopes.Content:
        """Return what a command asks with: the method's record, or else JSON text.

        Raises:
            SchemaError: a value that JSON cannot hold exactly.
        """
        if isinstance(content, str):
            return content
        name = record_name(method)
        if name in self._contents:
            return name, content
        try:
            return json.dumps(dict(content), separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise SchemaError(f"the content of {method} is no JSON: {error}") from error

    def response(self, message: Message) -> Response:
        """Return what one record of the response topic says.

        Raises:
            SchemaError: it is no response.
        """
        answer = self._reader.response(message.value or b"")
        return _response(answer, answer.entry, message)


def contents(codec: Codec) -> dict[str, Record]:
    """Return the content records of commands by name, without the namespace."""
    fields = {
        field.name: field.node for field in codec.record(envelopes.COMMAND).fields
    }
    union = fields["content"]
    branches = union.branches if isinstance(union, Union) else ()
    return {n.name.rpartition(".")[2]: n for n in branches if isinstance(n, Record)}


def record_name(method: str) -> str:
    """Return the name that a method's content record has, if there is one."""
    words = (word[:1].upper() + word[1:] for word in method.split("/"))
    return _NAMED.get(method) or "".join(words)


def wire_header(
    codec: Codec,
    texts: Mapping[str, str],
    schema: str,
    topic: str,
    registry: Registry | None,
) -> bytes:
    """Return the bytes that name the schema of a topic's values."""
    if registry is None:
        return codec.single_object_header(schema)
    return confluent_header(registry.lookup(subject_of(topic), texts[schema]))


def _response(answer: envelopes.Answer, entry: Entry, message: Message) -> Response:
    said = entry.result
    return Response(
        req_id=entry.key.req_id,
        topic=entry.key.topic,
        account=entry.key.account,
        method=entry.method,
        phase=entry.phase,
        outcome=said.outcome if said else None,
        code=said.code if said else "",
        text=said.text if said else "",
        retriable=answer.retriable,
        venue_error=_venue_error(answer, entry),
        result=_result(answer.result),
        result_text=said.body if said else "",
        evidence=said.evidence if said else None,
        repeat_of=entry.repeat_of,
        client_order_id=entry.order_id or None,
        worker=entry.worker,
        connection=entry.connection,
        times=Times(
            entry.received_ms, entry.claimed_ms, entry.sent_ms, entry.answered_ms
        ),
        partition=message.partition,
        offset=message.offset,
        command_offset=entry.command_offset,
        trace=trace_context(message.headers),
    )


def _venue_error(answer: envelopes.Answer, entry: Entry) -> VenueError | None:
    said = entry.result
    if said is None or not said.venue_error:
        return None
    return VenueError(
        said.venue_error, answer.error_name, said.venue_meaning, answer.error_param
    )


def _result(value: str | envelopes.Typed | None) -> Any:  # noqa: ANN401 - the venue's
    """Return the values: of a typed record by name, of JSON text as exact numbers."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return value[1]
    try:
        return json.loads(value, parse_float=Decimal)
    except ValueError:
        return value  # the answer itself was no JSON
