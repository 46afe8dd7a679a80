"""UDP listeners: datagrams of many clients on one socket, told apart by where they come from.

A client is an address and port that datagrams come from. It exists while it has something under way: in the modes
that speak DNS until its last query is answered, in ``reverse:udp://…`` until nothing has passed for ``udp_timeout``
seconds (see :mod:`flowdump.engine.relay.udp`).

Addresses of senders can be forged and their number is endless, so everything is counted. When there are too many
clients, the one that has been silent the longest has to go; a query too many is dropped, as a network does with
datagrams, and so is what a clogged socket does not take. A client that asks again is served when there is room.

On a machine with several addresses the kernel chooses from which one an answer comes; who needs a certain one listens
at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from flowdump.connection import Client, ConnectionState, hostport
from flowdump.engine.context import Context
from flowdump.engine.dns.server import DnsClient
from flowdump.engine.dns.transport import UdpAsker
from flowdump.engine.relay.udp import Relay
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from flowdump.engine.context import Services
    from flowdump.engine.listen.modes import Mode

#: Clients of one listener. Each has a socket towards its server, and a process usually gets 1024 descriptors in all.
MAX_CLIENTS: Final = 512

#: Queries of one listener that are under way, each with a socket as well.
MAX_QUERIES: Final = 256

#: Seconds between two lines about what strangers can make happen at will.
QUIET: Final = 10.0


class UdpListener(asyncio.DatagramProtocol):
    """One socket of a mode, and the clients that send to it."""

    def __init__(self, services: Services, mode: Mode, sock: socket.socket, refusal: Callable[[Any], str]) -> None:
        self.services = services
        self._refusal = refusal
        self.mode = mode
        self._socket = sock
        self.tasks: set[asyncio.Task[None]] = set()
        #: Queries under way, and bytes that flows hold.
        self.queries = 0
        self.kept = 0
        self.sockname: Any = ("", 0)
        #: From the client that was heard longest ago to the latest.
        self._peers: dict[Any, DnsPeer | Relay] = {}
        self._transport: asyncio.DatagramTransport = cast("asyncio.DatagramTransport", None)
        self._clogged = False
        self._quiet_until = 0.0

    # -- asyncio's side ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.sockname = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, address: Any) -> None:
        if self.services.stopping:
            return
        peer = self._peers.pop(address, None)
        if peer is None:
            peer = self._new_peer(address)
            if peer is None:
                return
        self._peers[address] = peer  # the latest now
        peer.receive(data)

    def error_received(self, error: Exception) -> None:
        """A client that is gone: nothing is lost but an answer to it."""
        self.services.log.debug(f"UDP on {hostport(self.sockname)}: {error}")

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False

    # -- clients -------------------------------------------------------------------------------------------------

    def _new_peer(self, address: Any) -> DnsPeer | Relay | None:
        refused = self._refusal(address)
        if refused:
            self.warn(refused)
            return None
        if len(self._peers) >= MAX_CLIENTS:
            self.warn(
                f"more than {MAX_CLIENTS} UDP clients at {hostport(self.sockname)}: the most silent one has to go"
            )
            self._peers.pop(next(iter(self._peers))).end()
        return DnsPeer(self, address) if self._speaks_dns() else Relay(self, address)

    def _speaks_dns(self) -> bool:
        """Whether datagrams are looked into; a change of the options holds for the next client."""
        target, hosts = self.mode.target, self.services.hosts
        if target is None:
            return self.mode.speaks_dns
        where = hostport((target.host, target.port))
        return self.mode.speaks_dns and not hosts.is_raw_udp(where) and not hosts.is_ignored(where)

    def context(self, address: Any) -> Context:
        """The context of a new client."""
        client = Client(
            peername=address,
            sockname=self.sockname,
            timestamp_start=time.time(),
            transport_protocol="udp",
            proxy_mode=self.mode.stored,
        )
        client.state = ConnectionState.OPEN
        return Context(self.services, client, self.mode)

    def forget(self, address: Any, peer: DnsPeer | Relay) -> None:
        """A client has nothing under way any more."""
        if self._peers.get(address) is peer:
            del self._peers[address]

    def send(self, data: bytes, address: Any) -> None:
        """Send a datagram, or drop it where the socket takes no more; never waits."""
        if self._clogged or self._transport.is_closing():
            return
        if data:
            self._transport.sendto(data, address)
            return
        with contextlib.suppress(OSError):  # an empty datagram: asyncio (up to 3.12) leaves it out
            self._socket.sendto(data, address)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what a client's datagrams ask for."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:  # a bug of ours: this datagram is lost, no more
            self.services.log_bug(f"UDP on {hostport(self.sockname)}", task.exception())

    def warn(self, text: str) -> None:
        """Say something, but not as often as strangers can make it happen."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            self.services.log.warn(text)

    # -- stop ----------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Let every client finish what is under way."""
        for peer in list(self._peers.values()):
            peer.end()

    def close(self) -> None:
        self._transport.close()

    def __repr__(self) -> str:
        return f"UdpListener({hostport(self.sockname)}, {self.mode.stored}, {len(self._peers)} clients)"


class DnsPeer:
    """A client that asks over UDP."""

    def __init__(self, listener: UdpListener, address: Any) -> None:
        self._listener = listener
        self._address = address
        self._context = context = listener.context(address)
        self._dns = DnsClient(context, UdpAsker(context))
        self._under_way = 0
        self._known = False
        self._greeting = asyncio.Lock()

    def receive(self, data: bytes) -> None:
        """A query came; never waits."""
        listener = self._listener
        if listener.queries >= MAX_QUERIES:
            listener.warn(
                f"more than {MAX_QUERIES} DNS queries under way at {hostport(listener.sockname)}: some are dropped"
            )
            if not self._under_way:
                listener.forget(self._address, self)
            return
        listener.queries += 1
        self._under_way += 1
        listener.spawn(self._serve(data))

    async def _serve(self, data: bytes) -> None:
        listener, hooks = self._listener, self._context.hooks
        try:
            async with self._greeting:  # ``client_connected`` comes before the first query
                if not self._known:
                    self._known = True
                    await fire(hooks.table.client_connected, self._context.client)
            answer = await self._dns.answer(data)
            if answer:
                listener.send(answer, self._address)
        finally:
            listener.queries -= 1
            self._under_way -= 1
            if not self._under_way:
                listener.forget(self._address, self)
                self._context.closed()
                await fire(hooks.table.client_disconnected, self._context.client)

    def end(self) -> None:
        """Queries under way end by themselves."""


async def listen(
    services: Services, mode: Mode, host: str, port: int, refusal: Callable[[Any], str]
) -> list[UdpListener]:
    """Open the sockets of a mode; with port 0, all reuse the first one's port. Raises OSError.

    ``refusal`` gives the reason for which an address may not use the proxy, or an empty text.
    """
    if mode.speaks_dns:
        _ = services.resolver  # report mistakes in its options now
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    listeners: list[UdpListener] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            sock = _bound(family, (address[0], port, *address[2:]))
            port = sock.getsockname()[1]
            _, listener = await loop.create_datagram_endpoint(
                partial(UdpListener, services, mode, sock, refusal), sock=sock
            )
            listeners.append(listener)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _bound(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:  # IPv4 has a socket of its own
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
