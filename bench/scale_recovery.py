"""How long subscriptions are without an owner after a loss; part of bench/scale.py.

Who gets what is dealt by the worker's own code. Time is modelled; every constant is
below, and those marked as assumed should be replaced by measured ones.

- A worker that is killed is missed when its session ends, counted from its last
  heartbeat, which was anything up to one interval before. One that is stopped ends its
  sequences, and leaves.
- Classic protocol: the others hear of the new round with their next heartbeat; it is
  over when the last of them has joined and Kafka has answered twice. If a partition
  moves away from a worker that lives, a second round follows at once.
- KIP-848: each new owner hears of its partitions with its own next heartbeat.
- A worker opens its connections to one host one after another, PACE_S apart, and binds
  at once. What is beyond its part of the host's limit waits, and is counted apart.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from bench.scale_model import Row, World, carried, settled, without
from bridge.core.ownership import assign, moves
from bridge.venues.shares import host_of

PACE_S = 0.1  # between two connections of a worker to one host
CAP = 100  # connections to one host from one address; source: Finery docs, limits
ROUND_S = 0.1  # JoinGroup and SyncGroup, answered; assumed
DRAIN_S = 0.3  # from the first ENDED to having left the group; assumed
CONNECT_S = 0.5  # TCP, TLS, upgrade, login and the venue's status, far away; assumed
ANSWER_S = 0.2  # from a bind to its snapshot; assumed
BIND_S = 0.0005  # more for each bind before it on its connection; assumed
BEATS_A_SESSION = 6  # as bridge.config.ownership has it
BROKER_SESSION_S, BROKER_BEAT_S = 45.0, 5.0  # KIP-848: a broker's defaults
TRIALS = 20  # of the chances of time, for each loss


class Wait(NamedTuple):
    """How long some bindings of one connection were without an owner."""

    seconds: float
    bindings: int


class Way(NamedTuple):
    """How a worker goes: until it is missed, less at most so much, and then.

    `hears_s` is the heartbeat of the others; `together` is True where all wait for the
    last of them.
    """

    missed_s: float
    less_s: float
    hears_s: float
    together: bool


def ways_of(session_s: float) -> dict[str, Way]:
    """Return the ways to lose a worker, for a classic session and a broker's own."""
    beat_s = session_s / BEATS_A_SESSION
    return {
        "sigterm_classic_s": Way(DRAIN_S, 0.0, beat_s, together=True),
        "sigkill_classic_s": Way(session_s, beat_s, beat_s, together=True),
        "sigterm_kip848_s": Way(DRAIN_S, 0.0, BROKER_BEAT_S, together=False),
        "sigkill_kip848_s": Way(
            BROKER_SESSION_S, BROKER_BEAT_S, BROKER_BEAT_S, together=False
        ),
    }


def recovery(
    the: World, workers: int, share: int, session_s: float, chance: random.Random
) -> Row:
    """Return how long the bindings of a lost worker wait, by the way it was lost."""
    owned = settled(workers, the.partitions, chance)
    left = without(owned, chance.choice(list(owned)))
    after = assign(left, the.partitions, owned)
    rounds = 1 + bool(moves({name: owned[name] for name in left}, after))
    opened = {name: _opened(the, owned[name], after[name], share) for name in left}
    every = [wait for waits in opened.values() for wait in waits]
    row: Row = {
        "subscriptions": the.subscriptions,
        "workers": workers,
        "partitions": the.partitions,
        "workers_an_address": share,
        "lost_bindings": sum(wait.bindings for wait in every),
        "over_the_limit": sum(wait.bindings for wait in every if wait.seconds < 0),
    }
    for name, way in ways_of(session_s).items():
        waits: list[Wait] = []
        for _ in range(TRIALS):
            waits += _lost(way, opened, rounds, chance)
        row[name] = percentiles(waits)
    return row


def _lost(
    way: Way,
    opened: Mapping[str, Sequence[Wait]],
    rounds: int,
    chance: random.Random,
) -> Iterator[Wait]:
    """Yield how long each connection's bindings were without an owner, once."""
    missed_s = way.missed_s - chance.uniform(0, way.less_s)
    heard = {name: chance.uniform(0, way.hears_s) for name in opened}
    last_s = max(heard.values()) + rounds * ROUND_S
    for name, waits in opened.items():
        dealt_s = last_s if way.together else heard[name]
        for wait in waits:
            if wait.seconds >= 0:
                yield Wait(missed_s + dealt_s + wait.seconds, wait.bindings)


def _opened(
    the: World, had: Sequence[int], has: Sequence[int], share: int
) -> list[Wait]:
    """Return when a worker's new bindings are live; -1 where there is no room."""
    room = Counter(
        {h: CAP // share - n for h, n in carried(the, had).connections.items()}
    )
    turns: Counter[str] = Counter()
    found = []
    for plan in (p for n in sorted(set(has) - set(had)) for p in the.plans.get(n, ())):
        host, count = host_of(plan), len(plan.bindings)
        if turns[host] >= room.get(host, CAP // share):
            found.append(Wait(-1, count))
            continue
        ready_s = turns[host] * PACE_S + CONNECT_S + ANSWER_S + count * BIND_S
        found.append(Wait(ready_s, count))
        turns[host] += 1
    return found


def percentiles(waits: Sequence[Wait]) -> list[float] | None:
    """Return p50, p99 and maximum over the bindings, in seconds."""
    ordered = sorted(waits)
    if not ordered:
        return None
    seen = list(accumulate(wait.bindings for wait in ordered))
    at = [bisect_left(seen, mark * seen[-1]) for mark in (0.5, 0.99)]
    return [round(ordered[n].seconds, 1) for n in [*at, len(ordered) - 1]]
