"""HTTP/1 on both sides of an exchange: ``Http1Server`` faces the client, ``Http1Client`` an origin.

Heads are parsed by :mod:`flowdump.engine.http1.heads`, chunks by :mod:`flowdump.engine.http1.chunked`; this module
moves them between a Stream and an exchange. A body is read through a ``BodyReader``, which yields it in pieces as they
arrive, and written through a ``BodyWriter``, which knows how the message is framed (RFC 9112 section 6).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from flowdump.engine.errors import Peer, PeerClosed, ProtocolError
from flowdump.engine.http1 import outgoing
from flowdump.engine.http1.chunked import ChunkedDecoder, encode_chunk, last_chunk
from flowdump.engine.http1.error_page import error_page
from flowdump.engine.http1.framing import CRLF, NONE
from flowdump.engine.http1.heads import (
    Framing,
    RequestHead,
    ResponseHead,
    head_end,
    parse_request_head,
    parse_response_head,
    response_head_bytes,
)
from flowdump.http.headers import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.net.stream import Stream
    from flowdump.http.flow import Request, RequestData, Response, ResponseData


#: Bodies without chunks are passed on in pieces of at most this many bytes.
PIECE: Final = 256 * 1024

#: Bytes of a request line that could not be understood that are recorded.
MAX_LINE: Final = 8192

#: Seconds from the first byte of a head to its last: a byte now and then does not keep a connection.
HEAD_TIME: Final = 60.0


class BodyReader:
    """The body of one incoming message. ``trailers`` are there once it has ended."""

    def __init__(self, stream: Stream, framing: Framing, peer: Peer) -> None:
        self._stream = stream
        self._left = framing.length
        self._kind = framing.kind
        self._peer: Peer = peer
        self._decoder = ChunkedDecoder(peer=peer) if framing.kind == "chunked" else None
        #: Pieces that are decoded already, the next one last: a peer may send very many very small ones.
        self._pieces: list[bytes] = []
        self.ended = framing.kind == "none" or (framing.kind == "length" and framing.length == 0)

    @property
    def trailers(self) -> Fields:
        return self._decoder.trailers if self._decoder is not None else ()

    async def read(self) -> bytes | None:
        """The next piece, None at the end. Raises ProtocolError for bad chunks, PeerClosed when it is cut short."""
        if self._pieces:
            return self._pieces.pop()
        while not self.ended:
            piece = self._take()
            if piece:
                return piece
            if self.ended:
                break
            if not await self._stream.more():
                self._end_of_stream()
        return None

    def _take(self) -> bytes:
        stream = self._stream
        if self._decoder is not None:
            self._pieces = self._decoder.feed(stream.buffer)[::-1]
            stream.consumed()
            self.ended = self._decoder.done
            return self._pieces.pop() if self._pieces else b""
        if not stream.buffer:
            return b""
        if self._kind == "close":
            return stream.take(PIECE)
        piece = stream.take(min(self._left, PIECE))
        self._left -= len(piece)
        self.ended = self._left == 0
        return piece

    def _end_of_stream(self) -> None:
        if self._kind == "close":
            self.ended = True
            return
        missing = f", {self._left} bytes are missing" if self._kind == "length" else ""
        raise PeerClosed(f"the {self._peer} closed the connection in the middle of a body{missing}", self._peer)

    async def whole(self, limit: int | None, spill: int | None = None) -> bytes | None:
        """The whole body. Raises ProtocolError (413 or 502) as soon as it is larger than ``limit`` bytes.

        None as soon as it is larger than ``spill`` bytes; ``read()`` then gives it from its beginning.
        """
        if self._kind == "length":
            check_size(self._left, limit, self._peer)
            if self._left <= len(self._stream.buffer) and not self.ended:  # the usual case: it came with the head
                self.ended = True
                return self._stream.take(self._left)
        pieces, size = [], 0
        while (piece := await self.read()) is not None:
            size += len(piece)
            check_size(size, limit, self._peer)
            pieces.append(piece)
            if spill is not None and size > spill:
                self._pieces += reversed(pieces)
                return None
        return b"".join(pieces)


def check_size(size: int, limit: int | None, peer: Peer) -> None:
    """Raises ProtocolError when a body is larger than ``body_size_limit``."""
    if limit is not None and size > limit:
        what = "request" if peer == "client" else "response"
        raise ProtocolError(
            f"the {what} body is larger than body_size_limit, {limit} bytes",
            status=413 if peer == "client" else 502,
            peer=peer,
        )


class BodyWriter:
    """Writes the body of one outgoing message as its framing wants it."""

    def __init__(self, stream: Stream, framing: Framing) -> None:
        self._stream = stream
        self._kind = framing.kind
        self._left = framing.length

    def write(self, piece: bytes) -> None:
        """Send a piece. Bytes beyond the announced length are an error of the script that transforms the body."""
        if not piece or self._kind == "none":
            return
        if self._kind == "chunked":
            self._stream.write(encode_chunk(piece))
            return
        if self._kind == "length":
            self._left -= len(piece)
            if self._left < 0:
                raise ValueError("the body is longer than its Content-Length")
        self._stream.write(piece)

    def finish(self, trailers: Fields = ()) -> bool:
        """End the body; whether the connection can be used for another message."""
        if self._kind == "chunked":
            self._stream.write(last_chunk(trailers))
        return self._kind != "close" and (self._kind != "length" or self._left == 0)


async def read_head(stream: Stream) -> bytes | None:
    """One head with its empty line, None when the peer ended the connection in front of one.

    Raises ProtocolError for one that is too large, PeerClosed when the connection breaks, TimedOut.
    """
    start = 0
    try:
        while True:
            if stream.buffer:
                end = head_end(stream.buffer, start, stream.peer)
                if end > 0:
                    return stream.take(end)
                start = max(len(stream.buffer) - 3, 0)
                stream.deadline = stream.deadline or asyncio.get_running_loop().time() + HEAD_TIME
            if not await stream.more():
                if stream.buffer.strip(b"\r\n"):
                    raise PeerClosed(f"the {stream.peer} closed the connection in the middle of a head", stream.peer)
                return None
    finally:
        stream.deadline = None


class _Sink:
    """What both sides have in common: a stream, and a body that is sent over it piece by piece."""

    def __init__(self, stream: Stream, validate: bool) -> None:
        self.stream = stream
        self._validate = validate
        self._writer = BodyWriter(stream, NONE)

    def send_body(self, piece: bytes) -> None:
        self._writer.write(piece)

    @property
    def clogged(self) -> bool:
        return self.stream.clogged

    async def drain(self) -> None:
        await self.stream.drain()


class Http1Server(_Sink):
    """The client's side of exchanges: one after the other over one stream."""

    def __init__(self, stream: Stream, validate: bool = True) -> None:
        super().__init__(stream, validate)
        self.head: RequestHead | None = None
        self.body = self._no_body = BodyReader(stream, NONE, "client")
        self.head_sent = False
        self.keep_alive = True
        self._raw = b""

    async def next(self) -> RequestHead | None:
        """The head of the next request, None when there is none. Raises ProtocolError, PeerClosed, TimedOut."""
        self._raw = b""
        raw = await read_head(self.stream)
        if raw is None:
            return None
        self._raw = raw
        head = parse_request_head(raw, validate=self._validate)
        self.head = head
        self.body = self._no_body if head.framing is NONE else BodyReader(self.stream, head.framing, "client")
        self.head_sent = False
        self.keep_alive = head.keep_alive
        return head

    @property
    def request_line(self) -> bytes:
        """The first line of the latest request, as far as it came, well-formed or not."""
        raw = self._raw or bytes(self.stream.buffer[:MAX_LINE])
        return raw.lstrip(CRLF).partition(b"\n")[0].rstrip(CRLF)[:MAX_LINE]

    def watch(self, gone: Callable[[], None] | None) -> None:
        if gone is not None and self.stream.closed:
            raise PeerClosed("the client disconnected", "client")
        self.stream.on_gone = gone

    def send_informational(self, head: ResponseHead) -> None:
        """An interim response (RFC 9110 section 15.2); HTTP/1.0 clients do not know them."""
        if self.head is not None and self.head.version != b"HTTP/1.0":
            self.stream.write(response_head_bytes(b"HTTP/1.1", head.status_code, head.reason, head.headers))

    def send_response(self, data: ResponseData, method: bytes) -> None:
        assert self.head is not None
        self.keep_alive = self.keep_alive and not outgoing.says_close(data.headers)
        head = self.head if self.keep_alive == self.head.keep_alive else self.head._replace(keep_alive=False)
        self.send_whole(*outgoing.whole_response(data, method, head))

    def send_whole(self, head: bytes, body: bytes) -> None:
        """Head and body in one write."""
        self.head_sent = True
        self.stream.write(head + body if body else head)

    def begin_response(self, response: Response, incoming: Framing, method: bytes) -> None:
        assert self.head is not None
        head, framing = outgoing.streamed_response(response, incoming, method, self.head)
        self.head_sent = True
        self._writer = BodyWriter(self.stream, framing)
        self.stream.write(head)

    def finish(self, trailers: Fields = ()) -> None:
        self.keep_alive = self._writer.finish(trailers) and self.keep_alive

    def fail(self, status: int, reason: str, method: bytes, code: int | None = None) -> None:
        """An error page; the connection ends with it."""
        self.keep_alive = False
        self.send_whole(*error_page(status, reason, method))

    def close(self) -> None:
        self.stream.close()

    def abort(self, code: int | None = None) -> None:
        self.stream.abort()

    def upgraded(self) -> Stream:
        self.keep_alive = False
        return self.stream


