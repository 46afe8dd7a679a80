"""What older scripts call differently does the same as its name of today."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from tests.support.flows import client, http_flow, request, response, server, websocket_flow

from flowdump.exceptions import ControlException
from flowdump.http import Response
from flowdump.http.headers import Headers
from flowdump.scripting.older import names
from flowdump.scripting.older.names import ODict, ODictCaseless

names.install()


def test_odict() -> None:
    pairs = ODict([("a", "1"), ("b", "2"), ("a", "3")])
    assert (pairs["a"], pairs["none"], pairs.get("b"), pairs.get("none", "-")) == (["1", "3"], [], ["2"], "-")
    assert (pairs.get_first("a"), pairs.get_first("none"), pairs.get_first("none", 5)) == ("1", None, 5)
    pairs["a"] = ["9"]
    pairs["c"] = "text"
    assert pairs.lst == [["a", "9"], ["b", "2"], ["c", "text"]]
    assert pairs.items() == [("a", "9"), ("b", "2"), ("c", "text")]
    pairs.lst = [["x", "y"]]
    assert list(pairs) == ["x"]


def test_odict_caseless() -> None:
    assert ODictCaseless([("A", "1")])["a"] == ["1"]


def test_headers_as_lists() -> None:
    headers = Headers([(b"A", b"1")])
    headers["a"] = ["2", "3"]
    assert headers.fields == ((b"A", b"2"), (b"a", b"3"))
    headers["a"] = []
    assert headers.fields == ()


def test_messages() -> None:
    answer = response(404, b"text", {"content-type": "text/plain"})
    assert (answer.code, answer.msg, answer.body, answer.httpversion) == (404, "Not Found", b"text", (1, 1))
    answer.code, answer.msg, answer.body = 200, "Fine", b"more"
    assert (answer.status_code, answer.reason, answer.content) == (200, "Fine", b"more")
    assert (answer.get_content_type(), answer.get_decoded_content()) == ("text/plain", b"more")
    answer.headers["set-cookie"] = "a=b"
    assert [name for name, _ in answer.get_cookies().items()] == ["a"]
    answer.set_cookies([])
    assert "set-cookie" not in answer.headers
    answer.http_version = "HTTP/3"
    assert answer.httpversion == (3, 0)


def test_requests() -> None:
    asked = request(url="https://example.com/a/b?x=1", headers={"cookie": "c=d"})
    assert asked.get_url() == "https://example.com/a/b?x=1"
    assert asked.set_url("http://other.example/p?y=2")
    assert (asked.host, asked.get_path_components(), asked.get_query().lst) == ("other.example", ["p"], [["y", "2"]])
    assert asked.get_cookies()["c"] == ["d"]
    asked.set_cookies([("e", "f")])
    assert asked.headers["cookie"] == "e=f"
    assert (asked.form_in, asked.get_form_urlencoded().lst, asked.get_form_multipart().lst) == ("relative", [], [])
    asked.headers["content-type"] = "multipart/form-data; boundary=x"
    asked.set_form_multipart([(b"k", b"v")])
    assert asked.get_form_multipart()[b"k"] == [b"v"]


class Live:
    """What relays a flow."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda flow: self.heard.append(name)


def test_reply() -> None:
    flow = http_flow()
    flow.live = live = Live()
    answer = Response.make(204)
    flow.reply(answer)
    flow.reply()
    flow.reply(flow)
    assert flow.response is answer
    flow.reply.take()
    assert flow.intercepted
    flow.reply.commit()
    flow.reply.kill()
    assert live.heard == ["intercept", "resume", "kill"]
    assert not flow.killable
    flow.reply.kill(force=True)
    with pytest.raises(ControlException):
        flow.reply(False)


def test_a_reply_of_a_test() -> None:
    flow, mine = http_flow(), object()
    flow.reply = mine
    assert flow.reply is mine


def test_the_master_is_not_needed() -> None:
    flow = http_flow()
    flow.live = Live()
    flow.intercept("master")
    flow.kill("master")
    assert flow.error is not None


def test_match() -> None:
    assert http_flow().match("~u example")
    with pytest.raises(ValueError, match="~nonsense"):
        http_flow().match("~nonsense")


