"""Says whether a new schema can read what an older one wrote, and if not, why.

The rules are Avro's (specification, Schema Resolution), and two stricter ones of ours:
decimals keep precision and scale, and times keep their unit, since readers that ignore
logical types would be wrong by powers of ten without any error.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from bridge.core.avro_schema import (
    Array,
    Enum,
    Node,
    Number,
    Octets,
    Record,
    Text,
    Union,
)


def problems(reader: Record, writer: Record) -> list[str]:
    """Return why `reader` cannot read records of `writer`; empty if it can."""
    return list(_differences(reader, writer, reader.name))


def _differences(reader: Node, writer: Node, path: str) -> Iterator[str]:
    if isinstance(writer, Union):
        return chain.from_iterable(
            _differences(reader, branch, path) for branch in writer.branches
        )
    if isinstance(reader, Union):
        return _no_branch(reader, writer, path)
    match reader, writer:
        case Record(), Record():
            return _record(reader, writer, path)
        case Array(items=new), Array(items=old):
            return _differences(new, old, f"{path}[]")
        case Enum(), Enum():
            return _enum(reader, writer, path)
        case _:
            return _scalar(reader, writer, path)


def _no_branch(reader: Union, writer: Node, path: str) -> Iterator[str]:
    tried = {b: list(_differences(b, writer, path)) for b in reader.branches}
    if not all(tried.values()):
        return
    alike = [found for b, found in tried.items() if type(b) is type(writer)]
    if alike:
        yield from min(alike, key=len)
    else:
        yield f"{path}: no branch of the new union reads {_shown(writer)}"


def _record(reader: Record, writer: Record, path: str) -> Iterator[str]:
    if reader.name != writer.name:
        yield f"{path}: record was {writer.name}, is {reader.name}"
    old = {field.name: field.node for field in writer.fields}
    for field in reader.fields:
        below = f"{path}.{field.name}"
        if field.name in old:
            yield from _differences(field.node, old[field.name], below)
        elif not field.has_default:
            yield f"{below}: new field without a default"


def _enum(reader: Enum, writer: Enum, path: str) -> Iterator[str]:
    if reader.name != writer.name:
        yield f"{path}: enum was {writer.name}, is {reader.name}"
    gone = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
    if gone and reader.default is None:
        yield f"{path}: symbols {', '.join(gone)} are gone, and there is no default"


def _scalar(reader: Node, writer: Node, path: str) -> Iterator[str]:
    if not _reads(reader, writer):
        yield f"{path}: was {_shown(writer)}, is {_shown(reader)}"


def _reads(reader: Node, writer: Node) -> bool:
    match reader, writer:
        case Number(bits=new, logical=unit), Number(bits=old, logical=old_unit):
            return new >= old and unit == old_unit
        case (Text(), Octets(precision=None)) | (Octets(precision=None), Text()):
            return True
        case _:
            return reader == writer


def _shown(node: Node) -> str:
    match node:
        case Number(bits=bits, logical=unit):
            return f"{'int' if bits == 32 else 'long'}{f' ({unit})' if unit else ''}"  # noqa: PLR2004
        case Octets(precision=int(digits), scale=scale):
            return f"decimal({digits},{scale})"
        case _:
            return type(node).__name__.lower()
