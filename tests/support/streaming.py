"""Bodies that pass through a proxy piece by piece: addons that stream them, and origins that pour."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.http1 import CHUNKED, chunk

from flowdump.http import HTTPFlow

#: What a stream may hold: its high mark and what one read of the socket brings.
READ = 256 * 1024


class Stream:
    """Sets ``stream`` on responses, and on requests where asked to."""

    def __init__(self, response: Any = True, request: Any = None) -> None:
        self._response, self._request = response, request
        self.events: list[str] = []

    def requestheaders(self, flow: HTTPFlow) -> None:
        if self._request is not None:
            flow.request.stream = self._request

    def responseheaders(self, flow: HTTPFlow) -> None:
        assert flow.response is not None
        if self._response is not None:
            flow.response.stream = self._response

    def request(self, flow: HTTPFlow) -> None:
        self.events.append("request")

    def response(self, flow: HTTPFlow) -> None:
        assert flow.response is not None
        assert flow.response.content is None
        assert flow.response.text is None
        self.events.append("response")


class Streamed:
    """Streams everything."""

    def requestheaders(self, flow: HTTPFlow) -> None:
        flow.request.stream = True

    def responseheaders(self, flow: HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.stream = True


class Flood:
    """An origin that answers with 64 MB; ``sent`` is how many bytes it got rid of."""

    PIECE = b"x" * 65536
    PIECES = 1000

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(self.PIECE) * self.PIECES))
        await self.push(writer)

    async def push(self, writer: asyncio.StreamWriter) -> None:
        for _ in range(self.PIECES):
            writer.write(self.PIECE)
            await writer.drain()
            self.sent += len(self.PIECE)

    async def settled(self) -> int:
        """What was sent when nothing moves any more."""
        before = -1
        while self.sent != before:
            before = self.sent
            for _ in range(50):  # what is under way between two sockets needs the system's time, not only turns
                await asyncio.sleep(0.002)
        return before


class EventStream:
    """An origin of three events, each of which is sent when the test has taken its turn after the one before."""

    #: What is to be recorded of it.
    CONTENT = b"data: 0\n\ndata: 1\n\ndata: 2\n\n"

    def __init__(self, content_type: str = "text/event-stream") -> None:
        self.turn: asyncio.Queue[None] = asyncio.Queue()
        self._head = CHUNKED.replace(b"OK\r\n", b"OK\r\nContent-Type: %b\r\n" % content_type.encode())

    async def __call__(self, reader: Any, writer: Any) -> None:
        writer.write(self._head)
        for n in range(3):
            writer.write(chunk(b"data: %d\n\n" % n))
            await writer.drain()
            await self.turn.get()
        writer.write(b"0\r\n\r\n")

    async def read(self, reader: asyncio.StreamReader) -> None:
        """All of it, by a client that sees each event before the next one is sent."""
        for n in range(3):
            await reader.readuntil(b"data: %d\n\n\r\n" % n)
            self.turn.put_nowait(None)
        assert await reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
