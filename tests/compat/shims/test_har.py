"""``SaveHar`` and ``request_to_flow``: HARs as dictionaries."""

from __future__ import annotations

import io
import json
from importlib import import_module

import pytest
from tests.support.flows import http_flow, response

from flowdump.exceptions import FlowReadException

pytestmark = pytest.mark.usefixtures("installed")


def test_flows_become_har_dictionaries_and_back() -> None:
    har = import_module("mitmproxy.addons.savehar").SaveHar().make_har([http_flow("https://a.b/c", response(204))])
    (entry,) = har["log"]["entries"]
    assert entry["request"]["url"] == "https://a.b/c"
    flow = import_module("mitmproxy.io.har").request_to_flow(entry)
    assert (flow.request.url, flow.response.status_code) == ("https://a.b/c", 204)
    assert import_module("mitmproxy.addons.savehar").SaveHar().flow_entry(flow)["response"]["status"] == 204
    document = io.BytesIO(json.dumps(har).encode())
    assert [flow.type for flow in import_module("mitmproxy.io").FlowReader(document).stream()] == ["http"]
    broken = io.BytesIO(b'{"log": {"entries": [{"request": 5}]}}')
    with pytest.raises(FlowReadException):
        list(import_module("mitmproxy.io").FlowReader(broken).stream())
