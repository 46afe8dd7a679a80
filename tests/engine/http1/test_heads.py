"""HTTP/1 heads: what is read, refused (and with which status) and written; the smuggling table row by row."""

from __future__ import annotations

import pytest

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1.framing import CHUNKED, CLOSE, NONE, Fields, Framing
from flowdump.engine.http1.heads import (
    MAX_FIELDS,
    MAX_HEAD,
    RequestHead,
    ResponseHead,
    forwarded,
    head_end,
    parse_request_head,
    parse_response_head,
    request_head_bytes,
    response_head_bytes,
)

KELVIN = "chun\u212aed".encode()  # str.lower() makes "chunked" of it


def request(*lines: bytes, start: bytes = b"POST /x HTTP/1.1", validate: bool = True) -> RequestHead:
    """A request with a Host and these lines."""
    head = b"\r\n".join([start, b"Host: example.com", *lines, b"", b""])
    return parse_request_head(head, validate=validate)


def response(
    *lines: bytes, start: bytes = b"HTTP/1.1 200 OK", method: bytes = b"GET", validate: bool = True
) -> ResponseHead:
    head = b"\r\n".join([start, *lines, b"", b""])
    return parse_response_head(head, request_method=method, validate=validate)


def refused_request(head: bytes, validate: bool = True) -> int:
    """The status with which a request is refused."""
    with pytest.raises(ProtocolError) as caught:
        parse_request_head(head, validate=validate)
    assert caught.value.peer == "client"
    assert str(caught.value).isprintable()
    return caught.value.status


def refused_response(head: bytes, method: bytes = b"GET", validate: bool = True) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_response_head(head, request_method=method, validate=validate)
    assert (caught.value.status, caught.value.peer) == (502, "server")
    assert str(caught.value).isprintable()


# requests


def test_a_request_is_read_as_it_came() -> None:
    head = parse_request_head(
        b"GET http://example.com/a?b=c HTTP/1.1\r\nHost: example.com\r\nX-a:1\r\nx-A:  2 \t\r\nEmpty:\r\n"
        b"Utf8: \xc3\xa9\r\nTab: a\tb\r\n\r\n"
    )
    assert head == RequestHead(
        method=b"GET",
        target=b"http://example.com/a?b=c",
        version=b"HTTP/1.1",
        headers=(
            (b"Host", b"example.com"),
            (b"X-a", b"1"),
            (b"x-A", b"2"),
            (b"Empty", b""),
            (b"Utf8", b"\xc3\xa9"),
            (b"Tab", b"a\tb"),
        ),
        framing=NONE,
        keep_alive=True,
        expect_continue=False,
        upgrade=b"",
        host=b"example.com",
    )


@pytest.mark.parametrize("method", [b"PROPFIND", b"M-SEARCH", b"get", b"!#$%&'*+-.^_`|~9"])
def test_methods_nobody_has_heard_of_are_read(method: bytes) -> None:
    assert request(start=method + b" / HTTP/1.1").method == method


@pytest.mark.parametrize(
    ("line", "framing"),
    [
        (b"X: y", NONE),
        (b"Content-Length: 0", Framing("length", 0)),
        (b"Content-Length: 42", Framing("length", 42)),
        (b"content-length:\t42\t ", Framing("length", 42)),
        (b"Content-Length: 999999999999999999", Framing("length", 10**18 - 1)),
        (b"Transfer-Encoding: chunked", CHUNKED),
        (b"tRANSFER-eNCODING: Chunked", CHUNKED),
        (b"Transfer-Encoding: chunked \t", CHUNKED),
    ],
)
@pytest.mark.parametrize("method", [b"POST", b"GET", b"DELETE", b"OPTIONS", b"FROB"])
@pytest.mark.parametrize("validate", [True, False])
def test_where_the_body_of_a_request_ends(line: bytes, framing: Framing, method: bytes, validate: bool) -> None:
    assert request(line, start=method + b" / HTTP/1.1", validate=validate).framing == framing


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        (b"1.1", [], True),
        (b"1.1", [b"Connection: close"], False),
        (b"1.1", [b"Connection: Keep-Alive, CLOSE"], False),
        (b"1.1", [b"Connection: x", b"connection: close"], False),
        (b"1.1", [b"Connection: not-close"], True),
        (b"1.0", [], False),
        (b"1.0", [b"Connection: keep-alive"], True),
        (b"1.0", [b"Connection: keep-alive, close"], False),
        (b"1.0", [b"Proxy-Connection: keep-alive"], False),
    ],
)
def test_whether_the_connection_stays(version: bytes, connection: list[bytes], expected: bool) -> None:
    assert request(*connection, start=b"GET / HTTP/" + version).keep_alive is expected
    start = b"HTTP/" + version + b" 200 OK"
    assert response(b"Content-Length: 0", *connection, start=start).keep_alive is expected


