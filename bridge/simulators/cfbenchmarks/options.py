"""Everything that can be set, each with what is known about the real venue."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Literal

import msgspec

from bridge.simulators.cfbenchmarks.keys import Key

LoginMode = Literal["normal", "401", "403", "close", "silence", "errors", "hang_up"]

# The only reason text that the venue documents is the first one; the others are ours.
OFFICIAL_REASONS = frozenset({"unknown_command"})
REASONS: Mapping[str, str] = {
    "unknown_command": "Unrecognised command",
    "unknown_id": "Unknown id",
    "unknown_stream": "Unknown stream",
    "not_permitted": "Not permitted",
    "malformed": "Malformed command",
    "unknown_resolution": "Unknown maxResolution",
    "duplicate": "Already subscribed",
    "not_subscribed": "Not subscribed",
    "login": "Not authorised",
}

# What may be changed while the simulator runs (command `switch`).
SWITCHES = frozenset(
    {
        "acknowledge",
        "default_resolution",
        "duplicate_subscribe",
        "echo_subprotocol",
        "history_holes_per_mille",
        "history_lag_s",
        "in_flight",
        "info",
        "key_order",
        "login_failure",
        "lookback_s",
        "quoted",
        "require_login",
        "spaces",
        "stray_unsubscribe",
        "unknown_resolution",
    }
)


class CfBenchmarksOptions(msgspec.Struct, kw_only=True):
    """How to run; the defaults are what the venue is known or thought to do.

    Args:
        seed: Decides every value and every delay.
        host: Whose indices are offered; see `indices.HOSTS`.
        ids: Offer only these; None offers all of the host.
        keys: The key table.
        address: Where to listen.
        port: WebSocket and REST port; 0 takes any.
        control_port: Control port; 0 takes any.
        tls: Serve `wss` and `https` with this context.
        speed: Virtual seconds in a real second.
        start_ms: Virtual time at the start; None takes the real time.
        catch_up_s: After a longer jump real-time ticks are skipped, not sent at once.
        holidays: ISO dates that are not CME trading days, beside the weekends.
        ledger_limit: The most ledger entries kept.
        require_login: Refuse an upgrade without credentials.
        login_failure: What a failed login looks like (the venue's way is unknown).
        echo_subprotocol: Answer `cfb` to a sub-protocol login.
        key_order: "observed" is type, time, id, value; "documented" type, id, value,
            time.
        spaces: Put spaces into the JSON.
        quoted: Write values as strings, as every capture shows; else as numbers.
        acknowledge: Send `success: true` echoes (one client's fixture has them).
        duplicate_subscribe: "ignore", "error" or "snapshot" (unknown).
        stray_unsubscribe: "ignore" or "error" (unknown).
        in_flight: Let one more tick through after an unsubscribe.
        info: "answer", "ignore" or "error" (an older manual lacks the command).
        default_resolution: Without `maxResolution`: "FINEST" or "PER_SECOND" (unknown).
        unknown_resolution: "error" or "ignore" (unknown).
        reasons: Other error texts, by the names in `REASONS`.
        compression: Offer permessage-deflate (unknown).
        ping_s: Real seconds between server pings; None sends none (unknown).
        pong_timeout_s: Real seconds until a missing pong ends the connection.
        max_connections_per_ip: More are refused with 429 (unknown).
        second_delay_ms: Least and most delay of the 1 s series (observed 63 to 117).
        fast_delay_ms: Least and most delay of the 200 ms series (observed 34 to 39).
        daily_delay_ms: Least and most delay of a daily value after its effective time.
        spike_per_mille: How many delays of a thousand are spikes.
        spike_ms: The longest addition of a spike.
        lookback_s: REST `values` reaches so far back: 3600 (newer page) or 600 (older).
        history_lag_s: REST `history/values` lacks the newest seconds (documented: up
            to 15 minutes).
        history_holes_per_mille: Minutes in a thousand with 4 to 29 missing seconds
            (observed: 8 of 10,084 minutes).
        history_from_ms: Before this time there was no index: empty history.
    """

    seed: int = 1
    host: Literal["default", "nasdaq", "unregulated"] = "default"
    ids: tuple[str, ...] | None = None
    keys: tuple[Key, ...] = msgspec.field(default_factory=lambda: (Key(),))
    address: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    tls: ssl.SSLContext | None = None
    speed: float = 1.0
    start_ms: int | None = None
    catch_up_s: int = 120
    holidays: frozenset[str] = frozenset()
    ledger_limit: int | None = 200_000
    require_login: bool = True
    login_failure: LoginMode = "401"
    echo_subprotocol: bool = True
    key_order: Literal["observed", "documented"] = "observed"
    spaces: bool = False
    quoted: bool = True
    acknowledge: bool = False
    duplicate_subscribe: Literal["ignore", "error", "snapshot"] = "ignore"
    stray_unsubscribe: Literal["ignore", "error"] = "ignore"
    in_flight: bool = False
    info: Literal["answer", "ignore", "error"] = "answer"
    default_resolution: Literal["FINEST", "PER_SECOND"] = "FINEST"
    unknown_resolution: Literal["error", "ignore"] = "error"
    reasons: Mapping[str, str] = msgspec.field(default_factory=dict)
    compression: bool = False
    ping_s: float | None = None
    pong_timeout_s: float | None = None
    max_connections_per_ip: int | None = None
    second_delay_ms: tuple[int, int] = (60, 120)
    fast_delay_ms: tuple[int, int] = (25, 60)
    daily_delay_ms: tuple[int, int] = (0, 1_800_000)
    spike_per_mille: int = 1
    spike_ms: int = 400
    lookback_s: int = 3600
    history_lag_s: int = 900
    history_holes_per_mille: int = 0
    history_from_ms: int = 0

    def reason(self, name: str) -> str:
        """Return the text of an error; see `REASONS`."""
        return self.reasons.get(name, REASONS[name])
