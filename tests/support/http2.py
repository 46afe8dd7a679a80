"""Both ends of HTTP/2, scripted, over a bare ``h2.H2Connection``: what the proxy is talked to with, and talks to.

::

    async with h2_origin(Reply(200, body=b"hi")) as server, running() as proxy:
        async with h2_client(proxy, server.port) as client:
            reply = await client.fetch("GET", "/")
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events as events
import h2.exceptions
from h2.connection import ConnectionState
from h2.settings import SettingCodes
from tests.support.live import Running

Pairs = list[tuple[bytes, bytes]]


class Reset(Exception):
    """The stream was reset, with ``code``."""

    def __init__(self, code: int) -> None:
        super().__init__(f"reset with {code}")
        self.code = int(code)


class Gone(Exception):
    """The connection ended; ``code`` is that of the GOAWAY, None without one."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"gone with {code}")
        self.code = code


@dataclass
class Reply:
    """A response, as it is sent or as it came."""

    status: int
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)
    interim: list[int] = field(default_factory=list)

    def __getitem__(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Message:
    """What came on one stream."""

    heads: list[Pairs] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: Pairs = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def fields(self) -> dict[bytes, bytes]:
        return dict(self.heads[0])


class Peer:
    """One end of a connection. With ``acknowledge`` off, nothing that arrives opens a window again."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        client: bool,
        settings: dict[SettingCodes, int] | None = None,
    ) -> None:
        self.reader, self.writer, self.client = reader, writer, client
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=client,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        if settings:
            self.h2.local_settings.update(settings)  # type: ignore[arg-type]
            self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.acknowledge = True
        self.authority = b"example.com"
        self.streams: dict[int, Message] = defaultdict(Message)
        self.goaway: events.ConnectionTerminated | None = None
        self.gone = False
        self.pongs = self.pings = 0
        self.on_request: Callable[[int], None] | None = None
        self._moved = asyncio.Event()
        self.flush()
        self.task = asyncio.create_task(self._pump())

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def _pump(self) -> None:
        try:
            while data := await self.reader.read(65536):
                for event in self.h2.receive_data(data):
                    self._note(event)
                self.flush()
                self._move()
        except (ConnectionError, h2.exceptions.ProtocolError, ssl_module.SSLError):
            self.flush()
        finally:
            self.gone = True
            self._move()

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def _note(self, event: Any) -> None:
        message = self.streams[getattr(event, "stream_id", None) or 0]
        if isinstance(event, events.TrailersReceived):
            message.trailers = list(event.headers)
        elif hasattr(event, "headers"):
            message.heads.append(list(event.headers))
        elif isinstance(event, events.DataReceived):
            message.body += event.data
            if self.acknowledge:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            message.ended = True
        elif isinstance(event, events.StreamReset):
            message.reset = int(event.error_code)
        elif isinstance(event, events.ConnectionTerminated):
            self.goaway = event
            # h2 would not let the streams that are open end, which RFC 9113 section 6.8 allows
            self.h2.state_machine.state = ConnectionState.CLIENT_OPEN if self.client else ConnectionState.SERVER_OPEN
        elif isinstance(event, events.PingAckReceived):
            self.pongs += 1
        elif isinstance(event, events.PingReceived):
            self.pings += 1
        if isinstance(event, events.RequestReceived) and self.on_request is not None:
            self.on_request(event.stream_id)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds. Raises Gone when the connection ends first."""
        while not condition():
            if self.gone:
                raise Gone(self.goaway.error_code if self.goaway else None)
            await self._moved.wait()

    # -- as a client ---------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, *headers: tuple[bytes, bytes], body: bytes | None = None, end: bool = True
    ) -> int:
        """Send a head, and a body if there is one; the number of the stream."""
        identifier = self.h2.get_next_available_stream_id()
        pseudo = [
            (b":method", method.encode()), (b":scheme", b"http"), (b":authority", self.authority),
            (b":path", path.encode()),
        ]  # fmt: skip
        self.h2.send_headers(identifier, [*pseudo, *headers], end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(identifier, body, end_stream=end)
        self.flush()
        return identifier

    async def response(self, identifier: int) -> Reply:
        """The whole response. Raises Reset, Gone."""
        message = self.streams[identifier]
        await self.until(lambda: message.ended or message.reset is not None)
        if not message.ended:
            raise Reset(message.reset or 0)
        *interim, head = message.heads
        fields = [pair for pair in head if pair[0][:1] != b":"]
        return Reply(
            int(dict(head)[b":status"]),
            fields,
            bytes(message.body),
            message.trailers,
            [int(dict(each)[b":status"]) for each in interim],
        )

    async def fetch(self, method: str, path: str, *headers: tuple[bytes, bytes], body: bytes | None = None) -> Reply:
        return await self.response(self.request(method, path, *headers, body=body))

    # -- as a server ---------------------------------------------------------------------------------------------

    async def send(self, identifier: int, data: bytes, end: bool = False) -> None:
        """A body, as the window allows."""
        while data:
            await self.until(lambda: self.h2.local_flow_control_window(identifier) > 0)
            size = min(self.h2.local_flow_control_window(identifier), self.h2.max_outbound_frame_size, len(data))
            self.h2.send_data(identifier, data[:size], end_stream=end and size == len(data))
            data = data[size:]
            self.flush()
            await self.writer.drain()

    async def answer(self, identifier: int, reply: Reply) -> None:
        for status in reply.interim:
            self.h2.send_headers(identifier, [(b":status", b"%d" % status)])
        fields = [(b":status", b"%d" % reply.status), *reply.headers]
        self.h2.send_headers(identifier, fields, end_stream=not reply.body and not reply.trailers)
        self.flush()
        await self.send(identifier, reply.body, end=not reply.trailers)
        if reply.trailers:
            self.h2.send_headers(identifier, reply.trailers, end_stream=True)
        self.flush()

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def h2_client(
    proxy: Running,
    port: int,
    tls: ssl_module.SSLContext | None = None,
    settings: dict[SettingCodes, int] | None = None,
    name: str = "example.com",
) -> AsyncIterator[Peer]:
    """A client that speaks HTTP/2 through CONNECT: over TLS, or by prior knowledge."""
    reader, writer = await proxy.connect()
    writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    if tls is not None:
        await writer.start_tls(tls, server_hostname=name)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    peer = Peer(reader, writer, True, settings)
    try:
        yield peer
    finally:
        await peer.close()


Handler = Callable[[Peer, int], Awaitable[None]]


class H2Origin:
    """A server that does as it is told; ``peers`` are its connections."""

    def __init__(self) -> None:
        self.port = 0
        self.peers: list[Peer] = []

    @property
    def requests(self) -> list[Message]:
        """All that were made, over all connections."""
        return [message for peer in self.peers for number, message in sorted(peer.streams.items()) if number]


@asynccontextmanager
async def h2_origin(
    *replies: Reply | Handler, ssl: ssl_module.SSLContext | None = None, settings: dict[SettingCodes, int] | None = None
) -> AsyncIterator[H2Origin]:
    """A scripted origin: the n-th request gets the n-th reply, the last one again and again.

    A Reply is sent when the request is complete; a coroutine function is called when its head is there.
    """
    served = H2Origin()
    script: tuple[Reply | Handler, ...] = replies or (Reply(200, body=b"hi"),)
    tasks: set[asyncio.Task[None]] = set()
    count = 0

    async def answer(peer: Peer, identifier: int, reply: Reply | Handler) -> None:
        if not isinstance(reply, Reply):
            await reply(peer, identifier)
            return
        await peer.until(lambda: peer.streams[identifier].ended)
        await peer.answer(identifier, reply)

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, False, settings)
        served.peers.append(peer)

        def on_request(identifier: int) -> None:
            nonlocal count
            task = asyncio.create_task(answer(peer, identifier, script[min(count, len(script) - 1)]))
            count += 1
            tasks.add(task)

        peer.on_request = on_request

    if ssl is not None:
        ssl.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for peer in served.peers:
            await peer.close()
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, Gone | Reset):
                raise outcome
