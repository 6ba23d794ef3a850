"""What a reply means, by the reference page's sections 2.5, 6, 8 and 11."""

from __future__ import annotations

import pytest

from bridge.core.orders import Evidence, Kind, Outcome, Reply, Result
from bridge.venues.finery.codes import CODES
from bridge.venues.finery.judging import CERTAIN, REFUSALS, judge
from bridge.venues.finery.methods import METHODS

CHANGING = sorted(n for n, m in METHODS.items() if m.kind is not Kind.READ)
READS = sorted(n for n, m in METHODS.items() if m.kind is Kind.READ)
DEAL = (
    '{"counterpartyId":42,"id":23,"price":999900000000,"size":2000000,'
    '"volume":19998000000,"delta":0}'
)
GONE = '{"error":74,"origId":42,"origRemainingSize":10000}'


def said(method: str, result: str) -> Result:
    """Return the judgement of a success, which must not be doubt."""
    found = judge(method, Reply(number=1, result=result))
    assert found is not None
    return found


DONE = {
    "6.1 partial IOC": (
        "add",
        (
            '{"id":1245,"remainingSize":8000000,"clientOrderId":123456789,'
            f'"cancelReason":2,"deals":[{DEAL}]}}'
        ),
        "PARTIALLY_FILLED",
        "order 1245: 1 deal, and the rest of 8000000 was dropped",
    ),
    "4.11 filled": (
        "add",
        '{"id":1301,"clientOrderId":501,"remainingSize":0,"deals":[{"id":905}]}',
        "FILLED",
        "order 1301: filled",
    ),
    "2.5 filled, no deals named": (
        "add",
        '{"id":1245,"clientOrderId":1,"remainingSize":0,"deals":[]}',
        "FILLED",
        "order 1245: filled",
    ),
    "6.1 filled by volume": (
        "add",
        '{"id":9,"remainingVolume":0,"deals":[{"id":1}]}',
        "FILLED",
        "order 9: filled",
    ),
    "6.1 resting": (
        "add",
        '{"id":9,"remainingSize":5,"deals":[]}',
        "ACCEPTED",
        "order 9: 0 deals, 5 left in place",
    ),
    "6.1 resting after a deal": (
        "add",
        f'{{"id":9,"remainingSize":5,"cancelReason":0,"deals":[{DEAL}]}}',
        "ACCEPTED",
        "order 9: 1 deal, 5 left in place",
    ),
    "10.3 taken out at once without a deal": (
        "add",
        '{"id":9,"remainingSize":5,"cancelReason":3,"deals":[]}',
        "CANCELLED",
        "order 9: 0 deals, and the rest of 5 was dropped",
    ),
    "6.1 nothing said of the rest": (
        "authorized/add",
        '{"id":9}',
        "ACCEPTED",
        "order 9: 0 deals, an unknown size left in place",
    ),
    "6.4 pending": (
        "pending/add",
        '{"id":9,"remainingVolume":5,"deals":[]}',
        "ACCEPTED",
        "order 9: 0 deals, 5 left in place",
    ),
    "6.4 only acknowledged": (
        "pending/add",
        '{"error":0}',
        "ACCEPTED",
        "the venue accepted the order",
    ),
    "6.2 replaced": (
        "mod",
        (
            '{"id":43,"initialSize":10,"remainingSize":10,"origId":42,'
            '"origRemainingSize":8,"deals":[]}'
        ),
        "ACCEPTED",
        "order 43: 0 deals, 10 left in place",
    ),
    "6.5 liquidation": (
        "liquidationTrade",
        f'{{"id":9,"clientOrderId":4,"deal":{DEAL}}}',
        "FILLED",
        "order 9: filled",
    ),
    "6.3 del": (
        "del",
        '{"id":1235,"remainingSize":8000000}',
        "REMOVED",
        "order 1235 removed, 8000000 left",
    ),
    "6.3 del, acknowledged": (
        "del",
        '{"error":0}',
        "REMOVED",
        "the venue removed the order",
    ),
    "6.3 delAll": ("delAll", '{"removed":15}', "REMOVED", "15 orders removed"),
    "6.3 delAll without its optional field": (
        "delAll",
        "{}",
        "REMOVED",
        "an unknown number of orders removed",
    ),
    "8 setCLimit": (
        "setCLimit",
        '{"error":0}',
        "APPLIED",
        "the venue carried it out",
    ),
    "8 addIncomingSettlementRequest": (
        "addIncomingSettlementRequest",
        '{"requestId":123456}',
        "APPLIED",
        "the venue carried it out",
    ),
    "a method in no list": (
        "somethingNew",
        '{"x":1}',
        "APPLIED",
        "the venue carried it out",
    ),
    "5.4 a read": (
        "positions",
        "[904,[],[],[]]",
        "ANSWERED",
        "the venue answered positions",
    ),
    "a read with null": (
        "getSettings",
        "null",
        "ANSWERED",
        "the venue answered getSettings",
    ),
}


