"""Which side speaks first on a connection, and whether what it says looks like HTTP.

Clients of HTTP and TLS begin at once. In other protocols (SMTP, SSH, MySQL) the server begins and the client waits for
it. So when a client has been silent for ``SILENCE`` seconds after a CONNECT, a SOCKS request or in transparent mode,
its server is connected to, and the first one to speak decides: if the server does, the connection is relayed as raw
TCP; if the client does, its bytes are looked at as ever, and the connection that was made is used for it. With
``connection_strategy=lazy`` or ``rawtcp=false`` only the client is waited for.

Where everything is raw anyway (reverse:tcp, or the client said so in its TLS handshake), the server is connected to at
once. In front of a TLS server (reverse:tls) that happens only when the client does not begin a TLS handshake, because
its ClientHello tells what to ask the server for.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Final

from flowdump.engine.errors import ConnectionFailure
from flowdump.engine.relay import tcp

if TYPE_CHECKING:
    from flowdump.engine.context import Context
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.upstream.connection import Upstream
    from flowdump.engine.upstream.pool import Upstreams

#: Seconds: many times what a client needs to begin, and less than people notice.
SILENCE: Final = 0.3

_TLS_HANDSHAKE: Final = b"\x16"

#: An HTTP/1 request begins with a method and a space, after an empty line or two; ``_MAYBE_HTTP`` is a prefix of it.
_TOKEN: Final = rb"(?:\r?\n){0,2}[!#$%&'*+.^_`|~0-9A-Za-z-]"
_HTTP = re.compile(_TOKEN + rb"{1,32} ").match
_MAYBE_HTTP = re.compile(_TOKEN + rb"{0,32}").fullmatch
_METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI")


async def wait(context: Context, stream: Stream, upstreams: Upstreams) -> bool | Upstream:
    """Wait for the first bytes of a client, or of its server.

    True when the client has begun, False when it never does. An ``Upstream`` is a connection to relay raw: the server
    has begun, or everything is raw. Raises PeerClosed and TimedOut of the client.
    """
    if stream.buffer:
        return True
    destination = context.destination
    # May the server begin?
    if destination is None or not context.options.rawtcp:
        return await stream.more()
    if not context.is_raw:
        is_http = context.client.alpn or context.mode.kind == "reverse"
        if is_http or context.options.connection_strategy != "eager":
            return await stream.more()
    may_begin_tls = destination.tls and not context.client.tls
    if not context.is_raw or may_begin_tls:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE):
                return await stream.more()

    server = context.new_server()
    try:
        upstream = await upstreams.connect(destination, server)
    except ConnectionFailure as failure:
        # The client may still speak HTTP, and then it gets a response that says why.
        if not context.is_raw and (stream.buffer or await stream.more()):
            return True
        await tcp.record_failure(context, failure, server)
        stream.abort()
        return False
    await _first_of(stream, upstream.stream)
    begins_tls = not context.client.tls and stream.buffer[:1] == _TLS_HANDSHAKE
    if upstream.stream.buffer or (context.is_raw and not begins_tls):
        return upstream
    if upstream.is_idle:
        upstreams.put_aside(upstream)
    else:
        await upstreams.discard(upstream)
    return bool(stream.buffer) or await stream.more()


async def _first_of(client: Stream, server: Stream) -> None:
    """Wait until one of two streams has data, or has ended. Raises PeerClosed, TimedOut of the client."""
    if client.buffer or server.buffer:
        return
    # The tasks begin in a later turn of the loop. Both buffers were empty just now, and bytes that arrive before then
    # must end the wait as well.
    waits = [asyncio.create_task(stream.more(seen=0)) for stream in (client, server)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
    if isinstance(outcomes[0], ConnectionFailure):
        server.close()
        raise outcomes[0]


async def is_http(stream: Stream) -> bool:
    """Whether the first bytes of a client look like HTTP.

    While they may become HTTP, more are waited for; not for long, if they are not the beginning of a usual method.
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
