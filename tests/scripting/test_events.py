"""The events of saved flows: which ones, in which order, with what in the flow; and what handlers set is written."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scripting.inprocess import Bench, plain
from tests.support.flows import dns_flow, every_kind, http_flow, response, tcp_flow, udp_flow, websocket_flow

from flowdump.runtime.hooks import EVENT_NAMES

#: A script that notes every event with what is in the flow at that time.
NOTING = f"""
events = {EVENT_NAMES!r}
never = "next_layer", "quic_start_client", "quic_start_server"
seen = []

def state(flow):
    if flow.type in ("tcp", "udp"):
        return len(flow.messages)
    if flow.type == "http" and flow.websocket is not None:
        return len(flow.websocket.messages)
    return "response" if flow.response else ""

def make(event):
    def handler(flow):
        seen.append(f"{{event}} {{state(flow)}}".strip())
        flow.comment = ", ".join(seen)
    return handler

for event in events:
    if event not in ("load", "configure", "running", "done", "update", "add_log", *never):
        globals()[event] = make(event)
"""

HTTP = "requestheaders response, request response, responseheaders response, response response"
UPGRADE = "requestheaders 2, request 2, responseheaders 2, response 2"

SEQUENCES: dict[str, tuple[Any, str]] = {
    "answered": (plain(), HTTP),
    "unanswered": (http_flow(), "requestheaders, request"),
    "failed": (http_flow(error="refused"), "requestheaders, request, error"),
    "cut": (http_flow("https://example.com/", response(200, b"ha"), error="cut"), f"{HTTP}, error response"),
    "websocket": (
        websocket_flow("a", "b"),
        f"{UPGRADE}, websocket_start 0, websocket_message 1, websocket_message 2, websocket_end 2",
    ),
    "failed websocket": (
        websocket_flow("a", "b", error="lost"),
        f"{UPGRADE}, websocket_start 0, websocket_message 1, websocket_message 2, websocket_end 2, error 2",
    ),
    "tcp": (tcp_flow(b"a", b"b"), "tcp_start 0, tcp_message 1, tcp_message 2, tcp_end 2"),
    "failed tcp": (tcp_flow(b"a", error="reset"), "tcp_start 0, tcp_message 1, tcp_error 1"),
    "silent tcp": (tcp_flow(), "tcp_start 0, tcp_end 0"),
    "udp": (udp_flow(b"a"), "udp_start 0, udp_message 1, udp_end 1"),
    "failed udp": (udp_flow(error="gone"), "udp_start 0, udp_error 0"),
    "dns": (dns_flow("a.b", "1.2.3.4"), "dns_request response, dns_response response"),
    "unanswered dns": (dns_flow("a.b"), "dns_request"),
    "failed dns": (dns_flow("a.b", error="timeout"), "dns_request, dns_error"),
}


@pytest.mark.parametrize(("flow", "expected"), SEQUENCES.values(), ids=SEQUENCES)
def test_the_order_of_events(bench: Bench, flow: Any, expected: str) -> None:
    done = bench(NOTING, [flow])
    assert (done.code, done.log) == (0, "")
    assert done.flow.comment == expected


def test_flows_come_one_at_a_time_in_file_order(bench: Bench) -> None:
    flows = every_kind()
    done = bench("seen = []\n" + NOTING.replace("seen.append(", "seen[:] = [flow.id]; seen.append("), flows)
    assert done.flows is not None
    assert [flow.id for flow in done.flows] == [flow.id for flow in flows]
    assert all(flow.comment.startswith(flow.id) for flow in done.flows)


def test_a_response_that_is_set_in_request(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import http

        def request(flow):
            flow.response = http.Response.make(404, "nothing here", {"content-type": "text/plain"})

        def responseheaders(flow):
            flow.comment += f"headers {flow.response.status_code}, "

        def response(flow):
            flow.comment += f"response {flow.response.text}"
        """,
        [http_flow()],
    )
    assert done.flow.comment == "headers 404, response nothing here"
    assert done.flow.response.content == b"nothing here"


def test_an_error_that_is_set_or_taken_away(bench: Bench) -> None:
    text = """
        from flowdump.flow import Error

        def request(flow):
            flow.error = Error("made up", 5.0) if flow.error is None else None

        def error(flow):
            flow.comment = flow.error.msg
        """
    done = bench(text, [http_flow(), http_flow(error="real")])
    assert done.flows is not None
    assert [(flow.comment, flow.error and flow.error.msg) for flow in done.flows] == [
        ("made up", "made up"),
        ("", None),
    ]


