"""Streaming over TLS on both sides: events in time, backpressure, and the ends of each direction."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

import pytest
from tests.support.http1 import OK
from tests.support.interception import Authorities, knock, read_all, trusting
from tests.support.live import Running, origin, running, until
from tests.support.streaming import EventStream, Flood, Stream

from flowdump.engine.tls.codec import TlsCodec

GET = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


async def connect(proxy: Running, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client's TLS connection through the proxy."""
    reader, writer = await proxy.connect()
    writer.write(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    await writer.start_tls(trusting(), server_hostname="example.com")
    return reader, writer


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


async def test_events_pass_while_the_origin_stays_open(pki: Authorities) -> None:
    events = EventStream()

    async with origin(events, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:
        reader, writer = await connect(proxy, server.port)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        await events.read(reader)
        await close(writer)
        await proxy.wait_for_flows()
        assert proxy.flow.response is not None
        assert proxy.flow.response.content == events.CONTENT


async def test_a_slow_reader_holds_back_the_origin(pki: Authorities) -> None:
    flood = Flood()

    async with origin(flood, ssl=pki.serve("example.com")) as server, running(Stream(), **pki.trust) as proxy:
        reader, writer = await connect(proxy, server.port)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        assert await flood.settled() < 32 << 20
        assert sum(len(stream.buffer) for stream in proxy.proxy.streams) <= 1 << 20
        writer.transport.abort()
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None


async def test_a_slow_origin_holds_back_the_client(pki: Authorities) -> None:
    flood = Flood()
    released = asyncio.Event()

    async def ignore(reader: Any, writer: Any) -> None:
        await released.wait()

    addon = Stream(response=None, request=True)
    async with origin(ignore, close=True, ssl=pki.serve("example.com")) as server, running(addon, **pki.trust) as proxy:
        _, writer = await connect(proxy, server.port)
        length = len(flood.PIECE) * flood.PIECES
        writer.write(GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: %d\r\n\r\n" % length)
        pushing = asyncio.create_task(flood.push(writer))
        await until(lambda: server.received)
        assert await flood.settled() < 32 << 20
        assert sum(len(stream.buffer) for stream in proxy.proxy.streams) <= 1 << 20
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        writer.transport.abort()
        released.set()  # nobody reads from the client while the origin takes nothing
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None


def half_closed(connection: socket.socket, goodbye: bool) -> bytes:
    """A client that ends its direction after its request, with TLS's goodbye or without: what it still gets."""
    codec = TlsCodec(trusting(), server_side=False, server_hostname="example.com")
    while not codec.handshake():
        connection.sendall(codec.outgoing())
        codec.receive(connection.recv(65536))
    codec.write(GET)
    if goodbye:
        codec.unwrap()
    connection.sendall(codec.outgoing())
    connection.shutdown(socket.SHUT_WR)
    codec.receive(read_all(connection))
    return codec.read()


@pytest.mark.parametrize("goodbye", [True, False])
async def test_a_client_that_has_ended_its_direction_gets_its_answer(pki: Authorities, goodbye: bool) -> None:
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:

        def browse() -> bytes:
            with knock(proxy, f"127.0.0.1:{server.port}") as connection:
                return half_closed(connection, goodbye)

        assert (await asyncio.to_thread(browse)).endswith(b"\r\n\r\nhi")
        assert proxy.flow.error is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("goodbye", [True, False])
async def test_a_body_may_end_with_the_connection(pki: Authorities, version: ssl.TLSVersion, goodbye: bool) -> None:
    """With TLS's goodbye or, as with browsers, without: many servers leave it out."""

    async def answer(reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await writer.drain()
        if goodbye:
            writer.close()
        else:
            writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
            await reader.read()

    context = pki.serve("example.com")
    context.maximum_version = version
    async with origin(answer, ssl=context) as server, running(**pki.trust) as proxy:
        reader, writer = await connect(proxy, server.port)
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert (await reader.read()).endswith(b"all of it")
        await close(writer)
        await proxy.wait_for_flows()
        assert proxy.flow.error is None
