"""Events become records, frames and marks in the order of the session."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from bridge.core.model import (
    Action,
    Binding,
    Close,
    Data,
    Event,
    Mark,
    Note,
    Now,
    Plan,
    Reason,
    Send,
    State,
    Unreadable,
)
from bridge.core.orders import Reply
from bridge.errors import SchemaError
from bridge.flow.connection import Connection
from bridge.flow.lease import Lease
from tests.unit.flow.fakes import PLAN, FakeTransport, ScriptedSession, World

DATA = Data(1, Action.UPDATE, None, ("levels",))
LIVE = Mark(1, State.LIVE, Reason.SNAPSHOT)
MOVED = Reason.MOVED
BOOK = "book.tradable:BTC-USD"
BOUND = msgspec.structs.replace(
    PLAN,
    bindings=(
        Binding(name="status", request={}, channels=(0,)),
        Binding(name=BOOK, request={}, channels=(1,)),
    ),
)
EVERYTHING: list[Event] = [
    *(DATA, LIVE, Send("bind"), Note("oops", {}), Close(Reason.SILENT, "x")),
    *(Unreadable(1, Reason.NOT_JSON, "no JSON", b"x"), Reply(number=1)),
]


def opened(
    session: ScriptedSession, plan: Plan = PLAN
) -> tuple[World, Connection, FakeTransport]:
    """Return a connection with an open transport."""
    world, transport = World(session), FakeTransport()
    connection = world.connection(plan, session)
    connection.attach(transport, world.clock.now())
    return world, connection, transport


def test_data_and_marks_share_one_sequence() -> None:
    """Boundary records are counted in the sequence of their subscription."""
    world, connection, _ = opened(ScriptedSession(receive=[DATA, LIVE, DATA]))
    connection.on_frame(b"frame", 5_000_000)

    texts = world.kafka.texts("finery.book.tradable")

    assert texts[0] == "0 5000 1 ('levels',)"
    assert texts[1].startswith("1 ")
    assert texts[1].endswith(" 7 LIVE/SNAPSHOT")
    assert texts[2] == "2 5000 1 ('levels',)"
    assert (world.ledger.frames, world.ledger.records, world.ledger.marks) == (1, 2, 1)


def test_all_records_of_a_subscription_go_to_one_partition() -> None:
    """The partition comes from the subscription, whatever the key of a record is."""
    other_key = Data(1, Action.ADD, "77", ("order",))
    world, connection, _ = opened(ScriptedSession(receive=[DATA, other_key, LIVE]))
    connection.on_frame(b"frame", 0)

    records = [r for r in world.kafka.sent if r[0] == "finery.book.tradable"]

    assert [r[2] for r in records] == [b"BTC-USD", b"77", b"BTC-USD"]
    assert len({r[3] for r in records}) == 1


def test_marks_are_published_as_feed_state() -> None:
    """The compacted state topic gets each boundary with its sequence."""
    world, connection, _ = opened(ScriptedSession(receive=[DATA, LIVE]))
    connection.on_frame(b"frame", 0)

    topic, value, key, *_ = next(r for r in world.kafka.sent if r[0] == "states")

    assert (topic, key) == ("states", b"desk/book.tradable:BTC-USD")
    assert b"'conn-1', 'w1', 'finery.book.tradable'" in value
    assert b"(2, 'SNAPSHOT', '', None)" in value


def test_frames_before_the_session_opened_wait_for_it() -> None:
    """A venue that speaks before `connect` returned is heard after `opened`."""
    session = ScriptedSession()
    world = World(session)
    connection = world.connection(PLAN, session)
    connection.on_frame(b"early", 1)
    assert session.calls == []

    connection.attach(FakeTransport(), world.clock.now())

    assert session.calls == ["opened", "receive"]
    assert world.ledger.frames == 1


def test_a_dead_letter_is_split_and_names_its_origin() -> None:
    """Parts follow each other in one partition and join to the raw frame."""
    raw = b"x" * 25
    event = Unreadable(1, Reason.NOT_JSON, "no JSON", raw)
    world, connection, _ = opened(ScriptedSession(receive=[event]))
    connection.on_frame(raw, 9)

    letters = [r for r in world.kafka.sent if r[0] == "dead"]

    assert b"".join(r[1] for r in letters) == raw
    assert [dict(r[5])["part"] for r in letters] == [b"1/3", b"2/3", b"3/3"]
    assert {(r[2], r[3]) for r in letters} == {(b"desk/book.tradable:BTC-USD", 0)}
    assert dict(letters[0][5])["reason"] == b"NOT_JSON"
    assert world.ledger.dead_letters == 1


def test_dead_letters_are_counted_not_kept_while_cut() -> None:
    """While Kafka is away, unreadable frames are announced as lost."""
    event = Unreadable(None, Reason.NOT_JSON, "no JSON", b"x")
    session = ScriptedSession(receive=[event])
    world, connection, _ = opened(session)
    connection.cut(world.clock.now())
    connection.on_frame(b"x", 9)

    assert session.calls[-1] == "lost 0 1 no JSON"
    assert [r for r in world.kafka.sent if r[0] == "dead"] == []


def test_a_value_that_does_not_fit_its_schema_is_a_dead_letter_and_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An encoder's refusal never leaves the callback."""
    session = ScriptedSession(receive=[DATA])
    world, connection, _ = opened(session)

    def refuse(*_: object) -> None:
        raise SchemaError("sizeE8 beyond 64 bits")

    monkeypatch.setattr(connection, "_data", refuse)
    connection.on_frame(b"frame", 9)

    assert world.ledger.dead_letters == 1
    assert session.calls[-1] == "lost 1 1 sizeE8 beyond 64 bits"


