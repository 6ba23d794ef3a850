"""The proxy of the tests leaves nothing behind, whenever a client connects."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import warnings

import pytest

from tests.support.proxy import Proxy
from tests.support.sockets import raw_server


@pytest.mark.parametrize("turns", range(8))
def test_a_client_that_connects_at_the_end(turns: int) -> None:
    """It is closed, however far the loop has come with it."""

    async def main() -> None:
        async def talk(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await reader.read()

        async with raw_server(talk) as port:
            async with Proxy("127.0.0.1", port) as proxy:
                client = socket.create_connection(("127.0.0.1", proxy.port))
                for _ in range(turns):
                    await asyncio.sleep(0)
            with client:  # what came of it: it was closed or reset
                client.settimeout(5)
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(1) == b""

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asyncio.run(main(), debug=True)
        gc.collect()
    assert [str(warning.message) for warning in seen] == []
