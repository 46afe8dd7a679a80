"""Clients and origins that try to use the proxy up: with endless messages, with slowness, with sheer numbers."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.http1 import CHUNKED, OK, get
from tests.support.live import Running, assert_quiet, origin, running, until
from tests.support.memory import traced
from tests.support.process import PATIENCE, Live
from tests.support.streaming import READ

from flowdump.engine.http1 import connection
from flowdump.engine.http1.framing import CHUNKED as CHUNKED_FRAMING
from flowdump.engine.listen import proxy as proxy_module
from flowdump.engine.net.stream import HIGH
from flowdump.http import HTTPFlow


@pytest.fixture(autouse=True)
def _fast_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "TICK", 0.02)


# -- endless -------------------------------------------------------------------------------------------------------


async def pour(proxy: Running, begin: bytes, again: bytes, limit: int = 4_000_000) -> bytes:
    """Send ``begin`` and then ``again`` for as long as the proxy takes it; what it answers."""
    reader, writer = await proxy.connect()
    answer = asyncio.create_task(reader.read())
    writer.write(begin)
    sent = 0
    try:
        while not answer.done() and sent < limit:
            writer.write(again)
            sent += len(again)
            await writer.drain()
            await asyncio.sleep(0)
            assert all(len(stream.buffer) <= HIGH + READ for stream in proxy.proxy.streams)
        return await answer
    finally:
        writer.close()
        await asyncio.gather(answer, writer.wait_closed(), return_exceptions=True)


ENDLESS = {
    "target": (b"GET http://a/", b"a" * 1000, 431),
    "header line": (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: ", b"y" * 1000, 431),
    "headers": (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n" * 100, 431),
    "method": (b"G", b"E" * 1000, 431),
    "chunk size": (b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 1000, 400),
    "chunk extension": (
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=",
        b"b" * 1000,
        400,
    ),
    "chunk extensions": (
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 10,
        400,
    ),
    "trailers": (
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: y\r\n" * 100,
        400,
    ),
    "empty lines": (b"", b"\r\n" * 500, 400),
}


@pytest.mark.parametrize(("begin", "again", "status"), ENDLESS.values(), ids=ENDLESS)
async def test_an_endless_request_is_refused_and_never_kept(begin: bytes, again: bytes, status: int) -> None:
    async with running() as proxy:
        assert (await pour(proxy, begin, again)).startswith(b"HTTP/1.1 %d " % status)
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None
        assert_quiet(proxy)


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (CHUNKED + b"5;", b"a" * 1000),
        (CHUNKED + b"0\r\n", b"X: y\r\n" * 100),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 10),
    ],
    ids=["header line", "headers", "reason", "chunk extension", "trailers", "interim responses"],
)
async def test_an_endless_response_is_a_502_and_never_kept(begin: bytes, again: bytes) -> None:
    async def endless(reader: Any, writer: Any) -> None:
        writer.write(begin)
        while not writer.is_closing():
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0)

    async with origin(endless) as server, running() as proxy:
        assert b"HTTP/1.1 502 " in await proxy.send(get(server.port), half_close=False)
        assert proxy.flow.error is not None
        assert_quiet(proxy)


async def test_a_body_of_very_many_very_small_chunks_takes_time_by_their_number_only() -> None:
    """It comes in one read here; moving what is left of it for each piece would take many times as long."""
    count = 400_000

    class Arrived:
        buffer = bytearray(b"1\r\nx\r\n" * count + b"0\r\n\r\n")

        def consumed(self) -> None:
            """Nobody sends more."""

    body = connection.BodyReader(Arrived(), CHUNKED_FRAMING, "client")  # type: ignore[arg-type]
    begun = time.process_time()
    assert await body.whole(None) == b"x" * count
    assert time.process_time() - begun < 8


# -- slow ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "option", "flows"),
    [
        (b"", "client_timeout", 0),
        (b"GET http://a/ HTTP", "client_timeout", 1),
        (b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "body_timeout", 1),
        (b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "body_timeout", 1),
        (b"CONNECT a:443 HTTP/1.1\r\n\r\n", "client_timeout", 0),
        (b"CONNECT a:443 HTTP/1.1\r\n\r\n\x16\x03\x01\x02\x00", "tls_timeout", 0),
    ],
    ids=["nothing", "head", "body", "chunk", "tunnel", "half a ClientHello"],
)
async def test_a_client_that_falls_silent_is_dropped(said: bytes, option: str, flows: int) -> None:
    options: dict[str, Any] = {option: 1}
    async with running(**options) as proxy:
        before = time.monotonic()
        reply = await proxy.send(said, half_close=False)
        assert 0.9 < time.monotonic() - before < 30
        if said.startswith((b"GET", b"POST")):
            assert reply.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        else:
            assert reply in (b"", b"HTTP/1.1 200 Connection established\r\n\r\n")
        await until(lambda: not proxy.proxy.sessions)
        assert len(proxy.flows) == flows
        assert all(flow.error is not None for flow in proxy.flows)
        assert_quiet(proxy)


async def test_a_head_that_comes_byte_by_byte_has_a_time_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_TIME", 0.3)

    async with running() as proxy:
        reader, writer = await proxy.connect()
        ended = asyncio.create_task(reader.read())
        sent = 0
        while not ended.done():
            assert sent < 1000
            writer.write(b"G")
            sent += 1
            await asyncio.sleep(0.01)
        await asyncio.gather(ended, return_exceptions=True)
        writer.close()
        await proxy.wait_for_flows()
        assert "too long" in str(proxy.flow.error)


async def test_the_second_head_on_a_connection_has_the_whole_time_again() -> None:
    async with origin(OK) as server, running() as proxy:
        reader, writer = await proxy.connect()
        for n in range(3):
            request = get(server.port, close=n == 2)
            begun = asyncio.get_running_loop().time()
            writer.write(request[:20])
            await until(lambda: any(stream.deadline for stream in proxy.proxy.streams))
            (deadline,) = [stream.deadline for stream in proxy.proxy.streams if stream.deadline]
            assert deadline >= begun + connection.HEAD_TIME
            writer.write(request[20:])
            await reader.readuntil(b"hi")
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nX", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"],
    ids=["nothing", "head", "body"],
)
async def test_an_origin_that_falls_silent_is_a_504(said: bytes) -> None:
    async def silent(reader: Any, writer: Any) -> None:
        writer.write(said)
        await reader.read()

    async with origin(OK, silent) as server, running(response_timeout=1) as proxy:
        # the second request goes over the reused connection: that one has a limit, too
        reply = await proxy.send(get(server.port, close=False) + get(server.port), half_close=False)
        assert b"HTTP/1.1 504 " in reply
        assert len(server.requests) == 1
        assert "idle for 1 s" in str(proxy.flows[1].error)


async def test_time_that_the_proxy_takes_counts_against_nobody() -> None:
    """A script that holds the flow, an origin that thinks: the limits for silence are for those who are waited for."""

    class Slow:
        async def request(self, flow: HTTPFlow) -> None:
            await asyncio.sleep(1.2)

        async def responseheaders(self, flow: HTTPFlow) -> None:
            await asyncio.sleep(1.2)

    async def in_two(reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh")
        await asyncio.sleep(1.4)
        writer.write(b"i")

    options: dict[str, Any] = {"body_timeout": 1, "client_timeout": 1, "response_timeout": 1}
    async with origin(in_two) as server, running(Slow(), **options) as proxy:
        assert (await proxy.send(get(server.port), half_close=False)).endswith(b"hi")
        assert proxy.flow.error is None


# -- many ----------------------------------------------------------------------------------------------------------


IDLE = 5000


@pytest.fixture
def _descriptors() -> Iterator[None]:
    """Room for both ends of every connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * IDLE + 500
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (needed, hard if hard == resource.RLIM_INFINITY else max(hard, needed))
            )
        except (ValueError, OSError):
            pytest.skip(f"{IDLE} connections need {needed} descriptors, and only {hard} may be had")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