@pytest.mark.parametrize(
    ("version", "value", "expected"),
    [
        (b"1.1", b"100-continue", True),
        (b"1.1", b"100-Continue", True),
        (b"1.1", b"something", False),
        (b"1.0", b"100-continue", False),
    ],
)
def test_the_client_waits_for_a_100(version: bytes, value: bytes, expected: bool) -> None:
    head = request(b"Content-Length: 5", b"Expect: " + value, start=b"POST / HTTP/" + version)
    assert head.expect_continue is expected


@pytest.mark.parametrize(
    ("version", "lines", "upgrade"),
    [
        (b"1.1", [b"Connection: Upgrade", b"Upgrade: websocket"], b"websocket"),
        (b"1.1", [b"Connection: keep-alive, upgrade", b"Upgrade: TLS/1.2"], b"TLS/1.2"),
        (b"1.1", [b"Upgrade: websocket"], b""),
        (b"1.1", [b"Connection: upgrade"], b""),
        (b"1.0", [b"Connection: Upgrade", b"Upgrade: websocket"], b""),
    ],
)
def test_an_upgrade_is_offered(version: bytes, lines: list[bytes], upgrade: bytes) -> None:
    assert request(*lines, start=b"GET / HTTP/" + version).upgrade == upgrade
    assert response(*lines, start=b"HTTP/" + version + b" 101 Switching Protocols").upgrade == upgrade


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nUser-Agent: x\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.0\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_connect_needs_no_host(head: bytes) -> None:
    parsed = parse_request_head(head)
    assert (parsed.method, parsed.target, parsed.host) == (b"CONNECT", b"example.com:443", None)
    assert all(name != b"Host" for name, _ in parsed.headers)


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("skipped", [b"\r\n", b"\r\n\r\n"])
def test_empty_lines_in_front_of_a_request_are_skipped(skipped: bytes, validate: bool) -> None:
    assert parse_request_head(skipped + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", validate=validate).method == b"GET"


def test_options_may_ask_about_the_server_itself() -> None:
    assert request(start=b"OPTIONS * HTTP/1.1").target == b"*"


HOST = b"Host: a\r\n"
REFUSED_CODINGS = [
    KELVIN,
    b"chun ked",
    b"chunked,chunked",
    b"chunked, chunked",
    b"chunked,gzip",
    b"gzip, chunked",
    b"chunked,",
    b",chunked",
    b"identity",
    b"qux",
    b"",
    b'"chunked"',
    b"chunked;a=b",
    b"chunked\r\nTransfer-Encoding: chunked",
    b"chunked\r\nTransfer-Encoding: identity",
    b"identity\r\ntransfer-encoding: chunked",
]
REFUSED_LENGTHS = [
    b"NaN",
    b"",
    b"-1",
    b"+1",
    b"0x42",
    b"010",
    b"00",
    b"1, 1",
    b"1,2",
    b"1_0",
    b"1.0",
    b"1 0",
    b"9" * 19,
    b"9" * 5000,
    b"\xb2",
    "٣".encode(),
    b"1\r\nContent-Length: 1",
    b"1\r\ncontent-length: 2",
    b"\r\nContent-Length: 1",
]
AMBIGUOUS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Content-Length: 0\r\nTransfer-Encoding: chunked",
    b"Content-Length: 5\r\nTransfer-Encoding: identity",
]
MALFORMED_FIELDS = [
    b"Content-Length : 42",
    b"Content-Length\t: 42",
    b"Transfer-Encoding : chunked",
    b" X: y",
    b"\tX: y",
    b"X: y\r\n z",
    b"X: y\r\n\tz",
    b"Transfer-Encoding:\r\n chunked",
    b"X: y\rz",
    b"X: y\r",
    b"X: y\r\r\nZ: a",
    b"X: y\nZ: a",
    b"X: y\n",
    b"X: a\x00b",
    b"X\x00: a",
    b"X: \x00",
    b"X: a\x01",
    b"X: a\x7f",
    b"X: \x1b[2J",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: chunked\x0c",
    b"Content-Length: \x0b5",
    b"Content-Length: 5\x0c",
    b"no colon",
    b"Host",
    b": no name",
    b"X Y: z",
    b"X(: z",
    b"X\xe9: z",
    b"Content-Length\xa0: 5",
    b"X\x0b: z",
]


