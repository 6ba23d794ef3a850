"""Messages of the venue as JSON text.

Source: reference page "Finery Markets API", section 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from bridge.simulators.finery.refusals import Refused

Json: TypeAlias = Any
"""Any value that JSON can hold; integers of any size."""


class Message(NamedTuple):
    """A feed message; `echo` is the feedId as JSON text, exactly as it was bound."""

    feed: str
    echo: str
    action: str
    data: Json

    def text(self) -> str:
        """Return the four-element array."""
        head = f'["{self.feed}",{self.echo},"{self.action}"'
        return f"{head},{compact(self.data)}]"


def compact(value: object) -> str:
    """Return JSON without spaces; integers of any size stay exact."""
    return json.dumps(value, separators=(",", ":"))


def canonical(value: object) -> str:
    """Return a text that is equal for equal feedIds."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def status(code: int) -> str:
    """Return the X message (1.8)."""
    return Message("X", "0", "Z", code).text()


def reply(req_id: object, result: object, *, at_top: bool) -> str:
    """Return a successful reply; an acknowledgement at the top if asked (2.5)."""
    if at_top and result == {"error": 0}:
        return _envelope(req_id, {"error": 0})
    return _envelope(req_id, {"reply": result})


def refusal(req_id: object, refused: Refused) -> str:
    """Return an error reply: at top level, or inside `reply` for `mod` (2.5)."""
    if refused.inside is not None:
        return _envelope(req_id, {"reply": refused.inside})
    body: dict[str, Any] = {"error": refused.number}
    if refused.param:
        body["param"] = refused.param
    return _envelope(req_id, body)


def _envelope(req_id: object, body: Mapping[str, Any]) -> str:
    head: dict[str, Any] = {"event": "request"}
    if req_id is not None:
        head["reqId"] = req_id
    return compact({**head, **body})
