"""The fast path and h11 held together: what is read without asking h11, h11 reads in the same way."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1 import heads
from flowdump.engine.http1.framing import FACTS, Fields
from flowdump.engine.http1.heads import (
    RequestHead,
    ResponseHead,
    head_end,
    parse_request_head,
    parse_response_head,
    request_head_bytes,
    response_head_bytes,
)

# heads as they should be, and as they should not


TARGETS = [b"/", b"/a?b=c#d", b"http://example.com:80/x", b"example.com:443"]
BODIES = [b"Content-Length: 5", b"content-length:\t0", b"Transfer-Encoding: chunked", b"TRANSFER-encoding: Chunked\t"]
FIELDS = [
    b"Connection: close",
    b"connection:keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Expect: 100-continue",
    b"Accept: */*",
    b"X-Odd~Name:  \xff a\tb ",
    b"Empty:",
]
FAULTS = [
    b"Host: b",
    b"Host: a@b",
    b"Content-Length: 0",
    b"Content-Length: 7",
    b"Content-Length: 010",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length : 5",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:",
    b" folded",
    b"no colon",
    b": no name",
    b"X: a\x00b",
    b"X: a\x01b",
    b"X: a\rb",
    b"X: a\nb",
    b"N\xe9: x",
    b"",
]
REQUEST_LINES = st.builds(
    lambda method, target, version: b"%b %b %b" % (method, target, version),
    st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"FROB", b"get"]),
    st.sampled_from(TARGETS),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"]),
)
STATUS_LINES = st.builds(
    lambda version, status, reason: b"%b %b%b" % (version, status, reason),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"]),
    st.sampled_from([b"200", b"204", b"304", b"100", b"101", b"103", b"404", b"599", b"600", b"999"]),
    st.sampled_from([b" OK", b"", b" ", b" Not  Found\t", b" \xc3\xa9"]),
)
FAULTY_STARTS = st.sampled_from(
    [
        *(b"G(T / HTTP/1.1", b"GET /a b HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET * HTTP/1.1", b"GET / HTTP/1.2", b""),
        *(b"HTTP/1.1 099 x", b"HTTP/1.1 2000 x", b"HTTP/1.2 200 x", b"HTTP/1.1 200 a\x1b", b"HTTP/1.1 200OK", b" "),
    ]
)


@st.composite
def heads_of(draw: Any, starts: st.SearchStrategy[bytes]) -> bytes:
    """A start line, some fields and an empty line: half of them sound, the others with one fault or two."""
    faults = draw(st.sampled_from([(), (), (), "start", "line", "line", "end", "byte", ("line", "byte")]))
    lines = [draw(FAULTY_STARTS if "start" in faults else starts), b"Host: example.com"]
    lines += draw(st.lists(st.sampled_from(FIELDS), max_size=4)) + draw(st.lists(st.sampled_from(BODIES), max_size=1))
    if "line" in faults:
        lines[draw(st.integers(1, len(lines) - 1))] = draw(st.sampled_from(FAULTS) | st.binary(max_size=9))
    head = b"\r\n".join([*lines, b"", b""])
    if "end" in faults:
        head = head.replace(b"\r\n", draw(st.sampled_from([b"\n", b"\r", b"\r\r\n", b"\n\r"])), draw(st.integers(1, 3)))
    if "byte" in faults:
        place = draw(st.integers(0, len(head) - 1))
        head = head[:place] + draw(st.binary(max_size=2)) + head[place + 1 :]
    return head


REQUESTS = heads_of(REQUEST_LINES)
RESPONSES = heads_of(STATUS_LINES)
ASKED = st.sampled_from([b"GET", b"GET", b"HEAD", b"CONNECT", b"POST"])


# what h11 makes of them


def with_host(head: bytes) -> bytes:
    """CONNECT may come without Host, whatever h11 says (decision 19): it is given one."""
    if head.startswith(b"CONNECT ") and b"HTTP/1.1\r\n" in head and not re.search(rb"(?i)\nhost[ \t]*:", head):
        return head.replace(b"\r\n", b"\r\nHost: absent\r\n", 1)
    return head


def comparable(fields: Any) -> list[tuple[bytes, bytes]]:
    """Fields without the case that h11 takes from codings."""
    return [
        (n, v.lower() if n.lower() == b"transfer-encoding" else v) for n, v in ((bytes(n), bytes(v)) for n, v in fields)
    ]


def asked_server() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)


def asked_client(method: bytes) -> h11.Connection:
    """A client that has asked, and has offered an upgrade."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    fields = [("Host", "a"), ("Connection", "Upgrade"), ("Upgrade", "a"), ("Content-Length", "0")]
    connection.send(h11.Request(method=method, target="/", headers=fields))
    connection.send(h11.EndOfMessage())
    return connection


