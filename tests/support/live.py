"""A running proxy and scripted origins, in one event loop with the test.

::

    async def test_something() -> None:
        async with origin(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi") as server, running() as proxy:
            reply = await proxy.send(b"GET http://127.0.0.1:%d/ HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n" % server.port)
            ...

The plugin in :mod:`tests.support.asynchronous` runs such a test, and fails it when it leaves a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from flowdump import ctx
from flowdump.engine.listen.proxy import Proxy
from flowdump.flow import Flow
from flowdump.http import HTTPFlow
from flowdump.options import Options
from flowdump.runtime.log import EventLog
from flowdump.runtime.master import Master

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def until(happened: Callable[[], object]) -> None:
    """Wait until it has happened; ``run`` bounds how long."""
    while not happened():
        await asyncio.sleep(0.001)


class Running:
    """A proxy that runs: its port, the flows that ended, what it logged."""

    def __init__(self, proxy: Proxy, master: Master) -> None:
        self.proxy = proxy
        self.master = master
        self.flows: list[Any] = []
        self.log: list[str] = []
        self._came = asyncio.Event()

    @property
    def port(self) -> int:
        return self.proxy.addresses[0][1]

    @property
    def flow(self) -> HTTPFlow:
        """The only flow there is."""
        (flow,) = self.flows
        return flow  # type: ignore[no-any-return]

    def add(self, flow: Flow) -> None:
        self.flows.append(flow)
        self._came.set()

    async def wait_for_flows(self, count: int = 1) -> None:
        """Until that many flows have ended."""
        while len(self.flows) < count:
            self._came.clear()
            await self._came.wait()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection to the proxy."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, *pieces: bytes, half_close: bool = True) -> bytes:
        """Send bytes over a new connection, give back everything that came until the proxy closed or reset it.

        Without ``half_close`` the client keeps its direction open: the proxy has to close on its own.
        """
        reader, writer = await self.connect()
        received = bytearray()
        try:
            with suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                if half_close:
                    writer.write_eof()
                while data := await reader.read(65536):
                    received += data
            return bytes(received)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def running(*addons: Any, confdir: Path | None = None, **options: Any) -> AsyncIterator[Running]:
    """A proxy on a free port of 127.0.0.1 with these addons and options."""
    values = Options()
    values.update(**{"listen_host": "127.0.0.1", "listen_port": 0, "shutdown_timeout": 1} | options)
    values.update(confdir=str(confdir or shared_confdir()))
    log = EventLog(verbosity="error")
    master = Master(values, log)
    master.addons.script_addons = list(addons)
    master.addons.rebuild()
    ctx.master, ctx.options, ctx.log = master, values, log
    holder: list[Running] = []
    proxy = Proxy(values, master.addons, log, lambda flow: holder[0].add(flow))
    live = Running(proxy, master)
    holder.append(live)
    log.listener = lambda entry: live.log.append(f"{entry.level}: {entry.msg}")
    await proxy.start()
    try:
        yield live
    finally:
        await proxy.stop(1.0)
        assert not proxy.sessions
        for _ in range(10):  # transports close one turn of the loop after their streams
            await asyncio.sleep(0)
        assert not proxy.streams


def assert_quiet(proxy: Running) -> None:
    """Nothing on the terminal but a line that tells what was wrong."""
    assert not any("Traceback" in entry or "internal error" in entry for entry in proxy.log)
    assert not any("\x1b" in entry or "\0" in entry for entry in proxy.log)


def shared_confdir() -> Path:
    """One certificate authority for all tests of a run: making its key takes a while."""
    import tempfile

    folder = Path(tempfile.gettempdir()) / f"flowdump-tests-{__import__('os').getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


class Origin:
    """A server that does as it is told. ``requests`` holds what each connection sent, in full."""

    def __init__(self) -> None:
        self.requests: list[bytearray] = []
        self.port = 0

    @property
    def received(self) -> bytes:
        """All that came, over all connections."""
        return b"".join(self.requests)


@asynccontextmanager
async def accepting(handler: Handler, ssl: Any = None, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """A server that gives each connection to ``handler`` and closes it after that: its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, port, ssl=ssl)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def origin(*replies: bytes | Handler, close: bool = False, ssl: Any = None) -> AsyncIterator[Origin]:
    """A scripted origin: the n-th request head gets the n-th reply (the last one again and again).

    A reply is bytes, or a coroutine function that is given the connection after a head came. With ``close`` the
    connection is closed after each reply.
    """
    served = Origin()
    script: Sequence[bytes | Handler] = replies or (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",)
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        seen = bytearray()
        served.requests.append(seen)
        tapped = _Tap(reader, seen)
        while await tapped.head():
            reply = script[min(count, len(script) - 1)]
            count += 1
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(tapped, writer)  # type: ignore[arg-type]
            if close:
                return

    async with accepting(serve, ssl) as served.port:
        yield served


class _Tap:
    """A reader that notes all that it read."""

    def __init__(self, reader: asyncio.StreamReader, seen: bytearray) -> None:
        self._reader = reader
        self._seen = seen

    async def head(self) -> bytes:
        """The next head, empty at the end; bodies that nobody read are in front of it."""
        head = bytearray()
        while not head.endswith(b"\r\n\r\n"):
            piece = await self.read(1)
            if not piece:
                return b""
            head += piece
        return bytes(head)

    async def read(self, n: int = -1) -> bytes:
        data = await self._reader.read(n)
        self._seen += data
        return data

    async def readexactly(self, n: int) -> bytes:
        data = await self._reader.readexactly(n)
        self._seen += data
        return data
