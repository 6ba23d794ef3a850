"""What can go wrong for a sender of commands.

    BridgeError
    ├── NotSubmitted    Kafka did not confirm the command; `sent` is "no" or "maybe"
    ├── NoFinalYet      no final response in time: says nothing about the order
    ├── Corrected       a final response was corrected later; holds both
    └── Busy            too many commands are waiting for their final response

None of these means that an order was not executed, but NotSubmitted with `sent` "no".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bridge.errors import BridgeError, KafkaError

if TYPE_CHECKING:
    from bridge.client.records import Response

Sent = Literal["no", "maybe"]

_HINT = {
    "no": "it is not in the topic and will not be executed",
    "maybe": (
        "it may be in the topic and may be executed: do not send it again under"
        " another reqId; look for its response with `resume`"
    ),
}


class NotSubmitted(KafkaError):
    """Kafka did not confirm the command."""

    code = "NOT_SUBMITTED"

    def __init__(self, req_id: str, partition: int, sent: Sent, reason: str) -> None:
        """Say whether the command may be in the topic all the same."""
        super().__init__(f"command {req_id} was not confirmed: {reason}; {_HINT[sent]}")
        self.req_id = req_id
        self.partition = partition
        self.sent = sent
        if sent == "maybe":
            self.exit_code = NoFinalYet.exit_code


class NoFinalYet(BridgeError):
    """No final response came in time; the command may still be executed."""

    exit_code = 15
    retry = True
    code = "NO_FINAL_YET"

    def __init__(self, req_id: str, partition: int, reason: str) -> None:
        """Say where to look for the response."""
        super().__init__(
            f"no final response for {req_id} {reason}. This does not mean that it was"
            f" not executed: go on waiting, or resume with reqId {req_id} and"
            f" partition {partition}; do not send the command again"
        )
        self.req_id = req_id
        self.partition = partition


class Corrected(BridgeError):
    """The final response of a command was corrected: the order's state is another."""

    exit_code = 16
    code = "CORRECTED"

    def __init__(self, final: Response, correction: Response) -> None:
        """Hold both responses; the correction is the newer knowledge."""
        said, now = _words(final), _words(correction)
        super().__init__(
            f"{final.req_id} was answered {said} and corrected to {now}:"
            f" {correction.text}"
        )
        self.final = final
        self.correction = correction


class Busy(BridgeError):
    """Too many commands wait for their final response; nothing was sent."""

    retry = True
    code = "BUSY"


def _words(response: Response) -> str:
    name = response.outcome.name if response.outcome is not None else "no outcome"
    return f"{name} {response.code}"
