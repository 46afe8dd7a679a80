"""Fixtures of the tests against real programs: mitmproxy, nginx and its clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.mitmproxy import REQUIRED, Mitmproxy, Unavailable, find
from tests.support.programs import Nginx, Setup, in_front_of, running_nginx

#: Runs flowdump with arguments; gives what it printed, and fails where the exit code is not the expected one.
Flowdump = Callable[..., str]


@pytest.fixture(scope="session")
def mitmproxy() -> Mitmproxy:
    """A real mitmproxy. Tests are skipped where there is none, and fail where FLOWDUMP_REQUIRE_MITMPROXY is set."""
    try:
        return find()
    except Unavailable as reason:
        if os.environ.get(REQUIRED):
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def flowdump(tmp_path_factory: pytest.TempPathFactory) -> Flowdump:
    """The flowdump of this checkout in a process of its own, as users run it."""
    confdir = tmp_path_factory.mktemp("flowdump")

    def run(*arguments: str | Path, code: int = 0) -> str:
        command = [sys.executable, "-m", "flowdump", "-n", "--confdir", str(confdir), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with running_nginx(tmp_path_factory.mktemp("nginx")) as served:
        yield served


@pytest.fixture
def setup(nginx: Nginx, tmp_path: Path) -> Iterator[Setup]:
    with in_front_of(nginx, tmp_path) as proxy:
        yield proxy
