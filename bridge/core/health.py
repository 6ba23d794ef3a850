"""Whether a worker works: one part for each thing that can fail, with the reason.

Pure: it judges a `View`. What a restart must mend ends the process by itself, with an
exit code; what is found here may mend itself, or a person must look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

# Time for a silent subscription to be asked for again before anybody is told.
MARGIN_S = 5.0
STALLED_S = 10.0
LAG_S = 30.0
# A thread waits this long for a partition to be let go, and not longer.
THREAD_S = 30.0
# From here on waiting mends nothing: the process is to be started again.
DEAD_S = 90.0
PULSE_S = 5.0


class Step(StrEnum):
    """What a worker is doing."""

    PREPARING = "preparing"
    RUNNING = "running"
    STOPPING = "stopping"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that should be there; `trouble` says why it is not."""

    source: str
    name: str
    kind: str
    is_open: bool
    trouble: str = ""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that runs here.

    `age_s` is since the last data, or since the connection began; `rhythm_s` the
    longest silence that is normal, None where any is. `state` is the session's finer
    word, where it has one.
    """

    source: str
    name: str
    phase: str
    age_s: float
    rhythm_s: float | None
    state: str | None = None
    records: int = 0

    @property
    def live(self) -> bool:
        """Tell whether what it wrote last can be trusted."""
        return self.phase == "LIVE" and self.state in {None, "LIVE"}


class Out(msgspec.Struct, frozen=True, kw_only=True):
    """A producer: what waits, and how long already with nothing acknowledged."""

    name: str
    waiting: int
    stalled_s: float
    fatal: str = ""


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread that reads Kafka as a member of a group: when it last came round.

    `lag` is what it has not read, `lag_s` how long that has not fallen; 0 where there
    is none.
    """

    name: str
    age_s: float
    lag: int = 0
    lag_s: float = 0.0
    is_member: bool = True


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that health depends on, at one moment; `pulse_s` is since the last pulse."""

    step: Step
    waits_for: str = ""
    pulse_s: float = 0.0
    lease_over: bool = False
    flow: str = "FLOWING"
    links: Sequence[Link] = ()
    streams: Sequence[Stream] = ()
    outs: Sequence[Out] = ()
    threads: Sequence[Thread] = ()
    unread: Sequence[str] = ()
    left_out: Sequence[str] = ()


class Part(msgspec.Struct, frozen=True):
    """One thing that can fail: whether it is well, and why not."""

    name: str
    ok: bool
    why: str = ""


def parts(view: View) -> list[Part]:
    """Return every part, the broken ones first."""
    if view.step is not Step.RUNNING:
        return [Part("worker", ok=False, why=view.waits_for or view.step)]
    found = [
        *_worker(view),
        *map(_link, view.links),
        *map(_stream, view.streams),
        *map(_out, view.outs),
        *_kafka(view),
        *map(_thread, view.threads),
        *(Part(f"log {name}", ok=False, why="not read yet") for name in view.unread),
        *(Part("wishes", ok=False, why=why) for why in view.left_out),
    ]
    return sorted(found, key=lambda part: part.ok)


def alive(view: View) -> list[Part]:
    """Return the parts that only a new start could mend."""
    dead = [t.name for t in view.threads if t.age_s > DEAD_S]
    late = view.step is Step.RUNNING and view.pulse_s > DEAD_S
    return [
        Part("loop", ok=not late, why="the pulse has stopped" if late else ""),
        *(Part(f"thread {name}", ok=False, why="it hangs") for name in dead),
    ]


def started(view: View) -> list[Part]:
    """Return the one part that says whether the start is over, or needs others.

    A worker that waits for Kafka or the registry would gain nothing from another start.
    """
    busy = view.step is Step.PREPARING and not view.waits_for
    return [Part("worker", ok=not busy, why=view.step if busy else "")]


def _worker(view: View) -> Iterator[Part]:
    why = ""
    if view.pulse_s > PULSE_S:
        why = f"the event loop's pulse is {view.pulse_s:.0f} s late"
    elif view.lease_over:
        why = "it stood still for longer than its lease"
    yield Part("worker", not why, why)


def _link(link: Link) -> Part:
    name = f"connection {link.source}/{link.name}"
    return Part(name, link.is_open, "" if link.is_open else link.trouble or "not open")


def _stream(one: Stream) -> Part:
    name = f"subscription {one.source}/{one.name}"
    if not one.live:
        word = one.phase if one.phase != "LIVE" else one.state
        return Part(name, ok=False, why=f"{word}; no data for {one.age_s:.1f} s")
    if one.rhythm_s is not None and one.age_s > one.rhythm_s + MARGIN_S:
        why = f"no data for {one.age_s:.1f} s, expected every {one.rhythm_s:g} s"
        return Part(name, ok=False, why=why)
    return Part(name, ok=True)


def _out(out: Out) -> Part:
    why = out.fatal
    if not why and out.stalled_s > STALLED_S:
        why = (
            f"nothing was acknowledged for {out.stalled_s:.0f} s, "
            f"{out.waiting} records wait"
        )
    return Part(f"kafka {out.name}", not why, why)


def _kafka(view: View) -> Iterator[Part]:
    if view.flow == "CUT":
        yield Part("kafka flow", ok=False, why="too slow: subscriptions were let go")


def _thread(thread: Thread) -> Part:
    why = ""
    if thread.age_s > THREAD_S:
        why = f"its thread did not come round for {thread.age_s:.0f} s"
    elif not thread.is_member:
        why = "is not a member of its group"
    elif thread.lag and thread.lag_s > LAG_S:
        why = f"{thread.lag} wait, and no fewer for {thread.lag_s:.0f} s"
    return Part(f"consumer {thread.name}", not why, why)
