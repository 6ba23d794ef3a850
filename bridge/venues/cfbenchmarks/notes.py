"""Log lines for a condition that lasts: one when it begins, one when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.model import Event, Note

CALM = 10  # good frames in a row that end a warning, so that it cannot flutter


class Warned:
    """A condition that is noted when it begins and when it is over."""

    __slots__ = ("_calm", "_event")

    def __init__(self, event: str) -> None:
        """Start without the condition."""
        self._event = event
        self._calm = 0

    def note(self, bad: bool, facts: Mapping[str, Any]) -> list[Event]:  # noqa: FBT001
        """Take one observation; return a note if the state changed."""
        if bad:
            began, self._calm = self._calm == 0, CALM
            return [Note(self._event, {**facts, "over": False})] if began else []
        if self._calm:
            self._calm -= 1
            if not self._calm:
                return [Note(self._event, {**facts, "over": True})]
        return []
