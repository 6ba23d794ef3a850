"""Reads the schema files: from the installed package, else from the checkout."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from bridge.errors import SchemaError

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled() -> dict[str, str]:
    """Return every schema's text by its full name (`finery.Book`)."""
    root = _root()
    folders = (folder for folder in root.iterdir() if folder.name != "released")
    return _read(path for folder in folders for path in folder.glob("*.avsc"))


def released() -> dict[str, str]:
    """Return the texts of the last release by full name; empty before the first."""
    folders = [path for path in (_root() / "released").glob("*") if path.is_dir()]
    if not folders:
        return {}
    newest = max(folders, key=_version)
    return _read(newest.rglob("*.avsc"))


def _root() -> Path:
    for root in (_PACKAGE / "avro", _PACKAGE.parent / "avro"):
        if root.is_dir():
            return root
    raise SchemaError("no schema files in the package; install feedbridge again")


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split("."))


def _read(paths: Iterable[Path]) -> dict[str, str]:
    texts = {}
    for path in sorted(paths):
        text = path.read_text(encoding="utf-8")
        texts[_full_name(path, text)] = text
    return texts


def _full_name(path: Path, text: str) -> str:
    try:
        schema = json.loads(text)
        return f"{schema['namespace']}.{schema['name']}"
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaError(
            f"{path.name} is not an Avro record schema: {error}"
        ) from error
