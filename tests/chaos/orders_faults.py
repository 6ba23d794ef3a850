"""The faults of the order path's chaos tests: a seeded schedule, and how each is made.

Everything that chance decides is in the schedule, so a seed makes the same faults again
(not the same interleavings: those are the machine's).
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.chaos.orders_judge import Freeze
from tests.chaos.orders_stage import LIMITS, SESSION_MS, Stage, now_ms, say

ORDER_METHODS = ("add", "add", "mod", "del", "delAll", None)
# How often each kind is dealt before any is dealt again.
DECK = {
    "kill_worker": 4,
    "stop_worker": 1,
    "freeze_worker": 2,
    "freeze_past_session": 2,
    "kill_broker": 1,
    "restart_broker": 1,
    "broker_away": 1,
    "freeze_broker": 1,
    "disconnect_before": 2,
    "disconnect_after": 3,
    "lose_request": 1,
    "lose_reply": 2,
    "delay_reply": 2,
    "garble_reply": 1,
    "late_bytes": 2,
    "late_bytes_cut": 3,
    "late_bytes_killed": 1,
    "kill_venue": 2,
    "venue_away": 1,
    "half_open": 2,
    "half_open_late": 1,
    "core_down": 1,
}
# Bytes travel for less than the settling time, with the venue's own delay, and with
# room for a busy machine.
LATEST_MS = LIMITS.settle_ms - 1_300


class Fault(NamedTuple):
    """One fault: where and how long are chosen already."""

    number: int
    kind: str
    worker: int
    method: str | None
    times: int
    ms: int
    gap_ms: int


def schedule(seed: int, count: int, workers: int) -> list[Fault]:
    """Return `count` faults; the same arguments give the same ones."""
    chance = random.Random(seed)
    deck: list[str] = []
    faults = []
    for number in range(count):
        if not deck:
            deck = [kind for kind, times in DECK.items() for _ in range(times)]
            chance.shuffle(deck)
        fault = Fault(
            number=number,
            kind=deck.pop(),
            worker=chance.randrange(workers),
            method=chance.choice(ORDER_METHODS),
            times=chance.randint(1, 3),
            ms=chance.randint(0, 1_000),
            gap_ms=chance.choice((0, 300, 1_000, 2_500)),
        )
        faults.append(fault)
    return faults


class Made(NamedTuple):
    """A fault as it was made."""

    fault: Fault
    from_ms: int
    to_ms: int


class Faults:
    """Makes faults, one after the other, while everything else goes on."""

    def __init__(self, stage: Stage) -> None:
        """Make them to a stage."""
        self.made: list[Made] = []
        self.freezes: list[Freeze] = []
        self._stage = stage

    def kinds(self) -> dict[str, int]:
        """Return how many were made, by kind."""
        return dict(sorted(Counter(one.fault.kind for one in self.made).items()))

    def make(self, fault: Fault) -> None:
        """Make one fault, tell of it, and wait before the next."""
        start_ms = now_ms()
        act = _ACTS.get(fault.kind)
        if act is not None:
            act(self, fault)
        else:
            self._do(fault.kind, **_aim(fault))
        self.made.append(Made(fault, start_ms, now_ms()))
        say(str(self.made[-1]))
        time.sleep(fault.gap_ms / 1000)
        for member in self._stage.members:
            member.check()

    def heal(self) -> None:
        """Take back what the venue was told and has not done yet."""
        self._do("clear")
        self._do("x", code=0)

    def _do(self, name: str, **arguments: Any) -> Any:
        return self._stage.finery.do(name, **arguments)

    # -- workers

    def kill_worker(self, fault: Fault) -> None:
        """End a worker at once; another has its partitions before it is back."""
        self._occupy()
        self._stage.members[fault.worker].end(signal.SIGKILL)
        time.sleep(fault.ms * 2 / 1000)
        self._stage.members[fault.worker].start()

    def stop_worker(self, fault: Fault) -> None:
        """Stop a worker in order."""
        self._stage.members[fault.worker].end(signal.SIGTERM)
        self._stage.members[fault.worker].start()

    def freeze_worker(self, fault: Fault) -> None:
        """Stop a worker in its tracks, for less than its session lasts."""
        self._freeze(fault, 1_000 + fault.ms * 3)

    def freeze_past_session(self, fault: Fault) -> None:
        """Stop a worker until others own its partitions and have resolved its claims.

        Half of them come back while that is still going on.
        """
        extra_ms = LIMITS.lifetime_ms + LIMITS.settle_ms + 2_000 if fault.ms % 2 else 0
        self._freeze(fault, SESSION_MS + 500 + fault.ms + extra_ms)

    def _freeze(self, fault: Fault, ms: int) -> None:
        member = self._stage.members[fault.worker]
        self._occupy()
        member.freeze()
        self._do("lose_reply", **_aim(fault))  # the others have troubles meanwhile
        time.sleep(ms / 1000)
        self.freezes.append(member.thaw())

    def _occupy(self) -> None:
        """Let the venue be slow for a moment, so that orders are on their way."""
        self._do("delay_reply", ms=700, method="add", times=8)
        time.sleep(0.3)

    # -- the broker

    def kill_broker(self, fault: Fault) -> None:
        """Crash the broker and start it again."""
        self._broker(signal.SIGKILL, fault)

    def restart_broker(self, fault: Fault) -> None:
        """Restart the broker in order."""
        self._broker(signal.SIGTERM, fault)

    def broker_away(self, fault: Fault) -> None:
        """Take the broker away for longer than sessions and repeated appends last."""
        self._broker(signal.SIGKILL, fault._replace(ms=6_000 + fault.ms))

    def freeze_broker(self, fault: Fault) -> None:
        """Stop the broker in its tracks: connections stay, answers do not come."""
        self._stage.broker.freeze()
        time.sleep(1 + fault.ms * 3 / 1000)
        self._stage.broker.thaw()

    def _broker(self, number: signal.Signals, fault: Fault) -> None:
        self._stage.broker.stop(number)
        time.sleep(fault.ms * 2 / 1000)
        self._stage.broker.start()

    # -- the venue and the network before it

    def delay_reply(self, fault: Fault) -> None:
        """Answer late: in time, or after the bridge has given it up."""
        self._do("delay_reply", ms=200 + fault.ms * 3, **_aim(fault))

    def late_bytes(self, fault: Fault) -> None:
        """The network keeps the order's bytes and delivers them late."""
        self._do("delay_request", ms=LATEST_MS - fault.ms, **_aim(fault))

    def late_bytes_cut(self, fault: Fault) -> None:
        """The same, and the connection is gone before they arrive."""
        self.late_bytes(fault)
        time.sleep(0.2 + fault.ms / 4000)
        self._do("kill")

    def late_bytes_killed(self, fault: Fault) -> None:
        """The same, and the worker is gone before they arrive."""
        self.late_bytes(fault)
        time.sleep(0.2 + fault.ms / 4000)
        self.kill_worker(fault)

    def kill_venue(self, _fault: Fault) -> None:
        """Reset every connection."""
        self._do("kill")

    def venue_away(self, fault: Fault) -> None:
        """Reset every connection and refuse new ones for a while."""
        self._do("refuse_connects", seconds=1 + fault.ms // 500)
        self._do("kill")

    def half_open(self, fault: Fault) -> None:
        """Hear and say nothing on every connection; what was sent is never read."""
        self._do("mute")
        time.sleep(1 + fault.ms * 2 / 1000)
        self._do("kill")

    def half_open_late(self, fault: Fault) -> None:
        """The same, but all that was sent is read in the end."""
        self._do("mute")
        time.sleep(min(500 + fault.ms * 2, LATEST_MS) / 1000)
        self._do("unmute")

    def core_down(self, fault: Fault) -> None:
        """The venue loses the link to its core, and says so."""
        self._do("x", code=2)
        time.sleep(0.5 + fault.ms * 2 / 1000)
        self._do("x", code=0)


def _aim(fault: Fault) -> Mapping[str, Any]:
    return {"method": fault.method, "times": fault.times}


_ACTS: Mapping[str, Callable[[Faults, Fault], None]] = {
    kind: getattr(Faults, kind) for kind in DECK if hasattr(Faults, kind)
}
