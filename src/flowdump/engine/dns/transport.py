"""DNS on its two transports: datagrams, and messages with a length prefix on a TCP connection (RFC 7766).

A query goes to the server over what it came over. Over UDP each has a socket of its own, for its random port. Over TCP
a client's queries are answered as their answers come, and the connections to servers are kept for its next ones, one
query at a time on each.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from flowdump.connection import ConnectionState, Server, hostport
from flowdump.engine.dns.server import DnsClient, Reply, reply_to
from flowdump.engine.errors import ConnectError, ConnectionFailure, PeerClosed, TimedOut
from flowdump.engine.net.dialer import is_address
from flowdump.engine.upstream.destination import Destination
from flowdump.runtime.hook_data import ServerData
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowdump.connection import Address
    from flowdump.dns.message import DNSFlow
    from flowdump.engine.context import Context
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.upstream.connection import Upstream
    from flowdump.engine.upstream.pool import Upstreams

#: Queries of one TCP client that are under way at a time; it is read no further meanwhile.
PIPELINED = 32

#: No datagram is larger.
MAX_DATAGRAM = 65535


# -- UDP, towards servers ----------------------------------------------------------------------------------------


class UdpAsker:
    """Asks servers for one client over UDP."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def ask(self, query: bytes, flow: DNSFlow, limit: float | None) -> Reply:
        """Raises ConnectError, TimedOut, ProtocolError."""
        async with connected(self._context, flow.server_conn) as sock:
            loop = asyncio.get_running_loop()
            address = hostport(flow.server_conn.address or ("", 0))
            try:
                async with asyncio.timeout(limit):
                    await loop.sock_sendall(sock, query)
                    while True:
                        reply = reply_to(query, await loop.sock_recv(sock, MAX_DATAGRAM))
                        if reply is not None:
                            return reply
            except TimeoutError:
                raise TimedOut(f"{address} did not answer within {limit or 0:.3g} s") from None
            except OSError as error:
                raise ConnectError(f"cannot reach {address}: {error.strerror}") from None


@contextlib.asynccontextmanager
async def connected(context: Context, server: Server) -> AsyncIterator[socket.socket]:
    """A UDP socket that is connected to ``server.address``, with the events of a connection. Raises ConnectError."""
    table, data = context.hooks.table, ServerData(server, context.client)
    server.timestamp_start = time.time()
    await fire(table.server_connect, data)
    try:
        sock = await _udp_socket(context, server)
    except ConnectError as error:
        server.error = str(error)
        await fire(table.server_connect_error, data)
        raise
    with sock:
        server.peername, server.sockname = sock.getpeername(), sock.getsockname()
        server.state = ConnectionState.OPEN
        try:
            await fire(table.server_connected, data)
            yield sock
        finally:
            server.state, server.timestamp_end = ConnectionState.CLOSED, time.time()
            await fire(table.server_disconnected, data)


async def _udp_socket(context: Context, server: Server) -> socket.socket:
    if server.error:  # set by a script in server_connect
        raise ConnectError(server.error)
    assert server.address is not None
    family, address = await _resolve(server.address)
    if context.services.is_own_address(address):
        raise ConnectError(f"{hostport(server.address)} is this proxy itself")
    try:
        local = context.options.connect_addr
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if local:
                sock.bind((local, 0))
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock
    except OSError as error:  # no descriptors, no route, a local address that is none
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ConnectError(f"cannot reach {hostport(server.address)}: {reason}") from None


async def _resolve(address: Address) -> tuple[int, Any]:
    """Family and address of a server, which may be a name. Raises ConnectError."""
    host, port = address[0], address[1]
    if is_address(host) and "%" not in host:
        return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, port)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ConnectError(f"cannot find {host!r}: {getattr(error, 'strerror', None) or error}") from None
    return found[0][0], found[0][4]


# -- TCP, towards servers ----------------------------------------------------------------------------------------


