"""A worker as metrics: every series of `core.metric_table`, from the parts that run.

Read when somebody asks, so nothing on the hot path pays for it.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from bridge import __version__
from bridge.app import rotation
from bridge.app.view import Running
from bridge.app.vitals import FEEDS, ORDERS, Vitals
from bridge.core.exposition import Samples, Spread
from bridge.core.health import Part, View
from bridge.core.metric_table import HTTP_PATHS
from bridge.core.orders import Lane
from bridge.edge.http import OTHER, Server
from bridge.edge.kafka_options import Budget
from bridge.edge.process import Usage
from bridge.flow.latency import Histogram
from bridge.flow.orders import OrderPath

MEGABYTE = 1 << 20


class Looked(NamedTuple):
    """What one look at a worker has found; `running` None while it prepares."""

    worker: str
    started_s: float
    view: View
    parts: list[Part]
    vitals: Vitals
    usage: Usage
    running: Running | None
    server: Server


def samples(looked: Looked) -> Samples:
    """Return the values of all metrics."""
    found = Samples()
    _process(found, looked)
    _health(found, looked)
    _http(found, looked.server)
    if looked.running is not None:
        _zeros(found, looked.running)
        _streams(found, looked.view)
        _links(found, looked.view)
        _peers(found, looked.running)
        _tallies(found, looked.vitals)
        _ledger(found, looked.running)
        _kafka(found, looked.running, looked)
        _ownership(found, looked.running, looked.view)
        _orders(found, looked.running, looked.view)
    return found


def spread(histogram: Histogram) -> Spread:
    """Return a histogram as it is exported."""
    return Spread(list(histogram.counts), histogram.total_us / 1_000_000)


def _process(found: Samples, looked: Looked) -> None:
    usage = looked.usage
    python = platform.python_version()
    found.put("build_info", 1, __version__, python, looked.worker)
    found.put("process_start_time_seconds", looked.started_s)
    found.put("process_cpu_seconds_total", round(usage.cpu_s, 3))
    found.put("process_max_fds", usage.max_files)
    if usage.rss_bytes is not None:
        found.put("process_resident_memory_bytes", usage.rss_bytes)
    if usage.open_files is not None:
        found.put("process_open_fds", usage.open_files)


def _health(found: Samples, looked: Looked) -> None:
    wrong = sum(not part.ok for part in looked.parts)
    found.one_of("phase", looked.view.step)
    found.put("ready", int(not wrong))
    found.put("parts_not_ok", wrong)
    found.put("loop_lag_seconds", spread(looked.vitals.lag))


def _http(found: Samples, server: Server) -> None:
    found.zeros("http_requests_total", {})
    requests: Counter[tuple[str, str]] = Counter()
    for (path, status), count in server.requests.items():
        known = path in HTTP_PATHS or path == OTHER
        requests[path if known else "file", status] += count
    found.put_all("http_requests_total", requests)
    found.put("http_connections", server.connections)
    found.put("http_event_streams", server.streams)
    found.put("http_turned_away_total", server.turned_away)


def _zeros(found: Samples, running: Running) -> None:
    settings = running.parts.settings
    accounts = sorted(source.name for source in settings.sources())
    topics = sorted(settings.commands)
    found.zeros("gaps_total", {"source": accounts})
    found.zeros("disconnects_total", {"source": accounts})
    found.zeros("dead_letters_total", {"source": [*accounts, *topics]})
    found.zeros("command_finals_total", {"topic": topics})
    found.zeros("command_refusals_total", {"topic": topics})
    found.zeros("rotations_total", {"part": tuple(rotation.names(settings))})
    found.zeros("connections_wanted", {"source": accounts})
    found.zeros("connections_open", {"source": accounts})


def _streams(found: Samples, view: View) -> None:
    for one in view.streams:
        key = (one.source, one.name)
        found.put("subscription_live", int(one.live), *key)
        found.put("subscription_data_age_seconds", round(one.age_s, 3), *key)
        found.put("subscription_records_total", one.records, *key)
        found.put("subscription_gaps_total", 0, *key)
        found.put("subscription_lost_total", 0, *key)
        if one.rhythm_s is not None:
            found.put("subscription_rhythm_seconds", one.rhythm_s, *key)


def _peers(found: Samples, running: Running) -> None:
    for host, peer in running.parts.peers.items():
        if peer.clock_ahead_s is not None:
            found.put("clock_skew_seconds", round(peer.clock_ahead_s, 1), host)
        if peer.expires_s is not None:
            name = "certificate_expiry_timestamp_seconds"
            found.put(name, peer.expires_s, host)


def _links(found: Samples, view: View) -> None:
    wanted: dict[tuple[str, ...], float] = {}
    is_open: dict[tuple[str, ...], float] = {}
    for link in view.links:
        key = (link.source, link.kind)
        wanted[key] = wanted.get(key, 0) + 1
        is_open[key] = is_open.get(key, 0) + link.is_open
    found.put_all("connections_wanted", wanted)
    found.put_all("connections_open", is_open)


def _tallies(found: Samples, vitals: Vitals) -> None:
    tallies = vitals.tallies
    found.put_all("gaps_total", tallies.gaps)
    found.put_all("subscription_gaps_total", tallies.gaps_of)
    found.put_all("subscription_lost_total", tallies.lost)
    found.put_all("dead_letters_total", tallies.dead_letters)
    found.put_all("disconnects_total", tallies.disconnects)
    found.put_all("command_finals_total", tallies.finals)
    found.put_all("command_refusals_total", tallies.refusals)
    found.put_all("rotations_total", tallies.rotations)


def _ledger(found: Samples, running: Running) -> None:
    ledger = running.parts.ledger
    found.put("frames_total", ledger.frames)
    found.put("records_total", ledger.records)
    found.put("boundaries_total", ledger.marks)
    found.put("frames_discarded_total", ledger.discarded)


def _kafka(found: Samples, running: Running, looked: Looked) -> None:
    parts, orders = running.parts, running.orders
    producers = {FEEDS: parts.producer, **({ORDERS: orders.producer} if orders else {})}
    for name, producer in producers.items():
        found.put("kafka_produced_total", producer.produced, name)
        found.put("kafka_acknowledged_total", producer.acked, name)
        found.put("kafka_failed_total", producer.failed, name)
        found.put("kafka_queue_bytes", producer.outstanding_bytes, name)
        found.put("kafka_queue_messages", producer.outstanding, name)
        found.put(
            "kafka_delivery_seconds", spread(looked.vitals.deliveries[name]), name
        )
        said = producer.statistics
        found.put("librdkafka_messages_sent_total", said.messages_sent, name)
        found.put("librdkafka_requests_waiting", said.requests_waiting, name)
        found.put("librdkafka_brokers_up", said.brokers_up, name)
        found.put("librdkafka_broker_rtt_seconds", said.rtt_s, name)
    for out in looked.view.outs:
        found.put("kafka_stalled_seconds", round(out.stalled_s, 3), out.name)
    _marks(found, running)
    found.one_of("kafka_flow", looked.view.flow)
    found.put("kafka_pauses_total", parts.pressure.pauses)
    found.put("kafka_cuts_total", parts.pressure.cuts)


def _marks(found: Samples, running: Running) -> None:
    kafka = running.parts.settings.kafka
    most_bytes, most = kafka.queue_megabytes * MEGABYTE, kafka.queue_messages
    budget = Budget(most_bytes, most)
    for mark, share in (("high", budget.high), ("low", budget.low)):
        found.put("kafka_queue_mark_bytes", int(most_bytes * share), FEEDS, mark)
        found.put("kafka_queue_mark_messages", int(most * share), FEEDS, mark)


def _ownership(found: Samples, running: Running, view: View) -> None:
    shares, settings = running.shares, running.parts.settings
    held = [share for share in shares.ownership.held if share is not None]
    in_group = settings.ownership.mode == "group"
    found.put("ownership_shares", len(held))
    found.put("ownership_shares_all", settings.ownership.partitions * in_group)
    found.put("ownership_subscriptions", len(view.streams))
    found.put("ownership_lapses_total", shares.lapses)
    found.put("subscriptions_left_out", len(view.left_out))
    if in_group:
        found.put("ownership_lease_seconds", settings.ownership.lease_s)
    for thread in view.threads:
        if thread.name == settings.topics.assignment:
            found.put("ownership_poll_age_seconds", round(thread.age_s, 3))


def _orders(found: Samples, running: Running, view: View) -> None:
    if running.orders is None:
        return
    for topic, path in running.orders.paths.items():
        _topic(found, topic, path)
        partitions = running.parts.routing.partitions(topic)
        found.put("command_partitions_all", partitions, topic)
    for thread in view.threads:
        if thread.name in running.orders.paths:
            found.put("command_lag_messages", thread.lag, thread.name)
            age_s = round(thread.age_s, 3)
            found.put("command_poll_age_seconds", age_s, thread.name)
    for name, account in running.accounts.items():
        state = account.control.state.name if account.control else "ACTIVE"
        trading = state if account.control_read else "UNREAD"
        found.one_of("account_trading", trading, name)
        found.put("account_ready", int(account.desk.session is not None), name)
        found.put("account_in_flight", account.desk.in_flight, name)
        for lane, count in account.desk.waiting.items():
            found.put("account_waiting", count, name, Lane[lane].name)


def _topic(found: Samples, topic: str, path: OrderPath) -> None:
    owned = [shelf.claims for shelf in path.shelves.values()]
    every = [*owned, *(shelf.claims for shelf in path.witnesses)]
    sums: Mapping[str, int] = {
        "command_partitions": len(owned),
        "command_claims_open": sum(claims.open_claims for claims in owned),
        "command_claims_in_doubt": sum(claims.doubts for claims in owned),
        "command_claims_lost": sum(claims.lost_claims for claims in every),
        "command_double_finals": sum(claims.double_finals for claims in every),
        "command_corrections": sum(claims.corrections for claims in every),
    }
    for name, value in sums.items():
        found.put(name, value, topic)
    latency = path.latency
    found.put("command_to_wire_seconds", spread(latency.command_to_sent), topic)
    found.put("command_answer_seconds", spread(latency.sent_to_answer), topic)
    found.put("command_final_seconds", spread(latency.answer_to_final), topic)
