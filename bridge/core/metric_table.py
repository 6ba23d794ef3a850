"""Every metric that a worker exports: one table.

`docs/metrics.md` and the dashboard are made from it, and whatever is exported is looked
up in it: a name that is not here cannot be exported. Each name ends with its unit.

Every label is bounded: by the settings, or by a list that stands here. A reconnecting
venue or a stranger can make a number grow, never the number of series.

The module is longer than others because a table is read best in one piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from bridge.core.model import Reason
from bridge.core.orders import Lane, Outcome, Trading
from bridge.core.refusals import REFUSALS, PoisonReason

PREFIX = "feedbridge_"
BUCKETS_S = tuple(
    step * scale / 1_000_000
    for scale in (100, 1_000, 10_000, 100_000, 1_000_000)
    for step in (1, 2, 5)
)
"""Upper bounds of every histogram: 100 us to 5 s."""


class Kind(StrEnum):
    """What a number means over time; the names are Prometheus's."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One line of the table; `name` without the prefix, `labels` in their order."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str

    @property
    def full_name(self) -> str:
        """Return the name that is exported."""
        return PREFIX + self.name


def _names(*found: object) -> tuple[str, ...]:
    return tuple(str(getattr(one, "name", one)) for one in found)


_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

FEED_DEAD_LETTERS = (
    *(Reason.NOT_JSON, Reason.NOT_A_MESSAGE, Reason.TOO_SHORT, Reason.WRONG_TYPE),
    *(Reason.OUT_OF_RANGE, Reason.UNKNOWN_FEED, Reason.UNKNOWN_ACTION),
    *(Reason.UNKNOWN_SUBSCRIPTION, Reason.NOT_A_DECIMAL, Reason.VENUE_ERROR),
    Reason.UNEXPECTED,
)
COMMAND_DEAD_LETTERS = (
    *PoisonReason,
    *(code for code, known in REFUSALS.items() if known.dead_letter),
)
GAPS = (
    *(Reason.CONNECTION_LOST, Reason.CONTRADICTION, Reason.UNREADABLE),
    *(Reason.MISSING_TICKS, Reason.KAFKA_SLOW, Reason.DELIVERY_FAILED),
    *(Reason.VENUE_DOWN, Reason.VENUE_REFUSED, Reason.UNANSWERED),
    *(Reason.UNSUBSCRIBED, Reason.STOPPED, Reason.MOVED, Reason.ROTATED),
)
DISCONNECTS = (
    *("CLOSED", "UNREACHABLE", "REFUSED"),
    *(Reason.VENUE_REFUSED, Reason.UNANSWERED, Reason.SILENT),
)
_STATUSES = ("200", "400", "404", "405", "408", "421", "431", "500", "501", "503")
HTTP_PATHS = ("/", "/livez", "/readyz", "/startupz", "/metrics", "/status", "/events")

BOUNDED_BY: Mapping[str, str] = {
    "account": "the settings: accounts of the command topics",
    "dependency": "the settings: the venues, by host and port; not Kafka, nor the "
    "registry",
    "part": "the settings: names of the venue accounts, those that take commands once "
    "more with `/orders`; and `kafka`",
    "source": "the settings: names of the venue accounts, and of the command topics",
    "subscription": "the settings and `feedbridge.subscriptions`: what runs here",
    "topic": "the settings: command topics",
    "version": "one value a process",
    "python": "one value a process",
    "worker": "one value a process",
}
"""Where the values of a label come from, if they are not in `VALUES`."""

VALUES: Mapping[str, tuple[str, ...]] = {
    "phase": ("preparing", "running", "stopping"),
    "kind": ("feed", "orders"),
    "producer": ("feeds", "orders"),
    "flow": ("FLOWING", "PAUSED", "CUT"),
    "outcome": _names(*Outcome)[:-1],
    "code": tuple(REFUSALS),
    "trading": (*_names(*Trading), "UNREAD"),
    "lane": _names(*Lane),
    "path": (*HTTP_PATHS, "file", "other"),
    "status": _STATUSES,
    "mark": ("high", "low"),
}
"""The values of labels that are fixed in the code; `reason` depends on the metric."""

REASONS: Mapping[str, tuple[str, ...]] = {
    "gaps_total": tuple(map(str, GAPS)),
    "dead_letters_total": tuple(map(str, (*FEED_DEAD_LETTERS, *COMMAND_DEAD_LETTERS))),
    "disconnects_total": tuple(map(str, DISCONNECTS)),
}
"""The values of the label `reason`, by metric."""

OWN_VALUES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("rotations_total", "outcome"): ("renewed", "failed"),
}
"""The values of labels that mean something else in one metric."""