def test_sends_notes_and_close_reach_their_places() -> None:
    """Text goes to the venue, notes to the log, a close ends the transport."""
    events = [Send("bind"), Note("oops", {"a": 1}), Close(Reason.UNANSWERED, "silent")]
    world, connection, transport = opened(ScriptedSession(receive=events))
    connection.on_frame(b"frame", 9)

    assert transport.sent == ["bind"]
    assert ("oops", {"source": "desk", "a": 1}) in world.logged
    assert transport.calls == ["abort"]
    assert connection.closing == events[2]


@pytest.mark.parametrize("name", ["source", "event", "level", "at"])
def test_a_fact_of_a_note_may_have_any_name(name: str) -> None:
    """The note is logged, whatever else has that name: a log line never raises."""
    note = Note("oops", {name: "mine", "a": 1})
    world, connection, _ = opened(ScriptedSession(receive=[note, LIVE]))
    connection.on_frame(b"frame", 9)

    assert world.logged[0] == ("oops", {"source": "desk", name: "mine", "a": 1})
    assert world.logged[1][0] == "subscription"


def test_a_full_queue_pauses_at_the_end_of_the_chunk() -> None:
    """The marks are looked at once a read, after the reports were served."""
    world, connection, transport = opened(ScriptedSession())
    world.connections.add(connection)
    world.kafka.above_high = True
    connection.on_chunk_end()

    assert world.kafka.polls == 1
    assert transport.calls == ["pause"]


def test_finish_counts_what_was_discarded() -> None:
    """Frames thrown away on purpose stay in the accounts after the connection."""
    session = ScriptedSession()
    world, connection, _ = opened(session)
    session.tally.discarded = 4
    connection.finish([Mark(1, State.ENDED, Reason.STOPPED)])

    assert world.ledger.discarded == 4
    assert not connection.alive


def test_a_pause_of_ours_is_not_the_silence_of_the_venue() -> None:
    """A session's time stands while its frames wait unread in the socket."""
    session = ScriptedSession()
    world, connection, _ = opened(session)
    start_ns = world.clock.mono_ns
    connection.pause()
    world.clock.mono_ns += 10_000_000_000
    connection.tick(world.clock.now())
    connection.resume()
    connection.tick(world.clock.now())
    world.clock.mono_ns += 100_000_000
    connection.tick(world.clock.now())

    assert [at - start_ns for at in session.ticks_ns] == [500_000_000, 600_000_000]


def test_a_dropped_binding_ends_and_its_losses_are_not_ours() -> None:
    """What the session says is carried out; later losses wait for another place."""
    answers = {f"drop ['{BOOK}'] MOVED": [Send("unbind"), Mark(1, State.ENDED, MOVED)]}
    world, connection, transport = opened(ScriptedSession(**answers), BOUND)
    connection.drop([BOOK], MOVED, world.clock.now())

    assert transport.sent == ["unbind"]
    assert world.kafka.texts("finery.book.tradable")[0].endswith(" 7 ENDED/MOVED")
    assert not connection.lost(BOOK, 1, "x", world.clock.now())
    assert connection.lost("books-1", 1, "x", world.clock.now())


def test_while_cut_noise_is_lost_on_a_channel_that_is_still_there() -> None:
    """A frame of no subscription is announced where a gap can still be written."""
    noise = Unreadable(None, Reason.NOT_JSON, "no JSON", b"x")
    session = ScriptedSession(receive=[noise])
    world, connection, _ = opened(session, BOUND)
    connection.cut(world.clock.now())
    connection.drop(["status"], MOVED, world.clock.now())
    connection.on_frame(b"x", 9)
    assert session.calls[-1] == "lost 1 1 no JSON"

    connection.drop([BOOK], MOVED, world.clock.now())
    connection.on_frame(b"x", 9)
    assert session.calls[-1] == "receive"
    assert (world.ledger.frames, world.ledger.discarded) == (2, 1)


