"""Orders that a connection would take with it (reference, sections 6 and 12)."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.orders import Evidence, Outcome, Result
from bridge.venues.finery.ties import retie, untouched

# An order as a look-up shows it; whether it is active may not be known.
FOUND = '{"order":{"id":3,"clientOrderId":9,"active":%s,"remainingSize":%s},"deals":[]}'
# An answer of `positions` that shows one order, by its id.
SHOWN = '[1,[],[["BTC-USD",0,1,7,%s,9,7,8,8,1]],[]]'
COD, PLAIN = {"cod": True}, {"cod": False}


def done(body: str) -> Result:
    """Return an accepted answer."""
    return Result(
        outcome=Outcome.DONE, code="", text="", evidence=Evidence.REPLY, body=body
    )


@pytest.mark.parametrize(
    ("method", "params", "body", "after"),
    [
        ("add", COD, '{"id":3,"remainingSize":8}', {1, 2, 3}),
        ("add", PLAIN, '{"id":3,"remainingSize":8}', {1, 2}),
        ("add", COD, '{"id":3,"remainingSize":0}', {1, 2}),
        ("add", COD, '{"id":3,"remainingSize":8,"cancelReason":2}', {1, 2}),
        ("mod", {}, '{"id":4,"origId":1,"remainingSize":5}', {2, 4}),
        ("mod", {}, '{"id":4,"origId":9,"remainingSize":5}', {1, 2}),
        ("mod", {}, '{"error":74,"origId":1,"origRemainingSize":7}', {2}),
        ("del", {"orderId": 1}, '{"id":1,"remainingSize":8}', {2}),
        ("delAll", {}, '{"removed":2}', set()),
        ("delAll", {"instrument": "BTC-USD"}, '{"removed":1}', {1, 2}),
        ("delAll", {}, '{"active":[2,3]}', {2}),
        ("positions", {}, "[1,[],[],[]]", set()),
        ("positions", {}, SHOWN % 2, {2}),
        ("positions", {}, SHOWN % 3, set()),
        ("positions", {}, SHOWN % '"2"', {1, 2}),
        ("positions", {}, "[1,[],[[2]],[]]", {1, 2}),
        ("positions", {}, "[1,[]]", {1, 2}),
        ("positions", {}, "[1,[],null,[]]", {1, 2}),
        ("positions", {}, '{"error":10}', {1, 2}),
        ("positions", {}, "", {1, 2}),
        ("positions", {"filter": "all"}, SHOWN % 2, {1, 2}),
        ("add", COD, "no json", {1, 2}),
        ("add", COD, FOUND % ("true", 8), {1, 2, 3}),
        ("add", PLAIN, FOUND % ("true", 8), {1, 2}),
        ("add", COD, FOUND % ("false", 8), {1, 2}),
        ("add", COD, FOUND % ("null", 8), {1, 2, 3}),
        ("add", COD, FOUND % ("false", 0), {1, 2}),
        ("add", COD, '{"orders":[{"order":{"id":3},"deals":[]}]}', {1, 2}),
        ("mod", {}, FOUND.replace("{", '{"origId":1,', 1) % ("true", 5), {2, 3}),
        ("mod", {}, '{"origId":1,"origActive":false,"origDeals":[]}', {2}),
        ("mod", {}, '{"origId":1,"origActive":true,"origDeals":[]}', {1, 2}),
        ("del", {"orderId": 1}, '{"orderId":1,"active":false,"deals":[]}', {2}),
        ("del", {"orderId": 1}, '{"orderId":1,"active":true}', {1, 2}),
    ],
)
def test_ties_follow_what_was_answered(
    method: str, params: dict[str, Any], body: str, after: set[int]
) -> None:
    """Only what rests with `cod` is tied; what is removed or replaced is not."""
    assert retie(frozenset({1, 2}), method, params, done(body)) == after


@pytest.mark.parametrize(
    ("body", "nothing"),
    [
        ('{"id":3,"remainingSize":8,"deals":[]}', True),
        ('{"id":3,"remainingSize":8}', True),
        ('{"id":3,"remainingSize":5,"deals":[{"id":9,"size":3}]}', False),
    ],
)
def test_only_what_was_dealt_leaves_a_trace(body: str, nothing: bool) -> None:
    """A removed order without a deal is in no list of the venue."""
    assert untouched(done(body)) is nothing


def test_an_answer_nested_without_end_changes_nothing() -> None:
    """It was judged with another reader, which may go deeper."""
    body = '{"id":3,"remainingSize":8,"deals":%s}' % ("[" * 100_000 + "]" * 100_000)

    assert retie(frozenset({1, 2}), "add", COD, done(body)) == {1, 2}
    assert untouched(done(body))
