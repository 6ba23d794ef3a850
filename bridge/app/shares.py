"""The feeds of a worker: all of them, or the shares that a group deals it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.app.destinations import Preparation
from bridge.app.parts import Parts
from bridge.app.stopping import Stopping
from bridge.app.wishes import Wishes
from bridge.core.envelopes import Reader
from bridge.core.model import Plan, Reason
from bridge.edge.fates import Left, Patience
from bridge.edge.group import Group, Membership, Progress
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.errors import BridgeError
from bridge.flow.feed import Feed
from bridge.flow.fleet import Fleet
from bridge.flow.group_member import GroupMember
from bridge.flow.ownership import Ownership
from bridge.flow.pacer import Pacer

# For a revoked share: unbinding and closing, then Kafka's acknowledgements. Without any
# for so long, Kafka is away, and others that reach it must not be held back.
CLOSE_S = 5.0
SILENCE_S = 5.0
# Whatever Kafka still acknowledges: a group that waits longer for one member's share
# looks dead to its own watch (`core.health.THREAD_S`).
HANDOVER_S = 18.0


class Shares:
    """Runs what is wanted here, and follows every change of it."""

    def __init__(
        self,
        parts: Parts,
        preparation: Preparation,
        reader: Reader,
        pacer: Pacer,
        failed: Callable[[BridgeError], None],
    ) -> None:
        """Build everything; nothing is opened before `open`."""
        self._parts = parts
        self._section = parts.settings.ownership
        self.fleet = Fleet(self._feed, failed)
        parts.losses.plans = lambda: [feed.plan for feed in self.fleet.feeds]
        self._pacer = pacer
        self.wishes = Wishes(parts, preparation, reader, self._adjust, failed)
        self.ownership = Ownership(
            self.fleet,
            lambda: self.wishes.sources,
            self._section.partitions,
            parts.clock.now,
        )
        self.member: GroupMember | None = None
        self._group: Group | None = None
        if self._section.mode == "group":
            self._join(failed)

    @property
    def lapses(self) -> int:
        """Return how often the lease ran out."""
        return self.member.lapses if self.member else 0

    @property
    def progress(self) -> Progress | None:
        """Return how the member's reading thread is; None where none runs, or yet."""
        return self._group.progress if self._group and self.wishes.known else None

    async def open(self) -> None:
        """Learn what is wanted, and begin to run it.

        Raises:
            KafkaError: the topic of run-time subscriptions cannot be read.
        """
        await self.wishes.open()
        if self._group is None:
            self.ownership.take(None)
        else:
            self._group.open()

    def tick(self) -> None:
        """Look whether this worker stood still for longer than its lease."""
        lease = self._parts.lease
        if lease.over and self.member is not None:
            self.member.lapsed()
        lease.renew()

    async def close(self, stopping: Stopping) -> None:
        """End everything in order, and only then leave the group.

        Leaving lets go of what is being given away, too, so that is waited for as well.
        """
        self._parts.losses.stopping()
        shares = set(self.ownership.held)
        if self.member is not None:
            self.member.leave()
            shares |= self.member.leaving
        plans = self.ownership.plans(shares)
        await self.ownership.give(shares, Reason.STOPPED)
        await self._settled(plans, stopping.handover_s())
        if self._group is not None:
            await self._group.close()
        await self.wishes.close()

    async def flush(self, limit_s: float) -> Left:
        """Give Kafka a last chance; return what is not there, and never will be."""
        return self._parts.losses.close(await self._parts.producer.flush(limit_s))

    def clients(self, options: dict[str, str]) -> list[tuple[KafkaClient, Options]]:
        """Return each Kafka client with what it is to have of `options`."""
        found = self.wishes.clients(options)
        if self._group is not None:
            found.append((self._group, self._section.properties(options)))
        return found

    def describe(self) -> Mapping[str, Any]:
        """Return what runs here, JSON-ready; times in Unix ms."""
        held = sorted(self.ownership.held.items(), key=lambda one: one[0] or 0)
        return {
            "mode": self._section.mode,
            "group": self._section.group if self._group else None,
            "lapses": self.lapses,
            "left_out": list(self.wishes.problems.values()),
            "shares": [
                {
                    "share": share,
                    "since_ms": one.since_ms,
                    "bindings": sum(len(feed.plan.bindings) for feed in one.feeds),
                    "connections": [feed.plan.name for feed in one.feeds],
                }
                for share, one in held
            ],
        }

    def _feed(self, plan: Plan) -> Feed:
        return Feed(plan, self._parts, self._pacer)

    def _adjust(self) -> None:
        self.ownership.adjust()

    async def _settled(
        self, plans: Sequence[Plan], limit_s: float = HANDOVER_S
    ) -> None:
        patience = Patience(SILENCE_S, min(limit_s, HANDOVER_S))
        places = self._parts.places(plans)
        if not await self._parts.producer.settled(places, patience):
            self._parts.log("handover_unsettled", level="warning")

    def _join(self, failed: Callable[[BridgeError], None]) -> None:
        """Become a member of the group that deals the shares."""
        section, parts = self._section, self._parts
        self.member = GroupMember(
            self.ownership,
            self._settled,
            parts.clock.sleep,
            section.session_timeout_s,
            parts.log,
            failed,
        )
        name = parts.settings.worker.name
        membership = Membership(
            section.group,
            [parts.settings.topics.assignment],
            instance_id=name if section.static_membership else "",
            release_timeout_s=CLOSE_S + HANDOVER_S + 1.0,
        )
        options = section.properties(parts.settings.kafka.properties())
        self._group = Group(options, membership, self.member, parts.clock)
        self.member.attach(self._group)
