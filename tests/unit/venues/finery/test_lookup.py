"""What became of a claim, from lists in the layouts of the reference page (4.1, 5).

Rows are written out by hand after the samples of sections 4.10 and 4.11.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.order_ids import derived_id
from bridge.core.orders import Claim, Evidence, Finding, Key, Outcome, Reply
from bridge.venues.finery import VENUE
from bridge.venues.finery.methods import METHODS

SENT = 1_709_716_100_000
MINUTE = 60_000
BUY = {
    "instrument": "BTC-USD",
    "clientOrderId": 501,
    "price": 6000100000000,
    "size": 10000000,
    "side": "bid",
    "type": "limitIOC",
    "cod": False,
}
REST = {**BUY, "type": "limit"}
Answer = Callable[[Mapping[str, Any]], Any] | Reply | list[Any] | Mapping[str, Any]
Row = list[Any]


def order(number: int = 1301, **change: Any) -> Row:
    """Return an order of 11 elements (4.1)."""
    facts = {
        "name": "BTC-USD",
        "kind": 0,
        "side": 0,
        "client": 501,
        "initial": 10000000,
        "left": 8000000,
        "created": SENT + 20,
        "by_volume": 0,
        **change,
    }
    return [
        *(facts["name"], facts["kind"], facts["side"], 0, number, facts["client"]),
        *(6000100000000, facts["initial"], facts["left"], facts["created"]),
        facts["by_volume"],
    ]


def deal(number: int = 905, of: Row | None = None, left: int = 0, **change: Any) -> Row:
    """Return a deal of 24 elements (4.1); by default it fills the whole order."""
    head = order(kind=2, left=left) if of is None else [*of[:8], left, of[9], of[10]]
    size = change.get("size", 10000000 - left)
    at = change.get("at", SENT + 30)
    return [
        *head[:10],
        *(at, number, 0, 6000100000000, size, change.get("volume", 600010000000), 0),
        *(42, head[10], 0, 0, 0, 0, 0),
    ]


def positions(*orders: Row) -> Row:
    """Return the reply of `positions` (5.4)."""
    return [906, [], list(orders), []]


class Venue:
    """Answers each method from a list; the last answer stays."""

    def __init__(self, **answers: Answer | Sequence[Answer]) -> None:
        """Take answers by method, `_` for `/`; `asked` notes every question."""
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.answers = {name.replace("__", "/"): a for name, a in answers.items()}

    def answer(self, method: str, params: Mapping[str, Any]) -> Reply:
        """Answer one question."""
        self.asked.append((method, params))
        answer: Any = self.answers.get(method, Reply(number=1, error=8))
        if isinstance(answer, tuple):
            answer, self.answers[method] = answer[0], answer[1:] or answer[0]
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, Reply):
            return answer
        return Reply(number=1, result=json.dumps(answer))

    @property
    def methods(self) -> list[str]:
        """Return which methods were asked, in order."""
        return [method for method, _ in self.asked]


def history(*deals: Row) -> Callable[[Mapping[str, Any]], list[Row]]:
    """Answer as `dealHistory`: by time and `till`, the latest 250, oldest first."""

    def answer(params: Mapping[str, Any]) -> list[Row]:
        till = params.get("till", 1 << 62)
        chosen = [d for d in deals if d[11] < till and d[10] >= params["from"]]
        return sorted(chosen, key=lambda d: int(d[11]))[-params["limit"] :]

    return answer


def claim(method: str, params: Mapping[str, Any], **change: Any) -> Claim:
    """Return a claim that was sent at `SENT`."""
    facts: dict[str, Any] = {
        "key": Key("finery.commands", "desk", "r-1"),
        "command_offset": 7,
        "method": method,
        "order_id": params.get("clientOrderId", 0),
        "request": json.dumps(params),
        "claimed_ms": SENT - 5,
        "sent_ms": SENT,
        **change,
    }
    return Claim(**facts)


def find(venue: Venue, made: Claim, now_ms: int = SENT + MINUTE) -> Finding:
    """Run a lookup to its end."""
    lookup = VENUE.orders.lookup(made, now_ms)
    for _ in range(2000):
        asked = lookup.request()
        if asked is None:
            return lookup.finding()
        lookup.answer(venue.answer(*asked))
    raise AssertionError("the lookup never ends")


def words(finding: Finding) -> tuple[str, str, Any]:
    """Return outcome, code and body of a finding that has a result."""
    assert finding.asked
    assert finding.final
    assert finding.result is not None
    body = json.loads(finding.result.body) if finding.result.body else None
    return finding.result.outcome.name, finding.result.code, body


def shown(number: int = 905, size: int = 10000000) -> Mapping[str, int]:
    """Return a deal as the reply of `add` words it (6.1)."""
    return {
        "id": number,
        "price": 6000100000000,
        "size": size,
        "volume": 600010000000,
        "delta": 0,
        "counterpartyId": 42,
    }


NOTHING = Finding(asked=True)
NOT_ASKED = Finding(asked=False, final=False)


# Orders.


def test_a_filled_order_is_done_by_its_deals() -> None:
    """A taker's order is never active: its deals are its trace (6.1, 7)."""
    venue = Venue(positions=positions(), dealHistory=history(deal()))
    finding = find(venue, claim("add", BUY))
    assert words(finding) == (
        "DONE",
        "DEALS_FOUND",
        {
            "order": {
                "id": 1301,
                "clientOrderId": 501,
                "active": False,
                "remainingSize": 0,
            },
            "deals": [shown()],
        },
    )
    assert finding.result is not None
    assert finding.result.evidence is Evidence.RECONCILED
    assert finding.result.text == "order 1301 has 1 deal, nothing is left"
    assert venue.asked[0] == ("positions", {})
    since = SENT - 5 * MINUTE
    assert venue.asked[1] == ("dealHistory", {"from": since, "limit": 250})


