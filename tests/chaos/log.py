"""Reads records with a generic Avro reader that knows the public schemas alone."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

SCHEMAS = Path(__file__).parents[2] / "avro"
FOLDERS = ("finery", "cfbenchmarks", "feedbridge")
MARK = b"\xc3\x01"  # Avro's single-object encoding: the mark, then the fingerprint
HEADER_BYTES = 10


class Reader:
    """Reads any record of the public schemas, its times and decimals left plain."""

    def __init__(self) -> None:
        """Parse every schema, and know each by the header of its records."""
        self._schemas: dict[bytes, Any] = {}
        for path in (p for f in FOLDERS for p in sorted((SCHEMAS / f).glob("*.avsc"))):
            tree = json.loads(path.read_text())
            form = to_parsing_canonical_form(parse_schema(tree, named_schemas={}))
            header = MARK + bytes.fromhex(fingerprint(form, "CRC-64-AVRO"))
            self._schemas[header] = parse_schema(_plain(tree), named_schemas={})

    def read(self, value: bytes) -> dict[str, Any]:
        """Return the fields of a record."""
        schema = self._schemas[value[:HEADER_BYTES]]
        found: Any = schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema, None)
        return dict(found)


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {k: _plain(v) for k, v in node.items() if k != "logicalType"}
