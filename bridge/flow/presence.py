"""A session's present: our own pauses are not the venue's silence."""

from __future__ import annotations

from bridge.core.model import Now

# A session is ticked ten times a second; a longer step is a pause or a stall of ours.
LEAP_NS = 500_000_000


class Presence:
    """Lets a session's clock stand still while nobody let time pass for it."""

    __slots__ = ("_behind_ns", "_ticked_ns")

    def __init__(self) -> None:
        """Stand at zero until `begin`."""
        self._ticked_ns = 0
        self._behind_ns = 0

    def begin(self, now: Now) -> None:
        """Run from here."""
        self._ticked_ns = now.mono_ns

    def step(self, now: Now) -> Now:
        """Move on, and return the session's present."""
        step_ns = now.mono_ns - self._ticked_ns
        self._ticked_ns = now.mono_ns
        self._behind_ns += max(0, step_ns - LEAP_NS)
        return self.at(now)

    def at(self, now: Now) -> Now:
        """Return the session's present, as of the last step."""
        return Now(now.wall_ns, now.mono_ns - self._behind_ns)
