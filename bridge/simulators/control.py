"""The control port: a simulator is told what to do, one JSON object a line.

A request is `{"do": "mute", "seconds": 5}`, the answer `{"ok": true, "result": ...}` or
`{"ok": false, "error": "..."}`. `{"do": "describe"}` lists the commands. The port
listens on loopback, has no login, and takes any number of requests a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bridge.errors import BridgeError

Command = Callable[[dict[str, Any]], Any]

_MAX_LINE = 1 << 20
# What a command may raise when it was asked for something wrong.
_ASKED_WRONG = (BridgeError, ValueError, TypeError, LookupError, OSError)


class Control:
    """Serves a table of commands; each takes its arguments and returns JSON.

    Args:
        commands: What each command name does; an awaitable result is awaited. The
            first line of a command's docstring is its entry in `describe`.
    """

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = {"describe": self._describe, **commands}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(
            self._serve, host, port, limit=_MAX_LINE
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and end every conversation."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def run(self, name: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Run one command in this process; raises what the command raises."""
        command = self._commands.get(name)
        if command is None:
            known = ", ".join(sorted(self._commands))
            raise BridgeError(f"no command {name!r}; there are: {known}")
        result = command(arguments)
        return await result if inspect.isawaitable(result) else result

    def _describe(self, _arguments: dict[str, Any]) -> dict[str, str]:
        """List the commands, each with one sentence."""
        return {
            name: (inspect.getdoc(command) or "").partition("\n")[0]
            for name, command in sorted(self._commands.items())
        }

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the far end left, or the simulator stops: nobody to tell
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                writer.write(_line(_failure(f"a line has at most {_MAX_LINE} bytes")))
                await writer.drain()
                await _discard(reader)
                return
            if not line:
                return
            writer.write(_line(await self._answer(line)))
            await writer.drain()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            name, arguments = _request(line)
            return {"ok": True, "result": await self.run(name, arguments)}
        except _ASKED_WRONG as error:
            return _failure(_sentence(error))


class ControlClient:
    """Asks a control port; one connection a request.

    Args:
        port: The control port.
        host: Where it listens.
        timeout_s: The longest wait for an answer, in seconds.
    """

    def __init__(
        self, port: int, host: str = "127.0.0.1", timeout_s: float = 10.0
    ) -> None:
        self._address = (host, port)
        self._timeout_s = timeout_s

    async def do(self, name: str, /, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """Run a command and return its result; a refusal raises BridgeError."""
        async with asyncio.timeout(self._timeout_s):
            reader, writer = await asyncio.open_connection(
                *self._address, limit=64 * _MAX_LINE
            )
            try:
                writer.write(_line({"do": name, **arguments}))
                await writer.drain()
                return _result(await reader.readline())
            finally:
                writer.close()

    def call(self, name: str, /, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """Do the same without an event loop."""
        with (
            socket.create_connection(self._address, self._timeout_s) as connection,
            connection.makefile("rwb") as file,
        ):
            file.write(_line({"do": name, **arguments}))
            file.flush()
            return _result(file.readline())


async def _discard(reader: asyncio.StreamReader) -> None:
    """Read on without keeping anything, so that the answer is not lost in a reset."""
    while await reader.read(_MAX_LINE):
        pass


def _request(line: bytes) -> tuple[str, dict[str, Any]]:
    request = msgspec.json.decode(line)
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise BridgeError('a request is a JSON object such as {"do": "describe"}')
    name: str = request.pop("do")
    return name, request


def _result(line: bytes) -> Any:  # noqa: ANN401 - JSON
    if not line:
        raise BridgeError("the control port closed the connection without an answer")
    answer = msgspec.json.decode(line)
    if not answer["ok"]:
        raise BridgeError(answer["error"])
    return answer["result"]


def _failure(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


def _sentence(error: BaseException) -> str:
    missing = isinstance(error, KeyError)
    return f"missing or unknown: {error}" if missing else str(error) or repr(error)


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"
