"""Fixtures of the tests of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.interception import Authorities
from tests.support.pki import Ca


@pytest.fixture
def pki(tmp_path: Path) -> Authorities:
    return Authorities(Ca(), tmp_path)
