"""Writing HARs: the fields of an entry, the three ways of writing a document, and flows that scripts have bent."""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import har
from tests.support.har import T0, make_flow

from flowdump.connection import Client, Server
from flowdump.flow import Error
from flowdump.formats import flowfile
from flowdump.formats.har import write as har_write
from flowdump.formats.har.read import read_har
from flowdump.formats.har.write import HarWriter, entry_json
from flowdump.http import HTTPFlow, Request, Response
from flowdump.http.headers import Headers
from flowdump.tcp import TCPFlow
from flowdump.websocket import BINARY, TEXT, WebSocketData, WebSocketMessage


def entry_of(flow: HTTPFlow, **options: Any) -> Any:
    entry = har.strict_loads(entry_json(flow, **options))
    har.check_entry(entry)
    return entry


def with_body(content: bytes, content_type: str = "", method: str = "POST") -> HTTPFlow:
    headers = {"Host": "h", "Content-Type": content_type} if content_type else {"Host": "h"}
    return make_flow(Request.make(method, "http://h/", content, headers))


def answered(content: bytes | None, *fields: tuple[bytes, bytes], status: int = 200) -> HTTPFlow:
    response = Response.make(status)
    response.headers = Headers(fields)
    response.raw_content = content
    return make_flow(None, response)


# -- entries ----------------------------------------------------------------------------------------------------------


def test_a_whole_entry_key_by_key() -> None:
    request = Request.make("GET", "https://example.com/a?b=c", headers=[(b"Host", b"example.com")])
    response = Response.make(200, b"hello", [(b"Content-Type", b"text/plain")])
    flow = make_flow(request, response)
    flow.comment = "why"
    flow.server_conn.id = "0b9e2d0c-6d4c-4a7f-9a3c-8c6a4e3f0a11"
    entry = entry_of(flow)
    assert json.dumps(entry) == json.dumps(
        {
            "startedDateTime": "2023-11-14T22:13:20.250000+00:00",
            "time": 21.5,
            "request": {
                "method": "GET",
                "url": "https://example.com/a?b=c",
                "httpVersion": "HTTP/1.1",
                "cookies": [],
                "headers": [{"name": "Host", "value": "example.com"}, {"name": "content-length", "value": "0"}],
                "queryString": [{"name": "b", "value": "c"}],
                "headersSize": len(b"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\ncontent-length: 0\r\n\r\n"),
                "bodySize": 0,
            },
            "response": {
                "status": 200,
                "statusText": "OK",
                "httpVersion": "HTTP/1.1",
                "cookies": [],
                "headers": [{"name": "Content-Type", "value": "text/plain"}, {"name": "content-length", "value": "5"}],
                "content": {"size": 5, "mimeType": "text/plain", "text": "hello"},
                "redirectURL": "",
                "headersSize": len(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\n"),
                "bodySize": 5,
            },
            "cache": {},
            "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 1.0, "wait": 20.0, "receive": 0.5},
            "serverIPAddress": "93.184.216.34",
            "_serverPort": 443,
            "connection": "0b9e2d0c-6d4c-4a7f-9a3c-8c6a4e3f0a11",
            "_clientAddress": "127.0.0.1:51234",
            "comment": "why",
        }
    )


def test_sizes_of_an_encoded_body() -> None:
    plain = b"hello " * 100
    packed = gzip.compress(plain)
    flow = answered(packed, (b"Content-Encoding", b"gzip"), (b"Content-Type", b"text/plain"))
    response = entry_of(flow)["response"]
    assert response["bodySize"] == len(packed)
    assert response["content"]["size"] == len(plain)
    assert response["content"]["compression"] == len(plain) - len(packed)
    assert response["content"]["text"] == plain.decode()


def test_a_body_that_grew_by_its_coding_has_no_compression() -> None:
    response = entry_of(answered(gzip.compress(b"x"), (b"Content-Encoding", b"gzip")))["response"]
    assert "compression" not in response["content"]


@pytest.mark.parametrize(("coding", "body"), [(b"gzip", b"\x1f\x8b\x08\x00\xff\xfe"), (b"unheard-of", b"\x00\x01\x02")])
def test_a_body_that_cannot_be_decoded_stays_as_it_is(coding: bytes, body: bytes) -> None:
    entry = entry_of(answered(body, (b"Content-Encoding", coding)))
    assert entry["response"]["content"]["size"] == len(body)
    assert entry["response"]["content"]["encoding"] == "base64"
    assert entry["_flowdump"] == {"response": {"encoded": True}}


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"", "text/plain", ""),
        ("é".encode(), "text/plain; charset=utf-8", "é"),
        ("un café".encode("latin-1"), "text/plain; charset=latin-1", "un café"),
        (b"test: " + "テスト".encode("euc_jp"), "text/plain; charset=euc-jp", None),
        (b"testing: " * 9 + "テスト".encode("shift_jis"), "text/plain; charset=shift_jis", "testing: " * 9 + "テスト"),
        ("日本語".encode() * 40, "text/html", "日本語" * 40),
        (b"\xef\xbb\xbf{}", "application/json", "\ufeff{}"),
        (b"a\x00b" + b"c" * 90, "text/plain", "a\x00b" + "c" * 90),
        (b'"\\\n\x7f</script>', "text/plain", '"\\\n\x7f</script>'),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "image/png", None),
        (bytes(range(255, -1, -1)), "text/plain", None),
        (b"ascii, then \xff", "application/json", None),
        (b"fine, but nobody knows the charset \xe9", "text/plain; charset=nope", None),
        ("é".encode("utf-16"), "text/plain", None),
    ],
)
def test_text_is_written_as_text_and_the_rest_as_base64(body: bytes, content_type: str, text: str | None) -> None:
    content = entry_of(answered(body, (b"Content-Type", content_type.encode())))["response"]["content"]
    if text is None:
        import base64

        assert base64.b64decode(content["text"], validate=True) == body
        assert content["encoding"] == "base64"
    else:
        assert content["text"] == text
        assert "encoding" not in content


