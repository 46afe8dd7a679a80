"""Origins that go away in the middle, answer early, or were gone before they were asked: the other half of
``test_cancellation.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.http1 import CHUNKED, OK, SIZED, get, post
from tests.support.leaving import LEAVING, STREAMED, Watch, failed_once, leave, reset
from tests.support.live import Origin, Running, origin, running

# -- the origin goes -----------------------------------------------------------------------------------------------


def drops(how: str, *said: bytes) -> Callable[[Any, Any], Awaitable[None]]:
    """An origin that says something and goes away."""

    async def handler(reader: Any, writer: Any) -> None:
        for piece in said:
            writer.write(piece)
            await writer.drain()
        if how == "reset":
            await asyncio.sleep(0.01)  # what was said arrives before the reset discards it
            reset(writer)
        else:
            writer.close()

    return handler


@LEAVING
@STREAMED
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX:"], ids=["nothing", "half a head"])
async def test_an_origin_that_leaves_before_it_has_answered(how: str, streamed: bool, said: bytes) -> None:
    watch = Watch(streamed)
    async with origin(drops(how, said)) as server, running(watch) as proxy:
        reply = await proxy.send(post(server.port, "Content-Length: 2", body=b"hi"), half_close=False)
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert len(server.requests) == 1
        failed_once(proxy, watch, "server")


@LEAVING
@STREAMED
@pytest.mark.parametrize("said", [SIZED + b"12345", CHUNKED + b"5\r\n12345\r\n"], ids=["length", "chunked"])
async def test_an_origin_that_leaves_in_the_body(how: str, streamed: bool, said: bytes) -> None:
    watch = Watch(streamed)
    async with origin(drops(how, said)) as server, running(watch) as proxy:
        reply = await proxy.send(get(server.port), half_close=False)
        if streamed:
            assert b"502" not in reply
            assert reply.partition(b"\r\n\r\n")[2] in (b"", b"12345", b"5\r\n12345\r\n")
        else:
            assert reply.startswith(b"HTTP/1.1 502 ")
        failed_once(proxy, watch, "server")


@STREAMED
async def test_a_reset_is_not_the_end_of_a_body_that_ends_with_the_connection(streamed: bool) -> None:
    said = b"HTTP/1.1 200 OK\r\n\r\n12345"

    watch = Watch(streamed)
    async with origin(drops("reset", said)) as server, running(watch) as proxy:
        reply = await proxy.send(get(server.port), half_close=False)
        assert reply.startswith(b"HTTP/1.1 502 ") != streamed
        assert not reply.endswith(b"0\r\n\r\n")
        failed_once(proxy, watch, "server")


@LEAVING
async def test_an_origin_that_leaves_while_the_request_body_is_coming(how: str) -> None:
    watch = Watch(streamed=True)
    async with origin(drops(how)) as server, running(watch) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(server.port, "Content-Length: 1000000", body=b"12345"))
        reply = await reader.read()
        writer.close()
        assert reply.startswith(b"HTTP/1.1 502 ")
        failed_once(proxy, watch, "server")


# -- an answer that comes early ------------------------------------------------------------------------------------


@pytest.mark.parametrize("close", [False, True], ids=["stays", "hangs up"])
async def test_an_early_answer_reaches_a_client_that_is_still_sending(close: bool) -> None:
    too_large = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"

    async with origin(too_large, close=close) as server, running(Watch(streamed=True)) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(server.port, "Content-Length: 10000000", body=b"x" * 1000))
        reply = await reader.readuntil(b"no")
        assert reply.startswith(b"HTTP/1.1 413 ")
        for _ in range(20):  # it goes on for a while, and is not reset before it has read the answer
            writer.write(b"x" * 50_000)
            await asyncio.sleep(0)
        assert await reader.read() == b""
        await leave(writer, "close")
        await proxy.wait_for_flows()
        assert proxy.flow.response is not None
        assert proxy.flow.response.status_code == 413


async def test_a_body_and_its_answer_may_pass_at_the_same_time() -> None:
    async def echo(reader: Any, writer: Any) -> None:
        writer.write(CHUNKED)
        while (size := await reader.readexactly(3)) != b"0\r\n":
            writer.write(size + await reader.readexactly(3))
        writer.write(b"0\r\n\r\n")
        await reader.readexactly(2)

    watch = Watch(streamed=True)
    async with origin(echo) as server, running(watch) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(server.port, "Transfer-Encoding: chunked"))
        await reader.readuntil(b"\r\n\r\n")
        for letter in (b"a", b"b"):
            writer.write(b"1\r\n" + letter + b"\r\n")
            assert await reader.readexactly(6) == b"1\r\n" + letter + b"\r\n"
        writer.write(b"0\r\n\r\n" + get(server.port)[:0])
        assert await reader.readexactly(5) == b"0\r\n\r\n"
        await leave(writer, "close")
        await proxy.wait_for_flows()
        assert proxy.flow.error is None
        assert sorted(watch.events) == ["request", "requestheaders", "response", "responseheaders"]


# -- once more -----------------------------------------------------------------------------------------------------


async def ends_when_asked_again(proxy: Running, server: Origin, second: bytes) -> bytes:
    """One request that is answered; another one on the same connections."""
    reader, writer = await proxy.connect()
    writer.write(get(server.port, close=False))
    await reader.readuntil(b"hi")
    writer.write(second)
    writer.write_eof()
    reply = await reader.read()
    await leave(writer, "close")
    return reply


@LEAVING
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_an_idempotent_request_is_sent_again_when_the_reused_connection_was_dead(how: str, method: str) -> None:
    watch = Watch()
    async with origin(OK, drops(how), OK) as server, running(watch) as proxy:
        reply = await ends_when_asked_again(proxy, server, get(server.port, "/again", method=method))
        assert reply.startswith(b"HTTP/1.1 200 ")
        assert [bytes(seen).count(b"/again HTTP/1.1") for seen in server.requests] == [1, 1]
        assert "error" not in watch.events
        assert [flow.error for flow in proxy.flows] == [None, None]


@LEAVING
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_other_requests_are_not(how: str, method: str) -> None:
    watch = Watch()
    async with origin(OK, drops(how), OK) as server, running(watch) as proxy:
        reply = await ends_when_asked_again(
            proxy, server, get(server.port, "/again", "Content-Length: 0", method=method)
        )
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert len(server.requests) == 1
        assert watch.events.count("error") == 1


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 102 Processing\r\n\r\n"], ids=["a byte", "an interim response"])
async def test_nothing_is_sent_again_once_an_answer_has_begun(said: bytes) -> None:
    async with origin(OK, drops("close", said), OK) as server, running() as proxy:
        reply = await ends_when_asked_again(proxy, server, get(server.port, "/again"))
        assert b"HTTP/1.1 502 " in reply
        assert len(server.requests) == 1


async def test_nothing_is_sent_again_over_a_new_connection() -> None:
    async with origin(drops("close")) as server, running() as proxy:
        assert (await proxy.send(get(server.port))).startswith(b"HTTP/1.1 502 ")
        assert len(server.requests) == 1
