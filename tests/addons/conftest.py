"""Times are shown in local time: for these tests that is UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from flowdump.addons import dumper


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    dumper._clock.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    dumper._clock.cache_clear()
