"""A stream of HTTP/2 as if it were a connection (RFC 8441): what a WebSocket runs over after an extended CONNECT.

``Http2Tunnel`` has what relays use of a ``Stream``, which knows why: buffer, waiting, writing, ends. Bytes that were
taken off the buffer open the client's window again; the end of one direction is END_STREAM, a break is a reset.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flowdump.engine.http2.stream import CANCEL

if TYPE_CHECKING:
    from flowdump.engine.errors import Peer
    from flowdump.engine.http2.stream import Http2Stream


class Http2Tunnel:
    """The bytes of one stream, both ways."""

    def __init__(self, stream: Http2Stream) -> None:
        self._stream = stream
        self.peer: Peer = stream.peer
        self.buffer = bytearray()
        self.at_eof = False
        self.error: BaseException | None = None
        #: Seconds without a byte after which the stream fails, None for any time.
        self.idle_limit: float | None = None
        #: Bytes that came and opened no window yet.
        self._owed = 0
        self._reader: asyncio.Future[None] | None = None

    # -- what comes ----------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        self.buffer += data
        self._owed += len(data)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come, because of ``error`` if there is one."""
        self.error, self.at_eof = self.error or error, True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def awaited(self) -> bool:
        return self._reader is not None

    async def more(self) -> bool:
        """Wait until the buffer has grown; False when the peer will send no more. Raises PeerClosed, TimedOut."""
        before = len(self.buffer)
        while len(self.buffer) == before:
            if self.at_eof:
                if self.error is not None:
                    raise self.error
                return False
            self._stream.touch()
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return True

    def take(self, n: int) -> bytes:
        """The first ``n`` bytes of the buffer (fewer when it has fewer), which leave it."""
        data = bytes(self.buffer[:n])
        del self.buffer[:n]
        self.consumed()
        return data

    def consumed(self) -> None:
        """Bytes were taken off the buffer: the peer may send as many more."""
        taken = self._owed - len(self.buffer)
        if taken > 0:
            self._owed -= taken
            self._stream.connection.taken(self._stream.id, taken)

    # -- writing and closing -------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        self._stream.send_body(bytes(data))

    async def drain(self) -> None:
        await self._stream.drain()

    @property
    def clogged(self) -> bool:
        return self._stream.clogged

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more because the stream is dead."""
        return self._stream.error is not None

    def write_eof(self) -> None:
        self._stream.finish()

    def close(self) -> None:
        """Close after what was written has gone out; who still sends is reset when the exchange is over."""
        self._stream.finish()

    def abort(self) -> None:
        self._stream.reset(CANCEL)
        self.end()

    def fail(self, error: BaseException) -> None:
        """Raise ``error`` in the task that waits for the peer, now or later, and reset the stream."""
        self._stream.reset(CANCEL)
        self.end(error)