@pytest.mark.parametrize("coding", REFUSED_CODINGS)
@pytest.mark.parametrize("validate", [True, False])
def test_transfer_codings_other_than_chunked_are_refused(coding: bytes, validate: bool) -> None:
    lines = b"Transfer-Encoding: " + coding + b"\r\n\r\n"
    assert refused_request(b"POST / HTTP/1.1\r\n" + HOST + lines, validate) == 501
    refused_response(b"HTTP/1.1 200 OK\r\n" + lines, validate=validate)


def test_the_judge_has_statuses_of_its_own() -> None:
    assert refused_request(b"FROB / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n") == 501
    assert refused_request(b"FROB / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n") == 400


@pytest.mark.parametrize("length", REFUSED_LENGTHS)
@pytest.mark.parametrize("validate", [True, False])
def test_lengths_that_are_not_plain_digits_are_refused(length: bytes, validate: bool) -> None:
    lines = b"Content-Length: " + length + b"\r\n\r\n"
    assert refused_request(b"POST / HTTP/1.1\r\n" + HOST + lines, validate) == 400
    refused_response(b"HTTP/1.1 200 OK\r\n" + lines, validate=validate)
    refused_response(b"HTTP/1.1 304 Not Modified\r\n" + lines, validate=validate)
    refused_response(b"HTTP/1.1 200 OK\r\n" + lines, b"HEAD", validate=validate)


@pytest.mark.parametrize("lines", AMBIGUOUS)
@pytest.mark.parametrize("validate", [True, False])
def test_length_and_coding_together_are_refused(lines: bytes, validate: bool) -> None:
    assert refused_request(b"POST / HTTP/1.1\r\n" + HOST + lines + b"\r\n\r\n", validate) == 400
    refused_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n", validate=validate)
    refused_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n", b"HEAD", validate=validate)


@pytest.mark.parametrize("validate", [True, False])
def test_a_coding_in_http_1_0_is_refused(validate: bool) -> None:
    lines = b"Transfer-Encoding: chunked\r\n\r\n"
    assert refused_request(b"POST / HTTP/1.0\r\n" + HOST + lines, validate) == 400
    refused_response(b"HTTP/1.0 200 OK\r\n" + lines, validate=validate)


