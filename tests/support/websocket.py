"""WebSocket peers for tests: the ``websockets`` package on both ends, and frames made by hand.

``Wire`` is a peer that sends and reads bytes as it likes, with a proxy in front of it: ``wires`` gives both ends.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from operator import xor
from typing import Any

from tests.support.live import Running, origin

from flowdump.http import HTTPFlow

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x01\x02\x03\x04"

#: What both ends agree on where they compress.
DEFLATE = b"permessage-deflate"


def masked(data: bytes, key: bytes = MASK) -> bytes:
    """Byte by byte, as in RFC 6455 section 5.3."""
    return bytes(map(xor, data, cycle(key)))


def frame(first: int, payload: bytes = b"", mask: bytes | None = None) -> bytes:
    """A frame by its first byte; ``mask`` is there for those of a client."""
    size, bit = len(payload), 0x80 if mask is not None else 0
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 65536:
        head = bytes([first, bit | 126]) + struct.pack("!H", size)
    else:
        head = bytes([first, bit | 127]) + struct.pack("!Q", size)
    return head + (payload if mask is None else mask + masked(payload, mask))


class Wire:
    """One end: ``send`` frames with its mask or without, ``read`` what comes."""

    def __init__(self, reader: Any, writer: Any, is_client: bool) -> None:
        self.reader, self.writer = reader, writer
        self.mask = MASK if is_client else None

    def send(self, first: int, payload: bytes = b"") -> None:
        self.writer.write(frame(first, payload, self.mask))

    def close(self, code: int = 1000, reason: bytes = b"") -> None:
        self.send(0x88, struct.pack("!H", code) + reason)

    async def read(self) -> tuple[int, bytes]:
        """The next frame: first byte and payload, unmasked."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        key = await self.reader.readexactly(4) if second & 0x80 else None
        payload = await self.reader.readexactly(size)
        return first, payload if key is None else masked(payload, key)

    async def rest(self) -> bytes:
        """All that comes until the connection ends."""
        data = b""
        try:
            while piece := await self.reader.read(65536):
                data += piece
        except ConnectionError:
            pass
        return data


@asynccontextmanager
async def wires(proxy: Running, extensions: bytes = b"", target: str = "/chat") -> AsyncIterator[tuple[Wire, Wire]]:
    """A client and a server whose handshake went through the proxy; both as bare connections."""
    arrived: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()
    agreed = b"Sec-WebSocket-Extensions: %b\r\n" % extensions if extensions else b""

    async def upgrade(reader: Any, writer: Any) -> None:
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (ACCEPT, agreed)
        )
        arrived.set_result(Wire(reader, writer, is_client=False))
        await done.wait()

    async with origin(upgrade) as served:
        reader, writer = await proxy.connect()
        writer.write(
            b"GET http://127.0.0.1:%d%b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n"
            % (served.port, target.encode(), served.port, KEY, agreed)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        try:
            yield Wire(reader, writer, is_client=True), await arrived
        finally:
            done.set()
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


class Watch:
    """Notes events, and does to each message what ``change`` says."""

    def __init__(self, change: Callable[[Any], None] | None = None) -> None:
        self.events: list[str] = []
        self.change = change
        for name in ("request", "response", "error", "websocket_start", "websocket_end"):
            setattr(self, name, lambda flow, name=name: self.events.append(name))

    def websocket_message(self, flow: HTTPFlow) -> None:
        assert flow.websocket is not None
        message = flow.websocket.messages[-1]
        self.events.append("websocket_message")
        if self.change is not None:
            self.change(message)


async def close(client: Wire, server: Wire, code: int = 1000, reason: bytes = b"") -> None:
    """The client closes, the server answers."""
    client.close(code, reason)
    await until_close(server)
    server.close(code, reason)
    await until_close(client)


async def until_close(wire: Wire) -> bytes:
    while (got := await wire.read())[0] != 0x88:
        pass
    return got[1]


def messages(proxy: Running) -> list[tuple[int, bool, bytes]]:
    websocket = proxy.flow.websocket
    assert websocket is not None
    return [(message.type, message.from_client, message.content) for message in websocket.messages]


def ending(proxy: Running) -> tuple[bool | None, int | None, str | None]:
    websocket = proxy.flow.websocket
    assert websocket is not None
    assert websocket.timestamp_end is not None
    return websocket.closed_by_client, websocket.close_code, websocket.close_reason


def deflater() -> Callable[[bytes], bytes]:
    made = zlib.compressobj(wbits=-15)
    return lambda data: (made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


def inflater() -> Callable[[bytes], bytes]:
    made = zlib.decompressobj(wbits=-15)
    return lambda data: made.decompress(data + b"\x00\x00\xff\xff")
