"""The steps of one command: what each event makes of its case, and what goes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from bridge.core import claims_case as words
from bridge.core.claims_case import MS_NS, NEVER, Case, Limits, Stage
from bridge.core.claims_memory import Memory, Unread
from bridge.core.model import Now
from bridge.core.orders import (
    Act,
    Append,
    Finding,
    Issue,
    Phase,
    Resolve,
    Result,
)

_replace = msgspec.structs.replace


class Steps:
    """Moves cases on; knows its writer, and nothing of the order of calls."""

    def __init__(self, worker: str, epoch: str, limits: Limits) -> None:
        """Start with nothing remembered."""
        self.memory = Memory(limits)
        self.unread = Unread(limits.append_retry_ms)
        self._worker = worker
        self._epoch = epoch
        self._limits = limits

    # Claim and send.

    def order(self, case: Case, left_ns: int, now: Now) -> list[Act]:
        """Start the clock of an order before its claim is appended."""
        if left_ns <= 0:
            case.refusal = words.EXPIRED
            return self.claim(case, now)
        life_ns = min(self._limits.lifetime_ms * MS_NS, left_ns)
        case.not_after_ns = case.due_ns = now.mono_ns + life_ns
        return self.claim(case, now)

    def claim(self, case: Case, now: Now) -> list[Act]:
        """Append the claim; without a request where nothing is to be sent."""
        if case.refusal is not None or case.repeat_of is not None:
            case.record = _replace(case.record, request="")
        return self._append(case, Phase.CLAIMED, now)

    def won(self, case: Case, now: Now) -> list[Act]:
        """Do what our claim is for, if there is still time."""
        if case.repeat_of is not None:
            return self.follow(case, now)
        refusal = case.refusal or self._too_late(case, now)
        if refusal is not None or case.command is None:
            return self.close(case, refusal or words.NOT_SENT, now)
        return self._issue(case, Stage.ISSUED)

    def read(self, case: Case, expired: Result, now: Now) -> list[Act]:
        """Ask without a claim as long as the deadline allows: twice does no harm."""
        if now.mono_ns >= case.not_after_ns:
            return self.close(case, expired, now)
        return self._issue(case, Stage.READING)

    def sent(self, case: Case, now: Now) -> None:
        """Wait for the answer; the owner says when it gives that up."""
        if case.stage is Stage.ISSUED:
            case.stage = Stage.SENT
            case.due_ns = now.mono_ns + self._limits.ask_limit_ms * MS_NS

    def _too_late(self, case: Case, now: Now) -> Result | None:
        command = case.command
        if command is not None and now.wall_ns >= command.not_after_ms * MS_NS:
            return words.EXPIRED
        return words.CLAIM_TOO_OLD if now.mono_ns >= case.not_after_ns else None

    def _issue(self, case: Case, stage: Stage) -> list[Act]:
        assert case.command is not None  # noqa: S101 - both callers have one
        case.stage = stage
        case.due_ns = case.not_after_ns + self._limits.margin_ms * MS_NS
        self.memory.mine[case.key] = case
        return [Issue(case.command, case.not_after_ns)]

    # Wait, ask, follow.

    def wait(self, case: Case, now: Now) -> list[Act]:
        """Give another's claim its time, counted from when we read it.

        Its writer counts from before the append, so it stops before we begin.
        """
        wait_ms = self._limits.lifetime_ms + self._limits.margin_ms
        if not case.harmless:
            wait_ms += self._limits.settle_ms
        case.stage, case.doubted = Stage.WAITING, not case.harmless
        case.due_ns = now.mono_ns + wait_ms * MS_NS
        return []

    def doubt(self, case: Case, why: str, now: Now) -> list[Act]:
        """Say that a command may have been sent, and let everything settle.

        Counted from the present, not from the sending: a frozen process reports late.
        """
        case.stage, case.doubted, case.why = Stage.WAITING, True, why
        case.due_ns = now.mono_ns + self._limits.settle_ms * MS_NS
        return self._append(case, Phase.DOUBT, now)

    def found(self, case: Case, finding: Finding, now: Now) -> list[Act]:
        """Close with what the venue shows, or ask again."""
        if not finding.asked or not finding.final:
            again_ns = now.mono_ns + self._limits.ask_every_ms * MS_NS
            case.due_ns = min(again_ns, case.limit_ns)
            return []
        return self.close(case, finding.result or words.no_trace(case.why), now)

    def follow(self, case: Case, now: Now) -> list[Act]:
        """Answer a repeat as the first one was answered, once that is known."""
        assert case.repeat_of is not None  # noqa: S101 - the callers looked
        first = self.memory.cases.get(case.repeat_of)
        if first is not None and first.result is not None:
            return self.close(case, first.result, now)
        case.stage = Stage.REPEAT
        case.due_ns = now.mono_ns + self._limits.ask_limit_ms * MS_NS
        self.memory.followers.setdefault(case.repeat_of, []).append(case)
        return []

    def waited(self, case: Case, now: Now) -> list[Act]:
        """Close it, or ask the venue: nothing of it can be under way any more."""
        if case.repeat_of is not None:
            return self.follow(case, now)
        if case.harmless:
            return self.close(case, case.refusal or words.NOT_SENT, now)
        case.limit_ns = now.mono_ns + self._limits.ask_limit_ms * MS_NS
        return self.ask(case, now)

    def ask(self, case: Case, now: Now) -> list[Act]:
        """Ask the venue once more, or give it up."""
        if now.mono_ns >= case.limit_ns:
            return self.close(case, words.UNRESOLVED, now)
        case.stage, case.due_ns = Stage.ASKING, case.limit_ns
        self.memory.asked[case.key] = case
        return [Resolve(case.claim)]

    # Learn and close.

    def learn(self, case: Case, truth: Result, now: Now) -> list[Act]:
        """Take the venue's word: final, or compared with the final that stands."""
        case.truth = truth
        case.record = _replace(case.record, answered_ms=now.wall_ns // MS_NS)
        if case.stage is Stage.FINAL:
            self.dispute(case, now)
            return []
        if case.stage is Stage.CLOSING:
            return []  # compared when a final record is read
        return self.close(case, truth, now)

    def dispute(self, case: Case, now: Now) -> None:
        """Doubt a binding final record that is not true; correct it a while later.

        An order that ends with its connection leaves no trace, and the answer that it
        was accepted may be read before the end is: then `took` takes the doubt back.
        """
        binding = case.result
        if case.corrected or case.reads or binding is None:
            return
        if words.contradicts(case.truth, binding):
            due_ns = now.mono_ns + self._limits.settle_ms * MS_NS
            self.memory.disputed.setdefault(case.offset, due_ns)

    def took(self, case: Case) -> None:
        """Note that the venue removed what it had accepted, without a deal."""
        case.truth = None
        self.memory.disputed.pop(case.offset, None)

    def correct(self, now: Now) -> list[Act]:
        """Write the corrections that are due, each once."""
        disputed = self.memory.disputed
        acts: list[Act] = []
        for offset in [o for o, at_ns in disputed.items() if at_ns <= now.mono_ns]:
            del disputed[offset]
            case = self.memory.cases.get(offset)
            if case is not None and not case.corrected:
                case.corrected = True
                acts += self._append(case, Phase.CORRECTION, now, case.truth)
        return acts

    def close(self, case: Case, result: Result, now: Now) -> list[Act]:
        """Write the final record; it counts once it is read back."""
        case.stage, case.due_ns = Stage.CLOSING, NEVER
        return self._append(case, Phase.FINAL, now, result)

    def bind(self, case: Case, result: Result, now: Now) -> list[Act]:
        """Take the first final record in the log: it binds, whoever wrote it."""
        case.stage, case.due_ns = Stage.FINAL, NEVER
        case.result = words.kept(result)
        self.memory.closed(case)
        self.unread.drop(case.offset, Phase.CLAIMED, Phase.DOUBT, Phase.FINAL)
        self.dispute(case, now)
        acts: list[Act] = []
        for follower in self.memory.followers.pop(case.offset, []):
            if follower.stage is Stage.REPEAT:
                acts += self.follow(follower, now)
        return acts

    def _append(
        self, case: Case, phase: Phase, now: Now, result: Result | None = None
    ) -> list[Act]:
        """Write a record of a case, and expect to read it back."""
        entry = _replace(
            case.record,
            phase=phase,
            worker=self._worker,
            epoch=self._epoch,
            request=case.record.request if phase is Phase.CLAIMED else "",
            result=result,
            repeat_of=case.repeat_of,
        )
        self.unread.put(entry, now.mono_ns)
        return [Append(entry)]

    # Time.

    def tick(self, now: Now) -> list[Act]:
        """Repeat what was not read back; move on every case whose time has come."""
        acts: list[Act] = [Append(e) for e in self.unread.due(now.mono_ns)]
        open_cases = self.memory.open.values()
        for case in [c for c in open_cases if c.due_ns <= now.mono_ns]:
            acts += DUE[case.stage](self, case, now)
        acts += self.correct(now)
        self.memory.forget(now.mono_ns)
        return acts

    def claim_over(self, case: Case, now: Now) -> list[Act]:
        """Give up a claim that has not come back in time: claim not to send it."""
        case.refusal = self._too_late(case, now) or words.CLAIM_TOO_OLD
        case.due_ns = NEVER
        return self.claim(case, now)

    def unreported(self, case: Case, now: Now) -> list[Act]:
        """Doubt what was issued and neither sent nor refused."""
        return self.doubt(case, "the sending was never reported", now)

    def unanswered(self, case: Case, now: Now) -> list[Act]:
        """Doubt what was sent and never given up by the owner."""
        return self.doubt(case, "the venue never answered", now)

    def read_over(self, case: Case, now: Now) -> list[Act]:
        """Close a read that was never answered."""
        return self.close(case, words.NO_ANSWER, now)

    def first_unknown(self, case: Case, now: Now) -> list[Act]:
        """Close a repeat whose first command the log no longer shows; else wait on."""
        assert case.repeat_of is not None  # noqa: S101 - it is a repeat
        first = self.memory.cases.get(case.repeat_of)
        if first is None and self.memory.passed(case.repeat_of):
            return self.close(case, words.FIRST_UNKNOWN, now)
        case.due_ns = now.mono_ns + self._limits.ask_limit_ms * MS_NS
        return []


DUE: Mapping[Stage, Callable[[Steps, Case, Now], list[Act]]] = {
    Stage.CLAIMING: Steps.claim_over,
    Stage.READING: Steps.read_over,
    Stage.ISSUED: Steps.unreported,
    Stage.SENT: Steps.unanswered,
    Stage.WAITING: Steps.waited,
    Stage.ASKING: Steps.ask,
    Stage.REPEAT: Steps.first_unknown,
}
