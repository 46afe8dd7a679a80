"""Where a client wants to go before it has said anything that belongs there: one function per mode.

The modes regular and upstream need none: each HTTP request names its host. The functions return the destination, or
None for a client that is not served; it has its answer then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdump.connection import hostport
from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1.error_page import error_page
from flowdump.engine.listen import original_destination
from flowdump.engine.net import socks5
from flowdump.engine.relay import tcp
from flowdump.engine.upstream.destination import Destination
from flowdump.runtime.hook_data import Socks5AuthData
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowdump.engine.context import Context
    from flowdump.engine.net.stream import Stream

#: The beginning of an HTTP/1 request; no version of SOCKS begins like this.
_HTTP = re.compile(rb"[A-Z]{3,16} ").match

#: The SOCKS 4 reply "request rejected or failed", the only refusal that such a client understands.
_SOCKS4_REJECTED = b"\0\x5b" + bytes(6)


async def _reverse(context: Context, stream: Stream) -> Destination | None:
    target = context.mode.target
    assert target is not None
    return Destination(target.host, target.port, tls=target.scheme in ("https", "tls"))


async def _transparent(context: Context, stream: Stream) -> Destination | None:
    sockname = stream.info("sockname")
    try:
        host, port = original_destination.original_destination(stream.info("socket"), sockname)
    except OSError:  # not redirected: with TPROXY our own end has the address that was meant
        host, port = sockname[:2]
    if context.services.is_own_address((host, port)):
        context.log.warn(
            f"{hostport(context.client.peername)}: came to the transparent proxy itself, no rule has redirected it"
        )
        stream.abort()
        return None
    return Destination(host, port, tls=False)


async def _socks5(context: Context, stream: Stream) -> Destination | None:
    stream.idle_limit = context.options.client_timeout or None
    if not stream.buffer and not await stream.more():
        return None

    async def check(user: str, password: str) -> bool:
        """Ask the addon that handles ``socks5_auth``."""
        data = Socks5AuthData(context.client, user, password)
        await fire(context.hooks.table.socks5_auth, data)
        return data.valid

    try:
        if stream.buffer[0] != socks5.VERSION:
            # Refuse a client that does not speak SOCKS 5, in its own protocol where that is known.
            if stream.buffer[0] == 4:
                stream.write(_SOCKS4_REJECTED)
                raise ProtocolError("SOCKS 4 is not supported, SOCKS 5 is", status=400)
            text = "this is a SOCKS 5 proxy: set your client up for that"
            if _HTTP(stream.buffer):
                stream.write(b"".join(error_page(400, text, b"GET")))
            raise ProtocolError(text, status=400)
        host, port = await socks5.accept(stream, check if context.options.proxyauth else None)
    except ProtocolError as error:
        context.log.warn(f"{hostport(context.client.peername)}: {error}")
        await tcp.record_failure(context, error)
        await stream.linger()
        return None
    return Destination(host, port, tls=False)


#: Kind of mode -> the function that finds the destination.
DESTINATIONS: dict[str, Callable[[Context, Stream], Awaitable[Destination | None]]] = {
    "reverse": _reverse,
    "transparent": _transparent,
    "socks5": _socks5,
}
