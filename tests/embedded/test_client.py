"""The client against an embedded Kafka, with a bridge that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import confluent_kafka as ck
import pytest

from bridge.client import (
    Busy,
    Client,
    Corrected,
    NoFinalYet,
    NotSubmitted,
    Outcome,
    Phase,
    Response,
)
from bridge.core.codec import Codec, confluent_header
from bridge.core.envelopes import COMMAND, RESPONSE
from bridge.core.orders import Evidence
from bridge.core.routing import partition
from bridge.edge.schemas import bundled
from bridge.embedded import EmbeddedKafka
from bridge.errors import KafkaError, SchemaError
from tests.embedded.responder import (
    COMMANDS,
    PARTITIONS,
    RESPONSES,
    Responder,
    options,
)
from tests.support.running import Run, until
from tests.unit.edge.registry_stand import Stand, standing

ADD = {"instrument": "BTC-USD", "sizeE8": 10, "side": "BID", "type": "MARKET_IOC"}
TOPICS = {COMMANDS: PARTITIONS, RESPONSES: PARTITIONS}


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(topics=TOPICS) as cluster:
        yield cluster


@asynccontextmanager
async def opened(
    kafka: EmbeddedKafka, **more: Any
) -> AsyncIterator[tuple[Client, Responder]]:
    async with Client(options(kafka), account="desk", **more) as client:
        yield client, Responder(kafka)


def raw_commands(kafka: EmbeddedKafka) -> list[bytes]:
    """Return the bytes of every command there is."""
    return [message.value() or b"" for message in messages(kafka)]


def commands(kafka: EmbeddedKafka) -> list[tuple[int, bytes, dict[str, Any]]]:
    """Return partition, key and record of every command there is."""
    reader = Responder(kafka).reader
    return [
        (m.partition() or 0, m.key() or b"", reader.command(m.value() or b""))
        for m in messages(kafka)
    ]


def messages(kafka: EmbeddedKafka) -> list[ck.Message]:
    """Return every record of the command topic."""
    consumer = ck.Consumer(
        {
            **options(kafka),
            "group.id": "t",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    try:
        consumer.assign([ck.TopicPartition(COMMANDS, n, 0) for n in range(PARTITIONS)])
        found, ends = [], 0
        while ends < PARTITIONS:
            message = consumer.poll(10)
            assert message is not None
            if message.error():
                ends += 1
            else:
                found.append(message)
        return found
    finally:
        consumer.close()


def test_a_command_lands_on_the_partition_of_its_key_as_it_was_given(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """Key, partition, reqId, deadline and content are what the sender said."""

    async def story() -> None:
        async with opened(kafka) as (client, _):
            made = [
                await client.submit("add", ADD, req_id="r1", key="alpha", not_after=5),
                await client.submit("voiceTrade", {"x": [1]}, req_id="r2"),
                await client.submit("delAll", '{"instrument":"A-B"}', req_id="r3"),
            ]
            assert [p.partition for p in made] == [
                partition(key, PARTITIONS) for key in (b"alpha", b"desk", b"desk")
            ]
            assert made[1].offset is not None
            assert made[2].offset == made[1].offset + 1

    run(story())
    found = {record["reqId"]: (key, record) for _, key, record in commands(kafka)}
    assert found["r1"][0] == b"alpha"
    assert found["r1"][1]["notAfter"] == 5
    assert found["r1"][1]["account"] == "desk"
    name, content = found["r1"][1]["content"]
    assert (name, content["sizeE8"], content["side"]) == ("Add", 10, "BID")
    assert found["r2"][1]["content"] == '{"x":[1]}'
    assert found["r3"][1]["content"] == '{"instrument":"A-B"}'


def test_interim_responses_come_one_by_one_and_end_with_the_final_one(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """Iteration yields CLAIMED and DOUBT, then ends; `final` is the outcome."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            pending = await client.submit("add", ADD)
            responder.answer(pending, Phase.CLAIMED)
            iterator = aiter(pending)
            assert (await anext(iterator)).phase is Phase.CLAIMED
            assert not pending.done
            responder.answer(pending, Phase.DOUBT)
            responder.answer(
                pending,
                Phase.FINAL,
                outcome=Outcome.NO_TRACE,
                evidence=Evidence.RECONCILED,
            )
            assert [r.phase async for r in iterator] == [Phase.DOUBT]
            assert [r.phase async for r in pending] == [Phase.CLAIMED, Phase.DOUBT]
            final = await pending.final(5)
            assert (final.outcome, final.evidence) == (
                Outcome.NO_TRACE,
                Evidence.RECONCILED,
            )
            assert final.times == (1, 2, 3, 4)
            assert (final.worker, final.connection) == ("w", "c")
            assert final.client_order_id == 77

    run(story())


