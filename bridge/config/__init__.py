"""The settings: one YAML file and the environment become one frozen tree.

Every problem is found before any is reported. This is the only module that reads the
environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bridge.config.environment import FILE_VARIABLE, Environment, Tree, merged
from bridge.config.file import read_file, take_secrets, without_nothing
from bridge.config.ownership import spelled_out
from bridge.config.plans import plan_problems
from bridge.config.problems import salvage
from bridge.config.rules import LOGIN_RULES, RULES, Rule
from bridge.config.tree import Settings
from bridge.errors import ConfigError

__all__ = ["Settings", "load"]


def load(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    venues: bool = True,
) -> Settings:
    """Return the settings from `file` and the environment, which wins.

    Args:
        file: YAML file; the default is what FEEDBRIDGE_CONFIG names, if anything.
        environ: the environment; the default is this process's.
        venues: False where no venue is spoken to, so that logins may be missing.

    Raises:
        ConfigError: lists all problems, none with a secret.
    """
    environ = os.environ if environ is None else environ
    file_tree, problems = _file_tree(file, environ)
    variables = Environment(Settings, environ, file_tree)
    tree = merged(spelled_out(file_tree), spelled_out(variables.tree))
    settings, found = salvage(Settings, without_nothing(tree))
    problems += variables.problems + found
    problems += _broken(settings, LOGIN_RULES if venues else (), problems)
    if venues and not settings.accounts() and not problems:
        problems.append(_NO_SOURCE)
    if problems:
        raise ConfigError(problems)
    return settings


_NO_SOURCE = "finery, cfbenchmarks: no account is set; add one with its subscriptions"


def check(settings: Settings) -> None:
    """Raise ConfigError for settings built by hand that break a rule."""
    if problems := _broken(settings, LOGIN_RULES, []):
        raise ConfigError(problems)


def _file_tree(file: Path | None, environ: Mapping[str, str]) -> tuple[Tree, list[str]]:
    named = environ.get(FILE_VARIABLE)
    path = file or (Path(named) if named else None)
    if path is None:
        return {}, []
    tree, problems = read_file(path)
    return tree, problems + take_secrets(Settings, tree)


def _broken(settings: Settings, more: Iterable[Rule], known: list[str]) -> list[str]:
    """Apply the rules; what follows from a known problem is left out."""
    places = {line.partition(": ")[0] for line in known}
    found = [
        (path, sentence)
        for rule in (*RULES, *more)
        for path, sentence in rule(settings)
        if not _is_known(path, places)
    ]
    if not found and not known:
        found = list(plan_problems(settings))
    return list(dict.fromkeys(f"{path}: {sentence}" for path, sentence in found))


def _is_known(path: str, places: set[str]) -> bool:
    return any(path == place or path.startswith(f"{place}.") for place in places)
