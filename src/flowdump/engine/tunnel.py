"""Two streams joined: what one sends the other gets, as it comes, until both have ended.

With a flow, every piece is a message: it is recorded, ``tcp_message`` fires, and what a script makes of it is
forwarded. Without one (ignored hosts, upgrades that nobody claims) bytes just pass.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flowdump.engine.errors import ConnectionFailure
from flowdump.flow import Error
from flowdump.hooks import fire
from flowdump.tcp import TCPMessage

if TYPE_CHECKING:
    from flowdump.engine.session import Session
    from flowdump.engine.stream import Stream
    from flowdump.tcp import TCPFlow

#: Bytes that are passed on at a time.
PIECE = 64 * 1024


async def relay(session: Session, client: Stream, server: Stream, flow: TCPFlow | None = None) -> None:
    """Join two streams until both directions have ended, or one connection broke."""
    if flow is not None:
        await fire(session.hooks.table.tcp_start, flow)
    limit = session.options.tcp_timeout or None
    client.idle_limit = server.idle_limit = limit
    ways = [
        asyncio.create_task(_pass(session, client, server, flow)),
        asyncio.create_task(_pass(session, server, client, flow)),
    ]
    try:
        await asyncio.gather(*ways)
    except ConnectionFailure as error:
        client.abort()  # what is broken on one side looks broken on the other
        server.abort()
        if flow is not None:
            flow.error = Error(str(error))
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        server.close()
        client.close()
    if flow is not None:
        table = session.hooks.table
        await fire(table.tcp_error if flow.error else table.tcp_end, flow)


async def _pass(session: Session, source: Stream, sink: Stream, flow: TCPFlow | None) -> None:
    """One direction, up to and including its end."""
    while source.buffer or await source.more():
        piece = source.take(PIECE)
        if flow is not None:
            piece = await _message(session, flow, source.peer == "client", piece)
        sink.write(piece)
        await sink.drain()
    sink.write_eof()


async def _message(session: Session, flow: TCPFlow, from_client: bool, piece: bytes) -> bytes:
    message = TCPMessage(from_client, piece)
    flow.messages.append(message)
    await fire(session.hooks.table.tcp_message, flow)
    return message.content
