"""Commands that decide the fate of requests: `method` None meets every method.

`times` is how many requests are met; None lasts until `clear`. Delays are virtual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.simulators.finery.faults import ControlFunction, Fate, Rule
from bridge.simulators.finery.wire import Json

if TYPE_CHECKING:
    from bridge.simulators.finery.server import FinerySimulator


def on_request(
    simulator: FinerySimulator,
    method: str | None,
    function: ControlFunction,
    times: int | None = 1,
) -> None:
    """Let a function decide about requests (in-process only)."""
    simulator.table.rules.append(Rule("on_request", method, function, times))


def _rule(
    simulator: FinerySimulator,
    name: str,
    fate: Fate,
    method: str | None,
    times: int | None,
) -> None:
    simulator.table.rules.append(Rule(name, method, lambda _: fate, times))


def reply_error(
    simulator: FinerySimulator,
    error: int,
    method: str | None = None,
    times: int | None = 1,
    param: str = "",
) -> None:
    """Answer with any error code, known or not; nothing is executed."""
    _rule(simulator, "reply_error", Fate(error=error, param=param), method, times)


def answer(
    simulator: FinerySimulator,
    result: Json,
    method: str | None = None,
    times: int | None = 1,
) -> None:
    """Answer with any result; nothing is executed."""
    _rule(simulator, "answer", Fate(result=result), method, times)


def delay_reply(
    simulator: FinerySimulator,
    ms: int,
    method: str | None = None,
    times: int | None = 1,
) -> None:
    """Execute at once and answer later."""
    _rule(simulator, "delay_reply", Fate(after_ms=ms), method, times)


def delay_request(
    simulator: FinerySimulator,
    ms: int,
    method: str | None = None,
    times: int | None = 1,
) -> None:
    """Execute later, as if the network had kept the bytes; even after a disconnect."""
    _rule(simulator, "delay_request", Fate(before_ms=ms), method, times)


def lose_reply(
    simulator: FinerySimulator, method: str | None = None, times: int | None = 1
) -> None:
    """Execute and never answer."""
    _rule(simulator, "lose_reply", Fate(answer="lose"), method, times)


def lose_request(
    simulator: FinerySimulator, method: str | None = None, times: int | None = 1
) -> None:
    """Neither execute nor answer."""
    _rule(simulator, "lose_request", Fate(execute=False), method, times)


def garble_reply(
    simulator: FinerySimulator, method: str | None = None, times: int | None = 1
) -> None:
    """Execute and send only half of the answer."""
    _rule(simulator, "garble_reply", Fate(answer="garble"), method, times)


def double_reply(
    simulator: FinerySimulator, method: str | None = None, times: int | None = 1
) -> None:
    """Execute and answer twice."""
    _rule(simulator, "double_reply", Fate(answer="double"), method, times)


def disconnect_before(
    simulator: FinerySimulator, method: str | None = None, times: int | None = 1
) -> None:
    """Cut the connection when the request arrives; nothing is executed."""
    _rule(simulator, "disconnect_before", Fate(cut="before"), method, times)


def disconnect_after(
    simulator: FinerySimulator, method: str | None = None, times: int | None = 1
) -> None:
    """Execute, then cut the connection instead of answering."""
    _rule(simulator, "disconnect_after", Fate(cut="after"), method, times)


def reorder_replies(
    simulator: FinerySimulator,
    count: int = 2,
    method: str | None = None,
) -> None:
    """Hold the next `count` replies and send them last first."""
    _rule(simulator, "reorder_replies", Fate(hold=count), method, count)


def release_replies(simulator: FinerySimulator) -> int:
    """Send the replies held by `reorder_replies` now."""
    return simulator.desk.release()


COMMANDS: Final = (
    reply_error,
    answer,
    delay_reply,
    delay_request,
    lose_reply,
    lose_request,
    garble_reply,
    double_reply,
    disconnect_before,
    disconnect_after,
    reorder_replies,
    release_replies,
)
