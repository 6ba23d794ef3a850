# ruff: noqa: INP001 - beside a script, not in a package
"""What the dashboard shows, and where: the rows and panels of scripts/dashboard.py.

A metric is named as in the table (bridge/core/metric_table.py), without the prefix; a
test sees to it that each is in exactly one panel of the rows.
"""

from __future__ import annotations

from typing import NamedTuple


class Panel(NamedTuple):
    """A panel of metrics from the table, by their names without the prefix."""

    title: str
    names: tuple[str, ...]


class Stat(NamedTuple):
    """One number at the top, with the value from which on it is bad."""

    title: str
    name: str
    expression: str
    bad_from: float = 1


class Row(NamedTuple):
    """A row of the dashboard."""

    title: str
    panels: tuple[Panel, ...]


STATS: tuple[Stat, ...] = (
    Stat("Workers not ready", "ready", "sum({ready} == bool 0)"),
    Stat(
        "Subscriptions not live",
        "subscription_live",
        "sum({subscription_live} == bool 0)",
    ),
    Stat(
        "Longest wait for Kafka",
        "kafka_stalled_seconds",
        "max({kafka_stalled_seconds})",
        15,
    ),
    Stat(
        "Commands in doubt",
        "command_claims_in_doubt",
        "sum({command_claims_in_doubt})",
    ),
    Stat(
        "Accounts not active",
        "account_trading",
        'count({account_trading|trading!="ACTIVE"} == 1) or vector(0)',
    ),
    Stat("Corrections", "command_corrections", "sum({command_corrections})"),
)

ROWS: tuple[Row, ...] = (
    Row(
        "Feeds",
        (
            Panel("Live", ("subscription_live",)),
            Panel("Age of the last data, oldest", ("subscription_data_age_seconds",)),
            Panel("Rhythm", ("subscription_rhythm_seconds",)),
            Panel(
                "Frames and records",
                (
                    *("frames_total", "records_total", "boundaries_total"),
                    "frames_discarded_total",
                ),
            ),
            Panel("Records, busiest", ("subscription_records_total",)),
            Panel("Gaps, by reason", ("gaps_total",)),
            Panel("Gaps, most", ("subscription_gaps_total",)),
            Panel("Lost records, most", ("subscription_lost_total",)),
            Panel("Dead letters", ("dead_letters_total",)),
            Panel("Connections", ("connections_wanted", "connections_open")),
            Panel("Disconnects", ("disconnects_total",)),
            Panel("Clock skew", ("clock_skew_seconds",)),
            Panel("Certificates expire", ("certificate_expiry_timestamp_seconds",)),
            Panel("Left out", ("subscriptions_left_out",)),
        ),
    ),
    Row(
        "Orders",
        (
            Panel("Command to wire", ("command_to_wire_seconds",)),
            Panel("Venue's answer", ("command_answer_seconds",)),
            Panel("Answer to final response", ("command_final_seconds",)),
            Panel("Final responses", ("command_finals_total",)),
            Panel("Refusals", ("command_refusals_total",)),
            Panel("Claims", ("command_claims_open", "command_claims_in_doubt")),
            Panel(
                "Journal",
                (
                    *("command_corrections", "command_double_finals"),
                    "command_claims_lost",
                ),
            ),
            Panel("Commands waiting in Kafka", ("command_lag_messages",)),
            Panel("Trading state", ("account_trading",)),
            Panel("Account ready", ("account_ready",)),
            Panel("In flight", ("account_in_flight",)),
            Panel("Waiting for the connection", ("account_waiting",)),
            Panel(
                "Command partitions, owned and there",
                ("command_partitions", "command_partitions_all"),
            ),
            Panel("Consumer's last turn", ("command_poll_age_seconds",)),
        ),
    ),
    Row(
        "Kafka",
        (
            Panel("Queue", ("kafka_queue_bytes", "kafka_queue_mark_bytes")),
            Panel(
                "Queue, records",
                ("kafka_queue_messages", "kafka_queue_mark_messages"),
            ),
            Panel("Waiting without acknowledgement", ("kafka_stalled_seconds",)),
            Panel("Frame to acknowledgement", ("kafka_delivery_seconds",)),
            Panel(
                "Produced and acknowledged",
                ("kafka_produced_total", "kafka_acknowledged_total"),
            ),
            Panel("Refused for good", ("kafka_failed_total",)),
            Panel("Flow", ("kafka_flow",)),
            Panel("Pauses and cuts", ("kafka_pauses_total", "kafka_cuts_total")),
            Panel("Brokers connected", ("librdkafka_brokers_up",)),
            Panel("Round trip to brokers", ("librdkafka_broker_rtt_seconds",)),
            Panel("Requests waiting in librdkafka", ("librdkafka_requests_waiting",)),
            Panel("Sent by librdkafka", ("librdkafka_messages_sent_total",)),
        ),
    ),
    Row(
        "Workers",
        (
            Panel("Ready", ("ready",)),
            Panel("Parts not well", ("parts_not_ok",)),
            Panel("Phase", ("phase",)),
            Panel(
                "Shares, owned and there",
                ("ownership_shares", "ownership_shares_all"),
            ),
            Panel("Subscriptions run", ("ownership_subscriptions",)),
            Panel("Lease lapses", ("ownership_lapses_total",)),
            Panel(
                "Group member's last turn, and the lease",
                ("ownership_poll_age_seconds", "ownership_lease_seconds"),
            ),
            Panel("Secrets taken up, and failures", ("rotations_total",)),
            Panel("Event loop lag", ("loop_lag_seconds",)),
            Panel("CPU", ("process_cpu_seconds_total",)),
            Panel("Memory", ("process_resident_memory_bytes",)),
            Panel("Open files", ("process_open_fds", "process_max_fds")),
            Panel("HTTP requests", ("http_requests_total",)),
            Panel(
                "HTTP connections",
                (
                    *("http_connections", "http_event_streams"),
                    "http_turned_away_total",
                ),
            ),
            Panel("Started", ("process_start_time_seconds",)),
            Panel("Version", ("build_info",)),
        ),
    ),
)
