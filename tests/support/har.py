"""HAR documents and flows for tests: a strict reader, a check of the HAR 1.2 shape, and flows of every sort."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

from hypothesis import strategies as st

from flowdump.connection import Client, Server
from flowdump.flow import Error
from flowdump.http import HTTPFlow, Request, Response
from flowdump.http.headers import Headers
from flowdump.websocket import BINARY, TEXT, WebSocketData, WebSocketMessage

T0 = 1_700_000_000.25

ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")

# -- documents --------------------------------------------------------------------------------------------------------


def strict_loads(data: bytes) -> Any:
    """What JSON (RFC 8259) and I-JSON allow: no NaN, no repeated names, no lone surrogates."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    value = json.loads(data.decode("utf-8"), parse_constant=refuse, object_pairs_hook=distinct)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def check_document(document: Any) -> list[Any]:
    """Assert that a parsed document has the shape that HAR 1.2 prescribes; gives its entries."""
    log = document["log"]
    assert log["version"] == "1.2"
    assert type(log["creator"]["name"]) is str
    assert type(log["creator"]["version"]) is str
    assert log["pages"] == []
    for entry in log["entries"]:
        check_entry(entry)
    return list(log["entries"])


def check_entry(entry: Any) -> None:
    assert_no_null({key: value for key, value in entry.items() if key != "_flowdump"})
    assert ISO_DATE.fullmatch(entry["startedDateTime"])
    _number(entry["time"], 0)
    _check_request(entry["request"])
    _check_response(entry["response"])
    assert type(entry["cache"]) is dict
    _check_timings(entry)
    for key in ("serverIPAddress", "connection", "comment"):
        assert type(entry.get(key, "")) is str


def assert_no_null(value: Any) -> None:
    assert value is not None
    for item in value.values() if type(value) is dict else value if type(value) is list else ():
        assert_no_null(item)


def _number(value: Any, least: float) -> None:
    assert type(value) in (int, float), value
    assert value >= least, value


def _check_pairs(pairs: Any) -> None:
    assert type(pairs) is list
    for pair in pairs:
        assert type(pair["name"]) is str
        assert type(pair["value"]) is str


def _check_message(message: Any) -> None:
    assert type(message["httpVersion"]) is str
    _check_pairs(message["headers"])
    _check_pairs(message["cookies"])
    for cookie in message["cookies"]:
        assert type(cookie.get("httpOnly", False)) is bool
        assert type(cookie.get("secure", False)) is bool
        assert "expires" not in cookie or ISO_DATE.fullmatch(cookie["expires"])
    for key in ("headersSize", "bodySize"):
        assert type(message[key]) is int
        assert message[key] >= -1


def _check_request(request: Any) -> None:
    _check_message(request)
    assert type(request["method"]) is str
    assert re.fullmatch(r"[!-~]+", request["url"]), request["url"]
    _check_pairs(request["queryString"])
    if "postData" in request:
        post = request["postData"]
        assert type(post["mimeType"]) is str
        assert type(post["text"]) is str
        assert all(type(param["name"]) is str for param in post["params"])


def _check_response(response: Any) -> None:
    _check_message(response)
    assert type(response["status"]) is int
    assert response["status"] >= 0
    assert type(response["statusText"]) is str
    assert type(response["redirectURL"]) is str
    content = response["content"]
    assert type(content["size"]) is int
    assert content["size"] >= 0
    assert content.get("compression", 1) > 0
    assert type(content["mimeType"]) is str
    assert type(content.get("text", "")) is str
    assert content.get("encoding", "base64") == "base64"


def _check_timings(entry: Any) -> None:
    timings = entry["timings"]
    for key in ("send", "wait", "receive"):
        _number(timings[key], 0)
    for key in ("blocked", "dns", "connect", "ssl"):
        _number(timings[key], -1)
        assert timings[key] == -1 or timings[key] >= 0
    assert timings["ssl"] <= max(timings["connect"], -1)
    spans = [timings[key] for key in ("blocked", "dns", "connect", "send", "wait", "receive")]
    assert abs(entry["time"] - sum(span for span in spans if span > 0)) < 1e-3


# -- flows ------------------------------------------------------------------------------------------------------------


def make_flow(request: Request | None = None, response: Response | None = None) -> HTTPFlow:
    """A flow over a TLS connection to example.com; request and response are GET / and 200 unless given."""
    client = Client(peername=("127.0.0.1", 51234), sockname=("127.0.0.1", 8080), timestamp_start=T0 - 1, tls=True)
    server = Server(address=("example.com", 443), peername=("93.184.216.34", 443), tls=True)
    server.timestamp_start = T0 - 0.5
    flow = HTTPFlow(client, server)
    flow.request = request or Request.make("GET", "https://example.com/", headers=[(b"Host", b"example.com")])
    flow.response = response or Response.make(200, b"hello", {"content-type": "text/plain"})
    flow.request.timestamp_start, flow.request.timestamp_end = T0, T0 + 0.001
    flow.response.timestamp_start, flow.response.timestamp_end = T0 + 0.021, T0 + 0.0215
    return flow


moments = st.floats(T0 - 5000, T0 + 5000, allow_nan=False)
_token = st.text("abcXYZ-_019", min_size=1, max_size=8)
_value = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs"]), max_size=12)
_raw_value = st.binary(max_size=12) | _value.map(str.encode)
_fields = st.lists(st.tuples(_token.map(str.encode), _raw_value), max_size=5).map(tuple)
_types = st.sampled_from(
    [
        b"text/html",
        b"text/html; charset=utf-8",
        b"text/plain; charset=shift_jis",
        b"text/plain; charset=utf-16",
        b"text/plain; charset=nope",
        b"application/json",
        b"application/octet-stream",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=b",
        b"image/png",
    ]
)
_bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(["日本語" * 20, "é" * 70, "a" * 99 + "é"]).map(str.encode),
    st.just(b"\xef\xbb\xbfwith a mark"),
    st.just(b"\xff\xfea\x00"),
    st.just(b'<meta charset="shift_jis">\x83e\x83X\x83g'),
    st.just(b'--b\r\nContent-Disposition: form-data; name="n"; filename="f"\r\n\r\n\x00\xff\r\n--b--\r\n'),
    st.just(b"k=v&k=%ff&=&x"),
)