@pytest.mark.parametrize("line", MALFORMED_FIELDS)
def test_malformed_fields_are_refused(line: bytes) -> None:
    assert refused_request(b"POST / HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n") == 400
    assert refused_request(b"POST / HTTP/1.1\r\n" + line + b"\r\n" + HOST + b"\r\n") == 400
    refused_response(b"HTTP/1.1 200 OK\r\nServer: x\r\n" + line + b"\r\n\r\n")
    refused_response(b"HTTP/1.1 200 OK\r\n" + line + b"\r\nServer: x\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"X: a\nb", "a bare LF"),
        (b"X: a\rb", "a bare CR"),
        (b"X: a\r\n b", "line folding"),
        (b"X: a\x01", "a control character"),
        (b"Content-Length : 5", "a blank in front of a colon"),
        (b"X: y\r\n\r\nX: z", "an empty line"),
        (b"no colon", r"illegal header line: 'no colon'"),
    ],
)
def test_people_are_told_what_was_wrong(line: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        request(line)
    with pytest.raises(ProtocolError, match=words):
        response(line)


@pytest.mark.parametrize(
    "start",
    [
        b"G(T / HTTP/1.1",
        b"G\xe9T / HTTP/1.1",
        b" / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /",
        b"GET / ",
        b"GET",
        b"",
        b"GET /a b HTTP/1.1",
        b"GET /\t HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\x0b HTTP/1.1",
        b"GET /\xc3\xa9 HTTP/1.1",
        b"GET  HTTP/1.1",
        b"GET / HTTP/9.9",
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"PRI * HTTP/2.0",
        b"GET / HTTP/0.9",
        b"GET / HTTP/1.10",
        b"GET / HTTP/1",
        b"GET / http/1.1",
        b"GET / HTTP/1.1\r",
        b"GET / XTTP/1.1",
        b"FROB / HTTP/1.2",
        b"GET * HTTP/1.1",
        b"CONNECT * HTTP/1.1",
        b"FROB * HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_malformed_request_lines_are_refused(start: bytes) -> None:
    assert refused_request(start + b"\r\n" + HOST + b"\r\n") == 400


@pytest.mark.parametrize(
    "host",
    [
        b"example.com/abc?x=",
        b"a@b",
        b"user:password@example.com",
        b"example.com#x",
        b"example.com\\x",
        b"a b",
        b"a,b",
        b"a\r\nHost: a",
        b"a\r\nhost: b",
        b"a\r\nHOST:",
        b"",
        b":80",
        b"a:b",
        b"a:99999",
        b"a:80:80",
        b"[::1",
        b"[nonsense]",
        b"::1",
        b"a%2fb",
        b"b\xc3\xbccher.de",
        "\uff41\uff0f\uff42".encode(),
        b"a" * 5000,
    ],
)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_a_host_that_is_no_authority_is_refused(host: bytes, version: bytes) -> None:
    start = b"GET http://a/ HTTP/" + version
    assert refused_request(start + b"\r\nHost: " + host + b"\r\n\r\n") == 400


@pytest.mark.parametrize("host", [b"a", b"example.com:8080", b"EXAMPLE.com.", b"127.0.0.1", b"[::1]:80", b"my_host"])
def test_a_host_that_is_an_authority_is_taken(host: bytes) -> None:
    assert parse_request_head(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").host == host


def test_a_host_is_needed_in_http_1_1_only() -> None:
    assert refused_request(b"GET / HTTP/1.1\r\n\r\n") == 400
    assert parse_request_head(b"GET / HTTP/1.0\r\n\r\n").host is None


@pytest.mark.parametrize("line", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_connect_has_no_body(line: bytes) -> None:
    head = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n" + line + b"\r\n\r\n"
    assert refused_request(head) == 400
    assert refused_request(head, validate=False) == 400


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"GET / HTTP/1.1\r\nHost: a",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nX",
        b"GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
@pytest.mark.parametrize("validate", [True, False])
def test_what_is_not_exactly_one_head_is_refused(head: bytes, validate: bool) -> None:
    assert refused_request(head, validate) == 400
    refused_response(head, validate=validate)
    refused_response(head.replace(b"GET / HTTP/1.1", b"HTTP/1.1 200 OK"), validate=validate)


@pytest.mark.parametrize("validate", [True, False])
def test_heads_that_are_too_large_are_refused(validate: bool) -> None:
    many = b"X: y\r\n" * MAX_FIELDS
    long = b"X: " + b"y" * MAX_HEAD + b"\r\n"
    for lines in (HOST + many, HOST + long):
        assert refused_request(b"GET / HTTP/1.1\r\n" + lines + b"\r\n", validate) == 431
        refused_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n", validate=validate)
    assert (
        len(parse_response_head(b"HTTP/1.1 200 OK\r\n" + many + b"\r\n", request_method=b"GET").headers) == MAX_FIELDS
    )


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (b"\x1b[2J / HTTP/1.1", b"X: y"),
        (b"GET / HTTP/1.1", b"\x1b[2J"),
        (b"GET / HTTP/1.1", b"Content-Length: \x1b[2J"),
        (b"GET / HTTP/1.1", b"Transfer-Encoding: \x1b[2J"),
    ],
)
def test_what_was_wrong_is_shown_escaped(start: bytes, line: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"\\x1b\[2J") as caught:
        request(line, start=start, validate=False)
    assert str(caught.value).isprintable()


def test_little_is_shown_of_what_was_wrong() -> None:
    with pytest.raises(ProtocolError) as caught:
        request(b"Content-Length: " + b"\x9b" * 5000)
    assert len(str(caught.value)) < 500
    with pytest.raises(ProtocolError) as caught:
        request(b"X" * 5000)
    assert len(str(caught.value)) < 500


# responses


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"HTTP/1.1 200 OK", (b"HTTP/1.1", 200, b"OK")),
        (b"HTTP/1.0 404 Not Found", (b"HTTP/1.0", 404, b"Not Found")),
        (b"HTTP/1.1 200", (b"HTTP/1.1", 200, b"")),
        (b"HTTP/1.1 200 ", (b"HTTP/1.1", 200, b"")),
        (b"HTTP/1.1 200 Sch\xc3\xb6n \t gut", (b"HTTP/1.1", 200, b"Sch\xc3\xb6n \t gut")),
        (b"HTTP/1.1 299 x", (b"HTTP/1.1", 299, b"x")),
        (b"HTTP/1.1 999 x", (b"HTTP/1.1", 999, b"x")),
        (b"HTTP/1.1 103 Early Hints", (b"HTTP/1.1", 103, b"Early Hints")),
    ],
)
@pytest.mark.parametrize("validate", [True, False])
def test_a_status_line_is_read(start: bytes, expected: tuple[bytes, int, bytes], validate: bool) -> None:
    head = response(b"X-a: 1", b"x-A:2", start=start, validate=validate)
    assert head[:4] == (*expected, ((b"X-a", b"1"), (b"x-A", b"2")))


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 +200 OK",
        b"HTTP/1.1 2_0 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 000 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK",
        b"HTTP/1.1",
        b"HTTP/2.0 200 OK",
        b"HTTP/2 200 OK",
        b"HTTP/1.2 200 OK",
        b"http/1.1 200 OK",
        b"ICY 200 OK",
        b" HTTP/1.1 200 OK",
        b"\r\nHTTP/1.1 200 OK",
        b"",
    ],
)
@pytest.mark.parametrize("validate", [True, False])
def test_malformed_status_lines_are_refused(start: bytes, validate: bool) -> None:
    refused_response(start + b"\r\nContent-Length: 0\r\n\r\n", validate=validate)


