"""HTTP/2 towards a client: ``serve`` runs a connection, and one exchange per stream in a task of its own.

A stream is a ``ClientSide`` (``interfaces.py``). What cannot be understood ends its stream, or where framing is in
doubt its connection, and is recorded as a flow with an error.
"""

from __future__ import annotations

import asyncio
import base64
import os
from typing import TYPE_CHECKING, Any, ClassVar, cast

from h2 import events as h2_events

from flowdump.engine.errors import PeerClosed, ProtocolError
from flowdump.engine.exchange import Exchange
from flowdump.engine.http1.error_page import error_fields
from flowdump.engine.http1.framing import NONE, shown
from flowdump.engine.http2 import fields as http2_fields
from flowdump.engine.http2.codec import MAX_STREAMS
from flowdump.engine.http2.connection import PREFACE, Http2Connection
from flowdump.engine.http2.stream import CANCEL, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, Http2Stream
from flowdump.engine.http2.tunnel import Http2Tunnel
from flowdump.engine.requests import flow_of, record_refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.context import Context
    from flowdump.engine.errors import ConnectionFailure
    from flowdump.engine.http1.framing import Framing
    from flowdump.engine.http1.heads import RequestHead, ResponseHead
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.upstream.connection import Origins
    from flowdump.http.flow import HTTPFlow, Response, ResponseData
    from flowdump.http.headers import Fields


async def serve(context: Context, stream: Stream, origins: Origins) -> None:
    """All that a client wants over one HTTP/2 connection. The preface is in the buffer, or comes."""
    while len(stream.buffer) < len(PREFACE):
        if not PREFACE.startswith(stream.buffer) or not await stream.more():
            break
    if not stream.buffer and stream.at_eof:
        return  # browsers open connections that they may need, and close them when they do not
    await Http2Server(context, stream, origins).run()


