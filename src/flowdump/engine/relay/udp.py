"""Datagrams passed between one client and the server of ``reverse:udp://…``, as a flow.

One task per client takes datagrams of both directions in the order in which they came, lets scripts look at each, and
sends it on. What comes while a script holds the flow waits in a bounded box; what does not fit there is lost, as in any
network. The flow ends when nothing has passed for ``udp_timeout`` seconds, and with an error when the server's machine
reports that the port is closed.

A conversation may go on for days, so flows are limited: one that holds ``MAX_FLOW`` bytes ends, or that gets more when
all flows of the listener hold ``MAX_KEPT``, and the conversation goes on as a new flow. Nothing of it goes unrecorded.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from flowdump.connection import Server, hostport
from flowdump.engine.dns.transport import MAX_DATAGRAM, connected
from flowdump.engine.errors import ConnectError, Killed
from flowdump.engine.message_content import settle
from flowdump.flow import Error
from flowdump.runtime.hooks import fire
from flowdump.udp import UDPFlow, UDPMessage

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine

    from flowdump.engine.context import Context

#: Bytes of datagrams that wait for their turn in one conversation, and what each counts for beside its content.
MAX_WAITING: Final = 1024 * 1024
OVERHEAD: Final = 256

#: Bytes of datagrams in one flow, and in all flows of a listener that have not ended.
MAX_FLOW: Final = 16 * 1024 * 1024
MAX_KEPT: Final = 256 * 1024 * 1024

#: Datagrams that are taken from a socket before others get their turn.
AT_A_TIME: Final = 64

#: What a socket says about one datagram, not about the connection.
_LOST: Final = frozenset((errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE, errno.EPERM))


class Listener(Protocol):
    """What a conversation needs of the listener that its client sends to."""

    #: Bytes that the flows of all its conversations hold.
    kept: int

    def context(self, address: Any) -> Context: ...
    def forget(self, address: Any, peer: Any) -> None: ...
    def send(self, data: bytes, address: Any) -> None: ...
    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...
    def warn(self, text: str) -> None: ...


class Relay:
    """The conversation of one client with the server."""

    def __init__(self, listener: Listener, address: Any) -> None:
        self._listener = listener
        self._address = address
        self._context = context = listener.context(address)
        self._client = context.client
        target = context.mode.target
        assert target is not None
        self._server = Server(address=(target.host, target.port), transport_protocol="udp")
        place = hostport((target.host, target.port))
        self._records = context.options.show_ignored_hosts or not context.services.hosts.is_ignored(place)
        self._flow: UDPFlow | None = None
        self._kept = 0
        self._box: deque[tuple[bool, bytes]] = deque()
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._ended = False
        self._error: OSError | None = None
        listener.spawn(self._run())

    # -- datagrams come ------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """A datagram of the client; never waits."""
        self._put(True, data)

    def end(self) -> None:
        """Nothing more comes: pass on what is here, and finish."""
        self._ended = True
        self._arrived.set()

    def _put(self, from_client: bool, data: bytes) -> None:
        cost = len(data) + OVERHEAD
        if self._waiting + cost > MAX_WAITING or self._ended:
            self._listener.warn(f"{self}: datagrams come faster than they are passed on; some are dropped")
            return
        self._waiting += cost
        self._box.append((from_client, data))
        self._arrived.set()

    def _readable(self, sock: socket.socket) -> None:
        """The server's socket has something."""
        try:
            for _ in range(AT_A_TIME):
                self._put(False, sock.recv(MAX_DATAGRAM))
        except BlockingIOError:
            return
        except OSError as error:  # ICMP reports an unreachable port or host
            self._error = error
            self._arrived.set()

    # -- and go --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        table = self._context.hooks.table
        try:
            await fire(table.client_connected, self._client)
            error = ""
            try:
                await self._begin_flow()
                async with connected(self._context, self._server) as sock:
                    loop = asyncio.get_running_loop()
                    loop.add_reader(sock, self._readable, sock)
                    try:
                        await self._pass_on(sock)
                    finally:
                        loop.remove_reader(sock)
            except (ConnectError, Killed) as failure:
                error = str(failure)
            except asyncio.CancelledError:
                error = "the proxy was shut down during the conversation"
                raise
            finally:
                await self._end_flow(error)
        finally:
            self._listener.forget(self._address, self)
            self._context.closed()
            await fire(self._context.hooks.table.client_disconnected, self._client)

    async def _pass_on(self, sock: socket.socket) -> None:
        limit = self._context.options.udp_timeout or None
        while await self._wait(limit):
            from_client, data = self._box.popleft()
            self._waiting -= len(data) + OVERHEAD
            content = await self._message(from_client, data) if self._records else data
            if content is None:
                continue
            if from_client:
                # To the server; a datagram that the socket does not take is lost.
                try:
                    sock.send(content)
                except OSError as error:
                    if error.errno not in _LOST:
                        raise ConnectError(f"cannot reach {self._where()}: {os.strerror(error.errno or 0)}") from None
                    self._listener.warn(
                        f"{self}: a datagram of {len(content)} bytes is dropped: {os.strerror(error.errno)}"
                    )
            else:
                self._listener.send(content, self._address)

    async def _wait(self, limit: float | None) -> bool:
        """Whether there is another datagram; False when the conversation is over. Raises ConnectError."""
        while not self._box:
            if self._error is not None:
                raise ConnectError(f"cannot reach {self._where()}: {os.strerror(self._error.errno or 0)}")
            if self._ended:
                return False
            self._arrived.clear()
            try:
                async with asyncio.timeout(limit):
                    await self._arrived.wait()
            except TimeoutError:
                return False
        return True

    # -- the flow ------------------------------------------------------------------------------------------------

    async def _message(self, from_client: bool, data: bytes) -> bytes | None:
        """Record a datagram and let scripts see it: what is to be sent, None for nothing. Raises Killed."""
        cost = len(data) + OVERHEAD
        if self._kept and (self._kept + cost > MAX_FLOW or self._listener.kept + cost > MAX_KEPT):
            await self._end_flow()
            await self._begin_flow()
        flow = self._flow
        assert flow is not None
        self._kept += cost
        self._listener.kept += cost
        message = UDPMessage(from_client, data)
        flow.messages.append(message)
        await self._context.fire("udp_message", flow)
        content = settle(message, data, self._warn)
        return None if message.dropped else content

    async def _begin_flow(self) -> None:
        if self._records:
            self._flow = UDPFlow(self._client, self._server, live=self._context)
            await self._context.fire("udp_start", self._flow)

    async def _end_flow(self, error: str = "") -> None:
        flow, self._flow = self._flow, None
        if flow is None:
            return
        self._listener.kept -= self._kept
        self._kept = 0
        if error:
            flow.error = flow.error or Error(error)
        table = self._context.hooks.table
        try:
            await fire(table.udp_error if flow.error else table.udp_end, flow)
        finally:
            self._context.finished(flow)

    def _warn(self, text: str) -> None:
        self._listener.warn(f"{self}: {text}")

    def _where(self) -> str:
        return hostport(self._server.address or ("", 0))

    def __repr__(self) -> str:
        return f"Relay({hostport(self._client.peername)} → {self._where()}, {self._waiting} bytes waiting)"