def test_binary_is_judged_without_cutting_a_character() -> None:
    body = b"a" * 20 + "é".encode() * 39 + "é€".encode()  # its hundredth byte lies inside of a character
    assert "encoding" not in entry_of(answered(body, (b"Content-Type", b"text/html")))["response"]["content"]


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE", "OPTIONS"])
def test_post_data_is_there_when_there_is_a_body(method: str) -> None:
    entry = entry_of(with_body(b"x=1", "text/plain", method))
    assert entry["request"]["postData"] == {"mimeType": "text/plain", "text": "x=1", "params": []}
    assert "postData" not in entry_of(with_body(b"", "text/plain", method))["request"]


def test_params_of_forms() -> None:
    post = entry_of(with_body(b"a=1&a=%C3%A9&b=%ff", "application/x-www-form-urlencoded"))["request"]["postData"]
    assert post["params"] == [{"name": "a", "value": "1"}, {"name": "a", "value": "é"}, {"name": "b", "value": "%FF"}]
    assert post["text"] == "a=1&a=%C3%A9&b=%ff"
    body = (
        b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nv\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: a/b\r\n\r\n'
        b"\xff\x00\r\n--b--"
    )
    post = entry_of(with_body(body, "multipart/form-data; boundary=b"))["request"]["postData"]
    assert post["params"] == [{"name": "n", "value": "v"}, {"name": "f", "fileName": "x.bin", "contentType": "a/b"}]
    assert entry_of(with_body(b"x", "multipart/form-data"))["request"]["postData"]["params"] == []


def test_a_binary_request_body_is_base64() -> None:
    post = entry_of(with_body(b"\x00\xff\xfe", "application/octet-stream"))["request"]["postData"]
    assert post == {"mimeType": "application/octet-stream", "text": "AP/+", "encoding": "base64", "params": []}


def test_bodies_that_were_not_recorded() -> None:
    flow = answered(None)
    flow.request.raw_content = None
    entry = entry_of(flow)
    assert entry["request"]["bodySize"] == entry["response"]["bodySize"] == -1
    assert entry["response"]["content"] == {"size": 0, "mimeType": ""}
    assert entry["_flowdump"] == {"request": {"content": None}, "response": {"content": None}}


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/3"])
def test_compressed_heads_have_no_size(version: bytes) -> None:
    flow = make_flow()
    flow.request.data.http_version = version
    assert flow.response is not None
    flow.response.data.http_version = version
    entry = entry_of(flow)
    assert entry["request"]["httpVersion"] == version.decode()
    assert entry["request"]["headersSize"] == entry["response"]["headersSize"] == -1


