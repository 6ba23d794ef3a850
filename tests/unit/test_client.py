"""The client's rules without Kafka: which response counts, and words to content."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.client import Corrected, NoFinalYet, NotSubmitted, Pending, Response, Times
from bridge.client.pending import MOST_HELD, MOST_INTERIM
from bridge.client.records import Records, contents, record_name
from bridge.client.waiting import MOST_REMEMBERED, Waiting
from bridge.client.words import content_of, scaled
from bridge.core.codec import Codec
from bridge.core.orders import Evidence, Outcome, Phase
from bridge.edge.consumer import Message
from bridge.edge.schemas import bundled
from bridge.errors import ConfigError
from bridge.venues.finery.methods import METHODS
from tests.support.running import Run

RECORDS = contents(Codec(bundled()))
ADD = RECORDS["Add"]


def said(offset: int, phase: Phase, command: int = 5, **more: Any) -> Response:
    facts: dict[str, Any] = {
        "req_id": "r",
        "topic": "t",
        "account": "a",
        "method": "add",
        "phase": phase,
        "outcome": Outcome.DONE if phase in {Phase.FINAL, Phase.CORRECTION} else None,
        "code": "",
        "text": "",
        "retriable": False,
        "venue_error": None,
        "result": None,
        "result_text": "",
        "evidence": Evidence.REPLY,
        "repeat_of": None,
        "client_order_id": None,
        "worker": "w",
        "connection": "",
        "times": Times(0, 0, 0, 0),
        "partition": 0,
        "offset": offset,
        "command_offset": command,
        **more,
    }
    return Response(**facts)


def pending(told: list[Response] | None = None) -> Pending:
    heard: list[Response] = [] if told is None else told
    return Pending("r", 0, heard.append)


def interim(of: Pending) -> list[int]:
    async def read() -> list[int]:
        return [response.offset async for response in of]

    return asyncio.run(read())


def interims(of: Pending, *, done: bool) -> list[int]:
    assert of.done is done
    return interim(of) if done else []


def test_nothing_counts_before_the_commands_offset_is_known() -> None:
    """What comes early waits, then only the command's own responses are taken."""
    one = pending()
    one.take(said(1, Phase.FINAL, command=4, outcome=Outcome.REJECTED))
    one.take(said(2, Phase.CLAIMED))
    one.take(said(3, Phase.FINAL))
    assert interims(one, done=False) == []
    one.release(5)
    assert one.done
    assert asyncio.run(one.final()).offset == 3
    assert interim(one) == [2]


def test_without_an_offset_the_first_final_response_names_the_command() -> None:
    """A resumed command that nobody kept the offset of is known by its response."""
    one = pending()
    one.release(None)
    one.take(said(1, Phase.FINAL, command=4))
    one.take(said(2, Phase.FINAL, command=5))
    assert one.offset == 4
    assert one.doubles == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Phase.CLAIMED, Phase.DOUBT, Phase.FINAL]),
            st.integers(4, 6),
            st.booleans(),
        ),
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_the_first_final_response_of_the_command_wins_in_any_log(
    log: list[tuple[Phase, int, bool]], released: int
) -> None:
    """Whatever is read when, and however often: the first in the log is binding."""
    one = pending()
    for offset, (phase, command, twice) in enumerate(log):
        if offset == released:
            one.release(5)
        for _ in range(1 + twice):
            one.take(said(offset, phase, command))
    if released >= len(log):
        one.release(5)
    finals = [
        offset
        for offset, (phase, command, _) in enumerate(log)
        if phase is Phase.FINAL and command == 5
    ]
    assert one.done == bool(finals)
    if finals:
        assert asyncio.run(one.final()).offset == finals[0]
        assert one.doubles == len(finals) - 1


def test_what_was_replayed_is_not_taken_again() -> None:
    """A record read from the past and as it came counts once."""
    one = pending()
    one.take(said(2, Phase.FINAL))
    one.replayed(said(1, Phase.CLAIMED))
    one.replayed(said(2, Phase.FINAL))
    one.release(None)
    assert interim(one) == [1]
    assert one.doubles == 0


def test_a_correction_is_told_and_raised() -> None:
    """Both responses are at hand, and the callback hears of it."""
    told: list[Response] = []
    one = pending(told)
    one.release(5)
    one.take(said(1, Phase.FINAL, outcome=Outcome.NO_TRACE))
    one.take(said(2, Phase.CORRECTION, outcome=Outcome.DONE))
    assert [response.offset for response in told] == [2]
    with pytest.raises(Corrected) as caught:
        asyncio.run(one.final())
    assert (caught.value.final.offset, caught.value.correction.offset) == (1, 2)
    assert caught.value.exit_code == 16