@pytest.mark.parametrize("reason", [b"\x00", b"\x1b[2J", b"\x7f", b"a\rb"])
def test_control_characters_in_a_reason_are_refused(reason: bytes) -> None:
    refused_response(b"HTTP/1.1 200 " + reason + b"\r\nContent-Length: 0\r\n\r\n")


LENGTH, CODED = b"Content-Length: 5", b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("status", "method", "line", "framing", "keep_alive"),
    [
        (b"200 OK", b"GET", LENGTH, Framing("length", 5), True),
        (b"200 OK", b"GET", CODED, CHUNKED, True),
        (b"200 OK", b"GET", b"X: y", CLOSE, False),
        (b"200 OK", b"HEAD", LENGTH, NONE, True),
        (b"200 OK", b"HEAD", CODED, NONE, True),
        (b"200 OK", b"HEAD", b"X: y", NONE, True),
        (b"200 OK", b"head", LENGTH, Framing("length", 5), True),
        (b"204 No Content", b"GET", b"X: y", NONE, True),
        (b"204 No Content", b"GET", b"Content-Length: 0", NONE, True),
        (b"204 No Content", b"GET", LENGTH, NONE, False),
        (b"304 Not Modified", b"GET", LENGTH, NONE, True),
        (b"304 Not Modified", b"GET", CODED, NONE, True),
        (b"205 Reset Content", b"GET", LENGTH, Framing("length", 5), True),
        (b"100 Continue", b"POST", b"X: y", NONE, True),
        (b"103 Early Hints", b"GET", LENGTH, NONE, True),
        (b"101 Switching Protocols", b"GET", b"X: y", NONE, True),
        (b"200 OK", b"CONNECT", LENGTH, NONE, True),
        (b"200 OK", b"CONNECT", CODED, NONE, True),
        (b"407 Proxy Authentication Required", b"CONNECT", LENGTH, Framing("length", 5), True),
        (b"600 x", b"FR(B", LENGTH, Framing("length", 5), True),
        (b"600 x", b"HEAD", LENGTH, NONE, True),
    ],
)
@pytest.mark.parametrize("validate", [True, False])
def test_where_the_body_of_a_response_ends(
    status: bytes, method: bytes, line: bytes, framing: Framing, keep_alive: bool, validate: bool
) -> None:
    head = response(line, start=b"HTTP/1.1 " + status, method=method, validate=validate)
    assert (head.framing, head.keep_alive) == (framing, keep_alive)