def nothing_comes_of(
    connection: Connection, world: World, transport: FakeTransport
) -> None:
    """Call everything that a connection has."""
    sent, said, logged = len(world.kafka.sent), len(transport.sent), len(world.logged)
    now = world.clock.now()
    connection.replies = lambda _: pytest.fail("a reply was passed on")
    connection.on_frame(b"frame", now.wall_ns)
    connection.on_chunk_end()
    connection.apply(EVERYTHING, now.wall_ns)
    for call in (connection.tick, connection.cut, connection.heal):
        call(now)
    connection.drop([BOOK], MOVED, now)
    connection.lost("books-1", 1, "x", now)
    connection.pause()
    connection.resume()
    connection.finish(EVERYTHING)

    assert len(world.kafka.sent) == sent
    assert len(transport.sent) == said
    assert len(world.logged) == logged
    assert not connection.alive


def talkative() -> ScriptedSession:
    """Return a session that answers every call with everything."""
    names = ("opened", "receive", "tick", "cut", "heal", f"drop ['{BOOK}'] MOVED")
    return ScriptedSession(**dict.fromkeys(names, EVERYTHING))


def test_a_silenced_connection_does_nothing_whatever_is_called() -> None:
    """No record, mark, dead letter, send, log line or reply; frames are counted."""
    session = talkative()
    session.tally.discarded = 4
    world, connection, transport = opened(session, BOUND)
    connection.silence()
    nothing_comes_of(connection, world, transport)
    connection.silence()

    assert (world.ledger.frames, world.ledger.discarded) == (1, 5)


def test_silence_drops_the_transport() -> None:
    """The socket goes at once, without a close frame."""
    _, connection, transport = opened(ScriptedSession())
    connection.silence()

    assert transport.calls == ["abort"]


def test_a_connection_silenced_while_it_opens_never_begins() -> None:
    """Frames that came early are counted, and the transport is dropped at once."""
    session = talkative()
    world, transport = World(session), FakeTransport()
    connection = world.connection(BOUND, session)
    connection.on_frame(b"early", 1)
    connection.silence()
    connection.attach(transport, world.clock.now())

    assert transport.calls == ["abort"]
    assert session.calls == []
    assert (world.ledger.frames, world.ledger.discarded) == (1, 1)
    nothing_comes_of(connection, world, transport)


CALLS: dict[str, Callable[[Connection, Now], object]] = {
    "on_frame": lambda made, now: made.on_frame(b"frame", now.wall_ns),
    "apply": lambda made, now: made.apply(EVERYTHING, now.wall_ns),
    "tick": lambda made, now: made.tick(now),
    "heal": lambda made, now: made.heal(now),
    "finish": lambda made, _: made.finish(EVERYTHING),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_first_call_after_the_lease_writes_nothing(call: str) -> None:
    """Whatever wakes up first finds the lease over, says so once, and falls silent."""
    answers = {"receive": EVERYTHING, "tick": EVERYTHING, "heal": EVERYTHING}
    session = ScriptedSession(**answers)
    world, transport = World(session), FakeTransport()
    world.lease = Lease(5_000_000_000, world.clock.now)
    connection = world.connection(BOUND, session)
    connection.attach(transport, world.clock.now())
    world.clock.mono_ns += 5_000_000_001
    CALLS[call](connection, world.clock.now())

    assert world.kafka.sent == []
    assert transport.sent == []
    assert transport.calls == ["abort"]
    assert [name for name, _ in world.logged] == ["lease_over"]
    nothing_comes_of(connection, world, transport)


def test_a_lease_that_is_renewed_or_for_ever_changes_nothing() -> None:
    """Frames pass as ever, whatever time it is."""
    session = ScriptedSession(receive=[DATA])
    world, connection, _ = opened(session)
    world.clock.mono_ns += 10**18
    connection.on_frame(b"frame", world.clock.now().wall_ns)
    world.lease = Lease(5_000_000_000, world.clock.now)
    leased = world.connection(PLAN, session)
    leased.attach(FakeTransport(), world.clock.now())
    for _ in range(3):
        world.clock.mono_ns += 4_000_000_000
        world.lease.renew()
        leased.on_frame(b"frame", world.clock.now().wall_ns)

    assert (world.ledger.records, world.ledger.discarded) == (4, 0)


def test_the_cheap_look_only_asks() -> None:
    """A frame's own stamp beyond the lease is no proof; the clocks decide."""
    session = ScriptedSession(receive=[DATA])
    world = World(session)
    world.lease = Lease(5_000_000_000, world.clock.now)
    connection = world.connection(PLAN, session)
    connection.attach(FakeTransport(), world.clock.now())
    connection.on_frame(b"frame", world.clock.now().wall_ns + 6_000_000_000)

    assert world.ledger.records == 1