@st.composite
def headers(draw: Any, codings: tuple[bytes, ...] = ()) -> Headers:
    fields = list(draw(_fields))
    if draw(st.booleans()):
        fields.append((b"Content-Type", draw(_types)))
    if codings:
        fields.append((b"Content-Encoding", draw(st.sampled_from(codings))))
    for name in (b"Cookie", b"Set-Cookie", b"Location"):
        if draw(st.integers(0, 5)) == 0:
            text = b'a=b; Path=/; q="x\\"y"; Expires=Wed, 21 Oct 2099 07:28:00 GMT; SameSite=Lax; Secure; HttpOnly; d'
            fields.append((name, draw(st.just(text) | _raw_value)))
    return Headers(fields)


@st.composite
def websockets(draw: Any) -> WebSocketData:
    data = WebSocketData()
    for _ in range(draw(st.integers(0, 3))):
        data.messages.append(
            WebSocketMessage(
                draw(st.sampled_from([TEXT, BINARY])),
                draw(st.booleans()),
                draw(_bodies),
                draw(moments),
                draw(st.booleans()),
                draw(st.booleans()),
            )
        )
    if draw(st.booleans()):
        data.closed_by_client = draw(st.booleans())
        data.close_code = draw(st.integers(1000, 4999))
        data.close_reason = draw(_value)
        data.timestamp_end = draw(moments)
    return data


@st.composite
def _message(draw: Any, message: Any) -> Any:
    """Version, headers, body and trailers of a request or response."""
    data = message.data
    data.http_version = draw(st.sampled_from([b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"HTTP/3", b"HTTP/0.9", b"x/1"]))
    body = draw(_bodies)
    data.headers = draw(headers())
    if draw(st.integers(0, 3)) == 0:
        data.headers = draw(headers((b"gzip", b"identity", b"gzip, br", b"unheard-of")))
        body = gzip.compress(body) if draw(st.booleans()) else body
    data.content = draw(st.sampled_from([body, body, body, None]))
    if draw(st.integers(0, 4)) == 0:
        data.trailers = Headers([(b"X-Trailer", b"1")])
    return message


@st.composite
def flows(draw: Any) -> HTTPFlow:
    """Flows with values of the right types, but of any sort."""
    host = draw(
        st.sampled_from(["example.com", "EXAMPLE.com", "é.com", "::1", "127.0.0.1", "a b", "", "x" * 300, "a/b"])
    )
    request = Request.make(draw(st.sampled_from(["GET", "POST", "CONNECT", "OPTIONS", "get", "QUERY"])), "http://h/")
    request.data.host, request.data.port = host, draw(st.sampled_from([80, 443, 8080, 1, 65535]))
    request.data.scheme = draw(st.sampled_from([b"http", b"https", b"", b"ftp"]))
    path = st.sampled_from([b"/", b"/a?b=c&d", b"*", b"", b"?", b"/\xff?\xff=%ff+", b"/#f?x", "/é".encode(), b"/a b"])
    request.data.path = draw(path)
    draw(_message(request))
    if draw(st.booleans()):
        where = [b"example.com", b"other.example:8080", b"[::1]:1", b"\xff", b"bad host"]
        request.data.headers.insert(0, b"Host", draw(st.sampled_from(where)))
    request.data.authority = draw(st.sampled_from([b"", b"", b"example.com", b"example.com:443", b"\xff:1"]))
    response = Response.make(draw(st.sampled_from([200, 101, 304, 599, 100])), b"")
    draw(_message(response))
    response.data.reason = draw(st.sampled_from([b"OK", b"", b"\xe9"]))
    flow = make_flow(request, response)
    _draw_times(draw, flow)
    if draw(st.booleans()):
        flow.error = Error(draw(_value), draw(moments))
    if draw(st.integers(0, 3)) == 0:
        flow.response = None
    if draw(st.integers(0, 3)) == 0:
        flow.websocket = draw(websockets())
    flow.comment, flow.marked = draw(_value), draw(st.sampled_from(["", ":default:", "é"]))
    flow.metadata = draw(st.sampled_from([{}, {}, {"a": [1, None, {"é": 2.5}]}]))
    flow.is_replay = draw(st.sampled_from([None, None, "request", "response"]))
    return flow


def _draw_times(draw: Any, flow: HTTPFlow) -> None:
    assert flow.response is not None
    ordered = sorted(draw(st.lists(moments, min_size=4, max_size=4)))
    if draw(st.integers(0, 3)) == 0:
        ordered = draw(st.permutations(ordered))
    request, response, server = flow.request.data, flow.response.data, flow.server_conn
    request.timestamp_start, request.timestamp_end, response.timestamp_start, response.timestamp_end = ordered
    if draw(st.integers(0, 5)) == 0:
        request.timestamp_end = None
    if draw(st.integers(0, 5)) == 0:
        response.timestamp_end = None
    begin = draw(st.sampled_from([None, draw(moments)]))
    server.timestamp_start = begin
    if begin is not None and draw(st.booleans()):
        server.timestamp_tcp_setup = begin + draw(st.floats(0.001, 2))
        if draw(st.booleans()):
            server.timestamp_tls_setup = server.timestamp_tcp_setup + draw(st.floats(0.001, 2))
