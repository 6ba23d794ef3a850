"""The life of one binding on one connection: a pure state machine.

    IDLE -bind-> BINDING -live-> LIVE
    LIVE -contradiction, silence, loss-> UNBINDING -unbound-> BINDING (or WAITING first)
    BINDING -refused-> WAITING -time-> BINDING
    BINDING -unanswered-> UNBINDING; after `bind_attempts` the connection is given up
    any -venue down-> SUSPENDED -venue up-> UNBINDING
    any -Kafka too slow-> CUT -Kafka back-> UNBINDING or BINDING

Every method returns events for the caller to pass on: marks for each subscription of
the binding, and `Ask`s, which the session turns into the venue's own words. Frames
that arrive while `accepting` is False are counted with `discard` and announced as
`lost` in the next BINDING or GAP boundary. Times are monotonic nanoseconds.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from bridge.core.backoff import Backoff
from bridge.core.model import Binding, Mark, Reason, State

SECOND_NS = 1_000_000_000


class Ask(Enum):
    """What the session must do at the venue."""

    BIND = auto()
    UNBIND = auto()
    RECONNECT = auto()


class Phase(Enum):
    """Where a binding stands."""

    IDLE = auto()
    BINDING = auto()
    LIVE = auto()
    UNBINDING = auto()
    WAITING = auto()
    SUSPENDED = auto()
    CUT = auto()
    ENDED = auto()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a binding is, in seconds and attempts."""

    bind_timeout_s: float = 5.0
    unbind_timeout_s: float = 2.0
    bind_attempts: int = 3
    refused_retry_s: float = 60.0
    stable_s: float = 30.0


Step = Mark | Ask


