"""What the parts of the engine share, for the whole proxy and for one client.

``Services`` is there once per proxy: options, the hook table, the log, the dialer, all open streams. ``Context`` is
there once per client: a TCP connection, a sender of datagrams, or a worker of client replay. Exchanges, relays,
WebSockets and the connections to origins take a context and nothing else of the listener that the client came in by, so
each of them can be run, and tested, without a socket.

*Flows that wait.* A context is also what ``flow.live`` points to. A script holds a flow with ``intercept()``; the next
event of that flow then waits in :meth:`Context.fire` until the script, perhaps from another thread, resumes or kills
it. That is why everything that a script may call is handed to the event loop first, and why the running exchanges,
relays and WebSockets are registered here by the ids of their flows: ``kill()`` and injection find them so.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from flowdump.connection import ConnectionState, Server, hostport
from flowdump.engine.errors import Killed
from flowdump.engine.net.stream import Streams
from flowdump.exceptions import ControlException
from flowdump.flow import Error
from flowdump.runtime.hooks import fire
from flowdump.websocket import BINARY, TEXT, WebSocketMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.connection import Client
    from flowdump.engine.dns.resolver import Resolver
    from flowdump.engine.listen.modes import Mode
    from flowdump.engine.net.dialer import Dialer
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.tls.passthrough import HostRules
    from flowdump.engine.upstream.connection import Upstream
    from flowdump.engine.upstream.destination import Destination, Via
    from flowdump.flow import Flow
    from flowdump.options.store import Options
    from flowdump.runtime.hooks import HookTable
    from flowdump.tcp import TCPFlow


# What a context is given, as narrow interfaces.


class Hooks(Protocol):
    """The addons: their current hook table, and where mistakes of scripts are reported."""

    @property
    def table(self) -> HookTable: ...

    def report(self, text: str, error: BaseException | None) -> None:
        """Report a mistake that a script made outside of its handlers."""


class Log(Protocol):
    """The levels of the event log that the engine uses."""

    def debug(self, text: Any) -> None: ...
    def info(self, text: Any) -> None: ...
    def warn(self, text: Any) -> None: ...
    def error(self, text: Any) -> None: ...


class OriginTls(Protocol):
    """TLS towards origins and upstream proxies. Both methods raise TlsError and TimedOut."""

    async def connect(self, context: Context, upstream: Upstream) -> None:
        """Speak TLS on a connection to an origin."""

    async def secure_hop(self, stream: Stream, host: str, port: int) -> None:
        """Speak TLS with an upstream proxy."""


class RunningExchange(Protocol):
    def kill(self) -> None: ...


class RunningRelay(Protocol):
    def kill(self) -> None: ...
    def inject(self, to_client: bool, content: bytes) -> None: ...


class RunningWebSocket(Protocol):
    def inject(self, message: WebSocketMessage) -> None: ...
    def leave(self) -> None: ...
    def look(self) -> None: ...


class Services:
    """What all clients of a proxy share. ``on_flow`` is called with every flow that has ended."""

    def __init__(self, options: Options, hooks: Hooks, log: Log, on_flow: Callable[[Flow], None]) -> None:
        self.options = options
        self.hooks = hooks
        self.log = log
        self.on_flow = on_flow
        self.dialer: Dialer
        self.hosts: HostRules
        self.tls: OriginTls
        #: Whether the proxy accepts no new work and ends soon.
        self.stopping = False
        #: ``(host, port)`` of every listening socket.
        self.addresses: list[tuple[str, int]] = []
        #: Every open connection, to clients and to origins.
        self.streams = Streams()

    @cached_property
    def resolver(self) -> Resolver:
        """Name resolution for DNS mode. Raises OptionsError."""
        from flowdump.engine.dns.resolver import Resolver

        return Resolver(self.options)

    def is_own_address(self, peername: Any) -> bool:
        """Whether an address is one that this proxy listens on, so that connecting to it would be a loop."""
        if peername is None or peername[1] not in {port for _, port in self.addresses}:
            return False
        reached = plain_address(peername[0])
        own = {plain_address(host) for host, _ in self.addresses}
        return reached in own or (any(address.is_unspecified for address in own) and _is_local(reached))

    def log_bug(self, place: str, error: BaseException | None) -> None:
        """Log an exception that is a bug of flowdump, with its traceback."""
        import traceback

        trace = "".join(traceback.format_exception(error)).rstrip()
        self.log.error(f"{place}: internal error: {trace}")


@lru_cache(maxsize=1024)
def plain_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IP address without its zone, and as IPv4 where it is an IPv4 address in IPv6 form (``::ffff:127.0.0.1``)."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address belongs to this machine: a socket can be bound to it."""
    import socket

    if address.is_loopback:
        return True
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class Context:
    """One client: its facts, where its traffic goes, and what runs on its behalf."""

    def __init__(self, services: Services, client: Client, mode: Mode, via: Via | None = None) -> None:
        self.services = services
        self.options = services.options
        self.hooks = services.hooks
        self.log = services.log
        self.client = client
        self.mode = mode

        # Routing.
        #: Where all traffic of the client goes: None until CONNECT or the mode has said so.
        self.destination: Destination | None = None
        #: The upstream proxy of the mode.
        self.via = via
        #: Whether everything is relayed as raw TCP, even if it looks like HTTP.
        self.is_raw = mode.kind == "reverse" and mode.target is not None and mode.target.scheme in ("tcp", "tls")
        #: Whether the client began with the HTTP/2 preface, without TLS (RFC 9113 section 3.3).
        self.prior_knowledge = False

        # Draining.
        #: Whether the client has something under way.
        self.busy = False
        #: Called at shutdown instead of closing the client's connection.
        self.on_leave: Callable[[], None] | None = None

        # What runs now, by the ids of flows.
        self.exchanges: dict[str, RunningExchange] = {}
        self.relays: dict[str, RunningRelay] = {}
        self.websockets: dict[str, RunningWebSocket] = {}
        self._loop = asyncio.get_running_loop()
        self._held: dict[str, asyncio.Event] = {}

    def new_server(self) -> Server:
        """The server side of a new connection to the destination."""
        assert self.destination is not None
        return Server(address=self.destination[:2], via=self.via and self.via.spec)

    # -- events and flows ----------------------------------------------------------------------------------------

    async def fire(self, name: str, flow: Any) -> None:
        """Fire an event of a flow, then wait while a script holds the flow. Raises Killed if a script killed it."""
        table = self.hooks.table
        handlers = getattr(table, name)
        if handlers:
            await fire(handlers, flow)
        if flow.intercepted:
            await self.wait_for_resume(flow)
        raise_if_killed(flow)
        if table.update:
            await fire(table.update, [flow])

    def finished(self, flow: Any) -> None:
        """Record a flow that has ended."""
        flow.live = False
        self.services.on_flow(flow)

    def closed(self) -> None:
        """Note that the client's connection has ended."""
        self.client.timestamp_end = time.time()
        self.client.state = ConnectionState.CLOSED

    # -- what flows ask of ``flow.live``, from any thread --------------------------------------------------------

    async def wait_for_resume(self, flow: Any) -> None:
        """Hold a flow until a script resumes or kills it; in the event loop only."""
        while flow.intercepted:
            event = self._held[flow.id] = asyncio.Event()
            try:
                await event.wait()
            finally:
                self._held.pop(flow.id, None)

    def intercept(self, flow: Any) -> None:
        """The flow is marked already; its next event waits."""

    def resume(self, flow: Any) -> None:
        """Let a held flow go on."""
        self._loop.call_soon_threadsafe(self._release, flow.id)

    def kill(self, flow: Any) -> None:
        """End what runs for a flow, or let it go on if it is held: it then finds out that it was killed."""
        self._loop.call_soon_threadsafe(self._kill, flow.id)

    def _release(self, identifier: str) -> None:
        event = self._held.get(identifier)
        if event is not None:
            event.set()
        if identifier in self.websockets:
            self.websockets[identifier].look()

    def _kill(self, identifier: str) -> None:
        self._release(identifier)
        relay = self.relays.get(identifier)
        if relay is not None:
            relay.kill()
        elif identifier in self.exchanges and identifier not in self.websockets:
            self.exchanges[identifier].kill()

    def inject_tcp(self, flow: TCPFlow, to_client: bool, content: bytes) -> None:
        """Send bytes to one side of an open TCP flow. Raises ControlException."""
        if flow.id not in self.relays:
            raise ControlException("The flow is not a TCP connection that is open.")
        self._loop.call_soon_threadsafe(self._inject_tcp, flow.id, to_client, bytes(content))

    def _inject_tcp(self, identifier: str, to_client: bool, content: bytes) -> None:
        relay = self.relays.get(identifier)
        if relay is not None:
            relay.inject(to_client, content)

    def inject_websocket(self, flow: Flow, to_client: bool, content: bytes | str, is_text: bool = True) -> None:
        """Send a message into the open WebSocket of ``flow``.

        Raises ControlException when the flow is no open WebSocket, TypeError for content that is neither bytes nor str.
        """
        websocket = self.websockets.get(flow.id)
        if websocket is None:
            raise ControlException("the flow is no open WebSocket, nothing can be injected")
        data = content.encode() if isinstance(content, str) else bytes(memoryview(content))
        message = WebSocketMessage(TEXT if is_text else BINARY, not to_client, data, injected=True)
        self._loop.call_soon_threadsafe(websocket.inject, message)

    # -- shutdown ------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """End in an orderly way what would go on for long: the proxy is about to stop."""
        if self.on_leave is not None:
            self.on_leave()
        for websocket in self.websockets.values():
            websocket.leave()

    def __repr__(self) -> str:
        where = f" → {hostport(self.destination[:2])}" if self.destination else ""
        return f"Session({hostport(self.client.peername)}{where})"


def raise_if_killed(flow: Any) -> None:
    """Raises Killed if a script has killed the flow."""
    if flow.error is not None and flow.error.msg == Error.KILLED_MESSAGE:
        raise Killed(flow.error.msg)
