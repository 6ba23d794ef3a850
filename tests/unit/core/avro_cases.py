"""Small schemas and values that the tests of the codec share."""

from __future__ import annotations

from typing import Any

from bridge.core.codec import Codec, FeedEncoder, confluent_header
from bridge.edge.schemas import bundled

STRINGS = ("desk", "book.tradable:BTC-USD", "0190-uuid", "BTC-USD")
RECEIVED_US = 1_700_000_000_123_456


def record(*fields: tuple[str, Any], name: str = "test.Probe") -> dict[str, Any]:
    """Make a record schema of (name, type) pairs."""
    listed = [{"name": field, "type": kind} for field, kind in fields]
    space, _, short = name.rpartition(".")
    return {"type": "record", "name": short, "namespace": space, "fields": listed}


def encoded(kind: Any, value: Any) -> bytes:
    """Write a record of one field."""
    codec = Codec({"test.Probe": record(("x", kind))})
    return codec.whole("test.Probe", b"")((value,))


def book_encoder(schema_id: int = 7) -> FeedEncoder:
    """Make the bundled book's encoder."""
    return Codec(bundled()).encoder("finery.Book", confluent_header(schema_id))
