"""``mitmproxy.contentviews``: content views by name, built in and of scripts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from tests.support.flows import http_flow, response

from flowdump.test import taddons, tflow

pytestmark = pytest.mark.usefixtures("installed")


def test_views_are_added_found_by_name_and_removed_with_the_run() -> None:
    views = import_module("mitmproxy.contentviews")

    class Shout(views.Contentview):  # type: ignore[misc,name-defined]
        def prettify(self, data: bytes, metadata: Any) -> str:
            return data.decode().upper()

    flow = http_flow("https://a.b/c", response(200, b'{"a": [1]}', {"content-type": "application/json"}))
    with taddons.context():
        views.add(Shout)
        assert isinstance(views.get("shout"), Shout)
        assert views.get("no such view") is None
        indented = '{\n  "a": [1]\n}'
        assert views.get("JSON").prettify(b'{"a": [1]}', views.Metadata()) == indented
        shown = views.prettify_message(flow.response, flow)
        assert (shown.text, shown.view_name) == (indented, "json")
        assert views.prettify_message(flow.response, flow, "shout").text == '{"A": [1]}'
        assert views.prettify_message(flow.response, flow, "nowhere").view_name == "json"
        name, lines, wrong = views.get_message_content_view("auto", flow.response, flow)
        assert (name, lines[1], wrong) == ("json", [("text", '  "a": [1]')], "")
        flow.response.raw_content = None
        assert views.prettify_message(flow.response, flow).syntax_highlight == "error"
        dns = tflow.tdnsflow(resp=True)
        assert "8.8.8.8" not in views.prettify_message(dns.response, dns).text
    assert views.get("shout") is None