class Lifecycle:
    """One binding's phase, deadlines and count of discarded frames.

    `held` is True while the venue may hold the binding: asked for and not let go.
    """

    def __init__(
        self, binding: Binding, backoff: Backoff, limits: Limits | None = None
    ) -> None:
        """Start idle; `backoff` spaces repeated rebinds of this binding alone."""
        self.binding = binding
        self.phase = Phase.IDLE
        self.held = False
        self.discarded = 0
        self.since_ns = 0
        self._backoff = backoff
        self._limits = limits or Limits()
        self._deadline_ns = 0
        self._attempts = 0
        self._struck = False

    @property
    def accepting(self) -> bool:
        """Tell whether a data frame belongs to the stream now."""
        return self.phase is Phase.LIVE or self.phase is Phase.BINDING

    def discard(self) -> None:
        """Count a frame that came while the binding was not accepting."""
        self.discarded += 1

    def marks(
        self, state: State, reason: Reason, detail: str = "", lost: int | None = None
    ) -> list[Step]:
        """Return the same boundary for each subscription of the binding."""
        return [Mark(c, state, reason, detail, lost) for c in self.binding.channels]

    def bind(self, now_ns: int, reason: Reason, detail: str = "") -> list[Step]:
        """Ask for the subscription and wait for its snapshot."""
        self._enter(Phase.BINDING, now_ns, self._limits.bind_timeout_s)
        self.held = True
        lost, self.discarded = self.discarded or None, 0
        return [*self.marks(State.BINDING, reason, detail, lost), Ask.BIND]

    def live(self, now_ns: int, reason: Reason, detail: str = "") -> list[Step]:
        """Note that the state can be trusted from here; marks only a change."""
        if self.phase is Phase.LIVE:
            return []
        self._attempts = 0
        self._enter(Phase.LIVE, now_ns, 0.0)
        return self.marks(State.LIVE, reason, detail)

    def refused(
        self, now_ns: int, detail: str, *, transient: bool = False
    ) -> list[Step]:
        """Note that the venue refused the bind; tried again late, or soon."""
        limits = self._limits
        wait_s = self._backoff.failed() if transient else limits.refused_retry_s
        self.held = False
        self._enter(Phase.WAITING, now_ns, wait_s)
        return self.marks(State.REFUSED, Reason.VENUE_REFUSED, detail)

    def occupied(self, now_ns: int) -> list[Step]:
        """Note that the venue still holds an older binding: let go of it first."""
        return self._unanswered(now_ns)

    def broken(
        self, now_ns: int, reason: Reason, detail: str, lost: int | None = None
    ) -> list[Step]:
        """Announce a gap and rebind this one binding."""
        if not self.accepting:
            self.discarded += lost or 0
            return []
        return [*self.marks(State.GAP, reason, detail, lost), *self._unbind(now_ns)]

    def silent(self, now_ns: int, reason: Reason, detail: str) -> list[Step]:
        """Announce staleness and rebind this one binding."""
        return [*self.marks(State.STALE, reason, detail), *self._unbind(now_ns)]

    def unbound(self, now_ns: int) -> list[Step]:
        """Note that the venue has let go: bind again, at once or after a delay."""
        self.held = self.held and self.accepting
        if self.phase is not Phase.UNBINDING:
            return []
        if not self._struck:
            self._struck = True
            return self.bind(now_ns, Reason.RESUBSCRIBED)
        self._enter(Phase.WAITING, now_ns, self._backoff.failed())
        return []

    def suspend(self, now_ns: int, detail: str) -> list[Step]:
        """Mark stale because the venue lost its own core; wait for `recover`.

        What was never asked for stays idle: a sequence begins with BINDING.
        """
        if self.phase in (Phase.IDLE, Phase.SUSPENDED, Phase.CUT, Phase.ENDED):
            return []
        self._enter(Phase.SUSPENDED, now_ns, 0.0)
        return self.marks(State.STALE, Reason.VENUE_DOWN, detail)

    def recover(self, now_ns: int) -> list[Step]:
        """Rebind after `suspend` for a fresh snapshot."""
        if self.phase is not Phase.SUSPENDED:
            return []
        if not self.held:
            return self.bind(now_ns, Reason.RESUBSCRIBED)
        return self._unbind(now_ns)

    def cut(self, now_ns: int) -> list[Step]:
        """Let the binding go because Kafka cannot take its records."""
        if self.phase in (Phase.CUT, Phase.ENDED):
            return []
        ask = self.held and self.phase is not Phase.UNBINDING
        self._enter(Phase.CUT, now_ns, self._limits.unbind_timeout_s)
        return [Ask.UNBIND] if ask else []

    def heal(self, now_ns: int) -> list[Step]:
        """Announce what was lost while cut; bind when the venue has let go."""
        if self.phase is not Phase.CUT:
            return []
        lost, self.discarded = self.discarded or None, 0
        gap = self.marks(State.GAP, Reason.KAFKA_SLOW, "", lost)
        if not self.held or now_ns >= self._deadline_ns:
            return [*gap, *self.bind(now_ns, Reason.RESUBSCRIBED)]
        self.phase = Phase.UNBINDING
        return gap

    def parked(self, now_ns: int, detail: str) -> list[Step]:
        """Announce what was lost while cut; wait for `recover`, the venue is down."""
        if self.phase is not Phase.CUT:
            return []
        lost, self.discarded = self.discarded or None, 0
        self._enter(Phase.SUSPENDED, now_ns, 0.0)
        return [
            *self.marks(State.GAP, Reason.KAFKA_SLOW, "", lost),
            *self.marks(State.STALE, Reason.VENUE_DOWN, detail),
        ]

    def tick(self, now_ns: int) -> list[Step]:
        """Act on deadlines: unanswered bind or unbind, end of a wait."""
        if self.phase is Phase.LIVE:
            self._forgive(now_ns)
            return []
        if now_ns < self._deadline_ns:
            return []
        if self.phase is Phase.BINDING:
            return self._unanswered(now_ns)
        if self.phase in (Phase.UNBINDING, Phase.WAITING):
            return self.bind(now_ns, Reason.RESUBSCRIBED)
        return []

    def ended(self, reason: Reason, detail: str = "") -> list[Step]:
        """Close the sequence: a gap first where the end was not planned."""
        if self.phase in (Phase.IDLE, Phase.ENDED):
            return []
        lost, self.discarded = self.discarded or None, 0
        self.phase = Phase.ENDED
        end = self.marks(State.ENDED, reason, detail)
        if reason is Reason.CONNECTION_LOST or lost is not None:
            return [*self.marks(State.GAP, reason, detail, lost), *end]
        return end

    def _enter(self, phase: Phase, now_ns: int, wait_s: float) -> None:
        self.phase = phase
        self.since_ns = now_ns
        self._deadline_ns = now_ns + int(wait_s * SECOND_NS)

    def _unbind(self, now_ns: int) -> list[Step]:
        self._enter(Phase.UNBINDING, now_ns, self._limits.unbind_timeout_s)
        return [Ask.UNBIND]

    def _unanswered(self, now_ns: int) -> list[Step]:
        self._attempts += 1
        if self._attempts >= self._limits.bind_attempts:
            return [Ask.RECONNECT]
        return self._unbind(now_ns)

    def _forgive(self, now_ns: int) -> None:
        stable_ns = self._limits.stable_s * SECOND_NS
        if self._struck and now_ns - self.since_ns > stable_ns:
            self._struck = False
            self._backoff.stable()