def test_the_head_of_an_absolute_form_is_counted_as_it_was_sent() -> None:
    flow = make_flow(Request.make("GET", "http://h/p", headers=[(b"Host", b"h")]))
    flow.request.headers = Headers([(b"Host", b"h")])
    flow.request.data.authority = b"h:80"
    assert entry_of(flow)["request"]["headersSize"] == len(b"GET http://h:80/p HTTP/1.1\r\nHost: h\r\n\r\n")


def test_redirects_and_cookies() -> None:
    flow = answered(
        b"",
        (b"Location", b"/next"),
        (b"Set-Cookie", b"a=1; Path=/p; Domain=h; Max-Age=60; HttpOnly; Secure; SameSite=Lax"),
        (b"Set-Cookie", b"b"),
        status=302,
    )
    flow.request.headers["Cookie"] = 'x=1; y="2"; z'
    entry = entry_of(flow)
    assert entry["request"]["cookies"] == [
        {"name": "x", "value": "1"},
        {"name": "y", "value": "2"},
        {"name": "z", "value": ""},
    ]
    assert entry["response"]["redirectURL"] == "/next"
    assert entry["response"]["cookies"] == [
        {
            "name": "a",
            "value": "1",
            "path": "/p",
            "domain": "h",
            "expires": "2023-11-14T22:14:20.270Z",
            "httpOnly": True,
            "secure": True,
            "sameSite": "Lax",
        },
        {"name": "b", "value": "", "httpOnly": False, "secure": False},
    ]


# -- URLs -------------------------------------------------------------------------------------------------------------


def url_of(**facts: Any) -> str:
    flow = make_flow()
    if "host_header" in facts:
        flow.request.headers["Host"] = facts.pop("host_header")
    else:
        del flow.request.headers["Host"]
    for name, value in facts.items():
        setattr(flow.request.data, name, value)
    return str(entry_of(flow)["request"]["url"])


@pytest.mark.parametrize(
    ("facts", "url"),
    [
        ({}, "https://example.com/"),
        ({"port": 8443}, "https://example.com:8443/"),
        ({"host": "::1", "port": 8080, "scheme": b"http"}, "http://[::1]:8080/"),
        ({"host": "1.2.3.4", "host_header": "named.example"}, "https://named.example/"),
        ({"host": "1.2.3.4", "host_header": "named.example:444"}, "https://named.example:444/"),
        ({"host": "1.2.3.4", "http_version": b"HTTP/2.0", "authority": b"named.example"}, "https://named.example/"),
        (
            {"method": b"CONNECT", "authority": b"example.com:443", "path": b"", "scheme": b""},
            "https://example.com:443/",
        ),
        ({"method": b"OPTIONS", "path": b"*"}, "https://example.com"),
        ({"path": b"/\xff \xc3\xa9"}, "https://example.com/%FF%20%C3%A9"),
        ({"host": "bücher.example"}, "https://xn--bcher-kva.example/"),
        ({"host": "a b"}, "https://a%20b/"),
    ],
)
def test_urls(facts: dict[str, Any], url: str) -> None:
    assert url_of(**facts) == url


def test_queries_are_decoded_and_what_is_not_utf8_stays_encoded() -> None:
    flow = make_flow(Request.make("GET", "http://h/?a=%C3%A9+b&a&=%ff#f?x=y"))
    assert entry_of(flow)["request"]["queryString"] == [
        {"name": "a", "value": "é b"},
        {"name": "a", "value": ""},
        {"name": "", "value": "%FF"},
    ]


def test_headers_that_are_not_utf8_are_latin1() -> None:
    flow = make_flow()
    flow.request.headers = Headers([(b"Host", b"example.com"), (b"X", b"caf\xe9"), (b"Y", "é".encode())])
    entry = entry_of(flow)
    assert [header["value"] for header in entry["request"]["headers"]] == ["example.com", "café", "é"]
    assert entry["_flowdump"] == {"request": {"latin1": [1]}}


# -- times and connections --------------------------------------------------------------------------------------------


