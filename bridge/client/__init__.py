"""A small client for services that send commands: submit, and await the truth.

    async with Client("kafka:9092", account="desk-a") as client:
        pending = await client.submit("instruments")
        response = await pending.final(timeout=5)

The client reads the response partitions from before its first command on, so no
response is missed. It never sends a command twice: what to do about a time-out is the
caller's decision, and a time-out says nothing about the order.
"""

from bridge.client.errors import Busy, Corrected, NoFinalYet, NotSubmitted
from bridge.client.pending import Pending
from bridge.client.records import Content, Response, Times, VenueError
from bridge.client.sender import Client, new_req_id
from bridge.core.orders import Evidence, Outcome, Phase
from bridge.core.trace_context import TraceContext

__all__ = [
    "Busy",
    "Client",
    "Content",
    "Corrected",
    "Evidence",
    "NoFinalYet",
    "NotSubmitted",
    "Outcome",
    "Pending",
    "Phase",
    "Response",
    "Times",
    "TraceContext",
    "VenueError",
    "new_req_id",
]
