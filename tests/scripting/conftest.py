"""Fixtures for tests that run scripts in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scripting.inprocess import Bench, restored

from flowdump.scripting import handlers


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Runs of scripts; no handler counts as slow because the machine is busy."""
    monkeypatch.setattr(handlers, "monotonic", time.thread_time)
    clean = restored()
    next(clean)
    yield Bench(tmp_path)
    next(clean, None)
