"""The YAML file as a tree of settings, without the secrets it should not hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from bridge.config.environment import Shape, Tree, shape, variable
from bridge.config.kafka import SECRET_PROPERTIES


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, where YAML would keep the last."""


def _unique(loader: _UniqueKeys, node: yaml.MappingNode) -> Tree:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if name in seen:
            raise yaml.MarkedYAMLError(
                problem=f"{name} stands here a second time", problem_mark=key.start_mark
            )
        seen.add(name)
    loader.flatten_mapping(node)
    return {str(k): v for k, v in loader.construct_mapping(node, deep=True).items()}


_UniqueKeys.add_constructor("tag:yaml.org,2002:map", _unique)


def read_file(path: Path) -> tuple[Tree, list[str]]:
    """Return the file's tree and what is wrong with the file itself."""
    try:
        tree = yaml.load(path.read_text("utf-8"), _UniqueKeys)  # noqa: S506 - a safe one
    except OSError as error:
        return {}, [f"{path}: cannot be read: {error.strerror}; check --config"]
    except UnicodeDecodeError:
        return {}, [f"{path}: is not UTF-8 text; save it as UTF-8"]
    except yaml.YAMLError as error:
        return {}, [f"{path}: {_yaml_words(error)}"]
    if tree is None:
        return {}, []
    if not isinstance(tree, dict):
        return {}, [f"{path}: is not a mapping; write `section:` lines at the top"]
    return tree, []


def _yaml_words(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or 'is not YAML'}; correct it"


def take_secrets(model: type[BaseModel], tree: Tree, path: str = "") -> list[str]:
    """Remove every secret from a file's tree and say where it belongs."""
    problems = []
    for name, place, held in list(_fields(model, tree, path)):
        if held.kind == "secret" and tree[name] is not None:
            problems.append(_misplaced(place))
            tree[name] = None
        elif held.kind == "section" and isinstance(tree[name], dict):
            problems += take_secrets(held.inner, tree[name], place)
        elif held.kind == "mapping" and isinstance(tree[name], dict):
            problems += _take_from_mapping(held, tree[name], place)
    return problems


def _take_from_mapping(held: Shape, tree: Tree, path: str) -> list[str]:
    inner = shape(held.inner)
    if inner.kind == "section":
        parts = [(k, part) for k, part in tree.items() if isinstance(part, dict)]
        found = [take_secrets(inner.inner, part, f"{path}.{k}") for k, part in parts]
        return [problem for problems in found for problem in problems]
    names = [name for name in tree if f"{path}.{name}" in _SECRET_PATHS]
    for name in names:
        del tree[name]
    return [
        _misplaced(f"{path}.{name}", f"kafka.option_files.{name}") for name in names
    ]


_SECRET_PATHS = frozenset(f"kafka.options.{name}" for name in SECRET_PROPERTIES)


def _misplaced(path: str, file_setting: str = "") -> str:
    return (
        f"{path}: a secret must not stand in the settings file; use "
        f"{file_setting or path + '_file'} or the variable {variable(path)}"
    )


def _fields(
    model: type[BaseModel], tree: Tree, path: str
) -> Iterator[tuple[str, str, Shape]]:
    for name, field in model.model_fields.items():
        if name in tree:
            yield name, f"{path}.{name}".lstrip("."), shape(field.annotation)


def without_nothing(tree: Tree) -> Tree:
    """Return `tree` without names that hold nothing, which mean the default."""
    return {
        name: without_nothing(value) if isinstance(value, dict) else value
        for name, value in tree.items()
        if value is not None
    }
