"""HTTP/2 towards an origin: one connection for all exchanges of a client session with it, one stream for each.

A stream is a ``ServerSide`` (``interfaces.py``). The origin says how many it takes at a time; exchanges above that
limit wait. A connection that has nothing to do is pinged now and then (``http2_ping_keepalive``), since the networks in
between forget connections that are silent; one whose answer does not come is dead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final

from h2 import events as h2_events

from flowdump.engine.errors import ConnectionFailure, PeerClosed, ProtocolError, TimedOut
from flowdump.engine.http1.framing import refusal
from flowdump.engine.http2 import fields as http2_fields
from flowdump.engine.http2.connection import Http2Connection
from flowdump.engine.http2.stream import CANCEL, NO_ERROR, REFUSED_STREAM, Http2Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.http1.heads import RequestHead, ResponseHead
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.upstream.connection import Upstream
    from flowdump.http.flow import Request, RequestData
    from flowdump.http.headers import Fields
    from flowdump.options.store import Options

#: Seconds in which a ping has to be answered. A round trip takes one at most; an origin may be busy.
PONG: Final = 15.0

#: Heads that may wait for their exchange: interim responses come fast, and in any number.
MAX_WAITING: Final = 100

#: The number of the last stream that can be opened on a connection (RFC 9113 section 5.1.1).
_LAST_STREAM: Final = 2**31 - 1


class ClientStream(Http2Stream):
    """One request to an origin, and its response."""

    __slots__ = ("_heads", "_method", "_reader", "_seen", "served")

    connection: Http2Client

    def __init__(self, connection: Http2Client) -> None:
        super().__init__(connection, 0)
        self.served = connection.served
        self._method = b""
        self._heads: deque[ResponseHead] = deque()
        #: Whether any head has come.
        self._seen = False
        self._reader: asyncio.Future[None] | None = None

    # -- the request ---------------------------------------------------------------------------------------------

    def send_request(self, data: RequestData, head: RequestHead, absolute_form: bool) -> None:
        """The request, as a whole. Raises PeerClosed."""
        content = data.content or b""
        trailers = () if data.trailers is None else data.trailers.fields
        self._open(data, len(content), end=not content and not trailers)
        if content or trailers:
            self.send_body(content)
            self.finish(trailers)

    def begin_request(self, request: Request, head: RequestHead, absolute_form: bool) -> None:
        self._open(request.data, http2_fields.streamed_length(head.framing, request.stream), end=False)

    def _open(self, data: RequestData, length: int | None, end: bool) -> None:
        self._method = data.method
        fields = http2_fields.request_fields(data, length, self.connection.lower)
        self.connection.open(self)
        self.connection.send_headers(self, fields, end)

    def finish(self, trailers: Fields = ()) -> None:
        super().finish(tuple(http2_fields.trailer_fields(trailers, "client")) if trailers else ())

    # -- the response --------------------------------------------------------------------------------------------

    async def response(self) -> ResponseHead:
        """The next response head, interim ones included. Raises ProtocolError, PeerClosed, TimedOut."""
        while not self._heads:
            if self.error is not None:
                raise self.error
            self.touch()
            self._reader = self.connection.loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._heads.popleft()

    def on_head(self, headers: list[Any], ended: bool, validate: bool) -> None:
        """Raises ProtocolError."""
        self.last_active = self.connection.stream.last_active
        self.remote_ended = ended
        head = http2_fields.read_response(headers, ended, self._method, validate)
        self._seen = True
        if len(self._heads) >= MAX_WAITING:
            raise refusal(f"more than {MAX_WAITING} interim responses at a time", "server")
        self._heads.append(head)
        if head.framing.kind == "length":
            self.body.expect(head.framing.length)
        if ended:
            self.on_end()
        self._wake_reader()

    def on_failure(self, error: ConnectionFailure | ProtocolError) -> None:
        super().on_failure(error)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    @property
    def awaited(self) -> bool:
        return self._reader is not None or self.body.awaited

    @property
    def answered(self) -> bool:
        return self._seen

    # -- ends ----------------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        code = getattr(error, "code", None)
        self.reset(CANCEL if code is None else code)
        self.on_failure(error)  # type: ignore[arg-type]  # it is raised in the task that waits

    def release(self) -> bool:
        """The exchange is over: reset the stream if it has not ended."""
        self.reset(NO_ERROR if self.remote_ended else CANCEL)
        self.connection.leave()
        return False

    def lost(self, code: int | None, words: str, unprocessed: bool = False) -> PeerClosed:
        return super().lost(code, words, unprocessed or code == REFUSED_STREAM)

    def upgraded(self) -> Stream:
        raise ProtocolError("the stream cannot become a tunnel", status=502, peer="server")


class Http2Client(Http2Connection[ClientStream]):
    """A connection to an origin. ``on_end`` is called once when it has ended."""

    client_side = True

    def __init__(self, upstream: Upstream, options: Options, on_end: Callable[[Http2Client], None]) -> None:
        super().__init__(upstream.stream, options, options.response_timeout or None)
        upstream.stream.idle_limit = None  # streams have limits of their own
        self.upstream = upstream
        self.served = 0
        #: The origin was found not to understand HTTP/2.
        self.speaks_http1 = False
        self._keepalive: float = options.http2_ping_keepalive
        self._pinged = 0.0
        #: Exchanges that have a stream, or are about to.
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._on_end = on_end
        self.task = self.loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            if await self._is_http2():
                await self.pump()
        finally:
            self.lost(PeerClosed("the connection to the server was closed", "server"))
            self.stream.close()
            self._wake_all()
            self._on_end(self)

    async def _is_http2(self) -> bool:
        """Whether the origin answers in HTTP/2. With TLS that was agreed on; without, it was a guess."""
        if self.upstream.destination.tls:
            return True
        stream = self.stream
        try:
            while len(stream.buffer) < 5 and await stream.more():
                pass
        except ConnectionFailure as error:
            self.lost(error)
            return False
        if len(stream.buffer) >= 5 and not stream.buffer.startswith(b"HTTP/"):
            return True
        self.speaks_http1 = True
        self.lost(PeerClosed("the server does not speak HTTP/2", "server", unprocessed=True))
        return False

    # -- streams -------------------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether another stream can be opened, now or after a while."""
        return not self.closing and self.error is None and not self.stream.at_eof and self._numbers_left

    @property
    def _numbers_left(self) -> bool:
        return self.h2.highest_outbound_stream_id < _LAST_STREAM - 2 * len(self._waiting) - 2

    async def acquire(self) -> ClientStream | None:
        """A stream for an exchange, as soon as the origin takes another one; None when it takes no more.

        Raises TimedOut.
        """
        while self.usable and self._taken >= self.h2.remote_settings.max_concurrent_streams:
            slot = self.loop.create_future()
            self._waiting.append(slot)
            try:
                async with asyncio.timeout(self.idle_limit):
                    await slot
            except TimeoutError:
                raise TimedOut("the server allows no more streams at a time, and none ended") from None
            finally:
                if slot in self._waiting:
                    self._waiting.remove(slot)
        if not self.usable:
            return None
        self._taken += 1
        return ClientStream(self)

    def open(self, stream: ClientStream) -> None:
        """Give a stream its number. Raises PeerClosed when it is too late for that."""
        if not self.usable:
            raise PeerClosed("the server ends the connection", "server", unprocessed=True)
        stream.id = stream.body.id = self.h2.get_next_available_stream_id()
        self.remember(stream)

    def leave(self) -> None:
        """An exchange has no more use for its stream."""
        self._taken -= 1
        self.served += 1
        if self._waiting:
            slot = self._waiting.popleft()
            if not slot.done():
                slot.set_result(None)

    def leave_all(self) -> None:
        """Close the connection: it is not needed any more."""
        if self.error is None:
            self.send_goaway()
        self.stream.close()

    def _wake_all(self) -> None:
        for slot in self._waiting:
            if not slot.done():
                slot.set_result(None)

    # -- events --------------------------------------------------------------------------------------------------

    def _on_response(self, event: h2_events.ResponseReceived | h2_events.InformationalResponseReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        try:
            stream.on_head(event.headers, getattr(event, "stream_ended", None) is not None, self.validate)
        except ProtocolError as error:
            self.malformed(stream, error)

    def _on_settings(self, event: h2_events.RemoteSettingsChanged) -> None:
        super()._on_settings(event)
        self._wake_all()  # more streams may be allowed

    def _on_pong(self, event: h2_events.PingAckReceived) -> None:
        self._pinged = 0.0

    HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        **Http2Connection.HANDLERS,
        h2_events.ResponseReceived: _on_response,
        h2_events.InformationalResponseReceived: _on_response,
        h2_events.RemoteSettingsChanged: _on_settings,
        h2_events.PingAckReceived: _on_pong,
    }

    # -- being there ---------------------------------------------------------------------------------------------

    def goes_on(self, now: float) -> bool:
        """Ping an origin that has been silent; one that does not answer that either is gone."""
        if self._pinged and now - self._pinged > PONG:
            self.lost(TimedOut("the server does not answer pings"))
            self.stream.abort()
            return False
        if self._keepalive and not self._pinged and now - self.stream.last_active > self._keepalive:
            self._pinged = now
            self.h2.ping(b"flowdump")
            self._schedule()
        return bool(self.streams) or bool(self._keepalive)

    def on_idle(self) -> None:
        if self.closing:
            self._wake_all()
        super().on_idle()
