"""One connection as a buffer to look into: ``Stream``.

A ``Stream`` is an :class:`asyncio.BufferedProtocol` that owns socket, buffer, TLS and flow control. Bytes that arrive
are appended to ``buffer``, decrypted if TLS is on. All streams of a proxy receive into one piece of memory: asyncio
fills it and hands it over before it does anything else, and an object of its own for each read would cost more than
reading (asyncio allocates 256 KiB for each read). Looking into the buffer and taking from it is synchronous; only
``more()`` waits, for growth or the end. TLS is a codec inside the stream: switching it on in the middle (CONNECT) moves
what is buffered into the codec, and the same buffer yields plaintext from then on. TLS in TLS is two codecs, one inside
the other.

Flow control: above ``HIGH`` unread bytes the socket is no longer read, below ``LOW`` it is again. ``write()`` never
waits; ``drain()`` waits while the transport holds more than its own high mark.

Ends, and how they are told: the peer's end of data makes ``more()`` return False; a broken connection raises
PeerClosed, from ``more()`` and from ``drain()``. ``last_active`` is the loop time of the last bytes in or out. One
ticker of the proxy calls ``check_idle``: a stream fails when a task has waited for it for longer than ``idle_limit``
and nothing moved, or ``deadline`` has passed. A stream on which no task waits, because a script holds the flow, has no
limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from flowdump.engine.errors import ConnectionFailure, Peer, PeerClosed, TimedOut, TlsError
from flowdump.engine.tls.failures import describe_failure
from flowdump.exceptions import FlowdumpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.tls.codec import TlsCodec

#: Unread bytes above which the socket is left alone, and below which it is read again.
HIGH: Final = 256 * 1024
LOW: Final = 64 * 1024

#: Bytes that one read of a socket may give.
RECEIVED: Final = 256 * 1024

#: A peer that has ended its direction may have closed the connection altogether: only sending shows. If nothing was
#: sent for this many seconds, it counts as gone.
HALF_CLOSED: Final = 3.0

#: The value of SO_LINGER that makes closing a reset.
_RESET: Final = struct.pack("ii", 1, 0)

#: Bytes the transport may hold before ``drain`` waits.
WRITE_HIGH: Final = 256 * 1024


#: Seconds in which a peer that was refused can read why, while what it still sends is thrown away.
LINGER: Final = 2.0


class Streams(set["Stream"]):
    """Every open stream of a proxy, and the memory that they receive into."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = memoryview(bytearray(RECEIVED))