def test_a_partly_filled_order_tells_what_is_left() -> None:
    """An IOC rest that was dropped is told, after a second look (6.1)."""
    venue = Venue(
        positions=positions(), dealHistory=history(deal(left=8000000, size=2000000))
    )
    finding = find(venue, claim("add", BUY))
    outcome, code, body = words(finding)
    assert (outcome, code) == ("DONE", "DEALS_FOUND")
    assert (body["order"]["remainingSize"], body["order"]["active"]) == (8000000, False)
    assert finding.result is not None
    assert finding.result.text == (
        "order 1301 has 1 deal, 8000000 are left, which are not active any more"
    )
    assert venue.methods.count("positions") == 2


def test_an_active_order_is_done() -> None:
    """A maker's resting order is found among the active ones (5.4)."""
    venue = Venue(positions=positions(order(left=10000000)), dealHistory=history())
    outcome, code, body = words(find(venue, claim("add", REST)))
    assert (outcome, code) == ("DONE", "ORDER_ACTIVE")
    assert body == {
        "order": {
            "id": 1301,
            "clientOrderId": 501,
            "active": True,
            "remainingSize": 10000000,
        },
        "deals": [],
    }


def test_an_active_order_lists_its_deals() -> None:
    """Order and deals are told together, the deals by their ids."""
    row = order()
    deals = (
        deal(906, row, left=8000000, size=1000000),
        deal(905, row, left=9000000, size=1000000),
    )
    venue = Venue(positions=positions(row), dealHistory=history(*deals))
    _, code, body = words(find(venue, claim("add", REST)))
    assert code == "ORDER_ACTIVE"
    assert body["deals"] == [shown(905, 1000000), shown(906, 1000000)]


def test_an_order_that_arrives_between_the_two_looks_is_active() -> None:
    """Deals without an order make it look again, so that nothing active is denied."""
    row = order()
    venue = Venue(
        positions=(positions(), positions(row)),
        dealHistory=history(deal(905, row, left=8000000, size=2000000)),
    )
    assert words(find(venue, claim("add", REST)))[1] == "ORDER_ACTIVE"


def test_an_order_that_is_filled_between_the_two_looks_is_not_active() -> None:
    """What the deals show is newer than what the orders showed."""
    row = order(left=10000000)
    venue = Venue(positions=positions(row), dealHistory=history(deal(905, row, left=0)))
    _, code, body = words(find(venue, claim("add", REST)))
    assert (code, body["order"]["active"], body["order"]["remainingSize"]) == (
        "DEALS_FOUND",
        False,
        0,
    )


def test_deals_that_do_not_add_up_are_told() -> None:
    """A deal that is not listed yet is looked for again, then told as missing."""
    venue = Venue(positions=positions(), dealHistory=history(deal(size=4000000)))
    finding = find(venue, claim("add", BUY))
    assert finding.result is not None
    assert "do not add up" in finding.result.text
    assert venue.methods.count("dealHistory") == 4


def test_an_order_by_volume_counts_volume() -> None:
    """Elements 7 and 8 are volumes where the order is by volume (4.1)."""
    row = order(kind=4, by_volume=1, initial=600010000000, left=600010000000)
    venue = Venue(positions=positions(), dealHistory=history(deal(905, row, left=0)))
    finding = find(venue, claim("add", BUY))
    _, code, body = words(finding)
    assert (code, body["order"]["remainingVolume"]) == ("DEALS_FOUND", 0)
    assert finding.result is not None
    assert "add up" not in finding.result.text


