"""Connections to origins: making them, TLS towards them, and keeping them for the next request of the same client.

Every client session has its own ``Upstreams``; nothing is shared between clients. A connection is reused when the last
exchange on it ended cleanly, it is still open and nothing has arrived on it that nobody asked for.
"""

from __future__ import annotations

import asyncio
import copy
import os
import re
import ssl
import time
from typing import TYPE_CHECKING, NamedTuple

from flowdump.connection import ConnectionState, Server, hostport
from flowdump.engine.errors import ConnectError, ConnectionFailure, TimedOut, TlsError
from flowdump.engine.http1 import Http1Client
from flowdump.engine.http2_pool import Http2Pool
from flowdump.engine.stream import Stream
from flowdump.engine.tls_failures import describe_failure
from flowdump.hook_data import ServerData
from flowdump.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.session import Session
    from flowdump.engine.sides import ServerSide
    from flowdump.http import HTTPFlow


class Destination(NamedTuple):
    """Where to: ``tls`` tells whether TLS is spoken there, ``sni`` the name that is asked for (None is the host)."""

    host: str
    port: int
    tls: bool
    sni: str | None = None


class Upstream:
    """One open connection to an origin."""

    def __init__(self, destination: Destination, server: Server, stream: Stream, validate: bool) -> None:
        self.destination = destination
        self.server = server
        self.stream = stream
        self.http: ServerSide = Http1Client(stream, validate)
        self.absolute_form = False
        #: Whether others use the connection at the same time: ``http`` is a stream of it.
        self.is_shared = False

    def shared(self, http: ServerSide) -> Upstream:
        """The same connection, for one exchange."""
        upstream = copy.copy(self)
        upstream.http, upstream.is_shared = http, True
        return upstream

    @property
    def is_idle(self) -> bool:
        """Whether an unused connection is still open and the origin has sent nothing that nobody asked for."""
        return not self.stream.at_eof and not self.stream.buffer

    def __repr__(self) -> str:
        return f"Upstream({hostport((self.destination.host, self.destination.port))}, {self.http.served} served)"


class Upstreams:
    """The connections of one client session to origins."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: Open connections that nobody uses, by destination; a client of HTTP/2 may need several at once.
        self._idle: dict[Destination, list[Upstream]] = {}
        self._http2 = Http2Pool(session, self._closed)
        #: Why an origin could not be had when its certificate was looked at; told to the first request.
        self.failed: dict[Destination, ConnectionFailure] = {}

    async def get(self, flow: HTTPFlow) -> Upstream:
        """A connection for the request of ``flow``, reused or new. Raises ConnectError, TlsError, TimedOut."""
        data = flow.request.data
        destination = self._session.destination_of(data)
        upstream = await self._http2.get(destination) or await self._reused(destination)
        if upstream is not None:
            return upstream
        failure = self.failed.pop(destination, None)
        if failure is not None:
            raise failure
        flow.server_conn = Server(address=(destination.host, destination.port))
        return await self._http2.connect(destination, flow.server_conn, self.connect)

    async def _reused(self, destination: Destination) -> Upstream | None:
        """An idle connection that is still good."""
        idle = self._idle.get(destination)
        while idle:
            upstream = idle.pop()
            if not idle:
                self._idle.pop(destination, None)
            if upstream.is_idle:
                return upstream
            await self._close(upstream)
            if not upstream.http.served and isinstance(upstream.stream.error, ssl.SSLError):
                # An origin may refuse a client certificate when our side of a TLS 1.3 handshake is done already.
                raise TlsError(describe_failure(upstream.stream.error, "server"))
        if len(self._idle) > MAX_IDLE:
            for upstream in self._idle.pop(next(iter(self._idle))):
                await self._close(upstream)
        return None

    def keep(self, upstream: Upstream) -> None:
        """Have a connection ready for the next request to its destination."""
        if not self._http2.adopt(upstream):
            self._idle.setdefault(upstream.destination, []).append(upstream)

    async def release(self, upstream: Upstream) -> None:
        """Take a connection back after an exchange; one that cannot be used again is closed."""
        if upstream.http.release():
            self._idle.setdefault(upstream.destination, []).append(upstream)
        elif not upstream.is_shared:
            await self._close(upstream)

    async def close_all(self) -> None:
        await self._http2.close()
        while self._idle:
            for upstream in self._idle.popitem()[1]:
                await self._close(upstream)

    async def _close(self, upstream: Upstream) -> None:
        upstream.stream.close()
        await self._closed(upstream.server)

    async def _closed(self, server: Server) -> None:
        server.timestamp_end = time.time()
        server.state = ConnectionState.CLOSED
        handlers = self._session.hooks.table.server_disconnected
        if handlers:
            await fire(handlers, ServerData(server, self._session.client))

    # -- connecting ----------------------------------------------------------------------------------------------

    async def connect(self, destination: Destination, server: Server) -> Upstream:
        """Open a connection, TLS included. Raises ConnectError, TlsError, TimedOut."""
        table = self._session.hooks.table
        data = ServerData(server, self._session.client)
        server.timestamp_start = time.time()
        if table.server_connect:
            await fire(table.server_connect, data)
        try:
            if server.error:
                raise ConnectError(server.error)
            stream = await self._open(server)
            upstream = Upstream(destination, server, stream, self._session.options.validate_inbound_headers)
        except (ConnectError, TimedOut) as error:
            server.error = str(error)
            if table.server_connect_error:
                await fire(table.server_connect_error, data)
            raise
        if table.server_connected:
            await fire(table.server_connected, data)
        if destination.tls:
            try:
                await self._session.proxy.tls.connect(self._session, upstream)
            except (TlsError, TimedOut) as error:
                server.error = str(error)
                await self._closed(server)
                raise
        stream.idle_limit = self._session.options.response_timeout or None
        return upstream

    async def _open(self, server: Server) -> Stream:
        session = self._session
        assert server.address is not None
        host, port = server.address[0], server.address[1]
        streams, dialer = session.proxy.streams, session.proxy.dialer
        try:
            async with asyncio.timeout(session.options.connect_timeout or None):
                stream = await dialer.dial(host, port, session.options.connect_addr, lambda: Stream("server", streams))
        except TimeoutError:
            raise TimedOut(f"connecting to {hostport(server.address)} took too long") from None
        except (OSError, UnicodeError, ValueError) as error:
            raise ConnectError(f"cannot connect to {hostport(server.address)}: {_reason(error)}") from None
        server.peername = stream.info("peername")
        server.sockname = stream.info("sockname")
        server.timestamp_tcp_setup = time.time()
        server.state = ConnectionState.OPEN
        if session.proxy.is_own_address(server.peername):
            stream.abort()
            raise ConnectError(f"{hostport(server.address)} is this proxy itself")
        return stream


#: Idle connections to different origins that one client session keeps.
MAX_IDLE = 32


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error)
    number = re.search(r"\[Errno (\d+)\]", str(error))  # asyncio's own words for it are for programmers
    if number:
        return os.strerror(int(number[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