class Http1Client(_Sink):
    """An origin's side of exchanges: one after the other over one stream."""

    def __init__(self, stream: Stream, validate: bool = True) -> None:
        super().__init__(stream, validate)
        self._method = b""
        #: What another proxy is told with requests in absolute form.
        self.proxy_authorization = b""
        self.body = BodyReader(stream, NONE, "server")
        #: Exchanges that ended on this connection.
        self.served = 0
        #: Whether the request has gone out completely, and the response allows another one after it.
        self.request_sent = self.reusable = False
        self._heads = 0

    def send_request(self, data: RequestData, head: RequestHead, absolute_form: bool) -> None:
        """Head and body in one write."""
        raw, body = outgoing.whole_request(data, head, self.proxy_authorization if absolute_form else None)
        self._method = data.method
        self._heads = 0
        self.request_sent, self.reusable = True, False
        self.stream.write(raw + body if body else raw)

    def begin_request(self, request: Request, head: RequestHead, absolute_form: bool) -> None:
        raw, framing = outgoing.streamed_request(
            request.data, head, request.stream, self.proxy_authorization if absolute_form else None
        )
        self._method = request.data.method
        self._heads = 0
        self.request_sent = self.reusable = False
        self._writer = BodyWriter(self.stream, framing)
        self.stream.write(raw)

    def finish(self, trailers: Fields = ()) -> None:
        self._writer.finish(trailers)
        self.request_sent = True

    async def response(self) -> ResponseHead:
        """The next response head, interim ones included. Raises ProtocolError, PeerClosed."""
        raw = await read_head(self.stream)
        if raw is None:
            raise PeerClosed("the server closed the connection without an answer", "server")
        self._heads += 1
        head = parse_response_head(raw, request_method=self._method, validate=self._validate)
        if head.status_code >= 200 or head.status_code == 101:
            self.body = BodyReader(self.stream, head.framing, "server")
            self.reusable = head.keep_alive and head.framing.kind != "close" and head.status_code != 101
        return head

    def fail(self, error: BaseException) -> None:
        self.stream.fail(error)

    def upgraded(self) -> Stream:
        return self.stream

    @property
    def answered(self) -> bool:
        """Whether the origin has begun to answer the request that was sent last."""
        return self._heads > 0 or bool(self.stream.buffer)

    def release(self) -> bool:
        """The exchange is over: whether the connection can serve another one."""
        self.served += 1
        return self.reusable and self.request_sent and self.body.ended and self.is_idle

    @property
    def is_idle(self) -> bool:
        """Whether an unused connection is still open and the origin has sent no unsolicited data."""
        return not self.stream.at_eof and not self.stream.buffer