class Stream(asyncio.BufferedProtocol):
    """A TCP connection to ``peer`` ("client" or "server").

    While it is open it is in ``registry``. ``on_connect`` is called with the stream once it is open; ``on_gone``, which
    may be set later, when the peer is certainly gone.
    """

    def __init__(self, peer: Peer, registry: Streams, on_connect: Callable[[Stream], None] | None = None) -> None:
        self.peer: Peer = peer
        self._registry = registry
        self._scratch = registry.scratch
        self.on_gone: Callable[[], None] | None = None
        self.buffer = bytearray()
        self.at_eof = False
        self.error: BaseException | None = None
        self.closed = False
        self.last_active = 0.0
        #: Seconds without a byte after which the stream fails, None for any time.
        self.idle_limit: float | None = None
        #: Loop time at which the stream fails even if data arrives.
        self.deadline: float | None = None
        self._not_awaited = 0.0
        self._on_connect = on_connect
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._codecs: list[TlsCodec] = []
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._held = False
        self._clogged = False
        self._eof_sent = self._said_goodbye = False

    # -- asyncio's side ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH)
        self.last_active = self._loop.time()
        self._registry.add(self)
        if self._on_connect is not None:
            on_connect, self._on_connect = self._on_connect, None
            on_connect(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        self.last_active = self._loop.time()
        if self._codecs:
            self._decrypt(self._scratch[:nbytes])
        else:
            self.buffer += self._scratch[:nbytes]
        if len(self.buffer) > HIGH and not self._held:
            self._held = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        self.at_eof = True
        if self._codecs:
            self._codecs[0].receive_eof()
            self._decrypt(b"")
        self._wake_reader()
        if self.on_gone is not None:
            self._loop.call_later(HALF_CLOSED, self._maybe_gone)
        return True  # our own direction stays open until we close it

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = self.at_eof = True
        self._registry.discard(self)
        if error is not None and self.error is None:  # an alert that came before the reset says more
            self.error = error
        self._clogged = False
        self._wake_reader()
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)
        self._gone()

    def _maybe_gone(self) -> None:
        """The peer has ended its direction a while ago: if it takes nothing either, it is gone."""
        if self.on_gone is None:
            return
        left = self.last_active + HALF_CLOSED - self._loop.time()
        if left > 0 or self._transport.get_write_buffer_size():
            self._loop.call_later(max(left, 0.1), self._maybe_gone)
        else:
            self._gone()

    def _gone(self) -> None:
        if self.on_gone is not None:
            on_gone, self.on_gone = self.on_gone, None
            on_gone()

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # -- reading -------------------------------------------------------------------------------------------------

    async def more(self, seen: int | None = None) -> bool:
        """Wait until the buffer holds more than the ``seen`` bytes; False when the peer will send no more.

        ``seen`` is what the caller has looked at, by default all that is there now. A caller that looks first and waits
        in a task of its own must give it: the task begins later, and what arrives in between would be waited past.
        Raises PeerClosed when the connection broke. One task at a time may wait.
        """
        if seen is None:
            seen = len(self.buffer)
        while len(self.buffer) <= seen:
            if self.at_eof:
                return self._ended()
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return True

    async def linger(self) -> None:
        """Send no more, and throw away what the peer still sends, for a short while (RFC 9112 section 9.6).

        Closing while the peer sends would make the kernel answer with a reset, and a reset takes from the peer what it
        has not read yet: the error page or the close frame that says why.
        """
        self.write_eof()
        with suppress(ConnectionFailure, TimeoutError):
            async with asyncio.timeout(LINGER):
                while await self.more():
                    self.buffer.clear()
                    self.consumed()

    def _ended(self) -> bool:
        if isinstance(self.error, FlowdumpError):
            raise self.error
        if isinstance(self.error, ssl.SSLError):
            raise TlsError(describe_failure(self.error, self.peer), self.peer)
        if isinstance(self.error, OSError):
            raise PeerClosed(f"the {self.peer} broke the connection: {self.error.strerror or self.error}", self.peer)
        if self.error is not None:
            raise self.error
        return False

    def take(self, n: int) -> bytes:
        """The first ``n`` bytes of the buffer (fewer when it has fewer), which leave it."""
        buffer = self.buffer
        if n < len(buffer):
            with memoryview(buffer) as view:
                data = bytes(view[:n])
            del buffer[:n]
        else:
            data = bytes(buffer)
            buffer.clear()
        self.consumed()
        return data

    def consumed(self) -> None:
        """Read the socket again if enough was taken. To be called after taking from ``buffer`` directly."""
        if self._held and len(self.buffer) < LOW and not self.closed:
            self._held = False
            self._transport.resume_reading()

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send ``data``; never waits. After the connection broke it goes nowhere: ``drain`` tells."""
        if self._eof_sent or self._transport.is_closing():  # asyncio would tell the log of each write
            return
        if self._codecs:
            data = self._encrypt(data)
        self._transport.write(data)
        self.last_active = self._loop.time()

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was written. Raises PeerClosed when the connection broke."""
        while self._clogged:
            self._writer = self._loop.create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self.closed:
            self._ended()
            raise PeerClosed(f"the {self.peer} closed the connection", self.peer)

    @property
    def clogged(self) -> bool:
        """Whether ``drain`` would wait, or say that the connection is gone."""
        return self._clogged or self.closed

    # -- TLS -----------------------------------------------------------------------------------------------------

    async def start_tls(self, codec: TlsCodec) -> None:
        """Speak TLS from now on; what is in the buffer already is TLS. Returns after the handshake.

        Raises ssl.SSLError when the handshake fails, PeerClosed when the peer goes away during it.
        """
        received = bytes(self.buffer)
        self.buffer.clear()
        self.consumed()
        self._codecs.append(codec)
        if received:
            codec.receive(received)
        try:
            while not codec.handshake():
                self._flush()
                if not await self._more_ciphertext():
                    raise PeerClosed(f"the {self.peer} closed the connection during the TLS handshake", self.peer)
        finally:
            self._flush()
        self.buffer += codec.read()
        if codec.eof:
            self.at_eof = True

    async def _more_ciphertext(self) -> bool:
        if self.at_eof:
            return self._ended()
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None
        return not self.at_eof or not self._ended()

    def _decrypt(self, data: bytes | memoryview) -> None:
        """Pass bytes through the codecs, outermost first; what the last one yields is appended to the buffer."""
        try:
            for codec in self._codecs[:-1]:
                codec.receive(data)
                data = codec.read()
                self.at_eof = self.at_eof or codec.eof
            codec = self._codecs[-1]
            codec.receive(data)
            if codec.established:
                codec.read_into(self.buffer, self._scratch)
            self.at_eof = self.at_eof or codec.eof
        except Exception as error:  # ssl.SSLError: the peer sent no valid record, or an alert
            self.error, self.at_eof = error, True
        self._flush()

    def _encrypt(self, data: bytes) -> bytes:
        for codec in reversed(self._codecs):
            codec.write(data)
            data = codec.outgoing()
        return data

    def _flush(self) -> None:
        """Send what the codecs have to say on their own: handshakes, tickets, alerts."""
        data = b""
        for codec in reversed(self._codecs):
            if data and not self._said_goodbye:
                codec.write(data)
            data = codec.outgoing()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def fail(self, error: BaseException) -> None:
        """Raise ``error`` in the task that waits for the peer, now or later, and cut the connection."""
        self.error, self.at_eof = error, True
        self.abort()
        self._wake_reader()

    def check_idle(self, now: float) -> None:
        """Fail if the peer is too slow; ``now`` is the loop's time."""
        if self.deadline is not None and now > self.deadline:
            self._too_slow(TimedOut(f"the {self.peer} took too long", self.peer))
        elif self._reader is None and self._writer is None and not self._transport.is_closing():
            self._not_awaited = now
        elif self.idle_limit is not None and now - max(self.last_active, self._not_awaited) > self.idle_limit:
            self._too_slow(TimedOut(f"the {self.peer} was idle for {self.idle_limit:g} s", self.peer))

    def _too_slow(self, error: TimedOut) -> None:
        """Fail; a client that takes what it is sent may still be told why."""
        if self.peer == "server" or self._writer is not None or self._transport.get_write_buffer_size():
            self.fail(error)
        else:
            self.error, self.at_eof = error, True
            self._wake_reader()

    # -- closing -------------------------------------------------------------------------------------------------

    def write_eof(self) -> None:
        """Tell the peer that nothing more comes; its own direction stays open."""
        if self.closed or self._eof_sent:
            return
        self._goodbye()
        self._eof_sent = True
        if not self._codecs and self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:  # the peer has just broken the connection; that arrives on its own
                self._transport.abort()

    def close(self) -> None:
        """Close after what was written has gone out."""
        if not self.closed:
            if not self._eof_sent:
                self._goodbye()
            self._transport.close()

    def abort(self) -> None:
        """Close at once; the peer sees a broken connection, never one that ended in an orderly way."""
        if self.closed:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _goodbye(self) -> None:
        for codec in reversed(
            self._codecs
        ):  # what an inner one says last travels in the outer one, which ends after it
            codec.unwrap()
            self._flush()
        self._said_goodbye = True

    # -- facts ---------------------------------------------------------------------------------------------------

    def info(self, name: str) -> Any:
        """``peername``, ``sockname`` or ``socket`` of the transport."""
        return self._transport.get_extra_info(name)

    @property
    def codec(self) -> TlsCodec | None:
        """The innermost TLS codec, None without TLS."""
        return self._codecs[-1] if self._codecs else None

    def __repr__(self) -> str:
        state = "closed" if self.closed else "at eof" if self.at_eof else "open"
        return f"Stream({self.peer}, {state}, {len(self.buffer)} bytes buffered{', tls' if self._codecs else ''})"
