"""Which side speaks first, and what that means."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.live import running
from tests.support.peers import serving

BANNER = b"220 mail.example ready\r\n"


@pytest.mark.usefixtures("_silent")
async def test_no_banner_of_a_server_that_speaks_at_once_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on the same machine is so fast that its banner arrives when flowdump is about to wait for it."""
    monkeypatch.setattr("flowdump.engine.listen.first_bytes.SILENCE", 0.001)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNER)
        await reader.read()

    async def visit(port: int, origin: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % origin)
        await reader.readuntil(b"\r\n\r\n")
        try:
            return await asyncio.wait_for(reader.readline(), 20)
        finally:
            writer.close()
            await writer.wait_closed()

    async with serving(greet) as server, running() as proxy:
        for _ in range(12):
            got = await asyncio.gather(*(visit(proxy.port, server.port) for _ in range(8)))
            assert got == [BANNER] * 8
