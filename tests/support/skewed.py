"""A door in front of an HTTP or WebSocket server whose clock seems to be wrong."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

CHUNK = 64 * 1024
_DATE = re.compile(rb"(?i)^(date: )([^\r\n]+)", re.MULTILINE)


@contextmanager
def skewed(port: int, by: timedelta) -> Iterator[int]:
    """Forward a new loopback port to `port`; the Date of each answer is moved."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, port, by), daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, port: int, by: timedelta) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_link, args=(client, port, by), daemon=True).start()


def _link(client: socket.socket, port: int, by: timedelta) -> None:
    """Forward both ways until both ends are done."""
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_pump, args=(client, server, bytes), daemon=True)
        back.start()
        _pump(server, client, lambda data: _DATE.sub(_moved(by), data, count=1))
        back.join()


def _pump(
    source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]
) -> None:
    """Forward until the source ends; only the first chunk, the head, is changed."""
    with suppress(OSError):
        sink.sendall(change(source.recv(CHUNK)))
        while data := source.recv(CHUNK):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _moved(by: timedelta) -> Callable[[re.Match[bytes]], bytes]:
    def move(found: re.Match[bytes]) -> bytes:
        moved = parsedate_to_datetime(found[2].decode()) + by
        return found[1] + format_datetime(moved, usegmt=True).encode()

    return move