@pytest.mark.parametrize("name", DONE)
def test_success(name: str) -> None:
    """A success is DONE with a code that tells filled from resting, and the reply."""
    method, body, status, text = DONE[name]
    assert said(method, body) == Result(
        outcome=Outcome.DONE,
        code=status,
        text=text,
        evidence=Evidence.REPLY,
        body=body,
    )


REJECTED = {
    (
        76,
        "IOC, nothing to match",
    ): "ADD_FAILED_IOC: add failed: IOC, no orders to match",
    (77, "FOK"): "ADD_FAILED_FOK: add failed: FOK, not enough liquidity",
    (75, "post-only"): "ADD_FAILED_POST_ONLY: add failed: post-only",
    (74, "duplicate id"): "CLIENT_ORDER_ID_IN_USE: client order id already in use",
    (34, "instrument"): "INSTRUMENT_NOT_FOUND: instrument not found",
    (3, "key"): "NOT_AUTHORISED: not authorised: the key lacks permission",
}


@pytest.mark.parametrize(("number", "case"), REJECTED)
def test_rejection(number: int, case: str) -> None:
    """What the venue refuses has its number, its name and a stable code (6.1, 11)."""
    found = judge("add", Reply(number=1, error=number))
    assert found is not None
    meaning = REJECTED[number, case]
    assert (found.outcome, found.code) == (Outcome.REJECTED, f"VENUE_{number}")
    assert (found.venue_error, found.venue_meaning) == (number, meaning)
    assert found.evidence is Evidence.REPLY
    assert found.text.startswith(f"the venue refused add: {number} (")


def test_rejection_names_the_parameter() -> None:
    """Error 9 tells which parameter is at fault (2.5)."""
    found = judge("add", Reply(number=1, error=9, param="side"))
    assert found is not None
    assert found.text == (
        "the venue refused add: 9 (method parameter missing or invalid), parameter side"
    )


# Section 11: order-level business, permissions, parameters, limits, settlements.
NEVER_EXECUTED = [
    *(1, 3, 8, 9, 13, 26, 34, 36, 45, 46),
    *(50, 51, 52, 53, 54, 55, 60, 61, 62, 63, 64, 65),
    *(70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 90, 91),
    *(110, 111, 130, 131, 132, 133, 134, 135, 140, 141, 142, 143, 144),
    *(160, 161, 162, 163, 164, 165, 166, 167),
]
# Failures inside the venue, logins, bindings, the screen's own, and codes in no list.
SAYS_NOTHING = [
    *(2, 10, 104),
    *(4, 5, 6, 7, 11, 12, 14, 15),
    *(100, 101, 102, 103, 112, 113, 114, 120, 121, 300),
    *(16, 47, 86, 92, 136, 150, 168, 200, 299, 4711),
]


@pytest.mark.parametrize("number", NEVER_EXECUTED)
@pytest.mark.parametrize("method", ["add", "mod", "setCLimit", "somethingNew"])
def test_positive_evidence_rejects(number: int, method: str) -> None:
    """A named fault of the request, or a rule against it, is a rejection."""
    found = judge(method, Reply(number=1, error=number))
    assert found is not None
    assert found.outcome is Outcome.REJECTED


@pytest.mark.parametrize("number", SAYS_NOTHING)
def test_anything_else_leaves_doubt(number: int) -> None:
    """No other error proves that a changing method was not executed."""
    for method in (*CHANGING, "somethingNew"):
        assert judge(method, Reply(number=1, error=number)) is None


