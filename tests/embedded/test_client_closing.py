"""Nobody waits for ever: the client is closed meanwhile, or the brokers go away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bridge.client import NoFinalYet, NotSubmitted, Pending, Phase
from bridge.client import reader as reading
from bridge.embedded import EmbeddedKafka
from bridge.errors import KafkaError
from tests.embedded.test_client import ADD, TOPICS, opened
from tests.support.running import Run

FROZEN_MS = 60_000


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics=TOPICS) as cluster:
        yield cluster


def test_a_command_on_its_way_when_the_client_closes_may_have_arrived(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """Kafka is frozen: `submit` ends with the client, not with Kafka."""

    async def story() -> NotSubmitted:
        async with opened(kafka) as (client, _):
            kafka.round_trip(FROZEN_MS)
            asked = asyncio.create_task(client.submit("add", ADD, req_id="late"))
            await asyncio.sleep(0.3)
            loop = asyncio.get_running_loop()
            left_s = loop.time()
        with pytest.raises(NotSubmitted, match="the client was closed") as told:
            async with asyncio.timeout(1.0):
                await asked
        assert loop.time() - left_s < 6.0
        return told.value

    error = run(story())
    assert (error.sent, error.req_id) == ("maybe", "late")


def test_a_closed_client_sends_nothing(run: Run, kafka: EmbeddedKafka) -> None:
    """The command is not in the topic, so it may be sent by another client."""

    async def story() -> None:
        async with opened(kafka) as (client, _):
            pass
        async with asyncio.timeout(2.0):
            with pytest.raises(NotSubmitted, match="the client was closed") as told:
                await client.submit("add", ADD)
        assert told.value.sent == "no"

    run(story())


def test_a_closed_client_waits_for_no_response(run: Run, kafka: EmbeddedKafka) -> None:
    """What is resumed then says at once that nobody listens."""

    async def story() -> None:
        async with opened(kafka) as (client, _):
            pass
        pending = await client.resume("r")
        with pytest.raises(NoFinalYet, match="before the client was closed"):
            await pending.final(2.0)

    run(story())


def test_a_resume_gives_up_when_the_brokers_go_away(
    run: Run, kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the past is known and never reached."""
    monkeypatch.setattr(reading, "SILENCE_S", 0.5)

    async def story() -> Pending:
        async with opened(kafka) as (client, responder):
            pending = await client.submit("add", ADD, req_id="r")
            responder.answer(pending, Phase.FINAL)
            kafka.fail_requests(1, [-195] * 1_000)  # each Fetch: it hangs up
            async with asyncio.timeout(20.0):
                return await client.resume("r")

    with pytest.raises(KafkaError, match=r"no record came for 0\.5 s"):
        run(story())
