"""The judge of `demo --orders`: responses beside the simulator's own ledger.

It knows nothing of how the bridge works: only what was sent, what stands in the
response topic, and what the venue did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from bridge.client import Outcome, Phase, Response
from bridge.verbs.demo_mix import Asked

ORDER_MAKING = frozenset({"add", "mod", "pending/add"})
CANCELLING = frozenset({"del", "delAll"})
READS = frozenset({"instruments", "positions", "climits", "dealHistory", "book"})
NOTHING_SENT = frozenset({Outcome.REFUSED, Outcome.EXPIRED})
MOST_SHOWN = 20

Entry = Mapping[str, Any]
Place = tuple[int, int]


class Sent(NamedTuple):
    """A command as it lies in the command topic."""

    asked: Asked
    req_id: str
    place: Place


class Venue(NamedTuple):
    """What the simulator's ledger says about the demo's two accounts."""

    requests: Sequence[Entry]
    orders: Sequence[Entry]

    def asked_with(self) -> Mapping[int, list[Entry]]:
        """Return the requests that make orders, by client order id."""
        found = defaultdict(list)
        for entry in self.requests:
            if entry["method"] in ORDER_MAKING:
                found[entry["clientOrderId"] or 0].append(entry)
        return found

    def placed_with(self) -> Mapping[int, list[Entry]]:
        """Return the orders that were executed or booked, by client order id."""
        found = defaultdict(list)
        for entry in self.orders:
            found[entry["client_id"]].append(entry)
        return found


def judge(
    sent: Sequence[Sent], responses: Iterable[Response], venue: Venue
) -> dict[str, Any]:
    """Return the verdict, JSON-ready; `problems` is empty only if all of it holds."""
    finals, corrections = _finals(responses)
    problems = [f"a correction of {place}" for place in corrections]
    problems += _one_final_each(sent, finals)
    first = {place: found[0] for place, found in finals.items()}
    problems += _orders(sent, first, venue)
    problems += _cancels(sent, first, venue)
    problems += _repeats(sent, first)
    problems += _answered(sent, first)
    outcomes = Counter(_name(final) for final in first.values())
    return {
        "commands": len(sent),
        "finals": sum(map(len, finals.values())),
        "outcomes": dict(sorted(outcomes.items())),
        "codes": dict(sorted(Counter(f.code for f in first.values()).items())),
        "orders_at_venue": len(venue.orders),
        "problems": len(problems),
        "first_problems": problems[:MOST_SHOWN],
    }


def _finals(
    responses: Iterable[Response],
) -> tuple[dict[Place, list[Response]], list[Place]]:
    finals: dict[Place, list[Response]] = defaultdict(list)
    corrections = []
    for response in responses:
        place = response.partition, response.command_offset
        if response.phase is Phase.FINAL:
            finals[place].append(response)
        elif response.phase is Phase.CORRECTION:
            corrections.append(place)
    return finals, corrections


def _one_final_each(
    sent: Sequence[Sent], finals: Mapping[Place, list[Response]]
) -> list[str]:
    """Every command has one final response, and every final response a command."""
    ids = {one.place: one.req_id for one in sent}
    found = [
        f"{_words(one)}: {len(finals.get(one.place, ()))} final responses"
        for one in sent
        if len(finals.get(one.place, ())) != 1
    ]
    for place, responses in finals.items():
        if ids.get(place) != responses[0].req_id:
            found.append(f"{responses[0].req_id}: a final response to no command")
    return found


def _orders(
    sent: Sequence[Sent], finals: Mapping[Place, Response], venue: Venue
) -> list[str]:
    """DONE if and only if the venue has the order; no id was executed twice."""
    asked, placed = venue.asked_with(), venue.placed_with()
    found = [
        f"clientOrderId {number}: {len(entries)} orders at the venue"
        for number, entries in placed.items()
        if len(entries) > 1 or not number
    ]
    found += [
        f"clientOrderId {number}: asked {len(entries)} times"
        for number, entries in asked.items()
        if len(entries) > 1 or not number
    ]
    claimed: set[int] = set()
    for one in sent:
        final = finals.get(one.place)
        if final is None or one.asked.kind == "repeat":
            continue
        if one.asked.method in ORDER_MAKING:
            number = _client_order_id(one, final)
            claimed.add(number)
            wrong = _untrue(final, asked.get(number, []), placed.get(number, []))
            found += [f"{_words(one)}: {_name(final)}, but {text}" for text in wrong]
    found += [
        f"clientOrderId {number}: an order of no command"
        for number in placed.keys() - claimed
    ]
    return found


def _untrue(final: Response, asked: list[Entry], placed: list[Entry]) -> list[str]:
    """Say what the venue's ledger holds against a response."""
    if final.outcome is Outcome.DONE:
        if len(placed) != 1:
            return ["the venue has no such order"]
        order_id = (final.result or {}).get("orderId")
        same = order_id == placed[0]["id"]
        return [] if same else [f"its order is {placed[0]['id']}, not {order_id}"]
    found = ["the venue has the order"] if placed else []
    if final.outcome in NOTHING_SENT and asked:
        found.append("something was sent")
    if final.outcome is Outcome.REJECTED:
        errors = [entry["error"] for entry in asked]
        said = final.venue_error.number if final.venue_error else None
        if errors != [said]:
            found.append(f"the venue answered {errors}, not {said}")
    return found


