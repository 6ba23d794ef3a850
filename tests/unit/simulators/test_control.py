"""The control port: `bridge.simulators.control`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from bridge.errors import BridgeError
from bridge.simulators.control import Control, ControlClient
from tests.support.running import Run

T = TypeVar("T")


def double(arguments: dict[str, Any]) -> int:
    """Return twice the number.

    More words that `describe` leaves out.
    """
    return int(arguments["number"]) * 2


async def later(arguments: dict[str, Any]) -> str:
    """Return after a while."""
    await asyncio.sleep(0)
    return str(arguments.get("word", ""))


def with_control(run: Run, scene: Callable[[int], Awaitable[T]]) -> T:
    async def whole() -> T:
        control = Control({"double": double, "later": later})
        port = await control.start()
        try:
            return await scene(port)
        finally:
            await control.stop()

    return run(whole())


def test_a_command_answers(run: Run) -> None:
    """A command gets its arguments and its result comes back."""
    assert (
        with_control(run, lambda port: ControlClient(port).do("double", number=4)) == 8
    )


def test_an_awaitable_is_awaited(run: Run) -> None:
    """A command may be a coroutine function."""
    assert (
        with_control(run, lambda port: ControlClient(port).do("later", word="x")) == "x"
    )


def test_it_describes_itself(run: Run) -> None:
    """`describe` lists each command with the first line of its docstring."""
    listed = with_control(run, lambda port: ControlClient(port).do("describe"))
    assert listed["double"] == "Return twice the number."
    assert set(listed) == {"describe", "double", "later"}


def test_a_blocking_client(run: Run) -> None:
    """The client works without an event loop, too."""
    call = lambda port: asyncio.to_thread(ControlClient(port).call, "double", number=3)  # noqa: E731
    assert with_control(run, call) == 6


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("nothing", {}, "no command 'nothing'; there are: describe, double, later"),
        ("double", {}, "missing or unknown: 'number'"),
        ("double", {"number": "four"}, "invalid literal"),
    ],
)
def test_a_wrong_request_is_refused(
    run: Run, name: str, arguments: dict[str, Any], says: str
) -> None:
    """An unknown command or a wrong argument is an error with a sentence."""
    with pytest.raises(BridgeError, match=says):
        with_control(run, lambda port: ControlClient(port).do(name, **arguments))


async def converse(port: int, *lines: bytes) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.writelines(lines)
    await writer.drain()
    writer.write_eof()
    answers = [line async for line in reader]
    writer.close()
    await writer.wait_closed()
    return answers


def test_a_connection_carries_many_requests(run: Run) -> None:
    """Requests are answered in order; one that is not readable does not end it."""
    lines = (b"nonsense\n", b"[]\n", b'{"do": "double", "number": 1}\n')
    first, second, third = with_control(run, lambda port: converse(port, *lines))
    assert first.startswith(b'{"ok":false')
    assert second.startswith(b'{"ok":false')
    assert third == b'{"ok":true,"result":2}\n'


def test_a_line_is_bounded(run: Run) -> None:
    """A line longer than 1 MiB is refused, and the connection ends."""
    huge = b'"' + b"x" * (3 << 20)
    (answer,) = with_control(run, lambda port: converse(port, huge))
    assert b"at most" in answer


def test_stopping_ends_conversations(run: Run) -> None:
    """`stop` closes open connections, and a second `stop` does nothing."""

    async def scene() -> bytes:
        control = Control({})
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", await control.start()
        )
        writer.write(b'{"do": "describe"}\n')
        await reader.readline()
        await control.stop()
        await control.stop()
        rest = await reader.read()
        writer.close()
        await writer.wait_closed()
        return rest

    assert run(scene()) == b""
