"""Peers that go away, at every stage of an exchange.

``error`` fires once, the flow is recorded once, nothing is left behind (``run`` and ``running`` see to that), and
whoever is still there sees a message that is visibly incomplete, or a status if none of the answer had gone out.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.asynchronous import PATIENCE
from tests.support.http1 import CHUNKED, OK, SIZED, get, post
from tests.support.leaving import LEAVING, STREAMED, Watch, failed_once, leave, reset
from tests.support.live import assert_quiet, origin, running, until

from flowdump.engine.listen import proxy as proxy_module
from flowdump.engine.net import stream as stream_module
from flowdump.http import HTTPFlow


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has ended its direction counts as gone soon."""
    monkeypatch.setattr(stream_module, "HALF_CLOSED", 0.05)


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not count as gone, however long this process has to wait for the processor."""
    monkeypatch.setattr(stream_module, "HALF_CLOSED", PATIENCE)


# -- the client goes -----------------------------------------------------------------------------------------------


@LEAVING
async def test_a_client_that_says_nothing_leaves_no_flow(how: str) -> None:
    async with running(Watch()) as proxy:
        _, writer = await proxy.connect()
        await until(lambda: len(proxy.proxy.sessions) == 1)
        await leave(writer, how)
        await until(lambda: not proxy.proxy.sessions)
        assert proxy.flows == []
        assert all(entry.startswith("debug") for entry in proxy.log)


@LEAVING
async def test_a_client_that_leaves_between_requests_leaves_no_flow(how: str) -> None:
    async with origin(OK) as server, running() as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port, close=False))
        await reader.readuntil(b"hi")
        await leave(writer, how)
        await until(lambda: not proxy.proxy.sessions)
        assert proxy.flow.error is None


@LEAVING
async def test_a_client_that_leaves_in_the_head(how: str) -> None:
    watch = Watch()
    async with origin(OK) as server, running(watch) as proxy:
        _, writer = await proxy.connect()
        writer.write(get(server.port)[:60])
        await until(lambda: any(stream.buffer for stream in proxy.proxy.streams))
        await leave(writer, how)
        await proxy.wait_for_flows()
        failed_once(proxy, watch, "client")
        assert proxy.flow.request.method == "GET"
        assert server.received == b""


@LEAVING
@STREAMED
@pytest.mark.parametrize("coding", ["length", "chunked"])
async def test_a_client_that_leaves_in_the_body(how: str, streamed: bool, coding: str) -> None:
    fields = "Content-Length: 100" if coding == "length" else "Transfer-Encoding: chunked"
    part = b"12345" if coding == "length" else b"5\r\n12345\r\n"

    watch = Watch(streamed)
    async with origin(reads_on) as server, running(watch) as proxy:
        _, writer = await proxy.connect()
        writer.write(post(server.port, fields, body=part))
        await until(lambda: server.received.endswith(part) if streamed else "requestheaders" in watch.events)
        await leave(writer, how)
        await proxy.wait_for_flows()
        failed_once(proxy, watch, "client")
        assert "request" not in watch.events
        assert server.received.endswith(part) == streamed
        assert bool(server.received) == streamed


async def reads_on(reader: Any, writer: Any) -> None:
    """An origin that reads to the end and says nothing."""
    while await reader.read(1000):
        pass


@LEAVING
@STREAMED
async def test_a_client_that_leaves_while_the_origin_thinks(how: str, streamed: bool) -> None:
    watch = Watch(streamed)
    async with origin(reads_on) as server, running(watch) as proxy:
        _, writer = await proxy.connect()
        writer.write(post(server.port, "Content-Length: 2", body=b"hi"))
        await until(lambda: server.received.endswith(b"hi"))
        await leave(writer, how)
        await proxy.wait_for_flows()
        failed_once(proxy, watch, "client")
        assert "responseheaders" not in watch.events


@LEAVING
@STREAMED
@pytest.mark.parametrize("reply", [b"HTTP/1.1 200 OK\r\nX:", SIZED + b"12345", CHUNKED + b"5\r\n12345\r\n"])
async def test_a_client_that_leaves_while_the_answer_comes(how: str, streamed: bool, reply: bytes) -> None:
    sent = asyncio.Event()

    async def slow(reader: Any, writer: Any) -> None:
        writer.write(reply)
        sent.set()
        await reads_on(reader, writer)

    watch = Watch(streamed)
    async with origin(slow) as server, running(watch) as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        await sent.wait()
        in_head = b"\r\n\r\n" not in reply
        if in_head:
            await until(lambda: any(stream.buffer for stream in proxy.proxy.streams))
        else:
            await until(lambda: "responseheaders" in watch.events)
        if streamed and not in_head:
            await reader.readuntil(b"12345")
        await leave(writer, how)
        await proxy.wait_for_flows()
        failed_once(proxy, watch, "client")
        assert "response" not in watch.events


@LEAVING
@pytest.mark.usefixtures("_patient")
async def test_a_client_that_leaves_while_a_script_works(how: str) -> None:
    class Slow(Watch):
        async def request(self, flow: HTTPFlow) -> None:  # type: ignore[override]
            self.events.append("request")
            await going.wait()

    going = asyncio.Event()

    watch = Slow()
    async with origin(OK) as server, running(watch) as proxy:
        _, writer = await proxy.connect()
        writer.write(get(server.port))
        await until(lambda: "request" in watch.events)
        await leave(writer, how)
        await until(lambda: all(stream.at_eof for stream in proxy.proxy.streams))
        going.set()
        await proxy.wait_for_flows()
        assert len(proxy.flows) == 1
        assert watch.events.count("error") == (how == "reset")
        assert (server.received == b"") == (how == "reset")


@pytest.mark.usefixtures("_patient")
async def test_a_client_that_ends_its_direction_still_gets_its_answer() -> None:
    class Slow:
        async def request(self, flow: HTTPFlow) -> None:
            await going.wait()

    going = asyncio.Event()

    async with origin(OK) as server, running(Slow()) as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        writer.write_eof()
        await until(lambda: any(stream.at_eof for stream in proxy.proxy.streams))
        going.set()
        assert (await reader.read()).endswith(b"hi")
        writer.close()
        assert proxy.flow.error is None


async def test_a_client_that_ends_its_direction_gets_an_answer_that_takes_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As long as it takes what is sent, it is there: the limit starts anew with every piece."""
    monkeypatch.setattr(stream_module, "HALF_CLOSED", 1.5)  # long to be held up between two pieces

    async def dripping(reader: Any, writer: Any) -> None:
        for _ in range(8):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.25)
        writer.write(b"0\r\n\r\n")

    async def begins(reader: Any, writer: Any) -> None:
        writer.write(CHUNKED)
        await dripping(reader, writer)

    async with origin(begins) as server, running(Watch(streamed=True)) as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        await reader.readuntil(b"x")
        writer.write_eof()
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()
        assert proxy.flow.error is None


