"""Bounds: how much is held for peers that do not read, and ``body_size_limit``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.http1 import OK, get, post
from tests.support.live import Running, assert_quiet, origin, running
from tests.support.streaming import READ, Streamed

from flowdump.engine.listen import proxy as proxy_module
from flowdump.engine.net.stream import HIGH, WRITE_HIGH


@pytest.fixture(autouse=True)
def _fast_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "TICK", 0.02)


# -- never read ----------------------------------------------------------------------------------------------------


def never_read(writer: asyncio.StreamWriter) -> None:
    transport: Any = writer.transport
    transport.pause_reading()


def held(proxy: Running) -> int:
    """The most that a stream holds, in either direction."""
    streams = proxy.proxy.streams
    return max((max(len(s.buffer), s._transport.get_write_buffer_size()) for s in streams), default=0)


@pytest.mark.parametrize("coding", ["length", "chunked", "close"])
async def test_a_client_that_never_reads_holds_the_origin_up(coding: str) -> None:
    """The origin has 64 MiB for it; it gets rid of what fits into the buffers between."""
    size = 64 << 20
    written = 0

    async def pours(reader: Any, writer: Any) -> None:
        nonlocal written
        writer.transport.set_write_buffer_limits(high=65536)
        heads = {"length": f"Content-Length: {size}\r\n\r\n", "chunked": "Transfer-Encoding: chunked\r\n\r\n"}
        writer.write(f"HTTP/1.1 200 OK\r\n{heads.get(coding, chr(13) + chr(10))}".encode())
        piece = b"x" * 65536
        piece = b"10000\r\n%b\r\n" % piece if coding == "chunked" else piece
        while written < size:
            writer.write(piece)
            await writer.drain()
            written += 65536

    async with origin(pours) as server, running(Streamed(), body_timeout=1) as proxy:
        _, writer = await proxy.connect()
        never_read(writer)
        writer.write(get(server.port))
        most = 0
        while not proxy.flows:
            most = max(most, held(proxy))
            await asyncio.sleep(0.005)
        assert 0 < most <= max(HIGH + READ, WRITE_HIGH + HIGH)
        assert written < size / 2
        assert "the client was idle" in str(proxy.flow.error)  # it was given a second to take something
        writer.close()


async def test_an_origin_that_never_reads_holds_the_client_up() -> None:
    size = 64 << 20

    async def deaf(reader: Any, writer: Any) -> None:
        await asyncio.Event().wait()

    async with origin(deaf) as server, running(Streamed(), response_timeout=1) as proxy:
        _, writer = await proxy.connect()
        writer.transport.set_write_buffer_limits(high=65536)
        writer.write(post(server.port, f"Content-Length: {size}"))
        written = 0
        upload = asyncio.create_task(_upload(writer, size))
        most = 0
        while not proxy.flows:
            most = max(most, held(proxy))
            await asyncio.sleep(0.005)
        written = size - (await _stop(upload))
        assert 0 < most <= max(HIGH + READ, WRITE_HIGH + HIGH)
        assert written > size / 2
        assert "the server was idle" in str(proxy.flow.error)
        writer.close()


async def _upload(writer: asyncio.StreamWriter, size: int) -> int:
    written = 0
    try:
        while written < size:
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536
    except (ConnectionError, asyncio.CancelledError):
        return written
    return written


async def _stop(upload: asyncio.Task[int]) -> int:
    upload.cancel()
    return await upload


async def test_a_client_that_pipelines_and_never_reads_is_held_up() -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 10_000

    async with origin(body) as server, running(body_timeout=1) as proxy:
        _, writer = await proxy.connect()
        never_read(writer)
        for _ in range(5000):
            writer.write(get(server.port, close=False))
        most = 0
        while not (proxy.flows and proxy.flows[-1].error):
            most = max(most, held(proxy))
            await asyncio.sleep(0.005)
        assert 0 < most <= max(HIGH + READ, WRITE_HIGH + HIGH)
        assert len(proxy.flows) < 2500
        assert "the client was idle" in str(proxy.flows[-1].error)
        writer.close()


# -- large ---------------------------------------------------------------------------------------------------------

LARGE = {
    "declared": ("Content-Length: 2000", b"x" * 2000),
    "chunked": ("Transfer-Encoding: chunked", b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize(("field", "body"), LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("addons", [(), (Streamed(),)], ids=["buffered", "streamed"])
async def test_a_request_above_the_limit_is_a_413(field: str, body: bytes, addons: tuple[Any, ...]) -> None:
    async def reads_on(reader: Any, writer: Any) -> None:
        while await reader.read(1000):
            pass

    async with origin(reads_on) as server, running(*addons, body_size_limit="1k") as proxy:
        reply = await proxy.send(post(server.port, field) + body + get(server.port, "/next"), half_close=False)
        assert reply.startswith(b"HTTP/1.1 413 ")
        assert reply.endswith(b"</html>\n")
        assert b"x" * 1025 not in server.received
        assert not server.received.endswith(b"0\r\n\r\n")
        assert b"/next" not in server.received
        assert (server.received == b"") == (not addons or field.startswith("Content"))
        assert "body_size_limit" in str(proxy.flow.error)


async def test_a_declared_request_above_the_limit_is_refused_before_it_is_sent() -> None:
    async with origin(OK) as server, running(body_size_limit="1k") as proxy:
        asked = post(server.port, "Content-Length: 2000", "Expect: 100-continue")
        reply = await proxy.send(asked, half_close=False)
        assert reply.startswith(b"HTTP/1.1 413 ")
        assert server.received == b""


@pytest.mark.parametrize(("field", "body"), [*LARGE.values(), ("X: until the end", b"x" * 2000)], ids=[*LARGE, "close"])
@pytest.mark.parametrize("addons", [(), (Streamed(),)], ids=["buffered", "streamed"])
async def test_a_response_above_the_limit_is_a_502(field: str, body: bytes, addons: tuple[Any, ...]) -> None:
    large = f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n".encode() + body
    async with origin(large, close=True) as server, running(*addons, body_size_limit="1k") as proxy:
        reply = await proxy.send(get(server.port), half_close=False)
        if addons and not field.startswith("Content"):  # the head has gone out
            assert b"x" * 1025 not in reply
            assert not reply.endswith(b"0\r\n\r\n")
        else:
            assert reply.startswith(b"HTTP/1.1 502 ")
        assert "body_size_limit" in str(proxy.flow.error)
        assert_quiet(proxy)


async def test_the_size_in_an_answer_to_head_is_nobodys_body() -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"
    async with origin(large) as server, running(body_size_limit="1k") as proxy:
        reply = await proxy.send(get(server.port, method="HEAD"), half_close=False)
        assert reply.startswith(b"HTTP/1.1 200 ")
        assert b"Content-Length: 2000" in reply
