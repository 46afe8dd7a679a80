"""Two streams joined: what one sends the other gets, as it comes, until both have ended.

With a flow, every piece is a message: it is recorded, ``tcp_message`` fires, and what a script makes of it is
forwarded. Without one (ignored hosts, other upgrades) bytes just pass.

Each direction ends on its own (half-close). ``tcp_timeout`` ends a connection on which nothing moves in either. A flow
keeps its first ``KEPT`` bytes of messages; of what comes after, only the message that is being handled is there, and
``flow.metadata["left_out"]`` counts the bytes that are not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from flowdump.connection import Server
from flowdump.engine.errors import ConnectionFailure, Killed
from flowdump.engine.message_content import settle
from flowdump.flow import Error
from flowdump.runtime.hooks import fire
from flowdump.tcp import TCPFlow, TCPMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from flowdump.engine.context import Context
    from flowdump.engine.net.stream import Stream

#: Bytes that are passed on at a time.
PIECE: Final = 64 * 1024

#: Bytes of messages that a flow keeps: as much as several hours of a chat, and not the memory of the machine.
KEPT: Final = 64 * 1024 * 1024

#: What a message costs beside its content, so that many tiny ones count as well.
MESSAGE_COST: Final = 256

#: Bytes that scripts may have injected and the peers have not taken yet.
INJECTED: Final = 16 * 1024 * 1024


async def relay(context: Context, client: Stream, server: Stream, flow: TCPFlow | None = None) -> None:
    """Join two streams until both directions have ended, or one connection broke."""
    client.idle_limit = server.idle_limit = context.options.tcp_timeout or None
    if flow is None:
        await _join(client, server, [_pass(client, server), _pass(server, client)])
        return
    relayed = Relay(context, client, server, flow)
    context.relays[flow.id] = relayed
    try:
        await relayed.run()
    finally:
        del context.relays[flow.id]
        context.finished(flow)


async def record_failure(context: Context, error: Exception, server: Server | None = None) -> None:
    """Record a connection that failed before anything passed, as a TCP flow with an error."""
    flow = TCPFlow(context.client, server or Server(), live=context)
    flow.error = Error(str(error))
    await fire(context.hooks.table.tcp_error, flow)
    context.finished(flow)


async def _pass(source: Stream, sink: Stream) -> None:
    """One direction, up to and including its end."""
    while source.buffer or await source.more():
        sink.write(source.take(PIECE))
        if sink.clogged or sink.closed:
            await sink.drain()
    sink.write_eof()


async def _join(client: Stream, server: Stream, directions: list[Coroutine[Any, Any, None]]) -> BaseException | None:
    """Run both directions to their ends; the error that broke the connection, if one did."""
    ways = [asyncio.create_task(direction) for direction in directions]
    error: BaseException | None = None
    try:
        await asyncio.gather(*ways)
    except (ConnectionFailure, Killed) as failure:
        error = failure
        client.abort()  # what is broken on one side looks broken on the other
        server.abort()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        server.close()
        client.close()
    return error


class Relay:
    """Two joined streams with a flow."""

    def __init__(self, context: Context, client: Stream, server: Stream, flow: TCPFlow) -> None:
        self._context = context
        self._client = client
        self._server = server
        self._flow = flow
        self._room = KEPT
        self._injected: asyncio.Queue[tuple[bool, bytes]] = asyncio.Queue()
        self._waiting = 0
        self._injecting: asyncio.Task[None] | None = None
        self._warned: set[str] = set()
        #: Messages of one flow are handled one after the other: a script may hold one.
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Relay until the end, with all events."""
        flow, client, server = self._flow, self._client, self._server
        try:
            await self._fire("tcp_start")
            error = await _join(client, server, [self._pass(client, server), self._pass(server, client)])
            if error is not None:
                flow.error = flow.error or Error(str(error))
        except Killed:
            client.abort()
            server.abort()
        except asyncio.CancelledError:
            flow.error = flow.error or Error("the proxy was shut down while the connection was open")
            raise
        finally:
            if self._injecting is not None:
                self._injecting.cancel()
                await asyncio.gather(self._injecting, return_exceptions=True)
            table = self._context.hooks.table
            await fire(table.tcp_error if flow.error else table.tcp_end, flow)

    async def _pass(self, source: Stream, sink: Stream) -> None:
        from_client = source is self._client
        while source.buffer or await source.more():
            await self._send(sink, from_client, source.take(PIECE))
        sink.write_eof()

    async def _send(self, sink: Stream, from_client: bool, piece: bytes) -> None:
        async with self._turn:
            message = TCPMessage(from_client, piece)
            # Add a message to the flow, in the place of the one before it once the flow is full.
            messages = self._flow.messages
            if self._room < 0:
                left_out = self._flow.metadata.get("left_out", 0)
                self._flow.metadata["left_out"] = left_out + len(messages.pop().content) if messages else left_out
            self._room -= len(message.content) + MESSAGE_COST
            messages.append(message)
            await self._fire("tcp_message")
            content = settle(message, piece, self._warn)
        if content:
            sink.write(content)
            if sink.clogged or sink.closed:
                await sink.drain()

    def _fire(self, name: str) -> Awaitable[None]:
        """Tell the addons; hold the flow while it is intercepted. Raises Killed if it was killed."""
        return self._context.fire(name, self._flow)

    def _warn(self, text: str) -> None:
        """Say what a script does wrong, once."""
        if text not in self._warned:
            self._warned.add(text)
            self._context.log.warn(f"{self._context}: {text}")

    # -- from outside --------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """End the relay now, whatever it waits for."""
        for stream in (self._client, self._server):
            stream.fail(Killed(Error.KILLED_MESSAGE))

    def inject(self, to_client: bool, content: bytes) -> None:
        """Send something that neither side has sent; it goes through ``tcp_message`` like any other message."""
        if self._waiting + len(content) > INJECTED:
            self._context.log.warn(f"{self._context}: injected bytes are dropped: the peer does not take them")
            return
        self._waiting += len(content)
        self._injected.put_nowait((to_client, content))
        if self._injecting is None:
            self._injecting = asyncio.get_running_loop().create_task(self._inject())

    async def _inject(self) -> None:
        try:
            while True:
                to_client, content = await self._injected.get()
                self._waiting -= len(content)
                await self._send(self._client if to_client else self._server, not to_client, content)
        except (ConnectionFailure, Killed) as error:
            self._client.fail(error)
