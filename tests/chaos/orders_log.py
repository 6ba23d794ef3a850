"""What the command and response topics say, read with a generic Avro reader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

from tests.chaos.log import Reader

READS = frozenset(
    {"instruments", "positions", "book", "dealHistory", "climits", "pending/orders"}
)
# What a command carries that a request at the venue can be known by.
Target = tuple[str, Any]


class Place(NamedTuple):
    """Where a command lies in its topic."""

    partition: int
    offset: int


class Record(NamedTuple):
    """A record of a topic; `at_ms` is its producer's time."""

    partition: int
    offset: int
    at_ms: int
    value: bytes


class Command(NamedTuple):
    """A command as it lies in the topic; without a target nothing may be sent."""

    place: Place
    at_ms: int
    req_id: str
    account: str
    method: str
    target: Target | None

    @property
    def key(self) -> tuple[str, str]:
        """Return what repeats share."""
        return self.account, self.req_id

    @property
    def words(self) -> str:
        """Name it for people."""
        return f"{self.method} {self.req_id} at {self.place.partition}/{self.place[1]}"


class Response(NamedTuple):
    """A record of the response topic."""

    place: Place
    at_ms: int
    req_id: str
    phase: str
    outcome: str | None = None
    code: str = ""
    error: int | None = None
    evidence: str | None = None
    repeat_of: int | None = None
    worker: str = ""
    epoch: str = ""
    claimed_ms: int | None = None
    answered_ms: int | None = None
    body: str = ""
    client_order_id: int | None = None

    @property
    def words(self) -> str:
        """Name it for people."""
        at = f"{self.place.partition}/{self.place.offset}"
        return f"{self.phase} of {self.req_id} at {at}"


@cache
def _reader() -> Reader:
    return Reader()


def command_of(topic: str, record: Record) -> Command:
    """Read a record of the command topic."""
    told = _reader().read(record.value)
    key = (topic, told["account"], told["reqId"])
    return Command(
        place=Place(record.partition, record.offset),
        at_ms=record.at_ms,
        req_id=told["reqId"],
        account=told["account"],
        method=told["method"],
        target=_target(told["method"], _content(told["content"]), key),
    )


def response_of(record: Record) -> Response:
    """Read a record of the response topic."""
    told = _reader().read(record.value)
    venue_error, result = told["venueError"], told["result"]
    # What says that it belongs to another partition belongs to no command.
    here = told["commandPartition"] == record.partition
    return Response(
        place=Place(record.partition if here else -1, told["commandOffset"]),
        at_ms=record.at_ms,
        req_id=told["reqId"],
        phase=told["phase"],
        outcome=told["outcome"],
        code=told["code"],
        error=venue_error["number"] if venue_error else None,
        evidence=told["evidence"],
        repeat_of=told["repeatOf"],
        worker=told["worker"],
        epoch=told["epoch"],
        claimed_ms=told["claimedAt"],
        answered_ms=told["answeredAt"],
        body=told["resultText"] or (result if isinstance(result, str) else ""),
        client_order_id=told["clientOrderId"],
    )


def _content(content: Any) -> Mapping[str, Any]:
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except ValueError:
            content = {}
    fields = content if isinstance(content, dict) else {}
    return {name: value for name, value in fields.items() if value is not None}


def _target(
    method: str, content: Mapping[str, Any], key: tuple[str, str, str]
) -> Target | None:
    if method in {"add", "mod"}:
        return "order", content.get("clientOrderId") or derived_id(*key)
    if method == "del":
        name = "orderId" if "orderId" in content else "clientOrderId"
        return f"del {name}", content.get(name)
    return (method, content.get("instrument")) if method == "delAll" else None


def derived_id(*key: str) -> int:
    """Return the client order id that is documented for a command without one."""
    told = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in key)
    number = int.from_bytes(blake2b(told, digest_size=8).digest(), "big")
    return number & (2**63 - 1) or 1
