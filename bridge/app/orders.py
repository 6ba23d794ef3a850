"""The order path of a worker: an account for each login, a path for each topic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from secrets import SystemRandom
from typing import Any

from bridge.app.accounts import Account, Guards, OrderParts
from bridge.app.checks import Checks
from bridge.app.destinations import Destination
from bridge.app.order_venue import order_venue, shown
from bridge.app.orders_view import account_view, topic_view
from bridge.app.parts import UUID_CHANCE_BITS, Parts
from bridge.app.tracing import Tracing
from bridge.config.commands import CommandTopic
from bridge.core.claims import Claims
from bridge.core.claims_case import Limits
from bridge.core.codec import Codec
from bridge.core.command_rules import Rules
from bridge.core.envelopes import Reader, response_writer
from bridge.core.identity import uuid7
from bridge.core.model import Headers, Note, Now
from bridge.core.order_ids import OrderIds
from bridge.core.policy import Breaker, Rate
from bridge.edge.compacted import Follow
from bridge.edge.group import Group, Membership, Progress
from bridge.edge.journal import Journal
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.edge.known_schemas import KnownSchemas
from bridge.edge.producer import Budget, Failure, Left, Producer
from bridge.edge.reader_thread import Troubles
from bridge.errors import BridgeError, KafkaError, SchemaError
from bridge.flow import orders as flow
from bridge.flow.feed import Feed
from bridge.flow.outlet import DeadLetters
from bridge.flow.pacer import Pacer
from bridge.flow.second_try import Failures

# A claim and its read-back pay every wait twice. What was not delivered is written anew
# after `Limits.append_retry_ms`, so librdkafka must have given it up before that.
AT_ONCE = {"linger.ms": 0, "delivery.timeout.ms": Limits().append_retry_ms - 2_000}
BUDGET = Budget(max_bytes=32 << 20, max_messages=50_000)


class OrderPaths:
    """All order paths of one worker; made only where `commands` is configured."""

    def __init__(
        self,
        parts: Parts,
        codec: Codec,
        destinations: Mapping[str, Destination],
        known: KnownSchemas,
        failed: Callable[[BridgeError], None],
    ) -> None:
        """Build everything; nothing is opened before `open`."""
        self.paths: dict[str, flow.OrderPath] = {}
        self._answers: dict[str, flow.OrderPath] = {}  # by response topic
        self._parts = parts
        self._settings = parts.settings
        self._destinations = destinations
        self._reader = Reader(codec, known.schema_by_id)
        self._prepare = known.prepare
        self._failed = failed
        self._chance = SystemRandom()
        self._groups: dict[str, Group] = {}
        self._journals: list[Journal] = []
        self._options = parts.settings.kafka.properties()
        self.producer = Producer(
            {**self._options, **AT_ONCE}, BUDGET, self._not_delivered, self._note
        )
        self._failures = Failures(self._answers, self.producer, self._now_ms)
        self._troubles = Troubles(parts.clock, self._note)
        parts.orders_blocked = lambda: self.producer.above_high
        topics = parts.settings.topics
        part_bytes = parts.settings.dead_letter.part_kilobytes * 1000
        self._dead = DeadLetters(self.producer, topics.dead_letter, part_bytes)
        self.accounts = self._make_accounts()
        self._tracing = Tracing(parts)
        control, note = self._on_control, self._note
        self._control = Follow(
            self._options, topics.control, control, note, parts.clock, known.prepare
        )
        for name, section in parts.settings.commands.items():
            self._add(name, section, codec)

    def feeds(self, pacer: Pacer) -> list[Feed]:
        """Return the feed loops of the order connections."""
        return [
            Feed(a.plan, OrderParts(self._parts, a, a.user_timeout_ms), pacer)
            for a in self.accounts.values()
        ]

    async def open(self) -> None:
        """Join: trading states first, then the journals and groups."""
        self._check_partitions()
        control = self._destinations[self._settings.topics.control]
        await self._control.open(control.partitions)
        for journal in self._journals:
            journal.open()
        for group in self._groups.values():
            group.open()

    def progress(self, topic: str) -> Progress:
        """Return how far the reader of a command topic is."""
        return self._groups[topic].progress

    def tick(self, now: Now) -> None:
        """Serve reports, accounts, shelves and order connections."""
        self.producer.poll()
        read = self._control.caught_up
        for account in self.accounts.values():
            account.control_read = read
            account.tick(now)
        for path in self.paths.values():
            path.tick(now)
        if self.producer.fatal is not None:
            self._failed(self.producer.fatal)

    async def close(self, limit_s: float) -> None:
        """Let every shelf finish, leave the groups, and then end the readers.

        What is not finished within `limit_s` is a successor's; `tick` must go on.
        """
        self._failures.stopping()
        await flow.finish(self.paths.values(), limit_s, self._parts.clock)
        await asyncio.gather(*(group.close() for group in self._groups.values()))
        await asyncio.gather(*(journal.close() for journal in self._journals))
        await self._control.close()
        await self._tracing.close()

    async def flush(self, limit_s: float) -> Left:
        """Give Kafka a last chance; return what is not there, and never will be."""
        return await self._failures.flush(limit_s)

    def clients(self, options: Options) -> list[tuple[KafkaClient, Options]]:
        """Return each Kafka client with what it is to have of `options`."""
        readers: list[KafkaClient] = [*self._journals, *self._groups.values()]
        others = [(one, options) for one in (self._control, *readers)]
        return [(self.producer, {**options, **AT_ONCE}), *others]

    def describe(self) -> Mapping[str, Any]:
        """Return what the order path is doing, JSON-ready.

        Outcomes, lost claims, double finals and corrections are those that the journals
        of the assignments told since each was read; a window's past is among them.
        """
        return {
            "topics": {name: topic_view(path) for name, path in self.paths.items()},
            "accounts": {n: account_view(one) for n, one in self.accounts.items()},
        }

    # -- building

    def _make_accounts(self) -> dict[str, Account]:
        found: dict[str, Account] = {}
        sources = {source.name: source for source in self._settings.order_sources()}
        for section in self._settings.commands.values():
            for name in section.accounts:
                if name not in found:
                    guards = _guards(section)
                    found[name] = Account(
                        sources[name], order_venue(), self._parts, guards
                    )
        return found

    def _add(self, topic: str, section: CommandTopic, codec: Codec) -> None:
        venue = order_venue()
        rules = Rules(
            topic=topic,
            policy=section.policy(),
            methods=venue.methods,
            forms=venue.forms,
            decode=self._reader.command,
            params=venue.params,
            order_ids=OrderIds(section.dedup_window_s * 1000),
            roles={name: self._settings.finery[name].role for name in section.accounts},
            default_deadline_ms=section.default_deadline_ms,
            max_deadline_ms=section.max_deadline_ms,
            max_bytes=section.max_kilobytes * 1000,
            cod=section.cancel_on_disconnect,
        )
        checks = Checks(rules, self.accounts, self._dead, self._parts)
        write = response_writer(codec, self._destinations[section.responses].header)
        parts = flow.Parts(
            topic=topic,
            responses=section.responses,
            now=self._parts.clock.now,
            log=self._parts.log,
            read=checks.read,
            claims=partial(self._claims, section),
            epoch=self._epoch,
            encode=lambda entry, number: write(entry, number, shown(venue, entry)),
            decode=lambda value: self._reader.response(value).entry,
            send=self._send,
            bury=checks.bury,
            seen=checks.seen,
            desks={name: self.accounts[name].desk for name in section.accounts},
            tallies=self._parts.ledger.tallies,
            trails=self._tracing.trails(section.responses),
            dedup_ms=section.dedup_window_s * 1000,
            dry_run=section.dry_run,
            release_wait_s=section.answer_timeout_ms / 1000,
        )
        path = flow.OrderPath(parts, self._failed)
        membership = Membership(
            section.group, [topic], release_timeout_s=parts.release_wait_s + 2.0
        )
        options, clock = self._options, self._parts.clock
        group = Group(options, membership, path, clock, self._prepare)
        journal = Journal(options, path, clock, prepare=self._prepare)
        path.attach(group, journal)
        self.paths[topic] = path
        self._answers[section.responses] = path
        self._groups[topic] = group
        self._journals.append(journal)

    def _claims(self, section: CommandTopic, epoch: str) -> Claims:
        limits = Limits(
            lifetime_ms=section.claim_lifetime_ms,
            settle_ms=section.settle_ms,
            ask_limit_ms=round(section.resolve_limit_s * 1000),
            dedup_ms=section.dedup_window_s * 1000,
        )
        return Claims(self._settings.worker.name, epoch, limits)

    def _epoch(self) -> str:
        return uuid7(self._now_ms(), self._chance.getrandbits(UUID_CHANCE_BITS))

    def _now_ms(self) -> int:
        return self._parts.clock.now().wall_ns // 1_000_000

    def _check_partitions(self) -> None:
        """A response goes to the partition of its command: the counts must agree."""
        for topic, section in self._settings.commands.items():
            commands = self._destinations[topic].partitions
            responses = self._destinations[section.responses].partitions
            if commands != responses:
                raise KafkaError(
                    f"{topic} has {commands} partitions and {section.responses} has "
                    f"{responses}; they must have the same number"
                )

    # -- what the paths call

    def _send(
        self,
        topic: str,
        number: int,
        req_id: str,
        value: bytes,
        now: Now,
        headers: Headers | None,
    ) -> None:
        at_ms = now.wall_ns // 1_000_000
        self.producer.send(topic, value, req_id.encode(), number, at_ms, headers)

    def _not_delivered(self, failure: Failure) -> None:
        """Let the claims decide of a response; send copies and dead letters again."""
        lost = self._failures.take(failure)
        facts = {"topic": failure.topic, "code": failure.code, "lost": lost}
        self._troubles.note("not_delivered", {"level": "error", **facts})

    def _on_control(self, key: bytes, value: bytes | None) -> None:
        account = self.accounts.get(key.decode(errors="replace"))
        if account is None:
            return
        try:
            account.control = None if value is None else self._reader.control(value)
        except SchemaError as error:
            # What cannot be read may have been a halt: nothing new is sent.
            account.halt_unread(str(error))
        state = account.control.state.name if account.control else "ACTIVE"
        self._parts.log("trading_state", account=account.name, state=state)

    def _note(self, note: Note) -> None:
        self._parts.log(note.event, **note.facts)


def _guards(section: CommandTopic) -> Guards:
    return Guards(
        rate=Rate(section.orders_per_second),
        breaker=Breaker(
            section.max_rejections, round(section.rejection_pause_s * 1_000_000_000)
        ),
        answer_timeout_ms=section.answer_timeout_ms,
        settle_ms=section.settle_ms,
        max_waiting=section.max_waiting,
        user_timeout_ms=section.user_timeout_ms,
    )
