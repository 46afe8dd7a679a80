"""Who speaks first behind a CONNECT, in SOCKS, transparent and raw modes.

HTTP and TLS clients begin at once; in other protocols (SMTP, SSH, MySQL) it is the server who does, and the client
waits for it. So when a client has been silent for ``SILENCE`` seconds, its server is connected to, and whoever speaks
first decides: a server that does is relayed as raw TCP, a client that does is looked at as ever, and the connection
that was made is used for it. With ``connection_strategy=lazy`` or ``rawtcp=false`` only the client is waited for. Where
all is raw anyway (reverse:tcp, or the client said so in its TLS handshake), the server is connected to at once; in
front of a TLS server (reverse:tls) only when the client does not begin such a handshake, which tells what to ask it
for.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Final

from flowdump.engine.errors import ConnectionFailure

if TYPE_CHECKING:
    from flowdump.engine.listen.session import Session
    from flowdump.engine.net.stream import Stream

#: Seconds: many times what a client needs to begin, and less than people notice.
SILENCE: Final = 0.3

_TLS_HANDSHAKE: Final = 0x16

#: A method and the blank behind it, what every HTTP/1 request begins with (after an empty line or two); or a beginning
#: of that.
_TOKEN: Final = rb"(?:\r?\n){0,2}[!#$%&'*+.^_`|~0-9A-Za-z-]"
_HTTP = re.compile(_TOKEN + rb"{1,32} ").match
_MAYBE_HTTP = re.compile(_TOKEN + rb"{0,32}").fullmatch
_METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI")


async def heard(session: Session) -> bool:
    """Wait for the client to begin. False when it never does, or its server did: that has been relayed then."""
    stream = session.stream
    if stream.buffer:
        return True
    if not _server_may_begin(session):
        return await stream.more()
    if not session.is_raw or _may_begin_tls(session):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE):
                return await stream.more()
    return await _race(session)


def _server_may_begin(session: Session) -> bool:
    if session.destination is None or not session.options.rawtcp:
        return False
    if session.is_raw:
        return True
    if session.client.alpn or session.mode.kind == "reverse":
        return False
    return bool(session.options.connection_strategy == "eager")


def _may_begin_tls(session: Session) -> bool:
    """Whether a TLS handshake of the client would say what its server is to be asked for."""
    return session.destination is not None and session.destination.tls and not session.client.tls


async def is_http(stream: Stream) -> bool:
    """Whether what the client has begun with looks like HTTP.

    As long as it may become so, more is waited for; not for long, if it is no beginning of a usual method.
    """
    while _MAYBE_HTTP(stream.buffer):
        usual = any(method.startswith(bytes(stream.buffer)) for method in _METHODS)
        try:
            async with asyncio.timeout(None if usual else SILENCE):
                if not await stream.more():
                    break
        except TimeoutError:
            break
    return _HTTP(stream.buffer) is not None


async def _race(session: Session) -> bool:
    """Connect to the server, and see who says something first. True when it is the client.

    A server that cannot be had is no reason to give the client up: it may speak HTTP, and be told then.
    """
    stream, server = session.stream, session.new_server()
    assert session.destination is not None
    try:
        upstream = await session.upstreams.connect(session.destination, server)
    except ConnectionFailure as failure:
        if not session.is_raw and (stream.buffer or await stream.more()):
            return True
        await session.record_failure(failure, server)
        stream.abort()
        return False
    await _first_of(stream, upstream.stream)
    tls = not session.client.tls and stream.buffer[:1] == bytes([_TLS_HANDSHAKE])
    if upstream.stream.buffer or (session.is_raw and not tls):
        await session.relay_raw(upstream)
        return False
    if upstream.is_idle:
        session.upstreams.put_aside(upstream)
    else:
        await session.upstreams.discard(upstream)
    return bool(stream.buffer) or await stream.more()


async def _first_of(client: Stream, server: Stream) -> None:
    """Until one of the two has sent something, or has ended. Raises PeerClosed, TimedOut of the client."""
    if client.buffer or server.buffer:
        return
    waits = [asyncio.create_task(stream.more()) for stream in (client, server)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
    if isinstance(outcomes[0], ConnectionFailure):
        server.close()
        raise outcomes[0]