def test_every_known_code_is_in_one_of_the_two_lists() -> None:
    """No code of section 11 is left to chance, and each row has its source."""
    ours = CERTAIN | set(SAYS_NOTHING) | {0}
    assert set(CODES) <= ours
    assert not CERTAIN & set(SAYS_NOTHING)
    assert set(NEVER_EXECUTED) <= CERTAIN
    assert all(row.source and row.why for row in REFUSALS)
    assert sum(len(row.numbers) for row in REFUSALS) == len(CERTAIN)


@pytest.mark.parametrize("number", [2, 10, 104, 4711, 76, 3])
def test_an_error_on_a_read_is_a_rejection(number: int) -> None:
    """Asking again is harmless, so no read is ever in doubt."""
    for method in READS:
        found = judge(method, Reply(number=1, error=number))
        assert found is not None
        assert (found.outcome, found.code) == (Outcome.REJECTED, f"VENUE_{number}")
        again = number in {2, 10, 104, 4711}
        assert found.text.endswith("asking again is harmless") is again


def test_an_unreadable_answer_to_a_read_is_not_a_rejection() -> None:
    """The venue refused nothing; the text says that asking again is harmless."""
    found = judge("positions", Reply(number=1))
    assert found is not None
    assert (found.outcome, found.code) == (Outcome.UNRESOLVED, "UNREADABLE_REPLY")
    assert "asking again is harmless" in found.text


def test_old_order_gone() -> None:
    """The special answer to mod says that the old order is gone and why (6.2)."""
    reply = Reply(number=1, error=74, gone=True, result=GONE)
    assert judge("mod", reply) == Result(
        outcome=Outcome.REJECTED,
        code="MOD_OLD_GONE",
        text="the old order 42 was removed with 10000 left, and the new one was not "
        "placed: 74 (client order id already in use)",
        evidence=Evidence.REPLY,
        venue_error=74,
        venue_meaning="CLIENT_ORDER_ID_IN_USE: client order id already in use",
        body=GONE,
    )


@pytest.mark.parametrize("number", [2, 10, 104, 4711])
def test_old_order_gone_for_no_clear_reason_is_doubt(number: int) -> None:
    """An internal failure does not prove that the new order was not placed."""
    body = f'{{"error":{number},"origId":42,"origRemainingSize":10000}}'
    reply = Reply(number=1, error=number, gone=True, result=body)
    assert judge("mod", reply) is None


def test_an_ordinary_error_of_mod_leaves_the_old_order() -> None:
    """Where the old order cannot be removed the error is an ordinary one (6.2)."""
    found = judge("mod", Reply(number=1, error=80))
    assert found is not None
    assert found.code == "VENUE_80"


def test_the_special_form_means_nothing_on_other_methods() -> None:
    """No page gives it to another method, so it proves nothing there."""
    reply = Reply(number=1, error=74, gone=True, result=GONE)
    assert judge("add", reply) is None


@pytest.mark.parametrize("method", CHANGING)
@pytest.mark.parametrize("body", ["", "null", "[]", "7", '"ok"', "{", '{"a":1e999}'])
def test_an_answer_without_a_form_is_doubt(method: str, body: str) -> None:
    """Neither an error nor the object that every such method answers with (6, 8)."""
    assert judge(method, Reply(number=1, result=body)) is None


@pytest.mark.parametrize("method", ["add", "mod", "del", "pending/add"])
@pytest.mark.parametrize("body", ["{}", '{"id":"7"}', '{"id":null,"deals":[]}'])
def test_a_success_that_names_no_order_is_doubt(method: str, body: str) -> None:
    """An order that was placed or removed is named by its id (6.1 to 6.3)."""
    assert judge(method, Reply(number=1, result=body)) is None


@pytest.mark.parametrize(
    "body",
    [
        '{"error":76,"id":1245}',
        f'{{"error":74,"origId":42,"deals":[{DEAL}]}}',
        '{"id":1245,"remainingSize":0}',
    ],
)
def test_an_error_beside_an_order_is_doubt(body: str) -> None:
    """An answer that contradicts itself proves nothing."""
    for method in ("add", "mod"):
        reply = Reply(number=1, error=76, gone="origId" in body, result=body)
        assert judge(method, reply) is None