async def test_a_client_that_leaves_while_the_origin_is_connected_to_is_noticed_before_anything_is_sent() -> None:
    class Slow(Watch):
        async def server_connected(self, data: Any) -> None:
            self.events.append("server_connected")
            await going.wait()

    going = asyncio.Event()

    watch = Slow()
    async with origin(OK) as server, running(watch) as proxy:
        _, writer = await proxy.connect()
        writer.write(get(server.port))
        await until(lambda: "server_connected" in watch.events)
        reset(writer)
        await until(lambda: len(proxy.proxy.streams) == 1)
        going.set()
        await proxy.wait_for_flows()
        failed_once(proxy, watch, "client disconnected")
        assert server.received == b""


@pytest.mark.parametrize("where", ["request", "response"])
async def test_a_transform_that_raises_cuts_both_sides_and_is_recorded(where: str) -> None:
    def broken(data: bytes) -> bytes:
        raise LookupError("of the script")

    class Transformed(Watch):
        def requestheaders(self, flow: HTTPFlow) -> None:
            if where == "request":
                flow.request.stream = broken

        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            if where == "response":
                flow.response.stream = broken

    watch = Transformed()
    async with origin(OK) as server, running(watch) as proxy:
        reply = await proxy.send(post(server.port, "Content-Length: 2", body=b"hi"), half_close=False)
        assert not reply.endswith(b"0\r\n\r\n")
        assert not server.received.endswith(b"0\r\n\r\n")
        assert watch.events.count("error") == 1
        assert "LookupError: of the script" in str(proxy.flow.error)


# -- the proxy goes ------------------------------------------------------------------------------------------------


