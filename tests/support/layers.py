"""Checks on the syntax tree that imports between the package's parts point one way."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "bridge"
_BELOW_FLOW = {"errors", "core", "venues", "edge"}
_BELOW_APP = _BELOW_FLOW | {"flow", "config"}
_BELOW_BENCH = _BELOW_APP | {"app", "simulators", "embedded"}
_BELOW_VERBS = _BELOW_BENCH | {"bench", "client"}

# What each part may import besides itself; `core.model` is one module of `core`.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "core": {"errors"},
    "venues": {"core", "errors"},
    "edge": {"core.model", "errors"},
    "config": {"core", "errors", "venues"},
    "flow": _BELOW_FLOW,
    "simulators": {"core", "venues", "errors"},
    "embedded": {"edge", "core", "errors"},
    "page": set(),
    "app": _BELOW_APP,
    "client": {"core", "edge", "errors", "venues", "config"},
    "bench": _BELOW_BENCH,
    "verbs": _BELOW_VERBS,
    "cli": _BELOW_VERBS | {"verbs"},
    "__init__": set(),
    "__main__": {"cli"},
}

# Outside of these parts nothing may be read, awaited, logged or left to chance.
PURE = {"core", "venues"}
IMPURE = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "socket",
    "subprocess",
    "threading",
    "time",
}
# Every venue may import this; none may import another venue.
SHARED_BY_VENUES = "base"


def violations(module: str, source: str) -> list[str]:
    """List the forbidden imports of one module, a sentence each.

    Args:
        module: the full name, such as `bridge.core.book`; a package's own file is
            named `bridge.core.__init__`.
        source: the module's text.
    """
    parts = module.split(".")
    if parts[1] not in MAY_IMPORT:
        return [f"{module} is in no known part of the house"]
    names = {
        name for node in ast.walk(ast.parse(source)) for name in _names(node, parts)
    }
    return [
        f"{module} must not import {name}"
        for name in sorted(names)
        if not _is_allowed(parts, name.split("."))
    ]


def _names(node: ast.AST, parts: list[str]) -> Iterator[str]:
    """Yield the full names that one import statement binds."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, parts)
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, parts: list[str]) -> str:
    above = parts[: -node.level] if node.level else []
    return ".".join([*above, *(node.module or "").split(".")]).strip(".")


def _is_allowed(importer: list[str], imported: list[str]) -> bool:
    part = importer[1]
    if imported[0] != PACKAGE:
        return part not in PURE or imported[0] not in IMPURE
    target = imported[1] if len(imported) > 1 else "__init__"
    if target not in MAY_IMPORT:  # a name of the package's own file
        return True
    if target == part:
        return part != "venues" or _is_own_venue(importer, imported)
    return bool(MAY_IMPORT[part] & {target, ".".join(imported[1:3])})


def _is_own_venue(importer: list[str], imported: list[str]) -> bool:
    """Tell whether a venue stays in its folder; `venues/*.py` may see every one."""
    is_venue = len(importer) > 3
    folder = imported[2] if len(imported) > 2 else SHARED_BY_VENUES
    return not is_venue or folder in {importer[2], SHARED_BY_VENUES}


def modules(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the full name and the text of each module below `root`/bridge."""
    for path in sorted((root / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        yield name, path.read_text(encoding="utf-8")