@pytest.mark.usefixtures("_descriptors")
def test_thousands_of_idle_connections_cost_little_and_leave_nothing() -> None:
    async def scenario() -> None:
        async with origin(OK) as server, running() as proxy:
            await proxy.send(get(server.port))
            gc.collect()
            with traced() as memory:
                sockets: list[socket.socket] = []
                while len(sockets) < IDLE:  # never more than wait in the backlog
                    sockets.extend(socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(500))
                    await until(lambda: len(proxy.proxy.sessions) == len(sockets))
                used = memory()[0]
                assert used < IDLE * 12_000
            begun = time.process_time()
            assert (await proxy.send(get(server.port))).endswith(b"hi")
            assert time.process_time() - begun < 2
            for sock in sockets:
                sock.close()
            await until(lambda: not proxy.proxy.sessions and not proxy.proxy.streams)
            assert len(proxy.flows) == 2

    run(scenario(), patience=3 * PATIENCE)  # it takes six seconds where nobody else computes


async def test_half_open_handshakes_end_by_themselves() -> None:
    async with running(tls_timeout=1) as proxy:
        head = b"CONNECT a.invalid:443 HTTP/1.1\r\n\r\n"
        before = time.monotonic()
        replies = await asyncio.gather(
            *(proxy.send(head, b"\x16\x03\x01\x02\x00\x01\x00" + b"\0" * n, half_close=False) for n in range(50))
        )
        assert time.monotonic() - before < 30
        assert set(replies) <= {b"", b"HTTP/1.1 200 Connection established\r\n\r\n"}
        await until(lambda: not proxy.proxy.sessions and not proxy.proxy.streams)
        assert_quiet(proxy)


async def test_an_origin_that_does_not_shake_hands_is_a_504(tmp_path: Path) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(tls_timeout=1) as proxy:
        reply = await proxy.send(
            b"GET https://127.0.0.1:%d/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (port, port), half_close=False
        )
        assert reply.startswith(b"HTTP/1.1 504 ")
        assert "TLS handshake" in str(proxy.flow.error)
    server.close()
    await asyncio.sleep(0.01)


def test_out_of_descriptors_it_waits_says_so_once_and_recovers() -> None:
    """In a process of its own, which may open 60 files: a hundred clients come, and go."""
    with Live() as proxy:
        address = ("127.0.0.1", proxy.port)
        resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (60, 60))
        clients = [socket.create_connection(address, timeout=PATIENCE) for _ in range(100)]
        proxy.wait_for("new clients have to wait: Too many open files")
        before = proxy.processor_time
        time.sleep(1.5)
        assert proxy.processor_time - before < 0.4  # it does not spin
        for client in clients:
            client.close()
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.sendall(b"GET http://mitm.it/ HTTP/1.1\r\nHost: mitm.it\r\nConnection: close\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        assert proxy.end() == 0
        said = "\n".join(proxy.lines)
        assert "Traceback" not in said
        assert said.count("new clients have to wait: Too many open files") == 1
        assert len(proxy.lines) < 20
