"""Opens every dependency of a worker once, and closes it again: `check --connect`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from secrets import SystemRandom
from typing import Any, NamedTuple

from bridge.app.destinations import login_of, schemas_by_topic
from bridge.app.parts import Nonces, transport_options
from bridge.config import Settings
from bridge.config.plans import wanted_topics
from bridge.core.model import Plan
from bridge.edge.admin import Admin
from bridge.edge.clock import SystemClock
from bridge.edge.dial import ahead_s
from bridge.edge.registry import Login, Registry, subject_of
from bridge.edge.schemas import bundled
from bridge.edge.websocket import UpgradeRefused, connect
from bridge.errors import BridgeError, KafkaError, SchemaError
from bridge.venues import VENUES
from bridge.venues.base import Context, Session

# A venue that lets us in and then hangs up does so at once.
SETTLE_S = 0.5
SKEW_S = 2.0


class Answer(NamedTuple):
    """What one dependency said."""

    part: str
    ok: bool
    detail: str
    exit_code: int = 0

    def line(self) -> str:
        """Return it for people."""
        return f"{'ok    ' if self.ok else 'FAILED'}  {self.part}: {self.detail}"

    def facts(self) -> dict[str, Any]:
        """Return it for programs."""
        return self._asdict()


async def probe(settings: Settings) -> list[Answer]:
    """Ask Kafka, the registry, and each account's venue, all at once."""
    login = login_of(settings)
    first = {plan.source: plan for plan in reversed(settings.plans())}
    return await asyncio.gather(
        _answer("Kafka", _kafka(settings)),
        *([_answer("registry", _registry(settings, login))] if login else []),
        *(_answer(p.source, _venue(settings, p)) for p in reversed(first.values())),
    )


async def _answer(part: str, asked: Awaitable[str]) -> Answer:
    try:
        return Answer(part, ok=True, detail=await asked)
    except BridgeError as error:
        detail = str(error).removeprefix(f"{part}: ")
        return Answer(part, ok=False, detail=detail, exit_code=error.exit_code)


async def _kafka(settings: Settings) -> str:
    wanted = [topic.name for topic in wanted_topics(settings)]
    counts = await Admin(settings.kafka.properties()).partition_counts(wanted)
    missing = ", ".join(sorted(set(wanted) - counts.keys()))
    if missing and not settings.topics.create:
        raise KafkaError(
            f"topics missing: {missing}; run `feedbridge topics --apply` or set"
            " topics.create"
        )
    told = f"; the worker will create {missing}" if missing else ""
    return f"{len(counts)} of {len(wanted)} topics are there{told}"


async def _registry(settings: Settings, login: Login) -> str:
    texts = bundled()
    wanted = {
        subject_of(topic): texts[schema]
        for topic, schema in schemas_by_topic(settings).items()
    }
    known, missing = await asyncio.to_thread(_look_up, login, wanted)
    if missing and not settings.registry.auto_register:
        raise SchemaError(
            f"not registered: {', '.join(missing)}; run `feedbridge schemas register`"
        )
    told = f"; the worker will register {', '.join(missing)}" if missing else ""
    return f"{known} of {len(wanted)} schemas are registered{told}"


def _look_up(login: Login, wanted: Mapping[str, str]) -> tuple[int, list[str]]:
    registry = Registry(login)
    try:
        missing = [s for s, text in wanted.items() if registry.find(s, text) is None]
    finally:
        registry.close()
    return len(wanted) - len(missing), missing


class _Deaf:
    """A receiver that listens to nothing."""

    def on_frame(self, data: bytes, received_ns: int) -> None:
        """Take no notice."""

    def on_chunk_end(self) -> None:
        """Take no notice."""


async def _venue(settings: Settings, plan: Plan) -> str:
    session = _session(settings, plan)
    handshake = session.handshake(SystemClock().now())
    try:
        transport = await connect(handshake, _Deaf(), transport_options(settings))
    except UpgradeRefused as error:
        raise _refused(session, error) from error
    try:
        async with asyncio.timeout(SETTLE_S):
            closed = await transport.wait_closed()
    except TimeoutError:
        await transport.close()
        return f"logged in at {plan.url}"
    raise session.refused(0, f"closed with {closed.code}: {closed.detail}".encode())


def _session(settings: Settings, plan: Plan) -> Session:
    [source] = [s for s in settings.sources() if s.name == plan.source]
    context = Context(
        credentials=settings.credentials(source),
        chance=SystemRandom().random,
        nonce=Nonces(SystemClock()),
        options=source.options,
    )
    return VENUES[plan.venue].open(plan, context)


def _refused(session: Session, error: UpgradeRefused) -> BridgeError:
    """Return the session's verdict, with advice where our clock is off."""
    found = session.refused(error.status, error.body)
    if advice := skew(error.headers.get("date", "")):
        found.args = (f"{found}; {advice}",)
    return found


def skew(date: str, now_s: float | None = None) -> str:
    """Say how far this machine's clock is from an HTTP date, if it is too far."""
    lead_s = ahead_s(date, now_s)
    if lead_s is None or abs(lead_s) <= SKEW_S:
        return ""
    way = "behind" if lead_s > 0 else "ahead of"
    return f"this machine's clock is {abs(lead_s):.0f} s {way} the venue's; set it"