def connected(flow: HTTPFlow, begin: float, tcp: float, tls: float | None) -> HTTPFlow:
    server = flow.server_conn
    server.timestamp_start, server.timestamp_tcp_setup, server.timestamp_tls_setup = begin, tcp, tls
    return flow


def test_connect_includes_ssl_and_time_does_not_count_it_twice() -> None:
    entry = entry_of(connected(make_flow(), T0 - 0.1, T0 - 0.09, T0 - 0.07))
    assert entry["timings"]["connect"] == 30.0
    assert entry["timings"]["ssl"] == 20.0
    assert entry["time"] == 51.5
    assert entry["_flowdump"] == {"times": {"connect": -100.0}}


def test_connect_without_tls_and_without_a_beginning() -> None:
    assert entry_of(connected(make_flow(), T0, T0 + 0.001, None))["timings"]["ssl"] == -1
    flow = connected(make_flow(), T0, T0 + 0.001, None)
    flow.server_conn.timestamp_start = None
    assert entry_of(flow)["timings"]["connect"] == -1


def test_the_times_of_a_connection_are_with_its_first_entry() -> None:
    assert entry_of(connected(make_flow(), T0, T0 + 1, None), opens_connection=False)["timings"]["connect"] == -1
    flow, other = connected(make_flow(), T0, T0 + 1, None), connected(make_flow(), T0, T0 + 1, None)
    same = connected(make_flow(), T0, T0 + 1, None)
    same.server_conn.id = flow.server_conn.id
    entries = written(flow, same, other, flow)
    assert [entry["timings"]["connect"] for entry in entries] == [1000.0, -1, 1000.0, -1]


def test_only_the_most_recent_connections_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har_write, "_CONNECTIONS", 2)
    one, two, three = (connected(make_flow(), T0, T0 + 1, None) for _ in range(3))
    entries = written(one, two, one, three, one, two)
    assert [entry["timings"]["connect"] for entry in entries] == [1000.0, 1000.0, -1, 1000.0, -1, 1000.0]


