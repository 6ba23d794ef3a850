"""`feedbridge schemas list|check|register`: what is written, and whether it may be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import TextIO

import msgspec

from bridge.core.avro_compat import problems
from bridge.core.avro_schema import load, parse
from bridge.core.codec import Codec
from bridge.edge.registry import Login, Registry, subject_of
from bridge.edge.schemas import bundled, released
from bridge.errors import RegistryUnreachable, SchemaError

Topics = Sequence[tuple[str, str]]  # (topic, full name of its schema)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one subject, or about one schema that has no topic."""

    subject: str
    schema: str
    state: str
    id: int | None = None
    detail: str = ""
    ok: bool = True


def list_schemas(topics: Topics, out: TextIO, *, as_json: bool) -> int:
    """Print each topic's subject, schema and fingerprint."""
    codec = Codec(bundled())
    rows = [
        {
            "topic": topic,
            "subject": subject_of(topic),
            "schema": name,
            "fingerprint": codec.single_object_header(name)[2:].hex(),
        }
        for topic, name in topics
    ]
    if as_json:
        print(json.dumps(rows, indent=2), file=out)
    else:
        titles = ("topic", "subject", "schema", "fingerprint")
        _table([titles, *(tuple(row.values()) for row in rows)], out)
    return 0


async def check(
    topics: Topics, login: Login | None, out: TextIO, *, as_json: bool
) -> int:
    """Check the schemas here and, with a registry, against what it has.

    Returns 0, or 4 if a schema is broken, incompatible or refused.

    Raises:
        RegistryUnreachable: the registry did not answer.
    """
    lines = check_bundled()
    if login is not None:
        lines += await asyncio.to_thread(_with_registry, topics, login, _compare)
    return _report(lines, out, as_json=as_json)


async def register(topics: Topics, login: Login, out: TextIO, *, as_json: bool) -> int:
    """Register every topic's schema after checking it; report the ids.

    Nothing is registered unless all bundled schemas are sound. Returns as `check`.
    """
    lines = check_bundled()
    if all(line.ok for line in lines):
        lines = await asyncio.to_thread(_with_registry, topics, login, _add)
    return _report(lines, out, as_json=as_json)


def check_bundled() -> list[Line]:
    """Compile every bundled schema and compare it with the last release's."""
    old, codec = released(), Codec(bundled())
    gone = [
        _line("", name, problem="is gone")
        for name in sorted(old.keys() - codec.names())
    ]
    return [_check_one(codec, name, old.get(name)) for name in codec.names()] + gone


def _check_one(codec: Codec, name: str, old: str | None) -> Line:
    try:
        codec.whole(name, b"")
    except SchemaError as error:
        return _line("", name, problem=str(error))
    if old is None:
        return Line(subject="", schema=name, state="new since the last release")
    found = problems(codec.record(name), parse(load(old)))
    return _line("", name, state="compatible", problem="; ".join(found))


def _line(subject: str, name: str, *, state: str = "", problem: str = "") -> Line:
    if not problem:
        return Line(subject=subject, schema=name, state=state)
    return Line(subject=subject, schema=name, state="broken", detail=problem, ok=False)


def _with_registry(
    topics: Topics, login: Login, step: Callable[[Registry, str, str, str], Line]
) -> list[Line]:
    texts, registry = bundled(), Registry(login)
    lines = []
    try:
        for topic, name in topics:
            lines.append(_step(registry, subject_of(topic), name, texts[name], step))
    finally:
        registry.close()
    return lines


def _step(
    registry: Registry,
    subject: str,
    name: str,
    text: str,
    step: Callable[[Registry, str, str, str], Line],
) -> Line:
    try:
        return step(registry, subject, name, text)
    except RegistryUnreachable:
        raise
    except SchemaError as error:
        detail = str(error)
        return Line(
            subject=subject, schema=name, state=error.code, detail=detail, ok=False
        )


def _compare(registry: Registry, subject: str, name: str, text: str) -> Line:
    found = registry.find(subject, text)
    if found is not None:
        return Line(subject=subject, schema=name, state="registered", id=found)
    registry.check(subject, text)
    return Line(subject=subject, schema=name, state="compatible, not registered")


def _add(registry: Registry, subject: str, name: str, text: str) -> Line:
    before = registry.find(subject, text)
    number = registry.register(subject, text)
    state = "registered now" if before is None else "was registered"
    return Line(subject=subject, schema=name, state=state, id=number)


def _report(lines: Sequence[Line], out: TextIO, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(msgspec.to_builtins(lines), indent=2), file=out)
    else:
        rows = [
            (line.subject or "(bundled)", line.schema, _shown_id(line), line.state)
            for line in lines
        ]
        _table([("subject", "schema", "id", "state"), *rows], out)
        _print_details(lines, out)
    return 0 if all(line.ok for line in lines) else SchemaError.exit_code


def _shown_id(line: Line) -> str:
    return "" if line.id is None else str(line.id)


def _print_details(lines: Sequence[Line], out: TextIO) -> None:
    for line in lines:
        if line.detail:
            print(f"{line.schema}: {line.detail}", file=out)


def _table(rows: Sequence[Sequence[str]], out: TextIO) -> None:
    """Print rows in columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip(), file=out)
