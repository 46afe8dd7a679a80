"""Requests through the running proxy: what the origin sees, what the client gets, what is recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.http1 import OK, get
from tests.support.live import origin, running, until

from flowdump.http import HTTPFlow, Response


async def test_a_request_reaches_the_origin_and_its_answer_the_client() -> None:
    async with origin(OK) as server, running() as proxy:
        reply = await proxy.send(get(server.port, "/x?y", "X-CaSe: 1", "x-case: 2"))
        assert reply == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
        expected = f"GET /x?y HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-CaSe: 1\r\nx-case: 2\r\n\r\n"
        assert server.received == expected.encode()
        flow = proxy.flow
        assert flow.request.url == f"http://127.0.0.1:{server.port}/x?y"
        assert flow.response is not None
        assert flow.response.content == b"hi"
        assert flow.error is None
        assert flow.server_conn.timestamp_tcp_setup is not None


async def test_keep_alive_and_pipelined_requests_are_answered_in_order() -> None:
    replies = [OK.replace(b"hi", b"%02d" % n) for n in range(3)]

    async with origin(*replies) as server, running() as proxy:
        requests = [get(server.port, f"/{n}", close=n == 2) for n in range(3)]
        reply = await proxy.send(b"".join(requests), half_close=False)
        assert [part[-2:] for part in reply.split(b"HTTP/1.1 200 OK")[1:]] == [b"00", b"01", b"02"]
        assert len(server.requests) == 1
        assert [flow.request.path for flow in proxy.flows] == ["/0", "/1", "/2"]


async def test_a_response_set_in_request_is_sent_without_the_origin() -> None:
    class Answer:
        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(418, b"teapot", {"x": "y"})

    async with running(Answer()) as proxy:
        reply = await proxy.send(get(1))
        assert reply.startswith(b"HTTP/1.1 418 I'm a teapot\r\nx: y\r\n")
        assert reply.endswith(b"\r\n\r\nteapot")


async def test_a_killed_flow_closes_the_connection() -> None:
    class Kill:
        def request(self, flow: HTTPFlow) -> None:
            flow.kill()

    async with origin(OK) as server, running(Kill()) as proxy:
        assert await proxy.send(get(server.port)) == b""
        assert server.received == b""
        assert proxy.flow.error is not None


@pytest.mark.parametrize("stage", ["upload", "connect", "head", "body", "slow client"])
async def test_a_flow_that_is_killed_meanwhile_is_cut_at_once(stage: str) -> None:
    """By a timer or a thread of a script, whatever the exchange waits for then."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if stage == "body":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        elif stage == "slow client":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + bytes(32 << 20))
        await reader.read()

    class Keep:
        flow: Any = None

        def __init__(self) -> None:
            self.go_on = asyncio.Event()

        def requestheaders(self, flow: HTTPFlow) -> None:
            self.flow = flow

        async def server_connect(self, data: Any) -> None:
            if stage == "connect":
                await self.go_on.wait()

        def error(self, flow: HTTPFlow) -> None:
            assert flow.error is not None
            flow.comment += flow.error.msg

    keep = Keep()
    async with origin(answer) as server, running(keep) as proxy:
        reader, writer = await proxy.connect()
        lines = ("Content-Length: 5",) if stage == "upload" else ()
        writer.write(get(server.port, "/", *lines))
        if stage == "body":
            await reader.readuntil(b"data: 1")
        elif stage == "slow client":
            await until(lambda: any(session.stream.clogged for session in proxy.proxy.sessions.values()))
        await until(lambda: keep.flow is not None and (stage in ("upload", "connect") or server.received))
        await asyncio.to_thread(keep.flow.kill)
        await asyncio.gather(reader.read(), return_exceptions=True)  # it ends, perhaps with a reset
        writer.close()
        keep.go_on.set()
        await proxy.wait_for_flows()
        assert proxy.flow.comment == "Connection killed."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("asked", "sent", "body"), [("HEAD", "GET", b""), ("GET", "HEAD", b"hi")])