def _cancels(
    sent: Sequence[Sent], finals: Mapping[Place, Response], venue: Venue
) -> list[str]:
    """As many cancels were executed, and rejected, as the responses say."""
    said: Counter[tuple[str, str, bool]] = Counter()
    for one in sent:
        final = finals.get(one.place)
        if one.asked.method not in CANCELLING or one.asked.kind == "repeat":
            continue
        if final is not None and final.outcome in {Outcome.DONE, Outcome.REJECTED}:
            done = final.outcome is Outcome.DONE
            said[one.asked.method, _canonical(one.asked.content), done] += 1
    did: Counter[tuple[str, str, bool]] = Counter()
    for entry in venue.requests:
        if entry["method"] in CANCELLING:
            done = entry["decision"] == "executed"
            did[entry["method"], _canonical(entry["content"]), done] += 1
    return [
        f"{method} {content}: {said[method, content, done]} responses and"
        f" {did[method, content, done]} at the venue with done={done}"
        for method, content, done in sorted(said.keys() | did.keys())
        if said[method, content, done] != did[method, content, done]
    ]


def _repeats(sent: Sequence[Sent], finals: Mapping[Place, Response]) -> list[str]:
    """A repeat has the outcome of the first command with its reqId, and names it."""
    firsts: dict[tuple[str, str], Sent] = {}
    for one in sorted(sent, key=lambda one: one.place):
        firsts.setdefault((one.asked.account, one.req_id), one)
    found = []
    for one in sent:
        first = firsts[one.asked.account, one.req_id]
        mine, theirs = finals.get(one.place), finals.get(first.place)
        if first is one or mine is None or theirs is None:
            continue
        # Where nothing was claimed, there may be nothing to refer to.
        harmless = theirs.outcome in NOTHING_SENT or one.asked.method in READS
        named = {first.place[1], None} if harmless else {first.place[1]}
        if mine.outcome is not theirs.outcome or mine.repeat_of not in named:
            found.append(
                f"{_words(one)}: {_name(mine)}, repeat of {mine.repeat_of}; the first"
                f" at {first.place[1]} ended {_name(theirs)}"
            )
    return found


def _answered(sent: Sequence[Sent], finals: Mapping[Place, Response]) -> list[str]:
    """What must not be sent was not, and a venue without faults leaves no doubt."""
    wanted = {
        "expired": {Outcome.EXPIRED},
        "bad content": {Outcome.REFUSED},
        "beyond policy": {Outcome.REFUSED},
        "del unknown": {Outcome.REJECTED, Outcome.REFUSED},
        "read": {Outcome.DONE},
    }
    usual = {Outcome.DONE, Outcome.REJECTED, Outcome.REFUSED, Outcome.EXPIRED}
    return [
        f"{_words(one)}: {_name(final)} {final.code}"
        for one in sent
        if (final := finals.get(one.place)) is not None
        and final.outcome not in wanted.get(one.asked.kind, usual)
    ]


def _client_order_id(one: Sent, final: Response) -> int:
    """Return the id that was asked for, or else the one that the response names."""
    content = one.asked.content
    own = content.get("clientOrderId") if isinstance(content, Mapping) else None
    return own or final.client_order_id or -one.place[1] - 1


def _canonical(content: object) -> str:
    fields = content if isinstance(content, Mapping) else {}
    kept = {name: value for name, value in fields.items() if value is not None}
    return msgspec.json.encode(kept, order="sorted").decode()


def _name(final: Response) -> str:
    return final.outcome.name if final.outcome is not None else "NOTHING"


def _words(one: Sent) -> str:
    return f"{one.asked.kind} {one.asked.method} {one.req_id}"