def test_the_first_final_response_in_the_log_is_binding(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """A second final one changes nothing and is counted."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            pending = await client.submit("add", ADD)
            responder.answer(pending, Phase.FINAL, outcome=Outcome.DONE)
            responder.answer(pending, Phase.FINAL, outcome=Outcome.NO_TRACE)
            assert (await pending.final(5)).outcome is Outcome.DONE
            await until(lambda: pending.doubles == 1, "the double is counted")
            assert (await pending.final()).outcome is Outcome.DONE

    run(story())


def test_responses_to_others_are_not_taken(run: Run, kafka: EmbeddedKafka) -> None:
    """Topic, account, partition, reqId and command offset must all be the command's."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            pending = await client.submit("add", ADD, req_id="same")
            wrong = Outcome.REJECTED
            answer, offset = responder.answer, pending.offset or 0
            answer(pending, Phase.FINAL, outcome=wrong, account="other")
            answer(pending, Phase.FINAL, outcome=wrong, topic="other")
            answer(pending, Phase.FINAL, outcome=wrong, offset=offset + 1)
            beside = (pending.partition + 1) % PARTITIONS
            responder.write("same", beside, offset, Phase.FINAL, outcome=wrong)
            answer(pending, Phase.FINAL)
            assert (await pending.final(5)).outcome is Outcome.DONE
            assert pending.doubles == 0

    run(story())


def test_a_repeat_of_a_req_id_gets_a_final_response_of_its_own(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """Two commands with one reqId are told apart by their offsets."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            first = await client.submit("add", ADD, req_id="twice")
            second = await client.submit("add", ADD, req_id="twice")
            responder.answer(second, Phase.FINAL, repeat_of=first.offset)
            repeat = await second.final(5)
            assert (repeat.repeat_of, repeat.command_offset) == (
                first.offset,
                second.offset,
            )
            assert not first.done
            responder.answer(first, Phase.FINAL, code="FIRST")
            assert (await first.final(5)).code == "FIRST"

    run(story())


def test_a_response_that_is_faster_than_the_acknowledgement_is_kept(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """What comes before Kafka has confirmed the command is judged afterwards."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            at = client.partition_of()
            kafka.fail_requests(0, [7] * 3)  # REQUEST_TIMED_OUT: produce is retried
            sending = asyncio.ensure_future(client.submit("add", ADD, req_id="fast"))
            await asyncio.sleep(0)
            kafka.clear_errors(0)
            responder.write("fast", at, 0, Phase.FINAL, code="EARLY")
            pending = await sending
            assert pending.offset == 0
            assert (await pending.final(5)).code == "EARLY"

    run(story())


def test_results_are_exact(run: Run, kafka: EmbeddedKafka) -> None:
    """Typed results keep 64-bit integers, JSON results keep fractions as decimals."""
    removed = (5, (9007199254740993, 2**63 - 1))  # OrderRemoved

    async def story() -> list[Response]:
        async with opened(kafka) as (client, responder):
            one = await client.submit("del", {"orderId": 1})
            responder.answer(one, Phase.FINAL, typed=removed, body="{}")
            two = await client.submit("odd", {})
            body = '{"a":0.10000000000000000001,"n":9007199254740993}'
            responder.answer(two, Phase.FINAL, body=body)
            three = await client.submit("odd", {})
            refused = {"venue_error": 76, "venue_meaning": "nothing matched"}
            responder.answer(three, Phase.FINAL, outcome=Outcome.REJECTED, **refused)
            return [await p.final(5) for p in (one, two, three)]

    one, two, three = run(story())
    assert one.result == {"orderId": 9007199254740993, "remainingSizeE8": 2**63 - 1}
    assert two.result == {
        "a": Decimal("0.10000000000000000001"),
        "n": 9007199254740993,
    }
    assert three.venue_error is not None
    assert (three.venue_error.number, three.venue_error.meaning) == (
        76,
        "nothing matched",
    )


def test_a_correction_is_raised_and_told(run: Run, kafka: EmbeddedKafka) -> None:
    """After a correction `final` raises it; a late one is told to the callback."""

    async def story() -> None:
        told: list[Response] = []
        async with opened(kafka, on_corrected=told.append) as (client, responder):
            pending = await client.submit("add", ADD)
            responder.answer(pending, Phase.FINAL, outcome=Outcome.NO_TRACE)
            assert (await pending.final(5)).outcome is Outcome.NO_TRACE
            responder.answer(pending, Phase.CORRECTION, text="a deal was found")
            await until(lambda: bool(told), "the correction is told")
            assert pending.correction is told[0]
            with pytest.raises(Corrected, match="NO_TRACE OK and corrected to DONE"):
                await pending.final(5)

    run(story())


def test_a_time_out_does_not_say_that_nothing_was_executed(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """The text warns, and one may go on waiting."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            pending = await client.submit("add", ADD)
            with pytest.raises(NoFinalYet, match="does not mean that it was not exec"):
                await pending.final(0.05)
            responder.answer(pending, Phase.FINAL)
            assert (await pending.final(5)).outcome is Outcome.DONE
            never = await client.submit("add", ADD)
        with pytest.raises(NoFinalYet, match="before the client was closed"):
            await never.final()
        assert len(commands(kafka)) == 2  # nothing is ever sent again

    run(story())


@pytest.mark.parametrize("know_offset", [True, False])
def test_a_final_response_that_came_while_away_is_found(
    know_offset: bool, run: Run, kafka: EmbeddedKafka
) -> None:
    """After a restart the log is read again from then on, and nothing is sent."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            old = await client.submit("add", ADD, req_id="r", key="k")
        responder.answer(old, Phase.CLAIMED)
        responder.answer(old, Phase.FINAL, outcome=Outcome.REJECTED)
        responder.answer(old, Phase.FINAL, outcome=Outcome.DONE)
        offset = old.offset if know_offset else None
        async with opened(kafka) as (client, _):
            again = await client.resume("r", key="k", offset=offset, since=1)
            assert (await again.final(5)).outcome is Outcome.REJECTED
            assert [r.phase async for r in again] == [Phase.CLAIMED]
            assert (again.offset, again.doubles) == (old.offset, 1)
        assert len(commands(kafka)) == 1

    run(story())


def test_a_resumed_command_goes_on_waiting(run: Run, kafka: EmbeddedKafka) -> None:
    """Where the log holds no final response yet, the next one is taken, once."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            old = await client.submit("add", ADD, req_id="r")
        responder.answer(old, Phase.DOUBT)
        async with opened(kafka) as (client, _):
            again = await client.resume("r", partition=old.partition)
            assert not again.done
            responder.answer(old, Phase.FINAL)
            assert (await again.final(5)).outcome is Outcome.DONE
            assert [r.phase async for r in again] == [Phase.DOUBT]
            with pytest.raises(KafkaError, match="no partition 9"):
                await client.resume("r", partition=9)

    run(story())


def test_waiting_commands_are_bounded(run: Run, kafka: EmbeddedKafka) -> None:
    """Above `max_pending` nothing is sent; a final response makes room."""

    async def story() -> None:
        async with opened(kafka, max_pending=1) as (client, responder):
            first = await client.submit("add", ADD)
            with pytest.raises(Busy, match="nothing was sent"):
                await client.submit("add", ADD)
            responder.answer(first, Phase.FINAL)
            await first.final(5)
            await client.submit("add", ADD)
        assert len(commands(kafka)) == 2

    run(story())


def test_a_command_that_kafka_does_not_confirm_may_have_arrived(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """While Kafka is away, the error says `maybe`; too large a record is a `no`."""

    async def story() -> None:
        more = {"send_timeout_s": 1.0}
        async with opened(kafka, **more) as (client, _):
            kafka.fail_requests(0, [10])  # MESSAGE_TOO_LARGE, from the broker
            with pytest.raises(NotSubmitted, match="will not be executed") as refused:
                await client.submit("add", ADD)
            assert refused.value.sent == "no"
            kafka.broker_down()
            with pytest.raises(NotSubmitted, match="do not send it again") as lost:
                await client.submit("add", ADD, req_id="lost")
            assert (lost.value.sent, lost.value.req_id) == ("maybe", "lost")
            kafka.broker_up()

    run(story())


def test_content_that_does_not_fit_is_not_sent(run: Run, kafka: EmbeddedKafka) -> None:
    """Unknown names, floats, missing and huge values are errors before Kafka."""
    wrong: list[dict[str, Any]] = [
        {**ADD, "price": 1},
        {**ADD, "sizeE8": 1.5},
        {**ADD, "sizeE8": 2**63},
        {**ADD, "side": "UP"},
        {"instrument": "BTC-USD"},
    ]

    async def story() -> None:
        async with opened(kafka) as (client, _):
            for content in wrong:
                with pytest.raises(SchemaError):
                    await client.submit("add", content)
            with pytest.raises(SchemaError, match="no JSON"):
                await client.submit("odd", {"x": Decimal(1)})

    run(story())
    assert commands(kafka) == []


def test_a_response_that_cannot_be_read_is_told(run: Run, kafka: EmbeddedKafka) -> None:
    """Who waits for it is told; others, and records without a value, do not matter."""

    async def story() -> None:
        async with opened(kafka) as (client, responder):
            one = await client.submit("add", ADD)
            two = await client.submit("add", ADD)
            responder.raw(b"other", one.partition, b"junk")
            responder.raw(one.req_id.encode(), one.partition, None)
            responder.raw(one.req_id.encode(), one.partition, b"junk")
            with pytest.raises(SchemaError):
                await one.final(5)
            responder.answer(two, Phase.FINAL)
            assert (await two.final(5)).outcome is Outcome.DONE

    run(story())


@pytest.mark.parametrize(
    ("topics", "text"),
    [
        ({COMMANDS: 3, RESPONSES: 2}, "must be equal"),
        ({COMMANDS: 3}, "no such topic: finery.responses"),
    ],
)
def test_topics_that_do_not_fit_together_are_refused(
    topics: dict[str, int], text: str, run: Run
) -> None:
    """A response comes on its command's partition, so both counts must be equal."""

    async def story(kafka: EmbeddedKafka) -> None:
        with pytest.raises(KafkaError, match=text):
            async with opened(kafka):
                pass

    with EmbeddedKafka(topics=topics) as kafka:
        run(story(kafka))


def test_with_a_registry_the_ids_are_the_registrys(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """The command names the id of exactly our schema; responses name their own."""
    texts = bundled()

    async def story(stand: Stand) -> None:
        async with opened(kafka, registry=stand.url) as (client, responder):
            pending = await client.submit("add", ADD)
            value = responder.value(pending.req_id, pending.offset or 0)
            body = value[len(Codec(texts).single_object_header(RESPONSE)) :]
            key = pending.req_id.encode()
            responder.raw(key, pending.partition, confluent_header(6) + body)
            assert (await pending.final(5)).outcome is Outcome.DONE

    with standing() as stand:
        found = {"id": 5, "subject": "s", "version": 1, "schema": texts[COMMAND]}
        stand.answers = {
            "/schemas/ids/6": (200, {"schema": texts[RESPONSE]}),
            "/subjects/finery.commands-value": (200, found),
        }
        run(story(stand))
    assert raw_commands(kafka)[0][:5] == b"\x00\x00\x00\x00\x05"


def test_a_schema_that_is_not_registered_is_told_at_the_start(
    run: Run, kafka: EmbeddedKafka
) -> None:
    """The client registers nothing, and sends nothing with another schema."""

    async def story(stand: Stand) -> None:
        with pytest.raises(SchemaError, match="schemas register"):
            async with opened(kafka, registry=stand.url):
                pass

    with standing() as stand:
        run(story(stand))
        assert all("/versions" not in path for path in stand.paths())
