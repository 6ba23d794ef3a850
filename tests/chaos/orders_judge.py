"""The judge of the order path: the two topics of the log beside the venue's ledger.

It shares no code with what it judges: it reads Avro with a generic reader, and knows
only the public schemas and the documented rule for derived client order ids. Requests
at the venue are laid at the command that carries what they carry: the client order id,
the order to cancel, or the instrument to clear.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.chaos.orders_log import READS, Command, Place, Response, Target

Entry = Mapping[str, Any]
RESTS = frozenset({0, 1})  # the ledger's order types that stay in the book
WITH_CONNECTION = 4  # its reason for a cancel by the end of a connection
NOTHING_SENT = frozenset({"REFUSED", "EXPIRED"})


class Freeze(NamedTuple):
    """A worker stood still between two moments (Unix ms)."""

    worker: str
    from_ms: int
    to_ms: int


class Limits(NamedTuple):
    """How long a claim allows to send, and how long bytes may travel after that."""

    lifetime_ms: int
    settle_ms: int


class Evidence(NamedTuple):
    """All that is judged."""

    commands: Sequence[Command]
    responses: Sequence[Response]
    ledger: Sequence[Entry]
    freezes: Sequence[Freeze] = ()
    limits: Limits = Limits(1_000, 3_500)


class Court:
    """Everything by command, and then one rule after the other."""

    def __init__(self, evidence: Evidence) -> None:
        """Sort the evidence; `problems` stays empty only if every rule holds."""
        self.problems: list[str] = []
        self.excused: list[str] = []
        self.commands = {one.place: one for one in evidence.commands}
        self.firsts = _firsts(evidence.commands)
        self.finals: dict[Place, list[Response]] = defaultdict(list)
        self.claims: dict[Place, Response] = {}
        self.corrections: list[Response] = []
        self.book = Book(evidence.ledger)
        self._evidence = evidence
        for response in evidence.responses:
            self._sort(response)
        self.asked = self._lay_requests()

    def _sort(self, response: Response) -> None:
        if response.phase == "FINAL":
            self.finals[response.place].append(response)
        elif response.phase == "CLAIMED":
            self.claims.setdefault(response.place, response)
        elif response.phase == "CORRECTION":
            self.corrections.append(response)
        command = self.commands.get(response.place)
        if command is None or command.req_id != response.req_id:
            self.problems.append(f"{response.words}: there is no such command")

    def _lay_requests(self) -> dict[Place, list[Entry]]:
        """Lay each request at the last command before it that carries the same."""
        carriers: dict[Target, list[Command]] = defaultdict(list)
        for one in sorted(self.commands.values(), key=lambda c: (c.at_ms, c.place)):
            known = carriers[one.target] if one.target else []
            if one.target and one.key not in {other.key for other in known}:
                known.append(one)
        found: dict[Place, list[Entry]] = defaultdict(list)
        for entry in self._evidence.ledger:
            if entry["kind"] != "request" or entry["method"] in READS:
                continue
            known = carriers.get(_target(entry), [])
            index = bisect_right([one.at_ms for one in known], entry["wall_ms"])
            if index:
                found[known[index - 1].place].append(entry)
            else:
                self.problems.append(f"{_told(entry)}: the request of no command")
        return found

    def judge(self) -> None:
        """Hold every rule against the evidence."""
        for command in self.commands.values():
            finals = self.finals.get(command.place)
            if not finals:
                self.problems.append(f"{command.words}: no final response")
                continue
            self._differing(command, finals)
            self._once(command)
            first = self.firsts[command.key]
            if first is command or command.method in READS:
                self._truth(command, finals[0])
            else:
                self._repeat(command, finals[0], first)
        for correction in self.corrections:
            self._correction(correction)
        self._orders()

    def _differing(self, command: Command, finals: Sequence[Response]) -> None:
        """The first final binds; a later one says the same, or is true as well.

        A cancel that the venue refused and an order found gone are both true. What a
        repeat says is its first one's outcome, and never another.
        """
        asked = self.asked.get(command.place, [])
        repeat = self.firsts[command.key] is not command
        for other in finals[1:]:
            if _said(other) == _said(finals[0]):
                continue
            if repeat or _untrue(command, other, asked, self.book):
                both = f"{finals[0].outcome} and then {other.outcome}"
                self.problems.append(f"{command.words}: finals differ: {both}")

    def _once(self, command: Command) -> None:
        asked = self.asked.get(command.place, [])
        if len(asked) > 1:
            what = ", ".join(_told(entry) for entry in asked)
            self.problems.append(f"{command.words}: sent {len(asked)} times: {what}")

    def _truth(self, command: Command, final: Response) -> None:
        asked = self.asked.get(command.place, [])
        wrong = _untrue(command, final, asked, self.book)
        if wrong is None:
            return
        text = f"{command.words}: {final.outcome} {final.code}, but {wrong}"
        excused = any(self._window(command, entry) for entry in asked)
        (self.excused if excused else self.problems).append(text)

    def _repeat(self, command: Command, final: Response, first: Command) -> None:
        """A repeat is never sent, and ends as the first one did."""
        if self.asked.get(command.place):
            self.problems.append(f"{command.words}: a repeat was sent")
        told = self.finals.get(first.place)
        said = (final.outcome, final.repeat_of)
        if told and said != (told[0].outcome, first.place.offset):
            self.problems.append(
                f"{command.words}: {final.outcome}, repeat of {final.repeat_of}; the "
                f"first at {first.place.offset} ended {told[0].outcome}"
            )

    def _correction(self, correction: Response) -> None:
        command = self.commands.get(correction.place)
        asked = self.asked.get(correction.place, [])
        text = f"{correction.words}: corrected to {correction.outcome}"
        shown = command and any(self._window(command, entry) for entry in asked)
        (self.excused if shown else self.problems).append(text)

    def _window(self, command: Command, request: Entry) -> bool:
        """Tell whether its sender froze before the write, longer than all waits."""
        claim = self.claims.get(command.place)
        if claim is None or claim.claimed_ms is None:
            return False
        life, settle = self._evidence.limits
        return any(
            claim.claimed_ms <= one.from_ms <= claim.claimed_ms + life
            and one.to_ms - one.from_ms > life + settle
            and request["wall_ms"] >= one.to_ms
            for one in self._evidence.freezes
            if one.worker == claim.worker
        )

    def _orders(self) -> None:
        """No client order id was ever booked twice, or without a command."""
        known = {one.target for one in self.commands.values()}
        for number, count in self.book.booked.items():
            if ("order", number) not in known:
                self.problems.append(f"order {number}: of no command")
            if count > 1:
                self.problems.append(f"order {number}: {count} times in the book")


class Book:
    """The orders of the ledger: when each came, and when and why it went."""

    def __init__(self, ledger: Iterable[Entry]) -> None:
        """Read all entries."""
        self.booked: Counter[int] = Counter()
        self._orders: list[Entry] = []
        self._gone: dict[int, Entry] = {}
        for entry in ledger:
            if entry["kind"] == "order":
                self.booked[entry["client_id"]] += 1
                self._orders.append(entry)
            elif entry["kind"] == "cancel":
                self._gone[entry["id"]] = entry

    def live(self, target: Target, at_ms: int) -> list[int]:
        """Return the orders that a cancel of `target` should have met before then."""
        return [
            order["id"]
            for order in self._orders
            if order["type"] in RESTS
            and _meets(target, order)
            and order["wall_ms"] <= at_ms
            and not self._gone_by(order["id"], at_ms)
        ]

    def went_with_connection(self, client_id: int, at_ms: int) -> bool:
        """Tell whether its connection took the order along before then, undealt."""
        ids = [o["id"] for o in self._orders if o["client_id"] == client_id]
        ends = [self._gone[n] for n in ids if self._gone_by(n, at_ms)]
        return any(
            end["reason"] == WITH_CONNECTION and end["left"] == end["initial"]
            for end in ends
        )

    def _gone_by(self, number: int, at_ms: int) -> bool:
        end = self._gone.get(number)
        return end is not None and end["wall_ms"] <= at_ms


def _said(final: Response) -> tuple[str | None, str]:
    return final.outcome, final.code


def _firsts(commands: Sequence[Command]) -> dict[tuple[str, str], Command]:
    found: dict[tuple[str, str], Command] = {}
    for one in sorted(commands, key=lambda c: c.place):
        found.setdefault(one.key, one)
    return found


def _target(entry: Entry) -> Target:
    content = entry["content"] if isinstance(entry["content"], dict) else {}
    if entry["method"] in {"add", "mod"}:
        return "order", entry["clientOrderId"]
    if entry["method"] == "del":
        name = "orderId" if "orderId" in content else "clientOrderId"
        return f"del {name}", content.get(name)
    return entry["method"], content.get("instrument")


def _meets(target: Target, order: Entry) -> bool:
    kind, what = target
    names = {"del orderId": "id", "del clientOrderId": "client_id"}
    return bool(order[names.get(kind, "instrument")] == what)


def _untrue(
    command: Command, final: Response, asked: Sequence[Entry], book: Book
) -> str | None:
    """Return what is wrong with a final response; None if it is the truth."""
    if command.method in READS:
        usual = {"DONE", "REJECTED", *NOTHING_SENT}
        return None if final.outcome in usual else "it is a read"
    done = [entry for entry in asked if entry["decision"] == "executed"]
    if final.outcome in NOTHING_SENT:
        return f"the venue saw {_told(asked[0])}" if asked else None
    if final.outcome == "DONE":
        return None if done else _not_done(command, final, book)
    if final.outcome == "REJECTED":
        errors = {entry["error"] for entry in asked if entry["decision"] == "refused"}
        return None if final.error in errors else f"the venue refused {errors or None}"
    if final.outcome == "NO_TRACE":
        return _traced(command, final, done, book)
    return "a person would have to look"


def _not_done(command: Command, final: Response, book: Book) -> str | None:
    """A cancel found by looking is done if nothing is left, whoever removed it."""
    cancels = command.method in {"del", "delAll"} and final.evidence == "RECONCILED"
    if not cancels or command.target is None:
        return "the venue never executed it"
    left = book.live(command.target, final.at_ms)
    return f"{left} are still active" if left else None


def _traced(
    command: Command, final: Response, done: Sequence[Entry], book: Book
) -> str | None:
    """What was executed leaves no trace only where its connection took it along."""
    if not done:
        return None
    makes = command.target is not None and command.target[0] == "order"
    if makes and book.went_with_connection(done[0]["clientOrderId"], final.at_ms):
        return None
    return f"the venue executed {_told(done[0])}"


def _told(entry: Entry) -> str:
    return f"{entry['method']} {_target(entry)[1]} ({entry['decision']})"
