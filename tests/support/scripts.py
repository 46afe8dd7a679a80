"""The ready-made scripts as their users run them, live: one request through a proxy of the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.process import Live


@asynccontextmanager
async def asking(proxy: Live, url: str, *fields: str, method: str = "GET") -> AsyncIterator[asyncio.StreamReader]:
    """Send a request through the proxy: what its answer is read from."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    lines = [f"{method} {url} HTTP/1.1", f"Host: {urlsplit(url).netloc or url}", "Connection: close", *fields, "", ""]
    writer.write("\r\n".join(lines).encode())
    try:
        yield reader
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def ask(proxy: Live, url: str, *fields: str, method: str = "GET") -> bytes:
    """The whole answer to a request through the proxy; empty when the connection was closed instead."""
    async with asking(proxy, url, *fields, method=method) as reader:
        try:
            return await reader.read()
        except ConnectionError:
            return b""


def chunked(*pieces: bytes) -> bytes:
    """A body in chunks (RFC 9112 section 7.1)."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def unchunked(body: bytes) -> bytes:
    """What ``chunked`` made, or the proxy, back in one piece."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return whole