_BY_SUBSCRIPTION = ("source", "subscription")

TABLE: tuple[Metric, ...] = (
    # The process.
    Metric("build_info", _G, ("version", "python", "worker"), "Always 1."),
    Metric("process_start_time_seconds", _G, (), "Unix time when the process began."),
    Metric("process_cpu_seconds_total", _C, (), "CPU time used, user and system."),
    Metric("process_resident_memory_bytes", _G, (), "Memory in use (RSS)."),
    Metric("process_open_fds", _G, (), "Open files and sockets."),
    Metric("process_max_fds", _G, (), "Limit of open files and sockets."),
    Metric("phase", _G, ("phase",), "1 for what the worker is doing, else 0."),
    Metric("ready", _G, (), "1 when /readyz answers 200, else 0."),
    Metric("parts_not_ok", _G, (), "Parts that /readyz complains of."),
    Metric(
        "loop_lag_seconds", _H, (), "How late the event loop's 20 ms pulse came round."
    ),
    # Feeds.
    Metric("frames_total", _C, (), "Frames received; each is accounted for."),
    Metric("records_total", _C, (), "Data records written."),
    Metric("boundaries_total", _C, (), "Boundary records written."),
    Metric(
        "frames_discarded_total",
        _C,
        (),
        "Frames set aside on purpose: between gap and snapshot, or after the end.",
    ),
    Metric(
        "subscription_live",
        _G,
        _BY_SUBSCRIPTION,
        "1 when the subscription is live, else 0; of those that run here.",
    ),
    Metric(
        "subscription_data_age_seconds",
        _G,
        _BY_SUBSCRIPTION,
        "Time since the last data; before any came, since the connection began.",
    ),
    Metric(
        "subscription_rhythm_seconds",
        _G,
        _BY_SUBSCRIPTION,
        "The longest silence that is normal; no series where any is, at some hours "
        "or at all.",
    ),
    Metric(
        "subscription_records_total",
        _C,
        _BY_SUBSCRIPTION,
        "Records of the present connection, boundaries included; each begins at 0.",
    ),
    Metric(
        "subscription_gaps_total", _C, _BY_SUBSCRIPTION, "Gaps announced, by place."
    ),
    Metric(
        "subscription_lost_total",
        _C,
        _BY_SUBSCRIPTION,
        "Records lost, as far as a gap could give a count.",
    ),
    Metric("gaps_total", _C, ("source", "reason"), "Gaps announced, by reason."),
    Metric(
        "dead_letters_total",
        _C,
        ("source", "reason"),
        "What could not be read and was kept raw; source is an account, or a command "
        "topic.",
    ),
    Metric(
        "connections_wanted",
        _G,
        ("source", "kind"),
        "WebSocket connections that this worker should have.",
    ),
    Metric(
        "connections_open", _G, ("source", "kind"), "WebSocket connections that it has."
    ),
    Metric(
        "disconnects_total",
        _C,
        ("source", "reason"),
        "Connections that ended or could not be made; each is tried again.",
    ),
    Metric(
        "clock_skew_seconds",
        _G,
        ("dependency",),
        "Their clock minus ours at the last handshake, from its Date header (1 s "
        "fine); no series where none was given.",
    ),
    Metric(
        "certificate_expiry_timestamp_seconds",
        _G,
        ("dependency",),
        "Unix time when the certificate shown at the last handshake expires.",
    ),
    # Kafka.
    Metric("kafka_produced_total", _C, ("producer",), "Records handed over."),
    Metric("kafka_acknowledged_total", _C, ("producer",), "Records that Kafka has."),
    Metric(
        "kafka_failed_total",
        _C,
        ("producer",),
        "Records that Kafka will never have; each is announced, or written anew, or "
        "logged where it is no longer this worker's to announce.",
    ),
    Metric("kafka_queue_bytes", _G, ("producer",), "What waits for Kafka."),
    Metric("kafka_queue_messages", _G, ("producer",), "Records that wait for Kafka."),
    Metric(
        "kafka_queue_mark_bytes",
        _G,
        ("producer", "mark"),
        "Above the high mark sockets are not read until below the low one.",
    ),
    Metric(
        "kafka_queue_mark_messages",
        _G,
        ("producer", "mark"),
        "The same marks as a number of records.",
    ),
    Metric(
        "kafka_stalled_seconds",
        _G,
        ("producer",),
        "How long records have waited with none acknowledged; 0 if none wait.",
    ),
    Metric("kafka_flow", _G, ("flow",), "1 for what the sockets are doing, else 0."),
    Metric("kafka_pauses_total", _C, (), "Times that reading stopped for Kafka."),
    Metric("kafka_cuts_total", _C, (), "Times that subscriptions were let go for it."),
    Metric(
        "kafka_delivery_seconds",
        _H,
        ("producer",),
        "Frame read to record acknowledged, of one record in 64.",
    ),
    Metric(
        "librdkafka_requests_waiting",
        _G,
        ("producer",),
        "Requests that librdkafka has not sent yet, all brokers.",
    ),
    Metric(
        "librdkafka_messages_sent_total",
        _C,
        ("producer",),
        "Records that librdkafka sent, retries included.",
    ),
    Metric(
        "librdkafka_broker_rtt_seconds",
        _G,
        ("producer",),
        "Mean round trip of the slowest broker.",
    ),
    Metric("librdkafka_brokers_up", _G, ("producer",), "Brokers that are connected."),
    # Commands.
    Metric(
        "command_to_wire_seconds",
        _H,
        ("topic",),
        "Command produced, on the sender's clock, to request sent.",
    ),
    Metric("command_answer_seconds", _H, ("topic",), "Request sent to answer."),
    Metric(
        "command_final_seconds", _H, ("topic",), "Answer to final response read back."
    ),
    Metric(
        "command_finals_total",
        _C,
        ("topic", "outcome"),
        "Final responses that this worker wrote.",
    ),
    Metric(
        "command_refusals_total",
        _C,
        ("topic", "code"),
        "Final responses of this worker to commands that were not sent.",
    ),
    Metric("command_claims_open", _G, ("topic",), "Claims with no final response."),
    Metric(
        "command_claims_in_doubt",
        _G,
        ("topic",),
        "Commands that were sent, or may have been, with no answer.",
    ),
    Metric(
        "command_claims_lost",
        _G,
        ("topic",),
        "Claims of this worker that came second, in the journals of its partitions.",
    ),
    Metric(
        "command_double_finals",
        _G,
        ("topic",),
        "Second final responses in the journals of the partitions owned here.",
    ),
    Metric(
        "command_corrections",
        _G,
        ("topic",),
        "Corrections in the journals of the partitions owned here.",
    ),
    Metric("command_partitions", _G, ("topic",), "Command partitions owned here."),
    Metric("command_partitions_all", _G, ("topic",), "Partitions that the topic has."),
    Metric(
        "command_lag_messages",
        _G,
        ("topic",),
        "Commands in Kafka that were not taken yet, of the partitions owned here.",
    ),
    Metric(
        "command_poll_age_seconds",
        _G,
        ("topic",),
        "Time since the consumer's thread last came round.",
    ),
    Metric(
        "account_trading",
        _G,
        ("account", "trading"),
        "1 for the trading state in force, else 0; UNREAD counts as halted.",
    ),
    Metric("account_ready", _G, ("account",), "1 when orders can be sent, else 0."),
    Metric("account_in_flight", _G, ("account",), "Requests without an answer yet."),
    Metric("account_waiting", _G, ("account", "lane"), "Commands not sent yet."),
    # Many workers.
    Metric("ownership_shares", _G, (), "Partitions of the assignment topic held."),
    Metric(
        "ownership_shares_all",
        _G,
        (),
        "How many there are for all workers together; 0 without a group.",
    ),
    Metric("ownership_subscriptions", _G, (), "Subscriptions that run here."),
    Metric(
        "ownership_lapses_total",
        _C,
        (),
        "Times that the worker stood still for longer than its lease.",
    ),
    Metric(
        "ownership_lease_seconds",
        _G,
        (),
        "How long it may stand still; no series without a group.",
    ),
    Metric(
        "ownership_poll_age_seconds",
        _G,
        (),
        "Time since the group member's thread last came round.",
    ),
    Metric(
        "subscriptions_left_out", _G, (), "Wanted at run time, and cannot be served."
    ),
    # Secrets.
    Metric(
        "rotations_total",
        _C,
        ("part", "outcome"),
        "Changed logins and certificates taken up, and attempts that failed.",
    ),
    # The page and the probes.
    Metric("http_requests_total", _C, ("path", "status"), "Requests answered."),
    Metric("http_connections", _G, (), "Open connections to this port."),
    Metric("http_event_streams", _G, (), "Open event streams."),
    Metric(
        "http_turned_away_total", _C, (), "Connections closed unread: too many at once."
    ),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in TABLE}


def values_of(metric: Metric, label: str) -> tuple[str, ...] | None:
    """Return all values of a label; None where the settings bound them."""
    if label == "reason":
        return REASONS[metric.name]
    return OWN_VALUES.get((metric.name, label)) or VALUES.get(label)
