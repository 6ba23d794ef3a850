"""What the topics tell about moves: who carried a subscription, from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple


@dataclass(slots=True)
class Life:
    """One connection of one subscription; times are Unix times in us."""

    connection: str
    live_us: int | None = None
    ended_us: int | None = None


@dataclass(slots=True)
class Timelines:
    """The lives of every subscription in the order of its partition.

    `workers` says who opened a connection; it comes from the feed-state topic.
    `overtaken` counts records that a connection wrote behind a newer one's first.
    """

    lives: dict[str, list[Life]] = field(default_factory=dict)
    workers: dict[str, str] = field(default_factory=dict)
    overtaken: int = 0

    def seen(self, subscription: str, connection: str) -> Life:
        """Take note of a record; connections are UUIDv7, newer ones sort behind."""
        lives = self.lives.setdefault(subscription, [])
        if not lives or connection > lives[-1].connection:
            lives.append(Life(connection))
        elif connection != lives[-1].connection:
            self.overtaken += 1
        return next(life for life in reversed(lives) if life.connection <= connection)

    def boundary(
        self, subscription: str, connection: str, state: str, at_us: int
    ) -> None:
        """Take note of a boundary record."""
        life = self.seen(subscription, connection)
        if state == "LIVE":
            life.live_us = life.live_us or at_us
        elif state == "ENDED":
            life.ended_us = at_us

    def owner(self, connection: str) -> str:
        """Return the worker of a connection; empty if it is not known yet."""
        return self.workers.get(connection, "")

    def newest(self) -> dict[str, str]:
        """Return the newest connection of each subscription."""
        return {name: lives[-1].connection for name, lives in self.lives.items()}

    def all_live(self) -> bool:
        """Tell whether each newest connection is live and its worker known."""
        ends = [lives[-1] for lives in self.lives.values()]
        return all(
            life.live_us and not life.ended_us and self.owner(life.connection)
            for life in ends
        )


class Moved(NamedTuple):
    """What one stop or return of a worker did to the subscriptions.

    `gap_ms` holds one figure for each subscription that moved: from the end of its old
    connection to the first LIVE after it. `silent` moved without an ENDED, though it
    was due; `disturbed` moved without need, `twice` more than once.
    """

    gap_ms: list[float]
    disturbed: list[str]
    twice: list[str]
    silent: list[str]


def moved(
    lines: Timelines, before: Mapping[str, str], worker: str, killed_us: int | None
) -> Moved:
    """Judge what has happened since `before`, when `worker` was stopped or came back.

    A move is needed if the worker is at one end of it. The old connection's end is its
    ENDED record, or `killed_us` for those that were cut off.
    """
    found = Moved([], [], [], [])
    for name, old in before.items():
        lives = _since(lines.lives[name], old)
        if len(lives) == 1:
            continue
        owners = [lines.owner(life.connection) for life in lives]
        if any(worker not in pair for pair in pairwise(owners)):
            found.disturbed.append(name)
        if len(lives) > 2:  # noqa: PLR2004 - the old one and its successor
            found.twice.append(name)
        _time(name, lives, killed_us, found)
    return found


def _since(lives: Sequence[Life], old: str) -> list[Life]:
    """Return the life that was the newest, and all after it."""
    return [life for life in lives if life.connection >= old]


def _time(
    name: str, lives: Sequence[Life], killed_us: int | None, found: Moved
) -> None:
    end_us = lives[0].ended_us if killed_us is None else killed_us
    live = [life.live_us for life in lives[1:] if life.live_us]
    if end_us is None:
        found.silent.append(name)
    elif live:
        found.gap_ms.append((live[0] - end_us) / 1000)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that `share` of all do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)]
