"""Frames of the reference and the events they must cause, written out by hand.

A case: id with the source section, what is subscribed to, the frames before, the frame,
the events. `deals` and `status` marks are written out too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bridge.venues.base import Wanted
from tests.unit.venues.finery.desk import Said


class Case(NamedTuple):
    """One frame and its events."""

    id: str
    wanted: tuple[str | Wanted, ...]
    before: tuple[str, ...]
    frame: str
    said: list[Said]


def begin(name: str, detail: str = "") -> Said:
    """Return the boundary in front of a list snapshot."""
    return (name, "SNAPSHOT_BEGIN", "SNAPSHOT", *([detail] if detail else []))


def live(name: str) -> Said:
    """Return the boundary behind a snapshot."""
    return name, "LIVE", "SNAPSHOT"


def one(name: str, action: str, key: str, *fields: Any) -> Said:
    """Return an entity's record."""
    return name, action, key, (tuple(fields),)


def book(name: str, action: str, bids: list[Any], asks: list[Any]) -> Said:
    """Return a book's record; the key is the instrument."""
    return name, action, name.partition(":")[2], (bids, asks)


INSERT, SET, DELETE, CUT_TOP = 0, 1, 2, 3
