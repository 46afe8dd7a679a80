"""Connections to origins: making them, TLS towards them, and keeping them for the next request of the same client.

Every client session has its own ``Upstreams``; nothing is shared between clients. A connection is reused when the last
exchange on it ended cleanly, it is still open and no unsolicited data has arrived on it.
"""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

from flowdump.connection import ConnectionState, Server
from flowdump.engine.errors import ConnectError, ConnectionFailure, ScriptFailed, TimedOut, TlsError
from flowdump.engine.http1.framing import shown
from flowdump.engine.http2.pool import Http2Pool
from flowdump.engine.tls.failures import describe_failure
from flowdump.engine.upstream import proxy_chain
from flowdump.engine.upstream.connection import Upstream
from flowdump.engine.upstream.destination import Destination, via_of_server
from flowdump.runtime.hook_data import ServerData
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.context import Context
    from flowdump.http.flow import HTTPFlow, RequestData


class Upstreams:
    """The connections of one client session to origins."""

    def __init__(self, context: Context) -> None:
        self._context = context
        #: Idle connections by destination; a client of HTTP/2 may need several at once.
        self._idle: dict[Destination, list[Upstream]] = {}
        #: Connections that were made before the client had spoken.
        self._aside: dict[Destination, Upstream] = {}
        self._http2 = Http2Pool(context, self._closed)
        #: Why an origin could not be had when its certificate was looked at; told to the first request.
        self.failed: dict[Destination, ConnectionFailure] = {}

    async def get(self, flow: HTTPFlow, upgrading: bool = False) -> Upstream:
        """A connection for the request of ``flow``, reused or new; one of HTTP/1 if it is to become something else.

        Raises ConnectError, TlsError, TimedOut.
        """
        destination = self._destination(flow)
        idle = self._idle.get(destination)
        if idle and len(idle) == 1 and not self._http2.has(destination) and idle[0].is_idle:
            return self._idle.pop(destination)[0]  # the fast path: what follows, for the usual case
        shared = None if upgrading else await self._http2.get(destination)
        upstream = shared or await self._reused(destination)
        if upstream is not None:
            return upstream
        failure = self.failed.pop(destination, None)
        if failure is not None:
            raise failure
        flow.server_conn = Server(address=(destination.host, destination.port))
        if upgrading:
            flow.server_conn.alpn_offers = [b"http/1.1"]
            return await self.connect(destination, flow.server_conn)
        return await self._http2.connect(destination, flow.server_conn, self.connect)

    def _asked_for(self, data: RequestData) -> Destination:
        """Where a request goes; scripts may have changed that. Raises ScriptFailed for a scheme that is not HTTP."""
        own = self._context.destination
        tls = data.scheme == b"https"
        if own is not None and (own.host, own.port, own.tls) == (data.host, data.port, tls):
            return own
        if not tls and data.scheme != b"http":
            raise ScriptFailed(f"a script set the scheme {shown(data.scheme)}, which is not HTTP")
        return Destination(data.host, data.port, tls)

    def _destination(self, flow: HTTPFlow) -> Destination:
        """Where the request of ``flow`` goes, and through which proxy. Raises ConnectError for what is no proxy."""
        context = self._context
        destination = self._asked_for(flow.request.data)
        if flow.server_conn.via is None and context.via is None:
            return destination
        via = via_of_server(flow.server_conn, context.via, context.options)
        absolute = via is not None and via.is_http and not destination.tls and context.destination is None
        return destination._replace(via=via, absolute_form=absolute)

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

    def release(self, upstream: Upstream) -> bool:
        """Take a connection back after an exchange; False for one that cannot be used again, and is to be discarded."""
        if upstream.http.release():
            self._idle.setdefault(upstream.destination, []).append(upstream)
            return True
        return upstream.is_shared

    async def close_all(self) -> None:
        await self._http2.close()
        while self._aside:
            await self._close(self._aside.popitem()[1])
        while self._idle:
            for upstream in self._idle.popitem()[1]:
                await self._close(upstream)

    def forget(self) -> None:
        """The session has ended. What holds each other waits for the collector, and TLS is large."""
        del self._http2, self._context

    async def discard(self, upstream: Upstream) -> None:
        """A connection that is of no use any more."""
        await self._close(upstream)

    async def _close(self, upstream: Upstream) -> None:
        upstream.stream.close()
        await self._closed(upstream.server)

    async def _closed(self, server: Server) -> None:
        server.timestamp_end = time.time()
        server.state = ConnectionState.CLOSED
        handlers = self._context.hooks.table.server_disconnected
        if handlers:
            await fire(handlers, ServerData(server, self._context.client))

    # -- connecting ----------------------------------------------------------------------------------------------

    async def connect(self, destination: Destination, server: Server) -> Upstream:
        """Open a connection, TLS included. Raises ConnectError, TlsError, TimedOut."""
        upstream = self.take(destination)
        if upstream is not None:
            server.__dict__.update(upstream.server.__dict__)
            upstream.server = server
            return upstream
        opened = await self._opened(destination) if destination.tls and self._aside else None
        if opened is not None:  # the client took its time to speak, so that it was connected to before
            server.__dict__.update(opened.server.__dict__)
            upstream = Upstream(destination, server, opened.stream, self._context.options.validate_inbound_headers)
        else:
            upstream = await self._open(destination, server)
        if destination.tls:
            try:
                await self._context.services.tls.connect(self._context, upstream)
            except (TlsError, TimedOut) as error:
                server.error = str(error)
                await self._closed(server)
                raise
        upstream.stream.idle_limit = self._context.options.response_timeout or None
        return upstream

    def put_aside(self, upstream: Upstream) -> None:
        """Keep a connection until it is known which protocol the client speaks."""
        self._aside[upstream.destination] = upstream

    def take(self, destination: Destination) -> Upstream | None:
        """A connection that was not used yet; its server may have spoken already."""
        upstream = self._aside.pop(destination, None)
        idle = self._idle.get(destination)
        if upstream is None and idle and not idle[-1].http.served:
            upstream = idle.pop()
            if not idle:
                del self._idle[destination]
        if upstream is not None and upstream.stream.at_eof and not upstream.stream.buffer:
            self._idle.setdefault(destination, []).append(upstream)  # the next look-up closes it
            return None
        return upstream

    async def _opened(self, destination: Destination) -> Upstream | None:
        """A connection for a TLS destination on which TLS has not begun yet."""
        opened = self._aside.pop(destination._replace(tls=False, sni=None), None)
        if opened is not None and not opened.is_idle:
            await self._close(opened)
            return None
        return opened

    async def _open(self, destination: Destination, server: Server) -> Upstream:
        """Open a connection, up to where TLS with the origin begins, with its events."""
        context = self._context
        table, data = context.hooks.table, ServerData(server, context.client)
        server.timestamp_start = time.time()
        if destination.via is not None:
            server.via = destination.via.spec
        via = server.via
        if table.server_connect:
            await fire(table.server_connect, data)
        try:
            if server.error:
                raise ConnectError(server.error)
            if server.via != via or server.via_auth is not None:
                destination = destination._replace(via=via_of_server(server, context.via, context.options))
            stream = await proxy_chain.connect(context, server, destination.via, tunnel=not destination.absolute_form)
        except (ConnectError, TlsError, TimedOut) as error:
            server.error = str(error)
            if table.server_connect_error:
                await fire(table.server_connect_error, data)
            raise
        if table.server_connected:
            await fire(table.server_connected, data)
        return Upstream(destination, server, stream, context.options.validate_inbound_headers)


#: Idle connections to different origins that one client session keeps.
MAX_IDLE = 32
