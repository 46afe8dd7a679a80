"""The running proxy: its listeners and the sessions of its clients; start, stop, drain."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
from typing import TYPE_CHECKING, Any

from flowdump.connection import hostport
from flowdump.engine.context import Services, plain_address
from flowdump.engine.errors import PeerClosed
from flowdump.engine.listen import original_destination
from flowdump.engine.listen.modes import Mode, parse
from flowdump.engine.listen.session import Session
from flowdump.engine.net.stream import Stream
from flowdump.exceptions import OptionsError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.context import Hooks, Log
    from flowdump.engine.relay.udp_listener import UdpListener
    from flowdump.engine.tls.interception import Interception
    from flowdump.flow import Flow
    from flowdump.options.store import Options

#: Seconds between two looks for streams that were idle for too long.
TICK = 1.0

#: Connections that wait to be accepted. When descriptors run out, asyncio pauses accepting for a second.
BACKLOG = 1024

#: How often another port is tried where any will do: what one transport or address family got, another may lack.
TRIES = 20

#: The largest number of a port.
MAX_PORT = 0xFFFF

#: Temporary exhaustion of descriptors or memory.
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

#: Minimum interval in seconds between two warnings about exhaustion.
QUIET = 10.0


class Proxy(Services):
    """Accepts clients and serves each in a task of its own. ``on_flow`` is called with every flow that has ended."""

    def __init__(self, options: Options, hooks: Hooks, log: Log, on_flow: Callable[[Flow], None]) -> None:
        super().__init__(options, hooks, log, on_flow)
        self.tls: Interception
        #: Each mode with the first address that it listens at.
        self.listening: list[tuple[Mode, tuple[str, int]]] = []
        #: The listeners for datagrams.
        self.datagrams: list[UdpListener] = []
        self._servers: list[asyncio.Server] = []
        #: The session of each client connection, by its task.
        self.sessions: dict[asyncio.Task[None], Session] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._quiet_until = 0.0

    # -- start ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the listeners. Raises UserError when an address cannot be had."""
        modes = [parse(spec) for spec in self.options.mode]
        self.prepare()
        try:
            for mode in modes:
                # Open the listeners of a mode, one per transport.
                host = mode.host if mode.host is not None else self.options.listen_host
                port = mode.port
                if port is None and self.options.was_given("listen_port"):
                    port = self.options.listen_port
                port = mode.default_port if port is None else port
                if mode.kind == "transparent":
                    original_destination.check_platform()
                if self.options.proxyauth and not mode.can_ask:
                    raise UserError(f"option 'proxyauth': {mode.stored} has no place for credentials")
                if not 0 <= port <= MAX_PORT:
                    raise UserError(
                        f"cannot listen on {host or '*'}:{port}: ports go from 0 (any free one) to {MAX_PORT}"
                    )
                opened = len(self.addresses)
                for left in range(TRIES, -1, -1):
                    try:
                        await self._open(mode, host, port)
                        break
                    except (OSError, OverflowError) as error:
                        if left and not port and isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                            continue
                        reason = f"{_reason(error)}{self._way_out(error, port)}"
                        raise UserError(f"cannot listen on {host or '*'}:{port}: {reason}") from None
                self.listening.append((mode, self.addresses[opened]))
        except BaseException:
            await self.stop(0)
            raise

    def prepare(self) -> None:
        """What connections to origins need; client replay needs no listener. Raises UserError."""
        from flowdump.engine.net.dialer import Dialer
        from flowdump.engine.tls.interception import Interception
        from flowdump.engine.tls.passthrough import HostRules

        _check_address("connect_addr", self.options.connect_addr)
        self.tls = Interception(self.options)
        self.hosts = HostRules(self.options)
        self.dialer = Dialer()
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        self._ticker = asyncio.create_task(self._tick())

    def _way_out(self, error: OSError | OverflowError, port: int) -> str:
        """What to do about a port that cannot be had, and which mode has it already."""
        if not isinstance(error, OSError) or error.errno not in (errno.EADDRINUSE, errno.EACCES):
            return ""
        ours = next((mode.stored for mode, where in self.listening if where[1] == port), "")
        return f"{ours and f', by the mode {ours}'}; -p, or @PORT after a mode, chooses another port"

    async def _open(self, mode: Mode, host: str, port: int) -> None:
        """Open the listeners of a mode at one port, or none. Raises OSError, OverflowError."""
        opened = len(self._servers), len(self.datagrams), len(self.addresses)
        try:
            for transport in mode.transports:
                await (self._listen_tcp if transport == "tcp" else self._listen_udp)(mode, host, port)
                port = port or self.addresses[-1][1]
        except BaseException:
            for server in self._servers[opened[0] :]:
                server.close()
            for listener in self.datagrams[opened[1] :]:
                listener.close()
            del self._servers[opened[0] :], self.datagrams[opened[1] :], self.addresses[opened[2] :]
            raise

    async def _listen_tcp(self, mode: Mode, host: str, port: int) -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Stream("client", self.streams, lambda stream: self._accept(stream, mode)),
            host or None,
            port,
            backlog=BACKLOG,
        )
        ports = [sock.getsockname()[1] for sock in server.sockets]
        if len(set(ports)) > 1:  # any port will do, and IPv4 got another one than IPv6: clients can know only one
            server.close()
            await self._listen_tcp(mode, host, ports[0])
            return
        self._servers.append(server)
        self.addresses += [sock.getsockname()[:2] for sock in server.sockets]

    async def _listen_udp(self, mode: Mode, host: str, port: int) -> None:
        from flowdump.engine.relay.udp_listener import listen

        for listener in await listen(self, mode, host, port, self.refusal):
            self.datagrams.append(listener)
            self.addresses.append(listener.sockname[:2])

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error that asyncio cannot raise anywhere, such as running out of descriptors while accepting.

        asyncio (up to 3.11 at least) then says so once per place in the backlog, a thousand times a second.
        """
        error = context.get("exception")
        if self.stopping:  # asyncio may still want to accept again, from a listener that is closed
            self.log.debug(f"while stopping: {error}")
            return
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            if loop.time() < self._quiet_until:
                return
            self._quiet_until = loop.time() + QUIET
            self.log.warn(f"new clients have to wait: {os.strerror(error.errno)}")
            return
        self.log.warn(f"{context.get('message', 'error in the event loop')}{_described(error)}")

    def _accept(self, stream: Stream, mode: Mode) -> None:
        refused = self.refusal(stream.info("peername"))
        if refused:
            self.log.warn(refused)
            stream.abort()
            return
        session = Session(self, self.tls, stream, mode)
        task = asyncio.get_running_loop().create_task(self._serve(session))
        self.sessions[task] = session
        task.add_done_callback(self._ended)

    def refusal(self, peername: Any) -> str:
        """Why a client may not use this proxy; empty when it may (options block_global, block_private)."""
        if not peername:
            return ""
        address = plain_address(peername[0])
        if address.is_loopback:
            return ""
        if self.options.block_global and address.is_global:
            return f"{hostport(peername)}: refused: block_global keeps public addresses out"
        if self.options.block_private and address.is_private:
            return f"{hostport(peername)}: refused: block_private keeps private addresses out"
        return ""

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.sessions.pop(task, None)

    async def _serve(self, session: Session) -> None:
        try:
            await session.run()
        except asyncio.CancelledError:
            session.stream.abort()
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _EXHAUSTED:
                self.log.warn(f"{session}: {os.strerror(error.errno)}")
            else:  # a bug of ours: this client is lost, the proxy is not
                self.log_bug(str(session), error)
            session.stream.abort()

    async def _tick(self) -> None:
        """Idle timeout: fail the streams on which a task has waited for too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            for stream in list(self.streams):
                stream.check_idle(now)

    # -- stop ----------------------------------------------------------------------------------------------------

    async def stop(self, patience: float) -> None:
        """Drain: accept no more clients, let exchanges end for ``patience`` seconds, then cut the rest."""
        self.stopping = True
        for server in self._servers:
            server.close()
        for session in list(self.sessions.values()):
            context = session.context
            if context.busy or context.on_leave is not None:
                context.leave()
            else:
                session.stream.error = PeerClosed("the proxy was shut down", "client")
                session.stream.close()
        for listener in self.datagrams:
            listener.end()
        tasks = [*self.sessions, *(task for listener in self.datagrams for task in listener.tasks)]
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=patience)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            self.dialer.close()
        for listener in self.datagrams:
            listener.close()
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)

    def __repr__(self) -> str:
        return f"Proxy({', '.join(map(hostport, self.addresses))}, {len(self.sessions)} sessions)"


def _check_address(option: str, address: str | None) -> None:
    """Raises OptionsError for what is no IP address."""
    try:
        ipaddress.ip_address(address or "::")
    except ValueError:
        raise OptionsError(f"option {option!r} is an IP address of this machine, not {address!r}") from None


def _reason(error: OSError | OverflowError) -> str:
    """Describe the error; resolver codes are not errnos."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)


def _described(error: BaseException | None) -> str:
    """Describe an exception that was not awaited, usually one of a script's task, and where it was raised."""
    if error is None:
        return ""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace is not None else ""
    return f": {type(error).__name__}: {error}{place}"
