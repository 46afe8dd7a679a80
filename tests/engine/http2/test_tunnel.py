"""WebSockets over HTTP/2 (RFC 8441), and WebSockets of HTTP/1 to origins that would rather speak HTTP/2."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.settings import SettingCodes
from tests.support.http2 import Message, Pairs, Peer, Reset, h2_client
from tests.support.interception import Authorities, with_alpn
from tests.support.live import running
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.extensions import PerMessageDeflate

from flowdump.http import HTTPFlow

websockets = pytest.importorskip("websockets.asyncio.server")

OPEN: Pairs = [
    (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":authority", b"example.com"),
    (b":path", b"/chat"), (b"sec-websocket-version", b"13"),
]  # fmt: skip


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


class Socket:
    """A WebSocket of a client over one stream."""

    def __init__(self, client: Peer, *fields: tuple[bytes, bytes], deflate: bool = False) -> None:
        self.client = client
        self.identifier = client.h2.get_next_available_stream_id()
        client.h2.send_headers(self.identifier, [*OPEN, *fields])
        client.flush()
        extension = PerMessageDeflate()
        extension.finalize("permessage-deflate")
        self.codec = Connection(ConnectionType.CLIENT, [extension] if deflate else [])
        self.fed = 0

    @property
    def message(self) -> Message:
        return self.client.streams[self.identifier]

    async def opened(self) -> dict[bytes, bytes]:
        await self.client.until(lambda: self.message.heads or self.message.reset is not None)
        if not self.message.heads:
            raise Reset(self.message.reset or 0)
        return self.message.fields

    async def send(self, event: Any) -> None:
        await self.client.send(self.identifier, self.codec.send(event))

    async def receive(self) -> Any:
        while True:
            for event in self.codec.events():
                return event
            await self.client.until(lambda: len(self.message.body) > self.fed or self.message.ended)
            data = bytes(self.message.body[self.fed :])
            self.fed += len(data)
            self.codec.receive_data(data or None)


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "compressed"])
async def test_messages_pass_close_is_passed_and_all_is_recorded(pki: Authorities, deflate: bool) -> None:
    async with (
        websockets.serve(echo, "127.0.0.1", 0, ssl=pki.serve("example.com")) as server,
        running(**pki.trust) as proxy,
        h2_client(proxy, server.sockets[0].getsockname()[1], with_alpn("h2")) as client,
    ):
        await client.until(lambda: client.h2.remote_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1)
        offers = [(b"sec-websocket-extensions", b"permessage-deflate")] if deflate else []
        socket = Socket(client, *offers, deflate=deflate)
        head = await socket.opened()
        assert head[b":status"] == b"200"
        assert b"sec-websocket-accept" not in head
        assert (b"sec-websocket-extensions" in head) == deflate
        for text in ("hello", "x" * 200_000):
            await socket.send(TextMessage(text))
            received = ""
            while len(received) < len(text):
                received += (await socket.receive()).data
            assert received == text
        await socket.send(CloseConnection(1000, "bye"))
        assert (await socket.receive()).code == 1000
        await client.until(lambda: socket.message.ended or socket.message.reset is not None)
        await proxy.wait_for_flows()
        flow = proxy.flow
        assert (flow.request.method, flow.request.http_version, flow.request.path) == ("GET", "HTTP/2.0", "/chat")
        assert flow.websocket is not None
        assert [message.text[:5] for message in flow.websocket.messages] == ["hello"] * 2 + ["xxxxx"] * 2
        assert (flow.websocket.close_code, flow.error) == (1000, None)


async def test_other_streams_go_on_beside_it_and_a_reset_ends_it_alone(pki: Authorities) -> None:
    async with (
        websockets.serve(echo, "127.0.0.1", 0, ssl=pki.serve("example.com")) as server,
        running(**pki.trust) as proxy,
        h2_client(proxy, server.sockets[0].getsockname()[1], with_alpn("h2")) as client,
    ):
        first, second = Socket(client), Socket(client)
        for socket in (first, second):
            await socket.opened()
        await first.send(BytesMessage(b"1"))
        assert (await first.receive()).data == b"1"
        client.h2.reset_stream(first.identifier, 8)
        client.flush()
        await proxy.wait_for_flows()
        await second.send(BytesMessage(b"2"))
        assert (await second.receive()).data == b"2"
        assert proxy.flow.websocket is not None
        assert proxy.flow.websocket.close_code == 1006


@pytest.mark.parametrize("status", [b"200 OK", b"403 Forbidden"])
async def test_an_origin_that_does_not_switch_is_no_tunnel(pki: Authorities, status: bytes) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\nno" % status)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=pki.serve("example.com"))
    port = server.sockets[0].getsockname()[1]
    async with running(**pki.trust) as proxy, h2_client(proxy, port, with_alpn("h2")) as client:
        socket = Socket(client)
        head = await socket.opened()
        assert head[b":status"] == (b"502" if status.startswith(b"200") else b"403")
    server.close()


async def test_other_protocols_are_told_that_they_are_not_supported(pki: Authorities) -> None:
    async with running() as proxy, h2_client(proxy, 1) as client:
        fields = [pair if pair[0] != b":protocol" else (b":protocol", b"connect-udp") for pair in OPEN]
        client.h2.send_headers(1, fields)
        client.flush()
        reply = await client.response(1)
        assert reply.status == 501


async def test_a_websocket_of_http1_gets_a_connection_of_http1(pki: Authorities) -> None:
    """Where the client's ALPN says nothing, the origin would be asked in HTTP/2."""
    seen: list[bytes] = []

    class Look:
        def websocket_start(self, flow: HTTPFlow) -> None:
            seen.append(flow.server_conn.alpn)

    context = pki.serve("example.com", "127.0.0.1")
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        async with running(Look(), mode=[f"reverse:https://127.0.0.1:{port}"], **pki.trust) as proxy:
            reader, writer = await proxy.connect()
            writer.write(
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            writer.close()
            await proxy.wait_for_flows()
    assert seen == [b"http/1.1"]
