"""A worker's port: whoever asks often takes no time from the order path."""

from __future__ import annotations

import io

import pytest

from bridge.app.site import Seen, Site
from bridge.app.vitals import Vitals
from bridge.config.sections import Http
from bridge.core.health import Step
from bridge.edge.logs import Log
from tests.support.clock import ManualClock
from tests.support.http import Reply, get
from tests.support.running import Run


class Worker:
    """Prepares, and counts how often it is looked at."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.waits_for = ""
        self.looks = 0
        self.site = Site(
            Seen(
                name="one",
                clock=self.clock,
                log=Log("error", out=io.StringIO()),
                vitals=Vitals(),
                running=self.look,
                step=lambda: Step.PREPARING,
                waits_for=lambda: self.waits_for,
                status=dict,
            )
        )

    def look(self) -> None:
        self.looks += 1


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_a_probe_looks_at_the_worker_at_most_twice_a_second(
    run: Run, path: str
) -> None:
    """However many ask, and in whichever form; then it looks anew."""

    async def story() -> tuple[list[int], list[Reply]]:
        worker = Worker()
        await worker.site.open(Http(port=0))
        port = worker.site.server.port
        looks: list[int] = []
        answers: list[Reply] = []
        for _ in range(2):
            worker.waits_for = f"look {worker.looks}"
            asked = [path, f"{path}?format=json"] * 20
            answers += [await get(port, one) for one in asked]
            looks.append(worker.looks)
            worker.clock.step(0.5)
        await worker.site.close()
        return looks, answers

    looks, answers = run(story())
    assert looks == [1, 2]
    if path == "/readyz":
        assert answers[0].body == b"worker: look 0\n"
        assert answers[-1].json()["parts"][0]["why"] == "look 1"
