"""A WebSocket between a client and a server (RFC 6455): its messages, as they pass.

Three tasks: one per direction, and one for what scripts inject. A direction takes frames off its decoder, puts them
together to messages, tells the addons, and writes them to the other side (``direction.Direction``).

One message at a time has its event, whichever direction it is from, so that ``flow.websocket.messages[-1]`` is the one
that the event is about, also for handlers that wait.

With ``stream_websockets`` frames go on as they arrive, large ones piece by piece; messages are recorded after that, at
most ``websocket_message_limit`` of each, and what a script does to them has no effect.

Ends: a close frame is passed on and recorded, and the other side has ``CLOSE_TIMEOUT`` to answer it. A connection that
breaks or ends without one is 1006, and the other side sees just that. A peer that breaks the rules gets the close code
that says so; the other side is told that its peer is going away (1001).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from flowdump.engine.context import raise_if_killed
from flowdump.engine.errors import ConnectionFailure, Killed, Peer
from flowdump.engine.message_content import settle
from flowdump.engine.websocket.direction import Direction, Whole
from flowdump.engine.websocket.frames import ABNORMAL, CLOSE, NO_STATUS, Agreement, Piece, Violation, agreement
from flowdump.flow import Error
from flowdump.runtime.hooks import fire
from flowdump.websocket import BINARY, TEXT, WebSocketData, WebSocketMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowdump.engine.context import Context
    from flowdump.engine.net.stream import Stream
    from flowdump.http.flow import HTTPFlow

#: The close code for the peer that broke no rule when the connection is given up (RFC 6455 section 7.4.1).
GOING_AWAY: Final = 1001

#: Seconds that the other side has to answer a close frame.
CLOSE_TIMEOUT: Final = 10.0

#: Frames after which other connections get their turn.
TURN: Final = 200

#: Injected messages that may wait for a peer to take them.
MAX_INJECTED: Final = 1000

#: What a message takes besides its content, in bytes.
OVERHEAD: Final = 300

#: Where the flow notes how many messages are no longer kept.
FORGOTTEN: Final = "websocket_messages_forgotten"

_EXTENSIONS: Final = "sec-websocket-extensions"
_SHUTTING_DOWN: Final = "the proxy is shutting down"


async def relay(context: Context, client: Stream, server: Stream, flow: HTTPFlow, agreed: str | None = None) -> None:
    """Pass messages between two streams until the WebSocket is closed; both streams are closed then.

    The client has been told what ``flow.response`` says of extensions; ``agreed`` is what the server said, if a script
    may have changed that. Extensions that are not understood make it a raw relay, because messages cannot be told apart
    then.
    """
    assert flow.response is not None
    said = flow.response.headers.get(_EXTENSIONS, "")
    try:
        agreements = agreement(said), agreement(said if agreed is None else agreed)
    except ValueError as error:
        from flowdump.engine.relay import tcp

        context.log.warn(f"WebSocket of {flow.request.pretty_url}: {error}: it is passed on as it is, without messages")
        await tcp.relay(context, client, server)
        return
    await Relay(context, client, server, flow, agreements).run()


class _Leaving(Exception):
    """The proxy is about to end."""


class Relay:
    """One WebSocket, from ``websocket_start`` to ``websocket_end``."""

    def __init__(
        self, context: Context, client: Stream, server: Stream, flow: HTTPFlow, agreements: tuple[Agreement, Agreement]
    ) -> None:
        options = context.options
        self._context = context
        self._flow = flow
        self._data = flow.websocket = WebSocketData()
        self._message_limit = options.size("websocket_message_limit")
        self._kept_limit = options.size("websocket_kept_limit")
        self._is_streamed = options.stream_websockets and agreements[0] == agreements[1]
        limit = None if self._is_streamed else self._message_limit
        self._from_client = Direction(client, server, agreements, limit)
        self._from_server = Direction(server, client, agreements, limit)
        client.idle_limit = server.idle_limit = options.tcp_timeout or None
        #: Held while a message has its event.
        self._event = asyncio.Lock()
        self._injected: asyncio.Queue[WebSocketMessage | None] = asyncio.Queue()
        self._is_leaving = False
        self._kept = 0
        self._warned: set[str] = set()

    # -- life ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until both sides are closed; raises nothing but cancellation and what is a bug."""
        flow = self._flow
        self._context.websockets[flow.id] = self
        if self._context.services.stopping:
            self.leave()
        error = None
        try:
            await self._fire("websocket_start")
            await self._converse()
        except Violation as violation:
            error = str(violation)
            self._closed(violation.peer == "client", violation.code, error)
            await self._refuse(violation.peer, violation.code, error)
        except ConnectionFailure as failure:
            error = str(failure)
            self._closed(failure.peer == "client", ABNORMAL, "")
        except Killed as killed:
            error = str(killed)
            self._closed(None, ABNORMAL, "")
            self._from_client.source.abort()
            self._from_server.source.abort()
        except _Leaving:
            self._closed(None, GOING_AWAY, _SHUTTING_DOWN)
            await self._refuse(None, GOING_AWAY, _SHUTTING_DOWN)
        except asyncio.CancelledError:
            self._closed(None, GOING_AWAY, _SHUTTING_DOWN)
            self._say_close(None, GOING_AWAY, _SHUTTING_DOWN)
            raise
        finally:
            self._context.websockets.pop(flow.id, None)
            for way in (self._from_server, self._from_client):
                way.source.idle_limit = CLOSE_TIMEOUT  # a peer that does not read may not keep it from closing
                way.source.close()
            self._closed(None, ABNORMAL, "")
            await self._tell("websocket_end")
        if error is not None:
            flow.error = flow.error or Error(error)
            await self._tell("error")

    async def _converse(self) -> None:
        """Until one side has closed and the other one has answered, or something is wrong."""
        pass_on = self._stream if self._is_streamed else self._pass
        ways = [asyncio.create_task(pass_on(way)) for way in (self._from_client, self._from_server)]
        tasks = [*ways, asyncio.create_task(self._inject())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if all(task.exception() for task in done):
                done.pop().result()
            await asyncio.wait(ways, timeout=CLOSE_TIMEOUT)  # a close frame has passed; the other side answers it
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, Violation | ConnectionFailure | _Leaving):
                raise outcome

    def _closed(self, by_client: bool | None, code: int, reason: str) -> None:
        """Note how the connection ended; what comes first counts."""
        data = self._data
        if data.close_code is None:
            data.closed_by_client, data.close_code, data.close_reason = by_client, code, reason
            data.timestamp_end = time.time()

    def _say_close(self, offender: Peer | None, code: int, reason: str) -> None:
        """A close frame to both sides: the code is for the offender, its counterpart learns that it goes away."""
        for way in (self._from_client, self._from_server):
            if not way.torn:
                way.sink.write(way.encoder.close(code if way.sink.peer == offender else GOING_AWAY, reason))

    async def _refuse(self, offender: Peer | None, code: int, reason: str) -> None:
        self._say_close(offender, code, reason)
        await asyncio.gather(*(way.source.linger() for way in (self._from_client, self._from_server)))

    # -- messages ------------------------------------------------------------------------------------------------

    async def _pass(self, way: Direction) -> None:
        """One direction, message by message, up to and including its close frame."""
        hooks = self._context.hooks
        pending: list[bytes] = []
        turn = 0
        while True:
            try:
                piece = way.decoder.next(way.source.buffer)
            except Violation:
                way.write_all(pending)
                raise
            turn += 1
            if piece is None or turn > TURN:
                turn = 0
                way.write_all(pending)
                await way.drain()
                if piece is None:
                    await way.more()
                    continue
                await asyncio.sleep(0)
            if piece.opcode >= CLOSE:
                pending.append(piece.wire)
                if piece.opcode == CLOSE:
                    way.write_all(pending)
                    self._close_frame(way, piece.content)
                    return
                continue
            if piece.message_ends and not way.inside:
                whole = Whole(piece.opcode, piece.content, [piece.wire], None, piece.compressed)
            else:
                collected = way.collect(piece)
                if collected is None:
                    continue
                whole = collected
            if not hooks.table.websocket_message and not hooks.table.update and len(whole.wire) == 1:
                message = WebSocketMessage(whole.opcode, way.is_client, whole.content)
                self._keep(message)
                pending += way.outgoing(message, whole)
                continue
            way.write_all(pending)
            await self._message(way, whole)

    async def _message(self, way: Direction, whole: Whole) -> None:
        """A message and its event."""
        message = WebSocketMessage(whole.opcode, way.is_client, whole.content)
        async with self._event:
            self._keep(message)
            await self._fire("websocket_message")
        self._check(message, whole)
        await way.send(way.outgoing(message, whole))

    def _check(self, message: WebSocketMessage, whole: Whole) -> None:
        """Take what a script set only if it can be sent; text as UTF-8."""
        settle(message, whole.content, self._warn)
        if message.type not in (TEXT, BINARY):
            self._warn(f"a script set the type of a message to {message.type!r}, not 1 or 2: not changed")
            message.type = whole.opcode

    async def _stream(self, way: Direction) -> None:
        """One direction, frame by frame, large ones piece by piece; messages are recorded after that."""
        turn = 0
        while True:
            piece = way.decoder.next(way.source.buffer)
            if piece is None:
                turn = 0
                await way.more()
                continue
            way.sink.write(piece.wire)
            way.torn = not piece.frame_ends
            if piece.opcode == CLOSE:
                self._close_frame(way, piece.content)
                return
            if piece.opcode < CLOSE:
                if piece.message_ends:
                    way.gap.set()
                else:
                    way.gap.clear()
                await self._record(way, piece)
            await way.drain()
            turn += 1
            if turn > TURN:
                turn = 0
                await asyncio.sleep(0)

    async def _record(self, way: Direction, piece: Piece) -> None:
        """Note what has gone out; the event of a message comes after its last frame, and changes nothing."""
        way.content += piece.content
        if self._message_limit is not None and len(way.content) > self._message_limit:
            del way.content[self._message_limit :]
            self._warn("messages of more than websocket_message_limit are recorded in part")
        if not piece.message_ends:
            return
        content, way.content = bytes(way.content), bytearray()
        message = WebSocketMessage(piece.opcode, way.is_client, content)
        async with self._event:
            self._keep(message)
            await self._fire("websocket_message")
        if (message.dropped, message.content, message.type) != (False, content, piece.opcode):
            self._warn("stream_websockets forwards messages before scripts see them: what a script did has no effect")
            message.dropped, message.content, message.type = False, content, piece.opcode

    def _close_frame(self, way: Direction, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if payload else NO_STATUS
        self._closed(way.is_client, code, payload[2:].decode())

    # -- injection -----------------------------------------------------------------------------------------------

    def inject(self, message: WebSocketMessage) -> None:
        """Have a message sent; from the loop's thread."""
        if self._injected.qsize() >= MAX_INJECTED:
            self._warn(f"{MAX_INJECTED} injected messages wait to be taken: no more are accepted")
            return
        self._injected.put_nowait(message)

    def leave(self) -> None:
        """Close with 1001: the proxy is about to end."""
        self._is_leaving = True
        self._injected.put_nowait(None)

    def look(self) -> None:
        """The flow may have been killed."""
        self._injected.put_nowait(None)

    async def _inject(self) -> None:
        while True:
            message = await self._injected.get()
            if self._is_leaving:
                raise _Leaving
            raise_if_killed(self._flow)
            if message is None:
                continue
            way = self._from_client if message.from_client else self._from_server
            whole = Whole(message.type, message.content, [], None, False)
            async with self._event:
                self._keep(message)
                await self._fire("websocket_message")
            self._check(message, whole)
            while not way.gap.is_set():
                await way.gap.wait()
            if not message.dropped:
                way.sink.write(way.encoder.message(message.type, message.content))
                await way.drain()

    # -- events and memory ---------------------------------------------------------------------------------------

    def _fire(self, name: str) -> Awaitable[None]:
        """Tell the addons; hold the flow while it is intercepted. Raises Killed if it was killed."""
        return self._context.fire(name, self._flow)

    async def _tell(self, name: str) -> None:
        table = self._context.hooks.table
        handlers = table.handlers(name)
        if handlers:
            await fire(handlers, self._flow)
        if table.update:
            await fire(table.update, [self._flow])

    def _keep(self, message: WebSocketMessage) -> None:
        self._data.messages.append(message)
        self._kept += len(message.content) + OVERHEAD
        if self._kept_limit is not None and self._kept > self._kept_limit:
            self._forget(self._kept_limit * 3 // 4)

    def _forget(self, limit: int) -> None:
        """Drop the oldest messages in batches."""
        messages = self._data.messages
        sizes = [len(message.content or b"") + OVERHEAD for message in messages]
        self._kept = sum(sizes)
        count = 0
        while self._kept > limit and count < len(messages) - 1:
            self._kept -= sizes[count]
            count += 1
        if count:
            del messages[:count]
            metadata = self._flow.metadata
            metadata[FORGOTTEN] = metadata.get(FORGOTTEN, 0) + count
            self._warn("more than websocket_kept_limit passed: its oldest messages are no longer kept")

    def _warn(self, text: str) -> None:
        """Log a warning about this connection, once."""
        if text not in self._warned:
            self._warned.add(text)
            self._context.log.warn(f"WebSocket of {self._flow.request.pretty_url}: {text}")

    def __repr__(self) -> str:
        return f"Relay({self._flow.request.pretty_url}, {len(self._data.messages)} messages)"
