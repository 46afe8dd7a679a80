"""One open connection to an origin, as exchanges get it from the connection pool."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Protocol

from flowdump.connection import Server, hostport
from flowdump.engine.http1.connection import Http1Client

if TYPE_CHECKING:
    from flowdump.engine.interfaces import ServerSide
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.upstream.destination import Destination
    from flowdump.http.flow import HTTPFlow


class Upstream:
    """One open connection to an origin."""

    def __init__(self, destination: Destination, server: Server, stream: Stream, validate: bool) -> None:
        self.destination = destination
        self.server = server
        self.stream = stream
        http = Http1Client(stream, validate)
        if destination.absolute_form and destination.via is not None:
            http.proxy_authorization = destination.via.authorization
        self.http: ServerSide = http
        self.absolute_form = destination.absolute_form
        #: Whether others use the connection at the same time: ``http`` is a stream of it.
        self.is_shared = False

    def shared(self, http: ServerSide) -> Upstream:
        """The same connection, for one exchange."""
        upstream = copy.copy(self)
        upstream.http, upstream.is_shared = http, True
        return upstream

    @property
    def is_idle(self) -> bool:
        """Whether an unused connection is still open and the origin has sent no unsolicited data."""
        return not self.stream.at_eof and not self.stream.buffer

    def __repr__(self) -> str:
        return f"Upstream({hostport((self.destination.host, self.destination.port))}, {self.http.served} served)"


class Origins(Protocol):
    """The connections to origins that an exchange may use: the connection pool of its client."""

    async def get(self, flow: HTTPFlow, upgrading: bool = False) -> Upstream:
        """A connection for the request of ``flow``; of HTTP/1 if it is to be upgraded.

        Raises ConnectError, TlsError, TimedOut.
        """

    def release(self, upstream: Upstream) -> bool:
        """Take a connection back after an exchange; False if it must be discarded."""

    async def discard(self, upstream: Upstream) -> None:
        """Close a connection that cannot be used again."""
