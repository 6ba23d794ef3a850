"""What `verify` says of response topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bridge.core.envelopes import Reader
from bridge.core.verify_response_result import Open, Pair, Remark, ResponseResult
from bridge.core.verify_responses import Likeness, Logged, Place
from bridge.edge.consumer import Message

HEADERS = (
    "responses", "records", "commands", "final", "open", "same again",
    "both true", "differing", "corrections", "lost claims", "unresolved", "verdict",
)  # fmt: skip
_LIKENESS = {
    Likeness.SAME: "they say the same",
    Likeness.BOTH_TRUE: "both are true",
    Likeness.DIFFERS: "they DIFFER",
}


def logged_of(message: Message, value: bytes, reader: Reader) -> Logged:
    """Return what `verify` needs of a response record.

    Raises:
        SchemaError: it is none.
    """
    answer = reader.response(value)
    entry = answer.entry
    place = Place(entry.key.topic, answer.partition, entry.command_offset)
    return Logged(message.topic, message.partition, message.offset, place, entry)


def summarise(results: Sequence[ResponseResult]) -> dict[str, Any]:
    """Return everything that was found, JSON-ready."""
    sums = ("records", "commands", "finals", "open", "open_too_long", "corrections",
            "lost_claims", "disorder")  # fmt: skip
    return {
        "complete": all(result.complete for result in results),
        **{name: sum(getattr(result, name) for result in results) for name in sums},
        "further": {
            str(kind): sum(result.further[kind] for result in results)
            for kind in Likeness
        },
        "unresolved": sum(unresolved(result) for result in results),
        "partitions": [result.as_dict() for result in results],
    }


def unresolved(result: ResponseResult) -> int:
    """Return how many commands a person must look at."""
    return result.outcomes.get("UNRESOLVED", 0)


def row(result: ResponseResult) -> tuple[object, ...]:
    """Return a partition's line of the table."""
    return (
        f"{result.topic}[{result.partition}]",
        result.records,
        result.commands,
        result.finals,
        result.open,
        *(result.further[kind] for kind in Likeness),
        result.corrections,
        result.lost_claims,
        unresolved(result),
        "complete" if result.complete else "NOT complete",
    )


def details(result: ResponseResult) -> Iterator[str]:
    """Yield a line for each fault first, then for what is only remarkable."""
    yield from (_line(result, remark) for remark in result.faults)
    yield from (_line(result, remark) for remark in result.corrected)
    yield from (_open(one, result.open_limit_s) for one in result.open_claims)
    yield from (_pair(pair) for pair in result.pairs)
    for one in result.unresolved:
        yield _line(result, one) + ": unresolved, a person must look"
    yield from (_line(result, remark) + ": a lost claim" for remark in result.lost)


def verdict(results: Sequence[ResponseResult]) -> str:
    """Say it all in one line."""
    facts = summarise(results)
    found = "complete" if facts["complete"] else "NOT complete"
    further = facts["further"]
    return (
        f"{found}: {facts['commands']:,} commands, {facts['finals']:,} with a binding "
        f"final, {facts['open']} open ({facts['open_too_long']} for too long), "
        f"{sum(further.values())} further finals ({further[Likeness.DIFFERS]} differ), "
        f"{facts['corrections']} corrections"
    )


def _line(result: ResponseResult, remark: Remark) -> str:
    place = f"{result.topic}[{result.partition}]@{remark.offset}"
    return f"{remark.command} {remark.req_id}: {remark.text}, at {place}"


def _open(one: Open, limit_s: float) -> str:
    long = f", longer than {limit_s:g} s" if one.age_s > limit_s else ""
    stage = "in doubt" if one.doubted else "claimed"
    return (
        f"{one.command} {one.req_id}: {one.method} for {one.account} {stage} by "
        f"{one.worker} {one.age_s:,.1f} s ago, no final yet{long}"
    )


def _pair(pair: Pair) -> str:
    return (
        f"{pair.command} {pair.req_id}: {pair.binding}, then {pair.further}: "
        f"{_LIKENESS[pair.likeness]}; the first one binds"
    )