@STREAMED
@pytest.mark.parametrize("said", [b"", SIZED + b"12345"], ids=["waiting", "in the body"])
async def test_a_proxy_that_is_stopped_records_what_was_under_way(streamed: bool, said: bytes) -> None:
    async def slow(reader: Any, writer: Any) -> None:
        writer.write(said)
        await reads_on(reader, writer)

    watch = Watch(streamed)
    async with origin(slow) as server, running(watch) as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        await until(lambda: ("responseheaders" if said else "request") in watch.events)
        await proxy.proxy.stop(0.01)
        assert b"12345678" not in await _all(reader)
        await leave(writer, "close")
        failed_once(proxy, watch, "shut down")


async def _all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


# -- tunnels -------------------------------------------------------------------------------------------------------


async def test_a_head_that_the_end_of_the_proxy_cuts_is_not_held_against_the_client() -> None:
    async with running(Watch()) as proxy:
        _, writer = await proxy.connect()
        writer.write(b"GET http://127.0.0.1/ HT")
        await until(lambda: any(session.stream.buffer for session in proxy.proxy.sessions.values()))
        await proxy.proxy.stop(1)
        assert str(proxy.flow.error) == "the proxy was shut down"
        writer.close()


@pytest.mark.parametrize("side", ["client", "origin"])
async def test_a_broken_tunnel_is_recorded_and_looks_broken_from_the_other_side(side: str) -> None:
    broken = asyncio.Event()
    ends: list[str] = []

    class Tcp:
        def tcp_error(self, flow: Any) -> None:
            ends.append("error")

        def tcp_end(self, flow: Any) -> None:
            ends.append("end")

    async def peer(reader: Any, writer: Any) -> None:
        writer.write(b"hello")
        if side == "origin":
            await asyncio.sleep(0.01)
            reset(writer)
            return
        try:
            await reader.read()
        except ConnectionError:
            broken.set()

    async with origin(peer) as server, running(Tcp()) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n\x00raw\r\n\r\n" % server.port)
        await reader.readuntil(b"hello")
        if side == "client":
            reset(writer)
            await broken.wait()
        else:
            with pytest.raises(ConnectionError):
                await reader.read()
            writer.close()
        await proxy.wait_for_flows()
        assert ends == ["error"]
        assert proxy.flow.error is not None
        assert_quiet(proxy)


async def test_a_tunnel_lives_until_both_directions_have_ended() -> None:
    async def peer(reader: Any, writer: Any) -> None:
        rest = await reader.read()
        writer.write(b"got " + rest)
        writer.close()

    async with origin(peer) as server, running() as proxy:
        raw = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n\x00raw\r\n\r\nmore" % server.port
        assert (await proxy.send(raw)).endswith(b"got more")
        await proxy.wait_for_flows()
        assert [(m.from_client, m.content) for m in proxy.flow.messages] == [  # type: ignore[attr-defined]
            (True, b"\x00raw\r\n\r\nmore"),
            (False, b"got more"),
        ]


async def test_an_idle_tunnel_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "TICK", 0.02)
    ends: list[str] = []

    class Tcp:
        def tcp_error(self, flow: Any) -> None:
            ends.append("error")

        def tcp_end(self, flow: Any) -> None:
            ends.append("end")

    async with origin(reads_on) as server, running(Tcp(), tcp_timeout=1) as proxy:
        raw = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n\x00raw\r\n\r\n" % server.port
        await proxy.send(raw, half_close=False)
        await proxy.wait_for_flows()
        assert ends == ["error"]
        assert "idle for 1 s" in str(proxy.flow.error)
        assert_quiet(proxy)


async def test_an_upgrade_that_nobody_claims_lives_until_both_directions_have_ended() -> None:
    async def upgraded(reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        rest = await reader.read()
        await asyncio.sleep(0.15)  # longer than a client that has ended its direction is believed to be there
        writer.write(b"got " + rest)
        writer.close()

    async with origin(upgraded) as server, running() as proxy:
        request = get(server.port, "/", "Connection: Upgrade", "Upgrade: x", close=False)
        reader, writer = await proxy.connect()
        writer.write(request)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.write(b"\x00\x01")
        writer.write_eof()
        assert await reader.read() == b"got \x00\x01"
        writer.close()
        await proxy.wait_for_flows()
        assert proxy.flow.error is None
