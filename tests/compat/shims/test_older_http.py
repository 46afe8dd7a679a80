"""``HTTPRequest`` and ``HTTPResponse`` with their constructors up to mitmproxy 6."""

from __future__ import annotations

from importlib import import_module

import pytest

from flowdump.test import tflow

pytestmark = pytest.mark.usefixtures("installed")


def test_older_constructors_make_the_messages_of_today() -> None:
    http = import_module("mitmproxy.http")
    asked = http.HTTPRequest("absolute", "GET", "http", "a", 80, "/b", "HTTP/1.1", http.Headers(x="y"), b"c", 1.0, 2.0)
    assert isinstance(asked, http.HTTPRequest)
    assert not isinstance(asked, http.HTTPResponse)
    assert (asked.url, asked.authority, asked.content, asked.timestamp_end) == ("http://a/b", "a:80", b"c", 2.0)
    relative = http.HTTPRequest("relative", "GET", None, "a", 80, None)
    assert (relative.authority, relative.http_version) == ("", "HTTP/1.1")
    answer = http.HTTPResponse(b"HTTP/1.1", 200, "OK", None, "text", 1.0, 2.0)
    assert (answer.content, answer.timestamp_start, http.HTTPResponse.wrap(answer)) == (b"text", 1.0, answer)
    assert http.HTTPRequest.wrap(asked) is asked
    assert http.make_error_response(502, "<why>").text.count("&lt;why&gt;") == 1
    assert http.make_connect_response().reason == "Connection established"
    assert issubclass(http.HTTPResponse, http.HTTPResponse)
    flow = tflow.twebsocketflow()
    kind = import_module("mitmproxy.websocket").WebSocketFlow
    assert kind(flow.client_conn, flow.server_conn, flow) is flow
    with http.decoded(answer):
        answer.content = b"more"
    assert answer.content == b"more"
