"""Fixtures for tests that run scripts in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scripting.inprocess import Bench, restored


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clean = restored()
    next(clean)
    yield Bench(tmp_path)
    next(clean, None)
