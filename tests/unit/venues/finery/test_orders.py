"""The order connection: plan, login, readiness, requests, and every form of a reply.

Frames are from the reference page "Finery Markets API", sections 2.5, 4.11, 6.1 to 6.3,
or vary one of them where the page leaves the form open (section 14, 7).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.core.model import Close, Data, Mark, Now, Reason, Send, State, Unreadable
from bridge.core.orders import Reply
from bridge.venues.base import Context, Credentials, OrderSession
from bridge.venues.finery import VENUE
from tests.unit.venues.finery.desk import DOWN, SECOND_NS, START_MS, UP, source

NOW = Now(START_MS * 1_000_000, 5 * SECOND_NS)
ADDED = (
    '{"event":"request","reqId":11,"reply":{"id":1245,"remainingSize":8000000,'
    '"clientOrderId":123456789,"cancelReason":2,"deals":[{"counterpartyId":42,"id":23,'
    '"price":999900000000,"size":2000000,"volume":19998000000,"delta":0}]}}'
)
ADDED_RESULT = ADDED.removeprefix('{"event":"request","reqId":11,"reply":')[:-1]
IN_USE = "client order id already in use"
GONE = '{"error":74,"origId":42,"origRemainingSize":10000}'


def session(**options: Any) -> OrderSession:
    """Return a session of the order plan that has not been opened."""
    nonces = iter(range(7, 1000))
    context = Context(
        credentials=Credentials(key="public", secret="made-up"),
        chance=lambda: 0.5,
        nonce=lambda: next(nonces),
    )
    return VENUE.orders.open(VENUE.orders.plan(source(**options)), context)


def ready(*frames: str) -> OrderSession:
    """Return a session of a venue that is up, after further frames."""
    made = session()
    made.opened(NOW)
    for frame in (UP, *frames):
        made.receive(frame.encode(), NOW.wall_ns)
    return made


def take(text: str | bytes) -> list[Any]:
    """Return what a ready session makes of one frame."""
    data = text.encode() if isinstance(text, str) else text
    return list(ready().receive(data, NOW.wall_ns))


def test_plan_carries_the_status_and_nothing_else() -> None:
    """The order connection binds no feed; its one subscription is its status."""
    plan = VENUE.orders.plan(source("orders", "book.tradable:BTC-USD"))
    assert (plan.source, plan.venue, plan.name) == ("desk", "finery", "orders")
    assert plan.url == "wss://venue.test/ws"
    assert plan.bindings == ()
    assert [(s.name, s.stream, s.key) for s in plan.subscriptions] == [
        ("status:orders", "finery.status", "desk")
    ]


def test_login_is_signed_like_that_of_a_feed() -> None:
    """The handshake carries the three signed headers."""
    headers = dict(session().handshake(NOW).headers)
    assert set(headers) == {"EFX-Key", "EFX-Content", "EFX-Sign"}
    assert json.loads(headers["EFX-Content"])["nonce"] == 7


def test_status_is_published_and_makes_ready() -> None:
    """The first X with 0 makes the session ready, and the status is a record."""
    made = session()
    assert not made.ready
    assert made.opened(NOW) == [Mark(0, State.BINDING, Reason.CONNECTED)]
    assert not made.ready
    events = made.receive(UP.encode(), NOW.wall_ns)
    assert [type(event) for event in events] == [Data, Mark]
    assert made.ready


def test_in_band_login_makes_ready_only_when_it_is_answered() -> None:
    """With an in-band login nothing may be asked before the venue has accepted it."""
    made = session(login="inband")
    made.opened(NOW)
    events = made.receive(UP.encode(), NOW.wall_ns)
    assert any(isinstance(e, Send) and '"auth"' in e.text for e in events)
    assert not made.ready
    made.receive(b'{"event":"auth","error":0}', NOW.wall_ns)
    assert made.ready


def test_a_refused_in_band_login_closes() -> None:
    """A login that is refused for good ends the connection, and asks for a person."""
    made = session(login="inband")
    made.opened(NOW)
    made.receive(UP.encode(), NOW.wall_ns)
    (close,) = made.receive(b'{"event":"auth","error":3}', NOW.wall_ns)
    assert isinstance(close, Close)
    assert close.refused
    assert not made.ready


def test_not_ready_while_the_venue_is_down() -> None:
    """Only while X is 0 requests may go out; it comes back without a new login."""
    made = ready(DOWN)
    assert not made.ready
    made.receive(UP.encode(), NOW.wall_ns)
    assert made.ready


def test_requests_in_flight_stay_open_while_the_venue_is_down() -> None:
    """A reply that comes while X is not 0 is passed on."""
    made = ready()
    made.request(11, "add", {})
    made.receive(DOWN.encode(), NOW.wall_ns)
    (reply,) = made.receive(ADDED.encode(), NOW.wall_ns)
    assert isinstance(reply, Reply)
    assert reply.number == 11


@pytest.mark.parametrize("end", ["stop", "closed"])
def test_not_ready_after_the_end(end: str) -> None:
    """Neither a planned nor an unplanned end leaves a session ready."""
    made = ready()
    events = made.stop(Reason.STOPPED) if end == "stop" else made.closed("gone")
    assert any(isinstance(e, Mark) and e.state is State.ENDED for e in events)
    assert not made.ready
    assert made.request(1, "add", {}) == []


def test_nothing_ends_the_connection_but_failure() -> None:
    """Hours of silence and of statuses rotate nothing."""
    made = ready()
    for hour in range(1, 30):
        later = Now(NOW.wall_ns, NOW.mono_ns + hour * 3600 * SECOND_NS)
        assert made.tick(later) == []
    assert made.ready


def test_without_a_status_the_connection_is_given_up() -> None:
    """A venue that never sends X is closed, like a feed's connection."""
    made = session()
    made.opened(NOW)
    late = Now(NOW.wall_ns, NOW.mono_ns + 4 * SECOND_NS)
    (close,) = made.tick(late)
    assert isinstance(close, Close)


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        (
            "instruments",
            {},
            '{"event":"request","reqId":7,"method":"instruments","content":{}}',
        ),
        (
            "add",
            {
                "instrument": "BTC-USD",
                "clientOrderId": 2**63 - 1,
                "price": 2**64 - 1,
                "size": 10000000,
                "side": "bid",
                "type": "limitIOC",
                "cod": False,
            },
            (
                '{"event":"request","reqId":7,"method":"add","content":{"instrument":'
                '"BTC-USD","clientOrderId":9223372036854775807,"price":'
                '18446744073709551615,"size":10000000,"side":"bid","type":"limitIOC",'
                '"cod":false}}'
            ),
        ),
    ],
)
def test_request_carries_content_and_exact_integers(
    method: str, params: dict[str, Any], text: str
) -> None:
    """`content` is always there, and no integer is rounded (2.2, 10.1)."""
    assert ready().request(7, method, params) == [Send(text)]