def test_negative_spans_are_zero_and_unknown_ends_are_remembered() -> None:
    flow = make_flow()
    assert flow.response is not None
    flow.request.timestamp_end = T0 + 1
    flow.response.timestamp_start, flow.response.timestamp_end = T0 + 0.5, None
    entry = entry_of(flow)
    assert entry["timings"]["wait"] == entry["timings"]["receive"] == 0.0
    assert entry["_flowdump"] == {"times": {"response_start": 500.0, "response_end": None}}


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (1700000000, "2023-11-14T22:13:20+00:00"),
        (1700000000.000001, "2023-11-14T22:13:20.000001+00:00"),
        (1731596382.2106874, "2024-11-14T14:59:42.210687+00:00"),
        (1700000000.9999999, "2023-11-14T22:13:21+00:00"),
        (-0.5, "1969-12-31T23:59:59.500000+00:00"),
        (float("nan"), "1970-01-01T00:00:00+00:00"),
        (float("inf"), "1970-01-01T00:00:00+00:00"),
        (1e300, "1970-01-01T00:00:00+00:00"),
        (None, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_dates(moment: Any, date: str) -> None:
    flow = make_flow()
    flow.request.timestamp_start = moment
    assert entry_of(flow)["startedDateTime"] == date


def test_tls_facts() -> None:
    flow = make_flow()
    server = flow.server_conn
    server.tls_version, server.cipher, server.alpn, server.sni = "TLSv1.3", "AES", b"h2", "example.com"
    assert entry_of(flow)["_securityDetails"] == {
        "protocol": "TLS 1.3",
        "cipher": "AES",
        "_alpn": "h2",
        "_sni": "example.com",
    }


def test_nothing_is_said_of_unknown_ends() -> None:
    flow = make_flow()
    flow.server_conn, flow.client_conn = Server(), Client()
    entry = entry_of(flow)
    assert not {"serverIPAddress", "connection", "_serverPort", "_clientAddress", "_securityDetails"} & set(entry)


# -- failures, WebSocket, remarks -------------------------------------------------------------------------------------


def test_a_failed_flow_looks_like_one_of_chrome() -> None:
    flow = make_flow()
    flow.response, flow.error = None, Error('no "route"', T0 + 0.5)
    entry = entry_of(flow)
    assert entry["response"] == {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_transferSize": 0,
        "_error": 'no "route"',
    }
    assert entry["_flowdump"] == {"error": T0 + 0.5}


def test_a_request_without_an_answer_has_no_error() -> None:
    flow = make_flow()
    flow.response = None
    entry = entry_of(flow)
    assert "_error" not in entry["response"]
    assert entry["_flowdump"] == {"error": None}


def test_an_error_beside_a_response() -> None:
    flow = make_flow()
    flow.error = Error("cut 100%s", T0 + 0.0215)
    entry = entry_of(flow)
    assert entry["response"]["status"] == 200
    assert entry["response"]["_error"] == "cut 100%s"
    assert "_flowdump" not in entry


def test_websocket_messages_as_chrome_has_them() -> None:
    flow = make_flow(None, Response.make(101))
    flow.websocket = data = WebSocketData()
    data.messages = [
        WebSocketMessage(TEXT, True, "hé".encode(), T0 + 1),
        WebSocketMessage(BINARY, False, b"\x00\x01", T0 + 2, dropped=True, injected=True),
        WebSocketMessage(TEXT, False, b"\xff", T0 + 3),
    ]
    entry = entry_of(flow)
    assert entry["request"]["url"] == "wss://example.com/"
    assert entry["_resourceType"] == "websocket"
    assert entry["_webSocketMessages"] == [
        {"type": "send", "time": T0 + 1, "opcode": 1, "data": "hé"},
        {"type": "receive", "time": T0 + 2, "opcode": 2, "data": "AAE=", "_dropped": True, "_injected": True},
        {"type": "receive", "time": T0 + 3, "opcode": 2, "data": "/w==", "_opcode": 1},
    ]
    assert "_flowdump" not in entry
    data.close_code, data.close_reason, data.closed_by_client, data.timestamp_end = 1000, "bye", True, T0 + 4
    assert entry_of(flow)["_flowdump"]["websocket"] == {
        "closed_by_client": True,
        "close_code": 1000,
        "close_reason": "bye",
        "timestamp_end": T0 + 4,
    }


def test_text_messages_of_old_flow_files_are_str() -> None:
    flow = make_flow(None, Response.make(101))
    flow.websocket = WebSocketData()
    flow.websocket.messages = [WebSocketMessage(TEXT, True, "é", T0)]  # type: ignore[arg-type]
    assert entry_of(flow)["_webSocketMessages"][0]["data"] == "é"


def test_remarks_that_json_can_hold() -> None:
    flow = make_flow()
    flow.marked, flow.is_replay = ":x:", "request"
    circle: list[Any] = []
    circle.append(circle)
    flow.metadata = {"a": [1, None], "b": b"bytes", "c": float("nan"), "d": circle, "e": "ok", 5: "no name"}  # type: ignore[dict-item]
    assert entry_of(flow)["_flowdump"] == {
        "marked": ":x:",
        "is_replay": "request",
        "metadata": {"a": [1, None], "e": "ok"},
    }


# -- bent flows -------------------------------------------------------------------------------------------------------

_PLACES = [
    *[("request", name) for name in ("host", "port", "method", "scheme", "path", "authority", "content", "headers")],
    *[("request", name) for name in ("http_version", "timestamp_start", "timestamp_end", "trailers")],
    *[("response", name) for name in ("status_code", "reason", "content", "headers", "timestamp_start", "trailers")],
    *[("server_conn", name) for name in ("peername", "id", "timestamp_start", "timestamp_tcp_setup", "tls_version")],
    *[("client_conn", name) for name in ("peername",)],
    *[("", name) for name in ("comment", "marked", "metadata", "error", "websocket", "request", "is_replay")],
]
_nonsense = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.binary(max_size=20),
    st.text(max_size=20),
    st.sampled_from(["\ud800", "\udcff", "%s%d{}", b"\xff" * 9, [], ["a", 1], {}, {"a": object()}, object(), True]),
)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(har.flows(), st.lists(st.tuples(st.sampled_from(_PLACES), _nonsense), min_size=1, max_size=4))
def test_whatever_a_script_sets_the_entry_stays_valid(flow: HTTPFlow, changes: list[Any]) -> None:
    for (part, name), value in changes:
        target = getattr(flow, part) if part else flow
        if isinstance(target, Request | Response | Client | Server | HTTPFlow):
            setattr(getattr(target, "data", target), name, value)
    raw = entry_json(flow)
    assert b"\n" not in raw
    har.check_entry(har.strict_loads(raw))


