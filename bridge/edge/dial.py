"""Opens the TCP connection under a WebSocket, and tells which step failed.

The steps are resolve, connect, proxy, tls, upgrade. Each transport runs inside
`opening`, which turns every network trouble into `VenueUnreachable` with the step's
name, so that an operator sees at once whether it is DNS, a firewall or a certificate.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import socket
import ssl
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from bridge.edge.clock import wall_ns
from bridge.edge.transport import Peer, TransportOptions, UpgradeRefused
from bridge.errors import BridgeError, ConfigError, VenueUnreachable

HEAD_LIMIT = 16 * 1024
DEFAULT_PORTS = {"ws": 80, "wss": 443, "http": 80}


class Opening:
    """Where to, and which step is under way; never holds the query or a header."""

    def __init__(self, url: str, options: TransportOptions) -> None:
        """Take a `ws` or `wss` URL apart."""
        parts = urlsplit(url)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            message = f"a WebSocket URL starts with ws:// or wss://, not {parts.scheme}"
            raise ConfigError([message])
        self.options = options
        self.secure = parts.scheme == "wss"
        self.host = parts.hostname
        self.port = parts.port or DEFAULT_PORTS[parts.scheme]
        self.step = "resolve"
        self.taken = False

    @property
    def where(self) -> str:
        """Return host and port."""
        return f"{self.host}:{self.port}"

    def trouble(self, error: BaseException) -> VenueUnreachable:
        """Name the step and the cause."""
        text = str(error) or type(error).__name__
        return VenueUnreachable(self.where, f"{self.step}: {text}")

    def take(self, sock: socket.socket) -> dict[str, Any]:
        """Hand the socket over: return the arguments of `create_connection`.

        TLS always verifies. From here on the asyncio transport owns the socket.
        """
        self.taken = True
        if not self.secure:
            return {"sock": sock}
        self.step = "tls"
        return {
            "sock": sock,
            "ssl": trust(self.options.tls_ca_file),
            "server_hostname": self.host,
            "ssl_shutdown_timeout": self.options.close_timeout_s,
        }


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS context of a CA file as it is now; None is the system's own.

    Raises:
        OSError: the file cannot be read, or holds no certificates.
    """
    known = ssl.get_default_verify_paths()
    path = ca_file or known.cafile or known.capath
    return _trust(ca_file, Path(path).stat().st_mtime_ns if path else 0)


@functools.lru_cache(maxsize=8)
def _trust(ca_file: str | None, _changed_ns: int) -> ssl.SSLContext:
    # Reading a system's authorities holds the loop up for 40 ms.
    return ssl.create_default_context(cafile=ca_file)


def meet(step: Opening, transport: asyncio.BaseTransport, date: str) -> None:
    """Tell whoever wants to know what the other side showed; `date` is its header."""
    if step.options.on_peer is None:
        return
    shown = transport.get_extra_info("peercert") or {}
    until = shown.get("notAfter")
    expires_s = ssl.cert_time_to_seconds(until) if until else None
    step.options.on_peer(
        Peer(host=step.where, clock_ahead_s=ahead_s(date), expires_s=expires_s)
    )


def ahead_s(date: str, now_s: float | None = None) -> float | None:
    """Return how far ahead of now a Date header is; None where it is no date."""
    ours_s = wall_ns() / 1e9 if now_s is None else now_s
    try:
        # The header has no fractions: its clock had gone on by half a second.
        return parsedate_to_datetime(date).timestamp() + 0.5 - ours_s
    except (TypeError, ValueError, OverflowError):
        return None


@contextlib.asynccontextmanager
async def opening(
    url: str, options: TransportOptions
) -> AsyncIterator[tuple[Opening, socket.socket]]:
    """Dial, and translate what goes wrong then and in the block.

    Raises:
        VenueUnreachable: the step that failed or took too long, and why.
    """
    step = Opening(url, options)
    sock: socket.socket | None = None
    try:
        async with asyncio.timeout(options.open_timeout_s):
            sock = await dial(step)
            yield step, sock
    except TimeoutError as error:
        message = f"{step.step}: timeout, not done within {options.open_timeout_s:g} s"
        raise VenueUnreachable(step.where, message) from error
    except (BridgeError, UpgradeRefused):
        raise
    except Exception as error:  # unforeseen: it ends the attempt alone
        raise step.trouble(error) from error
    finally:
        if sock is not None and not step.taken:
            sock.close()


async def dial(step: Opening) -> socket.socket:
    """Return a connected TCP socket, through the proxy where one is asked for."""
    if step.options.proxy is None:
        return await _connect(step, step.host, step.port)
    proxy = urlsplit(step.options.proxy)
    if proxy.scheme != "http" or not proxy.hostname:
        raise ConfigError([f"proxy: expected http://host:port, not {proxy.scheme}://"])
    sock = await _connect(step, proxy.hostname, proxy.port or DEFAULT_PORTS["http"])
    step.step = "proxy"
    try:
        await _tunnel(step, sock, proxy)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect(step: Opening, host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    step.step = "resolve"
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    step.step = "connect"
    # A black hole among several addresses must not eat the whole time-out.
    share = step.options.open_timeout_s / len(found)
    trouble: OSError = OSError("no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            _tune(sock, step.options)
            async with asyncio.timeout(share):
                await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            trouble = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise trouble


def _tune(sock: socket.socket, options: TransportOptions) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if options.user_timeout_ms is not None and option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, options.user_timeout_ms)


async def _tunnel(step: Opening, sock: socket.socket, proxy: SplitResult) -> None:
    """Ask an HTTP proxy for a tunnel (RFC 9110, section 9.3.6)."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, _connect_request(step.where, proxy))
    head = b""
    # Byte by byte would be slow, but more than the head must not be taken: a server
    # never speaks first, so nothing can follow it.
    while b"\r\n\r\n" not in head:
        chunk = await loop.sock_recv(sock, HEAD_LIMIT)
        head += chunk
        if not chunk or len(head) > HEAD_LIMIT:
            raise OSError("the proxy did not answer with HTTP")
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if not status.startswith(("HTTP/1.1 2", "HTTP/1.0 2")):
        message = f"the proxy refused the tunnel: {status}"
        raise OSError(message)


def _connect_request(where: str, proxy: SplitResult) -> bytes:
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        token = base64.b64encode(pair.encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
