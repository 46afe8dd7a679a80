"""One stream of an HTTP/2 connection: what came in on it, what is to go out on it.

``Inbox`` is the body that comes in. Its pieces wait there until the exchange takes them, and only then is the peer
given new window (RFC 9113 section 5.2): backpressure: without a reader, the peer may not send.

``Http2Stream`` is the way out. Pieces are queued; the connection takes them from there in turns, as the peer's windows
and the transport allow. ``clogged`` and ``drain`` are about this queue.

A stream ends in one of three ways: both directions ended, one side reset it, or the connection is lost. It is forgotten
at once, by us and soon by h2; code that still holds it finds ``error`` set, or nothing left to do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from flowdump.engine.errors import ConnectionFailure, PeerClosed, ProtocolError, TimedOut
from flowdump.engine.http1.connection import PIECE, check_size
from flowdump.engine.http1.framing import refusal

if TYPE_CHECKING:
    from flowdump.engine.errors import Peer
    from flowdump.engine.net.stream import Stream
    from flowdump.http.headers import Fields

#: Bytes queued on one stream above which its sender waits, and below which it goes on.
QUEUE_HIGH: Final = 256 * 1024
QUEUE_LOW: Final = 64 * 1024

#: Pieces that wait are put together up to this many bytes.
_CRUMBS: Final = 1024

#: Error codes (RFC 9113 section 7) that are used here.
NO_ERROR: Final = 0
PROTOCOL_ERROR: Final = 1
INTERNAL_ERROR: Final = 2
REFUSED_STREAM: Final = 7
CANCEL: Final = 8
ENHANCE_YOUR_CALM: Final = 11

CODES: Final = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip


def code_name(code: int) -> str:
    """``CANCEL`` for 8; unknown codes as numbers."""
    return CODES[code] if code < len(CODES) else f"error {code:#x}"


class Connection(Protocol):
    """What a stream needs of its connection, which schedules and sends for all of its streams."""

    loop: asyncio.AbstractEventLoop
    peer: Peer
    stream: Stream

    def forget(self, stream: Http2Stream) -> None:
        """Drop a stream that has ended."""

    def reset(self, stream: Http2Stream, code: int) -> None:
        """Send RST_STREAM."""

    def taken(self, identifier: int, length: int) -> None:
        """Give the peer new window for data that was consumed (RFC 9113 section 5.2)."""

    def want(self, stream: Http2Stream) -> None:
        """Send the stream's queue as soon as windows and the transport allow."""


