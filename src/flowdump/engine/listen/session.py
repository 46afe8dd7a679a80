"""One client connection: which protocol it speaks, where it wants to go, one exchange after the other.

Straight-line coroutines, and the call stack is the protocol stack: CONNECT answers 200 and calls ``serve`` again, with
a destination; TLS is switched on in the stream and ``serve_http`` is called again. The outer call sleeps from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from flowdump.connection import Client, ConnectionState, Server, hostport
from flowdump.engine.errors import ConnectionFailure, PeerClosed, ProtocolError, TimedOut
from flowdump.engine.exchange import Exchange, sendable
from flowdump.engine.held import Held
from flowdump.engine.http1 import request_target
from flowdump.engine.http1.connection import Http1Server
from flowdump.engine.http1.framing import shown
from flowdump.engine.http1.heads import response_head_bytes
from flowdump.engine.listen import first_bytes
from flowdump.engine.listen.destination import ENTRANCES
from flowdump.engine.relay import tcp
from flowdump.engine.upstream.pool import Destination, Upstream, Upstreams
from flowdump.engine.upstream.proxy_chain import via_of_mode
from flowdump.exceptions import ControlException
from flowdump.flow import Error
from flowdump.http import urls
from flowdump.http.flow import HTTPFlow, Request, RequestData, Response
from flowdump.runtime.hooks import fire
from flowdump.tcp import TCPFlow
from flowdump.websocket import BINARY, TEXT, WebSocketMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.http1.heads import RequestHead
    from flowdump.engine.listen.modes import Mode
    from flowdump.engine.listen.proxy import Proxy
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.websocket.relay import Relay

_TLS_HANDSHAKE = 0x16

#: Seconds for which a refused client may go on sending, so that it comes to read why.
LINGER = 2.0


class Session(Held):
    """What happens on one client connection."""

    def __init__(self, proxy: Proxy, stream: Stream, mode: Mode) -> None:
        super().__init__()
        self.proxy = proxy
        self.mode = mode
        self.stream = stream
        self.options = proxy.options
        self.hooks = proxy.hooks
        self.client = Client(
            peername=stream.info("peername") or ("", 0),
            sockname=stream.info("sockname") or ("", 0),
            timestamp_start=time.time(),
            proxy_mode=mode.stored,
        )
        self.client.state = ConnectionState.OPEN
        self.upstreams = Upstreams(self)
        #: Where everything goes: None until a CONNECT or a mode has said so.
        self.destination: Destination | None = None
        #: The proxy behind this one.
        self.via = via_of_mode(mode, proxy.options)
        #: Whether everything is raw TCP, whatever it looks like.
        self.is_raw = mode.kind == "reverse" and mode.target is not None and mode.target.scheme in ("tcp", "tls")
        #: Raw TCP flows that pass now, by their ids.
        self.relays: dict[str, tcp.Relay] = {}
        self.busy = False
        #: Whether the client spoke HTTP/2 at once, without TLS.
        self.prior_knowledge = False
        #: What is done instead of closing when the proxy stops.
        self.on_leave: Callable[[], None] | None = None
        #: Requests under way, by the ids of their flows.
        self.exchanges: dict[str, Exchange] = {}
        #: WebSockets that are open, by the id of their flow.
        self.websockets: dict[str, Relay] = {}

    async def run(self) -> None:
        """From the first byte to the last; never raises, but for cancellation."""
        try:
            await fire(self.hooks.table.client_connected, self.client)
            if self.client.error:  # so says a script
                self.stream.abort()
                raise PeerClosed(f"refused: {self.client.error}", "client")
            entrance = ENTRANCES.get(self.mode.kind)
            if entrance is None or await entrance(self):
                await self.serve()
        except ConnectionFailure as error:
            self.proxy.log.debug(f"{self}: {error}")
        finally:
            self.stream.close()
            await self.upstreams.close_all()
            self.client.timestamp_end = time.time()
            self.client.state = ConnectionState.CLOSED
            await fire(self.hooks.table.client_disconnected, self.client)
            self.upstreams.forget()

    async def serve(self) -> None:
        """Find out what the client speaks, and speak it."""
        if self.mode.speaks_dns:
            from flowdump.engine.dns import transport  # who asks no names need not have it

            await transport.serve(self)
            return
        stream, destination = self.stream, self.destination
        stream.idle_limit = self.options.client_timeout or None
        if not await first_bytes.heard(self):
            return
        if destination is None:
            await self.proxy.tls.secure(self)
            await self.serve_http()
            return
        if not self.client.tls:
            if stream.buffer[0] == _TLS_HANDSHAKE:
                await self.proxy.tls.intercept(self)
                return
            if self.proxy.tls.is_ignored(hostport(destination[:2])):
                await self.pass_on()
                return
        if self.is_raw or self.proxy.tls.is_raw(hostport(destination[:2])) or not await self._is_http():
            await self.serve_raw()
        else:
            await self.serve_http()

    async def _is_http(self) -> bool:
        """Whether it looks like HTTP, or has to be."""
        if not self.options.rawtcp or self.mode.kind == "reverse":
            return True
        return await first_bytes.is_http(self.stream)

    # -- HTTP ----------------------------------------------------------------------------------------------------

    async def serve_http(self) -> None:
        """One exchange after the other, until one of the sides has had enough."""
        self.prior_knowledge = not self.client.tls and self.options.http2 and self.stream.buffer.startswith(b"PRI ")
        if self.client.alpn == b"h2" or self.prior_knowledge:
            await self.serve_http2()
            return
        client = Http1Server(self.stream, self.options.validate_inbound_headers)
        limit = self.options.client_timeout or None
        while client.keep_alive and not self.proxy.stopping:
            self.stream.idle_limit = limit
            try:
                head = await client.next()
            except (ProtocolError, ConnectionFailure) as error:
                await self._refuse(error, client)
                return
            if head is None:
                return
            self.busy = True
            self.stream.idle_limit = self.options.body_timeout or None
            try:
                if head.method == b"CONNECT" and self.destination is None:
                    await self._connect(head, client)
                    return
                flow = self._flow(head)
            except ProtocolError as error:
                await self._refuse(error, client)
                return
            await Exchange(self, client, flow, head).run()
            self.busy = False
        if not client.body.ended:
            await self.linger()

    async def serve_http2(self) -> None:
        """Exchanges side by side, over one connection."""
        from flowdump.engine.http2 import server as http2_server

        await http2_server.serve(self)

    async def linger(self) -> None:
        """Let the client read its answer: closing while it still sends would take it away (RFC 9112 section 9.6)."""
        stream = self.stream
        stream.write_eof()
        with contextlib.suppress(ConnectionFailure, TimeoutError):
            async with asyncio.timeout(LINGER):
                while await stream.more():
                    stream.buffer.clear()
                    stream.consumed()

    async def _connect(self, head: RequestHead, client: Http1Server) -> None:
        """A tunnel to wherever the client says (RFC 9110 section 9.3.6)."""
        try:
            host, port = urls.parse_authority(head.target, check=True)
        except ValueError as error:
            raise ProtocolError(f"CONNECT to {shown(head.target)}: {error}", status=400) from None
        if not port:
            raise ProtocolError(f"CONNECT to {shown(head.target)}: a port is missing", status=400)
        data = request_target.request_data(head)
        data.host, data.port, data.authority = host, port, head.target
        flow = self._new_flow(data)
        await fire(self.hooks.table.http_connect, flow)
        await self.wait_for_resume(flow)
        if flow.error is not None:
            self.stream.abort()
            await fire(self.hooks.table.http_connect_error, flow)
            self.finished(flow)
            return
        if flow.response is not None and not 200 <= sendable(flow).status_code < 300:
            await self._refuse_tunnel(flow, client)
            return
        self.stream.write(response_head_bytes(b"HTTP/1.1", 200, b"Connection established", ()))
        if self.hooks.table.http_connected:
            flow.response = flow.response or Response.make(200)
            await fire(self.hooks.table.http_connected, flow)
        flow.live = None
        host, port = flow.request.host, flow.request.port  # a script may lead it elsewhere
        self.destination = Destination(host, port, tls=False, via=self.via)
        self.busy = False
        if self.proxy.tls.is_passed(host, port):
            await self.pass_on()
        else:
            await self.serve()

    async def _refuse_tunnel(self, flow: HTTPFlow, client: Http1Server) -> None:
        response = flow.response
        assert response is not None
        fields = (*response.data.headers.fields, (b"Connection", b"close"))
        head = response_head_bytes(b"HTTP/1.1", response.status_code, response.data.reason, fields)
        client.send_whole(head, response.data.content or b"")
        await fire(self.hooks.table.http_connect_error, flow)
        self.finished(flow)

    def _flow(self, head: RequestHead) -> HTTPFlow:
        """The flow of a request, from wherever it says it wants to go. Raises ProtocolError."""
        data = request_target.request_data(head)
        if head.target.startswith(b"/") or head.target == b"*":
            request_target.origin_form(data, head.target, self.destination)
        else:
            # In reverse mode, say, where a request goes is not for the client to say.
            request_target.absolute_form(data, head, None if self.mode.is_proxy else self.destination)
        flow = self._new_flow(data)
        if self.mode.kind == "reverse" and not self.options.keep_host_header:
            request_target.rewrite_host(flow, head.host)
        elif head.host is not None and data.authority not in (b"", head.host):
            flow.metadata["host_header_arrived"] = head.host
        return flow

    def _new_flow(self, data: RequestData) -> HTTPFlow:
        flow = HTTPFlow(self.client, Server(address=(data.host, data.port)), live=self)
        if self.via is not None:
            flow.server_conn.via = self.via.spec
        flow.request = Request.from_data(data)
        return flow

    async def _refuse(self, error: ProtocolError | ConnectionFailure, client: Http1Server) -> None:
        """A request that cannot be understood: recorded as far as it goes, answered, and the connection ends."""
        line = client.request_line
        if not line and isinstance(error, ConnectionFailure):
            raise error  # the client went away between two requests: that is its right
        data = request_target.told(line, self.destination)
        flow = await self._refused(data, error)
        status = error.status
        if isinstance(error, ConnectionFailure):
            status = 408 if isinstance(error, TimedOut) else 400
        client.fail(status, str(error), data.method)
        self.finished(flow)
        await self.linger()

    async def _refused(self, data: RequestData, error: ProtocolError | ConnectionFailure) -> HTTPFlow:
        """The flow of a request that cannot be understood, as far as its first line tells; ``error`` has fired."""
        flow = self._new_flow(data)
        flow.error = Error(str(error))
        self.proxy.log.warn(f"{hostport(self.client.peername)}: {error}")
        await fire(self.hooks.table.error, flow)
        return flow

    async def record_refused(self, line: bytes, error: ProtocolError) -> None:
        """Record a request that cannot be understood."""
        self.finished(await self._refused(request_target.told(line, self.destination), error))

    # -- not HTTP ------------------------------------------------------------------------------------------------

    async def serve_raw(self) -> None:
        """Relay raw TCP, recorded."""
        await self._join(self._destination(), record=True)

    async def pass_on(self) -> None:
        """Join the client and its destination as they are: nothing is taken apart, and recorded only if asked for."""
        destination = self._destination()._replace(tls=False, sni=None)
        await self._join(destination, record=self.options.show_ignored_hosts)

    def _destination(self) -> Destination:
        assert self.destination is not None
        return self.destination

    def new_server(self) -> Server:
        """The other end of a connection to where everything goes."""
        return Server(address=self._destination()[:2], via=self.via and self.via.spec)

    async def _join(self, destination: Destination, record: bool) -> None:
        server = self.new_server()
        try:
            upstream = await self.upstreams.connect(destination, server)
        except ConnectionFailure as error:
            if record:
                await self.record_failure(error, server)
            self.stream.abort()
            raise
        await self.relay_raw(upstream, record)

    async def relay_raw(self, upstream: Upstream, record: bool = True) -> None:
        """Join the client and an open connection to its destination."""
        if self.options.proxyauth and not (self.mode.is_proxy or self.mode.kind == "socks5"):
            error = ProtocolError("raw TCP has no place for the credentials that proxyauth asks for", status=401)
            await self.upstreams.discard(upstream)
            await self.record_failure(error, upstream.server)
            self.stream.abort()
            return
        self.busy = True
        try:
            flow = TCPFlow(self.client, upstream.server, live=self) if record else None
            await self.relay(self.stream, upstream, flow)
        finally:
            await self.upstreams.discard(upstream)

    async def record_failure(self, error: Exception, server: Server | None = None) -> None:
        """A connection that came to nothing, as a flow."""
        flow = TCPFlow(self.client, server or Server(), live=self)
        flow.error = Error(str(error))
        await fire(self.hooks.table.tcp_error, flow)
        self.finished(flow)

    async def relay(self, client: Stream, upstream: Upstream, flow: TCPFlow | None = None) -> None:
        """Join the client's stream and an open upstream; a flow records what passes."""
        try:
            await tcp.relay(self, client, upstream.stream, flow)
        finally:
            if flow is not None:
                self.finished(flow)

    def inject_tcp(self, flow: TCPFlow, to_client: bool, content: bytes) -> None:
        """Send bytes to one side of a TCP flow that passes now; from any thread. Raises ControlException."""
        if flow.id not in self.relays:
            raise ControlException("The flow is not a TCP connection that is open.")
        self._loop.call_soon_threadsafe(self._inject, flow.id, to_client, bytes(content))

    def _inject(self, identifier: str, to_client: bool, content: bytes) -> None:
        relayed = self.relays.get(identifier)
        if relayed is not None:
            relayed.inject(to_client, content)

    # -- flows ---------------------------------------------------------------------------------------------------

    def finished(self, flow: Any) -> None:
        """A flow has ended: hand it to whoever shows or stores it."""
        flow.live = None
        self.proxy.on_flow(flow)

    def kill(self, flow: Any) -> None:
        """End a flow that waits or passes; from any thread."""
        self._loop.call_soon_threadsafe(self._kill, flow.id)

    def _kill(self, identifier: str) -> None:
        self._release(identifier)
        relayed = self.relays.get(identifier)
        if relayed is not None:
            relayed.kill()
        elif identifier in self.exchanges and identifier not in self.websockets:
            self.exchanges[identifier].kill()

    def _release(self, identifier: str) -> None:
        super()._release(identifier)
        if identifier in self.websockets:
            self.websockets[identifier].look()

    def inject_websocket(self, flow: HTTPFlow, to_client: bool, content: bytes | str, is_text: bool = True) -> None:
        """Send a message of our own into the WebSocket of ``flow``; from any thread.

        Raises ControlException when there is none that is open, TypeError for content that is no bytes or str.
        """
        relay = self.websockets.get(flow.id)
        if relay is None:
            raise ControlException("the flow is no open WebSocket, nothing can be injected")
        data = content.encode() if isinstance(content, str) else bytes(memoryview(content))
        message = WebSocketMessage(TEXT if is_text else BINARY, not to_client, data, injected=True)
        self._loop.call_soon_threadsafe(relay.inject, message)

    def leave(self) -> None:
        """The proxy is about to end: what would go on for long ends in an orderly way."""
        if self.on_leave is not None:
            self.on_leave()
        for relay in self.websockets.values():
            relay.leave()

    def __repr__(self) -> str:
        where = f" → {hostport(self.destination[:2])}" if self.destination else ""
        return f"Session({hostport(self.client.peername)}{where})"