async def test_a_client_gets_what_it_asked_for_though_a_script_asks_otherwise(
    asked: str, sent: str, body: bytes, stream: bool
) -> None:
    class Otherwise:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.method = sent

        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.stream = stream

        def response(self, flow: HTTPFlow) -> None:
            if not stream and asked == "GET":
                assert flow.response is not None
                flow.response.content = b"hi"

    reply = OK if sent == "GET" else OK.removesuffix(b"hi")
    async with origin(reply, reply) as server, running(Otherwise()) as proxy:
        answers = await proxy.send(get(server.port, method=asked, close=False) + get(server.port, method=asked))
        heads = [part.partition(b"\r\n\r\n") for part in answers.split(b"HTTP/1.1 200 OK\r\n")[1:]]
        expected = b"0\r\n\r\n" if stream and body else body
        assert [content for _, _, content in heads] == [expected, expected]
        assert server.received.count(sent.encode()) == 2


async def test_changing_the_host_goes_there() -> None:
    async with origin(OK) as server:

        class Redirect:
            def request(self, flow: HTTPFlow) -> None:
                flow.request.host, flow.request.port = "127.0.0.1", server.port

        async with running(Redirect()) as proxy:
            reply = await proxy.send(b"GET http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\n\r\n")
            assert reply.endswith(b"hi")
            assert b"Host: 127.0.0.1:" in server.received


async def test_interim_responses_are_forwarded() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n"

    async with origin(early + OK) as server, running() as proxy:
        reply = await proxy.send(get(server.port))
        assert reply.startswith(early + b"HTTP/1.1 200 OK")


async def test_chunked_bodies_and_trailers_pass() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"

    async with origin(chunked) as server, running() as proxy:
        reply = await proxy.send(get(server.port))
        assert reply.endswith(b"\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n")
        response = proxy.flow.response
        assert response is not None
        assert response.trailers is not None
        assert response.trailers["x-sum"] == "1"


@pytest.mark.parametrize(
    ("reply", "end"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"\r\nContent-Length: 13\r\nConnection: close\r\n\r\nuntil the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nConnection: close\r\n\r\n",
        ),
    ],
)
async def test_bodies_that_have_no_length(reply: bytes, end: bytes) -> None:
    async with origin(reply, close=True) as server, running() as proxy:
        assert (await proxy.send(get(server.port))).endswith(end)


async def test_a_dead_idle_connection_is_noticed() -> None:
    async with origin(OK, close=True) as server, running() as proxy:
        reply = await proxy.send(get(server.port, close=False) + get(server.port), half_close=False)
        assert reply.count(b"200 OK") == 2
        assert len(server.requests) == 2


async def test_expect_100_continue_is_answered_for_a_buffered_body() -> None:
    async with origin(OK) as server, running() as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port, "/", "Expect: 100-continue", "Content-Length: 3", method="POST"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await reader.read()).endswith(b"hi")
        writer.close()
        assert b"Expect" not in server.received
        assert proxy.flow.request.content == b"abc"


async def test_an_unreachable_origin_is_a_502_with_the_reason() -> None:
    async with running() as proxy:
        reply = await proxy.send(get(1))
        assert reply.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"cannot connect to 127.0.0.1:1" in reply
        assert proxy.flow.error is not None


async def test_the_proxy_does_not_connect_to_itself() -> None:
    async with running() as proxy:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            reply = await proxy.send(b"GET http://%b:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % (host.encode(), proxy.port))
            assert reply.startswith(b"HTTP/1.1 502"), host
            assert b"this proxy itself" in reply


async def test_a_client_that_goes_away_ends_the_exchange() -> None:
    asked = asyncio.Event()
    errors: list[Any] = []

    class Watch:
        def error(self, flow: HTTPFlow) -> None:
            errors.append(flow)

    async def never(reader: Any, writer: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with origin(never) as server, running(Watch()) as proxy:
        _, writer = await proxy.connect()
        writer.write(get(server.port))
        await asked.wait()
        writer.transport.abort()
        await proxy.wait_for_flows()
        assert errors == proxy.flows
        assert "client disconnected" in str(proxy.flow.error)
