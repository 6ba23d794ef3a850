"""The image is built once for all tests of the tier."""

import pytest

from tests.image import engine


@pytest.fixture(scope="session")
def built() -> str:
    """Build the image; return what the script printed."""
    return engine.build()
