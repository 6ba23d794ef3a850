"""What every test may ask for."""

import pytest

from tests.support import running

pytest_plugins = [
    "tests.support.tiers",
    "tests.support.kafka",
    "tests.support.registry",
    "tests.support.kcat",
]


@pytest.fixture
def run() -> running.Run:
    """Hand out `run(coro)`, which runs a coroutine with an overall limit."""
    return running.run
