"""What all connections of a worker share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from bridge.app import wishes
from bridge.app.destinations import FEED_STATE_SCHEMA, Destination, feed_schemas
from bridge.app.parts import Nonces, Parts
from bridge.app.shares import Shares
from bridge.config import load
from bridge.core.codec import Codec
from bridge.core.model import Reason
from bridge.edge.schemas import bundled
from tests.support.running import Run
from tests.unit.flow.fakes import FakeClock, ScriptedSession


def test_nonces_increase_even_when_the_clock_stands_or_steps_back() -> None:
    """Every nonce is greater than the one before, whatever the clock does."""
    clock = FakeClock()
    nonces = Nonces(clock)
    made = [nonces() for _ in range(3)]
    clock.mono_ns -= 500_000_000
    made += [nonces()]
    clock.mono_ns += 2_000_000_000
    made += [nonces()]

    assert made == sorted(set(made))
    assert made[1] == made[0] + 1
    assert made[4] == clock.now().wall_ns


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Return the parts of a worker with one plan; no broker is there."""
    path = tmp_path / "settings.yaml"
    path.write_text("cfbenchmarks: {rates: {subscriptions: [value:BRTI]}}")
    settings, codec = load(path, {}, venues=False), Codec(bundled())
    schemas = feed_schemas(settings)
    schemas[settings.topics.feed_state] = FEED_STATE_SCHEMA
    header = codec.single_object_header
    known = {t: Destination(t, one, 1, header(one)) for t, one in schemas.items()}
    return Parts(settings, known, codec, FakeClock(), lambda *_told, **_facts: None)


def test_connection_ids_grow_even_when_the_clock_stands_or_steps_back(
    parts: Parts,
) -> None:
    """Consumers take a connection for late whose id is smaller than another's."""
    clock = cast("FakeClock", parts.clock)
    [plan] = parts.settings.connections()

    def made() -> str:
        return parts.connection(plan, ScriptedSession()).outlet.connection

    ids = [made(), made()]
    clock.step(-60)
    ids += [made(), made()]
    clock.step(120)
    ids += [made()]
    assert ids == sorted(set(ids))


def test_the_losses_know_what_runs_here(
    run: Run, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for the next connection of a feed that runs, and for no other."""
    monkeypatch.setattr(wishes, "Follow", lambda *_: None)
    unused = cast("Any", None)

    async def work() -> None:
        shares = Shares(parts, unused, unused, unused, unused)
        [plan] = parts.settings.connections()
        assert list(parts.losses.plans()) == []
        feed = shares.fleet.start(plan)
        assert list(parts.losses.plans()) == [plan]
        shares.fleet.abandon([feed])
        await shares.fleet.end([feed], Reason.STOPPED)
        assert list(parts.losses.plans()) == []

    run(work())