@pytest.mark.parametrize("status", [b"100 Continue", b"101 Switching Protocols", b"103 Early Hints", b"204 No Content"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("validate", [True, False])
def test_a_coding_where_there_is_never_a_body_is_refused(status: bytes, method: bytes, validate: bool) -> None:
    refused_response(b"HTTP/1.1 " + status + b"\r\n" + CODED + b"\r\n\r\n", method, validate)


# lenient reading


def test_a_lenient_reader_takes_fields_as_they_come() -> None:
    lines = [b"A b : 1", b"n(me:2:3", b"Ctl: \x01", b"Fold: a", b" b", b"\t \tc", b": d", b"Host: b"]
    head = request(*lines, start=b"GET /\xc3\xa9 HTTP/1.1", validate=False)
    assert head.target == b"/\xc3\xa9"
    assert head.headers == (
        (b"Host", b"example.com"),
        (b"A b ", b"1"),
        (b"n(me", b"2:3"),
        (b"Ctl", b"\x01"),
        (b"Fold", b"a b c"),
        (b"", b"d"),
        (b"Host", b"b"),
    )
    assert response(*lines, validate=False).headers == head.headers[1:]
    assert parse_request_head(b"GET / HTTP/1.1\r\n\r\n", validate=False).host is None


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length : 42",
        b"Content-Length\t: 42",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding\x0b: chunked",
        b"\x01Transfer-Encoding: chunked",
        b"Content-Length\xa0: 5",
        b"Content- Length: 5",
        b"X: y\rz",
        b"X: y\nContent-Length: 5",
        b"X: a\x00b",
        b"Transfer-Encoding: \x0bchunked",
        b"Content-Length: 5\x0c",
        b"Content-Length: 1\r\n 0",
        b"no colon",
    ],
)
def test_a_lenient_reader_is_strict_about_framing(line: bytes) -> None:
    assert refused_request(b"POST / HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n", validate=False) in (400, 501)
    refused_response(b"HTTP/1.1 200 OK\r\nX: y\r\n" + line + b"\r\n\r\n", validate=False)


