"""One command that was submitted, and what its responses say.

The log decides: of all final responses for one command, the first in its partition
counts; later ones are counted in `doubles` and change nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from bridge.client.errors import Corrected, NoFinalYet
from bridge.client.records import Response
from bridge.core.orders import Phase
from bridge.errors import BridgeError

MOST_INTERIM = 64  # of one command; the oldest go first
MOST_HELD = 256  # of one reqId while the command's offset is not known yet


class Pending:
    """A command on its way; made by `Client.submit` and `Client.resume`.

    `offset` is the command's offset in its topic, None where `resume` was not told.
    """

    def __init__(
        self, req_id: str, partition: int, on_corrected: Callable[[Response], None]
    ) -> None:
        """Wait for the responses to one `req_id` in one partition."""
        self.req_id = req_id
        self.partition = partition
        self.offset: int | None = None
        self.correction: Response | None = None
        self.doubles = 0
        self._on_corrected = on_corrected
        self._held: deque[Response] | None = deque(maxlen=MOST_HELD)
        self._seen = -1
        self._interim: deque[Response] = deque(maxlen=MOST_INTERIM)
        self._interims = 0
        self._final: Response | None = None
        self._failure: BridgeError | None = None
        self._changed = asyncio.Event()

    @property
    def done(self) -> bool:
        """Tell whether nothing more is waited for."""
        return self._final is not None or self._failure is not None

    async def final(self, timeout: float | None = None) -> Response:  # noqa: ASYNC109
        """Return the binding final response.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            NoFinalYet: it did not come in time, or the client was closed. The command
                may still be executed, or have been.
            Corrected: a correction of the final response is known.
            KafkaError, SchemaError: responses cannot be read any more.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self.done:
                    await self._change()
        except TimeoutError:
            reason = f"within {timeout:g} s"
            raise NoFinalYet(self.req_id, self.partition, reason) from None
        if self._failure is not None:
            raise self._failure
        final = self._final
        assert final is not None  # noqa: S101 - done without a failure
        if self.correction is not None:
            raise Corrected(final, self.correction)
        return final

    async def __aiter__(self) -> AsyncIterator[Response]:
        """Yield the interim responses, past and to come, until the final one."""
        told = 0
        while True:
            news = self._interims - told
            told = self._interims
            for response in list(self._interim)[-news:] if news else ():
                yield response
            if self._interims == told:
                if self.done:
                    return
                await self._change()

    # -- called by the client

    def release(self, offset: int | None) -> None:
        """Begin to judge: the command's offset is known now, or never will be."""
        self.offset = self.offset if offset is None else offset
        held, self._held = self._held or (), None
        for response in held:
            self._judge(response)

    def take(self, response: Response) -> None:
        """Take one record of the log; records come in its order."""
        if self._held is not None:
            self._held.append(response)
        else:
            self._judge(response)

    def replayed(self, response: Response) -> None:
        """Take one record of the past, before those that came meanwhile."""
        self._judge(response)

    def fail(self, error: BridgeError) -> None:
        """Stop waiting, unless the final response is there."""
        if not self.done:
            self._failure = error
            self._tell()

    # -- inside

    def _judge(self, response: Response) -> None:
        if response.offset <= self._seen:
            return  # read twice: from the past, and as it came
        self._seen = response.offset
        if self.offset is None and response.phase is Phase.FINAL:
            self.offset = response.command_offset
        if self.offset not in {None, response.command_offset}:
            return  # another command with the same reqId
        if response.phase is Phase.FINAL:
            self._finish(response)
        elif response.phase is Phase.CORRECTION:
            self.correction = response
            self._on_corrected(response)
        else:
            self._interim.append(response)
            self._interims += 1
        self._tell()

    def _finish(self, response: Response) -> None:
        if self._final is None:
            self._final = response
        else:
            self.doubles += 1

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _change(self) -> None:
        await self._changed.wait()
