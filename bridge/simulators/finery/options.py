"""What can be chosen about the simulated venue, and the switches for what is unknown.

`Rules` holds one switch for each question that no source answers (reference page
"Finery Markets API", section 14); its defaults are the answers called likely there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Era(StrEnum):
    """Which of the three documented generations of layouts is spoken (section 0.3)."""

    OLD = "old"
    MIDDLE = "middle"
    NEW = "new"


class Nonces(StrEnum):
    """Which nonce rule holds (section 1.4: the sources disagree)."""

    UNIQUE = "unique"
    INCREASING = "increasing"


class Recording(StrEnum):
    """How much of each published frame the ledger keeps."""

    COUNTS = "counts"
    HASH = "hash"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Switches for venue behaviour that no source settles.

    Login: `nonces`, `nonce_window_s`, `timestamp_tolerance_s` (None: not checked),
    `nonce_spent_on_failure`, `numbers_as_strings`, `refusal_status` (HTTP),
    `in_band_login` (accept a handshake without headers and wait for `auth`).
    Keep-alive: `idle_timeout_s`, `idle_close_code` (0: drop without a close frame),
    `pong_event` (answer `{"event":"ping"}`), `connections_per_ip`
    (more are refused with HTTP 429).
    Envelopes: `z_as_array`, `acknowledge_at_top` (`"error":0` beside `reqId` instead
    of inside `reply`), `reply_first` (a reply precedes the feed messages it causes),
    `malformed_error` (for a frame that is no JSON object), `down_error`.
    Status: `silent_while_down` (feeds stop while X is not 0), `down_drops_bindings`.
    Feeds: `takers_may_bind_b`, `makers_may_bind_f`, `echo_object_ids`,
    `deal_elements` (None: by era), `order_added` and `order_rest` (`+`, and `-` with
    reason 2, for taker orders on feed O), `order_filled_removed` (`-` after a
    complete fill), `pending_on_orders`, `cut_top` (use `~`).
    Orders: `latency_floor_ms` (None: 100 in the new era, 50 before),
    `orders_per_side`, `order_cap_error`, `client_ids_for_ever` (error 74 also for
    finished orders), `cod_default`, `cod_on_clean_close`, `cod_survives_mod`,
    `volume_rounding` ("nearest", "up", "down"), `whole_seconds` (times end in 000),
    `any_case` (`type` and `side` in any case), `newest_deals_first`.
    """

    nonces: Nonces = Nonces.UNIQUE
    nonce_window_s: int = 120
    timestamp_tolerance_s: int | None = 60
    nonce_spent_on_failure: bool = False
    numbers_as_strings: bool = False
    refusal_status: int = 400
    in_band_login: bool = False
    idle_timeout_s: int = 80
    idle_close_code: int = 1000
    pong_event: bool = False
    connections_per_ip: int = 100
    z_as_array: bool = False
    acknowledge_at_top: bool = False
    reply_first: bool = False
    malformed_error: int = 9
    down_error: int = 2
    silent_while_down: bool = True
    down_drops_bindings: bool = False
    takers_may_bind_b: bool = True
    makers_may_bind_f: bool = True
    echo_object_ids: bool = True
    deal_elements: int | None = None
    order_added: bool = True
    order_rest: bool = True
    order_filled_removed: bool = False
    pending_on_orders: bool = True
    cut_top: bool = True
    latency_floor_ms: int | None = None
    orders_per_side: int = 30
    order_cap_error: int = 79
    client_ids_for_ever: bool = False
    cod_default: bool = False
    cod_on_clean_close: bool = True
    cod_survives_mod: bool = True
    volume_rounding: str = "nearest"
    whole_seconds: bool = False
    any_case: bool = False
    newest_deals_first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FineryOptions:
    """How to run the simulator.

    `port` and `control_port` 0 choose free ports; `control_port` None starts none.
    `rate` is the number of book changes a second for each instrument (virtual time),
    `desk_rate` the number of account events a second; 0 switches either off.
    `recording` says how much of each frame the ledger keeps; `record_market` whether
    decisions about the made-up market's own orders are kept as well;
    `ledger_limit` is the most entries kept, the oldest go first.
    `depth` is how many levels a side the market keeps up; `max_backlog_bytes` is what
    one slow client may make the simulator hold before it is dropped.
    """

    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = 0
    era: Era = Era.NEW
    instruments: int = 10
    rate: float = 5.0
    desk_rate: float = 2.0
    speed: float = 1.0
    start_ms: int | None = None
    depth: int = 27
    recording: Recording = Recording.HASH
    record_market: bool = False
    ledger_limit: int | None = 500_000
    max_backlog_bytes: int = 64 * 1024 * 1024
    tls_certificate: str | None = None
    tls_key: str | None = None
    rules: Rules = field(default_factory=Rules)

    @property
    def latency_floor_ms(self) -> int:
        """Return the delay of taker orders (section 6.1: 50 ms, later 100 ms)."""
        if self.rules.latency_floor_ms is not None:
            return self.rules.latency_floor_ms
        return 100 if self.era is Era.NEW else 50
