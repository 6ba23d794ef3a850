"""The faults of shared feeds: a seeded schedule, and how each is made.

Everything that chance decides is in the schedule, so a seed makes the same faults again
(not the same interleavings: those are the machine's).
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from tests.chaos.feeds_judge import Trouble
from tests.chaos.feeds_settings import (
    DESK,
    IDS,
    RATES,
    SECOND,
    SESSION_S,
    spare,
    write_login,
)
from tests.chaos.feeds_stage import Stage
from tests.chaos.orders_stage import Member, now_ms, say

# How often each kind is dealt before any is dealt again; the first of each comes first
# where a run is too short for all.
DECK = {
    "kill_worker": 4,
    "stop_worker": 3,
    "freeze_past_session": 3,
    "cut_past_session": 3,
    "roll_all": 1,
    "restart_broker": 1,
    "venue_away": 1,
    "wish": 4,
    "rotate": 2,
    "kill_broker": 1,
    "broker_away": 1,
    "kill_all": 1,
    "kill_two": 1,
    "freeze_worker": 2,
    "cut_worker": 1,
    "stop_away": 1,
    "kill_venue": 1,
    "half_open": 1,
    "core_down": 1,
}
ESSENTIAL = tuple(DECK)[:9]
WISHES = 2  # changed by one fault, beside one of the settings' own
SOURCES = {"finery": (DESK, SECOND), "rates": (RATES,)}


class Fault(NamedTuple):
    """One fault: where and how long are chosen already."""

    number: int
    kind: str
    worker: int
    ms: int
    gap_ms: int
    venue: str
    names: tuple[str, ...]


def schedule(seed: int, count: int, workers: int) -> list[Fault]:
    """Return `count` faults; the same arguments give the same ones."""
    chance = random.Random(seed)
    kinds = _kinds(chance)
    return [
        Fault(
            number=number,
            kind=next(kinds),
            worker=chance.randrange(workers),
            ms=chance.randint(0, 1_000),
            # Half of them leave time for a whole takeover, half fall into one.
            gap_ms=chance.choice((500, 3_000, 9_000, 13_000)),
            venue=chance.choice(("finery", "finery", "rates")),
            names=tuple(chance.sample(spare(), WISHES)),
        )
        for number in range(count)
    ]


def _kinds(chance: random.Random) -> Iterator[str]:
    yield from chance.sample(ESSENTIAL, len(ESSENTIAL))
    while True:
        deck = [kind for kind, times in DECK.items() for _ in range(times)]
        chance.shuffle(deck)
        yield from deck


class Faults:
    """Makes faults, one after the other, while everything else goes on."""

    def __init__(self, stage: Stage) -> None:
        """Make them to a stage."""
        self.made: list[Fault] = []
        self.troubles: list[Trouble] = []
        self._wanted = dict.fromkeys(stage.wanted, True)
        self._stage = stage

    @property
    def wanted(self) -> list[str]:
        """Return what is wanted now."""
        return [key for key, wanted in self._wanted.items() if wanted]

    def kinds(self) -> dict[str, int]:
        """Return how many were made, by kind."""
        return dict(sorted(Counter(one.kind for one in self.made).items()))

    def make(self, fault: Fault) -> None:
        """Make one fault, tell of it, and wait before the next."""
        say(f"{now_ms()} {fault}")
        _ACTS[fault.kind](self, fault)
        self.made.append(fault)
        time.sleep(fault.gap_ms / 1000)
        for member in self._stage.members:
            member.check()

    @contextmanager
    def _noted(self, cause: str, worker: str = "", venue: str = "") -> Iterator[None]:
        """Note what the block does, from its beginning to its end."""
        from_ms = now_ms()
        yield
        sources = SOURCES.get(venue, ())
        self.troubles.append(Trouble(cause, worker, from_ms, now_ms(), sources))

    # -- workers

    def kill_worker(self, fault: Fault) -> None:
        """End a worker at once; it is back soon."""
        self._kill([self._stage.members[fault.worker]], fault.ms * 2)

    def kill_two(self, fault: Fault) -> None:
        """End two workers at once; the third has everything."""
        left = self._stage.members[fault.worker]
        self._kill([m for m in self._stage.members if m is not left], fault.ms * 8)

    def kill_all(self, fault: Fault) -> None:
        """End all workers at once."""
        self._kill(self._stage.members, fault.ms)

    def _kill(self, members: list[Member], ms: int) -> None:
        from_ms = now_ms()
        for member in members:
            member.end(signal.SIGKILL)
        time.sleep(ms / 1000)
        for member in members:
            member.start()
            self.troubles.append(Trouble("killed", member.name, from_ms, now_ms()))

    def stop_worker(self, fault: Fault) -> None:
        """Stop a worker in order; it is back at once."""
        self.stop(self._stage.members[fault.worker], 0)

    def stop_away(self, fault: Fault) -> None:
        """Stop a worker in order; it is back late."""
        self.stop(self._stage.members[fault.worker], 4_000 + fault.ms * 4)

    def roll_all(self, fault: Fault) -> None:
        """Stop all workers, one after the other; each is back at once."""
        for member in self._stage.members:
            self.stop(member, 0)
            time.sleep(fault.ms / 500)

    def stop(self, member: Member, ms: int) -> None:
        """Stop a worker in order, and start it again after `ms`."""
        with self._noted("stopped", member.name):
            member.end(signal.SIGTERM)
            time.sleep(ms / 1000)
            member.start()

    def freeze_worker(self, fault: Fault) -> None:
        """Stop a worker in its tracks, for less than its lease lasts."""
        self._freeze("napped", fault, 1_000 + fault.ms * 2)

    def freeze_past_session(self, fault: Fault) -> None:
        """Stop a worker until others run what it had."""
        self._freeze("paused", fault, SESSION_S * 1000 + 1_000 + fault.ms * 4)

    def _freeze(self, cause: str, fault: Fault, ms: int) -> None:
        member = self._stage.members[fault.worker]
        with self._noted(cause, member.name):
            member.freeze()
            time.sleep(ms / 1000)
            member.thaw()

    # -- the network between one worker and the broker

    def cut_worker(self, fault: Fault) -> None:
        """Let nothing through to the broker, for less than a session."""
        self._cut("blinked", 1_000 + fault.ms * 2)

    def cut_past_session(self, fault: Fault) -> None:
        """Let nothing through until others run what the worker had."""
        self._cut("cut", SESSION_S * 1000 + 3_000 + fault.ms * 4)

    def _cut(self, cause: str, ms: int) -> None:
        member = self._stage.members[-1]  # the only one behind the link
        with self._noted(cause, member.name):
            self._stage.link.cut()
            time.sleep(ms / 1000)
            self._stage.link.heal()

    # -- the broker

    def restart_broker(self, fault: Fault) -> None:
        """Restart the broker in order."""
        self._broker(signal.SIGTERM, fault.ms)

    def kill_broker(self, fault: Fault) -> None:
        """Crash the broker and start it again."""
        self._broker(signal.SIGKILL, fault.ms)

    def broker_away(self, fault: Fault) -> None:
        """Take the broker away for longer than sessions last."""
        self._broker(signal.SIGKILL, 7_000 + fault.ms * 3)

    def _broker(self, number: signal.Signals, ms: int) -> None:
        with self._noted("broker"):
            self._stage.broker.stop(number)
            self._stage.link.reset()  # it passes on no reset by itself
            time.sleep(ms / 1000)
            self._stage.broker.start()

    # -- the venues

    def kill_venue(self, fault: Fault) -> None:
        """Reset every connection to one of the venues."""
        with self._noted("venue", venue=fault.venue):
            self._reset(fault.venue)

    def venue_away(self, fault: Fault) -> None:
        """Reset every connection and refuse new ones for a while, as a restart does."""
        with self._noted("venue", venue=fault.venue):
            if fault.venue == "finery":
                self._stage.finery.do("stop_listening")
            else:
                self._stage.rates.do("refuse")
            self._reset(fault.venue)
            time.sleep(2 + fault.ms / 500)
            getattr(self._stage, fault.venue).do("listen")

    def half_open(self, fault: Fault) -> None:
        """Hear and say nothing on every connection to a venue; then reset it."""
        with self._noted("venue", venue=fault.venue):
            getattr(self._stage, fault.venue).do("mute")
            time.sleep(1 + fault.ms / 250)
            self._reset(fault.venue)

    def core_down(self, fault: Fault) -> None:
        """The venue loses the link to its core, and says so."""
        with self._noted("venue", venue="finery"):
            self._stage.finery.do("x", code=2)
            time.sleep(1 + fault.ms / 500)
            self._stage.finery.do("x", code=0)

    def _reset(self, venue: str) -> None:
        if venue == "finery":
            self._stage.finery.do("kill")
        else:
            self._stage.rates.do("reset")

    # -- logins

    def rotate(self, fault: Fault) -> None:
        """Replace the login of one account; the venue refuses the old one at once."""
        # A worker that was never let in, and is refused, ends: a person must look.
        self._stage.wait_live(self.wanted)
        account = SOURCES[fault.venue][fault.ms % len(SOURCES[fault.venue])]
        name, secret = f"{account}-{fault.number}", f"s3cret-of-{fault.number}"
        if account == RATES:
            self._stage.rates.do("rekey", new_user=name, password=secret)
        else:
            self._stage.finery.do(
                "rekey", account=IDS[account], key=name, secret=secret
            )
        write_login(self._stage.folder, account, name, secret)

    # -- what is wanted

    def wish(self, fault: Fault) -> None:
        """Want some more books, or some less; and one less of the settings' own."""
        own = self._stage.wanted[fault.ms % len(self._stage.wanted)]
        for key in (*(f"{DESK}/{name}" for name in fault.names), own):
            wanted = not self._wanted.get(key, False)
            source, _, name = key.partition("/")
            self._stage.say("subscribe" if wanted else "unsubscribe", source, name)
            self._wanted[key] = wanted


_ACTS: Mapping[str, Callable[[Faults, Fault], None]] = {
    kind: getattr(Faults, kind) for kind in DECK
}