def framing_by_behaviour(connection: h11.Connection) -> tuple[str, int]:
    """How h11 has understood where the body ends: seen from what it does with bodies of both kinds."""
    event = connection.next_event()
    if isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
        return "none", 0
    assert event is h11.NEED_DATA
    body = b"5\r\nhello\r\n0\r\n\r\n"
    connection.receive_data(body)
    got = b""
    while isinstance(event := connection.next_event(), h11.Data):
        got += bytes(event.data)
    if got == b"hello":
        return "chunked", 0
    assert body.startswith(got)
    return ("length", len(got)) if isinstance(event, h11.EndOfMessage) else ("more", 0)


def same_framing(ours: tuple[str, int], theirs: tuple[str, int]) -> bool:
    if theirs == ("more", 0):  # a long length, or up to the end
        return ours[0] == "close" or ours[1] > len(b"5\r\nhello\r\n0\r\n\r\n")
    return ours == theirs or (ours, theirs) == (("length", 0), ("none", 0))


@settings(deadline=None, max_examples=400)
@given(REQUESTS)
@example(b"CONNECT a:443 HTTP/1.1\r\n\r\n")
@example(b"GET / HTTP/1.0\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n\r\n")
def test_requests_are_read_as_h11_reads_them(head: bytes) -> None:
    try:
        ours = parse_request_head(head)
    except ProtocolError:
        return
    skipped = head[2:] if head[:2] == b"\r\n" else head
    skipped = skipped[2:] if skipped[:2] == b"\r\n" else skipped
    judge = asked_server()
    judge.receive_data(with_host(skipped))
    theirs = judge.next_event()
    assert isinstance(theirs, h11.Request)
    assert (ours.method, ours.target, ours.version) == (theirs.method, theirs.target, b"HTTP/" + theirs.http_version)
    assert comparable(ours.headers) == comparable(p for p in theirs.headers.raw_items() if p != (b"Host", b"absent"))
    assert same_framing(ours.framing, framing_by_behaviour(judge))
    if ours.expect_continue:
        assert b"100-continue" in [v.lower() for n, v in theirs.headers if n == b"expect"]


