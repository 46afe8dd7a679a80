"""One client connection: which protocol it speaks, where it wants to go, one exchange after the other.

Straight-line coroutines, and the call stack is the protocol stack. CONNECT answers 200 and calls ``serve`` again, now
with a destination; TLS is switched on inside the stream and ``serve_http`` is called again. The outer call sleeps
until the inner one returns, so an upgrade costs nothing per byte afterwards.

::

    run ─ destination of the mode ─ serve ─┬─ TLS: intercept ─┬─ serve_http: HTTP/1, HTTP/2, CONNECT → serve
                                           │                  └─ serve (raw protocols inside TLS)
                                           ├─ serve_http
                                           ├─ serve_raw (recorded)
                                           └─ pass_through (not looked at)
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flowdump.connection import Client, ConnectionState, Server, hostport
from flowdump.engine.context import Context
from flowdump.engine.errors import ConnectionFailure, PeerClosed, ProtocolError, TimedOut
from flowdump.engine.exchange import Exchange, sendable
from flowdump.engine.http1 import request_target
from flowdump.engine.http1.connection import Http1Server
from flowdump.engine.http1.framing import shown
from flowdump.engine.http1.heads import response_head_bytes
from flowdump.engine.listen import first_bytes
from flowdump.engine.listen.destination import DESTINATIONS
from flowdump.engine.relay import tcp
from flowdump.engine.requests import flow_of, new_flow, refused_flow
from flowdump.engine.tls import client_hello
from flowdump.engine.upstream.connection import Upstream
from flowdump.engine.upstream.destination import Destination, via_of_mode
from flowdump.engine.upstream.pool import Upstreams
from flowdump.http import urls
from flowdump.http.response import Response
from flowdump.runtime import hook_data
from flowdump.runtime.hook_data import ClientHelloData, TlsData
from flowdump.runtime.hooks import fire
from flowdump.tcp import TCPFlow

if TYPE_CHECKING:
    from flowdump.engine.context import Services
    from flowdump.engine.http1.heads import RequestHead
    from flowdump.engine.listen.modes import Mode
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.tls.interception import Interception
    from flowdump.http.flow import HTTPFlow


class Session:
    """What happens on one client connection."""

    def __init__(self, services: Services, tls: Interception, stream: Stream, mode: Mode) -> None:
        self.stream = stream
        self.options = services.options
        self.hosts = services.hosts
        self.tls = tls
        self.client = Client(
            peername=stream.info("peername") or ("", 0),
            sockname=stream.info("sockname") or ("", 0),
            timestamp_start=time.time(),
            proxy_mode=mode.stored,
        )
        self.client.state = ConnectionState.OPEN
        self.context = Context(services, self.client, mode, via_of_mode(mode, services.options))
        self.upstreams = Upstreams(self.context)

    async def run(self) -> None:
        """From the first byte to the last; raises only cancellation and bugs."""
        context, table = self.context, self.context.hooks.table
        try:
            await fire(table.client_connected, self.client)
            if self.client.error:  # a script refuses the client
                self.stream.abort()
                raise PeerClosed(f"refused: {self.client.error}", "client")
            find = DESTINATIONS.get(context.mode.kind)
            if find is not None:
                context.destination = await find(context, self.stream)
                if context.destination is None:
                    return
            await self.serve()
        except ConnectionFailure as error:
            context.log.debug(f"{self}: {error}")
        finally:
            self.stream.close()
            await self.upstreams.close_all()
            context.closed()
            await fire(context.hooks.table.client_disconnected, self.client)
            self.upstreams.forget()

    async def serve(self) -> None:
        """Find out which protocol the client speaks, and serve it."""
        context, stream = self.context, self.stream
        if context.mode.speaks_dns:
            # DNS over TCP, unless the name server is one of ignore_hosts.
            from flowdump.engine.dns import transport  # only DNS modes need it

            target = self.context.mode.target
            if target is not None and self.hosts.is_ignored(hostport((target.host, target.port))):
                await self.pass_through()
            else:
                await transport.TcpServer(self.context, self.stream, self.upstreams).run()
            return
        destination = context.destination
        stream.idle_limit = self.options.client_timeout or None
        if not await self._client_begins():
            return
        if destination is None:
            await self._secure_proxy_connection()
            await self.serve_http()
            return
        place = hostport(destination[:2])
        if not self.client.tls:
            if stream.buffer[0] == client_hello.HANDSHAKE:
                await self.intercept()
                return
            if self.hosts.is_ignored(place):
                await self.pass_through()
                return
        if context.is_raw or self.hosts.is_raw(place):
            await self.serve_raw()
        elif not self.options.rawtcp or context.mode.kind == "reverse" or await first_bytes.is_http(stream):
            await self.serve_http()
        else:
            await self.serve_raw()

    async def _client_begins(self) -> bool:
        """Wait for the first bytes. False if none come, or if the server spoke first: then it has been relayed."""
        began = await first_bytes.wait(self.context, self.stream, self.upstreams)
        if isinstance(began, Upstream):
            await self._relay_raw(began)
            return False
        return began

    # -- TLS with the client -------------------------------------------------------------------------------------

    async def intercept(self) -> None:
        """The client begins a TLS handshake: pass it through, or answer it and serve what comes inside.

        The ClientHello is looked at while it is still in the buffer. It names the host and the protocols that the
        client wants before anything is answered, so the origin can be asked first: the names of its certificate go
        into ours, and its choice of protocol (ALPN) is what the client is offered.

        An origin that cannot be reached or verified does not end the client's connection. The client gets its
        handshake, and each of its requests a 502 that says why.
        """
        context, client, tls = self.context, self.client, self.tls
        destination = context.destination
        assert destination is not None
        pair = hook_data.Context(client, Server(address=(destination.host, destination.port)))
        try:
            hello = await tls.client_hello(self.stream)
        except ConnectionFailure as error:
            await tls.failed(context, TlsData(client, pair), error)
            raise
        client.sni, client.alpn_offers = hello.sni, hello.alpn_protocols
        data = ClientHelloData(pair, hello)
        await fire(context.hooks.table.tls_clienthello, data)
        reverse = context.mode.kind == "reverse"
        # Without SNI, a client is answered for the host that it has connected to, which in reverse mode is ours.
        name = hello.sni or (str(client.sockname[0]) if reverse else destination.host)
        places = (hostport((name, destination.port)), hostport((destination.host, destination.port)))
        if data.ignore_connection or self.hosts.is_ignored(*places):
            await self.pass_through()
            return
        client.tls = True
        if reverse:  # its server is asked for by its own name, unless the client's is kept altogether
            destination = destination._replace(sni=hello.sni if self.options.keep_host_header else None)
        else:
            destination = destination._replace(tls=True, sni=hello.sni)
        context.destination = destination
        context.is_raw = context.is_raw or self.hosts.is_raw(*places)
        upstream = None
        eager = self.options.upstream_cert and self.options.connection_strategy == "eager"
        if destination.tls and (eager or data.establish_server_tls_first):
            try:
                upstream = await self.upstreams.connect(destination, pair.server)
                self.upstreams.keep(upstream)  # for the first request
            except ConnectionFailure as error:
                self.upstreams.failed[destination] = error
        leaf = tls.leaf(name, destination.host, upstream)
        client.mitmcert = leaf.cert
        await tls.accept(context, self.stream, leaf, tls.alpn_for_client(context, upstream), pair)
        if tls.speaks_another_protocol(client) and self.options.rawtcp and not reverse:
            context.is_raw = True
        if client.alpn and not context.is_raw:
            await self.serve_http()
        else:
            await self.serve()

    async def _secure_proxy_connection(self) -> None:
        """Answer a client that speaks TLS with the proxy itself (``https://`` in its proxy settings).

        The certificate is for the name by which the client calls the proxy, else for the address it has connected to.
        """
        if self.stream.buffer[0] != client_hello.HANDSHAKE:
            return
        await self.tls.accept_as_proxy(self.context, self.stream)
        if not await self._client_begins():
            raise PeerClosed("the client asked for nothing", "client")

    # -- HTTP ----------------------------------------------------------------------------------------------------

    async def serve_http(self) -> None:
        """One exchange after the other, until the client or the server ends the connection."""
        context, stream = self.context, self.stream
        context.prior_knowledge = not self.client.tls and self.options.http2 and stream.buffer.startswith(b"PRI ")
        if self.client.alpn == b"h2" or context.prior_knowledge:
            from flowdump.engine.http2 import server as http2_server

            await http2_server.serve(context, stream, self.upstreams)
            return
        client = Http1Server(stream, self.options.validate_inbound_headers)
        limit = self.options.client_timeout or None
        while client.keep_alive and not context.services.stopping:
            stream.idle_limit = limit
            try:
                head = await client.next()
            except (ProtocolError, ConnectionFailure) as error:
                await self._refuse(error, client)
                return
            if head is None:
                return
            context.busy = True
            stream.idle_limit = self.options.body_timeout or None
            try:
                if head.method == b"CONNECT" and context.destination is None:
                    await self._connect(head, client)
                    return
                flow = flow_of(context, head)
            except ProtocolError as error:
                await self._refuse(error, client)
                return
            await Exchange(context, self.upstreams, client, flow, head).run()
            context.busy = False
        if not client.body.ended:
            await stream.linger()

    async def _refuse(self, error: ProtocolError | ConnectionFailure, client: Http1Server) -> None:
        """Record a request that cannot be understood, as far as it goes, answer it, and end the connection."""
        line = client.request_line
        if not line and isinstance(error, ConnectionFailure):
            raise error  # the client went away between two requests, as it may
        data = request_target.told(line, self.context.destination)
        flow = await refused_flow(self.context, data, error)
        status = error.status
        if isinstance(error, ConnectionFailure):
            status = 408 if isinstance(error, TimedOut) else 400
        client.fail(status, str(error), data.method)
        self.context.finished(flow)
        await self.stream.linger()

    async def _connect(self, head: RequestHead, client: Http1Server) -> None:
        """A tunnel to the authority of a CONNECT request (RFC 9110 section 9.3.6). Raises ProtocolError."""
        context = self.context
        table = context.hooks.table
        try:
            host, port = urls.parse_authority(head.target, check=True)
        except ValueError as error:
            raise ProtocolError(f"CONNECT to {shown(head.target)}: {error}", status=400) from None
        if not port:
            raise ProtocolError(f"CONNECT to {shown(head.target)}: a port is missing", status=400)
        data = request_target.request_data(head)
        data.host, data.port, data.authority = host, port, head.target
        flow = new_flow(context, data)
        await fire(table.http_connect, flow)
        await context.wait_for_resume(flow)
        if flow.error is not None:
            self.stream.abort()
            await fire(table.http_connect_error, flow)
            context.finished(flow)
            return
        if flow.response is not None and not 200 <= sendable(flow).status_code < 300:
            await self._refuse_tunnel(flow, flow.response, client)
            return
        self.stream.write(response_head_bytes(b"HTTP/1.1", 200, b"Connection established", ()))
        if table.http_connected:
            flow.response = flow.response or Response.make(200)
            await fire(table.http_connected, flow)
        flow.live = None
        host, port = flow.request.host, flow.request.port  # a script may have changed them
        context.destination = Destination(host, port, tls=False, via=context.via)
        context.busy = False
        if self.hosts.is_passed(host, port):
            await self.pass_through()
        else:
            await self.serve()

    async def _refuse_tunnel(self, flow: HTTPFlow, response: Response, client: Http1Server) -> None:
        """Send what a script answers to CONNECT instead of 200."""
        fields = (*response.data.headers.fields, (b"Connection", b"close"))
        head = response_head_bytes(b"HTTP/1.1", response.status_code, response.data.reason, fields)
        client.send_whole(head, response.data.content or b"")
        await fire(self.context.hooks.table.http_connect_error, flow)
        self.context.finished(flow)

    # -- other protocols -----------------------------------------------------------------------------------------

    async def serve_raw(self) -> None:
        """Relay raw TCP, recorded."""
        assert self.context.destination is not None
        await self._join(self.context.destination, record=True)

    async def pass_through(self) -> None:
        """Passthrough: join the client and its destination untouched; recorded only with ``show_ignored_hosts``."""
        assert self.context.destination is not None
        destination = self.context.destination._replace(tls=False, sni=None)
        await self._join(destination, record=self.options.show_ignored_hosts)

    async def _join(self, destination: Destination, record: bool) -> None:
        server = self.context.new_server()
        try:
            upstream = await self.upstreams.connect(destination, server)
        except ConnectionFailure as error:
            if record:
                await tcp.record_failure(self.context, error, server)
            self.stream.abort()
            raise
        await self._relay_raw(upstream, record)

    async def _relay_raw(self, upstream: Upstream, record: bool = True) -> None:
        """Join the client and an open connection to its destination."""
        context = self.context
        if self.options.proxyauth and not (context.mode.is_proxy or context.mode.kind == "socks5"):
            error = ProtocolError("raw TCP has no place for the credentials that proxyauth asks for", status=401)
            await self.upstreams.discard(upstream)
            await tcp.record_failure(context, error, upstream.server)
            self.stream.abort()
            return
        context.busy = True
        try:
            flow = TCPFlow(self.client, upstream.server, live=context) if record else None
            await tcp.relay(context, self.stream, upstream.stream, flow)
        finally:
            await self.upstreams.discard(upstream)

    def __repr__(self) -> str:
        return repr(self.context)
