"""Peers that speak no HTTP: servers that do as they are told, and what clients of a proxy say first."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.asynchronous import PATIENCE
from tests.support.live import Handler, Running, accepting


class Server:
    """A running server: its port, and how many connections came."""

    def __init__(self) -> None:
        self.port = 0
        self.count = 0


@asynccontextmanager
async def serving(handler: Handler, ssl: Any = None, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
    """A server that gives each connection to ``handler`` and closes it after that."""
    served = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.count += 1
        await handler(reader, writer)

    async with accepting(serve, ssl, host, port) as served.port:
        yield served


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what comes; its direction ends when the client's does."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks first, as in SMTP, then answers one line."""
    writer.write(b"220 hello\r\n")
    line = await reader.readline()
    writer.write(b"250 " + line)
    await writer.drain()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)


async def tunnel(proxy: Running, target: str, headers: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection through CONNECT."""
    reader, writer = await proxy.connect()
    writer.write(f"CONNECT {target} HTTP/1.1\r\n{headers}\r\n".encode())
    head = await read_head(reader)
    assert head.startswith(b"HTTP/1.1 200 "), head
    return reader, writer


def socks_request(host: str, port: int, command: int = 1) -> bytes:
    """Greeting and request in one go, the host as a name."""
    name = host.encode()
    return b"\5\1\0" + bytes([5, command, 0, 3, len(name)]) + name + struct.pack("!H", port)


async def socks(proxy: Running, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection through SOCKS."""
    reader, writer = await proxy.connect()
    writer.write(socks_request(host, port))
    assert await reader.readexactly(2) == b"\5\0"
    assert (await reader.readexactly(10))[:2] == b"\5\0"
    return reader, writer


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
