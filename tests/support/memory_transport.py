"""Two streams joined in memory: a transport without sockets, whose far end reads only as fast as it wants to."""

from __future__ import annotations

import asyncio
from typing import Any

from flowdump.engine.errors import Peer
from flowdump.engine.net.stream import Stream, Streams


class MemoryTransport(asyncio.Transport):
    """One end. Written bytes wait here until the other end's stream reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Stream) -> None:
        super().__init__()
        self._loop = loop
        self.protocol = protocol
        self.other: MemoryTransport
        self._waiting = bytearray()
        self._high = 64 * 1024
        self._reading = True
        self._closing = self._eof = self._eof_told = self._lost = self._paused = False

    # What a stream asks of its transport.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("memory", 0) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        return self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 0

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: Any) -> None:
        self._waiting += data
        if len(self._waiting) > self._high and not self._paused:
            self._paused = True
            self.protocol.pause_writing()
        self._loop.call_soon(self._deliver)

    def write_eof(self) -> None:
        self._eof = True
        self._loop.call_soon(self._deliver)

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self.other._deliver)

    def close(self) -> None:
        if not self._closing:
            self._closing = self._eof = True
            self._loop.call_soon(self._deliver)

    def abort(self) -> None:
        self._closing = True
        self._waiting.clear()
        self._loop.call_soon(self._lose, None)
        self._loop.call_soon(self.other._lose, ConnectionResetError(104, "Connection reset by peer"))

    # Delivery.

    def _deliver(self) -> None:
        """Hand waiting bytes to the other end while it reads, then the end of data."""
        other = self.other
        while self._waiting and other._reading and not other._lost:
            room = other.protocol.get_buffer(-1)
            piece = self._waiting[: len(room)]
            del self._waiting[: len(piece)]
            room[: len(piece)] = piece
            other.protocol.buffer_updated(len(piece))
        if self._paused and len(self._waiting) <= self._high // 4:
            self._paused = False
            self.protocol.resume_writing()
        if self._eof and not self._waiting and not self._eof_told and not other._lost:
            self._eof_told = True
            other.protocol.eof_received()
        if self._closing and not self._waiting:
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self.protocol.connection_lost(error)


def memory_streams() -> tuple[Stream, Stream]:
    """Two connected streams: one whose peer is the server, and one whose peer is the client."""
    loop, registry = asyncio.get_running_loop(), Streams()
    peers: tuple[Peer, Peer] = ("server", "client")
    ends = [MemoryTransport(loop, Stream(peer, registry)) for peer in peers]
    ends[0].other, ends[1].other = ends[1], ends[0]
    for end in ends:
        end.protocol.connection_made(end)
    return ends[0].protocol, ends[1].protocol