@pytest.mark.parametrize(
    "start", [b"G(T / HTTP/1.1", b"GET / HTTP/9.9", b"GET /\x00 HTTP/1.1", b"GET  / HTTP/1.1", b""]
)
def test_a_lenient_reader_is_strict_about_request_lines(start: bytes) -> None:
    assert refused_request(start + b"\r\n" + HOST + b"\r\n", validate=False) == 400


def test_a_lenient_reader_has_nothing_to_join_a_first_folded_line_with() -> None:
    assert refused_request(b"GET / HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n", validate=False) == 400
    refused_response(b"HTTP/1.1 200 OK\r\n\tX: y\r\n\r\n", validate=False)


# finding


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (GET, len(GET)),
        (b"\r\n" + GET, len(GET) + 2),
        (b"\r\n\r\n" + GET, len(GET) + 4),
        (b"CONNECT a:443 HTTP/1.1\r\n\r\n", 26),
        (b"HTTP/1.1 200 OK\r\n\r\n", 19),
    ],
)
@pytest.mark.parametrize("after", [b"", b"\x16\x03\x01", b"\r\n\r\n", b"body", b"\n\n"])
def test_a_head_is_found_whole_and_byte_by_byte(data: bytes, end: int, after: bytes) -> None:
    assert head_end(bytearray(data + after), 0) == end
    buffer, start = bytearray(), 0
    for byte in data[:-1]:
        buffer.append(byte)
        assert head_end(buffer, start) == -1
        start = max(len(buffer) - 3, 0)
    buffer.append(data[-1])
    assert head_end(buffer, start) == end


@pytest.mark.parametrize("end", [b"\n\n", b"\n\r\n", b"\r\n\n"])
@pytest.mark.parametrize("after", [b"", b"body", GET])
def test_bare_line_feeds_end_a_head_that_is_refused(end: bytes, after: bytes) -> None:
    buffer = bytearray(b"GET / HTTP/1.1\nHost: a" + end + after)
    found = head_end(buffer, 0)
    assert found >= len(buffer) - len(after)
    assert refused_request(bytes(buffer[:found])) == 400


@pytest.mark.parametrize("data", [b"\n", b"\x16\x03\x01", b" GET", b"\r\n\r\n\r", b"\r\n\n", b"\rX", b"\x00"])
def test_what_never_becomes_a_head_is_cut_at_once_and_refused(data: bytes) -> None:
    buffer = bytearray(data + b"\n")
    end = head_end(buffer, 0)
    assert 0 < end <= len(buffer)
    assert refused_request(bytes(buffer[:end])) == 400


@pytest.mark.parametrize("data", [b"", b"\r", b"\r\n", b"\r\n\r", b"\r\n\r\n", b"G", b"\x80"])
def test_what_may_become_a_head_is_waited_for(data: bytes) -> None:
    assert head_end(bytearray(data), 0) == -1


