"""Proves from a response topic alone that every command has one binding end.

The first final record of a command in the log binds. What follows it is reported as a
pair, and is a fault only where the two cannot both be true. So are corrections, and
claims that are open for too long. A command without any record here is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from bridge.core.claims_case import FIRST_UNKNOWN
from bridge.core.orders import Entry, Outcome, Phase
from bridge.core.verify_response_result import (
    EXAMPLES,
    Final,
    Likeness,
    Logged,
    Open,
    Pair,
    Place,
    ResponseResult,
    final_of,
    keep,
    likeness,
    remark,
)

__all__ = ["Likeness", "Logged", "Place", "ResponseResult", "ResponseVerifier"]


class _Case(msgspec.Struct, kw_only=True):
    """What is kept of one command; `epoch` is that of the claim that counts."""

    req_id: str
    result: ResponseResult
    claim: Entry | None = None
    epoch: str | None = None
    doubted: bool = False
    binding: Final | None = None


class ResponseVerifier:
    """Takes response records, of any topics, each partition in the order of offsets."""

    def __init__(self, open_limit_s: float) -> None:
        """Call a claim that is open for longer than `open_limit_s` a fault."""
        self._limit_s = open_limit_s
        self._cases: dict[tuple[str, Place], _Case] = {}
        self._results: dict[tuple[str, int], ResponseResult] = {}

    def take(self, logged: Logged) -> None:
        """Take the next record."""
        result = self._result(logged)
        result.records += 1
        place = (logged.topic, logged.command)
        case = self._cases.get(place)
        if case is None:
            case = _Case(req_id=logged.entry.key.req_id, result=result)
            self._cases[place] = case
            result.commands += 1
        _check(case, logged, result)
        if logged.entry.phase is Phase.FINAL and logged.entry.repeat_of is not None:
            self._check_repeat(logged, logged.entry.repeat_of, result)
        _READS[logged.entry.phase](case, logged, result)

    def results(self, now_ms: int) -> list[ResponseResult]:
        """Return what was found, by topic and partition.

        Args:
            now_ms: Unix time until which claims without a final have been open.
        """
        for result in self._results.values():
            result.open = result.open_too_long = 0
            result.open_claims.clear()
        for (_, command), case in self._cases.items():
            if case.claim is not None:
                _still_open(command, case, case.claim, now_ms)
        return [self._results[place] for place in sorted(self._results)]

    def _check_repeat(
        self, logged: Logged, first_offset: int, result: ResponseResult
    ) -> None:
        """A repeat ends as the first one did, unless the log no longer shows that."""
        place = logged.command._replace(offset=first_offset)
        first = self._cases.get((logged.topic, place))
        binding = first.binding if first else None
        final = final_of(logged)
        if binding is None or final.code == FIRST_UNKNOWN.code:
            return
        if final.outcome != binding.outcome:
            ended = f"{binding.outcome}, {final.outcome} told"
            _fault(result, logged, f"repeats {place}, which ended {ended}")

    def _result(self, logged: Logged) -> ResponseResult:
        place = (logged.topic, logged.partition)
        if place not in self._results:
            self._results[place] = ResponseResult(
                topic=logged.topic,
                partition=logged.partition,
                open_limit_s=self._limit_s,
            )
        return self._results[place]


def _check(case: _Case, logged: Logged, result: ResponseResult) -> None:
    """One command has one reqId, and its records are in one order."""
    if case.result is not result:
        first = f"{case.result.topic}[{case.result.partition}]"
        _fault(result, logged, f"is in {first}, too")
    if case.req_id != logged.entry.key.req_id:
        _fault(result, logged, f"was {case.req_id} before")


def _claimed(case: _Case, logged: Logged, result: ResponseResult) -> None:
    entry = logged.entry
    if case.epoch is None and case.binding is None:
        case.epoch = entry.epoch
        case.claim = _lean(entry)
    elif case.epoch != entry.epoch:  # else it was written twice by its one writer
        result.lost_claims += 1
        keep(result.lost, remark(logged, f"{entry.worker} was not the first"))


def _doubted(case: _Case, logged: Logged, _result: ResponseResult) -> None:
    case.doubted = True
    if case.binding is None:
        case.claim = case.claim or _lean(logged.entry)


def _finished(case: _Case, logged: Logged, result: ResponseResult) -> None:
    final = final_of(logged)
    if case.binding is not None:
        _further(case.req_id, case.binding, final, logged, result)
        return
    case.binding, case.claim = final, None
    result.finals += 1
    result.outcomes[final.outcome] = result.outcomes.get(final.outcome, 0) + 1
    if final.outcome == Outcome.UNRESOLVED.name:
        keep(result.unresolved, remark(logged, final.code))


def _further(
    req_id: str, binding: Final, final: Final, logged: Logged, result: ResponseResult
) -> None:
    said = likeness(binding, final)
    result.further[said] += 1
    pair = Pair(
        command=str(logged.command),
        req_id=req_id,
        binding=binding,
        further=final,
        likeness=said,
    )
    if said is Likeness.DIFFERS:  # never crowded out by harmless ones
        result.pairs.insert(result.further[said] - 1, pair)
        del result.pairs[EXAMPLES:]
    else:
        keep(result.pairs, pair)


def _corrected(_case: _Case, logged: Logged, result: ResponseResult) -> None:
    final = final_of(logged)
    result.corrections += 1
    text = f"corrected to {final.outcome} {final.code}"
    keep(result.corrected, remark(logged, text))


def _unknown(_case: _Case, logged: Logged, result: ResponseResult) -> None:
    _fault(result, logged, "has a phase that this version does not know")


def _fault(result: ResponseResult, logged: Logged, text: str) -> None:
    result.disorder += 1
    keep(result.faults, remark(logged, text))


def _still_open(command: Place, case: _Case, claim: Entry, now_ms: int) -> None:
    result = case.result
    age_s = max(0, now_ms - (claim.claimed_ms or claim.received_ms)) / 1000
    result.open += 1
    result.open_too_long += age_s > result.open_limit_s
    one = Open(
        command=str(command),
        req_id=case.req_id,
        account=claim.key.account,
        method=claim.method,
        worker=claim.worker,
        age_s=age_s,
        doubted=case.doubted,
    )
    keep(result.open_claims, one)


def _lean(claim: Entry) -> Entry:
    """Drop the text of the request: a topic may hold millions of claims."""
    return msgspec.structs.replace(claim, request="")


_READS: Mapping[Phase, Callable[[_Case, Logged, ResponseResult], None]] = {
    Phase.CLAIMED: _claimed,
    Phase.DOUBT: _doubted,
    Phase.FINAL: _finished,
    Phase.CORRECTION: _corrected,
    Phase.UNKNOWN: _unknown,
}