def test_memory_is_bounded_whatever_comes() -> None:
    """Interim and early responses are kept up to a number, the newest first."""
    one = pending()
    for offset in range(MOST_HELD + 10):
        one.take(said(offset, Phase.DOUBT))
    one.release(5)
    assert len(interim_now(one)) == MOST_INTERIM
    heard: list[Response] = []
    waiting = Waiting(10, heard.append)
    for number in range(MOST_REMEMBERED + 50):
        made = waiting.add(f"r{number}", 0)
        made.release(1)
        made.take(said(1, Phase.FINAL, command=1))
        waiting.settle(made)
    assert waiting.of(Message("t", 0, 1, b"r0", b"x", 0, ())) == []
    assert len(waiting.of(Message("t", 0, 1, b"r1000", b"x", 0, ()))) == 1


def interim_now(of: Pending) -> list[int]:
    of.take(said(10**6, Phase.FINAL))
    return interim(of)


def test_a_time_out_and_a_lost_command_say_what_to_do(run: Run) -> None:
    """No error text says that an order was not executed, but for `no`."""
    one = pending()
    with pytest.raises(NoFinalYet, match="not mean that it was not executed") as late:
        run(one.final(0))
    assert late.value.exit_code == 15
    maybe = NotSubmitted("r", 0, "maybe", "timed out")
    assert "do not send it again" in str(maybe)
    assert maybe.exit_code == 15
    assert NotSubmitted("r", 0, "no", "full").exit_code == 5


# -- content


def test_every_content_record_belongs_to_a_method_and_every_method_has_a_name() -> None:
    """The table of methods and the schema agree on who has typed content."""
    reached = {record_name(method) for method in METHODS} & set(RECORDS)
    assert reached == set(RECORDS)


def test_a_method_without_a_record_is_asked_as_json() -> None:
    """What the schema does not know travels as JSON text, in order."""
    records = Records("t", None)
    assert records.content("voiceTrade", {"b": 1, "a": "é"}) == '{"b":1,"a":"\\u00e9"}'
    assert records.content("del", {"orderId": 1}) == ("Del", {"orderId": 1})
    assert records.content("del", "{}") == "{}"


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from([4, 8]))
def test_decimals_are_exact(value: int, places: int) -> None:
    """Every 64-bit number of units, written as a decimal, comes back the same."""
    text = f"{Decimal(value).scaleb(-places):f}"
    assert scaled(text, places) == value
    assert scaled(text + ("0" if "." in text else ".0"), places) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_no_decimal_is_rounded(number: Decimal) -> None:
    """What has more decimals than fit, or is too large, is refused."""
    text = f"{number:f}"
    exact = number * 10**8
    fits = exact == exact.to_integral_value() and -(2**63) <= exact < 2**63
    if fits:
        assert scaled(text, 8) == int(exact)
    else:
        with pytest.raises(ValueError, match=r"decimals|64 bits"):
            scaled(text, 8)


@pytest.mark.parametrize(
    "text", ["", "1e3", "1_0", "٣", "0x1", " 1", "1.", ".5", "nan", "1,5", "--1"]
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    """No other way to write numbers is understood."""
    with pytest.raises(ValueError, match="plain decimal"):
        scaled(text, 8)


def test_words_become_typed_content() -> None:
    """Decimals are scaled, enums take the venue's spelling, types follow the schema."""
    words = [
        *("instrument=BTC-USD", "price=60001.5", "sizeE8=10000000", "side=bid"),
        *("type=limitIOC", "cod=true", "makers=41,42", "clientOrderId=7"),
    ]
    assert content_of(words, ADD) == {
        "instrument": "BTC-USD",
        "priceE8": 6_000_150_000_000,
        "sizeE8": 10_000_000,
        "side": "BID",
        "type": "LIMIT_IOC",
        "cod": True,
        "makers": [41, 42],
        "clientOrderId": 7,
    }
    limit = ["counterpartyId=1", "currency=USD", "grossLimit=1000.5",
             "initialMarginPercent=1.5"]  # fmt: skip
    assert content_of(limit, RECORDS["SetCLimit"]) == {
        "counterpartyId": 1,
        "currency": "USD",
        "grossLimitE8": 100_050_000_000,
        "initialMarginPercentE4": 15_000,
    }
    assert content_of(["a=1", "b=x=y", "c=true"], None) == {
        "a": 1,
        "b": "x=y",
        "c": True,
    }


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        (["price"], ["price: expected key=value"]),
        (["=1"], ["=1: expected key=value"]),
        (["price=1", "priceE8=5"], ["priceE8=5: priceE8 is given twice"]),
        (["priceE8=1.5"], ["priceE8=1.5: expected an integer"]),
        (["price=0.000000001"], ["price=0.000000001: 9 decimals; at most 8"]),
        (["cod=1"], ["cod=1: expected true or false"]),
        (["side=up"], ["side=up: expected one of BID, ASK"]),
        (["colour=1", f"size={10**11}"], ["there is no colour", "beyond 64 bits"]),
    ],
)
def test_wrong_words_are_all_told(words: Sequence[str], problems: list[str]) -> None:
    """Each wrong word is named with what was expected."""
    with pytest.raises(ConfigError) as caught:
        content_of(words, ADD)
    assert len(caught.value.problems) == len(problems)
    for found, expected in zip(caught.value.problems, problems, strict=True):
        assert expected in found