@pytest.mark.parametrize("data", [b"x" * (MAX_HEAD + 1), b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD + b"\r\n\r\n"])
def test_a_head_that_is_too_large_is_not_waited_for(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        head_end(bytearray(data), 0)
    assert (caught.value.status, caught.value.peer) == (431, "client")
    with pytest.raises(ProtocolError) as caught:
        head_end(bytearray(data), 0, "server")
    assert (caught.value.status, caught.value.peer) == (502, "server")


def test_a_large_body_behind_a_head_is_not_counted() -> None:
    assert head_end(bytearray(GET + b"x" * (2 * MAX_HEAD)), 0) == len(GET)


# writing


def test_heads_are_written_as_they_were_read() -> None:
    head = parse_request_head(b"GET /a HTTP/1.1\r\nHost: a\r\nx-A: 1\r\nX-a: \xff\r\nEmpty: \r\n\r\n")
    written = request_head_bytes(head.method, head.target, head.version, head.headers)
    assert written == b"GET /a HTTP/1.1\r\nHost: a\r\nx-A: 1\r\nX-a: \xff\r\nEmpty: \r\n\r\n"
    assert request_head_bytes(b"GET", b"/", b"HTTP/1.0", ()) == b"GET / HTTP/1.0\r\n\r\n"
    assert response_head_bytes(b"HTTP/1.1", 200, b"OK", ((b"A", b"b"),)) == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"
    assert response_head_bytes(b"HTTP/1.1", 299, b"", ()) == b"HTTP/1.1 299 \r\n\r\n"


@pytest.mark.parametrize("poison", [b"a\r\nX: y", b"a\nb", b"a\rb", b"\r\n\r\nGET / HTTP/1.1"])
def test_a_line_break_is_never_written(poison: bytes) -> None:
    for fields in (((b"A", poison),), ((poison, b"a"),)):
        with pytest.raises(ProtocolError, match="line break"):
            request_head_bytes(b"GET", b"/", b"HTTP/1.1", fields)
    with pytest.raises(ProtocolError, match="line break"):
        request_head_bytes(b"GET", poison, b"HTTP/1.1", ())
    with pytest.raises(ProtocolError, match="line break") as caught:
        response_head_bytes(b"HTTP/1.1", 200, poison, ())
    assert caught.value.status == 502


# forwarding


@pytest.mark.parametrize(
    ("dropped", "fields"),
    [
        ((), ((b"Host", b"a"), (b"Accept", b"*/*"), (b"accept", b"x"), (b"Trailer", b"X"))),
        ((0, 1), ((b"Proxy-Connection", b"keep-alive"), (b"keep-alive", b"timeout=5"), (b"Host", b"a"))),
        ((1, 2, 3), ((b"A", b"1"), (b"X-hop", b"1"), (b"Connection", b"x-HOP , close"), (b"x-hOp", b"2"))),
        ((0, 1, 2), ((b"Connection", b"a"), (b"connection", b"b"), (b"B", b"1"), (b"C", b"1"))),
        ((0, 1), ((b"Upgrade", b"h2c"), (b"Connection", b"Upgrade"), (b"Content-Length", b"5"))),
        ((0,), ((b"TE", b"gzip"), (b"Transfer-Encoding", b"chunked"))),
        (
            (0,),
            ((b"Connection", b"Host, Content-Length, transfer-encoding"), (b"Host", b"a"), (b"Content-Length", b"5")),
        ),
        ((0,), ((b"Proxy-Authorization", b"x"), (b"Proxy-Authenticate", b"y"))),
    ],
)
def test_fields_for_this_hop_stay_behind(dropped: tuple[int, ...], fields: Fields) -> None:
    assert forwarded(fields) == tuple(pair for index, pair in enumerate(fields) if index not in dropped)


def test_trailers_are_still_asked_for() -> None:
    assert forwarded(((b"te", b"gzip;q=0.5, Trailers"), (b"A", b"b"))) == ((b"te", b"trailers"), (b"A", b"b"))
    fields = ((b"Connection", b"TE, close"), (b"TE", b"trailers"))
    assert forwarded(fields) == fields[1:]
    assert forwarded(fields, upgrading=True) == fields


def test_an_upgrade_goes_on() -> None:
    fields = ((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAMA"))
    assert forwarded((*fields, (b"Proxy-Connection", b"x"), (b"Keep-Alive", b"y")), upgrading=True) == fields


@pytest.mark.parametrize(
    "head",
    [
        b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
    ],
)
def test_who_is_refused_is_told_of_the_option_that_is_less_strict(head: bytes) -> None:
    with pytest.raises(ProtocolError, match="validate_inbound_headers=false"):
        parse_request_head(head)
    assert parse_request_head(head, validate=False).host == b"a"


@pytest.mark.parametrize("start", [b"HTTP/1.1 2000 OK", b"HTTP/1.1 20 OK", b"ICY 200 OK"])
def test_nobody_is_told_of_an_option_that_does_not_help(start: bytes) -> None:
    with pytest.raises(ProtocolError, match="illegal status line") as caught:
        response(start=start)
    assert "validate_inbound_headers" not in str(caught.value)
