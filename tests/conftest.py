"""Fixtures and settings that every folder of tests uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.asynchronous"]

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes says how busy the machine is, and no test shall fail for that.
settings.register_profile("flowdump", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flowdump")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded flow files and HARs that lies beside the checkout; the test is skipped without it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the recorded samples (../shared/data) are not beside this checkout")
    return folder