def test_nothing_found() -> None:
    """No active order and no deal: the caller says that there is no trace."""
    others = order(client=502), deal(of=order(client=502))
    venue = Venue(positions=positions(others[0]), dealHistory=history(others[1]))
    assert find(venue, claim("add", BUY)) == NOTHING


@pytest.mark.parametrize("elements", [19, 21, 22, 24, 27])
def test_deals_of_every_era_are_read(elements: int) -> None:
    """Only the elements that are needed must be there (0.3)."""
    row = [*deal(), "extra", None, {}][:elements]
    venue = Venue(positions=positions(), dealHistory=history(row))
    assert words(find(venue, claim("add", BUY)))[1] == "DEALS_FOUND"


def test_foreign_client_ids_beyond_64_bits_do_not_hide_ours() -> None:
    """Older docs allow unsigned ids: somebody else's must not make the list unread."""
    venue = Venue(
        positions=positions(order(9, client=2**64 - 1), order()), dealHistory=history()
    )
    assert words(find(venue, claim("add", REST)))[1] == "ORDER_ACTIVE"


PAGED = [deal(n, order(n, client=9000 + n), at=SENT + n) for n in range(1, 703)]


def test_history_is_paged_back_to_the_claim() -> None:
    """Only the latest 250 come at a time: `till` follows the smallest id got (5.5)."""
    venue = Venue(positions=positions(), dealHistory=history(deal(0), *PAGED))
    assert words(find(venue, claim("add", BUY)))[1] == "DEALS_FOUND"
    tills = [params.get("till") for _, params in venue.asked[1:]]
    assert tills == [None, 454, 205, 1]


def test_a_lower_limit_of_the_venue_hides_nothing() -> None:
    """A page that is not full may only mean that the venue's limit is lower now."""

    def few(params: Mapping[str, Any]) -> list[Row]:
        return history(deal(0), *PAGED)({**params, "limit": 100})

    venue = Venue(positions=positions(), dealHistory=few)
    assert words(find(venue, claim("add", BUY)))[1] == "DEALS_FOUND"


def test_newest_first_is_as_good_as_oldest_first() -> None:
    """The order within a page is in no source (5.5)."""

    def turned(params: Mapping[str, Any]) -> list[Row]:
        return history(deal(0), *PAGED)(params)[::-1]

    venue = Venue(positions=positions(), dealHistory=turned)
    assert words(find(venue, claim("add", BUY)))[1] == "DEALS_FOUND"


def test_paging_stops_where_the_venue_reaches_behind_the_claim() -> None:
    """Should `from` have no effect, older deals end the search all the same."""
    old = [deal(n, order(n, client=n), at=SENT - 10 * MINUTE) for n in range(1, 900)]
    venue = Venue(
        positions=positions(), dealHistory=lambda p: history(*old)({**p, "from": 0})
    )
    assert find(venue, claim("add", BUY)) == NOTHING
    assert venue.methods.count("dealHistory") == 1


def test_both_sides_of_a_deal_are_seen_across_pages() -> None:
    """A deal between a master's accounts comes twice, with one number (13, 10)."""
    pairs = []
    for number in range(1, 400):
        other = order(7000 + number, client=0, side=1)
        pairs += [deal(number, other), deal(number, order(number, client=number))]
    venue = Venue(positions=positions(), dealHistory=history(*pairs))
    for mine in (1, 275, 276, 399):
        made = claim("add", {**BUY, "clientOrderId": mine})
        assert words(find(venue, made))[2]["order"]["id"] == mine


def test_a_venue_that_does_not_page_cannot_be_asked() -> None:
    """The same page again and again does not prove that there is nothing older."""
    venue = Venue(
        positions=positions(),
        dealHistory=lambda p: history(*PAGED)({**p, "till": 1 << 62}),
    )
    assert find(venue, claim("add", BUY)) == NOT_ASKED