def test_a_flow_that_cannot_be_exported_says_so() -> None:
    flow = make_flow()
    flow.request.data.headers = None  # type: ignore[assignment]
    entry = entry_of(flow)
    assert entry["request"]["method"] == "GET"
    assert entry["request"]["url"] == "http://example.com/"
    assert entry["response"]["_error"].startswith("this flow could not be exported: ")


# -- documents --------------------------------------------------------------------------------------------------------


def written(*flows: Any, **options: Any) -> list[Any]:
    out = io.BytesIO()
    writer = HarWriter(out, **options)
    for flow in flows:
        writer.add(flow)
    writer.close()
    return har.check_document(har.strict_loads(out.getvalue()))


def test_the_layout_is_one_entry_a_line() -> None:
    out = io.BytesIO()
    writer = HarWriter(out)
    flow = make_flow()
    assert writer.add(flow)
    assert writer.add(flow)
    writer.close()
    lines = out.getvalue().split(b"\n")
    assert lines[0].startswith(b'{"log":{"version":"1.2","creator":{"name":"flowdump",')
    assert lines[1] == entry_json(flow) + b","
    assert lines[2:] == [entry_json(flow), b"]}}", b""]
    assert writer.count == 2


def test_an_empty_document_is_valid() -> None:
    assert written() == []


def test_only_http_flows_are_written() -> None:
    out = io.BytesIO()
    writer = HarWriter(out)
    before = out.getvalue()
    assert writer.add(TCPFlow(Client(), Server())) is False
    assert out.getvalue() == before


def test_closing_twice_changes_nothing() -> None:
    out = io.BytesIO()
    writer = HarWriter(out)
    writer.close()
    document = out.getvalue()
    writer.close()
    assert out.getvalue() == document


def test_flushing_is_the_callers_choice() -> None:
    class Counting(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    lazy, eager = Counting(), Counting()
    for out, flush in ((lazy, False), (eager, True)):
        writer = HarWriter(out, flush=flush)
        writer.add(make_flow())
        writer.add(make_flow())
    assert lazy.flushed == 0
    assert eager.flushed == 3


def test_a_compressed_document_is_a_zlib_stream() -> None:
    out = io.BytesIO()
    writer = HarWriter(out, compress=True)
    for _ in range(3):
        writer.add(make_flow())
    writer.close()
    assert out.getvalue()[:2] == b"\x78\xda"
    assert len(har.check_document(har.strict_loads(zlib.decompress(out.getvalue())))) == 3


def test_in_place_and_compressed_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="in place"):
        HarWriter(io.BytesIO(), in_place=True, compress=True)


