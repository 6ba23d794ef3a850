"""What a worker tells of its order path, against what it did."""

from __future__ import annotations

import json
from pathlib import Path

from tests.embedded.test_orders import RESPONSES, TOPIC, taking, told, trading
from tests.support.running import Run, until


def test_the_order_path_describes_itself(run: Run, tmp_path: Path) -> None:
    """Partitions, outcomes and stages are those of the commands that were sent."""

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            sender.send("take", "add", **await taking(sender, "BTC-USD"))
            finals = await sender.finals(base + 1)
            assert told(finals[base]) == ("DONE", "FILLED")

            orders = path.workers[0]._orders
            assert orders is not None
            shelves = orders.paths[TOPIC].shelves.values()
            await until(lambda: not any(s.claims.open for s in shelves), "read back")
            found = json.loads(json.dumps(orders.describe()))
            topic, account = found["topics"][TOPIC], found["accounts"]["desk"]
            ours = next(p for p in topic["partitions"] if p["partition"] == 0)

            assert ours["position"] == base + 1
            assert (ours["open_claims"], ours["in_doubt"]) == (0, 0)
            assert not ours["closing"]
            assert topic["outcomes"]["DONE"] >= 1
            assert sum(topic["outcomes"].values()) == base + 1
            assert topic["double_finals"] == topic["corrections"] == 0
            # a refused command is never sent; what was sent was answered, too
            stages = topic["latency"]
            assert 1 <= stages["command_to_sent"]["count"] <= base + 1
            assert (
                stages["sent_to_answer"]["count"]
                == (stages["command_to_sent"]["count"])
            )
            assert 0 < stages["sent_to_answer"]["p50_ms"] < 10_000
            assert account["connection"]
            assert account["ready"]
            assert account["in_flight"] == 0
            assert account["trading"] == "ACTIVE"

    run(story())


def test_the_response_topic_of_a_worker_is_verified(run: Run, tmp_path: Path) -> None:
    """Everything that the real worker wrote is complete, a doubt included."""
    from bridge.verbs.verify import read, summarise

    async def story() -> None:
        async with trading(tmp_path) as (path, sender):
            base = len(await sender.finals(1))
            await path.finery.do("lose_reply", method="add", times=1)
            order = await taking(sender, "BTC-USD")
            sender.send("lost", "add", **order)
            sender.send("lost", "add", **order)
            await sender.finals(base + 2)

            facts = summarise(await read(path.made, [RESPONSES], 300.0))
            assert facts["complete"], facts
            assert facts["responses"]["commands"] == base + 2
            assert facts["responses"]["finals"] == base + 2
            assert facts["responses"]["open"] == 0

    run(story())