class ServerStream(Http2Stream):
    """One request of a client, and its response."""

    __slots__ = ("_bodiless", "_gone", "_over", "head_sent", "keep_alive", "tunnel")

    connection: Http2Server

    def __init__(self, connection: Http2Server, identifier: int) -> None:
        super().__init__(connection, identifier)
        self.head_sent = False
        self.keep_alive = True
        self._gone: Callable[..., None] | None = None
        self._over = False
        #: Whether the response has no body, even if the origin sends one.
        self._bodiless = False
        #: What is in the way of DATA when the request was an extended CONNECT.
        self.tunnel: Http2Tunnel | None = None

    # -- a tunnel ------------------------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        if self.tunnel is None:
            super().on_data(data)
        else:
            self.touch()
            self.tunnel.feed(data)

    def on_end(self, trailers: Fields = ()) -> None:
        super().on_end(trailers)
        if self.tunnel is not None:
            self.tunnel.end()

    @property
    def awaited(self) -> bool:
        return self.body.awaited if self.tunnel is None else self.tunnel.awaited

    def limit(self, usual: float | None) -> float | None:
        return usual if self.tunnel is None else self.tunnel.idle_limit

    def upgraded(self) -> Stream:
        assert self.tunnel is not None
        return cast("Stream", self.tunnel)

    # -- the response --------------------------------------------------------------------------------------------

    def send_informational(self, head: ResponseHead) -> None:
        if self.error is None:
            fields = [(b":status", b"%d" % head.status_code), *http2_fields.trailer_fields(head.headers, "server")]
            self.connection.send_headers(self, fields)

    def send_response(self, data: ResponseData, method: bytes) -> None:
        content = data.content or b""
        bodiless = method == b"HEAD" or data.status_code in (204, 304)
        trailers: Fields = () if data.trailers is None or bodiless else data.trailers.fields
        fields = http2_fields.response_fields(data, None if bodiless else len(content), self.connection.lower)
        if self.tunnel is not None and data.status_code < 300:
            if data.status_code == 101:
                # The tunnel stands: 200 is to HTTP/2 what 101 is to HTTP/1 (RFC 8441 section 5).
                self.head_sent = True
                if self.error is None:
                    kept = [pair for pair in fields[1:] if pair[0] not in (b"sec-websocket-accept", b"content-length")]
                    self.connection.send_headers(self, [(b":status", b"200"), *kept])
                return
            fields[0] = (b":status", b"502")  # success would be a tunnel, and this is none
        self._send(fields, b"" if bodiless else content, trailers)

    def _send(self, fields: list[tuple[bytes, bytes]], content: bytes, trailers: Fields = ()) -> None:
        """A whole response."""
        self.head_sent = True
        if self.error is not None:
            return
        self.connection.send_headers(self, fields, end=not content and not trailers)
        if content or trailers:
            self.send_body(content)
            self.finish(trailers)

    def begin_response(self, response: Response, incoming: Framing, method: bytes) -> None:
        data = response.data
        self._bodiless = method == b"HEAD" or data.status_code in (204, 304)
        length = None if self._bodiless else http2_fields.streamed_length(incoming, response.stream)
        self.head_sent = True
        if self.error is None:
            fields = http2_fields.response_fields(data, length, self.connection.lower)
            if self.tunnel is not None and data.status_code < 300:
                fields[0] = (b":status", b"502")
            self.connection.send_headers(self, fields)

    def send_body(self, piece: bytes) -> None:
        if not self._bodiless:
            super().send_body(piece)

    def finish(self, trailers: Fields = ()) -> None:
        super().finish(tuple(http2_fields.trailer_fields(trailers, "server")) if trailers else ())

    def fail(self, status: int, reason: str, method: bytes, code: int | None = None) -> None:
        """A page that says why; the stream is reset instead where the origin did the same (``code``)."""
        if code is not None:
            self.reset(code)
            return
        page, body = error_fields(status, reason)
        fields = [(b":status", b"%d" % status), *http2_fields.trailer_fields(page, "server")]
        self._send(fields, b"" if method == b"HEAD" else body)

    # -- ends ----------------------------------------------------------------------------------------------------

    def watch(self, gone: Callable[..., None] | None) -> None:
        if gone is not None and self.error is not None:
            raise self.error
        self._gone = gone

    def on_failure(self, error: ConnectionFailure | ProtocolError) -> None:
        super().on_failure(error)
        if self.tunnel is not None:
            self.tunnel.end(error)
        if self._gone is not None:
            gone, self._gone = self._gone, None
            gone(error)

    def close(self) -> None:
        """Nothing more is said: a stream that is not complete is reset."""
        self.reset(CANCEL)

    def abort(self, code: int | None = None) -> None:
        self.reset(INTERNAL_ERROR if code is None else code)

    def over(self) -> None:
        """The exchange is over: data that the client may still send is not read (RFC 9113 section 8.1)."""
        self._over = True
        if self.local_ended:
            self.reset(NO_ERROR)
        elif not self._finishing:
            self.reset(INTERNAL_ERROR)

    def on_sent_end(self) -> None:
        super().on_sent_end()
        if self._over:
            self.reset(NO_ERROR)