class Sluggish(io.RawIOBase):
    """Takes seven bytes at a time, like a pipe that is nearly full."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:7])
        return min(len(data), 7)


@pytest.mark.parametrize("compress", [False, True])
def test_short_writes_are_completed(compress: bool) -> None:
    out: Any = Sluggish()
    writer = HarWriter(out, compress=compress)
    writer.add(make_flow())
    writer.close()
    document = zlib.decompress(out.taken) if compress else bytes(out.taken)
    assert len(har.check_document(har.strict_loads(document))) == 1


# -- in place ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    with open(tmp_path / "out.har", "wb", buffering=0) as opened:
        yield opened


def entries_in(file: BinaryIO) -> list[Any]:
    return har.check_document(har.strict_loads(Path(str(file.name)).read_bytes()))


def test_the_file_is_valid_at_any_moment(file: BinaryIO) -> None:
    writer = HarWriter(file, in_place=True)
    assert entries_in(file) == []
    for count in range(1, 5):
        writer.add(make_flow())
        assert len(entries_in(file)) == count
    writer.close()
    assert len(entries_in(file)) == 4


def test_each_flow_is_one_write(file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = har_write._write_once

    def counted(descriptor: int, data: bytes, position: int) -> int:
        sizes.append(len(data))
        return real(descriptor, data, position)

    monkeypatch.setattr(har_write, "_write_once", counted)
    writer = HarWriter(file, in_place=True)
    writer.add(make_flow())
    writer.add(make_flow())
    writer.close()
    assert len(sizes) == 3


def test_without_pwrite_the_position_is_sought(file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pwrite", raising=False)
    writer = HarWriter(file, in_place=True)
    writer.add(make_flow())
    writer.add(make_flow())
    assert len(entries_in(file)) == 2


def test_short_writes_in_place_are_completed(file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    real = har_write._write_once
    monkeypatch.setattr(har_write, "_write_once", lambda fd, data, at: real(fd, data[:100], at))
    writer = HarWriter(file, in_place=True)
    writer.add(make_flow())
    assert len(entries_in(file)) == 1


def test_a_full_disk_leaves_what_was_written(file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = HarWriter(file, in_place=True)
    writer.add(make_flow())
    real = har_write._write_once

    def full(descriptor: int, data: bytes, position: int) -> int:
        if len(data) > 100:
            real(descriptor, data[:100], position)
            raise OSError(28, "No space left on device")
        return real(descriptor, data, position)

    monkeypatch.setattr(har_write, "_write_once", full)
    with pytest.raises(OSError, match="No space"):
        writer.add(make_flow())
    assert len(entries_in(file)) == 1
    monkeypatch.setattr(har_write, "_write_once", real)
    writer.add(make_flow())
    assert len(entries_in(file)) == 2


def test_a_kill_in_the_middle_of_a_write_loses_one_entry_at_most(file: BinaryIO) -> None:
    writer = HarWriter(file, in_place=True)
    writer.add(make_flow())
    writer.add(make_flow())
    before = Path(str(file.name)).read_bytes()
    writer.add(make_flow())
    after = Path(str(file.name)).read_bytes()
    start = next(place for place in range(len(before)) if before[place] != after[place])
    for length in range(start, len(after) + 1):
        torn = after[:length] + before[length:]
        problems: list[Any] = []
        flows = list(read_har([torn], problems.append))
        assert len(flows) >= 2, length
        assert len(flows) == 3 or problems or length <= start + 1, length


# -- recorded exports -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "flows/corrupted_gzip_body",
        "flows/diff_data",
        "flows/error_log",
        "flows/event_stream",
        "flows/incomplete_log",
        "flows/successful_log",
        "flows/websocket",
        "generated/live-12.2.3",
    ],
)
def test_what_others_export_of_the_same_flows(shared_data: Path, name: str) -> None:
    """Everything but the fields where har.md asks for something better."""
    suffix = ".hardump.har" if name.startswith("generated") else ".har"
    theirs = json.loads((shared_data / f"{name}{suffix}").read_text())["log"]["entries"]
    with open(shared_data / f"{name}.mitm", "rb") as opened:
        ours = written(*flowfile.FlowReader(opened))
    assert len(ours) == len(theirs)
    ours.sort(key=lambda entry: str(entry["startedDateTime"]))
    theirs.sort(key=lambda entry: str(entry["startedDateTime"]))
    for entry, other in zip(ours, theirs, strict=True):
        assert_like(entry, other)


def assert_like(entry: Any, other: Any) -> None:
    assert entry["startedDateTime"] == other["startedDateTime"]
    assert entry.get("serverIPAddress") == other.get("serverIPAddress")
    request, response = entry["request"], entry["response"]
    assert request["url"].removeprefix("ws").removeprefix("http") == other["request"]["url"].removeprefix("http")
    for key in ("method", "httpVersion", "cookies", "headers", "queryString"):
        assert request[key] == other["request"][key], key
    for key in ("status", "statusText", "httpVersion", "headers", "redirectURL"):
        assert response[key] == other["response"][key], key
    if "postData" in request:
        assert request["postData"] == other["request"]["postData"]
    for key in ("text", "encoding"):
        assert (response["content"].get(key) or None) == (other["response"]["content"].get(key) or None)
    for key in ("send", "receive"):
        assert abs(entry["timings"][key] - other["timings"][key]) < 0.002
    if "_webSocketMessages" in other:
        assert len(entry["_webSocketMessages"]) == len(other["_webSocketMessages"])
        for message, like in zip(entry["_webSocketMessages"], other["_webSocketMessages"], strict=True):
            assert abs(message.pop("time") - like.pop("time")) < 2e-6
            assert message == like
