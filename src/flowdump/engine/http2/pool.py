"""The HTTP/2 connections of a client session: one per destination, shared by its exchanges.

Whether an origin speaks HTTP/2 shows when TLS is up. So while the first exchange connects, others with the same
destination wait: they share its connection, or learn that each needs one of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flowdump.engine.errors import ConnectionFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowdump.connection import Server
    from flowdump.engine.context import Context
    from flowdump.engine.http2.client import Http2Client
    from flowdump.engine.upstream.connection import Upstream
    from flowdump.engine.upstream.destination import Destination


class Http2Pool:
    """``closed`` is called with the facts of a connection that has ended."""

    def __init__(self, context: Context, closed: Callable[[Server], Awaitable[None]]) -> None:
        self._context = context
        self._closed = closed
        self._connections: dict[Destination, Http2Client] = {}
        #: Connection attempts under way; the result is the error, or None.
        self._connecting: dict[Destination, asyncio.Future[ConnectionFailure | None]] = {}
        #: Destinations that were found to speak HTTP/1 only.
        self._http1: set[Destination] = set()
        #: Connections that have not ended, the ones that take no more streams too.
        self._open: set[Http2Client] = set()
        self._endings: set[asyncio.Task[None]] = set()

    def has(self, destination: Destination) -> bool:
        """Whether there is a connection to a destination, or will be."""
        return destination in self._connections or destination in self._connecting

    async def get(self, destination: Destination) -> Upstream | None:
        """A stream on the connection to a destination, None if there is none. Raises ConnectionFailure."""
        while True:
            connecting = self._connecting.get(destination)
            if connecting is not None:
                error = await asyncio.shield(connecting)
                if error is not None:
                    raise error
                continue
            connection = self._connections.get(destination)
            if connection is None:
                return None
            stream = await connection.acquire()
            if stream is not None:
                return connection.upstream.shared(stream)
            if self._connections.get(destination) is connection:
                del self._connections[destination]

    async def connect(
        self, destination: Destination, server: Server, connect: Callable[[Destination, Server], Awaitable[Upstream]]
    ) -> Upstream:
        """A new connection, or a stream on it if it speaks HTTP/2. Raises ConnectError, TlsError, TimedOut."""
        if destination in self._http1 or not self.possible(destination):
            return await connect(destination, server)
        done = self._connecting[destination] = asyncio.get_running_loop().create_future()
        error: ConnectionFailure | None = None
        try:
            upstream = await connect(destination, server)
            self.adopt(upstream)
        except ConnectionFailure as failure:
            error = failure
            raise
        finally:
            del self._connecting[destination]
            done.set_result(error)
        return await self.get(destination) or upstream

    def possible(self, destination: Destination) -> bool:
        """Whether a connection to a destination may turn out to speak HTTP/2."""
        return bool(self._context.options.http2) and (destination.tls or self._by_prior_knowledge(destination))

    def _by_prior_knowledge(self, destination: Destination) -> bool:
        """A client that speaks HTTP/2 without TLS knows that its origin does (RFC 9113 section 3.3), or guesses."""
        guess = self._context.prior_knowledge and not destination.tls and destination == self._context.destination
        return guess and destination not in self._http1

    def adopt(self, upstream: Upstream) -> bool:
        """Take over a connection if it speaks HTTP/2."""
        destination = upstream.destination
        if upstream.server.alpn != b"h2" and not self._by_prior_knowledge(destination):
            self._http1.add(destination)
            return False
        from flowdump.engine.http2.client import Http2Client

        connection = Http2Client(upstream, self._context.options, self._on_end)
        self._connections[destination] = connection
        self._open.add(connection)
        return True

    def _on_end(self, connection: Http2Client) -> None:
        self._open.discard(connection)
        if connection.speaks_http1:
            self._http1.add(connection.upstream.destination)
        if self._connections.get(connection.upstream.destination) is connection:
            del self._connections[connection.upstream.destination]
        ending = asyncio.get_running_loop().create_task(self._ended(connection.upstream.server))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _ended(self, server: Server) -> None:
        await self._closed(server)

    async def close(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            connection.leave_all()
        while self._open or self._endings:
            await asyncio.wait({connection.task for connection in self._open} | self._endings)