class Http2Server(Http2Connection[ServerStream]):
    """A client's connection."""

    client_side = False

    def __init__(self, context: Context, stream: Stream, origins: Origins) -> None:
        super().__init__(stream, context.options, context.options.body_timeout or None)
        self.context = context
        self.origins = origins
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the client has gone and every exchange is over."""
        context = self.context
        context.on_leave = self.leave
        try:
            data = self.stream.take(len(PREFACE))
            if data == PREFACE:
                self.h2.receive_data(data)
            else:
                self.calm("this is not HTTP/2", code=1)
            await self.pump()
            if isinstance(self.error, ProtocolError):
                await self._refused(self.error)
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self.lost(PeerClosed("the client disconnected", "client"))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            context.busy = False

    async def _refused(self, error: ProtocolError) -> None:
        """The connection ended because of what the client did: recorded, and the client may read why."""
        await record_refused(self.context, b"", error)
        await self.stream.linger()

    # -- requests ------------------------------------------------------------------------------------------------

    def _on_request(self, event: h2_events.RequestReceived) -> None:
        identifier, headers = event.stream_id, event.headers
        stream = ServerStream(self, identifier)
        ended = event.stream_ended is not None
        stream.remote_ended = ended
        if self.closing or len(self.streams) >= MAX_STREAMS:
            self.streams[identifier] = stream
            self.reset(stream, REFUSED_STREAM)
            return
        self.remember(stream)
        try:
            head = http2_fields.read_request(headers, ended, self.validate)
            if head.upgrade:
                head = self._websocket(stream, head)
            flow = self._flow(head, headers)
        except ProtocolError as error:
            self._start(self._refuse(stream, headers, error))
            return
        if ended or stream.tunnel is not None:
            stream.body.close()
        elif head.framing.kind == "length":
            stream.body.expect(head.framing.length)
        self._start(self._exchange(stream, flow, head))

    def _websocket(self, stream: ServerStream, head: RequestHead) -> RequestHead:
        """An extended CONNECT (RFC 8441), as HTTP/1 has it: so it is recorded, and so it goes on.

        Raises ProtocolError for protocols other than WebSocket.
        """
        if head.upgrade.lower() != b"websocket" or stream.remote_ended:
            raise ProtocolError(f"CONNECT for {shown(head.upgrade)} is not supported", status=501)
        stream.tunnel = Http2Tunnel(stream)
        key = base64.b64encode(os.urandom(16))
        fields = ((b"connection", b"Upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-key", key))
        return head._replace(method=b"GET", headers=(*head.headers, *fields), framing=NONE)

    def _start(self, work: Any) -> None:
        if not self.context.busy:
            self.context.busy = True
            self.stream.idle_limit = None  # streams have limits of their own
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _flow(self, head: RequestHead, headers: list[Any]) -> HTTPFlow:
        """Raises ProtocolError."""
        if head.method == b"CONNECT":
            raise ProtocolError("CONNECT over HTTP/2 is not supported", status=501)
        if self.context.destination is None and head.target.startswith(b"/"):
            target = b"%b://%b%b" % (http2_fields.scheme_of(headers), head.host or b"", head.target)
            head = head._replace(target=target)
        return flow_of(self.context, head)

    async def _exchange(self, stream: ServerStream, flow: HTTPFlow, head: RequestHead) -> None:
        try:
            await Exchange(self.context, self.origins, stream, flow, head).run()
        except Exception as error:  # a bug of ours: this stream is lost, the others are not
            self.context.services.log_bug(str(self.context), error)
        finally:
            stream.over()
            self.resets.earn()

    async def _refuse(self, stream: ServerStream, headers: list[Any], error: ProtocolError) -> None:
        """A request that is malformed: recorded as far as it goes; the stream ends, with an answer where there is one.

        RFC 9113 section 8.1.1: a malformed request is a stream error.
        """
        parts = dict(headers)
        line = b"%b %b HTTP/2.0" % (parts.get(b":method", b""), parts.get(b":path", b""))
        if error.status == 400:
            self.malformed(stream, error)
        else:
            stream.fail(error.status, str(error), parts.get(b":method", b""))
            stream.over()
        await record_refused(self.context, line, error)

    HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        **Http2Connection.HANDLERS,
        h2_events.RequestReceived: _on_request,
    }

    # -- the end -------------------------------------------------------------------------------------------------

    def on_idle(self) -> None:
        self.context.busy = False
        self.stream.idle_limit = self.context.options.client_timeout or None
        super().on_idle()

    def leave(self) -> None:
        """The proxy is about to stop: no more requests, those under way may end (RFC 9113 section 6.8)."""
        if self.error is None and not self.closing:
            self.send_goaway()
            self.maybe_close()
