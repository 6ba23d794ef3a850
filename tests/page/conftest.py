"""One headless browser for the tier; a server and a tab for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import chromium
from tests.support.chromium import Page
from tests.support.page_server import StateServer, served

PICTURES = Path(__file__).parents[2] / "build" / "page"


@pytest.fixture(scope="session")
def browser() -> Iterator[str]:
    """Run a headless browser; gives the address of its protocol."""
    with chromium.browser() as address:
        yield address


@pytest.fixture
def server() -> Iterator[StateServer]:
    """Serve the page and a state."""
    with served() as server:
        yield server


@pytest.fixture
def tab(browser: str) -> Iterator[Page]:
    """Open a tab of desktop size."""
    with chromium.page(browser) as tab:
        tab.size(1280, 800)
        yield tab


@pytest.fixture
def pictures() -> Path:
    """Return where screenshots are kept."""
    return PICTURES
