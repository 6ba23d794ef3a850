"""What is wanted: the settings file, and over it what was asked for at run time.

For one source and name the later word is the topic's: WANTED adds a binding or
replaces its options, UNWANTED takes it away, and without a record the file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from bridge.core.model import Plan
from bridge.venues import VENUES
from bridge.venues.base import Source, Wanted

CheckPlans = Callable[[Sequence[Plan]], Iterable[str]]


class Change(NamedTuple):
    """One subscription as asked for at run time; None: it is not wanted.

    `at_ms` is when that was asked, Unix time.
    """

    wanted: Wanted | None
    at_ms: int = 0


class Merged(NamedTuple):
    """What is wanted now, and why a change was left out, by its key."""

    sources: list[Source]
    left_out: dict[str, str]


def merged(
    sources: Sequence[Source],
    changes: Mapping[str, Change],
    check_plans: CheckPlans = lambda _: (),
) -> Merged:
    """Return the sources with all changes that are valid; each other one is left out.

    Changes that take away come first, then those of what the file names, then the rest
    by age: of two that exclude each other, the one asked for first holds. The result
    depends on nothing but the arguments, so all workers come to the same.

    Args:
        sources: what the file says; valid.
        changes: by key, "<source>/<name>".
        check_plans: says what is wrong with the connections of all sources together.
    """
    merge = _Merge(sources, changes, check_plans)
    sound = [key for key in merge.ordered() if merge.is_sound(key)]
    taken = merge.fitting([], sound)
    return Merged(merge.applied(taken), merge.left_out)


def name_of(key: str) -> tuple[str, str]:
    """Return source and name of a key; the name is empty where there is no slash."""
    source, _, name = key.partition("/")
    return source, name


class _Merge:
    """One merge: it notes what is left out."""

    def __init__(
        self,
        sources: Sequence[Source],
        changes: Mapping[str, Change],
        check_plans: CheckPlans,
    ) -> None:
        self.left_out: dict[str, str] = {}
        self._sources = {source.name: source for source in sources}
        self._changes = changes
        self._check_plans = check_plans
        self._file = {f"{s.name}/{one.name}" for s in sources for one in s.wanted}

    def ordered(self) -> list[str]:
        """Return the keys in the order in which they are tried."""
        return sorted(self._changes, key=self._rank)

    def _rank(self, key: str) -> tuple[bool, bool, int, str]:
        change = self._changes[key]
        return change.wanted is not None, key not in self._file, change.at_ms, key

    def is_sound(self, key: str) -> bool:
        """Tell whether a change could hold if it were the only one; else note why."""
        problems = self._own_problems(key)
        if problems:
            self.left_out[key] = _sentence(key, problems)
        return not problems

    def _own_problems(self, key: str) -> Sequence[str]:
        source = self._sources.get(name_of(key)[0])
        if source is None:
            there = ", ".join(sorted(self._sources)) or "none"
            return [f"no such source; there are: {there}"]
        wanted = self._changes[key].wanted
        if wanted is None:
            return []
        alone = msgspec.structs.replace(source, wanted=(wanted,))
        return VENUES[source.venue].problems(alone)

    def fitting(self, taken: list[str], keys: list[str]) -> list[str]:
        """Return those of `keys` that hold beside what is taken.

        Halving finds a few bad ones among thousands with few checks.
        """
        problems = self._problems([*taken, *keys]) if keys else []
        if not problems:
            return keys
        if len(keys) == 1:
            self.left_out[keys[0]] = _sentence(keys[0], problems)
            return []
        half = len(keys) // 2
        first = self.fitting(taken, keys[:half])
        return first + self.fitting([*taken, *first], keys[half:])

    def applied(self, keys: Iterable[str]) -> list[Source]:
        """Return the sources with these changes."""
        by_source: dict[str, dict[str, Wanted | None]] = {}
        for key in keys:
            source, name = name_of(key)
            by_source.setdefault(source, {})[name] = self._changes[key].wanted
        return [_applied(s, by_source.get(s.name, {})) for s in self._sources.values()]

    def _problems(self, keys: Sequence[str]) -> list[str]:
        sources = self.applied(keys)
        found = [p for s in sources for p in VENUES[s.venue].problems(s)]
        if found:
            return found
        plans = [p for s in sources for p in VENUES[s.venue].plans(s)]
        return list(self._check_plans(plans))


def _applied(source: Source, changes: Mapping[str, Wanted | None]) -> Source:
    """Return a source with its changes: the file's order first, then by name."""
    if not changes:
        return source
    kept = [changes.get(one.name, one) for one in source.wanted]
    file = {one.name for one in source.wanted}
    added = [changes[name] for name in sorted(changes.keys() - file)]
    wanted = tuple(one for one in [*kept, *added] if one is not None)
    return msgspec.structs.replace(source, wanted=wanted)


def _sentence(key: str, problems: Iterable[str]) -> str:
    own = f"{name_of(key)[1]}: "
    return f"{key}: " + "; ".join(line.removeprefix(own) for line in problems)
