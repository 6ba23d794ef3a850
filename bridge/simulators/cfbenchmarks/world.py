"""Control commands about the world: connections, logins, permissions, time, truth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from bridge.errors import BridgeError
from bridge.simulators.cfbenchmarks.clients import Client, chosen
from bridge.simulators.cfbenchmarks.options import SWITCHES, CfBenchmarksOptions
from bridge.simulators.control import Command

if TYPE_CHECKING:
    from bridge.simulators.cfbenchmarks.server import CfBenchmarksSimulator

# The most ledger entries in one answer.
_PAGE = 5_000
_REVOKE = ("silence", "error", "close")


def table(simulator: CfBenchmarksSimulator) -> dict[str, Command]:
    """Return the commands about the world, by name."""
    commands = WorldCommands(simulator)
    names = [name for name in vars(WorldCommands) if not name.startswith("_")]
    return {name: getattr(commands, name) for name in names}


class WorldCommands:
    """The commands, bound to a simulator; each method is one command."""

    def __init__(self, simulator: CfBenchmarksSimulator) -> None:
        self._simulator = simulator
        self._opening: set[asyncio.Task[None]] = set()

    async def close(self, arguments: dict[str, Any]) -> int:
        """Close with a close frame (`code` 1000, `reason`, `connection`)."""
        code = int(arguments.get("code", 1000))
        reason = str(arguments.get("reason", ""))
        clients = self._chosen(arguments)
        closing = (c.connection.close(code, reason) for c in clients)
        await asyncio.gather(*closing)
        return len(clients)

    def reset(self, arguments: dict[str, Any]) -> int:
        """Cut by a TCP reset, without a close frame (`connection`)."""
        clients = self._chosen(arguments)
        for client in clients:
            client.connection.kill()
        return len(clients)

    def mute(self, arguments: dict[str, Any]) -> int:
        """Go half-open: neither read nor write, no end (`connection`)."""
        clients = self._chosen(arguments)
        for client in clients:
            client.connection.mute()
        return len(clients)

    def unmute(self, arguments: dict[str, Any]) -> int:
        """Take muted connections back; what was to be sent is lost (`connection`)."""
        clients = [c for c in self._chosen(arguments) if c.connection.muted]
        for client in clients:
            client.connection.unmute()
        return len(clients)

    def slow(self, arguments: dict[str, Any]) -> int:
        """Send one frame in `every_ms` and take `every_ms` for each handshake."""
        every_ms = int(arguments.get("every_ms", 0))
        self._simulator.gate.slow_ms = every_ms
        clients = self._chosen(arguments)
        for client in clients:
            client.slow(every_ms)
        return len(clients)

    def login(self, arguments: dict[str, Any]) -> None:
        """Treat logins by `mode` whatever the key; the next `count`, or all."""
        self._simulator.gate.force(arguments.get("mode"), arguments.get("count"))

    def close_after_subscribe(self, arguments: dict[str, Any]) -> None:
        """Close just after the next `count` (1) subscribes."""
        self._simulator.close_after_subscribe = int(arguments.get("count", 1))

    def refuse(self, arguments: dict[str, Any]) -> None:
        """Refuse connects, for `seconds` or until `listen`; open ones go on."""
        self._simulator.server.stop_listening()
        seconds = arguments.get("seconds")
        if seconds is not None:
            task = asyncio.create_task(self._listen_later(float(seconds)))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def listen(self, _arguments: dict[str, Any]) -> int:
        """Take connections again, on the same port."""
        await self._simulator.server.listen()
        return self._simulator.port

    def revoke(self, arguments: dict[str, Any]) -> int:
        """Take the permission for `id` away; `how` is silence, error or close."""
        index_id, how = arguments["id"], arguments.get("how", "silence")
        if how not in _REVOKE:
            raise BridgeError(f"how is one of {', '.join(_REVOKE)}, not {how!r}")
        keys = self._keys(arguments)
        for key in keys:
            key.revoked.add(index_id)
        for client, session in tuple(self._simulator.clients.items()):
            if session.key in keys:
                session.revoke(index_id, say=how == "error")
                if how == "close":
                    self._close_soon(client)
        return len(keys)

    def restore(self, arguments: dict[str, Any]) -> int:
        """Give the permission for `id` back (`user`)."""
        keys = self._keys(arguments)
        for key in keys:
            key.revoked.discard(arguments["id"])
        return len(keys)

    def rekey(self, arguments: dict[str, Any]) -> int:
        """Give a key another login: `user` (or all), `new_user`, `password`."""
        keys = self._keys(arguments)
        for key in keys:
            key.user, key.password = arguments["new_user"], arguments["password"]
        return len(keys)

    def rate_limit(self, arguments: dict[str, Any]) -> None:
        """Answer the next `requests` (1) REST requests with 429."""
        self._simulator.rest.limited = int(arguments.get("requests", 1))

    def switch(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Change options while running (`quoted`, `spaces`, `key_order`, ...)."""
        hints = get_type_hints(CfBenchmarksOptions)
        strange = sorted(set(arguments) - SWITCHES)
        if strange:
            known = ", ".join(sorted(SWITCHES))
            raise BridgeError(f"no switch {', '.join(strange)}; there are: {known}")
        checked = {n: msgspec.convert(v, hints[n]) for n, v in arguments.items()}
        for name, value in checked.items():
            setattr(self._simulator.options, name, value)
        return {name: getattr(self._simulator.options, name) for name in SWITCHES}

    def speed(self, arguments: dict[str, Any]) -> None:
        """Let the virtual time run `factor` times as fast as the real one."""
        self._simulator.clock.speed = float(arguments["factor"])

    def jump(self, arguments: dict[str, Any]) -> int:
        """Move the virtual time forward by `seconds` and publish; return it in ms."""
        self._simulator.clock.jump(float(arguments["seconds"]))
        self._simulator.pump()
        return self._simulator.clock.now_ms()

    def now(self, _arguments: dict[str, Any]) -> int:
        """Return the virtual time in ms."""
        return self._simulator.clock.now_ms()

    def connections(self, _arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """List the open connections and their subscriptions."""
        return [
            {
                "connection": client.number,
                "user": client.user,
                "muted": client.connection.muted,
                "backlog": client.connection.backlog,
                "subscriptions": [
                    {"id": index_id, "stream": stream, "series": str(s.line.series)}
                    for (index_id, stream), s in session.subscriptions.items()
                ],
            }
            for client, session in self._simulator.clients.items()
        ]

    def ledger(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Return ledger entries (`kind`, from number `since` on, at most `limit`)."""
        since, limit = (
            int(arguments.get("since", 0)),
            int(arguments.get("limit", _PAGE)),
        )
        entries = self._simulator.ledger.entries(arguments.get("kind"))
        wanted = [entry for entry in entries if entry["number"] >= since]
        return wanted[: min(limit, _PAGE)]

    def counts(self, _arguments: dict[str, Any]) -> Mapping[str, int]:
        """Return how many ledger entries of each kind there were."""
        return {
            **self._simulator.ledger.counts(),
            "dropped": self._simulator.ledger.dropped,
        }

    def save_ledger(self, arguments: dict[str, Any]) -> int:
        """Write the ledger as JSON lines to the file `path`."""
        return self._simulator.ledger.to_file(str(arguments["path"]))

    def _chosen(self, arguments: Mapping[str, Any]) -> list[Client]:
        return chosen(list(self._simulator.clients), arguments.get("connection"))

    def _keys(self, arguments: Mapping[str, Any]) -> list[Any]:
        user = arguments.get("user")
        return [k for k in self._simulator.options.keys if user in {None, k.user}]

    def _close_soon(self, client: Client) -> None:
        closing = client.connection.close(
            1008, self._simulator.options.reason("not_permitted")
        )
        task = asyncio.ensure_future(closing)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _listen_later(self, seconds: float) -> None:
        await self._simulator.clock.sleep(seconds)
        await self._simulator.server.listen()
