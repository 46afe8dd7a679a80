"""The two ends of an exchange, as ``exchange.py`` sees them.

``ClientSide`` sent the request, ``ServerSide`` answers it; HTTP/1, HTTP/2 and client replay implement them. Both
take messages as the flow has them and apply what their protocol needs on the way out: framing,
pseudo-headers, fields that are for one hop only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowdump.http.headers import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.http1.heads import Framing, RequestHead, ResponseHead
    from flowdump.engine.net.stream import Stream
    from flowdump.http.flow import Request, RequestData, Response, ResponseData


class Body(Protocol):
    """A body that comes in. Reading raises ProtocolError, PeerClosed, TimedOut."""

    #: Whether it has been read to its end.
    ended: bool

    @property
    def trailers(self) -> Fields:
        """The fields after it, once it has ended."""

    async def read(self) -> bytes | None:
        """The next piece, None at the end."""

    async def whole(self, limit: int | None, spill: int | None = None) -> bytes | None:
        """All of it. Raises ProtocolError (413 or 502) as soon as it is larger than ``limit`` bytes.

        None as soon as it is larger than ``spill`` bytes; ``read()`` then gives it from its beginning.
        """


class Sink(Protocol):
    """Where a streamed body goes: ``begin_…`` came before, ``finish`` comes after."""

    @property
    def clogged(self) -> bool:
        """Whether ``drain`` has something to wait for, or to say."""

    def send_body(self, piece: bytes) -> None:
        """Send a piece; never waits."""

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was sent. Raises PeerClosed."""

    def finish(self, trailers: Fields = ()) -> None:
        """The body is complete."""


class ClientSide(Sink, Protocol):
    """Who asked. One exchange at a time (HTTP/1), or an object for each (HTTP/2, replay)."""

    @property
    def body(self) -> Body:
        """The body of the request."""

    #: Whether the head of the final response has gone out.
    head_sent: bool
    #: Whether another request may follow; may be set to False.
    keep_alive: bool

    def watch(self, gone: Callable[..., None] | None) -> None:
        """Call ``gone`` when the client is certainly gone. Raises PeerClosed if it is already. None ends the watch.

        ``gone`` may be given the error that says why.
        """

    def send_informational(self, head: ResponseHead) -> None:
        """An interim response (RFC 9110 section 15.2)."""

    def send_response(self, data: ResponseData, method: bytes) -> None:
        """A response that is here completely, to a request of ``method``."""

    def begin_response(self, response: Response, incoming: Framing, method: bytes) -> None:
        """The head of a response whose body follows, framed so when it came in."""

    def fail(self, status: int, reason: str, method: bytes, code: int | None = None) -> None:
        """There is no better answer than a page that says why. ``code`` is what the origin said in HTTP/2, if any."""

    def close(self) -> None:
        """Nothing more is said; what was sent still goes out."""

    def abort(self, code: int | None = None) -> None:
        """End in a way that cannot be mistaken for the end of a message."""

    def upgraded(self) -> Stream:
        """The bytes after a 101, or a CONNECT that was agreed to."""


class ServerSide(Sink, Protocol):
    """Who answers."""

    @property
    def body(self) -> Body:
        """The body of the response, once its head is there."""

    #: Exchanges that ended on the connection.
    served: int

    def send_request(self, data: RequestData, head: RequestHead, absolute_form: bool) -> None:
        """A request that is here completely; ``head`` is what it looked like when it came."""

    def begin_request(self, request: Request, head: RequestHead, absolute_form: bool) -> None:
        """The head of a request whose body follows."""

    async def response(self) -> ResponseHead:
        """The next response head, interim ones included. Raises ProtocolError, PeerClosed, TimedOut."""

    def fail(self, error: BaseException) -> None:
        """Raise ``error`` in the task that waits for the server, now or later, and cut what is under way."""

    @property
    def answered(self) -> bool:
        """Whether the server has begun to answer the request that was sent last."""

    def release(self) -> bool:
        """The exchange is over: whether the connection can serve another one."""

    def upgraded(self) -> Stream:
        """The bytes after a 101."""
