"""The `FEEDBRIDGE_` variables as a tree of settings.

pydantic-settings' own environment source stops at its first unreadable variable,
ignores a misspelt one, and reads a password of digits as a number. This one walks the
settings' types instead, so that every variable is either understood or reported.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

PREFIX = "FEEDBRIDGE_"
FILE_VARIABLE = "FEEDBRIDGE_CONFIG"

# Not settings: the file's own variable, the test suite's, and what Kubernetes sets for
# a Service called feedbridge (documentation, "Discovering services"). Where two
# underscores follow each other, it is a setting all the same: FEEDBRIDGE_HTTP__PORT.
_OTHERS = re.compile(
    r"FEEDBRIDGE_(CONFIG|TIERS"
    r"|(\w+_)?SERVICE_(HOST|PORT)(_\w+)?"
    r"|(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)

Tree = dict[str, Any]


class Shape(NamedTuple):
    """What a setting holds: a section, a mapping, a list, a secret, or plain text."""

    kind: str
    inner: Any = None


def shape(annotation: object) -> Shape:
    """Tell what an annotation holds; optional and annotated types are looked into."""
    inner = [a for a in get_args(annotation) if a is not type(None)]
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Shape("section", annotation)
    if annotation is SecretStr:
        return Shape("secret")
    if origin is dict:
        return Shape("mapping", inner[1])
    if origin is tuple:
        return Shape("list", inner[0])
    if len(inner) == 1 or (inner and hasattr(annotation, "__metadata__")):
        return shape(inner[0])
    return Shape("text")


def below(held: Shape, name: int | str) -> object:
    """Return the annotation of what `name` leads to inside `held`."""
    if held.kind == "section":
        field = held.inner.model_fields.get(str(name))
        return field.annotation if field else None
    return held.inner


def near(name: str, known: Iterable[str]) -> str:
    """Return a question that names the closest known name, or nothing."""
    found = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


def variable(path: str) -> str:
    """Return the name of the variable that sets the setting at `path`."""
    names = path.split(".", 2) if path.startswith("kafka.option") else path.split(".")
    return PREFIX + "__".join(re.sub(r"\W", "_", name).upper() for name in names)


class Unknown(Exception):
    """A variable's name leads nowhere."""


class Environment:
    """The `FEEDBRIDGE_` variables as a tree of the same form as the file's."""

    def __init__(
        self, model: type[BaseModel], environ: Mapping[str, str], file_tree: Tree
    ) -> None:
        """Read `environ`; names of accounts are matched with those of `file_tree`."""
        self.tree: Tree = {}
        self.problems: list[str] = []
        self._model = model
        names = (n for n in environ if n.upper().startswith(PREFIX))
        for name in sorted(names):
            if "__" in name or not _OTHERS.fullmatch(name):
                self._take(name, environ[name], file_tree)

    def _take(self, name: str, text: str, file_tree: Tree) -> None:
        words = name[len(PREFIX) :].split("__")
        try:
            path, held = _locate(self._model, words, file_tree)
            _put(self.tree, path, _value(held, text))
        except Unknown:
            hint = near(name, variables(self._model, file_tree))
            self.problems.append(f"{name}: no such setting{hint or _NO_HINT}")
        except yaml.YAMLError:
            self.problems.append(f"{name}: is neither JSON nor YAML; correct it")


_NO_HINT = "; see docs/settings.md, or remove it"


def _locate(
    model: type[BaseModel], words: list[str], file_tree: object
) -> tuple[list[str], Shape]:
    name = words[0].lower()
    field: FieldInfo | None = model.model_fields.get(name)
    if field is None:
        raise Unknown
    rest, held = words[1:], shape(field.annotation)
    below = file_tree.get(name) if isinstance(file_tree, dict) else None
    if not rest:
        return [name], held
    if held.kind == "section":
        path, held = _locate(held.inner, rest, below)
        return [name, *path], held
    if held.kind == "mapping":
        path, held = _locate_key(held, rest, below, name)
        return [name, *path], held
    raise Unknown


def _locate_key(
    held: Shape, words: list[str], file_tree: object, name: str
) -> tuple[list[str], Shape]:
    inner = shape(held.inner)
    if not words[0]:
        raise Unknown
    if inner.kind == "section":
        key = _same_name(words[0], file_tree)
        if len(words) == 1:
            return [key], inner
        below = file_tree.get(key) if isinstance(file_tree, dict) else None
        path, leaf = _locate(inner.inner, words[1:], below)
        return [key, *path], leaf
    if len(words) > 1:
        raise Unknown
    dotted = name in {"options", "option_files", "config"}
    key = words[0].lower()
    return [key.replace("_", ".") if dotted else key], inner


def _same_name(word: str, file_tree: object) -> str:
    names = file_tree if isinstance(file_tree, dict) else {}
    for name in names:
        if re.sub(r"\W", "_", str(name)).upper() == word.upper():
            return str(name)
    return word.lower()


def _value(held: Shape, text: str) -> object:
    if held.kind in {"section", "mapping"}:
        return yaml.safe_load(text)
    if held.kind == "list":
        listed = text.lstrip().startswith("[")
        words = (word.strip() for word in text.split(","))
        return yaml.safe_load(text) if listed else [word for word in words if word]
    return text


def _put(tree: Tree, path: list[str], value: object) -> None:
    for name in path[:-1]:
        below = tree.get(name)
        if not isinstance(below, dict):
            tree[name] = below = {}
        tree = below
    old = tree.get(path[-1])
    if isinstance(old, dict) and isinstance(value, dict):
        value = merged(value, old)
    tree[path[-1]] = value


def merged(low: Tree, high: Tree) -> Tree:
    """Return both trees in one; `high` wins."""
    both = dict(low)
    for name, value in high.items():
        old = both.get(name)
        nested = isinstance(old, dict) and isinstance(value, dict)
        both[name] = merged(old, value) if nested else value  # type: ignore[arg-type]
    return both


def variables(model: type[BaseModel], file_tree: object, path: str = "") -> list[str]:
    """Return the names of all variables that could be set, for `near`."""
    found = []
    for name, field in model.model_fields.items():
        held, place = shape(field.annotation), f"{path}.{name}".lstrip(".")
        found.append(variable(place))
        below = file_tree.get(name) if isinstance(file_tree, dict) else None
        if held.kind == "section":
            found += variables(held.inner, below, place)
        inner = shape(held.inner)
        if held.kind == "mapping" and inner.kind == "section":
            keys = below if isinstance(below, dict) else {}
            for key in keys:
                found += variables(inner.inner, keys[key], f"{place}.{key}")
    return found