class TcpAsker:
    """Asks servers for one client over TCP."""

    def __init__(self, context: Context, upstreams: Upstreams) -> None:
        self._context = context
        self._upstreams = upstreams
        self._idle: list[Upstream] = []

    async def ask(self, query: bytes, flow: DNSFlow, limit: float | None) -> Reply:
        """Raises ConnectionFailure, ProtocolError."""
        address = hostport(flow.server_conn.address or ("", 0))
        try:
            async with asyncio.timeout(limit):
                upstream = self._reused(flow)
                if upstream is not None:
                    with contextlib.suppress(PeerClosed):  # it closed the connection while that was idle
                        return await self._exchange(query, upstream)
                    flow.server_conn = Server(address=flow.server_conn.address)
                server = flow.server_conn
                assert server.address is not None
                destination = Destination(server.address[0], server.address[1], tls=False)
                return await self._exchange(query, await self._upstreams.connect(destination, server))
        except TimeoutError:
            raise TimedOut(f"{address} did not answer within {limit or 0:.3g} s") from None

    def _reused(self, flow: DNSFlow) -> Upstream | None:
        for upstream in self._idle:
            if upstream.server.address == flow.server_conn.address:
                self._idle.remove(upstream)
                flow.server_conn = upstream.server
                return upstream
        return None

    async def _exchange(self, query: bytes, upstream: Upstream) -> Reply:
        stream = upstream.stream
        reply = None
        try:
            stream.write(len(query).to_bytes(2, "big") + query)
            await stream.drain()
            while reply is None:
                wire = await take_message(stream)
                if wire is None:
                    raise PeerClosed(f"{hostport(upstream.server.address or ('', 0))} closed the connection")
                reply = reply_to(query, wire)
        finally:
            if reply is None:
                await self._close(upstream)
        self._idle.append(upstream)
        return reply

    async def close(self) -> None:
        """Close what was kept."""
        while self._idle:
            await self._close(self._idle.pop())

    async def _close(self, upstream: Upstream) -> None:
        upstream.stream.close()
        server = upstream.server
        server.state, server.timestamp_end = ConnectionState.CLOSED, time.time()
        await fire(self._context.hooks.table.server_disconnected, ServerData(server, self._context.client))


async def take_message(stream: Stream) -> bytes | None:
    """The next message of a TCP connection; None when it ended. Raises PeerClosed, TimedOut."""
    while len(stream.buffer) < 2:
        if not await stream.more():
            return None
    size = 2 + int.from_bytes(stream.buffer[:2], "big")
    while len(stream.buffer) < size:
        if not await stream.more():
            return None
    return stream.take(size)[2:]


# -- TCP, towards clients ----------------------------------------------------------------------------------------


class TcpServer:
    """A client that asks over TCP."""

    def __init__(self, context: Context, stream: Stream, upstreams: Upstreams) -> None:
        self._context = context
        self._stream = stream
        self._asker = TcpAsker(context, upstreams)
        self._client = DnsClient(context, self._asker)
        self._slots = asyncio.Semaphore(PIPELINED)
        self._under_way = 0

    async def run(self) -> None:
        """Until the client has no more queries, and the last one is answered."""
        context, stream = self._context, self._stream
        stream.idle_limit = context.options.client_timeout or None
        try:
            async with asyncio.TaskGroup() as group:
                while not context.services.stopping:
                    await self._slots.acquire()
                    wire = await self._next(stream)
                    if wire is None:
                        break
                    self._under_way += 1
                    context.busy = True
                    group.create_task(self._serve(wire))
        finally:
            await self._asker.close()

    async def _next(self, stream: Stream) -> bytes | None:
        try:
            return await take_message(stream)
        except ConnectionFailure as error:  # queries under way go on: there is still a flow to finish
            self._context.log.debug(f"{self._context}: {error}")
            return None

    async def _serve(self, wire: bytes) -> None:
        stream = self._stream
        try:
            answer = await self._client.answer(wire)
            if answer:
                stream.write(len(answer).to_bytes(2, "big") + answer)
                with contextlib.suppress(ConnectionFailure):  # told by reading, too
                    await stream.drain()
        finally:
            self._slots.release()
            self._under_way -= 1
            if not self._under_way:
                self._context.busy = False
                if self._context.services.stopping:
                    stream.close()
