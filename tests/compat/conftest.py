"""Fixtures of the tests of the façade."""

from collections.abc import Iterator

import pytest
from tests.scripting.conftest import bench

from flowdump import compat

__all__ = ["bench", "installed"]


@pytest.fixture
def installed() -> Iterator[None]:
    """The façade, as while flowdump runs scripts."""
    compat.install()
    try:
        yield
    finally:
        compat.uninstall()
