"""Cancelling everything of an account, and looking until nothing is left.

A halt and a command travel on different topics, so an order may still slip in behind
the first `delAll`: the account counts as empty only after two looks in a row, some
time apart, that showed nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bridge.client import Client, Corrected, Outcome, Response
from bridge.errors import BridgeError

CANCELS = ("delAll", "pending/delAll")
LOOKS = ("positions", "pending/orders")
ROUNDS = 6
NEEDED = 2
PAUSE_S = 1.0
ANSWER_S = 30.0


async def clear(client: Client) -> dict[str, Any]:
    """Cancel and look again and again; return what was done, JSON-ready.

    `empty` is True only if the venue showed no order `NEEDED` times in a row; an
    answer that did not come, or a query that was refused, proves nothing.
    """
    steps: list[str] = []
    left: list[Any] = []
    in_a_row = 0
    for number in range(ROUNDS):
        if number:
            await asyncio.sleep(PAUSE_S)
        if not in_a_row:
            answers = [(m, await _ask(client, m)) for m in CANCELS]
            steps += [_told(method, answer) for method, answer in answers]
        found = [await _look(client, method) for method in LOOKS]
        steps += [line for line, _ in found]
        known = all(orders is not None for _, orders in found)
        left = [order for _, orders in found for order in orders or ()]
        in_a_row = in_a_row + 1 if known and not left else 0
        if in_a_row == NEEDED:
            break
    return {"empty": in_a_row == NEEDED, "left": left, "steps": steps}


async def _ask(client: Client, method: str) -> Response | str:
    """Return the final response, or why there is none."""
    try:
        pending = await client.submit(method)
        return await pending.final(ANSWER_S)
    except Corrected as error:
        return error.correction
    except BridgeError as error:
        return str(error)


async def _look(client: Client, method: str) -> tuple[str, list[Any] | None]:
    """Return a line to show, and the orders that are left; None if not known."""
    answer = await _ask(client, method)
    if isinstance(answer, str) or answer.outcome is not Outcome.DONE:
        return _told(method, answer), None
    orders = orders_of(answer.result)
    if orders is None:
        return f"{method}: the answer shows no list of orders", None
    return f"{method}: {len(orders)} orders left", orders


def orders_of(result: Any) -> list[Any] | None:  # noqa: ANN401 - the venue's answer
    """Return the orders in an answer to `positions` or `pending/orders`.

    Typed positions name their `orders`; the venue's own form of them has four parts,
    the third of which is the orders. Source: Finery docs, positions.
    """
    if isinstance(result, dict):
        orders = result.get("orders")
        return list(orders) if isinstance(orders, list) else None
    if not isinstance(result, list):
        return None
    if result and isinstance(result[0], int):
        return list(result[2]) if len(result) > 2 else None  # noqa: PLR2004
    return result


def _told(method: str, answer: Response | str) -> str:
    if isinstance(answer, str):
        return f"{method}: {answer}"
    outcome = answer.outcome.name if answer.outcome is not None else "?"
    removed = answer.result.get("removed") if isinstance(answer.result, dict) else None
    count = "" if removed is None else f", {removed} removed"
    return f"{method}: {outcome} {answer.code}{count}"
