"""The judge of the chaos tests of shared feeds finds what it is there to find."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.codec import Codec
from bridge.core.model import Action, BoundaryFields, State
from bridge.edge.schemas import bundled
from tests.chaos.feeds_chain import Calm
from tests.chaos.feeds_judge import Court, Evidence, Trouble
from tests.chaos.feeds_log import Line, Wish
from tests.chaos.feeds_times import Bounds, Times, figures
from tests.chaos.log import Reader

OLD, NEW = "0199-a", "0199-b"
OWNERS = {OLD: "worker-0", NEW: "worker-1"}
KEY = "desk/book.tradable:BTC-USD"
WANTED = Wish(KEY, wanted=True, at_ms=0)
CALM = Calm(20_000, 30_000)
KILLED = Trouble("killed", "worker-0", 1_000, 9_000)
PAUSED = Trouble("paused", "worker-0", 1_000, 9_000)


def level(price: int, size: int = 5, operation: str = "INSERT") -> dict[str, Any]:
    """Return one level, or one change of a level."""
    return {"operation": operation, "priceE8": price, "sizeE8": size}


BOOK = ([level(10)], [level(12)])


class Log:
    """Writes a partition by hand; each record has the next offset."""

    def __init__(self, before: Log | None = None) -> None:
        """Begin empty, or with what another one has."""
        self.lines: list[Line] = list(before.lines) if before else []
        self._next: dict[str, int] = dict(before._next) if before else {}

    def add(self, connection: str, at_ms: int, **facts: Any) -> Log:
        """Write a record; its sequence is the next one, unless one is given."""
        sequence = facts.pop("sequence", self._next.get(connection, 0))
        self._next[connection] = max(sequence + 1, self._next.get(connection, 0))
        line = Line(
            topic="finery.book.tradable",
            partition=facts.pop("partition", 0),
            offset=len(self.lines),
            source="desk",
            subscription="book.tradable:BTC-USD",
            connection=connection,
            sequence=sequence,
            at_ms=at_ms,
            action=facts.pop("action", "BOUNDARY"),
            sides=facts.pop("sides", ([], [])),
            **facts,
        )
        self.lines.append(line)
        return self

    def live(self, connection: str, at_ms: int) -> Log:
        """Write all from BINDING to LIVE."""
        self.add(connection, at_ms, state="BINDING", reason="CONNECTED")
        self.whole(connection, at_ms + 10)
        return self.add(connection, at_ms + 10, state="LIVE", reason="SNAPSHOT")

    def whole(
        self, connection: str, at_ms: int, sides: Any = BOOK, action: str = "SNAPSHOT"
    ) -> Log:
        """Write a whole book."""
        return self.add(connection, at_ms, action=action, sides=sides)

    def update(self, connection: str, at_ms: int, *bids: Any, **facts: Any) -> Log:
        """Write changes; without any, nothing changes."""
        sides: Any = (list(bids), [])
        return self.add(connection, at_ms, action="UPDATE", sides=sides, **facts)

    def ended(self, connection: str, at_ms: int, reason: str = "STOPPED") -> Log:
        """Write the last record of a connection."""
        return self.add(connection, at_ms, state="ENDED", reason=reason)


def court(log: Log, *troubles: Trouble, **facts: Any) -> Court:
    """Return the judge of a log after the judgement.

    What is wanted is stopped in order at the end, as all workers are.
    """
    wishes = facts.pop("wishes", (WANTED,))
    end_ms = max([0, *(line.at_ms for line in log.lines)])
    calm = facts.pop("calm", Calm(end_ms, end_ms))
    ended = {line.connection for line in log.lines if line.state == "ENDED"}
    newest = max((line.connection for line in log.lines), default="")
    evidence = Evidence(OWNERS, troubles, wishes, calm, **facts)
    found = Court(evidence)
    if wishes[-1].wanted and newest and newest not in ended:
        stop_ms = max(end_ms, calm.to_ms) + 1
        found.judge([*log.lines, Log(log).ended(newest, stop_ms).lines[-1]])
    else:
        found.judge(log.lines)
    return found


def problems(log: Log, *troubles: Trouble, **facts: Any) -> list[str]:
    """Return what the judge finds."""
    return court(log, *troubles, **facts).problems


def guilty(found: list[str], *words: str) -> None:
    """Check that there is one problem, and what it is about."""
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found


def planned() -> Log:
    """Return a handover in order."""
    log = Log().live(OLD, 100).update(OLD, 500).ended(OLD, 1_000, "MOVED")
    return log.live(NEW, 1_200)


def unplanned() -> Log:
    """Return a takeover from a worker that is gone at 1,000."""
    return Log().live(OLD, 100).update(OLD, 900).live(NEW, 8_000)


def test_records_are_read_by_the_public_schemas() -> None:
    """Whatever wrote them, its header names one of the files in `avro`."""
    codec = Codec(bundled())
    header = codec.single_object_header("finery.Book")
    encoder = codec.encoder("finery.Book", header)
    prefix = encoder.prefix(("desk", "book.tradable:BTC-USD", OLD, "BTC-USD"))
    boundary = BoundaryFields(State.ENDED, "MOVED", "", None)
    value = encoder.encode(prefix, 3, 1_234, Action.BOUNDARY, boundary, encoder.empty)

    told = Reader().read(value)

    assert (told["connection"], told["sequence"], told["receivedAt"]) == (OLD, 3, 1_234)
    assert (told["action"], told["boundary"]["state"]) == ("BOUNDARY", "ENDED")


# -- (a) within a strand


def test_a_handover_in_order_is_acquitted() -> None:
    """ENDED, and then a newer connection."""
    assert problems(planned()) == []


def test_a_hole_is_found() -> None:
    """A sequence that is missing proves loss."""
    log = Log().live(OLD, 100).update(OLD, 500, sequence=5)

    guilty(problems(log), "sequence 3 to 4 missing")


def test_a_hole_that_is_announced_is_none() -> None:
    """A GAP of the same connection explains what is missing before it."""
    log = Log().live(OLD, 100).update(OLD, 500, sequence=5)
    log.add(OLD, 600, state="GAP", reason="DELIVERY_FAILED")
    log.add(OLD, 600, state="BINDING").whole(OLD, 700).add(OLD, 700, state="LIVE")

    assert problems(log) == []


@pytest.mark.parametrize("sequence", [2, 0])
def test_a_repeat_is_found(sequence: int) -> None:
    """A sequence that is there twice proves a duplicate."""
    log = Log().live(OLD, 100).update(OLD, 500, sequence=sequence)

    guilty(problems(log), f"sequence {sequence} again")


def test_a_second_partition_is_found() -> None:
    """All records of a subscription lie in one."""
    guilty(problems(Log().live(OLD, 100).update(OLD, 500, partition=1)), "outside")


def test_what_follows_ended_is_found() -> None:
    """ENDED is the last record of its connection."""
    log = Log().live(OLD, 100).ended(OLD, 500).update(OLD, 500)
    found = problems(log.live(NEW, 600))

    assert "UPDATE follows ENDED" in found[0]


def test_a_connection_that_begins_in_the_middle_is_found() -> None:
    """The first record of a connection is BINDING."""
    log = Log().whole(OLD, 100).add(OLD, 110, state="LIVE")

    guilty(problems(log), "begins with SNAPSHOT")


# -- (b) books


def test_a_book_that_is_live_without_a_snapshot_is_found() -> None:
    """Nothing is LIVE before its snapshot."""
    log = Log().add(OLD, 100, state="BINDING").add(OLD, 100, state="LIVE")

    guilty(problems(log), "LIVE without a whole book")


@pytest.mark.parametrize(
    ("changes", "bids"),
    [
        ([level(11)], [level(11), level(10)]),
        ([level(10, 7, "SET")], [level(10, 7)]),
        ([level(10, 0, "DELETE")], []),
        ([level(9, 3, "CUT_TOP")], [level(9, 3)]),
        ([level(0, 0, "CUT_TOP")], []),
        ([level(p) for p in range(11, 36)], [level(p) for p in range(11, 36)]),
    ],
)
def test_updates_lead_to_the_refresh(changes: Any, bids: Any) -> None:
    """Each operation does what the contract says; a side has 25 levels."""
    log = Log().live(OLD, 100).update(OLD, 200, *changes)
    log.whole(OLD, 300, (bids, [level(12)]), "REFRESH")
    other = Log().live(OLD, 100).update(OLD, 200, *changes)
    other.whole(OLD, 300, ([*bids, level(1)], [level(12)]), "REFRESH")

    assert problems(log) == []
    guilty(problems(other), "REFRESH contradicts")


# -- (d) one live owner


def test_a_takeover_from_a_worker_that_was_killed_is_acquitted() -> None:
    """A connection may break off if its worker was killed."""
    assert problems(unplanned(), KILLED) == []


@pytest.mark.parametrize(
    "troubles",
    [
        (),
        (KILLED._replace(worker="worker-2"),),
        (KILLED._replace(from_ms=9_000),),
        (KILLED._replace(from_ms=10, to_ms=90),),
        (KILLED._replace(cause="stopped"),),
        (KILLED._replace(cause="napped"),),
    ],
)
def test_a_connection_that_breaks_off_for_no_reason_is_found(troubles: Any) -> None:
    """Another worker, another time, or a trouble that must not end it."""
    guilty(problems(unplanned(), *troubles), "nothing had been done to its worker")


def test_a_trouble_that_the_worker_survived_is_no_reason() -> None:
    """If one of its connections went on, the others had to, as well."""
    broker = Trouble("broker", "", 1_000, 3_000)
    log = Log().live(OLD, 100).update(OLD, 4_100).live(NEW, 8_000)

    assert problems(unplanned(), broker) == []
    guilty(problems(log, broker), "nothing had been done")


def late(at_ms: int) -> Log:
    """Return a takeover at 8,000 with a record of the old connection behind it."""
    return unplanned().update(OLD, at_ms)


def test_what_a_zombie_had_queued_may_arrive_late() -> None:
    """It was received before; consumers tell it by its older connection."""
    found = court(late(990), PAUSED)

    assert found.problems == []
    assert found.late == {"paused": 1}
    assert found.worst_ms == {"paused": 990 - 8_000}


@pytest.mark.parametrize("cause", ["paused", "cut", "broker"])
def test_two_live_owners_are_found(cause: str) -> None:
    """What was received after the successor began convicts, wherever it lies."""
    trouble = PAUSED._replace(cause=cause)
    before = Log().live(OLD, 100).update(OLD, 8_600).live(NEW, 8_000)

    assert problems(late(8_500), trouble) == []
    guilty(problems(late(8_501), trouble), "two live owners", "501 ms")
    guilty(problems(before, trouble), "two live owners", "600 ms")


def test_a_zombie_that_goes_on_is_found() -> None:
    """A pause that its connection survived is no reason for anything."""
    guilty(problems(late(11_000), PAUSED), "3000 ms after", "nothing had been done")


def test_a_killed_worker_writes_nothing_late() -> None:
    """A process that is gone has no queue any more."""
    guilty(problems(late(990), KILLED), "two live owners")


def test_a_successor_before_the_end_is_found() -> None:
    """In a planned handover the successor begins behind ENDED."""
    log = Log().live(OLD, 100).live(NEW, 1_100).ended(OLD, 1_000, "MOVED")
    early = Log().live(OLD, 100).ended(OLD, 1_300, "MOVED").live(NEW, 1_200)

    guilty(problems(log), "1 records behind a newer connection")
    guilty(problems(early), "received 100 ms after")


def test_an_older_connection_that_begins_later_is_found() -> None:
    """Consumers hold the newest connection to be the valid one."""
    log = Log().live(NEW, 100).ended(NEW, 500, "MOVED").live(OLD, 600)

    assert "records behind a newer connection" in problems(log)[0]


# -- (e) the end


def test_what_is_wanted_and_not_live_is_found() -> None:
    """In the end everything that is wanted is LIVE."""
    log = Log().live(OLD, 100).add(OLD, 200, state="STALE", reason="SILENT")

    guilty(problems(log), "wanted, and STALE")
    guilty(problems(Log()), "not one record")


def test_what_does_not_flow_is_found() -> None:
    """LIVE alone does not prove that data comes."""
    log = Log().live(OLD, 100)
    flowing = frozenset({KEY})

    guilty(problems(log, calm=CALM, flowing=flowing), "no data flows")
    log.update(OLD, 21_000)
    assert problems(log, calm=CALM, flowing=flowing) == []


def test_two_writers_at_the_end_are_found() -> None:
    """One connection has everything there is."""
    log = Log().live(OLD, 100).update(OLD, 21_000).ended(OLD, 21_500, "MOVED")
    log.live(NEW, 21_600)

    guilty(problems(log, calm=CALM), "2 connections at the end")


UNWANTED = (WANTED, Wish(KEY, wanted=False, at_ms=2_000))


def test_what_was_unsubscribed_has_ended() -> None:
    """ENDED, and nothing after it."""
    log = Log().live(OLD, 100).update(OLD, 1_900)
    found = problems(log, wishes=UNWANTED)

    assert any("never ENDED" in text for text in found)
    log.ended(OLD, 2_100, "UNSUBSCRIBED")
    assert problems(log, wishes=UNWANTED, calm=CALM) == []


def test_what_is_bound_after_it_was_unsubscribed_is_found() -> None:
    """A worker that takes a share over knows what is wanted."""
    log = Log().live(OLD, 100).ended(OLD, 2_100, "UNSUBSCRIBED")
    log.live(NEW, 3_100).ended(NEW, 3_200, "UNSUBSCRIBED")

    guilty(problems(log, wishes=UNWANTED, calm=CALM), "after it was unsubscribed")


def test_who_was_killed_cannot_say_that_it_ended() -> None:
    """Nobody takes over what is not wanted any more."""
    killed = KILLED._replace(from_ms=1_500)
    log = Log().live(OLD, 100).update(OLD, 1_400)

    assert problems(log, killed, wishes=UNWANTED, calm=CALM) == []


# -- (c) without an owner

BOUNDS = Bounds(
    session_ms=6_000,
    heartbeat_ms=0,
    deal_ms=1_000,
    connect_ms=0,
    bind_ms=0,
    broker_ms=0,
    retry_ms=0,
)


def times(log: Log, *troubles: Trouble, **facts: Any) -> Times:
    """Return the times without an owner."""
    return Times(court(log, *troubles, **facts), BOUNDS)


def test_a_time_without_an_owner_begins_when_its_worker_is_gone() -> None:
    """Its last record may be older: not everything speaks all the time."""
    [found] = times(unplanned(), KILLED).pauses

    assert (found.cause, found.from_ms, found.to_ms) == ("killed", 1_000, 8_010)
    assert (found.counted_ms, found.bound_ms) == (7_010, 7_000)


@pytest.mark.parametrize(
    ("log", "troubles"),
    [
        (unplanned(), (KILLED,)),
        (Log().live(OLD, 100).ended(OLD, 1_000, "MOVED").live(NEW, 2_000), ()),
        (Log().live(OLD, 100).ended(OLD, 1_000).live(NEW, 2_000), ()),
    ],
)
def test_a_time_without_an_owner_that_is_too_long_is_found(
    log: Log, troubles: Any
) -> None:
    """By 10 ms: each was LIVE a moment after the bound."""
    guilty(times(log, *troubles).problems, "without an owner")


def test_the_absence_of_the_broker_is_not_counted() -> None:
    """Nobody can take over before it is back."""
    broker = Trouble("broker", "", 3_000, 6_000)
    [found] = times(unplanned(), KILLED, broker).pauses

    assert found.counted_ms == 8_010 - 6_000
    assert found.disturbed


def test_a_further_trouble_begins_the_takeover_anew() -> None:
    """Whoever was to take over may be killed as well."""
    other = Trouble("killed", "worker-1", 3_000, 4_000)
    found = times(unplanned(), KILLED, other)

    assert found.pauses[0].counted_ms == 8_010 - 3_000
    assert found.problems == []


def test_what_happens_elsewhere_is_no_excuse() -> None:
    """The other venue's absence holds nobody up."""
    broker = Trouble("venue", "", 3_000, 6_000, ("rates",))
    [found] = times(unplanned(), KILLED, broker).pauses

    assert (found.counted_ms, found.disturbed) == (7_010, False)


def test_a_group_that_misses_a_member_waits() -> None:
    """So a handover in order takes longer just after somebody else was killed."""
    killed = Trouble("killed", "worker-2", 500, 900)
    log = Log().live(OLD, 100).ended(OLD, 1_000, "MOVED").live(NEW, 6_000)
    found = times(log, killed)

    assert found.problems == []
    assert (found.pauses[0].counted_ms, found.pauses[0].disturbed) == (5_010, True)


def test_what_was_not_wanted_needed_no_owner() -> None:
    """The time runs from the moment when it is wanted again."""
    log = Log().live(OLD, 100).ended(OLD, 2_100, "UNSUBSCRIBED").live(NEW, 9_200)
    wishes = (*UNWANTED, Wish(KEY, wanted=True, at_ms=9_000))
    [found] = times(log, wishes=wishes).pauses

    assert (found.cause, found.counted_ms) == ("wished", 210)


def test_percentiles() -> None:
    """They are taken by cause."""
    assert times(planned()).percentiles() == {"moved": figures([210])}
    assert figures([5, 1, 2, 3, 4])["p50_ms"] == 3
    assert figures([5, 1])["max_ms"] == 5
