"""Fixtures of the tests of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.interception import Authorities
from tests.support.pki import Ca

from flowdump.engine.listen import first_bytes


@pytest.fixture(autouse=True)
def _silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has to wait for the processor is not silent: no server begins in its place."""
    monkeypatch.setattr(first_bytes, "SILENCE", 10.0)


@pytest.fixture
def _silent(_silence: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for its server to begin does not wait long."""
    monkeypatch.setattr(first_bytes, "SILENCE", 0.1)


@pytest.fixture
def pki(tmp_path: Path) -> Authorities:
    return Authorities(Ca(), tmp_path)
