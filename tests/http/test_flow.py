"""HTTP flows as a whole; requests, responses and what they share have files of their own."""

from __future__ import annotations

import pytest
from tests.support.flows import http_flow, response, websocket_flow

import flowdump.http
from flowdump.connection import Client, Server
from flowdump.http import HTTPFlow
from flowdump.http.flow import is_failed
from flowdump.http.headers import Headers


def test_what_scripts_import_from_here() -> None:
    for name in ("HTTPFlow", "Headers", "Message", "Request", "RequestData", "Response", "ResponseData"):
        assert name in flowdump.http.__all__
        assert hasattr(flowdump.http, name)
    assert flowdump.http.Headers is Headers


def test_a_flow_without_a_request() -> None:
    flow = HTTPFlow(Client(), Server())
    with pytest.raises(AttributeError, match="request"):
        flow.request  # noqa: B018
    assert repr(flow).startswith("<HTTPFlow\n  client_conn = Client(")


def test_the_mode_that_older_scripts_ask_for() -> None:
    flow = http_flow()
    assert flow.mode == "regular"
    flow.mode = "transparent"
    assert flow.mode == "transparent"


def test_failed() -> None:
    assert is_failed(http_flow(error="refused"))
    assert not is_failed(http_flow())
    assert not is_failed(http_flow(answer=response(200), error="cut"))


def test_parts_that_are_missing_are_none_in_the_state() -> None:
    state = http_flow().get_state()
    assert (state["response"], state["websocket"], state["error"]) == (None, None, None)


def test_the_websocket_is_part_of_the_state() -> None:
    state = websocket_flow("a", b"b").get_state()
    assert [message[:3] for message in state["websocket"]["messages"]] == [(1, True, b"a"), (2, False, b"b")]


def test_repr_tells_a_story() -> None:
    shown = repr(http_flow("https://example.com/p", response(404), error="cut"))
    assert shown.splitlines() == [
        "<HTTPFlow",
        "  request = Request(GET example.com:443/p)",
        "  response = Response(404, no content)",
        "  error = cut",
        "  client_conn = Client(127.0.0.1:50000, state=closed)",
        "  server_conn = Server(example.com:443, state=closed)>",
    ]