FAILURES: dict[str, Answer] = {
    "not connected": Reply(number=1, error=2),
    "not authorised": Reply(number=1, error=3),
    "no answer": Reply(number=1),
    "an object": {},
    "null": Reply(number=1, result="null"),
    "too short": [906, []],
    "no orders": [906, [], None, []],
    "a short row": [906, [], [["BTC-USD", 0, 0]], []],
    "a text for a number": [906, [], [order(client="501")], []],
    "cut off": Reply(number=1, result='[906,[],[["BTC'),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("method", ["positions", "dealHistory"])
def test_without_both_lists_the_venue_was_not_asked(name: str, method: str) -> None:
    """An error or an unreadable list proves nothing, least of all absence."""
    good: dict[str, Answer] = {"positions": positions(), "dealHistory": history()}
    venue = Venue(**{**good, method: FAILURES[name]})
    assert find(venue, claim("add", BUY)) == NOT_ASKED


def test_a_lookup_that_was_given_up_was_not_asked() -> None:
    """As long as answers are missing, the finding says so."""
    lookup = VENUE.orders.lookup(claim("add", BUY), SENT)
    assert lookup.finding() == NOT_ASKED
    lookup.answer(Reply(number=1, result=json.dumps(positions())))
    assert lookup.request() is not None
    assert lookup.finding() == NOT_ASKED


def test_answers_after_the_end_change_nothing() -> None:
    """A doubled answer to the last question is let pass."""
    lookup = VENUE.orders.lookup(claim("voiceTrade", {}), SENT)
    before = lookup.finding()
    lookup.answer(Reply(number=1, result="[]"))
    assert lookup.finding() == before
    assert lookup.request() is None


# The same client order id before and after.


def reused(*created: int, **change: Any) -> Venue:
    """Return a venue with filled orders of the same client order id."""
    rows = [order(2000 + n, created=SENT + at) for n, at in enumerate(created)]
    deals = [deal(900 + n, row, at=row[9], **change) for n, row in enumerate(rows)]
    return Venue(positions=positions(), dealHistory=history(*deals))


REUSED = {
    "long before": ((-10 * MINUTE,), None),
    "a minute before, which may be the clocks": ((-MINUTE,), "AMBIGUOUS"),
    "within the blur of the clocks": ((-1500,), 2000),
    "before and after": ((-MINUTE, 30), 2001),
    "just before and after": ((-400, 30), 2001),
    "several before, one after": ((-3 * MINUTE, -MINUTE, -300, 30), 2003),
    "twice after": ((30, 60), "AMBIGUOUS"),
    "twice just before": ((-400, -300), "AMBIGUOUS"),
}


@pytest.mark.parametrize("name", REUSED)
def test_only_what_came_after_the_claim_counts(name: str) -> None:
    """Where the clocks cannot tell which order is meant, nothing is claimed."""
    created, expected = REUSED[name]
    finding = find(reused(*created), claim("add", BUY))
    if expected is None:
        assert finding == NOTHING
    elif expected == "AMBIGUOUS":
        outcome, code, body = words(finding)
        assert (outcome, code) == ("UNRESOLVED", "AMBIGUOUS")
        assert len(body["orders"]) == len(created)
    else:
        assert words(finding)[2]["order"]["id"] == expected


def test_an_active_order_from_long_ago_is_not_taken_for_a_new_one() -> None:
    """It had the id before the request, which the venue then refused (74)."""
    row = order(created=SENT - 60 * MINUTE)
    venue = Venue(
        positions=positions(row), dealHistory=history(deal(905, row, left=8000000))
    )
    assert find(venue, claim("add", REST)) == NOTHING


def test_a_derived_id_is_ours_whatever_the_clocks_say() -> None:
    """No other command has it, so a clock that is minutes off costs nothing."""
    key = Key("finery.commands", "desk", "r-1")
    own = derived_id(key)
    row = order(created=SENT - 3 * MINUTE, client=own)
    deals = history(deal(905, row, at=SENT - 3 * MINUTE))
    venue = Venue(positions=positions(), dealHistory=deals)
    made = claim("add", BUY, order_id=own, key=key)
    assert words(find(venue, made))[1] == "DEALS_FOUND"


@pytest.mark.parametrize("change", [{"side": 1}, {"name": "ETH-USD"}])
def test_another_side_or_instrument_is_another_order(change: Mapping[str, Any]) -> None:
    """The venue rewrites neither, so such an order is somebody else's."""
    venue = Venue(positions=positions(order(**change)), dealHistory=history())
    assert find(venue, claim("add", REST)) == NOTHING


def test_the_time_of_the_claim_serves_where_the_sending_is_not_known() -> None:
    """A successor knows only when the claim was written."""
    made = claim("add", BUY, sent_ms=0)
    venue = Venue(positions=positions(), dealHistory=history())
    find(venue, made)
    assert venue.asked[1][1]["from"] == SENT - 5 - 5 * MINUTE


def test_a_claim_from_the_future_counts_from_now() -> None:
    """The clock of the worker that wrote it was ahead of ours."""
    venue = Venue(positions=positions(), dealHistory=history())
    find(venue, claim("add", BUY), now_ms=SENT - MINUTE)
    assert venue.asked[1][1]["from"] == SENT - 6 * MINUTE


# Other methods that make orders.

CLIENT = {**BUY, "clientId": 10}


def test_authorized_orders_are_looked_for_at_the_client_too() -> None:
    """A sub-account's deals are in the authorized history (5.1)."""
    venue = Venue(
        positions=positions(),
        dealHistory=history(),
        authorized__dealHistory=history(deal()),
    )
    assert words(find(venue, claim("authorized/add", CLIENT)))[1] == "DEALS_FOUND"
    assert venue.asked[2][1] == {
        "clientId": 10,
        "from": SENT - 5 * MINUTE,
        "limit": 250,
    }


def test_authorized_orders_without_a_trace() -> None:
    """All lists read, nothing in them, and the type never rests: no trace."""
    venue = Venue(
        positions=positions(), dealHistory=history(), authorized__dealHistory=history()
    )
    assert find(venue, claim("authorized/add", CLIENT)) == NOTHING


def test_resting_authorized_orders_cannot_be_denied() -> None:
    """No documented list shows a sub-account's active orders for certain."""
    venue = Venue(
        positions=positions(), dealHistory=history(), authorized__dealHistory=history()
    )
    made = claim("authorized/add", {**CLIENT, "type": "limit"})
    assert words(find(venue, made))[:2] == ("UNRESOLVED", "NOT_CONCLUSIVE")


def test_an_undocumented_list_that_is_refused_leaves_it_open() -> None:
    """Without the client's history nothing can be denied."""
    venue = Venue(positions=positions(), dealHistory=history())
    found = words(find(venue, claim("authorized/add", CLIENT)))
    assert found[:2] == ("UNRESOLVED", "NOT_CONCLUSIVE")


def test_an_undocumented_list_that_fails_for_now_is_asked_again() -> None:
    """A failure that may pass is no reason to give up."""
    venue = Venue(
        positions=positions(),
        dealHistory=history(),
        authorized__dealHistory=Reply(number=1, error=2),
    )
    assert find(venue, claim("authorized/add", CLIENT)) == NOT_ASKED


def test_a_list_of_pending_orders_that_fails_for_now_is_asked_again() -> None:
    """The order may be in it."""
    venue = Venue(
        positions=positions(),
        dealHistory=history(),
        pending__orders=Reply(number=1, error=10),
    )
    assert find(venue, claim("pending/add", PENDING)) == NOT_ASKED


PENDING = {k: v for k, v in BUY.items() if k not in {"type", "cod"}}
LISTS = {
    "a list of orders": [order(kind=7)],
    "two lists": [[], [order(kind=7)]],
    "orders of 14 elements": [[*order(kind=7), 1, "x", None]],
    "a bare order": order(kind=7),
}


@pytest.mark.parametrize("name", LISTS)
def test_pending_orders_are_found_in_any_list(name: str) -> None:
    """The layout of pending orders is unknown: feed O's is looked for (6.4)."""
    venue = Venue(
        positions=positions(), dealHistory=history(), pending__orders=LISTS[name]
    )
    assert words(find(venue, claim("pending/add", PENDING)))[1] == "ORDER_ACTIVE"


def test_no_pending_orders_at_all_is_conclusive() -> None:
    """An empty list hides nothing."""
    venue = Venue(positions=positions(), dealHistory=history(), pending__orders=[])
    assert find(venue, claim("pending/add", PENDING)) == NOTHING


@pytest.mark.parametrize(
    "answer", [{"orders": []}, [{"id": 1}], [1, 2], [["BTC-USD", 1]], "none"]
)
def test_pending_orders_of_another_form_deny_nothing(answer: Any) -> None:
    """What cannot be read may hold the order."""
    venue = Venue(positions=positions(), dealHistory=history(), pending__orders=answer)
    found = words(find(venue, claim("pending/add", PENDING)))
    assert found[:2] == ("UNRESOLVED", "NOT_CONCLUSIVE")


def test_deals_of_a_pending_order_count_whatever_the_list_looks_like() -> None:
    """Positive evidence needs no other list; the rest is told as not known."""
    venue = Venue(
        positions=positions(),
        dealHistory=history(deal(left=8000000, size=2000000)),
        pending__orders={"orders": []},
    )
    finding = find(venue, claim("pending/add", PENDING))
    _, code, body = words(finding)
    assert (code, body["order"]["active"]) == ("DEALS_FOUND", None)
    assert finding.result is not None
    assert "could not be read" in finding.result.text


def test_pending_orders_of_a_client() -> None:
    """The authorized form asks for the client's list."""
    venue = Venue(
        positions=positions(),
        dealHistory=history(),
        authorized__dealHistory=history(),
        pending__authorized__orders=[order(kind=7)],
    )
    made = claim("pending/authorized/add", {**PENDING, "clientId": 10})
    assert words(find(venue, made))[1] == "ORDER_ACTIVE"
    assert venue.asked[0] == ("pending/authorized/orders", {"clientId": 10})


def test_a_liquidation_is_found_by_its_deal() -> None:
    """It deals at once (6.5)."""
    venue = Venue(positions=positions(), dealHistory=history(deal()))
    made = claim("liquidationTrade", {**PENDING, "counterpartyId": 10})
    assert words(find(venue, made))[1] == "DEALS_FOUND"


# mod

MOD = {"orderId": 42, "clientOrderId": 502, "price": 6000200000000, "size": 10000000}


def test_a_replacement_that_is_active_is_done() -> None:
    """The old order is gone and the new one there (6.2)."""
    row = order(43, client=502, left=10000000)
    venue = Venue(positions=positions(row), dealHistory=history())
    outcome, code, body = words(find(venue, claim("mod", MOD)))
    assert (outcome, code, body["order"]["id"]) == ("DONE", "ORDER_ACTIVE", 43)
    assert body["origId"] == 42


def test_a_replacement_that_was_filled_is_done() -> None:
    """Its deals are its trace."""
    venue = Venue(
        positions=positions(), dealHistory=history(deal(of=order(43, client=502)))
    )
    assert words(find(venue, claim("mod", MOD)))[1] == "DEALS_FOUND"


def test_a_replacement_was_not_done_where_the_old_order_is_active() -> None:
    """The old order goes before the new one is placed, so nothing was executed."""
    venue = Venue(positions=positions(order(42, client=501)), dealHistory=history())
    outcome, code, body = words(find(venue, claim("mod", MOD)))
    assert (outcome, code) == ("NO_TRACE", "MOD_OLD_ACTIVE")
    assert body == {"origId": 42, "origActive": True, "origDeals": []}


def test_a_replacement_of_which_nothing_is_left() -> None:
    """The old order is not active any more, and there is no new one."""
    old = order(42, client=501, created=SENT - MINUTE)
    venue = Venue(positions=positions(), dealHistory=history(deal(900, old, left=0)))
    finding = find(venue, claim("mod", MOD))
    outcome, code, body = words(finding)
    assert (outcome, code) == ("NO_TRACE", "MOD_OLD_GONE")
    assert body == {"origId": 42, "origActive": False, "origDeals": [shown(900)]}
    assert finding.result is not None
    assert finding.result.text == (
        "the old order 42 is not active any more, the new one is neither active nor "
        "has it deals"
    )


def test_a_replacement_may_keep_the_client_order_id() -> None:
    """The old order is not taken for the new one, though it carries the same id."""
    old = order(42, client=502, created=SENT - 1000)
    venue = Venue(positions=positions(old), dealHistory=history(deal(900, old)))
    assert words(find(venue, claim("mod", MOD)))[1] == "MOD_OLD_ACTIVE"
    new = order(43, client=502)
    venue = Venue(positions=positions(new), dealHistory=history(deal(900, old)))
    assert words(find(venue, claim("mod", MOD)))[2]["order"]["id"] == 43


# del and delAll


def removal(venue: Venue, **params: Any) -> tuple[str, str, Any]:
    """Look up a `del`."""
    made = claim("del", params, order_id=0)
    return words(find(venue, made))


@pytest.mark.parametrize("name", ["orderId", "clientOrderId"])
def test_an_order_that_is_not_active_any_more_is_removed(name: str) -> None:
    """Whoever removed it: the answer says what is, and lists the deals."""
    row = order(1301, created=SENT - MINUTE)
    deals = deal(905, row, left=8000000, size=2000000, at=SENT - 100)
    venue = Venue(positions=positions(order(7, client=7)), dealHistory=history(deals))
    number = {"orderId": 1301, "clientOrderId": 501}[name]
    outcome, code, body = removal(venue, **{name: number})
    assert (outcome, code) == ("DONE", "NOT_ACTIVE")
    assert body == {name: number, "active": False, "deals": [shown(size=2000000)]}


@pytest.mark.parametrize("params", [{"orderId": 1301}, {"clientOrderId": 501}])
def test_an_order_that_is_still_active_was_not_removed(params: Any) -> None:
    """The cancel left no trace, and the order is still there."""
    row = order(1301, created=SENT - 100)
    venue = Venue(positions=positions(row), dealHistory=history())
    assert removal(venue, **params)[:2] == ("NO_TRACE", "STILL_ACTIVE")


def test_a_newer_order_with_the_same_client_order_id_proves_nothing() -> None:
    """It may have taken over the id; only a much newer one surely has."""
    near = Venue(positions=positions(order(created=SENT + MINUTE)))
    near.answers["dealHistory"] = history()
    assert removal(near, clientOrderId=501)[:2] == ("UNRESOLVED", "AMBIGUOUS")
    far = Venue(positions=positions(order(created=SENT + 6 * MINUTE)))
    far.answers["dealHistory"] = history()
    assert removal(far, clientOrderId=501)[1] == "NOT_ACTIVE"


@pytest.mark.parametrize("params", [{}, {"orderId": 1, "clientOrderId": 2}])
def test_a_removal_that_names_not_exactly_one_order(params: Any) -> None:
    """Exactly one of the two ids names the order (6.3): else nothing can be asked."""
    assert removal(Venue(), **params)[:2] == ("UNRESOLVED", "NO_LOOKUP")


LEFT: dict[str, tuple[Any, tuple[Row, ...], tuple[str, str]]] = {
    "nothing": ({}, (), ("DONE", "NONE_LEFT")),
    "an older one": ({}, (order(created=SENT - 9000),), ("NO_TRACE", "ORDERS_LEFT")),
    "a newer one": ({}, (order(created=SENT + 9000),), ("DONE", "NONE_LEFT")),
    "one of about then": ({}, (order(),), ("UNRESOLVED", "AMBIGUOUS")),
    "an older and a newer one": (
        {},
        (order(created=SENT + 9000), order(created=SENT - 9000)),
        ("NO_TRACE", "ORDERS_LEFT"),
    ),
    "an older one of another instrument": (
        {"instrument": "ETH-USD"},
        (order(created=SENT - 9000),),
        ("DONE", "NONE_LEFT"),
    ),
    "an older one of this instrument": (
        {"instrument": "BTC-USD"},
        (order(created=SENT - 9000),),
        ("NO_TRACE", "ORDERS_LEFT"),
    ),
    "an older pending one": (
        {},
        (order(kind=7, created=SENT - 9000),),
        ("DONE", "NONE_LEFT"),
    ),
    "an unknown filter": ({"instrument": 4955410050}, (), ("UNRESOLVED", "NO_LOOKUP")),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_after_removing_all(name: str) -> None:
    """Orders of the filter from before the request must be gone (6.3)."""
    params, orders, expected = LEFT[name]
    venue = Venue(positions=positions(*orders))
    assert words(find(venue, claim("delAll", params)))[:2] == expected


def test_newer_orders_are_listed() -> None:
    """That no older one is left is told with the newer ones that are there."""
    venue = Venue(positions=positions(order(9, created=SENT + 9000)))
    finding = find(venue, claim("delAll", {}))
    assert words(finding)[2] == {"active": [9]}
    assert finding.result is not None
    assert finding.result.text == (
        "no order from before the request is active, by the venue's clock; 1 newer "
        "ones are"
    )


@pytest.mark.parametrize("method", ["pending/del", "pending/delAll"])
def test_cancels_of_pending_orders_ask_their_list(method: str) -> None:
    """A list in a form that is not known denies nothing."""
    params = {"orderId": 1301} if method.endswith("del") else {}
    row = order(1301, kind=7, created=SENT - 9000)
    for answer, expected in (
        ([], "DONE"),
        ([row], "NO_TRACE"),
        ({"orders": []}, "UNRESOLVED"),
    ):
        venue = Venue(pending__orders=answer, dealHistory=history())
        assert words(find(venue, claim(method, params)))[0] == expected


def test_cancels_of_a_clients_pending_orders() -> None:
    """The client's list and the client's deals are asked for."""
    venue = Venue(pending__authorized__orders=[])
    made = claim("pending/authorized/del", {"orderId": 1301, "clientId": 10})
    _, code, body = words(find(venue, made))
    assert (code, body["deals"]) == ("NOT_ACTIVE", None)
    assert [method for method, _ in venue.asked] == [
        "pending/authorized/orders",
        "authorized/dealHistory",
    ]


# Limits and all else.

SET = {"counterpartyId": 4, "currency": "EUR", "grossLimit": 15000000000000}
NEW_LIMIT = {
    "counterpartyId": 4,
    "tradingPermissions": {"ownTradingEnabled": True, "mutualTradingEnabled": True},
    "ownLimit": {
        "grossLimit": 15000000000000,
        "asset": "EUR",
        "limitUtilization": 0,
        "equity": 0,
        "maintenanceMargin": 1000,
        "restrictedTrading": 1500,
        "initialMargin": 2000,
    },
}
MUTUAL = {"counterpartyId": 4, "mutualLimit": {"grossLimit": 1, "asset": "USD"}}
MIDDLE = [4, "EUR", 15000000000000, None, None, 0, 1000, 1500, 2000, 0, 70, 0]
OLD = ["EUR", 5, 15000000000000, 0, 0, 0, 4, 70]
MARGINS = {"maintenaceMargin": 1000, "restrictedTrading": 1500, "initialMargin": 2000}

LIMITS: dict[str, tuple[Any, Any, str]] = {
    "new": (SET, [MUTUAL, {**NEW_LIMIT}], "LIMIT_AS_ASKED"),
    "new with margins": ({**SET, **MARGINS}, [NEW_LIMIT], "LIMIT_AS_ASKED"),
    "middle with markup": ({**SET, "takerMarkup": 70}, [MIDDLE], "LIMIT_AS_ASKED"),
    "old with net": ({**SET, "netLimit": 5}, [OLD], "LIMIT_AS_ASKED"),
    "none": (SET, [], "LIMIT_DIFFERS"),
    "another's": (SET, [{**NEW_LIMIT, "counterpartyId": 5}], "LIMIT_DIFFERS"),
    "only theirs": (SET, [MUTUAL], "LIMIT_DIFFERS"),
    "another amount": ({**SET, "grossLimit": 1}, [NEW_LIMIT], "LIMIT_DIFFERS"),
    "another currency": ({**SET, "currency": "USD"}, [OLD], "LIMIT_DIFFERS"),
    "another margin": ({**SET, "initialMargin": 1}, [MIDDLE], "LIMIT_DIFFERS"),
    "a margin not shown": ({**SET, "initialMargin": 1}, [OLD], "NO_LOOKUP"),
    "a currency by id": ({**SET, "currency": 4725}, [NEW_LIMIT], "NO_LOOKUP"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_as_asked_or_not(name: str) -> None:
    """There is one limit a counterparty, so the list tells what is (4.5, 8)."""
    params, rows, expected = LIMITS[name]
    assert words(find(Venue(climits=rows), claim("setCLimit", params)))[1] == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "NO_LIMIT"),
        ([MUTUAL], "NO_LIMIT"),
        ([[4, "USD", 0, None, None, 0, 0, 0, 0, 0, 0, 0]], "NO_LIMIT"),
        ([NEW_LIMIT], "LIMIT_STILL_SET"),
        ([OLD], "LIMIT_STILL_SET"),
    ],
)
def test_a_limit_is_gone_or_not(rows: Any, expected: str) -> None:
    """A limit of 0 and none at all look alike in the older eras."""
    found = words(find(Venue(climits=rows), claim("delCLimit", {"counterpartyId": 4})))
    assert found[1] == expected


@pytest.mark.parametrize(
    "rows", [{}, [1], [{"ownLimit": {}}], [{**MUTUAL, "ownLimit": 1}]]
)
def test_limits_that_cannot_be_read_say_nothing(rows: Any) -> None:
    """An unreadable list was not asked for."""
    assert find(Venue(climits=rows), claim("setCLimit", SET)) == NOT_ASKED


KNOWN = {
    *("add", "authorized/add", "pending/add", "pending/authorized/add"),
    *("liquidationTrade", "mod", "del", "pending/del", "pending/authorized/del"),
    *("delAll", "pending/delAll", "pending/authorized/delAll"),
    *("setCLimit", "delCLimit"),
}


@pytest.mark.parametrize("method", [*sorted(set(METHODS) - KNOWN), "somethingNew"])
def test_what_no_list_can_tell_is_unresolved(method: str) -> None:
    """Without a documented list and an unambiguous key a person must look."""
    finding = find(Venue(), claim(method, {"counterpartyId": 4}))
    assert words(finding)[:2] == ("UNRESOLVED", "NO_LOOKUP")
    assert finding.result is not None
    assert finding.result.evidence is Evidence.LOCAL


@pytest.mark.parametrize("request_text", ["", "[]", "{", "null"])
@pytest.mark.parametrize("method", sorted(KNOWN))
def test_a_claim_that_cannot_be_read_ends_well(method: str, request_text: str) -> None:
    """A claim of another version is looked up as far as it goes, and never raises."""
    venue = Venue(positions=positions(), dealHistory=history(), climits=[])
    finding = find(venue, claim(method, {}, request=request_text))
    assert finding.asked in {True, False}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=30,
)


@given(st.sampled_from(sorted(KNOWN)), st.lists(JSON, max_size=6))
def test_no_answer_raises_or_is_taken_for_a_trace(
    method: str, answers: list[Any]
) -> None:
    """Whatever comes back, the lookup ends in a finding and never in a rejection."""
    lookup = VENUE.orders.lookup(claim(method, {**MOD, **BUY, **SET}), SENT)
    for answer in answers:
        if lookup.request() is None:
            break
        lookup.answer(Reply(number=1, result=json.dumps(answer)))
    result = lookup.finding().result
    assert result is None or result.outcome is not Outcome.REJECTED
