"""A small world for `Claims`: processes, one log, one venue, and everything goes wrong.

`World.moves` lists what may happen next; `World.do` does one of them. The world knows
the truth (what the venue was sent, what it did) and checks promises as it goes; `calm`
lets everything come to rest, and `judge` compares the log with the truth.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bridge.core.claims import Claims, Limits
from bridge.core.model import Now
from bridge.core.orders import (
    Act,
    Append,
    Claim,
    Command,
    Commit,
    Entry,
    Evidence,
    Finding,
    Issue,
    Key,
    Kind,
    Lane,
    Outcome,
    Phase,
    Refused,
    Resolve,
    Result,
)

MS = 1_000_000
EPOCH_NS = 1_790_000_000_000 * MS
LIMITS = Limits()
# The bytes of a request travel for less than the settling time.
TRAVEL_MS = (0, LIMITS.settle_ms - 1, 4_000, LIMITS.settle_ms - 1)
STEPS_MS = (1, 400, 2_900, 7_200, 9_700, 14_500, 125_000)
DEADLINES_MS = (2_000, 30_000, 500_000)
KEYS, MOST_SAID, MOST_PROCESSES = 3, 6, 3

Move = tuple[Any, ...]


def result(outcome: Outcome, evidence: Evidence, code: str = "") -> Result:
    """Return a result as short as it can be."""
    return Result(
        outcome=outcome, code=code or outcome.name, text="", evidence=evidence
    )


@dataclass
class Said:
    """What a sender put on the command topic; `fills` is what the venue will do."""

    key: Key
    offset: int
    read: bool
    fills: bool
    refused: bool
    not_after_ms: int
    received_ms: int

    def as_seen(self, *, refuse: bool) -> Command | Refused:
        """Return what a worker makes of it, which may have reasons to refuse it."""
        if self.refused or refuse:
            return Refused(
                key=self.key,
                partition=0,
                offset=self.offset,
                method="add",
                code="NOT_CONNECTED",
                text="",
                received_ms=self.received_ms,
            )
        return Command(
            key=self.key,
            partition=0,
            offset=self.offset,
            method="book" if self.read else "add",
            kind=Kind.READ if self.read else Kind.ORDER,
            lane=Lane.QUERY if self.read else Lane.NEW,
            params={},
            order_id=self.offset + 1,
            needs_claim=not self.read,
            not_after_ms=self.not_after_ms,
            received_ms=self.received_ms,
        )


@dataclass
class Shelf:
    """One assignment in one process: its claims, and how far it has read."""

    claims: Claims
    epoch: str
    journal_end: int
    offset: int
    read: int = 0
    caught_up: bool = False
    revoked: bool = False
    learned: set[int] = field(default_factory=set)


@dataclass
class Flight:
    """A request on its way to the venue, and its answer on the way back."""

    shelf: Shelf
    command: Command
    arrives_ns: int
    state: str = "outbound"
    given_up: bool = False


@dataclass
class Process:
    """A worker process with clocks of its own."""

    name: str
    mono_ns: int
    wall_ns: int
    online: bool = True
    slow: bool = False
    shelf: Shelf | None = None
    witnesses: list[Shelf] = field(default_factory=list)
    issues: list[tuple[Shelf, Issue]] = field(default_factory=list)
    armed: tuple[Shelf, Issue] | None = None
    flights: list[Flight] = field(default_factory=list)
    asks: list[tuple[Shelf, Claim]] = field(default_factory=list)
    findings: list[tuple[Shelf, Key, Finding]] = field(default_factory=list)

    def shelves(self) -> list[Shelf]:
        """Return all assignments that it still knows of."""
        return [*self.witnesses, *([self.shelf] if self.shelf else [])]


class World:
    """All of it, and the truth."""

    def __init__(self, processes: int = 2, skew_ms: int = 0) -> None:
        """Start `processes` of them, all of which believe that they own the log."""
        self.ns = 0
        self.log: list[Entry] = []
        self.finals: dict[int, Entry] = {}
        self.appends: list[tuple[Process, Entry]] = []
        self.said: list[Said] = []
        self.committed = 0
        self.sends: Counter[Key] = Counter()
        self.sent: set[int] = set()
        self.executed: dict[int, int] = {}
        self.claimed_ns: dict[tuple[str, int], int] = {}
        self.looked: set[int] = set()
        self.excused: set[int] = set()
        self.outbound: list[Flight] = []
        self.skew_ms = skew_ms
        self.epochs = 0
        self.processes: list[Process] = []
        self.seen: Counter[str] = Counter()
        for _ in range(processes):
            self.start()
            self.assign(len(self.processes) - 1, 0)

    # Moves.

    def moves(self) -> list[Move]:
        """Return everything that may happen next, the likelier things more often."""
        moves: list[Move] = [("advance", ms) for ms in STEPS_MS]
        if len(self.said) < MOST_SAID:
            kind = len(self.said) * 5 % 6
            key = len(self.said) % KEYS
            moves += [("say", key, 0), ("say", key, 1), ("say", 0, kind)]
        if len(self.processes) < MOST_PROCESSES:
            moves.append(("start",))
        for n in range(min(len(self.appends), 2)):
            moves += [("land", n), ("land", n), ("lose", n, 0), ("lose", n, 1)]
        moves += [("arrive", n) for n in range(min(len(self.outbound), 2))]
        for n, process in enumerate(self.processes):
            busy = [("write", n)] * 3 if process.armed else self._moves_of(n, process)
            moves += [("crash", n), *busy]
        return moves

    def _moves_of(self, n: int, process: Process) -> list[Move]:
        moves: list[Move] = [("turn", n)] * 6
        moves += [("assign", n, len(self.log) % 2), ("tick", n)]
        moves += [("hurry", n)] if process.slow else [("stall", n)] * 2
        moves += [("cut", n)] if process.online else [("connect", n)] * 3
        if any(s.read < len(self.log) for s in process.shelves()):
            moves += [("read", n, 1), ("read", n, 99)]
        if process.shelf:
            more = process.shelf.offset < len(self.said)
            moves += [("revoke", n), *[("deliver", n, r) for r in (0, 0, 1) if more]]
        moves += [("check", n)] if process.issues else []
        moves += [("ask", n, 0), ("ask", n, 1)] if process.asks else []
        moves += [("found", n)] if process.findings else []
        for m, flight in enumerate(process.flights[:2]):
            moves += [] if flight.given_up else [("give_up", n, m)] * 2
            if flight.state == "answered":
                moves += [("reply", n, m), ("reply", n, m), ("lose_reply", n, m)]
        return moves

    def do(self, move: Move) -> None:
        """Let one thing happen."""
        name, *args = move
        self.seen[name] += 1
        getattr(self, name)(*args)

    def now(self, process: Process) -> Now:
        """Return the time as a process sees it."""
        return Now(
            EPOCH_NS + self.ns + process.wall_ns, 10**9 + self.ns + process.mono_ns
        )

    def advance(self, ms: int) -> None:
        """Let time pass; bytes under way arrive meanwhile, in their order."""
        end_ns = self.ns + ms * MS
        for flight in sorted(self.outbound, key=lambda f: f.arrives_ns):
            if flight.arrives_ns <= end_ns:
                self.ns = max(self.ns, flight.arrives_ns)
                self.arrive(self.outbound.index(flight))
        self.ns = end_ns

    def say(self, key: int, kind: int) -> None:
        """Put a command on the topic: an order that fills or not, a read, a bad one."""
        offset, now_ms = len(self.said), (EPOCH_NS + self.ns) // MS
        self.said.append(
            Said(
                key=Key("commands", "account", f"r{key}"),
                offset=offset,
                read=kind == 4,
                fills=kind != 1,
                refused=kind == 5,
                not_after_ms=now_ms + DEADLINES_MS[(kind + offset) % 3],
                received_ms=now_ms,
            )
        )

    # Processes.

    def start(self) -> None:
        """Start a process; its clock has nothing to do with the others'."""
        n = self.epochs + 1
        skew_ns = self.skew_ms * MS * (-1) ** n
        self.processes.append(Process(f"w{n}", n * 77_777_777_777, skew_ns))

    def crash(self, n: int) -> None:
        """Kill a process: all that it knew is gone, what it sent off is under way."""
        del self.processes[n]

    def assign(self, n: int, hint: int) -> None:
        """Give the partition to a process; nobody else need know that it lost it."""
        process = self.processes[n]
        self.revoke(n)
        self.epochs += 1
        epoch = f"e{self.epochs}"
        process.shelf = Shelf(
            Claims(process.name, epoch, LIMITS),
            epoch,
            len(self.log),
            self.committed if hint else 0,
        )
        self._caught_up(process, process.shelf)

    def revoke(self, n: int) -> None:
        """Take the partition away; the process goes on listening as a witness."""
        process = self.processes[n]
        if process.shelf is not None:
            process.shelf.claims.revoked()
            process.shelf.revoked = True
            process.witnesses.append(process.shelf)
            process.shelf = None

    def tick(self, n: int) -> None:
        """Let a process look at its clock."""
        process = self.processes[n]
        for shelf in process.shelves():
            self._carry_out(process, shelf, shelf.claims.tick(self.now(process)))

    def turn(self, n: int) -> None:
        """Let a process do all that it can do without waiting, but for the write."""
        process = self.processes[n]
        for _ in range(2):
            for append in [a for a in self.appends if a[0] is process]:
                self.land(self.appends.index(append))
            if not process.slow:
                self.read(n, len(self.log))
            if process.shelf and process.shelf.offset < len(self.said):
                self.deliver(n, 0)
            self.tick(n)
            self._look_up(n, process)
        if process.issues:
            self.check(n)

    def _look_up(self, n: int, process: Process) -> None:
        while process.asks:
            self.ask(n, 0)
        while process.findings:
            self.found(n)

    def deliver(self, n: int, refuse: int) -> None:
        """Hand the next command to a process."""
        process = self.processes[n]
        assert process.shelf is not None
        shelf = process.shelf
        said = self.said[shelf.offset].as_seen(refuse=bool(refuse))
        shelf.offset += 1
        self._carry_out(process, shelf, shelf.claims.command(said, self.now(process)))

    # The log.

    def land(self, n: int) -> None:
        """Let an append arrive in the log, whatever became of its writer."""
        _, entry = self.appends.pop(n)
        self.log.append(entry)
        if entry.phase is Phase.FINAL:
            self.finals.setdefault(entry.command_offset, entry)

    def lose(self, n: int, landed: int) -> None:
        """Report an append as failed; it may have arrived for all that."""
        process, entry = self.appends[n]
        if landed:
            self.land(n)
        else:
            del self.appends[n]
        for shelf in process.shelves():
            shelf.claims.lost(entry, self.now(process))

    def read(self, n: int, count: int) -> None:
        """Let a process read on."""
        process = self.processes[n]
        for shelf in process.shelves():
            for entry in self.log[shelf.read : shelf.read + count]:
                shelf.read += 1
                acts = shelf.claims.entry(entry, self.now(process))
                self._check_binding(shelf, entry)
                self._carry_out(process, shelf, acts)
                self._caught_up(process, shelf)

    def stall(self, n: int) -> None:
        """Let the log come late to a process."""
        self.processes[n].slow = True

    def hurry(self, n: int) -> None:
        """Let the log come at once again."""
        self.processes[n].slow = False

    def _caught_up(self, process: Process, shelf: Shelf) -> None:
        if not shelf.caught_up and shelf.read >= shelf.journal_end:
            shelf.caught_up = True
            acts = shelf.claims.caught_up(self.now(process))
            self._carry_out(process, shelf, acts)

    def _check_binding(self, shelf: Shelf, entry: Entry) -> None:
        if entry.phase is Phase.FINAL:
            bound = shelf.claims.binding(entry.command_offset)
            assert bound == self.finals[entry.command_offset].result, "not the first"

    def _carry_out(self, process: Process, shelf: Shelf, acts: list[Act]) -> None:
        for act in acts:
            if isinstance(act, Append):
                entry, ours = act.entry, shelf.epoch
                assert entry.epoch == ours
                assert not shelf.revoked or entry.phase is Phase.CORRECTION
                self.claimed_ns.setdefault((ours, entry.command_offset), self.ns)
                self.appends.append((process, entry))
            elif isinstance(act, Issue):
                process.issues.append((shelf, act))
            elif isinstance(act, Resolve):
                process.asks.append((shelf, act.claim))
            else:
                self._commit(act, shelf)

    def _commit(self, act: Commit, shelf: Shelf) -> None:
        read = self.log[: shelf.read]
        closed = {e.command_offset for e in read if e.phase is Phase.FINAL}
        assert set(range(act.offset)) <= closed, "committed without a final"
        self.committed = act.offset

    # The venue.

    def check(self, n: int) -> None:
        """Look at the lifetime, right before the write; a freeze may follow."""
        process = self.processes[n]
        shelf, issue = process.issues.pop(0)
        key, now = issue.command.key, self.now(process)
        claimed_ns = self.claimed_ns.get((shelf.epoch, issue.command.offset), self.ns)
        if self.ns < claimed_ns + LIMITS.lifetime_ms * MS:
            self.looked.add(issue.command.offset)
        if process.online and now.mono_ns < issue.not_after_ns:
            process.armed = (shelf, issue)
        else:
            refused = result(Outcome.REFUSED, Evidence.LOCAL, "NOT_CONNECTED")
            acts = shelf.claims.unsent(key, refused, now)
            self._carry_out(process, shelf, acts)

    def write(self, n: int) -> None:
        """Hand the bytes to the socket; nothing else ran in the process since."""
        process = self.processes[n]
        assert process.armed is not None
        shelf, issue = process.armed
        process.armed, command = None, issue.command
        if command.needs_claim:
            self.sends[command.key] += 1
            self.sent.add(command.offset)
            assert self.sends[command.key] == 1, f"sent twice: {command.key}"
        travel_ms = TRAVEL_MS[(command.offset + len(self.log)) % 4]
        flight = Flight(shelf, command, self.ns + travel_ms * MS)
        process.flights.append(flight)
        self.outbound.append(flight)
        acts = shelf.claims.sent(command.key, process.name, self.now(process))
        self._carry_out(process, shelf, acts)

    def arrive(self, n: int) -> None:
        """Let the venue read a request and do what it does."""
        flight = self.outbound.pop(n)
        flight.state = "answered"
        offset = flight.command.offset
        if not flight.command.needs_claim or not self.said[offset].fills:
            return
        self.executed[offset] = self.ns
        wait_ms = LIMITS.lifetime_ms + LIMITS.margin_ms + LIMITS.settle_ms
        claimed_ns = self.claimed_ns[flight.shelf.epoch, offset]
        late = self.ns >= claimed_ns + wait_ms * MS
        if late and offset in self.looked:
            self.excused.add(offset)  # frozen between the last look and the write

    def reply(self, n: int, m: int) -> None:
        """Let an answer arrive, in time or late."""
        process = self.processes[n]
        flight = process.flights.pop(m)
        offset, claims = flight.command.offset, flight.shelf.claims
        fills = self.said[offset].fills or not flight.command.needs_claim
        outcome = Outcome.DONE if fills else Outcome.REJECTED
        said = result(outcome, Evidence.REPLY)
        tell = claims.late if flight.given_up else claims.answered
        flight.shelf.learned.add(offset)
        acts = tell(flight.command.key, said, self.now(process))
        self._carry_out(process, flight.shelf, acts)

    def lose_reply(self, n: int, m: int) -> None:
        """Lose an answer; it was or will be given up."""
        if not self.processes[n].flights[m].given_up:
            self.give_up(n, m)
        del self.processes[n].flights[m]

    def give_up(self, n: int, m: int) -> None:
        """Stop waiting for an answer; it may still come."""
        process = self.processes[n]
        flight = process.flights[m]
        flight.given_up = True
        acts = flight.shelf.claims.doubt(
            flight.command.key, "no answer", self.now(process)
        )
        self._carry_out(process, flight.shelf, acts)

    def cut(self, n: int) -> None:
        """Lose the connection and all answers; the bytes may still arrive."""
        process = self.processes[n]
        process.online = False
        flights, process.flights = process.flights, []
        for flight in flights:
            if not flight.given_up:
                key, now = flight.command.key, self.now(process)
                acts = flight.shelf.claims.doubt(key, "connection lost", now)
                self._carry_out(process, flight.shelf, acts)

    def connect(self, n: int) -> None:
        """Connect anew."""
        self.processes[n].online = True

    def ask(self, n: int, patient: int) -> None:
        """Look a claim up; the venue shows what it has done so far."""
        process = self.processes[n]
        shelf, claim = process.asks.pop(0)
        if not process.online:
            finding = Finding(asked=False, final=False)
        elif claim.command_offset in self.executed:
            done = result(Outcome.DONE, Evidence.RECONCILED)
            finding = Finding(asked=True, result=done)
        else:
            finding = Finding(asked=True, final=not patient)
        process.findings.append((shelf, claim.key, finding))

    def found(self, n: int) -> None:
        """Let what was found arrive at whoever asked."""
        process = self.processes[n]
        shelf, key, finding = process.findings.pop(0)
        acts = shelf.claims.found(key, finding, self.now(process))
        self._carry_out(process, shelf, acts)

    # The end.

    def calm(self, rounds: int = 150) -> None:
        """Let all faults end and one worker go on, until every command is closed."""
        for n in range(len(self.processes)):
            if self.processes[n].armed:
                self.write(n)
            self.revoke(n) if n else None
            self.connect(n)
            self.hurry(n)
        if not self.processes:
            self.start()
        if self.processes[0].shelf is None:
            self.assign(0, 1)
        for _ in range(rounds):
            self._quiet_round()
            if len(self.finals) == len(self.said) and not self._busy():
                break
            self.advance(2_000)
        # What was learned last may contradict a final record: corrections take a while.
        for _ in range(2):
            self.advance(LIMITS.settle_ms)
            self._quiet_round()

    def _busy(self) -> bool:
        waiting = any(p.issues or p.flights or p.asks for p in self.processes)
        return waiting or bool(self.appends)

    def _quiet_round(self) -> None:
        while self.appends:
            self.land(0)
        for n, process in enumerate(self.processes):
            self.turn(n)
            while process.issues or process.armed:
                self.write(n) if process.armed else self.check(n)
            while self.outbound:
                self.arrive(0)
            while process.flights:
                self.reply(n, 0)

    def judge(self) -> None:
        """Compare every binding final record with the truth."""
        for said in self.said:
            final = self.finals.get(said.offset)
            assert final is not None, f"no final record for {said.offset}"
            assert final.result is not None
            if final.repeat_of is not None:
                self._judge_repeat(said, final)
            elif not said.read:
                self._judge_order(said, final.result.outcome)
            else:
                assert said.offset not in self.sent
        self._judge_corrections()

    def _judge_repeat(self, said: Said, final: Entry) -> None:
        assert said.offset not in self.sent, "a repeat was sent"
        assert final.repeat_of is not None
        first = self.finals[final.repeat_of]
        assert first.key == said.key
        assert first.repeat_of is None
        assert first.result is not None
        assert final.result is not None
        assert final.result.outcome is first.result.outcome

    def _judge_order(self, said: Said, outcome: Outcome) -> None:
        offset = said.offset
        self.seen[outcome.name] += 1
        if outcome is Outcome.DONE:
            assert offset in self.executed, "DONE, but nothing was executed"
        elif outcome in {Outcome.REFUSED, Outcome.EXPIRED}:
            assert offset not in self.sent, f"{outcome.name}, but it was sent"
        elif outcome is Outcome.REJECTED:
            assert offset in self.sent
            assert offset not in self.executed
        elif outcome is Outcome.NO_TRACE and offset in self.executed:
            assert offset in self.excused, "NO_TRACE, but it was executed"
            self.seen["window"] += 1
            self._judge_window(offset)

    def _judge_window(self, offset: int) -> None:
        shelves = [s for p in self.processes for s in p.shelves()]
        if any(offset in shelf.learned for shelf in shelves):
            self.seen["corrected"] += 1
            assert offset in self._corrections(), "learned, and not corrected"

    def _corrections(self) -> dict[int, Entry]:
        corrected = [e for e in self.log if e.phase is Phase.CORRECTION]
        return {e.command_offset: e for e in corrected}

    def _judge_corrections(self) -> None:
        for offset, entry in self._corrections().items():
            assert entry.result is not None
            done = entry.result.outcome is Outcome.DONE
            assert done == (offset in self.executed), "an untrue correction"
            final = self.finals[offset].result
            assert final is not None
            assert final.outcome in {Outcome.NO_TRACE, Outcome.UNRESOLVED}