def test_a_request_that_may_not_go_out_sends_nothing() -> None:
    """No status, a status other than 0: no request leaves."""
    unopened = session()
    assert unopened.request(1, "add", {}) == []
    assert ready(DOWN).request(1, "add", {}) == []


REPLIES = {
    "2.5 success keeps the reply's text": (
        ADDED,
        Reply(number=11, result=ADDED_RESULT),
    ),
    "2.5 error with a parameter": (
        '{"event":"request","reqId":1234,"error":9,"param":"side"}',
        Reply(
            number=1234,
            error=9,
            meaning="method parameter missing or invalid",
            param="side",
        ),
    ),
    "4.11 error without a parameter": (
        '{"event":"request","reqId":3,"error":76}',
        Reply(number=3, error=76, meaning="add failed: IOC, no orders to match"),
    ),
    "6.2 mod: the old order is gone": (
        f'{{"event":"request","reqId":4,"reply":{GONE}}}',
        Reply(number=4, error=74, meaning=IN_USE, gone=True, result=GONE),
    ),
    "6.2 the same, flat at the top": (
        f'{{"event":"request","reqId":4,{GONE[1:]}',
        Reply(number=4, error=74, meaning=IN_USE, gone=True, result=GONE),
    ),
    "6.2 the same as the page prints it, without an event": (
        f'{{"reqId":4,"reply":{GONE}}}',
        Reply(number=4, error=74, meaning=IN_USE, gone=True, result=GONE),
    ),
    "2.5 error inside the reply": (
        '{"event":"request","reqId":4,"reply":{"error":9,"param":"size"}}',
        Reply(
            number=4,
            error=9,
            meaning="method parameter missing or invalid",
            param="size",
            result='{"error":9,"param":"size"}',
        ),
    ),
    "2.5 acknowledged inside the reply": (
        '{"event":"request","reqId":5,"reply":{"error":0}}',
        Reply(number=5, result='{"error":0}'),
    ),
    "2.5 acknowledged at the top": (
        '{"event":"request","reqId":5,"error":0}',
        Reply(number=5, result='{"error":0}'),
    ),
    "2.5 success with error 0 beside the reply": (
        '{"event":"request","reqId":5,"error":0,"reply":{"removed":15}}',
        Reply(number=5, result='{"removed":15}'),
    ),
    "2.5 an error inside wins over a 0 at the top": (
        '{"event":"request","reqId":5,"error":0,"reply":{"error":10}}',
        Reply(number=5, error=10, meaning="internal error", result='{"error":10}'),
    ),
    "2.3 a code as a one-element array": (
        '{"event":"request","reqId":5,"error":[76]}',
        Reply(number=5, error=76, meaning="add failed: IOC, no orders to match"),
    ),
    "2.5 a reply that is an array": (
        '{"event":"request","reqId":6,"reply":[[],[["USD",1]]]}',
        Reply(number=6, result='[[],[["USD",1]]]'),
    ),
    "10.1 huge integers stay exact": (
        '{"event":"request","reqId":6,"reply":{"id":98765432109876543210}}',
        Reply(number=6, result='{"id":98765432109876543210}'),
    ),
    "11 a code in no list": (
        '{"event":"request","reqId":6,"error":4711}',
        Reply(number=6, error=4711, meaning="not listed"),
    ),
    "2.5 a number that comes back as a text": (
        '{"event":"request","reqId":"17","reply":[]}',
        Reply(number=17, result="[]"),
    ),
    "2.5 a null reply is a reply": (
        '{"event":"request","reqId":6,"reply":null}',
        Reply(number=6, result="null"),
    ),
    "2.1 blanks before the brace": (
        ' \n{"event":"request","reqId":6,"reply":[]}',
        Reply(number=6, result="[]"),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_every_form_of_a_reply(name: str) -> None:
    """An error may stand at the top or inside; 0 is success in both places."""
    frame, expected = REPLIES[name]
    made = ready()
    assert made.receive(frame.encode(), NOW.wall_ns) == [expected]
    assert made.tally.control == 1


def test_replies_are_matched_by_number_in_any_order_and_again() -> None:
    """Order means nothing; late, doubled and unknown numbers are passed on, too."""
    made = ready()
    for number in (1, 2):
        made.request(number, "add", {})
    frames = [f'{{"event":"request","reqId":{n},"error":76}}' for n in (2, 1, 1, 99)]
    numbers = [made.receive(frame.encode(), NOW.wall_ns) for frame in frames]
    assert [e.number for (e,) in numbers if isinstance(e, Reply)] == [2, 1, 1, 99]


UNNAMED = {
    "no number": ('{"event":"request","reply":{}}', Reason.WRONG_TYPE),
    "null": ('{"event":"request","reqId":null,"reply":{}}', Reason.WRONG_TYPE),
    "an error without a number": ('{"event":"request","error":9}', Reason.VENUE_ERROR),
    "a number with a fraction": (
        '{"event":"request","reqId":7.0,"reply":{}}',
        Reason.WRONG_TYPE,
    ),
    "true": ('{"event":"request","reqId":true,"reply":{}}', Reason.WRONG_TYPE),
    "negative": ('{"event":"request","reqId":-7,"reply":{}}', Reason.WRONG_TYPE),
    "a word": ('{"event":"request","reqId":"x7","reply":{}}', Reason.WRONG_TYPE),
    "an object": ('{"event":"request","reqId":{},"reply":{}}', Reason.WRONG_TYPE),
    "half a reply": (ADDED[: len(ADDED) // 2], Reason.NOT_JSON),
    "an unknown event": ('{"event":"what","reqId":7}', Reason.UNKNOWN_ACTION),
    "neither event nor number": ('{"reply":{}}', Reason.NOT_A_MESSAGE),
}


@pytest.mark.parametrize("name", UNNAMED)
def test_a_reply_without_a_readable_number_is_unreadable(name: str) -> None:
    """Without a number nothing can be matched: the frame goes to the dead letters."""
    frame, reason = UNNAMED[name]
    made = ready()
    (letter,) = made.receive(frame.encode(), NOW.wall_ns)
    assert isinstance(letter, Unreadable)
    assert (letter.reason, letter.raw) == (reason, frame.encode())
    assert made.tally.unreadable == 1


@pytest.mark.parametrize(
    "rest",
    ['"error":"76"', '"error":null', '"reply":{"error":"no"}', '"error":-1', '"x":1'],
)
def test_an_unreadable_reply_with_a_number_is_told_at_once(rest: str) -> None:
    """A dead letter, and a reply that says nothing, so that doubt starts at once."""
    made = ready()
    frame = f'{{"event":"request","reqId":8,{rest}}}'.encode()
    letter, reply = made.receive(frame, NOW.wall_ns)
    assert isinstance(letter, Unreadable)
    assert reply == Reply(number=8)
    assert (made.tally.unreadable, made.tally.frames) == (1, 2)
    assert VENUE.orders.judge("add", Reply(number=8)) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"{" * 100_000, b'{"event":"request","reqId":1,"reply":'],
)
def test_no_bytes_raise(data: bytes) -> None:
    """Whatever comes, it is classified once and nothing is raised."""
    made = ready()
    (letter,) = made.receive(data, NOW.wall_ns)
    assert isinstance(letter, Unreadable)
    assert made.tally.frames == 2


def test_replies_that_are_not_utf8_are_unreadable() -> None:
    """Text that is no UTF-8 is a dead letter, not an exception."""
    letter, *_ = take(b'{"event":"request","reqId":1,"reply":{"a":"\xff"}}')
    assert isinstance(letter, Unreadable)


def test_describe_positions_and_losses_are_those_of_a_feed_session() -> None:
    """The rest of the contract holds for a connection without bindings."""
    made = ready()
    assert list(made.describe(NOW)) == []
    assert dict(made.positions()) == {}
    assert made.cut(NOW) == []
    assert made.heal(NOW) == []
    gap, *again = made.lost(0, 2, NOW, "not acked")
    assert isinstance(gap, Mark)
    assert (gap.state, gap.lost) == (State.GAP, 2)
    assert [type(event) for event in again] == [Data, Mark]
    assert str(made.refused(401, b'{"error":3}'))


def test_venue_has_an_order_side() -> None:
    """`orders` of the venue names its methods, and judges and looks up by them."""
    assert VENUE.orders.methods["add"].makes_order
    assert VENUE.orders.methods["positions"].needs_claim is False