@settings(deadline=None, max_examples=400)
@given(RESPONSES, ASKED)
@example(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"GET")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"CONNECT")
@example(b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET")
def test_responses_are_read_as_h11_reads_them(head: bytes, method: bytes) -> None:
    try:
        ours = parse_response_head(head, request_method=method)
    except ProtocolError:
        return
    judge = asked_client(method)
    judge.receive_data(head)
    theirs = judge.next_event()
    assert isinstance(theirs, h11.Response | h11.InformationalResponse)
    assert (ours.version, ours.status_code, ours.reason) == (
        b"HTTP/" + theirs.http_version,
        theirs.status_code,
        theirs.reason,
    )
    assert comparable(ours.headers) == comparable(theirs.headers.raw_items())
    if ours.status_code < 200:
        assert ours.framing.kind == "none"
    else:
        assert same_framing(ours.framing, framing_by_behaviour(judge))


def test_the_rows_above_are_accepted_often_enough_to_mean_something(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    monkeypatch.setattr(heads, "_judge", lambda judge, head, peer: asked.append(head))
    monkeypatch.setattr(heads, "MAX_KNOWN", 0)  # what such a judge lets pass is not to be remembered
    accepted: list[bytes] = []

    @settings(deadline=None, max_examples=200, database=None, derandomize=True)
    @given(REQUESTS)
    def count(head: bytes) -> None:
        try:
            parse_request_head(head)
        except ProtocolError:
            return
        accepted.append(head)

    count()
    fast = [head for head in accepted if head not in asked]
    assert len(fast) > 50
    assert len(accepted) > len(fast)  # h11's yes counts, too
    assert len(accepted) < 180


# any bytes at all

PIECES = st.sampled_from(
    [b"GET ", b"/", b" HTTP/1.1", b"HTTP/1.1 200 OK", b"\r\n", b"\r\n\r\n", b"\n", b"Host: a", b"Content-Length:", b"5"]
)
NOISE = st.lists(PIECES | st.binary(max_size=5), max_size=12).map(b"".join)


@settings(deadline=None, max_examples=200)
@given(NOISE | st.binary(), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, validate: bool) -> None:
    statuses: set[int] = set()
    for parse in (
        lambda: parse_request_head(data, validate=validate),
        lambda: parse_response_head(data, request_method=b"GET", validate=validate),
    ):
        try:
            head: RequestHead | ResponseHead = parse()
        except ProtocolError as error:
            statuses.add(error.status)
            continue
        assert data.endswith(b"\r\n\r\n")
        assert head.version in (b"HTTP/1.0", b"HTTP/1.1")
    assert statuses <= {400, 431, 501, 502}


@settings(deadline=None, max_examples=200)
@given(REQUESTS | RESPONSES, st.booleans())
def test_nearly_sound_heads_are_read_or_refused(head: bytes, validate: bool) -> None:
    with suppress(ProtocolError):
        parse_request_head(head, validate=validate)
    with suppress(ProtocolError):
        parse_response_head(head, request_method=b"GET", validate=validate)


@settings(deadline=None, max_examples=200)
@given(REQUESTS)
def test_lenient_and_strict_agree_where_both_accept(head: bytes) -> None:
    try:
        strict = parse_request_head(head)
    except ProtocolError:
        return
    assert parse_request_head(head, validate=False) == strict


@settings(deadline=None, max_examples=200)
@given(NOISE | REQUESTS, st.integers(1, 7))
def test_the_end_of_a_head_is_the_same_in_any_steps(data: bytes, step: int) -> None:
    """Sound heads end in the same place however they come; others are cut somewhere, and refused wherever that is."""
    whole = head_end(bytearray(data), 0)
    buffer, start, end = bytearray(), 0, -1
    for place in range(0, len(data), step):
        buffer += data[place : place + step]
        end = head_end(buffer, start)
        if end > 0:
            break
        start = max(len(buffer) - 3, 0)
    assert (end > 0) == (whole > 0)
    if end == whole:
        return
    for head in (data[:end], data[:whole]):
        with pytest.raises(ProtocolError):
            parse_request_head(head)


# there and back

TOKENS = st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True)
PLAIN_NAMES = TOKENS.filter(lambda name: name.lower() not in FACTS)
VALUES = st.from_regex(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?", fullmatch=True)
SECTIONS: st.SearchStrategy[Fields] = st.lists(st.tuples(PLAIN_NAMES, VALUES), max_size=8).map(tuple)
VISIBLE = st.from_regex(rb"/[!-~]{0,20}", fullmatch=True)


@settings(deadline=None, max_examples=100)
@given(TOKENS, VISIBLE, st.sampled_from([b"HTTP/1.0", b"HTTP/1.1"]), SECTIONS)
def test_requests_go_there_and_back(method: bytes, target: bytes, version: bytes, fields: Fields) -> None:
    fields = ((b"host", b"a"), *fields)
    head = parse_request_head(request_head_bytes(method, target, version, fields))
    assert head[:4] == (method, target, version, fields)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([b"HTTP/1.0", b"HTTP/1.1"]), st.integers(100, 999), VALUES, SECTIONS)
def test_responses_go_there_and_back(version: bytes, status: int, reason: bytes, fields: Fields) -> None:
    head = parse_response_head(response_head_bytes(version, status, reason, fields), request_method=b"GET")
    assert head[:4] == (version, status, reason, fields)
