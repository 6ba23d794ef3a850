"""What every test may ask for, and what none may leave behind."""

import os
from collections.abc import Iterator

import pytest

from tests.support import running

pytest_plugins = [
    "tests.support.tiers",
    "tests.support.kafka",
    "tests.support.registry",
    "tests.support.kcat",
]


@pytest.fixture(autouse=True)
def cores_as_before() -> Iterator[None]:
    """Fail a test that pins this process: all that follow would share one core."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    yield
    if os.sched_getaffinity(0) != before:
        os.sched_setaffinity(0, before)
        pytest.fail("the test left this process on other cores than it found it on")


@pytest.fixture
def run() -> running.Run:
    """Hand out `run(coro)`, which runs a coroutine with an overall limit."""
    return running.run
