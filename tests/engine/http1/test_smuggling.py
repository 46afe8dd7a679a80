"""Hostile HTTP/1 messages, as raw bytes, to a running proxy with an origin behind it.

For each of them: the origin sees nothing, or exactly one well-formed request; the flow is recorded with an error; the
client gets the status that says whose fault it is, and the connection is closed; nothing after the message is taken
for another one; no traceback.

After every hostile request comes ``NEXT``, which nobody must ever see.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import ssl
from typing import Any

import pytest
from tests.support.asynchronous import PATIENCE, run
from tests.support.hostile import (
    CHUNKS,
    CODINGS,
    CONNECTS,
    HOSTS,
    LENGTHS,
    LINES,
    NEXT,
    OK,
    RESPONSES,
    STARTS,
    TOO_LARGE,
    answer,
    at,
    chunked,
    coded,
    line,
    sized,
    table,
    with_fields,
)
from tests.support.live import Origin, Running, assert_quiet, origin, running, until
from tests.support.memory import traced

from flowdump.http import HTTPFlow


def answers(reply: bytes) -> int:
    """How many responses there are in what a client got."""
    return len(re.findall(rb"^HTTP/1", reply, re.MULTILINE))


def assert_refused(proxy: Running, server: Origin, reply: bytes, status: int) -> None:
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert answers(reply) == 1
    assert b"\r\nConnection: close\r\n" in reply
    assert reply.endswith(b"</html>\n")
    assert server.received == b""
    assert proxy.flow.error is not None
    assert proxy.flow.error.msg
    assert_quiet(proxy)


# -- requests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("raw", "status"), table(CODINGS, LENGTHS, LINES, STARTS, HOSTS, CHUNKS, CONNECTS, TOO_LARGE))
async def test_a_hostile_request_is_refused_and_nothing_reaches_the_origin(raw: bytes, status: int) -> None:
    async with origin(OK) as server, running(body_size_limit="4" if status == 413 else None) as proxy:
        reply = await proxy.send(at(raw + NEXT, server), half_close=False)
        assert_refused(proxy, server, reply, status)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(rows[name], id=name)
        for rows, names in ((LENGTHS, ("NaN", "two different")), (LINES, ("obs-fold", "only LF")), (HOSTS, ("two",)))
        for name in names
    ],
)
async def test_it_makes_no_difference_in_how_many_pieces_it_comes(raw: bytes) -> None:
    async with origin(OK) as server, running() as proxy:
        reader, writer = await proxy.connect()
        for byte in at(raw, server):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        reply = await reader.read()
        writer.close()
        assert_refused(proxy, server, reply, 400)


@pytest.mark.parametrize(
    ("raw", "method", "url", "version"),
    [
        (sized(b" NaN"), "POST", "http://ORIGIN/x", "HTTP/1.1"),
        (LINES["only LF"], "POST", "http://ORIGIN/x", "HTTP/1.1"),
        (HOSTS["none"], "GET", "http://ORIGIN/", "HTTP/1.1"),
        (line(b"GET /x HTTP/1.1"), "GET", "/x", "HTTP/1.1"),
        (line(b"GET http://ORIGIN/ HTTP/9.9"), "GET", "http://ORIGIN/", "HTTP/9.9"),
        (line(b"G(T http://ORIGIN/ HTTP/1.1"), "G(T", "http://ORIGIN/", "HTTP/1.1"),
        (CONNECTS["a body"], "CONNECT", "ORIGIN", "HTTP/1.1"),
        (CONNECTS["port too large"], "CONNECT", "a:65536", "HTTP/1.1"),
        (b"GET http://ORIGIN/x", "GET", "http://ORIGIN/x", "HTTP/1.1"),
        (b"\0\1\2\r\n\r\n", "\0\1\2", "", "HTTP/1.1"),
        (TOO_LARGE["one long line"][0], "POST", "http://ORIGIN/x", "HTTP/1.1"),
        (STARTS["no version"], "GET", "http://ORIGIN/", "HTTP/1.1"),
    ],
)
async def test_a_refused_request_is_recorded_as_far_as_it_can_be_told(
    raw: bytes, method: str, url: str, version: str
) -> None:
    errors: list[HTTPFlow] = []

    class Watch:
        def error(self, flow: HTTPFlow) -> None:
            errors.append(flow)

    async with origin(OK) as server, running(Watch()) as proxy:
        await proxy.send(at(raw, server))
        request = proxy.flow.request
        assert errors == [proxy.flow]
        assert request.method == method
        assert request.http_version == version
        expected = url.replace("ORIGIN", f"127.0.0.1:{server.port}")
        assert (request.url if request.host else request.authority or request.path) == expected
        assert proxy.flow.response is None


async def test_a_bad_chunk_in_a_streamed_request_leaves_the_origin_with_an_incomplete_message() -> None:
    class Streamed:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True

    async def wait_for_the_end(reader: Any, writer: Any) -> None:
        while await reader.read(100):
            pass

    async with origin(wait_for_the_end) as server, running(Streamed()) as proxy:
        raw = chunked(b"5\r\nhello\r\n5\r\nhelloXX0\r\n\r\n")
        reply = await proxy.send(at(raw + NEXT, server), half_close=False)
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert server.received.endswith(b"\r\n\r\n5\r\nhello\r\n")
        assert proxy.flow.error is not None
        assert_quiet(proxy)


async def test_a_bad_chunk_behind_an_early_answer_ends_the_connection() -> None:
    class Streamed:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True

    async with origin(OK) as server, running(Streamed()) as proxy:
        reader, writer = await proxy.connect()
        writer.write(at(chunked(b"5\r\nhello\r\n"), server))
        reply = await reader.readuntil(b"hi")
        writer.write(at(b"XX\r\n\r\n" + NEXT, server))
        assert await reader.read() == b""
        writer.close()
        assert reply.startswith(b"HTTP/1.1 200 ")
        await proxy.wait_for_flows()
        assert len(proxy.flows) == 1
        assert b"smuggled" not in server.received


# -- what is not hostile though it looks like it -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        pytest.param(b"\r\n" + line(b"GET http://ORIGIN/ HTTP/1.1"), b"GET / HTTP/1.1\r\n", id="an empty line"),
        pytest.param(b"\r\n\r\n" + line(b"GET http://ORIGIN/ HTTP/1.1"), b"GET / HTTP/1.1\r\n", id="two of them"),
        pytest.param(coded(b" chunked "), b"0\r\n\r\n", id="chunked and a blank"),
        pytest.param(coded(b" chunked\t"), b"0\r\n\r\n", id="chunked and a tab"),
        pytest.param(coded(b" CHUNKED"), b"0\r\n\r\n", id="chunked in capitals"),
        pytest.param(chunked(b'5;ext="v"\r\nhello\r\n0\r\n\r\n'), b"hello\r\n0\r\n\r\n", id="a chunk extension"),
        pytest.param(
            with_fields(b"Transfer-Encoding: chunked", body=b"2\r\nhi\r\n0\r\n\r\n", method=b"DELETE"),
            b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            id="DELETE with a chunked body",
        ),
        pytest.param(
            with_fields(b"Content-Length: 2", body=b"hi", method=b"OPTIONS"), b"\r\n\r\nhi", id="OPTIONS with a body"
        ),
        pytest.param(with_fields(b"Content-Length: 2", body=b"hi", method=b"GET"), b"\r\n\r\nhi", id="GET with a body"),
        pytest.param(line(b"FOO http://ORIGIN/ HTTP/1.1"), b"FOO / HTTP/1.1\r\n", id="a method nobody knows"),
        pytest.param(b"GET http://ORIGIN/ HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\n", id="HTTP/1.0 without Host"),
        pytest.param(with_fields(b"X:\ty\t"), b"X: y\r\n", id="tabs around a value"),
        pytest.param(with_fields(b"X: \xe9\xff"), b"X: \xe9\xff\r\n", id="obs-text in a value"),
    ],
)
async def test_unusual_requests_that_are_sound_are_forwarded_correctly_framed(raw: bytes, seen: bytes) -> None:
    async with origin(OK) as server, running() as proxy:
        reply = await proxy.send(at(raw, server))
        assert reply.startswith(b"HTTP/1.1 200 ")
        await until(lambda: seen in server.received)
        assert proxy.flow.error is None


async def test_every_one_of_pipelined_requests_is_framed_by_its_own_fields() -> None:
    async with origin(OK) as server, running() as proxy:
        embedded = NEXT  # as a body it is just bytes
        raw = with_fields(b"Content-Length: %d" % len(at(embedded, server)), body=embedded)
        reply = await proxy.send(at(raw + line(b"GET http://ORIGIN/last HTTP/1.1"), server))
        assert reply.count(b"HTTP/1.1 200 ") == 2
        assert [flow.request.path for flow in proxy.flows] == ["/x", "/last"]
        assert proxy.flows[0].request.raw_content == at(embedded, server)


async def test_the_target_wins_over_host() -> None:
    async with origin(OK) as server, running() as proxy:
        await proxy.send(at(b"GET http://ORIGIN/ HTTP/1.1\r\nHost: other.example\r\n\r\n", server))
        assert server.received == at(b"GET / HTTP/1.1\r\nHost: ORIGIN\r\n\r\n", server)
        assert proxy.flow.request.host_header == f"127.0.0.1:{server.port}"
        assert b"other.example" in str(proxy.flow.metadata).encode()


async def test_what_a_script_sets_as_host_is_sent_as_set() -> None:
    class Rename:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.headers["host"] = "scripted.example"

    async with origin(OK) as server, running(Rename()) as proxy:
        await proxy.send(at(line(b"GET http://ORIGIN/ HTTP/1.1"), server))
        assert b"\r\nHost: scripted.example\r\n" in server.received


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_connect_needs_no_host_and_the_bytes_behind_it_belong_to_the_tunnel(version: bytes) -> None:
    async def echo(reader: Any, writer: Any) -> None:
        writer.write(b"pong")
        writer.close()

    async with origin(echo) as server, running() as proxy:
        hello = b"\x00\x01 not HTTP at all\r\n\r\n"
        reply = await proxy.send(at(b"CONNECT ORIGIN " + version + b"\r\n\r\n", server) + hello)
        assert reply == b"HTTP/1.1 200 Connection established\r\n\r\npong"
        assert server.received == hello
        assert_quiet(proxy)


async def test_requests_inside_a_tunnel_are_judged_as_strictly() -> None:
    async with origin(OK) as server, running() as proxy:
        inner = b"POST /x HTTP/1.1\r\nHost: ORIGIN\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = b"CONNECT ORIGIN HTTP/1.1\r\nHost: ORIGIN\r\n\r\n" + inner
        reply = await proxy.send(at(raw + NEXT, server), half_close=False)
        _, _, reply = reply.partition(b"\r\n\r\n")
        assert_refused(proxy, server, reply, 400)
        assert proxy.flow.request.url == f"http://127.0.0.1:{server.port}/x"


async def test_requests_inside_tls_are_judged_as_strictly() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async with origin(OK) as server, running(connection_strategy="lazy") as proxy:
        reader, writer = await proxy.connect()
        writer.write(at(b"CONNECT ORIGIN HTTP/1.1\r\n\r\n", server))
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(context, server_hostname="a.example")
        inner = b"POST /x HTTP/1.1\r\nHost: ORIGIN\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(at(inner + NEXT, server))
        reply = await reader.read()
        writer.close()
        assert_refused(proxy, server, reply, 400)
        assert proxy.flow.request.url == f"https://127.0.0.1:{server.port}/x"


# -- the way out for devices that know no better -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (with_fields(b"X(Y: z"), b"\r\nX(Y: z\r\n"),
        (with_fields(b"X: a", b" b"), b"\r\nX: a b\r\n"),
        (HOSTS["none"], b"GET / HTTP/1.1\r\n"),
        (with_fields(b"X: \x01"), b"\r\nX: \x01\r\n"),
    ],
    ids=["name", "fold", "no host", "control"],
)
async def test_validation_can_be_turned_off(raw: bytes, seen: bytes) -> None:
    async with origin(OK) as server, running(validate_inbound_headers=False) as proxy:
        assert (await proxy.send(at(raw, server))).startswith(b"HTTP/1.1 200 ")
        assert seen in server.received


@pytest.mark.parametrize(("raw", "status"), table(CODINGS, LENGTHS, CHUNKS))
async def test_framing_stays_strict_even_then(raw: bytes, status: int) -> None:
    async with origin(OK) as server, running(validate_inbound_headers=False) as proxy:
        reply = await proxy.send(at(raw + NEXT, server), half_close=False)
        assert reply[9:12] in (b"%d" % status, b"400", b"501")
        assert server.received == b""
        assert proxy.flow.error is not None
        assert_quiet(proxy)


# -- responses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in RESPONSES.items()])
async def test_a_hostile_response_is_a_502(raw: bytes) -> None:
    async with origin(raw, close=True) as server, running() as proxy:
        reply = await proxy.send(at(line(b"GET http://ORIGIN/x HTTP/1.1"), server), half_close=False)
        reply = re.sub(rb"\A(HTTP/1.1 102 Processing\r\n\r\n)+", b"", reply)
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert answers(reply) == 1
        assert reply.endswith(b"</html>\n")
        assert server.received.count(b"HTTP/1.1\r\n") == 1
        assert proxy.flow.error is not None
        assert proxy.flow.request.path == "/x"
        assert_quiet(proxy)


@pytest.mark.parametrize(
    "raw", [pytest.param(raw, id=name) for name, raw in RESPONSES.items() if name.startswith("chunk")]
)
async def test_a_bad_chunk_in_a_streamed_response_cuts_the_client_off(raw: bytes) -> None:
    class Streamed:
        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.stream = True

    async with origin(raw + OK, close=True) as server, running(Streamed()) as proxy:
        reply = await proxy.send(at(line(b"GET http://ORIGIN/x HTTP/1.1"), server), half_close=False)
        assert b"0\r\n\r\n" not in reply
        assert b"502" not in reply
        assert answers(reply) <= 1
        assert proxy.flow.error is not None
        assert_quiet(proxy)


@pytest.mark.parametrize("start", [b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 200 OK"])
async def test_a_coding_on_a_message_without_body(start: bytes) -> None:
    """Legitimate on 304 and on answers to HEAD; on 304 it is not passed on."""
    is_304 = b"304" in start

    raw = answer(b"Transfer-Encoding: chunked", start=start)
    async with origin(raw) as server, running() as proxy:
        method = b"GET" if is_304 else b"HEAD"
        request = at(line(method + b" http://ORIGIN/x HTTP/1.1"), server)
        reply = await proxy.send(request + request)
        assert reply.count(start) == 2
        assert reply.endswith(b"\r\n\r\n")
        assert (b"Transfer-Encoding" in reply) == (not is_304)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\r\n", b"x"], ids=["response", "line", "byte"]
)
async def test_what_an_origin_sends_unasked_is_not_taken_for_the_next_answer(extra: bytes) -> None:
    async with origin(OK + extra, OK) as server, running() as proxy:
        request = at(line(b"GET http://ORIGIN/x HTTP/1.1"), server)
        reply = await proxy.send(request + request)
        assert reply.count(b"\r\n\r\nhi") == 2
        assert b"evil" not in reply
        assert len(server.requests) == 2


async def test_a_length_with_204_announces_bytes_that_are_not_taken_for_the_next_answer() -> None:
    lying = answer(b"Content-Length: 4", start=b"HTTP/1.1 204 No Content")
    async with origin(lying, OK) as server, running() as proxy:
        request = at(line(b"GET http://ORIGIN/x HTTP/1.1"), server)
        reply = await proxy.send(request + request)
        assert reply.startswith(b"HTTP/1.1 204 ")
        assert reply.endswith(b"hi")
        assert len(server.requests) == 2


async def test_no_length_is_left_beside_a_body_that_was_reframed() -> None:
    class Transformed:
        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.stream = lambda data: data * 2

    async with origin(OK) as server, running(Transformed()) as proxy:
        reply = await proxy.send(at(line(b"GET http://ORIGIN/x HTTP/1.1"), server))
        assert b"Content-Length" not in reply
        assert reply.endswith(b"4\r\nhihi\r\n0\r\n\r\n")


# -- again and again -----------------------------------------------------------------------------------------------


def test_nothing_of_hostile_requests_is_kept() -> None:
    hostile = [CODINGS["and a length"][0], CHUNKS["data too long"], LINES["NUL in value"], LENGTHS["5000 digits"]]

    async def scenario() -> None:
        async with origin(OK) as server, running() as proxy:
            proxy.add = lambda flow: None  # type: ignore[method-assign]
            messages = [at(raw, server) for raw in hostile]
            await _repeat(proxy, messages, 25)
            descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
            with traced() as memory:
                await _repeat(proxy, messages, 25)
                before = memory()[0]
                await _repeat(proxy, messages, 450)
                after = memory()[0]
            assert after - before < 150_000  # 1,800 times anything is more
            if descriptors:
                assert len(os.listdir("/proc/self/fd")) <= descriptors
            assert server.received == b""

    run(scenario(), patience=3 * PATIENCE)


async def _repeat(proxy: Running, messages: list[bytes], times: int) -> None:
    for _ in range(times):
        for raw in messages:
            assert await proxy.send(raw, half_close=False)
    proxy.log.clear()
    await until(lambda: not proxy.proxy.sessions and not proxy.proxy.streams)
    gc.collect()
