"""An HTTP/2 connection, whichever end of it we are: ``Http2Connection`` (RFC 9113).

h2 knows frames, header compression and states; this module moves bytes between it and a Stream. One task reads: it
hands h2 as many complete frames as have arrived, and every event that this makes is dispatched at once, by its type,
without waiting for anything. Exchanges run in tasks of their own. What they send is collected and written **once per
turn of the loop**, so that the heads and bodies of many streams share one TLS record.

*Windows.* A peer may have 1 MiB under way per stream and 8 MiB per connection; it is given new window when an exchange
takes what arrived. Towards the peer, every stream has a queue, and the connection takes frames from these in turns
until a window or the transport is full.

*What h2 is not asked.* Frames are looked at before h2 sees them, nine bytes each, for three reasons. h2 allows nothing
on a connection after a GOAWAY, whereas the streams below its last one have every right to end (section 6.8), so GOAWAY
is taken out and handled here, both ways. Frames that cost much and bring nothing (pings, settings, resets, empty data)
are counted against those that bring something, and a peer with too many of them is told to calm down
(ENHANCE_YOUR_CALM). And h2's own limits end a connection where a stream would do: who opens more streams than we allow
gets REFUSED_STREAM.

*Memory.* A stream that has ended is forgotten at once. h2 keeps a note of how streams ended, for frames that come late;
the last few hundred of these are enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from h2 import events as h2_events
from h2.exceptions import H2Error, NoSuchStreamError, StreamClosedError

from flowdump.engine.errors import ConnectionFailure, PeerClosed, ProtocolError
from flowdump.engine.http1.framing import shown
from flowdump.engine.http2.codec import MAX_FRAME, Patience, codec
from flowdump.engine.http2.fields import read_trailers
from flowdump.engine.http2.stream import ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR, Http2Stream, code_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.net.stream import Stream
    from flowdump.options.store import Options

#: What every client begins with (RFC 9113 section 3.4).
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

#: The largest frame we send, even if the peer takes larger ones.
_OUT_FRAME: Final = 64 * 1024

#: Bytes of bodies that are written in one turn of the loop.
_TURN: Final = 256 * 1024

#: Bytes that may wait for a peer that reads nothing, while it makes us answer.
_UNREAD: Final = 4 << 20

#: Seconds between two looks at what is too slow.
_TICK: Final = 1.0

_DATA, _HEADERS, _RST_STREAM, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 7, 8, 9
_END = 0x1

#: Windows that are opened by less than this in one frame are a way to make us send many small ones.
_SMALL_WINDOW: Final = 256

#: Small frames with which a peer may answer one of ours that its windows did not cut short: gRPC opens both windows, of
#: stream and connection, after every message, however small.
_ANSWERS: Final = 2


S = TypeVar("S", bound=Http2Stream)


class Http2Connection(Generic[S]):
    """One end of a connection. ``streams`` are those that have not ended, by their number."""

    client_side: ClassVar[bool]

    def __init__(self, stream: Stream, options: Options, idle_limit: float | None) -> None:
        self.stream = stream
        self.peer = stream.peer
        self.loop = asyncio.get_running_loop()
        self.streams: dict[int, S] = {}
        #: Idle timeout in seconds of one stream.
        self.idle_limit = idle_limit
        #: Whether names of header fields are made lower case before they are sent.
        self.lower: bool = options.normalize_outbound_headers
        self.validate: bool = options.validate_inbound_headers
        #: Why nothing more can be done here.
        self.error: ConnectionFailure | ProtocolError | None = None
        #: No more streams: the peer, or we, said GOAWAY.
        self.closing = False
        #: What the peer gave as its reason for a GOAWAY that is no orderly one.
        self._farewell = ""
        self.h2 = codec(self.client_side)
        self._pending: dict[int, Http2Stream] = {}
        self._scheduled = False
        self._clogged: asyncio.Task[None] | None = None
        self._unread = 0
        now = self.loop.time()
        self._idle_frames = Patience(2000, 500, now)
        self.resets = Patience(200, 20, now)
        self._ticking = False
        self._schedule()

    # -- reading -------------------------------------------------------------------------------------------------

    async def pump(self) -> None:
        """Read until the connection has ended; never raises but for cancellation."""
        stream = self.stream
        try:
            while self.error is None:
                self._receive()
                if self.error is not None or not await stream.more():
                    break
            self.lost(PeerClosed(self._farewell or f"the {self.peer} disconnected", self.peer))
        except (ConnectionFailure, ProtocolError) as error:
            self.lost(error)

    def _receive(self) -> None:
        """All complete frames of the buffer."""
        stream = self.stream
        while self.error is None and (length := self._complete()):
            data = stream.take(length)
            if data[3] == _GOAWAY:
                self._on_goaway(data)
                continue
            try:
                events = self.h2.receive_data(data)
                handlers = self.HANDLERS
                for event in events:
                    handler = handlers.get(type(event))
                    if handler is not None:
                        handler(self, event)
            except H2Error as error:
                self.fail(ProtocolError(f"HTTP/2: {_words(error)}", status=400, peer=self.peer))
                return
        self._schedule()

    def _complete(self) -> int:
        """The length of the complete frames in front, up to a GOAWAY, which comes alone."""
        buffer = self.stream.buffer
        at, size = 0, len(buffer)
        while size - at >= 9:
            length = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]
            kind = buffer[at + 3]
            if length > MAX_FRAME:
                self.calm(f"a frame of {length} bytes", code=6)
                return 0
            end = at + 9 + length
            if end > size:
                break
            if kind == _GOAWAY:
                return at or end
            if kind == _HEADERS or (kind == _DATA and length):
                self._idle_frames.earn()
            elif not self._bearable(kind, buffer, at):
                self.calm("too many frames that bring nothing")
                return 0
            at = end
        return at

    def _bearable(self, kind: int, buffer: bytearray, at: int) -> bool:
        """Whether a frame that is not a head or a piece of a body can be taken from this peer."""
        if kind == _DATA and buffer[at + 4] & _END:
            return True
        if kind == _WINDOW_UPDATE and int.from_bytes(buffer[at + 9 : at + 13], "big") >= _SMALL_WINDOW:
            return True
        return self._idle_frames.spend(self.stream.last_active)

    # -- events --------------------------------------------------------------------------------------------------

    def _on_data(self, event: h2_events.DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            return
        data = event.data
        if event.flow_controlled_length > len(data):  # padding counts for the window, and is consumed at once
            self.h2.acknowledge_received_data(event.flow_controlled_length - len(data), event.stream_id)
        if data:
            stream.on_data(data)
        if event.stream_ended is not None:
            self._end(stream)

    def _on_trailers(self, event: h2_events.TrailersReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        stream.remote_ended = True
        try:
            trailers = read_trailers(event.headers, self.peer, self.validate)
        except ProtocolError as error:
            self.malformed(stream, error)
            return
        self._end(stream, trailers)

    def _end(self, stream: Http2Stream, trailers: Any = ()) -> None:
        try:
            stream.on_end(trailers)
        except ProtocolError as error:
            self.malformed(stream, error)

    def malformed(self, stream: Http2Stream, error: ProtocolError) -> None:
        """What came on a stream breaks the protocol: the stream ends, the connection goes on."""
        self.reset(stream, PROTOCOL_ERROR)
        stream.on_failure(error)
        self._count_reset()

    def _count_reset(self) -> None:
        if not self.resets.spend(self.stream.last_active):
            self.calm("too many streams that were reset")

    def _on_reset(self, event: h2_events.StreamReset) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        code = int(event.error_code)
        self.forget(stream)
        words = f"the {self.peer} reset the stream: {code_name(code)}"
        stream.on_failure(stream.lost(code, words))
        self._count_reset()

    def _on_window(self, event: h2_events.WindowUpdated) -> None:
        if event.stream_id:
            stream = self.streams.get(event.stream_id)
            if stream is not None and stream.waits_to_send:
                self.want(stream)
        else:
            self._want_all()

    def _on_settings(self, event: h2_events.RemoteSettingsChanged) -> None:
        self._want_all()

    def _want_all(self) -> None:
        for stream in self.streams.values():
            if stream.waits_to_send:
                self.want(stream)

    def _on_goaway(self, frame: bytes) -> None:
        """The peer takes no more streams; those up to the last one it names go on (RFC 9113 section 6.8)."""
        if len(frame) < 17 or any(frame[5:9]):
            self.calm("a malformed GOAWAY", code=PROTOCOL_ERROR)
            return
        last, code = struct.unpack_from(">II", frame, 9)
        self.closing = True
        debug = f" ({shown(frame[17:])})" if len(frame) > 17 else ""
        words = f"the {self.peer} ends the connection: {code_name(code)}{debug}"
        if code != NO_ERROR:
            self._farewell = words
        for stream in [s for s in self.streams.values() if self.client_side and s.id > last & 0x7FFFFFFF]:
            self.forget(stream)
            stream.on_failure(stream.lost(code, words, unprocessed=True))
        self.maybe_close()

    HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        h2_events.DataReceived: _on_data,
        h2_events.TrailersReceived: _on_trailers,
        h2_events.StreamReset: _on_reset,
        h2_events.WindowUpdated: _on_window,
        h2_events.RemoteSettingsChanged: _on_settings,
    }

    # -- writing -------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._flush)

    def send_headers(self, stream: Http2Stream, fields: list[tuple[bytes, bytes]], end: bool = False) -> None:
        """A head, or trailers."""
        self.h2.send_headers(stream.id, fields, end_stream=end)
        self._schedule()
        if end:
            stream.on_sent_end()

    def want(self, stream: Http2Stream) -> None:
        """A stream has something to send."""
        self._pending[stream.id] = stream
        self._schedule()

    def taken(self, identifier: int, length: int) -> None:
        """An exchange has taken bytes of a body: the peer may send as many more."""
        if self.error is None:
            self.h2.acknowledge_received_data(length, identifier)
            self._schedule()

    def reset(self, stream: Http2Stream, code: int) -> None:
        """Reset a stream, unless it has ended; its unread data is given back to the connection's window."""
        if self.streams.get(stream.id) is not stream:
            return
        stream.cut()
        if self.error is None:
            if not (stream.local_ended and stream.remote_ended):
                with contextlib.suppress(StreamClosedError):  # its end, or a reset, came in the same read
                    self.h2.reset_stream(stream.id, code)
            unread = stream.body.discard()
            if unread:
                self.h2.acknowledge_received_data(unread, stream.id)
            self._schedule()
        self.forget(stream)

    def _flush(self) -> None:
        """Write what this turn of the loop has brought."""
        self._scheduled = False
        if self._pending and self._clogged is None and self.error is None:
            self._send_bodies()
        data = self.h2.data_to_send()
        if not data:
            return
        stream = self.stream
        stream.write(data)
        if self._clogged is not None:
            self._unread += len(data)
            if self._unread > _UNREAD:
                stream.abort()
        elif stream.clogged and not stream.closed:
            self._clogged = self.loop.create_task(self._wait_for_transport())

    async def _wait_for_transport(self) -> None:
        with contextlib.suppress(ConnectionFailure):  # the reading task finds out as well
            await self.stream.drain()
        self._clogged, self._unread = None, 0
        self._schedule()

    def _send_bodies(self) -> None:
        """Frames from the queues of the streams in turns, as far as the windows allow."""
        h2, pending, left = self.h2, self._pending, _TURN
        largest = min(h2.max_outbound_frame_size, _OUT_FRAME)
        while pending and left > 0:
            for identifier, stream in list(pending.items()):
                if stream.waits_to_send:
                    limit = min(largest, h2.local_flow_control_window(identifier))
                    if limit <= 0:
                        del pending[identifier]  # until the peer opens its window
                        continue
                    data, end = stream.next_frame(limit)
                    h2.send_data(identifier, data, end_stream=end)
                    left -= len(data)
                    self._idle_frames.earn(0 if stream.waits_to_send and len(data) < _SMALL_WINDOW else _ANSWERS)
                    if end:
                        stream.on_sent_end()
                elif stream.at_end:
                    if stream.trailers:
                        self.h2.send_headers(stream.id, stream.trailers, end_stream=True)
                    else:
                        self.h2.end_stream(stream.id)
                    stream.on_sent_end()
                if not stream.waits_to_send and not stream.at_end:
                    pending.pop(identifier, None)
        if pending:
            self._schedule()

    def send_goaway(self, code: int = NO_ERROR) -> None:
        """Say that we take no more streams. By hand: h2 would not let those that are open end."""
        self.closing = True
        last = self.h2.highest_inbound_stream_id
        self.stream.write(self.h2.data_to_send() + struct.pack(">HBBBIII", 0, 8, _GOAWAY, 0, 0, last, code))

    # -- streams -------------------------------------------------------------------------------------------------

    def remember(self, stream: S) -> None:
        """A stream was opened."""
        self.streams[stream.id] = stream
        if not self._ticking:
            self._ticking = True
            self.loop.call_later(_TICK, self._tick)

    def forget(self, stream: Http2Stream) -> None:
        """A stream has ended."""
        self.streams.pop(stream.id, None)
        self._pending.pop(stream.id, None)
        if not self.streams:
            self.on_idle()

    def on_idle(self) -> None:
        """The last stream has ended."""
        self.maybe_close()

    def maybe_close(self) -> None:
        """Close when nothing is left to be done and nothing more will come."""
        if self.closing and not self.streams and self.error is None:
            self._flush()
            self.stream.close()

    def _tick(self) -> None:
        now = self.loop.time()
        for stream in list(self.streams.values()):
            stream.check_idle(now, self.idle_limit)
        self._ticking = self.error is None and self.goes_on(now)
        if self._ticking:
            self.loop.call_later(_TICK, self._tick)

    def goes_on(self, now: float) -> bool:
        """Whether another check is needed later."""
        return bool(self.streams)

    # -- the end -------------------------------------------------------------------------------------------------

    def calm(self, what: str, code: int = ENHANCE_YOUR_CALM) -> None:
        """The peer does what it should not: the connection ends."""
        if self.error is None:
            self.send_goaway(code)
            self.fail(ProtocolError(f"HTTP/2: {what}", status=400, peer=self.peer))

    def fail(self, error: ProtocolError) -> None:
        """The peer has broken the protocol beyond one stream: all streams end, the reason is said last."""
        self.lost(error)
        data = self.h2.data_to_send()
        if data:
            self.stream.write(data)

    def lost(self, error: ConnectionFailure | ProtocolError) -> None:
        """The connection is of no use any more, because of ``error``."""
        if self.error is not None:
            return
        self.error = error
        self.closing = True
        for stream in list(self.streams.values()):
            self.forget(stream)
            stream.on_failure(error)

    def __repr__(self) -> str:
        state = "ended" if self.error is not None else "closing" if self.closing else "open"
        return f"{type(self).__name__}({state}, {len(self.streams)} active)"


def _words(error: H2Error) -> str:
    if isinstance(error, NoSuchStreamError):  # says nothing but its number
        return f"a frame on stream {error.stream_id}, which is not open"
    return (str(error) or type(error).__name__)[:200]