def test_websocket_flows() -> None:
    flow = websocket_flow("text", b"\x00")
    text, binary = flow.messages
    assert (text.content, binary.content, text.from_client) == ("text", b"\x00", True)
    text.content = "größer"
    binary.content = b"\x01"
    binary.mine = 5
    assert [message.content for message in flow.websocket.messages] == ["größer".encode(), b"\x01"]
    assert flow.websocket.messages[1].mine == 5
    assert text == flow.messages[0] == flow.websocket.messages[0] != binary
    assert len({text, flow.messages[0]}) == 1
    assert repr(text) == "'größer'"
    assert (flow.handshake_flow, flow.close_code, flow.close_reason, flow.close_sender) == (flow, 1000, "", "client")
    flow.websocket.closed_by_client = None
    assert flow.close_sender is None
    assert flow.ended
    with pytest.raises(ControlException, match="closed"):
        flow.inject_message(flow.client_conn, "x")
    with pytest.raises(AttributeError, match="no WebSocket"):
        http_flow().messages  # noqa: B018


def test_connections() -> None:
    ours, theirs = client(), server(timestamp_tls_setup=5.0, alpn=b"h2", cipher="AES")
    assert (theirs.ip_address, theirs.ssl_established, theirs.timestamp_ssl_setup) == (("192.0.2.1", 443), True, 5.0)
    assert (theirs.cipher_name, theirs.alpn_proto_negotiated, theirs.cert) == ("AES", b"h2", None)
    assert (ours.source_address, ours.ssl_established) == (("127.0.0.1", 8080), False)


def test_addresses_have_names() -> None:
    asked = server("example.com", 8080)
    address: Any = asked.address
    assert (address.host, address.port, address()) == ("example.com", 8080, ("example.com", 8080))
    assert (address, f"{address}", type(address())) == (("example.com", 8080), "('example.com', 8080)", tuple)
    assert {address: 1}["example.com", 8080] == 1
    asked.address = ("other.example", 80)
    assert (asked.address.host, asked.get_state()["address"]) == ("other.example", ("other.example", 80))  # type: ignore[attr-defined]
    asked.address = None
    assert asked.address is None
    one = client()
    with pytest.deprecated_call():
        assert one.address.host == one.peername[0]  # type: ignore[attr-defined]


def test_messages_that_were_replayed() -> None:
    flow = http_flow("https://example.com/", response(200))
    assert flow.response is not None
    assert (flow.request.is_replay, flow.response.is_replay) == (False, False)
    for kind, found in (("request", (True, False)), ("response", (False, True)), (None, (False, False))):
        flow.is_replay = kind
        copied = flow.copy()
        assert (copied.request.is_replay, copied.response.is_replay) == found
    flow.is_replay, flow.response = "response", None  # a script took it away
    assert flow.copy().response is None


def test_the_host_header_follows_when_it_is_told_to() -> None:
    asked = request(url="http://example.com:81/")
    asked.data.host, asked.data.port = "other.example", 80
    asked.update_host_header()
    assert asked.headers["host"] == "other.example"
    asked.data.port = 8080
    asked.update_host_header()
    assert asked.headers["host"] == "other.example:8080"


CLEAN = """
import subprocess, sys
from flowdump import connection, flow, http
from flowdump.scripting.older import names

for current, older in names.ATTRIBUTES.items():
    shared = {name for name in vars(older) if not name.startswith("__")} & {name for name in dir(current)}
    print(current.__name__, *sorted(shared - {"address", "is_replay"}))
"""


def test_classes_have_no_older_names_before_an_older_script_is_loaded() -> None:
    """Names that mitmproxy itself still has are the exception."""
    done = subprocess.run([sys.executable, "-c", CLEAN], capture_output=True, text=True, timeout=60, check=True)
    found = {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines()}
    kept = {"cert", "cipher_name", "clientcert", "ip_address"}
    assert {name: left - kept for name, left in found.items() if left - kept} == {}


@pytest.mark.parametrize(
    ("source", "is_older"),
    [
        ("def response(flow):\n    flow.response.headers['a'] = 'b'\n", False),
        ("def response(flow):\n    flow.response.code = 404\n", True),
        ("class A:\n    def response(self, flow):\n        return [c.reply for c in flow]\n", True),
        ("x = lambda flow: getattr(flow, 'handshake_flow')\n", True),
        ("def server_connect(data):\n    print(data.server.address.host)\n", True),
        ("def server_connect(data):\n    print(data.server.address[0])\n", False),
    ],
)
def test_scripts_are_known_by_the_names_they_use(source: str, is_older: bool) -> None:
    assert names.mentions_older_names(compile(source, "script.py", "exec")) is is_older