class Inbox:
    """A body that comes in on the stream of that number. ``trailers`` are there once it has ended.

    It does not hold its stream: the two would keep each other until the garbage collector comes.
    """

    __slots__ = (
        "_closed", "_connection", "_expected", "_paid", "_pieces", "_waiter", "ended", "error", "id", "last_active",
        "received", "trailers",
    )  # fmt: skip

    def __init__(self, connection: Connection, identifier: int) -> None:
        self._connection = connection
        self.id = identifier
        #: Loop time at which data arrived, or a task began to wait.
        self.last_active = connection.stream.last_active
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        #: The peer has ended its direction; pieces may be left.
        self._closed = False
        self._expected: int | None = None
        #: Bytes in front that were taken before, and put back.
        self._paid = 0
        self.received = 0
        self.ended = False
        self.error: BaseException | None = None
        self.trailers: Fields = ()

    # -- filling -------------------------------------------------------------------------------------------------

    def expect(self, length: int | None) -> None:
        """How long the body says it is."""
        self._expected = length

    def feed(self, data: bytes) -> None:
        self.last_active = self._connection.stream.last_active
        pieces = self._pieces
        if pieces and len(pieces[-1]) + len(data) <= _CRUMBS and self._paid == 0:
            pieces[-1] += data  # a window of single bytes would take forty times as much memory
        else:
            pieces.append(data)
        self.received += len(data)
        self._wake()

    def close(self, trailers: Fields = ()) -> None:
        """The body is complete. Raises ProtocolError when it is not as long as it said."""
        if self._expected is not None and self.received != self._expected:
            raise refusal(
                f"{self.received} bytes of body, and a Content-Length of {self._expected}", self._connection.peer
            )
        self.trailers = trailers
        self._closed = True
        self.ended = not self._pieces
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Raise ``error`` in the reader, now or later, after the data that has arrived."""
        if not self._closed:
            self.error = self.error or error
            self._wake()

    def discard(self) -> int:
        """Discard the unread data, and return the number of its bytes."""
        left = sum(map(len, self._pieces)) - self._paid
        self._pieces.clear()
        return left

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def awaited(self) -> bool:
        return self._waiter is not None

    async def read(self) -> bytes | None:
        """The next piece, None at the end. Raises ProtocolError, PeerClosed, TimedOut."""
        while not self._pieces:
            if self._closed:
                self.ended = True
                return None
            if self.error is not None:
                raise self.error
            self.last_active = self._connection.loop.time()
            self._waiter = self._connection.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        # What has arrived, up to PIECE bytes where there is more than one piece of it; the peer may send as much.
        pieces = self._pieces
        data = pieces.popleft()
        if pieces and len(data) + len(pieces[0]) <= PIECE:
            some, size = [data], len(data)
            while pieces and size + len(pieces[0]) <= PIECE:
                size += len(pieces[0])
                some.append(pieces.popleft())
            data = b"".join(some)
        self.ended = self._closed and not pieces
        paid = min(self._paid, len(data))
        self._paid -= paid
        if paid < len(data):
            self._connection.taken(self.id, len(data) - paid)
        return data

    async def whole(self, limit: int | None, spill: int | None = None) -> bytes | None:
        """The whole body. Raises ProtocolError (413 or 502) as soon as it is larger than ``limit`` bytes.

        None as soon as it is larger than ``spill`` bytes; ``read()`` then gives it from its beginning.
        """
        pieces, size = [], 0
        while (piece := await self.read()) is not None:
            size += len(piece)
            check_size(size, limit, self._connection.peer)
            pieces.append(piece)
            if spill is not None and size > spill:
                self._pieces.extendleft(reversed(pieces))
                self._paid, self.ended = size, False
                return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Http2Stream:
    """What both directions of a stream have in common. ``peer`` is who is at the other end of the connection."""

    __slots__ = (
        "_finishing", "_queue", "_queued", "_trailers", "_writer", "body", "connection", "error", "id", "last_active",
        "local_ended", "remote_ended",
    )  # fmt: skip

    def __init__(self, connection: Connection, identifier: int) -> None:
        self.connection = connection
        #: 0 until it is open.
        self.id = identifier
        self.body = Inbox(connection, identifier)
        self.error: ConnectionFailure | ProtocolError | None = None
        self.last_active = connection.stream.last_active
        self.local_ended = self.remote_ended = False
        self._queue: deque[bytes | memoryview] = deque()
        self._queued = 0
        self._finishing = False
        self._trailers: Fields = ()
        self._writer: asyncio.Future[None] | None = None

    @property
    def peer(self) -> Peer:
        return self.connection.peer

    def touch(self) -> None:
        """Restart the idle timeout."""
        self.last_active = self.connection.loop.time()

    # -- what comes ----------------------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        self.body.feed(data)

    def on_end(self, trailers: Fields = ()) -> None:
        """The peer's direction has ended. Raises ProtocolError."""
        self.remote_ended = True
        self.body.close(trailers)
        if self.local_ended:
            self.connection.forget(self)

    def on_failure(self, error: ConnectionFailure | ProtocolError) -> None:
        """End the stream: every task that waits for it, now or later, gets ``error``."""
        self.error = error
        self.cut()
        self.body.fail(error)
        self._wake()

    def cut(self) -> None:
        """Nothing more is sent."""
        self._finishing = True
        self._queue.clear()
        self._queued = 0

    # -- sending -------------------------------------------------------------------------------------------------

    @property
    def clogged(self) -> bool:
        return self._queued > QUEUE_HIGH or self.error is not None

    def send_body(self, piece: bytes) -> None:
        if piece and self.error is None and not self._finishing:
            self._queue.append(piece)
            self._queued += len(piece)
            self.connection.want(self)

    def finish(self, trailers: Fields = ()) -> None:
        if self.error is None and not self._finishing:
            self._finishing = True
            self._trailers = trailers
            self.connection.want(self)

    async def drain(self) -> None:
        """Wait until little is left in the queue. Raises PeerClosed, TimedOut."""
        self.touch()
        while self._queued > QUEUE_LOW and self.error is None:
            self._writer = self.connection.loop.create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self.error is not None:
            raise self.error

    def _wake(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    @property
    def waits_to_send(self) -> bool:
        """Whether there is something that the peer's window, or the transport, keeps back."""
        return bool(self._queue)

    def next_frame(self, limit: int) -> tuple[bytes | memoryview, bool]:
        """Up to ``limit`` bytes from the queue, and whether the stream ends with them."""
        queue = self._queue
        data = queue.popleft()
        if len(data) > limit:
            view = memoryview(data)
            queue.appendleft(view[limit:])
            data = view[:limit]
        elif queue and len(data) + len(queue[0]) <= limit:
            some, size = [data], len(data)
            while queue and size + len(queue[0]) <= limit:
                size += len(queue[0])
                some.append(queue.popleft())
            data = b"".join(some)
        self._queued -= len(data)
        self.touch()
        if self._queued <= QUEUE_LOW:
            self._wake()
        return data, self._finishing and not queue and not self._trailers

    @property
    def at_end(self) -> bool:
        """Whether the end is all that is left to be sent."""
        return self._finishing and not self._queue and not self.local_ended

    @property
    def trailers(self) -> Fields:
        return self._trailers

    def on_sent_end(self) -> None:
        """Our direction has ended."""
        self.local_ended = True
        if self.remote_ended:
            self.connection.forget(self)

    # -- ends ----------------------------------------------------------------------------------------------------

    def reset(self, code: int) -> None:
        """End the stream, visibly incomplete, unless it has ended."""
        self.connection.reset(self, code)

    def check_idle(self, now: float, limit: float | None) -> None:
        """Fail when the peer has let us wait for longer than ``limit`` seconds."""
        limit = self.limit(limit)
        if limit is None or now - max(self.last_active, self.body.last_active) <= limit:
            return
        if self.awaited or self._writer is not None or self._queue:
            error = TimedOut(f"the {self.peer} was idle for {limit:g} s", self.peer)
            self.connection.reset(self, CANCEL)
            self.on_failure(error)

    def limit(self, usual: float | None) -> float | None:
        """Idle timeout in seconds."""
        return usual

    @property
    def awaited(self) -> bool:
        """Whether a task waits for the peer."""
        return self.body.awaited

    def lost(self, code: int | None, words: str, unprocessed: bool = False) -> PeerClosed:
        """The error of a stream that the peer gave up."""
        return PeerClosed(words, self.peer, code=code, unprocessed=unprocessed)
