"""A pytest plugin with one fixture, ``flowdump_proxy``: a proxy that runs while a test does, in a thread of its own.

::

    @pytest.mark.flowdump(ssl_insecure=True, addons=[Header()])
    def test_something(flowdump_proxy):
        requests.get("http://example.com/", proxies={"http": flowdump_proxy.url})
        assert flowdump_proxy.wait_for_flow().response.headers["x"] == "1"

The mark takes what ``flowdump.Proxy`` takes. Certificates of its authority are made once for all tests of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "flowdump(**options): options and addons of the fixture flowdump_proxy.")


@pytest.fixture(scope="session")
def flowdump_confdir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder with the authority whose certificate clients have to trust."""
    return str(tmp_path_factory.mktemp("flowdump"))


@pytest.fixture
def flowdump_proxy(request: pytest.FixtureRequest, flowdump_confdir: str) -> Iterator[Any]:
    """A running ``flowdump.Proxy``."""
    from flowdump import Proxy

    mark = request.node.get_closest_marker("flowdump")
    with Proxy(**({"confdir": flowdump_confdir} | (mark.kwargs if mark else {}))) as proxy:
        yield proxy
