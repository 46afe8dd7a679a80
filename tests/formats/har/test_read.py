"""Reading HARs of every tool: what becomes of each member, and that nothing in a file can do any harm."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import io
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowdump.exceptions import FlowFileError
from flowdump.formats.flowfile.reader import FlowReader, FlowWriter
from flowdump.formats.har.read import HarProblem, flow_from_entry, inflate_chunks, read_har
from flowdump.formats.har.write import entry_json
from flowdump.http import HTTPFlow, Response

STARTED = "2023-03-30T00:00:54.250Z"
T0 = 1680134454.25


def entry(**changes: Any) -> dict[str, Any]:
    """A plain entry; ``request__url="..."`` changes a member of a member, ``...`` as a value takes it away."""
    made: dict[str, Any] = {
        "startedDateTime": STARTED,
        "time": 30,
        "request": {
            "method": "GET",
            "url": "https://example.com/a?b",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Host", "value": "example.com"}],
        },
        "response": {
            "status": 200,
            "statusText": "Fine",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Content-Type", "value": "text/plain; charset=utf-8"}],
            "content": {"size": 2, "mimeType": "text/plain", "text": "hé"},
        },
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 10, "wait": 15, "receive": 5},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = made
        for parent in parents:
            target = target[parent]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    return made


def read_all(entries: list[Any], **log: Any) -> tuple[list[HTTPFlow], list[HarProblem], list[HarProblem]]:
    problems: list[Any] = []
    notices: list[HarProblem] = []
    document = json.dumps({"log": {"version": "1.2", **log, "entries": entries}}).encode()
    return list(read_har([document], problems.append, notices.append)), problems, notices


def flow_of(**changes: Any) -> HTTPFlow:
    flows, problems, notices = read_all([entry(**changes)])
    assert not problems
    assert not notices
    return flows[0]


def response_of(**changes: Any) -> Response:
    response = flow_of(**changes).response
    assert response is not None
    return response


# -- the oracle: what these recorded files hold -----------------------------------------------------------------------

TOOLS = ["charles", "chrome", "firefox", "insomnia", "postdata", "safari", "with-bom"]

#: An import of ours changes (or keeps) these differently, by decision: lengths and codings follow the body.
OF_THE_BODY = {"content-length", "content-encoding"}


def recorded(headers: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in OF_THE_BODY]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("chunk", [1 << 20, 4099])
def test_the_recorded_files_of_all_tools(shared_data: Path, tool: str, chunk: int) -> None:
    document = (shared_data / "har_files" / f"{tool}.har").read_bytes()
    expected = json.loads((shared_data / "har_files" / f"{tool}.json").read_text())
    chunks = [document[start : start + chunk] for start in range(0, len(document), chunk)]
    flows = list(read_har(chunks, lambda problem: pytest.fail(str(problem))))
    assert len(flows) == len(expected)
    for flow, wanted in zip(flows, expected, strict=True):
        request = wanted["request"]
        for name in ("method", "scheme", "host", "port", "path"):
            assert getattr(flow.request, name) == request[name]
        assert recorded(flow.request.headers.items(multi=True)) == recorded(request["headers"])
        assert hashlib.sha256(flow.request.content or b"").hexdigest() == request["contentHash"]
        assert_like(flow, wanted["response"])


def assert_like(flow: HTTPFlow, wanted: Any) -> None:
    if wanted["status_code"] == 0:
        assert flow.response is None
        assert flow.error is not None
        return
    assert flow.response is not None
    assert flow.response.status_code == wanted["status_code"]
    assert recorded(flow.response.headers.items(multi=True)) == recorded(wanted["headers"])
    assert hashlib.sha256(flow.response.content or b"").hexdigest() == wanted["contentHash"]


@pytest.mark.parametrize(
    "name", ["corrupted_har/brokenfile.har", "corrupted_har/broken_headers.json", "har_extractor.har"]
)
def test_the_recorded_files_that_are_no_hars(shared_data: Path, name: str) -> None:
    with pytest.raises(FlowFileError, match="this is no HAR: "):
        list(read_har([(shared_data / name).read_bytes()], lambda problem: None))


def test_the_recorded_compressed_file(shared_data: Path) -> None:
    packed = (shared_data / "flows" / "compressed.zhar").read_bytes()
    flows = list(read_har(inflate_chunks([packed]), lambda problem: pytest.fail(str(problem))))
    assert flows
    assert all(flow.request.method for flow in flows)


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_plain_entry() -> None:
    flow = flow_of()
    assert flow.request.url == "https://example.com/a?b"
    assert flow.request.content == b""
    assert "content-length" not in flow.request.headers
    assert flow.response is not None
    assert flow.response.reason == "Fine"
    assert flow.response.text == "hé"
    assert flow.error is None
    assert flow.websocket is None
    assert (flow.comment, flow.marked, flow.metadata, flow.is_replay) == ("", "", {}, None)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://example.com", ("http", "example.com", 80, "/")),
        ("https://example.com:8443/a", ("https", "example.com", 8443, "/a")),
        ("https://user:pass@example.com/", ("https", "example.com", 443, "/")),
        ("http://[::1]:8/", ("http", "::1", 8, "/")),
        ("http://é.com/é ü?é#f", ("http", "é.com", 80, "/%C3%A9%20%C3%BC?%C3%A9#f")),
        ("//example.com/x", ("http", "example.com", 80, "/x")),
        ("chrome-extension://abcdef/x.js", ("chrome-extension", "abcdef", 80, "/x.js")),
    ],
)
def test_urls(url: str, parts: tuple[str, str, int, str]) -> None:
    request = flow_of(request__url=url).request
    assert (request.scheme, request.host, request.port, request.path) == parts


@pytest.mark.parametrize("url", ["data:text/plain,x", "about:blank", "blob:https://h/1-2", "file:///etc/passwd"])
def test_urls_without_a_host_are_skipped_with_a_notice(url: str) -> None:
    flows, problems, notices = read_all([entry(), entry(request__url=url), entry()])
    assert len(flows) == 2
    assert problems == []
    assert [notice.entry for notice in notices] == [1]
    assert url in notices[0].reason


@pytest.mark.parametrize(
    ("url", "scheme", "port"), [("ws://h/", "http", 80), ("wss://h/", "https", 443), ("wss://h:1/", "https", 1)]
)
def test_websocket_schemes(url: str, scheme: str, port: int) -> None:
    flow = flow_of(request__url=url, response__status=101)
    assert (flow.request.scheme, flow.request.port) == (scheme, port)
    assert flow.websocket is not None
    assert flow_of(request__url=url, response__status=404).websocket is None


@pytest.mark.parametrize(
    ("spelling", "version"),
    [
        ("http/2.0", "HTTP/2.0"),
        ("HTTP/2", "HTTP/2.0"),
        ("h2", "HTTP/2.0"),
        ("h3", "HTTP/3"),
        ("h3-29", "HTTP/3"),
        ("http/2+quic/46", "HTTP/3"),
        ("HTTP/3.0", "HTTP/3"),
        ("http/1.0", "HTTP/1.0"),
        ("HTTP/1.1", "HTTP/1.1"),
        ("spdy", "HTTP/1.1"),
        ("", "HTTP/1.1"),
        (None, "HTTP/1.1"),
        (5, "HTTP/1.1"),
    ],
)
def test_versions(spelling: Any, version: str) -> None:
    assert flow_of(request__httpVersion=spelling, response__httpVersion=spelling).request.http_version == version


def test_a_version_that_one_message_does_not_say_is_that_of_the_other() -> None:
    flow = flow_of(request__httpVersion="", response__httpVersion="h2")
    assert flow.request.http_version == "HTTP/2.0"
    assert flow_of(request__httpVersion="h3", response__httpVersion=...).response.http_version == "HTTP/3"  # type: ignore[union-attr]


def test_an_http2_request_without_host_has_its_authority() -> None:
    assert flow_of(request__httpVersion="h2", request__headers=[]).request.authority == "example.com"
    assert flow_of(request__httpVersion="h2").request.authority == ""


def test_connect() -> None:
    request = flow_of(request__method="CONNECT", request__url="https://example.com:8443/").request
    assert request.first_line_format == "authority"
    assert (request.authority, request.path, request.url) == ("example.com:8443", "", "example.com:8443")


def test_what_is_missing_has_a_default() -> None:
    flow = flow_of(
        time=...,
        timings=...,
        request__method=...,
        request__httpVersion=...,
        request__headers=...,
        response__httpVersion=...,
        response__headers=...,
        response__content=...,
        response__statusText=...,
    )
    assert flow.request.method == "GET"
    assert flow.request.http_version == "HTTP/1.1"
    assert len(flow.request.headers) == 0
    assert flow.response is not None
    assert flow.response.content == b""
    assert flow.response.reason == "OK"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"request": ...}, "entry 1: it has no request"),
        ({"request": []}, "entry 1: its request is not an object"),
        ({"request": 1}, "entry 1: its request is not an object"),
        ({"request__url": ...}, "entry 1: its request has no URL"),
        ({"request__url": None}, "entry 1: its request has no URL"),
        ({"request__url": "/relative"}, "entry 1: no scheme and host in URL '/relative'"),
        ({"request__url": "http://a b/"}, "entry 1: invalid host 'a b'"),
    ],
)
def test_entries_that_cannot_be_a_flow_are_skipped_and_reported(changes: dict[str, Any], reason: str) -> None:
    flows, problems, notices = read_all([entry(), entry(**changes), entry()])
    assert len(flows) == 2
    assert notices == []
    assert len(problems) == 1
    assert problems[0].entry == 1
    assert problems[0].reason.startswith(reason)
    assert problems[0].offset > 100


def test_entries_that_are_no_objects_are_reported() -> None:
    flows, problems, _ = read_all([1, entry(), None, [entry()]])
    assert len(flows) == 1
    assert [problem.entry for problem in problems] == [0, 2, 3]
    assert problems[0].reason == "entry 0: it is not an object"


# -- headers ----------------------------------------------------------------------------------------------------------


def test_headers_of_every_layout() -> None:
    headers = [
        {"name": ":authority", "value": "example.com", "extra": 1},
        {"name": "A", "value": "1"},
        {"name": "a", "value": "é"},
        ["Slack", "pair", "more"],
        {"name": "Number", "value": 7},
        {"name": "Nothing", "value": None},
        {"name": "Absent"},
        {"value": "nameless"},
        ["short"],
        "text",
        None,
        {"name": None, "value": "x"},
        {"name": "Object", "value": {}},
        {"name": "Surrogate", "value": "\udcff\ud800"},
    ]
    assert flow_of(request__headers=headers).request.headers.fields == (
        (b":authority", b"example.com"),
        (b"A", b"1"),
        (b"a", "é".encode()),
        (b"Slack", b"pair"),
        (b"Number", b"7"),
        (b"Nothing", b""),
        (b"Absent", b""),
        (b"Surrogate", b"\xed\xb3\xbf\xed\xa0\x80"),
    )
    assert flow_of(request__headers={"A": "b"}).request.headers.fields == ((b"A", b"b"),)
    assert flow_of(request__headers="A: b").request.headers.fields == ()


def with_headers(*pairs: tuple[str, str], **changes: Any) -> Response:
    return response_of(response__headers=[{"name": name, "value": value} for name, value in pairs], **changes)


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "x-gzip", "gzip, br", "zstd", "identity", "deflate ,gzip"])
def test_a_coding_that_is_understood_is_dropped(coding: str) -> None:
    response = with_headers(("Content-Encoding", coding), ("Content-Length", "9"), ("X", "y"))
    assert response.headers.fields == ((b"Content-Length", b"2"), (b"X", b"y"))
    assert response.content == b"h\xe9"


@pytest.mark.parametrize("coding", ["compress", "aws-chunked", "gzip, unheard-of", "utf-8"])
def test_a_coding_that_is_not_understood_stays(coding: str) -> None:
    response = with_headers(("Content-Encoding", coding), ("Content-Length", "9"))
    assert response.headers.fields == ((b"Content-Encoding", coding.encode()), (b"Content-Length", b"2"))
    assert response.raw_content == b"h\xe9"


def test_two_coding_headers() -> None:
    assert with_headers(("Content-Encoding", "gzip"), ("content-encoding", "br")).headers.fields == ()


def test_lengths_are_corrected_only_where_there_is_a_body() -> None:
    assert with_headers(("content-length", "999")).headers["content-length"] == "2"
    assert "content-length" not in with_headers(("A", "b")).headers
    empty = with_headers(("content-length", "999"), response__content={"size": 0})
    assert empty.headers["content-length"] == "999"
    chunked = with_headers(("content-length", "999"), ("transfer-encoding", "chunked"))
    assert chunked.headers["content-length"] == "999"


# -- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "content_type", "body"),
    [
        ({"text": "é"}, "text/plain", b"\xe9"),
        ({"text": "é"}, "application/json", b"\xc3\xa9"),
        ({"text": "é"}, "text/plain; charset=utf-16-le", b"\xe9\x00"),
        ({"text": "€"}, "text/plain; charset=latin-1", "€".encode()),
        ({"text": "é"}, "text/plain; charset=nope", "é".encode()),
        ({"text": '<meta charset="shift_jis">テ'}, "text/html", b'<meta charset="shift_jis">\x83e'),
        ({"text": "aGk=", "encoding": "base64"}, "", b"hi"),
        ({"text": "aGk=", "encoding": "BASE64"}, "", b"hi"),
        ({"text": "aG k", "encoding": "base64"}, "", b"hi"),
        ({"text": "aGkhe", "encoding": "base64"}, "", b"hi!"),
        ({"text": "é", "encoding": "base64"}, "", b""),
        ({"text": "é", "encoding": "utf-8"}, "", b"\xc3\xa9"),
        ({"text": "é", "encoding": "gzip"}, "", b"\xe9"),
        ({"text": "é", "encoding": 5}, "", b"\xe9"),
        ({"text": "\ud800x"}, "application/json", b"\xed\xa0\x80x"),
        ({"text": None}, "", None),
        ({"text": 5}, "", b""),
        ({}, "", b""),
        ([], "", b""),
        (None, "", b""),
    ],
)
def test_response_bodies(content: Any, content_type: str, body: bytes | None) -> None:
    assert with_headers(("Content-Type", content_type), response__content=content).raw_content == body


def test_an_undecodable_byte_in_the_file_stays_that_byte() -> None:
    document = (
        json.dumps({"log": {"entries": [entry(response__content__text="@")]}}).encode().replace(b'"@"', b'"\xff"')
    )
    (flow,) = read_har([document], lambda problem: pytest.fail(str(problem)))
    assert flow.response is not None
    assert flow.response.content == b"\xff"


def body_of(post_data: Any, content_type: str = "") -> bytes | None:
    headers = [{"name": "Content-Type", "value": content_type}] if content_type else []
    return flow_of(request__postData=post_data, request__headers=headers).request.raw_content


def test_request_bodies() -> None:
    assert body_of({"text": "é"}, "application/json") == "é".encode()
    assert body_of({"mimeType": "application/json", "text": "é"}) == "é".encode()
    assert body_of({"text": "AP8=", "encoding": "base64"}) == b"\x00\xff"
    assert body_of({"mimeType": "", "text": "", "params": []}) == b""
    assert body_of({"text": None}) == b""
    assert body_of(None) == b""
    assert body_of([]) == b""


def test_request_bodies_from_params() -> None:
    params = [
        {"name": "a b", "value": "é&"},
        {"name": "c"},
        {"value": "nameless"},
        "odd",
        {"name": "\ud800", "value": 5},
    ]
    assert body_of({"mimeType": "application/x-www-form-urlencoded", "params": params}) == b"a+b=%C3%A9%26&c=&%3F="
    assert body_of({"params": params[:2], "text": None}) == b"a+b=%C3%A9%26&c="
    files = [
        {"name": 'a"\r\n', "value": "1"},
        {"name": "f", "fileName": "x", "contentType": "t/p\r\nX: y", "value": "é"},
    ]
    body = body_of({"params": files}, "multipart/form-data; boundary=xx")
    assert body == (
        b'--xx\r\nContent-Disposition: form-data; name="a%22%0D%0A"\r\n\r\n1\r\n'
        b'--xx\r\nContent-Disposition: form-data; name="f"; filename="x"\r\nContent-Type: t/p  X: y\r\n\r\n'
        b"\xc3\xa9\r\n--xx--\r\n"
    )


# -- status and errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), [(404, 404), (200.0, 200), ("301", 301), (999, 999)])
def test_statuses(status: Any, code: int) -> None:
    assert response_of(response__status=status).status_code == code


@pytest.mark.parametrize("status", [0, -1, None, "OK", 1.5, True, [], 10**30])
def test_no_status_is_an_error(status: Any) -> None:
    flow = flow_of(response__status=status, response___error="net::ERR_FAILED")
    assert flow.response is None
    assert flow.error is not None
    assert flow.error.msg == "net::ERR_FAILED"
    assert flow.error.timestamp == pytest.approx(T0 + 0.03)
    silent = flow_of(response__status=status).error
    assert silent is not None
    assert silent.msg == "no response was recorded"


def test_an_error_beside_a_response() -> None:
    flow = flow_of(response___error="net::ERR_ABORTED")
    assert flow.response is not None
    assert flow.error is not None
    assert flow_of(response___error=None).error is None
    assert flow_of(_error="of the entry").error.msg == "of the entry"  # type: ignore[union-attr]


def test_no_response_at_all_is_an_open_request() -> None:
    flow = flow_of(response=...)
    assert flow.response is None
    assert flow.error is None


def test_reasons() -> None:
    assert response_of(response__statusText="").reason == ""
    assert response_of(response__statusText=None).reason == "OK"
    assert response_of(response__statusText=..., response__status=299).reason == ""
    assert response_of(response__statusText="caf\xe9").data.reason == b"caf\xe9"
    assert response_of(response__statusText="€").data.reason == "€".encode()


# -- times and connections --------------------------------------------------------------------------------------------


def moments(flow: HTTPFlow) -> list[float | None]:
    """Milliseconds from the start: request end, response start and end, server start, TCP and TLS setup."""
    assert flow.response is not None
    server = flow.server_conn
    found = [flow.request.timestamp_end, flow.response.timestamp_start, flow.response.timestamp_end]
    found += [server.timestamp_start, server.timestamp_tcp_setup, server.timestamp_tls_setup]
    return [None if moment is None else round((moment - T0) * 1000, 3) for moment in found]


def timings(**spans: Any) -> dict[str, Any]:
    return {"timings": spans}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [10, 25, 30, None, None, None]),
        (timings(blocked=1, dns=2, connect=30, ssl=20, send=3, wait=4, receive=5), [36, 40, 45, 3, 13, 33]),
        (timings(connect=10, ssl=-1, send=1, wait=1, receive=1), [11, 12, 13, 0, 10, None]),
        (timings(connect=10, ssl=20, send=1, wait=1, receive=1), [11, 12, 13, 0, 10, 30]),
        (timings(), [0, 30, 30, None, None, None]),
        ({"timings": None}, [0, 30, 30, None, None, None]),
        ({"timings": ..., "time": "x"}, [0, 0, 0, None, None, None]),
        ({"timings": ..., "time": -5}, [0, 0, 0, None, None, None]),
        (timings(send="1", wait=None, receive=float("inf"), dns=True), [0, 30, 30, None, None, None]),
        (timings(send=-7, wait=1e300, receive=2), [0, 0, 2, None, None, None]),
    ],
)
def test_timings(changes: dict[str, Any], expected: list[float | None]) -> None:
    assert moments(flow_of(**changes)) == expected


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        (STARTED, T0),
        ("2023-03-29T17:00:54.250-07:00", T0),
        ("2023-03-30T02:00:54.25+0200", T0),
        ("2023-03-30 00:00:54.250123456Z", T0 + 0.000123),
        (1680134454.25, T0),
        (1680134454250, T0),
    ],
)
def test_dates(date: Any, moment: float) -> None:
    assert flow_of(startedDateTime=date).request.timestamp_start == pytest.approx(moment, abs=1e-6)


def test_dates_without_a_zone_are_utc_and_noted_once() -> None:
    flows, problems, notices = read_all([entry(), *[entry(startedDateTime="2023-03-30T00:00:54.250")] * 3])
    assert {flow.request.timestamp_start for flow in flows} == {T0}
    assert problems == []
    assert [(notice.entry, notice.reason) for notice in notices] == [
        (1, "entry 1: its startedDateTime names no time zone; UTC is assumed")
    ]


@pytest.mark.parametrize("date", ["yesterday", None, ..., [], "9999-99-99", "0001-01-01T00:00:00+23:59", True])
def test_dates_without_sense_become_now(date: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: T0)
    flows, problems, notices = read_all([entry(startedDateTime=date)])
    assert problems == []
    if date != "0001-01-01T00:00:00+23:59":
        assert flows[0].request.timestamp_start == T0
        assert len(notices) == 1


def test_connections() -> None:
    flow = flow_of(serverIPAddress="93.184.216.34", request__url="https://example.com:8443/")
    assert flow.server_conn.peername == flow.server_conn.address == ("93.184.216.34", 8443)
    assert flow.server_conn.tls
    assert flow.client_conn.tls
    assert flow.client_conn.peername == ("127.0.0.1", 0)
    assert flow.client_conn.timestamp_start == T0
    assert flow.client_conn.timestamp_end == pytest.approx(T0 + 0.03)
    plain = flow_of(request__url="http://h/", serverIPAddress="[::1]", _serverPort=81)
    assert plain.server_conn.peername == ("::1", 81)
    assert not plain.server_conn.tls


@pytest.mark.parametrize("address", ["", None, 5, ["1.2.3.4"], "not an address", "\x1b[2J"])
def test_addresses_that_are_none(address: Any) -> None:
    assert flow_of(serverIPAddress=address).server_conn.peername is None


def test_flows_of_one_import_share_no_state() -> None:
    one, two = flow_of(), flow_of()
    one.server_conn.certificate_list.append("x")  # type: ignore[arg-type]
    one.metadata["x"] = 1
    assert two.server_conn.certificate_list == []
    assert two.metadata == {}
    assert len({one.id, two.id, one.client_conn.id, two.client_conn.id, one.server_conn.id, two.server_conn.id}) == 6


# -- WebSocket and remarks --------------------------------------------------------------------------------------------


def test_messages_of_chrome() -> None:
    items = [
        {"type": "send", "time": T0 + 1, "opcode": 1, "data": "hé"},
        {"type": "receive", "time": T0 + 2, "opcode": 2, "data": "AAE="},
        {"type": "receive", "time": (T0 + 3) * 1000, "opcode": 2, "data": "no base64"},
        {"type": "send", "opcode": 8, "data": "A+g="},
        {"type": "send", "opcode": 1, "data": None},
        {"data": "no more than this"},
        "odd",
        {"type": "receive", "time": 0, "opcode": 2, "data": "/w==", "_opcode": 1, "_dropped": True, "_injected": True},
    ]
    flow = flow_of(request__url="wss://h/", response__status=101, _webSocketMessages=items)
    assert flow.websocket is not None
    assert [list(message.get_state()) for message in flow.websocket.messages] == [
        [1, True, "hé".encode(), T0 + 1, False, False],
        [2, False, b"\x00\x01", T0 + 2, False, False],
        [2, False, b"no base64", T0 + 3, False, False],
        [1, False, b"no more than this", T0, False, False],
        [1, False, b"\xff", 0.0, True, True],
    ]


def test_what_makes_a_websocket_flow() -> None:
    assert flow_of(_resourceType="websocket", response__status=101).websocket is not None
    assert flow_of(_resourceType="websocket", response__status=0).websocket is None
    assert flow_of(response__status=101).websocket is None
    assert flow_of(_webSocketMessages=[]).websocket is None
    assert flow_of(_webSocketMessages=[{"data": "x"}]).websocket is not None
    assert flow_of(_webSocketMessages="odd").websocket is None


def test_comments() -> None:
    assert flow_of(comment="look").comment == "look"
    assert flow_of(comment="\ud800").comment == "?"
    assert flow_of(comment=5).comment == ""


def test_what_we_write_ourselves_is_not_trusted_either() -> None:
    own = {
        "marked": 5,
        "metadata": ["x"],
        "is_replay": "both",
        "error": "never",
        "times": {"connect": "1", "request_end": float("nan"), "response_start": None},
        "request": {"host": 5, "port": 99999, "path": None, "scheme": 5, "trailers": "x", "latin1": {}},
        "response": {"encoded": 1, "http_version": 2, "latin1": ["x", None, -1]},
        "websocket": {"close_code": "1000", "close_reason": 5, "timestamp_end": "x", "closed_by_client": 1},
    }
    flow = flow_of(_flowdump=own)
    assert (flow.marked, flow.metadata, flow.is_replay, flow.error) == ("", {}, None, None)
    assert flow.request.url == "https://example.com/a?b"
    assert flow.request.timestamp_end is None
    assert flow.websocket is not None
    assert flow.websocket.close_code == 1000
    assert flow.websocket.close_reason is None


# -- documents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "it is empty"),
        (b"[]", "it is not a JSON object"),
        (b'{"a": 1}', "it has no member 'log'"),
        (b'{"log": {"entries": 5}}', "its member 'entries' is not an array"),
        (b'{"log": ', "it ends too early"),
        (b'{"log": {"creator" "x"}}', "it is not valid JSON"),
    ],
)
def test_what_is_no_har_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(FlowFileError, match=f"^this is no HAR: {reason}") as caught:
        list(read_har([document], lambda problem: None))
    assert caught.value.offset is not None
    assert caught.value.offset <= len(document)


def test_flows_come_out_as_soon_as_they_are_there() -> None:
    document = json.dumps({"log": {"entries": [entry()] * 3}}).encode()
    first_end = document.index(json.dumps(entry()).encode()) + len(json.dumps(entry()))

    def chunks() -> Any:
        yield document[:first_end]
        pytest.fail("the second chunk was asked for before the first flow was given out")

    assert next(read_har(chunks(), lambda problem: None)).request.url == "https://example.com/a?b"


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_compressed_documents(pack: Any) -> None:
    packed = pack(json.dumps({"log": {"entries": [entry()] * 50}}).encode())
    assert len(list(read_har(inflate_chunks([packed]), lambda problem: pytest.fail(str(problem))))) == 50
    problems: list[Any] = []
    flows = list(read_har(inflate_chunks([packed[:-20]], problems.append), problems.append))
    assert len(flows) > 10
    assert problems[0].reason == "the compressed data ends too early"


def test_a_damaged_document_gives_what_is_left() -> None:
    document = json.dumps({"log": {"entries": [entry(comment=str(number)) for number in range(5)]}})
    document = document.replace('"comment": "2"', '"comment": "2')
    problems: list[Any] = []
    flows = list(read_har([document.encode()], problems.append))
    assert [flow.comment for flow in flows] == ["0", "1", "3", "4"]
    assert problems[0].entry == 2
    assert "entry 2: it is not valid JSON" in problems[0].reason


# -- anything at all --------------------------------------------------------------------------------------------------

any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(
        ["\ud800", "base64", "gzip", "http://h/", STARTED, "x" * 36, -1, 0, 1e308, 10**400, "1:2", "[::1]:5"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

FULL: dict[str, Any] = entry(
    comment="c",
    serverIPAddress="1.2.3.4",
    connection="x" * 36,
    _serverPort=443,
    _clientAddress="127.0.0.1:5",
    _securityDetails={"protocol": "TLS 1.3", "cipher": "AES", "_alpn": "h2", "_sni": "h"},
    _resourceType="websocket",
    _webSocketMessages=[{"type": "send", "time": 1.5, "opcode": 1, "data": "x", "_opcode": 1}],
    request__postData={
        "mimeType": "multipart/form-data; boundary=b",
        "text": "",
        "params": [{"name": "a", "value": "b", "fileName": "f", "contentType": "t"}],
    },
    response__content={"size": 1, "mimeType": "a/b", "text": "eA==", "encoding": "base64"},
    response___error="e",
    _flowdump={
        "marked": "m",
        "metadata": {"a": 1},
        "is_replay": "request",
        "error": 1.5,
        "times": {"connect": 1, "request_end": 2, "response_start": 3, "response_end": 4},
        "request": {
            "content": None,
            "encoded": True,
            "trailers": [{"name": "a", "value": "b"}],
            "latin1": [0],
            "http_version": "x",
            "scheme": "http",
            "host": "h",
            "port": 1,
            "path": "/",
            "authority": "h",
            "method": "get",
        },
        "response": {"latin1": [0], "trailers": [["a", "b"]], "http_version": "x"},
        "websocket": {"closed_by_client": True, "close_code": 1000, "close_reason": "r", "timestamp_end": 1.0},
    },
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(item, (*path, key))
    return found


def assert_storable(flow: HTTPFlow) -> None:
    """A flow file must be able to hold it, and so must a HAR."""
    out = io.BytesIO()
    FlowWriter(out).add(flow)
    (again,) = FlowReader(io.BytesIO(out.getvalue()))
    assert again.get_state()["request"] == flow.get_state()["request"]
    assert b"could not be exported" not in entry_json(flow)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_value_at_any_place_gives_a_flow_or_a_problem(data: st.DataObject) -> None:
    made = copy.deepcopy(FULL)
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from(places(made)))
        target: Any = made
        for parent in parents:
            target = target[parent]
        target[last] = data.draw(any_json)
    document = json.dumps({"log": {"entries": [made]}}).encode()
    problems: list[Any] = []
    notices: list[Any] = []
    flows = list(read_har([document], problems.append, notices.append))
    assert len(flows) + len(problems) >= 1 or notices
    for flow in flows:
        assert_storable(flow)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_mutated_documents_give_flows_problems_or_a_clean_error(data: st.DataObject) -> None:
    document = bytearray(json.dumps({"log": {"version": "1.2", "entries": [FULL, entry()]}}).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(document) - 1))
        document[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        flows = list(read_har([bytes(document)], lambda problem: None, lambda notice: None))
    except FlowFileError:
        return
    for flow in flows:
        assert_storable(flow)


@given(any_json)
def test_any_entry_is_a_flow_or_a_bad_entry(value: Any) -> None:
    for made in (value, {"request": value}, {"request": {"url": "http://h/"}, "response": value, "timings": value}):
        try:
            flow = flow_from_entry(made, lambda reason: None)
        except ValueError:
            continue
        assert flow.request.host


def test_base64_of_every_length() -> None:
    for size in range(20):
        body = bytes(range(size))
        text = base64.b64encode(body).decode().rstrip("=")
        assert response_of(response__content={"text": text, "encoding": "base64"}).raw_content == body