CHANGES = """
def request(flow):
    flow.request.url = "http://other.example:81/x?y=1"
    flow.request.method = "PUT"
    flow.request.text = "grüß"
    flow.request.headers["x-new"] = "1"
    flow.request.query["z"] = "ü"
    flow.marked = ":default:"
    flow.metadata["kept"] = {"a": [1, 2.5, None, True, "x", b"y"]}

def response(flow):
    flow.response.status_code, flow.response.reason = 299, "Own"
    flow.response.content = b"new body"
    flow.response.headers["content-type"] = "text/x-own"
    flow.client_conn.peername = ("10.0.0.1", 1)
"""


def test_what_handlers_set_is_what_is_written(bench: Bench) -> None:
    flow = plain()
    flow.response.headers["content-encoding"] = "gzip"
    flow.response.content = b"old"
    written = bench(CHANGES, [flow]).flow
    request, answer = written.request, written.response
    assert (request.method, request.url, request.host) == (
        "PUT",
        "http://other.example:81/x?y=1&z=%C3%BC",
        "other.example",
    )
    assert (request.text, request.headers["x-new"], request.headers["host"]) == ("grüß", "1", "other.example:81")
    assert (answer.status_code, answer.reason, answer.content) == (299, "Own", b"new body")
    assert answer.raw_content != b"new body"
    assert answer.headers["content-length"] == str(len(answer.raw_content))
    assert (written.marked, written.metadata["kept"]) == (":default:", {"a": [1, 2.5, None, True, "x", b"y"]})
    assert written.client_conn.peername == ("10.0.0.1", 1)


def test_messages_that_handlers_change(bench: Bench) -> None:
    text = """
        def websocket_message(flow):
            message = flow.websocket.messages[-1]
            message.content += b"!"
            if message.from_client:
                message.drop()

        def tcp_message(flow):
            flow.messages[-1].content = flow.messages[-1].content.upper()

        udp_message = tcp_message

        def tcp_end(flow):
            del flow.messages[0]
        """
    done = bench(text, [websocket_flow("a", b"b"), tcp_flow(b"a", b"b"), udp_flow(b"a")])
    assert done.flows is not None
    socket, tcp, udp = done.flows
    assert [(m.content, m.dropped) for m in socket.websocket.messages] == [(b"a!", True), (b"b!", False)]
    assert [m.content for m in tcp.messages] == [b"B"]
    assert [m.content for m in udp.messages] == [b"A"]


def test_flows_take_any_attribute_and_are_keys(bench: Bench) -> None:
    text = """
        flows = {}

        def request(flow):
            flow.own_attribute = object()
            flows[flow] = flow.own_attribute

        def response(flow):
            flow.comment = str(flows[flow] is flow.own_attribute)
        """
    assert bench(text).flow.comment == "True"


def test_metadata_that_cannot_be_stored_is_left_out_with_one_warning(bench: Bench) -> None:
    text = """
        def request(flow):
            flow.metadata["kept"] = 1
            flow.metadata["object"] = object()
            flow.metadata["flow"] = flow
        """
    done = bench(text, [plain(), plain()])
    assert done.flows is not None
    assert [flow.metadata for flow in done.flows] == [{"kept": 1}] * 2
    assert done.code == 0
    (line,) = done.log.splitlines()
    assert "object" in line
    assert "flow" in line


@pytest.mark.parametrize(
    "change",
    [
        "flow.response.headers = {'a': 'b'}",
        "flow.request = None",
        "flow.response.data.content = 'text'",
        "flow.response.status_code = 'four'",
        "flow.metadata = None",
        "flow.client_conn.peername = 'nowhere'",
        "flow.comment = None",
        "flow.error = 'text'",
        "flow.response = None",
    ],
)
def test_nonsense_from_a_script_costs_its_flow_at_most(bench: Bench, change: str) -> None:
    flows = [plain("https://example.com/1"), plain("https://example.com/2"), plain("https://example.com/3")]
    text = f"def response(flow):\n    if flow.request.path == '/2':\n        {change}\n"
    done = bench(text, flows, flow_detail=4, anticache=True)
    assert done.flows is not None
    paths = [flow.request.path for flow in done.flows]
    assert paths in (["/1", "/2", "/3"], ["/1", "/3"])
    assert done.code in (0, 1, 4)


@pytest.mark.parametrize("event", ["websocket_start", "websocket_message"])
def test_a_websocket_that_a_handler_takes_away(bench: Bench, event: str) -> None:
    flows = [websocket_flow("a", "b"), plain()]
    done = bench(f"def {event}(flow):\n    flow.websocket = None\n", flows)
    assert done.flows is not None
    assert [flow.websocket for flow in done.flows] == [None, None]


def test_a_response_that_a_handler_takes_away(bench: Bench) -> None:
    done = bench("def request(flow):\n    flow.response = None\n\ndef response(flow):\n    flow.response.status_code\n")
    assert (done.code, done.log, done.flow.response) == (0, "", None)
